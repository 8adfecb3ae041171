/* engine/flight.c - what an errand of the desks keeps. The turn's memory ends with the turn, so everything that is read
 * when the answer comes is copied into the errand's own arena. */
#include "engine/flight.h"

#include "deliver/meter.h"

#include "engine/loop_state.h"

#include <assert.h>

static const struct event *copy_event(struct arena *arena, const struct event *from) {
    struct event *event = arena_copy(arena, from, sizeof *from);
    event->key = str_dup(arena, from->key);
    event->type = str_dup(arena, from->type);
    event->source = str_dup(arena, from->source);
    event->payload = str_dup(arena, from->payload);
    event->trace_parent = str_dup(arena, from->trace_parent);
    event->fingerprint = event->last_error = STR_NONE;
    return event;
}

static const struct delivery *copy_delivery(struct arena *arena, const struct delivery *from) {
    struct delivery *delivery = arena_copy(arena, from, sizeof *from);
    delivery->destination = str_dup(arena, from->destination);
    delivery->action = str_dup(arena, from->action);
    delivery->route = str_dup(arena, from->route);
    delivery->step = str_dup(arena, from->step);
    delivery->params = str_dup(arena, from->params);
    delivery->order_key = str_dup(arena, from->order_key);
    delivery->last_error = str_dup(arena, from->last_error);
    delivery->event = copy_event(arena, from->event);
    return delivery;
}

struct errand *flight_take(struct errands *errands, enum errand_kind kind, const struct delivery *const *deliveries,
                           size_t count) {
    struct errand *errand = errand_take(errands, &errand_owners[kind]);
    if (!errand) return NULL;
    struct flight *flight = arena_array(&errand->arena, struct flight, 1);
    *flight =
        (struct flight){.deliveries = arena_array(&errand->arena, const struct delivery *, count), .count = count};
    for (size_t i = 0; i < count; i++) flight->deliveries[i] = copy_delivery(&errand->arena, deliveries[i]);
    errand->keeps = flight;
    return errand;
}

struct flight *flight_of(const struct errand *errand) {
    assert(errand->owner->lot == ERRAND_OF_DESKS);
    return errand->keeps;
}

void metered_started(const struct metered *metered, int64_t at_us) {
    if (metered->meters) meters_started(metered->meters, metered->value, at_us);
}

static void flight_began(struct loop *loop, uint64_t tag, int64_t at_us) {
    struct errand *errand = errand_find(loop->errands, tag);
    if (!errand || errand->owner->lot != ERRAND_OF_DESKS || !flight_of(errand)->starting) return;
    flight_of(errand)->starting = false;
    deliver_started(loop->deliver, flight_of(errand)->desk, 1, at_us);
    metered_started(&flight_of(errand)->metered, at_us);
    if (flight_of(errand)->taken) quota_began(loop, flight_of(errand)->taken);
    if (flight_of(errand)->metered_taken) quota_began(loop, flight_of(errand)->metered_taken);
}

void flights_begun(struct loop *loop) {
    const struct transport *transport = &loop->options.transport;
    struct beginning begun[64];
    for (size_t count = 64; transport->begun && count == 64;) {
        count = transport->begun(transport->self, begun, 64);
        for (size_t i = 0; i < count; i++) flight_began(loop, begun[i].tag, begun[i].at_us);
    }
}

void flight_over(struct loop *loop, const struct completion *completion) {
    flight_began(loop, completion->tag, completion->answer.started_us);
}

bool flights_carry(const struct errands *errands, int64_t delivery_seq, int64_t lease_epoch) {
    const struct errand *errand = NULL;
    while ((errand = errand_next(errands, ERRAND_OF_DESKS, errand))) {
        const struct flight *flight = flight_of(errand);
        for (size_t i = 0; i < flight->count; i++)
            if (flight->deliveries[i]->seq == delivery_seq && flight->deliveries[i]->lease_epoch == lease_epoch)
                return true;
    }
    return false;
}
