-- Accounts, their sessions, and the mails that are owed to their owners.
--
-- Instants are given by the program, not by now(): tests move its clock, and a row never depends on two clocks.

CREATE TABLE users (
    -- UUIDv7. The `sub` of access tokens, so it is never given to another person.
    id uuid NOT NULL,
    -- As its owner wrote it, for showing and for sending.
    email text NOT NULL,
    -- What decides whose account it is: the domain as an ASCII name, ASCII letters in lower case.
    email_canonical text NOT NULL,
    -- NULL until the address has been confirmed.
    email_verified_at timestamptz,
    -- A PHC string: algorithm, parameters, salt and hash.
    password_hash text NOT NULL,
    -- How the person wants to be called; NULL until they say.
    name text,
    -- The language of mails, a BCP 47 tag.
    locale text NOT NULL,
    created_at timestamptz NOT NULL,
    -- Set by an operator to shut the account: no login, no refresh, no access.
    disabled_at timestamptz,
    CONSTRAINT users_pkey PRIMARY KEY (id),
    -- The rule "one account an address". Registration races end here, and nowhere else.
    CONSTRAINT users_email_canonical_key UNIQUE (email_canonical)
);

CREATE TABLE sessions (
    -- UUIDv7. The `sid` of the session's tokens.
    id uuid NOT NULL,
    user_id uuid NOT NULL,
    -- Counts refreshes from 1. A refresh token is good while it carries this number; no token is stored.
    generation integer NOT NULL,
    created_at timestamptz NOT NULL,
    -- When the present generation began: the replay window is counted from here, and the session was last used here.
    rotated_at timestamptz NOT NULL,
    -- Ends here unless it is refreshed; a refresh moves it on, up to absolute_expires_at.
    expires_at timestamptz NOT NULL,
    absolute_expires_at timestamptz NOT NULL,
    -- Ended before its time, and why. Never unset.
    ended_at timestamptz,
    end_reason text,
    -- What its owner recognises it by.
    user_agent text,
    CONSTRAINT sessions_pkey PRIMARY KEY (id),
    CONSTRAINT sessions_user_id_fkey FOREIGN KEY (user_id) REFERENCES users (id) ON DELETE CASCADE,
    CONSTRAINT sessions_generation_check CHECK (generation >= 1),
    CONSTRAINT sessions_expiry_check CHECK (expires_at <= absolute_expires_at),
    CONSTRAINT sessions_end_check CHECK ((ended_at IS NULL) = (end_reason IS NULL))
);

-- "Every session of this account": logging out everywhere, and the list that a person sees.
CREATE INDEX sessions_user_id_idx ON sessions (user_id);

CREATE TABLE outbox (
    -- UUIDv7. Also the Message-ID of the mail over all tries, so that a duplicate can be recognised.
    id uuid NOT NULL,
    -- NULL once the account is gone; the mail is still owed.
    user_id uuid,
    -- Which template to render.
    kind text NOT NULL,
    -- What the template and the envelope need, as it was when the mail was queued.
    recipient text NOT NULL,
    recipient_name text,
    locale text NOT NULL,
    queued_at timestamptz NOT NULL,
    state text NOT NULL DEFAULT 'pending',
    -- How often a worker has claimed it. Also the fence: only the newest claim can settle it.
    attempts integer NOT NULL DEFAULT 0,
    -- Nobody claims it earlier. A claim moves it to the end of the claimant's lease.
    due_at timestamptz NOT NULL,
    -- What the mail server, or the renderer, said at the last failure.
    last_error text,
    -- When it was sent or given up.
    settled_at timestamptz,
    CONSTRAINT outbox_pkey PRIMARY KEY (id),
    CONSTRAINT outbox_user_id_fkey FOREIGN KEY (user_id) REFERENCES users (id) ON DELETE SET NULL,
    CONSTRAINT outbox_state_check CHECK (state IN ('pending', 'sent', 'dead')),
    CONSTRAINT outbox_settled_check CHECK ((state = 'pending') = (settled_at IS NULL))
);

-- What the sweep looks for, and nothing else.
CREATE INDEX outbox_due_idx ON outbox (due_at) WHERE state = 'pending';
-- Followed when an account is deleted.
CREATE INDEX outbox_user_id_idx ON outbox (user_id);
