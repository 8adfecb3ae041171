-- store/sql/event.postgres.sql - facts, as they came in and as they stand.

-- name: event_append (id id, key text, type text, source text, payload text, fingerprint text, scheduled instant,
--     created instant, updated instant, trace text) -> changed
-- Stores each event whose idempotency key is new, and says which ones those were. A known key changes nothing;
-- event_of_key then tells its story. The seqs are drawn first, so that they follow the order of the request even
-- though the rows are inserted in the order of their keys. That order lets two processes that append the same keys
-- wait for each other instead of running into a deadlock. A row counts as new when its seq was both given and made.
WITH given AS MATERIALIZED (SELECT *, nextval('marketing_events_seq') AS seq FROM {p}),
    made AS (
        INSERT INTO marketing_events(
            seq, id, idempotency_key, type, source, payload, received, fingerprint, scheduled_at, created_at,
                updated_at, trace_parent
        )
        SELECT seq, p1, p2, p3, p4, drumbeat_payload(p5), p5, p6, p7, p8, p9, p10
        FROM given
        ORDER BY p2 COLLATE "C", n
        ON CONFLICT (idempotency_key) DO NOTHING
        RETURNING seq
    )
SELECT max(n), seq
FROM (SELECT n, seq FROM given UNION ALL SELECT NULL, seq FROM made) each
GROUP BY seq
HAVING count(*) = 2
ORDER BY seq;

-- name: event_of_key (key text, fingerprint text) -> id id, fingerprint text, payload text, type text, source text,
--     scheduled instant
-- The event that a key belongs to. The payload is only read where the fingerprints differ: then the caller must show
-- where. An event of another program may have no fingerprint; it then always counts as different and is compared by
-- its payload.
SELECT n, e.id, coalesce(e.fingerprint, '')::text, CASE WHEN e.fingerprint IS DISTINCT FROM p2 THEN {payload} END,
    e.type::text, e.source::text, e.scheduled_at
FROM {p}
JOIN marketing_events e ON e.idempotency_key = p1
ORDER BY n;

-- fragment: due_rows
SELECT {event_columns}
    FROM marketing_events e
    WHERE e.status = 'PENDING' AND e.scheduled_at <= $1
    ORDER BY e.scheduled_at, e.seq
    LIMIT {claim_bound}

-- name: event_due (now instant, most int) -> event
-- The events whose routing is due, oldest first. Other processes route too, so rows that one of them holds are
-- skipped. The planner does not know a limit that is a parameter, takes it for large, and would sort all that waits;
-- the inner limit, which it does know, keeps it to the index.
SELECT *
FROM (
    {due_rows}
    FOR UPDATE OF e SKIP LOCKED
) due
LIMIT $2;

-- name: event_due_seen (now instant, most int) -> event
-- The same where an order is kept: what somebody has locked is not passed over unseen, because others must not
-- overtake it.
-- only here: one process has no others that lock.
SELECT *
FROM (
    {due_rows}
) due
LIMIT $2;

-- name: event_due_lock (seq int) -> seq int
-- Those of them that nobody has locked. The empty text behind the status hides it from the partial index.
-- only here: one process has no others that lock.
SELECT n, e.seq
FROM {p}
JOIN marketing_events e ON e.seq = p1
WHERE e.status || '' = 'PENDING'
FOR UPDATE OF e SKIP LOCKED;

-- name: event_between (since id, until id, most int) -> events int
-- How many came in between two moments, which their ids tell, but no more than are worth counting. drumbeat's own
-- messages are no sign that anybody sends. Events that were inserted by SQL have ids without a time.
SELECT count(*)
FROM (SELECT 1 FROM marketing_events WHERE id >= $1 AND id < $2 AND source <> 'drumbeat' LIMIT $3) counted;

-- name: event_next () -> scheduled instant
-- When the next event is due. The partial index has its smallest entry in front.
SELECT min(scheduled_at) FROM marketing_events WHERE status = 'PENDING';

-- name: event_routed (seq int, status text, error text, now instant)
-- What routing made of an event: a new run, which is also the run of its last routing.
UPDATE marketing_events
SET status = p2, last_error = p3, updated_at = p4, run = run + 1, routed_run = run + 1
FROM {p}
WHERE seq = p1;

-- name: event_lock (id id)
-- Lock the events first. Otherwise two processes that settle the last two deliveries of one event each still see the
-- other's as open, and nobody completes the event. The order of seq keeps two that lock several from a deadlock.
-- only here: one process has no others to lock out.
SELECT 1 FROM marketing_events WHERE id IN (SELECT p1 FROM {p}) ORDER BY seq FOR UPDATE;

-- name: event_stand (id id) -> seq int, open int, failed int, retries int
-- How an event in PROCESSING stands: its open and its failed deliveries, and the most retries of one. The empty text
-- behind the status hides it from the partial indexes: a prepared statement must go by the event's id.
SELECT n, e.seq, count(*) FILTER (WHERE {d.open}), count(*) FILTER (WHERE d.status = 'FAILED'), max(d.retry_count)
FROM {p}
JOIN marketing_events e ON e.id = p1 AND e.status || '' = 'PROCESSING'
JOIN deliveries d ON {current}
GROUP BY n, e.seq
ORDER BY n;

