/* engine/loop.c - one turn after the other: see loop.h.
 *
 * WHAT. Collects what came in, runs the whole line over it in one transaction, and acts on it once that has committed.
 * PROMISE. Nobody outside hears of anything that is not durable: no reply, no send and no log line of an end goes out
 * before the commit. A turn that fails leaves the store and memory as they were; of what came in nothing is lost, and
 * nothing takes effect twice.
 * WHY IT HOLDS.
 * 1. Decide, commit once, then act. turn_transaction only decides; turn_apply runs after its commit and is the only
 *    place that makes memory true, replies, and starts sends.
 * 2. Everything that a turn changes in memory is staged (desks, routes, company, chores, errands) and is either made
 *    true in turn_apply or taken back in turn_undo.
 * 3. The order of the hops: settling comes first, so that a freed slot can be used again in the same turn. Requests are
 *    taken before events are routed, so that what came in may leave at once. Desks are saved and others are told last,
 *    because every hop before may have changed something that is to be saved or told.
 * 4. Each request is replied to once, by turn_apply or by turn_refuse. Answers of sends stay in loop->finished until a
 *    turn that settled them has committed.
 * 5. A turn that another process raced begins again from its inputs, RACES_MAX times at most: nothing of it was heard
 *    outside. Only shared limits that Redis granted are kept (quota_again).
 * 6. A COMMIT that was not answered is resolved by the driver: here it either happened or failed.
 * 7. A turn that one input spoilt is divided (parts.c). Any other failure drops the turn: callers get 503, and the loop
 *    begins again after STORE_RETRY_US with everything due. An error of class FATAL ends the process, and the next one
 *    starts from what is durable.
 * WHAT BREAKS IT. A hop that acts outside before the commit. Memory that a turn changes without staging it.
 * HOW TO SEE IT. drumbeat_turn_seconds, drumbeat_commit_seconds, drumbeat_hops_total; the log line turn_dropped;
 * GET /readyz.
 * TESTED BY. test/unit/engine/test_loop.c; the scenarios crash-*, disk-*; test/e2e/test_commit.py and
 * test_store_faults.py; the planted bugs answered-before-commit, failed-commit-is-fine, memory-before-disk and
 * settled-before-sent.
 */
#include "engine/loop.h"

#include "engine/flight.h"
#include "engine/lines.h"
#include "engine/loop_memory.h"
#include "engine/parts.h"
#include "engine/turn.h"
#include "store/memory.h"
#include "store/shared.h"

#define STORE_RETRY_US  US_PER_S
#define RACES_MAX       4
#define CAREFUL_CLASHES 2              /* of a turn that clashed before */
#define WITHOUT_MAX     48             /* tries of a turn without what is refused, */
#define WITHOUT_US      (2 * US_PER_S) /* in so long */
#define QUIET_US        US_PER_S       /* without work, before the log is emptied into the store */

/* ---- the turn ---- */

static struct turn turn_collect(struct loop *loop) {
    const struct inlet *inlet = &loop->options.inlet;
    const struct transport *transport = &loop->options.transport;
    arena_reset(&loop->arena);
    struct turn turn = {.loop = loop, .arena = &loop->arena};
    struct request *requests[TURN_REQUESTS_MAX];
    turn.visit_count = inlet->collect(inlet->self, requests, TURN_REQUESTS_MAX);
    turn.visits = arena_array(turn.arena, struct visit, turn.visit_count);
    for (size_t i = 0; i < turn.visit_count; i++) turn.visits[i].request = requests[i];
    flights_begun(loop);
    size_t before = loop->finished_count, room = TURN_COMPLETIONS_MAX - before - loop->aside_count;
    loop->finished_count += transport->collect(transport->self, loop->finished + before, room);
    for (size_t i = before; i < loop->finished_count; i++) flight_over(loop, &loop->finished[i]);
    loop->more = turn.visit_count == TURN_REQUESTS_MAX ||
                 (loop->finished_count && loop->finished_count + loop->aside_count == TURN_COMPLETIONS_MAX);
    turn.now_us = loop->options.clock.now_us(loop->options.clock.self);
    turn.wall_us = loop->options.clock.wall_us(loop->options.clock.self);
    return turn;
}

static bool desk_waits(const struct loop *loop, int64_t now_us) {
    if (!turn_delivers(loop)) return false;
    return deliver_next(loop->deliver, now_us) <= now_us;
}

