-- description: chunks older than seven days are compressed
-- requires: community
--
-- The policy holds the age; our own job runner holds the clock (docs/adr/0003-aggregates.md), so it is not scheduled.

ALTER TABLE telemetry SET (
    timescaledb.enable_columnstore,
    timescaledb.segmentby = 'device_id',
    timescaledb.orderby = '"timestamp" DESC'
);

CALL add_columnstore_policy('telemetry', after => INTERVAL '7 days');

SELECT alter_job(job_id, scheduled => false)
  FROM timescaledb_information.jobs
 WHERE hypertable_name = 'telemetry' AND proc_name IN ('policy_compression', 'policy_columnstore');
