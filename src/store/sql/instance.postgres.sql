-- store/sql/instance.postgres.sql - processes that share a store: who does what, who is there, what became of a COMMIT.

-- name: task_try (task int) -> ours int
-- One process at a time does what the number stands for (enum store_task), until its commit. The first key is "drmb"
-- plus a little, so that other programs' locks are not ours.
-- only here: one process is alone in doing everything.
SELECT pg_try_advisory_xact_lock(1685220706, $1::int4)::int4::int8;

-- name: turn_number (name text) -> number text
-- A transaction that has written something notes its number under its connection's name. When the answer to its
-- COMMIT is lost, the note says whether it counts, once the number is no longer in progress.
-- only here: an embedded COMMIT always has an answer.
INSERT INTO turn_notes(name, number, at)
SELECT $1, pg_current_xact_id()::text, {now_us}
WHERE pg_current_xact_id_if_assigned() IS NOT NULL
ON CONFLICT (name) DO UPDATE SET number = excluded.number, at = excluded.at
RETURNING number;

-- name: turn_status (number text) -> status text
-- Whether the transaction is still in progress. A number that was not given out yet is an error.
-- only here: an embedded COMMIT always has an answer.
SELECT pg_xact_status($1::xid8);

-- name: turn_noted (number text, name text) -> number text
-- The note is there exactly when its transaction was committed.
-- only here: an embedded COMMIT always has an answer.
SELECT number FROM turn_notes WHERE number = $1 AND name = $2;

-- name: news (words text)
-- Tells the other processes what is new, when this turn commits.
-- only here: there is nobody to tell.
SELECT pg_notify('marketing_events', $1);

-- name: instance_seen (token text, role text, host text)
-- This process was here just now, by the server's clock.
-- only here: one process is alone.
INSERT INTO instances(token, role, host, started_at, seen_at)
VALUES ($1, $2, $3, {now_us}, {now_us})
ON CONFLICT (token) DO UPDATE SET seen_at = excluded.seen_at;

-- name: instance_gone (token text)
-- This process leaves. It takes along the notes and the processes that nobody has heard of for a day.
-- only here: one process is alone.
WITH old AS (DELETE FROM turn_notes WHERE at < {now_us} - 86400000000)
DELETE FROM instances
WHERE token = $1 OR seen_at < {now_us} - 86400000000;

-- name: instance_list (within int) -> token text, role text, host text, started int, seen int
-- The processes that were seen within so many microseconds, by the server's clock.
-- only here: one process is alone.
SELECT token, role, host, started_at, seen_at
FROM instances
WHERE seen_at > {now_us} - $1
ORDER BY started_at, token;

-- name: clock () -> now int
-- The server's clock, which is the clock of the leases of every process.
-- only here: an embedded store has no clock: its caller gives the time.
SELECT {now_us};
