/* store/sql_words.h - what the statements of sql.def say again and again. Included by sql.c alone, before them.
 * Private to this room. */
#ifndef STORE_SQL_WORDS_H
#define STORE_SQL_WORDS_H

/* What still owes something, and what a claim may take. T is the table's name or alias and its dot. Chains of OR, not
 * IN: SQLite builds a table for a list of more than two words, in every statement that touches an index over it. */
#define OPEN(T)                                                                                                        \
    "(" T "status = 'PENDING' OR " T "status = 'PROCESSING' OR " T "status = 'UNKNOWN' OR " T "status = 'HELD')"
#define CLAIMABLE(T) "(" T "status = 'PENDING' OR " T "status = 'UNKNOWN') AND " T "blocked = 0"
/* The deliveries that speak for event e: those of its last routing and later, without those a later run replaced. */
#define CURRENT                                                                                                        \
    "d.event_id = e.id AND d.run >= e.routed_run AND (e.run = e.routed_run OR NOT EXISTS (SELECT 1 FROM deliveries n"  \
    " WHERE n.event_id = d.event_id AND n.destination = d.destination AND n.step = d.step AND n.run > d.run))"
/* The id as people write it, and the audit's subject. */
#define UUID_TEXT                                                                                                      \
    "lower(substr(hex(id), 1, 8) || '-' || substr(hex(id), 9, 4) || '-' || substr(hex(id), 13, 4) || '-' ||"           \
    " substr(hex(id), 17, 4) || '-' || substr(hex(id), 21))"

/* One text for both dialects. */
#define BOTH(text) text, text

/* The destinations with something to claim and the earliest due of one: one look per destination, not per delivery. */
#define CLAIMABLE_ROWS CLAIMABLE("")
#define CLAIMABLE_DESTINATIONS                                                                                         \
    "WITH RECURSIVE found(name) AS (SELECT min(destination) FROM deliveries WHERE " CLAIMABLE_ROWS                     \
    " UNION ALL SELECT (SELECT min(destination) FROM deliveries WHERE " CLAIMABLE_ROWS                                 \
    " AND destination > found.name) FROM found WHERE found.name IS NOT NULL)"
#define EARLIEST_DUE "SELECT min(due) FROM deliveries WHERE destination = found.name AND " CLAIMABLE_ROWS
/* More than a turn ever takes. PostgreSQL's planner does not know a limit that is a parameter, takes it for large, and
 * would sort all that waits; an inner limit it does know keeps it to the index. */
#define CLAIM_BOUND "10000"
/* The server's clock, one for all processes. */
#define NOW_US "(extract(epoch FROM clock_timestamp()) * 1000000)::int8"

/* As row.c reads them: EVENT_KINDS and DELIVERY_KINDS. */
#define EVENT_COLUMNS                                                                                                  \
    "e.seq, e.id, e.idempotency_key, e.type, e.source, e.payload, e.fingerprint, e.status, e.run, e.retry_count,"      \
    " e.last_error, e.scheduled_at, e.created_at, e.updated_at"
/* The same in PostgreSQL, where other programs write events too: `received` is the payload as it came to us. */
#define PAYLOAD "coalesce(e.received, e.payload::text)"
#define EVENT_ROW                                                                                                      \
    "e.seq, e.id, e.idempotency_key::text, e.type::text, e.source::text, " PAYLOAD                                     \
    ", coalesce(e.fingerprint, '')::text,"                                                                             \
    " e.status::text, e.run::int8, e.retry_count::int8, e.last_error, e.scheduled_at, e.created_at, e.updated_at"
#define EVENT_KINDS "ibttttttiitwww"
#define DELIVERY_COLUMNS                                                                                               \
    "d.seq, d.id, d.event_id, d.destination, d.action, d.route, d.step, d.run, d.status, d.retry_count, d.attempts,"   \
    " d.due, d.first_due, d.late, d.first_sent, d.lease_until, d.lease_epoch, d.params, d.order_key, d.looking_up,"    \
    " d.batch, d.last_status, d.last_error, d.created_at, d.updated_at, d.in_doubt"
#define DELIVERY_KINDS "ibbttttitiiiiiiiittibitiii"

/* Lists of deliveries: seqs in [1, 2), 3 status, 4 destination, 5 event, made in [6, 7), 8 rows at most. */
#define DELIVERY_FILTER                                                                                                \
    "d.seq >= ?1 AND d.seq < ?2 AND (?3 IS NULL OR d.status = ?3) AND (?4 IS NULL OR d.destination = ?4)"              \
    " AND (?5 IS NULL OR d.event_id = ?5) AND d.created_at >= ?6 AND d.created_at < ?7 ORDER BY d.seq DESC LIMIT ?8"
#define DELIVERY_FILTER_ON(SEQ)                                                                                        \
    SEQ " >= $1 AND " SEQ " < $2 AND ($3 IS NULL OR d.status = $3) AND ($4 IS NULL OR d.destination = $4)"             \
        " AND ($5 IS NULL OR d.event_id = $5) AND d.created_at >= $6 AND d.created_at < $7"                            \
        " ORDER BY " SEQ " DESC LIMIT $8"

#endif
