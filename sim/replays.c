#include "sim/replays.h"

#include <stdio.h>
#include <string.h>

#include "store/query.h"
#include "store/replay.h"

#define PLANS_MAX  12
#define ITEMS_PAGE 256

void replays_draw(struct replays *replays, uint64_t seed, bool standing) {
    *replays = (struct replays){0};
    rng_seed(&replays->rng, seed ^ 0x4e9a1);
    if (!standing && rng_below(&replays->rng, 2)) replays->chance = 50 + rng_below(&replays->rng, 250);
}

static void say(struct oracle *oracle, struct str path, struct str body) {
    world_post(oracle->plant->world, FACTS_MAX, STR("POST"), path, body);
}

/* ---- words ---- */

static struct str wish(struct replays *replays, struct oracle *oracle, struct arena *arena) {
    static const char *const filters[] = {"\"status\":\"FAILED\"", "\"since\":\"1h\"", "\"status\":\"FAILED\"",
                                          "\"when\":\".n % 3 != 1\"", "\"type\":\"LEAD\""};
    struct rng *rng = &replays->rng;
    struct buf body = {.arena = arena};
    buf_fmt(&body, "{%s", filters[rng_below(rng, sizeof filters / sizeof *filters)]);
    if (rng_below(rng, 4) == 0) {
        const struct site *site = &oracle->swarm->sites[rng_below(rng, oracle->swarm->count)];
        buf_fmt(&body, ",\"destination\":\"%s\"", site->name);
    }
    if (rng_below(rng, 5) == 0) buf_add(&body, STR(",\"again\":true"));
    if (rng_below(rng, 4) == 0) buf_add(&body, STR(",\"config\":\"original\""));
    buf_byte(&body, '}');
    return buf_str(&body);
}

/* The newest plans. */
static size_t find_plans(struct oracle *oracle, size_t most, struct arena *arena, struct replay **ret_plans) {
    struct store *store = oracle->plant->store;
    size_t count = 0;
    if (!store || store_begin(store)) return 0;
    if (store_replay_list(store, 0, most, arena, ret_plans, &count)) count = 0;
    store_rollback(store);
    return count;
}

typedef void see_item(struct oracle *oracle, const struct replay *plan, const struct replay_item *item, void *own);

/* In a transaction. False: the store cannot be read. */
static bool each_item(struct oracle *oracle, const struct replay *plan, struct arena *arena, see_item *see, void *own) {
    struct store *store = oracle->plant->store;
    struct replay_part *parts;
    size_t part_count, count;
    if (store_replay_parts(store, plan->seq, arena, &parts, &part_count)) return false;
    for (size_t i = 0; i < part_count; i++) {
        struct replay_item *items;
        int64_t after = 0;
        do {
            if (store_replay_items(store, plan->seq, parts[i].destination, after, ITEMS_PAGE, arena, &items, &count))
                return false;
            for (size_t j = 0; j < count; j++) see(oracle, plan, &items[j], own);
            if (count) after = items[count - 1].n;
        } while (count == ITEMS_PAGE);
    }
    return true;
}

/* It will be sent under another key as well, perhaps. */
static void expect(struct oracle *oracle, const struct replay *plan, const struct replay_item *item, void *own) {
    struct fact *fact = oracle_fact(oracle, item->event_id);
    (void)plan;
    (void)own;
    if (!replay_acts(item->verdict)) return;
    if (fact)
        fact->replays++;
    else
        oracle->unknown_replayed = true;
}

static void let_go(struct oracle *oracle, const struct replay *plan, const char *act, struct arena *arena) {
    struct store *store = oracle->plant->store;
    bool seen = strcmp(act, "apply") != 0;
    if (!seen && !store_begin(store)) {
        seen = each_item(oracle, plan, arena, expect, NULL);
        store_rollback(store);
    }
    if (seen) say(oracle, str_fmt(arena, "/v1/replays/%lld/%s", (long long)plan->seq, act), STR("{}"));
}

