/* engine/loop_memory.c - what the loop remembers: built from the store at start,
 * kept by name over a change of configuration. */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "deliver/backlog.h"
#include "deliver/heir.h"
#include "deliver/hold.h"
#include "engine/loop_memory.h"
#include "engine/metering.h"
#include "store/chore.h"
#include "store/query.h"

struct desk_view loop_desk_view(const struct destination_state *state, const struct destination_settings *settings,
                                int64_t now_us) {
    return (struct desk_view){.name = state->name,
                              .paused = state->paused,
                              .paused_until_us = state->paused_until_us,
                              .pause_reason = state->pause_reason,
                              .quiet_until_us = state->quiet_until_us,
                              .suspect_seq = state->suspect_seq,
                              .probing = state->probing,
                              .breaker =
                                  breaker_restored(&settings->breaker, state->breaker_state, state->breaker_until_us,
                                                   state->breaker_failures, state->breaker_ramp, now_us)};
}

static bool has_state(const struct destination_state *states, size_t count, struct str name) {
    for (size_t i = 0; i < count; i++)
        if (str_eq(states[i].name, name)) return true;
    return false;
}

/* Gives desks their state from the store, also that of an earlier name while the new one has none. Those before
 * first_desk have it already, because they were there before this configuration. */
static enum err restore_desks(struct loop *loop, size_t first_desk, int64_t now_us) {
    struct destination_state *states;
    size_t count;
    TRY(store_destination_states(loop->options.store, &loop->arena, &states, &count));
    for (size_t i = 0; i < count; i++) {
        if (str_eq(states[i].name, STR(HOLD_NAME)))
            deliver_hold_read(loop->deliver, states[i].paused, states[i].pause_reason);
        size_t desk = deliver_known(loop->deliver, states[i].name);
        if (desk == SIZE_MAX) continue;
        const struct destination_settings *settings = deliver_settings(loop->deliver, desk);
        bool earlier = !str_eq(settings->name, states[i].name);
        if (desk < first_desk && !(earlier && deliver_inherits(loop->deliver, desk))) continue;
        if (earlier && has_state(states, count, settings->name)) continue;
        struct desk_view view = loop_desk_view(&states[i], settings, now_us);
        if (!loop->options.exclusive && view.breaker.state == BREAKER_HALF_OPEN)
            view.breaker.state = BREAKER_OPEN; /* another process probes */
        deliver_restore(loop->deliver, desk, &view, now_us);
    }
    return ERR_NONE;
}

/* Reads back the starts that still count, so that limits hold over a restart. */
enum err loop_read_sends(struct loop *loop, size_t first_desk, int64_t now_us, struct arena *arena) {
    struct sent *sent;
    size_t count;
    int64_t window_us = deliver_longest_window(loop->deliver);
    if (window_us == 0) return ERR_NONE;
    TRY(store_sends_since(loop->options.store, now_us - window_us, now_us, arena, &sent, &count));
    for (size_t i = 0; i < count; i++) {
        size_t desk = deliver_known(loop->deliver, sent[i].destination);
        if (!first_desk) deliver_restore_past(loop->deliver, sent[i].destination, sent[i].started_us, now_us);
        if (desk == SIZE_MAX || desk < first_desk) continue;
        deliver_restore_send(loop->deliver, desk, sent[i].started_us, now_us);
    }
    return ERR_NONE;
}

enum err loop_read_stops(struct loop *loop, int64_t now_us, struct arena *arena) {
    struct stopped_route *rows;
    size_t count;
    TRY(store_route_stops(loop->options.store, arena, &rows, &count));
    struct route_stop *stops = arena_array(arena, struct route_stop, count);
    for (size_t i = 0; i < count; i++)
        stops[i] = (struct route_stop){rows[i].route, rows[i].program_hash, rows[i].reason, true, rows[i].until_us};
    routes_restore(loop->in_force.routes, stops, count, loop->hasher, arena, now_us);
    return ERR_NONE;
}

