/* engine/loop_memory.c - what the loop remembers: built from the store at start,
 * kept by name over a change of configuration. */
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/hash.h"
#include "engine/loop_memory.h"
#include "store/query.h"

struct desk_view loop_desk_view(const struct destination_state *state, const struct destination_settings *settings,
                                int64_t now_us) {
    return (struct desk_view){.name = state->name,
                              .paused = state->paused,
                              .paused_until_us = state->paused_until_us,
                              .pause_reason = state->pause_reason,
                              .quiet_until_us = state->quiet_until_us,
                              .breaker =
                                  breaker_restored(&settings->breaker, state->breaker_state, state->breaker_until_us,
                                                   state->breaker_failures, state->breaker_ramp, now_us)};
}

/* Desks before first_desk have their state already: they were there before this configuration. */
static enum err restore_desks(struct loop *loop, size_t first_desk, int64_t now_us) {
    struct destination_state *states;
    size_t count;
    TRY(store_destination_states(loop->options.store, &loop->arena, &states, &count));
    for (size_t i = 0; i < count; i++) {
        size_t desk = deliver_desk(loop->deliver, states[i].name);
        if (desk == SIZE_MAX || desk < first_desk) continue;
        const struct destination_settings *settings = deliver_settings(loop->deliver, desk);
        if (!settings) continue;
        struct desk_view view = loop_desk_view(&states[i], settings, now_us);
        if (!loop->options.exclusive && view.breaker.state == BREAKER_HALF_OPEN)
            view.breaker.state = BREAKER_OPEN; /* another process probes */
        deliver_restore(loop->deliver, desk, &view, now_us);
    }
    return ERR_NONE;
}

/* Limits hold over a restart: the starts that still count are read back. */
enum err loop_read_sends(struct loop *loop, size_t first_desk, int64_t now_us, struct arena *arena) {
    struct sent *sent;
    size_t count;
    int64_t window_us = deliver_longest_window(loop->deliver);
    if (window_us == 0) return ERR_NONE;
    TRY(store_sends_since(loop->options.store, now_us - window_us, now_us, arena, &sent, &count));
    for (size_t i = 0; i < count; i++) {
        size_t desk = deliver_desk(loop->deliver, sent[i].destination);
        if (desk != SIZE_MAX && desk >= first_desk)
            deliver_restore_send(loop->deliver, desk, sent[i].started_us, now_us);
    }
    return ERR_NONE;
}

enum err loop_read_quarantines(struct loop *loop, struct routes *routes, struct arena *arena) {
    struct quarantine *rows;
    size_t count;
    TRY(store_quarantines(loop->options.store, arena, &rows, &count));
    for (size_t i = 0; i < count; i++) {
        struct str hash = routes_program_hash(routes, rows[i].route, loop->hasher, arena);
        if (str_eq(hash, rows[i].program_hash)) routes_quarantine(routes, rows[i].route);
    }
    return ERR_NONE;
}

enum err loop_count_open(struct loop *loop, struct arena *arena) {
    struct destination_counts *counts;
    size_t count;
    TRY(store_counts(loop->options.store, false, arena, &counts, &count));
    loop->open_deliveries = 0;
    for (size_t i = 0; i < count; i++)
        loop->open_deliveries += counts[i].by_status[DELIVERY_PENDING] + counts[i].by_status[DELIVERY_PROCESSING] +
                                 counts[i].by_status[DELIVERY_UNKNOWN] + counts[i].by_status[DELIVERY_HELD];
    return ERR_NONE;
}

static enum err read_memory(struct loop *loop, size_t first_desk) {
    int64_t now_us = loop->options.clock.now_us(loop->options.clock.self);
    TRY(store_begin(loop->options.store));
    TRY(restore_desks(loop, first_desk, now_us));
    TRY(loop_read_sends(loop, first_desk, now_us, &loop->arena));
    TRY(loop_read_quarantines(loop, loop->in_force.routes, &loop->arena));
    TRY(loop_count_open(loop, &loop->arena));
    TRY(loop->options.service.learn(loop->options.service.self, loop->options.store));
    TRY(store_next_scheduled(loop->options.store, &loop->next_scheduled_us));
    return store_commit(loop->options.store);
}

enum err loop_open(const struct loop_options *options, struct in_force in_force, struct loop **ret_loop,
                   struct str *ret_problem) {
    struct loop *loop = calloc(1, sizeof *loop);
    assert(loop);
    loop->options = *options;
    loop->in_force = in_force;
    loop->deliver = deliver_new(options->slots);
    loop->errands = errands_new(options->slots);
    loop->metrics = metrics_new();
    loop->hasher = hasher_new();
    loop->finished = calloc(TURN_COMPLETIONS_MAX, sizeof *loop->finished);
    assert(loop->finished);
    loop->recovering = options->role != LOOP_INGEST;
    chores_open(loop, options->clock.now_us(options->clock.self));
    company_open(loop, options->clock.now_us(options->clock.self));
    loop->config_ok = true;
    loop->started_us = options->clock.now_us(options->clock.self);
    rng_seed(&loop->rng, options->seed);
    store_set_owner(options->store, options->instance);
    deliver_configure(loop->deliver, in_force.settings);
    enum err err = read_memory(loop, 0);
    if (err) {
        store_rollback(options->store);
        *ret_problem = str_from(store_trouble(options->store));
        loop_close(loop);
        return err;
    }
    *ret_loop = loop;
    return ERR_NONE;
}

