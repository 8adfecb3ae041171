/* http/framing.c - the rules of RFC 9112 that keep one request one request. */
#include "http/framing.h"

#include <string.h>

static bool is_token_byte(uint8_t byte) {
    static const char others[] = "!#$%&'*+-.^_`|~";
    bool letter = (byte | 0x20) >= 'a' && (byte | 0x20) <= 'z';
    return letter || (byte >= '0' && byte <= '9') || (byte && strchr(others, byte));
}

static bool is_token(struct str text) {
    for (size_t i = 0; i < text.n; i++)
        if (!is_token_byte((uint8_t)text.p[i])) return false;
    return text.n > 0;
}

static bool is_field_value(struct str text) {
    for (size_t i = 0; i < text.n; i++) {
        uint8_t byte = (uint8_t)text.p[i];
        if ((byte < 0x20 && byte != '\t') || byte == 0x7f) return false;
    }
    return true;
}

/* The scheme and authority of an absolute-form target, or "". */
static struct str target_origin(struct str target) {
    static const char *const schemes[] = {"http://", "https://"};
    for (size_t i = 0; i < 2; i++) {
        size_t scheme = strlen(schemes[i]);
        if (!str_eq_nocase(str_sub(target, 0, scheme), str_from(schemes[i]))) continue;
        size_t end = scheme;
        while (end < target.n && target.p[end] != '/' && target.p[end] != '?') end++;
        return str_sub(target, 0, end);
    }
    return STR_NONE;
}

void framing_target(struct str target, struct str *ret_path, struct str *ret_query) {
    struct str rest = str_sub(target, target_origin(target).n, target.n);
    size_t query = str_find(rest, '?');
    *ret_path = str_sub(rest, 0, query);
    *ret_query = query == SIZE_MAX ? STR_NONE : str_sub(rest, query + 1, rest.n);
    if (!ret_path->n) *ret_path = STR("/");
}

static const char *line_trouble(const struct framing *head) {
    if (!is_token(head->method)) return "the method is not a token";
    for (size_t i = 0; i < head->target.n; i++) {
        uint8_t byte = (uint8_t)head->target.p[i];
        if (byte <= 0x20 || byte >= 0x7f || byte == '#') return "the request target holds a byte that must be encoded";
    }
    bool asterisk = str_eq(head->target, STR("*")) && str_eq(head->method, STR("OPTIONS"));
    if (!str_starts(head->target, STR("/")) && !target_origin(head->target).n && !asterisk)
        return "the request target is neither a path nor a URL";
    if (!str_eq(head->version, STR("HTTP/1.1")) && !str_eq(head->version, STR("HTTP/1.0")))
        return "the version is neither HTTP/1.1 nor HTTP/1.0";
    return NULL;
}

/* The library cuts lines where they were received: a NUL over the colon and two over CR LF. So each piece stands right
 * behind the one before it, and the last one before the empty line, unless there was a NUL in a value, a bare CR or LF
 * as the end of a line, or a folded line, whose pieces are joined elsewhere. None of these can be seen in the values.
 */
static bool lies_behind(const struct header *header, const char *from) {
    const char *name_end = header->name.p + header->name.n;
    if (header->name.p != from || header->value.p <= name_end) return false;
    for (const char *p = name_end; p < header->value.p; p++)
        if (*p != '\0' && *p != ' ' && *p != '\t') return false;
    return true;
}

static const char *lines_trouble(const struct framing *head) {
    static const char cut[] = "a line is folded, holds a NUL, or does not end in CR LF";
    const char *from = head->method.p + head->method.n + 1 + head->target.n + 1;
    if (head->version.p != from) return "the request line is not three words with one blank between them";
    from += head->version.n + 2;
    for (size_t i = 0; i < head->header_count; i++) {
        const struct header *header = &head->headers[i];
        if (!is_token(header->name)) return "a header name is not a token";
        if (!lies_behind(header, from)) return cut;
        if (!is_field_value(header->value)) return "a header value holds a control character";
        from = header->value.p + header->value.n + 2;
    }
    return from + 2 == head->method.p + head->bytes ? NULL : cut;
}

/* How many headers have the name; *ret_value is the first one's, trimmed. */
static size_t find_header(const struct framing *head, struct str name, struct str *ret_value) {
    size_t count = 0;
    for (size_t i = 0; i < head->header_count; i++)
        if (str_eq_nocase(head->headers[i].name, name) && count++ == 0) *ret_value = str_trim(head->headers[i].value);
    return count;
}

static const char *body_trouble(const struct framing *head) {
    struct str length = STR_NONE, coding = STR_NONE;
    uint64_t bytes;
    size_t lengths = find_header(head, STR("content-length"), &length);
    size_t codings = find_header(head, STR("transfer-encoding"), &coding);
    if (lengths > 1) return "there is more than one Content-Length";
    if (lengths && (!str_to_u64(length, &bytes) || bytes > INT64_MAX)) return "Content-Length is not one number";
    if (!codings) return NULL;
    if (lengths) return "there is a Content-Length beside Transfer-Encoding";
    if (codings > 1 || !str_eq_nocase(coding, STR("chunked"))) return "Transfer-Encoding is not just chunked";
    if (str_eq(head->version, STR("HTTP/1.0"))) return "HTTP/1.0 has no Transfer-Encoding";
    return NULL;
}

static const char *host_trouble(const struct framing *head) {
    struct str host = STR_NONE;
    size_t hosts = find_header(head, STR("host"), &host);
    if (hosts > 1) return "there is more than one Host";
    if (!hosts && str_eq(head->version, STR("HTTP/1.1"))) return "Host is missing";
    for (size_t i = 0; i < host.n; i++)
        if (!is_token_byte((uint8_t)host.p[i]) && !strchr("[]:;=(),", host.p[i])) return "Host is not a host";
    return NULL;
}

const char *framing_trouble(const struct framing *head) {
    static const char *(*const rules[])(const struct framing *) = {line_trouble, lines_trouble, body_trouble,
                                                                   host_trouble};
    const char *trouble = NULL;
    for (size_t i = 0; i < sizeof rules / sizeof *rules && !trouble; i++) trouble = rules[i](head);
    return trouble;
}

struct str framing_header(const struct framing *head, struct str name) {
    struct str value = STR_NONE;
    find_header(head, name, &value);
    return value;
}

/* A length or a coding that comes behind the body is refused: it could only contradict what the body was framed by. */
const char *framing_trailer_trouble(const struct header *trailer) {
    if (!is_token(trailer->name)) return "a trailer name is not a token";
    if (!is_field_value(trailer->value)) return "a trailer value holds a control character";
    if (str_eq_nocase(trailer->name, STR("content-length")) || str_eq_nocase(trailer->name, STR("transfer-encoding")))
        return "Content-Length and Transfer-Encoding are no trailers";
    return NULL;
}

int64_t framing_length(const struct framing *head) {
    struct str length = STR_NONE;
    uint64_t bytes;
    if (!find_header(head, STR("content-length"), &length) || !str_to_u64(length, &bytes)) return -1;
    return (int64_t)bytes;
}
