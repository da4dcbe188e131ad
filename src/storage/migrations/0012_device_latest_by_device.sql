-- description: last values as one row a device
-- requires: none
--
-- A row for each device and channel was twelve times as many rows to write whenever a fleet reports, and last values
-- lagged behind by seconds. A later channel gets two columns here, and a line in the view.

ALTER TABLE device_latest RENAME TO device_latest_by_channel;
ALTER INDEX device_latest_pkey RENAME TO device_latest_by_channel_pkey;

-- Half of each page is left free: new versions of a row stay on its page, and out of the index.
CREATE TABLE device_latest (
    device_id             text PRIMARY KEY,
    newest_at             timestamptz,   -- of the newest row that this was told of; the four below are what it says
    quality_score         real,
    is_anomaly            boolean,
    anomaly_cause         smallint,
    operating_state       smallint,      -- NULL: look at the row, it was merged from several reports
    temperature           real,
    vibration             real,
    pressure              real,
    flow_rate             real,
    motor_current         real,
    rpm                   real,
    intake_pressure       real,
    discharge_pressure    real,
    motor_temperature     real,
    drive_frequency       real,
    motor_voltage         real,
    leakage_current       real,
    casing_pressure       real,
    vibration_y           real,
    vibration_z           real,
    temperature_at        timestamptz,
    vibration_at          timestamptz,
    pressure_at           timestamptz,
    flow_rate_at          timestamptz,
    motor_current_at      timestamptz,
    rpm_at                timestamptz,
    intake_pressure_at    timestamptz,
    discharge_pressure_at timestamptz,
    motor_temperature_at  timestamptz,
    drive_frequency_at    timestamptz,
    motor_voltage_at      timestamptz,
    leakage_current_at    timestamptz,
    casing_pressure_at    timestamptz,
    vibration_y_at        timestamptz,
    vibration_z_at        timestamptz
) WITH (fillfactor = 50);

INSERT INTO device_latest (device_id,
    temperature, vibration, pressure, flow_rate, motor_current, rpm, intake_pressure, discharge_pressure,
    motor_temperature, drive_frequency, motor_voltage, leakage_current, casing_pressure, vibration_y, vibration_z,
    temperature_at, vibration_at, pressure_at, flow_rate_at, motor_current_at, rpm_at, intake_pressure_at, discharge_pressure_at,
    motor_temperature_at, drive_frequency_at, motor_voltage_at, leakage_current_at, casing_pressure_at, vibration_y_at, vibration_z_at)
SELECT device_id,
    max(value) FILTER (WHERE channel = 'temperature'),
    max(value) FILTER (WHERE channel = 'vibration'),
    max(value) FILTER (WHERE channel = 'pressure'),
    max(value) FILTER (WHERE channel = 'flow_rate'),
    max(value) FILTER (WHERE channel = 'motor_current'),
    max(value) FILTER (WHERE channel = 'rpm'),
    max(value) FILTER (WHERE channel = 'intake_pressure'),
    max(value) FILTER (WHERE channel = 'discharge_pressure'),
    max(value) FILTER (WHERE channel = 'motor_temperature'),
    max(value) FILTER (WHERE channel = 'drive_frequency'),
    max(value) FILTER (WHERE channel = 'motor_voltage'),
    max(value) FILTER (WHERE channel = 'leakage_current'),
    max(value) FILTER (WHERE channel = 'casing_pressure'),
    max(value) FILTER (WHERE channel = 'vibration_y'),
    max(value) FILTER (WHERE channel = 'vibration_z'),
    max("timestamp") FILTER (WHERE channel = 'temperature'),
    max("timestamp") FILTER (WHERE channel = 'vibration'),
    max("timestamp") FILTER (WHERE channel = 'pressure'),
    max("timestamp") FILTER (WHERE channel = 'flow_rate'),
    max("timestamp") FILTER (WHERE channel = 'motor_current'),
    max("timestamp") FILTER (WHERE channel = 'rpm'),
    max("timestamp") FILTER (WHERE channel = 'intake_pressure'),
    max("timestamp") FILTER (WHERE channel = 'discharge_pressure'),
    max("timestamp") FILTER (WHERE channel = 'motor_temperature'),
    max("timestamp") FILTER (WHERE channel = 'drive_frequency'),
    max("timestamp") FILTER (WHERE channel = 'motor_voltage'),
    max("timestamp") FILTER (WHERE channel = 'leakage_current'),
    max("timestamp") FILTER (WHERE channel = 'casing_pressure'),
    max("timestamp") FILTER (WHERE channel = 'vibration_y'),
    max("timestamp") FILTER (WHERE channel = 'vibration_z')
FROM device_latest_by_channel GROUP BY device_id;

DROP TABLE device_latest_by_channel;

CREATE VIEW device_latest_values AS
SELECT l.device_id, reading.channel, reading.value, reading."timestamp"
FROM device_latest l
CROSS JOIN LATERAL (VALUES
    ('temperature', l.temperature, l.temperature_at),
    ('vibration', l.vibration, l.vibration_at),
    ('pressure', l.pressure, l.pressure_at),
    ('flow_rate', l.flow_rate, l.flow_rate_at),
    ('motor_current', l.motor_current, l.motor_current_at),
    ('rpm', l.rpm, l.rpm_at),
    ('intake_pressure', l.intake_pressure, l.intake_pressure_at),
    ('discharge_pressure', l.discharge_pressure, l.discharge_pressure_at),
    ('motor_temperature', l.motor_temperature, l.motor_temperature_at),
    ('drive_frequency', l.drive_frequency, l.drive_frequency_at),
    ('motor_voltage', l.motor_voltage, l.motor_voltage_at),
    ('leakage_current', l.leakage_current, l.leakage_current_at),
    ('casing_pressure', l.casing_pressure, l.casing_pressure_at),
    ('vibration_y', l.vibration_y, l.vibration_y_at),
    ('vibration_z', l.vibration_z, l.vibration_z_at)
) AS reading (channel, value, "timestamp")
WHERE reading."timestamp" IS NOT NULL;

COMMENT ON VIEW device_latest_values IS 'the last value of each channel of each device';
