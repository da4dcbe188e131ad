import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { rabbitmqAddress } from '../../src/queue/rabbitmq-address.js';
import { openRabbitmqBroker } from '../../src/queue/rabbitmq-broker.js';
import { Collector, message } from '../contracts/queue.js';
import { writeCertificates } from '../support/certificates.js';
import { freePort } from '../support/free-port.js';
import { startRabbitmq, type RabbitmqServer } from '../support/rabbitmq.js';
import { recordEvents } from '../support/record-events.js';
import { runCommand } from '../support/service.js';
import { createTemporaryDirectory } from '../support/temporary-directory.js';

const directory = createTemporaryDirectory('rabbitmq-tls');
const elsewhere = createTemporaryDirectory('other-authority');
let rabbitmq: RabbitmqServer;
let url: string;
let caFile: string;
let otherCaFile: string;

beforeAll(async () => {
  const files = writeCertificates(directory.path);
  const port = await freePort();
  [caFile, otherCaFile] = [join(directory.path, 'ca.crt'), join(directory.path, 'other.crt')];
  writeFileSync(caFile, files.ca);
  writeFileSync(otherCaFile, writeCertificates(elsewhere.path).ca);
  rabbitmq = await startRabbitmq({
    settings: [
      `listeners.ssl.1 = 127.0.0.1:${port}`,
      `ssl_options.certfile = ${files.certificateFile}`,
      `ssl_options.keyfile = ${files.keyFile}`,
      `ssl_options.cacertfile = ${caFile}`,
    ],
  });
  url = `amqps://guest:guest@127.0.0.1:${port}`;
});
afterAll(async () => {
  await rabbitmq.remove();
  await directory.remove();
  await elsewhere.remove();
});

const open = (authority: string) =>
  openRabbitmqBroker({ ...rabbitmqAddress({ url, caFile: authority }), events: recordEvents(), newQueueRestMs: 0 });

it('publishes and consumes over TLS with an authority of its own', async () => {
  const broker = await open(caFile);
  await broker.telemetry.publish([message(1)]);
  const collector = await Collector.on(broker.telemetry);
  await collector.acknowledge(1);
  expect(collector.ids).toEqual([1]);
  await broker.close();
});

it('trusts nobody who is not named', async () => {
  for (const authority of ['', otherCaFile])
    await expect(open(authority)).rejects.toMatchObject({
      code: 'queue_certificate_refused',
      message: expect.stringContaining('queue.caFile') as string,
    });
});

it('takes the authority from NODE_EXTRA_CA_CERTS as well', async () => {
  const environment = { DOWNHOLE_QUEUE_URL: url };
  const trusted = await runCommand(['queue', 'declare'], { ...environment, NODE_EXTRA_CA_CERTS: caFile });
  expect([trusted.code, trusted.stderr]).toEqual([0, '']);
  const untrusted = await runCommand(['queue', 'declare'], environment);
  expect([untrusted.code, untrusted.stdout]).toEqual([1, '']);
});

it('refuses an authority that cannot be read, or that nobody would ask', () => {
  expect(() => rabbitmqAddress({ url, caFile: join(directory.path, 'nowhere.crt') })).toThrow(/queue\.caFile.*ENOENT/);
  expect(() => rabbitmqAddress({ url: 'amqp://127.0.0.1', caFile })).toThrow(/amqps/);
});
