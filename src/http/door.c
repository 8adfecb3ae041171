/* http/door.c - keys, wrong keys, and pages of other sites.
 *
 * WHAT   Each head that came over TCP is judged here, also those of published paths.
 * PROMISE  Without a key nobody holds memory for a body, where keys exist. Where none exists, no page in a browser on
 *   this machine can act or read, whatever name its owner gives to 127.0.0.1. An address that sends wrong keys gets
 *   GUESSES_FREE looks at once and one a second after that.
 *   Paths of sources are open to the world, keys or not: their handler judges a signature.
 * WHY IT HOLDS  A page cannot choose the headers Host, Origin and Sec-Fetch-Site. Host names what the user's browser
 *   believes it speaks to: after DNS rebinding it is the attacker's name, which is none of ours. A request to another
 *   site carries that page's Origin when it can act, and Sec-Fetch-Site in every present browser. An older one that
 *   sends neither cannot send application/json to another site without asking first, and OPTIONS is never answered
 *   with permission.
 *   A slowed address is not told whether its key is right, so that it learns nothing by asking faster; but a key that
 *   came from there before goes on working: whoever shares an address with a guesser, or a proxy, keeps his way in.
 * WHAT BREAKS IT  A proxy before a keyless listener that rewrites Host to localhost and drops Origin.
 * HOW TO SEE IT  Code E0119 for pages and foreign names, E0110 for wrong keys, E0127 for slowed addresses.
 * TESTED BY  test/unit/http/test_door.c, test/e2e/test_door.py
 */
#include "http/door.h"

#include <arpa/inet.h>
#include <assert.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/when.h"
#include "http/framing.h"

#define GUESSES_FREE  20       /* wrong keys at once from one address */
#define GUESS_US      US_PER_S /* then one in this time */
#define GUESSERS_MAX  256      /* addresses remembered; the one that was wrong longest ago is forgotten first */
#define ADDRESS_BYTES 16

/* Who a wrong key came from: an IPv4 address, or the network of an IPv6 one, because a host has many of those. */
struct guesser {
    uint8_t from[ADDRESS_BYTES];
    int64_t paid_us; /* its wrong keys so far are paid for at this moment */
};

struct lock_key {
    struct door_key key;
    uint8_t last_from[ADDRESS_BYTES]; /* where it last came from */
};

struct door {
    pthread_mutex_t lock; /* of the next three lines */
    struct lock_key *keys;
    size_t count;
    bool set, keyless, open_metrics, any_key;
    char *listen_host;
    struct hasher *hasher;
    struct guesser guessers[GUESSERS_MAX];
};

struct door *door_new(struct str listen_host) {
    struct door *door = calloc(1, sizeof *door);
    assert(door);
    int failed = pthread_mutex_init(&door->lock, NULL);
    assert(!failed);
    door->listen_host = strndup(listen_host.n ? listen_host.p : "", listen_host.n);
    door->hasher = hasher_new();
    return door;
}

void door_free(struct door *door) {
    if (!door) return;
    pthread_mutex_destroy(&door->lock);
    hasher_free(door->hasher);
    free(door->listen_host);
    free(door->keys);
    free(door);
}

void door_set(struct door *door, const struct door_keys *keys) {
    struct lock_key *fresh = calloc(keys->count + 1, sizeof *fresh);
    assert(fresh);
    pthread_mutex_lock(&door->lock);
    for (size_t i = 0; i < keys->count; i++) {
        fresh[i].key = keys->keys[i];
        for (size_t j = 0; j < door->count; j++)
            if (memcmp(door->keys[j].key.digest, fresh[i].key.digest, SHA256_BYTES) == 0)
                memcpy(fresh[i].last_from, door->keys[j].last_from, ADDRESS_BYTES);
    }
    struct lock_key *old = door->keys;
    door->keys = fresh;
    door->count = keys->count;
    door->keyless = keys->keyless;
    door->open_metrics = keys->open_metrics;
    door->any_key = keys->any_key;
    door->set = true;
    pthread_mutex_unlock(&door->lock);
    free(old);
}

