/* share/url.c - see url.h. */
#include "share/url.h"

#include "base/arena.h"
#include "base/hash.h"

#include <string.h>
#include <sys/un.h>

#define DATABASE_MAX 1000000
#define HOST_MAX     253

/* %xx becomes its byte. NULL text where that is malformed. */
static struct str unescape(struct arena *arena, struct str s) {
    char *to = arena_alloc(arena, s.n + 1);
    size_t n = 0;
    for (size_t i = 0; i < s.n; i++) {
        uint8_t byte = (uint8_t)s.p[i];
        if (byte == '%') {
            if (i + 2 >= s.n || !hex_decode(str_sub(s, i + 1, 2), &byte, 1)) return STR_NONE;
            i += 2;
        }
        to[n++] = (char)byte;
    }
    return (struct str){to, n};
}

/* Everything before the last '@', because a password may hold one. */
static const char *parse_login(struct str *rest, struct arena *arena, struct redis_url *url) {
    size_t end = rest->n;
    while (end > 0 && rest->p[end - 1] != '@') end--;
    if (!end) return NULL;
    struct str login = str_sub(*rest, 0, end - 1);
    *rest = str_sub(*rest, end, SIZE_MAX);
    size_t colon = str_find(login, ':');
    if (colon == SIZE_MAX) return "before '@' stands user:password, or :password";
    url->user = unescape(arena, str_sub(login, 0, colon));
    url->password = unescape(arena, str_sub(login, colon + 1, SIZE_MAX));
    return url->user.p && url->password.p ? NULL : "'%' must be followed by two hexadecimal digits";
}

static bool host_is_plain(struct str host) {
    for (size_t i = 0; i < host.n; i++)
        if ((uint8_t)host.p[i] <= ' ' || (uint8_t)host.p[i] >= 0x7f || strchr("%?#\\[]@", host.p[i])) return false;
    return host.n && host.n <= HOST_MAX;
}

static const char *parse_port(struct str text, struct redis_url *url) {
    uint64_t port = REDIS_PORT;
    if (text.n && (text.p[0] != ':' || !str_to_u64(str_sub(text, 1, SIZE_MAX), &port) || !port || port > UINT16_MAX))
        return "the port must be a number from 1 to 65535";
    url->port = (uint16_t)port;
    return NULL;
}

static const char *parse_host(struct str rest, struct arena *arena, struct redis_url *url) {
    bool bracketed = rest.n && rest.p[0] == '[';
    size_t end = str_find(rest, bracketed ? ']' : ':');
    if (bracketed && end == SIZE_MAX) return "'[' without ']'";
    if (end == SIZE_MAX) end = rest.n;
    struct str host = bracketed ? str_sub(rest, 1, end - 1) : str_sub(rest, 0, end);
    if (!host_is_plain(host)) return "it names no host: redis://host:port/database";
    url->host = str_dup(arena, host);
    return parse_port(str_sub(rest, bracketed ? end + 1 : end, SIZE_MAX), url);
}

static const char *parse_tcp(struct str rest, struct arena *arena, struct redis_url *url) {
    /* The password may hold a '/' only as %2F, as in any url. */
    size_t slash = str_find(rest, '/');
    struct str place = str_sub(rest, 0, slash), database = STR_NONE;
    if (slash != SIZE_MAX) database = str_sub(rest, slash + 1, SIZE_MAX);
    const char *problem = parse_login(&place, arena, url);
    if (!problem) problem = parse_host(place, arena, url);
    if (problem) return problem;
    uint64_t number = 0;
    if (database.n && (!str_to_u64(database, &number) || number > DATABASE_MAX))
        return "after the host comes the number of the database, and nothing else";
    url->database = (int)number;
    return NULL;
}

static const char *parse_unix(struct str rest, struct arena *arena, struct redis_url *url) {
    size_t slash = str_find(rest, '/');
    if (slash == SIZE_MAX) return "it names no socket: unix:///path";
    if (str_find(rest, '?') != SIZE_MAX) return "nothing may follow the path; a '?' in it is %3F";
    struct str place = str_sub(rest, 0, slash);
    const char *problem = parse_login(&place, arena, url);
    if (problem) return problem;
    url->path = unescape(arena, str_sub(rest, slash, SIZE_MAX));
    if (!url->path.p) return "'%' must be followed by two hexadecimal digits";
    if (place.n || url->path.n < 2 || memchr(url->path.p, 0, url->path.n)) return "it names no socket: unix:///path";
    if (url->path.n >= sizeof((struct sockaddr_un){0}.sun_path))
        return "the path of a unix socket has at most 107 bytes";
    return NULL;
}

static const char *parse_tls(struct str rest, struct arena *arena, struct redis_url *url) {
    (void)rest, (void)arena, (void)url;
    return "rediss:// (TLS) is not supported; use redis:// in a network you trust, or a tunnel";
}

static const struct {
    struct str scheme;
    const char *(*parse)(struct str rest, struct arena *arena, struct redis_url *url); /* NULL or what is wrong */
} schemes[] = {
    {{"redis://", 8}, parse_tcp},
    {{"unix://", 7}, parse_unix},
    {{"rediss://", 9}, parse_tls},
};

enum err redis_url_parse(struct str url, struct arena *arena, struct redis_url *ret_url, struct str *ret_problem) {
    struct redis_url parsed = {0};
    const char *problem = "it begins with redis:// or unix://";
    for (size_t i = 0; i < sizeof schemes / sizeof *schemes; i++) {
        struct str scheme = schemes[i].scheme;
        if (str_eq_nocase(str_sub(url, 0, scheme.n), scheme))
            problem = schemes[i].parse(str_sub(url, scheme.n, SIZE_MAX), arena, &parsed);
    }
    if (problem) {
        *ret_problem = str_fmt(arena, "not a Redis url: %s", problem);
        return ERR_CONFIG;
    }
    *ret_url = parsed;
    return ERR_NONE;
}
