-- How often in a row the password of an account was not the right one: no more than a hundred times (SP 800-63B-4 3.2.2),
-- also when Redis, which slows guessing down, has forgotten everything.

CREATE TABLE password_failures (
    -- A keyed digest of the address. No foreign key, and no address: it is counted for addresses without an account as well,
    -- so that neither the answer nor the time it takes tells which have one.
    account bytea NOT NULL,
    -- Attempts since the last success, those under way included: each is counted before it is made.
    failures integer NOT NULL,
    last_failed_at timestamptz NOT NULL,
    CONSTRAINT password_failures_pkey PRIMARY KEY (account),
    CONSTRAINT password_failures_account_check CHECK (octet_length(account) = 16),
    CONSTRAINT password_failures_failures_check CHECK (failures >= 1)
);

-- What is looked for when old counts are dropped.
CREATE INDEX password_failures_last_failed_at_idx ON password_failures (last_failed_at);
