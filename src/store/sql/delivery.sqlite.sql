-- store/sql/delivery.sqlite.sql - what an event owes, from its plan to its end, and lists of it.

-- name: delivery_plan (id id, event id, destination text, action text, route text, step text, run int, status text,
--     retries int, due int, first_due int, late int, first_sent int, lease_until int, lease_owner text,
--     lease_epoch int, params text, order_key text, error text, created int, updated int, place text) -> changed
-- Stores the deliveries that routing planned, and tells the seq of each. Some are already claimed, because they leave
-- in this turn.
INSERT INTO deliveries(
    id, event_id, destination, action, route, step, run, status, retry_count, due, first_due, late, first_sent,
        lease_until, lease_owner, lease_epoch, params, order_key, last_error, created_at, updated_at, place
)
VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19, ?20, ?21, ?22);

-- name: delivery_unmade (after int, most int) -> delivery, event
-- Deliveries that are HELD without content, to be made when their route may run. An empty text is no content; NULL is
-- the payload as received. Few deliveries are HELD, and a page of them is asked for at a time.
SELECT {delivery_columns}, {event_columns}
FROM deliveries d
CROSS JOIN marketing_events e ON e.id = d.event_id
WHERE d.status = 'HELD' AND d.params = '' AND d.seq > ?1
ORDER BY d.seq
LIMIT ?2;

-- name: delivery_order (seq int) -> destination text, order_key text
-- The order in which a delivery stands.
SELECT destination, order_key FROM deliveries WHERE seq = ?1 AND order_key IS NOT NULL;

-- name: delivery_make (seq int, id id, action text, step text, status text, due int, first_due int, late int,
--     params text, order_key text, error text, now int, place text)
-- What became of an unmade delivery, in its place. Whether that waits for its order is found out anew (delivery_block):
-- it may be over, or keep another order, or none. The name that its id was made with is forgotten with that id.
UPDATE deliveries
SET id = ?2, action = ?3, step = ?4, status = ?5, due = ?6, first_due = ?7, late = ?8, params = ?9, order_key = ?10,
    last_error = ?11, updated_at = ?12, keyed_as = CASE id WHEN ?2 THEN keyed_as END, place = ?13,
    blocked = 0
WHERE seq = ?1;

-- name: delivery_block (seq int, destination text, order_key text) -> changed
-- A delivery that stands behind an earlier open one of its order key waits, and holds no lease.
UPDATE deliveries
SET blocked = 1, status = CASE status WHEN 'PROCESSING' THEN 'PENDING' ELSE status END, lease_until = 0,
    lease_owner = NULL
WHERE seq = ?1
    AND EXISTS (
        SELECT 1
        FROM deliveries p
        WHERE p.destination = ?2 AND p.order_key = ?3 AND p.order_key IS NOT NULL AND {p.open} AND p.seq < ?1
    );

-- name: delivery_due (destination text, now int, most int) -> delivery, event
-- What a desk may claim now, oldest first. A delivery whose event is gone is not found here. The cross join keeps the
-- planner from starting at the events.
SELECT {delivery_columns}, {event_columns}
FROM deliveries d
CROSS JOIN marketing_events e ON e.id = d.event_id
WHERE d.destination = ?1 AND {d.claimable} AND d.due <= ?2
ORDER BY d.due, d.status, d.seq
LIMIT ?3;

-- name: delivery_of_batch (batch id) -> delivery, event
-- The rest of a frozen set: the provider knows all of it by one key, so it leaves whole.
SELECT {delivery_columns}, {event_columns}
FROM deliveries d
CROSS JOIN marketing_events e ON e.id = d.event_id
WHERE d.batch = ?1 AND d.batch IS NOT NULL AND {d.open} AND {d.claimable}
ORDER BY d.seq;

-- name: delivery_claim (seq int, until int, owner text, now int)
-- Takes the lease. The epoch that rises here is the fence that a late worker's settle runs into.
UPDATE deliveries
SET looking_up = (status = 'UNKNOWN'), status = 'PROCESSING', lease_until = ?2, lease_owner = ?3,
    lease_epoch = lease_epoch + 1, updated_at = ?4
WHERE seq = ?1;

