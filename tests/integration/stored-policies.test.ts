import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { loadConfig } from '../../src/config/load-config.js';
import { lifecyclePolicy } from '../../src/storage/policy/lifecycle-policy.js';
import { checkPolicy } from '../../src/storage/policy/policy-rules.js';
import { applyCompressionAge, readStoredPolicies } from '../../src/storage/policy/stored-policies.js';
import { openMigratedTarget } from '../support/storage-targets.js';
import { timescaleTargets, type OpenedTarget } from '../support/timescale-targets.js';

describe.each(timescaleTargets())('the policies in the database, $name', (target) => {
  const config = loadConfig({ environment: {} });
  let opened: OpenedTarget | undefined;
  beforeAll(async () => {
    opened = await openMigratedTarget(target);
  });
  afterAll(() => opened?.remove());

  const database = () => (opened as OpenedTarget).database;

  it('are what a check without a database assumes', async () => {
    expect(lifecyclePolicy(config, await readStoredPolicies(database()))).toEqual(lifecyclePolicy(config));
  });

  it('have the age of compression that is configured, and are altered only where it differs', async () => {
    const ageSql = `SELECT config ->> 'compress_after' AS age FROM timescaledb_information.jobs
      WHERE hypertable_name = 'telemetry' AND proc_name IN ('policy_compression', 'policy_columnstore')`;
    await applyCompressionAge(database(), 7);
    expect(await database().query(ageSql)).toEqual([{ age: '7 days' }]);
    await applyCompressionAge(database(), 9);
    expect(await database().query(ageSql)).toEqual([{ age: '9 days' }]);
    const [{ scheduled } = { scheduled: true }] = await database().query(
      `SELECT scheduled FROM timescaledb_information.jobs WHERE hypertable_name = 'telemetry' AND proc_name IN ('policy_compression', 'policy_columnstore')`,
    );
    expect(scheduled).toBe(false);
  });

  it('are checked as they are, whoever has altered them', async () => {
    await database().script(
      `SELECT alter_job(job_id, config => jsonb_set(config, '{start_offset}', '"40 days"')) FROM timescaledb_information.jobs
       WHERE hypertable_name = 'agg_1min_v1' AND proc_name = 'policy_refresh_continuous_aggregate'`,
    );
    const findings = checkPolicy(lifecyclePolicy(config, await readStoredPolicies(database())));
    expect(findings.map(({ rule }) => rule)).toContain('refresh-within-source');
  });
});
