-- store/sql/doubt.sqlite.sql - deliveries of which nobody knows whether they arrived.

-- name: doubt_list (after int, most int) -> seq int, destination text, action text, first_sent int, updated int,
--     in_doubt int
-- A page of what is held, whatever for. What is in doubt has been sent at least once.
SELECT seq, destination, action, first_sent, updated_at, in_doubt
FROM deliveries
WHERE status = 'HELD' AND seq > ?1
ORDER BY seq
LIMIT ?2;

-- name: doubt_look_up (seq int, now int) -> changed
-- It is looked up, with all its tries, unless a person or another process was there first. Its error stays, for whoever
-- looks meanwhile.
UPDATE deliveries
SET status = 'UNKNOWN', due = ?2, retry_count = 0, updated_at = ?2
WHERE seq = ?1 AND status = 'HELD' AND in_doubt = 1;

-- name: doubt_look_now (destination text, now int) -> changed
-- What is to be looked up at a destination later is looked up now.
UPDATE deliveries
SET due = ?2, updated_at = ?2
WHERE destination = ?1 AND {claimable} AND status = 'UNKNOWN' AND due > ?2;
