/* api/throttle.c - see throttle.h. */
#include "api/throttle.h"

#include <stdlib.h>
#include <string.h>

#include "base/address.h"
#include "model/request.h"

#define SETS 512
#define WAYS 8

/* One address and one form; empty while paid_us is 0. */
struct caller {
    uint8_t from[16];
    char form[48];
    int64_t paid_us; /* all it sent is paid for at this moment */
};

struct throttle {
    struct caller *callers; /* SETS of WAYS; NULL until the first form comes */
};

struct throttle *throttle_new(void) {
    struct throttle *throttle = calloc(1, sizeof *throttle);
    if (!throttle) abort();
    return throttle;
}

void throttle_free(struct throttle *throttle) {
    free(throttle->callers);
    free(throttle);
}

/* The caller, or the place of the one in its set that was quiet longest. */
static struct caller *find(struct throttle *throttle, const struct caller *wanted) {
    uint64_t hash = 14695981039346656037U; /* FNV-1a */
    const uint8_t *bytes = (const uint8_t *)wanted;
    for (size_t i = 0; i < offsetof(struct caller, paid_us); i++) hash = (hash ^ bytes[i]) * 1099511628211U;
    struct caller *set = &throttle->callers[hash % SETS * WAYS], *oldest = set;
    for (size_t i = 0; i < WAYS; i++) {
        if (set[i].paid_us && !memcmp(&set[i], wanted, offsetof(struct caller, paid_us))) return &set[i];
        if (set[i].paid_us < oldest->paid_us) oldest = &set[i];
    }
    *oldest = *wanted;
    return oldest;
}

static bool admits(struct throttle *throttle, struct str form, const struct network *client,
                   const struct limit_rule *limit, int64_t now_us, int64_t *ret_wait_us) {
    struct caller wanted = {.paid_us = 0};
    struct network from = network_of(client, memcmp(client->bytes, "\0\0\0\0\0\0\0\0\0\0\xff\xff", 12) ? 64 : 128);
    int64_t price_us = limit->window_us / limit->count;
    if (!throttle->callers) throttle->callers = calloc((size_t)SETS * WAYS, sizeof *throttle->callers);
    if (!throttle->callers) abort();
    memcpy(wanted.from, from.bytes, sizeof wanted.from);
    memcpy(wanted.form, form.p, form.n < sizeof wanted.form ? form.n : sizeof wanted.form);
    struct caller *caller = find(throttle, &wanted);
    int64_t paid_us = (caller->paid_us > now_us ? caller->paid_us : now_us) + price_us;
    *ret_wait_us = paid_us - (now_us + limit->window_us);
    if (*ret_wait_us > 0) return false;
    caller->paid_us = paid_us;
    return true;
}

/* ---- who sent it ---- */

static bool is_proxy(const struct server_settings *server, const struct network *address) {
    struct network proxy;
    for (size_t i = 0; i < server->proxies.count; i++)
        if (network_parse(server->proxies.items[i], &proxy) && network_has(&proxy, address)) return true;
    return false;
}

/* An address as proxies write it: alone, or with a port. */
static bool read_address(struct str text, struct network *ret_address) {
    size_t colon = str_find(text, ':');
    text = str_trim(text);
    if (str_starts(text, STR("["))) return network_parse(str_sub(text, 1, str_find(text, ']') - 1), ret_address);
    colon = str_find(text, ':');
    bool one_colon = colon != SIZE_MAX && str_find(str_sub(text, colon + 1, text.n), ':') == SIZE_MAX;
    return str_find(text, '/') == SIZE_MAX && network_parse(one_colon ? str_sub(text, 0, colon) : text, ret_address);
}

/* Takes the part behind the last comma off. */
static struct str last_of(struct str *list) {
    size_t at = list->n;
    while (at && list->p[at - 1] != ',') at--;
    struct str last = str_sub(*list, at, list->n);
    *list = str_sub(*list, 0, at ? at - 1 : 0);
    return last;
}

/* Each proxy adds whom it heard at the end, and whoever comes first may write what he likes before that. So it is read
 * from the end, and no further than to the first that is no proxy of ours. */
static bool client_of(const struct server_settings *server, const struct request *request, struct network *ret_client) {
    const struct str name = STR("X-Forwarded-For");
    struct network client, loopback;
    if (!read_address(request->peer, &client)) return false; /* the unix socket */
    bool believed = is_proxy(server, &client);
    for (size_t i = request->header_count; i-- > 0 && believed;) {
        struct str rest = request->headers[i].value;
        if (!str_eq_nocase(request->headers[i].name, name)) continue;
        while (believed && rest.n) {
            struct network before;
            if (!read_address(last_of(&rest), &before)) return false;
            client = before;
            believed = is_proxy(server, &client);
        }
    }
    bool is_local = (network_parse(STR("127.0.0.0/8"), &loopback) && network_has(&loopback, &client)) ||
                    (network_parse(STR("::1"), &loopback) && network_has(&loopback, &client));
    *ret_client = client;
    return !(is_local && !server->proxies.count && request_header(request, name).p);
}

bool throttle_admits(struct throttle *throttle, const struct server_settings *server, struct str form,
                     const struct limit_rule *limit, const struct request *request, int64_t now_us,
                     int64_t *ret_wait_us) {
    struct network client;
    return !client_of(server, request, &client) || admits(throttle, form, &client, limit, now_us, ret_wait_us);
}
