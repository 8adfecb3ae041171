/* sim/scenario_expect.c - what must have come of it. */
#include <string.h>

#include "sim/scenario_player.h"
#include "store/chore.h"
#include "store/query.h"

#define TOLERANCE_US (100 * US_PER_MS) /* a moment is met this long after it */
#define KEYS_MAX     64

/* ---- looking into the store ---- */

/* Makes ready to look into the store between turns. A server that is dead starts first. */
static bool look(struct player *player) {
    while (!player->plant.loop)
        if (!plant_run(&player->plant, player->world->now_us + US_PER_MS))
            return player_fail(player, "it does not start: %.*s", STR_ARG(player->plant.problem));
    if (store_begin(player->plant.store)) return player_fail(player, "the store cannot be read");
    return true;
}

static bool list_events(struct player *player, struct event **ret_events, size_t *ret_count) {
    const struct event_query query = {.status = -1, .limit = QUERY_LIMIT_MAX};
    if (!look(player)) return false;
    enum err err = store_event_list(player->plant.store, &query, &player->arena, ret_events, ret_count);
    store_rollback(player->plant.store);
    return !err || player_fail(player, "events cannot be read: %s", err_text(err));
}

bool player_find_event(struct player *player, struct str key, struct event *ret_event) {
    struct event *events;
    size_t count;
    if (!list_events(player, &events, &count)) return false;
    for (size_t i = 0; i < count; i++)
        if (str_eq(events[i].key, key)) {
            *ret_event = events[i];
            return true;
        }
    return player_fail(player, "there is no event %.*s", STR_ARG(key));
}

/* step "" = any; run -1 = the newest. *ret_delivery keeps zeros when there is none. */
static bool find_delivery(struct player *player, struct str destination, struct str key, struct str step, int64_t run,
                          struct delivery *ret_delivery) {
    struct event event;
    struct delivery *deliveries;
    size_t count;
    if (!player_find_event(player, key, &event) || !look(player)) return false;
    const struct delivery_query query = {.status = -1, .event_id = event.id, .limit = QUERY_LIMIT_MAX};
    enum err err = store_delivery_list(player->plant.store, &query, &player->arena, &deliveries, &count);
    store_rollback(player->plant.store);
    if (err) return player_fail(player, "deliveries cannot be read: %s", err_text(err));
    for (size_t i = count; i-- > 0;) {
        bool fits = str_eq(deliveries[i].destination, destination) && (!step.n || str_eq(deliveries[i].step, step));
        if (fits && (run < 0 || deliveries[i].run == run)) *ret_delivery = deliveries[i];
    }
    return true;
}

bool player_find_delivery(struct player *player, struct str destination, struct str key,
                          struct delivery *ret_delivery) {
    struct delivery delivery = {0};
    if (!find_delivery(player, destination, key, STR(""), -1, &delivery)) return false;
    if (!delivery.seq) return player_fail(player, "%.*s has no delivery to %.*s", STR_ARG(key), STR_ARG(destination));
    *ret_delivery = delivery;
    return true;
}

/* ---- deliveries and events ---- */

struct wanted {
    struct str status, step, error;
    int64_t attempts, retries, run; /* -1 = not said */
};

static bool read_wanted(struct player *player, struct str rest, struct wanted *ret_wanted) {
    struct wanted wanted = {.attempts = -1, .retries = -1, .run = -1};
    const struct {
        struct str name;
        int64_t *value;
    } numbers[] = {{STR("attempts"), &wanted.attempts}, {STR("retries"), &wanted.retries}, {STR("run"), &wanted.run}};
    if (!line_word(&rest, &wanted.status)) return player_fail(player, "which status?");
    while (rest.n) {
        size_t i = 0, number;
        if (line_take(&rest, STR("error"))) {
            wanted.error = rest;
            break;
        }
        if (line_take(&rest, STR("step"))) {
            if (!line_word(&rest, &wanted.step)) return player_fail(player, "which step?");
            continue;
        }
        while (i < 3 && !line_take(&rest, numbers[i].name)) i++;
        if (i == 3 || !line_number(&rest, &number)) return player_fail(player, "what is '%.*s'?", STR_ARG(rest));
        *numbers[i].value = (int64_t)number;
    }
    *ret_wanted = wanted;
    return true;
}

static bool differs(int64_t wanted, int64_t is) {
    return wanted >= 0 && wanted != is;
}

