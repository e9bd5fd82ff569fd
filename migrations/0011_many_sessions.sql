-- How many sessions an account may have at once, and how any number of them ends.

-- Which device the session was begun on, by the id in its device token. A sign-in over the cap ends sessions of its own device
-- first. No foreign key: devices have no table. NULL for sessions of earlier versions, and where accounts have no limits.
ALTER TABLE sessions ADD COLUMN device_id uuid;

-- The address of the sign-in. `ip_address` is overwritten by refreshes, so it does not say where a session came from. Text, as
-- that is: networks are compared by the program. NULL for sessions of earlier versions, and once the account is deleted.
ALTER TABLE sessions ADD COLUMN signed_in_from text;

-- How often all sessions of the account were told to end. A session of an older epoch is dead, whatever its own row says. So
-- one statement ends any number, and their rows are ended afterwards, a limited number at a time.
ALTER TABLE users ADD COLUMN session_epoch integer NOT NULL DEFAULT 0;

-- Why, as `end_reason` says it, while rows of an older epoch are still to be ended. NULL otherwise. Whoever finds it goes on: a
-- process may die in the middle. 'deleted' means that the account itself goes in the end.
ALTER TABLE users ADD COLUMN ending_sessions text;
-- What the housekeeping looks for. Next to no account is in it.
CREATE INDEX users_ending_sessions_idx ON users (id) WHERE ending_sessions IS NOT NULL;

-- The epoch of the account when the session began, or when it alone was kept. Those of earlier versions have the first one.
ALTER TABLE sessions ADD COLUMN epoch integer NOT NULL DEFAULT 0;
ALTER TABLE sessions ALTER COLUMN epoch DROP DEFAULT;

-- Set here where a statement does not name it: an earlier version of the program, which still runs, does not know of it.
CREATE FUNCTION set_session_epoch() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    NEW.epoch := COALESCE((SELECT session_epoch FROM users WHERE id = NEW.user_id), 0);
    RETURN NEW;
END;
$$;
CREATE TRIGGER sessions_set_epoch
    BEFORE INSERT ON sessions
    FOR EACH ROW
    WHEN (NEW.epoch IS NULL)
    EXECUTE FUNCTION set_session_epoch();

-- The sessions of an account are ended in the order of their ids, and each step begins where the one before left off. Takes the
-- place of an index that had the account only.
CREATE INDEX sessions_user_id_id_idx ON sessions (user_id, id);
DROP INDEX sessions_user_id_idx;

-- A shut account has no sessions. The program raises the epoch itself; this is for an operator who shuts an account by hand. The
-- first 2000 sessions end at once, and the housekeeping ends the rest.
DROP TRIGGER users_end_sessions_when_disabled ON users;
CREATE OR REPLACE FUNCTION end_sessions_of_disabled_user() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    ended bigint;
BEGIN
    UPDATE sessions
    SET ended_at = NEW.disabled_at, end_reason = 'disabled'
    WHERE id IN (
        SELECT id FROM sessions WHERE user_id = NEW.id AND ended_at IS NULL ORDER BY id LIMIT 2000 FOR UPDATE
    );
    GET DIAGNOSTICS ended = ROW_COUNT;
    NEW.session_epoch := OLD.session_epoch + 1;
    NEW.ending_sessions := CASE WHEN ended = 2000 THEN 'disabled' END;
    RETURN NEW;
END;
$$;
CREATE TRIGGER users_end_sessions_when_disabled
    BEFORE UPDATE OF disabled_at ON users
    FOR EACH ROW
    WHEN (OLD.disabled_at IS NULL AND NEW.disabled_at IS NOT NULL AND OLD.session_epoch = NEW.session_epoch)
    EXECUTE FUNCTION end_sessions_of_disabled_user();

-- Whoever deletes an account, the program or an operator: its sessions end, and nothing personal stays behind. The mail that
-- tells its owner belongs to no account, and is purged when it has been sent. Events stay, under a pseudonym. They come last:
-- an event that is being written locks the row of its account or of its session, and is there when that has been waited for.
-- The program has done most of it before, in steps: rows that are done are left alone.
CREATE OR REPLACE FUNCTION forget_user() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    UPDATE sessions
    SET ended_at = COALESCE(ended_at, clock_timestamp()), end_reason = COALESCE(end_reason, 'deleted'),
        user_agent = NULL, ip_address = NULL, signed_in_from = NULL, device_id = NULL
    WHERE user_id = OLD.id
        AND (ended_at IS NULL OR num_nonnulls(user_agent, ip_address, signed_in_from, device_id) > 0);
    UPDATE outbox
    SET recipient = '', recipient_canonical = NULL, recipient_name = NULL,
        last_error = CASE state WHEN 'pending' THEN 'the account was deleted' WHEN 'suppressed' THEN last_error END,
        settled_at = COALESCE(settled_at, clock_timestamp()),
        state = CASE state WHEN 'pending' THEN 'suppressed' ELSE state END
    WHERE user_id = OLD.id;
    UPDATE security_events
    SET ip_address = NULL, user_agent = NULL, request_id = NULL
    WHERE user_id = OLD.id AND num_nonnulls(ip_address, user_agent, request_id) > 0;
    RETURN OLD;
END;
$$;