enum err loop_count_open(struct loop *loop, struct arena *arena) {
    struct destination_counts *counts;
    size_t count;
    TRY(store_counts(loop->options.store, false, arena, &counts, &count));
    backlog_forget(loop->deliver);
    for (size_t i = 0; i < count; i++) {
        size_t desk = deliver_desk(loop->deliver, counts[i].destination);
        int64_t waiting = 0;
        for (int j = 0; j < DELIVERY_STATUS_COUNT; j++)
            if (delivery_waits((enum delivery_status)j)) waiting += counts[i].by_status[j];
        if (desk != SIZE_MAX) backlog_read(loop->deliver, desk, waiting);
    }
    return ERR_NONE;
}

/* What is held for want of room goes before what comes from now on. */
static enum err read_overflow(struct loop *loop, struct arena *arena) {
    struct str *names;
    size_t count;
    TRY(store_overflowed(loop->options.store, arena, &names, &count));
    for (size_t i = 0; i < count; i++) {
        size_t desk = deliver_desk(loop->deliver, names[i]);
        if (desk != SIZE_MAX) backlog_read_overflow(loop->deliver, desk);
    }
    return ERR_NONE;
}

enum err loop_read_memory(struct loop *loop) {
    int64_t now_us = loop->options.clock.now_us(loop->options.clock.self);
    if (loop->unread_desk == DESK_NONE) return ERR_NONE;
    if (loop->unread_desk == 0) TRY(chores_clock_states(loop, now_us));
    TRY(restore_desks(loop, loop->unread_desk, now_us));
    if (loop->reread_sends) deliver_part(loop->deliver, loop->quota.apart ? loop->quota.parts : 1, true);
    TRY(loop_read_sends(loop, loop->reread_sends ? 0 : loop->unread_desk, now_us, &loop->arena));
    TRY(metering_read(loop, loop->reread_metered ? 0 : loop->unread_desk, now_us));
    TRY(loop_read_stops(loop, now_us, &loop->arena));
    loop->unmade_us = now_us;
    loop->unmade_seq = 0;
    TRY(loop_count_open(loop, &loop->arena));
    TRY(read_overflow(loop, &loop->arena));
    TRY(loop->options.service.learn(loop->options.service.self, loop->options.store));
    TRY(store_next_scheduled(loop->options.store, &loop->next_scheduled_us));
    loop->unread_desk = DESK_NONE;
    loop->reread_sends = loop->reread_metered = false;
    return ERR_NONE;
}

static void show_destinations(struct loop *loop) {
    const struct settings *settings = loop->in_force.settings;
    for (size_t i = 0; i < settings->destination_count; i++)
        metrics_destination(loop->metrics, settings->destinations[i].name);
}

static enum err read_memory(struct loop *loop) {
    TRY(store_begin(loop->options.store));
    TRY(loop_read_memory(loop));
    return store_commit(loop->options.store);
}

enum err loop_open(const struct loop_options *options, struct in_force in_force, struct loop **ret_loop,
                   struct str *ret_problem) {
    struct loop *loop = calloc(1, sizeof *loop);
    assert(loop);
    loop->options = *options;
    loop->in_force = in_force;
    loop->deliver = deliver_new(options->slots, options->meters_max ? options->meters_max : METERS_MAX);
    if (options->hold) deliver_hold_start(loop->deliver);
    loop->backup.next_us = WHEN_NEVER;
    loop->errands = errands_new(options->slots + TURN_COMPLETIONS_MAX); /* an answer that waits has no slot */
    loop->metrics = metrics_new();
    loop->hasher = hasher_new();
    certificates_open(loop);
    loop->exports = exports_new(options->otel, options->clock.now_us(options->clock.self));
    loop->finished = calloc(TURN_COMPLETIONS_MAX, sizeof *loop->finished);
    loop->aside = calloc(TURN_COMPLETIONS_MAX, sizeof *loop->aside);
    assert(loop->finished && loop->aside);
    loop->recovering = options->role != LOOP_INGEST;
    chores_open(loop, options->clock.now_us(options->clock.self));
    company_open(loop, options->clock.now_us(options->clock.self));
    loop->config_ok = true;
    loop->oldest_due_us = loop->oldest_doubt_us = WHEN_NEVER;
    loop->started_us = options->clock.now_us(options->clock.self);
    rng_seed(&loop->rng, options->seed);
    store_set_owner(options->store, options->instance);
    deliver_configure(loop->deliver, in_force.settings);
    show_destinations(loop);
    enum err err = read_memory(loop);
    if (err) {
        store_rollback(options->store);
        *ret_problem = str_from(store_trouble(options->store));
        loop_close(loop);
        return err;
    }
    options->service.learned(options->service.self);
    *ret_loop = loop;
    return ERR_NONE;
}

