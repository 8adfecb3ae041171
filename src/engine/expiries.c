/* engine/expiries.c - see expiries.h. */
#include "engine/expiries.h"

#include "base/gauge.h"
#include "engine/turn.h"

static struct expiries *expiries_of(struct expiry_book *book, struct str destination) {
    struct expiries *there = map_get(&book->all, destination);
    if (there) return there;
    book->all.arena = &book->arena;
    there = arena_new(&book->arena, struct expiries);
    map_set(&book->all, str_dup(&book->arena, destination), there);
    return there;
}

static void tell(const struct turn *turn, struct str destination, struct str host, int64_t holds_until_us) {
    log_event(turn->loop->options.log, LOG_WARN, turn->wall_us, "certificate_ends",
              LOG_TEXT("destination", destination), LOG_TEXT("host", host),
              LOG_TEXT("at", when_str(turn->arena, holds_until_us)),
              LOG_TEXT("help", STR("whoever runs that server must renew it; from then on nothing is sent to it")));
}

void expiries_learn(struct turn *turn, const struct errand *errand, const struct answer *answer) {
    struct loop *loop = turn->loop;
    bool in_force = errand->settings == loop->in_force.settings; /* else it may be called elsewhere by now */
    if (!answer->holds_until_us || !errand->whose.n || !in_force) return;
    struct str host = expiry_host(errand->outgoing.url);
    struct expiries *expiries = expiries_of(&loop->expiries, errand->whose);
    if (expiry_learn(expiries, host, answer->holds_until_us, turn->now_us, turn->wall_us))
        tell(turn, errand->whose, host, answer->holds_until_us);
}

/* Where a destination is called is in its URL, or what its connector makes of its fields. */
static bool same_place(const struct destination_settings *a, const struct destination_settings *b) {
    bool same = str_eq(a->type, b->type) && str_eq(a->url, b->url) && a->fields.count == b->fields.count;
    for (size_t i = 0; same && i < a->fields.count; i++) {
        const struct str *mine = a->fields.slots[i].value, *other = map_get(&b->fields, a->fields.slots[i].key);
        same = other && str_eq(*mine, *other);
    }
    return same;
}

void expiries_reconfigured(struct loop *loop, const struct settings *before) {
    const struct settings *now = loop->in_force.settings;
    struct expiry_book kept = {0};
    for (size_t i = 0; i < now->destination_count; i++) {
        const struct destination_settings *settings = &now->destinations[i];
        size_t was = settings_destination(before, settings->name);
        const struct expiries *there = map_get(&loop->expiries.all, settings->name);
        if (there && was != SIZE_MAX && same_place(&before->destinations[was], settings))
            *expiries_of(&kept, settings->name) = *there;
    }
    const struct expiries *collector =
        map_get(&loop->expiries.all, STR(EXPIRY_COLLECTOR)); /* not of the configuration */
    if (collector) *expiries_of(&kept, STR(EXPIRY_COLLECTOR)) = *collector;
    arena_free(&loop->expiries.arena);
    loop->expiries = kept;
}

static void put_first(const struct loop *loop, struct str whose, struct gauge_sink *sink) {
    const struct expiry *first = expiry_first(map_get(&loop->expiries.all, whose), sink->now_us);
    if (first) sink->put(sink, whose, (double)(first->holds_until_us / US_PER_S));
}

void expiries_put(const struct loop *loop, struct gauge_sink *sink) {
    for (size_t i = 0; i < deliver_desks(loop->deliver); i++) {
        const struct destination_settings *settings = deliver_settings(loop->deliver, i);
        if (settings) put_first(loop, settings->name, sink);
    }
    put_first(loop, STR(EXPIRY_COLLECTOR), sink);
}

void expiries_close(struct loop *loop) {
    arena_free(&loop->expiries.arena);
}
