-- What refreshing and revoking need to know beyond the session itself.

-- The newest generation of which a token has been presented: while it is behind `generation`, the answer that carried the
-- newest tokens may have been lost on its way, and the one before may ask for them again. 0: none yet.
ALTER TABLE sessions ADD COLUMN seen_generation integer NOT NULL DEFAULT 0;

-- When the end of the session was written, by the clock of the database. `ended_at` is by the clocks of the instances, which
-- differ; this one is what they page by when they look for ends that they have not heard of.
ALTER TABLE sessions ADD COLUMN end_recorded_at timestamptz;

-- Set here and not by each statement, so that an end that an operator writes by hand is found as well.
CREATE FUNCTION record_session_end() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    NEW.end_recorded_at := clock_timestamp();
    RETURN NEW;
END;
$$;
CREATE TRIGGER sessions_record_end
    BEFORE UPDATE OF ended_at ON sessions
    FOR EACH ROW
    WHEN (OLD.ended_at IS NULL AND NEW.ended_at IS NOT NULL)
    EXECUTE FUNCTION record_session_end();

CREATE INDEX sessions_end_recorded_at_idx ON sessions (end_recorded_at) WHERE end_recorded_at IS NOT NULL;

-- When the present generation began, by the clock of the database: the replay window is measured with one clock, whichever
-- instances rotated and judge. `rotated_at` is for people.
ALTER TABLE sessions ADD COLUMN rotation_recorded_at timestamptz NOT NULL DEFAULT clock_timestamp();

-- A shut account has no sessions: their ends reach every instance as those of a logout do.
CREATE FUNCTION end_sessions_of_disabled_user() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    UPDATE sessions
    SET ended_at = NEW.disabled_at, end_reason = 'disabled'
    WHERE user_id = NEW.id AND ended_at IS NULL;
    RETURN NULL;
END;
$$;
CREATE TRIGGER users_end_sessions_when_disabled
    AFTER UPDATE OF disabled_at ON users
    FOR EACH ROW
    WHEN (OLD.disabled_at IS NULL AND NEW.disabled_at IS NOT NULL)
    EXECUTE FUNCTION end_sessions_of_disabled_user();
