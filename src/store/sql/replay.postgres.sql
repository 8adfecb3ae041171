-- store/sql/replay.postgres.sql - what a person planned to send again, and how far that is.

-- row: replay (seq int, status text, reason text, actor text,
--     original int, again int, since int, until int, type text, source text, route text,
--     destination text, delivery_status text, error text, digest text, created int, expires int,
--     updated int, applied int, finished int, first_seq int, last_seq int, end_seq int, events int,
--     jq text, failed int, runaways int)

-- fragment: replay_columns
seq, status, reason, actor, original, again, since, until, type, source, route, destination, delivery_status, error,
    digest, created_at, expires_at, updated_at, applied_at, finished_at, first_seq, last_seq, end_seq, events,
    jq, failed, runaways

-- name: replay_add (status text, reason text, actor text, original int, again int, since int, until int, type text,
--     source text, route text, destination text, delivery_status text, error text, digest text, created int, expires
--     int, updated int, applied int, finished int, first_seq int, last_seq int, end_seq int, events int,
--     jq text) -> changed
INSERT INTO replays(status, reason, actor, original, again, since, until, type, source, route, destination,
    delivery_status, error, digest, created_at, expires_at, updated_at, applied_at, finished_at, first_seq, last_seq,
    end_seq, events, jq)
SELECT p1, p2, p3, p4, p5, p6, p7, p8, p9, p10, p11, p12, p13, p14, p15, p16, p17, p18, p19, p20, p21, p22, p23, p24
FROM {p}
RETURNING 1::int8, seq;

-- name: replay_get (seq int) -> replay
SELECT {replay_columns} FROM replays WHERE seq = $1;

-- name: replay_next (after int) -> replay
-- The next that wants a step of the chore.
SELECT {replay_columns}
FROM replays
WHERE (status = 'PLANNING' OR status = 'APPLYING') AND seq > $1
ORDER BY seq
LIMIT 1;

-- name: replay_list (below int, most int) -> replay
SELECT {replay_columns} FROM replays WHERE seq < $1 ORDER BY seq DESC LIMIT $2;

-- name: replay_set (seq int, status text, reason text, updated int, applied int, finished int, last_seq int, events
--     int, failed int, runaways int)
-- How it stands.
UPDATE replays
SET status = $2, reason = $3, updated_at = $4, applied_at = $5, finished_at = $6, last_seq = $7, events = $8,
    failed = $9, runaways = $10
WHERE seq = $1;

-- name: replay_events (after int, upto int, most int) -> seq int, id id, type text, source text, status text, run int,
--     created instant, updated instant
-- A window of events, without their payloads.
SELECT seq, id, type::text, source::text, status::text, run::int8, created_at, updated_at
FROM marketing_events
WHERE seq > $1 AND seq <= $2
ORDER BY seq
LIMIT $3;

-- name: replay_payloads (after int, upto int, bytes int) -> event
-- The same with their payloads, as jq sees them: so many that they hold these bytes, each row counted for 1,024 more,
-- and one at least.
WITH RECURSIVE next(seq, bytes) AS (
    (
        SELECT e.seq, 1024 + octet_length({payload})::int8
        FROM marketing_events e
        WHERE e.seq > $1 AND e.seq <= $2
        ORDER BY e.seq
        LIMIT 1
    )
    UNION ALL
    SELECT e.seq, next.bytes + 1024 + octet_length({payload})
    FROM next
    CROSS JOIN LATERAL (
        SELECT * FROM marketing_events n WHERE n.seq > next.seq AND n.seq <= $2 ORDER BY n.seq LIMIT 1
    ) e
    WHERE next.bytes < $3
)
SELECT {event_columns}
FROM next
JOIN marketing_events e ON e.seq = next.seq
ORDER BY next.seq;

