-- description: what is known of each device while its readings are looked through, and which version judged an episode
-- requires: none

-- Written in the transaction that stores what was found, and moves the watermark; never ahead of it.
CREATE TABLE episode_states (
    device_id text PRIMARY KEY REFERENCES devices ON DELETE CASCADE,
    reached   timestamptz NOT NULL,
    saved_at  timestamptz NOT NULL DEFAULT clock_timestamp(),
    state     bytea NOT NULL CHECK (octet_length(state) <= 1048576)
);
-- Means of noisy readings: the server would try to compress them each time, and gain little.
ALTER TABLE episode_states ALTER COLUMN state SET STORAGE EXTERNAL;

COMMENT ON COLUMN episode_states.reached IS 'up to where the readings are in it; those behind, up to the watermark, are read again';
COMMENT ON COLUMN episode_states.state IS 'versioned, with a checksum; another program reads nothing in it';

ALTER TABLE episodes ADD COLUMN judged_by text;
COMMENT ON COLUMN episodes.judged_by IS 'version of the program, and hash of signatures and parameters; NULL: from before that was noted';
