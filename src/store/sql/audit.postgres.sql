-- store/sql/audit.postgres.sql - who did what.

-- name: audit_add (at int, actor text, act text, subject text, detail text)
INSERT INTO audit(at, actor, act, subject, detail) VALUES ($1, $2, $3, $4, $5);

-- name: audit_list (below int, most int) -> seq int, at int, actor text, act text, subject text, detail text
-- Newest first.
SELECT seq, at, actor, act, subject, detail FROM audit WHERE seq < $1 ORDER BY seq DESC LIMIT $2;

-- name: audit_of (subject text, most int) -> seq int, at int, actor text, act text, subject text, detail text
-- What was done to each of several things, newest first. The zero keeps the planner from walking all there is in order
-- of seq.
SELECT n, a.seq, a.at, a.actor, a.act, a.subject, a.detail
FROM {p}
CROSS JOIN LATERAL (SELECT * FROM audit WHERE subject = p1 ORDER BY seq + 0 DESC LIMIT p2) a
ORDER BY n, a.seq DESC;
