-- Accounts that were moved here without a password.

-- NULL where another system did not hand over its hash: nobody can log in until the owner sets a password by mail. A version
-- of the program before this one answers a login to such an account with an error; there are none before one is imported.
-- The hash may be one that the other system made, until the first login replaces it.
ALTER TABLE users ALTER COLUMN password_hash DROP NOT NULL;
