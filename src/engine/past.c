/* engine/past.c - see past.h. */
#include "engine/past.h"

bool past_repeats(const struct delivery *delivery) {
    return delivery->status == DELIVERY_SKIPPED && str_eq(delivery->last_error, STR(DELIVERY_RERUN_DONE));
}

/* Whether its key is the constant one of something that is owed, wherever that had its place then. */
static bool is_named(const struct plan *owed, const struct delivery *made) {
    for (size_t i = 0; i < owed->count; i++) {
        const struct delivery *one = &owed->deliveries[i];
        if (!str_eq(one->name_to_come, made->step)) continue;
        if (delivery_is_owed(one, made->destination, made->step, made->place)) return true;
    }
    return false;
}

static bool is_past(const struct plan *owed, const struct delivery *one, const struct delivery *made) {
    if (past_repeats(made) || !delivery_is_owed(one, made->destination, made->step, made->place)) return false;
    return !made->place.n || one->name_to_come.n || !is_named(owed, made);
}

const struct delivery *past_find(const struct plan *owed, size_t at, const struct delivery *made, size_t count) {
    for (size_t i = count; i-- > 0;)
        if (is_past(owed, &owed->deliveries[at], &made[i])) return &made[i];
    return NULL;
}
