/* store/table.h - tables.def as C has it: what is moved, retired and verified.
 * Made by tools/sql.py. Private to this room. Thread: constants. */
#ifndef STORE_TABLE_H
#define STORE_TABLE_H

#include "store/sql.h"

/* How a table is copied: not at all, in order of a growing number, of such a number and a second one under it, or
 * whole. */
enum table_move { MOVED_NOT, MOVED_BY_ONE, MOVED_BY_PAIR, MOVED_WHOLE };

/* What verify asks of a table. The statement judges the rows whose first key column lies in a range, and says which of
 * them break the rule and how. */
struct table_rule {
    enum sql_statement statement;
    const char *name, *subject;
};
extern const struct table_rule table_rules[TABLE_RULE_COUNT];

/* Parents stand before what hangs on them. A statement that a table does not need is SQL_NONE. */
struct table {
    const char *name;
    const char *columns, *kinds; /* names with a space between them; a letter each, as in struct sql_text */
    int embedded_count;          /* so many of them are in an embedded store; 0 = the table is PostgreSQL's alone */
    enum table_move moved;
    enum sql_statement read, write, count, last, sequence, stamp, analyze; /* of a move */
    enum sql_statement verify_window, verify_end, verify_rows;             /* of a table with rules */
    const struct table_rule *rules;
    int rule_count;
    enum sql_statement retire; /* takes the id of an event */
};
extern const struct table tables[TABLE_COUNT];

#endif
