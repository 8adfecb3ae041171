#include "sim/oracle.h"

#include <stdio.h>
#include <string.h>

#include "base/hash.h"
#include "base/json.h"
#include "deliver/meter.h"
#include "sim/bulk.h"
#include "sim/replays.h"
#include "store/chore.h"
#include "store/query.h"

struct str oracle_payload(const struct fact *fact, struct arena *arena) {
    return str_fmt(arena, fact->runaway ? "{\"n\": %d, \"k\":\"%d\", \"x\":\"RUNAWAY\"}" : "{\"n\": %d, \"k\":\"%d\"}",
                   fact->n, fact->k);
}

void oracle_fail(struct oracle *oracle, const char *rule, const char *format, ...) {
    struct verdict *verdict = oracle->verdict;
    if (verdict->failed) return;
    verdict->failed = true;
    snprintf(verdict->rule, sizeof verdict->rule, "%s", rule);
    va_list args;
    va_start(args, format);
    vsnprintf(verdict->text, sizeof verdict->text, format, args);
    va_end(args);
}

/* Its place; fact_count when there is none. */
static size_t fact_number(const struct oracle *oracle, const char *event) {
    size_t i = 0;
    while (i < oracle->fact_count && strcmp(oracle->facts[i].id, event) != 0) i++;
    return i;
}

static struct fact *fact_of(struct oracle *oracle, const char *event) {
    size_t i = fact_number(oracle, event);
    return i < oracle->fact_count ? &oracle->facts[i] : NULL;
}

/* ---- as receivers hear ---- */

/* What is configured now for a receiver; NULL = nothing. */
static const struct destination_settings *settings_of(const struct oracle *oracle, const struct receiver *receiver) {
    const struct deliver *deliver = oracle->plant->loop->deliver;
    size_t desk = deliver_desk(deliver, str_from(swarm_site(oracle->swarm, str_from(receiver->name))->name));
    return desk == SIZE_MAX ? NULL : deliver_settings(deliver, desk);
}

/* The receivers whose destinations share an account; the next one from *at on, or NULL. */
static const struct receiver *next_of_account(const struct oracle *oracle, struct str account, size_t *at) {
    const struct world *world = oracle->plant->world;
    while (*at < world->receiver_count) {
        const struct receiver *receiver = &world->receivers[(*at)++];
        const struct destination_settings *settings = settings_of(oracle, receiver);
        if (settings && str_eq(settings->account, account)) return receiver;
    }
    return NULL;
}

static bool was_deleted_before(const struct fact *fact, int64_t moment_us) {
    return fact->deleted && fact->deleted_us <= moment_us;
}

/* Whether a call left for an event that somebody had deleted before the last change of the call's limits: those cannot
 * know of it. */
static bool is_forgotten(const struct oracle *oracle, const struct site *site, const struct send *send) {
    if (send->number >= site->untold) return false;
    for (size_t i = 0; i < send->fact_count; i++)
        if (was_deleted_before(&oracle->facts[send->facts[i]], site->untold_us)) return true;
    size_t number = fact_number(oracle, send->event);
    return number < oracle->fact_count && was_deleted_before(&oracle->facts[number], site->untold_us);
}

/* Calls of the account that began after a moment, to one room or to all (NULL). */
static int64_t count_sends(const struct oracle *oracle, struct str account, const char *room, int64_t after_us) {
    const struct receiver *receiver;
    int64_t count = 0;
    for (size_t at = 0; (receiver = next_of_account(oracle, account, &at));) {
        /* What left while there was no limit, or while the limit had another name, was not told to those who share it.
         * It is told by its number: a call may leave in the very moment of the change, before it as well as after it.
         * Limits of rooms are shared with nobody. */
        const struct site *site = swarm_site(oracle->swarm, str_from(receiver->name));
        size_t untold = oracle->plant->limits && !room ? site->untold : 0;
        for (size_t i = receiver->send_count; i-- > untold && receiver->sends[i].started_us > after_us;) {
            const struct send *send = &receiver->sends[i];
            bool same_room = !room || (!send->mixed && strcmp(send->room, room) == 0);
            count += same_room && !is_forgotten(oracle, site, send);
        }
    }
    return count;
}

