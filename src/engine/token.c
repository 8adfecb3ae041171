/* engine/token.c - see token.h.
 *
 * WHAT. Fetches the token of a destination when a delivery first needs it, renews it before it ends and after the
 * provider refused it, and keeps the desk from claiming meanwhile.
 *
 * PROMISE. No delivery fails, and none spends a retry, for want of a token. Of all processes on a store one asks for
 * the next token of a destination at a time. A refresh token that the provider gave in place of the old one is durable
 * before anything is sent with what came with it. No token stands in the log, in an error text, or open in the store.
 *
 * WHY IT HOLDS.
 * 1. tokens_gate is asked before anything is claimed, and a desk without a good token is not.
 * 2. The right to ask is taken in the transaction whose commit lets the request leave (store_token_ask), for longer
 * than the errand can last. Whoever takes it reads the row again behind it: what another process wrote is taken over.
 * 3. The answer is written in the transaction of the turn that takes it (token_settle), fenced by the generation it was
 *    asked from; memory learns it after that commit (token_settled). A dropped turn reads the same answer again.
 * 4. A delivery that is refused with the token in force marks it stale, once: its successor is on probation until
 *    something is accepted, and if it is refused too, the destination pauses as it would without tokens.
 *
 * WHAT IS LOST. When a process dies, or the connection breaks, between the provider's rotation of a refresh token and
 * the commit, the new one is gone: OAuth has no way to ask for it again. The old one is tried once more, because many
 * providers take it for some time. If it is refused, the destination pauses, says so, and a person logs in; a provider
 * that gives a token for a password (`get`) is asked for one instead.
 *
 * WHAT BREAKS IT. A right that ends before its errand can. Memory that is changed before the commit.
 *
 * HOW TO SEE IT. `drumbeat destinations show NAME`; the log's token_trouble, token_back and login_expires.
 *
 * TESTED BY. test/unit/engine/test_token.c and test_token_trouble.c; test/unit/connect/test_token.c,
 * test/conformance/test_token.c, test/e2e/test_tokens.py.
 */
#include "engine/token.h"

#include <string.h>

#include "base/hash.h"
#include "connect/connect.h"
#include "deliver/heir.h"
#include "engine/flight.h"
#include "engine/turn.h"
#include "model/token.h"
#include "store/token.h"

#define ASK_US       (30 * US_PER_S) /* of one request for a token */
#define ASK_GRACE_US (30 * US_PER_S) /* the right to ask outlasts the request by so much */
#define LOOK_US      US_PER_S        /* how soon to look again where another process asks, or there is no room here */
#define RENEW_US     (5 * US_PER_MIN)
#define GUARD_US     (10 * US_PER_S) /* a token that ends sooner is not sent with */
#define TROUBLE_US   (5 * US_PER_MIN)

struct token {
    struct str name;
    struct arena arena; /* of the two texts: reset with each token */
    struct str access, refresh;
    int64_t made_us, expires_us, refresh_expires_us; /* 0 = not known */
    int64_t generation;                              /* one more with each; in the store's count where it is kept */
    uint8_t made_from[SHA256_BYTES];                 /* the destination's fields */
    bool unread;                                     /* the store, or the configuration, is looked at first */
    bool stale;                                      /* the provider refused it */
    bool on_probation;                               /* made because of a refusal, and nothing was accepted since */
    bool from_start;       /* its refresh token was refused: the next is made from the fields */
    bool troubled, warned; /* the log says so */
    int tries;             /* since the last that was made */
    int64_t next_us;       /* nothing is asked before */
    uint64_t errand;       /* its tag; 0 = none */
    bool answered;         /* by this turn, if it commits */
};

/* What the errand keeps. */
struct asking {
    struct token *token;
    const struct destination_settings *settings;
    struct evaluator evaluator;
    enum token_way way;
    struct token_use use;
    struct str seed; /* digest */
    int64_t generation, in_doubt;
    uint8_t made_from[SHA256_BYTES];
    struct token_answer answer; /* of the turn that settles it */
    int64_t until_us;
    bool applied;
};

/* ---- the tokens there are ---- */