void replays_act(struct replays *replays, struct oracle *oracle) {
    struct arena arena = ARENA_EMPTY;
    struct rng *rng = &replays->rng;
    struct replay *plans;
    size_t count = find_plans(oracle, 3, &arena, &plans), open = 0;
    for (size_t i = 0; i < count; i++) open += plans[i].status < REPLAY_DONE;
    if (replays->wished < PLANS_MAX && (!open || rng_below(rng, 6) == 0)) {
        replays->wished++;
        say(oracle, STR("/v1/replays"), wish(replays, oracle, &arena));
    } else if (count) {
        const struct replay *plan = &plans[rng_below(rng, count)];
        static const char *const acts[REPLAY_STATUS_COUNT][4] = {
            [REPLAY_PLANNED] = {"apply", "apply", "apply", "cancel"},
            [REPLAY_APPLYING] = {"pause", "pause", "", "cancel"},
            [REPLAY_PAUSED] = {"resume", "resume", "resume", "cancel"},
        };
        const char *act = acts[plan->status][rng_below(rng, 4)];
        if (act && *act) let_go(oracle, plan, act, &arena);
    }
    arena_free(&arena);
}

bool replays_end(struct oracle *oracle) {
    struct arena arena = ARENA_EMPTY;
    struct replay *plans;
    size_t count = find_plans(oracle, PLANS_MAX, &arena, &plans), open = 0;
    for (size_t i = 0; i < count; i++) {
        bool stale = !str_eq(plans[i].digest, oracle->plant->setup->settings->digest);
        open += plans[i].status < REPLAY_DONE;
        if (plans[i].status == REPLAY_PAUSED || plans[i].status == REPLAY_PLANNED)
            let_go(oracle, &plans[i], stale ? "cancel" : plans[i].status == REPLAY_PAUSED ? "resume" : "apply", &arena);
    }
    arena_free(&arena);
    return open > 0;
}

/* ---- what came of them ---- */

/* What the plans made of one event. */
struct made {
    const struct replay *plan;
    struct replay_item item;
    struct str order_key; /* "" = no order, or nobody may say how it was kept */
    int64_t sent_us;      /* first; 0 = not */
};
struct ledger {
    struct made *made;
    size_t count, room;
    struct arena *arena;
};

static void enter(struct oracle *oracle, const struct replay *plan, const struct replay_item *item, void *own) {
    struct ledger *ledger = own;
    bool acts = replay_acts(item->verdict);
    if (item->result && !acts)
        oracle_fail(oracle, "I5", "plan %lld said %s of an item, and made a run of it", (long long)plan->seq,
                    replay_verdict_text(item->verdict));
    if (!item->result && acts && plan->status == REPLAY_DONE)
        oracle_fail(oracle, "I5", "plan %lld is done, and %.*s %lld of it is not", (long long)plan->seq,
                    STR_ARG(item->destination), (long long)item->n);
    if (item->result <= 0 || item->verdict == VERDICT_UNKNOWN) return; /* a lookup makes no run */
    if (ledger->count == ledger->room) {
        ledger->room = ledger->room ? 2 * ledger->room : 256;
        struct made *made = arena_array(ledger->arena, struct made, ledger->room);
        if (ledger->count) memcpy(made, ledger->made, ledger->count * sizeof *made);
        ledger->made = made;
    }
    ledger->made[ledger->count++] = (struct made){.plan = plan, .item = *item};
    struct fact *fact = oracle_fact(oracle, item->event_id);
    const struct site *site = swarm_site(oracle->swarm, item->destination);
    if (fact && site) fact->made[site - oracle->swarm->sites]++;
}

static const struct delivery *delivery_of(const struct delivery *deliveries, size_t count, int64_t seq) {
    for (size_t i = 0; i < count; i++)
        if (deliveries[i].seq == seq) return &deliveries[i];
    return NULL;
}

static int64_t first_sent(const struct oracle *oracle, const struct delivery *run) {
    const struct site *site = swarm_site(oracle->swarm, run->destination);
    const struct receiver *receiver = world_receiver(oracle->plant->world, str_from(site->host));
    char key[UUID_TEXT_LENGTH + 1];
    uuid_format(run->key, key);
    for (size_t i = 0; i < receiver->send_count; i++)
        if (strcmp(receiver->sends[i].key, key) == 0) return receiver->sends[i].started_us;
    return 0;
}

