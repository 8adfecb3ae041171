-- store/sql/schema.sqlite.sql - the tables of the embedded store, by numbered steps. A step that was released is never
-- edited: a store out there has taken it. The steps run in order, in one transaction with the note that they ran.
--
-- Every index costs each insert. A partial index exists where a hot statement or a list of open work needs it. It holds
-- open rows only, so that a history of millions costs a claim nothing.

-- step: 1
CREATE TABLE marketing_events(
    seq INTEGER PRIMARY KEY,
    id BLOB NOT NULL UNIQUE CHECK (length(id) = 16),
    idempotency_key TEXT NOT NULL UNIQUE,
    type TEXT NOT NULL,
    source TEXT NOT NULL,
    status TEXT NOT NULL DEFAULT 'PENDING' CHECK (status = 'PENDING' OR status = 'PROCESSING'
        OR status = 'COMPLETED' OR status = 'FAILED'),
    run INTEGER NOT NULL DEFAULT -1, -- the last run of it or of one of its deliveries; -1 = none
    routed_run INTEGER NOT NULL DEFAULT 0, -- the run of its last routing
    retry_count INTEGER NOT NULL DEFAULT 0,
    last_error TEXT,
    scheduled_at INTEGER NOT NULL,
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL,
    fingerprint TEXT NOT NULL,
    payload TEXT NOT NULL) STRICT;
CREATE INDEX marketing_events_scheduled ON marketing_events(scheduled_at) WHERE status = 'PENDING';
CREATE INDEX marketing_events_failed ON marketing_events(status) WHERE status = 'FAILED';

CREATE TABLE deliveries(
    seq INTEGER PRIMARY KEY,
    id BLOB NOT NULL UNIQUE CHECK (length(id) = 16),
    event_id BLOB NOT NULL,
    destination TEXT NOT NULL,
    step TEXT NOT NULL,
    run INTEGER NOT NULL,
    action TEXT NOT NULL,
    route TEXT NOT NULL,
    status TEXT NOT NULL CHECK (status = 'PENDING' OR status = 'PROCESSING' OR status = 'COMPLETED'
        OR status = 'FAILED' OR status = 'UNKNOWN' OR status = 'HELD' OR status = 'SKIPPED'),
    blocked INTEGER NOT NULL DEFAULT 0, -- an earlier one of its order key is open
    retry_count INTEGER NOT NULL DEFAULT 0,
    attempts INTEGER NOT NULL DEFAULT 0,
    due INTEGER NOT NULL,
    first_due INTEGER NOT NULL,
    late INTEGER NOT NULL DEFAULT 0,
    first_sent INTEGER NOT NULL DEFAULT 0,
    lease_until INTEGER NOT NULL DEFAULT 0,
    lease_owner TEXT,
    lease_epoch INTEGER NOT NULL DEFAULT 0,
    looking_up INTEGER NOT NULL DEFAULT 0,
    in_doubt INTEGER NOT NULL DEFAULT 0,
    last_status INTEGER NOT NULL DEFAULT 0,
    last_error TEXT,
    remote_id TEXT,
    batch BLOB,
    order_key TEXT,
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL,
    params TEXT,
    UNIQUE (event_id, destination, step, run)) STRICT;
CREATE INDEX deliveries_due ON deliveries(destination, blocked, due, status)
    WHERE (status = 'PENDING' OR status = 'UNKNOWN') AND blocked = 0;
CREATE INDEX deliveries_lease ON deliveries(lease_until) WHERE status = 'PROCESSING';
CREATE INDEX deliveries_order ON deliveries(destination, order_key)
    WHERE order_key IS NOT NULL AND (status = 'PENDING' OR status = 'PROCESSING' OR status = 'UNKNOWN'
        OR status = 'HELD');
CREATE INDEX deliveries_blocked ON deliveries(blocked, destination, status) WHERE blocked = 1;
CREATE INDEX deliveries_stopped ON deliveries(status) WHERE status = 'HELD' OR status = 'FAILED';
CREATE INDEX deliveries_batch ON deliveries(batch)
    WHERE batch IS NOT NULL AND (status = 'PENDING' OR status = 'PROCESSING' OR status = 'UNKNOWN' OR status = 'HELD');

CREATE TABLE attempts(
    delivery_seq INTEGER NOT NULL,
    number INTEGER NOT NULL,
    started INTEGER NOT NULL,
    finished INTEGER NOT NULL,
    outcome TEXT NOT NULL,
    http_status INTEGER NOT NULL,
    error TEXT,
    answer TEXT,
    PRIMARY KEY (delivery_seq, number)) STRICT, WITHOUT ROWID;
CREATE INDEX attempts_started ON attempts(started);

