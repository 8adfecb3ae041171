-- store/sql/delivery.postgres.sql - what an event owes, from its plan to its end, and lists of it.

-- name: delivery_plan (id id, event id, destination text, action text, route text, step text, run int, status text,
--     retries int, due int, first_due int, late int, first_sent int, lease_until int, lease_owner text,
--     lease_epoch int, params text, order_key text, error text, created int, updated int, place text) -> changed
-- Stores the deliveries that routing planned, and tells the seq of each. Some are already claimed, because they leave
-- in this turn. The seqs are drawn first and in the order of the input: an order key's deliveries are kept in the
-- order of seqs.
WITH given AS MATERIALIZED (SELECT *, nextval('deliveries_seq') AS seq FROM {p}),
    made AS (
        INSERT INTO deliveries(
            seq, id, event_id, destination, action, route, step, run, status, retry_count, due, first_due, late,
                first_sent, lease_until, lease_owner, lease_epoch, params, order_key, last_error, created_at,
                updated_at, place
        )
        SELECT seq, p1, p2, p3, p4, p5, p6, p7, p8, p9, p10, p11, p12, p13, p14, p15, p16, p17, p18, p19, p20, p21,
            p22
        FROM given
    )
SELECT n, seq
FROM given
ORDER BY n;

-- name: delivery_unmade (after int, most int) -> delivery, event
-- Deliveries that are HELD without content, to be made when their route may run. An empty text is no content; NULL is
-- the payload as received. Few deliveries are HELD, and a page of them is asked for at a time.
SELECT *
FROM (
    SELECT {delivery_columns}, {event_columns}
    FROM deliveries d
    JOIN marketing_events e ON e.id = d.event_id
    WHERE d.status = 'HELD' AND d.params = '' AND d.seq > $1
    ORDER BY d.seq
    LIMIT {claim_bound}
    FOR UPDATE OF d SKIP LOCKED
) unmade
LIMIT $2;

-- name: delivery_order (seq int) -> destination text, order_key text
-- The order in which a delivery stands.
SELECT n, destination, order_key
FROM {p}
JOIN deliveries ON seq = p1
WHERE order_key IS NOT NULL
ORDER BY n;

-- name: delivery_make (seq int, id id, action text, step text, status text, due int, first_due int, late int,
--     params text, order_key text, error text, now int, place text)
-- What became of an unmade delivery, in its place. Whether that waits for its order is found out anew (delivery_block):
-- it may be over, or keep another order, or none. The name that its id was made with is forgotten with that id.
UPDATE deliveries
SET id = p2, action = p3, step = p4, status = p5, due = p6, first_due = p7, late = p8, params = p9, order_key = p10,
    last_error = p11, updated_at = p12, keyed_as = CASE id WHEN p2 THEN keyed_as END, place = p13,
    blocked = 0
FROM {p}
WHERE seq = p1;

-- name: delivery_block (seq int, destination text, order_key text) -> changed
-- A delivery that stands behind an earlier open one of its order key waits, and holds no lease.
WITH made AS (
    UPDATE deliveries d
    SET blocked = 1, status = CASE d.status WHEN 'PROCESSING' THEN 'PENDING' ELSE d.status END, lease_until = 0,
        lease_owner = NULL
    FROM {p}
    WHERE d.seq = p1
        AND EXISTS (
            SELECT 1
            FROM deliveries o
            WHERE o.destination = p2 AND o.order_key = p3 AND o.order_key IS NOT NULL AND {o.open} AND o.seq < p1
        )
    RETURNING n, d.seq
)
SELECT n, seq
FROM made
ORDER BY n;

