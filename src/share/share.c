/* share/share.c - see share.h: what this process remembers of each limit, and the script's arguments and answers. */
#include "share/share.h"

#include "base/arena.h"
#include "base/assets.h"
#include "base/map.h"
#include "base/when.h"
#include "share/link.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#define DEADLINE_US (50 * US_PER_MS)
/* Keys outlive what they tell by so much; limits.lua takes half of it as slack. */
#define KEEP_MORE_US US_PER_MIN
/* Groups of starts in a lesson; each is two parts of the call. */
#define LESSON_GROUPS 1024
/* Keys: window, quiet, epoch and a rule's each. Arguments: command, instance, life, two of a rule each. */
#define FIXED_KEYS 3

/* What this process knows of a limit. */
struct limit {
    struct str name;
    struct limit_rule rules[LIMIT_RULES_MAX]; /* each once */
    size_t rule_count;
    int64_t hold_us;
    /* Redis's memory as it was last seen: it is the same while epoch is, and takes never becomes less. 0 = not seen. */
    int64_t epoch, takes;
    int64_t known_until_us; /* options.clock: later, Redis may have let it go, having nothing to count any more */
    int64_t open_take;      /* its number at Redis */
    size_t open_count;      /* 0 = none is open */
    int64_t quiet_until_us; /* options.clock: a spell that could not be told; 0 = none */
};

struct share {
    struct arena *arena;
    struct clock clock;
    struct str instance;
    struct redis_url url;
    struct link *link;
    struct map limits;    /* name -> struct limit */
    struct arena scratch; /* one call's texts */
    uint64_t losses;
    const char *trouble; /* our own; NULL = the link's */
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
    const struct link_options link = {.url = &share->url,
                                      .script = script_text(),
                                      .deadline_us = options->deadline_us ? options->deadline_us : DEADLINE_US,
                                      .clock = options->clock};
    assert(link.script.n);
    share->link = link_new(&link);
    *ret_share = share;
    return ERR_NONE;
}

void share_close(struct share *share) {
    if (!share) return;
    link_free(share->link);
    arena_free(&share->scratch);
}

bool share_is_up(const struct share *share) {
    return link_is_up(share->link);
}

const char *share_trouble(const struct share *share) {
    return share->trouble ? share->trouble : link_trouble(share->link);
}

uint64_t share_losses(const struct share *share) {
    return share->losses;
}

static int64_t now_us(const struct share *share) {
    return share->clock.now_us(share->clock.self);
}

/* ---- limits ---- */

