/* engine/logins.c - see logins.h and token.h. */
#include "engine/logins.h"

#include "connect/connect.h"
#include "engine/token.h"
#include "engine/turn.h"
#include "model/token.h"
#include "store/token.h"

struct str login_hint(struct turn *turn, const struct destination_settings *settings) {
    if (connect_has_way(settings, TOKEN_ASK))
        return str_fmt(turn->arena, LOGIN_COMMAND " %.*s", STR_ARG(settings->name));
    return str_fmt(turn->arena, "look at its credentials, then drumbeat destinations resume %.*s",
                   STR_ARG(settings->name));
}

/* A destination that was renamed begins with what its earlier name had. */
static enum err read_row(struct store *store, const struct destination_settings *settings, struct arena *arena,
                         struct str *ret_name, struct token_row *ret_row) {
    *ret_name = settings->name;
    TRY(store_token_get(store, settings->name, arena, ret_row));
    for (size_t i = 0; !ret_row->generation && i < settings->was.count; i++) {
        *ret_name = settings->was.items[i];
        TRY(store_token_get(store, *ret_name, arena, ret_row));
    }
    return ERR_NONE;
}

static bool logs_in(const struct destination_settings *settings) {
    return connect_has_way(settings, TOKEN_ASK) && !connect_has_way(settings, TOKEN_GET);
}

static struct str seed_of(const struct destination_settings *settings, int64_t now_us, struct hasher *hasher,
                          struct arena *arena, struct str *ret_digest) {
    const struct call_context context = {.destination = settings, .now_us = now_us, .hasher = hasher, .arena = arena};
    return connect_token_seed(&context, ret_digest);
}

bool login_is_only_way(const struct destination_settings *settings, int64_t now_us, struct hasher *hasher,
                       struct arena *arena) {
    struct str digest;
    return logs_in(settings) && !seed_of(settings, now_us, hasher, arena, &digest).n;
}

enum err login_is_lacking(struct store *store, const struct destination_settings *settings, struct str token_key,
                          int64_t now_us, struct hasher *hasher, struct arena *arena, bool *ret_lacking) {
    struct token_row row;
    struct str name, digest, access, refresh;
    *ret_lacking = false;
    if (!logs_in(settings)) return ERR_NONE;
    TRY(read_row(store, settings, arena, &name, &row));
    struct str seed = seed_of(settings, now_us, hasher, arena, &digest);
    if (seed.n && !(row.generation && str_eq(row.seed, digest))) return ERR_NONE;
    bool opens = token_open(token_key, name, row.sealed, arena, &access, &refresh);
    *ret_lacking = !opens || (!refresh.n && (!access.n || (row.expires_us && row.expires_us <= now_us)));
    return ERR_NONE;
}

enum err logins_look(struct turn *turn) {
    struct loop *loop = turn->loop;
    struct tokens *tokens = &loop->tokens;
    if (tokens->looked) return ERR_NONE;
    arena_reset(&tokens->wanted_arena);
    tokens->wanted = (struct map){.arena = &tokens->wanted_arena};
    for (size_t i = 0; i < deliver_desks(loop->deliver); i++) {
        const struct destination_settings *settings = deliver_settings(loop->deliver, i);
        bool lacking;
        if (!settings) continue;
        TRY(login_is_lacking(loop->options.store, settings, loop->in_force.settings->token_key, turn->now_us,
                             loop->hasher, turn->arena, &lacking));
        if (lacking) map_set(&tokens->wanted, str_dup(&tokens->wanted_arena, settings->name), tokens);
    }
    tokens->looked = true;
    return ERR_NONE;
}
