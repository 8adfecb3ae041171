-- store/sql/move.postgres.sql - an embedded store moves into one on PostgreSQL (store/move.c): what is written, and how
-- far it came. A statement below is made for each table of tables.def that its line `each` means.

-- name: move_write_marketing_events (marketing_events)
-- only here: it is written to the target
-- Written out, because `received` keeps the payload as it came, and the payload itself is what jsonb can hold of it.
INSERT INTO marketing_events(
    seq, id, idempotency_key, type, source, status, run, routed_run, retry_count, last_error, scheduled_at, created_at,
    updated_at, fingerprint, payload, received, trace_parent
)
SELECT p1, p2, p3, p4, p5, p6, p7, p8, p9, p10, p11, p12, p13, p14, drumbeat_payload(p15), p15, p16
FROM {p}
ON CONFLICT DO NOTHING;

-- name: move_write_{table} ({table})
-- each: moved
-- only here: it is written to the target
INSERT INTO {table}({columns}) SELECT {values} FROM {p} ON CONFLICT DO NOTHING;

-- name: move_count_{table} (upto int) -> rows int
-- each: moved by one, moved by pair
-- Programs of the seed's kind may write events while they are moved. Those have later numbers and do not count.
SELECT count(*) FROM {table} WHERE {first} <= $1;

-- name: move_count_{table} () -> rows int
-- each: moved whole
SELECT count(*) FROM {table};

-- name: move_sequence_{table} (last int) -> last int
-- each: moved by one
-- only here: it is written to the target
-- What is made from now on comes behind all that is moved.
SELECT setval('{table}_{key}', greatest($1, (SELECT last_value FROM {table}_{key})));

-- name: move_analyze_{table} ()
-- each: moved
-- only here: it is written to the target
-- Otherwise the planner takes the table for empty until the server looks at it by itself.
ANALYZE {table};

-- name: move_state () -> source text, part text, last int, done int
-- only here: the target knows how far a move came
SELECT source, part, last_seq, done FROM moves ORDER BY source, part;

-- name: move_lock ()
-- only here: the target knows how far a move came
-- Of two moves that begin at once the second waits here for the first one's commit, and then sees it.
LOCK TABLE moves IN SHARE ROW EXCLUSIVE MODE;

-- name: move_save (source text, part text, last int)
-- only here: the target knows how far a move came
INSERT INTO moves(source, part, last_seq)
SELECT p1, p2, p3
FROM {p}
ON CONFLICT (source, part) DO UPDATE SET last_seq = excluded.last_seq;

-- name: move_done (source text)
-- only here: the target knows how far a move came
UPDATE moves SET done = 1 WHERE source = $1;

-- name: move_forget (source text)
-- only here: the target knows how far a move came
DELETE FROM moves WHERE source = $1;
