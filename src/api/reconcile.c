/* api/reconcile.c - what nobody knows the end of is looked up at the provider now, by a person's word. */
#include "api/body.h"
#include "api/handlers.h"
#include "base/json.h"
#include "base/map.h"
#include "deliver/backlog.h"
#include "deliver/heir.h"
#include "deliver/settle.h"
#include "store/doubt.h"

#define LOOK_MAX   ((size_t)2000) /* held deliveries that one call looks at */
#define PLACES_MAX ((size_t)256)

/* What is in doubt at one destination. */
struct in_doubt {
    int64_t held, by_hand, waiting; /* to be looked up; only a person can tell; to be looked up later than now */
    int64_t stranded;               /* UNKNOWN, as another process left them, and nobody here knows the destination */
};

struct reconciliation {
    struct call *call;
    struct str destination; /* "" = all */
    bool dry;
    struct map places;
    int64_t *seqs;
    size_t count;
    int64_t next; /* where the next call goes on; 0 = this was all */
};

static struct in_doubt *place_of(struct reconciliation *it, struct str name) {
    struct in_doubt *place = map_get(&it->places, name);
    if (place || it->places.count == PLACES_MAX) return place;
    place = arena_new(it->call->arena, struct in_doubt);
    map_set(&it->places, name, place);
    return place;
}

static bool can_look_up(const struct call *call, struct str destination, struct str action) {
    size_t desk = deliver_known(call->desks, destination);
    return desk != SIZE_MAX && settle_can_look_up(deliver_settings(call->desks, desk), action, true);
}

static enum err gather_held(struct reconciliation *it, int64_t after_seq) {
    struct doubtful *held;
    size_t count;
    TRY(store_doubtful(it->call->store, after_seq, LOOK_MAX, it->call->arena, &held, &count));
    it->seqs = arena_array(it->call->arena, int64_t, count);
    for (size_t i = 0; i < count; i++) {
        if (!held[i].in_doubt || (it->destination.n && !str_eq(held[i].destination, it->destination))) continue;
        struct in_doubt *place = place_of(it, held[i].destination);
        if (!place) continue;
        bool can = can_look_up(it->call, held[i].destination, held[i].action);
        *(can ? &place->held : &place->by_hand) += 1;
        if (can) it->seqs[it->count++] = held[i].seq;
    }
    it->next = count == LOOK_MAX ? held[count - 1].seq : 0;
    return ERR_NONE;
}

/* Those that are UNKNOWN anyway, once: with the first page. */
static enum err gather_waiting(struct reconciliation *it) {
    struct destination_counts *counts;
    size_t count;
    TRY(store_counts(it->call->store, false, it->call->arena, &counts, &count));
    for (size_t i = 0; i < count; i++) {
        if (!counts[i].by_status[DELIVERY_UNKNOWN]) continue;
        if (it->destination.n && !str_eq(counts[i].destination, it->destination)) continue;
        struct in_doubt *place = place_of(it, counts[i].destination);
        bool is_gone = deliver_known(it->call->desks, counts[i].destination) == SIZE_MAX;
        if (place) *(is_gone ? &place->stranded : &place->waiting) = counts[i].by_status[DELIVERY_UNKNOWN];
    }
    return ERR_NONE;
}

static enum err look_up(struct reconciliation *it) {
    struct call *call = it->call;
    size_t count;
    TRY(store_look_up(call->store, it->seqs, it->count, call->now_us, call->arena, &count));
    for (size_t i = 0; i < it->places.count; i++) {
        const struct in_doubt *place = it->places.slots[i].value;
        size_t desk = deliver_known(call->desks, it->places.slots[i].key);
        if (place->waiting)
            TRY(store_look_now(call->store, it->places.slots[i].key, call->now_us, call->arena, &count));
        if (desk == SIZE_MAX) continue;
        backlog_change(call->desks, desk, place->held);
        deliver_due(call->desks, desk, call->now_us);
    }
    if (!it->places.count) return ERR_NONE;
    call->wishes |= WISH_WORK;
    return store_audit(call->store, call->actor, STR("reconcile"), it->destination.n ? it->destination : STR("all"),
                       str_fmt(call->arena, "%zu held", it->count), call->now_us);
}

static enum err reply_places(const struct reconciliation *it) {
    struct buf buf = {.arena = it->call->arena};
    buf_add(&buf, STR("{\"items\":["));
    for (size_t i = 0; i < it->places.count; i++) {
        const struct in_doubt *place = it->places.slots[i].value;
        buf_add(&buf, i ? STR(",{\"destination\":") : STR("{\"destination\":"));
        json_quote(&buf, it->places.slots[i].key);
        bool is_gone = deliver_known(it->call->desks, it->places.slots[i].key) == SIZE_MAX;
        buf_fmt(&buf, ",\"held\":%lld,\"waiting\":%lld,\"by_hand\":%lld,\"stranded\":%lld,\"gone\":%s}",
                (long long)place->held, (long long)place->waiting, (long long)place->by_hand,
                (long long)place->stranded, is_gone ? "true" : "false");
    }
    buf_fmt(&buf, "],\"dry\":%s,\"next\":", it->dry ? "true" : "false");
    if (it->next)
        buf_fmt(&buf, "\"%lld\"}", (long long)it->next);
    else
        buf_add(&buf, STR("null}"));
    return serve_json(it->call, 200, buf_str(&buf));
}

enum err api_reconcile(struct call *call) {
    struct reconciliation it = {.call = call, .places = {.arena = call->arena}};
    struct str cursor = STR_NONE;
    int64_t after_seq = 0;
    const struct body_member members[] = {
        {"destination", BODY_TEXT, &it.destination}, {"cursor", BODY_TEXT, &cursor}, {"dry", BODY_FLAG, &it.dry}};
    if (!body_read(call, members, 3)) return ERR_NONE;
    if (cursor.n && (!str_to_i64(cursor, &after_seq) || after_seq < 0))
        return serve_problem(call, ERR_BAD_FIELD, STR("'cursor' is what an answer gave as next"), "/cursor");
    TRY(gather_held(&it, after_seq));
    if (!after_seq) TRY(gather_waiting(&it));
    /* One that the configuration has no more may have left doubts; of one that never was there are none. */
    bool is_known = !it.destination.n || deliver_known(call->desks, it.destination) != SIZE_MAX;
    if (!is_known && !it.places.count && !it.next && !after_seq)
        return serve_problem(call, ERR_NOT_FOUND, STR("there is no destination of this name"), NULL);
    if (!it.dry) TRY(look_up(&it));
    return reply_places(&it);
}
