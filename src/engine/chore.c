/* engine/chore.c - see chore.h.
 *
 * WHAT: the table of chores, and how a turn spends a few milliseconds on those that are due.
 * PROMISE: a chore makes a turn longer by CHORE_TURN_US and one step at most, leaves the line to itself for
 * CHORE_PAUSE_US between two of its turns, and costs an idle process nothing but one look an hour.
 * WHY IT HOLDS: steps are taken until the clock says that the share is spent, and each step is bounded by rows and
 * bytes (store/chore.h). What memory learns (when to look again) is staged in the turn and becomes true with its
 * commit, and the round's row is written in the same transaction: a dropped turn repeats exactly its own steps. Two
 * processes never take the same step, because the lock of the chore is held until the commit and the row is read under
 * it; when the holder dies, its transaction ends, and whoever looks next goes on from the row.
 * WHAT BREAKS IT: a step whose statement does not go by an index (test/conformance/test_plans.c and
 * test/unit/store/test_sql.c explain each).
 * HOW TO SEE IT: `drumbeat chores list`, drumbeat_turn_seconds, the log's chore_finished.
 * TESTED BY: test/unit/engine/test_chore.c, test/conformance/test_chores.c, test_fleet_chores.c. */
#include "engine/chore.h"

#include "deliver/backlog.h"
#include "engine/company.h"
#include "engine/folders.h"
#include "engine/loop_memory.h"
#include "schedule/day.h"
#include "store/report.h"
#include "store/shared.h"

#define CHORE_TURN_US    (2 * US_PER_MS)
#define CHORE_STEPS_MAX  16 /* of one chore in a turn: a bound for a clock that does not move */
#define CHORE_PAUSE_US   (4 * US_PER_MS)
#define LOOK_BUSY_US     (10 * US_PER_S)
#define LOOK_IDLE_US     US_PER_HOUR
#define LOST_SPELL_US    (2 * US_PER_S) /* leases that run out with less between them are one matter */
#define OTHERS_US        US_PER_S       /* how soon to look again at a chore that another process is doing */
#define ORPHAN_STEP      ((size_t)256)
#define STRAY_STEP       ((size_t)256)
#define STRAY_AFTER_US   US_PER_MIN       /* as long may others still have the configuration before, and send to it */
#define AHEAD_AGAIN_US   (30 * US_PER_S)  /* others are there that may go by the clock that was ahead */
#define DOUBT_AGAIN_US   (5 * US_PER_MIN) /* between two rounds while something is in doubt */
#define ALERTS_EVERY_US  US_PER_MIN
#define ALERTS_SOON_US   (5 * US_PER_S) /* the sheet that is to be sent is being made */
#define ORPHANS_FIRST_US US_PER_HOUR    /* after the start, unless something points at them */
#define ORPHANS_EVERY_US US_PER_DAY
#define ORPHANS_AGAIN_US (30 * US_PER_S) /* between two rounds that something pointed at: a foreign lock does too */

struct chore {
    int task;         /* enum store_task, which several processes share; 0 = each process does its own */
    bool for_routers; /* not for a process that only takes events in */
    bool asked;       /* a round begins by request alone */
    bool told;        /* the log says what a round found */
    bool remembers;   /* a round's result is where the next one begins; one that changes nothing leaves no trace */
    int64_t every_us; /* between the end of a round and the next; 0 = at each look */
    /* One step. The round is NULL where the chore has none. */
    enum err (*step)(struct turn *turn, struct chore_round *round, bool *ret_more);
};

/* ---- the steps ---- */

static enum err step_leases(struct turn *turn, struct chore_round *round, bool *ret_more) {
    (void)round;
    struct lost_leases *lost = &turn->chores.lost;
    TRY(turn_settle_past(turn, ret_more));
    turn->recovered = !*ret_more;
    lost->over = lost->at_us && turn->now_us - lost->at_us >= LOST_SPELL_US;
    return ERR_NONE;
}

static enum err step_giving_up(struct turn *turn, struct chore_round *round, bool *ret_more) {
    (void)round;
    return turn_give_up(turn, ret_more);
}