static void check_window(struct oracle *oracle, const struct destination_settings *settings, const struct send *send,
                         const struct limit_rule *rule, const char *room) {
    const struct seam_limits *shared = oracle->plant->limits;
    int64_t count = count_sends(oracle, settings->account, room, send->started_us - rule->window_us);
    if (shared && !room) count += (int64_t)seam_limits_others(shared, settings->account, rule->window_us);
    if (count > rule->count)
        oracle_fail(oracle, "I10", "%.*s%s%s: %lld sends in a window of %lld s, %lld allowed",
                    STR_ARG(settings->account), room ? ", room " : "", room ? room : "", (long long)count,
                    (long long)(rule->window_us / US_PER_S), (long long)rule->count);
}

/* An account obeys the limits of all its destinations. */
static void check_limits(struct oracle *oracle, const struct send *send, struct str account) {
    const struct receiver *receiver;
    for (size_t at = 0; (receiver = next_of_account(oracle, account, &at));) {
        const struct destination_settings *settings = settings_of(oracle, receiver);
        for (size_t i = 0; i < settings->limit_count; i++)
            check_window(oracle, settings, send, &settings->limits[i], NULL);
        for (size_t i = 0; i < settings->meter_limit_count && !send->mixed; i++)
            check_window(oracle, settings, send, &settings->meter_limits[i], send->room);
    }
}

/* A call carries one room's deliveries; a set that was frozen before its rooms had limits may be of several. */
static void check_rooms(struct oracle *oracle, const struct receiver *receiver, const struct send *send,
                        const struct destination_settings *settings) {
    if (settings->meter.n && send->mixed && !oracle->swarm->reload_chance)
        oracle_fail(oracle, "I10", "%s: one call for several rooms", receiver->name);
}

static bool is_plain_retry(const struct behaviour *behaviour) {
    return behaviour->kind == NO_CONNECT || (behaviour->kind == ANSWER && behaviour->status == 503);
}

/* Earlier calls under the same key: how many, and how long ago the last one's answer came. */
static void check_pace(struct oracle *oracle, const struct receiver *receiver, const struct send *send,
                       const struct destination_settings *settings) {
    const struct send *last = NULL;
    int retries = 0;
    size_t row = (size_t)(receiver - oracle->plant->world->receivers);
    for (size_t i = 0; i < send->number; i++) {
        const struct send *before = &receiver->sends[i];
        if (before->lookup || strcmp(before->key, send->key) != 0) continue;
        last = before;
        retries += is_plain_retry(&before->behaviour);
    }
    if (!last || !last->ended_us || oracle->plant->deaths != oracle->deaths_at_start[row][last->number]) return;
    int64_t gap_us = send->started_us - last->ended_us, least_us = 0;
    if (is_plain_retry(&last->behaviour)) {
        least_us = settings->retry.base_us << (retries > 20 ? 20 : retries - 1);
        if (oracle->plant->deaths) least_us = settings->retry.base_us; /* a settle that was lost forgets its retry */
        if (least_us > settings->retry.cap_us) least_us = settings->retry.cap_us;
    }
    uint64_t named = 0;
    bool heard = last->behaviour.kind == ANSWER; /* an answer that came too late says nothing */
    if (heard && last->behaviour.header_name.n && str_to_u64(last->behaviour.header_value, &named))
        least_us = (int64_t)named * US_PER_S;
    if (gap_us < least_us)
        oracle_fail(oracle, "I12", "%s: sent again after %lld ms, not before %lld ms", receiver->name,
                    (long long)(gap_us / US_PER_MS), (long long)(least_us / US_PER_MS));
}

