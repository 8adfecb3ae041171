/* api/hold.c - the emergency brake: nothing leaves until somebody says so, also over restarts and in all processes. */
#include "deliver/hold.h"
#include "api/body.h"
#include "api/handlers.h"
#include "base/json.h"
#include "store/memory.h"

static enum err reply_hold(struct call *call) {
    struct buf buf = {.arena = call->arena};
    buf_fmt(&buf, "{\"held\":%s", deliver_is_held(call->desks) ? "true" : "false");
    encode_text(&buf, "reason", deliver_hold_reason(call->desks));
    buf_byte(&buf, '}');
    return serve_json(call, 200, buf_str(&buf));
}

static enum err store_hold(struct call *call, bool held, struct str reason, struct str act) {
    const struct destination_state state = {
        .name = STR(HOLD_NAME), .paused = held, .pause_reason = reason, .aspects = STATE_PAUSE};
    call->wishes |= WISH_STATE;
    TRY(store_save_destination(call->store, &state, 1, call->now_us));
    return store_audit(call->store, call->actor, act, STR(HOLD_NAME), reason, call->now_us);
}

/* {"reason":"…"}, which may be left out. */
enum err api_hold(struct call *call) {
    struct str reason = STR_NONE;
    const struct body_member members[] = {{"reason", BODY_TEXT, &reason}};
    if (!body_read(call, members, 1)) return ERR_NONE;
    if (!reason.n) reason = STR("by hand");
    deliver_hold(call->desks, reason);
    TRY(store_hold(call, true, deliver_hold_reason(call->desks), STR("hold")));
    return reply_hold(call);
}

enum err api_release(struct call *call) {
    if (!body_empty(call)) return ERR_NONE;
    deliver_release(call->desks);
    call->wishes |= WISH_WORK;
    TRY(store_hold(call, false, STR(""), STR("release")));
    return reply_hold(call);
}
