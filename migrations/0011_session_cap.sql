-- How many sessions an account may have at once, and how any number of them ends.

-- Which device the session was begun on, by the id in its device token. A sign-in over the cap ends sessions of its own device
-- first. No foreign key: devices have no table. NULL for sessions of earlier versions, and where accounts have no limits.
ALTER TABLE sessions ADD COLUMN device_id uuid;

-- The address of the sign-in. `ip_address` is overwritten by refreshes, so it does not say where a session came from. Text, as
-- that is: networks are compared by the program. NULL for sessions of earlier versions, and once the account is deleted.
ALTER TABLE sessions ADD COLUMN signed_in_from text;

-- Whoever deletes an account, the program or an operator: its sessions end, and nothing personal stays behind. The mail that
-- tells its owner belongs to no account, and is purged when it has been sent. Events stay, under a pseudonym. They come last:
-- an event that is being written locks the row of its account or of its session, and is there when that has been waited for.
CREATE OR REPLACE FUNCTION forget_user() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    UPDATE sessions
    SET ended_at = COALESCE(ended_at, clock_timestamp()), end_reason = COALESCE(end_reason, 'deleted'),
        user_agent = NULL, ip_address = NULL, signed_in_from = NULL, device_id = NULL
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
