-- description: the loss ledger keeps whole days of what is older
-- requires: none

-- An hour of 5000 devices takes a megabyte, so that a year of hours would be larger than the readings' aggregates. Past 35
-- days the hours of a device and day become one row, at 00:00; what arrives for such an hour later is added to it.
ALTER TABLE ledger ADD COLUMN whole_day boolean NOT NULL DEFAULT false;

COMMENT ON COLUMN ledger.hour IS 'start of the hour of arrival, or of the day where whole_day is true';
COMMENT ON COLUMN ledger.whole_day IS 'the row stands for all hours of its day that have no row of their own';
