/* engine/metering.c - see metering.h.
 *
 * WHAT. Limits per value (1/s in each channel), kept while one desk's claim leaves.
 * PROMISE. No window of any value holds more starts than its rule allows, over restarts and over processes that share a
 * store, also while Redis is away. A value that is used up delays no other value of its destination for longer than it
 * takes to look past its deliveries, each of which is looked past about once.
 * WHY IT HOLDS.
 * 1. Nothing leaves without a place of its value: first of this process's meter (deliver/meter.h), then, where others
 *    write to the same store, of the store (quota_meter), in the transaction that claims. Redis is not asked: it is
 *    asked before the claim, which alone knows the values.
 * 2. Both places count from the claim on, and from the start on when it is told; what never starts gives them back.
 * 3. What has no room is settled as not sent, with a later due, so the next claim finds what stands behind it. It keeps
 *    its order key's place, its retries and its frozen set.
 * 4. A start and a reload read the starts that still count from the store (metering_read).
 * WHAT BREAKS IT. A value in two spellings. A set that was frozen before its values had limits counts for its first.
 * HOW TO SEE IT. `due` of a delivery that is put off; `limits` in GET /v1/destinations.
 * TESTED BY. The scenarios meter-*.txt; test/unit/engine/test_metering.c, test/unit/deliver/test_meter.c,
 *   test/e2e/test_limits_meter.py.
 */
#include "engine/metering.h"

#include "connect/connect.h"
#include "deliver/settle.h"
#include "store/memory.h"

void metering_begin(struct turn *turn, size_t desk, struct delivery *const *ready, size_t count,
                    struct metering *ret_metering) {
    const struct loop *loop = turn->loop;
    const struct destination_settings *settings = deliver_settings(loop->deliver, desk);
    struct metering metering = {turn, desk, deliver_meters(loop->deliver, desk), NULL, count};
    if (metering.meters) {
        metering.values = arena_array(turn->arena, struct str, count);
        for (size_t i = 0; i < count; i++)
            metering.values[i] = connect_metered(settings, ready[i], meters_param(metering.meters), turn->arena);
    }
    *ret_metering = metering;
}

/* How many of those that are still to leave, from i on, have the same value. */
static size_t wanted(const struct metering *metering, struct delivery *const *ready, size_t i) {
    size_t count = 0;
    for (size_t j = i; j < metering->count; j++) count += ready[j] && metering_joins(metering, i, j);
    return count;
}

/* It was claimed and cannot leave yet. */
static void put_off(struct metering *metering, const struct delivery *delivery, struct str value, int64_t at_least_us) {
    struct turn *turn = metering->turn;
    bool fresh = delivery->due_us == delivery->first_due_us;
    struct outcome outcome = {.class = OUTCOME_RETRY, .unsent = true, .http_status = delivery->last_status};
    struct settled back = settled_as(delivery, delivery->looking_up ? DELIVERY_UNKNOWN : DELIVERY_PENDING);
    back.keep_batch = true;
    back.due_us = meters_slot(metering->meters, value, turn->now_us, at_least_us, fresh);
    turn_settlement(turn, delivery, metering->desk, &outcome, &back);
    deliver_due(turn->loop->deliver, metering->desk, back.due_us);
}

static bool leave_together(const struct delivery *a, const struct delivery *b) {
    return !uuid_is_zero(a->batch) && uuid_eq(a->batch, b->batch) && !a->looking_up && !b->looking_up;
}

/* A frozen set stays frozen: where its first has no room, none of it leaves, whatever room the others have. Each is put
 * off by itself, and the set leaves whole when one of them is claimed. */
static void put_off_set(struct metering *metering, struct delivery **ready, size_t i, int64_t at_least_us) {
    for (size_t j = i + 1; j < metering->count; j++) {
        if (!ready[j] || !leave_together(ready[i], ready[j])) continue;
        put_off(metering, ready[j], metering->values[j], at_least_us);
        ready[j] = NULL;
    }
    put_off(metering, ready[i], metering->values[i], at_least_us);
}

