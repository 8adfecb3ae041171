/* base/address.c - see address.h. */
#include "base/address.h"

#include <arpa/inet.h>
#include <string.h>

#define HOST_MAX  253 /* RFC 1035, 2.3.4, without the last dot */
#define LABEL_MAX 63
#define URL_MAX   8000

struct range {
    uint8_t bytes[16];
    uint8_t prefix_bits;
};

/* IPv4 addresses that are not globally reachable unicast. Two anycast addresses of 192.0.0.0/24 are, but no receiver of
 * deliveries stands there. */
static const struct range closed_v4[] = {
    {{0}, 8},             /* this network */
    {{10}, 8},            /* private */
    {{100, 64}, 10},      /* shared, carrier-grade NAT */
    {{127}, 8},           /* loopback */
    {{169, 254}, 16},     /* link-local, and where clouds keep their metadata */
    {{172, 16}, 12},      /* private */
    {{192, 0, 0}, 24},    /* protocol assignments */
    {{192, 0, 2}, 24},    /* documentation */
    {{192, 88, 99}, 24},  /* 6to4 relay anycast, deprecated */
    {{192, 168}, 16},     /* private */
    {{198, 18}, 15},      /* benchmarking */
    {{198, 51, 100}, 24}, /* documentation */
    {{203, 0, 113}, 24},  /* documentation */
    {{224}, 4},           /* multicast */
    {{240}, 4},           /* reserved, and limited broadcast */
};

/* IPv6 is public inside 2000::/3 and outside these ranges. Everything else (unique-local, link-local, multicast,
 * loopback, discard, local NAT64, SRv6...) is not public. */
static const struct range global_v6 = {{0x20}, 3};
static const struct range closed_v6[] = {
    {{0x20, 0x01}, 23},             /* protocol assignments: benchmarking, ORCHID, ... */
    {{0x20, 0x01, 0x0d, 0xb8}, 32}, /* documentation */
    {{0x20, 0x02}, 16},             /* 6to4, judged by the address it carries */
    {{0x3f, 0xff}, 20},             /* documentation */
};

/* IPv6 that carries an IPv4 address, which is then the one that counts. */
static const struct carrier {
    struct range range;
    uint8_t at, flipped; /* where the four bytes are, and what was XORed over each */
} carriers[] = {
    {{{[10] = 0xff, 0xff}, 96}, 12, 0},         /* IPv4-mapped */
    {{{0x00, 0x64, 0xff, 0x9b}, 96}, 12, 0},    /* NAT64 */
    {{{0x20, 0x02}, 16}, 2, 0},                 /* 6to4 */
    {{{0x20, 0x01, 0x00, 0x00}, 32}, 12, 0xff}, /* Teredo: the client's address, inverted */
};

static bool range_has(const struct range *range, const uint8_t *bytes) {
    size_t whole = range->prefix_bits / 8;
    unsigned rest_bits = range->prefix_bits % 8;
    if (memcmp(range->bytes, bytes, whole) != 0) return false;
    return !rest_bits || (range->bytes[whole] ^ bytes[whole]) >> (8 - rest_bits) == 0;
}

static bool any_has(const struct range *ranges, size_t count, const uint8_t *bytes) {
    for (size_t i = 0; i < count; i++)
        if (range_has(&ranges[i], bytes)) return true;
    return false;
}

static bool v4_is_public(const uint8_t *bytes) {
    return !any_has(closed_v4, sizeof closed_v4 / sizeof *closed_v4, bytes);
}

static bool v6_is_public(const uint8_t *bytes) {
    for (size_t i = 0; i < sizeof carriers / sizeof *carriers; i++) {
        const struct carrier *carrier = &carriers[i];
        uint8_t carried[4];
        if (!range_has(&carrier->range, bytes)) continue;
        for (size_t j = 0; j < sizeof carried; j++) carried[j] = bytes[carrier->at + j] ^ carrier->flipped;
        return v4_is_public(carried);
    }
    return range_has(&global_v6, bytes) && !any_has(closed_v6, sizeof closed_v6 / sizeof *closed_v6, bytes);
}

bool address_is_public(int family, const uint8_t *bytes) {
    if (family == AF_INET) return v4_is_public(bytes);
    return family == AF_INET6 && v6_is_public(bytes);
}