static bool anything_to_do(const struct turn *turn) {
    const struct loop *loop = turn->loop;
    if (turn->visit_count || loop->finished_count) return true;
    if (turn->now_us < loop->store_retry_us) return false;
    return (turn_routes(loop) && loop->next_scheduled_us <= turn->wall_us) || turn_route_next(loop) <= turn->now_us ||
           chores_next(loop) <= turn->now_us || exports_next(loop) <= turn->now_us || quota_waits(loop) ||
           desk_waits(loop, turn->now_us);
}

static int64_t quiet_for(const struct desk_view *view, int64_t now_us) {
    return view->quiet_until_us > now_us ? view->quiet_until_us - now_us : 0;
}

/* What a closed breaker counts belongs to each process alone: on a shared store, writing it could undo the opening that
 * another process has just written. */
static unsigned aspects_to_save(const struct loop *loop, unsigned aspects) {
    if (aspects & DESK_COUNT && !store_is_shared(loop->options.store)) aspects |= DESK_BREAKER;
    return aspects & STATE_ALL;
}

static enum err save_desks(struct turn *turn) {
    struct loop *loop = turn->loop;
    struct desk_change changes[64];
    size_t count;
    loop->changed_count = 0;
    while ((count = deliver_changed(loop->deliver, changes, 64)) > 0) {
        struct destination_state states[64];
        size_t saved = 0;
        for (size_t i = 0; i < count; i++) {
            unsigned aspects = aspects_to_save(loop, changes[i].aspects);
            if (!aspects) continue;
            struct desk_view view = deliver_view(loop->deliver, changes[i].desk, turn->now_us);
            const struct destination_settings *settings = deliver_settings(loop->deliver, changes[i].desk);
            if (settings && view.breaker.state == BREAKER_HALF_OPEN)
                view.breaker.until_us = turn_lease_until(turn, settings); /* others leave the probe to us so long */
            if (settings && aspects & DESK_QUIET) quota_quiet(turn, settings->account, quiet_for(&view, turn->now_us));
            if (loop->changed_count < LOOP_CHANGED_MAX) loop->changed[loop->changed_count++] = changes[i];
            states[saved++] = (struct destination_state){.name = view.name,
                                                         .paused = view.paused,
                                                         .paused_until_us = view.paused_until_us,
                                                         .pause_reason = view.pause_reason,
                                                         .breaker_state = view.breaker.state,
                                                         .breaker_until_us = view.breaker.until_us,
                                                         .breaker_failures = breaker_failures(&view.breaker),
                                                         .breaker_ramp = view.breaker.ramp,
                                                         .quiet_until_us = view.quiet_until_us,
                                                         .suspect_seq = view.suspect_seq,
                                                         .probing = view.probing,
                                                         .aspects = aspects};
        }
        if (!saved) continue;
        TRY(store_save_destination(loop->options.store, states, saved, turn->now_us));
        loop->company.tell |= SQL_NEWS_STATE;
    }
    return ERR_NONE;
}

/* The only moment at which a turn waits for the disk, or for the database to have things on disk. */
static enum err turn_commit(struct turn *turn) {
    const struct loop *loop = turn->loop;
    const struct clock *clock = &loop->options.clock;
    int64_t began_us = clock->now_us(clock->self);
    TRY(store_commit(loop->options.store));
    metrics_commit_seconds(loop->metrics, clock->now_us(clock->self) - began_us);
    return ERR_NONE;
}

static int64_t clock_for_spans(const struct turn *turn) {
    const struct clock *clock = &turn->loop->options.clock;
    return exports_tracer(turn->loop->exports) ? clock->now_us(clock->self) : 0;
}

/* The line: all hops of a turn, in one transaction. See the page above for the reasons of this order. */
static enum err turn_transaction(struct turn *turn) {
    struct loop *loop = turn->loop;
    TRY(store_begin(loop->options.store));
    TRY(loop_read_memory(loop));
    TRY(company_learn(turn));
    TRY(logins_look(turn));
    TRY(quota_begin(turn));
    if (loop->service_stale) TRY(loop->options.service.learn(loop->options.service.self, loop->options.store));
    loop->service_stale = false;
    TRY(turn_settle_finished(turn));
    turn->took_us = clock_for_spans(turn);
    TRY(turn_take(turn));
    if (turn->wishes & WISH_KEYS) TRY(loop->options.service.learn(loop->options.service.self, loop->options.store));
    TRY(turn_append(turn));
    turn->appended_us = clock_for_spans(turn);
    TRY(turn_enter(turn, PHASE_ROUTING, 0));
    if (!turn->only_inputs) TRY(turn_route(turn));
    turn->planned_us = clock_for_spans(turn);
    if (!turn->only_inputs) TRY(turn_claim(turn));
    if (!turn->only_inputs) TRY(chores_run(turn));
    if (!turn->only_inputs) exports_run(turn);
    TRY(turn_enter(turn, PHASE_END, 0));
    TRY(save_desks(turn));
    TRY(company_tell(turn));
    return turn_commit(turn);
}

