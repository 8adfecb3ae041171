/* store/sql.h - the statements by name, and the values that go in and come
 * out. Their texts stand on their papers, sql/NOUN.DIALECT.sql; tools/sql.py
 * makes the list of them (sql_statements.h) and the table of texts. Private to
 * this room. Thread: values, no state. */
#ifndef STORE_SQL_H
#define STORE_SQL_H

#include "base/id.h"
#include "sql_statements.h"
#include "world.h"

/* Stands in place of a statement that a table does not have. */
#define SQL_NONE SQL_STATEMENT_COUNT

/* params, results: one letter a column: i number, t text, b id of 16 bytes, w moment (microseconds since 1970; a number
 * in SQLite, timestamptz in PostgreSQL). Any may be NULL. Results "+": a row for each input that changed something; its
 * number is the seq of what was inserted. (SQLite's RETURNING builds a table each time it runs, so the driver makes
 * these rows, and the hot verbs ask for no more.)
 *   sqlite    run once for each row of parameters; ?1 is the first parameter
 *   postgres  run once. batched: parameters are arrays, one for each column, and the first column of the result counts
 *             the inputs from 1, in their order. Otherwise it takes one row: $1, $2 ... Results are int8, text, uuid,
 *             timestamptz exactly.
 *   ""        nothing to do in this dialect
 * No statement asks for the time or for randomness, but for the limits that processes share, which count on the
 * server's clock. In PostgreSQL several processes run these at once. They take locks that are waited for in one order:
 * deliveries by seq, order keys by hash, events by seq, new idempotency keys by key. Work is claimed with SKIP LOCKED.
 */
struct sql_text {
    const char *name, *params, *results;
    const char *sqlite, *postgres;
    bool batched;
};
extern const struct sql_text sql_texts[SQL_STATEMENT_COUNT];
const struct sql_text *sql_text(enum sql_statement statement);

struct sql_value sql_int(int64_t number);
struct sql_value sql_str(struct str text);         /* "" stays a text */
struct sql_value sql_str_or_null(struct str text); /* "" is NULL */
struct sql_value sql_uuid(const struct uuid *id);  /* borrowed */
struct sql_value sql_uuid_or_null(const struct uuid *id);

/* NULL reads as 0, STR_NONE, the zero id. */
struct uuid sql_to_uuid(const struct sql_value *value);
int32_t sql_to_i32(const struct sql_value *value);

#endif