void tokens_close(struct tokens *tokens) {
    for (size_t i = 0; i < tokens->all.count; i++) arena_free(&((struct token *)tokens->all.slots[i].value)->arena);
    arena_free(&tokens->arena);
    arena_free(&tokens->wanted_arena);
}

void tokens_reread(struct loop *loop) {
    loop->tokens.looked = false;
    for (size_t i = 0; i < loop->tokens.all.count; i++)
        ((struct token *)loop->tokens.all.slots[i].value)->unread = true;
}

static struct token *token_named(struct loop *loop, struct str name) {
    struct tokens *tokens = &loop->tokens;
    struct token *token = map_get(&tokens->all, name);
    if (token) return token;
    tokens->all.arena = &tokens->arena;
    token = arena_new(&tokens->arena, struct token);
    token->name = str_dup(&tokens->arena, name);
    token->unread = true;
    map_set(&tokens->all, token->name, token);
    return token;
}

static bool is_kept(const struct destination_settings *settings) {
    return connect_has_way(settings, TOKEN_REFRESH);
}

static void forget(struct token *token) {
    arena_reset(&token->arena);
    token->access = token->refresh = STR_NONE;
    token->expires_us = token->refresh_expires_us = token->made_us = 0;
    token->stale = false;
}

static void learn(struct token *token, struct str access, struct str refresh, int64_t made_us) {
    struct str kept_access = access, kept_refresh = refresh;
    struct arena arena = ARENA_EMPTY; /* the texts may be its own */
    kept_access = str_dup(&arena, access);
    kept_refresh = str_dup(&arena, refresh);
    arena_free(&token->arena);
    token->arena = arena;
    token->access = kept_access;
    token->refresh = kept_refresh;
    token->made_us = made_us;
    token->stale = false;
}

/* Everything a token is made from. */
static void digest_fields(struct loop *loop, const struct destination_settings *settings, struct arena *arena,
                          uint8_t ret_digest[SHA256_BYTES]) {
    struct buf buf = {.arena = arena};
    buf_fmt(&buf, "%.*s\n%.*s\n", STR_ARG(settings->type), STR_ARG(settings->url));
    for (size_t i = 0; i < settings->fields.count; i++) {
        const struct str *value = settings->fields.slots[i].value;
        buf_fmt(&buf, "%.*s %zu ", STR_ARG(settings->fields.slots[i].key), value->n);
        buf_add(&buf, *value);
    }
    hash_sha256(loop->hasher, buf_str(&buf), ret_digest);
}

/* ---- what the store has ---- */

/* Takes over a row. One that was sealed with another key is no token: what can be made anew is, and for the rest a
 * person is asked. */
static void adopt(struct turn *turn, struct token *token, const struct token_row *row, struct str name) {
    struct str access, refresh;
    forget(token);
    token->generation = row->generation;
    if (!token_open(turn->loop->in_force.settings->token_key, name, row->sealed, turn->arena, &access, &refresh))
        return;
    learn(token, access, refresh, row->updated_us);
    token->expires_us = row->expires_us;
    token->refresh_expires_us = row->refresh_expires_us;
    token->on_probation = token->from_start = false;
    token->next_us = 0;
}

/* A destination that was renamed begins with what its earlier name had. */
static enum err read_row(struct turn *turn, struct token *token, const struct destination_settings *settings) {
    struct store *store = turn->loop->options.store;
    struct token_row row, earlier = {0};
    struct str name = STR("");
    TRY(store_token_get(store, settings->name, turn->arena, &row));
    if (row.generation > token->generation) adopt(turn, token, &row, settings->name);
    for (size_t i = 0; !row.generation && !earlier.generation && i < settings->was.count; i++) {
        name = settings->was.items[i];
        TRY(store_token_get(store, name, turn->arena, &earlier));
    }
    if (!earlier.generation || token->access.n) return ERR_NONE;
    adopt(turn, token, &earlier, name);
    token->generation = 0;
    return ERR_NONE;
}

static enum err read_again(struct turn *turn, struct token *token, const struct destination_settings *settings) {
    uint8_t made_from[SHA256_BYTES];
    digest_fields(turn->loop, settings, turn->arena, made_from);
    if (!is_kept(settings) && memcmp(made_from, token->made_from, sizeof made_from) != 0) {
        forget(token);
        token->next_us = 0;
    }
    memcpy(token->made_from, made_from, sizeof made_from);
    if (is_kept(settings)) TRY(read_row(turn, token, settings));
    token->unread = false;
    return ERR_NONE;
}

