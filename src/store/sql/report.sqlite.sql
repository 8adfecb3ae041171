-- store/sql/report.sqlite.sql - what became of the events of a day: a sheet that must add up. Each statement looks at a
-- window of events by seq, of those that were made in a span of time.

-- fragment: report_window
e.seq > ?1 AND e.seq <= ?2 AND e.created_at >= ?3 AND e.created_at < ?4

-- name: report_events (after int, upto int, since instant, until instant) -> events int, completed int, failed int, open
--     int, pending int, unrouted int, wrong int
-- Events by their status. Wrong are those whose deliveries say something else (as verify_events has it).
SELECT count(*), coalesce(sum(status = 'COMPLETED' AND owed), 0), coalesce(sum(status = 'FAILED'), 0),
    coalesce(sum(status = 'PROCESSING'), 0), coalesce(sum(status = 'PENDING'), 0),
    coalesce(sum(status = 'COMPLETED' AND NOT owed), 0),
    coalesce(sum((status = 'PROCESSING' AND NOT open) OR (status <> 'PROCESSING' AND status <> 'PENDING' AND open)
        OR (status = 'COMPLETED' AND failed) OR (status = 'FAILED' AND any_left AND NOT failed)), 0)
FROM (
    SELECT e.status AS status, EXISTS (SELECT 1 FROM deliveries d WHERE d.event_id = e.id) AS owed,
        EXISTS (SELECT 1 FROM deliveries d WHERE d.event_id = e.id AND d.run >= e.routed_run AND {d.open}) AS open,
        EXISTS (SELECT 1 FROM deliveries d WHERE d.event_id = e.id AND d.run >= e.routed_run) AS any_left,
        EXISTS (SELECT 1 FROM deliveries d WHERE d.status = 'FAILED' AND {current}) AS failed
    FROM marketing_events e
    WHERE {report_window}
) stands;

-- name: report_owed (after int, upto int, since instant, until instant) -> destination text, owed int
-- How many deliveries there are of them, counted in the index by event alone.
SELECT d.destination, count(*)
FROM marketing_events e
CROSS JOIN deliveries d ON d.event_id = e.id
WHERE {report_window}
GROUP BY d.destination;

-- name: report_deliveries (after int, upto int, since instant, until instant) -> destination text, completed int,
--     skipped int, failed int, unknown int, held int, open int, superseded int
-- The same deliveries by their status, from the table. Those that do not speak for their event are superseded.
SELECT destination, coalesce(sum(speaks AND status = 'COMPLETED'), 0), coalesce(sum(speaks AND status = 'SKIPPED'), 0),
    coalesce(sum(speaks AND status = 'FAILED'), 0), coalesce(sum(speaks AND status = 'UNKNOWN'), 0),
    coalesce(sum(speaks AND status = 'HELD'), 0),
    coalesce(sum(speaks AND (status = 'PENDING' OR status = 'PROCESSING')), 0), coalesce(sum(NOT speaks), 0)
FROM (
    SELECT d.destination AS destination, d.status AS status, ({current}) AS speaks
    FROM marketing_events e
    CROSS JOIN deliveries d ON d.event_id = e.id
    WHERE {report_window}
) stands
GROUP BY destination;
