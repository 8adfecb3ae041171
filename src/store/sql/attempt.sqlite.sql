-- store/sql/attempt.sqlite.sql - what was tried.

-- name: attempt_add (delivery int, number int, started int, finished int, outcome text, http_status int, error text,
--     answer text)
-- Comes after the settle, which counted the attempt: number 0 stands for the count that the delivery has now.
INSERT INTO attempts(delivery_seq, number, started, finished, outcome, http_status, error, answer)
VALUES (
    ?1, CASE ?2 WHEN 0 THEN (SELECT attempts FROM deliveries WHERE seq = ?1) ELSE ?2 END, ?3, ?4, ?5, ?6, ?7, ?8
);

-- name: attempt_sends (since int) -> destination text, started int
-- What was sent since then, for limits that a restart must not forget. The cross join keeps the planner from starting
-- at the deliveries.
SELECT d.destination, a.started
FROM attempts a
CROSS JOIN deliveries d ON d.seq = a.delivery_seq
WHERE a.started > ?1
ORDER BY a.started;

-- name: attempt_sends_of (destination text, since int, most int) -> started int, action text, params text
-- The first of what was sent to a destination since then, each with its parameters, for limits that count by one of
-- them. One whose event is gone counts too.
SELECT a.started, d.action, coalesce(nullif(d.params, ''), e.payload, '')
FROM attempts a
CROSS JOIN deliveries d ON d.seq = a.delivery_seq
LEFT JOIN marketing_events e ON e.id = d.event_id
WHERE a.started > ?2 AND d.destination = ?1
ORDER BY a.started
LIMIT ?3;

-- name: attempt_list (delivery int) -> number int, started int, finished int, outcome text, http_status int, error
--     text, answer text
SELECT number, started, finished, outcome, http_status, error, answer
FROM attempts
WHERE delivery_seq = ?1
ORDER BY number;

-- name: attempt_of_event (event id) -> delivery int, number int, started int, finished int, outcome text, http_status int,
--     error text, answer text
-- The attempts of all deliveries of an event, in no order. The cross join keeps the planner from starting at the
-- attempts.
SELECT a.delivery_seq, a.number, a.started, a.finished, a.outcome, a.http_status, a.error, a.answer
FROM deliveries d
CROSS JOIN attempts a ON a.delivery_seq = d.seq
WHERE d.event_id = ?1;
