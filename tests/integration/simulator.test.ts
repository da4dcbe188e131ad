/** The simulated fleet against the real ingest API with a real queue behind it. */
import { describe, expect, it, onTestFinished } from 'vitest';
import { createFleet } from '../../src/gateway/simulator/fleet.js';
import { createSchedule } from '../../src/gateway/simulator/schedule.js';
import { startSimulator, type SimulatorOptions } from '../../src/gateway/simulator/start-simulator.js';
import type { Delivery } from '../../src/queue/queue.js';
import { freePort } from '../support/free-port.js';
import { startIngestServer, type IngestServer, type IngestServerOptions } from '../support/ingest-server.js';
import { recordEvents } from '../support/record-events.js';
import { runCommand } from '../support/service.js';

interface Sent {
  readonly device_id: string;
  readonly timestamp: string;
  readonly source_system: string;
}

const recordsOf = (deliveries: readonly Delivery[]): Sent[] =>
  deliveries.flatMap(({ body }) =>
    Buffer.from(body)
      .toString()
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as Sent),
  );

async function server(options: IngestServerOptions = {}): Promise<IngestServer> {
  const started = await startIngestServer(options);
  onTestFinished(() => started.close());
  return started;
}

const OPTIONS: Omit<SimulatorOptions, 'service' | 'events'> = {
  wells: 20,
  seed: 5,
  faults: 'none',
  intervalSeconds: 0.1,
  backfillDays: 0,
  backfillIntervalSeconds: 60,
};

const sleep = (milliseconds: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, milliseconds));

/** Collects until a number of records has come. */
async function collect(from: IngestServer, wanted: number): Promise<Sent[]> {
  const records: Sent[] = [];
  while (records.length < wanted) {
    records.push(...recordsOf(await from.drain()));
    await sleep(20);
  }
  return records;
}

function expectOrderPerDevice(records: readonly Sent[]): void {
  const last = new Map<string, number>();
  for (const { device_id: deviceId, timestamp } of records) {
    const at = Date.parse(timestamp);
    expect(at).toBeGreaterThan(last.get(deviceId) ?? 0);
    last.set(deviceId, at);
  }
}

describe('the simulator', () => {
  it('sends each well at its interval, in order, and stops when it is told to', async () => {
    const api = await server();
    const events = recordEvents();
    const simulator = startSimulator({ ...OPTIONS, service: { url: api.client.url }, events });
    const records: Sent[] = [];
    const wells = new Map<string, number>();
    while (wells.size < 20 || Math.min(...wells.values()) < 16) {
      for (const record of await collect(api, 1)) {
        records.push(record);
        wells.set(record.device_id, (wells.get(record.device_id) ?? 0) + 1);
      }
    }
    await simulator.stop();
    records.push(...recordsOf(await api.drain()));
    expect(new Set(records.map(({ device_id: deviceId }) => deviceId)).size).toBe(20);
    expect(new Set(records.map(({ source_system: source }) => source))).toEqual(new Set(['simulator']));
    expectOrderPerDevice(records);
    // On its grid: each well every 100 ms, nothing left out but what the telemetry itself loses.
    const times = records.filter(({ device_id: id }) => id === 'esp-001').map(({ timestamp }) => Date.parse(timestamp));
    expect(times.every((time) => time % 100 === 0)).toBe(true);
    expect(times.length).toBeGreaterThan(15);
    expect(events.named('simulator_refused')).toEqual([]);
    expect(events.named('simulator_started')).toEqual([{ wells: 20, intervalSeconds: 0.1 }]);
    await sleep(150);
    expect(await api.drain()).toEqual([]);
  });

  it('sends its history first, and every record of it through a queue that is full at times', async () => {
    const api = await server({ queueMaxBytes: 2_000_000 });
    const events = recordEvents();
    const startedUs = Date.now() * 1000;
    const simulator = startSimulator({
      ...OPTIONS,
      backfillDays: 0.4,
      intervalSeconds: 3600,
      service: { url: api.client.url },
      events,
    });
    // Taken out slowly, so that the queue is full again and again.
    const records: Sent[] = [];
    const consumer = await api.broker.telemetry.consume(
      { prefetchMessages: 1, prefetchBytes: 10_000_000 },
      (delivery) => {
        records.push(...recordsOf([delivery]));
        setTimeout(() => void consumer.acknowledgeThrough(delivery.tag), 100);
      },
    );
    await simulator.backfilled;
    await simulator.stop();
    while (api.broker.telemetry.depth().messages > 0) await sleep(20);
    await consumer.stop();
    expect(events.named('simulator_refused').some(({ status }) => status === 503)).toBe(true);
    expectOrderPerDevice(records);

    const fleet = createFleet(OPTIONS);
    const schedule = createSchedule(20, 60);
    const expected = new Set<string>();
    for (const { deviceId, timestampUs } of fleet.history(schedule, startedUs - 34_500e6, startedUs))
      expected.add(`${deviceId} ${timestampUs / 1000}`);
    const sent = new Set(records.map(({ device_id: id, timestamp }) => `${id} ${Date.parse(timestamp)}`));
    expect(sent.size).toBe(records.length);
    expect([...expected].filter((key) => !sent.has(key))).toEqual([]);
    expect(expected.size).toBeGreaterThan(10_000);
  });

  it('waits for an API that is not there yet', async () => {
    const port = await freePort();
    const events = recordEvents();
    const simulator = startSimulator({ ...OPTIONS, service: { url: `http://127.0.0.1:${port}` }, events });
    while (events.named('simulator_refused').length === 0) await sleep(20);
    const api = await server({ settings: { 'http.port': port } });
    const records = await collect(api, 50);
    await simulator.stop();
    expectOrderPerDevice(records);
    expect(events.named('simulator_refused')[0]).toMatchObject({ status: 0 });
  });

  it('can be stopped while it waits', async () => {
    const events = recordEvents();
    const url = `http://127.0.0.1:${await freePort()}`;
    const simulator = startSimulator({ ...OPTIONS, backfillDays: 30, service: { url }, events });
    while (events.named('simulator_refused').length === 0) await sleep(20);
    await simulator.stop();
    await simulator.backfilled;
    expect(events.named('simulator_refused').length).toBeGreaterThan(0);
  });

  it('says what was refused for good, and goes on', async () => {
    const api = await server({ settings: { 'http.maxRecordsPerRequest': 5 } });
    const events = recordEvents();
    const simulator = startSimulator({ ...OPTIONS, service: { url: api.client.url }, events });
    while (events.named('simulator_refused').length < 2) await sleep(20);
    await simulator.stop();
    expect(events.named('simulator_refused')[0]?.status).toBeGreaterThanOrEqual(400);
    expect(events.named('simulator_refused')[0]?.status).toBeLessThan(500);
  });
});

describe('downhole simulate', () => {
  it.each([
    [['--wells', '0'], /No wells to simulate; give --wells/],
    [['--wells', 'many'], /simulator\.wells/],
    [['--url', 'nowhere'], /--url nowhere is no URL/],
  ])('is refused when it was not meant like that: %j', async (args, message) => {
    const { code, stdout, stderr } = await runCommand(['simulate', ...args]);
    expect(stderr).toMatch(message);
    expect(stdout).toBe('');
    expect(code).toBe(2);
  });
});
