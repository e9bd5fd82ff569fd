-- Where a session is used from, so that its owner can tell a stranger's from their own.

-- The client's address as of the sign-in or the latest refresh, IPv4 or IPv6 as usually written. From that on, user_agent
-- is renewed by refreshes as well: browsers are updated, and a session that moved to another program should show it.
-- Text and not inet: it is shown and never compared. NULL for sessions of earlier versions until they are refreshed.
ALTER TABLE sessions ADD COLUMN ip_address text;

-- The list that a person sees: live sessions of an account, newest first, a page at a time from any place in it. Refreshes
-- change none of its columns, so they still rewrite no index.
CREATE INDEX sessions_live_idx ON sessions (user_id, created_at, id) WHERE ended_at IS NULL;
