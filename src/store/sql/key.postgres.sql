-- store/sql/key.postgres.sql - API keys, of which only a hash is stored.

-- name: key_add (id text, name text, role int, hash text, created int)
INSERT INTO api_keys(id, name, role, hash, created_at) VALUES ($1, $2, $3, $4, $5);

-- name: key_list () -> id text, name text, role int, hash text, created int, revoked int
SELECT id, name, role, hash, created_at, revoked_at FROM api_keys ORDER BY created_at, id;

-- name: key_revoke (id text, now int) -> changed
-- A key that is revoked already is not revoked again: the first moment stays.
UPDATE api_keys
SET revoked_at = $2
WHERE id = $1 AND revoked_at = 0
RETURNING 1::int8, 0::int8;
