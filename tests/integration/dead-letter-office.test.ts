/** Dead letters seen, replayed and purged, on every database. */
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { verifyLedger } from '../../src/console/ledger-verification.js';
import { DatabaseLetterOffice } from '../../src/dead-letters/dead-letter-office.js';
import type { ListQuery, ReplayRequest } from '../../src/dead-letters/letter-schemas.js';
import { encodeDeadLetter } from '../../src/queue/dead-letter.js';
import { deadLetterColumns, deadLetterId, INSERT_DEAD_LETTERS } from '../../src/queue/dead-letter-rows.js';
import type { Database } from '../../src/storage/database.js';
import { explainFlags } from '../../src/telemetry/quality-flags.js';
import { formatTimestamp } from '../../src/telemetry/timestamp.js';
import { startPostgres, type PostgresServer } from '../support/postgres.js';
import { recordEvents } from '../support/record-events.js';
import { openMigratedTarget, openPlainTarget, type StorageTarget } from '../support/storage-targets.js';
import { timescaleTargets } from '../support/timescale-targets.js';

const NOW_US = Date.UTC(2026, 10, 26, 12) * 1000;
const SECOND = 1_000_000;
const ACTOR = 'cli:test';

const TIMESCALE_TARGETS = timescaleTargets();
let server: PostgresServer;
const opened = new Map<string, StorageTarget>();

beforeAll(async () => {
  server = await startPostgres();
  opened.set('PostgreSQL', await openPlainTarget(server));
  for (const target of TIMESCALE_TARGETS) opened.set(target.name, await openMigratedTarget(target));
}, 90_000);
afterAll(async () => {
  for (const target of opened.values()) await target.remove();
  await server.remove();
});

interface Given {
  readonly code?: string;
  readonly error?: string;
  readonly deviceId?: string | null;
  /** Seconds before now at which it was given up. */
  readonly ago?: number;
}

