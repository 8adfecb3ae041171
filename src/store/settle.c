/* store/settle.c - outcomes become states, in the turn's transaction; a late worker's settle changes nothing.
 *
 * WHAT. Each settlement gives its delivery a new status and its attempt a row; then the next delivery of the same
 * order key is freed, and an event whose deliveries have all ended is finished.
 * PROMISE. An outcome is written once, or not at all. No delivery waits behind one that has ended, and no event
 * stays open after its last delivery ended, however many processes settle at once.
 * WHY IT HOLDS.
 * 1. delivery_settle only changes a row that is PROCESSING under the epoch of the settlement. A
 * worker that came too late finds another epoch or another status, and everything below is done for the rows that
 * were changed alone.
 * 2. The attempt is added after the settle, which has counted it, so the count and the rows agree.
 * 3. Before the next one of an order key is freed, the key is locked. store_plan takes the same lock before it
 *    looks for an earlier one. So one that is made and one that ends see each other, whichever comes first.
 * 4. Before an event is asked how it stands, its row is locked. Of two processes that end the last two deliveries
 *    of an event the second waits for the first one's commit, reads again (READ COMMITTED), and sees that nothing
 *    is open.
 * 5. Locks are waited for in one order, deliveries, order keys, events, and each kind in the order of its numbers.
 * WHAT BREAKS IT. Another isolation level, under which step 4 would read an old state. A statement that takes the
 * locks in another order: a deadlock, which the server ends and the turn repeats, slowly.
 * HOW TO SEE IT. `drumbeat verify`: I4 tells of an event whose status is not what its deliveries say, I14 of a
 * delivery that waits for nothing, I8 of one that counts other attempts than it has.
 * TESTED BY. test/conformance/test_settle.c, test_fleet_races.c, test_fleet_random.c; the planted bug
 * order-never-freed. */
#include "store/row.h"

#define SETTLE_COLUMNS 15

static void write_settlement(struct sql_value *params, const struct settlement *s, int64_t now_us) {
    enum delivery_status status = delivery_move(DELIVERY_PROCESSING, s->status);
    const struct sql_value row[SETTLE_COLUMNS] = {
        sql_int(s->seq),
        sql_int(s->lease_epoch),
        sql_str(str_from(delivery_status_text(status))),
        sql_int(s->due_us),
        sql_int(s->retry_count),
        sql_int(s->first_sent_us),
        sql_int(s->last_status),
        sql_str_or_null(s->last_error),
        sql_str_or_null(s->remote_id),
        sql_uuid_or_null(&s->batch),
        sql_int(now_us),
        sql_int(s->has_attempt),
        sql_int(s->has_attempt ? s->attempt.number : 0),
        sql_int(s->in_doubt),
        sql_uuid(&s->event_id),
    };
    for (size_t i = 0; i < SETTLE_COLUMNS; i++) params[i] = row[i];
}

static void write_attempt(struct sql_value *params, const struct settlement *s) {
    const struct attempt *attempt = &s->attempt;
    const struct sql_value row[ATTEMPT_COLUMNS] = {
        sql_int(s->seq),
        sql_int(attempt->number),
        sql_int(attempt->started_us),
        sql_int(attempt->finished_us),
        sql_str(attempt->outcome),
        sql_int(attempt->http_status),
        sql_str_or_null(attempt->error),
        sql_str_or_null(str_sub(attempt->answer, 0, DELIVERY_ANSWER_MAX)),
    };
    for (size_t i = 0; i < ATTEMPT_COLUMNS; i++) params[i] = row[i];
}

/* Adds the attempts of the settlements that were applied: `applied` has a row for each whose lease still held. */
static enum err add_attempts(struct store *store, const struct settlement *settlements,
                             const struct sql_result *applied, struct arena *arena) {
    struct sql_value *params = arena_array(arena, struct sql_value, applied->count * ATTEMPT_COLUMNS);
    size_t attempts = 0;
    for (size_t i = 0; i < applied->count; i++) {
        const struct settlement *s = &settlements[applied->rows[i].input];
        if (s->has_attempt) write_attempt(params + ATTEMPT_COLUMNS * attempts++, s);
    }
    return store_run(store, SQL_ATTEMPT_ADD, params, attempts, arena, NULL);
}

