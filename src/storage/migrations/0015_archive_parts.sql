-- description: which chunks are archived, and what their parts are
-- requires: none
--
-- One row a chunk and revision. A chunk may be dropped when its part is verified and the fingerprint of its rows is still
-- that of the part; rows that came late make a further revision, of the whole chunk again while it is there, and of what
-- came since where it was dropped. What counts: verified and dropped ones; a stale one until its successor is verified.

CREATE TABLE archive_parts (
    id              bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    range_start     timestamptz NOT NULL,
    range_end       timestamptz NOT NULL,
    revision        integer NOT NULL CHECK (revision >= 1),
    state           text NOT NULL DEFAULT 'exporting' CHECK (state IN ('exporting', 'verified', 'stale', 'dropped')),
    object_key      text NOT NULL UNIQUE,
    manifest_key    text NOT NULL UNIQUE,
    schema_version  integer NOT NULL,
    rows            bigint,
    min_time        timestamptz,
    max_time        timestamptz,
    fingerprint     text,
    columns         jsonb,
    bytes           bigint,
    sha256          text,
    manifest_sha256 text,
    created_at      timestamptz NOT NULL DEFAULT clock_timestamp(),
    verified_at     timestamptz,
    checked_at      timestamptz,
    UNIQUE (range_start, revision),
    CHECK (range_end > range_start),
    CHECK (state = 'exporting' OR
      num_nonnulls(rows, fingerprint, columns, bytes, sha256, manifest_sha256, verified_at, checked_at) = 8)
);

-- One export of a chunk at a time, whatever the locks say.
CREATE UNIQUE INDEX archive_parts_exporting ON archive_parts (range_start) WHERE state = 'exporting';

COMMENT ON COLUMN archive_parts.fingerprint IS 'rows : sum of hash_record_extended(row, 0); comparable within one server only';
COMMENT ON COLUMN archive_parts.columns IS 'name, type, NULLs and checksum of each column, as in the manifest';
COMMENT ON COLUMN archive_parts.checked_at IS 'when the rows of the chunk were last seen to be those of the part';
