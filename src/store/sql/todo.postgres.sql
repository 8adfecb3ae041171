-- store/sql/todo.postgres.sql - what waits for a person, by what a person would call the same cause: it is in one place
-- and says the same. Each statement looks at the newest rows up to a bound, and gives the largest groups.

-- fragment: gist
-- What an error says, its digits all the same: two that differ in a number are one cause.
replace(replace(replace(replace(replace(replace(replace(replace(replace(error, '1', '0'), '2', '0'), '3', '0'),
    '4', '0'), '5', '0'), '6', '0'), '7', '0'), '8', '0'), '9', '0')

-- name: todo_held (most int, groups int) -> destination text, route text, doubt int, http_status int, gist text,
--     error text, count int, oldest int
-- A route is named where it has not made the deliveries yet.
SELECT destination, unmade_by, in_doubt, last_status, {gist} AS gist, min(error), count(*), min(created_at)
FROM (
    SELECT destination, CASE WHEN params = '' THEN route ELSE '' END AS unmade_by, in_doubt, last_status,
        substr(coalesce(last_error, ''), 1, 200) AS error, created_at
    FROM deliveries
    WHERE status = 'HELD'
    ORDER BY seq DESC
    LIMIT $1
) held
GROUP BY destination, unmade_by, in_doubt, last_status, gist
ORDER BY count(*) DESC, min(created_at)
LIMIT $2;

-- name: todo_failed (most int, groups int) -> destination text, route text, doubt int, http_status int, gist text,
--     error text, count int, oldest int
-- Of those that speak for their event. A route is named where it could not make them.
SELECT destination, unmade_by, 0::int8, last_status, {gist} AS gist, min(error), count(*), min(created_at)
FROM (
    SELECT f.destination, f.unmade_by, f.last_status, f.error, f.created_at
    FROM (
        SELECT seq, destination, CASE WHEN params = '' THEN route ELSE '' END AS unmade_by, last_status,
            substr(coalesce(last_error, ''), 1, 200) AS error, created_at
        FROM deliveries
        WHERE status = 'FAILED'
        ORDER BY seq DESC
        LIMIT $1
    ) f
    JOIN deliveries d ON d.seq = f.seq
    JOIN marketing_events e ON {current}
) failed
GROUP BY destination, unmade_by, last_status, gist
ORDER BY count(*) DESC, min(created_at)
LIMIT $2;

-- name: todo_events (most int, groups int) -> type text, route text, doubt int, http_status int, gist text,
--     error text, count int, oldest instant
-- Events that failed as a whole: nothing of them could be stored.
SELECT type, '', 0::int8, 0::int8, {gist} AS gist, min(error), count(*), min(created_at)
FROM (
    SELECT id, type::text AS type, substr(coalesce(last_error, ''), 1, 200) AS error, created_at
    FROM marketing_events
    WHERE status = 'FAILED'
    ORDER BY seq DESC
    LIMIT $1
) e
WHERE NOT EXISTS (SELECT 1 FROM deliveries d WHERE d.event_id = e.id)
GROUP BY type, gist
ORDER BY count(*) DESC, min(created_at)
LIMIT $2;
