/* engine/quota.c - limits that several processes keep together. See quota.h.
 *
 * WHAT. Decides how many sends of a limited account this process may start in a turn.
 * PROMISE. N processes on one store never start more than a rule's N in any of its windows, also while Redis is away,
 * restarts or stands still (redis.on_failure: fail_local, or closed).
 * WHY IT HOLDS.
 * 1. Nothing is claimed without a place. A place is taken from all windows before the claim is made, and counts
 *    until the end of the claim's lease; a send that has not started by then never starts (turn_start looks at the
 *    clock again). Only when the last request of its take has begun to leave is the place moved back, to that moment.
 *    So a process may die, stand still or lose its connection at any point: what it took stays counted.
 * 2. A turn that is tried again keeps what Redis granted and asks for nothing more.
 * 3. Without Redis (fail_local) each process keeps to an equal part of what the store says is left. All of them read
 *    the same table, and whoever is new waits until the others have counted it. Parts only grow while that lasts,
 *    because a process that went may have sent.
 * 4. Parts go on for one more window after Redis is back: it has not heard of what was sent meanwhile.
 * 5. A Redis that forgot says so, once, to each process that used the limit. That counts as a failure, and it is
 *    taught what the store knows, after the commit.
 * WHAT BREAKS IT. A process that alone is cut off from Redis counts with others who are not: all together may pass the
 * limit by its part. Until the first process has noticed that Redis was emptied, another may send up to the limit once
 * more. Processes that are configured with different rules. redis.on_failure: open, by its own word.
 * HOW TO SEE IT. drumbeat_limits_shared_up; `limits` in GET /v1/status; the log lines limits_lost and limits_back.
 * TESTED BY. test/unit/engine/test_quota*.c and `./dev simulate` (the simulated end; the planted bug
 * started-given-back), test/conformance/test_fleet_limits.c, test/e2e/test_limits_shared.py.
 */
#include "engine/quota.h"

#include <assert.h>
#include <stdlib.h>

#include "deliver/heir.h"
#include "deliver/meter.h"
#include "engine/lines.h"
#include "engine/loop_memory.h"
#include "model/sharing.h"
#include "store/shared.h"

#define CLOSED_US US_PER_S        /* nothing leaves without Redis: until it is asked again */
#define AGAIN_US  US_PER_S        /* what another took and did not use comes back in a moment */
#define JOIN_US   (10 * US_PER_S) /* a new process takes no part before the others know of it */
#define SWEEP_US  (10 * US_PER_S)
#define ASK_MAX   256 /* places of one desk in one turn: more than it may claim at once is not asked for */

static struct quota_take *take_of(const struct turn *turn, struct str limit) {
    for (size_t i = 0; i < turn->take_count; i++)
        if (str_eq(turn->takes[i].limit, limit)) return &turn->takes[i];
    return NULL;
}

static struct quota_take *add_take(struct turn *turn, struct quota_take take) {
    if (turn->take_count == turn->take_room) {
        turn->take_room = turn->take_room ? 2 * turn->take_room : deliver_desks(turn->loop->deliver);
        struct quota_take *takes = arena_array(turn->arena, struct quota_take, turn->take_room);
        for (size_t i = 0; i < turn->take_count; i++) takes[i] = turn->takes[i];
        turn->takes = takes;
    }
    turn->takes[turn->take_count] = take;
    return &turn->takes[turn->take_count++];
}

static bool has_redis(const struct loop *loop) {
    return loop->options.limits.take != NULL;
}

bool quota_is_shared(const struct loop *loop, size_t desk) {
    size_t count;
    if (loop->options.exclusive && !has_redis(loop)) return false;
    deliver_rules(loop->deliver, desk, &count);
    return count > 0;
}

bool quota_waits(const struct loop *loop) {
    return loop->quota.started_count > 0;
}

/* The desk asks again after AGAIN_US at the latest, even when a window lasts longer: another process may give back what
 * it took. */
