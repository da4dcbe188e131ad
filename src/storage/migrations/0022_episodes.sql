-- description: episodes: stretches of time in which something was wrong with a device, with diagnosis and notes
-- requires: none

CREATE TABLE episodes (
    id                bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    device_id         text NOT NULL,
    started_at        timestamptz NOT NULL,
    found_at          timestamptz NOT NULL,
    last_at           timestamptz NOT NULL,
    ended_at          timestamptz,
    peak_score        real,
    peak_at           timestamptz,
    cause             smallint,
    anomalous_records integer NOT NULL DEFAULT 0,
    diagnosis         text,
    confidence        real NOT NULL DEFAULT 0,
    channel           text,
    evidence          jsonb NOT NULL DEFAULT '{}',
    alternatives      jsonb NOT NULL DEFAULT '[]',
    detector          text NOT NULL,
    stored_at         timestamptz NOT NULL DEFAULT clock_timestamp(),
    acknowledged_at   timestamptz,
    acknowledged_by   text,
    closed_at         timestamptz,
    closed_by         text,
    -- What a run finds again after a kill is the same episode.
    UNIQUE (device_id, started_at),
    CHECK (last_at >= started_at)
);
CREATE INDEX episodes_started ON episodes (started_at DESC, id DESC);
CREATE INDEX episodes_going_on ON episodes (device_id) WHERE ended_at IS NULL;

COMMENT ON COLUMN episodes.found_at IS 'time of the record at which there was enough of it to say so';
COMMENT ON COLUMN episodes.last_at IS 'last moment at which it was seen';
COMMENT ON COLUMN episodes.ended_at IS 'NULL: going on';
COMMENT ON COLUMN episodes.cause IS 'of most of its anomalous records, as telemetry.anomaly_cause';
COMMENT ON COLUMN episodes.diagnosis IS 'NULL: no signature fits';
COMMENT ON COLUMN episodes.channel IS 'that speaks for the diagnosis most';
COMMENT ON COLUMN episodes.detector IS 'that judged its records';
COMMENT ON COLUMN episodes.stored_at IS 'when it was first stored; started_at and found_at are times of records';

CREATE TABLE episode_notes (
    id         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    episode_id bigint NOT NULL REFERENCES episodes ON DELETE CASCADE,
    at         timestamptz NOT NULL DEFAULT clock_timestamp(),
    actor      text NOT NULL,
    text       text NOT NULL CHECK (length(text) BETWEEN 1 AND 4000)
);
CREATE INDEX episode_notes_episode ON episode_notes (episode_id, id);

-- Up to where the readings of a device have been looked through for episodes. Written with what was found.
CREATE TABLE episode_watermarks (
    device_id text PRIMARY KEY,
    reached   timestamptz NOT NULL
) WITH (fillfactor = 50);