static enum err follow_up(struct store *store, const struct settlement *settlements, const struct sql_result *applied,
                          int64_t now_us, struct arena *arena) {
    struct ending *endings = arena_array(arena, struct ending, applied->count);
    size_t count = 0;
    for (size_t i = 0; i < applied->count; i++) {
        const struct settlement *s = &settlements[applied->rows[i].input];
        if (delivery_is_final(s->status)) endings[count++] = (struct ending){s->event_id, s->destination, s->order_key};
    }
    return store_ended(store, endings, count, now_us, arena);
}

enum err store_settle(struct store *store, const struct settlement *settlements, size_t count, int64_t now_us,
                      struct arena *arena, bool *ret_applied) {
    struct sql_value *params = arena_array(arena, struct sql_value, count * SETTLE_COLUMNS);
    struct sql_result applied;
    for (size_t i = 0; i < count; i++) write_settlement(params + i * SETTLE_COLUMNS, &settlements[i], now_us);
    TRY(store_run(store, SQL_DELIVERY_SETTLE, params, count, arena, &applied));
    TRY(add_attempts(store, settlements, &applied, arena));
    TRY(follow_up(store, settlements, &applied, now_us, arena));
    for (size_t i = 0; i < count; i++) ret_applied[i] = false;
    for (size_t i = 0; i < applied.count; i++) ret_applied[applied.rows[i].input] = true;
    return ERR_NONE;
}

/* Writes only the events that are over. The last delivery of an event to end is the one that finishes it. */
static enum err finish_events(struct store *store, const struct sql_result *stands, int64_t now_us,
                              struct arena *arena) {
    struct sql_value *params = arena_array(arena, struct sql_value, stands->count * 4);
    size_t over = 0;
    for (size_t i = 0; i < stands->count; i++) {
        const struct sql_value *stand = stands->rows[i].values; /* seq, open, failed, retries; NULL: not PROCESSING */
        if (stand[0].kind == SQL_NULL || stand[1].number) continue;
        enum event_status status = stand[2].number ? EVENT_FAILED : EVENT_COMPLETED;
        params[over * 4] = stand[0];
        params[over * 4 + 1] = sql_str(str_from(event_status_text(status)));
        params[over * 4 + 2] = stand[3];
        params[over++ * 4 + 3] = sql_int(now_us);
    }
    return store_run(store, SQL_EVENT_FINISH, params, over, arena, NULL);
}

enum err store_ended(struct store *store, const struct ending *endings, size_t count, int64_t now_us,
                     struct arena *arena) {
    struct sql_value *next = arena_array(arena, struct sql_value, count * 2);
    struct sql_value *events = arena_array(arena, struct sql_value, count);
    struct sql_result stands;
    size_t ordered = 0;
    for (size_t i = 0; i < count; i++) {
        events[i] = sql_uuid(&endings[i].event_id);
        if (!endings[i].order_key.n) continue;
        next[ordered * 2] = sql_str(endings[i].destination);
        next[ordered++ * 2 + 1] = sql_str(endings[i].order_key);
    }
    TRY(store_run(store, SQL_ORDER_LOCK, next, ordered, arena, NULL));
    TRY(store_run(store, SQL_DELIVERY_UNBLOCK, next, ordered, arena, NULL));
    TRY(store_run(store, SQL_EVENT_LOCK, events, count, arena, NULL));
    TRY(store_run(store, SQL_EVENT_STAND, events, count, arena, &stands));
    return finish_events(store, &stands, now_us, arena);
}

enum err store_reword(struct store *store, int64_t seq, struct str words, struct str others, int64_t now_us) {
    const struct sql_value params[] = {sql_int(seq), sql_str(words), sql_str(others), sql_int(now_us)};
    enum err err = store_run(store, SQL_DELIVERY_REWORD, params, 1, &store->scratch, NULL);
    arena_reset(&store->scratch);
    return err;
}
