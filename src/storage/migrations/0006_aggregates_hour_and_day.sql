-- description: hourly and daily aggregates, rolled up from the one-minute level
-- requires: community
--
-- Counts and sums roll up exactly. Two things are new on the hour, because they need the minutes:
--   minutes_n            minutes with data, from which uptime follows;
--   flow_minute_avg_sum  the sum of the minutes' mean rates, from which the produced volume follows. (A plain mean of
--                        the samples would weigh a minute by how often the device happened to report in it.)
-- Days are UTC days: a level of fixed width cannot stand below one of a time zone.

CREATE MATERIALIZED VIEW agg_1hour_v1
WITH (timescaledb.continuous, timescaledb.materialized_only = false, timescaledb.chunk_interval = '10 days') AS
SELECT
    device_id,
    time_bucket(INTERVAL '1 hour', bucket) AS bucket,
    count(*) AS minutes_n,
    count(flow_n) FILTER (WHERE flow_n > 0) AS flow_minutes_n,
    sum(flow_sum / nullif(flow_n, 0)) AS flow_minute_avg_sum,
    sum(n)::int8 AS n,
    sum(assessed_n)::int8 AS assessed_n,
    sum(complete_n)::int8 AS complete_n,
    sum(timely_n)::int8 AS timely_n,
    sum(coherent_n)::int8 AS coherent_n,
    sum(anomaly_n)::int8 AS anomaly_n,
    sum(quality_n)::int8 AS quality_n,
    sum(quality_sum) AS quality_sum,
    sum(off_n)::int8 AS off_n,
    sum(starting_n)::int8 AS starting_n,
    sum(running_n)::int8 AS running_n,
    sum(transient_n)::int8 AS transient_n,
    sum(temp_n)::int8 AS temp_n, sum(temp_sum) AS temp_sum, min(temp_min) AS temp_min, max(temp_max) AS temp_max,
    sum(temp_sumsq) AS temp_sumsq,
    sum(vib_n)::int8 AS vib_n, sum(vib_sum) AS vib_sum, min(vib_min) AS vib_min, max(vib_max) AS vib_max,
    sum(vib_sumsq) AS vib_sumsq,
    sum(pressure_n)::int8 AS pressure_n, sum(pressure_sum) AS pressure_sum, min(pressure_min) AS pressure_min, max(pressure_max) AS pressure_max,
    sum(flow_n)::int8 AS flow_n, sum(flow_sum) AS flow_sum, min(flow_min) AS flow_min, max(flow_max) AS flow_max,
    sum(motor_current_n)::int8 AS motor_current_n, sum(motor_current_sum) AS motor_current_sum, min(motor_current_min) AS motor_current_min, max(motor_current_max) AS motor_current_max,
    sum(motor_current_sumsq) AS motor_current_sumsq,
    sum(rpm_n)::int8 AS rpm_n, sum(rpm_sum) AS rpm_sum, min(rpm_min) AS rpm_min, max(rpm_max) AS rpm_max,
    sum(intake_pressure_n)::int8 AS intake_pressure_n, sum(intake_pressure_sum) AS intake_pressure_sum, min(intake_pressure_min) AS intake_pressure_min, max(intake_pressure_max) AS intake_pressure_max,
    sum(discharge_pressure_n)::int8 AS discharge_pressure_n, sum(discharge_pressure_sum) AS discharge_pressure_sum, min(discharge_pressure_min) AS discharge_pressure_min, max(discharge_pressure_max) AS discharge_pressure_max,
    sum(motor_temp_n)::int8 AS motor_temp_n, sum(motor_temp_sum) AS motor_temp_sum, min(motor_temp_min) AS motor_temp_min, max(motor_temp_max) AS motor_temp_max,
    sum(motor_temp_sumsq) AS motor_temp_sumsq,
    sum(drive_frequency_n)::int8 AS drive_frequency_n, sum(drive_frequency_sum) AS drive_frequency_sum, min(drive_frequency_min) AS drive_frequency_min, max(drive_frequency_max) AS drive_frequency_max,
    sum(motor_voltage_n)::int8 AS motor_voltage_n, sum(motor_voltage_sum) AS motor_voltage_sum, min(motor_voltage_min) AS motor_voltage_min, max(motor_voltage_max) AS motor_voltage_max,
    sum(leakage_current_n)::int8 AS leakage_current_n, sum(leakage_current_sum) AS leakage_current_sum, min(leakage_current_min) AS leakage_current_min, max(leakage_current_max) AS leakage_current_max,
    sum(casing_pressure_n)::int8 AS casing_pressure_n, sum(casing_pressure_sum) AS casing_pressure_sum, min(casing_pressure_min) AS casing_pressure_min, max(casing_pressure_max) AS casing_pressure_max,
    sum(vib_y_n)::int8 AS vib_y_n, sum(vib_y_sum) AS vib_y_sum, min(vib_y_min) AS vib_y_min, max(vib_y_max) AS vib_y_max,
    sum(vib_z_n)::int8 AS vib_z_n, sum(vib_z_sum) AS vib_z_sum, min(vib_z_min) AS vib_z_min, max(vib_z_max) AS vib_z_max
