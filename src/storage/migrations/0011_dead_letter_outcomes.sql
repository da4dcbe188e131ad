-- description: what became of dead letters, by whom, and which delivery they came in
-- requires: none

-- code and error say what stands in the way now; after a replay that was refused this may differ from the code that
-- is part of the id.
ALTER TABLE dead_letters
    ADD COLUMN last_at          timestamptz,   -- when it was last given up; received_at is the first time
    ADD COLUMN message_us       bigint,        -- reception of the newest message it came in, epoch microseconds; NULL: unknown
    ADD COLUMN state_changed_by text,          -- as the actors of audit_log; NULL: it came again
    ADD COLUMN outcome          jsonb;         -- of a replay: {"stored": 1}, merged, duplicate, overwritten
UPDATE dead_letters SET last_at = received_at;
ALTER TABLE dead_letters ALTER COLUMN last_at SET NOT NULL, ALTER COLUMN last_at SET DEFAULT now();

-- Lists are read in this order, page by page.
DROP INDEX dead_letters_state;
CREATE INDEX dead_letters_state ON dead_letters (state, last_at, id);

-- What was done to one thing.
CREATE INDEX audit_log_target ON audit_log (target, at);
