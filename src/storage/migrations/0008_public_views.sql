-- description: the aggregates under the names that dashboards and queries know
-- requires: community
--
-- In all three: avg, min, max and n per channel (`temp_avg` …), avg_quality, anomaly_count, sample_count, and
--   flow_total          sum of the rates of all samples. It is NOT a volume; it is kept because the installed base has it.
--   flow_volume_bbl     barrels produced: the time integral of the rate. Each minute with a reading counts with its mean
--                       rate (bbl/d) for max(60 s, the expected interval of the device); minutes without a reading
--                       count nothing. So hours add up to days exactly, and sampling faster than planned changes nothing.
--   running_percentage  samples in state running / samples of known state × 100; NULL when no state is known
--   uptime_percentage   least(100, 100 × minutes with data × greatest(60, expected interval in s) / length in s)
-- and the counts that the quality dimensions need. NULL is "no such reading", never 0.

CREATE VIEW telemetry_1min AS
SELECT
    a.bucket,
    a.device_id,
    a.temp_sum / nullif(a.temp_n, 0) AS temp_avg, a.temp_max, a.temp_min, a.temp_n,
    CASE WHEN a.temp_n > 1 THEN sqrt(greatest(0, a.temp_sumsq - a.temp_sum * a.temp_sum / a.temp_n) / (a.temp_n - 1)) END AS temp_stddev,
    a.vib_sum / nullif(a.vib_n, 0) AS vib_avg, a.vib_max, a.vib_min, a.vib_n,
    CASE WHEN a.vib_n > 1 THEN sqrt(greatest(0, a.vib_sumsq - a.vib_sum * a.vib_sum / a.vib_n) / (a.vib_n - 1)) END AS vib_stddev,
    a.pressure_sum / nullif(a.pressure_n, 0) AS pressure_avg, a.pressure_max, a.pressure_min, a.pressure_n,
    a.flow_sum / nullif(a.flow_n, 0) AS flow_avg, a.flow_max, a.flow_min, a.flow_n,
    a.motor_current_sum / nullif(a.motor_current_n, 0) AS motor_current_avg, a.motor_current_max, a.motor_current_min, a.motor_current_n,
    CASE WHEN a.motor_current_n > 1 THEN sqrt(greatest(0, a.motor_current_sumsq - a.motor_current_sum * a.motor_current_sum / a.motor_current_n) / (a.motor_current_n - 1)) END AS motor_current_stddev,
    a.rpm_sum / nullif(a.rpm_n, 0) AS rpm_avg, a.rpm_max, a.rpm_min, a.rpm_n,
    a.intake_pressure_sum / nullif(a.intake_pressure_n, 0) AS intake_pressure_avg, a.intake_pressure_max, a.intake_pressure_min, a.intake_pressure_n,
    a.discharge_pressure_sum / nullif(a.discharge_pressure_n, 0) AS discharge_pressure_avg, a.discharge_pressure_max, a.discharge_pressure_min, a.discharge_pressure_n,
    a.motor_temp_sum / nullif(a.motor_temp_n, 0) AS motor_temp_avg, a.motor_temp_max, a.motor_temp_min, a.motor_temp_n,
    CASE WHEN a.motor_temp_n > 1 THEN sqrt(greatest(0, a.motor_temp_sumsq - a.motor_temp_sum * a.motor_temp_sum / a.motor_temp_n) / (a.motor_temp_n - 1)) END AS motor_temp_stddev,
    a.drive_frequency_sum / nullif(a.drive_frequency_n, 0) AS drive_frequency_avg, a.drive_frequency_max, a.drive_frequency_min, a.drive_frequency_n,
    a.motor_voltage_sum / nullif(a.motor_voltage_n, 0) AS motor_voltage_avg, a.motor_voltage_max, a.motor_voltage_min, a.motor_voltage_n,
    a.leakage_current_sum / nullif(a.leakage_current_n, 0) AS leakage_current_avg, a.leakage_current_max, a.leakage_current_min, a.leakage_current_n,
    a.casing_pressure_sum / nullif(a.casing_pressure_n, 0) AS casing_pressure_avg, a.casing_pressure_max, a.casing_pressure_min, a.casing_pressure_n,
    a.vib_y_sum / nullif(a.vib_y_n, 0) AS vib_y_avg, a.vib_y_max, a.vib_y_min, a.vib_y_n,
    a.vib_z_sum / nullif(a.vib_z_n, 0) AS vib_z_avg, a.vib_z_max, a.vib_z_min, a.vib_z_n,
    a.flow_sum AS flow_total,
    a.flow_sum / nullif(a.flow_n, 0) * greatest(60, coalesce(d.expected_interval_seconds, 60)) / 86400 AS flow_volume_bbl,
    a.quality_sum / nullif(a.quality_n, 0) AS avg_quality,
    a.anomaly_n AS anomaly_count,
    a.n AS sample_count,
    a.assessed_n AS assessed_count,
    a.complete_n AS complete_count,
    a.timely_n AS timely_count,
    a.coherent_n AS coherent_count,
    a.off_n AS off_count, a.starting_n AS starting_count, a.running_n AS running_count, a.transient_n AS transient_count,
    100.0::float8 * a.running_n / nullif(a.off_n + a.starting_n + a.running_n + a.transient_n, 0) AS running_percentage
