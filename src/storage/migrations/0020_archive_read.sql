-- description: when each part of the archive was last read from the store
-- requires: none
--
-- The job verify-archive reads every part that counts once a week, the one first that was not read for longest: of a chunk that was
-- dropped it is the only copy.

ALTER TABLE archive_parts ADD COLUMN read_at timestamptz;

COMMENT ON COLUMN archive_parts.read_at IS 'when the part in the store was last verified; NULL: not since it was written and read back';
