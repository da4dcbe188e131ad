-- description: the one-minute aggregate, which hourly and daily stand on
-- requires: community
--
-- Internal: the columns of a continuous aggregate are final (a column added later fails or is NULL for all history),
-- so readers use the public views, and a later channel gets a sidecar aggregate that those views join.
-- It stores what can be rolled up exactly: counts, sums, least and greatest; never an average.
--   real values are summed as float8, since sum(real) accumulates in float4 and is visibly wrong;
--   sums of squares only for the channels of which a view shows a deviation.
--
-- n            rows                          assessed_n  rows with quality flags (history taken over has none)
-- complete_n   no expected channel missing   timely_n    not late on arrival (quality-flags.ts, bits 0-19 and 21)
-- coherent_n   no impossible value (bits 32-51), no current (> 5 A) at standstill of the drive, and no discharge
--              pressure below intake pressure while running
-- quality_n / quality_sum   rows with a score, and its sum

CREATE MATERIALIZED VIEW agg_1min_v1
WITH (timescaledb.continuous, timescaledb.materialized_only = false, timescaledb.chunk_interval = '1 day') AS
SELECT
    device_id,
    time_bucket(INTERVAL '1 minute', "timestamp") AS bucket,
    count(*)::int4 AS n,
    count(quality_flags)::int4 AS assessed_n,
    (count(*) FILTER (WHERE quality_flags & 1048575 = 0))::int4 AS complete_n,
    (count(*) FILTER (WHERE quality_flags & 2097152 = 0))::int4 AS timely_n,
    (count(*) FILTER (WHERE (quality_flags >> 32) & 1048575 = 0
        AND (motor_current > 5 AND drive_frequency = 0) IS NOT TRUE
        AND (operating_state = 3 AND discharge_pressure < intake_pressure) IS NOT TRUE))::int4 AS coherent_n,
    (count(*) FILTER (WHERE is_anomaly))::int4 AS anomaly_n,
    count(data_quality_score)::int4 AS quality_n,
    sum(data_quality_score::float8) AS quality_sum,
    (count(*) FILTER (WHERE operating_state = 1))::int4 AS off_n,
    (count(*) FILTER (WHERE operating_state = 2))::int4 AS starting_n,
    (count(*) FILTER (WHERE operating_state = 3))::int4 AS running_n,
    (count(*) FILTER (WHERE operating_state = 4))::int4 AS transient_n,
    count(temperature)::int4 AS temp_n, sum(temperature::float8) AS temp_sum, min(temperature) AS temp_min, max(temperature) AS temp_max,
    sum(temperature::float8 * temperature::float8) AS temp_sumsq,
    count(vibration)::int4 AS vib_n, sum(vibration::float8) AS vib_sum, min(vibration) AS vib_min, max(vibration) AS vib_max,
    sum(vibration::float8 * vibration::float8) AS vib_sumsq,
    count(pressure)::int4 AS pressure_n, sum(pressure::float8) AS pressure_sum, min(pressure) AS pressure_min, max(pressure) AS pressure_max,
    count(flow_rate)::int4 AS flow_n, sum(flow_rate::float8) AS flow_sum, min(flow_rate) AS flow_min, max(flow_rate) AS flow_max,
    count(motor_current)::int4 AS motor_current_n, sum(motor_current::float8) AS motor_current_sum, min(motor_current) AS motor_current_min, max(motor_current) AS motor_current_max,
    sum(motor_current::float8 * motor_current::float8) AS motor_current_sumsq,
    count(rpm)::int4 AS rpm_n, sum(rpm::float8) AS rpm_sum, min(rpm) AS rpm_min, max(rpm) AS rpm_max,
    count(intake_pressure)::int4 AS intake_pressure_n, sum(intake_pressure::float8) AS intake_pressure_sum, min(intake_pressure) AS intake_pressure_min, max(intake_pressure) AS intake_pressure_max,
    count(discharge_pressure)::int4 AS discharge_pressure_n, sum(discharge_pressure::float8) AS discharge_pressure_sum, min(discharge_pressure) AS discharge_pressure_min, max(discharge_pressure) AS discharge_pressure_max,
    count(motor_temperature)::int4 AS motor_temp_n, sum(motor_temperature::float8) AS motor_temp_sum, min(motor_temperature) AS motor_temp_min, max(motor_temperature) AS motor_temp_max,
    sum(motor_temperature::float8 * motor_temperature::float8) AS motor_temp_sumsq,
    count(drive_frequency)::int4 AS drive_frequency_n, sum(drive_frequency::float8) AS drive_frequency_sum, min(drive_frequency) AS drive_frequency_min, max(drive_frequency) AS drive_frequency_max,
    count(motor_voltage)::int4 AS motor_voltage_n, sum(motor_voltage::float8) AS motor_voltage_sum, min(motor_voltage) AS motor_voltage_min, max(motor_voltage) AS motor_voltage_max,
    count(leakage_current)::int4 AS leakage_current_n, sum(leakage_current::float8) AS leakage_current_sum, min(leakage_current) AS leakage_current_min, max(leakage_current) AS leakage_current_max,
    count(casing_pressure)::int4 AS casing_pressure_n, sum(casing_pressure::float8) AS casing_pressure_sum, min(casing_pressure) AS casing_pressure_min, max(casing_pressure) AS casing_pressure_max,
    count(vibration_y)::int4 AS vib_y_n, sum(vibration_y::float8) AS vib_y_sum, min(vibration_y) AS vib_y_min, max(vibration_y) AS vib_y_max,
    count(vibration_z)::int4 AS vib_z_n, sum(vibration_z::float8) AS vib_z_sum, min(vibration_z) AS vib_z_min, max(vibration_z) AS vib_z_max
FROM telemetry
GROUP BY device_id, bucket
WITH NO DATA;
