-- description: how often each device was seen to report
-- requires: none
--
-- The job learn-intervals writes what it sees here, and into expected_interval_seconds where that is still the default (60)
-- or what it wrote there itself: an interval that somebody has set stays.

ALTER TABLE devices ADD COLUMN learned_interval_seconds real
    CHECK (learned_interval_seconds > 0 AND learned_interval_seconds <= 604800);

COMMENT ON COLUMN devices.learned_interval_seconds IS 'median time between its readings of late; NULL: not seen yet';
