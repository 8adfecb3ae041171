-- store/sql/verify.postgres.sql - whether the store keeps its promises. Each rule gives what is wrong, and with which row.

-- name: verify_events (most int) -> what text, which id
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
    ) stands
) judged
WHERE wrong IS NOT NULL
LIMIT $1;

-- name: verify_fanout (most int) -> what text, which id
-- Whether each delivery belongs to an event, and to a run that the event had.
SELECT CASE WHEN e.seq IS NULL THEN 'has no event' ELSE 'belongs to a run its event never had' END, d.id
FROM deliveries d
LEFT JOIN marketing_events e ON e.id = d.event_id
WHERE e.seq IS NULL OR (d.run > e.run AND e.status <> 'PENDING')
LIMIT $1;

-- name: verify_deliveries (most int) -> what text, which id
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
) judged
WHERE wrong IS NOT NULL
LIMIT $1;

-- name: verify_order (most int) -> what text, which id
-- Whether exactly the first open delivery of each order key may go.
SELECT CASE WHEN blocked <> 0 THEN 'waits, but nothing is before it in its order'
    ELSE 'may overtake an earlier one of its order' END, id
FROM (
    SELECT id, blocked, row_number() OVER (PARTITION BY destination, order_key ORDER BY seq) AS place
    FROM deliveries
    WHERE order_key IS NOT NULL AND {open}
) judged
WHERE (blocked <> 0) <> (place > 1)
LIMIT $1;

-- name: verify_attempts (most int) -> what text, which id
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
        GROUP BY d.seq
    ) stands
) judged
WHERE wrong IS NOT NULL
LIMIT $1;

-- name: verify_strays (most int) -> what text, which id
-- Attempts whose delivery is gone.
SELECT 'has attempts, but is not there: seq ' || delivery_seq, NULL::uuid
FROM attempts a
WHERE NOT EXISTS (SELECT 1 FROM deliveries d WHERE d.seq = a.delivery_seq)
GROUP BY delivery_seq
LIMIT $1;

-- name: verify_payloads (after int, most int) -> seq int, id id, payload text, fingerprint text
-- A window of events whose payloads are read again.
SELECT e.seq, e.id, {payload}, coalesce(e.fingerprint, '')::text
FROM marketing_events e
WHERE e.seq > $1
ORDER BY e.seq
LIMIT $2;

-- name: verify_ids (after int, most int) -> seq int, id id, key text, destination text, step text, run int
-- A window of deliveries whose ids are derived again. verify_fanout has told of those whose run is wrong.
SELECT d.seq, d.id, e.idempotency_key::text, d.destination, d.step, d.run
FROM deliveries d
JOIN marketing_events e ON e.id = d.event_id AND d.run <= e.run
WHERE d.seq > $1
ORDER BY d.seq
LIMIT $2;