static void wait_for_more(struct turn *turn, size_t desk, int64_t wait_us) {
    deliver_wait(turn->loop->deliver, desk, turn->now_us + (wait_us < AGAIN_US ? wait_us : AGAIN_US));
}

/* Whether the others may still share the limit out by a count that this process is not in yet. */
static bool is_too_new(const struct turn *turn) {
    const struct company *company = &turn->loop->company;
    if (turn->loop->options.exclusive) return false;
    return !company->first_us || turn->now_us < company->first_us + JOIN_US;
}

/* ---- before the transaction: Redis ---- */

struct question {
    struct limit_ask asks[LIMIT_ASKS_MAX];
    size_t count;
};

/* Adds what a desk wants. Desks of one account ask together. A desk that finds no room in this call asks in a later
 * turn, because the order of desks rotates. */
static void add_question(struct turn *turn, struct question *question, size_t desk, size_t want) {
    const struct loop *loop = turn->loop;
    const struct destination_settings *settings = deliver_settings(loop->deliver, desk);
    int64_t hold_us = turn_lease_until(turn, settings) - turn->now_us;
    struct quota_take *take = take_of(turn, settings->account);
    if (!take && question->count == LIMIT_ASKS_MAX) return;
    if (!take) {
        struct limit_ask *ask = &question->asks[question->count++];
        *ask = (struct limit_ask){.limit = settings->account};
        ask->rules = deliver_rules(loop->deliver, desk, &ask->rule_count);
        take = add_take(turn, (struct quota_take){.limit = settings->account});
    }
    struct limit_ask *ask = &question->asks[take - turn->takes];
    if (ask->hold_us < hold_us) ask->hold_us = hold_us;
    ask->want += want;
    take->want = ask->want;
}

/* How many sends the desk may start now. A breaker that is due for its probe wants one here; whose probe it is will be
 * decided by the claim. */
static size_t wanted_by(const struct turn *turn, size_t desk) {
    struct deliver *deliver = turn->loop->deliver;
    if (!turn_delivers(turn->loop) || turn->loop->recovering) return 0;
    if (!deliver_is_due(deliver, desk, turn->now_us)) return 0;
    if (deliver_would_probe(deliver, desk, turn->now_us)) return 1;
    return deliver_budget(deliver, desk, turn->now_us, ASK_MAX);
}

/* Asks for all desks that have something due. Now and then it also asks for limits that are merely in use, so that
 * people see what is left of them. */
static void gather_questions(struct turn *turn, struct question *question) {
    const struct loop *loop = turn->loop;
    bool look = loop->company.look_us <= turn->now_us;
    for (size_t i = 0; i < deliver_desks(loop->deliver); i++) {
        size_t desk = deliver_order(loop->deliver, i), want = 0;
        if (!deliver_settings(loop->deliver, desk) || !quota_is_shared(loop, desk)) continue;
        want = wanted_by(turn, desk);
        if (want || (look && deliver_used(loop->deliver, desk, turn->now_us))) add_question(turn, question, desk, want);
    }
}

/* One that answers some questions and refuses others, as when its memory is full, is not back between two of them. */
static void say_failing(struct turn *turn, bool failing) {
    struct quota *quota = &turn->loop->quota;
    bool lost = failing && !quota->failing_us;
    bool back = !failing && quota->failing_us && quota_is_steady(quota, turn->now_us);
    quota->failing = failing;
    if (failing) quota->failed_us = turn->now_us;
    if (lost) quota->failing_us = turn->now_us;
    if (lost || back) lines_limits(turn, lost);
    if (back) quota->failing_us = 0;
}

static void note_grants(struct turn *turn, const struct limit_grant *grants, size_t count) {
    bool lost = false;
    for (size_t i = 0; i < count; i++) {
        struct quota_take *take = &turn->takes[i];
        take->granted = grants[i].granted;
        take->ticket = grants[i].ticket;
        take->id = take->granted ? -++turn->loop->quota.tickets : 0;
        take->wait_us = grants[i].wait_us;
        take->quiet_us = grants[i].quiet_us;
        take->failed = grants[i].lost;
        lost |= grants[i].lost;
        turn->loop->quota.losses += grants[i].lost;
    }
    if (lost) turn->loop->quota.untaught = true;
    say_failing(turn, lost);
}

