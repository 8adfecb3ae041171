/* api/chores.c - what is done now and then: how far it is, and verify, which begins when it is asked for. */
#include "api/body.h"
#include "api/handlers.h"
#include "base/json.h"
#include "model/chore.h"
#include "store/chore.h"

static void encode_moments(struct buf *buf, const struct chore_round *round) {
    encode_time(buf, "started_at", round->started_us);
    encode_time(buf, "finished_at", round->finished_us);
    buf_fmt(buf, ",\"running\":%s,\"progress\":%.3f,\"steps\":%lld", chore_is_open(round) ? "true" : "false",
            chore_share(round), (long long)round->steps);
}

/* Lists all chores, also one that has no row because it never had anything to do. */
enum err api_chores_list(struct call *call) {
    const int64_t *looked_us = call->standing->looked_us;
    struct buf buf = {.arena = call->arena};
    buf_add(&buf, STR("{\"items\":["));
    for (int i = 0; i < CHORE_COUNT; i++) {
        struct chore_round round;
        TRY(store_chore_get(call->store, chore_text((enum chore_name)i), call->arena, &round));
        buf_add(&buf, i ? STR(",{\"name\":") : STR("{\"name\":"));
        json_quote(&buf, round.name);
        encode_time(&buf, "looked_at", looked_us ? looked_us[i] : 0);
        encode_moments(&buf, &round);
        buf_fmt(&buf, ",\"found\":%lld}", (long long)round.found);
    }
    return reply_list(call, &buf, 0);
}

static struct str verify_answer(const struct chore_round *round, struct arena *arena) {
    struct verification found = verify_found(round, arena);
    struct buf buf = {.arena = arena};
    buf_fmt(&buf, "{\"deep\":%s,\"pages\":%s", round->mode & VERIFY_DEEP ? "true" : "false",
            round->mode & VERIFY_PAGES ? "true" : "false");
    encode_moments(&buf, round);
    buf_fmt(&buf, ",\"events\":%lld,\"deliveries\":%lld,\"attempts\":%lld,\"violation_count\":%zu,\"violations\":[",
            (long long)found.events, (long long)found.deliveries, (long long)found.attempts, found.violation_count);
    for (const struct violation *at = found.violations; at; at = at->next) {
        buf_add(&buf, at == found.violations ? STR("{\"rule\":") : STR(",{\"rule\":"));
        json_quote(&buf, at->rule);
        encode_text(&buf, "text", at->text);
        buf_byte(&buf, '}');
    }
    buf_add(&buf, STR("]}"));
    return buf_str(&buf);
}

enum err api_verify_show(struct call *call) {
    struct chore_round round;
    TRY(store_chore_get(call->store, chore_text(CHORE_VERIFY), call->arena, &round));
    return serve_json(call, 200, verify_answer(&round, call->arena));
}

/* Does the whole round now: without a server there is nobody to take its steps later. */
static enum err verify_at_once(struct call *call, struct chore_round *round) {
    if (round->mode & VERIFY_DEEP) round->mode |= VERIFY_PAGES;
    TRY(store_verify_whole(call->store, call->look, call->hasher, call->arena, round));
    round->finished_us = call->wall_us;
    return serve_json(call, 200, verify_answer(round, call->arena));
}

/* Joins a round that is under way, unless it looks less deep than is asked for. */
enum err api_verify_begin(struct call *call) {
    bool deep;
    if (!serve_truth(call, "deep", &deep)) return ERR_NONE;
    struct chore_round round,
        fresh = {.name = chore_text(CHORE_VERIFY), .mode = deep ? VERIFY_DEEP : 0, .started_us = call->wall_us};
    if (!body_empty(call)) return ERR_NONE;
    if (!call->standing->running) return verify_at_once(call, &fresh);
    TRY(store_chore_get(call->store, fresh.name, call->arena, &round));
    if (chore_is_open(&round) && deep && !(round.mode & VERIFY_DEEP))
        return serve_problem(call, ERR_NOT_NOW, STR("a round that is not deep is under way; GET /v1/verify follows it"),
                             NULL);
    if (!chore_is_open(&round)) {
        TRY(store_chore_set(call->store, &fresh));
        round = fresh;
    }
    call->wishes |= WISH_VERIFY;
    return serve_json(call, 202, verify_answer(&round, call->arena));
}