/* What a limit still counts stays longer than `keep` says: a restart reads from it what was sent. */
static enum err step_retirement(struct turn *turn, struct chore_round *round, bool *ret_more) {
    int64_t keep_us = turn->loop->in_force.settings->keep_events_us;
    int64_t counted_us = deliver_counted_window(turn->loop->deliver);
    if (keep_us && keep_us < counted_us) keep_us = counted_us;
    struct retirement done = {.last_seq = round->last_seq};
    if (keep_us) TRY(chores_retire(turn, turn->wall_us - keep_us, round->last_seq, &done));
    round->last_seq = done.last_seq;
    round->found += (int64_t)done.removed;
    *ret_more = done.more;
    return ERR_NONE;
}

static enum err step_orphans(struct turn *turn, struct chore_round *round, bool *ret_more) {
    struct loop *loop = turn->loop;
    struct swept swept;
    if (!round->steps) {
        TRY(store_last_delivery(loop->options.store, &round->part_end));
        round->total = round->part_end;
    }
    const struct sweep sweep = {.after_seq = round->last_seq,
                                .upto_seq = round->part_end,
                                .limit = ORPHAN_STEP,
                                .now_us = turn->now_us,
                                .counted_us = turn->now_us - deliver_counted_window(loop->deliver)};
    TRY(store_sweep(loop->options.store, &sweep, turn->arena, &swept));
    for (size_t i = 0; i < swept.open; i++) {
        size_t desk = deliver_desk(loop->deliver, swept.destinations[i]);
        if (desk != SIZE_MAX) deliver_due(loop->deliver, desk, turn->now_us);
    }
    round->last_seq = swept.last_seq;
    round->found += (int64_t)swept.orphans;
    *ret_more = swept.more;
    return ERR_NONE;
}

static enum err step_verify(struct turn *turn, struct chore_round *round, bool *ret_more) {
    return store_verify_step(turn->loop->options.store, turn->loop->hasher, turn->arena, round, ret_more);
}

static bool is_known(const struct loop *loop, struct str destination) {
    size_t desk = deliver_desk(loop->deliver, destination);
    return desk != SIZE_MAX && deliver_settings(loop->deliver, desk);
}

/* What was held because its destination was gone, and is back. */
static enum err free_stranded(struct turn *turn, bool *ret_more) {
    struct loop *loop = turn->loop;
    struct chores *state = &turn->chores;
    struct str *names;
    size_t count, freed = 0;
    TRY(store_stranded(loop->options.store, turn->arena, &names, &count));
    for (size_t i = 0; i < count && !freed; i++) {
        if (!is_known(loop, names[i])) continue;
        TRY(store_unstrand(loop->options.store, names[i], turn->now_us, STRAY_STEP, turn->arena, &freed));
        deliver_due(loop->deliver, deliver_desk(loop->deliver, names[i]), turn->now_us);
        backlog_change(loop->deliver, deliver_desk(loop->deliver, names[i]), (int64_t)freed);
    }
    state->freed += (int64_t)freed;
    if (!freed) state->reconfigured = false;
    *ret_more = freed > 0;
    return ERR_NONE;
}

static enum err step_strays(struct turn *turn, struct chore_round *round, bool *ret_more) {
    (void)round;
    struct loop *loop = turn->loop;
    struct next_due *next;
    size_t count, held = 0;
    TRY(adoption_step(turn, ret_more));
    if (*ret_more) return ERR_NONE;
    if (turn->chores.reconfigured) {
        TRY(free_stranded(turn, ret_more));
        if (*ret_more) return ERR_NONE;
    }
    TRY(store_next_due_all(loop->options.store, turn->arena, &next, &count));
    for (size_t i = 0; i < count && !held; i++) {
        if (is_known(loop, next[i].destination)) continue;
        if (turn->now_us < turn->chores.strays_from_us) { /* others may know it still */
            turn->chores.strays_us = turn->chores.strays_from_us;
            break;
        }
        TRY(store_strand(loop->options.store, next[i].destination, turn->now_us, STRAY_STEP, turn->arena, &held));
        backlog_change(loop->deliver, deliver_desk(loop->deliver, next[i].destination), -(int64_t)held);
    }
    turn->chores.stranded += (int64_t)held;
    *ret_more = held > 0;
    return ERR_NONE;
}

static int64_t yesterday(const struct turn *turn) {
    return day_reached(turn->loop->in_force.schedules, turn->wall_us) - 1;
}

/* The sheet of the day that a round was asked for, or of yesterday. */
static enum err step_report(struct turn *turn, struct chore_round *round, bool *ret_more) {
    const struct schedules *schedules = turn->loop->in_force.schedules;
    if (!round->mode) round->mode = yesterday(turn);
    return store_report_step(turn->loop->options.store, day_moment(schedules, round->mode, 0),
                             day_moment(schedules, round->mode + 1, 0), turn->arena, round, ret_more);
}

