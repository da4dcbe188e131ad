-- description: the table of readings
-- requires: none
--
-- One row a device and instant. Values are in the canonical unit of the channel (src/telemetry/channels.ts), NULL is
-- "not reported". The upper bounds of the checks are not decoration: in PostgreSQL NaN >= 0 is true, and NaN greater
-- than every number, so only an upper bound keeps NaN out, and one NaN would poison every average above it.

CREATE TABLE telemetry (
    "timestamp"         timestamptz NOT NULL,
    device_id           text NOT NULL,
    temperature         real,   -- °C
    vibration           real,   -- g, RMS
    pressure            real,   -- psi, gauge
    flow_rate           real,   -- bbl/d
    motor_current       real,   -- A
    rpm                 real,   -- rev/min
    intake_pressure     real,   -- psi, gauge
    discharge_pressure  real,   -- psi, gauge
    motor_temperature   real,   -- °C
    drive_frequency     real,   -- Hz
    motor_voltage       real,   -- V
    leakage_current     real,   -- mA
    casing_pressure     real,   -- psi, gauge
    vibration_y         real,   -- g, RMS
    vibration_z         real,   -- g, RMS
    data_quality_score  real DEFAULT 1.0,
    is_anomaly          boolean DEFAULT false,
    ingestion_timestamp timestamptz DEFAULT now(),
    source_system       text DEFAULT 'scada',
    quality_flags       bigint,
    anomaly_score       real,
    anomaly_cause       smallint,
    operating_state     smallint,
    raw_values          jsonb,
    CONSTRAINT telemetry_pk PRIMARY KEY (device_id, "timestamp"),
    CONSTRAINT telemetry_device_id_check CHECK (length(device_id) BETWEEN 1 AND 128),
    CONSTRAINT telemetry_temperature_check CHECK (temperature BETWEEN -50 AND 200),
    CONSTRAINT telemetry_vibration_check CHECK (vibration BETWEEN 0 AND 50),
    CONSTRAINT telemetry_pressure_check CHECK (pressure BETWEEN 0 AND 20000),
    CONSTRAINT telemetry_flow_rate_check CHECK (flow_rate BETWEEN 0 AND 100000),
    CONSTRAINT telemetry_motor_current_check CHECK (motor_current BETWEEN 0 AND 1000),
    CONSTRAINT telemetry_rpm_check CHECK (rpm BETWEEN 0 AND 10000),
    CONSTRAINT telemetry_intake_pressure_check CHECK (intake_pressure BETWEEN 0 AND 20000),
    CONSTRAINT telemetry_discharge_pressure_check CHECK (discharge_pressure BETWEEN 0 AND 20000),
    CONSTRAINT telemetry_motor_temperature_check CHECK (motor_temperature BETWEEN -50 AND 350),
    CONSTRAINT telemetry_drive_frequency_check CHECK (drive_frequency BETWEEN 0 AND 400),
    CONSTRAINT telemetry_motor_voltage_check CHECK (motor_voltage BETWEEN 0 AND 6000),
    CONSTRAINT telemetry_leakage_current_check CHECK (leakage_current BETWEEN 0 AND 100),
    CONSTRAINT telemetry_casing_pressure_check CHECK (casing_pressure BETWEEN 0 AND 20000),
    CONSTRAINT telemetry_vibration_y_check CHECK (vibration_y BETWEEN 0 AND 50),
    CONSTRAINT telemetry_vibration_z_check CHECK (vibration_z BETWEEN 0 AND 50),
    CONSTRAINT telemetry_data_quality_score_check CHECK (data_quality_score BETWEEN 0 AND 1)
);

COMMENT ON COLUMN telemetry.quality_flags IS 'why the score is what it is; the bits are in src/telemetry/quality-flags.ts';
COMMENT ON COLUMN telemetry.anomaly_cause IS 'position of the deviating channel in the catalogue; NULL without an anomaly';
COMMENT ON COLUMN telemetry.operating_state IS '0 unknown, 1 off, 2 starting, 3 running, 4 transient';
COMMENT ON COLUMN telemetry.raw_values IS 'what was received and could not be stored as such: impossible values, unknown fields';
