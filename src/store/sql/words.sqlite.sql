-- store/sql/words.sqlite.sql - what several statements say: rows that row.c reads, and fragments. A statement refers to
-- a fragment as {name}. One whose columns stand behind T. is referred to as {alias.name}, or as {name} without an alias.

-- row: event (seq int, id id, key text, type text, source text, payload text, fingerprint text, status text, run int,
--     retries int, error text, scheduled instant, created instant, updated instant, trace text)
-- row: delivery (seq int, id id, event id, destination text, action text, route text, step text, run int, status text,
--     retries int, attempts int, due int, first_due int, late int, first_sent int, lease_until int, lease_epoch int,
--     params text, order_key text, looking_up int, batch id, last_status int, error text, created int, updated int,
--     in_doubt int, keyed_as text, place text)

-- fragment: event_columns
e.seq, {event_facts}

-- fragment: event_facts
e.id, e.idempotency_key, e.type, e.source, e.payload, e.fingerprint, e.status, e.run, e.retry_count,
e.last_error, e.scheduled_at, e.created_at, e.updated_at, e.trace_parent

-- fragment: delivery_columns
d.seq, d.id, d.event_id, d.destination, d.action, d.route, d.step, d.run, d.status, d.retry_count, d.attempts, d.due,
d.first_due, d.late, d.first_sent, d.lease_until, d.lease_epoch, d.params, d.order_key, d.looking_up, d.batch,
d.last_status, d.last_error, d.created_at, d.updated_at, d.in_doubt, d.keyed_as, d.place

-- fragment: delivery_event_key
-- The provider's key is derived from it. A delivery whose event is gone is listed all the same.
(SELECT k.idempotency_key FROM marketing_events k WHERE k.id = d.event_id)

-- fragment: T.open
-- What still owes something. A chain of OR, not IN: SQLite builds a table for a list of more than two words, in every
-- statement that touches an index over it. It is written as the partial indexes have it, or the planner does not see it.
(T.status = 'PENDING' OR T.status = 'PROCESSING' OR T.status = 'UNKNOWN' OR T.status = 'HELD')

-- fragment: T.claimable
-- What a claim may take, as the index deliveries_due has it.
(T.status = 'PENDING' OR T.status = 'UNKNOWN') AND T.blocked = 0

-- fragment: later
-- Delivery n of a later run stands in the place of delivery d. One that its route never made has no key in its step yet:
-- what was made of it later may have one, and says what its step was before.
n.event_id = d.event_id AND n.destination = d.destination AND n.run > d.run
    AND (n.step = d.step OR (d.params = '' AND n.place = d.step))

-- fragment: current
-- The deliveries that speak for event e: those of its last routing and later, without those a later run replaced.
d.event_id = e.id AND d.run >= e.routed_run AND (e.run = e.routed_run OR NOT EXISTS (
    SELECT 1 FROM deliveries n WHERE {later}
))

-- fragment: id_text
-- The id as people write it, and as the audit names its subject.
lower(substr(hex(id), 1, 8) || '-' || substr(hex(id), 9, 4) || '-' || substr(hex(id), 13, 4) || '-' ||
substr(hex(id), 17, 4) || '-' || substr(hex(id), 21))

-- fragment: claimable_destinations
-- The destinations with something to claim: one look per destination, not one per delivery.
WITH RECURSIVE found(name) AS (
    SELECT min(destination) FROM deliveries WHERE {claimable}
    UNION ALL
    SELECT (SELECT min(destination) FROM deliveries WHERE {claimable} AND destination > found.name)
    FROM found
    WHERE found.name IS NOT NULL
)

-- fragment: earliest_due
SELECT min(due) FROM deliveries WHERE destination = found.name AND {claimable}

-- fragment: adopt_twin
SELECT 1 FROM deliveries t WHERE t.event_id = d.event_id AND t.destination = ?2 AND t.step = d.step AND t.run = d.run

-- fragment: adopt_sent_before
SELECT 1
FROM deliveries o
WHERE o.destination = ?1 AND o.order_key = d.order_key AND o.order_key IS NOT NULL AND {o.open}
    AND +o.status = 'PROCESSING'

-- fragment: adopt_stays
(n.status = 'COMPLETED' OR n.status = 'SKIPPED' OR n.status = 'PROCESSING')

-- fragment: delivery_filter
d.seq >= ?1 AND d.seq < ?2 AND (?3 IS NULL OR d.status = ?3) AND (?4 IS NULL OR d.destination = ?4)
    AND (?5 IS NULL OR d.event_id = ?5) AND d.created_at >= ?6 AND d.created_at < ?7
ORDER BY d.seq DESC
LIMIT ?8