/* Found, or begun; NULL when there are too many. */
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
static void limit_configure(struct limit *limit, const struct share_ask *ask) {
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

/* ---- calls of the script ---- */

struct script_call {
    struct arena *arena;
    struct str *parts;
    size_t key_count, count;
};

static void add_text(struct script_call *call, struct str text) {
    assert(call->count < LINK_PARTS_MAX);
    call->parts[call->count++] = text;
}

static void add_number(struct script_call *call, int64_t number) {
    add_text(call, str_fmt(call->arena, "%lld", (long long)number));
}

/* The name's last ':' ends it, because no suffix has one: two limits never share a key. */
static void add_key(struct script_call *call, struct str limit, struct str suffix) {
    struct buf key = {.arena = call->arena};
    buf_add(&key, STR("rate_limit:"));
    buf_add(&key, limit);
    buf_byte(&key, ':');
    buf_add(&key, suffix);
    add_text(call, buf_str(&key));
    call->key_count++;
}

/* What every command has before its own arguments. */
static struct script_call call_begin(struct share *share, struct str command, const struct limit *limit) {
    arena_reset(&share->scratch);
    struct arena *arena = &share->scratch;
    struct script_call call = {.arena = arena, .parts = arena_array(arena, struct str, LINK_PARTS_MAX)};
    static const struct str suffixes[FIXED_KEYS] = {{"window", 6}, {"quiet", 5}, {"epoch", 5}};
    for (size_t i = 0; i < FIXED_KEYS; i++) add_key(&call, limit->name, suffixes[i]);
    for (size_t i = 0; i < limit->rule_count; i++)
        add_key(&call, limit->name,
                str_fmt(arena, "%lld/%lld", (long long)limit->rules[i].count,
                        (long long)(limit->rules[i].window_us / US_PER_MS)));
    add_text(&call, command);
    add_text(&call, share->instance);
    add_number(&call, (limit_reach_us(limit) + KEEP_MORE_US) / US_PER_MS);
    for (size_t i = 0; i < limit->rule_count; i++) {
        add_number(&call, limit->rules[i].count);
        add_number(&call, limit->rules[i].window_us);
    }
    return call;
}

static enum err call_ask(struct share *share, const struct script_call *call, int64_t *ret_numbers, size_t count) {
    const struct link_call parts = {call->parts, call->key_count, call->count};
    share->trouble = NULL;
    return link_ask(share->link, &parts, ret_numbers, count);
}

static bool call_tell(struct share *share, const struct script_call *call) {
    const struct link_call parts = {call->parts, call->key_count, call->count};
    share->trouble = NULL;
    return link_tell(share->link, &parts);
}

/* ---- answers ---- */

/* As limits.lua writes them. */
enum { EPOCH, TAKES, GRANTED, REMAINING, WAIT, QUIET, LOST, ANSWER_NUMBERS };

static bool answer_is_sane(const int64_t *answer, size_t want) {
    for (size_t i = 0; i < ANSWER_NUMBERS; i++)
        if (answer[i] < 0) return false;
    return answer[EPOCH] > 0 && answer[TAKES] >= answer[EPOCH] && (uint64_t)answer[GRANTED] <= want &&
           answer[QUIET] <= US_PER_DAY && answer[LOST] <= 1;
}

static enum err ask_answer(struct share *share, const struct script_call *call, size_t want, int64_t *ret_answer) {
    int64_t answer[ANSWER_NUMBERS];
    TRY(call_ask(share, call, answer, ANSWER_NUMBERS));
    if (!answer_is_sane(answer, want)) return link_fail(share->link, "an answer of Redis makes no sense", "");
    memcpy(ret_answer, answer, sizeof answer);
    return ERR_NONE;
}

/* What Redis remembers is known from here on. */
static void limit_learn(struct share *share, struct limit *limit, const int64_t *answer) {
    limit->epoch = answer[EPOCH];
    limit->takes = answer[TAKES];
    limit->known_until_us = now_us(share) + limit_reach_us(limit);
}

static size_t remaining_of(const struct limit *limit, int64_t number) {
    return limit->rule_count ? (size_t)number : SIZE_MAX;
}

/* ---- taking ---- */

enum err share_take(struct share *share, const struct share_ask *ask, struct share_grant *ret_grant) {
    struct limit *limit = limit_of(share, ask->limit);
    if (!limit) return ERR_IO;
    assert(!limit->open_count && ask->want <= INT64_MAX);
    limit_configure(limit, ask);
    int64_t now = now_us(share), answer[ANSWER_NUMBERS];
    bool known = limit->epoch && now < limit->known_until_us;
    struct script_call call = call_begin(share, STR("take"), limit);
    add_number(&call, (int64_t)ask->want);
    add_number(&call, limit->hold_us);
    add_number(&call, known ? limit->epoch : 0);
    add_number(&call, known ? limit->takes : 0);
    add_number(&call, limit->quiet_until_us > now ? limit->quiet_until_us - now : 0);
    TRY(ask_answer(share, &call, ask->want, answer));
    limit->quiet_until_us = 0;
    limit_learn(share, limit, answer);
    if (answer[LOST]) {
        share->losses++;
        share->trouble = "Redis had forgotten what it was told";
        return ERR_IO;
    }
    limit->open_take = answer[TAKES];
    limit->open_count = (size_t)answer[GRANTED];
    *ret_grant = (struct share_grant){.granted = limit->open_count,
                                      .remaining = remaining_of(limit, answer[REMAINING]),
                                      .wait_us = answer[WAIT],
                                      .quiet_us = answer[QUIET]};
    return ERR_NONE;
}

void share_started(struct share *share, struct str name, size_t started) {
    struct limit *limit = map_get(&share->limits, name);
    if (!limit || !limit->open_count) return;
    assert(started <= limit->open_count);
    struct script_call call = call_begin(share, STR("started"), limit);
    add_number(&call, limit->open_take);
    add_number(&call, (int64_t)limit->open_count);
    add_number(&call, (int64_t)started);
    limit->open_count = 0;
    call_tell(share, &call);
}

/* ---- quiet spells, and what is left ---- */

void share_quiet(struct share *share, struct str name, int64_t for_us) {
    struct limit *limit = limit_of(share, name);
    if (!limit) return;
    assert(for_us >= 0);
    if (for_us > US_PER_DAY) for_us = US_PER_DAY;
    struct script_call call = call_begin(share, STR("quiet"), limit);
    add_number(&call, for_us);
    bool told = call_tell(share, &call);
    int64_t until_us = now_us(share) + for_us;
    if (!for_us) limit->quiet_until_us = 0;
    if (for_us && !told && until_us > limit->quiet_until_us) limit->quiet_until_us = until_us;
}

enum err share_remaining(struct share *share, const struct share_ask *ask, size_t *ret_remaining) {
    int64_t number;
    struct limit asked = {.name = ask->limit};
    limit_configure(&asked, ask);
    struct script_call call = call_begin(share, STR("remaining"), &asked);
    TRY(call_ask(share, &call, &number, 1));
    *ret_remaining = remaining_of(&asked, number < 0 ? 0 : number);
    return ERR_NONE;
}

/* ---- teaching ---- */

static int compare_ages(const void *a, const void *b) {
    int64_t left = *(const int64_t *)a, right = *(const int64_t *)b;
    return (left > right) - (left < right);
}

/* The ages that some window still has, youngest first; a start of the future counts as now. */
static size_t keep_ages(const struct limit *limit, const int64_t *ages_us, size_t count, int64_t *ret_ages_us) {
    int64_t reach_us = limit_reach_us(limit) - limit->hold_us;
    size_t kept = 0;
    for (size_t i = 0; i < count; i++)
        if (ages_us[i] < reach_us) ret_ages_us[kept++] = ages_us[i] > 0 ? ages_us[i] : 0;
    qsort(ret_ages_us, kept, sizeof *ret_ages_us, compare_ages);
    return kept;
}

enum err share_teach(struct share *share, const struct share_ask *ask, const int64_t *ages_us, size_t count) {
    struct limit *limit = limit_of(share, ask->limit);
    if (!limit) return ERR_IO;
    assert(!limit->open_count);
    limit_configure(limit, ask);
    struct script_call call = call_begin(share, STR("teach"), limit);
    int64_t *ages = arena_array(&share->scratch, int64_t, count), answer[ANSWER_NUMBERS];
    size_t kept = keep_ages(limit, ages_us, count, ages), group = (kept + LESSON_GROUPS - 1) / LESSON_GROUPS;
    for (size_t i = 0; i < kept; i += group) {
        add_number(&call, ages[i]);
        add_number(&call, (int64_t)(kept - i < group ? kept - i : group));
    }
    TRY(ask_answer(share, &call, 0, answer));
    limit_learn(share, limit, answer);
    return ERR_NONE;
}
