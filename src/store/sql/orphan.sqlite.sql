-- store/sql/orphan.sqlite.sql - deliveries whose event somebody deleted (store/orphan.c).

-- name: orphan_look (after int, upto int, now int) -> seq int, destination text, order_key text, open int,
--     lost int
-- Those with a seq in (after, upto], whether each is open, and whether a process had it that is gone. What is being sent is left until its lease is over. The
-- plus keeps the planner from the index of leases, which would have it go through all that is on its way.
SELECT d.seq, d.destination, d.order_key, {d.open}, +d.status = 'PROCESSING'
FROM deliveries d
WHERE d.seq > ?1 AND d.seq <= ?2 AND (+d.status <> 'PROCESSING' OR d.lease_until <= ?3)
    AND NOT EXISTS (SELECT 1 FROM marketing_events e WHERE e.id = d.event_id)
ORDER BY d.seq;

-- name: orphan_skip (delivery int, now int, lost int)
-- An open one ends. No claim takes it any more, because that reads the event too; but a process that is gone may have
-- sent it, and then its attempt counts.
UPDATE deliveries
SET status = 'SKIPPED', last_error = 'its event was deleted', blocked = 0, batch = NULL, lease_until = 0,
    lease_owner = NULL, updated_at = ?2, attempts = attempts + ?3
WHERE seq = ?1;

-- name: orphan_attempts (delivery int, since int)
-- What was sent after `since` still counts for a limit: then all attempts of the delivery stay for a later round, and
-- the delivery with them. The plus keeps the look to the attempts of this delivery.
DELETE FROM attempts
WHERE delivery_seq = ?1 AND NOT EXISTS (SELECT 1 FROM attempts r WHERE r.delivery_seq = ?1 AND +r.started > ?2);

-- name: orphan_delete (delivery int) -> changed
-- Goes once no attempt is left of it.
DELETE FROM deliveries
WHERE seq = ?1 AND NOT EXISTS (SELECT 1 FROM attempts a WHERE a.delivery_seq = ?1);
