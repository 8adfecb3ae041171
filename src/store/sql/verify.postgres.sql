-- store/sql/verify.postgres.sql - whether the store keeps its promises, a window of a table at a time.
--
-- Each rule judges the rows with a seq in (after, upto], and gives what is wrong with which of them. It must find by an
-- index what it needs of other rows, so that a window costs the same at any size of the store.

-- name: verify_window_{table} (after int, upto int, most int) -> seq int
-- each: verified
-- The next rows of a table: where the last of them stands is where the window ends. The inner limit keeps the planner to
-- the index.
SELECT {first}
FROM (SELECT {first} FROM {table} WHERE {first} > $1 AND {first} <= $2 ORDER BY {first} LIMIT {claim_bound}) next
LIMIT $3;

-- name: verify_end_{table} () -> seq int
-- each: verified
-- How far the table goes.
SELECT max({first}) FROM {table};

-- name: verify_rows_{table} (after int, upto int) -> rows int
-- each: verified
-- How many rows a window has: of a table by pairs they are more than its statement above gave.
SELECT count(*) FROM {table} WHERE {first} > $1 AND {first} <= $2;

-- name: verify_events (after int, upto int) -> what text, which id
-- Whether the status of each event is what its deliveries say. The subqueries ask one thing each, over the deliveries
-- of one event. The empty text hides the status from the index of what failed.
SELECT wrong, id
FROM (
    SELECT CASE WHEN status = 'PENDING' THEN CASE
        WHEN early THEN 'is PENDING, but deliveries are planned for it' END WHEN status = 'PROCESSING' THEN CASE
        WHEN NOT open THEN 'is PROCESSING, but nothing of it is open' END
        WHEN open THEN 'is ' || status || ', but a delivery is open' WHEN status = 'COMPLETED' THEN CASE
        WHEN failed THEN 'is COMPLETED, but a delivery FAILED' END WHEN any_left
        AND NOT failed THEN 'is FAILED, but no delivery FAILED' END AS wrong, id
    FROM (
        SELECT e.id AS id, e.status::text AS status,
            EXISTS (SELECT 1 FROM deliveries d WHERE d.event_id = e.id AND d.run > e.run) AS early,
            EXISTS (
                SELECT 1 FROM deliveries d WHERE d.event_id = e.id AND d.run >= e.routed_run AND {d.open}
            ) AS open,
            EXISTS (SELECT 1 FROM deliveries d WHERE d.event_id = e.id AND d.run >= e.routed_run) AS any_left,
            EXISTS (SELECT 1 FROM deliveries d WHERE d.status || '' = 'FAILED' AND {current}) AS failed
        FROM marketing_events e
        WHERE e.seq > $1 AND e.seq <= $2
    ) stands
) judged
WHERE wrong IS NOT NULL;

-- name: verify_fanout (after int, upto int) -> what text, which id
-- Whether each delivery belongs to an event, and to a run that the event had. One that ended because its event was
-- deleted stays until no limit counts it.
SELECT CASE WHEN e.seq IS NULL THEN 'has no event' ELSE 'belongs to a run its event never had' END, d.id
FROM deliveries d
LEFT JOIN marketing_events e ON e.id = d.event_id
WHERE d.seq > $1 AND d.seq <= $2 AND (e.seq IS NULL OR (d.run > e.run AND e.status <> 'PENDING'))
    AND NOT (e.seq IS NULL AND d.status = 'SKIPPED' AND d.last_error = 'its event was deleted');

-- name: verify_deliveries (after int, upto int) -> what text, which id
-- Whether a delivery's columns agree with one another. The schema's checks refuse most of this; a flipped bit does
-- not ask them.
SELECT wrong, id
FROM (
    SELECT CASE WHEN status = 'PROCESSING'
        AND (lease_until = 0 OR lease_epoch = 0) THEN 'is PROCESSING without a lease' WHEN status <> 'PROCESSING'
        AND lease_until <> 0 THEN 'is ' || status || ' and still holds a lease' WHEN blocked <> 0
        AND NOT {open} THEN 'is ' || status || ' and still waits for its order' WHEN blocked <> 0
        AND order_key IS NULL THEN 'waits for an order it has none of' END AS wrong, id
    FROM deliveries
    WHERE seq > $1 AND seq <= $2
) judged
WHERE wrong IS NOT NULL;

