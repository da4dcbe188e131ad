/** What every implementation of the queue has to do. Each one calls `describeQueueContract` in a test file of its own. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { Broker, Consumer, Delivery, OutgoingMessage, Queue } from '../../src/queue/queue.js';

/** Where messages are kept; empty at first. Cleans up after itself when the test has finished. */
export interface QueueStore {
  /** Opens a broker on it; called again after the one before was closed. */
  open(): Promise<Broker>;
}

export function message(id: number | string, options: { records?: number | null; pad?: number } = {}): OutgoingMessage {
  const body = Buffer.from(JSON.stringify({ id, pad: 'x'.repeat(options.pad ?? 0) }));
  const records = options.records === undefined ? 1 : options.records;
  const receivedUs = 1_790_000_000_123_456;
  return { body, headers: { schemaVersion: 1, contentType: 'application/json', records, receivedUs, source: 'test' } };
}

export function idOf({ body }: { body: Uint8Array }): number {
  return (JSON.parse(Buffer.from(body).toString()) as { id: number }).id;
}

/** A consumer that keeps what it was given and can wait for a number of deliveries. */
export class Collector {
  readonly deliveries: Delivery[] = [];
  /** How often it was told that nothing more comes before it acknowledges something. */
  timesFull = 0;
  #arrived: () => void = () => undefined;
  #consumer: Consumer | undefined;

