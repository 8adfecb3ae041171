/* store/postgres_values.h - rows of parameters as PostgreSQL's binary arrays,
 * and results as rows of values. Private to this room.
 * Source: PostgreSQL 15, src/backend/utils/adt/arrayfuncs.c (array_recv),
 * timestamp.c (timestamptz_recv); the formats have not changed since 8.4.
 */
#ifndef STORE_POSTGRES_VALUES_H
#define STORE_POSTGRES_VALUES_H

#include "base/arena.h"
#include "store/postgres_link.h"

/* The types of a statement's parameters, of the arrays where it is batched. */
struct postgres_types {
    int count;
    Oid oids[LINK_PARAMS_MAX];
};
struct postgres_types postgres_types(const struct sql_text *statement);

struct postgres_params {
    const char *values[LINK_PARAMS_MAX];
    int lengths[LINK_PARAMS_MAX];
};
/* Encodes a statement's parameters. In texts, a NUL or a byte that is not UTF-8, which PostgreSQL does not take,
 * becomes U+FFFD. */
void postgres_encode(const struct sql_text *statement, const struct sql_batch *batch, struct arena *arena,
                     struct postgres_params *ret_params);

/* Copies the rows into the arena. INTERNAL when the server's columns are not what the paper says. */
MUST_USE enum err postgres_decode(const struct sql_text *statement, const PGresult *result, struct arena *arena,
                                  struct sql_result *ret_result);
/* Rows of a script come as text: whole numbers are numbers, the rest texts. */
void postgres_decode_script(const PGresult *result, struct arena *arena, struct sql_result *ret_result);

#endif
