/* config/section_server.c - the section `server`, the zone, and what the server finds where: its address, the store,
 * Redis; see check.h. */
#include "base/address.h"
#include "config/section.h"

#include <arpa/inet.h>
#include <string.h>

/* How it is written, and whether the machine's list has it. */
void check_zone(struct checker *checker, const struct key *key, const struct tree *value, void *owner) {
    struct str text;
    if (!scalar_text(checker, key, value, &text)) return;
    bool fine = text.n && (int64_t)text.n <= key->max && text.p[0] != '/' && !memmem(text.p, text.n, "..", 2);
    for (size_t i = 0; fine && i < text.n; i++)
        fine = strchr("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_+-/", text.p[i]) && text.p[i];
    const struct secret_source *machine = checker->secrets;
    if (!fine)
        scalar_refuse(checker, key, value, CODE_VALUE);
    else if (machine && machine->zone_known && !machine->zone_known(machine->self, text))
        check_report(checker, value->mark, CODE_VALUE,
                     "%.*s: the IANA list has no time zone '%.*s'; one is written as Europe/Berlin",
                     STR_ARG(check_subject(checker, key->name)), STR_ARG(text));
    else
        *(struct str *)(void *)((char *)owner + key->place) = text;
}

/* A relative path seen from the folder of a file; "./" when the file's path names no folder, so that a name such as
 * :memory: stays a path. */
static struct str beside(struct arena *arena, struct str file, struct str path) {
    size_t end = file.n;
    while (end && file.p[end - 1] != '/') end--;
    struct str folder = end ? str_sub(file, 0, end) : STR("./");
    if (str_starts(path, STR("./"))) path = str_sub(path, 2, path.n);
    return str_fmt(arena, "%.*s%.*s", STR_ARG(folder), STR_ARG(path));
}

struct str check_beside(struct checker *checker, struct str path) {
    return path.p[0] == '/' ? path : beside(checker->arena, checker->file, path);
}

void check_store(struct checker *checker, const struct key *key, const struct tree *value, void *owner) {
    struct str text, subject = check_subject(checker, key->name);
    if (!scalar_text(checker, key, value, &text)) return;
    if (!text.n || (int64_t)text.n > key->max || str_ends(text, STR("/"))) {
        scalar_refuse(checker, key, value, CODE_VALUE);
        return;
    }
    struct str *store = (void *)((char *)owner + key->place);
    const char *problem = settings_store_problem(text);
    if (problem)
        check_report(checker, value->mark, CODE_VALUE, "%.*s %s", STR_ARG(subject), problem);
    else if (settings_store_is_postgres(text) || text.p[0] == '/')
        *store = text;
    else
        *store = beside(checker->arena, checker->file, text);
}

/* Checks only that it is a PostgreSQL URL, because what the URL says is for libpq to read. */
void check_dsn(struct checker *checker, const struct key *key, const struct tree *value, void *owner) {
    struct str text;
    if (!scalar_text(checker, key, value, &text)) return;
    if ((int64_t)text.n <= key->max && settings_store_is_postgres(text))
        *(struct str *)(void *)((char *)owner + key->place) = text;
    else
        scalar_refuse(checker, key, value, CODE_VALUE);
}

/* Checks little more than the scheme. share/url.c reads the rest when the server starts. */
void check_redis_url(struct checker *checker, const struct key *key, const struct tree *value, void *owner) {
    static const struct str plain = {"redis://", 8}, local = {"unix:///", 8};
    struct str text, subject = check_subject(checker, key->name);
    if (!scalar_text(checker, key, value, &text)) return;
    if (str_starts(text, STR("rediss://")))
        check_report(checker, value->mark, CODE_VALUE,
                     "%.*s takes no rediss://: Redis is called without TLS, so a tunnel has to stand before it",
                     STR_ARG(subject));
    else if ((int64_t)text.n <= key->max && text.n > plain.n && (str_starts(text, plain) || str_starts(text, local)))
        *(struct str *)(void *)((char *)owner + key->place) = text;
    else
        scalar_refuse(checker, key, value, CODE_VALUE);
}

/* Takes the brackets off an IPv6 address. localhost is the only name, because any other would have to be looked up. */
static bool host_parse(struct checker *checker, struct str text, struct str *ret_host) {
    uint8_t address[16];
    bool bracketed = text.n > 2 && text.p[0] == '[' && text.p[text.n - 1] == ']';
    struct str host = str_dup(checker->arena, bracketed ? str_sub(text, 1, text.n - 2) : text);
    if (str_eq(host, STR("localhost")) && !bracketed) host = STR("127.0.0.1");
    if (inet_pton(bracketed ? AF_INET6 : AF_INET, host.p, address) != 1) return false;
    *ret_host = host;
    return true;
}

void check_listen(struct checker *checker, const struct key *key, const struct tree *value, void *owner) {
    struct server_settings *server = owner;
    struct str text, host, subject = check_subject(checker, key->name);
    uint64_t port;
    if (!scalar_text(checker, key, value, &text)) return;
    size_t colon = text.n;
    while (colon && text.p[colon - 1] != ':') colon--;
    struct str before = str_sub(text, 0, colon ? colon - 1 : 0), after = str_sub(text, colon, text.n);
    bool has_port = str_to_u64(after, &port) && port <= (uint64_t)key->max;
    if (has_port && (!before.n || str_eq(before, STR("*"))))
        check_report(checker, value->mark, CODE_VALUE,
                     "%.*s needs an address: write '127.0.0.1:%llu' for this machine, '0.0.0.0:%llu' for all",
                     STR_ARG(subject), (unsigned long long)port, (unsigned long long)port);
    else if (!has_port || !host_parse(checker, before, &host))
        scalar_refuse(checker, key, value, CODE_VALUE);
    else {
        server->listen_host = host;
        server->listen_port = (uint16_t)port;
    }
}

void check_server(struct checker *checker, const struct key *key, const struct tree *value, void *owner) {
    section_read(checker, key, value, owner);
    struct server_settings *server = &checker->settings->server;
    for (size_t i = 0; i < server->proxies.count; i++) {
        struct network network;
        if (!network_parse(server->proxies.items[i], &network))
            check_report(checker, check_key_mark(value, STR("proxies")), CODE_VALUE,
                         "'proxies' in 'server' takes addresses and networks such as 127.0.0.1 or 10.0.0.0/8");
    }
    if (str_ends(server->url, STR("/"))) server->url.n--; /* a path, which begins with one, follows it */
    bool refused = !server->max_body_bytes;               /* its own bound is not 0 */
    if (refused || server->max_event_bytes <= server->max_body_bytes) return;
    check_report(checker, check_key_mark(value, STR("max_event")), CODE_BOUNDS,
                 "'max_event' in 'server' is larger than 'max_body'");
}
