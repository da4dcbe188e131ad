-- description: hourly 95th percentiles
-- requires: community
--
-- A percentile does not roll up, so this one stands on the readings themselves. Kept to the channels whose upper tail
-- is watched: each percentile sorts every row of the hour.

CREATE MATERIALIZED VIEW agg_1hour_p95_v1
WITH (timescaledb.continuous, timescaledb.materialized_only = false, timescaledb.chunk_interval = '10 days') AS
SELECT
    device_id,
    time_bucket(INTERVAL '1 hour', "timestamp") AS bucket,
    percentile_cont(0.95) WITHIN GROUP (ORDER BY temperature) AS temp_p95,
    percentile_cont(0.95) WITHIN GROUP (ORDER BY vibration) AS vib_p95,
    percentile_cont(0.95) WITHIN GROUP (ORDER BY motor_current) AS motor_current_p95,
    percentile_cont(0.95) WITHIN GROUP (ORDER BY motor_temperature) AS motor_temp_p95
FROM telemetry
GROUP BY device_id, bucket
WITH NO DATA;
