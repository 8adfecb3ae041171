/* engine/sets.c - see sets.h. */
#include "engine/sets.h"

#include "base/hash.h"
#include "deliver/settle.h"
#include "engine/turn.h"

#define AWAY_US US_PER_S /* how long what is whole soon waits */

struct uuid set_id(const struct turn *turn, const struct delivery *const *set, size_t count) {
    struct buf keys = {.arena = turn->arena};
    for (size_t i = 0; i < count; i++) buf_add(&keys, (struct str){(const char *)set[i]->key.b, sizeof set[i]->key.b});
    const struct str parts[] = {buf_str(&keys), STR("joined")};
    return uuid_derive(turn->loop->hasher, parts, 2);
}

bool set_is_whole(const struct turn *turn, const struct destination_settings *settings,
                  const struct delivery *const *set, size_t count) {
    const struct action_traits *traits = destination_action(settings, set[0]->action);
    return traits && traits->batch_max > 1 && uuid_eq(set_id(turn, set, count), set[0]->batch);
}

enum err set_part(struct turn *turn, const struct delivery *const *set, size_t count, size_t desk) {
    const struct destination_settings *settings = deliver_settings(turn->loop->deliver, desk);
    size_t away;
    TRY(store_batch_away(turn->loop->options.store, set[0]->batch, count, &away));
    for (size_t i = 0; i < count; i++) {
        struct outcome outcome = {.class = OUTCOME_RETRY, .unsent = true, .http_status = set[i]->last_status};
        struct settled settled = settled_as(set[i], DELIVERY_PENDING);
        if (away) {
            settled.due_us = turn->now_us + AWAY_US;
            settled.keep_batch = true;
        } else {
            settled = settle_parted(set[i], settings, turn->now_us, turn->arena);
        }
        turn_settlement(turn, set[i], desk, &outcome, &settled);
        if (settled.status == DELIVERY_PENDING) deliver_due(turn->loop->deliver, desk, settled.due_us);
    }
    return ERR_NONE;
}

/* A half has an id that a turn which is made again gives it, too. One that is left alone is a set: it must not spoil
 * the next call for those that wait. */
static void cut(struct turn *turn, size_t first) {
    size_t count = turn->settlement_count - first, members = 0;
    const struct delivery **apart = arena_array(turn->arena, const struct delivery *, count);
    struct settlement **settlements = arena_array(turn->arena, struct settlement *, count);
    for (size_t i = first; i < turn->settlement_count; i++) {
        if (!turn->notes[i].apart) continue;
        apart[members] = turn->notes[i].delivery;
        settlements[members++] = &turn->settlements[i];
    }
    if (!members) return;
    size_t half = (members + 1) / 2;
    const struct uuid ids[] = {set_id(turn, apart, half), set_id(turn, apart + half, members - half)};
    for (size_t i = 0; i < members; i++) settlements[i]->batch = ids[i >= half];
}

/* What was not in the call, because it was too large or names an item that another names, waits as the others do; and a
 * set that goes again has one wait, that of its first. */
static void align(struct turn *turn, size_t first) {
    const struct settlement *lead = NULL;
    for (size_t i = first; i < turn->settlement_count; i++) {
        struct settlement *settlement = &turn->settlements[i];
        if (uuid_is_zero(settlement->batch) || turn->notes[i].apart) continue;
        if (!lead && turn->notes[i].attempted && settlement->status == DELIVERY_PENDING) lead = settlement;
    }
    for (size_t i = first; lead && i < turn->settlement_count; i++) {
        struct settlement *settlement = &turn->settlements[i];
        bool again = uuid_eq(settlement->batch, lead->batch) && settlement->status == DELIVERY_PENDING;
        if (again) settlement->due_us = lead->due_us;
    }
}

void set_settled(struct turn *turn, size_t first) {
    cut(turn, first);
    align(turn, first);
}