-- name: delivery_due (destination text, now int, most int) -> delivery, event
-- What a desk may claim now, oldest first. A delivery whose event is gone is not found here. Other processes claim
-- too, so rows that one of them holds are skipped, and of a frozen set only the process that gets the set's lock
-- takes any. The inner limit keeps the planner to the index: it takes a limit that is a parameter for large, and
-- would sort all that waits.
SELECT *
FROM (
    SELECT {delivery_columns}, {event_columns}
    FROM deliveries d
    JOIN marketing_events e ON e.id = d.event_id
    WHERE d.destination = $1 AND {d.claimable} AND d.due <= $2
        AND (d.batch IS NULL OR pg_try_advisory_xact_lock(hashtextextended(d.batch::text, 1)))
    ORDER BY d.due, d.status, d.seq
    LIMIT {claim_bound}
    FOR UPDATE OF d SKIP LOCKED
) due
LIMIT $3;

-- name: delivery_of_batch (batch id) -> delivery, event
-- The rest of a frozen set: the provider knows all of it by one key, so it leaves whole. The rows are locked here
-- without skipping. The lock on the set, taken by delivery_due, keeps other claims away, and an operator's act is
-- over soon. The zero hides the column from the index of what is due.
SELECT n, {delivery_columns}, {event_columns}
FROM {p}
CROSS JOIN LATERAL (
    SELECT *
    FROM deliveries o
    WHERE o.batch = p1 AND o.batch IS NOT NULL AND {o.open} AND (o.status = 'PENDING' OR o.status = 'UNKNOWN')
        AND o.blocked + 0 = 0
    ORDER BY o.seq
    FOR UPDATE
) d
JOIN marketing_events e ON e.id = d.event_id
ORDER BY n, d.seq;

-- name: delivery_claim (seq int, until int, owner text, now int)
-- Takes the lease. The epoch that rises here is the fence that a late worker's settle runs into.
UPDATE deliveries
SET looking_up = (status = 'UNKNOWN')::int, status = 'PROCESSING', lease_until = p2, lease_owner = p3,
    lease_epoch = lease_epoch + 1, updated_at = p4
FROM {p}
WHERE seq = p1;

-- name: delivery_next (destination text) -> due int
-- When a destination has its next claimable delivery.
SELECT min(due) FROM deliveries WHERE destination = $1 AND {claimable};

-- name: delivery_next_all () -> destination text, due int
-- The earliest due of each destination that has something to claim.
{claimable_destinations} SELECT name, ({earliest_due}) FROM found WHERE name IS NOT NULL;

-- name: delivery_expired (now int, most int) -> delivery, event
-- Claims whose lease ran out: their process died, or hangs. Each is settled by one process alone, so rows that
-- another one holds are skipped.
SELECT *
FROM (
    SELECT {delivery_columns}, {event_columns}
    FROM deliveries d
    JOIN marketing_events e ON e.id = d.event_id
    WHERE d.status = 'PROCESSING' AND d.lease_until <= $1
    ORDER BY d.lease_until, d.seq
    LIMIT {claim_bound}
    FOR UPDATE OF d SKIP LOCKED
) expired
LIMIT $2;

-- name: delivery_left (now int, owner text, most int) -> delivery, event
-- At start only: what another owner left behind, whether its lease ran out or not.
SELECT *
FROM (
    SELECT {delivery_columns}, {event_columns}
    FROM deliveries d
    JOIN marketing_events e ON e.id = d.event_id
    WHERE d.status = 'PROCESSING' AND (d.lease_until <= $1 OR d.lease_owner IS DISTINCT FROM $2)
    ORDER BY d.lease_until, d.seq
    LIMIT {claim_bound}
    FOR UPDATE OF d SKIP LOCKED
) lost
LIMIT $3;

-- name: delivery_freeze (seq int, batch id)
-- The claimed rows of one call become a set that is only ever sent again as a whole. The empty text hides the status
-- from the partial indexes: the row is found by its seq.
UPDATE deliveries SET batch = p2 FROM {p} WHERE seq = p1 AND status || '' = 'PROCESSING';

