/* store/row.h - what the verbs share: the store itself, one call per
 * statement, and rows as values. Private to this room. */
#ifndef STORE_ROW_H
#define STORE_ROW_H

#include "store/sql.h"
#include "store/store.h"

#define ATTEMPT_COLUMNS 8 /* of SQL_ATTEMPT_ADD */

struct store {
    struct sql_driver *driver;
    struct arena scratch; /* for verbs that give nothing back; reset as each ends */
    struct str owner;
    int64_t next_cursor;   /* store/query.h */
    struct hasher *hasher; /* of the keys, which are not stored */
};

/* Runs a statement for each of the rows of parameters. ret_result may be NULL. */
MUST_USE enum err store_run(struct store *store, enum sql_statement statement, const struct sql_value *params,
                            size_t rows, struct arena *arena, struct sql_result *ret_result);
/* Runs a statement with one row of parameters that answers with one number; `otherwise` when there is no row or it
 * holds NULL. */
MUST_USE enum err store_ask(struct store *store, enum sql_statement statement, const struct sql_value *params,
                            int64_t otherwise, int64_t *ret_number);

/* The event's texts stay where the row has them. STORE_CORRUPT for a status that is not one of ours: the schema refuses
 * to store one, but a flipped bit on the disk can make one. */
MUST_USE enum err row_event(const struct sql_value *values, struct event *ret_event);
/* A row of delivery, and behind it the idempotency key of its event, or NULL where that is gone. */
MUST_USE enum err row_delivery(struct store *store, const struct sql_value *values, struct delivery *ret_delivery);
/* Rows of delivery and event side by side; each delivery.event is filled. */
MUST_USE enum err row_claims(struct store *store, const struct sql_result *result, struct arena *arena,
                             struct delivery *ret_deliveries);

/* A delivery that became final: the next one of its order key is freed, and its event may be over. */
struct ending {
    struct uuid event_id;
    struct str destination, order_key; /* order_key "" = no order */
};
MUST_USE enum err store_ended(struct store *store, const struct ending *endings, size_t count, int64_t now_us,
                              struct arena *arena);

/* rerun.c: whether a FAILED delivery may have a run of its own: NOT_NOW when a later run has taken its place, or the
 * whole event is about to run again. */
MUST_USE enum err store_may_run_again(struct store *store, const struct delivery *failed, struct arena *arena,
                                      struct event *ret_event);
/* rerun.c: a FAILED delivery in the event's next run, or any that is final; see store_delivery_act. AS_SENT: with its
 * old content. ANYWAY: its route makes it also where an earlier run has done it. */
enum run_content { RERUN_OWED, RERUN_AS_SENT, RERUN_ANYWAY };
MUST_USE enum err store_run_again(struct store *store, const struct delivery *failed, enum run_content how,
                                  int64_t now_us, struct hasher *hasher, struct arena *arena, struct uuid *ret_id);

#endif