static bool expect_delivery(struct player *player, struct str rest) {
    struct str destination, key;
    struct wanted wanted;
    struct delivery is = {0};
    if (!line_word(&rest, &destination) || !line_word(&rest, &key)) return player_fail(player, "which delivery?");
    if (!read_wanted(player, rest, &wanted)) return false;
    if (!find_delivery(player, destination, key, wanted.step, wanted.run, &is)) return false;
    if (!is.seq) return player_fail(player, "there is no such delivery");
    const char *status = delivery_status_text(is.status);
    bool same = str_eq(wanted.status, str_from(status)) && !differs(wanted.attempts, is.attempts) &&
                !differs(wanted.retries, is.retry_count) && line_holds(is.last_error, wanted.error);
    return same || player_fail(player, "it is %s, attempts %d, retries %d, run %d, error '%.*s'", status, is.attempts,
                               is.retry_count, is.run, STR_ARG(is.last_error));
}

static bool expect_no_delivery(struct player *player, struct str rest) {
    struct str destination, key;
    struct delivery is = {0};
    if (!line_word(&rest, &destination) || !line_word(&rest, &key)) return player_fail(player, "which delivery?");
    if (!find_delivery(player, destination, key, STR(""), -1, &is)) return false;
    return !is.seq || player_fail(player, "there is one, %s", delivery_status_text(is.status));
}

static bool expect_event(struct player *player, struct str rest) {
    struct str key;
    struct wanted wanted;
    struct event is;
    if (!line_word(&rest, &key)) return player_fail(player, "which event?");
    if (!read_wanted(player, rest, &wanted) || !player_find_event(player, key, &is)) return false;
    const char *status = event_status_text(is.status);
    bool same = str_eq(wanted.status, str_from(status)) && line_holds(is.last_error, wanted.error);
    return same || player_fail(player, "it is %s, error '%.*s'", status, STR_ARG(is.last_error));
}

static bool expect_events(struct player *player, struct str rest) {
    struct event *events;
    size_t wanted, count;
    if (!line_number(&rest, &wanted)) return player_fail(player, "how many?");
    if (!list_events(player, &events, &count)) return false;
    return count == wanted || player_fail(player, "there are %zu", count);
}

/* ---- calls ---- */

static bool same_count(struct player *player, struct str rest, size_t count) {
    size_t wanted;
    if (!line_number(&rest, &wanted) || rest.n) return player_fail(player, "how many?");
    return count == wanted || player_fail(player, "there are %zu", count);
}

/* "31s-32s" or "30s". */
static bool moment_fits(struct player *player, struct str word, int64_t at_us, bool *ret_fits) {
    size_t dash = str_find(word, '-');
    int64_t from_us, until_us;
    if (!line_span(player, str_sub(word, 0, dash), &from_us)) return false;
    until_us = from_us + TOLERANCE_US;
    if (dash != SIZE_MAX && !line_span(player, str_sub(word, dash + 1, word.n), &until_us)) return false;
    *ret_fits = at_us >= from_us && at_us <= until_us;
    return true;
}

/* Fails with all the moments there were. */
static bool show_moments(struct player *player, const struct receiver *receiver, bool lookups) {
    struct buf text = {.arena = &player->arena};
    for (size_t i = 0; i < receiver->send_count; i++)
        if (receiver->sends[i].lookup == lookups)
            buf_fmt(&text, " %lldms", (long long)((receiver->sends[i].started_us - WORLD_START_US) / US_PER_MS));
    return player_fail(player, "they were at%.*s", STR_ARG(buf_str(&text)));
}

static bool expect_calls(struct player *player, struct str rest, bool lookups) {
    struct str name, word;
    if (!line_word(&rest, &name)) return player_fail(player, "whose calls?");
    const struct receiver *receiver = player_actor(player, name)->receiver;
    size_t count = 0;
    for (size_t i = 0; i < receiver->send_count; i++) count += receiver->sends[i].lookup == lookups;
    if (!line_take(&rest, STR("at"))) return same_count(player, rest, count);
    for (size_t i = 0; i < receiver->send_count; i++) {
        bool fits = false;
        if (receiver->sends[i].lookup != lookups) continue;
        if (!line_word(&rest, &word)) return show_moments(player, receiver, lookups);
        if (!moment_fits(player, word, receiver->sends[i].started_us - WORLD_START_US, &fits)) return false;
        if (!fits) return show_moments(player, receiver, lookups);
    }
    return !rest.n || show_moments(player, receiver, lookups);
}

static bool expect_sends(struct player *player, struct str rest) {
    return expect_calls(player, rest, false);
}

static bool expect_lookups(struct player *player, struct str rest) {
    return expect_calls(player, rest, true);
}

static bool expect_effects(struct player *player, struct str rest) {
    struct str name;
    size_t count = 0;
    if (!line_word(&rest, &name)) return player_fail(player, "whose effects?");
    const struct receiver *receiver = player_actor(player, name)->receiver;
    for (size_t i = 0; i < receiver->send_count; i++) count += receiver->sends[i].effect;
    return same_count(player, rest, count);
}