-- name: delivery_away (batch id) -> count int
-- Of a set, those that are claimed, by whomever, and those that a person does not need to look at to have them back.
SELECT count(*)
FROM deliveries d
WHERE d.batch = $1 AND d.batch IS NOT NULL AND {d.open}
    AND (d.status = 'PROCESSING' OR (d.status = 'HELD' AND d.last_error LIKE 'no such destination%'));

-- name: delivery_joining (destination text, moment int, most int) -> seq int, action text, first_due int
-- What waits for this moment and was not tried, oldest first. Rows that another process holds are skipped: it counts them
-- itself.
SELECT d.seq, d.action, d.first_due
FROM deliveries d
WHERE d.destination = $1 AND {d.claimable} AND d.due = $2 AND d.status = 'PENDING' AND d.attempts = 0 AND d.batch IS NULL
ORDER BY d.seq
LIMIT $3
FOR UPDATE OF d SKIP LOCKED;

-- name: delivery_hasten (seq int, now int)
-- It is due now.
UPDATE deliveries SET due = p2, updated_at = p2 FROM {p} WHERE seq = p1;

-- name: delivery_settle (seq int, epoch int, status text, due int, retries int, first_sent int, last_status int,
--     error text, remote_id text, batch id, now int, has_attempt int, number int, in_doubt int,
--     event id) -> changed
-- What came back. A row is only changed while the lease of this epoch holds, and for its event: where that was deleted,
-- the number of its row may be another's by now. Parameter 12 says that an attempt was made, with the number in
-- parameter 13 or, when that is 0, the next one. Without an attempt, 0 and NULL keep what the row has. One batch may
-- hold two settlements of one lease: the first one counts, as it does where they are run one by one. The row is found
-- by its seq: the empty text hides the status from the partial indexes, and a comparison that knows NULL the event
-- from its own.
WITH made AS (
    UPDATE deliveries d
    SET status = p3, due = p4, retry_count = p5, first_sent = p6, in_doubt = p14,
        last_status = CASE WHEN p12 <> 0 THEN p7 ELSE coalesce(nullif(p7, 0), d.last_status) END, last_error = CASE
        WHEN p12 <> 0 THEN p8 ELSE coalesce(p8, d.last_error) END, remote_id = coalesce(p9, d.remote_id),
        batch = p10, updated_at = p11, attempts = greatest(d.attempts + p12, p13),
        looking_up = 0, lease_until = 0, lease_owner = NULL
    FROM (SELECT DISTINCT ON (p1, p2) * FROM {p} ORDER BY p1, p2, n) first
    WHERE d.seq = p1 AND d.lease_epoch = p2 AND d.event_id IS NOT DISTINCT FROM p15 AND d.status || '' = 'PROCESSING'
    RETURNING n, d.seq
)
SELECT n, seq
FROM made
ORDER BY n;

-- name: delivery_unblock (destination text, order_key text)
-- The next open delivery of an order key may go. Two deliveries of one key may end in one batch; the key is looked at
-- once.
UPDATE deliveries d
SET blocked = 0
FROM (SELECT DISTINCT p1, p2 FROM {p}) ended
CROSS JOIN LATERAL (
    SELECT o.seq
    FROM deliveries o
    WHERE o.destination = p1 AND o.order_key = p2 AND o.order_key IS NOT NULL AND {o.open}
    ORDER BY o.seq
    LIMIT 1
) next
WHERE d.seq = next.seq AND d.blocked <> 0;

-- name: delivery_flying () -> destination text
-- What is under way, oldest claim first.
SELECT destination FROM deliveries WHERE status = 'PROCESSING' ORDER BY lease_until;

-- name: delivery_flying_of (destination text) -> action text, params text
-- What of a destination is under way, as attempt_sends_of.
SELECT d.action, coalesce(nullif(d.params, ''), {payload}, '')
FROM deliveries d
LEFT JOIN marketing_events e ON e.id = d.event_id
WHERE d.status = 'PROCESSING' AND d.destination = $1;