/* The events are routed by the next turn: they are in the store like everybody's. */
static enum err step_alerts(struct turn *turn, struct chore_round *round, bool *ret_more) {
    struct loop *loop = turn->loop;
    const struct service *service = &loop->options.service;
    struct call call = turn_call(turn);
    *ret_more = false;
    TRY(service->look(service->self, &call, &round->result));
    if (call.wishes & WISH_REPORT) turn->chores.due_us[CHORE_REPORT] = 0;
    turn->chores.alerts_soon = (call.wishes & WISH_REPORT) != 0;
    if (!call.event_count) return ERR_NONE;
    struct append_result *verdicts = arena_array(turn->arena, struct append_result, call.event_count);
    TRY(store_append(loop->options.store, call.events, call.event_count, turn->arena, verdicts));
    metrics_hop(loop->metrics, HOP_STORE_APPEND, call.event_count);
    loop->next_scheduled_us = turn->wall_us;
    round->found = (int64_t)call.event_count;
    return ERR_NONE;
}

static const struct chore chores[CHORE_COUNT] = {
    [CHORE_LEASES] = {.for_routers = true, .step = step_leases},
    [CHORE_GIVING_UP] = {.for_routers = true, .step = step_giving_up},
    [CHORE_RETIREMENT] = {.task = TASK_RETIRE, .step = step_retirement},
    [CHORE_ORPHANS] =
        {.task = TASK_ORPHANS, .for_routers = true, .told = true, .every_us = ORPHANS_EVERY_US, .step = step_orphans},
    [CHORE_VERIFY] = {.task = TASK_VERIFY, .asked = true, .told = true, .step = step_verify},
    [CHORE_STRAYS] = {.for_routers = true, .step = step_strays},
    [CHORE_OVERFLOW] = {.for_routers = true, .step = overflow_step},
    [CHORE_CLOCK] = {.task = TASK_CLOCK, .for_routers = true, .step = clock_step},
    [CHORE_RECONCILIATION] = {.task = TASK_DOUBT, .for_routers = true, .step = doubt_step},
    [CHORE_REPLAY] = {.task = TASK_REPLAY, .for_routers = true, .step = replay_step},
    [CHORE_REPORT] = {.task = TASK_REPORT, .step = step_report},
    [CHORE_ALERTS] = {.task = TASK_ALERTS, .for_routers = true, .remembers = true, .step = step_alerts},
    [CHORE_SCHEDULES] = {.for_routers = true, .step = schedules_step},
    [CHORE_FOLDERS] = {.for_routers = true, .step = folders_step},
};

/* ---- when ---- */

static int64_t clock_now(const struct loop *loop) {
    return loop->options.clock.now_us(loop->options.clock.self);
}

void chores_open(struct loop *loop, int64_t now_us) {
    loop->chores = (struct chores){.orphans_us = now_us + ORPHANS_FIRST_US};
    for (int i = 0; i < CHORE_COUNT; i++)
        if (chores[i].for_routers && !turn_routes(loop)) loop->chores.due_us[i] = WHEN_NEVER;
    chores_reconfigured(loop);
}

/* Of the chores that are due at now_us, the one that has waited for longest; CHORE_COUNT = none. */
static int most_overdue(const struct chores *state, int64_t now_us) {
    int first = CHORE_COUNT;
    for (int i = 0; i < CHORE_COUNT; i++)
        if (state->due_us[i] <= now_us && (first == CHORE_COUNT || state->due_us[i] < state->due_us[first])) first = i;
    return first;
}

int64_t chores_next(const struct loop *loop) {
    int first = most_overdue(&loop->chores, WHEN_NEVER);
    if (schedules_clock_was_set(loop, clock_now(loop))) return 0;
    return first == CHORE_COUNT ? WHEN_NEVER : loop->chores.due_us[first];
}

void chores_reconfigured(struct loop *loop) {
    loop->chores.reconfigured = true;
    loop->chores.strays_from_us = clock_now(loop) + (loop->options.exclusive ? 0 : STRAY_AFTER_US);
    loop->chores.overflow_us = loop->chores.overflow_seq = 0;
    loop->chores.adoption = (struct adoption_round){0};
    static const enum chore_name looks[] = {CHORE_STRAYS, CHORE_OVERFLOW, CHORE_ALERTS, CHORE_SCHEDULES, CHORE_FOLDERS};
    for (size_t i = 0; i < sizeof looks / sizeof *looks; i++)
        if (loop->chores.due_us[looks[i]] != WHEN_NEVER) loop->chores.due_us[looks[i]] = 0;
    folders_open(loop);
}