static void check_breaker(struct oracle *oracle, const struct receiver *receiver, size_t desk) {
    struct desk_view view = deliver_view(oracle->plant->loop->deliver, desk, oracle->plant->world->now_us);
    if (view.breaker.state == BREAKER_OPEN) oracle_fail(oracle, "I13", "%s: sent while open", receiver->name);
    if (view.breaker.state == BREAKER_HALF_OPEN && receiver->in_flight > 1)
        oracle_fail(oracle, "I13", "%s: %zu probes at a time", receiver->name, receiver->in_flight);
}

/* A receiver that fails again and again must be left alone: it hears no more calls than the failures that open its
 * breaker, and what flew with them. */
static void check_restraint(struct oracle *oracle, const struct receiver *receiver, const struct send *send,
                            const struct destination_settings *settings) {
    int bad = 0;
    for (size_t i = send->number; i-- > 0;) {
        const struct send *before = &receiver->sends[i];
        if (before->ended_us == 0 || before->started_us < send->started_us - settings->breaker.open_us / 2) break;
        if (before->lookup || !(is_plain_retry(&before->behaviour) || before->behaviour.kind != ANSWER)) break;
        bad++;
    }
    if (bad > settings->breaker.failures + settings->concurrency && !oracle->plant->deaths)
        oracle_fail(oracle, "I13", "%s: %d failures in a row and still no pause", receiver->name, bad);
}

struct fact *oracle_fact(struct oracle *oracle, struct uuid event_id) {
    char id[UUID_TEXT_LENGTH + 1];
    uuid_format(event_id, id);
    return fact_of(oracle, id);
}

/* First sends of one order key follow the events' ids, which follow their arrival. */
static void check_order(struct oracle *oracle, const struct receiver *receiver, const struct send *send) {
    const struct fact *fact = fact_of(oracle, send->event);
    if (!fact || fact->scheduled_us || fact->acted || fact->replays) return; /* not acknowledged, or let off */
    char *last = oracle->last_ordered[receiver - oracle->plant->world->receivers][fact->k];
    if (strcmp(send->event, last) < 0) oracle_fail(oracle, "I14", "%s: %s after %s", receiver->name, send->event, last);
    snprintf(last, sizeof oracle->last_ordered[0][0], "%s", send->event);
}

static void check_keys(struct oracle *oracle, const struct receiver *receiver, const struct send *send, size_t steps) {
    char keys[4][40];
    size_t count = 0;
    for (size_t i = 0; i <= send->number && count < 4; i++) {
        if (strcmp(receiver->sends[i].event, send->event) != 0) continue;
        size_t j = 0;
        while (j < count && strcmp(keys[j], receiver->sends[i].key) != 0) j++;
        if (j == count) memcpy(keys[count++], receiver->sends[i].key, sizeof keys[0]);
    }
    if (count > steps) oracle_fail(oracle, "I7", "%s: %zu keys for event %s", receiver->name, count, send->event);
}

