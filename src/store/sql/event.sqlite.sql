-- store/sql/event.sqlite.sql - facts, as they came in and as they stand.

-- name: event_append (id id, key text, type text, source text, payload text, fingerprint text, scheduled instant,
--     created instant, updated instant, trace text) -> changed
-- Stores each event whose idempotency key is new, and says which ones those were. A known key changes nothing;
-- event_of_key then tells its story.
INSERT INTO marketing_events(
    id, idempotency_key, type, source, payload, fingerprint, scheduled_at, created_at, updated_at,
    trace_parent
)
VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)
ON CONFLICT(idempotency_key) DO NOTHING;

-- name: event_of_key (key text, fingerprint text) -> id id, fingerprint text, payload text, type text, source text,
--     scheduled instant
-- The event that a key belongs to. The payload is only read where the fingerprints differ: then the caller must show
-- where.
SELECT id, fingerprint, CASE WHEN fingerprint <> ?2 THEN payload END, type, source, scheduled_at
FROM marketing_events
WHERE idempotency_key = ?1;

-- name: event_due (now instant, most int) -> event
-- The events whose routing is due, oldest first.
SELECT {event_columns}
FROM marketing_events e
WHERE e.status = 'PENDING' AND e.scheduled_at <= ?1
ORDER BY e.scheduled_at, e.seq
LIMIT ?2;

-- name: event_between (since id, until id, most int) -> events int
-- How many came in between two moments, which their ids tell, but no more than are worth counting. drumbeat's own
-- messages are no sign that anybody sends.
SELECT count(*)
FROM (SELECT 1 FROM marketing_events WHERE id >= ?1 AND id < ?2 AND source <> 'drumbeat' LIMIT ?3) counted;

-- name: event_next () -> scheduled instant
-- When the next event is due. The partial index has its smallest entry in front.
SELECT min(scheduled_at) FROM marketing_events WHERE status = 'PENDING';

-- name: event_routed (seq int, status text, error text, now instant)
-- What routing made of an event: a new run, which is also the run of its last routing.
UPDATE marketing_events
SET status = ?2, last_error = ?3, updated_at = ?4, run = run + 1, routed_run = run + 1
WHERE seq = ?1;

-- name: event_stand (id id) -> seq int, open int, failed int, retries int
-- How an event in PROCESSING stands: its open and its failed deliveries, and the most retries of one. The cross join
-- keeps the order of the two tables: the event is found first, its deliveries by their event.
SELECT e.seq, sum({d.open}), sum(d.status = 'FAILED'), max(d.retry_count)
FROM marketing_events e
CROSS JOIN deliveries d
WHERE e.id = ?1 AND e.status = 'PROCESSING' AND {current};

-- name: event_finish (seq int, status text, retries int, now instant)
-- The event is over. Its error is that of its first delivery that failed. The plus keeps the planner from the index
-- of all deliveries that ever failed.
UPDATE marketing_events AS e
SET status = ?2, retry_count = ?3, updated_at = ?4, last_error = CASE
    WHEN ?2 = 'FAILED' THEN (
        SELECT d.last_error
        FROM deliveries d
        WHERE +d.status = 'FAILED' AND {current}
        ORDER BY d.seq
        LIMIT 1
    ) END
WHERE e.seq = ?1;

-- name: event_reopen (id id, now instant)
-- One of its deliveries is tried again, in a run of its own.
UPDATE marketing_events
SET run = run + 1, status = 'PROCESSING', updated_at = ?2
WHERE id = ?1;

-- name: event_rerun (id id, now instant, wall instant)
-- It is routed again: its deliveries of earlier runs speak for it no more. It is wanted now.
UPDATE marketing_events
SET run = run + 1, routed_run = run + 1, status = 'PROCESSING', last_error = NULL,
    scheduled_at = min(scheduled_at, ?3), updated_at = ?2
WHERE id = ?1;

-- name: event_replay (id id, now instant, wall instant)
-- All of it is made again, as for an event that comes due. Whoever asks for it means now: a moment to come, which a
-- cancelled event may still have, is brought forward.
UPDATE marketing_events
SET status = 'PENDING', last_error = NULL, scheduled_at = min(scheduled_at, ?3), updated_at = ?2
WHERE id = ?1;

