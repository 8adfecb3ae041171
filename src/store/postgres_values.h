/* store/postgres_values.h - rows of parameters as PostgreSQL's binary arrays,
 * results as rows of values, and the statements' texts with {p} in place.
 * Private to this room.
 * Source: PostgreSQL 15, src/backend/utils/adt/arrayfuncs.c (array_recv),
 * timestamp.c (timestamptz_recv); the formats have not changed since 8.4.
 */
#ifndef STORE_POSTGRES_VALUES_H
#define STORE_POSTGRES_VALUES_H

#include "base/arena.h"
#include "store/postgres_link.h"

struct postgres_text {
    const char *text; /* {p} replaced */
    bool batched;     /* it had one */
    int count;
    Oid types[LINK_PARAMS_MAX];
};
/* The statement as the server gets it; lives in the arena. */
struct postgres_text postgres_text(const struct sql_text *statement, struct arena *arena);

struct postgres_params {
    const char *values[LINK_PARAMS_MAX];
    int lengths[LINK_PARAMS_MAX];
};
/* Texts lose what PostgreSQL does not take: a NUL or a byte that is no UTF-8 becomes U+FFFD. */
void postgres_encode(const struct sql_text *statement, const struct postgres_text *text, const struct sql_batch *batch,
                     struct arena *arena, struct postgres_params *ret_params);

/* Copies the rows into the arena. INTERNAL when the server's columns are not what sql.def says. */
MUST_USE enum err postgres_decode(const struct sql_text *statement, const struct postgres_text *text,
                                  const PGresult *result, struct arena *arena, struct sql_result *ret_result);
/* Rows of a script come as text: whole numbers are numbers, the rest texts. */
void postgres_decode_script(const PGresult *result, struct arena *arena, struct sql_result *ret_result);

#endif
