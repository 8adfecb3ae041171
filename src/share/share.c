/* share/share.c - see share.h: what this process remembers of each limit, and the script's arguments and answers.
 *
 * WHAT. Asks Redis for places under limits, tells it how many of them were used, and remembers for each limit what
 * the next call must say so that Redis and this process agree again.
 * PROMISE. What this process started is counted at Redis, or Redis is reported as having forgotten. A lost answer or a
 * lost note may cost free places for a while, and never lets a window hold more than its rule.
 * WHY IT HOLDS.
 * 1. All that a turn asks for is one call of one script, which Redis runs as a whole or not at all.
 * 2. A take that granted something is `open` until share_started said how many sends left. Meanwhile nothing more is
 *    taken from that limit, so one number is enough to remember.
 * 3. A take whose answer did not come leaves its limit in doubt: Redis may hold places that nobody here knows of. The
 *    next take says so, and the script gives back what earlier calls of this process left pending. Calls are numbered,
 *    so a call that arrives late cannot undo what a later one was granted.
 * 4. Nobody waits for the answer to a note. It was surely read when a later call on the same connection was answered.
 * If the connection broke in between (redis_breaks), the next take repeats it, and repeating changes nothing.
 * 5. Redis's memory has an epoch and a count of takes, which each take repeats as they were last seen. If Redis has
 *    another epoch or a smaller count, it forgot. After known_until_us nothing could count any more and Redis may have
 *    let the keys go, so nothing is claimed to be known then.
 * 6. An answer that makes no sense is treated like one that did not come: the connection ends and the limits are in
 *    doubt.
 * WHAT BREAKS IT. Processes that ask with different rules. A clock of Redis that jumps forward. What was taken between
 * the loss of Redis's memory and the next take of this process (engine/quota.c says what that may cost).
 * HOW TO SEE IT. drumbeat_limits_shared_up, drumbeat_limits_lost_total; the log lines limits_lost and limits_back;
 * `redis-cli GET rate_limit:<limit>:window`.
 * TESTED BY. test/unit/share/test_share.c, test_windows.c (several members at once), test_loss.c, test_link.c, all with
 * a real Redis; test/e2e/test_limits_shared.py.
 */
#include "share/share.h"
#include "model/sharing.h"

#include "base/arena.h"
#include "base/assets.h"
#include "base/map.h"
#include "base/when.h"
#include "share/redis.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#define DEADLINE_US (50 * US_PER_MS)
/* Keys outlive what they tell by this much; limits.lua uses half of it as slack. */
#define KEEP_MORE_US US_PER_MIN
/* Groups of starts in a lesson; each is two parts of the call. */
#define LESSON_GROUPS 1024
/* Keys of an order: window, quiet, epoch and one for each rule. */
#define FIXED_KEYS 3
/* All calls begin with two parts; each order adds its keys, its head and its arguments. */
#define TAKE_PARTS_MAX (FIXED_KEYS + LIMIT_RULES_MAX + 4 + 2 * LIMIT_RULES_MAX + 11)
_Static_assert(2 + LIMIT_ASKS_MAX * TAKE_PARTS_MAX <= REDIS_PARTS_MAX, "a call with the most asks has room");

/* What this process knows of a limit. */
struct limit {
    struct str name;
    struct limit_rule rules[LIMIT_RULES_MAX]; /* each once */
    size_t rule_count;
    int64_t hold_us;
    /* Redis's memory as it was last seen. It is the same while epoch is, and takes never becomes less. 0 = not seen. */
    int64_t epoch, takes;
    int64_t known_until_us; /* options.clock: after this nothing counts any more, and Redis may have let it go */
    /* The last take that granted something: its number at Redis and that of the call which took it. */
    int64_t take, take_call;
    size_t granted;
    bool open;           /* it was granted, and share_started has not said how many left */
    bool told;           /* share_started did, and Redis may not have heard it */
    uint64_t told_break; /* redis_breaks when it was told */
    bool flying;         /* what was told is that they are on their way */
    size_t started;      /* what was told, and when (options.clock) */
    int64_t started_us;
    bool in_doubt;          /* a take was sent and not answered: Redis may hold places for it */
    int64_t quiet_until_us; /* options.clock: a spell that could not be told; 0 = none */
};