-- name: verify_order (after int, upto int) -> what text, which id
-- Whether exactly the first open delivery of each order key may go. The empty text keeps the planner to the window:
-- without it, it would go through all that is open and ordered.
SELECT CASE WHEN d.blocked <> 0 THEN 'waits, but nothing is before it in its order'
    ELSE 'may overtake an earlier one of its order' END, d.id
FROM deliveries d
WHERE d.seq > $1 AND d.seq <= $2 AND d.order_key || '' IS NOT NULL
    AND '' || d.status IN ('PENDING', 'PROCESSING', 'UNKNOWN', 'HELD') AND (d.blocked <> 0) <> EXISTS (
        SELECT 1
        FROM deliveries o
        WHERE o.destination = d.destination AND o.order_key = d.order_key AND o.order_key IS NOT NULL AND {o.open}
            AND o.seq < d.seq
    );

-- name: verify_attempts (after int, upto int) -> what text, which id
-- Whether a delivery has the attempts it counts. A success is an attempt that was done, or an operator's word in the
-- audit.
SELECT wrong, id
FROM (
    SELECT CASE WHEN kept <> attempts
        OR last <> attempts THEN 'counts ' || attempts || ' attempts, but has ' || kept WHEN status = 'COMPLETED'
        AND NOT done
        AND NOT EXISTS (
            SELECT 1 FROM audit WHERE act = 'resolve delivered' AND subject = id::text
        ) THEN 'is COMPLETED, but no attempt was done' END AS wrong,
        id
    FROM (
        SELECT d.id AS id, d.status AS status, d.attempts AS attempts, count(a.number) AS kept,
            coalesce(max(a.number), 0) AS last, coalesce(bool_or(a.outcome = 'done'), FALSE) AS done
        FROM deliveries d
        LEFT JOIN attempts a ON a.delivery_seq = d.seq
        WHERE d.seq > $1 AND d.seq <= $2
        GROUP BY d.seq
    ) stands
) judged
WHERE wrong IS NOT NULL;

-- name: verify_strays (after int, upto int) -> what text, which id
-- Attempts whose delivery is gone. The count in place of EXISTS keeps the planner from joining the whole tables.
SELECT 'has attempts, but is not there: seq ' || delivery_seq, NULL::uuid
FROM attempts a
WHERE a.delivery_seq > $1 AND a.delivery_seq <= $2
    AND 0 = (SELECT count(*) FROM deliveries d WHERE d.seq = a.delivery_seq)
GROUP BY delivery_seq;

-- name: verify_payloads (after int, upto int, bytes int) -> seq int, id id, payload text, fingerprint text
-- The next events whose payloads are read again: so many that together they hold these bytes, and one at least. Row by
-- row, since only a payload's row says how long it is.
WITH RECURSIVE next(seq, bytes) AS (
    (
        SELECT e.seq, octet_length({payload})::int8
        FROM marketing_events e
        WHERE e.seq > $1 AND e.seq <= $2
        ORDER BY e.seq
        LIMIT 1
    )
    UNION ALL
    SELECT e.seq, next.bytes + octet_length({payload})
    FROM next
    CROSS JOIN LATERAL (
        SELECT * FROM marketing_events n WHERE n.seq > next.seq AND n.seq <= $2 ORDER BY n.seq LIMIT 1
    ) e
    WHERE next.bytes < $3
)
SELECT e.seq, e.id, {payload}, coalesce(e.fingerprint, '')::text
FROM next
JOIN marketing_events e ON e.seq = next.seq
ORDER BY next.seq;

-- name: verify_ids (after int, upto int) -> seq int, id id, key text, destination text, step text, run int
-- Deliveries whose ids are derived again. verify_fanout has told of those whose run is wrong.
SELECT d.seq, d.id, e.idempotency_key::text, coalesce(d.keyed_as, d.destination), d.step, d.run
FROM deliveries d
JOIN marketing_events e ON e.id = d.event_id AND d.run <= e.run
WHERE d.seq > $1 AND d.seq <= $2
ORDER BY d.seq;
