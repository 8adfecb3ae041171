/* api/replays.c - plans to send again: to make one, to look at it, to let it go, to stop it. The work itself is a chore
 * (engine/replay.c). */
#include "api/body.h"
#include "api/handlers.h"
#include "base/json.h"
#include "base/when.h"
#include "deliver/heir.h"
#include "model/settings.h"
#include "route/route.h"
#include "store/replay.h"

#define EXPIRES_US    US_PER_DAY
#define SHARE_PERCENT 50 /* of a limit, as backlog_spare has it */
#define OPEN_MAX      100

/* ---- how it stands ---- */

static int64_t left_of(const struct replay_part *part) {
    int64_t acts = 0;
    for (int i = 0; i < REPLAY_VERDICTS; i++)
        if (replay_acts((enum replay_verdict)i)) acts += part->counts[i];
    return acts - part->made - part->moved;
}

/* How long so many take at the share of the destination's limits that a replay may use; 0 = no limit says. */
static int64_t time_for(const struct limit_rule *rules, size_t count, int64_t sends) {
    int64_t longest_us = 0;
    for (size_t i = 0; i < count; i++) {
        int64_t share = rules[i].count * SHARE_PERCENT / 100;
        int64_t us = (sends / (share ? share : 1)) * rules[i].window_us;
        if (us > longest_us) longest_us = us;
    }
    return longest_us;
}

static const char *obstacle(const struct call *call, const struct replay *replay, size_t desk) {
    if (desk == SIZE_MAX) return "gone";
    struct desk_view view = deliver_view(call->desks, desk, call->now_us);
    if (call->standing->hold) return "hold";
    if (!replay->original && routes_stopped(call->standing->routes)) return "route";
    if (view.paused) return "pause";
    if (view.breaker.state != BREAKER_CLOSED) return "breaker";
    if (view.quiet_until_us > call->now_us) return "quiet";
    return view.remaining == 0 ? "limit" : NULL;
}

static void encode_part(struct call *call, struct buf *buf, const struct replay *replay,
                        const struct replay_part *part) {
    size_t desk = call->standing->running ? deliver_known(call->desks, part->destination) : SIZE_MAX, count = 0;
    const char *blocked = call->standing->running ? obstacle(call, replay, desk) : NULL;
    int64_t left = left_of(part), eta_us = 0;
    buf_add(buf, STR("{\"destination\":"));
    json_quote(buf, part->destination);
    for (int i = 0; i < REPLAY_VERDICTS; i++)
        buf_fmt(buf, ",\"%s\":%lld", replay_verdict_text((enum replay_verdict)i), (long long)part->counts[i]);
    buf_fmt(buf, ",\"made\":%lld,\"moved\":%lld,\"left\":%lld", (long long)part->made, (long long)part->moved,
            (long long)left);
    if (desk != SIZE_MAX && left) {
        const struct limit_rule *rules = deliver_rules(call->desks, desk, &count);
        eta_us = call->wall_us + time_for(rules, count, left);
    }
    encode_time(buf, "eta", count ? eta_us - eta_us % US_PER_S : 0);
    if (blocked && left)
        buf_fmt(buf, ",\"blocked\":\"%s\"}", blocked);
    else
        buf_add(buf, STR(",\"blocked\":null}"));
}

static void encode_filter(struct buf *buf, const char *name, struct str text) {
    if (text.n)
        encode_text(buf, name, text);
    else
        buf_fmt(buf, ",\"%s\":null", name);
}

/* A plan that cannot be let go any more has a word for it, in the place of PLANNED. */
static const char *standing_of(const struct call *call, const struct replay *replay) {
    if (replay->status != REPLAY_PLANNED) return replay_status_text(replay->status);
    if (call->now_us >= replay->expires_us) return "EXPIRED";
    const struct settings *settings = call->standing->settings;
    bool stale = settings && !str_eq(replay->digest, settings->digest);
    return stale ? "STALE" : replay_status_text(replay->status);
}

