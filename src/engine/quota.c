/* engine/quota.c - see quota.h. */
#include "engine/quota.h"

#include <assert.h>
#include <stdlib.h>

#include "engine/loop_memory.h"
#include "share/share.h"
#include "store/shared.h"

#define CLOSED_US US_PER_S        /* nothing leaves without Redis: until it is asked again */
#define AGAIN_US  US_PER_S        /* what another took and did not use comes back in a moment */
#define JOIN_US   (10 * US_PER_S) /* a new process takes no part before the others know of it */

static struct quota_take *take_of(const struct turn *turn, struct str limit) {
    for (size_t i = 0; i < turn->take_count; i++)
        if (str_eq(turn->takes[i].limit, limit)) return &turn->takes[i];
    return NULL;
}

static void add_take(struct turn *turn, struct quota_take take) {
    if (!turn->takes) turn->takes = arena_array(turn->arena, struct quota_take, deliver_desks(turn->loop->deliver));
    turn->takes[turn->take_count++] = take;
}

/* Not as long as a window: another may give back what it took. */
static void wait_for_more(struct turn *turn, size_t desk, int64_t wait_us) {
    deliver_wait(turn->loop->deliver, desk, turn->now_us + (wait_us < AGAIN_US ? wait_us : AGAIN_US));
}

/* The others share out by a count that this process is not in yet. */
static bool is_too_new(const struct turn *turn) {
    const struct company *company = &turn->loop->company;
    return !company->first_us || turn->now_us < company->first_us + JOIN_US;
}

/* ---- through the store ---- */

static enum err ask_store(struct turn *turn, size_t desk, const struct limit_take *take, size_t *budget) {
    struct limit_taken taken;
    TRY(store_limit_take(turn->loop->options.store, take, &taken));
    if (taken.granted) add_take(turn, (struct quota_take){take->limit, taken.id, taken.granted, 0});
    if (taken.granted < take->want) wait_for_more(turn, desk, taken.wait_us);
    *budget = taken.granted;
    return ERR_NONE;
}

static void note_started(struct quota *quota, const struct quota_take *take) {
    if (quota->started_count == quota->started_room) {
        quota->started_room = quota->started_room ? 2 * quota->started_room : 16;
        quota->started = realloc(quota->started, quota->started_room * sizeof *quota->started);
        assert(quota->started);
    }
    quota->started[quota->started_count++] = (struct limit_started){take->id, take->started};
}

bool quota_waits(const struct loop *loop) {
    return loop->quota.started_count > 0;
}

/* ---- through Redis ---- */

static enum err ask_redis(struct turn *turn, size_t desk, const struct limit_take *take, size_t *budget) {
    struct loop *loop = turn->loop;
    struct share_grant grant;
    const struct share_ask ask = {.limit = take->limit,
                                  .rules = take->rules,
                                  .rule_count = take->rule_count,
                                  .want = take->want,
                                  .hold_us = take->hold_us};
    loop->quota.failing = share_take(loop->options.share, &ask, &grant) != ERR_NONE;
    if (!loop->quota.failing) {
        if (grant.granted) add_take(turn, (struct quota_take){take->limit, 0, grant.granted, 0});
        if (grant.granted < take->want) wait_for_more(turn, desk, grant.wait_us);
        if (grant.quiet_us) deliver_quiet(loop->deliver, desk, turn->now_us + grant.quiet_us, turn->now_us);
        *budget = grant.granted;
        return ERR_NONE;
    }
    enum redis_failure policy = loop->options.redis_failure;
    bool joins =
        policy == REDIS_FAIL_LOCAL && !loop->quota.apart; /* by the next turn, or when it is not new any more */
    if (policy == REDIS_CLOSED || (joins && is_too_new(turn)))
        deliver_wait(loop->deliver, desk, turn->now_us + CLOSED_US);
    if (policy == REDIS_CLOSED || joins) *budget = 0;
    return ERR_NONE;
}

/* ---- apart ---- */

/* What the store knows was sent is counted anew: what is left of it is shared out in equal parts. */
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
static enum err teach_limit(struct turn *turn, const struct share_ask *ask, const struct sent *sent, size_t count) {
    struct loop *loop = turn->loop;
    int64_t *ages_us = arena_array(turn->arena, int64_t, count);
    size_t n = 0;
    for (size_t i = 0; i < count; i++) {
        size_t desk = deliver_desk(loop->deliver, sent[i].destination);
        const struct destination_settings *settings = desk == SIZE_MAX ? NULL : deliver_settings(loop->deliver, desk);
        if (settings && str_eq(settings->account, ask->limit)) ages_us[n++] = turn->now_us - sent[i].started_us;
    }
    return share_teach(loop->options.share, ask, ages_us, n);
}

