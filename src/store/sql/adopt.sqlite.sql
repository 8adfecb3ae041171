-- store/sql/adopt.sqlite.sql - deliveries of a destination that was renamed (store/adopt.c).

-- name: adopt_waiting (old text, new text, most int) -> seq int, order_key text
-- What waits under the old name and nobody sends. One that the new name has, too, stays: both were made while the two
-- were different destinations.
SELECT d.seq, d.order_key
FROM deliveries d
WHERE d.destination = ?1 AND {d.claimable} AND NOT EXISTS ({adopt_twin})
LIMIT ?3;

-- name: adopt_blocked (old text, new text, most int) -> seq int, order_key text
-- As adopt_waiting, of what waits for its order. While the one before it is being sent it stays: the end of that frees
-- it under the old name.
SELECT d.seq, d.order_key
FROM deliveries d
WHERE d.blocked = 1 AND d.destination = ?1 AND d.status <> 'HELD' AND NOT EXISTS ({adopt_twin})
    AND NOT EXISTS ({adopt_sent_before})
LIMIT ?3;

-- name: adopt_held (after int, most int) -> seq int, order_key text, destination text
-- A page of what is held, of any destination: a step is bounded by what it looks at.
SELECT seq, order_key, destination FROM deliveries WHERE status = 'HELD' AND seq > ?1 ORDER BY seq LIMIT ?2;

-- name: adopt_failed (after int, most int) -> seq int, order_key text, destination text
-- As adopt_held, of what failed.
SELECT seq, order_key, destination FROM deliveries WHERE status = 'FAILED' AND seq > ?1 ORDER BY seq LIMIT ?2;

-- name: adopt_take (seq int, new text, now int) -> changed
-- The key that the provider sees stays what it was. A failed one stays where it is while a later run of it does, which
-- took its place.
UPDATE deliveries AS d
SET keyed_as = coalesce(keyed_as, destination), destination = ?2, updated_at = ?3
WHERE d.seq = ?1 AND d.status <> 'PROCESSING' AND NOT EXISTS ({adopt_twin})
    AND (d.status <> 'FAILED' OR NOT EXISTS (SELECT 1 FROM deliveries n WHERE {later} AND {adopt_stays}));

-- name: adopt_order (destination text, order_key text)
-- Of an order key, only the first may go. What comes over from the old name can be older than what waits already.
UPDATE deliveries
SET blocked = 1 - blocked
WHERE destination = ?1 AND order_key = ?2 AND order_key IS NOT NULL AND {open} AND +status <> 'PROCESSING'
    AND blocked = (
        seq = (
            SELECT min(o.seq)
            FROM deliveries o
            WHERE o.destination = ?1 AND o.order_key = ?2 AND o.order_key IS NOT NULL AND {o.open}
        )
    );

-- name: adopt_flying (old text) -> count int, ordered int
-- What is being sent under the old name. It comes over once its outcome is known.
SELECT count(*), count(order_key) FROM deliveries WHERE status = 'PROCESSING' AND destination = ?1;

-- name: adopt_state (old text, new text)
-- Pause, breaker and quiet spell. What the new name has learned by itself stands.
INSERT INTO destinations(
    name, paused, paused_until, pause_reason, breaker_state, breaker_until, breaker_failures, breaker_ramp,
        quiet_until, updated_at, suspect, probing
)
SELECT ?2, paused, paused_until, pause_reason, breaker_state, breaker_until, breaker_failures, breaker_ramp,
    quiet_until, updated_at, suspect, probing
FROM destinations
WHERE name = ?1
ON CONFLICT(name) DO NOTHING;

-- name: adopt_forget (old text)
DELETE FROM destinations WHERE name = ?1;
