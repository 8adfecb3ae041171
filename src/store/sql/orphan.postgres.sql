-- store/sql/orphan.postgres.sql - deliveries whose event somebody deleted (store/orphan.c).

-- name: orphan_look (after int, upto int, now int) -> seq int, destination text, order_key text, open int,
--     lost int
-- Those with a seq in (after, upto], whether each is open, and whether a process had it that is gone. What is being sent is left until its lease is over, and
-- what another process holds is left to it. The empty text hides the status from the partial indexes, and the count in
-- place of EXISTS keeps the planner from joining the whole tables.
SELECT d.seq, d.destination, d.order_key, {d.open}::int::int8, (d.status || '' = 'PROCESSING')::int::int8
FROM deliveries d
WHERE d.seq > $1 AND d.seq <= $2 AND (d.status || '' <> 'PROCESSING' OR d.lease_until <= $3)
    AND 0 = (SELECT count(*) FROM marketing_events e WHERE e.id = d.event_id)
ORDER BY d.seq
FOR UPDATE SKIP LOCKED;

-- name: orphan_skip (delivery int, now int, lost int)
-- An open one ends. No claim takes it any more, because that reads the event too; but a process that is gone may have
-- sent it, and then its attempt counts.
UPDATE deliveries
SET status = 'SKIPPED', last_error = 'its event was deleted', blocked = 0, batch = NULL, lease_until = 0,
    lease_owner = NULL, updated_at = p2, attempts = attempts + p3
FROM {p}
WHERE seq = p1;

-- name: orphan_attempts (delivery int, since int)
-- What was sent after `since` still counts for a limit: then all attempts of the delivery stay for a later round, and
-- the delivery with them. Adding 0 keeps the look to the attempts of this delivery.
DELETE FROM attempts a
USING {p}
WHERE a.delivery_seq = p1
    AND 0 = (SELECT count(*) FROM attempts r WHERE r.delivery_seq = p1 AND r.started + 0 > p2);

-- name: orphan_delete (delivery int) -> changed
-- Goes once no attempt is left of it.
WITH gone AS (
    DELETE FROM deliveries d
    USING {p}
    WHERE d.seq = p1 AND 0 = (SELECT count(*) FROM attempts a WHERE a.delivery_seq = p1)
    RETURNING n, d.seq
)
SELECT n, seq FROM gone ORDER BY n;
