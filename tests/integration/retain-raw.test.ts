import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { JobRunner } from '../../src/jobs/job-runner.js';
import { retainRawJob } from '../../src/jobs/retain-raw-job.js';
import { DEFAULT_RETENTION } from '../../src/storage/aggregate-levels.js';
import { createHold } from '../../src/storage/holds.js';
import { MICROS_PER_DAY } from '../../src/telemetry/timestamp.js';
import { recordEvents } from '../support/record-events.js';
import { openMigratedTarget } from '../support/storage-targets.js';
import { timescaleTargets, type OpenedTarget } from '../support/timescale-targets.js';

describe.each(timescaleTargets())('the retention of readings, $name', (target) => {
  let opened: OpenedTarget | undefined;
  beforeAll(async () => {
    opened = await openMigratedTarget(target);
  });
  afterAll(() => opened?.remove());

  it('drops nothing without an archive, and says in its run log what keeps each chunk', async () => {
    const { database } = opened as OpenedTarget;
    await database.execute(
      `INSERT INTO telemetry ("timestamp", device_id, temperature)
       SELECT date_trunc('day', now()) - make_interval(days => day), 'well', 80 FROM unnest(ARRAY[1, 28, 33, 34, 35]) AS day`,
    );
    await database.execute(`INSERT INTO late_days (day) VALUES ((now() - INTERVAL '34 days')::date)`);
    const heldUs = (Math.floor(Date.now() / 86_400_000) - 35) * MICROS_PER_DAY;
    const hold = { deviceId: 'another', fromUs: heldUs, toUs: heldUs + 1, reason: 'claim', expiresAtUs: null };
    await createHold(database, hold, 'test');
    const runner = new JobRunner({ database, events: recordEvents(), jobs: [retainRawJob(DEFAULT_RETENTION)] });
    const { result, detail } = await runner.runNow('retain-raw');
    expect({ result, detail }).toMatchObject({
      result: 'succeeded',
      detail: { dropped: 0, kept: 3, held: 1, late: 1, not_archived: 1, more: false },
    });
    expect(detail?.['explained']).toMatch(
      /chunk: hold 1 keeps it; .*not in the aggregates yet; .*archive does not have it$/,
    );
    expect(await database.query('SELECT count(*) AS n FROM telemetry')).toEqual([{ n: 5 }]);
    expect(await runner.history('retain-raw', 5)).toMatchObject([{ job: 'retain-raw', result: 'succeeded' }]);
  });
});