-- name: delivery_next (destination text) -> due int
-- When a destination has its next claimable delivery.
SELECT min(due) FROM deliveries WHERE destination = ?1 AND {claimable};

-- name: delivery_next_all () -> destination text, due int
-- The earliest due of each destination that has something to claim.
{claimable_destinations} SELECT name, ({earliest_due}) FROM found WHERE name IS NOT NULL;

-- name: delivery_expired (now int, most int) -> delivery, event
-- Claims whose lease ran out: their process died, or hangs.
SELECT {delivery_columns}, {event_columns}
FROM deliveries d
CROSS JOIN marketing_events e ON e.id = d.event_id
WHERE d.status = 'PROCESSING' AND d.lease_until <= ?1
ORDER BY d.lease_until, d.seq
LIMIT ?2;

-- name: delivery_left (now int, owner text, most int) -> delivery, event
-- At start only: what another owner left behind, whether its lease ran out or not.
SELECT {delivery_columns}, {event_columns}
FROM deliveries d
CROSS JOIN marketing_events e ON e.id = d.event_id
WHERE d.status = 'PROCESSING' AND (d.lease_until <= ?1 OR d.lease_owner IS NOT ?2)
ORDER BY d.lease_until, d.seq
LIMIT ?3;

-- name: delivery_freeze (seq int, batch id)
-- The claimed rows of one call become a set that is only ever sent again as a whole.
UPDATE deliveries SET batch = ?2 WHERE seq = ?1 AND status = 'PROCESSING';

-- name: delivery_away (batch id) -> count int
-- Of a set, those that are claimed, by whomever, and those that a person does not need to look at to have them back.
SELECT count(*)
FROM deliveries d
WHERE d.batch = ?1 AND d.batch IS NOT NULL AND {d.open}
    AND (d.status = 'PROCESSING' OR (d.status = 'HELD' AND d.last_error LIKE 'no such destination%'));

-- name: delivery_joining (destination text, moment int, most int) -> seq int, action text, first_due int
-- What waits for this moment and was not tried, oldest first.
SELECT d.seq, d.action, d.first_due
FROM deliveries d
WHERE d.destination = ?1 AND {d.claimable} AND d.due = ?2 AND d.status = 'PENDING' AND d.attempts = 0 AND d.batch IS NULL
ORDER BY d.seq
LIMIT ?3;

-- name: delivery_hasten (seq int, now int)
-- It is due now.
UPDATE deliveries SET due = ?2, updated_at = ?2 WHERE seq = ?1;

-- name: delivery_settle (seq int, epoch int, status text, due int, retries int, first_sent int, last_status int,
--     error text, remote_id text, batch id, now int, has_attempt int, number int, in_doubt int,
--     event id) -> changed
-- What came back. A row is only changed while the lease of this epoch holds, and for its event: where that was deleted,
-- the number of its row may be another's by now. Parameter 12 says that an attempt was made, with the number in
-- parameter 13 or, when that is 0, the next one. Without an attempt, 0 and NULL keep what the row has.
UPDATE deliveries
SET status = ?3, due = ?4, retry_count = ?5, first_sent = ?6, in_doubt = ?14,
    last_status = CASE WHEN ?12 THEN ?7 ELSE coalesce(nullif(?7, 0), last_status) END, last_error = CASE
    WHEN ?12 THEN ?8 ELSE coalesce(?8, last_error) END, remote_id = coalesce(?9, remote_id), batch = ?10,
    updated_at = ?11, attempts = max(attempts + ?12, ?13), looking_up = 0, lease_until = 0, lease_owner = NULL
WHERE seq = ?1 AND lease_epoch = ?2 AND event_id = ?15 AND status = 'PROCESSING';

-- name: delivery_unblock (destination text, order_key text)
-- The next open delivery of an order key may go.
UPDATE deliveries
SET blocked = 0
WHERE blocked = 1
    AND seq = (
        SELECT min(seq)
        FROM deliveries
        WHERE destination = ?1 AND order_key = ?2 AND order_key IS NOT NULL AND {open}
    );

-- name: delivery_flying () -> destination text
-- What is under way, oldest claim first.
SELECT destination FROM deliveries WHERE status = 'PROCESSING' ORDER BY lease_until;

