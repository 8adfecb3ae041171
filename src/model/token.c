/* model/token.c - see token.h. */
#include "model/token.h"

#include "base/arena.h"
#include "base/json.h"

static struct str place_of(struct str name, struct arena *arena) {
    return str_fmt(arena, "tokens/%.*s", STR_ARG(name));
}

struct str token_seal(struct str key, struct str name, struct str access, struct str refresh, struct arena *arena) {
    struct json *texts = json_object();
    json_set_str(texts, "access", access);
    json_set_str(texts, "refresh", refresh);
    struct str sealed = seal_text(key, place_of(name, arena), json_dump(arena, texts), arena);
    json_free(texts);
    return sealed;
}

bool token_open(struct str key, struct str name, struct str sealed, struct arena *arena, struct str *ret_access,
                struct str *ret_refresh) {
    struct str text;
    struct json *texts;
    struct json_error error;
    if (!seal_open(key, place_of(name, arena), sealed, arena, &text)) return false;
    if (json_parse(text, JSON_DEPTH_MAX, &texts, &error)) return false;
    *ret_access = str_dup(arena, json_text(json_get(texts, STR("access"))));
    *ret_refresh = str_dup(arena, json_text(json_get(texts, STR("refresh"))));
    json_free(texts);
    return true;
}