void quota_ask(struct turn *turn) {
    struct loop *loop = turn->loop;
    struct question question = {.count = 0};
    struct limit_grant grants[LIMIT_ASKS_MAX];
    if (!has_redis(loop) || loop->options.role == LOOP_INGEST) return;
    gather_questions(turn, &question);
    if (!question.count) return;
    const struct shared_limits *limits = &loop->options.limits;
    if (!limits->take(limits->self, question.asks, question.count, grants)) {
        note_grants(turn, grants, question.count);
        return;
    }
    for (size_t i = 0; i < turn->take_count; i++) turn->takes[i].failed = true;
    say_failing(turn, true);
}

/* ---- in the transaction: apart ---- */

/* Begins to keep to a part. What the store knows was sent is counted anew, and what is left is shared out equally. */
static enum err go_apart(struct turn *turn) {
    struct loop *loop = turn->loop;
    struct quota *quota = &loop->quota;
    TRY(company_count(turn, &quota->parts));
    deliver_part(loop->deliver, quota->parts, true);
    TRY(loop_read_sends(loop, 0, turn->now_us, turn->arena));
    quota->apart = true;
    return ERR_NONE;
}

static enum err stay_apart(struct turn *turn) {
    struct loop *loop = turn->loop;
    struct quota *quota = &loop->quota;
    size_t count;
    TRY(company_count(turn, &count));
    if (count > quota->parts) deliver_part(loop->deliver, count, false);
    if (count > quota->parts) quota->parts = count;
    return ERR_NONE;
}

static void come_together(struct loop *loop) {
    deliver_part(loop->deliver, 1, false);
    loop->quota.apart = false;
    loop->quota.parts = 1;
}

/* Ages of the starts of a limit that the store knows of, over all its destinations. */
static struct quota_lesson lesson_of(struct turn *turn, size_t desk, const struct sent *sent, size_t count) {
    struct loop *loop = turn->loop;
    struct str limit = deliver_settings(loop->deliver, desk)->account;
    struct quota_lesson lesson = {.desk = desk, .ages_us = arena_array(turn->arena, int64_t, count)};
    for (size_t i = 0; i < count; i++) {
        size_t other = deliver_known(loop->deliver, sent[i].destination);
        const struct destination_settings *settings = other == SIZE_MAX ? NULL : deliver_settings(loop->deliver, other);
        if (settings && str_eq(settings->account, limit))
            lesson.ages_us[lesson.count++] = turn->now_us - sent[i].started_us;
    }
    return lesson;
}

/* Redis was found empty. What the store knows is read now and told after the commit. By then it is a little older than
 * its ages say, so it counts for a little too long and never too short. */
static enum err prepare_lessons(struct turn *turn) {
    struct loop *loop = turn->loop;
    struct sent *sent;
    size_t count;
    int64_t window_us = deliver_longest_window(loop->deliver);
    TRY(store_sends_since(loop->options.store, turn->now_us - window_us, turn->now_us, turn->arena, &sent, &count));
    turn->lessons = arena_array(turn->arena, struct quota_lesson, deliver_desks(loop->deliver));
    turn->lesson_count = 0;
    for (size_t i = 0; i < deliver_desks(loop->deliver); i++)
        if (deliver_settings(loop->deliver, i) && quota_is_shared(loop, i))
            turn->lessons[turn->lesson_count++] = lesson_of(turn, i, sent, count);
    return ERR_NONE;
}

