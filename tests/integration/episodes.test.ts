/** Episodes as the job keeps them: found in what is stored, the same after failures and restarts. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { episodesJob } from '../../src/jobs/episodes-job.js';
import { JobRunner } from '../../src/jobs/job-runner.js';
import { EPISODE_DEFAULTS } from '../../src/pipeline/episodes/episode.js';
import { StateWriter } from '../../src/pipeline/state-bytes.js';
import type { Database } from '../../src/storage/database.js';
import type { ReadingBatch } from '../../src/telemetry/reading-batch.js';
import { QualityFlag } from '../../src/telemetry/quality-flags.js';
import { HAND_MADE_FAULTS } from '../support/hand-made-faults.js';
import { handMadeTrace, type TraceSpec } from '../support/hand-made-trace.js';
import { plainAndTimescale } from '../support/plain-and-timescale.js';
import { recordEvents, type RecordedEvents } from '../support/record-events.js';
import { storeTrace } from '../support/stored-trace.js';

const DEADHEAD = handMadeTrace({
  ...(HAND_MADE_FAULTS.deadhead[0] as TraceSpec),
  intervalSeconds: 10,
  beforeSeconds: 1800,
  duringSeconds: 600,
  afterSeconds: 1800,
});
/** Of its rows, one in the middle of what is wrong. */
const IN_THE_MIDDLE = 210;
const settings = {
  ...EPISODE_DEFAULTS,
  settleSeconds: 10,
  lookBackHours: 24,
  maxDevices: 100,
  saveSeconds: 600,
  detector: 'z-score',
  judgedBy: '1.2.3+0badcafe',
};
const endUs = Math.floor(Date.now() / 1000) * 1e6 - 60e6;