void oracle_hear(struct oracle *oracle, struct receiver *receiver, const struct send *send) {
    struct plant *plant = oracle->plant;
    const struct site *site = swarm_site(oracle->swarm, str_from(receiver->name));
    size_t desk = deliver_desk(plant->loop->deliver, str_from(site->name));
    const struct destination_settings *settings = settings_of(oracle, receiver);
    if (!settings) {
        oracle_fail(oracle, "I5", "%s: sent to although it is not configured", receiver->name);
        return;
    }
    bool settled = plant->world->now_us > site->changed_us + US_PER_MIN; /* nothing flies any more under another name */
    size_t row = (size_t)(receiver - plant->world->receivers);
    if (send->number < SENDS_MAX / 16) oracle->deaths_at_start[row][send->number] = plant->deaths;
    if (settled && receiver->in_flight > (size_t)settings->concurrency)
        oracle_fail(oracle, "I11", "%s: %zu in flight", receiver->name, receiver->in_flight);
    check_limits(oracle, send, settings->account);
    check_rooms(oracle, receiver, send, settings);
    if (settled) check_breaker(oracle, receiver, desk);
    if (send->lookup) return;
    if (site->kind == SITE_BULK) bulk_hear(oracle, receiver, send);
    const struct fact *fact = fact_of(oracle, send->event);
    if (fact && fact->acted) return;
    if (site->kind != SITE_BULK) check_pace(oracle, receiver, send, settings);
    if (settings->breaker.on && !oracle->swarm->act_chance && settled)
        check_restraint(oracle, receiver, send, settings);
    if (site->kind != SITE_BULK && (fact || !oracle->unknown_replayed))
        check_keys(oracle, receiver, send, swarm_owes(site, true) + (fact ? fact->replays : 0));
    if (site->ordered && !oracle->swarm->ahead) check_order(oracle, receiver, send);
    if (fact && send->attempt == 1 && !oracle->swarm->ahead &&
        fact->scheduled_us > plant->world->now_us + plant->world->wall_offset_us)
        oracle_fail(oracle, "I21", "%s: event %s left before its time", receiver->name, fact->key);
}

/* ---- as clients hear ---- */

void oracle_answer(struct oracle *oracle, struct fact *fact, const struct reply *reply) {
    struct json *root;
    if (reply->status != 200 && reply->status != 422) return; /* the client will try again */
    if (fact->conflicting) {
        if (reply->status != 422)
            oracle_fail(oracle, "I3", "%s: another payload was answered %d", fact->key, reply->status);
        fact->acked = true;
        return;
    }
    if (reply->status != 200) {
        oracle_fail(oracle, "I3", "%s: answered %d", fact->key, reply->status);
        return;
    }
    if (json_parse(reply->body, 8, &root, NULL)) return;
    struct str id = json_text(json_get(root, STR("eventId")));
    if (fact->acked && !str_eq(id, str_from(fact->id)))
        oracle_fail(oracle, "I3", "%s: first %s, then %.*s", fact->key, fact->id, STR_ARG(id));
    snprintf(fact->id, sizeof fact->id, "%.*s", STR_ARG(id));
    fact->acked = true;
    json_free(root);
}

/* ---- at the end ---- */

/* The first run has what one of the configurations owed: which one was in force when it was routed is not known here.
 * While a route is stopped, nobody knows whether its `when` holds, and it owes all. */
static void check_owed(struct oracle *oracle, const struct fact *fact, const struct delivery *deliveries,
                       size_t count) {
    const struct swarm *swarm = oracle->swarm;
    size_t first_run = 0;
    for (size_t i = 0; i < count; i++) first_run += deliveries[i].run == 0;
    for (size_t i = 0; i < swarm->owed_count; i++)
        if (swarm->owed[i][fact->n % 2 == 0] == first_run || (swarm->runaway_chance && swarm->owed[i][1] == first_run))
            return;
    if (!fact->cancelled)
        oracle_fail(oracle, "I5", "%s owes %zu deliveries, has %zu", fact->key, swarm->owed[0][fact->n % 2 == 0],
                    first_run);
}

/* One that a person must look at keeps back what comes after it in its order. */
static bool waits_behind_held(struct store *store, const struct delivery *delivery, struct arena *arena) {
    struct delivery_query query = {
        .status = DELIVERY_HELD, .destination = delivery->destination, .limit = QUERY_LIMIT_MAX};
    struct delivery *held;
    size_t count;
    do {
        if (store_delivery_list(store, &query, arena, &held, &count)) return false;
        for (size_t i = 0; i < count; i++)
            if (held[i].seq < delivery->seq && str_eq(held[i].order_key, delivery->order_key)) return true;
        query.cursor = store_next_cursor(store);
    } while (query.cursor);
    return false;
}