void chores_suspect_orphans(struct loop *loop) {
    struct chores *state = &loop->chores;
    state->orphans_suspected = true;
    if (state->due_us[CHORE_ORPHANS] > state->suspicion_us) state->due_us[CHORE_ORPHANS] = state->suspicion_us;
}

void chores_give_up(struct loop *loop) {
    if (loop->chores.due_us[CHORE_GIVING_UP] != WHEN_NEVER) loop->chores.due_us[CHORE_GIVING_UP] = 0;
}

/* When to look at leases again. While nothing is in flight and nobody else writes, no lease can appear by itself. */
static int64_t next_look(const struct turn *turn) {
    const struct loop *loop = turn->loop;
    bool busy = errands_in_use(loop->errands, ERRAND_OF_DESKS) > 0 || !loop->options.exclusive;
    return turn->now_us + (busy ? LOOK_BUSY_US : LOOK_IDLE_US);
}

/* Whether a round is to begin, the last one being over. */
static bool begins(const struct turn *turn, const struct chore *chore, const struct chore_round *last) {
    const struct loop *loop = turn->loop;
    const struct chores *state = &turn->chores;
    if (chore->task == TASK_RETIRE) return loop->in_force.settings->keep_events_us > 0;
    if (chore->task == TASK_CLOCK) return !state->clock_judged;
    if (chore->task == TASK_ALERTS) return loop->in_force.settings->alerts.route && loop->options.service.look;
    if (chore->task == TASK_REPORT) { /* one that somebody asked for during that day is not the whole day's */
        int64_t over_us = day_moment(loop->in_force.schedules, yesterday(turn) + 1, 0);
        bool made = last->mode == yesterday(turn) && last->started_us >= over_us;
        return state->report_day < yesterday(turn) && !made;
    }
    if (chore->task != TASK_ORPHANS) return !chore->asked;
    if (state->orphans_suspected && turn->now_us >= state->suspicion_us) return true;
    return turn->now_us >= state->orphans_us &&
           (turn->wall_us - last->finished_us >= chore->every_us || last->finished_us > turn->wall_us);
}

/* ---- a turn's share ---- */

static enum err take_steps(struct turn *turn, const struct chore *chore, struct chore_round *round, int64_t until_us,
                           bool *ret_more) {
    bool more = true;
    for (int i = 0; more && i < CHORE_STEPS_MAX; i++) {
        TRY(chore->step(turn, round, &more));
        round->steps++;
        if (clock_now(turn->loop) >= until_us) break;
    }
    *ret_more = more;
    return ERR_NONE;
}

static void end_round(struct turn *turn, int name, struct chore_round *round) {
    struct chores *state = &turn->chores;
    chores_round_ended(turn, (enum chore_name)name);
    round->finished_us = turn->wall_us;
    state->found[name] = round->found;
    if (name == CHORE_CLOCK) {
        state->clock_judged = !state->clock_waits;
        state->clock_ahead_us = round->mode;
        state->clock_moved += round->found;
        if (state->clock_waits) state->due_us[name] = turn->now_us + AHEAD_AGAIN_US;
    }
    if (name == CHORE_REPORT && round->mode == yesterday(turn)) {
        state->report_day = round->mode;
        state->report_difference = round->found;
    }
    if (name == CHORE_REPLAY && state->replay_us != WHEN_NEVER) state->due_us[name] = state->replay_us;
    if (name == CHORE_ALERTS)
        state->due_us[name] = turn->now_us + (state->alerts_soon ? ALERTS_SOON_US : ALERTS_EVERY_US);
    if (name == CHORE_RECONCILIATION) {
        if (state->doubts) state->due_us[name] = turn->now_us + DOUBT_AGAIN_US;
        state->doubts = false;
    }
    if (name != CHORE_ORPHANS) return;
    state->orphans_suspected = false;
    turn->recount = turn->recount || round->found;
    state->orphans_us = turn->now_us + chores[name].every_us;
    state->suspicion_us = turn->now_us + ORPHANS_AGAIN_US;
}

/* Takes steps of a round. Its row is written only when it changed, so a round that found nothing in its only turn
 * leaves no trace. */