static void encode_replay(struct buf *buf, const struct call *call, const struct replay *replay) {
    int64_t range = replay->end_seq - replay->first_seq;
    buf_fmt(buf, "{\"id\":%lld,\"status\":\"%s\"", (long long)replay->seq, standing_of(call, replay));
    encode_filter(buf, "reason", replay->reason);
    encode_text(buf, "actor", replay->actor);
    encode_text(buf, "config", replay->original ? STR("original") : STR("current"));
    buf_fmt(buf, ",\"again\":%s", replay->again ? "true" : "false");
    encode_time(buf, "since", replay->since_us);
    encode_time(buf, "until", replay->until_us == WHEN_NEVER ? 0 : replay->until_us);
    encode_filter(buf, "type", replay->type);
    encode_filter(buf, "source", replay->source);
    encode_filter(buf, "route", replay->route);
    encode_filter(buf, "destination", replay->destination);
    encode_filter(buf, "delivery_status", replay->delivery_status);
    encode_filter(buf, "error", replay->error);
    encode_filter(buf, "when", replay->jq);
    encode_time(buf, "created_at", replay->created_us);
    encode_time(buf, "expires_at", replay->expires_us);
    encode_time(buf, "applied_at", replay->applied_us);
    encode_time(buf, "finished_at", replay->finished_us);
    buf_fmt(buf, ",\"planned\":%.3f,\"events\":%lld,\"failed\":%lld",
            range > 0 ? (double)(replay->last_seq - replay->first_seq) / (double)range : 1, (long long)replay->events,
            (long long)replay->failed);
}

static enum err reply_replay(struct call *call, int status, const struct replay *replay) {
    struct replay_part *parts;
    struct buf buf = {.arena = call->arena};
    size_t count;
    int64_t made = 0, left = 0;
    TRY(store_replay_parts(call->store, replay->seq, call->arena, &parts, &count));
    encode_replay(&buf, call, replay);
    buf_add(&buf, STR(",\"destinations\":["));
    for (size_t i = 0; i < count; i++) {
        if (i) buf_byte(&buf, ',');
        encode_part(call, &buf, replay, &parts[i]);
        made += parts[i].made;
        left += left_of(&parts[i]);
    }
    buf_fmt(&buf, "],\"made\":%lld,\"left\":%lld}", (long long)made, (long long)left);
    return serve_json(call, status, buf_str(&buf));
}

/* ---- to make one ---- */

struct wish_to_replay {
    struct str since, until, config;
    struct replay replay;
};

static bool read_moment(struct call *call, const char *name, struct str text, int64_t absent, int64_t *ret_us) {
    int64_t span_us;
    *ret_us = absent;
    if (!text.n || when_parse(text, ret_us)) return true;
    *ret_us = 0;
    if (span_parse(text, &span_us)) *ret_us = call->wall_us - span_us;
    if (*ret_us > 0) return true;
    (void)serve_problem(call, ERR_BAD_FIELD,
                        str_fmt(call->arena, "'%s' must be RFC 3339, or a length of time as 2h", name),
                        str_fmt(call->arena, "/%s", name).p);
    return false;
}

/* What is named must be there: a misspelt name would plan nothing. */
static bool is_sound(struct call *call, struct wish_to_replay *wish) {
    struct replay *replay = &wish->replay;
    enum delivery_status status;
    const char *problem = NULL, *pointer = NULL;
    bool any = wish->since.n || wish->until.n || replay->type.n || replay->source.n || replay->route.n ||
               replay->destination.n || replay->delivery_status.n || replay->error.n || replay->jq.n;
    if (!read_moment(call, "since", wish->since, 0, &replay->since_us)) return false;
    if (!read_moment(call, "until", wish->until, WHEN_NEVER, &replay->until_us)) return false;
    replay->original = str_eq(wish->config, STR("original"));
    if (!any)
        problem = "name at least one of since, until, type, source, route, destination, status, error and when",
        pointer = "/since";
    else if (wish->config.n && !replay->original && !str_eq(wish->config, STR("current")))
        problem = "'config' must be current or original", pointer = "/config";
    else if (replay->delivery_status.n && !delivery_status_parse(replay->delivery_status, &status))
        problem = "'status' must be that of a delivery, as FAILED", pointer = "/status";
    else if (replay->since_us >= replay->until_us)
        problem = "'until' must lie behind 'since'", pointer = "/until";
    if (problem) (void)serve_problem(call, ERR_BAD_FIELD, str_from(problem), pointer);
    return !problem && body_jq(call, "when", replay->jq);
}