/* The rooms of an account to which calls began after a moment. */
static size_t count_rooms(const struct oracle *oracle, struct str account, int64_t after_us) {
    const struct receiver *receiver, *before;
    size_t count = 0;
    for (size_t at = 0; (receiver = next_of_account(oracle, account, &at));)
        for (size_t i = receiver->send_count; i-- > 0 && receiver->sends[i].started_us > after_us;) {
            const char *room = receiver->sends[i].room;
            size_t same = 0;
            for (size_t j = i + 1; j < receiver->send_count; j++) same += !strcmp(receiver->sends[j].room, room);
            for (size_t k = 0; (before = next_of_account(oracle, account, &k)) && before != receiver;)
                for (size_t j = before->send_count; j-- > 0 && before->sends[j].started_us > after_us;)
                    same += !strcmp(before->sends[j].room, room);
            count += !same;
        }
    return count;
}

/* Whether a delivery waits for its room at the end: the room had lately as many calls as a limit allows, or as many
 * rooms as have limits at a time had some. So that a wider limit is felt, none waits longer than METER_AHEAD_US. */
static bool waits_for_room(const struct oracle *oracle, const struct fact *fact, const struct delivery *delivery) {
    const struct site *site = swarm_site(oracle->swarm, delivery->destination);
    const struct receiver *receiver;
    struct deliver *deliver = oracle->plant->loop->deliver;
    const struct destination_settings *own = deliver_settings(deliver, deliver_desk(deliver, delivery->destination));
    char room[16];
    swarm_room(site, fact->n, fact->k, room);
    for (size_t at = 0; own && (receiver = next_of_account(oracle, own->account, &at));) {
        const struct destination_settings *settings = settings_of(oracle, receiver);
        for (size_t i = 0; i < settings->meter_limit_count; i++) {
            const struct limit_rule *rule = &settings->meter_limits[i];
            int64_t after_us = oracle->plant->world->now_us - rule->window_us - 2 * METER_AHEAD_US;
            size_t most = oracle->swarm->rooms_max;
            if (count_sends(oracle, own->account, room, after_us) >= rule->count) return true;
            if (most && count_rooms(oracle, own->account, after_us) >= most) return true;
        }
    }
    return false;
}

/* In one life of the process it knows what it sent: there is no doubt about what was not. */
static void check_doubt(struct oracle *oracle, const struct fact *fact, const struct delivery *delivery) {
    const struct site *site = swarm_site(oracle->swarm, delivery->destination);
    const struct receiver *receiver = world_receiver(oracle->plant->world, str_from(site->host));
    if (!delivery->in_doubt || fact->acted || oracle->plant->deaths || site->kind == SITE_BULK) return;
    for (size_t i = 0; i < receiver->send_count; i++)
        if (strcmp(receiver->sends[i].event, fact->id) == 0) return;
    oracle_fail(oracle, "I8", "%s: %s is in doubt, and nothing was sent", receiver->name, fact->key);
}

static void check_event(struct oracle *oracle, const struct fact *fact, struct arena *arena) {
    struct store *store = oracle->plant->store;
    struct uuid id;
    struct event event;
    struct delivery *deliveries;
    size_t count;
    struct delivery_query query = {.status = -1, .limit = QUERY_LIMIT_MAX};
    if (!uuid_parse(str_from(fact->id), &id) || store_event_get(store, id, arena, &event)) {
        oracle_fail(oracle, "I1", "%s was acknowledged as %s and is gone", fact->key, fact->id);
        return;
    }
    struct str payload = oracle_payload(fact, arena);
    if (!str_eq(event.payload, payload)) oracle_fail(oracle, "I1", "%s: another payload is stored", fact->key);
    query.event_id = id;
    if (store_delivery_list(store, &query, arena, &deliveries, &count)) return;
    check_owed(oracle, fact, deliveries, count);
    for (size_t i = 0; i < count; i++) {
        const struct delivery *delivery = &deliveries[i];
        check_doubt(oracle, fact, delivery);
        if (delivery_is_final(delivery->status) || delivery->status == DELIVERY_HELD) continue;
        if (delivery->order_key.n && waits_behind_held(store, delivery, arena)) continue;
        if (waits_for_room(oracle, fact, delivery)) continue;
        oracle_fail(oracle, "I19", "%s: %.*s is %s at the end, %lld s after it was due: %.*s", fact->key,
                    STR_ARG(delivery->destination), delivery_status_text(delivery->status),
                    (long long)((oracle->plant->world->now_us - delivery->due_us) / US_PER_S),
                    STR_ARG(delivery->last_error));
    }
}