-- name: delivery_list (low int, high int, status text, destination text, event id, since int, until int, most int)
--     -> delivery, event_key text
-- A list looks at the seqs in [low, high), newest first. A filter that is NULL lets everything through.
SELECT {delivery_columns}, {delivery_event_key} FROM deliveries d WHERE {delivery_filter};

-- name: delivery_list_held (low int, high int, status text, destination text, event id, since int, until int, most
--     int) -> delivery, event_key text
-- As delivery_list, over the index of what is held.
SELECT {delivery_columns}, {delivery_event_key} FROM deliveries d WHERE d.status = 'HELD' AND {delivery_filter};

-- name: delivery_list_failed (low int, high int, status text, destination text, event id, since int, until int, most
--     int) -> delivery, event_key text
-- As delivery_list, over the index of what failed.
SELECT {delivery_columns}, {delivery_event_key}
FROM deliveries d
WHERE d.status = 'FAILED' AND {delivery_filter};

-- name: delivery_list_processing (low int, high int, status text, destination text, event id, since int, until int,
--     most int) -> delivery, event_key text
-- As delivery_list, over the index of leases: few are under way, however long the history is. With a zero added to
-- the seq, the planner cannot walk the primary key, which would come sorted.
SELECT {delivery_columns}, {delivery_event_key}
FROM deliveries d
WHERE d.status = 'PROCESSING' AND {delivery_filter_apart};

-- name: delivery_list_event (low int, high int, status text, destination text, event id, since int, until int, most
--     int) -> delivery, event_key text
-- As delivery_list, over the deliveries of one event. With a zero added to the seq, the planner cannot walk the
-- primary key, which would come sorted.
SELECT {delivery_columns}, {delivery_event_key}
FROM deliveries d
WHERE d.event_id = $5 AND {delivery_filter_apart};

-- name: delivery_list_resent (low int, high int, status text, destination text, event id, since int, until int, most
--     int) -> delivery, event_key text
-- As delivery_list, of what was sent again while nobody knew what had come of an earlier try. A lookup is no send, and
-- one that did not find it ends the doubt.
SELECT {delivery_columns}, {delivery_event_key}
FROM deliveries d
WHERE d.attempts > 1 AND EXISTS (
    SELECT 1
    FROM attempts a, attempts s
    WHERE a.delivery_seq = d.seq AND a.outcome = 'unknown' AND s.delivery_seq = d.seq AND s.number > a.number
        AND coalesce(s.error, '') NOT LIKE 'looked up%' AND NOT EXISTS (
            SELECT 1 FROM attempts l
            WHERE l.delivery_seq = d.seq AND l.outcome = 'absent' AND l.number > a.number AND l.number < s.number
        )
) AND {delivery_filter};

-- name: delivery_last () -> seq int
SELECT max(seq) FROM deliveries;

-- name: delivery_made (from int) -> created int
-- When the first delivery from a seq on was made, as event_made.
SELECT created_at FROM deliveries WHERE seq >= $1 ORDER BY seq LIMIT 1;

-- name: delivery_get (id id) -> delivery, event_key text
SELECT {delivery_columns}, {delivery_event_key} FROM deliveries d WHERE d.id = $1;

-- name: delivery_by_key (key id, event id) -> id id
-- Whose id ends as the key does, from the eighth byte on. An event has few deliveries.
SELECT id FROM deliveries WHERE event_id = $2 AND substring(uuid_send(id) FROM 8) = substring(uuid_send($1) FROM 8) LIMIT 1;

-- name: delivery_by_new_key (key id, newest id) -> id id
-- As delivery_by_key, among the newest ids. They stand in order of time in their index, which is all that is read;
-- `newest` keeps out most of those that are a key themselves and stand anywhere.
SELECT id
FROM deliveries
WHERE id <= $2
    AND id >= coalesce((SELECT id FROM deliveries WHERE id <= $2 ORDER BY id DESC LIMIT 1 OFFSET 9999), '00000000-0000-0000-0000-000000000000')
    AND substring(uuid_send(id) FROM 8) = substring(uuid_send($1) FROM 8)
