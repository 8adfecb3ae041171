/* store/query.c - see query.h: lists and single rows. */
#include "store/query.h"

#include "base/when.h"
#include "store/list.h"

#include <stdlib.h>
#include <string.h>

#define PREFIX_MIN 6

int64_t store_next_cursor(const struct store *store) {
    return store->next_cursor;
}

/* ---- events ---- */

/* Which statement lists what is asked for: filters that few rows match have an index of their own. */
static enum sql_statement event_statement(const struct event_query *query) {
    if (query->with) return query->with == EVENT_WITH_HELD ? SQL_EVENT_LIST_HELD : SQL_EVENT_LIST_LOST;
    return query->status == EVENT_FAILED ? SQL_EVENT_LIST_FAILED : SQL_EVENT_LIST;
}

static bool is_wanted(const struct event_query *query, const struct event *event) {
    if (query->status >= 0 && (int)event->status != query->status) return false;
    if (query->type.n && !str_eq(query->type, event->type)) return false;
    if (query->source.n && !str_eq(query->source, event->source)) return false;
    return event->created_us >= query->since_us && (!query->until_us || event->created_us < query->until_us);
}

/* The one event of a key, where it is also what else is asked for. */
static enum err list_by_key(struct store *store, const struct event_query *query, struct arena *arena,
                            struct event **ret_events, size_t *ret_count) {
    const struct sql_value params[] = {sql_str(query->key), sql_str(STR(""))};
    struct sql_result result;
    struct event *event = arena_new(arena, struct event);
    store->next_cursor = 0;
    TRY(store_run(store, SQL_EVENT_OF_KEY, params, 1, arena, &result));
    *ret_count = 0;
    *ret_events = event;
    if (!result.count) return ERR_NONE;
    TRY(store_event_get(store, sql_to_uuid(&result.rows[0].values[0]), arena, event));
    *ret_count = is_wanted(query, event) && (!query->cursor || event->seq < query->cursor);
    return ERR_NONE;
}

enum err store_event_list(struct store *store, const struct event_query *query, struct arena *arena,
                          struct event **ret_events, size_t *ret_count) {
    const struct sql_value **rows;
    size_t count;
    if (query->key.n) return list_by_key(store, query, arena, ret_events, ret_count);
    bool by_delivery = query->with != EVENT_WITH_ANY;
    struct list list = {
        .statement = event_statement(query),
        .last = by_delivery ? SQL_DELIVERY_LAST : SQL_EVENT_LAST,
        .made = by_delivery ? SQL_DELIVERY_MADE : SQL_EVENT_MADE,
        .indexed = event_statement(query) != SQL_EVENT_LIST,
        .made_later = by_delivery,
        .filters = {{.kind = SQL_NULL}, sql_str_or_null(query->type), sql_str_or_null(query->source)},
        .since_us = query->since_us,
        .until_us = query->until_us,
        .limit = query->limit,
        .cursor = query->cursor,
    };
    if (query->status >= 0) list.filters[0] = sql_str(str_from(event_status_text((enum event_status)query->status)));
    TRY(list_rows(store, &list, arena, &rows, &count));
    struct event *events = arena_array(arena, struct event, count);
    for (size_t i = 0; i < count; i++) TRY(row_event(rows[i], &events[i]));
    *ret_events = events;
    *ret_count = count;
    return ERR_NONE;
}

enum err store_event_get(struct store *store, struct uuid id, struct arena *arena, struct event *ret_event) {
    const struct sql_value param = sql_uuid(&id);
    struct sql_result result;
    TRY(store_run(store, SQL_EVENT_GET, &param, 1, arena, &result));
    return result.count ? row_event(result.rows[0].values, ret_event) : ERR_NOT_FOUND;
}

/* ---- ids from prefixes ---- */