/* ---- asking ---- */

static int64_t life_of(const struct token *token) {
    return token->expires_us - token->made_us;
}

static int64_t least(int64_t a, int64_t b) {
    return a < b ? a : b;
}

static bool is_good(const struct token *token, int64_t now_us) {
    if (!token->access.n || token->stale) return false;
    return !token->expires_us || now_us < token->expires_us - least(GUARD_US, life_of(token) / 10);
}

/* A token that nothing can renew is used to its end. */
static bool is_old(const struct token *token, const struct destination_settings *settings, int64_t now_us) {
    bool renewable = token->refresh.n || connect_has_way(settings, TOKEN_GET);
    return renewable && token->expires_us && now_us >= token->expires_us - least(RENEW_US, life_of(token) / 4);
}

static struct call_context context_for(struct turn *turn, const struct destination_settings *settings,
                                       const struct token_use *use, struct arena *arena) {
    return (struct call_context){
        .destination = settings, .now_us = turn->now_us, .hasher = turn->loop->hasher, .arena = arena, .token = use};
}

/* The refresh token to begin with, which the configuration names, until it was used once. */
static struct str new_seed(struct turn *turn, const struct destination_settings *settings, const struct token_row *row,
                           struct str *ret_digest) {
    const struct token_use nothing = {0};
    const struct call_context context = context_for(turn, settings, &nothing, turn->arena);
    struct str seed = connect_token_seed(&context, ret_digest);
    return row->generation && str_eq(row->seed, *ret_digest) ? STR_NONE : seed;
}

static enum err let_others(struct turn *turn, const struct destination_settings *settings, int64_t until_us,
                           bool in_doubt) {
    const struct loop_options *options = &turn->loop->options;
    if (!is_kept(settings)) return ERR_NONE;
    return store_token_not_made(options->store, settings->name, options->instance, until_us, in_doubt, turn->now_us);
}

/* Nothing can be asked any more until a person did something. */
static void pause_desk(struct turn *turn, struct str name, struct str reason) {
    size_t desk = deliver_known(turn->loop->deliver, name);
    if (desk != SIZE_MAX) deliver_pause(turn->loop->deliver, desk, 0, reason);
}

static enum err send_for(struct turn *turn, const struct destination_settings *settings, struct token *token,
                         const struct asking *wanted) {
    struct loop *loop = turn->loop;
    struct errand *errand = errand_start(turn, &errand_owners[ERRAND_TOKEN], turn->now_us + ASK_US);
    if (!errand) {
        token->next_us = turn->now_us + LOOK_US;
        return let_others(turn, settings, 0, false);
    }
    struct asking *asking = arena_copy(&errand->arena, wanted, sizeof *wanted);
    asking->use.refresh = str_dup(&errand->arena, wanted->use.refresh);
    asking->seed = str_dup(&errand->arena, wanted->seed);
    asking->evaluator = *loop->in_force.evaluator;
    errand->keeps = asking;
    errand->whose = settings->name;
    const struct call_context context = context_for(turn, settings, &asking->use, &errand->arena);
    struct str problem = STR_NONE;
    if (!connect_token_request(&context, wanted->way, &errand->outgoing, &problem)) {
        token->errand = errand->tag;
        return ERR_NONE;
    }
    pause_desk(turn, settings->name, str_fmt(turn->arena, "no token can be asked for: %.*s", STR_ARG(problem)));
    errand_cancel(turn, errand->tag);
    return let_others(turn, settings, 0, false);
}

/* Takes the right to ask where the token is kept; *ret_ours false: another process asks, or has asked. */
static enum err take_right(struct turn *turn, const struct destination_settings *settings, struct token *token,
                           struct token_row *row, bool *ret_ours) {
    const struct loop_options *options = &turn->loop->options;
    int64_t until_us = turn->now_us + ASK_US + ASK_GRACE_US;
    TRY(store_token_ask(options->store, settings->name, options->instance, turn->now_us, until_us, options->exclusive,
                        ret_ours));
    TRY(store_token_get(options->store, settings->name, turn->arena, row));
    if (row->generation > token->generation) {
        adopt(turn, token, row, settings->name);
        if (*ret_ours) TRY(let_others(turn, settings, 0, false));
        *ret_ours = false;
    } else if (!*ret_ours) {
        token->next_us = least(row->asked_until_us, turn->now_us + LOOK_US);
    }
    return ERR_NONE;
}

