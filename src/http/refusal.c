/* http/refusal.c - the texts of the listener's own answers. */
#include "http/refusal.h"

#include <assert.h>
#include <stdio.h>

#include "http/framing.h"
#include "http/listener.h"

#define BODIES_MAX 16 /* so many bodies of the largest size may be in memory at once */

struct refusal refusal_of_head(const struct listener_options *options, const struct framing *head) {
    const char *trouble = framing_trouble(head);
    if (trouble) return (struct refusal){ERR_BAD_REQUEST, trouble, true, 0};
    if (head->bytes > (size_t)options->max_header_bytes)
        return (struct refusal){ERR_HEADERS_LARGE, "the headers are too large", true,
                                (size_t)options->max_header_bytes};
    if (framing_length(head) > options->max_body_bytes)
        return (struct refusal){ERR_TOO_LARGE, "the body is larger than server.max_body", true,
                                (size_t)options->max_body_bytes};
    return (struct refusal){0};
}

struct refusal refusal_of_body(const struct listener_options *options, size_t body_bytes, size_t held_bytes) {
    size_t most = (size_t)options->max_body_bytes;
    if (body_bytes > most)
        return (struct refusal){ERR_TOO_LARGE, "the body is larger than server.max_body", true, most};
    if (held_bytes > most * BODIES_MAX) return (struct refusal){ERR_FULL, "too many large requests at once", true, 0};
    return (struct refusal){0};
}

struct refusal refusal_of_wait(enum err err) {
    if (err == ERR_STOPPING) return (struct refusal){err, "the server takes no more requests", true, 0};
    bool full = err == ERR_FULL;
    return (struct refusal){err, full ? "too many requests wait already" : "the request was not taken in time", false,
                            0};
}

struct str refusal_body(const struct refusal *refusal, char ret_text[REFUSAL_ROOM]) {
    char bound[48] = "";
    if (refusal->most_bytes) snprintf(bound, sizeof bound, ": at most %zu bytes are taken", refusal->most_bytes);
    int bytes =
        snprintf(ret_text, REFUSAL_ROOM,
                 "{\"type\":\"about:blank\",\"title\":\"%s\",\"status\":%d,\"detail\":\"%s%s\",\"code\":\"%s\"}",
                 err_text(refusal->err), err_http(refusal->err), refusal->detail, bound, err_code(refusal->err));
    assert(bytes > 0 && bytes < REFUSAL_ROOM);
    return (struct str){ret_text, (size_t)bytes};
}

struct str refusal_message(const struct refusal *refusal, char ret_text[REFUSAL_ROOM]) {
    char room[REFUSAL_ROOM];
    struct str body = refusal_body(refusal, room);
    int bytes = snprintf(ret_text, REFUSAL_ROOM,
                         "HTTP/1.1 %d %s\r\nContent-Type: application/problem+json\r\nContent-Length: %zu\r\n"
                         "Connection: close\r\n\r\n%.*s",
                         err_http(refusal->err), err_text(refusal->err), body.n, STR_ARG(body));
    assert(bytes > 0 && bytes < REFUSAL_ROOM);
    return (struct str){ret_text, (size_t)bytes};
}
