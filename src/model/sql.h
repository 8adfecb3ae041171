/* model/sql.h - what goes to a database and what comes back, as values: the
 * statements of the store (store/sql/) are numbers here. Part of the SQL
 * driver's seam (world.h). */
#ifndef MODEL_SQL_H
#define MODEL_SQL_H

#include "base/str.h"

enum sql_kind { SQL_NULL, SQL_INT, SQL_TEXT, SQL_BLOB };
struct sql_value {
    enum sql_kind kind;
    int64_t number;
    struct str text; /* TEXT and BLOB; borrowed by run(), in its arena in results */
};
/* One statement of the store over a batch of parameter rows. */
struct sql_batch {
    int statement;
    const struct sql_value *params; /* row after row */
    size_t columns, rows;
};
/* What passed between a process and a database server, since the start. */
struct sql_traffic {
    uint64_t rounds;      /* times that an answer was waited for */
    uint64_t connections; /* that were made */
    uint64_t races;       /* transactions that another one was in the way of */
    uint64_t lock_waits;  /* that were given up, because somebody else's transaction held a lock */
};
struct sql_row {
    size_t input; /* which parameter row gave it */
    const struct sql_value *values;
};
struct sql_result {
    struct sql_row *rows;
    size_t count, columns;
    int64_t changes; /* rows changed over the whole batch */
};
enum sql_dialect { SQL_SQLITE, SQL_POSTGRES };
enum sql_news { SQL_NEWS_WORK = 1, SQL_NEWS_STATE = 2 }; /* events or deliveries; destinations, keys, routes */

#endif
