#include "engine/flight.h"

#include <assert.h>
#include <stdlib.h>

/* A slot that once carried a large payload gives its memory back. */
#define FLIGHT_KEEP_BYTES ((size_t)32768)

struct flights {
    size_t slots, in_use;
    uint64_t generation;
    struct flight *all;
    size_t *free_slots; /* a stack */
};

struct flights *flights_new(size_t slots) {
    struct flights *flights = calloc(1, sizeof *flights);
    assert(flights);
    flights->slots = slots;
    flights->all = calloc(slots, sizeof *flights->all);
    flights->free_slots = calloc(slots, sizeof *flights->free_slots);
    assert(flights->all && flights->free_slots);
    for (size_t i = 0; i < slots; i++) flights->free_slots[i] = slots - 1 - i;
    return flights;
}

void flights_free(struct flights *flights) {
    for (size_t i = 0; i < flights->slots; i++) arena_free(&flights->all[i].arena);
    free(flights->all);
    free(flights->free_slots);
    free(flights);
}

size_t flights_in_use(const struct flights *flights) {
    return flights->in_use;
}

static const struct event *copy_event(struct arena *arena, const struct event *from) {
    struct event *event = arena_copy(arena, from, sizeof *from);
    event->key = str_dup(arena, from->key);
    event->type = str_dup(arena, from->type);
    event->source = str_dup(arena, from->source);
    event->payload = str_dup(arena, from->payload);
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

struct flight *flight_take(struct flights *flights, const struct delivery *const *deliveries, size_t count) {
    if (flights->in_use == flights->slots) return NULL;
    size_t slot = flights->free_slots[flights->slots - 1 - flights->in_use++];
    struct flight *flight = &flights->all[slot];
    flight->tag = ++flights->generation * flights->slots + slot;
    flight->deliveries = arena_array(&flight->arena, const struct delivery *, count);
    flight->count = count;
    for (size_t i = 0; i < count; i++) flight->deliveries[i] = copy_delivery(&flight->arena, deliveries[i]);
    return flight;
}

struct flight *flight_find(struct flights *flights, uint64_t tag) {
    struct flight *flight = &flights->all[tag % flights->slots];
    return flight->tag == tag ? flight : NULL;
}

void flight_release(struct flights *flights, struct flight *flight) {
    assert(flight->tag && flights->in_use > 0);
    struct arena arena = flight->arena;
    if (arena.used_bytes > FLIGHT_KEEP_BYTES)
        arena_free(&arena);
    else
        arena_reset(&arena);
    *flight = (struct flight){.arena = arena};
    flights->free_slots[flights->slots - flights->in_use--] = (size_t)(flight - flights->all);
}

static bool carries(const struct flight *flight, int64_t delivery_seq, int64_t lease_epoch) {
    for (size_t i = 0; i < flight->count; i++)
        if (flight->deliveries[i]->seq == delivery_seq && flight->deliveries[i]->lease_epoch == lease_epoch)
            return true;
    return false;
}

bool flights_carry(const struct flights *flights, int64_t delivery_seq, int64_t lease_epoch) {
    for (size_t i = 0; i < flights->slots; i++)
        if (flights->all[i].tag && carries(&flights->all[i], delivery_seq, lease_epoch)) return true;
    return false;
}

void flights_each(struct flights *flights, void (*visit)(void *self, struct flight *flight), void *self) {
    for (size_t i = 0; i < flights->slots; i++)
        if (flights->all[i].tag) visit(self, &flights->all[i]);
}
