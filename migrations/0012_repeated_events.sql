-- Equal events in a row are one row, with how often they happened and when the last time was: whoever repeats something buries
-- nothing else.

-- Leaves an event of an account, if the account is there. Where the newest row of the account tells the same (kind, session,
-- address, user agent) and is not older than `oldest_row`, that row is raised: it counts on, and has the time and the request of
-- the last one. It keeps its id. So it stays the newest of its account, and the order of the ids is still that of time.
--
-- The account is locked before, as a deletion has to wait for whoever is about to write something personal. Of two that find the
-- same newest row, one waits for the other and counts on: none is lost. Two that find none insert a row each, which does no harm.
CREATE FUNCTION record_security_event(
    new_id uuid,
    -- The least id that a row may have in order to be raised: a row does not span more than the time from there.
    oldest_row uuid,
    account uuid,
    session uuid,
    new_kind text,
    new_outcome text,
    happened_at timestamptz,
    how_often integer,
    address text,
    agent text,
    request text
) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    PERFORM FROM users WHERE id = account FOR KEY SHARE;
    IF NOT FOUND THEN
        RETURN;
    END IF;
    UPDATE security_events
    SET times = LEAST(times::bigint + how_often, 2147483647)::integer,
        request_id = CASE WHEN happened_at < occurred_at THEN request_id ELSE request END,
        occurred_at = GREATEST(occurred_at, happened_at)
    WHERE id = (
            -- By security_events_user_id_idx.
            SELECT newest.id
            FROM security_events AS newest
            WHERE newest.user_id = account AND newest.id >= oldest_row
            ORDER BY newest.id DESC
            LIMIT 1
        )
        AND kind = new_kind
        AND session_id IS NOT DISTINCT FROM session
        AND ip_address IS NOT DISTINCT FROM address
        AND user_agent IS NOT DISTINCT FROM agent;
    IF FOUND THEN
        RETURN;
    END IF;
    INSERT INTO security_events
        (id, user_id, session_id, kind, outcome, occurred_at, times, ip_address, user_agent, request_id)
    VALUES (new_id, account, session, new_kind, new_outcome, happened_at, how_often, address, agent, request);
END;
$$;