static enum err run_round(struct turn *turn, int name, int64_t until_us) {
    const struct chore *chore = &chores[name];
    struct store *store = turn->loop->options.store;
    struct chores *state = &turn->chores;
    struct chore_round round;
    bool ours, more;
    state->due_us[name] = turn->now_us + OTHERS_US;
    TRY(store_try_task(store, (enum store_task)chore->task, &ours));
    state->refused.put_off[name] = state->refused.put_off[name] && ours; /* what another process does, it tells of */
    if (!ours) return ERR_NONE;
    TRY(store_chore_get(store, chore_text((enum chore_name)name), turn->arena, &round));
    bool was_open = chore_is_open(&round);
    state->due_us[name] = next_look(turn);
    if (!was_open && !begins(turn, chore, &round)) {
        chores_round_ended(turn, (enum chore_name)name);
        return ERR_NONE;
    }
    struct str before = chore->remembers ? round.result : STR_NONE;
    if (!was_open)
        round = (struct chore_round){
            .name = chore_text((enum chore_name)name), .started_us = turn->wall_us, .result = before};
    TRY(take_steps(turn, chore, &round, until_us, &more));
    if (more)
        state->due_us[name] = turn->now_us + CHORE_PAUSE_US;
    else
        end_round(turn, name, &round);
    bool said = chore->remembers ? !str_eq(round.result, before) : round.result.n > 0;
    return was_open || more || round.found || said ? store_chore_set(store, &round) : ERR_NONE;
}

/* A lease remembers itself: there is no round to write down. */
static enum err run_steps(struct turn *turn, int name, int64_t until_us) {
    struct chore_round none = {0};
    bool more;
    turn->chores.strays_us = WHEN_NEVER;
    TRY(take_steps(turn, &chores[name], &none, until_us, &more));
    int64_t pause_us = turn->loop->recovering ? 0 : CHORE_PAUSE_US; /* until the past is settled nothing leaves */
    int64_t look_us = next_look(turn), lost_us = turn->chores.lost.at_us;
    if (name == CHORE_LEASES && lost_us && !turn->chores.lost.over && lost_us + LOST_SPELL_US < look_us)
        look_us = lost_us + LOST_SPELL_US;
    if (name == CHORE_STRAYS && turn->chores.strays_us < look_us)
        look_us = turn->chores.strays_us > turn->now_us ? turn->chores.strays_us : turn->now_us + OTHERS_US;
    if (name == CHORE_OVERFLOW && turn->chores.overflow_us < look_us && turn->chores.overflow_us > turn->now_us)
        look_us = turn->chores.overflow_us;
    if (name == CHORE_SCHEDULES && turn->chores.schedules_us != WHEN_NEVER)
        look_us = turn->chores.schedules_us - turn->chores.skew_us;
    if (name == CHORE_FOLDERS && folders_next(turn) != WHEN_NEVER) look_us = folders_next(turn);
    turn->chores.due_us[name] = more ? turn->now_us + pause_us : look_us;
    chores_round_ended(turn, (enum chore_name)name);
    return ERR_NONE;
}

enum err chores_run(struct turn *turn) {
    struct loop *loop = turn->loop;
    int64_t until_us = clock_now(loop) + CHORE_TURN_US;
    turn->chores = loop->chores;
    if (turn->wishes & WISH_VERIFY) turn->chores.due_us[CHORE_VERIFY] = 0;
    if (turn->wishes & WISH_REPORT) turn->chores.due_us[CHORE_REPORT] = 0;
    if (turn->wishes & WISH_REPLAY && turn_routes(loop)) turn->chores.due_us[CHORE_REPLAY] = 0;
    if (schedules_clock_was_set(loop, clock_now(loop))) turn->chores.due_us[CHORE_SCHEDULES] = 0;
    for (int name; (name = most_overdue(&turn->chores, turn->now_us)) != CHORE_COUNT;) {
        turn->chores.looked_us[name] = turn->wall_us;
        TRY(turn_enter(turn, PHASE_CHORES, (size_t)name));
        TRY(chores[name].task ? run_round(turn, name, until_us) : run_steps(turn, name, until_us));
        if (loop->recovering || clock_now(loop) >= until_us) break; /* the past comes first */
    }
    return turn->recount ? loop_count_open(loop, turn->arena) : ERR_NONE;
}