/* Nothing flies before the recovery is over. So whatever is settled meanwhile was left by another process, or by this
 * one's past. */
static void count_recovered(struct turn *turn) {
    for (size_t i = 0; i < turn->settlement_count; i++) {
        enum delivery_status status = turn->settlements[i].status;
        if (!turn->notes[i].applied) continue;
        if (status == DELIVERY_UNKNOWN || status == DELIVERY_HELD)
            turn->loop->in_doubt++;
        else
            turn->loop->resumed++;
    }
}

/* Sends that our own machine had no room for are put back and blame nobody. So only this tells of them: they are
 * counted, and the log has a line for the first and one when sends go out again. */
static void note_room(const struct turn *turn) {
    struct loop *loop = turn->loop;
    const struct answer *unsent = NULL;
    uint64_t count = 0;
    for (size_t i = 0; i < loop->finished_count; i++) {
        if (loop->finished[i].answer.end != EXCHANGE_NO_ROOM) continue;
        unsent = &loop->finished[i].answer;
        count++;
    }
    metrics_unsent(loop->metrics, count);
    if (count && !loop->no_room)
        log_event(loop->options.log, LOG_WARN, turn->wall_us, "no_room_for_sends", LOG_NUMBER("sends", (int64_t)count),
                  LOG_TEXT("trouble", str_from(unsent->trouble)),
                  LOG_TEXT("effect", STR("they are put back and tried again in a second; no destination is blamed")));
    if (!count && loop->finished_count && loop->no_room)
        log_event(loop->options.log, LOG_INFO, turn->wall_us, "room_for_sends",
                  LOG_NUMBER("sends_put_back", (int64_t)metrics_unsent_count(loop->metrics)));
    if (loop->finished_count) loop->no_room = count > 0;
}

static void measure_delivery(struct turn *turn, const struct settle_note *note) {
    const struct metric_example example =
        note->delivery->event ? span_example(turn, note->delivery->event) : (struct metric_example){0};
    metrics_delivery_seconds(turn->loop->metrics, turn->wall_us - note->stored_us, &example);
}

static bool is_own(const struct settle_note *note) {
    const struct event *event = note->delivery->event;
    return event && str_starts(event->type, STR(EVENT_OWN));
}

/* A call for several that is cut in two tells nothing of how many fail: what stands alone in the end does. */
static void count_attempt(struct turn *turn, const struct settle_note *note, struct str destination) {
    metrics_attempt(turn->loop->metrics, destination, note->class, !note->apart);
    if (!note->apart && !is_own(note)) rates_attempt(&turn->loop->rates, note->class, turn->now_us);
}

static void tell_desks(const struct turn *turn) {
    struct loop *loop = turn->loop;
    for (size_t i = 0; i < loop->changed_count; i++) {
        const struct desk_view view = deliver_view(loop->deliver, loop->changed[i].desk, turn->now_us);
        lines_desk(turn, &view, loop->changed[i].aspects);
    }
    loop->changed_count = 0;
}

/* Memory follows disk: the turn has committed, so what it staged becomes true, and then it acts outside. */
void turn_apply(struct turn *turn) {
    struct loop *loop = turn->loop;
    deliver_commit(loop->deliver);
    company_learned(turn);
    loop->trouble = ERR_NONE;
    if (loop->recovering) count_recovered(turn);
    chores_apply(turn);
    if (turn->recovered) loop->recovering = false;
    turn_routed(turn);
    for (size_t i = 0; i < turn->settlement_count; i++) {
        const struct settle_note *note = &turn->notes[i];
        const struct settlement *settlement = &turn->settlements[i];
        if (!note->applied) continue;
        if (note->resent) metrics_resent(loop->metrics);
        if (note->attempted) count_attempt(turn, note, settlement->destination);
        if (!delivery_is_final(settlement->status)) continue;
        metrics_settled(loop->metrics, settlement->destination, settlement->status);
        if (settlement->status == DELIVERY_COMPLETED && note->stored_us) measure_delivery(turn, note);
    }
    note_room(turn);
    tell_desks(turn);
    lines_settled(turn);
    spans_settled(turn);
    turn_release_finished(turn);
    tokens_tell(turn);
    turn_grant(turn);
    lines_came(turn);
    spans_routed(turn);
    turn_reply(turn);
    turn_start(turn);
    quota_end(turn, true);
}

