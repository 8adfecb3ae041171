-- store/sql/ahead.postgres.sql - what a clock that was ahead wrote, and what therefore waits for too long
-- (store/ahead.c).

-- name: ahead_newest () -> newest int
-- The newest moment that the last rows of each kind tell. No index tells the newest of all rows.
SELECT greatest(
    (SELECT updated_at FROM deliveries ORDER BY seq DESC LIMIT 1),
    (SELECT started FROM attempts ORDER BY started DESC LIMIT 1),
    (
        SELECT CASE WHEN isfinite(updated_at) THEN (extract(epoch FROM updated_at) * 1000000)::int8 END
        FROM marketing_events
        ORDER BY seq DESC
        LIMIT 1
    ),
    0
);

-- name: ahead_elders (token text, within int) -> count int
-- Processes that were there before this one and were seen within so many microseconds. The clock by which they work is
-- the server's as it was when they began, which nothing here tells.
-- only here: one process is alone.
SELECT count(*)
FROM instances
WHERE token <> $1 AND seen_at > {now_us} - $2
    AND started_at <= coalesce((SELECT started_at FROM instances WHERE token = $1), {now_us});

-- name: ahead_instances ()
-- A process that died would be counted until the clock is where it was.
-- only here: one process is alone.
UPDATE instances
SET seen_at = {now_us}, started_at = least(started_at, {now_us} - 1)
WHERE seen_at > {now_us};

-- name: ahead_limits ()
-- Sends that would count until the clock is where it was. No send is taken for longer ahead than an hour.
-- only here: limits of one process are counted in its memory.
UPDATE limit_uses SET at = {now_us} WHERE at > {now_us} + 3600000000;

-- name: ahead_destinations (now int)
-- Pauses, breakers and quiet spells last as long from now as they did from the moment at which they were written.
UPDATE destinations
SET paused_until = CASE WHEN paused_until > p1 THEN paused_until - (updated_at - p1) ELSE paused_until END,
    breaker_until = CASE WHEN breaker_until > p1 THEN breaker_until - (updated_at - p1) ELSE breaker_until END,
    quiet_until = CASE WHEN quiet_until > p1 THEN quiet_until - (updated_at - p1) ELSE quiet_until END,
    updated_at = p1
FROM {p}
WHERE updated_at > p1;

-- name: ahead_routes (latest int)
-- A stopped route does not say when it was stopped; but no probe is ever further away than this.
UPDATE routes SET at = p1 FROM {p} WHERE at > p1;

-- name: ahead_look_events (after int, upto int, now instant) -> seq int
-- Events with a seq in (after, upto] that were due at once when they came. One that was scheduled for later keeps its
-- moment, which its sender named. What another process holds is left to it. The empty text hides the status from the
-- partial indexes.
SELECT seq
FROM marketing_events
WHERE seq > $1 AND seq <= $2 AND status || '' = 'PENDING' AND scheduled_at > $3 AND scheduled_at <= created_at
    AND updated_at > $3
ORDER BY seq
FOR UPDATE SKIP LOCKED;

-- name: ahead_move_event (seq int, now instant)
UPDATE marketing_events SET scheduled_at = p2, updated_at = p2 FROM {p} WHERE seq = p1 AND status = 'PENDING';

-- name: ahead_look (after int, upto int, now int) -> seq int, destination text
-- Open deliveries with a seq in (after, upto] that were written at a moment yet to come. What another process holds is
-- left to it. The empty text hides the status from the partial indexes.
SELECT d.seq, d.destination
FROM deliveries d
WHERE d.seq > $1 AND d.seq <= $2
    AND d.status || '' IN ('PENDING', 'PROCESSING', 'UNKNOWN', 'HELD') AND d.updated_at > $3
ORDER BY d.seq
FOR UPDATE SKIP LOCKED;

-- name: ahead_move (seq int, now int)
-- Each waits as long from now as it did from the moment at which it was written. `late` stays: it is a moment of the
-- calendar.
UPDATE deliveries
SET due = due - (updated_at - p2), first_due = CASE WHEN first_due > p2 THEN first_due - (updated_at - p2)
    ELSE first_due END, first_sent = least(first_sent, p2), lease_until = CASE WHEN lease_until > 0
    THEN lease_until - (updated_at - p2) ELSE lease_until END, created_at = least(created_at, p2), updated_at = p2
FROM {p}
WHERE seq = p1 AND updated_at > p2;
