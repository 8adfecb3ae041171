-- store/sql/replay.sqlite.sql - what a person planned to send again, and how far that is.

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
VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19, ?20, ?21, ?22, ?23, ?24);

-- name: replay_get (seq int) -> replay
SELECT {replay_columns} FROM replays WHERE seq = ?1;

-- name: replay_next (after int) -> replay
-- The next that wants a step of the chore.
SELECT {replay_columns}
FROM replays
WHERE (status = 'PLANNING' OR status = 'APPLYING') AND seq > ?1
ORDER BY seq
LIMIT 1;

-- name: replay_list (below int, most int) -> replay
SELECT {replay_columns} FROM replays WHERE seq < ?1 ORDER BY seq DESC LIMIT ?2;

-- name: replay_set (seq int, status text, reason text, updated int, applied int, finished int, last_seq int, events
--     int, failed int, runaways int)
-- How it stands.
UPDATE replays
SET status = ?2, reason = ?3, updated_at = ?4, applied_at = ?5, finished_at = ?6, last_seq = ?7, events = ?8,
    failed = ?9, runaways = ?10
WHERE seq = ?1;

-- name: replay_events (after int, upto int, most int) -> seq int, id id, type text, source text, status text, run int,
--     created instant, updated instant
-- A window of events, without their payloads.
SELECT seq, id, type, source, status, run, created_at, updated_at
FROM marketing_events
WHERE seq > ?1 AND seq <= ?2
ORDER BY seq
LIMIT ?3;

-- name: replay_payloads (after int, upto int, bytes int) -> event
-- The same with their payloads, as jq sees them: so many that they hold these bytes, each row counted for 1,024 more,
-- and one at least.
WITH RECURSIVE next(seq, bytes) AS (
    SELECT *
    FROM (
        SELECT seq, 1024 + length(payload) FROM marketing_events WHERE seq > ?1 AND seq <= ?2 ORDER BY seq LIMIT 1
    )
    UNION ALL
    SELECT e.seq, next.bytes + 1024 + length(e.payload)
    FROM next
    CROSS JOIN marketing_events e ON e.seq = (
        SELECT min(seq) FROM marketing_events WHERE seq > next.seq AND seq <= ?2
    )
    WHERE next.bytes < ?3
)
SELECT {event_columns}
FROM next
CROSS JOIN marketing_events e ON e.seq = next.seq;

-- name: replay_deliveries (after int, upto int) -> event int, seq int, destination text, action text, route text,
--     step text, run int, status text, error text, updated int, in_doubt int, unmade int, place text
-- The deliveries of a window of events, in the order of events, the last run of each behind the others.
SELECT e.seq, d.seq, d.destination, d.action, d.route, d.step, d.run, d.status, substr(coalesce(d.last_error, ''), 1,
    400),
    d.updated_at, d.in_doubt, coalesce(d.params = '', 0), d.place
FROM marketing_events e
CROSS JOIN deliveries d ON d.event_id = e.id
WHERE e.seq > ?1 AND e.seq <= ?2
ORDER BY e.seq, d.run, d.seq;

-- name: replay_parts (replay int) -> destination text, send int, offer int, done int, skipped int, open int, held
--     int, unknown int, gone int, moving int,
--     items int, place int, made int, moved int
SELECT destination, send_count, offer_count, done_count, skipped_count, open_count, held_count, unknown_count,
    gone_count, moving_count, items, place, made,
    moved
FROM replay_parts
WHERE replay = ?1
ORDER BY destination;

-- name: replay_items (replay int, destination text, after int, most int) -> n int, event id, delivery int, route text,
--     step text, verdict int, result int
SELECT n, event_id, delivery, route, step, verdict, result
FROM replay_items
WHERE replay = ?1 AND destination = ?2 AND n > ?3
ORDER BY n
LIMIT ?4;

-- name: replay_delivery (seq int) -> id id
SELECT id FROM deliveries WHERE seq = ?1;

-- name: replay_failures (replay int, after int, most int) -> n int, event id, words text
-- The events on which the plan's jq failed.
SELECT n, event_id, words FROM replay_failures WHERE replay = ?1 AND n > ?2 ORDER BY n LIMIT ?3;

-- name: replay_failures_forget (replay int)
-- They go with the last items of their plan.
DELETE FROM replay_failures WHERE replay = ?1;

-- name: replay_oldest () -> replay int
-- The first plan that has items or failures still.
SELECT min(oldest)
FROM (SELECT min(replay) AS oldest FROM replay_items UNION ALL SELECT min(replay) FROM replay_failures);

-- name: replay_forget (replay int, most int) -> changed
-- Items of a plan that is over, a few at a time.
DELETE FROM replay_items
WHERE replay = ?1 AND (destination, n) IN (
    SELECT destination, n FROM replay_items WHERE replay = ?1 ORDER BY destination, n LIMIT ?2
);

-- name: replay_part_set (replay int, destination text, send int, offer int, done int, skipped int, open int, held
--     int, unknown int, gone int, moving int, items int, place int,
--     made int, moved int)
INSERT INTO replay_parts(replay, destination, send_count, offer_count, done_count, skipped_count, open_count,
    held_count, unknown_count, gone_count, moving_count, items, place, made, moved)
VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15)
ON CONFLICT (replay, destination) DO UPDATE
SET send_count = excluded.send_count, offer_count = excluded.offer_count, done_count = excluded.done_count,
    skipped_count = excluded.skipped_count, open_count = excluded.open_count, held_count = excluded.held_count,
    unknown_count = excluded.unknown_count, gone_count = excluded.gone_count, moving_count = excluded.moving_count,
    items = excluded.items, place = excluded.place, made = excluded.made, moved = excluded.moved;

-- name: replay_item_add (replay int, destination text, n int, event id, delivery int, route text, step text,
--     verdict int)
INSERT INTO replay_items(replay, destination, n, event_id, delivery, route, step, verdict)
VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8);

-- name: replay_item_set (replay int, destination text, n int, result int)
UPDATE replay_items SET result = ?4 WHERE replay = ?1 AND destination = ?2 AND n = ?3;

-- name: replay_failure_add (replay int, n int, event id, words text)
INSERT INTO replay_failures(replay, n, event_id, words) VALUES (?1, ?2, ?3, ?4);