struct share {
    struct arena *arena;
    struct clock clock;
    struct str instance;
    struct redis_url url;
    struct redis *redis;
    struct map limits;    /* name -> struct limit */
    struct arena scratch; /* one call's texts */
    int64_t calls;        /* numbers each call of this process; what an older one took can be told apart by it */
    size_t doubts;        /* limits that are in doubt */
    const char *trouble;  /* our own; NULL = the connection's */
};

/* ---- opening ---- */

static struct str script_text(void) {
    for (size_t i = 0; i < builtin_asset_count; i++) {
        const struct builtin_asset *asset = &builtin_assets[i];
        if (str_eq(str_from(asset->path), STR("limits.lua")))
            return (struct str){(const char *)asset->start, (size_t)(asset->end - asset->start)};
    }
    return STR_NONE;
}

enum err share_open(const struct share_options *options, struct arena *arena, struct share **ret_share,
                    struct str *ret_problem) {
    struct redis_url url;
    TRY(redis_url_parse(options->url, arena, &url, ret_problem));
    struct share *share = arena_new(arena, struct share);
    *share = (struct share){.arena = arena,
                            .clock = options->clock,
                            .instance = str_dup(arena, options->instance),
                            .url = url,
                            .limits = {.arena = arena}};
    const struct redis_options redis = {.url = &share->url,
                                        .script = script_text(),
                                        .deadline_us = options->deadline_us ? options->deadline_us : DEADLINE_US,
                                        .clock = options->clock};
    assert(redis.script.n);
    share->redis = redis_new(&redis);
    *ret_share = share;
    return ERR_NONE;
}

void share_close(struct share *share) {
    if (!share) return;
    redis_free(share->redis);
    arena_free(&share->scratch);
}

bool share_is_up(const struct share *share) {
    return redis_is_up(share->redis);
}

const char *share_trouble(const struct share *share) {
    return share->trouble ? share->trouble : redis_trouble(share->redis);
}

static int64_t now_us(const struct share *share) {
    return share->clock.now_us(share->clock.self);
}

/* ---- limits ---- */

/* Finds the limit or begins it; NULL when there are too many. */
static struct limit *limit_of(struct share *share, struct str name) {
    struct limit *limit = map_get(&share->limits, name);
    if (limit) return limit;
    if (share->limits.count == SHARE_LIMITS_MAX) {
        share->trouble = "too many limits are shared";
        return NULL;
    }
    limit = arena_new(share->arena, struct limit);
    limit->name = str_dup(share->arena, name);
    map_set(&share->limits, limit->name, limit);
    return limit;
}

static bool limit_has_rule(const struct limit *limit, const struct limit_rule *rule) {
    for (size_t i = 0; i < limit->rule_count; i++)
        if (limit->rules[i].count == rule->count && limit->rules[i].window_us == rule->window_us) return true;
    return false;
}

/* A rule that is written twice has one set of starts. */
static void limit_configure(struct limit *limit, const struct limit_ask *ask) {
    assert(ask->rule_count <= LIMIT_RULES_MAX && ask->hold_us >= 0);
    limit->rule_count = 0;
    limit->hold_us = ask->hold_us;
    for (size_t i = 0; i < ask->rule_count; i++) {
        assert(ask->rules[i].count > 0 && ask->rules[i].window_us > 0 && ask->rules[i].window_us % US_PER_MS == 0);
        if (!limit_has_rule(limit, &ask->rules[i])) limit->rules[limit->rule_count++] = ask->rules[i];
    }
}

/* How long something taken now may count. */
static int64_t limit_reach_us(const struct limit *limit) {
    int64_t longest_us = 0;
    for (size_t i = 0; i < limit->rule_count; i++)
        if (limit->rules[i].window_us > longest_us) longest_us = limit->rules[i].window_us;
    return longest_us + limit->hold_us;
}

/* ---- calls of the script: any number of orders, each about one limit ---- */

struct script_call {
    struct share *share;
    struct str *keys, *arguments;
    size_t key_count, count;
};

static void add_text(struct script_call *call, struct str text) {
    assert(call->key_count + call->count < REDIS_PARTS_MAX);
    call->arguments[call->count++] = text;
}

static void add_number(struct script_call *call, int64_t number) {
    add_text(call, str_fmt(&call->share->scratch, "%lld", (long long)number));
}

/* No suffix has a ':', so the key's last ':' always ends the limit's name, and two limits never share a key. */
static void add_key(struct script_call *call, struct str limit, struct str suffix) {
    struct buf key = {.arena = &call->share->scratch};
    assert(call->key_count + call->count < REDIS_PARTS_MAX);
    buf_add(&key, STR("rate_limit:"));
    buf_add(&key, limit);
    buf_byte(&key, ':');
    buf_add(&key, suffix);
    call->keys[call->key_count++] = buf_str(&key);
}