/* ---- pages of other sites ---- */

static bool is_loopback(struct str host) {
    char text[INET6_ADDRSTRLEN];
    struct in_addr v4;
    struct in6_addr v6;
    if (!host.n || host.n >= sizeof text) return false;
    memcpy(text, host.p, host.n);
    text[host.n] = '\0';
    if (inet_pton(AF_INET, text, &v4) == 1) return ntohl(v4.s_addr) >> 24 == 127;
    return inet_pton(AF_INET6, text, &v6) == 1 && IN6_IS_ADDR_LOOPBACK(&v6);
}

/* The host of an authority, without the port, and an IPv6 address without its brackets. */
static struct str host_of(struct str authority) {
    bool bracketed = str_starts(authority, STR("["));
    size_t end = str_find(authority, bracketed ? ']' : ':');
    if (bracketed && end == SIZE_MAX) return STR_NONE;
    return bracketed ? str_sub(authority, 1, end - 1) : str_sub(authority, 0, end);
}

static bool is_own_host(const struct door *door, struct str authority) {
    struct str host = host_of(authority);
    return is_loopback(host) || str_eq_nocase(host, STR("localhost")) ||
           (host.n && str_eq_nocase(host, str_from(door->listen_host)));
}

/* A page that this server itself gave has the origin http://HOST, or https://HOST behind something that speaks TLS. */
static bool is_own_origin(struct str origin, struct str host) {
    static const struct str schemes[] = {{"http://", 7}, {"https://", 8}};
    for (size_t i = 0; i < 2; i++)
        if (str_starts(origin, schemes[i]) && str_eq_nocase(str_sub(origin, schemes[i].n, origin.n), host)) return true;
    return false;
}

static bool is_json(struct str media) {
    media = str_trim(str_sub(media, 0, str_find(media, ';')));
    bool suffixed = str_eq_nocase(str_sub(media, 0, 12), STR("application/")) && media.n > 5 &&
                    str_eq_nocase(str_sub(media, media.n - 5, 5), STR("+json"));
    return suffixed || str_eq_nocase(media, STR("application/json")) ||
           str_eq_nocase(media, STR("application/x-ndjson"));
}

static struct denial judge_page(const struct door *door, const struct framing *head) {
    struct str host = framing_header(head, STR("host")), origin = framing_header(head, STR("origin"));
    struct str site = framing_header(head, STR("sec-fetch-site"));
    if (host.n && !is_own_host(door, host))
        return (struct denial){ERR_FOREIGN,
                               "while no API key exists, Host must be localhost, a loopback address or server.listen; "
                               "behind another name, make a key: drumbeat keys create --role owner",
                               true, 0};
    if ((origin.p && !is_own_origin(origin, host)) ||
        (site.p && !str_eq(site, STR("same-origin")) && !str_eq(site, STR("none"))))
        return (struct denial){ERR_FOREIGN, "while no API key exists, pages of other sites may not ask", true, 0};
    /* POST is the only method that acts which a page may send without asking first. */
    if (str_eq(head->method, STR("POST")) && !is_json(framing_header(head, STR("content-type"))))
        return (struct denial){
            ERR_BAD_MEDIA,
            "send the header Content-Type: application/json, or application/x-ndjson for a batch of events", true, 0};
    return (struct denial){0};
}

/* ---- keys ---- */

static void read_address(struct str address, uint8_t ret_from[ADDRESS_BYTES]) {
    char text[INET6_ADDRSTRLEN] = "";
    memset(ret_from, 0, ADDRESS_BYTES);
    if (address.n < sizeof text) memcpy(text, address.p, address.n);
    if (inet_pton(AF_INET, text, ret_from + 12) == 1) return;
    if (inet_pton(AF_INET6, text, ret_from) == 1) memset(ret_from + 8, 0, 8);
}