FROM agg_1min_v1 a
LEFT JOIN devices d ON d.device_id = a.device_id;

-- The percentiles come from an aggregate of their own. UNION ALL and GROUP BY instead of a join: a condition on bucket
-- reaches both sides this way, while a join would read the percentiles of all history for one day of the fleet.
CREATE VIEW telemetry_1hour AS
SELECT
    a.bucket,
    a.device_id,
    a.temp_sum / nullif(a.temp_n, 0) AS temp_avg, a.temp_max, a.temp_min, a.temp_n,
    CASE WHEN a.temp_n > 1 THEN sqrt(greatest(0, a.temp_sumsq - a.temp_sum * a.temp_sum / a.temp_n) / (a.temp_n - 1)) END AS temp_stddev,
    a.temp_p95,
    a.vib_sum / nullif(a.vib_n, 0) AS vib_avg, a.vib_max, a.vib_min, a.vib_n,
    CASE WHEN a.vib_n > 1 THEN sqrt(greatest(0, a.vib_sumsq - a.vib_sum * a.vib_sum / a.vib_n) / (a.vib_n - 1)) END AS vib_stddev,
    a.vib_p95,
    a.pressure_sum / nullif(a.pressure_n, 0) AS pressure_avg, a.pressure_max, a.pressure_min, a.pressure_n,
    a.flow_sum / nullif(a.flow_n, 0) AS flow_avg, a.flow_max, a.flow_min, a.flow_n,
    a.motor_current_sum / nullif(a.motor_current_n, 0) AS motor_current_avg, a.motor_current_max, a.motor_current_min, a.motor_current_n,
    CASE WHEN a.motor_current_n > 1 THEN sqrt(greatest(0, a.motor_current_sumsq - a.motor_current_sum * a.motor_current_sum / a.motor_current_n) / (a.motor_current_n - 1)) END AS motor_current_stddev,
    a.motor_current_p95,
    a.rpm_sum / nullif(a.rpm_n, 0) AS rpm_avg, a.rpm_max, a.rpm_min, a.rpm_n,
    a.intake_pressure_sum / nullif(a.intake_pressure_n, 0) AS intake_pressure_avg, a.intake_pressure_max, a.intake_pressure_min, a.intake_pressure_n,
    a.discharge_pressure_sum / nullif(a.discharge_pressure_n, 0) AS discharge_pressure_avg, a.discharge_pressure_max, a.discharge_pressure_min, a.discharge_pressure_n,
    a.motor_temp_sum / nullif(a.motor_temp_n, 0) AS motor_temp_avg, a.motor_temp_max, a.motor_temp_min, a.motor_temp_n,
    CASE WHEN a.motor_temp_n > 1 THEN sqrt(greatest(0, a.motor_temp_sumsq - a.motor_temp_sum * a.motor_temp_sum / a.motor_temp_n) / (a.motor_temp_n - 1)) END AS motor_temp_stddev,
    a.motor_temp_p95,
    a.drive_frequency_sum / nullif(a.drive_frequency_n, 0) AS drive_frequency_avg, a.drive_frequency_max, a.drive_frequency_min, a.drive_frequency_n,
    a.motor_voltage_sum / nullif(a.motor_voltage_n, 0) AS motor_voltage_avg, a.motor_voltage_max, a.motor_voltage_min, a.motor_voltage_n,
    a.leakage_current_sum / nullif(a.leakage_current_n, 0) AS leakage_current_avg, a.leakage_current_max, a.leakage_current_min, a.leakage_current_n,
    a.casing_pressure_sum / nullif(a.casing_pressure_n, 0) AS casing_pressure_avg, a.casing_pressure_max, a.casing_pressure_min, a.casing_pressure_n,
    a.vib_y_sum / nullif(a.vib_y_n, 0) AS vib_y_avg, a.vib_y_max, a.vib_y_min, a.vib_y_n,
    a.vib_z_sum / nullif(a.vib_z_n, 0) AS vib_z_avg, a.vib_z_max, a.vib_z_min, a.vib_z_n,
    a.flow_sum AS flow_total,
    a.flow_minute_avg_sum * greatest(60, coalesce(d.expected_interval_seconds, 60)) / 86400 AS flow_volume_bbl,
    a.quality_sum / nullif(a.quality_n, 0) AS avg_quality,
    a.anomaly_n AS anomaly_count,
    a.n AS sample_count,
    a.assessed_n AS assessed_count,
    a.complete_n AS complete_count,
    a.timely_n AS timely_count,
    a.coherent_n AS coherent_count,
    a.off_n AS off_count, a.starting_n AS starting_count, a.running_n AS running_count, a.transient_n AS transient_count,
    100.0::float8 * a.running_n / nullif(a.off_n + a.starting_n + a.running_n + a.transient_n, 0) AS running_percentage,
    a.minutes_n AS minutes_with_data,
    least(100, 100.0::float8 * a.minutes_n * greatest(60, coalesce(d.expected_interval_seconds, 60)) / 3600) AS uptime_percentage