LIMIT 1;

-- name: delivery_by_prefix (low id, high id) -> id id
-- Two rows are enough to know that a prefix is not unique.
SELECT id FROM deliveries WHERE id BETWEEN $1 AND $2 LIMIT 2;

-- name: delivery_oldest () -> due int
-- The earliest due of all, over all destinations: the lag of the store.
{claimable_destinations} SELECT min(({earliest_due})) FROM found;

-- name: delivery_lock (id id)
-- What an operator looks at before an act stays so until the act's end.
-- only here: one process has no others to lock out.
SELECT 1 FROM deliveries WHERE id = $1 FOR UPDATE;

-- name: delivery_act (id id, status text, error text, now int)
-- An operator ends a delivery, or lets it wait again: it is out of its order and out of its frozen set.
UPDATE deliveries
SET status = p2, last_error = p3, blocked = 0, batch = NULL, updated_at = p4
FROM {p}
WHERE id = p1;

-- name: delivery_retry (id id, now int, keep_batch int)
-- A fresh start by a person's word: due now, no moment at which it is too late, its retries given back.
UPDATE deliveries
SET status = 'PENDING', due = $2, first_due = $2, late = 0, retry_count = 0, batch = CASE
    WHEN $3 <> 0 THEN batch END, updated_at = $2
WHERE id = $1;

-- name: delivery_successor (seq int) -> id id, run int
-- The delivery of the last run that has taken the place of this one.
SELECT n, s.id, s.run
FROM {p}
JOIN LATERAL (
    SELECT n.id, n.run
    FROM deliveries d
    JOIN deliveries n ON {later}
    WHERE d.seq = p1
    ORDER BY n.run DESC
    LIMIT 1
) s ON true
ORDER BY n;

-- name: delivery_latest (event id) -> destination text, step text, status text, cancelled int, place text
-- What came of each step of an event in its last run. A person's word that it shall not be sent has words of its own.
SELECT d.destination, d.step, d.status, coalesce(d.last_error LIKE 'cancelled by %', false)::int::int8, d.place
FROM deliveries d
WHERE d.event_id = $1 AND NOT EXISTS (SELECT 1 FROM deliveries n WHERE {later});

-- name: delivery_done (event id, destination text, step text, run int, place text)
--     -> stand int
-- What came of this step in the last run before: 1, a good end; 3, a person's word that it shall not be sent; 2, it is
-- not over; 0, it failed. What was skipped otherwise says nothing. What never got its key has its place as its step.
-- The empty text keeps the planner from the partial indexes.
SELECT n, s.stand
FROM {p}
JOIN LATERAL (
    SELECT CASE d.status WHEN 'COMPLETED' THEN 1 WHEN 'SKIPPED' THEN 3 WHEN 'FAILED' THEN 0 ELSE 2 END::int8 AS stand
    FROM deliveries d
    WHERE d.event_id = p1 AND d.destination = p2 AND (d.step = p3 OR (d.params = '' AND d.step = p5)) AND d.run < p4
        AND (d.status || '' <> 'SKIPPED' OR d.last_error LIKE 'cancelled by %')
    ORDER BY d.run DESC
    LIMIT 1
) s ON true
ORDER BY n;

-- name: delivery_ahead (destination text, order_key text, before int) -> id id, event id, status text, doubt int
-- The first open one of an order key, if it is before this one: all behind it wait for it.
SELECT id, event_id, status, in_doubt
FROM deliveries
WHERE destination = $1 AND order_key = $2 AND order_key IS NOT NULL AND {open} AND seq < $3
ORDER BY seq
LIMIT 1;

