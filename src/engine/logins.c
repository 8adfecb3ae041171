/* engine/logins.c - which destinations want a person's login first: see token.h. */
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
static enum err read_row(struct turn *turn, const struct destination_settings *settings, struct str *ret_name,
                         struct token_row *ret_row) {
    struct store *store = turn->loop->options.store;
    *ret_name = settings->name;
    TRY(store_token_get(store, settings->name, turn->arena, ret_row));
    for (size_t i = 0; !ret_row->generation && i < settings->was.count; i++) {
        *ret_name = settings->was.items[i];
        TRY(store_token_get(store, *ret_name, turn->arena, ret_row));
    }
    return ERR_NONE;
}

/* Whether nothing is left that a token could be had with. */
static enum err lacks_login(struct turn *turn, const struct destination_settings *settings, bool *ret_lacks) {
    struct token_row row;
    struct str name, digest, access, refresh;
    const struct call_context context = {
        .destination = settings, .now_us = turn->now_us, .hasher = turn->loop->hasher, .arena = turn->arena};
    *ret_lacks = false;
    if (!connect_has_way(settings, TOKEN_ASK) || connect_has_way(settings, TOKEN_GET)) return ERR_NONE;
    TRY(read_row(turn, settings, &name, &row));
    struct str seed = connect_token_seed(&context, &digest);
    if (seed.n && !(row.generation && str_eq(row.seed, digest))) return ERR_NONE;
    bool opens = token_open(turn->loop->in_force.settings->token_key, name, row.sealed, turn->arena, &access, &refresh);
    *ret_lacks = !opens || (!refresh.n && (!access.n || (row.expires_us && row.expires_us <= turn->now_us)));
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
        bool lacks;
        if (!settings) continue;
        TRY(lacks_login(turn, settings, &lacks));
        if (lacks) map_set(&tokens->wanted, str_dup(&tokens->wanted_arena, settings->name), tokens);
    }
    tokens->looked = true;
    return ERR_NONE;
}
