import { openEmbeddedBroker } from '../../src/queue/embedded-broker.js';
import { describeQueueContract } from '../contracts/queue.js';
import { temporaryDirectory } from '../support/temporary-directory.js';

describeQueueContract('embedded', () => {
  const directory = temporaryDirectory('queue');
  const events = { emit: () => undefined };
  return { open: () => openEmbeddedBroker({ directory, maxBytes: 2 ** 30, segmentBytes: 4096, events }) };
});