-- name: event_finish (seq int, status text, retries int, now instant)
-- The event is over. Its error is that of its first delivery that failed. The empty text and the zero keep the
-- planner from the index of all deliveries that ever failed, and from walking all deliveries in order of seq.
UPDATE marketing_events e
SET status = p2, retry_count = p3, updated_at = p4, last_error = CASE
    WHEN p2 = 'FAILED' THEN (
        SELECT d.last_error
        FROM deliveries d
        WHERE d.status || '' = 'FAILED' AND {current}
        ORDER BY d.seq + 0
        LIMIT 1
    ) END
FROM {p}
WHERE e.seq = p1;

-- name: event_reopen (id id, now instant)
-- One of its deliveries is tried again, in a run of its own.
UPDATE marketing_events
SET run = run + 1, status = 'PROCESSING', updated_at = $2
WHERE id = $1;

-- name: event_rerun (id id, now instant, wall instant)
-- It is routed again: its deliveries of earlier runs speak for it no more. It is wanted now.
UPDATE marketing_events
SET run = run + 1, routed_run = run + 1, status = 'PROCESSING', last_error = NULL,
    scheduled_at = least(scheduled_at, $3), updated_at = $2
WHERE id = $1;

-- name: event_replay (id id, now instant, wall instant)
-- All of it is made again, as for an event that comes due. Whoever asks for it means now: a moment to come, which a
-- cancelled event may still have, is brought forward.
UPDATE marketing_events
SET status = 'PENDING', last_error = NULL, scheduled_at = least(scheduled_at, $3), updated_at = $2
WHERE id = $1;

-- name: event_cancel (id id, error text, now instant) -> changed
-- Cancels an event that was not routed yet. Deliveries of one that was are cancelled by delivery_act.
UPDATE marketing_events
SET status = 'COMPLETED', last_error = $2, updated_at = $3
WHERE id = $1 AND status || '' = 'PENDING'
RETURNING 1::int8, seq;

-- name: event_get (id id) -> event
SELECT {event_columns} FROM marketing_events e WHERE e.id = $1;

-- name: event_by_prefix (low id, high id) -> id id
-- Two rows are enough to know that a prefix is not unique.
SELECT id FROM marketing_events WHERE id BETWEEN $1 AND $2 LIMIT 2;

-- name: event_last () -> seq int
SELECT max(seq) FROM marketing_events;

-- name: event_made (from int) -> created instant
-- When the first event from a seq on was made. Lists find the ends of a span of time by halving over this.
SELECT created_at FROM marketing_events WHERE seq >= $1 ORDER BY seq LIMIT 1;

-- name: event_list (low int, high int, status text, type text, source text, since instant, until instant, most int)
--     -> event
-- A list looks at the seqs in [low, high), newest first. A filter that is NULL lets everything through.
SELECT {event_columns}
FROM marketing_events e
WHERE e.seq >= $1 AND e.seq < $2 AND ($3 IS NULL OR e.status = $3) AND ($4 IS NULL OR e.type = $4)
    AND ($5 IS NULL OR e.source = $5) AND e.created_at >= $6 AND e.created_at < $7
ORDER BY e.seq DESC
LIMIT $8;

-- name: event_list_failed (low int, high int, status text, type text, source text, since instant, until instant,
--     most int) -> event
-- As event_list, over the index of what failed: there may be few of them in a long history.
SELECT {event_columns}
FROM marketing_events e
WHERE e.status = 'FAILED' AND e.seq >= $1 AND e.seq < $2 AND ($3 IS NULL OR e.status = $3)
    AND ($4 IS NULL OR e.type = $4) AND ($5 IS NULL OR e.source = $5) AND e.created_at >= $6 AND e.created_at < $7
ORDER BY e.seq DESC
LIMIT $8;

-- name: event_list_held (low int, high int, status text, type text, source text, since instant, until instant,
--     most int) -> event
-- The events with a delivery that is held, by the newest such of each: its seq is the row's, and the list goes by the
-- index of what is held.
SELECT h.seq, {event_facts}
FROM deliveries h
JOIN marketing_events e ON e.id = h.event_id
WHERE h.status = 'HELD' AND h.seq >= $1 AND h.seq < $2 AND ($3 IS NULL OR e.status = $3)
    AND ($4 IS NULL OR e.type = $4) AND ($5 IS NULL OR e.source = $5) AND e.created_at >= $6
    AND e.created_at < $7 AND h.seq = (
        SELECT max(d.seq + 0) FROM deliveries d WHERE d.status || '' = 'HELD' AND {current}
    )
ORDER BY h.seq DESC
LIMIT $8;

-- name: event_list_lost (low int, high int, status text, type text, source text, since instant, until instant,
--     most int) -> event
-- As event_list_held, of deliveries that failed and that no later run replaced. An event that is still open is not
-- FAILED yet, so event_list_failed does not have it.
SELECT h.seq, {event_facts}
FROM deliveries h
JOIN marketing_events e ON e.id = h.event_id
WHERE h.status = 'FAILED' AND h.seq >= $1 AND h.seq < $2 AND ($3 IS NULL OR e.status = $3)
    AND ($4 IS NULL OR e.type = $4) AND ($5 IS NULL OR e.source = $5) AND e.created_at >= $6
    AND e.created_at < $7 AND h.seq = (
        SELECT max(d.seq + 0) FROM deliveries d WHERE d.status || '' = 'FAILED' AND {current}
    )
ORDER BY h.seq DESC
LIMIT $8;
