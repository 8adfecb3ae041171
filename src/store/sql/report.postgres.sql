-- store/sql/report.postgres.sql - what became of the events of a day: a sheet that must add up. Each statement looks at a
-- window of events by seq, of those that were made in a span of time.

-- fragment: report_window
e.seq > $1 AND e.seq <= $2 AND e.created_at >= $3 AND e.created_at < $4

-- name: report_events (after int, upto int, since instant, until instant) -> events int, completed int, failed int, open
--     int, pending int, unrouted int, wrong int
-- Events by their status. Wrong are those whose deliveries say something else (as verify_events has it).
SELECT count(*), count(*) FILTER (WHERE status = 'COMPLETED' AND owed), count(*) FILTER (WHERE status = 'FAILED'),
    count(*) FILTER (WHERE status = 'PROCESSING'), count(*) FILTER (WHERE status = 'PENDING'),
    count(*) FILTER (WHERE status = 'COMPLETED' AND NOT owed),
    count(*) FILTER (WHERE (status = 'PROCESSING' AND NOT open) OR (status <> 'PROCESSING' AND status <> 'PENDING' AND open)
        OR (status = 'COMPLETED' AND failed) OR (status = 'FAILED' AND any_left AND NOT failed))
FROM (
    SELECT e.status::text AS status, EXISTS (SELECT 1 FROM deliveries d WHERE d.event_id = e.id) AS owed,
        EXISTS (SELECT 1 FROM deliveries d WHERE d.event_id = e.id AND d.run >= e.routed_run AND {d.open}) AS open,
        EXISTS (SELECT 1 FROM deliveries d WHERE d.event_id = e.id AND d.run >= e.routed_run) AS any_left,
        EXISTS (SELECT 1 FROM deliveries d WHERE d.status || '' = 'FAILED' AND {current}) AS failed
    FROM marketing_events e
    WHERE {report_window}
) stands;

-- name: report_owed (after int, upto int, since instant, until instant) -> destination text, owed int
-- How many deliveries there are of them, counted in the index by event alone.
SELECT d.destination, count(*)
FROM marketing_events e
JOIN deliveries d ON d.event_id = e.id
WHERE {report_window}
GROUP BY d.destination;

-- name: report_deliveries (after int, upto int, since instant, until instant) -> destination text, completed int,
--     skipped int, failed int, unknown int, held int, open int, superseded int
-- The same deliveries by their status, from the table. Those that do not speak for their event are superseded.
SELECT destination, count(*) FILTER (WHERE speaks AND status = 'COMPLETED'), count(*) FILTER (WHERE speaks AND status = 'SKIPPED'),
    count(*) FILTER (WHERE speaks AND status = 'FAILED'), count(*) FILTER (WHERE speaks AND status = 'UNKNOWN'),
    count(*) FILTER (WHERE speaks AND status = 'HELD'),
    count(*) FILTER (WHERE speaks AND (status = 'PENDING' OR status = 'PROCESSING')), count(*) FILTER (WHERE NOT speaks)
FROM (
    SELECT d.destination AS destination, d.status AS status, ({current}) AS speaks
    FROM marketing_events e
    JOIN deliveries d ON d.event_id = e.id
    WHERE {report_window}
) stands
GROUP BY destination;
