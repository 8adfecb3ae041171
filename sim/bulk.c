#include "sim/bulk.h"

#include <string.h>

#include "store/query.h"

/* What no receiver of this kind takes. */
static bool is_bad(int32_t fact) {
    return fact % 13 == 5;
}

bool bulk_refuses(struct str body) {
    int32_t facts[SEND_FACTS_MAX];
    size_t count = world_facts(body, facts);
    for (size_t i = 0; i < count; i++)
        if (is_bad(facts[i])) return true;
    return false;
}

/* Somebody took one of its items out. */
static bool is_acted_on(const struct oracle *oracle, const struct send *send) {
    for (size_t i = 0; i < send->fact_count; i++)
        if (oracle->facts[send->facts[i]].acted) return true;
    return false;
}

void bulk_hear(struct oracle *oracle, const struct receiver *receiver, const struct send *send) {
    for (size_t i = 0; i < send->number; i++) {
        const struct send *before = &receiver->sends[i];
        if (strcmp(before->key, send->key) != 0) continue;
        if (is_acted_on(oracle, before)) return;
        bool same = before->fact_count == send->fact_count &&
                    !memcmp(before->facts, send->facts, send->fact_count * sizeof *send->facts);
        if (!same)
            oracle_fail(oracle, "I7", "%s: under the key %s %zu items from %d on, and before %zu from %d on",
                        receiver->name, send->key, send->fact_count, send->facts[0], before->fact_count,
                        before->facts[0]);
        return;
    }
}

static bool holds(const struct send *send, int32_t fact) {
    for (size_t i = 0; i < send->fact_count; i++)
        if (send->facts[i] == fact) return true;
    return false;
}

static size_t effects_of(const struct receiver *receiver, int32_t fact) {
    size_t effects = 0;
    for (size_t i = 0; i < receiver->send_count; i++)
        effects += receiver->sends[i].effect && holds(&receiver->sends[i], fact);
    return effects;
}

/* How many were refused together with it in its last call; 0 where a call before may have had its effect, which is any
 * that was not refused. */
static size_t refused_with(const struct receiver *receiver, int32_t fact, const struct attempt *attempts,
                           size_t count) {
    int64_t last_us = 0;
    for (size_t i = 0; i < count; i++) {
        if (!str_eq(attempts[i].outcome, STR("failed"))) return 0;
        if (attempts[i].started_us > last_us) last_us = attempts[i].started_us;
    }
    for (size_t i = 0; i < receiver->send_count; i++)
        if (receiver->sends[i].started_us == last_us && holds(&receiver->sends[i], fact))
            return receiver->sends[i].fact_count;
    return 0;
}

static void check_delivery(struct oracle *oracle, const struct delivery *delivery, struct arena *arena) {
    const struct site *site = swarm_site(oracle->swarm, delivery->destination);
    const struct fact *fact = oracle_fact(oracle, delivery->event_id);
    struct attempt *attempts;
    size_t count;
    if (site->kind != SITE_BULK || !fact || fact->acted) return;
    if (store_attempts(oracle->plant->store, delivery->seq, arena, &attempts, &count)) return;
    const struct receiver *receiver = world_receiver(oracle->plant->world, str_from(site->host));
    size_t effects = effects_of(receiver, fact->n), together = refused_with(receiver, fact->n, attempts, count);
    if (effects > 1 + fact->made[site - oracle->swarm->sites])
        oracle_fail(oracle, "I7", "%s: %zu effects of %s", receiver->name, effects, fact->key);
    if (delivery->status == DELIVERY_COMPLETED && !effects)
        oracle_fail(oracle, "I8", "%s: %s is COMPLETED without an effect", receiver->name, fact->key);
    if (delivery->status == DELIVERY_FAILED && together > 1)
        oracle_fail(oracle, "I27", "%s: %s failed among %zu", receiver->name, fact->key, together);
}

void bulk_check(struct oracle *oracle, struct arena *arena) {
    struct delivery_query query = {.status = -1, .limit = QUERY_LIMIT_MAX};
    struct delivery *deliveries;
    size_t count;
    do {
        if (store_delivery_list(oracle->plant->store, &query, arena, &deliveries, &count)) return;
        for (size_t i = 0; i < count; i++) check_delivery(oracle, &deliveries[i], arena);
        query.cursor = store_next_cursor(oracle->plant->store);
    } while (query.cursor);
}
