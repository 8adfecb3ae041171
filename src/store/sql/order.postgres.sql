-- store/sql/order.postgres.sql - keys whose deliveries keep their order.

-- name: order_lock (destination text, order_key text)
-- Whoever makes or ends a delivery of an order key keeps others from the key until the commit. Otherwise a delivery
-- that is made and one that ends do not see each other, and the later one waits for ever, or overtakes. The locks are
-- taken in one order, which keeps two processes from a deadlock.
-- only here: one process has no others to lock out.
SELECT pg_advisory_xact_lock(k)
FROM (SELECT DISTINCT hashtextextended(p1 || chr(10) || p2, 0) AS k FROM {p} ORDER BY k) keys;