static enum err ask(struct turn *turn, const struct destination_settings *settings, struct token *token) {
    struct token_row row = {0};
    struct asking wanted = {.token = token, .settings = settings, .way = TOKEN_GET, .generation = token->generation};
    bool ours = true;
    if (is_kept(settings)) TRY(take_right(turn, settings, token, &row, &ours));
    if (!ours) return ERR_NONE;
    memcpy(wanted.made_from, token->made_from, sizeof wanted.made_from);
    wanted.in_doubt = row.in_doubt - 1;
    struct str seed = new_seed(turn, settings, &row, &wanted.seed);
    wanted.use.refresh = seed.n ? seed : token->refresh;
    bool can_get = connect_has_way(settings, TOKEN_GET);
    if (is_kept(settings) && wanted.use.refresh.n && !(token->from_start && can_get)) wanted.way = TOKEN_REFRESH;
    if (wanted.way == TOKEN_GET && !can_get) {
        const char *why = token->access.n ? "its login ended, and it cannot be renewed"
                          : row.sealed.n  ? "its token was sealed with another DRUMBEAT_TOKEN_KEY"
                                          : "it has no token yet";
        pause_desk(turn, settings->name, str_fmt(turn->arena, "%s: %.*s", why, STR_ARG(login_hint(turn, settings))));
        return let_others(turn, settings, 0, false);
    }
    return send_for(turn, settings, token, &wanted);
}

enum err tokens_gate(struct turn *turn, size_t desk, const struct destination_settings *settings, bool *ret_open) {
    struct loop *loop = turn->loop;
    *ret_open = true;
    if (!connect_has_token(settings)) return ERR_NONE;
    struct token *token = token_named(loop, settings->name);
    if (token->unread) TRY(read_again(turn, token, settings));
    if (!is_good(token, turn->now_us)) { /* a desk that just opened counts as due, and mostly has nothing to send */
        int64_t due_us;
        TRY(store_next_due(loop->options.store, settings->name, &due_us));
        *ret_open = due_us <= turn->now_us;
        if (!*ret_open) (void)deliver_asked(loop->deliver, desk, 0, due_us, turn->now_us);
        if (!*ret_open) return ERR_NONE;
    }
    bool under_way = token->errand && errand_find(loop->errands, token->errand);
    bool wanted = !is_good(token, turn->now_us) || is_old(token, settings, turn->now_us);
    if (wanted && !under_way && turn->now_us >= token->next_us) TRY(ask(turn, settings, token));
    *ret_open = is_good(token, turn->now_us);
    if (*ret_open) return ERR_NONE;
    int64_t look_us = token->next_us > turn->now_us ? token->next_us : turn->now_us + LOOK_US;
    deliver_wait(loop->deliver, desk, token->answered ? turn->now_us : look_us);
    return ERR_NONE;
}

bool tokens_ready(struct loop *loop, const struct destination_settings *settings, int64_t now_us) {
    if (!connect_has_token(settings)) return true;
    const struct token *token = token_named(loop, settings->name);
    return !token->unread && is_good(token, now_us) && !is_old(token, settings, now_us);
}

/* ---- sending with it ---- */

void tokens_lend(struct loop *loop, struct flight *flight, struct arena *arena) {
    if (!connect_has_token(flight->destination)) return;
    const struct token *token = token_named(loop, flight->destination->name);
    flight->token = arena_new(arena, struct token_use);
    flight->token->access = str_dup(arena, token->access);
    flight->token_generation = token->generation;
}

/* It may be read twice, where the turn is dropped, and says the same then. */
bool tokens_expired(struct turn *turn, const struct flight *flight, const struct outcome *outcome) {
    bool for_token = outcome->pause && (outcome->expired || outcome->http_status == 401);
    if (!flight->token || !for_token) return false;
    struct token *token = token_named(turn->loop, flight->destination->name);
    if (flight->token_generation != token->generation) return true; /* another one is there already */
    token->stale = true;
    return !token->on_probation;
}

