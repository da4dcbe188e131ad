-- description: the loss ledger counts, and each count once
-- requires: none

-- Received is what became of the records, by construction: no row can say that one is missing, or one too many.
ALTER TABLE ledger DROP COLUMN received;
ALTER TABLE ledger ADD COLUMN received bigint NOT NULL
    GENERATED ALWAYS AS (stored + merged + duplicate + dead_lettered + rejected) STORED;

-- By the hour of ingestion_timestamp, not of arrival: this one can be compared with the rows of the table.
ALTER TABLE ledger ADD COLUMN written bigint NOT NULL DEFAULT 0;

-- All devices of some hours: what a page and retention ask for.
CREATE INDEX ledger_hour ON ledger (hour);

COMMENT ON TABLE ledger IS 'per device and hour of arrival (UTC), what became of the records; device '''' = not known';
COMMENT ON COLUMN ledger.written IS 'rows stored whose ingestion_timestamp lies in this hour';
COMMENT ON COLUMN ledger.first_at IS 'earliest time of the records that could be read, as last_at is the latest';

-- The number of the last part that each process has written: one that is written again, since nobody knows whether it was
-- committed, is then not counted twice.
CREATE TABLE ledger_writers (
    writer uuid PRIMARY KEY,
    part   bigint NOT NULL,
    at     timestamptz NOT NULL DEFAULT now()
) WITH (fillfactor = 50);