bool address_is_loopback(int family, const uint8_t *bytes) {
    static const struct range loop_v4 = {{127}, 8}, loop_v6 = {{[15] = 1}, 128};
    return range_has(family == AF_INET ? &loop_v4 : &loop_v6, bytes);
}

static bool is_digit(char c) {
    return c >= '0' && c <= '9';
}

/* Four decimal numbers without leading zeros; inet_pton takes no other form. */
static bool parse_literal(int family, struct str text, uint8_t ret_bytes[16]) {
    char copy[INET6_ADDRSTRLEN];
    if (text.n >= sizeof copy || str_find(text, 0) != SIZE_MAX) return false;
    memcpy(copy, text.p, text.n);
    copy[text.n] = 0;
    return inet_pton(family, copy, ret_bytes) == 1;
}

/* What is wrong with a label of a host's name; NULL when nothing is. */
static const char *label_problem(struct str label) {
    if (!label.n) return "the host has an empty part between its dots";
    if (label.n > LABEL_MAX) return "a part of the host is longer than 63 characters";
    if (label.p[0] == '-' || label.p[label.n - 1] == '-') return "a part of the host begins or ends with '-'";
    for (size_t i = 0; i < label.n; i++) {
        char c = label.p[i];
        if (c >= 'A' && c <= 'Z') return "the host must be written in lower case";
        if (!is_digit(c) && c != '-' && (c < 'a' || c > 'z')) return "the host may only have a-z, 0-9, '-' and '.'";
    }
    return NULL;
}

/* Resolvers read a name whose last part is a number (10.1, 2130706433, 0x7f000001) as an IPv4 address. */
static bool ends_in_number(struct str label) {
    bool hex = str_starts(label, STR("0x"));
    for (size_t i = hex ? 2 : 0; i < label.n; i++)
        if (!is_digit(label.p[i]) && !(hex && label.p[i] >= 'a' && label.p[i] <= 'f')) return false;
    return true;
}

static const char *name_problem(struct str host, bool *ret_private) {
    uint8_t bytes[16];
    if (parse_literal(AF_INET, host, bytes)) {
        *ret_private = !v4_is_public(bytes);
        return NULL;
    }
    if (!host.n) return "the URL has no host";
    if (host.n > HOST_MAX) return "the host is longer than 253 characters";
    struct str rest = host, label = STR_NONE;
    while (str_next(&rest, '.', &label)) {
        const char *problem = label_problem(label);
        if (problem) return problem;
    }
    if (str_ends(host, STR("."))) return "the host must not end with a dot";
    if (ends_in_number(label)) return "an IPv4 address must be four decimal numbers without leading zeros";
    return NULL;
}

/* The host at the front of the authority; *ret_rest is what follows it. */
static const char *host_problem(struct str authority, struct str *ret_host, struct str *ret_rest, bool *ret_private) {
    bool bracketed = str_starts(authority, STR("["));
    size_t length = str_find(authority, bracketed ? ']' : ':');
    if (!bracketed) {
        *ret_host = str_sub(authority, 0, length);
        *ret_rest = str_sub(authority, ret_host->n, authority.n);
        return name_problem(*ret_host, ret_private);
    }
    uint8_t bytes[16];
    *ret_host = str_sub(authority, 1, length - 1);
    if (length == SIZE_MAX || !parse_literal(AF_INET6, *ret_host, bytes)) return "the IPv6 address is not valid";
    *ret_rest = str_sub(authority, length + 1, authority.n);
    *ret_private = !v6_is_public(bytes);
    return NULL;
}

/* The text behind the host must be empty, or ":" and a port. */
static const char *port_problem(struct str text) {
    uint64_t port;
    if (!text.n) return NULL;
    if (text.p[0] != ':') return "after an IPv6 address only a port may follow";
    if (!str_to_u64(str_sub(text, 1, text.n), &port) || port < 1 || port > 65535)
        return "the port must be a number from 1 to 65535";
    return NULL;
}

static const char *text_problem(struct str url) {
    if (url.n > URL_MAX) return "the URL is longer than 8000 characters";
    for (size_t i = 0; i < url.n; i++) {
        unsigned char c = (unsigned char)url.p[i];
        if (c < 0x20 || c == 0x7f) return "the URL has a control character in it";
        if (c == ' ') return "the URL has a blank in it";
        if (c == '\\') return "the URL has a backslash in it";
        if (c > 0x7f) return "the URL has a character outside ASCII in it, which must be percent-encoded";
    }
    return NULL;
}

