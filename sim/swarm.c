#include "sim/swarm.h"

#include <stdio.h>
#include <string.h>

/* The receiver tells calls apart by these headers, and knows the room of each; the provider it plays knows no keys. */
#define MARKS "headers: {X-Drumbeat-Event: \"${event.id}\", Idempotency-Key: \"${delivery.id}\", X-Room: \"${.room}\"}"

static const char connector[] =
    "version: 1\nname: asked\nabout: A provider without keys that can be asked.\n"
    "fields: {server: {required: true}}\n"
    "actions:\n  post:\n    params: {text: required, room: optional}\n"
    "    request: {url: \"${field.server}/posts\", " MARKS ", json: {text: \"${.text}\"}}\n"
    "    lookup:\n"
    "      request: {url: \"${field.server}/find\", " MARKS "}\n"
    "      answers:\n"
    "        - {status: 200, when: .found == true, is: found}\n"
    "        - {status: 200, is: absent}\n"
    "      settle: 20s\n"
    "  many:\n    params: {text: required, room: optional}\n"
    "    request: {url: \"${field.server}/one\", " MARKS ", json: {text: \"${.text}\", room: \"${.room}\"}}\n"
    "    idempotency: {header: Idempotency-Key, keep: 24h}\n"
    "    batch:\n      max: 5\n"
    "      request: {url: \"${field.server}/many\", headers: {Idempotency-Key: \"${key}\"},"
    " json: {all: \"${items}\"}}\n";

static const char *const limits[] = {"", "5/1s, 60/1m", "100/1m", "3/2s", "20/10s, 40/1m"};

/* In each room. Under the last one a busy room does not get all of its calls before the seed ends. */
static const char *const room_limits[] = {"", "1/2s per room", "2/10s per room, 5/1m per room", "30/1m per room",
                                          "2/6h per room"};
#define ROOM_LIMIT_ENDLESS 4

/* A few rooms, one for each event, or one for half of the events and one for each of the others. */
static const char *const rooms[] = {"${.k}", "${.n}", "${if .n % 2 == 0 then 0 else .n end}"};
enum { ROOMS_FEW, ROOMS_MANY, ROOMS_BUSY };

static const struct site standing[] = {
    {.host = "crm", .kind = SITE_HOOK, .even = true, .limit = 1, .concurrency = 4},
    {.host = "mail", .kind = SITE_BLIND, .concurrency = 3},
    {.host = "social", .kind = SITE_ASKED, .limit = 2, .concurrency = 2},
    {.host = "ledger", .kind = SITE_LEDGER, .ordered = true, .concurrency = 8},
};

/* What may be drawn: each with its kind of receiver. */
static const struct site drawn[RECEIVERS_MAX] = {
    {.host = "crm", .kind = SITE_HOOK},     {.host = "mail", .kind = SITE_BLIND},
    {.host = "social", .kind = SITE_ASKED}, {.host = "ledger", .kind = SITE_LEDGER},
    {.host = "bulk", .kind = SITE_BULK},    {.host = "shop", .kind = SITE_HOOK},
    {.host = "post", .kind = SITE_BLIND},   {.host = "books", .kind = SITE_LEDGER},
};

static bool one_in(struct rng *rng, uint64_t n) {
    return rng_below(rng, n) == 0;
}

static bool has_rooms(const struct site *site) {
    return site->kind == SITE_ASKED || site->kind == SITE_BULK;
}

/* When few rooms are counted at a time, each must be forgotten soon. */
static void draw_room_limit(struct site *site, const struct swarm *swarm, struct rng *rng) {
    size_t count = sizeof room_limits / sizeof *room_limits;
    if (has_rooms(site)) site->room_limit = (int)rng_below(rng, swarm->rooms_max ? ROOM_LIMIT_ENDLESS : count);
}

static void draw_times(struct site *site, struct rng *rng) {
    site->timeout_s = 2 + (int)rng_below(rng, 8);
    site->join_max = 2 + (int)rng_below(rng, 4);
    site->join_wait_s = (int)rng_below(rng, 5);
}

static void draw_site(struct site *site, struct rng *rng) {
    site->limit = (int)rng_below(rng, sizeof limits / sizeof *limits);
    site->concurrency = 1 + (int)rng_below(rng, 8);
    site->retry_max = (int)rng_below(rng, 8);
    site->base_ms = 200 + (int)rng_below(rng, 2000);
    site->ordered = site->kind == SITE_LEDGER ? !one_in(rng, 4) : site->kind == SITE_HOOK && one_in(rng, 3);
    site->even = site->kind == SITE_HOOK && !site->ordered && one_in(rng, 3);
    site->picky = (site->kind == SITE_HOOK || site->kind == SITE_LEDGER) && one_in(rng, 4);
    site->account = one_in(rng, 4);
    site->twin = site->kind == SITE_HOOK && !site->ordered && !site->even && site->base_ms % 2;
    draw_times(site, rng);
}