FROM (
    SELECT
        u.key_device AS device_id, u.key_bucket AS bucket,
        max(u.minutes_n) AS minutes_n, max(u.flow_minute_avg_sum) AS flow_minute_avg_sum,
        max(u.n) AS n, max(u.assessed_n) AS assessed_n, max(u.complete_n) AS complete_n, max(u.timely_n) AS timely_n, max(u.coherent_n) AS coherent_n, max(u.anomaly_n) AS anomaly_n,
        max(u.quality_n) AS quality_n, max(u.quality_sum) AS quality_sum, max(u.off_n) AS off_n, max(u.starting_n) AS starting_n, max(u.running_n) AS running_n, max(u.transient_n) AS transient_n,
        max(u.temp_n) AS temp_n, max(u.temp_sum) AS temp_sum, max(u.temp_min) AS temp_min, max(u.temp_max) AS temp_max, max(u.temp_sumsq) AS temp_sumsq,
        max(u.vib_n) AS vib_n, max(u.vib_sum) AS vib_sum, max(u.vib_min) AS vib_min, max(u.vib_max) AS vib_max, max(u.vib_sumsq) AS vib_sumsq,
        max(u.pressure_n) AS pressure_n, max(u.pressure_sum) AS pressure_sum, max(u.pressure_min) AS pressure_min, max(u.pressure_max) AS pressure_max,
        max(u.flow_n) AS flow_n, max(u.flow_sum) AS flow_sum, max(u.flow_min) AS flow_min, max(u.flow_max) AS flow_max,
        max(u.motor_current_n) AS motor_current_n, max(u.motor_current_sum) AS motor_current_sum, max(u.motor_current_min) AS motor_current_min, max(u.motor_current_max) AS motor_current_max, max(u.motor_current_sumsq) AS motor_current_sumsq,
        max(u.rpm_n) AS rpm_n, max(u.rpm_sum) AS rpm_sum, max(u.rpm_min) AS rpm_min, max(u.rpm_max) AS rpm_max,
        max(u.intake_pressure_n) AS intake_pressure_n, max(u.intake_pressure_sum) AS intake_pressure_sum, max(u.intake_pressure_min) AS intake_pressure_min, max(u.intake_pressure_max) AS intake_pressure_max,
        max(u.discharge_pressure_n) AS discharge_pressure_n, max(u.discharge_pressure_sum) AS discharge_pressure_sum, max(u.discharge_pressure_min) AS discharge_pressure_min, max(u.discharge_pressure_max) AS discharge_pressure_max,
        max(u.motor_temp_n) AS motor_temp_n, max(u.motor_temp_sum) AS motor_temp_sum, max(u.motor_temp_min) AS motor_temp_min, max(u.motor_temp_max) AS motor_temp_max, max(u.motor_temp_sumsq) AS motor_temp_sumsq,
        max(u.drive_frequency_n) AS drive_frequency_n, max(u.drive_frequency_sum) AS drive_frequency_sum, max(u.drive_frequency_min) AS drive_frequency_min, max(u.drive_frequency_max) AS drive_frequency_max,
        max(u.motor_voltage_n) AS motor_voltage_n, max(u.motor_voltage_sum) AS motor_voltage_sum, max(u.motor_voltage_min) AS motor_voltage_min, max(u.motor_voltage_max) AS motor_voltage_max,
        max(u.leakage_current_n) AS leakage_current_n, max(u.leakage_current_sum) AS leakage_current_sum, max(u.leakage_current_min) AS leakage_current_min, max(u.leakage_current_max) AS leakage_current_max,
        max(u.casing_pressure_n) AS casing_pressure_n, max(u.casing_pressure_sum) AS casing_pressure_sum, max(u.casing_pressure_min) AS casing_pressure_min, max(u.casing_pressure_max) AS casing_pressure_max,
        max(u.vib_y_n) AS vib_y_n, max(u.vib_y_sum) AS vib_y_sum, max(u.vib_y_min) AS vib_y_min, max(u.vib_y_max) AS vib_y_max,
        max(u.vib_z_n) AS vib_z_n, max(u.vib_z_sum) AS vib_z_sum, max(u.vib_z_min) AS vib_z_min, max(u.vib_z_max) AS vib_z_max,
        max(u.temp_p95) AS temp_p95, max(u.vib_p95) AS vib_p95, max(u.motor_current_p95) AS motor_current_p95, max(u.motor_temp_p95) AS motor_temp_p95
    FROM (
        SELECT h.device_id AS key_device, h.bucket AS key_bucket, h.*, NULL::float8 AS temp_p95, NULL::float8 AS vib_p95, NULL::float8 AS motor_current_p95, NULL::float8 AS motor_temp_p95
        FROM agg_1hour_v1 h
        UNION ALL
        SELECT p.device_id, p.bucket, none.*, p.temp_p95, p.vib_p95, p.motor_current_p95, p.motor_temp_p95
        FROM agg_1hour_p95_v1 p
        LEFT JOIN agg_1hour_v1 none ON false   -- its columns, all NULL
    ) u
    GROUP BY u.key_device, u.key_bucket
    HAVING count(u.n) > 0   -- an hour is there once its counts are
) a
LEFT JOIN devices d ON d.device_id = a.device_id;

