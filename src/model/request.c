#include "model/request.h"

#include <assert.h>

#include "base/arena.h"

struct str request_header(const struct request *request, struct str name) {
    for (size_t i = 0; i < request->header_count; i++)
        if (str_eq_nocase(request->headers[i].name, name)) return request->headers[i].value;
    return STR_NONE;
}

static int hex_value(char c) {
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    if (c >= 'A' && c <= 'F') return c - 'A' + 10;
    return -1;
}

/* A broken escape is left as it stands: the text is then simply not the name of anything that exists. */
static struct str percent_decode(struct arena *arena, struct str text) {
    char *out = arena_alloc(arena, text.n + 1);
    size_t n = 0;
    for (size_t i = 0; i < text.n; i++) {
        if (text.p[i] == '%' && i + 2 < text.n && hex_value(text.p[i + 1]) >= 0 && hex_value(text.p[i + 2]) >= 0) {
            out[n++] = (char)(hex_value(text.p[i + 1]) * 16 + hex_value(text.p[i + 2]));
            i += 2;
        } else {
            out[n++] = text.p[i] == '+' ? ' ' : text.p[i];
        }
    }
    return (struct str){out, n};
}

struct str request_query(const struct request *request, struct str name, struct arena *arena) {
    struct str rest = request->query, pair;
    while (str_next(&rest, '&', &pair)) {
        size_t equals = str_find(pair, '=');
        struct str left = equals == SIZE_MAX ? pair : str_sub(pair, 0, equals);
        if (!str_eq(percent_decode(arena, left), name)) continue;
        if (equals == SIZE_MAX) return STR("");
        return percent_decode(arena, str_sub(pair, equals + 1, pair.n));
    }
    return STR_NONE;
}

bool request_query_next(struct str *query, struct arena *arena, struct str *ret_name) {
    struct str pair;
    while (str_next(query, '&', &pair)) {
        if (!pair.n) continue; /* "a=1&&b=2", and no query at all */
        *ret_name = percent_decode(arena, str_sub(pair, 0, str_find(pair, '=')));
        return true;
    }
    return false;
}

void reply_header(struct reply *reply, struct str name, struct str value) {
    assert(reply->header_count < REPLY_HEADERS_MAX);
    reply->headers[reply->header_count++] = (struct header){name, value};
}
