-- description: refresh windows of the aggregates, and their compression
-- requires: community
--
-- The policies hold windows and ages; our own job runner holds the clock (docs/adr/0003-aggregates.md), so none is
-- scheduled. Invariant: a window never reaches back to where the source of the level may have been dropped
-- (raw 30 days, one-minute 90 days, hourly 365 days), else a refresh would delete what it can no longer compute.
-- An aggregate is compressed only where no regular refresh rewrites it any more.

SELECT add_continuous_aggregate_policy('agg_1min_v1', start_offset => INTERVAL '7 days', end_offset => INTERVAL '1 minute', schedule_interval => INTERVAL '30 seconds', buckets_per_batch => 1440);
SELECT add_continuous_aggregate_policy('agg_1hour_v1', start_offset => INTERVAL '8 days', end_offset => INTERVAL '1 hour', schedule_interval => INTERVAL '10 minutes', buckets_per_batch => 0);
SELECT add_continuous_aggregate_policy('agg_1hour_p95_v1', start_offset => INTERVAL '7 days', end_offset => INTERVAL '1 hour', schedule_interval => INTERVAL '10 minutes', buckets_per_batch => 0);
SELECT add_continuous_aggregate_policy('agg_daily_v1', start_offset => INTERVAL '28 days', end_offset => INTERVAL '1 day', schedule_interval => INTERVAL '1 hour', buckets_per_batch => 0);

ALTER MATERIALIZED VIEW agg_1min_v1 SET (timescaledb.enable_columnstore, timescaledb.segmentby = 'device_id', timescaledb.orderby = 'bucket DESC');
ALTER MATERIALIZED VIEW agg_1hour_v1 SET (timescaledb.enable_columnstore, timescaledb.segmentby = 'device_id', timescaledb.orderby = 'bucket DESC');
ALTER MATERIALIZED VIEW agg_1hour_p95_v1 SET (timescaledb.enable_columnstore, timescaledb.segmentby = 'device_id', timescaledb.orderby = 'bucket DESC');
ALTER MATERIALIZED VIEW agg_daily_v1 SET (timescaledb.enable_columnstore, timescaledb.segmentby = 'device_id', timescaledb.orderby = 'bucket DESC');

CALL add_columnstore_policy('agg_1min_v1', after => INTERVAL '8 days');
CALL add_columnstore_policy('agg_1hour_v1', after => INTERVAL '10 days');
CALL add_columnstore_policy('agg_1hour_p95_v1', after => INTERVAL '10 days');
CALL add_columnstore_policy('agg_daily_v1', after => INTERVAL '30 days');

SELECT alter_job(job_id, scheduled => false)
  FROM timescaledb_information.jobs
 WHERE scheduled AND hypertable_name IN ('agg_1min_v1', 'agg_1hour_v1', 'agg_1hour_p95_v1', 'agg_daily_v1');