static struct script_call call_begin(struct share *share) {
    arena_reset(&share->scratch);
    struct script_call call = {.share = share,
                               .keys = arena_array(&share->scratch, struct str, REDIS_PARTS_MAX),
                               .arguments = arena_array(&share->scratch, struct str, REDIS_PARTS_MAX)};
    add_text(&call, share->instance);
    add_number(&call, ++share->calls);
    return call;
}

/* Adds what every order has before its own arguments; `arguments` is how many of those will follow. */
static void add_order(struct script_call *call, struct str command, const struct limit *limit, size_t arguments) {
    static const struct str suffixes[FIXED_KEYS] = {{"window", 6}, {"quiet", 5}, {"epoch", 5}};
    for (size_t i = 0; i < FIXED_KEYS; i++) add_key(call, limit->name, suffixes[i]);
    for (size_t i = 0; i < limit->rule_count; i++)
        add_key(call, limit->name,
                str_fmt(&call->share->scratch, "%lld/%lld", (long long)limit->rules[i].count,
                        (long long)(limit->rules[i].window_us / US_PER_MS)));
    add_text(call, command);
    add_number(call, (limit_reach_us(limit) + KEEP_MORE_US) / US_PER_MS);
    add_number(call, (int64_t)limit->rule_count);
    add_number(call, (int64_t)arguments);
    for (size_t i = 0; i < limit->rule_count; i++) {
        add_number(call, limit->rules[i].count);
        add_number(call, limit->rules[i].window_us);
    }
}

/* Keys go first, as Redis wants them. */
static struct redis_call call_parts(struct script_call *call) {
    for (size_t i = 0; i < call->count; i++) call->keys[call->key_count + i] = call->arguments[i];
    call->share->trouble = NULL;
    return (struct redis_call){call->keys, call->key_count, call->key_count + call->count};
}

/* ---- answers ---- */

/* The numbers in the answer to each order, as limits.lua writes them. */
enum { EPOCH, TAKES, GRANTED, REMAINING, WAIT, QUIET, LOST, ANSWER_NUMBERS };

static bool answer_is_sane(const int64_t *answer, size_t want) {
    for (size_t i = 0; i < ANSWER_NUMBERS; i++)
        if (answer[i] < 0) return false;
    return answer[EPOCH] > 0 && answer[TAKES] >= answer[EPOCH] && (uint64_t)answer[GRANTED] <= want &&
           answer[QUIET] <= US_PER_DAY && answer[LOST] <= 1;
}

/* Remembers what Redis remembers. */
static void limit_learn(struct share *share, struct limit *limit, const int64_t *answer) {
    limit->epoch = answer[EPOCH];
    limit->takes = answer[TAKES];
    limit->known_until_us = now_us(share) + limit_reach_us(limit);
}

/* ---- taking ---- */

static void set_doubt(struct share *share, struct limit *limit, bool in_doubt) {
    if (limit->in_doubt == in_doubt) return;
    limit->in_doubt = in_doubt;
    share->doubts += in_doubt ? 1 : (size_t)-1;
}

/* Whether the last note must be repeated. Redis has surely read a note when the connection that it went over has not
 * broken and has answered a call since. */
static bool needs_telling(const struct share *share, const struct limit *limit) {
    return limit->told && limit->told_break != redis_breaks(share->redis);
}

static void add_take(struct script_call *call, struct limit *limit, size_t want) {
    struct share *share = call->share;
    int64_t now = now_us(share);
    bool known = limit->epoch && now < limit->known_until_us, tell = needs_telling(share, limit);
    add_order(call, STR("take"), limit, 12);
    add_number(call, (int64_t)want);
    add_number(call, limit->hold_us);
    add_number(call, known ? limit->epoch : 0);
    add_number(call, known ? limit->takes : 0);
    add_number(call, limit->quiet_until_us > now ? limit->quiet_until_us - now : 0);
    add_number(call, limit->in_doubt && !limit->open);
    add_number(call, tell ? limit->take_call : 0);
    add_number(call, limit->take);
    add_number(call, (int64_t)limit->granted);
    add_number(call, (int64_t)limit->started);
    add_number(call, tell && now > limit->started_us ? now - limit->started_us : 0);
    add_number(call, tell && limit->flying);
}

