#include "api/handlers.h"
#include "base/json.h"
#include "base/when.h"
#include "deliver/deliver.h"
#include "deliver/heir.h"
#include "store/shared.h"

#define SCHEDULES_MAX 5               /* that status names */
#define INSTANCES_US  (30 * US_PER_S) /* a process that was not seen for so long is gone */

static void encode_totals(struct buf *buf, const struct destination_counts *counts, size_t count) {
    int64_t totals[DELIVERY_STATUS_COUNT] = {0};
    for (size_t i = 0; i < count; i++)
        for (int j = 0; j < DELIVERY_STATUS_COUNT; j++) totals[j] += counts[i].by_status[j];
    buf_fmt(buf, ",\"pending\":%lld,\"processing\":%lld,\"unknown\":%lld,\"held\":%lld,\"failed\":%lld",
            (long long)totals[DELIVERY_PENDING], (long long)totals[DELIVERY_PROCESSING],
            (long long)totals[DELIVERY_UNKNOWN], (long long)totals[DELIVERY_HELD], (long long)totals[DELIVERY_FAILED]);
}

/* How many of the due deliveries a desk cannot let go now, and why; "" when nothing is in their way. *ret_until_us
 * stays as it was where nobody named a moment. */
static const char *hindrance(const struct call *call, const struct destination_waiting *waiting, int64_t *ret_count,
                             int64_t *ret_until_us) {
    size_t desk = deliver_known(call->desks, waiting->destination);
    *ret_count = waiting->due;
    if (!call->standing->running) return call->standing->hold ? "hold" : "";
    if (desk == SIZE_MAX) return "no such destination";
    struct desk_view view = deliver_view(call->desks, desk, call->now_us);
    if (view.paused) return "pause"; /* these two stand also when the hold is over */
    if (view.breaker.state != BREAKER_CLOSED) return "breaker";
    if (call->standing->hold) return "hold";
    if (view.quiet_until_us > call->now_us) {
        *ret_until_us = view.quiet_until_us;
        return "quiet";
    }
    if (view.remaining >= (size_t)waiting->due) return "";
    *ret_count = waiting->due - (int64_t)view.remaining;
    return "limit";
}

/* What waits, as three numbers: due now, held back (by what, and where), later. */
static enum err encode_waiting(struct call *call, struct buf *buf) {
    struct destination_waiting *waiting;
    struct buf why = {.arena = call->arena};
    size_t count;
    int64_t due = 0, held_back = 0, later = 0;
    TRY(store_waiting(call->store, call->now_us, call->arena, &waiting, &count));
    for (size_t i = 0; i < count; i++) {
        int64_t held, until_us = 0;
        const char *reason = hindrance(call, &waiting[i], &held, &until_us);
        if (until_us) { /* the one that was told to wait comes due only then, and waits for it, too */
            TRY(store_due_until(call->store, waiting[i].destination, until_us, &held));
            waiting[i].later -= held - waiting[i].due;
            waiting[i].due = held;
        }
        const struct {
            const char *reason;
            int64_t count;
        } hindered[] = {{reason, *reason ? held : 0}, {"order", waiting[i].blocked}};
        for (size_t j = 0; j < 2; j++) {
            if (!hindered[j].count) continue;
            buf_add(&why, why.n ? STR(",{\"destination\":") : STR("{\"destination\":"));
            json_quote(&why, waiting[i].destination);
            buf_fmt(&why, ",\"reason\":\"%s\",\"count\":%lld", hindered[j].reason, (long long)hindered[j].count);
            if (j == 0 && until_us) encode_time(&why, "until", until_us - until_us % US_PER_S);
            encode_keys_kept(call, &why, waiting[i].destination);
            buf_byte(&why, '}');
            held_back += hindered[j].count;
        }
        due += waiting[i].due - hindered[0].count;
        later += waiting[i].later;
    }
    buf_fmt(buf, ",\"waiting\":{\"due\":%lld,\"held_back\":%lld,\"later\":%lld,\"why\":[", (long long)due,
            (long long)held_back, (long long)later);
    buf_add(buf, buf_str(&why));
    buf_add(buf, STR("]}"));
    return ERR_NONE;
}