/* Moves between "together" and "apart", before the turn takes anything. */
static enum err keep_apart(struct turn *turn) {
    struct loop *loop = turn->loop;
    struct quota *quota = &loop->quota;
    if (quota->untaught) TRY(prepare_lessons(turn));
    if (loop->options.redis_failure != REDIS_FAIL_LOCAL) return ERR_NONE;
    if (quota->failing || quota->untaught || !quota_is_steady(quota, turn->now_us)) {
        quota->apart_until_us = turn->now_us + deliver_longest_window(loop->deliver);
        if (!quota->apart) return is_too_new(turn) ? ERR_NONE : go_apart(turn);
        return stay_apart(turn);
    }
    if (quota->apart && turn->now_us >= quota->apart_until_us) come_together(loop);
    return quota->apart ? stay_apart(turn) : ERR_NONE;
}

/* Removes now and then what no window of a value counts any more: nobody may ever take from its limit again. */
static enum err sweep_meters(struct turn *turn) {
    struct loop *loop = turn->loop;
    if (loop->options.exclusive || turn->now_us < loop->quota.sweep_us) return ERR_NONE;
    loop->quota.sweep_us = turn->now_us + SWEEP_US;
    for (size_t i = 0; i < deliver_desks(loop->deliver); i++) {
        const struct destination_settings *settings = deliver_settings(loop->deliver, i);
        const struct meters *meters = settings ? deliver_meters(loop->deliver, i) : NULL;
        if (meters) TRY(store_limit_sweep(loop->options.store, settings->account, meters_longest_window(meters)));
    }
    return ERR_NONE;
}

enum err quota_begin(struct turn *turn) {
    struct loop *loop = turn->loop;
    struct quota *quota = &loop->quota;
    TRY(sweep_meters(turn));
    if (quota->started_count) TRY(store_limit_started(loop->options.store, quota->started, quota->started_count));
    return has_redis(loop) ? keep_apart(turn) : ERR_NONE;
}

/* ---- in the transaction: the claim ---- */

static enum err ask_store(struct turn *turn, size_t desk, struct limit_take take, struct quota_take **ret_take) {
    const struct loop *loop = turn->loop;
    struct limit_taken taken;
    take.hold_us = turn_lease_until(turn, deliver_settings(loop->deliver, desk)) - turn->now_us;
    TRY(store_limit_take(loop->options.store, &take, &taken));
    *ret_take = add_take(turn, (struct quota_take){.limit = take.limit,
                                                   .by_store = true,
                                                   .id = taken.id,
                                                   .want = take.want,
                                                   .granted = taken.granted,
                                                   .wait_us = taken.wait_us});
    return ERR_NONE;
}

static enum err ask_store_for_desk(struct turn *turn, size_t desk, size_t want, struct quota_take **ret_take) {
    const struct deliver *deliver = turn->loop->deliver;
    struct limit_take take = {.limit = deliver_settings(deliver, desk)->account, .want = want};
    take.rules = deliver_rules(deliver, desk, &take.rule_count);
    return ask_store(turn, desk, take, ret_take);
}

/* The budget while Redis is away, by redis.on_failure. With fail_local it is this process's part, which the limiter
 * keeps to, as soon as it has one. */
static void budget_without_redis(struct turn *turn, size_t desk, size_t *budget) {
    struct loop *loop = turn->loop;
    enum redis_failure policy = loop->options.redis_failure;
    if (policy == REDIS_OPEN || (policy == REDIS_FAIL_LOCAL && loop->quota.apart)) return;
    deliver_wait(loop->deliver, desk, turn->now_us + CLOSED_US);
    *budget = 0;
}

enum err quota_budget(struct turn *turn, size_t desk, size_t *budget) {
    struct loop *loop = turn->loop;
    if (!*budget || !quota_is_shared(loop, desk)) return ERR_NONE;
    struct quota_take *take = take_of(turn, deliver_settings(loop->deliver, desk)->account);
    if (!take && !has_redis(loop)) TRY(ask_store_for_desk(turn, desk, *budget, &take));
    if (!take || !take->want) { /* it became due in this turn: it stays due, and the next turn asks for it */
        *budget = 0;
        return ERR_NONE;
    }
    if (take->failed) {
        budget_without_redis(turn, desk, budget);
        return ERR_NONE;
    }
    size_t left = take->granted - take->claimed;
    if (left < *budget && take->granted < take->want) wait_for_more(turn, desk, take->wait_us);
    if (take->quiet_us) deliver_quiet(loop->deliver, desk, turn->now_us + take->quiet_us, turn->now_us);
    if (left < *budget) *budget = left;
    return ERR_NONE;
}

