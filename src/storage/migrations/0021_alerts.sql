-- description: alerts with their history, the messages that tell of them, and maintenance windows
-- requires: none
--
-- The state of alerts is here and nowhere else, so that a restart tells nothing twice and processes agree. A message is
-- written in the transaction that finds it due and is delivered afterwards, by whoever claims it: at least once, with its id.

CREATE TABLE alerts (
    id           bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    fingerprint  text NOT NULL,
    rule         text NOT NULL,
    group_key    text NOT NULL,
    labels       jsonb NOT NULL,
    severity     text NOT NULL CHECK (severity IN ('warning', 'critical')),
    summary      text NOT NULL,
    detail       jsonb NOT NULL DEFAULT '{}',
    state        text NOT NULL CHECK (state IN ('pending', 'firing', 'resolved')),
    seen_at      timestamptz NOT NULL,
    raised_at    timestamptz,
    absent_since timestamptz,
    ended_at     timestamptz,
    told         text NOT NULL DEFAULT 'nothing' CHECK (told IN ('nothing', 'firing', 'resolved')),
    silence_id   bigint
) WITH (fillfactor = 80);
COMMENT ON COLUMN alerts.seen_at IS 'when it was first the case; raised_at is later by the delay of its rule';
COMMENT ON COLUMN alerts.absent_since IS 'not the case since then, and not yet for the delay after which it counts as passed';
COMMENT ON COLUMN alerts.told IS 'what a message has said of it';
COMMENT ON COLUMN alerts.silence_id IS 'the maintenance window that last kept it from being told';

CREATE UNIQUE INDEX alerts_open ON alerts (fingerprint) WHERE state <> 'resolved';
CREATE INDEX alerts_untold ON alerts (id) WHERE state <> 'resolved' OR told <> 'resolved';
CREATE INDEX alerts_raised ON alerts (raised_at DESC);

-- One row a message and channel.
CREATE TABLE alert_messages (
    seq         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    id          text NOT NULL,
    channel     text NOT NULL,
    group_key   text NOT NULL,
    alert_ids   bigint[] NOT NULL,
    payload     jsonb NOT NULL,
    state       text NOT NULL DEFAULT 'waiting' CHECK (state IN ('waiting', 'delivered', 'given_up')),
    attempts    integer NOT NULL DEFAULT 0,
    due_at      timestamptz NOT NULL DEFAULT clock_timestamp(),
    created_at  timestamptz NOT NULL DEFAULT clock_timestamp(),
    finished_at timestamptz,
    error       text
) WITH (fillfactor = 70);
COMMENT ON COLUMN alert_messages.due_at IS 'of the next attempt; while one is under way, when another process may take it for dead';
CREATE INDEX alert_messages_waiting ON alert_messages (channel, seq) WHERE state = 'waiting';
CREATE INDEX alert_messages_group ON alert_messages (group_key, created_at DESC);
CREATE INDEX alert_messages_alerts ON alert_messages USING gin (alert_ids);

-- When a group was last told of, also where there is no channel.
CREATE TABLE alert_groups (
    group_key text PRIMARY KEY,
    told_at   timestamptz NOT NULL
);

-- What is worked on need not be told of: of a device, a site, or of all.
CREATE TABLE alert_silences (
    id         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    device_id  text,
    site       text,
    rule       text,
    begins_at  timestamptz NOT NULL,
    ends_at    timestamptz NOT NULL,
    reason     text NOT NULL,
    created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    created_by text NOT NULL,
    lifted_at  timestamptz,
    CHECK (ends_at > begins_at)
);
