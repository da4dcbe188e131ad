-- description: devices, installations, holds, dead letters, device state, job runs, ledger
-- requires: none

-- Unknown devices register themselves: every column but the key has a default that works for them.
CREATE TABLE devices (
    device_id                 text PRIMARY KEY CHECK (length(device_id) BETWEEN 1 AND 128),
    site                      text,
    field                     text,
    display_name              text,
    time_zone                 text,
    expected_interval_seconds real NOT NULL DEFAULT 60 CHECK (expected_interval_seconds > 0 AND expected_interval_seconds <= 604800),
    expected_channels         text[],   -- NULL: the configured default
    reporting_mode            text NOT NULL DEFAULT 'periodic' CHECK (reporting_mode IN ('periodic', 'by_exception')),
    profile                   jsonb NOT NULL DEFAULT '{}',
    first_seen                timestamptz,
    last_seen                 timestamptz
) WITH (fillfactor = 70);

-- The three tables below are updated all the time in place: room on the page keeps the updates out of the index.
CREATE TABLE device_latest (
    device_id   text NOT NULL,
    channel     text NOT NULL,
    value       real NOT NULL,
    "timestamp" timestamptz NOT NULL,
    PRIMARY KEY (device_id, channel)
) WITH (fillfactor = 50);

CREATE TABLE device_state (
    device_id  text NOT NULL,
    kind       text NOT NULL,
    state      jsonb NOT NULL,
    updated_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (device_id, kind)
) WITH (fillfactor = 50);

-- What came in per device and hour of arrival, and what became of it.
CREATE TABLE ledger (
    device_id     text NOT NULL,
    hour          timestamptz NOT NULL,
    received      bigint NOT NULL DEFAULT 0,
    stored        bigint NOT NULL DEFAULT 0,
    merged        bigint NOT NULL DEFAULT 0,
    duplicate     bigint NOT NULL DEFAULT 0,
    dead_lettered bigint NOT NULL DEFAULT 0,
    rejected      bigint NOT NULL DEFAULT 0,
    first_at      timestamptz,
    last_at       timestamptz,
    PRIMARY KEY (device_id, hour)
) WITH (fillfactor = 70);

-- Which pump hung in which well, from when to when: a workover begins a new run and resets the baselines.
CREATE TABLE installations (
    id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    device_id   text NOT NULL,
    pump_serial text,
    run_number  integer,
    valid_from  timestamptz NOT NULL,
    valid_to    timestamptz,
    CHECK (valid_to > valid_from)
);
CREATE INDEX installations_device ON installations (device_id, valid_from);

-- A hold keeps every chunk that it overlaps, raw or aggregated, from being dropped.
CREATE TABLE holds (
    id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    device_id   text,   -- NULL: all devices
    range_from  timestamptz NOT NULL,
    range_to    timestamptz NOT NULL,
    reason      text NOT NULL,
    created_at  timestamptz NOT NULL DEFAULT now(),
    created_by  text NOT NULL,
    expires_at  timestamptz,
    released_at timestamptz,
    CHECK (range_to > range_from)
);

-- The same bytes refused for the same reason are one letter, however often they come.
CREATE TABLE dead_letters (
    id               text PRIMARY KEY,   -- sha256, hex, of the original bytes and the code
    received_at      timestamptz NOT NULL DEFAULT now(),
    code             text NOT NULL,
    device_id        text,
    error            text NOT NULL,
    original         bytea NOT NULL,
    headers          jsonb NOT NULL DEFAULT '{}',
    occurrences      bigint NOT NULL DEFAULT 1,
    state            text NOT NULL DEFAULT 'new' CHECK (state IN ('new', 'replayed', 'purged')),
    state_changed_at timestamptz
);
CREATE INDEX dead_letters_state ON dead_letters (state, received_at);

CREATE TABLE job_runs (
    id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    job         text NOT NULL,
    started_at  timestamptz NOT NULL DEFAULT now(),
    finished_at timestamptz,
    result      text NOT NULL DEFAULT 'running' CHECK (result IN ('running', 'succeeded', 'failed')),
    detail      jsonb,
    error       text
) WITH (fillfactor = 70);
CREATE INDEX job_runs_job ON job_runs (job, started_at DESC);

-- UTC days that got rows after the regular refresh had passed them by; the job refresh-late works them off.
-- Whoever inserts such rows notes the day in the same transaction, and moves the time of an older note forward:
--   INSERT INTO late_days (day) VALUES (…) ON CONFLICT (day) DO UPDATE SET noted_at = clock_timestamp()
-- The job deletes a note only if its time is still the one it began with, so a row that comes in between is not lost.
CREATE TABLE late_days (
    day      date PRIMARY KEY,
    noted_at timestamptz NOT NULL DEFAULT clock_timestamp()
);