enum err api_replays_plan(struct call *call) {
    struct wish_to_replay wish = {.replay = {.status = REPLAY_PLANNING,
                                             .actor = call->actor,
                                             .digest = call->standing->settings->digest,
                                             .created_us = call->now_us,
                                             .updated_us = call->now_us,
                                             .expires_us = call->now_us + EXPIRES_US}};
    const struct body_member members[] = {{"since", BODY_TEXT, &wish.since},
                                          {"until", BODY_TEXT, &wish.until},
                                          {"type", BODY_TEXT, &wish.replay.type},
                                          {"source", BODY_TEXT, &wish.replay.source},
                                          {"route", BODY_TEXT, &wish.replay.route},
                                          {"destination", BODY_TEXT, &wish.replay.destination},
                                          {"status", BODY_TEXT, &wish.replay.delivery_status},
                                          {"error", BODY_TEXT, &wish.replay.error},
                                          {"when", BODY_TEXT, &wish.replay.jq},
                                          {"config", BODY_TEXT, &wish.config},
                                          {"again", BODY_FLAG, &wish.replay.again}};
    struct replay *newest;
    size_t count, open = 0;
    if (!body_read(call, members, sizeof members / sizeof *members) || !is_sound(call, &wish)) return ERR_NONE;
    TRY(store_replay_list(call->store, 0, OPEN_MAX, call->arena, &newest, &count));
    for (size_t i = 0; i < count; i++)
        open += newest[i].status == REPLAY_PLANNING || newest[i].status == REPLAY_APPLYING ||
                newest[i].status == REPLAY_PAUSED;
    if (open == OPEN_MAX)
        return serve_problem(call, ERR_NOT_NOW, STR("100 replays are under way: cancel some, or wait"), NULL);
    TRY(store_replay_add(call->store, &wish.replay));
    TRY(store_audit(call->store, call->actor, STR("replay plan"),
                    str_fmt(call->arena, "replay %lld", (long long)wish.replay.seq), STR(""), call->now_us));
    call->wishes |= WISH_REPLAY;
    return reply_replay(call, 202, &wish.replay);
}

/* ---- to look at them ---- */

/* False: refused, or the store's trouble in *ret_err. */
static bool find_replay(struct call *call, struct replay *ret_replay, enum err *ret_err) {
    uint64_t seq;
    *ret_err = ERR_NOT_FOUND;
    if (str_to_u64(call->part, &seq) && seq <= INT64_MAX)
        *ret_err = store_replay_get(call->store, (int64_t)seq, call->arena, ret_replay);
    if (*ret_err == ERR_NOT_FOUND)
        *ret_err = serve_problem(call, ERR_NOT_FOUND, STR("there is no replay of this number"), NULL);
    else if (!*ret_err)
        return true;
    return false;
}

enum err api_replays_list(struct call *call) {
    struct replay *replays;
    struct page page;
    size_t count;
    if (!read_page(call, &page)) return ERR_NONE;
    TRY(store_replay_list(call->store, page.cursor, page.limit + 1, call->arena, &replays, &count));
    struct buf buf = {.arena = call->arena};
    buf_add(&buf, STR("{\"items\":["));
    for (size_t i = 0; i < count && i < page.limit; i++) {
        if (i) buf_byte(&buf, ',');
        encode_replay(&buf, call, &replays[i]);
        buf_byte(&buf, '}');
    }
    return reply_list(call, &buf, count > page.limit ? replays[page.limit - 1].seq : 0);
}

enum err api_replays_show(struct call *call) {
    struct replay replay;
    enum err err;
    if (!find_replay(call, &replay, &err)) return err;
    return reply_replay(call, 200, &replay);
}

static void encode_item(struct call *call, struct buf *buf, const struct replay_item *item) {
    buf_add(buf, STR("{\"destination\":"));
    json_quote(buf, item->destination);
    buf_fmt(buf, ",\"n\":%lld,\"event_id\":\"%.*s\"", (long long)item->n,
            STR_ARG(uuid_str(call->arena, item->event_id)));
    encode_text(buf, "route", item->route);
    encode_text(buf, "step", item->step);
    buf_fmt(buf, ",\"would\":\"%s\",\"result\":", replay_verdict_text(item->verdict));
    const char *result = item->result > 0 ? "\"made\"" : item->result == REPLAY_MOVED ? "\"moved\"" : "null";
    buf_fmt(buf, "%s}", result);
}

/* The items of one destination, in the order in which they go. */
enum err api_replays_items(struct call *call) {
    struct str destination = request_query(call->request, STR("destination"), call->arena);
    struct replay replay;
    struct replay_item *items;
    struct page page;
    size_t count;
    enum err err;
    if (!read_page(call, &page)) return ERR_NONE;
    if (!find_replay(call, &replay, &err)) return err;
    if (!destination.n) return serve_problem(call, ERR_BAD_REQUEST, STR("'destination' is missing"), NULL);
    TRY(store_replay_items(call->store, replay.seq, destination, page.cursor, page.limit + 1, call->arena, &items,
                           &count));
    struct buf buf = {.arena = call->arena};
    buf_add(&buf, STR("{\"items\":["));
    for (size_t i = 0; i < count && i < page.limit; i++) {
        if (i) buf_byte(&buf, ',');
        encode_item(call, &buf, &items[i]);
    }
    return reply_list(call, &buf, count > page.limit ? items[page.limit - 1].n : 0);
}