enum err metering_admit(struct metering *metering, struct delivery **ready, size_t i, bool *ret_admitted) {
    struct turn *turn = metering->turn;
    int64_t wait_us = 0;
    *ret_admitted = true;
    if (!metering->meters) return ERR_NONE;
    struct str value = metering->values[i];
    size_t room = meters_room(metering->meters, value, turn->now_us, wanted(metering, ready, i));
    if (room) TRY(quota_meter(turn, metering->desk, value, room, ret_admitted, &wait_us));
    *ret_admitted = *ret_admitted && room;
    if (*ret_admitted)
        meters_take(metering->meters, value, turn->now_us);
    else
        put_off_set(metering, ready, i, turn->now_us + wait_us);
    return ERR_NONE;
}

bool metering_joins(const struct metering *metering, size_t i, size_t j) {
    return !metering->meters || str_eq(metering->values[i], metering->values[j]);
}

struct metered metering_place(const struct metering *metering, size_t i) {
    return (struct metered){metering->meters, metering->meters ? metering->values[i] : STR("")};
}

/* ---- what was sent before ---- */

#define PAGE_ATTEMPTS ((size_t)256) /* each brings its parameters, so that not all are read at once */

static void count_send(struct meters *meters, const struct destination_settings *settings,
                       const struct metered_send *send, int64_t now_us, struct arena *arena) {
    const struct event none = {0};
    const struct delivery delivery = {.action = send->action, .params = send->params, .event = &none};
    struct str value = connect_metered(settings, &delivery, meters_param(meters), arena);
    meters_restore(meters, value, send->started_us, now_us);
}

static void count_sends(struct loop *loop, size_t desk, const struct metered_send *sends, size_t count, int64_t now_us,
                        struct arena *arena) {
    const struct destination_settings *settings = deliver_settings(loop->deliver, desk);
    struct meters *meters = deliver_meters(loop->deliver, desk);
    for (size_t i = 0; i < count; i++) {
        struct meters *past = deliver_meters_past(loop->deliver, desk, sends[i].started_us);
        if (meters) count_send(meters, settings, &sends[i], now_us, arena);
        if (past) count_send(past, settings, &sends[i], now_us, arena);
    }
}

/* Page by page, in order of their starts. Those with the last start of a full page may go on in the next one, so they
 * are left to it; where all of a page started at once, it is read again and larger. */
static enum err read_metered(struct loop *loop, size_t desk, struct str name, int64_t now_us, struct arena *arena) {
    int64_t since_us = now_us - deliver_metered_window(loop->deliver, desk);
    size_t most = PAGE_ATTEMPTS, count = most;
    struct metered_send *sends;
    while (count == most) {
        arena_reset(arena);
        TRY(store_sends_of(loop->options.store, name, since_us, most, arena, &sends, &count));
        size_t whole = count;
        while (count == most && whole && sends[whole - 1].started_us == sends[count - 1].started_us) whole--;
        if (whole) since_us = sends[whole - 1].started_us;
        if (!whole && count) count = most *= 2;
        count_sends(loop, desk, sends, whole, now_us, arena);
    }
    TRY(store_flying_of(loop->options.store, name, now_us, arena, &sends, &count));
    count_sends(loop, desk, sends, count, now_us, arena);
    return ERR_NONE;
}

enum err metering_read(struct loop *loop, size_t first_desk, int64_t now_us) {
    struct arena arena = ARENA_EMPTY;
    enum err err = ERR_NONE;
    if (loop->reread_metered) deliver_forget_meters(loop->deliver);
    for (size_t i = first_desk; i < deliver_desks(loop->deliver) && !err; i++) {
        const struct destination_settings *settings = deliver_settings(loop->deliver, i);
        if (!settings || !deliver_metered_window(loop->deliver, i)) continue;
        err = read_metered(loop, i, settings->name, now_us, &arena);
        for (size_t j = 0; j < settings->was.count && !err; j++)
            err = read_metered(loop, i, settings->was.items[j], now_us, &arena);
    }
    arena_free(&arena);
    return err;
}