/* Undoes what the turn staged, claimed and was about to send, as if it had not begun. */
void turn_undo(struct turn *turn) {
    store_rollback(turn->loop->options.store);
    deliver_rollback(turn->loop->deliver);
    routes_rollback(turn->loop->in_force.routes);
    tokens_rollback(turn->loop);
    turn->loop->unmade_us = turn->now_us;
    turn->loop->unmade_seq = 0;
    turn_drop_leaving(turn);
}

/* Makes the turn what it was at its beginning: its inputs stay, and so does what Redis granted it. */
static void turn_begin_again(struct turn *turn, int64_t scheduled_us) {
    struct loop *loop = turn->loop;
    turn_undo(turn);
    quota_again(turn);
    *turn = (struct turn){.loop = loop,
                          .arena = turn->arena,
                          .now_us = turn->now_us,
                          .wall_us = turn->wall_us,
                          .visits = turn->visits,
                          .visit_count = turn->visit_count,
                          .only_inputs = turn->only_inputs,
                          .place = {.careful = turn->place.careful},
                          .refused = turn->refused,
                          .takes = turn->takes,
                          .take_count = turn->take_count};
    for (size_t i = 0; i < turn->visit_count; i++) turn->visits[i] = (struct visit){.request = turn->visits[i].request};
    loop->service_stale = true;
    loop->next_scheduled_us = scheduled_us;
}

/* When another process was in the way, or the connection broke before anything was done, the same turn is run again at
 * once. A row that is in the way each time is no other process's: a unique index of somebody's refuses ours. */
static enum err turn_race(struct turn *turn, int64_t scheduled_us) {
    enum err err = turn_transaction(turn);
    int clashes = turn->place.careful ? CAREFUL_CLASHES : RACES_MAX;
    for (int tries = 1; (err == ERR_STORE_RACED && tries < RACES_MAX) || (err == ERR_STORE_CLASH && tries < clashes);
         tries++) {
        turn_begin_again(turn, scheduled_us);
        err = turn_transaction(turn);
    }
    return err == ERR_STORE_CLASH ? ERR_STORE_REFUSED : err;
}

/* Runs the transaction. One that is refused is run again carefully, so that it is known for what; then without the
 * desks and the chores at fault. */
enum err turn_try(struct turn *turn) {
    const struct clock *clock = &turn->loop->options.clock;
    int64_t scheduled_us = turn->loop->next_scheduled_us, end_us = clock->now_us(clock->self) + WITHOUT_US;
    enum err err = turn_race(turn, scheduled_us);
    for (int tries = 1; turn_is_of_one(err) && !turn->only_inputs && tries < WITHOUT_MAX; tries++) {
        size_t desk = SIZE_MAX;
        if (turn->place.careful && clock->now_us(clock->self) >= end_us) break;
        if (turn->place.careful && !turn_goes_without(turn, err, &desk)) break;
        turn->place.careful = true;
        turn_begin_again(turn, scheduled_us);
        if (desk != SIZE_MAX) turn_put_off_desk(turn, desk);
        err = turn_race(turn, scheduled_us);
    }
    return err;
}

/* A store of our own that is full, or on a disk that became read-only, can still be read. */
static bool writes_nothing(const struct loop *loop, enum err err) {
    return err == ERR_STORE_FULL || (err == ERR_STORE_BUSY && !store_is_shared(loop->options.store));
}

/* A trouble is told once, until another comes or it is over. */
static void note_trouble(const struct turn *turn, const char *event, enum err err, struct str words) {
    struct loop *loop = turn->loop;
    if (loop->trouble != err)
        log_event(loop->options.log, LOG_ERROR, turn->wall_us, event, LOG_TEXT("code", str_from(err_code(err))),
                  LOG_TEXT("trouble", words));
    loop->trouble = err;
}

/* Drops a turn that failed. Callers hear 503, answers of sends are offered to the next turn again, and everything
 * counts as due, because memory may have missed something. */
static enum err turn_drop(struct turn *turn, enum err err) {
    struct loop *loop = turn->loop;
    struct str words = str_dup(turn->arena, str_from(store_trouble(loop->options.store)));
    turn_undo(turn);
    quota_end(turn, false);
    if (writes_nothing(loop, err)) turn_answer_questions(turn);
    turn_refuse(turn, err_http(err) == 503 ? err : ERR_STORE_FAILED, STR_NONE);
    for (size_t i = 0; i < deliver_desks(loop->deliver); i++) deliver_due(loop->deliver, i, turn->now_us);
    loop->next_scheduled_us = turn->wall_us;
    loop->store_retry_us = turn->now_us + STORE_RETRY_US;
    loop->service_stale = true;
    note_trouble(turn, "turn_dropped", err, words);
    return err_class(err) == ERR_CLASS_FATAL ? err : ERR_NONE;
}