/* The events on which the plan's jq failed, the first thousand of them. */
enum err api_replays_failures(struct call *call) {
    struct replay replay;
    struct replay_failure *failures;
    struct page page;
    size_t count;
    enum err err;
    if (!read_page(call, &page)) return ERR_NONE;
    if (!find_replay(call, &replay, &err)) return err;
    TRY(store_replay_failures(call->store, replay.seq, page.cursor, page.limit + 1, call->arena, &failures, &count));
    struct buf buf = {.arena = call->arena};
    buf_add(&buf, STR("{\"items\":["));
    for (size_t i = 0; i < count && i < page.limit; i++) {
        buf_fmt(&buf, "%s{\"n\":%lld,\"event_id\":\"%.*s\"", i ? "," : "", (long long)failures[i].n,
                STR_ARG(uuid_str(call->arena, failures[i].event_id)));
        encode_text(&buf, "error", failures[i].words);
        buf_byte(&buf, '}');
    }
    return reply_list(call, &buf, count > page.limit ? failures[page.limit - 1].n : 0);
}

/* ---- to let one go, and to stop it ---- */

static const struct transition {
    const char *act;
    unsigned from; /* of enum replay_status */
    enum replay_status to;
} transitions[] = {
    {"apply", 1U << REPLAY_PLANNED, REPLAY_APPLYING},
    {"pause", 1U << REPLAY_APPLYING, REPLAY_PAUSED},
    {"resume", 1U << REPLAY_PAUSED, REPLAY_APPLYING},
    {"cancel", 1U << REPLAY_PLANNING | 1U << REPLAY_PLANNED | 1U << REPLAY_APPLYING | 1U << REPLAY_PAUSED,
     REPLAY_CANCELLED},
};

/* Why a plan cannot be let go; "" = it can. */
static struct str hindrance(const struct call *call, const struct replay *replay, enum err *ret_err) {
    *ret_err = ERR_PLAN_EXPIRED;
    if (replay->status == REPLAY_PLANNED && call->now_us >= replay->expires_us)
        return STR("this plan is older than a day: plan it again with drumbeat replay plan");
    *ret_err = ERR_PLAN_CHANGED;
    if (!str_eq(replay->digest, call->standing->settings->digest))
        return STR("routes or destinations are others than this plan was made by: plan what is left with drumbeat "
                   "replay plan");
    return STR("");
}

static enum err act_on_replay(struct call *call, const struct transition *transition) {
    struct replay replay;
    enum err err;
    if (!body_empty(call)) return ERR_NONE;
    if (!find_replay(call, &replay, &err)) return err;
    if (replay.status == transition->to) return reply_replay(call, 200, &replay); /* the word was given before */
    if (!(transition->from & (1U << replay.status)))
        return serve_problem(call, ERR_NOT_NOW,
                             str_fmt(call->arena, "replay %lld is %s, and cannot be told to %s", (long long)replay.seq,
                                     replay_status_text(replay.status), transition->act),
                             NULL);
    if (transition->to == REPLAY_APPLYING) {
        struct str why = hindrance(call, &replay, &err);
        if (why.n) return serve_problem(call, err, why, NULL);
    }
    replay.status = transition->to;
    replay.reason = STR("");
    replay.updated_us = call->now_us;
    if (transition->to == REPLAY_APPLYING && !replay.applied_us) replay.applied_us = call->now_us;
    if (transition->to == REPLAY_CANCELLED) replay.finished_us = call->now_us;
    TRY(store_replay_set(call->store, &replay));
    TRY(store_audit(call->store, call->actor, str_fmt(call->arena, "replay %s", transition->act),
                    str_fmt(call->arena, "replay %lld", (long long)replay.seq), STR(""), call->now_us));
    call->wishes |= WISH_REPLAY;
    return reply_replay(call, 200, &replay);
}

enum err api_replays_apply(struct call *call) {
    return act_on_replay(call, &transitions[0]);
}

enum err api_replays_pause(struct call *call) {
    return act_on_replay(call, &transitions[1]);
}

enum err api_replays_resume(struct call *call) {
    return act_on_replay(call, &transitions[2]);
}

enum err api_replays_cancel(struct call *call) {
    return act_on_replay(call, &transitions[3]);
}