void quota_claimed(struct turn *turn, size_t desk, size_t sends) {
    struct quota_take *take = take_of(turn, deliver_settings(turn->loop->deliver, desk)->account);
    if (take && !take->failed) take->claimed += sends;
}

/* ---- in the transaction: limits per value ---- */

/* The account and the value: no account has a slash in its name. */
static struct str meter_name(struct turn *turn, size_t desk, struct str value) {
    struct str account = deliver_settings(turn->loop->deliver, desk)->account;
    return str_fmt(turn->arena, "%.*s/%.*s", STR_ARG(account), STR_ARG(value));
}

enum err quota_meter(struct turn *turn, size_t desk, struct str value, size_t want, bool *ret_ours,
                     int64_t *ret_wait_us) {
    struct loop *loop = turn->loop;
    *ret_ours = true;
    if (loop->options.exclusive) return ERR_NONE;
    struct limit_take ask = {.limit = meter_name(turn, desk, value), .want = want};
    struct quota_take *take = take_of(turn, ask.limit);
    ask.rules = meters_rules(deliver_meters(loop->deliver, desk), &ask.rule_count);
    if (!take) TRY(ask_store(turn, desk, ask, &take));
    *ret_ours = take->claimed < take->granted;
    *ret_wait_us = take->wait_us < AGAIN_US ? take->wait_us : AGAIN_US;
    if (*ret_ours) take->claimed++;
    return ERR_NONE;
}

void quota_quiet(struct turn *turn, struct str limit, int64_t for_us) {
    struct loop *loop = turn->loop;
    if (!has_redis(loop)) return;
    if (!turn->spells) turn->spells = arena_array(turn->arena, struct quota_spell, deliver_desks(loop->deliver));
    for (size_t i = 0; i < turn->spell_count; i++)
        if (str_eq(turn->spells[i].limit, limit)) return; /* desks of one account have the same spell */
    turn->spells[turn->spell_count++] = (struct quota_spell){limit, for_us};
}

/* ---- after the transaction ---- */

void quota_again(struct turn *turn) {
    size_t kept = 0;
    for (size_t i = 0; i < turn->take_count; i++) {
        struct quota_take take = turn->takes[i];
        take.claimed = take.started = take.starting = 0;
        if (!take.by_store) turn->takes[kept++] = take;
    }
    turn->take_count = kept;
    turn->spell_count = turn->lesson_count = 0;
}

static int64_t take_left(struct quota_take *take, bool starting) {
    if (!take) return 0;
    take->started++;
    if (!starting || !take->id) return 0;
    take->starting++;
    return take->id;
}

int64_t quota_left(struct turn *turn, size_t desk, bool starting) {
    const struct destination_settings *settings = deliver_settings(turn->loop->deliver, desk);
    return turn->take_count && settings ? take_left(take_of(turn, settings->account), starting) : 0;
}

int64_t quota_meter_left(struct turn *turn, size_t desk, struct str value, bool starting) {
    if (!turn->take_count || !deliver_settings(turn->loop->deliver, desk)) return 0;
    return take_left(take_of(turn, meter_name(turn, desk, value)), starting);
}

/* What is known last of a take replaces what was not written yet. */
static void note_started(struct quota *quota, const struct limit_started *started) {
    for (size_t i = 0; i < quota->started_count; i++)
        if (quota->started[i].id == started->id) {
            quota->started[i] = *started;
            return;
        }
    if (quota->started_count == quota->started_room) {
        quota->started_room = quota->started_room ? 2 * quota->started_room : 16;
        quota->started = realloc(quota->started, quota->started_room * sizeof *quota->started);
        assert(quota->started);
    }
    quota->started[quota->started_count++] = *started;
}