/* What never left was answered here, and is not the transport's (answer_unsent). */
static void give_back(struct loop *loop, struct completion *completions, size_t count) {
    for (size_t i = 0; i < count; i++) {
        const struct errand *errand = errand_find(loop->errands, completions[i].tag);
        if (!errand || errand->state != ERRAND_STAGED)
            loop->options.transport.release(loop->options.transport.self, &completions[i]);
    }
}

void loop_release(struct loop *loop) {
    give_back(loop, loop->finished, loop->finished_count);
    give_back(loop, loop->aside, loop->aside_count);
    loop->finished_count = loop->aside_count = 0;
}

void loop_close(struct loop *loop) {
    loop_release(loop);
    folders_close(loop);
    deliver_free(loop->deliver);
    errands_free(loop->errands);
    metrics_free(loop->metrics);
    hasher_free(loop->hasher);
    exports_free(loop->exports);
    quota_close(loop);
    backup_close(loop);
    tokens_close(&loop->tokens);
    expiries_close(loop);
    sift_close(loop);
    arena_free(&loop->arena);
    arena_free(&loop->waiting_arena);
    free(loop->finished);
    free(loop->aside);
    free(loop);
}

enum err loop_apply(struct loop *loop, struct in_force in_force) {
    arena_reset(&loop->arena);
    size_t desks = deliver_desks(loop->deliver);
    deliver_configure(loop->deliver, in_force.settings);
    deliver_left(loop->deliver, loop->options.clock.now_us(loop->options.clock.self));
    if (deliver_meters_stale(loop->deliver)) loop->reread_metered = true;
    if (deliver_limiters_stale(loop->deliver)) loop->reread_sends = true;
    const struct settings *before = loop->in_force.settings;
    loop->in_force = in_force;
    expiries_reconfigured(loop, before);
    show_destinations(loop);
    chores_reconfigured(loop);
    stuck_forget(loop);
    if (desks < loop->unread_desk) loop->unread_desk = desks;
    quota_reconfigured(loop);
    tokens_reread(loop);
    enum err err = read_memory(loop);
    if (!err) return ERR_NONE;
    store_rollback(loop->options.store);
    /* The next turn reads it before anything else, so no new desk begins without its past. */
    return err_class(err) == ERR_CLASS_FATAL ? err : ERR_NONE;
}

bool loop_uses(const struct loop *loop, const struct settings *settings) {
    return loop->in_force.settings == settings || errands_use(loop->errands, settings);
}

void loop_stop(struct loop *loop) {
    loop->stopping = true;
}

size_t loop_in_flight(const struct loop *loop) {
    return errands_in_use(loop->errands, ERRAND_OF_DESKS) + errands_in_use(loop->errands, ERRAND_RESERVE) +
           (loop->stopping && exports_are_left(loop));
}

void loop_cancel(struct loop *loop) {
    errands_end_all(loop);
}

struct loop_view loop_view(const struct loop *loop) {
    bool limits_up;
    quota_way(loop, &limits_up);
    bool tight = store_is_tight(loop->options.store);
    enum err trouble = tight && !loop->trouble ? ERR_STORE_FULL : loop->trouble;
    return (struct loop_view){.ready = trouble == ERR_NONE,
                              .trouble = trouble,
                              .tight = tight,
                              .open_deliveries = backlog_total(loop->deliver),
                              .recovering = loop->recovering,
                              .stopping = loop->stopping,
                              .resumed = loop->resumed,
                              .in_doubt = loop->in_doubt,
                              .limits_up = limits_up,
                              .limits_lost = loop->quota.losses};
}

void loop_config_failed(struct loop *loop, bool failed) {
    loop->config_ok = !failed;
}