/* Gathers the limits of one call: those that are asked for, and behind them others that are in doubt. */
static enum err gather_limits(struct share *share, const struct limit_ask *asks, size_t count, struct limit **limits,
                              size_t *ret_count) {
    size_t gathered = 0;
    for (; gathered < count; gathered++) {
        struct limit *limit = limit_of(share, asks[gathered].limit);
        if (!limit) return ERR_IO;
        assert((!limit->open || !asks[gathered].want) && asks[gathered].want <= INT64_MAX);
        limit_configure(limit, &asks[gathered]);
        limits[gathered] = limit;
    }
    for (size_t i = 0; share->doubts && i < share->limits.count && gathered < LIMIT_ASKS_MAX; i++) {
        struct limit *limit = share->limits.slots[i].value;
        bool asked = limit->open || !limit->in_doubt;
        for (size_t j = 0; j < count && !asked; j++) asked = limits[j] == limit;
        if (!asked) limits[gathered++] = limit;
    }
    *ret_count = gathered;
    return ERR_NONE;
}

static void take_learn(struct share *share, struct limit *limit, const int64_t *answer) {
    limit->quiet_until_us = 0;
    limit_learn(share, limit, answer);
    if (answer[LOST]) share->trouble = "Redis had forgotten what it was told";
    if (limit->open) return; /* it was only looked at */
    limit->told = false;
    set_doubt(share, limit, false);
    limit->granted = (size_t)answer[GRANTED];
    limit->open = limit->granted > 0;
    limit->take = answer[TAKES];
    limit->take_call = share->calls;
}

static enum err share_take(void *self, const struct limit_ask *asks, size_t count, struct limit_grant *ret_grants) {
    struct share *share = self;
    struct limit *limits[LIMIT_ASKS_MAX];
    int64_t answers[LIMIT_ASKS_MAX * ANSWER_NUMBERS];
    size_t total;
    assert(count <= LIMIT_ASKS_MAX);
    TRY(gather_limits(share, asks, count, limits, &total));
    if (!total) return ERR_NONE;
    share->trouble = NULL;
    TRY(redis_reach(share->redis));
    struct script_call call = call_begin(share);
    for (size_t i = 0; i < total; i++) add_take(&call, limits[i], i < count ? asks[i].want : 0);
    const struct redis_call parts = call_parts(&call);
    enum err err = redis_ask(share->redis, &parts, answers, total * ANSWER_NUMBERS);
    for (size_t i = 0; i < total && !err; i++)
        if (!answer_is_sane(answers + i * ANSWER_NUMBERS, i < count ? asks[i].want : 0))
            err = redis_fail(share->redis, "an answer of Redis makes no sense", "");
    /* Redis may have run the script although its answer cannot be used, so every limit of the call is in doubt. */
    for (size_t i = 0; i < total && err; i++) set_doubt(share, limits[i], true);
    TRY(err);
    for (size_t i = 0; i < total; i++) {
        const int64_t *answer = answers + i * ANSWER_NUMBERS;
        take_learn(share, limits[i], answer);
        if (i >= count) continue;
        ret_grants[i] = (struct limit_grant){.ticket = {limits[i], limits[i]->take_call, limits[i]->take},
                                             .granted = (size_t)answer[GRANTED],
                                             .remaining = limits[i]->rule_count ? (size_t)answer[REMAINING] : SIZE_MAX,
                                             .wait_us = answer[WAIT],
                                             .quiet_us = answer[QUIET],
                                             .lost = answer[LOST]};
    }
    return ERR_NONE;
}

static void share_started(void *self, const struct limit_use *uses, size_t count) {
    struct share *share = self;
    struct script_call call = call_begin(share);
    for (size_t i = 0; i < count; i++) {
        struct limit *limit = map_get(&share->limits, uses[i].limit);
        if (!limit || !limit->open) continue;
        assert(uses[i].started <= limit->granted);
        limit->open = false;
        limit->told = true;
        limit->started = uses[i].started;
        limit->flying = uses[i].starting;
        limit->started_us = now_us(share);
        limit->told_break = redis_breaks(share->redis);
        add_order(&call, limit->flying ? STR("flying") : STR("started"), limit, 4);
        add_number(&call, limit->take_call);
        add_number(&call, limit->take);
        add_number(&call, (int64_t)limit->granted);
        add_number(&call, (int64_t)limit->started);
    }
    if (!call.key_count) return;
    const struct redis_call parts = call_parts(&call);
    if (redis_tell(share->redis, &parts)) return;
    for (size_t i = 0; i < count; i++) { /* it goes with the next take */
        struct limit *limit = map_get(&share->limits, uses[i].limit);
        if (limit && limit->told) limit->told_break = UINT64_MAX;
    }
}

