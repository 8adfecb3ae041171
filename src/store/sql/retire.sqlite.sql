-- store/sql/retire.sqlite.sql - what is over and old goes.

-- name: retire_look (after int, most int) -> seq int, id id, created instant, over int
-- The next events in the order of seq, and whether each is over for good.
SELECT e.seq, e.id, e.created_at, (e.status = 'COMPLETED' OR e.status = 'FAILED')
    AND NOT EXISTS (SELECT 1 FROM deliveries d WHERE d.event_id = e.id AND {d.open})
FROM marketing_events e
WHERE e.seq > ?1
ORDER BY e.seq
LIMIT ?2;

-- name: retire_attempts (event id)
-- The attempts of an event that is over.
DELETE FROM attempts
WHERE delivery_seq IN (SELECT seq FROM deliveries WHERE event_id = ?1);

-- name: retire_deliveries (event id)
-- The deliveries of an event that is over.
DELETE FROM deliveries WHERE event_id = ?1;

-- name: retire_event (event id)
-- The event itself goes last: until then its deliveries can be found.
DELETE FROM marketing_events WHERE id = ?1;