static void write_name(const struct site *site, int number, char ret_name[24]) {
    if (number)
        snprintf(ret_name, sizeof site->name, "%.9s-%d", site->host, number % 1000);
    else
        snprintf(ret_name, sizeof site->name, "%s", site->host);
}

void swarm_draw(struct swarm *swarm, struct rng *rng, bool is_standing) {
    *swarm = (struct swarm){.standing = is_standing};
    if (is_standing) {
        swarm->count = sizeof standing / sizeof *standing;
        memcpy(swarm->sites, standing, sizeof standing);
    } else {
        size_t first = rng_below(rng, RECEIVERS_MAX);
        swarm->count = 1 + rng_below(rng, RECEIVERS_MAX);
        for (size_t i = 0; i < swarm->count; i++) {
            swarm->sites[i] = drawn[(first + i) % RECEIVERS_MAX];
            draw_site(&swarm->sites[i], rng);
        }
        if (rng_below(rng, 2)) swarm->act_chance = 50 + rng_below(rng, 300);
        if (rng_below(rng, 2)) swarm->reload_chance = 20 + rng_below(rng, 80);
        if (one_in(rng, 4)) swarm->runaway_chance = 5 + rng_below(rng, 60);
        if (one_in(rng, 2)) swarm->rooms_max = 1 + rng_below(rng, 12);
        for (size_t i = 0; i < swarm->count; i++) {
            swarm->sites[i].rooms = (int)rng_below(rng, sizeof rooms / sizeof *rooms);
            draw_room_limit(&swarm->sites[i], swarm, rng);
        }
    }
    for (size_t i = 0; i < swarm->count; i++) write_name(&swarm->sites[i], 0, swarm->sites[i].name);
}

struct str swarm_connector(void) {
    return str_from(connector);
}

/* All names that it had before, the last one first. */
static void add_earlier(struct buf *buf, const struct site *site) {
    char name[sizeof site->name];
    if (site->renamed) buf_add(buf, STR(", was: ["));
    for (int number = site->renamed; number-- > 0;) {
        write_name(site, number, name);
        buf_fmt(buf, "%s%s", name, number ? ", " : "]");
    }
}

static void add_destination(struct buf *buf, const struct swarm *swarm, const struct site *site) {
    buf_fmt(buf, "  %s: {", site->name);
    if (site->kind == SITE_ASKED || site->kind == SITE_BULK)
        buf_fmt(buf, "type: asked, server: \"http://%s.test\"", site->host);
    else
        buf_fmt(buf, "url: \"http://%s.test/x\"", site->host);
    buf_fmt(buf, ", concurrency: %d, timeout: %ds", site->concurrency, site->timeout_s ? site->timeout_s : 5);
    if (site->limit || site->room_limit)
        buf_fmt(buf, ", limit: [%s%s%s]", limits[site->limit], site->limit && site->room_limit ? ", " : "",
                room_limits[site->room_limit]);
    if (site->kind == SITE_BLIND) buf_add(buf, STR(", on_unknown: hold"));
    if (site->kind == SITE_LEDGER) buf_add(buf, STR(", breaker: off"));
    if (site->account) buf_add(buf, STR(", account: common"));
    add_earlier(buf, site);
    if (!swarm->standing) buf_fmt(buf, ", retry: {max: %d, base: %dms}", site->retry_max, site->base_ms);
    buf_add(buf, STR("}\n"));
}

static void add_twins(struct buf *buf, const struct site *site) {
    const char *content = site->picky ? "if .n % 7 == 3 then error(\\\"no\\\") else .n end" : ".n";
    for (int i = 0; i < 2; i++)
        if (site->swapped == (i == 1))
            buf_fmt(buf, "      - %s: {key: .n, body: {n: \"${%s}\"}}\n", site->name, content);
        else
            buf_fmt(buf, "      - %s: {key: '\"twin\"', body: {twin: \"${.n}\"}}\n", site->name);
}

static void add_step(struct buf *buf, const struct site *site) {
    const char *order = site->ordered ? "order_by: .k" : "";
    if (site->kind == SITE_ASKED)
        buf_fmt(buf, "      - %s.post: {text: \"n ${.n}\", room: \"%s\"}\n", site->name, rooms[site->rooms]);
    else if (site->kind == SITE_BULK)
        buf_fmt(buf, "      - %s.many: {text: \"n ${.n}\", room: \"%s\", batch: {max: %d, wait: %ds}}\n", site->name,
                rooms[site->rooms], site->join_max, site->join_wait_s);
    else if (site->twin)
        add_twins(buf, site);
    else if (site->picky)
        buf_fmt(buf, "      - %s: {%s%sbody: {n: \"${if .n %% 7 == 3 then error(\\\"no\\\") else .n end}\"}}\n",
                site->name, order, site->ordered ? ", " : "");
    else if (site->ordered)
        buf_fmt(buf, "      - %s: {%s}\n", site->name, order);
    else
        buf_fmt(buf, "      - %s\n", site->name);
}