/* One that Redis does not hear leaves the places at the end of their hold: they count for too long, never too short. */
static void share_began(void *self, struct limit_ticket ticket, size_t started) {
    struct share *share = self;
    const struct limit *flew = ticket.limit;
    struct limit *limit = map_get(&share->limits, flew->name);
    if (limit->told && limit->flying && limit->take == ticket.take && limit->take_call == ticket.call) {
        limit->flying = false; /* if Redis did not hear that they fly, it hears with the next take that they started */
        limit->started_us = now_us(share);
    }
    struct script_call call = call_begin(share);
    add_order(&call, STR("began"), limit, 3);
    add_number(&call, ticket.call);
    add_number(&call, ticket.take);
    add_number(&call, (int64_t)started);
    const struct redis_call parts = call_parts(&call);
    redis_tell(share->redis, &parts);
}

/* ---- quiet spells ---- */

static void share_quiet(void *self, struct str name, int64_t for_us) {
    struct share *share = self;
    struct limit *limit = limit_of(share, name);
    if (!limit) return;
    assert(for_us >= 0);
    if (for_us > US_PER_DAY) for_us = US_PER_DAY;
    struct script_call call = call_begin(share);
    add_order(&call, STR("quiet"), limit, 1);
    add_number(&call, for_us);
    const struct redis_call parts = call_parts(&call);
    bool told = redis_tell(share->redis, &parts);
    int64_t until_us = now_us(share) + for_us;
    if (!for_us) limit->quiet_until_us = 0;
    if (for_us && !told && until_us > limit->quiet_until_us) limit->quiet_until_us = until_us;
}

/* ---- teaching ---- */

static int compare_ages(const void *a, const void *b) {
    int64_t left = *(const int64_t *)a, right = *(const int64_t *)b;
    return (left > right) - (left < right);
}

/* Keeps the ages that some window still counts, youngest first. A start that lies in the future counts as now. */
static size_t keep_ages(const struct limit *limit, const int64_t *ages_us, size_t count, int64_t *ret_ages_us) {
    int64_t reach_us = limit_reach_us(limit) - limit->hold_us;
    size_t kept = 0;
    for (size_t i = 0; i < count; i++)
        if (ages_us[i] < reach_us) ret_ages_us[kept++] = ages_us[i] > 0 ? ages_us[i] : 0;
    qsort(ret_ages_us, kept, sizeof *ret_ages_us, compare_ages);
    return kept;
}

static enum err share_teach(void *self, const struct limit_ask *ask, const int64_t *ages_us, size_t count) {
    struct share *share = self;
    struct limit *limit = limit_of(share, ask->limit);
    if (!limit) return ERR_IO;
    assert(!limit->open);
    limit_configure(limit, ask);
    share->trouble = NULL;
    TRY(redis_reach(share->redis));
    struct script_call call = call_begin(share);
    int64_t *ages = arena_array(&share->scratch, int64_t, count), answer[ANSWER_NUMBERS];
    size_t kept = keep_ages(limit, ages_us, count, ages), group = (kept + LESSON_GROUPS - 1) / LESSON_GROUPS;
    add_order(&call, STR("teach"), limit, group ? 2 * ((kept + group - 1) / group) : 0);
    for (size_t i = 0; i < kept; i += group) {
        add_number(&call, ages[i]);
        add_number(&call, (int64_t)(kept - i < group ? kept - i : group));
    }
    const struct redis_call parts = call_parts(&call);
    TRY(redis_ask(share->redis, &parts, answer, ANSWER_NUMBERS));
    if (!answer_is_sane(answer, 0)) return redis_fail(share->redis, "an answer of Redis makes no sense", "");
    limit_learn(share, limit, answer);
    return ERR_NONE;
}

/* ---- the seam ---- */

static const char *seam_trouble(void *self) {
    return share_trouble(self);
}

struct shared_limits share_limits(struct share *share) {
    return (struct shared_limits){
        .take = share_take,
        .started = share_started,
        .began = share_began,
        .quiet = share_quiet,
        .teach = share_teach,
        .trouble = seam_trouble,
        .self = share,
    };
}
