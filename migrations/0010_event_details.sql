-- Every security-relevant event, with what whoever looks into it asks for: who, from where, in which request, and how it ended.

ALTER TABLE security_events
    -- NULL for what happened to a signing key.
    ALTER COLUMN user_id DROP NOT NULL,
    -- The only kind that an earlier version of the program leaves, refresh_token_reused, was refused.
    ADD COLUMN outcome text NOT NULL DEFAULT 'refused',
    -- Refusals that repeat themselves are counted, so that an attack is no storm of rows.
    ADD COLUMN times integer NOT NULL DEFAULT 1,
    -- What it was done by, and in which request. Personal: NULL once the account is deleted, and where an operator did it.
    ADD COLUMN ip_address text,
    ADD COLUMN user_agent text,
    ADD COLUMN request_id text,
    -- Which signing key, by the `kid` that its tokens carry.
    ADD COLUMN key_id text,
    ADD CONSTRAINT security_events_outcome_check CHECK (outcome IN ('succeeded', 'refused')),
    ADD CONSTRAINT security_events_times_check CHECK (times >= 1),
    ADD CONSTRAINT security_events_subject_check CHECK (num_nonnulls(user_id, key_id) = 1);

-- Whoever deletes an account, the program or an operator: its sessions end, and nothing personal stays behind. The mail that
-- tells its owner belongs to no account, and is purged when it has been sent. Events stay, under a pseudonym. They come last:
-- an event that is being written locks the row of its account or of its session, and is there when that has been waited for.
CREATE OR REPLACE FUNCTION forget_user() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    UPDATE sessions
    SET ended_at = COALESCE(ended_at, clock_timestamp()), end_reason = COALESCE(end_reason, 'deleted'),
        user_agent = NULL, ip_address = NULL
    WHERE user_id = OLD.id;
    UPDATE outbox
    SET recipient = '', recipient_canonical = NULL, recipient_name = NULL,
        last_error = CASE state WHEN 'pending' THEN 'the account was deleted' WHEN 'suppressed' THEN last_error END,
        settled_at = COALESCE(settled_at, clock_timestamp()),
        state = CASE state WHEN 'pending' THEN 'suppressed' ELSE state END
    WHERE user_id = OLD.id;
    UPDATE security_events
    SET ip_address = NULL, user_agent = NULL, request_id = NULL
    WHERE user_id = OLD.id;
    RETURN OLD;
END;
$$;