-- name: delivery_waiting (event id) -> id id, destination text, order_key text
-- Those of an event that nobody is sending right now. They are locked in the order of seq until the act is over. The
-- zero keeps the planner from walking the primary key.
SELECT id, destination, order_key
FROM deliveries
WHERE event_id = $1 AND (status = 'PENDING' OR status = 'UNKNOWN' OR status = 'HELD')
ORDER BY seq + 0
FOR UPDATE;

-- name: delivery_strand (destination text, error text, now int, most int, doubt text) -> changed
-- What waits for a destination that is no more is held, with the reason. Rows that another process locked are skipped.
UPDATE deliveries
SET status = 'HELD', last_error = CASE status WHEN 'UNKNOWN' THEN $5 ELSE $2 END, updated_at = $3
WHERE seq = ANY (ARRAY(
    SELECT seq
    FROM deliveries
    WHERE destination = $1 AND (status = 'PENDING' OR status = 'UNKNOWN') AND blocked = 0
    LIMIT $4
    FOR UPDATE SKIP LOCKED
))
RETURNING 1::int8, seq;

-- name: delivery_stranded (error text, doubt text) -> destination text
-- For which destinations something is held so. What is held is counted often, in the same way.
SELECT DISTINCT destination FROM deliveries WHERE status = 'HELD' AND (last_error = $1 OR last_error = $2);

-- name: delivery_let_go (destination text, now int, until int) -> changed
-- Somebody resumed the destination: what it refused and what therefore went behind the others, until the next probe,
-- may go now. 401, 403 and 410 are the answers that pause a destination.
UPDATE deliveries
SET due = $2, updated_at = $2
WHERE destination = $1 AND {claimable} AND due > $2 AND due <= $3 AND last_status IN (401, 403, 410)
RETURNING 1::int8, seq;

-- name: delivery_unstrand (destination text, error text, now int, most int, doubt text) -> changed
-- The destination is there again. What was to be looked up still is.
UPDATE deliveries
SET status = CASE last_error WHEN $5 THEN 'UNKNOWN' ELSE 'PENDING' END, last_error = NULL, updated_at = $3
WHERE seq = ANY (ARRAY(
    SELECT seq
    FROM deliveries
    WHERE status = 'HELD' AND destination = $1 AND (last_error = $2 OR last_error = $5)
    ORDER BY seq
    LIMIT $4
    FOR UPDATE SKIP LOCKED
))
RETURNING 1::int8, seq;

-- name: delivery_held (after int, most int) -> seq int, destination text, error text, blocked int
-- A page of what is held, whatever for: who looks for one reason would else read all that is held for another.
SELECT seq, destination, last_error, blocked
FROM deliveries
WHERE status = 'HELD' AND seq > $1
ORDER BY seq
LIMIT $2;

-- name: delivery_moving (destination text) -> moving int
-- A row where something that waits for a destination goes by itself, now or when it is due: all others wait for an
-- earlier one of their order.
SELECT 1::int8
FROM deliveries
WHERE destination = $1 AND (status = 'PENDING' OR status = 'UNKNOWN') AND blocked = 0
UNION ALL
SELECT 1::int8
FROM deliveries
WHERE status = 'PROCESSING' AND lease_until > 0 AND destination = $1
LIMIT 1;

-- name: delivery_release (seq int, error text, now int) -> changed
-- It waits again, unless a person or another process was there first.
UPDATE deliveries
SET status = 'PENDING', last_error = NULL, updated_at = p3
FROM {p}
WHERE seq = p1 AND status || '' = 'HELD' AND last_error = p2
RETURNING n, seq;

-- name: delivery_reword (seq int, words text, others text, now int)
-- What is held for a reason that turned out to be another.
UPDATE deliveries
SET last_error = replace(last_error, $2, $3), updated_at = $4
WHERE seq = $1 AND status || '' = 'HELD';