-- name: delivery_flying_of (destination text) -> action text, params text
-- What of a destination is under way, as attempt_sends_of.
SELECT d.action, coalesce(nullif(d.params, ''), e.payload, '')
FROM deliveries d
LEFT JOIN marketing_events e ON e.id = d.event_id
WHERE d.status = 'PROCESSING' AND d.destination = ?1;

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
-- As delivery_list, over the index of leases: few are under way, however long the history is. Without the word
-- INDEXED BY the planner would rather walk the seqs, which come sorted.
SELECT {delivery_columns}, {delivery_event_key}
FROM deliveries d INDEXED BY deliveries_lease
WHERE d.status = 'PROCESSING' AND {delivery_filter};

-- name: delivery_list_event (low int, high int, status text, destination text, event id, since int, until int, most
--     int) -> delivery, event_key text
-- As delivery_list, over the deliveries of one event.
SELECT {delivery_columns}, {delivery_event_key} FROM deliveries d WHERE d.event_id = ?5 AND {delivery_filter};

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
SELECT created_at FROM deliveries WHERE seq >= ?1 ORDER BY seq LIMIT 1;

-- name: delivery_get (id id) -> delivery, event_key text
SELECT {delivery_columns}, {delivery_event_key} FROM deliveries d WHERE d.id = ?1;

-- name: delivery_by_key (key id, event id) -> id id
-- Whose id ends as the key does, from the eighth byte on. An event has few deliveries.
SELECT id FROM deliveries WHERE event_id = ?2 AND substr(id, 8) = substr(?1, 8) LIMIT 1;

-- name: delivery_by_new_key (key id, newest id) -> id id
-- As delivery_by_key, among the newest ids. They stand in order of time in their index, which is all that is read;
-- `newest` keeps out most of those that are a key themselves and stand anywhere.
SELECT id
FROM deliveries
WHERE id <= ?2
    AND id >= coalesce((SELECT id FROM deliveries WHERE id <= ?2 ORDER BY id DESC LIMIT 1 OFFSET 9999), x'')
    AND substr(id, 8) = substr(?1, 8)
LIMIT 1;

-- name: delivery_by_prefix (low id, high id) -> id id
-- Two rows are enough to know that a prefix is not unique.
SELECT id FROM deliveries WHERE id BETWEEN ?1 AND ?2 LIMIT 2;

-- name: delivery_oldest () -> due int
-- The earliest due of all, over all destinations: the lag of the store.
{claimable_destinations} SELECT min(({earliest_due})) FROM found;

-- name: delivery_act (id id, status text, error text, now int)
-- An operator ends a delivery, or lets it wait again: it is out of its order and out of its frozen set.
UPDATE deliveries
SET status = ?2, last_error = ?3, blocked = 0, batch = NULL, updated_at = ?4
WHERE id = ?1;

-- name: delivery_retry (id id, now int, keep_batch int)
-- A fresh start by a person's word: due now, no moment at which it is too late, its retries given back.
UPDATE deliveries
SET status = 'PENDING', due = ?2, first_due = ?2, late = 0, retry_count = 0, batch = CASE WHEN ?3 THEN batch END,
    updated_at = ?2
WHERE id = ?1;

-- name: delivery_successor (seq int) -> id id, run int
-- The delivery of the last run that has taken the place of this one.
SELECT n.id, n.run
FROM deliveries d
CROSS JOIN deliveries n
WHERE d.seq = ?1 AND {later}
ORDER BY n.run DESC
LIMIT 1;

-- name: delivery_latest (event id) -> destination text, step text, status text, cancelled int, place text
-- What came of each step of an event in its last run. A person's word that it shall not be sent has words of its own.
SELECT d.destination, d.step, d.status, coalesce(d.last_error LIKE 'cancelled by %', 0), d.place
FROM deliveries d
WHERE d.event_id = ?1 AND NOT EXISTS (SELECT 1 FROM deliveries n WHERE {later});

-- name: delivery_done (event id, destination text, step text, run int, place text)
--     -> stand int
-- What came of this step in the last run before: 1, a good end; 3, a person's word that it shall not be sent; 2, it is
-- not over; 0, it failed. What was skipped otherwise says nothing. What never got its key has its place as its step.
SELECT CASE status WHEN 'COMPLETED' THEN 1 WHEN 'SKIPPED' THEN 3 WHEN 'FAILED' THEN 0 ELSE 2 END
FROM deliveries
WHERE event_id = ?1 AND destination = ?2 AND (step = ?3 OR (params = '' AND step = ?5)) AND run < ?4
    AND (status <> 'SKIPPED' OR last_error LIKE 'cancelled by %')
