-- What travels by mail and comes back, mails that are not sent on purpose, and accounts that are deleted.

-- Counts the changes of the password. A login that was checked against an older one starts no session, so that a changed
-- password leaves no way in that was opened with the old one. A rehash is no change.
ALTER TABLE users ADD COLUMN password_version integer NOT NULL DEFAULT 1;

-- One-time tokens. What is here opens nothing: a token is derived from its row's id with a key of the program.
CREATE TABLE mail_tokens (
    -- The mail that carries it.
    id uuid NOT NULL,
    user_id uuid NOT NULL,
    -- What it is good for, and nothing else.
    purpose text NOT NULL,
    -- SHA-256 of the token.
    digest bytea NOT NULL,
    -- The address it was mailed to, as written and as it decides whose account it is: only its reader has the token.
    email text NOT NULL,
    email_canonical text NOT NULL,
    expires_at timestamptz NOT NULL,
    -- Set once, by use or by something that makes it worthless, such as a new password.
    consumed_at timestamptz,
    CONSTRAINT mail_tokens_pkey PRIMARY KEY (id),
    CONSTRAINT mail_tokens_user_id_fkey FOREIGN KEY (user_id) REFERENCES users (id) ON DELETE CASCADE,
    CONSTRAINT mail_tokens_purpose_check CHECK (purpose IN ('verify_email', 'reset_password', 'confirm_email_change')),
    CONSTRAINT mail_tokens_digest_check CHECK (octet_length(digest) = 32)
);

-- "Every token of this account": what a new password or address makes worthless, and what a deletion takes along.
CREATE INDEX mail_tokens_user_id_idx ON mail_tokens (user_id);
-- What is forgotten when its time is over.
CREATE INDEX mail_tokens_expires_at_idx ON mail_tokens (expires_at);

-- Mails that are not sent on purpose leave a row like any other, with the reason in last_error: a request costs the same
-- whether or not the address has an account, and an operator can see what became of it. Such a row names nobody.
ALTER TABLE outbox DROP CONSTRAINT outbox_state_check;
ALTER TABLE outbox ADD CONSTRAINT outbox_state_check CHECK (state IN ('pending', 'sent', 'dead', 'suppressed'));

-- Whose mailbox it is for: mails to one are limited. NULL once the row is purged of personal data, and in rows of earlier
-- versions.
ALTER TABLE outbox ADD COLUMN recipient_canonical text;
CREATE INDEX outbox_recipient_idx ON outbox (recipient_canonical, queued_at) WHERE recipient_canonical IS NOT NULL;
-- What is purged, oldest first.
CREATE INDEX outbox_settled_at_idx ON outbox (settled_at) WHERE settled_at IS NOT NULL;

-- A session outlives its account as a pseudonym, until no instance can meet its access tokens: the mirrors read of its end
-- here, also when nobody could announce it.
ALTER TABLE sessions DROP CONSTRAINT sessions_user_id_fkey;

-- Whoever deletes an account, the program or an operator: its sessions end, and nothing personal stays behind. The mail that
-- tells its owner belongs to no account, and is purged when it has been sent.
CREATE FUNCTION forget_user() RETURNS trigger LANGUAGE plpgsql AS $$
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
    RETURN OLD;
END;
$$;
CREATE TRIGGER users_forget_when_deleted
    BEFORE DELETE ON users
    FOR EACH ROW
    EXECUTE FUNCTION forget_user();

-- What is purged, oldest first. Not by expires_at, which moves with each refresh: then no refresh would spare the indexes.
CREATE INDEX sessions_absolute_expires_at_idx ON sessions (absolute_expires_at);
