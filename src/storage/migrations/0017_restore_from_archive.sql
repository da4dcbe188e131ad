-- description: where readings come back to from the archive
-- requires: none
--
-- For analysis: the columns of telemetry in their order (a migration that adds a column adds it to both), without its
-- checks, since what was stored once is taken as it was. A plain table on purpose: no job compresses, aggregates or drops
-- what somebody has fetched to look at. It is emptied by "downhole archive clear".

CREATE TABLE telemetry_archive (LIKE telemetry INCLUDING DEFAULTS);
ALTER TABLE telemetry_archive ADD CONSTRAINT telemetry_archive_pk PRIMARY KEY (device_id, "timestamp");

COMMENT ON TABLE telemetry_archive IS 'readings restored from the archive for analysis, by "downhole archive restore"';

-- Rows of a part that were put back into telemetry, and the sum of their hashes. A chunk whose rows are those of its
-- newest verified part and these, and no other, has nothing that the archive has not: it may be dropped again as it is.
CREATE TABLE archive_restored (
    part_id     bigint PRIMARY KEY REFERENCES archive_parts (id) ON DELETE CASCADE,
    rows        bigint NOT NULL,
    hash        numeric NOT NULL,
    restored_at timestamptz NOT NULL DEFAULT clock_timestamp()
);