static void tell_lost(struct turn *turn) {
    const struct lost_leases *lost = &turn->chores.lost;
    if (!lost->over) return;
    log_event(turn->loop->options.log, LOG_WARN, turn->wall_us, "recovered", LOG_NUMBER("resumed", lost->resumed),
              LOG_NUMBER("unknown", lost->unknown), LOG_TEXT("from", STR("a process that was killed or stood still")));
    turn->loop->chores.lost = (struct lost_leases){0};
}

void chores_apply(struct turn *turn) {
    struct loop *loop = turn->loop;
    if (turn->only_inputs) { /* a part of a turn does no chores: the next turn looks at what was asked for */
        if (turn->wishes & WISH_VERIFY) loop->chores.due_us[CHORE_VERIFY] = 0;
        if (turn->wishes & WISH_REPORT) loop->chores.due_us[CHORE_REPORT] = 0;
        if (turn->wishes & WISH_REPLAY && turn_routes(loop)) loop->chores.due_us[CHORE_REPLAY] = 0;
        return;
    }
    bool waited = loop->chores.clock_waits;
    loop->chores = turn->chores;
    overflow_plan(turn);
    made_apply(turn);
    folders_apply(turn);
    if (loop->chores.clock_waits && !waited)
        log_event(loop->options.log, LOG_WARN, turn->wall_us, "clock_was_ahead",
                  LOG_TEXT("waits", STR("until the processes that began before this one have stopped")));
    if (loop->chores.found[CHORE_CLOCK])
        log_event(loop->options.log, LOG_WARN, turn->wall_us, "clock_was_ahead",
                  LOG_NUMBER("by_seconds", loop->chores.clock_ahead_us / US_PER_S),
                  LOG_NUMBER("deliveries_moved", loop->chores.found[CHORE_CLOCK]));
    for (size_t i = 0; i < loop->chores.replays_changed; i++)
        log_event(loop->options.log, LOG_INFO, turn->wall_us, "replay",
                  LOG_NUMBER("replay", loop->chores.replays_told[i].seq),
                  LOG_TEXT("status", loop->chores.replays_told[i].status),
                  LOG_TEXT("reason", loop->chores.replays_told[i].reason));
    if (loop->chores.found[CHORE_REPORT])
        log_event(loop->options.log, LOG_ERROR, turn->wall_us, "report_differs",
                  LOG_NUMBER("difference", loop->chores.found[CHORE_REPORT]),
                  LOG_TEXT("look", STR("drumbeat report, drumbeat verify")));
    if (loop->chores.found[CHORE_ALERTS])
        log_event(loop->options.log, LOG_INFO, turn->wall_us, "alerts_told",
                  LOG_NUMBER("events", loop->chores.found[CHORE_ALERTS]));
    if (turn->chores.stranded)
        log_event(loop->options.log, LOG_WARN, turn->wall_us, "deliveries_stranded",
                  LOG_NUMBER("held", turn->chores.stranded), LOG_TEXT("reason", STR(STRAY_ERROR)));
    if (turn->chores.freed)
        log_event(loop->options.log, LOG_INFO, turn->wall_us, "deliveries_freed",
                  LOG_NUMBER("count", turn->chores.freed));
    if (turn->held_back && !loop->chores.overflow_told)
        log_event(loop->options.log, LOG_WARN, turn->wall_us, "deliveries_overflow",
                  LOG_TEXT("destination", turn->held_for), LOG_NUMBER("held", turn->held_back),
                  LOG_TEXT("reason", STR(OVERFLOW_ERROR)));
    loop->chores.overflow_told |= turn->held_back > 0;
    tell_lost(turn);
    if (turn->chores.adoption.finished && turn->chores.adoption.moved)
        log_event(loop->options.log, LOG_INFO, turn->wall_us, "deliveries_adopted",
                  LOG_NUMBER("count", turn->chores.adoption.moved), LOG_TEXT("by", adoption_names(turn)));
    loop->chores.adoption.finished = false;
    loop->chores.stranded = loop->chores.freed = 0;
    loop->chores.replays_changed = 0;
    for (int i = 0; i < CHORE_COUNT; i++) {
        if (chores[i].told && turn->chores.found[i])
            log_event(loop->options.log, LOG_WARN, turn->wall_us, "chore_finished",
                      LOG_TEXT("chore", chore_text((enum chore_name)i)), LOG_NUMBER("found", turn->chores.found[i]));
        loop->chores.found[i] = 0;
    }
}
