import { afterEach, describe, expect, it } from 'vitest';
import { inspect } from '../support/inspection.js';
import { settled, startService, type Service } from '../support/service.js';
import { temporaryDirectory } from '../support/temporary-directory.js';

const ROUNDS = 3;
const RECORDS_PER_REQUEST = 200;

let service: Service | undefined;
afterEach(async () => {
  await service?.kill();
});

/** Posts batches of unique records until the service goes away; returns the sequence numbers that were acknowledged. */
async function sendUntilKilled(url: string, next: () => number, acknowledged: Set<number>): Promise<void> {
  for (;;) {
    const numbers = Array.from({ length: RECORDS_PER_REQUEST }, next);
    // One record of each request cannot be accepted, and one is from the future: it becomes a dead letter.
    const lines = numbers.map((number, index) => JSON.stringify(record(number, index)));
    try {
      const response = await fetch(`${url}/v1/telemetry`, {
        method: 'POST',
        body: lines.join('\n'),
        headers: { 'content-type': 'application/x-ndjson' },
      });
      if (response.status !== 202) throw new Error(`status ${response.status}: ${await response.text()}`);
      const answer = (await response.json()) as { accepted: number };
      expect(answer.accepted).toBe(RECORDS_PER_REQUEST - 1);
      numbers.forEach((number, index) => {
        if (index > 1) acknowledged.add(number);
      });
    } catch (error) {
      if (error instanceof TypeError) return; // killed
      throw error;
    }
  }
}

const EPOCH_MS = Date.UTC(2026, 0, 1);

function record(number: number, index: number): Record<string, unknown> {
  const good = {
    device_id: `esp-${number % 7}`,
    timestamp: new Date(EPOCH_MS + number * 1000).toISOString(),
    temperature: 60 + (number % 50),
    rpm: number % 3000,
  };
  if (index === 0) return { ...good, temperature: 'warm' };
  return index === 1 ? { ...good, timestamp: '2999-01-01T00:00:00Z' } : good;
}

describe('kill -9', () => {
  it('loses no acknowledged record, stores none twice, and every record is accounted for', async () => {
    const directory = temporaryDirectory('kill');
    const acknowledged = new Set<number>();
    let sequence = 0;
    for (let round = 0; round < ROUNDS; round++) {
      const running = (service = await startService(directory));
      const senders = Array.from({ length: 3 }, () => sendUntilKilled(running.url, () => sequence++, acknowledged));
      await new Promise((resolve) => setTimeout(resolve, 700 + 600 * round));
      await running.kill();
      await Promise.all(senders);
    }

    service = await startService(directory);
    const balance = await settled(service);
    expect(balance.came).toBe(balance.went);
    expect(await service.stop()).toBe(0);

    await inspect(directory, async (database) => {
      const rows = await database.query<{ number: number; temperature: number; rpm: number }>(
        `SELECT ((extract(epoch FROM "timestamp") * 1000)::bigint - $1::bigint) / 1000 AS number, temperature, rpm FROM telemetry`,
        [EPOCH_MS],
      );
      const stored = new Map(rows.map((row) => [row.number, row]));
      expect(stored.size).toBe(rows.length);
      expect([...acknowledged].filter((number) => !stored.has(number))).toEqual([]);
      for (const [number, row] of stored)
        expect([row.temperature, row.rpm]).toEqual([60 + (number % 50), number % 3000]);
      const letters = await database.query('SELECT code, count(*) AS letters FROM dead_letters GROUP BY code');
      expect(letters).toEqual([{ code: 'future_timestamp', letters: expect.any(Number) as number }]);
    });
    expect(acknowledged.size).toBeGreaterThan(RECORDS_PER_REQUEST);
  }, 180_000);
});
