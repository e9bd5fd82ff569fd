-- What happened to accounts and sessions that somebody may have to look into.

CREATE TABLE security_events (
    -- UUIDv7, so that the order of the ids is that of time.
    id uuid NOT NULL,
    -- Whose account, and through which session. No foreign keys: an event outlives both, as a pseudonym.
    user_id uuid NOT NULL,
    session_id uuid,
    -- What happened, such as refresh_token_reused.
    kind text NOT NULL,
    occurred_at timestamptz NOT NULL,
    CONSTRAINT security_events_pkey PRIMARY KEY (id)
);

-- What a person, or an operator, asks for: the events of one account, newest first.
CREATE INDEX security_events_user_id_idx ON security_events (user_id, id);