  static async on(queue: Queue, prefetchMessages = 1000, prefetchBytes = 2 ** 30): Promise<Collector> {
    const collector = new Collector();
    const onFull = (): number => collector.timesFull++;
    collector.#consumer = await queue.consume({ prefetchMessages, prefetchBytes, onFull }, (delivery) => {
      collector.deliveries.push(delivery);
      collector.#arrived();
    });
    return collector;
  }

  get ids(): number[] {
    return this.deliveries.map(idOf);
  }

  get consumer(): Consumer {
    return this.#consumer as Consumer;
  }

  /** The deliveries so far, once there are at least `count`. */
  async received(count: number): Promise<readonly Delivery[]> {
    while (this.deliveries.length < count) await new Promise<void>((resolve) => (this.#arrived = resolve));
    return this.deliveries;
  }

  async acknowledge(count: number): Promise<void> {
    await this.received(count);
    await this.consumer.acknowledgeThrough((this.deliveries[count - 1] as Delivery).tag);
  }
}

/** Long enough that a delivery which must not come would have come. */
const settle = () => new Promise((resolve) => setTimeout(resolve, 60));

/**
 * @param options.countsUnseen false where the number of messages is all that is known about those that another broker
 *   object published and that have not been delivered here
 * @param options.partitions over which the messages of the suite are spread; 0: the queue is one
 * @param options.ordersPartialReturns false where messages that came back are no longer in order when a consumer with a
 *   smaller prefetch took only some of them and gave those back as well
 */
export function describeQueueContract(
  implementation: string,
  createStore: () => QueueStore,
  {
    countsUnseen = true,
    ordersPartialReturns = true,
    partitions = 0,
    numRuns = 40,
  }: { countsUnseen?: boolean; ordersPartialReturns?: boolean; partitions?: number; numRuns?: number } = {},
): void {
  const place = (id: number): number => (partitions === 0 ? 0 : id % partitions);
  const placed = (id: number, options?: Parameters<typeof message>[1]): OutgoingMessage =>
    partitions === 0 ? message(id, options) : { ...message(id, options), partition: place(id) };
  /** As far as their order is promised: partition by partition. */
  const inOrder = (ids: readonly number[]): number[] => ids.toSorted((one, other) => place(one) - place(other));
  /** These came first of what was published: of each partition the oldest. */
  const expectFirst = (ids: readonly number[], published: readonly number[]): void => {
    const count = (wanted: number): number => ids.filter((id) => place(id) === wanted).length;
    const oldest = [...new Set(published.map(place))].flatMap((wanted) =>
      published.filter((id) => place(id) === wanted).slice(0, count(wanted)),
    );
    expect(inOrder(ids)).toEqual(inOrder(oldest));
  };
  const withBroker = async (store: QueueStore, work: (broker: Broker) => Promise<void>): Promise<void> => {
    const broker = await store.open();
    try {
      await work(broker);
    } finally {
      await broker.close();
    }
  };

  describe(`queue contract: ${implementation}`, () => {
    test('delivers in the order of publication, tags growing, nothing redelivered', () =>
      withBroker(createStore(), async ({ telemetry }) => {
        const collector = await Collector.on(telemetry);
        const ids = Array.from({ length: 50 }, (_, id) => id);
        await Promise.all(ids.slice(0, 25).map((id) => telemetry.publish([placed(id)])));
        await telemetry.publish(ids.slice(25).map((id) => placed(id)));
        const deliveries = await collector.received(50);
        expect(inOrder(collector.ids)).toEqual(inOrder(ids));
        expect(deliveries.every(({ redelivered }) => !redelivered)).toBe(true);
        expect(deliveries.every(({ tag }, at) => at === 0 || tag > (deliveries[at - 1] as Delivery).tag)).toBe(true);
      }));

    test('is well while it takes and delivers, and says so when it is closed', async () => {
      const broker = await createStore().open();
      const well = { ok: true, detail: expect.any(String) as string };
      expect(await broker.telemetry.health()).toEqual({ publishing: well, consuming: well });
      await broker.telemetry.publish([placed(0)]);
      await (await Collector.on(broker.telemetry)).received(1);
      expect(await broker.telemetry.health()).toEqual({ publishing: well, consuming: well });
      await broker.close();
      const { publishing, consuming } = await broker.telemetry.health();
      expect([publishing.ok, consuming.ok]).toEqual([false, false]);
    });

    test('headers and body come out as they went in, bytes that are not UTF-8 included', () =>
      withBroker(createStore(), async ({ telemetry }) => {
        const body = Uint8Array.from({ length: 256 }, (_, byte) => byte);
        const plain = {
          schemaVersion: 1,
          contentType: 'application/x-ndjson',
          records: null,
          receivedUs: null,
        } as const;
        const failure = { code: 'conflict', deviceId: 'Bohrung Süd 7 🛢' };
        await telemetry.publish([
          { ...placed(0), body, headers: { ...plain, source: 'gateway "Nord"' } },
          { ...placed(0), body: new Uint8Array(0), headers: { ...message(0).headers, failure } },
        ]);
        const collector = await Collector.on(telemetry);
        const [first, second] = (await collector.received(2)) as [Delivery, Delivery];
        expect(Uint8Array.from(first.body)).toEqual(body);
        expect(first.headers).toEqual({ ...plain, source: 'gateway "Nord"' });
        expect(second.body.byteLength).toBe(0);
        expect(second.headers).toEqual({ ...message(0).headers, failure });
      }));

    test('a message of 16 MB between small ones', () =>
      withBroker(createStore(), async ({ telemetry }) => {
        const large = placed(1, { pad: 16 * 1024 * 1024 });
        await telemetry.publish([placed(0), large, placed(2)]);
        const collector = await Collector.on(telemetry);
        const deliveries = await collector.received(3);
        expect(inOrder(collector.ids)).toEqual(inOrder([0, 1, 2]));
        const found = deliveries.find((delivery) => idOf(delivery) === 1) as Delivery;
        expect(Buffer.compare(found.body, large.body)).toBe(0);
      }));

    test('publishing nothing resolves and changes nothing', () =>
      withBroker(createStore(), async ({ telemetry }) => {
        await telemetry.publish([]);
        expect(telemetry.depth()).toEqual({ messages: 0, records: 0, bytes: 0 });
      }));

    test('what was published is there after reopening, in both queues separately', async () => {
      const store = createStore();
      await withBroker(store, async ({ telemetry, failed }) => {
        await telemetry.publish([placed(1), placed(2)]);
        await failed.publish([message(3)]);
      });
      await withBroker(store, async ({ telemetry, failed }) => {
        const collectors = [await Collector.on(telemetry), await Collector.on(failed)] as const;
        await collectors[0].received(2);
        await collectors[1].received(1);
        expect(collectors.map(({ ids }) => inOrder(ids))).toEqual([[1, 2], [3]]);
      });
    });

    test('acknowledging is cumulative; the rest comes again after reopening, in order, redelivered', async () => {
      const store = createStore();
      let rest: number[] = [];
      await withBroker(store, async ({ telemetry }) => {
        await telemetry.publish([0, 1, 2, 3, 4, 5].map((id) => placed(id)));
        const collector = await Collector.on(telemetry);
        await collector.received(6);
        await collector.acknowledge(4);
        await collector.acknowledge(2); // already covered
        expect(inOrder(collector.ids)).toEqual(inOrder([0, 1, 2, 3, 4, 5]));
        rest = collector.ids.slice(4);
        expect(telemetry.depth().messages).toBe(2);
      });
      await withBroker(store, async ({ telemetry }) => {
        const collector = await Collector.on(telemetry);
        await collector.received(2);
        await telemetry.publish([placed(6)]);
        await collector.received(3);
        expect(inOrder(collector.ids)).toEqual(inOrder([...rest, 6]));
        expect(collector.deliveries.map(({ redelivered }) => redelivered)).toEqual([true, true, false]);
      });
    });

    test('no more than prefetchMessages are out at a time', () =>
      withBroker(createStore(), async ({ telemetry }) => {
        const ids = Array.from({ length: 10 }, (_, id) => id);
        await telemetry.publish(ids.map((id) => placed(id)));
        const collector = await Collector.on(telemetry, 3);
        await collector.received(3);
        await settle();
        expect(collector.deliveries.length).toBe(3);
        expectFirst(collector.ids, ids);
        await collector.acknowledge(2);
        await collector.received(5);
        await settle();
        expect(collector.deliveries.length).toBe(5);
        expectFirst(collector.ids, ids);
      }));

    test('no more than prefetchBytes are out at a time, and a message beyond that comes alone', () =>
      withBroker(createStore(), async ({ telemetry }) => {
        await telemetry.publish([400, 400, 5000, 400].map((pad, id) => placed(id, { pad })));
        const collector = await Collector.on(telemetry, 1000, 1000);
        for (const [acknowledged, out] of [
          [0, 2],
          [1, 2],
          [2, 3],
          [3, 4],
        ] as const) {
          if (acknowledged > 0) await collector.acknowledge(acknowledged);
          await collector.received(out);
          await settle();
          expect(collector.deliveries.length).toBe(out);
        }
      }));

    test.each([
      ['messages', 3, 2 ** 30],
      ['bytes', 1000, 1000],
    ])('a consumer is told when it holds all that the prefetch allows in %s', (_, messages, bytes) =>
      withBroker(createStore(), async ({ telemetry }) => {
        const collector = await Collector.on(telemetry, messages, bytes);
        expect(collector.timesFull).toBe(0);
        await telemetry.publish(Array.from({ length: 10 }, (__, id) => placed(id, { pad: 400 })));
        await expect.poll(() => collector.timesFull).toBeGreaterThan(0);
        for (let out = collector.deliveries.length; out < 10; out = collector.deliveries.length) {
          await collector.acknowledge(out);
          await collector.received(out + 1);
        }
      }),
    );

    test('after stop nothing is delivered; what is out can still be acknowledged; the next consumer gets the rest', () =>
      withBroker(createStore(), async ({ telemetry }) => {
        await telemetry.publish([placed(0), placed(1), placed(2)]);
        const first = await Collector.on(telemetry, 2);
        await first.received(2);
        await first.consumer.stop();
        await telemetry.publish([placed(3)]);
        await first.acknowledge(1);
        await settle();
        expect(first.deliveries.length).toBe(2);
        expectFirst(first.ids, [0, 1, 2]);
        const second = await Collector.on(telemetry);
        await second.received(3);
        expect(inOrder(second.ids)).toEqual(inOrder([0, 1, 2, 3].filter((id) => id !== first.ids[0])));
        const wasDelivered = (id: number | undefined) =>
          second.deliveries.find((delivery) => idOf(delivery) === id)?.redelivered;
        expect(wasDelivered(first.ids[1])).toBe(true);
        expect(wasDelivered(3)).toBe(false);
      }));

    test('a second consumer beside the first is refused', () =>
      withBroker(createStore(), async ({ telemetry }) => {
        await Collector.on(telemetry);
        await expect(Collector.on(telemetry)).rejects.toThrow('consumer');
      }));

    test('depth counts messages, records and bytes of bodies until they are acknowledged, across reopening', async () => {
      const store = createStore();
      const messages = [
        placed(0, { records: 300, pad: 5000 }),
        placed(1, { records: null }),
        placed(2, { records: 7 }),
      ];
      const bytes = messages.reduce((sum, { body }) => sum + body.byteLength, 0);
      let left = { messages: 0, records: 0, bytes: 0 };
      await withBroker(store, async ({ telemetry }) => {
        await telemetry.publish(messages);
        expect(telemetry.depth()).toEqual({ messages: 3, records: 308, bytes });
        const collector = await Collector.on(telemetry);
        await collector.acknowledge(1);
        const [gone] = collector.deliveries as [Delivery];
        left = { messages: 2, records: 308 - (gone.headers.records ?? 1), bytes: bytes - gone.body.byteLength };
        expect(telemetry.depth()).toEqual(left);
      });
      await withBroker(store, async ({ telemetry, failed }) => {
        expect(telemetry.depth()).toEqual(countsUnseen ? left : { messages: 2, records: 0, bytes: 0 });
        expect(failed.depth()).toEqual({ messages: 0, records: 0, bytes: 0 });
      });
    });

    test('a closed queue says so', async () => {
      const broker = await createStore().open();
      const { telemetry } = broker;
      await broker.close();
      await expect(telemetry.publish([placed(0)])).rejects.toMatchObject({ code: 'queue_closed' });
    });

    test('any interleaving of publishing, acknowledging and reopening keeps exactly the unacknowledged, in order', async () => {
      const step = fc.oneof(
        fc.record({
          kind: fc.constant('publish' as const),
          sizes: fc.array(fc.integer({ min: 0, max: 3000 }), { maxLength: 8 }),
        }),
        fc.record({ kind: fc.constant('acknowledge' as const), fraction: fc.double({ min: 0, max: 1, noNaN: true }) }),
        fc.record({ kind: fc.constant('reopen' as const) }),
        fc.record({ kind: fc.constant('consume' as const), prefetch: fc.integer({ min: 1, max: 5 }) }),
      );
      await fc.assert(
        fc.asyncProperty(fc.array(step, { maxLength: 20 }), async (steps) => {
          const store = createStore();
          let broker = await store.open();
          let expected: number[] = [];
          let nextId = 0;
          for (const action of steps) {
            if (action.kind === 'publish') {
              const batch = action.sizes.map((pad) => placed(nextId++, { pad }));
              await broker.telemetry.publish(batch);
              expected.push(...batch.map(idOf));
            } else if (action.kind === 'reopen') {
              await broker.close();
              broker = await store.open();
            } else {
              const prefetch = action.kind === 'consume' && ordersPartialReturns ? action.prefetch : 1000;
              const wanted = Math.min(prefetch, expected.length);
              const collector = await Collector.on(broker.telemetry, prefetch);
              await collector.received(wanted);
              expectFirst(collector.ids, expected);
              const acknowledged = action.kind === 'consume' ? 0 : Math.floor(action.fraction * wanted);
              if (acknowledged > 0) await collector.acknowledge(acknowledged);
              await collector.consumer.stop();
              const gone = new Set(collector.ids.slice(0, acknowledged));
              expected = expected.filter((id) => !gone.has(id));
            }
            expect(broker.telemetry.depth().messages).toBe(expected.length);
          }
          await broker.close();
          await withBroker(store, async ({ telemetry }) => {
            const collector = await Collector.on(telemetry);
            await collector.received(expected.length);
            expect(inOrder(collector.ids)).toEqual(inOrder(expected));
          });
        }),
        { numRuns },
      );
    });
  });
}
