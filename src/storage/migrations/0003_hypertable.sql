-- description: telemetry in chunks of time
-- requires: apache
--
-- The key is the only index: every further one costs more than the data itself (docs/adr/0003-aggregates.md).

SELECT create_hypertable('telemetry', by_range('timestamp', INTERVAL '{{chunkHours}} hours'), create_default_indexes => false);