CREATE TABLE destinations(
    name TEXT NOT NULL PRIMARY KEY,
    paused INTEGER NOT NULL,
    paused_until INTEGER NOT NULL,
    pause_reason TEXT,
    breaker_state INTEGER NOT NULL,
    breaker_until INTEGER NOT NULL,
    breaker_failures INTEGER NOT NULL,
    breaker_ramp INTEGER NOT NULL,
    quiet_until INTEGER NOT NULL,
    updated_at INTEGER NOT NULL) STRICT;

CREATE TABLE routes( -- those whose program ran away, by what the program was
    route TEXT NOT NULL,
    program_hash TEXT NOT NULL,
    reason TEXT NOT NULL,
    at INTEGER NOT NULL,
    PRIMARY KEY (route, program_hash)) STRICT;

CREATE TABLE api_keys(
    id TEXT NOT NULL PRIMARY KEY,
    name TEXT NOT NULL,
    role INTEGER NOT NULL,
    hash TEXT NOT NULL UNIQUE,
    created_at INTEGER NOT NULL,
    revoked_at INTEGER NOT NULL DEFAULT 0) STRICT;

CREATE TABLE audit(
    seq INTEGER PRIMARY KEY,
    at INTEGER NOT NULL,
    actor TEXT NOT NULL,
    act TEXT NOT NULL,
    subject TEXT NOT NULL,
    detail TEXT NOT NULL) STRICT;
CREATE INDEX audit_subject ON audit(subject);

CREATE TABLE schema_steps(
    step INTEGER PRIMARY KEY,
    taken_at INTEGER NOT NULL) STRICT;

-- step: 2
-- Rules across the columns of a delivery: exactly what is PROCESSING has a lease, and only what waits and has an order
-- key waits for its order. A row that breaks a rule is mended first: a claim without a lease has run out, which settles
-- it as unknown.
--
-- SQLite adds a CHECK by making the table anew, which reads and writes every delivery and every entry of its indexes:
-- minutes for a million of them, while nobody is served. But a CHECK is nothing more than a part of the table's text: no
-- row is stored in another way for it. So the three updates see to it that every row keeps the rules, and then the text
-- is replaced. The table that comes and goes raises the schema's number, by which a connection knows that it must read
-- the texts again.
UPDATE deliveries SET lease_until = 1 WHERE status = 'PROCESSING' AND lease_until <= 0;
UPDATE deliveries SET lease_until = 0, lease_owner = NULL WHERE status <> 'PROCESSING' AND lease_until > 0;
UPDATE deliveries
SET blocked = 0
WHERE blocked <> 0 AND NOT (order_key IS NOT NULL AND (status = 'PENDING' OR status = 'UNKNOWN' OR status = 'HELD'));
PRAGMA writable_schema = ON;
UPDATE sqlite_schema
SET sql = replace(sql, 'UNIQUE (event_id, destination, step, run))', 'UNIQUE (event_id, destination, step, run),'
    || ' CONSTRAINT deliveries_lease_check CHECK ((status = ''PROCESSING'') = (lease_until > 0)),'
    || ' CONSTRAINT deliveries_blocked_check CHECK (blocked = 0 OR (order_key IS NOT NULL AND'
    || ' (status = ''PENDING'' OR status = ''UNKNOWN'' OR status = ''HELD''))))')
WHERE type = 'table' AND name = 'deliveries';
CREATE TABLE schema_text_changed(step INTEGER) STRICT;
DROP TABLE schema_text_changed;
PRAGMA writable_schema = RESET;

-- step: 3
-- How far the round of each chore has come (store/chore.h). A row is written again with each step of its round.
CREATE TABLE chores(
    name TEXT NOT NULL PRIMARY KEY,
    mode INTEGER NOT NULL,
    started INTEGER NOT NULL,
    finished INTEGER NOT NULL, -- 0 = the round is under way
    part INTEGER NOT NULL,
    last_seq INTEGER NOT NULL,
    part_end INTEGER NOT NULL,
    done INTEGER NOT NULL,
    total INTEGER NOT NULL,
    steps INTEGER NOT NULL,
    found INTEGER NOT NULL,
    result TEXT) STRICT;

-- step: 4
-- A refusal that may be one delivery's own fault is remembered over a restart: the delivery that was refused last with
-- nothing accepted since (0 = none), and whether the destination is being tried again one by one.
ALTER TABLE destinations ADD COLUMN suspect INTEGER NOT NULL DEFAULT 0;
ALTER TABLE destinations ADD COLUMN probing INTEGER NOT NULL DEFAULT 0;
-- The destination's name when the provider's key was made, where the destination was renamed since; NULL = as it is.
ALTER TABLE deliveries ADD COLUMN keyed_as TEXT;

