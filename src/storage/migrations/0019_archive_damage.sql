-- description: what is wrong with a part of the archive, as the last verification found it
-- requires: none

ALTER TABLE archive_parts ADD COLUMN damage text;

COMMENT ON COLUMN archive_parts.damage IS 'what the last verification of the part in the store found; NULL: nothing, or it was not verified again yet';
