/* api/hold.c - the emergency brake: nothing leaves until somebody says so, also over restarts and in all processes. */
#include <string.h>

#include "api/body.h"
#include "api/handlers.h"
#include "base/json.h"
#include "base/when.h"
#include "deliver/heir.h"
#include "deliver/hold.h"
#include "store/admin.h"
#include "store/memory.h"

/* ---- what is told of it ---- */

struct hold_story {
    int64_t since_us; /* 0 = nothing is held, or by the start of this process alone */
    /* The store may be behind what was sent: it was restored or copied, or somebody started it with --hold, as after a
     * restore on PostgreSQL. */
    bool stale;
};

/* The acts since the last release tell it: when it was held, and whether by a restore. */
static enum err hold_story(struct call *call, struct hold_story *ret_story) {
    const struct str subject = STR(HOLD_NAME);
    struct audit_row *rows;
    size_t count;
    *ret_story = (struct hold_story){.stale = deliver_is_held(call->desks) && !deliver_hold_is_ordered(call->desks)};
    if (!deliver_hold_is_ordered(call->desks)) return ERR_NONE;
    TRY(store_audit_of(call->store, &subject, 1, call->arena, &rows, &count));
    for (size_t i = 0; i < count && !str_eq(rows[i].act, STR("release")); i++) {
        ret_story->since_us = rows[i].at_us;
        ret_story->stale |= !str_eq(rows[i].act, STR("hold"));
    }
    return ERR_NONE;
}

static bool is_used(const struct call *call, struct str destination, struct str action) {
    const struct settings *settings = call->standing->settings;
    for (size_t i = 0; i < settings->route_count; i++)
        for (size_t j = 0; j < settings->routes[i].step_count; j++) {
            const struct route_step *step = &settings->routes[i].steps[j];
            if (str_eq(settings->destinations[step->destination].name, destination) && str_eq(step->action, action))
                return true;
        }
    return false;
}

/* For how long the provider knows a delivery again by its key, at the least among the actions that routes use: 0 = not
 * at all, WHEN_NEVER = for ever. */
static int64_t keys_kept_us(const struct call *call, size_t desk) {
    const struct destination_settings *settings = deliver_settings(call->desks, desk);
    int64_t least_us = WHEN_NEVER;
    for (size_t i = 0; i < settings->action_count; i++) {
        const struct action_traits *traits = &settings->actions[i];
        if (traits->key_life_us < least_us && is_used(call, settings->name, traits->name))
            least_us = traits->key_life_us;
    }
    return least_us;
}

void encode_keys_kept(const struct call *call, struct buf *buf, struct str destination) {
    size_t desk = call->standing->running ? deliver_known(call->desks, destination) : SIZE_MAX;
    int64_t kept_us = desk == SIZE_MAX ? WHEN_NEVER : keys_kept_us(call, desk);
    if (kept_us != WHEN_NEVER) /* nor where nobody knows */
        buf_fmt(buf, ",\"keys_kept_seconds\":%lld", (long long)(kept_us / US_PER_S));
}

enum err encode_hold(struct call *call, struct buf *buf) {
    struct hold_story story;
    TRY(hold_story(call, &story));
    buf_fmt(buf, ",\"hold\":%s", call->standing->hold ? "true" : "false");
    encode_text(buf, "hold_reason", call->standing->hold_reason);
    encode_time(buf, "hold_since", story.since_us);
    buf_fmt(buf, ",\"may_be_stale\":%s", story.stale ? "true" : "false");
    encode_made_again(call, buf, story.stale);
    return ERR_NONE;
}

/* ---- acts ---- */

static enum err reply_hold(struct call *call, struct str earlier, int64_t since_us) {
    struct buf buf = {.arena = call->arena};
    buf_fmt(&buf, "{\"held\":%s", deliver_is_held(call->desks) ? "true" : "false");
    encode_text(&buf, "reason", deliver_hold_reason(call->desks));
    if (earlier.n) {
        buf_add(&buf, STR(",\"earlier\":{\"reason\":"));
        json_quote(&buf, earlier);
        encode_time(&buf, "since", since_us);
        buf_byte(&buf, '}');
    }
    buf_byte(&buf, '}');
    return serve_json(call, 200, buf_str(&buf));
}

static enum err store_hold(struct call *call, bool held, struct str reason, struct str said, struct str act) {
    const struct destination_state state = {
        .name = STR(HOLD_NAME), .paused = held, .pause_reason = reason, .aspects = STATE_PAUSE};
    call->wishes |= WISH_STATE;
    TRY(store_save_destination(call->store, &state, 1, call->now_us));
    return store_audit(call->store, call->actor, act, STR(HOLD_NAME), said, call->now_us);
}

/* {"reason":"…"}, which may be left out. Who releases a hold releases it for all who said it, so that their reasons
 * stand side by side. */
enum err api_hold(struct call *call) {
    struct str reason = STR_NONE;
    const struct body_member members[] = {{"reason", BODY_TEXT, &reason}};
    if (!body_read(call, members, 1)) return ERR_NONE;
    struct hold_story story;
    TRY(hold_story(call, &story));
    struct str earlier = str_dup(call->arena, deliver_hold_reason(call->desks));
    struct str said = reason.n ? reason : STR("by hand"), whole = said;
    if (deliver_hold_is_ordered(call->desks)) {
        bool known = !reason.n || memmem(earlier.p, earlier.n, reason.p, reason.n);
        whole = known ? earlier : str_fmt(call->arena, "%.*s; %.*s", STR_ARG(earlier), STR_ARG(reason));
    }
    deliver_hold(call->desks, whole);
    TRY(store_hold(call, true, deliver_hold_reason(call->desks), said, STR("hold")));
    return reply_hold(call, earlier, story.since_us);
}

enum err api_release(struct call *call) {
    if (!body_empty(call)) return ERR_NONE;
    deliver_release(call->desks);
    call->wishes |= WISH_WORK;
    TRY(store_hold(call, false, STR(""), STR(""), STR("release")));
    return reply_hold(call, STR(""), 0);
}