static void add_routes(struct buf *buf, const struct swarm *swarm, bool even) {
    bool first = true;
    for (size_t i = 0; i < swarm->count; i++) {
        const struct site *site = &swarm->sites[i];
        if (site->gone || (even && !site->even)) continue;
        if (first)
            buf_add(buf, even ? STR("  even:\n    from: \"*\"\n    when: .n % 2 == 0\n    to:\n")
                              : STR("routes:\n  all:\n    from: \"*\"\n    to:\n"));
        first = false;
        if (even)
            buf_fmt(buf, "      - %s: {body: {even: \"${.n}\"}}\n", site->name);
        else
            add_step(buf, site);
    }
}

size_t swarm_owes(const struct site *site, bool even) {
    return (size_t)1 + site->twin + (site->even && even);
}

static void count_owed(struct swarm *swarm) {
    size_t *owed = swarm->owed[swarm->owed_count++];
    for (size_t i = 0; i < swarm->count; i++) {
        if (swarm->sites[i].gone) continue;
        for (int even = 0; even < 2; even++) owed[even] += swarm_owes(&swarm->sites[i], even);
    }
}

struct str swarm_config(struct swarm *swarm, struct arena *arena) {
    struct buf buf = {.arena = arena};
    buf_add(&buf, STR("version: 1\nstore: drumbeat.db\ndestinations:\n"));
    for (size_t i = 0; i < swarm->count; i++)
        if (!swarm->sites[i].gone) add_destination(&buf, swarm, &swarm->sites[i]);
    add_routes(&buf, swarm, false);
    add_routes(&buf, swarm, true);
    count_owed(swarm);
    return buf_str(&buf);
}

static size_t present(const struct swarm *swarm) {
    size_t count = 0;
    for (size_t i = 0; i < swarm->count; i++) count += !swarm->sites[i].gone;
    return count;
}

/* Those who share the limit of this site's account, or of its own, hear of it from now on. */
static void begin_anew(struct swarm *swarm, struct site *changed, struct world *world) {
    for (size_t i = 0; i < swarm->count; i++) {
        struct site *site = &swarm->sites[i];
        if (site != changed && !(site->account && changed->account)) continue;
        site->untold = world_receiver(world, str_from(site->host))->send_count;
        site->untold_us = world->now_us;
    }
}

void swarm_change(struct swarm *swarm, struct rng *rng, struct world *world) {
    struct site *site = &swarm->sites[rng_below(rng, swarm->count)];
    swarm->reloaded_us = world->now_us;
    if (site->gone) {
        site->gone = false;
        begin_anew(swarm, site, world);
        site->changed_us = world->now_us;
        return;
    }
    switch (rng_below(rng, 7)) {
    case 0:
        site->limit = (int)rng_below(rng, sizeof limits / sizeof *limits);
        draw_room_limit(site, swarm, rng);
        begin_anew(swarm, site, world);
        break;
    case 1:
        site->concurrency = 1 + (int)rng_below(rng, 8);
        break;
    case 2:
        site->retry_max = (int)rng_below(rng, 8);
        site->swapped = site->twin && !site->swapped; /* the route is mended, too */
        site->picky = site->picky && !site->twin;
        break;
    case 3:
        site->gone = present(swarm) > 1;
        break;
    case 4:
        write_name(site, ++site->renamed, site->name);
        begin_anew(swarm, site, world);
        site->changed_us = world->now_us;
        break;
    case 5:
        site->account = !site->account;
        begin_anew(swarm, site, world);
        break;
    case 6:
        draw_times(site, rng);
        break;
    }
}

void swarm_room(const struct site *site, int32_t n, int32_t k, char ret_room[16]) {
    bool named = has_rooms(site);
    int32_t number = site->rooms == ROOMS_FEW ? k : site->rooms == ROOMS_BUSY && n % 2 == 0 ? 0 : n;
    snprintf(ret_room, 16, named ? "%d" : "", number);
}

struct site *swarm_site(struct swarm *swarm, struct str name) {
    struct str host = str_sub(name, 0, str_find(name, '-'));
    for (size_t i = 0; i < swarm->count; i++)
        if (str_eq(str_from(swarm->sites[i].host), host)) return &swarm->sites[i];
    return NULL;
}
