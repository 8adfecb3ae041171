#include "model/delivery.h"

#include <assert.h>
#include <stdio.h>

#include "base/hash.h"

static const char *const status_texts[DELIVERY_STATUS_COUNT] = {
#define DELIVERY_STATUS_TEXT(name) #name,
    DELIVERY_STATUS_LIST(DELIVERY_STATUS_TEXT)
#undef DELIVERY_STATUS_TEXT
};

const char *delivery_status_text(enum delivery_status status) {
    return status_texts[status];
}

bool delivery_status_parse(struct str text, enum delivery_status *ret_status) {
    for (int i = 0; i < DELIVERY_STATUS_COUNT; i++)
        if (str_eq(text, str_from(status_texts[i]))) {
            *ret_status = (enum delivery_status)i;
            return true;
        }
    return false;
}

#define TO(name) (1u << DELIVERY_##name)
/* Each row says where a delivery may go from that status. A claim takes PENDING and UNKNOWN to PROCESSING, and only a
 * settle leaves PROCESSING. A person moves PENDING, UNKNOWN and HELD; one that asks for a PENDING delivery to go now
 * leaves it PENDING. The rows of the final statuses are empty: a replay makes a new run. */
static const unsigned moves[DELIVERY_STATUS_COUNT] = {
    [DELIVERY_PENDING] = TO(PENDING) | TO(PROCESSING) | TO(HELD) | TO(SKIPPED) | TO(FAILED),
    [DELIVERY_PROCESSING] = TO(PENDING) | TO(COMPLETED) | TO(FAILED) | TO(UNKNOWN) | TO(HELD),
    [DELIVERY_UNKNOWN] = TO(PROCESSING) | TO(PENDING) | TO(COMPLETED) | TO(FAILED) | TO(HELD) | TO(SKIPPED),
    [DELIVERY_HELD] = TO(PENDING) | TO(UNKNOWN) | TO(COMPLETED) | TO(FAILED) | TO(SKIPPED),
};

enum delivery_status delivery_move(enum delivery_status from, enum delivery_status to) {
    assert(moves[from] & (1u << to)); /* a late worker is refused by the lease's epoch in SQL, not here */
    return to;
}

bool delivery_is_final(enum delivery_status status) {
    return moves[status] == 0;
}

bool delivery_waits(enum delivery_status status) {
    return !delivery_is_final(status) && status != DELIVERY_HELD;
}

bool delivery_is_cancelled(const struct delivery *delivery) {
    return delivery->status == DELIVERY_SKIPPED && str_starts(delivery->last_error, STR("cancelled by "));
}

bool delivery_is_owed(const struct delivery *owed, struct str destination, struct str step, struct str place) {
    if (!str_eq(destination, owed->destination) && !str_list_has(owed->was, destination)) return false;
    if (str_eq(step, owed->step)) return true;
    if (!owed->key_to_come) return false;
    return owed->name_to_come.n ? str_eq(step, owed->name_to_come) : str_eq(place, owed->step);
}

struct uuid delivery_derive_key(struct hasher *hasher, struct str event_key, struct str destination, struct str step,
                                int32_t run) {
    char run_text[16];
    int run_length = snprintf(run_text, sizeof run_text, "%d", run);
    const struct str parts[] = {event_key, destination, step, {run_text, (size_t)run_length}};
    return uuid_derive(hasher, parts, sizeof parts / sizeof parts[0]);
}

/* The id begins with the event's time, so that new ids stand at the end of their index. */
void delivery_identify(struct hasher *hasher, const struct event *event, struct delivery *delivery) {
    delivery->key = delivery_derive_key(hasher, event->key, delivery->destination, delivery->step, delivery->run);
    delivery->id = uuid_dated(delivery->key, event->created_us);
}

bool attempt_is_lookup(const struct attempt *attempt) {
    return str_starts(attempt->error, STR(ATTEMPT_LOOKUP));
}
