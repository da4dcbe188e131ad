-- description: API keys and the log of administrative acts
-- requires: none

-- Of a key only the hash of its secret is kept: whoever reads this table cannot use what stands in it.
CREATE TABLE api_keys (
    id                  text PRIMARY KEY CHECK (length(id) BETWEEN 4 AND 32),   -- the public part of the key
    name                text NOT NULL CHECK (length(name) BETWEEN 1 AND 128),
    secret_hash         bytea NOT NULL CHECK (length(secret_hash) = 32),        -- sha256 of 256 random bits
    scopes              text[] NOT NULL CHECK (scopes <@ ARRAY['write', 'read', 'admin'] AND cardinality(scopes) > 0),
    sites               text[],   -- NULL: all sites
    devices             text[],   -- ids, or prefixes that end with *; NULL: all devices
    requests_per_second real CHECK (requests_per_second > 0),   -- NULL: the configured limit
    records_per_second  real CHECK (records_per_second > 0),
    created_at          timestamptz NOT NULL DEFAULT now(),
    created_by          text NOT NULL,
    expires_at          timestamptz,
    revoked_at          timestamptz,
    last_used_at        timestamptz
);

-- Who did what, when: written in the transaction of the act itself, never changed.
CREATE TABLE audit_log (
    id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    at          timestamptz NOT NULL DEFAULT clock_timestamp(),
    actor       text NOT NULL,    -- key:ID, http:ADDRESS, cli:USER
    action      text NOT NULL,    -- key.create, dead_letter.replay …
    target      text NOT NULL,
    detail      jsonb NOT NULL DEFAULT '{}'
);
CREATE INDEX audit_log_at ON audit_log (at);