/* Who else works on the store, and how limits are shared. */
static enum err encode_company(struct call *call, struct buf *buf) {
    const struct standing *standing = call->standing;
    struct instance *instances;
    size_t count;
    TRY(store_instances(call->store, INSTANCES_US, call->arena, &instances, &count));
    encode_text(buf, "role", standing->role);
    buf_add(buf, STR(",\"instances\":["));
    for (size_t i = 0; i < count; i++) {
        buf_add(buf, i ? STR(",{\"token\":") : STR("{\"token\":"));
        json_quote(buf, instances[i].token);
        encode_text(buf, "role", instances[i].role);
        encode_text(buf, "host", instances[i].host);
        encode_time(buf, "started_at", instances[i].started_us);
        encode_time(buf, "seen_at", instances[i].seen_us);
        buf_byte(buf, '}');
    }
    buf_fmt(buf, "],\"limits\":{\"shared_by\":\"%s\",\"up\":%s,\"parts\":%zu}", standing->limits_way,
            standing->limits_up ? "true" : "false", standing->limit_parts);
    return ERR_NONE;
}

/* What only a server that runs can say. */
static enum err encode_server(struct call *call, struct buf *buf, const struct destination_counts *counts,
                              size_t count) {
    const struct standing *standing = call->standing;
    const struct settings *settings = standing->settings;
    encode_text(buf, "config", settings->path.n ? settings->path : settings->file);
    buf_fmt(buf, ",\"uptime_seconds\":%lld", (long long)((call->now_us - standing->started_us) / US_PER_S));
    buf_fmt(buf, ",\"stopping\":%s,\"disk_full\":%s,\"config_ok\":%s", standing->stopping ? "true" : "false",
            standing->tight ? "true" : "false", standing->config_ok ? "true" : "false");
    buf_fmt(buf, ",\"config_warnings\":%zu,\"restart_waits\":[", settings->warning_count);
    for (size_t i = 0; i < settings->restart_waits.count; i++) {
        if (i) buf_byte(buf, ',');
        json_quote(buf, settings->restart_waits.items[i]);
    }
    buf_byte(buf, ']');
    buf_fmt(buf, ",\"destinations\":%zu,\"routes\":%zu,\"keys\":%zu,\"in_flight\":%zu", settings->destination_count,
            settings->route_count, serve_key_count(call), standing->in_flight);
    buf_fmt(buf, ",\"unrouted\":%llu,\"resent\":%llu,\"unsent\":%llu", (unsigned long long)standing->unrouted,
            (unsigned long long)standing->resent, (unsigned long long)standing->unsent);
    int64_t waiting = standing->open_deliveries, most = settings->server.queue_max;
    buf_fmt(buf, ",\"queue\":{\"waiting\":%lld,\"most\":%lld,\"half_full\":%s}", (long long)waiting, (long long)most,
            most && waiting >= (most + 1) / 2 ? "true" : "false");
    encode_schedules(call, buf, SCHEDULES_MAX);
    TRY(encode_troubled(call, buf, counts, count));
    return encode_company(call, buf);
}

enum err api_status(struct call *call) {
    struct destination_counts *counts;
    size_t count;
    int64_t oldest_us;
    TRY(store_counts(call->store, false, call->arena, &counts, &count));
    TRY(store_oldest_due(call->store, &oldest_us));
    int64_t lag_us = oldest_us < call->now_us ? call->now_us - oldest_us : 0;
    struct buf buf = {.arena = call->arena};
    buf_add(&buf, STR("{\"version\":"));
    json_quote(&buf, call->standing->version);
    if (!call->standing->running) buf_add(&buf, STR(",\"running\":false"));
    encode_text(&buf, "store", call->standing->store);
    buf_fmt(&buf, ",\"lag_seconds\":%lld", (long long)(lag_us / US_PER_S));
    encode_totals(&buf, counts, count);
    TRY(encode_waiting(call, &buf));
    TRY(encode_hold(call, &buf));
    if (call->standing->running) TRY(encode_server(call, &buf, counts, count));
    buf_byte(&buf, '}');
    return serve_json(call, 200, buf_str(&buf));
}

enum err api_audit(struct call *call) {
    struct audit_row *rows;
    size_t count;
    struct page page;
    if (!read_page(call, &page)) return ERR_NONE;
    TRY(store_audit_list(call->store, page.cursor, page.limit + 1, call->arena, &rows, &count));
    struct buf buf = {.arena = call->arena};
    buf_add(&buf, STR("{\"items\":["));
    for (size_t i = 0; i < count && i < page.limit; i++) {
        if (i) buf_byte(&buf, ',');
        encode_audit(&buf, &rows[i]);
    }
    return reply_list(call, &buf, count > page.limit ? rows[page.limit - 1].seq : 0);
}