/* Until the last send of a take began to leave, all of its places count as at the end of their leases. */
static void keep_open(struct quota *quota, const struct quota_take *take) {
    if (quota->open_count == quota->open_room) {
        quota->open_room = quota->open_room ? 2 * quota->open_room : 16;
        quota->open = realloc(quota->open, quota->open_room * sizeof *quota->open);
        assert(quota->open);
    }
    quota->open[quota->open_count++] = (struct quota_open){take->id, take->ticket, take->started, take->starting};
}

void quota_began(struct loop *loop, int64_t id) {
    struct quota *quota = &loop->quota;
    struct quota_open *open = quota->open;
    size_t i = 0;
    while (i < quota->open_count && open[i].id != id) i++;
    assert(i < quota->open_count && open[i].starting);
    if (--open[i].starting) return;
    const struct shared_limits *limits = &loop->options.limits;
    if (id < 0)
        limits->began(limits->self, open[i].ticket, open[i].started);
    else
        note_started(quota, &(struct limit_started){.id = id, .started = open[i].started});
    open[i] = open[--quota->open_count];
}

/* Teaches Redis what the store knows. When one lesson fails, all of them are told again after the next turn. */
static void give_lessons(struct turn *turn) {
    struct loop *loop = turn->loop;
    const struct shared_limits *limits = &loop->options.limits;
    for (size_t i = 0; i < turn->lesson_count; i++) {
        const struct quota_lesson *lesson = &turn->lessons[i];
        struct limit_ask ask = {.limit = deliver_settings(loop->deliver, lesson->desk)->account};
        ask.rules = deliver_rules(loop->deliver, lesson->desk, &ask.rule_count);
        if (limits->teach(limits->self, &ask, lesson->ages_us, lesson->count)) return;
    }
    if (turn->lesson_count) loop->quota.untaught = false;
}

static void tell_redis(struct turn *turn, bool committed) {
    const struct shared_limits *limits = &turn->loop->options.limits;
    struct limit_use uses[LIMIT_ASKS_MAX];
    size_t count = 0;
    for (size_t i = 0; i < turn->take_count; i++) {
        const struct quota_take *take = &turn->takes[i];
        size_t started = committed ? take->started : 0;
        if (take->granted && !take->by_store)
            uses[count++] = (struct limit_use){take->limit, started, started && take->starting};
    }
    if (count) limits->started(limits->self, uses, count);
    if (!committed) return;
    for (size_t i = 0; i < turn->spell_count; i++)
        limits->quiet(limits->self, turn->spells[i].limit, turn->spells[i].for_us);
    give_lessons(turn);
}

static void end_take(struct quota *quota, const struct quota_take *take) {
    if (take->id > 0) note_started(quota, &(struct limit_started){take->id, take->started, take->starting > 0});
    if (take->starting) keep_open(quota, take);
}

void quota_end(struct turn *turn, bool committed) {
    struct loop *loop = turn->loop;
    if (committed) loop->quota.started_count = 0;
    if (has_redis(loop)) tell_redis(turn, committed);
    for (size_t i = 0; i < turn->take_count && committed; i++)
        if (turn->takes[i].id) end_take(&loop->quota, &turn->takes[i]);
    turn->take_count = turn->lesson_count = turn->spell_count = 0;
}

void quota_reconfigured(struct loop *loop) {
    if (loop->quota.apart) deliver_part(loop->deliver, loop->quota.parts, false);
}

void quota_close(struct loop *loop) {
    free(loop->quota.started);
    free(loop->quota.open);
}

const char *quota_way(const struct loop *loop, bool *ret_up) {
    const struct clock *clock = &loop->options.clock;
    *ret_up = !has_redis(loop) || (!loop->quota.failing && quota_is_steady(&loop->quota, clock->now_us(clock->self)));
    if (has_redis(loop)) return "redis";
    return loop->options.exclusive ? "none" : "store";
}
