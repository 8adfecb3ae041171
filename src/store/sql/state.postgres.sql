-- store/sql/state.postgres.sql - what memory is rebuilt from: destinations and routes, and how far schedules
-- have come.

-- name: destination_list () -> name text, paused int, paused_until int, pause_reason text, breaker_state int,
--     breaker_until int, breaker_failures int, breaker_ramp int, quiet_until int, suspect int, probing int
SELECT name, paused, paused_until, pause_reason, breaker_state, breaker_until, breaker_failures, breaker_ramp,
    quiet_until, suspect, probing
FROM destinations
ORDER BY name;

-- name: destination_save (name text, paused int, paused_until int, pause_reason text, breaker_state int,
--     breaker_until int, breaker_failures int, breaker_ramp int, quiet_until int, now int, suspect int, probing int,
--     with_pause int, with_breaker int, with_quiet int, with_suspect int)
-- Parameters 13 to 16 say whether the pause, the breaker, the quiet spell and the suspicion are written. The rest stays
-- as it is: another process may have written it since. ON CONFLICT sees the new row as it would be inserted, but not the
-- four parameters that are no columns. They are found again in the rows that were given, by the destination's name.
WITH given AS MATERIALIZED (SELECT * FROM {p})
INSERT INTO destinations AS d (
    name, paused, paused_until, pause_reason, breaker_state, breaker_until, breaker_failures, breaker_ramp,
        quiet_until, updated_at, suspect, probing
)
SELECT p1, p2, p3, p4, p5, p6, p7, p8, p9, p10, p11, p12
FROM given
ORDER BY p1
ON CONFLICT (name) DO UPDATE SET (paused, paused_until, pause_reason, breaker_state, breaker_until, breaker_failures, breaker_ramp, quiet_until, updated_at, suspect, probing) = (
    SELECT CASE WHEN p13 <> 0 THEN p2 ELSE d.paused END, CASE WHEN p13 <> 0 THEN p3 ELSE d.paused_until END, CASE
        WHEN p13 <> 0 THEN p4 ELSE d.pause_reason END, CASE WHEN p14 <> 0 THEN p5 ELSE d.breaker_state END, CASE
        WHEN p14 <> 0 THEN p6 ELSE d.breaker_until END, CASE WHEN p14 <> 0 THEN p7 ELSE d.breaker_failures END, CASE
        WHEN p14 <> 0 THEN p8 ELSE d.breaker_ramp END, CASE WHEN p15 <> 0 THEN p9 ELSE d.quiet_until END, p10, CASE
        WHEN p16 <> 0 THEN p11 ELSE d.suspect END, CASE WHEN p16 <> 0 THEN p12 ELSE d.probing END
    FROM given
    WHERE p1 = excluded.name
);

-- name: destination_probe (name text, now int, until int) -> changed
-- One process alone probes a destination whose breaker was open (1) until now. Until the moment in the third
-- parameter the others see the breaker half-open (2).
-- only here: one process has nobody to share the right with.
UPDATE destinations
SET breaker_state = 2, breaker_until = p3, updated_at = p2
FROM {p}
WHERE name = p1 AND ((breaker_state = 1 OR breaker_state = 2) AND breaker_until <= p2)
RETURNING n, 0::int8;

-- name: route_stops () -> route text, program text, reason text, at int
-- Routes that are stopped, by what their program was, and when the next probe of each may go.
SELECT route, program_hash, reason, at FROM routes ORDER BY route, program_hash;

-- name: route_stop (route text, program text, reason text, at int)
-- A route's program ran away again and again, or its probe did. One statement cannot update a row twice, so of several
-- rows for one program only the last is taken.
INSERT INTO routes(route, program_hash, reason, at)
SELECT DISTINCT ON (p1, p2) p1, p2, p3, p4
FROM {p}
ORDER BY p1, p2, n DESC
ON CONFLICT (route, program_hash) DO UPDATE SET reason = excluded.reason, at = excluded.at;

-- name: route_heal (route text, program text)
-- The probe of a stopped route came back.
DELETE FROM routes WHERE (route, program_hash) IN (SELECT p1, p2 FROM {p});

-- row: mark (source text, position int, said text, at int)

-- name: mark_get (source text) -> mark
SELECT source, position, said, at FROM marks WHERE source = $1;

-- name: mark_set (mark)
INSERT INTO marks(source, position, said, at)
VALUES ($1, $2, $3, $4)
ON CONFLICT (source) DO UPDATE
SET position = $2, said = $3, at = $4;