/* The guesser of this address, or else the place of the one that was wrong longest ago. */
static struct guesser *find_guesser(struct door *door, const uint8_t *from, bool *ret_found) {
    struct guesser *oldest = &door->guessers[0];
    *ret_found = true;
    for (size_t i = 0; i < GUESSERS_MAX; i++) {
        struct guesser *guesser = &door->guessers[i];
        if (guesser->paid_us && memcmp(guesser->from, from, ADDRESS_BYTES) == 0) return guesser;
        if (guesser->paid_us < oldest->paid_us) oldest = guesser;
    }
    *ret_found = false;
    return oldest;
}

static bool is_slowed(struct door *door, const uint8_t *from, int64_t now_us) {
    bool found;
    const struct guesser *guesser = find_guesser(door, from, &found);
    return found && guesser->paid_us > now_us + (GUESSES_FREE - 1) * GUESS_US;
}

static void note_guess(struct door *door, const uint8_t *from, int64_t now_us) {
    bool found;
    struct guesser *guesser = find_guesser(door, from, &found);
    int64_t from_us = found && guesser->paid_us > now_us ? guesser->paid_us : now_us;
    memcpy(guesser->from, from, ADDRESS_BYTES);
    guesser->paid_us = from_us + GUESS_US;
}

/* Looks at every key, whichever fits, so that the time it takes says nothing. */
static struct lock_key *find_key(struct door *door, struct str value) {
    uint8_t digest[SHA256_BYTES];
    struct lock_key *found = NULL;
    if (!str_eq_nocase(str_sub(value, 0, 7), STR("Bearer "))) return NULL;
    hash_sha256(door->hasher, str_trim(str_sub(value, 7, value.n)), digest);
    for (size_t i = 0; i < door->count; i++)
        if (hash_equal(door->keys[i].key.digest, digest, SHA256_BYTES)) found = &door->keys[i];
    return found;
}

static struct denial judge_key(struct door *door, struct str value, bool needs_read, struct str address,
                               int64_t now_us) {
    uint8_t from[ADDRESS_BYTES];
    read_address(address, from);
    struct lock_key *key = find_key(door, value);
    bool known = key && memcmp(key->last_from, from, ADDRESS_BYTES) == 0;
    if (value.p && !known && is_slowed(door, from, now_us))
        return (struct denial){ERR_SLOWED, "this address sent many wrong API keys: one a second is looked at", true, 0};
    if (!key) {
        if (value.p) note_guess(door, from, now_us); /* a request without a key is no guess */
        return (struct denial){ERR_UNAUTHORIZED, "send the header Authorization: Bearer and a key", true, 0};
    }
    memcpy(key->last_from, from, ADDRESS_BYTES);
    if (needs_read && !key->key.reads)
        return (struct denial){ERR_FORBIDDEN, "this path needs a key of role read, operate or owner", true, 0};
    return (struct denial){0};
}

static bool is_path(const struct framing *head, const char *path) {
    struct str own, query;
    framing_target(head->target, &own, &query);
    return str_eq(own, str_from(path));
}

/* What senders post to their sources carries a signature, which is judged when the body is here: it could be neither
 * made nor read by a page. */
bool door_is_open_to_all(const struct framing *head) {
    struct str path, query;
    framing_target(head->target, &path, &query);
    return str_starts(path, STR("/in/")) || str_starts(path, STR("/f/"));
}

struct denial door_judge(struct door *door, const struct framing *head, struct str address, int64_t now_us) {
    struct denial denial = {0};
    struct str value = framing_header(head, STR("authorization"));
    bool health = is_path(head, "/healthz") || is_path(head, "/readyz"), metrics = is_path(head, "/metrics");
    if (door_is_open_to_all(head)) return denial;
    pthread_mutex_lock(&door->lock);
    if (!door->set)
        denial = (struct denial){ERR_STORE_BUSY, "the server is starting: its keys are not read yet", true, 0};
    else if (door->keyless)
        denial = judge_page(door, head);
    if (!denial.err && !health && !(metrics && door->open_metrics) && !(door->keyless && (door->any_key || !value.p)))
        denial = judge_key(door, value, metrics, address, now_us);
    pthread_mutex_unlock(&door->lock);
    return denial;
}
