-- store/sql/retire.postgres.sql - what is over and old goes.

-- name: retire_look (after int, most int) -> seq int, id id, created instant, over int
-- The next events in the order of seq, and whether each is over for good. A row of the seed's table is kept from the
-- moment on at which the table became ours. The count in place of EXISTS keeps the planner from joining the whole
-- tables, and the inner limit keeps it to the index.
SELECT *
FROM (
    SELECT e.seq, e.id,
        greatest(e.created_at, e.taken_over_at), (
            (e.status = 'COMPLETED' OR e.status = 'FAILED')
                AND 0 = (SELECT count(*) FROM deliveries d WHERE d.event_id = e.id AND {d.open})
        )::int::int8
    FROM marketing_events e
    WHERE e.seq > $1
    ORDER BY e.seq
    LIMIT {claim_bound}
) next
LIMIT $2;

-- name: retire_attempts (event id)
-- The attempts of an event that is over. Runs first of the three, so it locks the events: one that was set back to
-- PENDING since it was looked at keeps all it has.
WITH old AS MATERIALIZED (
    SELECT id
    FROM marketing_events
    WHERE id IN (SELECT p1 FROM {p}) AND status || '' IN ('COMPLETED', 'FAILED')
    ORDER BY seq
    FOR UPDATE
)
DELETE FROM attempts a
USING old, deliveries d
WHERE d.event_id = old.id AND a.delivery_seq = d.seq;

-- name: retire_deliveries (event id)
-- The deliveries of an event that is over. An event that was set back to PENDING meanwhile is left alone.
DELETE FROM deliveries d
USING {p}, marketing_events e
WHERE d.event_id = p1 AND e.id = p1 AND e.status || '' IN ('COMPLETED', 'FAILED');

-- name: retire_event (event id)
-- The event itself goes last: until then its deliveries can be found. An event that was set back to PENDING meanwhile
-- is left alone.
DELETE FROM marketing_events
USING {p}
WHERE id = p1 AND status || '' IN ('COMPLETED', 'FAILED');
