-- description: with which severity an alert was told, so that a change of it is told once
-- requires: none

ALTER TABLE alerts ADD COLUMN told_severity text CHECK (told_severity IN ('warning', 'critical'));
UPDATE alerts SET told_severity = severity WHERE told <> 'nothing';
COMMENT ON COLUMN alerts.told_severity IS 'what a message has said of its severity; NULL: nothing';
