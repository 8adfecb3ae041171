-- store/sql/limit.postgres.sql - limits that processes share without Redis. A row is so many sends that count from its moment on.

-- name: limit_try (name text) -> ours int
-- Whoever takes from a limit keeps the others from it until the commit.
-- only here: limits of one process are counted in its memory.
SELECT pg_try_advisory_xact_lock(1685220707, hashtext($1))::int4::int8;

-- name: limit_used (name text, window int) -> count int, wait int
-- How many sends count in a rule's window, and for how many microseconds the oldest of them still does.
-- only here: limits of one process are counted in its memory.
SELECT n, coalesce(sum(u.count), 0)::int8, coalesce(min(u.at) - ({now_us} - min(p2)), 0)::int8
FROM {p}
LEFT JOIN limit_uses u ON u.name = p1 AND u.at > {now_us} - p2 AND u.count > 0
GROUP BY n
ORDER BY n;

-- name: limit_take (name text, count int, ahead int) -> id int
-- So many sends, counted as if they started so many microseconds from now, until limit_started says better.
-- only here: limits of one process are counted in its memory.
INSERT INTO limit_uses(name, at, count) VALUES ($1, {now_us} + $3, $2) RETURNING id;

-- name: limit_started (id int, count int, starting int)
-- Of what was taken so many really started, just now. While some of them did not begin to leave, all of them count as
-- they did before, and what is too much is given back already.
-- only here: limits of one process are counted in its memory.
UPDATE limit_uses SET at = CASE WHEN p3 <> 0 THEN at ELSE {now_us} END, count = p2 FROM {p} WHERE id = p1;

-- name: limit_sweep_all (low text, high text, window int)
-- Removes the same of all limits whose names begin alike: nobody may ever take from some of them again.
-- only here: limits of one process are counted in its memory.
DELETE FROM limit_uses WHERE name >= $1 AND name < $2 AND (at < {now_us} - $3 OR count = 0);

-- name: limit_sweep (name text, window int)
-- Removes what no window counts any more.
-- only here: limits of one process are counted in its memory.
DELETE FROM limit_uses WHERE name = $1 AND (at < {now_us} - $2 OR count = 0);