/* The run of a deleted event goes with it, and where it was the last row SQLite gives its number to the next one. */
static bool is_deleted(struct oracle *oracle, const struct replay_item *item) {
    const struct fact *fact = oracle_fact(oracle, item->event_id);
    return fact && fact->deleted;
}

/* Each run but the first is an item's, each item's run is its own, and nothing that was done ran again unasked. */
static void check_runs(struct oracle *oracle, const struct fact *fact, struct ledger *ledger, struct arena *arena) {
    struct delivery_query query = {.status = -1, .limit = QUERY_LIMIT_MAX};
    struct delivery *deliveries;
    size_t count, runs = 0, made = 0;
    if (!uuid_parse(str_from(fact->id), &query.event_id)) return;
    if (store_delivery_list(oracle->plant->store, &query, arena, &deliveries, &count)) return;
    for (size_t i = 0; i < count; i++) runs += deliveries[i].run > 0;
    for (size_t i = 0; i < ledger->count; i++) {
        struct made *one = &ledger->made[i];
        if (!uuid_eq(one->item.event_id, query.event_id)) continue;
        const struct delivery *run = delivery_of(deliveries, count, one->item.result);
        const struct delivery *about = delivery_of(deliveries, count, one->item.delivery);
        made++;
        if (run && run->order_key.n) {
            one->order_key = run->order_key;
            one->sent_us = first_sent(oracle, run);
        }
        if (!run || !run->run)
            oracle_fail(oracle, "I5", "%s: plan %lld made a run that is not there", fact->key,
                        (long long)one->plan->seq);
        if (about && about->status == DELIVERY_COMPLETED && !one->plan->again)
            oracle_fail(oracle, "I5", "%s: plan %lld sent again to %.*s what was done", fact->key,
                        (long long)one->plan->seq, STR_ARG(about->destination));
        for (size_t j = 0; j < i; j++)
            if (ledger->made[j].item.result == one->item.result && !is_deleted(oracle, &ledger->made[j].item))
                oracle_fail(oracle, "I5", "%s: two items made one run", fact->key);
    }
    if (runs != made) oracle_fail(oracle, "I5", "%s: %zu runs, of which plans made %zu", fact->key, runs, made);
}

/* What one plan sends of an order key goes in the order of the events. */
static void check_order(struct oracle *oracle, const struct ledger *ledger) {
    for (size_t i = 0; i < ledger->count; i++)
        for (size_t j = 0; j < i; j++) {
            const struct made *late = &ledger->made[i], *early = &ledger->made[j];
            if (!late->sent_us || !early->sent_us || late->plan != early->plan ||
                !str_eq(late->item.destination, early->item.destination) ||
                !str_eq(late->order_key, early->order_key) || early->sent_us <= late->sent_us)
                continue;
            oracle_fail(oracle, "I14", "plan %lld: %.*s %lld left before %lld", (long long)late->plan->seq,
                        STR_ARG(late->item.destination), (long long)late->item.n, (long long)early->item.n);
        }
}

void replays_check(struct oracle *oracle, struct arena *arena) {
    struct ledger ledger = {.arena = arena};
    struct replay *plans;
    size_t count;
    if (store_replay_list(oracle->plant->store, 0, PLANS_MAX, arena, &plans, &count)) return;
    for (size_t i = 0; i < count; i++) {
        bool waits = plans[i].status == REPLAY_APPLYING && routes_stopped(oracle->plant->setup->routes);
        if (!waits && (plans[i].status == REPLAY_PLANNING || plans[i].status == REPLAY_APPLYING))
            oracle_fail(oracle, "I19", "plan %lld is %s at the end", (long long)plans[i].seq,
                        replay_status_text(plans[i].status));
        (void)!each_item(oracle, &plans[i], arena, enter, &ledger);
        oracle->verdict->plans += plans[i].status == REPLAY_DONE;
    }
    oracle->verdict->runs = ledger.count;
    for (size_t i = 0; i < oracle->fact_count; i++) {
        const struct fact *fact = &oracle->facts[i];
        if (fact->acked && !fact->conflicting && !fact->acted && !fact->deleted)
            check_runs(oracle, fact, &ledger, arena);
    }
    if (!oracle->swarm->ahead) check_order(oracle, &ledger);
}