/* Each delivery has at most one effect where the receiver knows the key, where it can be asked, and where the delivery
 * is held in doubt. A COMPLETED one has its effect. */
static void check_effects(struct oracle *oracle, const struct fact *fact) {
    for (size_t i = 0; i < oracle->plant->world->receiver_count; i++) {
        const struct receiver *receiver = &oracle->plant->world->receivers[i];
        const struct site *site = swarm_site(oracle->swarm, str_from(receiver->name));
        size_t most = swarm_owes(site, fact->n % 2 == 0) + fact->made[site - oracle->swarm->sites];
        size_t effects = world_effects(receiver, fact->id);
        if (effects > most) oracle_fail(oracle, "I7", "%s: %zu effects of %s", receiver->name, effects, fact->key);
    }
}

static void check_truth(struct oracle *oracle, struct arena *arena) {
    struct delivery_query query = {.status = DELIVERY_COMPLETED, .limit = QUERY_LIMIT_MAX};
    struct delivery *deliveries;
    size_t count;
    do {
        if (store_delivery_list(oracle->plant->store, &query, arena, &deliveries, &count)) return;
        for (size_t i = 0; i < count; i++) {
            char key[UUID_TEXT_LENGTH + 1];
            uuid_format(deliveries[i].key, key);
            const struct site *site = swarm_site(oracle->swarm, deliveries[i].destination);
            const struct receiver *receiver = world_receiver(oracle->plant->world, str_from(site->host));
            const struct fact *fact = oracle_fact(oracle, deliveries[i].event_id);
            if (site->kind == SITE_BULK || (fact && fact->acted)) continue;
            if (!world_effect(receiver, str_from(key)))
                oracle_fail(oracle, "I8", "%s: %s is COMPLETED without an effect", receiver->name, key);
        }
        query.cursor = store_next_cursor(oracle->plant->store);
    } while (query.cursor);
}

static void check_store(struct oracle *oracle, struct arena *arena) {
    struct hasher *hasher = hasher_new();
    struct verification found;
    if (!store_verify(oracle->plant->store, true, hasher, arena, &found)) {
        size_t known = 0;
        for (size_t i = 0; i < oracle->fact_count; i++) known += !oracle->facts[i].conflicting;
        if (found.violation_count)
            oracle_fail(oracle, "I6", "%.*s: %.*s", STR_ARG(found.violations->rule), STR_ARG(found.violations->text));
        if (found.events > (int64_t)known)
            oracle_fail(oracle, "I2", "%lld events stored, %zu facts", (long long)found.events, known);
    }
    hasher_free(hasher);
}

void oracle_end(struct oracle *oracle) {
    struct arena arena = ARENA_EMPTY;
    if (store_begin(oracle->plant->store)) {
        oracle_fail(oracle, "I1", "the store cannot be read at the end");
        return;
    }
    replays_check(oracle, &arena);
    for (size_t i = 0; i < oracle->fact_count; i++) {
        const struct fact *fact = &oracle->facts[i];
        if (!fact->acked) oracle_fail(oracle, "I19", "%s was never answered", fact->key);
        if (fact->conflicting || !fact->acked || fact->deleted) continue;
        check_event(oracle, fact, &arena);
        if (!fact->acted) check_effects(oracle, fact);
    }
    check_truth(oracle, &arena);
    bulk_check(oracle, &arena);
    check_store(oracle, &arena);
    store_rollback(oracle->plant->store);
    arena_free(&arena);
}
