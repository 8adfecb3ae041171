/* store/list.h - one page of a list, for events and deliveries alike. Private
 * to this room. */
#ifndef STORE_LIST_H
#define STORE_LIST_H

#include "store/row.h"

/* The statement takes these parameters: from seq, below seq, three filters (NULL = any), since, until, limit. Its first
 * column is the seq, and the newest row comes first. */
struct list {
    enum sql_statement statement, last, made; /* the list, max(seq), when the first from a seq on was made */
    bool indexed;                             /* finds its rows by an index: no need to look at windows */
    bool made_later;                          /* `until` is about what was made before the rows: it bounds no seq */
    struct sql_value filters[3];
    int64_t since_us, until_us; /* 0 = open */
    size_t limit;
    int64_t cursor;
};
/* Gives the values of the page's rows in order, and sets store->next_cursor. */
MUST_USE enum err list_rows(struct store *store, const struct list *list, struct arena *arena,
                            const struct sql_value ***ret_rows, size_t *ret_count);

/* The first seq in [from, below) made at or after a moment, else below. */
MUST_USE enum err list_made(struct store *store, enum sql_statement made, int64_t from, int64_t below, int64_t at_us,
                            int64_t *ret_seq);

#endif