-- step: 5
-- What a person planned to send again: the plan, what it comes to for each destination, and each delivery of it.
CREATE TABLE replays(
    seq INTEGER PRIMARY KEY,
    status TEXT NOT NULL,
    reason TEXT NOT NULL,
    actor TEXT NOT NULL,
    original INTEGER NOT NULL,
    again INTEGER NOT NULL,
    since INTEGER NOT NULL,
    until INTEGER NOT NULL,
    type TEXT NOT NULL,
    source TEXT NOT NULL,
    route TEXT NOT NULL,
    destination TEXT NOT NULL,
    delivery_status TEXT NOT NULL,
    error TEXT NOT NULL,
    digest TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    expires_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL,
    applied_at INTEGER NOT NULL,
    finished_at INTEGER NOT NULL,
    first_seq INTEGER NOT NULL,
    last_seq INTEGER NOT NULL,
    end_seq INTEGER NOT NULL,
    events INTEGER NOT NULL) STRICT;
CREATE INDEX replays_open ON replays(seq) WHERE status = 'PLANNING' OR status = 'APPLYING';
CREATE TABLE replay_parts(
    replay INTEGER NOT NULL,
    destination TEXT NOT NULL,
    send_count INTEGER NOT NULL DEFAULT 0,
    offer_count INTEGER NOT NULL DEFAULT 0,
    done_count INTEGER NOT NULL DEFAULT 0,
    skipped_count INTEGER NOT NULL DEFAULT 0,
    open_count INTEGER NOT NULL DEFAULT 0,
    held_count INTEGER NOT NULL DEFAULT 0,
    unknown_count INTEGER NOT NULL DEFAULT 0,
    gone_count INTEGER NOT NULL DEFAULT 0,
    moving_count INTEGER NOT NULL DEFAULT 0,
    items INTEGER NOT NULL DEFAULT 0,
    place INTEGER NOT NULL DEFAULT 0, -- applied as far as this
    made INTEGER NOT NULL DEFAULT 0,
    moved INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (replay, destination)) STRICT, WITHOUT ROWID;
CREATE TABLE replay_items(
    replay INTEGER NOT NULL,
    destination TEXT NOT NULL,
    n INTEGER NOT NULL,
    event_id BLOB NOT NULL,
    delivery INTEGER NOT NULL, -- the seq of the one it is about, 0 = there was none
    route TEXT NOT NULL,
    step TEXT NOT NULL,
    verdict INTEGER NOT NULL,
    result INTEGER NOT NULL DEFAULT 0, -- the seq of what was made, -1 = it had moved
    PRIMARY KEY (replay, destination, n)) STRICT, WITHOUT ROWID;

-- step: 6
-- The tokens with which destinations send, sealed, and who is asking for the next one (store/token.h).
CREATE TABLE tokens(
    destination TEXT NOT NULL PRIMARY KEY,
    generation INTEGER NOT NULL, -- one more with each token
    sealed TEXT, -- NULL = there was none yet
    expires INTEGER NOT NULL DEFAULT 0,
    refresh_expires INTEGER NOT NULL DEFAULT 0,
    seed TEXT, -- a digest of what the first token was made from
    asked_by TEXT,
    asked_until INTEGER NOT NULL DEFAULT 0,
    in_doubt INTEGER NOT NULL DEFAULT 0, -- a new one was asked for, and nobody knows what came of it
    updated_at INTEGER NOT NULL) STRICT;

-- step: 7
-- How far schedules have come (store/memory.h).
CREATE TABLE marks(
    source TEXT NOT NULL PRIMARY KEY,
    position INTEGER NOT NULL,
    said TEXT NOT NULL,
    at INTEGER NOT NULL) STRICT;

-- step: 8
-- Where an event continues a trace that somebody else began: W3C's traceparent as it came; NULL = it did not.
ALTER TABLE marketing_events ADD COLUMN trace_parent TEXT;

-- step: 9
-- A plan may ask jq of each event; those on which it failed are not in it, and are named (store/replay.h).
ALTER TABLE replays ADD COLUMN jq TEXT NOT NULL DEFAULT '';
ALTER TABLE replays ADD COLUMN failed INTEGER NOT NULL DEFAULT 0;
ALTER TABLE replays ADD COLUMN runaways INTEGER NOT NULL DEFAULT 0;
CREATE TABLE replay_failures(
    replay INTEGER NOT NULL,
    n INTEGER NOT NULL,
    event_id BLOB NOT NULL,
    words TEXT NOT NULL,
    PRIMARY KEY (replay, n)) STRICT, WITHOUT ROWID;

-- step: 10
-- What the step of a delivery with a key was before it got it; NULL = it has none. Of those that are there it was not
-- noted: they pass for the first of their route.
ALTER TABLE deliveries ADD COLUMN place TEXT;
UPDATE deliveries SET place = route WHERE substr(step, 1, length(route) + 1) = route || ':';