/* What a kind of URL begins with, and what is said of another one. */
struct url_kind {
    const char *schemes[2], *complaint;
    bool bare; /* nothing stands behind its port */
};
static const struct url_kind web = {{"http://", "https://"}, "the URL must begin with http:// or https://", false};
static const struct url_kind mail = {{"smtp://", "smtps://"}, "the URL must begin with smtp:// or smtps://", true};

static struct str url_authority(struct str url, const struct url_kind *kind, struct str *ret_rest) {
    for (size_t i = 0; i < sizeof kind->schemes / sizeof *kind->schemes; i++) {
        struct str scheme = str_from(kind->schemes[i]);
        if (!str_eq_nocase(str_sub(url, 0, scheme.n), scheme)) continue;
        struct str rest = str_sub(url, scheme.n, url.n);
        size_t length = 0;
        while (length < rest.n && str_find(STR("/?#"), rest.p[length]) == SIZE_MAX) length++;
        *ret_rest = str_sub(rest, length, rest.n);
        return str_sub(rest, 0, length);
    }
    return STR_NONE;
}

static const char *url_problem(struct str url, const struct url_kind *kind, struct str *ret_host, bool *ret_private) {
    const char *problem = text_problem(url);
    if (problem) return problem;
    struct str behind, authority = url_authority(url, kind, &behind), rest;
    if (!authority.p) return kind->complaint;
    if (kind->bare && behind.n) return "after the host and its port nothing may follow";
    if (str_find(authority, '@') != SIZE_MAX) return "the URL has a user name or password in it";
    problem = host_problem(authority, ret_host, &rest, ret_private);
    return problem ? problem : port_problem(rest);
}

static bool check_kind(struct str url, const struct url_kind *kind, struct str *ret_host, bool *ret_literal_private,
                       const char **ret_reason) {
    struct str host;
    bool literal_private = false;
    *ret_reason = url_problem(url, kind, &host, &literal_private);
    if (*ret_reason) return false;
    *ret_host = host;
    *ret_literal_private = literal_private;
    return true;
}

bool url_check(struct str url, struct str *ret_host, bool *ret_literal_private, const char **ret_reason) {
    return check_kind(url, &web, ret_host, ret_literal_private, ret_reason);
}

bool mail_url_check(struct str url, struct str *ret_host, bool *ret_literal_private, const char **ret_reason) {
    return check_kind(url, &mail, ret_host, ret_literal_private, ret_reason);
}

bool host_is_loopback(struct str host) {
    uint8_t bytes[16];
    if (parse_literal(AF_INET, host, bytes)) return address_is_loopback(AF_INET, bytes);
    if (parse_literal(AF_INET6, host, bytes)) return address_is_loopback(AF_INET6, bytes);
    return str_eq(host, STR("localhost"));
}

/* ---- whose address it is ---- */

bool network_parse(struct str text, struct network *ret_network) {
    struct network network = {.bits = 128};
    size_t slash = str_find(text, '/');
    struct str address = str_sub(text, 0, slash);
    char room[INET6_ADDRSTRLEN] = "";
    uint64_t bits = 128;
    if (!address.n || address.n >= sizeof room || memchr(address.p, 0, address.n)) return false;
    memcpy(room, address.p, address.n);
    bool v4 = inet_pton(AF_INET, room, network.bytes + 12) == 1;
    if (v4)
        network.bytes[10] = network.bytes[11] = 0xff;
    else if (inet_pton(AF_INET6, room, network.bytes) != 1)
        return false;
    if (slash != SIZE_MAX && (!str_to_u64(str_sub(text, slash + 1, text.n), &bits) || bits > (v4 ? 32 : 128)))
        return false;
    if (slash != SIZE_MAX) network.bits = (int)bits + (v4 ? 96 : 0);
    *ret_network = network_of(&network, network.bits);
    return true;
}

struct network network_of(const struct network *address, int bits) {
    struct network network = {.bits = bits};
    for (int i = 0; i < bits; i++) network.bytes[i / 8] |= (uint8_t)(address->bytes[i / 8] & (0x80 >> i % 8));
    return network;
}

bool network_has(const struct network *network, const struct network *other) {
    struct network part = network_of(other, network->bits);
    return other->bits >= network->bits && memcmp(part.bytes, network->bytes, sizeof part.bytes) == 0;
}