static bool expect_keys(struct player *player, struct str rest) {
    struct str name;
    const char *keys[KEYS_MAX];
    size_t count = 0;
    if (!line_word(&rest, &name)) return player_fail(player, "whose keys?");
    const struct receiver *receiver = player_actor(player, name)->receiver;
    for (size_t i = 0; i < receiver->send_count && count < KEYS_MAX; i++) {
        size_t j = 0;
        while (j < count && strcmp(keys[j], receiver->sends[i].key) != 0) j++;
        if (j == count) keys[count++] = receiver->sends[i].key;
    }
    return same_count(player, rest, count);
}

/* The number of the first call of an event, SIZE_MAX when there was none. */
static size_t first_call(const struct receiver *receiver, struct uuid event) {
    char id[UUID_TEXT_LENGTH + 1];
    uuid_format(event, id);
    for (size_t i = 0; i < receiver->send_count; i++)
        if (strcmp(receiver->sends[i].event, id) == 0) return i;
    return SIZE_MAX;
}

static bool expect_order(struct player *player, struct str rest) {
    struct str name, key;
    size_t last = 0;
    bool first = true;
    if (!line_word(&rest, &name)) return player_fail(player, "whose order?");
    while (line_word(&rest, &key)) {
        struct event event;
        if (!player_find_event(player, key, &event)) return false;
        size_t at = first_call(player_actor(player, name)->receiver, event.id);
        if (at == SIZE_MAX) return player_fail(player, "%.*s was not sent", STR_ARG(key));
        if (!first && at < last) return player_fail(player, "%.*s came earlier", STR_ARG(key));
        last = at;
        first = false;
    }
    return true;
}

static bool expect_in_flight(struct player *player, struct str rest) {
    struct str name;
    if (!line_word(&rest, &name)) return player_fail(player, "whose calls?");
    return same_count(player, rest, player_actor(player, name)->receiver->in_flight_max);
}

static bool expect_last(struct player *player, struct str rest) {
    struct str name;
    if (!line_word(&rest, &name)) return player_fail(player, "whose call?");
    struct str body = player_actor(player, name)->last_body;
    return line_holds(body, rest) || player_fail(player, "it was: %.*s", STR_ARG(body));
}

static const struct {
    struct str phrase;
    bool (*expect)(struct player *player, struct str rest);
} expectations[] = {
    {{"delivery", 8}, expect_delivery}, {{"no delivery", 11}, expect_no_delivery},
    {{"event", 5}, expect_event},       {{"events", 6}, expect_events},
    {{"sends", 5}, expect_sends},       {{"lookups", 7}, expect_lookups},
    {{"effects", 7}, expect_effects},   {{"keys", 4}, expect_keys},
    {{"order", 5}, expect_order},       {{"in flight", 9}, expect_in_flight},
    {{"last", 4}, expect_last},
};

bool player_expect(struct player *player, struct str rest) {
    for (size_t i = 0; i < sizeof expectations / sizeof expectations[0]; i++)
        if (line_take(&rest, expectations[i].phrase)) return expectations[i].expect(player, rest);
    return player_fail(player, "nothing known is: expect %.*s", STR_ARG(rest));
}

/* ---- replies ---- */

bool player_expect_reply(struct player *player, struct str rest) {
    size_t status;
    if (line_take(&rest, STR("no answer"))) return !player->answered || player_fail(player, "it was answered");
    if (!player->answered) return player_fail(player, "it was not answered");
    if (!line_number(&rest, &status)) return player_fail(player, "which status?");
    bool same = (size_t)player->status == status;
    if (same && rest.n && rest.p[0] >= 'A' && rest.p[0] <= 'Z') {
        struct str word;
        same = line_word(&rest, &word) && str_eq(word, player->event_status);
    }
    if (line_take(&rest, STR("contains")))
        same = same && line_holds(player->body, rest);
    else if (line_take(&rest, STR("lacks")))
        same = same && !line_holds(player->body, rest);
    else if (rest.n)
        return player_fail(player, "what is '%.*s'?", STR_ARG(rest));
    return same || player_fail(player, "answered %d %.*s: %.*s", player->status, STR_ARG(player->event_status),
                               STR_ARG(player->body));
}

bool player_verify(struct player *player) {
    struct verification found = {0};
    if (!look(player)) return false;
    enum err err = store_verify(player->plant.store, true, player->hasher, &player->arena, &found);
    store_rollback(player->plant.store);
    if (err) return player_fail(player, "the store cannot be verified: %s", err_text(err));
    if (!found.violations) return true;
    return player_fail(player, "verify: %.*s: %.*s", STR_ARG(found.violations->rule), STR_ARG(found.violations->text));
}
