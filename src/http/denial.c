/* http/denial.c - the rules and the texts of the listener's own answers. */
#include "http/denial.h"

#include <assert.h>
#include <stdio.h>

#include "http/framing.h"
#include "http/listener.h"

#define BODIES_MAX         16 /* how many bodies of the largest size may be in memory at once */
#define BODIES_PER_ADDRESS 8
#define STRANGER_BYTES     ((size_t)1 << 20) /* of a body whose sender is known only when it is here */
#define STRANGERS_PART     4                 /* such bodies hold at most this part of what all may hold */
#define SMALL_PART         16                /* a small body is at most this part of the largest one, */
#define SMALL_BYTES        ((size_t)65536)   /* and at most this */

struct denial denial_of_head(const struct listener_options *options, const struct framing *head) {
    const char *trouble = framing_trouble(head);
    if (trouble) return (struct denial){ERR_BAD_REQUEST, trouble, true, 0};
    if (head->bytes > (size_t)options->max_header_bytes)
        return (struct denial){ERR_HEADERS_LARGE, "the headers are too large", true, (size_t)options->max_header_bytes};
    if (framing_length(head) > options->max_body_bytes)
        return (struct denial){ERR_TOO_LARGE, "the body is larger than server.max_body", true,
                               (size_t)options->max_body_bytes};
    struct str coding = framing_header(head, STR("content-encoding"));
    if (coding.n && !str_eq_nocase(coding, STR("identity")))
        return (struct denial){ERR_BAD_MEDIA, "the header Content-Encoding is not accepted: send the body as it is",
                               true, 0};
    return (struct denial){0};
}

size_t denial_small_bytes(const struct listener_options *options) {
    size_t part = (size_t)options->max_body_bytes / SMALL_PART;
    return part < SMALL_BYTES ? part : SMALL_BYTES;
}

struct denial denial_of_body(const struct listener_options *options, size_t body_bytes, const struct held *held) {
    size_t most = (size_t)options->max_body_bytes;
    if (held->stranger && body_bytes > STRANGER_BYTES)
        return (struct denial){ERR_TOO_LARGE, "the body is larger than what a source may send", true, STRANGER_BYTES};
    if (body_bytes > most) return (struct denial){ERR_TOO_LARGE, "the body is larger than server.max_body", true, most};
    if (body_bytes <= denial_small_bytes(options)) return (struct denial){0};
    if (held->address_bytes + body_bytes > most * BODIES_PER_ADDRESS)
        return (struct denial){ERR_FULL, "too many large requests at once from this address", true, 0};
    if (held->stranger && held->strangers_bytes + body_bytes > most * BODIES_MAX / STRANGERS_PART)
        return (struct denial){ERR_FULL, "too many large requests to sources at once", true, 0};
    if (held->all_bytes + body_bytes > most * BODIES_MAX)
        return (struct denial){ERR_FULL, "too many large requests at once", true, 0};
    return (struct denial){0};
}

struct denial denial_of_wait(enum err err) {
    if (err == ERR_STOPPING) return (struct denial){err, "the server takes no more requests", true, 0};
    bool full = err == ERR_FULL;
    return (struct denial){err, full ? "too many requests wait already" : "the request was not taken in time", false,
                           0};
}

size_t denial_headers(const struct denial *denial, struct header ret_headers[DENIAL_HEADERS_MAX]) {
    static const struct {
        int status;
        struct header header;
    } rows[] = {
        {400, {{"X-Event-Status", 14}, {"INVALID", 7}}},
        {401, {{"WWW-Authenticate", 16}, {"Bearer", 6}}},
        {405, {{"Allow", 5}, {"GET, HEAD", 9}}},
        {415, {{"Accept", 6}, {"application/json", 16}}},
        {415, {{"Accept-Encoding", 15}, {"identity", 8}}},
        {429, {{"Retry-After", 11}, {"1", 1}}},
        {503, {{"Retry-After", 11}, {"1", 1}}},
    };
    size_t count = 0;
    ret_headers[count++] = (struct header){STR("Content-Type"), STR("application/problem+json")};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        if (rows[i].status == err_http(denial->err)) ret_headers[count++] = rows[i].header;
    assert(count <= DENIAL_HEADERS_MAX);
    return count;
}

struct str denial_body(const struct denial *denial, const char *request_id, char ret_text[DENIAL_ROOM]) {
    char bound[48] = "";
    if (denial->most_bytes) snprintf(bound, sizeof bound, ": at most %zu bytes are taken", denial->most_bytes);
    int bytes = snprintf(ret_text, DENIAL_ROOM,
                         "{\"type\":\"about:blank\",\"title\":\"%s\",\"status\":%d,\"detail\":\"%s%s\","
                         "\"code\":\"%s\",\"request_id\":\"%s\"}",
                         err_text(denial->err), err_http(denial->err), denial->detail, bound, err_code(denial->err),
                         request_id);
    assert(bytes > 0 && bytes < DENIAL_ROOM);
    return (struct str){ret_text, (size_t)bytes};
}

struct str denial_message(const struct denial *denial, const char *request_id, char ret_text[DENIAL_ROOM]) {
    char room[DENIAL_ROOM], lines[512];
    struct header headers[DENIAL_HEADERS_MAX];
    struct str body = denial_body(denial, request_id, room);
    size_t count = denial_headers(denial, headers);
    int used = 0;
    for (size_t i = 0; i < count; i++)
        used += snprintf(lines + used, sizeof lines - (size_t)used, "%.*s: %.*s\r\n", STR_ARG(headers[i].name),
                         STR_ARG(headers[i].value));
    int bytes = snprintf(ret_text, DENIAL_ROOM,
                         "HTTP/1.1 %d %s\r\n%s" DENIAL_REQUEST_ID
                         ": %s\r\nContent-Length: %zu\r\nConnection: close\r\n\r\n%.*s",
                         err_http(denial->err), err_text(denial->err), lines, request_id, body.n, STR_ARG(body));
    assert(bytes > 0 && bytes < DENIAL_ROOM);
    return (struct str){ret_text, (size_t)bytes};
}
