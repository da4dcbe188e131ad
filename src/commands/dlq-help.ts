/** Help of `downhole dlq`. */
export const REPLAY_HELP = `
Replays letters that wait, oldest first. A letter is replayed once: its rows and its new state are one commit, so the command
may be interrupted and run again. What is refused again waits on, with the new reason.

Corrections change how records are read; the original bytes stay, and the audit log keeps the corrections.

Examples:
  downhole dlq replay --code future_timestamp --dry-run
  downhole dlq replay 4f1d2a 9be0c7
  downhole dlq replay --code naive_timestamp --time-zone America/Chicago
  downhole dlq replay --device "Well 7" --unit temperature=F --rename temp=temperature
  downhole dlq replay 4f1d2a --overwrite`;

export const PURGE_HELP = `
Shows how many letters are meant and asks; --yes for scripts. The original bytes are deleted at once, the entry after 90 days;
the audit log keeps who did it.

Examples:
  downhole dlq purge 4f1d2a
  downhole dlq purge --code malformed_json --until 2026-11-01T00:00:00Z --yes`;

export const LIST_HELP = `
Examples:
  downhole dlq list --groups
  downhole dlq list --code conflict --device "Well 7" --since 2026-11-23T00:00:00Z
  downhole dlq list --state all --json`;