void loop_leave(struct loop *loop) {
    company_leave(loop);
}

void loop_release(struct loop *loop) {
    for (size_t i = 0; i < loop->finished_count; i++)
        loop->options.transport.release(loop->options.transport.self, &loop->finished[i]);
    loop->finished_count = 0;
}

void loop_close(struct loop *loop) {
    loop_release(loop);
    deliver_free(loop->deliver);
    errands_free(loop->errands);
    metrics_free(loop->metrics);
    hasher_free(loop->hasher);
    quota_close(loop);
    arena_free(&loop->arena);
    free(loop->finished);
    free(loop);
}

enum err loop_apply(struct loop *loop, struct in_force in_force) {
    arena_reset(&loop->arena);
    size_t desks = deliver_desks(loop->deliver);
    deliver_configure(loop->deliver, in_force.settings);
    loop->in_force = in_force;
    enum err err = read_memory(loop, desks);
    if (!err) return ERR_NONE;
    store_rollback(loop->options.store);
    return err_class(err) == ERR_CLASS_FATAL ? err : ERR_NONE; /* the new desks begin without a past */
}

bool loop_uses(const struct loop *loop, const struct settings *settings) {
    return loop->in_force.settings == settings || errands_use(loop->errands, settings);
}

void loop_stop(struct loop *loop) {
    loop->stopping = true;
}

size_t loop_in_flight(const struct loop *loop) {
    return errands_in_use(loop->errands, ERRAND_OF_DESKS) + errands_in_use(loop->errands, ERRAND_RESERVE);
}

void loop_cancel(struct loop *loop) {
    errands_end_all(loop);
}

struct loop_view loop_view(const struct loop *loop) {
    return (struct loop_view){.ready = loop->trouble == ERR_NONE,
                              .trouble = loop->trouble,
                              .open_deliveries = loop->open_deliveries,
                              .recovering = loop->recovering,
                              .stopping = loop->stopping};
}

void loop_config_failed(struct loop *loop, bool failed) {
    loop->config_ok = !failed;
}

/* Resident pages from /proc: the second number of statm. */
static int64_t resident_bytes(void) {
    FILE *file = fopen("/proc/self/statm", "re");
    long long pages = 0;
    if (file) {
        if (fscanf(file, "%*s %lld", &pages) != 1) pages = 0;
        fclose(file);
    }
    return pages * sysconf(_SC_PAGESIZE);
}

#define COUNT_OFTEN_MAX 20000           /* open deliveries that are counted at each look */
#define COUNT_RARELY_US (60 * US_PER_S) /* counting more of them takes a tenth of a second a million */

static void fill_open(struct loop *loop, struct metrics_view *view, struct arena *arena) {
    struct destination_counts *counts;
    size_t count;
    int64_t oldest_us;
    bool due = loop->open_deliveries <= COUNT_OFTEN_MAX || view->now_us >= loop->counted_us + COUNT_RARELY_US;
    if (store_begin(loop->options.store)) return;
    if (due && !store_counts(loop->options.store, false, arena, &counts, &count)) {
        memset(loop->counted, 0, sizeof loop->counted);
        loop->counted_us = view->now_us;
        for (size_t i = 0; i < count; i++)
            for (int j = 0; j < DELIVERY_STATUS_COUNT; j++) loop->counted[j] += counts[i].by_status[j];
    }
    memcpy(view->open, loop->counted, sizeof loop->counted);
    if (!store_oldest_due(loop->options.store, &oldest_us) && oldest_us < view->now_us)
        view->lag_us = view->now_us - oldest_us;
    store_rollback(loop->options.store);
}

struct str loop_metrics(struct loop *loop, struct arena *arena) {
    size_t count = deliver_desks(loop->deliver), n = 0;
    struct metrics_desk *desks = arena_array(arena, struct metrics_desk, count);
    struct metrics_view view = {.now_us = loop->options.clock.now_us(loop->options.clock.self),
                                .queue_depth = loop->open_deliveries,
                                .desks = desks,
                                .config_ok = loop->config_ok,
                                .rss_bytes = resident_bytes()};
    for (size_t i = 0; i < count; i++) {
        const struct destination_settings *settings = deliver_settings(loop->deliver, i);
        if (!settings) continue;
        struct desk_view desk = deliver_view(loop->deliver, i, view.now_us);
        desks[n++] = (struct metrics_desk){.destination = desk.name,
                                           .limit = settings->account,
                                           .breaker_state = (int)desk.breaker.state,
                                           .in_flight = desk.in_flight,
                                           .remaining = desk.remaining,
                                           .paused = desk.paused};
    }
    view.desk_count = n;
    view.shares_limits = loop->options.share != NULL;
    quota_way(loop, &view.limits_up);
    view.limits_lost = loop->quota.losses;
    fill_open(loop, &view, arena);
    return metrics_text(loop->metrics, &view, arena);
}