CREATE VIEW telemetry_daily AS
SELECT
    a.bucket,
    a.device_id,
    a.temp_sum / nullif(a.temp_n, 0) AS temp_avg, a.temp_max, a.temp_min, a.temp_n,
    CASE WHEN a.temp_n > 1 THEN sqrt(greatest(0, a.temp_sumsq - a.temp_sum * a.temp_sum / a.temp_n) / (a.temp_n - 1)) END AS temp_stddev,
    a.vib_sum / nullif(a.vib_n, 0) AS vib_avg, a.vib_max, a.vib_min, a.vib_n,
    CASE WHEN a.vib_n > 1 THEN sqrt(greatest(0, a.vib_sumsq - a.vib_sum * a.vib_sum / a.vib_n) / (a.vib_n - 1)) END AS vib_stddev,
    a.pressure_sum / nullif(a.pressure_n, 0) AS pressure_avg, a.pressure_max, a.pressure_min, a.pressure_n,
    a.flow_sum / nullif(a.flow_n, 0) AS flow_avg, a.flow_max, a.flow_min, a.flow_n,
    a.motor_current_sum / nullif(a.motor_current_n, 0) AS motor_current_avg, a.motor_current_max, a.motor_current_min, a.motor_current_n,
    CASE WHEN a.motor_current_n > 1 THEN sqrt(greatest(0, a.motor_current_sumsq - a.motor_current_sum * a.motor_current_sum / a.motor_current_n) / (a.motor_current_n - 1)) END AS motor_current_stddev,
    a.rpm_sum / nullif(a.rpm_n, 0) AS rpm_avg, a.rpm_max, a.rpm_min, a.rpm_n,
    a.intake_pressure_sum / nullif(a.intake_pressure_n, 0) AS intake_pressure_avg, a.intake_pressure_max, a.intake_pressure_min, a.intake_pressure_n,
    a.discharge_pressure_sum / nullif(a.discharge_pressure_n, 0) AS discharge_pressure_avg, a.discharge_pressure_max, a.discharge_pressure_min, a.discharge_pressure_n,
    a.motor_temp_sum / nullif(a.motor_temp_n, 0) AS motor_temp_avg, a.motor_temp_max, a.motor_temp_min, a.motor_temp_n,
    CASE WHEN a.motor_temp_n > 1 THEN sqrt(greatest(0, a.motor_temp_sumsq - a.motor_temp_sum * a.motor_temp_sum / a.motor_temp_n) / (a.motor_temp_n - 1)) END AS motor_temp_stddev,
    a.drive_frequency_sum / nullif(a.drive_frequency_n, 0) AS drive_frequency_avg, a.drive_frequency_max, a.drive_frequency_min, a.drive_frequency_n,
    a.motor_voltage_sum / nullif(a.motor_voltage_n, 0) AS motor_voltage_avg, a.motor_voltage_max, a.motor_voltage_min, a.motor_voltage_n,
    a.leakage_current_sum / nullif(a.leakage_current_n, 0) AS leakage_current_avg, a.leakage_current_max, a.leakage_current_min, a.leakage_current_n,
    a.casing_pressure_sum / nullif(a.casing_pressure_n, 0) AS casing_pressure_avg, a.casing_pressure_max, a.casing_pressure_min, a.casing_pressure_n,
    a.vib_y_sum / nullif(a.vib_y_n, 0) AS vib_y_avg, a.vib_y_max, a.vib_y_min, a.vib_y_n,
    a.vib_z_sum / nullif(a.vib_z_n, 0) AS vib_z_avg, a.vib_z_max, a.vib_z_min, a.vib_z_n,
    a.flow_sum AS flow_total,
    a.flow_minute_avg_sum * greatest(60, coalesce(d.expected_interval_seconds, 60)) / 86400 AS flow_volume_bbl,
    a.quality_sum / nullif(a.quality_n, 0) AS avg_quality,
    a.anomaly_n AS anomaly_count,
    a.n AS sample_count,
    a.assessed_n AS assessed_count,
    a.complete_n AS complete_count,
    a.timely_n AS timely_count,
    a.coherent_n AS coherent_count,
    a.off_n AS off_count, a.starting_n AS starting_count, a.running_n AS running_count, a.transient_n AS transient_count,
    100.0::float8 * a.running_n / nullif(a.off_n + a.starting_n + a.running_n + a.transient_n, 0) AS running_percentage,
    a.minutes_n AS minutes_with_data,
    least(100, 100.0::float8 * a.minutes_n * greatest(60, coalesce(d.expected_interval_seconds, 60)) / 86400) AS uptime_percentage
FROM agg_daily_v1 a
LEFT JOIN devices d ON d.device_id = a.device_id;
