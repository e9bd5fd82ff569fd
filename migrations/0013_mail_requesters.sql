-- Who asked for a mail, so that nobody uses up what a mailbox gets against the person it belongs to.

ALTER TABLE outbox
    -- A keyed digest of the network that the request came from. NULL where nobody asked, and once the row is purged.
    ADD COLUMN requester bytea,
    -- Which allowance it was counted against: what strangers share, what is kept for devices and networks of the account, or
    -- what is left when both are used up. NULL where nobody asked, and in rows of earlier versions.
    ADD COLUMN allowance text,
    ADD CONSTRAINT outbox_requester_check CHECK (octet_length(requester) = 16),
    ADD CONSTRAINT outbox_allowance_check CHECK (allowance IN ('shared', 'known', 'reserve'));
