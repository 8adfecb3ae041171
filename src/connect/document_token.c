/* connect/document_token.c - tokens of a connector document; see document.h. */
#include "connect/document.h"

#include "base/when.h"
#include "connect/token.h"

#define LIFE_MAX (366 * US_PER_DAY)

/* What RFC 6749 calls the parts of an answer (5.1, 5.2), and how long a refresh token lives where a provider says. */
static const char plain_answer[] = "{access: .access_token, life: .expires_in, refresh: .refresh_token, "
                                   "refresh_life: .refresh_token_expires_in, error: (.error_description // .error)}";

static void read_way(struct document_reader *reader, const struct tree *map, const char *name, enum scope scope,
                     struct request_form **ret_way) {
    const struct tree *request = reader_get(map, name, KEY_MAP);
    if (!request) return;
    *ret_way = read_request(reader, request, scope);
    (*ret_way)->bare = true;
}

static void read_jwt(struct document_reader *reader, const struct tree *map, struct token_form *token) {
    static const struct key_rule keys[] = {{"key", KEY_TEXT, true}, {"claims", KEY_MAP, true}};
    if (!READER_KEYS(reader, map, keys, STR("'jwt'"))) return;
    const struct tree *key = reader_get(map, "key", KEY_TEXT), *claims = reader_get(map, "claims", KEY_MAP);
    if (key) text_read(reader, key, SCOPE_TOKEN, &token->key);
    if (claims) token->claims = node_read(reader, claims, SCOPE_TOKEN);
}

static void read_login(struct document_reader *reader, const struct tree *map, struct token_form *token) {
    static const struct key_rule keys[] = {{"ask", KEY_MAP, true}, {"exchange", KEY_MAP, true}};
    if (!READER_KEYS(reader, map, keys, STR("'login'"))) return;
    read_way(reader, map, "ask", SCOPE_LOGIN, &token->ways[TOKEN_ASK]);
    read_way(reader, map, "exchange", SCOPE_LOGIN, &token->ways[TOKEN_EXCHANGE]);
}

void read_token(struct document_reader *reader, const struct tree *map) {
    static const struct key_rule keys[] = {
        {"get", KEY_MAP, false},     {"refresh", KEY_MAP, false}, {"login", KEY_MAP, false}, {"jwt", KEY_MAP, false},
        {"answer", KEY_TEXT, false}, {"life", KEY_TEXT, false},   {"seed", KEY_TEXT, false}};
    struct token_form *token = arena_new(reader->arena, struct token_form);
    if (!READER_KEYS(reader, map, keys, STR("'token'"))) return;
    const struct tree *login = reader_get(map, "login", KEY_MAP), *jwt = reader_get(map, "jwt", KEY_MAP);
    const struct tree *seed = reader_get(map, "seed", KEY_TEXT);
    if (jwt) read_jwt(reader, jwt, token);
    read_way(reader, map, "get", SCOPE_TOKEN, &token->ways[TOKEN_GET]);
    read_way(reader, map, "refresh", SCOPE_TOKEN, &token->ways[TOKEN_REFRESH]);
    if (login) read_login(reader, login, token);
    if (seed) text_read(reader, seed, SCOPE_TOKEN, &token->seed);
    token->answer = reader_jq(reader, map, "answer");
    if (token->answer == JQ_NONE) token->answer = reader_jq_own(reader, str_from(plain_answer));
    token->life_us = reader_span(reader, map, "life", US_PER_S, LIFE_MAX, 0);
    bool begins = token->ways[TOKEN_GET] || login || seed, renews = token->ways[TOKEN_REFRESH] != NULL;
    if (!begins || ((login || seed) && !renews))
        reader_complain(reader, map, map->mark, CODE_CONNECT_CLASH,
                        "'token' has a 'get', or a 'refresh' with a 'login' or a 'seed' to begin with");
    reader->connector->token = token;
}