/* Puts the store in order. A checkpoint that finds no space is tried again later, because what was committed is safe in
 * the log; only a FATAL error is passed on. */
static enum err tidy(const struct turn *turn, bool idle) {
    struct store *store = turn->loop->options.store;
    enum err err = store_tidy(store, idle);
    if (err_class(err) != ERR_CLASS_FATAL) {
        backup_step(turn);
        return ERR_NONE;
    }
    note_trouble(turn, "store_failed", err, str_from(store_trouble(store)));
    return err;
}

/* Emptying the log costs several syncs, and the next commits must grow it anew. So it is done after QUIET_US without
 * work, and not between two events of a stream. */
static enum err rest(const struct turn *turn) {
    struct loop *loop = turn->loop;
    bool quiet = errands_in_use(loop->errands, ERRAND_OF_DESKS) == 0 && turn->now_us >= loop->quiet_us;
    if (quiet) loop->quiet_us = WHEN_NEVER;
    return tidy(turn, quiet);
}

enum err loop_turn(struct loop *loop) {
    struct turn turn = turn_collect(loop);
    errands_end_overdue(&turn);
    if (loop->aside_count) turn_retry_aside(&turn);
    bool busy = anything_to_do(&turn), look = company_are_due(loop, turn.now_us);
    if (!busy && (turn.now_us < loop->store_retry_us || !look)) return rest(&turn);
    loop->turns += busy;
    loop->quiet_us = turn.now_us + QUIET_US;
    deliver_next_turn(loop->deliver);
    exports_gather(&turn);
    quota_ask(&turn);
    turn.place.careful = loop->stuck.due_max || loop->stuck.unmade_max; /* some are refused: it is known for what */
    enum err err = turn_try(&turn);
    if (turn_is_divisible(&turn, err)) return turn_in_parts(&turn, err);
    if (err) return turn_drop(&turn, err);
    turn_apply(&turn);
    stuck_route_more(&turn);
    int64_t took_us = loop->options.clock.now_us(loop->options.clock.self) - turn.now_us;
    metrics_turn_seconds(loop->metrics, took_us);
    return tidy(&turn, false);
}

/* Everything that anything_to_do and loop_turn act on has its moment here. A moment that is missing would be overslept,
 * and one that they do not act on would make the loop spin. */
void loop_wait(struct loop *loop, int64_t until_us) {
    const struct clock *clock = &loop->options.clock;
    int64_t now_us = clock->now_us(clock->self), wall_us = clock->wall_us(clock->self);
    int64_t next_us = chores_next(loop);
    if (exports_next(loop) < next_us) next_us = exports_next(loop);
    if (errands_in_use(loop->errands, ERRAND_OF_DESKS) == 0 && loop->quiet_us < next_us) next_us = loop->quiet_us;
    if (loop->backup.next_us < next_us) next_us = loop->backup.next_us;
    if (errands_next_deadline(loop->errands) < next_us) next_us = errands_next_deadline(loop->errands);
    if (loop->more || quota_waits(loop) || (loop->finished_count && now_us >= loop->store_retry_us)) next_us = now_us;
    if (loop->aside_count && loop->aside_until_us < next_us) next_us = loop->aside_until_us;
    if (company_next(loop) < next_us) next_us = company_next(loop);
    if (turn_routes(loop) && loop->next_scheduled_us != WHEN_NEVER) {
        int64_t due_us = now_us + (loop->next_scheduled_us - wall_us);
        if (due_us < next_us) next_us = due_us;
    }
    if (turn_route_next(loop) < next_us) next_us = turn_route_next(loop);
    if (turn_delivers(loop)) {
        int64_t desk_us = deliver_next(loop->deliver, now_us);
        if (desk_us < next_us) next_us = desk_us;
    }
    if (store_is_tight(loop->options.store) && now_us + STORE_RETRY_US < next_us) next_us = now_us + STORE_RETRY_US;
    if (next_us < loop->store_retry_us) next_us = loop->store_retry_us;
    clock->wait(clock->self, next_us < until_us ? next_us : until_us);
}

uint64_t loop_turns(const struct loop *loop) {
    return loop->turns;
}