/* Redis was found empty: it is told what the store knows. When that fails it is told the next time. */
static enum err teach(struct turn *turn) {
    struct loop *loop = turn->loop;
    struct sent *sent;
    size_t count;
    uint64_t losses = share_losses(loop->options.share);
    int64_t window_us = deliver_longest_window(loop->deliver);
    TRY(store_sends_since(loop->options.store, turn->now_us - window_us, turn->now_us, turn->arena, &sent, &count));
    for (size_t i = 0; i < deliver_desks(loop->deliver); i++) {
        const struct destination_settings *settings = deliver_settings(loop->deliver, i);
        struct share_ask ask = {0};
        ask.rules = deliver_rules(loop->deliver, i, &ask.rule_count);
        if (!settings || !ask.rule_count) continue;
        ask.limit = settings->account;
        if (teach_limit(turn, &ask, sent, count)) return ERR_NONE;
    }
    loop->quota.losses = losses;
    return ERR_NONE;
}

/* Between what turns take: nothing is taken and not started. */
static enum err keep_apart(struct turn *turn) {
    struct loop *loop = turn->loop;
    struct quota *quota = &loop->quota;
    bool lost = share_losses(loop->options.share) != quota->losses;
    if (lost) TRY(teach(turn));
    if (loop->options.redis_failure != REDIS_FAIL_LOCAL) return ERR_NONE;
    if (quota->failing || lost) {
        quota->apart_until_us = turn->now_us + deliver_longest_window(loop->deliver);
        if (!quota->apart) return is_too_new(turn) ? ERR_NONE : go_apart(turn);
        return stay_apart(turn);
    }
    if (quota->apart && turn->now_us >= quota->apart_until_us) come_together(loop);
    return quota->apart ? stay_apart(turn) : ERR_NONE;
}

/* ---- the turn ---- */

enum err quota_begin(struct turn *turn) {
    struct loop *loop = turn->loop;
    struct quota *quota = &loop->quota;
    if (loop->options.exclusive) return ERR_NONE;
    if (quota->started_count) TRY(store_limit_started(loop->options.store, quota->started, quota->started_count));
    return loop->options.share ? keep_apart(turn) : ERR_NONE;
}

enum err quota_ask(struct turn *turn, size_t desk, size_t *budget) {
    struct loop *loop = turn->loop;
    const struct destination_settings *settings = deliver_settings(loop->deliver, desk);
    struct limit_take take = {
        .limit = settings->account, .want = *budget, .hold_us = turn_lease_until(turn, settings) - turn->now_us};
    take.rules = deliver_rules(loop->deliver, desk, &take.rule_count);
    if (loop->options.exclusive || !take.rule_count || !*budget) return ERR_NONE;
    if (take_of(turn, take.limit)) { /* one desk asks for a limit in a turn, the others in the next */
        *budget = 0;
        return ERR_NONE;
    }
    return loop->options.share ? ask_redis(turn, desk, &take, budget) : ask_store(turn, desk, &take, budget);
}

void quota_left(struct turn *turn, size_t desk) {
    const struct destination_settings *settings = deliver_settings(turn->loop->deliver, desk);
    struct quota_take *take = turn->take_count && settings ? take_of(turn, settings->account) : NULL;
    if (take) take->started++;
}

void quota_end(struct turn *turn, bool committed) {
    struct loop *loop = turn->loop;
    if (committed) loop->quota.started_count = 0;
    for (size_t i = 0; i < turn->take_count; i++) {
        const struct quota_take *take = &turn->takes[i];
        if (!take->id)
            share_started(loop->options.share, take->limit, committed ? take->started : 0);
        else if (committed)
            note_started(&loop->quota, take);
    }
    turn->take_count = 0;
}

void quota_refresh(struct turn *turn) {
    struct loop *loop = turn->loop;
    if (!loop->options.share || loop->options.role == LOOP_INGEST) return;
    for (size_t i = 0; i < deliver_desks(loop->deliver); i++) {
        const struct destination_settings *settings = deliver_settings(loop->deliver, i);
        struct share_ask ask = {0};
        size_t remaining;
        ask.rules = deliver_rules(loop->deliver, i, &ask.rule_count);
        if (!settings || !ask.rule_count || !deliver_used(loop->deliver, i, turn->now_us)) continue;
        ask.limit = settings->account;
        if (share_remaining(loop->options.share, &ask, &remaining)) return; /* the next ask says what is wrong */
    }
}

void quota_close(struct loop *loop) {
    free(loop->quota.started);
}

const char *quota_way(const struct loop *loop, bool *ret_up) {
    *ret_up = !loop->options.share || !loop->quota.failing;
    return loop->options.exclusive ? "none" : loop->options.share ? "redis" : "store";
}
