-- store/sql/state.sqlite.sql - what memory is rebuilt from: destinations and routes, and how far schedules
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
-- as it is: another process may have written it since.
INSERT INTO destinations(
    name, paused, paused_until, pause_reason, breaker_state, breaker_until, breaker_failures, breaker_ramp,
        quiet_until, updated_at, suspect, probing
)
VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)
ON CONFLICT(name) DO UPDATE SET paused = CASE WHEN ?13 THEN ?2 ELSE paused END, paused_until = CASE WHEN ?13 THEN ?3
    ELSE paused_until END, pause_reason = CASE WHEN ?13 THEN ?4 ELSE pause_reason END, breaker_state = CASE
    WHEN ?14 THEN ?5 ELSE breaker_state END, breaker_until = CASE WHEN ?14 THEN ?6 ELSE breaker_until END,
    breaker_failures = CASE WHEN ?14 THEN ?7 ELSE breaker_failures END, breaker_ramp = CASE WHEN ?14 THEN ?8
    ELSE breaker_ramp END, quiet_until = CASE WHEN ?15 THEN ?9 ELSE quiet_until END, updated_at = ?10, suspect = CASE
    WHEN ?16 THEN ?11 ELSE suspect END, probing = CASE WHEN ?16 THEN ?12 ELSE probing END;

-- name: route_stops () -> route text, program text, reason text, at int
-- Routes that are stopped, by what their program was, and when the next probe of each may go.
SELECT route, program_hash, reason, at FROM routes ORDER BY route, program_hash;

-- name: route_stop (route text, program text, reason text, at int)
-- A route's program ran away again and again, or its probe did.
INSERT INTO routes(route, program_hash, reason, at)
VALUES (?1, ?2, ?3, ?4)
ON CONFLICT(route, program_hash) DO UPDATE SET reason = ?3, at = ?4;

-- name: route_heal (route text, program text)
-- The probe of a stopped route came back.
DELETE FROM routes WHERE route = ?1 AND program_hash = ?2;

-- row: mark (source text, position int, said text, at int)

-- name: mark_get (source text) -> mark
SELECT source, position, said, at FROM marks WHERE source = ?1;

-- name: mark_set (mark)
INSERT INTO marks(source, position, said, at)
VALUES (?1, ?2, ?3, ?4)
ON CONFLICT (source) DO UPDATE
SET position = ?2, said = ?3, at = ?4;