FROM agg_1min_v1
GROUP BY device_id, time_bucket(INTERVAL '1 hour', bucket)
WITH NO DATA;

CREATE MATERIALIZED VIEW agg_daily_v1
WITH (timescaledb.continuous, timescaledb.materialized_only = false, timescaledb.chunk_interval = '90 days') AS
SELECT
    device_id,
    time_bucket(INTERVAL '1 day', bucket) AS bucket,
    sum(minutes_n)::int8 AS minutes_n,
    sum(flow_minutes_n)::int8 AS flow_minutes_n,
    sum(flow_minute_avg_sum) AS flow_minute_avg_sum,
    sum(n)::int8 AS n,
    sum(assessed_n)::int8 AS assessed_n,
    sum(complete_n)::int8 AS complete_n,
    sum(timely_n)::int8 AS timely_n,
    sum(coherent_n)::int8 AS coherent_n,
    sum(anomaly_n)::int8 AS anomaly_n,
    sum(quality_n)::int8 AS quality_n,
    sum(quality_sum) AS quality_sum,
    sum(off_n)::int8 AS off_n,
    sum(starting_n)::int8 AS starting_n,
    sum(running_n)::int8 AS running_n,
    sum(transient_n)::int8 AS transient_n,
    sum(temp_n)::int8 AS temp_n, sum(temp_sum) AS temp_sum, min(temp_min) AS temp_min, max(temp_max) AS temp_max,
    sum(temp_sumsq) AS temp_sumsq,
    sum(vib_n)::int8 AS vib_n, sum(vib_sum) AS vib_sum, min(vib_min) AS vib_min, max(vib_max) AS vib_max,
    sum(vib_sumsq) AS vib_sumsq,
    sum(pressure_n)::int8 AS pressure_n, sum(pressure_sum) AS pressure_sum, min(pressure_min) AS pressure_min, max(pressure_max) AS pressure_max,
    sum(flow_n)::int8 AS flow_n, sum(flow_sum) AS flow_sum, min(flow_min) AS flow_min, max(flow_max) AS flow_max,
    sum(motor_current_n)::int8 AS motor_current_n, sum(motor_current_sum) AS motor_current_sum, min(motor_current_min) AS motor_current_min, max(motor_current_max) AS motor_current_max,
    sum(motor_current_sumsq) AS motor_current_sumsq,
    sum(rpm_n)::int8 AS rpm_n, sum(rpm_sum) AS rpm_sum, min(rpm_min) AS rpm_min, max(rpm_max) AS rpm_max,
    sum(intake_pressure_n)::int8 AS intake_pressure_n, sum(intake_pressure_sum) AS intake_pressure_sum, min(intake_pressure_min) AS intake_pressure_min, max(intake_pressure_max) AS intake_pressure_max,
    sum(discharge_pressure_n)::int8 AS discharge_pressure_n, sum(discharge_pressure_sum) AS discharge_pressure_sum, min(discharge_pressure_min) AS discharge_pressure_min, max(discharge_pressure_max) AS discharge_pressure_max,
    sum(motor_temp_n)::int8 AS motor_temp_n, sum(motor_temp_sum) AS motor_temp_sum, min(motor_temp_min) AS motor_temp_min, max(motor_temp_max) AS motor_temp_max,
    sum(motor_temp_sumsq) AS motor_temp_sumsq,
    sum(drive_frequency_n)::int8 AS drive_frequency_n, sum(drive_frequency_sum) AS drive_frequency_sum, min(drive_frequency_min) AS drive_frequency_min, max(drive_frequency_max) AS drive_frequency_max,
    sum(motor_voltage_n)::int8 AS motor_voltage_n, sum(motor_voltage_sum) AS motor_voltage_sum, min(motor_voltage_min) AS motor_voltage_min, max(motor_voltage_max) AS motor_voltage_max,
    sum(leakage_current_n)::int8 AS leakage_current_n, sum(leakage_current_sum) AS leakage_current_sum, min(leakage_current_min) AS leakage_current_min, max(leakage_current_max) AS leakage_current_max,
    sum(casing_pressure_n)::int8 AS casing_pressure_n, sum(casing_pressure_sum) AS casing_pressure_sum, min(casing_pressure_min) AS casing_pressure_min, max(casing_pressure_max) AS casing_pressure_max,
    sum(vib_y_n)::int8 AS vib_y_n, sum(vib_y_sum) AS vib_y_sum, min(vib_y_min) AS vib_y_min, max(vib_y_max) AS vib_y_max,
    sum(vib_z_n)::int8 AS vib_z_n, sum(vib_z_sum) AS vib_z_sum, min(vib_z_min) AS vib_z_min, max(vib_z_max) AS vib_z_max
FROM agg_1hour_v1
GROUP BY device_id, time_bucket(INTERVAL '1 day', bucket)
WITH NO DATA;