describe.each(plainAndTimescale)('the job episodes, $name', ({ open }) => {
  let opened: { readonly database: Database; remove(): Promise<unknown> };
  let database: Database;
  let events: RecordedEvents;
  beforeAll(async () => {
    opened = await open();
    ({ database } = opened);
  }, 90_000);
  afterAll(() => opened.remove());

  /** As a process that has just started. */
  const newRunner = (changes: Partial<typeof settings> = {}): JobRunner => {
    events = recordEvents();
    return new JobRunner({ database, events, jobs: [episodesJob({ ...settings, ...changes })] });
  };
  const runAll = async (runner: JobRunner): Promise<void> => {
    for (;;) {
      const { result, detail } = await runner.runNow('episodes');
      expect([result, detail]).toEqual(['succeeded', detail]);
      if (detail?.['more'] !== true) return;
    }
  };
  const episodesOf = (deviceId: string): Promise<Record<string, unknown>[]> =>
    database.query(
      `SELECT started_at::text AS start, last_at::text AS last, ended_at::text AS end, diagnosis, confidence, evidence, alternatives,
         anomalous_records FROM episodes WHERE device_id = $1 ORDER BY started_at`,
      [deviceId],
    );

  it('finds what was wrong, once, and says what it was', async () => {
    await storeTrace(database, 'whole', DEADHEAD, endUs);
    const runner = newRunner();
    await runAll(runner);
    const found = await episodesOf('whole');
    expect(found).toMatchObject([{ diagnosis: 'deadhead' }]);
    expect(JSON.stringify(found[0]?.['evidence'])).toMatch(/"for":\[".+"/);
    expect(found[0]?.['end']).toBe(found[0]?.['last']);
    expect(events.named('episode_opened')).toMatchObject([{ device: 'whole', diagnosis: 'deadhead' }]);
    expect(events.named('episode_ended')).toHaveLength(1);
    expect(events.named('episodes_followed')).toMatchObject([{ readings: DEADHEAD.length, goingOn: 0 }]);
    await runAll(runner);
    expect(events.named('episode_opened')).toHaveLength(1);
    expect(events.named('episodes_followed')[1]).toMatchObject({ devices: 0, readings: 0 });
    expect(await episodesOf('whole')).toEqual(found);
  });

  it('keeps it open as long as it goes on, and finds the same after a restart in the middle', async () => {
    await storeTrace(database, 'in parts', DEADHEAD, endUs, { to: IN_THE_MIDDLE });
    await runAll(newRunner());
    expect(await episodesOf('in parts')).toMatchObject([{ diagnosis: 'deadhead', end: null }]);
    expect(events.named('episode_ended')).toEqual([]);
    for (const [from, to] of [
      [IN_THE_MIDDLE, IN_THE_MIDDLE + 15],
      [IN_THE_MIDDLE + 15, DEADHEAD.length],
    ] as const) {
      await storeTrace(database, 'in parts', DEADHEAD, endUs, { from, to });
      await runAll(newRunner());
      expect(events.named('episode_opened')).toEqual([]);
    }
    expect(events.named('episode_ended')).toHaveLength(1);
    expect(await episodesOf('in parts')).toEqual(await episodesOf('whole'));
  });

  it('finds the same where a run fails half-way and what it found is not committed', async () => {
    const runner = newRunner();
    await storeTrace(database, 'failed', DEADHEAD, endUs, { to: IN_THE_MIDDLE });
    await database.script(`
      CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'no space left' USING ERRCODE = '53100'; END $$;
      CREATE TRIGGER refuse BEFORE INSERT OR UPDATE ON episode_watermarks FOR EACH ROW EXECUTE FUNCTION refuse();`);
    expect(await runner.runNow('episodes')).toMatchObject({ result: 'failed' });
    expect(await episodesOf('failed')).toEqual([]);
    await database.script('DROP TRIGGER refuse ON episode_watermarks; DROP FUNCTION refuse()');
    await storeTrace(database, 'failed', DEADHEAD, endUs, { from: IN_THE_MIDDLE });
    await runAll(runner);
    expect(await episodesOf('failed')).toEqual(await episodesOf('whole'));
  });

  it('goes on where another process has been meanwhile', async () => {
    const [one, other] = [newRunner(), newRunner()];
    for (const [runner, from, to] of [
      [one, 0, 190],
      [other, 190, IN_THE_MIDDLE],
      [one, IN_THE_MIDDLE, DEADHEAD.length],
    ] as const) {
      await storeTrace(database, 'two', DEADHEAD, endUs, { from, to });
      await runAll(runner);
    }
    expect(await episodesOf('two')).toEqual(await episodesOf('whole'));
  });

  it('keeps more devices apart than it has trackers for', async () => {
    const runner = newRunner({ maxDevices: 1 });
    for (const [from, to] of [
      [0, IN_THE_MIDDLE],
      [IN_THE_MIDDLE, DEADHEAD.length],
    ] as const) {
      for (const device of ['a', 'b', 'c']) await storeTrace(database, device, DEADHEAD, endUs, { from, to });
      await runAll(runner);
    }
    const whole = await episodesOf('whole');
    for (const device of ['a', 'b', 'c']) expect(await episodesOf(device)).toEqual(whole);
  });

  /** As after a restart for which the older readings are not there any more: what was known is all that there is. */
  const forgetReadings = (deviceId: string): Promise<number> =>
    database.execute('DELETE FROM telemetry WHERE device_id = $1', [deviceId]);
  const stateOf = async (deviceId: string): Promise<Record<string, unknown> | undefined> =>
    (
      await database.query(
        `SELECT s.reached::text AS reached, w.reached::text AS watermark, octet_length(state) AS bytes
         FROM episode_states s JOIN episode_watermarks w USING (device_id) WHERE device_id = $1`,
        [deviceId],
      )
    )[0];

  it('knows after a restart what it knew before, without the readings that it learned from', async () => {
    for (const [from, to] of [
      [0, 150],
      [150, IN_THE_MIDDLE],
      [IN_THE_MIDDLE, DEADHEAD.length],
    ] as const) {
      await storeTrace(database, 'forgotten', DEADHEAD, endUs, { from, to });
      await runAll(newRunner({ saveSeconds: 1 }));
      expect(events.named('episode_states_unusable')).toEqual([]);
      const state = await stateOf('forgotten');
      expect(state?.['reached']).toBe(state?.['watermark']);
      await forgetReadings('forgotten');
    }
    expect(await episodesOf('forgotten')).toEqual(await episodesOf('whole'));
  });

  it('reads again what came after the state was saved', async () => {
    await storeTrace(database, 'behind its watermark', DEADHEAD, endUs, { to: 150 });
    await runAll(newRunner());
    await forgetReadings('behind its watermark');
    for (const [from, to] of [
      [150, 190],
      [190, IN_THE_MIDDLE],
      [IN_THE_MIDDLE, DEADHEAD.length],
    ] as const) {
      await storeTrace(database, 'behind its watermark', DEADHEAD, endUs, { from, to });
      await runAll(newRunner({ saveSeconds: 86_400 }));
    }
    const state = await stateOf('behind its watermark');
    expect(String(state?.['reached']) < String(state?.['watermark'])).toBe(true);
    expect(await episodesOf('behind its watermark')).toEqual(await episodesOf('whole'));
  });

  it('stores what it found and what it knows together, or neither', async () => {
    await storeTrace(database, 'neither', DEADHEAD, endUs);
    await database.script(`
      CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'no space left' USING ERRCODE = '53100'; END $$;
      CREATE TRIGGER refuse BEFORE INSERT OR UPDATE ON episode_states FOR EACH ROW EXECUTE FUNCTION refuse();`);
    const runner = newRunner();
    expect(await runner.runNow('episodes')).toMatchObject({ result: 'failed' });
    expect(await episodesOf('neither')).toEqual([]);
    expect(await database.query(`SELECT FROM episode_watermarks WHERE device_id = 'neither'`)).toEqual([]);
    await database.script('DROP TRIGGER refuse ON episode_states; DROP FUNCTION refuse()');
    await runAll(runner);
    expect(await episodesOf('neither')).toEqual(await episodesOf('whole'));
    expect(await stateOf('neither')).toBeDefined();
  });

  it.each([
    ['damaged', `state = set_byte(state, octet_length(state) / 2, get_byte(state, octet_length(state) / 2) # 1)`],
    ['damaged', `state = substring(state FOR 100)`],
    ['version', `state = '\\x${Buffer.from(new StateWriter().finish(999)).toString('hex')}'`],
    ['ahead', `reached = reached + interval '1 day'`],
  ])('says that saved state is of no use (%s), and learns anew from the last readings', async (reason, change) => {
    const device = `${reason} ${change.length}`;
    await storeTrace(database, device, DEADHEAD, endUs, { to: IN_THE_MIDDLE });
    await runAll(newRunner());
    expect(await database.execute(`UPDATE episode_states SET ${change} WHERE device_id = $1`, [device])).toBe(1);
    await storeTrace(database, device, DEADHEAD, endUs, { from: IN_THE_MIDDLE });
    await runAll(newRunner());
    expect(events.named('episode_states_unusable')).toEqual([{ devices: 1, device, reason }]);
    expect(await episodesOf(device)).toEqual(await episodesOf('whole'));
    await runAll(newRunner());
    expect(events.named('episode_states_unusable')).toEqual([]);
  });

  it('keeps no tracker in memory of a device that reports seldom: what was saved of it is loaded for the next reading', async () => {
    const [often, seldom] = [10, 1200].map((intervalSeconds) =>
      handMadeTrace({ intervalSeconds, beforeSeconds: 60 * intervalSeconds, duringSeconds: 0, course: () => ({}) }),
    ) as [ReadingBatch, ReadingBatch];
    const runner = newRunner();
    const storeBoth = async (from: number, to: number): Promise<void> => {
      await storeTrace(database, 'often', often, endUs, { from, to });
      await storeTrace(database, 'seldom', seldom, endUs, { from, to });
      await runAll(runner);
    };
    await storeBoth(0, 58);
    await storeBoth(58, 59);
    await database.execute(
      `UPDATE episode_states SET state = substring(state FOR 100) WHERE device_id IN ('often', 'seldom')`,
    );
    await storeBoth(59, 60);
    expect(events.named('episode_states_unusable')).toEqual([{ devices: 1, device: 'seldom', reason: 'damaged' }]);
  });

  it('forgets what it knew of a device that goes', async () => {
    await storeTrace(database, 'gone', DEADHEAD, endUs);
    await runAll(newRunner());
    expect(await stateOf('gone')).toBeDefined();
    await database.execute(`DELETE FROM devices WHERE device_id = 'gone'`);
    expect(await database.query(`SELECT FROM episode_states WHERE device_id = 'gone'`)).toEqual([]);
  });

  it('says what judged an episode', async () => {
    const stored = await database.query(`SELECT DISTINCT detector, judged_by FROM episodes WHERE device_id = 'whole'`);
    expect(stored).toEqual([{ detector: 'z-score', judged_by: '1.2.3+0badcafe' }]);
  });

  it('does not look at what came late, nor at what has just come', async () => {
    await storeTrace(database, 'late', DEADHEAD, endUs, { flags: QualityFlag.notEvaluated });
    await storeTrace(database, 'new', DEADHEAD, Date.now() * 1000 + 3600e6, { to: 20 });
    await storeTrace(database, 'new', DEADHEAD, Date.now() * 1000 + 5400e6, { from: DEADHEAD.length - 20 });
    const runner = newRunner();
    await runAll(runner);
    expect(events.named('episodes_followed')).toMatchObject([{ devices: 2, readings: 20 }]);
    expect(await episodesOf('late')).toEqual([]);
    expect(await runner.list()).toMatchObject([{ fault: null }]);
  });

  it('says which readings should have been looked through', async () => {
    await storeTrace(database, 'behind', DEADHEAD, endUs - 3600e6);
    const runner = newRunner();
    expect((await runner.list())[0]?.fault).toContain('readings of 1 devices');
    await runAll(runner);
    expect(await runner.list()).toMatchObject([{ fault: null }]);
  });
});
