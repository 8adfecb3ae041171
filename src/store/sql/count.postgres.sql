-- store/sql/count.postgres.sql - how much there is of what.

-- name: count_claimable () -> destination text, pending int, processing int, unknown int, held int
-- Each of the next four statements counts one kind of open work, over the partial index that has it, and has the same
-- columns as the others.
SELECT destination, count(*) FILTER (WHERE status = 'PENDING'), 0::int8, count(*) FILTER (WHERE status = 'UNKNOWN'),
    0::int8
FROM deliveries
WHERE {claimable}
GROUP BY destination;

-- name: count_blocked () -> destination text, pending int, processing int, unknown int, held int
SELECT destination, count(*) FILTER (WHERE status = 'PENDING'), 0::int8, count(*) FILTER (WHERE status = 'UNKNOWN'),
    count(*) FILTER (WHERE status = 'HELD')
FROM deliveries
WHERE blocked = 1
GROUP BY destination;

-- name: count_processing () -> destination text, pending int, processing int, unknown int, held int
SELECT destination, 0::int8, count(*), 0::int8, 0::int8
FROM deliveries
WHERE status = 'PROCESSING'
GROUP BY destination;

-- name: count_held () -> destination text, pending int, processing int, unknown int, held int
SELECT destination, 0::int8, 0::int8, 0::int8, count(*)
FROM deliveries
WHERE status = 'HELD' AND blocked = 0
GROUP BY destination;

-- name: count_due (now int) -> destination text, due int, later int, oldest int
-- What may be claimed by then, what later, and since when the first of it is due.
SELECT destination, count(*) FILTER (WHERE due <= $1), count(*) FILTER (WHERE due > $1), min(due)
FROM deliveries
WHERE {claimable}
GROUP BY destination;

-- name: count_due_of (destination text, until int) -> due int
SELECT count(*)
FROM deliveries
WHERE {claimable} AND destination = $1 AND due <= $2;

-- name: count_failed () -> destination text, failed int
-- Those that speak for their event: a later run that took the place of one is counted instead of it.
SELECT d.destination, count(*)
FROM deliveries d
JOIN marketing_events e ON {current}
WHERE d.status = 'FAILED'
GROUP BY d.destination;

-- name: count_final () -> destination text, completed int, skipped int
-- Reads the whole table: only who asks for all pays for it.
SELECT destination, count(*) FILTER (WHERE status = 'COMPLETED'), count(*) FILTER (WHERE status = 'SKIPPED')
FROM deliveries
GROUP BY destination;

-- name: count_doubt () -> first_sent int
-- When that delivery was first sent which is in doubt for longest, of those that wait to be looked up or sent again.
SELECT min(first_sent)
FROM deliveries
WHERE {claimable} AND status = 'UNKNOWN';