-- name: event_cancel (id id, error text, now instant) -> changed
-- Cancels an event that was not routed yet. Deliveries of one that was are cancelled by delivery_act.
UPDATE marketing_events
SET status = 'COMPLETED', last_error = ?2, updated_at = ?3
WHERE id = ?1 AND status = 'PENDING';

-- name: event_get (id id) -> event
SELECT {event_columns} FROM marketing_events e WHERE e.id = ?1;

-- name: event_by_prefix (low id, high id) -> id id
-- Two rows are enough to know that a prefix is not unique.
SELECT id FROM marketing_events WHERE id BETWEEN ?1 AND ?2 LIMIT 2;

-- name: event_last () -> seq int
SELECT max(seq) FROM marketing_events;

-- name: event_made (from int) -> created instant
-- When the first event from a seq on was made. Lists find the ends of a span of time by halving over this.
SELECT created_at FROM marketing_events WHERE seq >= ?1 ORDER BY seq LIMIT 1;

-- name: event_list (low int, high int, status text, type text, source text, since instant, until instant, most int)
--     -> event
-- A list looks at the seqs in [low, high), newest first. A filter that is NULL lets everything through.
SELECT {event_columns}
FROM marketing_events e
WHERE e.seq >= ?1 AND e.seq < ?2 AND (?3 IS NULL OR e.status = ?3) AND (?4 IS NULL OR e.type = ?4)
    AND (?5 IS NULL OR e.source = ?5) AND e.created_at >= ?6 AND e.created_at < ?7
ORDER BY e.seq DESC
LIMIT ?8;

-- name: event_list_failed (low int, high int, status text, type text, source text, since instant, until instant,
--     most int) -> event
-- As event_list, over the index of what failed: there may be few of them in a long history.
SELECT {event_columns}
FROM marketing_events e
WHERE e.status = 'FAILED' AND e.seq >= ?1 AND e.seq < ?2 AND (?3 IS NULL OR e.status = ?3)
    AND (?4 IS NULL OR e.type = ?4) AND (?5 IS NULL OR e.source = ?5) AND e.created_at >= ?6 AND e.created_at < ?7
ORDER BY e.seq DESC
LIMIT ?8;

-- name: event_list_held (low int, high int, status text, type text, source text, since instant, until instant,
--     most int) -> event
-- The events with a delivery that is held, by the newest such of each: its seq is the row's, and the list goes by the
-- index of what is held.
SELECT h.seq, {event_facts}
FROM deliveries h
CROSS JOIN marketing_events e ON e.id = h.event_id
WHERE h.status = 'HELD' AND h.seq >= ?1 AND h.seq < ?2 AND (?3 IS NULL OR e.status = ?3)
    AND (?4 IS NULL OR e.type = ?4) AND (?5 IS NULL OR e.source = ?5) AND e.created_at >= ?6
    AND e.created_at < ?7 AND h.seq = (
        SELECT max(d.seq) FROM deliveries d WHERE +d.status = 'HELD' AND {current}
    )
ORDER BY h.seq DESC
LIMIT ?8;

-- name: event_list_lost (low int, high int, status text, type text, source text, since instant, until instant,
--     most int) -> event
-- As event_list_held, of deliveries that failed and that no later run replaced. An event that is still open is not
-- FAILED yet, so event_list_failed does not have it.
SELECT h.seq, {event_facts}
FROM deliveries h
CROSS JOIN marketing_events e ON e.id = h.event_id
WHERE h.status = 'FAILED' AND h.seq >= ?1 AND h.seq < ?2 AND (?3 IS NULL OR e.status = ?3)
    AND (?4 IS NULL OR e.type = ?4) AND (?5 IS NULL OR e.source = ?5) AND e.created_at >= ?6
    AND e.created_at < ?7 AND h.seq = (
        SELECT max(d.seq) FROM deliveries d WHERE +d.status = 'FAILED' AND {current}
    )
ORDER BY h.seq DESC
LIMIT ?8;
