-- The keys that access tokens are signed with (Ed25519), so that all instances have the same ones and change them without
-- a restart.
--
-- There is no column for a key's state: it follows from the times alone (src/domain/signing_key.rs).

CREATE TABLE signing_keys (
    -- The order of the keys, and a lock: of instances that add the next one at once, one gets the number.
    number integer NOT NULL,
    -- The `kid` of tokens: the RFC 7638 thumbprint of the public key.
    kid text NOT NULL,
    public_key bytea NOT NULL,
    -- The private key's seed under AES-256-GCM: nonce, ciphertext, tag. The key for it is derived from AUTHQL_SECRET, and
    -- the kid is authenticated with it, so that no row can be given the seed of another.
    sealed_seed bytea NOT NULL,
    -- When it appeared in the key set that others verify tokens with.
    created_at timestamptz NOT NULL,
    -- When instances sign with it, unless they have a newer one.
    activates_at timestamptz NOT NULL,
    -- When the last token of it has expired. NULL until it is known when the next key begins.
    gone_at timestamptz,
    CONSTRAINT signing_keys_pkey PRIMARY KEY (number),
    CONSTRAINT signing_keys_kid_key UNIQUE (kid),
    CONSTRAINT signing_keys_number_check CHECK (number >= 1),
    CONSTRAINT signing_keys_public_key_check CHECK (octet_length(public_key) = 32),
    CONSTRAINT signing_keys_gone_check CHECK (gone_at > activates_at)
);
