-- store/sql/token.sqlite.sql - tokens of destinations, sealed, and who asks for the next one (store/token.h).

-- row: token (destination text, generation int, sealed text, expires int, refresh_expires int, seed text, asked_by text,
--     asked_until int, in_doubt int, updated int)

-- fragment: token_columns
destination, generation, sealed, expires, refresh_expires, seed, asked_by, asked_until, in_doubt, updated_at

-- name: token_get (destination text) -> token
SELECT {token_columns} FROM tokens WHERE destination = ?1;

-- name: token_list () -> token
SELECT {token_columns} FROM tokens ORDER BY destination;

-- name: token_ask (destination text, owner text, now int, until int, others int) -> changed
-- One process alone asks for the next token. Parameter 5 says that nobody else works on this store: what another one
-- asked for is the past's.
INSERT INTO tokens(destination, generation, asked_by, asked_until, in_doubt, updated_at)
VALUES (?1, 0, ?2, ?4, 1, ?3)
ON CONFLICT(destination) DO UPDATE SET asked_by = ?2, asked_until = ?4, in_doubt = tokens.in_doubt + 1, updated_at = ?3
    WHERE tokens.asked_until <= ?3 OR tokens.asked_by = ?2 OR ?5 <> 0;

-- name: token_made (destination text, before int, sealed text, expires int, refresh_expires int, seed text, now int)
--     -> changed
-- The token that was asked for, in the place of the generation it was asked from. One that somebody else replaced
-- meanwhile stays.
UPDATE tokens
SET generation = ?2 + 1, sealed = ?3, expires = ?4, refresh_expires = ?5, seed = ?6, asked_by = NULL, asked_until = 0,
    in_doubt = 0, updated_at = ?7
WHERE destination = ?1 AND generation = ?2;

-- name: token_not_made (destination text, owner text, until int, doubt int, now int)
-- Nothing came of it: nobody asks before the moment in the third parameter. The fourth says that the provider may have
-- made one all the same.
UPDATE tokens
SET asked_by = NULL, asked_until = ?3, in_doubt = in_doubt - CASE WHEN ?4 <> 0 THEN 0 ELSE 1 END, updated_at = ?5
WHERE destination = ?1 AND asked_by = ?2;

-- name: token_put (destination text, sealed text, expires int, refresh_expires int, seed text, now int)
-- What a person's login came to, whatever is there.
INSERT INTO tokens(destination, generation, sealed, expires, refresh_expires, seed, updated_at)
VALUES (?1, 1, ?2, ?3, ?4, ?5, ?6)
ON CONFLICT(destination) DO UPDATE SET generation = tokens.generation + 1, sealed = ?2, expires = ?3, refresh_expires = ?4,
    seed = ?5, asked_by = NULL, asked_until = 0, in_doubt = 0, updated_at = ?6;