void tokens_accepted(struct turn *turn, const struct flight *flight) {
    if (!flight->token) return;
    struct token *token = token_named(turn->loop, flight->destination->name);
    if (flight->token_generation == token->generation) token->on_probation = false;
}

/* ---- the answer ---- */

static bool may_have_rotated(const struct asking *asking, const struct answer *answer) {
    bool unsent = answer->end == EXCHANGE_NO_CONNECT || answer->end == EXCHANGE_REFUSED ||
                  answer->end == EXCHANGE_NO_TRUST || answer->end == EXCHANGE_NO_ROOM ||
                  answer->end == EXCHANGE_BAD_URL;
    bool judged = answer->end == EXCHANGE_ANSWERED && answer->status >= 400 && answer->status < 500;
    return asking->way == TOKEN_REFRESH && !unsent && !judged;
}

static enum err keep_made(struct turn *turn, struct asking *asking) {
    struct loop *loop = turn->loop;
    struct token_answer *made = &asking->answer;
    bool rotated = made->refresh.n > 0;
    if (!rotated) made->refresh = asking->use.refresh;
    if (!rotated && !made->refresh_expires_us) made->refresh_expires_us = asking->token->refresh_expires_us;
    asking->applied = true;
    if (!is_kept(asking->settings)) return ERR_NONE;
    struct str key = loop->in_force.settings->token_key;
    if (key.n != SEAL_KEY_BYTES) return ERR_NONE; /* the configuration changed: nobody needs it any more */
    const struct token_row row = {.destination = asking->settings->name,
                                  .generation = asking->generation,
                                  .sealed =
                                      token_seal(key, asking->settings->name, made->access, made->refresh, turn->arena),
                                  .expires_us = made->expires_us,
                                  .refresh_expires_us = made->refresh_expires_us,
                                  .seed = asking->seed};
    return store_token_made(loop->options.store, &row, turn->now_us, &asking->applied);
}

/* 1, 2, 4 ... seconds, at most TROUBLE_US. */
static int64_t trouble_until(const struct turn *turn, const struct asking *asking) {
    int64_t wait_us = US_PER_S << least(asking->token->tries, 20);
    int64_t until_us = turn->now_us + least(wait_us, TROUBLE_US);
    return asking->answer.not_before_us > until_us ? asking->answer.not_before_us : until_us;
}

static void refused(struct turn *turn, const struct asking *asking, bool untrusted) {
    const struct destination_settings *settings = asking->settings;
    size_t desk = deliver_known(turn->loop->deliver, settings->name);
    if (desk == SIZE_MAX) return;
    struct str words = asking->answer.error;
    if (asking->way == TOKEN_GET || untrusted) {
        deliver_refuse(turn->loop->deliver, desk, turn->now_us, str_fmt(turn->arena, "no token: %.*s", STR_ARG(words)));
        return;
    }
    const char *lost = asking->in_doubt > 0 ? " (an earlier answer was lost)" : "";
    deliver_pause(turn->loop->deliver, desk, 0,
                  str_fmt(turn->arena, "its login ended%s, %.*s: %.*s", lost, STR_ARG(words),
                          STR_ARG(login_hint(turn, settings))));
}

enum err token_settle(struct turn *turn, const struct errand *errand, const struct answer *answer) {
    struct asking *asking = errand->keeps;
    struct token_answer *result = &asking->answer;
    const struct call_context context = context_for(turn, asking->settings, &asking->use, turn->arena);
    size_t desk = deliver_known(turn->loop->deliver, asking->settings->name);
    connect_token_answer(&context, answer, &asking->evaluator, result);
    asking->until_us = 0;
    asking->applied = false;
    asking->token->answered = true;
    if (desk != SIZE_MAX) deliver_wait(turn->loop->deliver, desk, turn->now_us);
    if (result->end == TOKEN_MADE) return keep_made(turn, asking);
    if (result->end == TOKEN_TROUBLE) asking->until_us = trouble_until(turn, asking);
    bool gets_next = asking->way == TOKEN_REFRESH && connect_has_way(asking->settings, TOKEN_GET);
    bool untrusted = answer->end == EXCHANGE_NO_TRUST; /* which time alone does not mend */
    if (untrusted || (result->end == TOKEN_REFUSED && !gets_next)) refused(turn, asking, untrusted);
    return let_others(turn, asking->settings, asking->until_us, may_have_rotated(asking, answer));
}

