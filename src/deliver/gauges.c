/* deliver/gauges.c - the numbers of desks. A closed desk shows none, because its destination is no longer configured.
 */
#include "deliver/gauges.h"

#include "deliver/backlog.h"
#include "deliver/meter.h"

/* Calls `put_desk` for each open desk, with its view. */
static void each_desk(const void *self, struct gauge_sink *sink,
                      void (*put_desk)(struct gauge_sink *sink, const struct desk_view *view)) {
    const struct deliver *deliver = self;
    for (size_t i = 0; i < deliver_desks(deliver); i++) {
        if (!deliver_settings(deliver, i)) continue;
        struct desk_view view = deliver_view(deliver, i, sink->now_us);
        put_desk(sink, &view);
    }
}

static void put_breaker(struct gauge_sink *sink, const struct desk_view *view) {
    sink->put(sink, view->name, (double)view->breaker.state);
}

static void put_in_flight(struct gauge_sink *sink, const struct desk_view *view) {
    sink->put(sink, view->name, (double)view->in_flight);
}

static void put_paused(struct gauge_sink *sink, const struct desk_view *view) {
    sink->put(sink, view->name, view->paused);
}

static void read_breakers(const void *self, struct gauge_sink *sink) {
    each_desk(self, sink, put_breaker);
}

static void read_in_flight(const void *self, struct gauge_sink *sink) {
    each_desk(self, sink, put_in_flight);
}

static void read_paused(const void *self, struct gauge_sink *sink) {
    each_desk(self, sink, put_paused);
}

static void read_waiting(const void *self, struct gauge_sink *sink) {
    const struct deliver *deliver = self;
    for (size_t i = 0; i < deliver_desks(deliver); i++)
        if (deliver_settings(deliver, i))
            sink->put(sink, deliver_settings(deliver, i)->name, (double)backlog_of(deliver, i).waiting);
}

static void read_overflows(const void *self, struct gauge_sink *sink) {
    const struct deliver *deliver = self;
    for (size_t i = 0; i < deliver_desks(deliver); i++)
        if (deliver_settings(deliver, i))
            sink->put(sink, deliver_settings(deliver, i)->name, backlog_of(deliver, i).overflows);
}

/* Desks of one account share its limit, so the limit is shown once, under the account's name. */
static bool is_told_before(const struct deliver *deliver, size_t desk) {
    struct str account = deliver_settings(deliver, desk)->account;
    for (size_t i = 0; i < desk; i++)
        if (deliver_settings(deliver, i) && str_eq(deliver_settings(deliver, i)->account, account)) return true;
    return false;
}

static void read_remaining(const void *self, struct gauge_sink *sink) {
    const struct deliver *deliver = self;
    for (size_t i = 0; i < deliver_desks(deliver); i++) {
        if (!deliver_settings(deliver, i) || is_told_before(deliver, i)) continue;
        size_t remaining = deliver_view(deliver, i, sink->now_us).remaining;
        if (remaining != SIZE_MAX) sink->put(sink, deliver_settings(deliver, i)->account, (double)remaining);
    }
}

static void read_meters(const void *self, struct gauge_sink *sink) {
    const struct deliver *deliver = self;
    for (size_t i = 0; i < deliver_desks(deliver); i++) {
        const struct meters *meters = deliver_settings(deliver, i) ? deliver_meters(deliver, i) : NULL;
        if (meters && !is_told_before(deliver, i))
            sink->put(sink, deliver_settings(deliver, i)->account, (double)meters_count(meters));
    }
}

static void read_used(const void *self, struct gauge_sink *sink) {
    const struct deliver *deliver = self;
    size_t rules;
    for (size_t i = 0; i < deliver_desks(deliver); i++) {
        if (!deliver_settings(deliver, i) || is_told_before(deliver, i)) continue;
        deliver_rules(deliver, i, &rules);
        if (rules) sink->put(sink, deliver_settings(deliver, i)->account, deliver_used_share(deliver, i, sink->now_us));
    }
}

static const struct gauge gauges[] = {
    {"drumbeat_breaker_state", "gauge", "0 closed, 1 open, 2 half-open.", "destination", read_breakers},
    {"drumbeat_in_flight", "gauge", "Sends on their way.", "destination", read_in_flight},
    {"drumbeat_paused", "gauge", "1 = held by hand or by a refusal of the account.", "destination", read_paused},
    {"drumbeat_destination_waiting", "gauge", "Deliveries that wait or are on their way.", "destination", read_waiting},
    {"drumbeat_destination_overflows", "gauge", "1 = more are held until fewer than its queue wait.", "destination",
     read_overflows},
    {"drumbeat_limit_remaining", "gauge", "Sends that the limit allows now.", "limit", read_remaining},
    {"drumbeat_limit_values", "gauge", "Values that are counted apart, by limits per value.", "limit", read_meters},
    {"drumbeat_limit_used_ratio", "gauge", "How much of the tightest rule of the limit is used, from 0 to 1.", "limit",
     read_used},
};

struct gauge_set deliver_gauges(const struct deliver *deliver) {
    return GAUGE_SET(gauges, deliver);
}
