-- description: which attempt of a job a run was, and how large everything was each day
-- requires: none
--
-- attempt counts runs of a job that failed one after another, in whichever process: 1 after a success.

ALTER TABLE job_runs
    ADD COLUMN attempt integer NOT NULL DEFAULT 1 CHECK (attempt >= 1),
    ADD COLUMN due_at timestamptz;

COMMENT ON COLUMN job_runs.due_at IS 'when the job is due again, as it was planned at the end of the run';

-- One row a UTC day, with the last figures of the day: from it follows how many days are left until the disk is full.
-- What cannot be seen is NULL: the disk of a server on another machine, the queue where it is RabbitMQ.
CREATE TABLE storage_days (
    day              date PRIMARY KEY,
    measured_at      timestamptz NOT NULL DEFAULT clock_timestamp(),
    database_bytes   bigint NOT NULL,
    archive_bytes    bigint NOT NULL,
    queue_bytes      bigint,
    directory_bytes  bigint,
    -- Of the disk that the database is on, and what of the others is there too.
    disk_used_bytes  bigint,
    disk_free_bytes  bigint,
    disk_total_bytes bigint
);

COMMENT ON COLUMN storage_days.archive_bytes IS 'of the parts that count, wherever they are';
COMMENT ON COLUMN storage_days.disk_used_bytes IS 'by Downhole: the database, and queue and archive where they are on the same disk';
