/* store/sql.h - the statements of sql.def by name, and the values that go in
 * and come out. Private to this room. Thread: values, no state. */
#ifndef STORE_SQL_H
#define STORE_SQL_H

#include "base/id.h"
#include "world.h"

enum sql_statement {
#define X(name, ...) SQL_##name,
#include "store/sql.def"

#include "store/sql_ask.def"

#include "store/sql_move.def"
#undef X
    SQL_STATEMENT_COUNT
};

/* As sql.def says. */
struct sql_text {
    const char *name, *params, *results;
    const char *sqlite, *postgres;
};
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