describe.each(['PostgreSQL', ...TIMESCALE_TARGETS.map(({ name }) => name)])('the dead letter office on %s', (name) => {
  let database: Database;
  let nowUs = NOW_US;
  let office: DatabaseLetterOffice;

  beforeAll(() => {
    ({ database } = opened.get(name) as StorageTarget);
    const quality = { expectedChannels: ['temperature', 'pressure'] as const, timelySeconds: 300 };
    office = new DatabaseLetterOffice({ database, events: recordEvents(), quality, nowUs: () => nowUs });
  });
  beforeEach(async () => {
    nowUs = NOW_US;
    for (const table of ['telemetry', 'devices', 'device_latest', 'dead_letters', 'audit_log', 'late_days', 'ledger'])
      await database.execute(`DELETE FROM ${table}`);
  });

  /** Puts a letter into the table, as the drainer does. */
  async function give(
    original: string | Uint8Array,
    { code = 'future_timestamp', error = 'why', deviceId = null, ago = 60 }: Given = {},
  ): Promise<string> {
    const bytes = Buffer.from(original as string);
    const timestampUs = nowUs - ago * SECOND;
    const letter = encodeDeadLetter({ original: bytes, code, deviceId, error, timestampUs, receivedUs: timestampUs });
    await database.execute(INSERT_DEAD_LETTERS, deadLetterColumns([letter]));
    return deadLetterId(bytes, code);
  }
  const record = (second: number, more: object = { temperature: 80 }, device = 'esp-1'): string =>
    JSON.stringify({ device_id: device, timestamp: formatTimestamp(NOW_US + second * SECOND), ...more });
  const list = (query: Partial<ListQuery> = {}) => office.list({ state: 'new', limit: 100, ...query });
  const replay = (request: Omit<ReplayRequest, 'limit'> & { limit?: number }) =>
    office.replay({ limit: 500, ...request }, ACTOR);
  const rows = () =>
    database.query(`SELECT device_id, temperature, pressure, quality_flags, data_quality_score, operating_state, is_anomaly, raw_values
      FROM telemetry ORDER BY device_id, "timestamp"`);

  describe('shows', () => {
    it('lists by page and by filter, those given up last first', async () => {
      const ids: string[] = [];
      for (let index = 0; index < 25; index++) {
        const code = index % 5 === 0 ? 'conflict' : 'future_timestamp';
        ids.push(
          await give(record(index), {
            code,
            error: `Error ${index}`,
            deviceId: `esp-${index % 2}`,
            ago: 100 - Math.floor(index / 3),
          }),
        );
      }
      const pages: string[] = [];
      let after: string | undefined;
      do {
        const page = await list({ limit: 7, ...(after === undefined ? {} : { after }) });
        expect(page.letters.length).toBeLessThanOrEqual(7);
        pages.push(...page.letters.map(({ id }) => id));
        after = page.next ?? undefined;
      } while (after !== undefined);
      expect([...pages].sort()).toEqual([...ids].sort());
      const times = await Promise.all(pages.map(async (id) => (await office.show(id)).letter.last_at));
      expect(times).toEqual([...times].sort().reverse());
      const count = async (query: Partial<ListQuery>) => (await list(query)).letters.length;
      expect(await count({ code: 'conflict' })).toBe(5);
      expect(await count({ device_id: 'esp-1' })).toBe(12);
      expect(await count({ text: 'ERROR 2' })).toBe(6);
      expect(await count({ text: '%' })).toBe(0);
      expect(
        await count({ since: formatTimestamp(NOW_US - 98 * SECOND), until: formatTimestamp(NOW_US - 96 * SECOND) }),
      ).toBe(6);
      expect(await count({ state: 'replayed' })).toBe(0);
      await expect(list({ since: 'yesterday' })).rejects.toMatchObject({ code: 'wrong_usage', field: 'since' });
      await expect(list({ after: 'elsewhere' })).rejects.toMatchObject({ code: 'wrong_usage', field: 'after' });
    });

    it('groups by reason, with the newest as an example', async () => {
      await give(record(1), { code: 'conflict', error: 'old', ago: 90, deviceId: 'a' });
      const newest = await give(record(2), { code: 'conflict', error: 'new', ago: 30, deviceId: 'b' });
      await give(record(3), { ago: 50 });
      const { groups } = await office.groups({ state: 'new' });
      expect(groups).toEqual([
        {
          code: 'conflict',
          letters: 2,
          occurrences: 2,
          devices: 2,
          first_at: '2026-11-26T11:58:30Z',
          last_at: '2026-11-26T11:59:30Z',
          example: { id: newest, device_id: 'b', error: 'new' },
        },
        expect.objectContaining({ code: 'future_timestamp', letters: 1, devices: 0 }),
      ]);
    });

    it('shows one by the beginning of its id, its bytes as they came, and what was done to it', async () => {
      const text = await give(record(1), { deviceId: 'esp-1' });
      const binary = await give(Uint8Array.of(0xff, 0, 0x80), { code: 'malformed_json' });
      const { letter } = await office.show(text.slice(0, 12));
      expect(letter).toMatchObject({ id: text, state: 'new', occurrences: 1, history: [], bytes: record(1).length });
      expect(letter.original).toEqual({ encoding: 'utf8', data: record(1) });
      expect((await office.show(binary)).letter.original).toEqual({ encoding: 'base64', data: '/wCA' });
      await expect(office.show('abcdef')).rejects.toMatchObject({ code: 'letter_unknown' });
      await database.execute(`UPDATE dead_letters SET id = 'abcdef' || left(id, 58)`);
      await expect(office.show('abcdef')).rejects.toMatchObject({ code: 'wrong_usage' });
    });
  });

  describe('replays', () => {
    it('stores the rows as late ones, in the registry too, and settles the letters in the log', async () => {
      await database.execute(
        `INSERT INTO devices (device_id, profile) VALUES ('esp-1', '{"limits": {"temperature": {"max": 100}}}')`,
      );
      const id = await give(record(-3600, { temperature: 140, pressure: 100, rpm: 2900 }));
      await give(record(-20 * 86_400, { temperature: 81, pressure: 1 }, 'esp-new'));
      const { letters, next } = await replay({ all: true });
      expect(letters.map(({ result, outcome }) => [result, outcome])).toEqual([
        ['replayed', { stored: 1 }],
        ['replayed', { stored: 1 }],
      ]);
      expect(next).toBeNull();
      const [first, second] = await rows();
      expect(first).toMatchObject({ device_id: 'esp-1', temperature: null, pressure: 100, operating_state: 3 });
      expect(first?.['raw_values']).toMatchObject({ temperature: 140 });
      expect(explainFlags(Number(first?.['quality_flags']))).toEqual({
        missing: [],
        impossible: ['temperature'],
        flags: ['lateArrival', 'notEvaluated', 'outsideWellLimits'],
      });
      expect(second).toMatchObject({ device_id: 'esp-new', temperature: 81, is_anomaly: false });
      expect(await database.query(`SELECT last_seen FROM devices WHERE device_id = 'esp-new'`)).toEqual([
        { last_seen: '2026-11-06 12:00:00+00' },
      ]);
      expect(await database.query(`SELECT day::text AS day FROM late_days`)).toEqual([{ day: '2026-11-06' }]);
      const { letter } = await office.show(id);
      expect(letter).toMatchObject({ state: 'replayed', state_changed_by: ACTOR, outcome: { stored: 1 } });
      expect(letter.history).toMatchObject([
        { actor: ACTOR, action: 'dead_letter.replay', detail: { result: 'replayed', outcome: { stored: 1 } } },
      ]);
      const hours = { sinceUs: NOW_US - 3600 * SECOND, untilUs: NOW_US + 3600 * SECOND, deviceId: undefined };
      expect(await verifyLedger(database, hours)).toMatchObject({ counted: 2, found: 2, differences: [] });
      expect((await replay({ all: true })).letters).toEqual([]);
      expect(await replay({ ids: [id] })).toMatchObject({
        letters: [{ id, result: 'skipped', error: 'it is replayed already' }],
      });
    });

    it('refuses again what cannot be stored, with the reason of today; a future comes', async () => {
      const future = await give(record(3600));
      expect((await replay({ all: true })).letters).toMatchObject([
        { id: future, result: 'refused', code: 'future_timestamp' },
      ]);
      expect(await rows()).toEqual([]);
      nowUs += 7200 * SECOND;
      await database.execute(
        `INSERT INTO telemetry (device_id, "timestamp", temperature) VALUES ('esp-1', $1::timestamptz, 79)`,
        [formatTimestamp(NOW_US + 3600 * SECOND)],
      );
      expect((await replay({ ids: [future] })).letters).toMatchObject([{ result: 'refused', code: 'conflict' }]);
      const { letter } = await office.show(future);
      expect(letter).toMatchObject({ state: 'new', code: 'conflict', error: expect.stringContaining('79') as string });
      expect(letter.history.map(({ detail }) => detail['code'])).toEqual(['future_timestamp', 'conflict']);
    });

    it('overwrites only where that is asked for, and the log keeps the old values', async () => {
      await give(record(-60, { temperature: 79, pressure: 5 }));
      await replay({ all: true });
      const id = await give(record(-60, { temperature: 82.5, vibration: 1 }), { code: 'conflict' });
      expect((await replay({ ids: [id], overwrite: false })).letters).toMatchObject([{ result: 'refused' }]);
      expect((await replay({ ids: [id], overwrite: true })).letters).toMatchObject([{ outcome: { overwritten: 1 } }]);
      expect(await rows()).toMatchObject([{ temperature: 82.5, pressure: 5 }]);
      expect((await office.show(id)).letter.history.at(-1)?.detail).toMatchObject({
        overwrite: true,
        overwritten: [
          { device_id: 'esp-1', timestamp: '2026-11-26T11:59:00Z', values: { temperature: { from: 79, to: 82.5 } } },
        ],
      });
    });

    it('tells merged from duplicate', async () => {
      await give(record(-60, { temperature: 80 }), { ago: 50 });
      await give(record(-60, { pressure: 7 }), { ago: 40 });
      await give(record(-60, { temperature: 80, pressure: 7 }), { ago: 30 });
      const { letters } = await replay({ all: true });
      expect(letters.map(({ outcome }) => outcome)).toEqual([{ stored: 1 }, { merged: 1 }, { duplicate: 1 }]);
    });

    it('reads records anew after a correction, which the log keeps', async () => {
      const given = {
        records: [{ time: '2026-11-26 06:00:00', temp: 176, temp_unit: 'X', device_id: 'wrong' }],
        units: { pressure: 'nonsense' },
        time_zone: 'Nowhere/Land',
      };
      const id = await give(JSON.stringify(given), { code: 'unknown_unit' });
      expect((await replay({ ids: [id] })).letters).toMatchObject([{ result: 'refused', code: 'unknown_unit' }]);
      const corrections = {
        time_zone: 'America/Chicago',
        device_id: 'esp-7',
        rename: { time: 'timestamp', temp: 'temperature', temp_unit: 'temperature_unit' },
        units: { temperature: 'F', pressure: 'bar' },
      };
      nowUs += 600 * SECOND;
      expect((await replay({ ids: [id], corrections })).letters).toMatchObject([{ outcome: { stored: 1 } }]);
      expect(await database.query('SELECT device_id, "timestamp", temperature FROM telemetry')).toEqual([
        { device_id: 'esp-7', timestamp: '2026-11-26 12:00:00+00', temperature: 80 },
      ]);
      expect((await office.show(id)).letter.history.at(-1)?.detail).toMatchObject({ corrections });
      for (const wrong of [
        { time_zone: 'Nowhere' },
        { units: { temperature: 'X' } },
        { device_id: '' },
        { rename: { a: 'c', b: 'c' } },
      ])
        await expect(replay({ all: true, corrections: wrong })).rejects.toMatchObject({ code: 'wrong_usage' });
    });

    it('replays a letter of several records as a whole, or not at all', async () => {
      const both = await give(`[${record(-60)},${record(-59)}]`);
      await give(record(-59, { temperature: 1 }), { ago: 90 });
      const bad = await give(`[${record(-50)},{"device_id":"esp-1"}]`);
      const empty = await give('[]');
      const results = new Map((await replay({ all: true })).letters.map((letter) => [letter.id, letter]));
      expect(results.get(both)).toMatchObject({ result: 'refused', code: 'conflict' });
      expect(results.get(bad)).toMatchObject({
        code: 'missing_field',
        error: expect.stringContaining('record 1 of 2') as string,
      });
      expect(results.get(empty)).toMatchObject({ result: 'refused' });
      expect(await rows()).toMatchObject([{ temperature: 1 }]);
      expect((await replay({ ids: [both], overwrite: true })).letters).toMatchObject([
        { outcome: { stored: 1, overwritten: 1 } },
      ]);
      const lines = await give(`${record(-10)}\n${record(-9)}\n`, { code: 'malformed_json' });
      expect((await replay({ ids: [lines] })).letters).toMatchObject([{ code: 'malformed_json' }]);
      expect((await replay({ ids: [lines], corrections: { ndjson: true } })).letters).toMatchObject([
        { outcome: { stored: 2 } },
      ]);
    });

    it('changes nothing in a dry run, and says what would happen', async () => {
      await give(record(-60));
      await give(record(3600));
      const before = await list();
      const { letters, dry_run: dryRun } = await replay({ all: true, dry_run: true });
      expect([dryRun, letters.map(({ result }) => result).sort()]).toEqual([true, ['refused', 'replayed']]);
      expect(await rows()).toEqual([]);
      expect(await list()).toEqual(before);
      expect(await database.query('SELECT * FROM audit_log')).toEqual([]);
    });

    it('goes on page by page, and takes only what was meant', async () => {
      for (let index = 0; index < 12; index++)
        await give(record(index < 6 ? 3600 + index : -index), { code: index % 2 === 0 ? 'a' : 'b' });
      const seen: string[] = [];
      let after: string | undefined;
      do {
        const page = await replay({ filter: { code: 'a' }, limit: 2, ...(after === undefined ? {} : { after }) });
        seen.push(...page.letters.map(({ result }) => result));
        after = page.next ?? undefined;
      } while (after !== undefined);
      expect(seen.sort()).toEqual(['refused', 'refused', 'refused', 'replayed', 'replayed', 'replayed']);
      expect((await list({ code: 'b' })).letters).toHaveLength(6);
      for (const unclear of [{}, { filter: {} }, { all: false }, { all: true, filter: { code: 'a' } }])
        await expect(replay(unclear)).rejects.toMatchObject({ code: 'wrong_usage' });
    });

    it('isolates the letter that the database refuses', async () => {
      await database.execute(`ALTER TABLE telemetry ADD CONSTRAINT test_refuses CHECK (device_id <> 'esp-refused')`);
      try {
        for (let index = 0; index < 9; index++) await give(record(-index - 1));
        const refused = await give(record(-5, { temperature: 80 }, 'esp-refused'));
        const { letters } = await replay({ all: true });
        expect(letters.filter(({ result }) => result === 'replayed')).toHaveLength(9);
        expect(letters.find(({ id }) => id === refused)).toMatchObject({
          result: 'refused',
          code: 'database_rejected',
        });
        expect((await replay({ all: true, dry_run: true })).letters).toMatchObject([
          { id: refused, code: 'database_rejected' },
        ]);
        await database.execute('ALTER TABLE telemetry DROP CONSTRAINT test_refuses');
        expect((await replay({ ids: [refused] })).letters).toMatchObject([{ outcome: { stored: 1 } }]);
      } finally {
        await database.execute('ALTER TABLE telemetry DROP CONSTRAINT IF EXISTS test_refuses');
      }
    });
  });

  it('purges what waits: the bytes are gone, the log knows', async () => {
    const id = await give('garbage', { code: 'malformed_json', deviceId: 'esp-1' });
    const kept = await give(record(-1));
    await replay({ ids: [kept] });
    const request = { limit: 500, ids: [id, kept] };
    expect((await office.purge(request, ACTOR)).purged).toEqual([id]);
    expect((await office.show(id)).letter).toMatchObject({
      state: 'purged',
      bytes: 0,
      original: { data: '' },
      state_changed_by: ACTOR,
      history: [{ action: 'dead_letter.purge', detail: { code: 'malformed_json', device_id: 'esp-1', bytes: 7 } }],
    });
    expect((await replay({ ids: [id] })).letters).toMatchObject([{ result: 'skipped', error: 'it is purged already' }]);
    expect((await office.purge({ limit: 500, all: true }, ACTOR)).purged).toEqual([]);
    await expect(office.purge({ limit: 500 }, ACTOR)).rejects.toMatchObject({ code: 'wrong_usage' });
  });
});
