-- store/sql/count.sqlite.sql - how much there is of what.

-- name: count_claimable () -> destination text, pending int, processing int, unknown int, held int
-- Each of the next four statements counts one kind of open work, over the partial index that has it, and has the same
-- columns as the others.
SELECT destination, sum(status = 'PENDING'), 0, sum(status = 'UNKNOWN'), 0
FROM deliveries
WHERE {claimable}
GROUP BY destination;

-- name: count_blocked () -> destination text, pending int, processing int, unknown int, held int
SELECT destination, sum(status = 'PENDING'), 0, sum(status = 'UNKNOWN'), sum(status = 'HELD')
FROM deliveries
WHERE blocked = 1
GROUP BY destination;

-- name: count_processing () -> destination text, pending int, processing int, unknown int, held int
SELECT destination, 0, count(*), 0, 0
FROM deliveries
WHERE status = 'PROCESSING'
GROUP BY destination;

-- name: count_held () -> destination text, pending int, processing int, unknown int, held int
SELECT destination, 0, 0, 0, count(*)
FROM deliveries
WHERE status = 'HELD' AND blocked = 0
GROUP BY destination;

-- name: count_due (now int) -> destination text, due int, later int, oldest int
-- What may be claimed by then, what later, and since when the first of it is due.
SELECT destination, sum(due <= ?1), sum(due > ?1), min(due)
FROM deliveries
WHERE {claimable}
GROUP BY destination;

-- name: count_due_of (destination text, until int) -> due int
SELECT count(*)
FROM deliveries
WHERE {claimable} AND destination = ?1 AND due <= ?2;

-- name: count_failed () -> destination text, failed int
-- Those that speak for their event: a later run that took the place of one is counted instead of it.
SELECT d.destination, count(*)
FROM deliveries d
CROSS JOIN marketing_events e
WHERE d.status = 'FAILED' AND {current}
GROUP BY d.destination;

-- name: count_final () -> destination text, completed int, skipped int
-- Reads the whole table: only who asks for all pays for it.
SELECT destination, sum(status = 'COMPLETED'), sum(status = 'SKIPPED')
FROM deliveries
GROUP BY destination;

-- name: count_doubt () -> first_sent int
-- When that delivery was first sent which is in doubt for longest, of those that wait to be looked up or sent again.
SELECT min(first_sent)
FROM deliveries
WHERE {claimable} AND status = 'UNKNOWN';