-- name: replay_deliveries (after int, upto int) -> event int, seq int, destination text, action text, route text,
--     step text, run int, status text, error text, updated int, in_doubt int, unmade int, place text
-- The deliveries of a window of events, in the order of events, the last run of each behind the others.
SELECT e.seq, d.seq, d.destination, d.action, d.route, d.step, d.run, d.status, substr(coalesce(d.last_error, ''), 1,
    400),
    d.updated_at, d.in_doubt, coalesce(d.params = '', false)::int::int8, d.place
FROM marketing_events e
JOIN deliveries d ON d.event_id = e.id
WHERE e.seq > $1 AND e.seq <= $2
ORDER BY e.seq, d.run, d.seq;

-- name: replay_parts (replay int) -> destination text, send int, offer int, done int, skipped int, open int, held
--     int, unknown int, gone int, moving int,
--     items int, place int, made int, moved int
SELECT destination, send_count, offer_count, done_count, skipped_count, open_count, held_count, unknown_count,
    gone_count, moving_count, items, place, made,
    moved
FROM replay_parts
WHERE replay = $1
ORDER BY destination;

-- name: replay_items (replay int, destination text, after int, most int) -> n int, event id, delivery int, route text,
--     step text, verdict int, result int
SELECT n, event_id, delivery, route, step, verdict, result
FROM replay_items
WHERE replay = $1 AND destination = $2 AND n > $3
ORDER BY n
LIMIT $4;

-- name: replay_delivery (seq int) -> id id
SELECT id FROM deliveries WHERE seq = $1;

-- name: replay_failures (replay int, after int, most int) -> n int, event id, words text
-- The events on which the plan's jq failed.
SELECT n, event_id, words FROM replay_failures WHERE replay = $1 AND n > $2 ORDER BY n LIMIT $3;

-- name: replay_failures_forget (replay int)
-- They go with the last items of their plan.
DELETE FROM replay_failures WHERE replay = $1;

-- name: replay_oldest () -> replay int
-- The first plan that has items or failures still.
SELECT min(oldest)
FROM (SELECT min(replay) AS oldest FROM replay_items UNION ALL SELECT min(replay) FROM replay_failures) plans;

-- name: replay_forget (replay int, most int) -> changed
-- Items of a plan that is over, a few at a time.
DELETE FROM replay_items
WHERE replay = $1 AND (destination, n) IN (
    SELECT destination, n FROM replay_items WHERE replay = $1 ORDER BY destination, n LIMIT $2
)
RETURNING 1::int8, n;

-- name: replay_part_set (replay int, destination text, send int, offer int, done int, skipped int, open int, held
--     int, unknown int, gone int, moving int, items int, place int,
--     made int, moved int)
INSERT INTO replay_parts(replay, destination, send_count, offer_count, done_count, skipped_count, open_count,
    held_count, unknown_count, gone_count, moving_count, items, place, made, moved)
SELECT p1, p2, p3, p4, p5, p6, p7, p8, p9, p10, p11, p12, p13, p14, p15
FROM {p}
ON CONFLICT (replay, destination) DO UPDATE
SET send_count = excluded.send_count, offer_count = excluded.offer_count, done_count = excluded.done_count,
    skipped_count = excluded.skipped_count, open_count = excluded.open_count, held_count = excluded.held_count,
    unknown_count = excluded.unknown_count, gone_count = excluded.gone_count, moving_count = excluded.moving_count,
    items = excluded.items, place = excluded.place, made = excluded.made, moved = excluded.moved;

-- name: replay_item_add (replay int, destination text, n int, event id, delivery int, route text, step text,
--     verdict int)
INSERT INTO replay_items(replay, destination, n, event_id, delivery, route, step, verdict)
SELECT p1, p2, p3, p4, p5, p6, p7, p8
FROM {p};

-- name: replay_item_set (replay int, destination text, n int, result int)
UPDATE replay_items SET result = p4 FROM {p} WHERE replay = p1 AND destination = p2 AND replay_items.n = p3;

-- name: replay_failure_add (replay int, n int, event id, words text)
INSERT INTO replay_failures(replay, n, event_id, words) SELECT p1, p2, p3, p4 FROM {p};
