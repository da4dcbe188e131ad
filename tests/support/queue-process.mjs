/**
 * Publishes to an embedded queue until it is killed: `node queue-process.mjs DIRECTORY FIRST_ID BODY_BYTES`.
 * Says `published ID` once that publication is durable, `acknowledged ID` once an acknowledgement is, `refused CODE`
 * when a publication was refused (and goes on with the same id). Runs the compiled program, as users do.
 */
import { writeSync } from 'node:fs';
import { openEmbeddedBroker } from '../../dist/src/queue/embedded-broker.js';

const [directory, firstId, bodyBytes] = process.argv.slice(2);
const say = (line) => writeSync(1, `${line}\n`);
const events = { emit: () => undefined };
const broker = await openEmbeddedBroker({ directory, maxBytes: 2 ** 30, segmentBytes: 2 ** 18, events });
const { telemetry } = broker;

let nextId = Number(firstId);
const idOf = ({ body }) => JSON.parse(Buffer.from(body).toString()).id;
const message = (id) => ({
  body: Buffer.from(JSON.stringify({ id, pad: 'x'.repeat(Number(bodyBytes)) })),
  headers: { schemaVersion: 1, contentType: 'application/json', records: 1, receivedUs: null, source: 'test' },
});

const consumer = await telemetry.consume({ prefetchMessages: 64, prefetchBytes: 2 ** 24 }, (delivery) => {
  // Every third message at most, so that a backlog grows.
  if (idOf(delivery) % 3 !== 0) return;
  consumer.acknowledgeThrough(delivery.tag).then(() => say(`acknowledged ${idOf(delivery)}`), fail);
});

async function publishForever() {
  for (;;) {
    const id = nextId++;
    for (;;) {
      try {
        await telemetry.publish([message(id)]);
        break;
      } catch (error) {
        if (error.retryable !== true) throw error;
        say(`refused ${error.code}`);
        await new Promise((resolve) => setTimeout(resolve, 5));
      }
    }
    say(`published ${id}`);
  }
}

function fail(error) {
  writeSync(2, `${error.stack}\n`);
  process.exit(1);
}

await Promise.all([publishForever(), publishForever(), publishForever(), publishForever()]).catch(fail);