/* A token that ends as it comes serves nobody. It is kept, because its refresh token may be the only one that is good
 * now, and the next is asked for as after trouble: not in a storm. */
static bool is_useless(const struct turn *turn, const struct token_answer *answer) {
    return answer->end == TOKEN_MADE && answer->expires_us && answer->expires_us <= turn->now_us + GUARD_US;
}

static void note_trouble(const struct turn *turn, struct token *token, const struct asking *asking) {
    bool useless = is_useless(turn, &asking->answer), troubled = useless || asking->answer.end == TOKEN_TROUBLE;
    struct str why = useless ? STR("the token that it was given ends at once, or has ended") : asking->answer.error;
    if (troubled == token->troubled) return;
    token->troubled = troubled;
    if (troubled)
        log_event(turn->loop->options.log, LOG_WARN, turn->wall_us, "token_trouble",
                  LOG_TEXT("destination", token->name), LOG_TEXT("trouble", why),
                  LOG_TEXT("effect", STR("its deliveries wait until there is a token; no retry is spent")));
    else
        log_event(turn->loop->options.log, LOG_INFO, turn->wall_us, "token_back", LOG_TEXT("destination", token->name));
}

void token_settled(struct turn *turn, const struct errand *errand) {
    const struct asking *asking = errand->keeps;
    struct token *token = asking->token;
    const struct token_answer *result = &asking->answer;
    bool same = memcmp(asking->made_from, token->made_from, sizeof token->made_from) == 0;
    token->errand = 0;
    token->answered = false;
    if (!same && !is_kept(asking->settings)) return; /* the destination has other credentials by now */
    note_trouble(turn, token, asking);
    bool useless = is_useless(turn, result);
    token->next_us = useless ? trouble_until(turn, asking) : asking->until_us;
    token->tries = useless || result->end == TOKEN_TROUBLE ? token->tries + 1 : 0;
    token->from_start = result->end == TOKEN_REFUSED && asking->way == TOKEN_REFRESH;
    if (result->end != TOKEN_MADE) return;
    token->unread = !asking->applied; /* somebody logged in meanwhile */
    if (!asking->applied) return;
    token->on_probation = token->stale;
    token->generation = asking->generation + 1;
    token->expires_us = result->expires_us;
    token->refresh_expires_us = result->refresh_expires_us;
    learn(token, result->access, result->refresh, turn->now_us);
}

void tokens_rollback(struct loop *loop) {
    for (size_t i = 0; i < loop->tokens.all.count; i++)
        ((struct token *)loop->tokens.all.slots[i].value)->answered = false;
}

void tokens_put_logins(const struct loop *loop, struct gauge_sink *sink) {
    for (size_t i = 0; i < loop->tokens.all.count; i++) {
        const struct token *token = loop->tokens.all.slots[i].value;
        double left_s = (double)(token->refresh_expires_us - sink->now_us) / US_PER_S;
        if (token->refresh_expires_us) sink->put(sink, token->name, left_s);
    }
}

void tokens_tell(const struct turn *turn) {
    for (size_t i = 0; i < turn->loop->tokens.all.count; i++) {
        struct token *token = turn->loop->tokens.all.slots[i].value;
        bool soon = token->refresh_expires_us && token->refresh_expires_us < turn->now_us + EXPIRY_SOON_US;
        if (soon && !token->warned)
            log_event(turn->loop->options.log, LOG_WARN, turn->wall_us, "login_expires",
                      LOG_TEXT("destination", token->name),
                      LOG_TEXT("at", when_str(turn->arena, token->refresh_expires_us)),
                      LOG_TEXT("help", str_fmt(turn->arena, "drumbeat destinations login %.*s", STR_ARG(token->name))));
        token->warned = soon;
    }
}
