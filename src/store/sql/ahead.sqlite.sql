-- store/sql/ahead.sqlite.sql - what a clock that was ahead wrote, and what therefore waits for too long (store/ahead.c).

-- name: ahead_newest () -> newest int
-- The newest moment that the last rows of each kind tell. No index tells the newest of all rows.
SELECT max(
    coalesce((SELECT updated_at FROM marketing_events ORDER BY seq DESC LIMIT 1), 0),
    coalesce((SELECT updated_at FROM deliveries ORDER BY seq DESC LIMIT 1), 0),
    coalesce((SELECT max(started) FROM attempts), 0)
);

-- name: ahead_destinations (now int)
-- Pauses, breakers and quiet spells last as long from now as they did from the moment at which they were written.
UPDATE destinations
SET paused_until = CASE WHEN paused_until > ?1 THEN paused_until - (updated_at - ?1) ELSE paused_until END,
    breaker_until = CASE WHEN breaker_until > ?1 THEN breaker_until - (updated_at - ?1) ELSE breaker_until END,
    quiet_until = CASE WHEN quiet_until > ?1 THEN quiet_until - (updated_at - ?1) ELSE quiet_until END,
    updated_at = ?1
WHERE updated_at > ?1;

-- name: ahead_routes (latest int)
-- A stopped route does not say when it was stopped; but no probe is ever further away than this.
UPDATE routes SET at = ?1 WHERE at > ?1;

-- name: ahead_look_events (after int, upto int, now instant) -> seq int
-- Events with a seq in (after, upto] that were due at once when they came. One that was scheduled for later keeps its
-- moment, which its sender named. The plus keeps the planner to the window.
SELECT seq
FROM marketing_events
WHERE seq > ?1 AND seq <= ?2 AND +status = 'PENDING' AND +scheduled_at > ?3 AND scheduled_at <= created_at
    AND updated_at > ?3;

-- name: ahead_move_event (seq int, now instant)
UPDATE marketing_events SET scheduled_at = ?2, updated_at = ?2 WHERE seq = ?1 AND status = 'PENDING';

-- name: ahead_look (after int, upto int, now int) -> seq int, destination text
-- Open deliveries with a seq in (after, upto] that were written at a moment yet to come.
SELECT d.seq, d.destination
FROM deliveries d
WHERE d.seq > ?1 AND d.seq <= ?2 AND {d.open} AND d.updated_at > ?3;

-- name: ahead_move (seq int, now int)
-- Each waits as long from now as it did from the moment at which it was written. `late` stays: it is a moment of the
-- calendar.
UPDATE deliveries
SET due = due - (updated_at - ?2), first_due = CASE WHEN first_due > ?2 THEN first_due - (updated_at - ?2)
    ELSE first_due END, first_sent = min(first_sent, ?2), lease_until = CASE WHEN lease_until > 0
    THEN lease_until - (updated_at - ?2) ELSE lease_until END, created_at = min(created_at, ?2), updated_at = ?2
WHERE seq = ?1 AND updated_at > ?2;
