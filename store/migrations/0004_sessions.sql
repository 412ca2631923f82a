-- Browsers that are signed in at the gateways. The id is the SHA-256 of what
-- the browser shows, so that whoever reads this cannot act with it; `key_hash`
-- is the SHA-256 of the key that it signed in with, which must be known still.
CREATE TABLE sessions (
    id TEXT PRIMARY KEY,
    key_hash TEXT NOT NULL,
    expires_at_ms BIGINT NOT NULL
);

CREATE INDEX sessions_expired ON sessions (expires_at_ms);