static int hex_digit(char c) {
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* The smallest and the largest id that begin so; dashes count for nothing. */
static bool prefix_range(struct str prefix, struct uuid *ret_low, struct uuid *ret_high) {
    struct uuid low = {0}, high;
    size_t digits = 0;
    memset(&high, 0xff, sizeof high);
    for (size_t i = 0; i < prefix.n; i++) {
        int digit = hex_digit(prefix.p[i]);
        if (prefix.p[i] == '-') continue;
        if (digit < 0 || digits == 2 * sizeof low.b) return false;
        unsigned shift = digits % 2 ? 0 : 4;
        low.b[digits / 2] = (uint8_t)(low.b[digits / 2] | digit << shift);
        high.b[digits / 2] = (uint8_t)((high.b[digits / 2] & ~(0xf << shift)) | digit << shift);
        digits++;
    }
    *ret_low = low;
    *ret_high = high;
    return digits >= PREFIX_MIN;
}

static enum err find_prefix(struct store *store, enum sql_statement statement, struct str prefix, struct arena *arena,
                            struct uuid *ret_id) {
    struct uuid low, high;
    struct sql_result result;
    if (!prefix_range(prefix, &low, &high)) return ERR_NOT_FOUND;
    TRY(store_run(store, statement, (struct sql_value[]){sql_uuid(&low), sql_uuid(&high)}, 1, arena, &result));
    if (result.count == 0) return ERR_NOT_FOUND;
    if (result.count > 1) return ERR_LIMIT;
    *ret_id = sql_to_uuid(&result.rows[0].values[0]);
    return ERR_NONE;
}

enum err store_event_by_prefix(struct store *store, struct str prefix, struct arena *arena, struct uuid *ret_id) {
    return find_prefix(store, SQL_EVENT_BY_PREFIX, prefix, arena, ret_id);
}

enum err store_delivery_by_prefix(struct store *store, struct str prefix, struct arena *arena, struct uuid *ret_id) {
    return find_prefix(store, SQL_DELIVERY_BY_PREFIX, prefix, arena, ret_id);
}

/* ---- deliveries ---- */

enum err store_superseded(struct store *store, struct delivery *deliveries, size_t count, struct arena *arena) {
    size_t failed = 0, *inputs = arena_array(arena, size_t, count);
    struct sql_value *seqs = arena_array(arena, struct sql_value, count);
    struct sql_result result;
    for (size_t i = 0; i < count; i++) {
        if (deliveries[i].status != DELIVERY_FAILED) continue;
        seqs[failed] = sql_int(deliveries[i].seq);
        inputs[failed++] = i;
    }
    TRY(store_run(store, SQL_DELIVERY_SUCCESSOR, seqs, failed, arena, &result));
    for (size_t i = 0; i < result.count; i++) {
        struct delivery *delivery = &deliveries[inputs[result.rows[i].input]];
        delivery->superseded_by = sql_to_uuid(&result.rows[i].values[0]);
        delivery->superseded_run = sql_to_i32(&result.rows[i].values[1]);
    }
    return ERR_NONE;
}

/* Which statement lists what is asked for: filters that few rows match have an index of their own. */
static enum sql_statement delivery_statement(const struct delivery_query *query) {
    if (!uuid_is_zero(query->event_id)) return SQL_DELIVERY_LIST_EVENT;
    if (query->resent) return SQL_DELIVERY_LIST_RESENT;
    switch (query->status) {
    case DELIVERY_HELD:
        return SQL_DELIVERY_LIST_HELD;
    case DELIVERY_FAILED:
        return SQL_DELIVERY_LIST_FAILED;
    case DELIVERY_PROCESSING:
        return SQL_DELIVERY_LIST_PROCESSING;
    default:
        return SQL_DELIVERY_LIST;
    }
}

enum err store_delivery_list(struct store *store, const struct delivery_query *query, struct arena *arena,
                             struct delivery **ret_deliveries, size_t *ret_count) {
    const struct sql_value **rows;
    size_t count;
    struct list list = {
        .statement = delivery_statement(query),
        .last = SQL_DELIVERY_LAST,
        .made = SQL_DELIVERY_MADE,
        .indexed = delivery_statement(query) != SQL_DELIVERY_LIST && !query->resent,
        .filters = {{.kind = SQL_NULL}, sql_str_or_null(query->destination), sql_uuid_or_null(&query->event_id)},
        .since_us = query->since_us,
        .until_us = query->until_us,
        .limit = query->limit,
        .cursor = query->cursor,
    };
    if (query->status >= 0)
        list.filters[0] = sql_str(str_from(delivery_status_text((enum delivery_status)query->status)));
    TRY(list_rows(store, &list, arena, &rows, &count));
    struct delivery *deliveries = arena_array(arena, struct delivery, count);
    for (size_t i = 0; i < count; i++) TRY(row_delivery(store, rows[i], &deliveries[i]));
    *ret_deliveries = deliveries;
    *ret_count = count;
    return ERR_NONE;
}

enum err store_delivery_get(struct store *store, struct uuid id, struct arena *arena, struct delivery *ret_delivery) {
    const struct sql_value param = sql_uuid(&id);
    struct sql_result result;
    TRY(store_run(store, SQL_DELIVERY_GET, &param, 1, arena, &result));
    return result.count ? row_delivery(store, result.rows[0].values, ret_delivery) : ERR_NOT_FOUND;
}

/* A delivery's id ends as its key does, and begins with a time that the key does not have. Within an event that is
 * enough; without one, the newest ids are looked through, which takes a few milliseconds. */
#define CLOCK_SLACK_US US_PER_HOUR

enum err store_delivery_by_key(struct store *store, struct uuid key, struct uuid event_id, int64_t now_us,
                               struct arena *arena, struct delivery *ret_delivery) {
    const struct uuid newest = uuid_dated((struct uuid){0}, now_us + CLOCK_SLACK_US);
    bool known = !uuid_is_zero(event_id);
    const struct sql_value params[] = {sql_uuid(&key), sql_uuid(known ? &event_id : &newest)};
    struct sql_result result;
    struct delivery delivery;
    TRY(store_run(store, known ? SQL_DELIVERY_BY_KEY : SQL_DELIVERY_BY_NEW_KEY, params, 1, arena, &result));
    if (!result.count) return ERR_NOT_FOUND;
    TRY(store_delivery_get(store, sql_to_uuid(&result.rows[0].values[0]), arena, &delivery));
    if (!uuid_eq(delivery.key, key)) return ERR_NOT_FOUND;
    *ret_delivery = delivery;
    return ERR_NONE;
}

/* number, started, finished, outcome, status, error, answer */
static struct attempt attempt_of(const struct sql_value *v) {
    return (struct attempt){
        .number = sql_to_i32(&v[0]),
        .started_us = v[1].number,
        .finished_us = v[2].number,
        .outcome = v[3].text,
        .http_status = sql_to_i32(&v[4]),
        .error = v[5].text,
        .answer = v[6].text,
    };
}

enum err store_attempts(struct store *store, int64_t delivery_seq, struct arena *arena, struct attempt **ret_attempts,
                        size_t *ret_count) {
    const struct sql_value param = sql_int(delivery_seq);
    struct sql_result result;
    TRY(store_run(store, SQL_ATTEMPT_LIST, &param, 1, arena, &result));
    struct attempt *attempts = arena_array(arena, struct attempt, result.count);
    for (size_t i = 0; i < result.count; i++) attempts[i] = attempt_of(result.rows[i].values);
    *ret_attempts = attempts;
    *ret_count = result.count;
    return ERR_NONE;
}

static int by_delivery(const void *a, const void *b) {
    const struct event_attempt *left = a, *right = b;
    if (left->delivery_seq != right->delivery_seq) return left->delivery_seq < right->delivery_seq ? -1 : 1;
    return (left->attempt.number > right->attempt.number) - (left->attempt.number < right->attempt.number);
}

enum err store_event_attempts(struct store *store, struct uuid event_id, struct arena *arena,
                              struct event_attempt **ret_attempts, size_t *ret_count) {
    const struct sql_value param = sql_uuid(&event_id);
    struct sql_result result;
    TRY(store_run(store, SQL_ATTEMPT_OF_EVENT, &param, 1, arena, &result));
    struct event_attempt *attempts = arena_array(arena, struct event_attempt, result.count);
    for (size_t i = 0; i < result.count; i++)
        attempts[i] = (struct event_attempt){result.rows[i].values[0].number, attempt_of(result.rows[i].values + 1)};
    qsort(attempts, result.count, sizeof *attempts, by_delivery);
    *ret_attempts = attempts;
    *ret_count = result.count;
    return ERR_NONE;
}

enum err store_events_between(struct store *store, int64_t since_us, int64_t until_us, int64_t most,
                              int64_t *ret_count) {
    const struct uuid since = uuid_floor(since_us), until = uuid_floor(until_us);
    const struct sql_value params[] = {sql_uuid(&since), sql_uuid(&until), sql_int(most)};
    return store_ask(store, SQL_EVENT_BETWEEN, params, 0, ret_count);
}

enum err store_delivery_ahead(struct store *store, const struct delivery *delivery, struct arena *arena,
                              struct delivery_ahead *ret_ahead) {
    const struct sql_value params[] = {sql_str(delivery->destination), sql_str(delivery->order_key),
                                       sql_int(delivery->seq)};
    struct sql_result result;
    *ret_ahead = (struct delivery_ahead){0};
    if (!delivery->order_key.n || !delivery_waits(delivery->status)) return ERR_NONE;
    TRY(store_run(store, SQL_DELIVERY_AHEAD, params, 1, arena, &result));
    if (!result.count) return ERR_NONE;
    const struct sql_value *v = result.rows[0].values;
    *ret_ahead = (struct delivery_ahead){sql_to_uuid(&v[0]), sql_to_uuid(&v[1]), DELIVERY_PENDING, v[3].number != 0};
    return delivery_status_parse(v[2].text, &ret_ahead->status) ? ERR_NONE : ERR_STORE_CORRUPT;
}
