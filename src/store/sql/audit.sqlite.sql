-- store/sql/audit.sqlite.sql - who did what.

-- name: audit_add (at int, actor text, act text, subject text, detail text)
INSERT INTO audit(at, actor, act, subject, detail) VALUES (?1, ?2, ?3, ?4, ?5);

-- name: audit_list (below int, most int) -> seq int, at int, actor text, act text, subject text, detail text
-- Newest first.
SELECT seq, at, actor, act, subject, detail FROM audit WHERE seq < ?1 ORDER BY seq DESC LIMIT ?2;

-- name: audit_of (subject text, most int) -> seq int, at int, actor text, act text, subject text, detail text
-- What was done to one thing, newest first.
SELECT seq, at, actor, act, subject, detail FROM audit WHERE subject = ?1 ORDER BY seq DESC LIMIT ?2;