ORDER BY run DESC
LIMIT 1;

-- name: delivery_ahead (destination text, order_key text, before int) -> id id, event id, status text, doubt int
-- The first open one of an order key, if it is before this one: all behind it wait for it.
SELECT id, event_id, status, in_doubt
FROM deliveries
WHERE destination = ?1 AND order_key = ?2 AND order_key IS NOT NULL AND {open} AND seq < ?3
ORDER BY seq
LIMIT 1;

-- name: delivery_waiting (event id) -> id id, destination text, order_key text
-- Those of an event that nobody is sending right now.
SELECT id, destination, order_key
FROM deliveries
WHERE event_id = ?1 AND (status = 'PENDING' OR status = 'UNKNOWN' OR status = 'HELD')
ORDER BY seq;

-- name: delivery_strand (destination text, error text, now int, most int, doubt text) -> changed
-- What waits for a destination that is no more is held, with the reason.
UPDATE deliveries
SET status = 'HELD', last_error = CASE status WHEN 'UNKNOWN' THEN ?5 ELSE ?2 END, updated_at = ?3
WHERE seq IN (
    SELECT seq
    FROM deliveries
    WHERE destination = ?1 AND (status = 'PENDING' OR status = 'UNKNOWN') AND blocked = 0
    LIMIT ?4
);

-- name: delivery_stranded (error text, doubt text) -> destination text
-- For which destinations something is held so. What is held is counted often, in the same way.
SELECT DISTINCT destination FROM deliveries WHERE status = 'HELD' AND (last_error = ?1 OR last_error = ?2);

-- name: delivery_let_go (destination text, now int, until int) -> changed
-- Somebody resumed the destination: what it refused and what therefore went behind the others, until the next probe,
-- may go now. 401, 403 and 410 are the answers that pause a destination.
UPDATE deliveries
SET due = ?2, updated_at = ?2
WHERE destination = ?1 AND {claimable} AND due > ?2 AND due <= ?3 AND last_status IN (401, 403, 410);

-- name: delivery_unstrand (destination text, error text, now int, most int, doubt text) -> changed
-- The destination is there again. What was to be looked up still is.
UPDATE deliveries
SET status = CASE last_error WHEN ?5 THEN 'UNKNOWN' ELSE 'PENDING' END, last_error = NULL, updated_at = ?3
WHERE seq IN (
    SELECT seq FROM deliveries WHERE status = 'HELD' AND destination = ?1
        AND (last_error = ?2 OR last_error = ?5) ORDER BY seq LIMIT ?4
);

-- name: delivery_held (after int, most int) -> seq int, destination text, error text, blocked int
-- A page of what is held, whatever for: who looks for one reason would else read all that is held for another.
SELECT seq, destination, last_error, blocked
FROM deliveries
WHERE status = 'HELD' AND seq > ?1
ORDER BY seq
LIMIT ?2;

-- name: delivery_moving (destination text) -> moving int
-- A row where something that waits for a destination goes by itself, now or when it is due: all others wait for an
-- earlier one of their order.
SELECT 1
FROM deliveries
WHERE destination = ?1 AND (status = 'PENDING' OR status = 'UNKNOWN') AND blocked = 0
UNION ALL
SELECT 1
FROM deliveries
WHERE status = 'PROCESSING' AND lease_until > 0 AND destination = ?1
LIMIT 1;

-- name: delivery_release (seq int, error text, now int) -> changed
-- It waits again, unless a person or another process was there first.
UPDATE deliveries
SET status = 'PENDING', last_error = NULL, updated_at = ?3
WHERE seq = ?1 AND status = 'HELD' AND last_error = ?2;

-- name: delivery_reword (seq int, words text, others text, now int)
-- What is held for a reason that turned out to be another.
UPDATE deliveries
SET last_error = replace(last_error, ?2, ?3), updated_at = ?4
WHERE seq = ?1 AND status = 'HELD';
