/* api/tokens.c - what the API says of destinations' tokens, and how a login's comes in. A token itself is never shown.
 */
#include "api/body.h"
#include "api/handlers.h"
#include "base/when.h"
#include "deliver/backoff.h"
#include "deliver/deliver.h"
#include "model/expiry.h"
#include "model/token.h"
#include "store/token.h"

struct token_list {
    struct token_row *rows;
    size_t count;
};

enum err tokens_list(struct call *call, struct token_list **ret_list) {
    struct token_list *list = arena_new(call->arena, struct token_list);
    *ret_list = list;
    return store_token_list(call->store, call->arena, &list->rows, &list->count);
}

static struct token_row find_token(const struct token_list *list, struct str destination) {
    for (size_t i = 0; i < list->count; i++)
        if (str_eq(list->rows[i].destination, destination)) return list->rows[i];
    return (struct token_row){0};
}

void encode_token(struct buf *buf, const struct token_list *list, struct str destination) {
    const struct token_row token = find_token(list, destination);
    encode_time(buf, "token_expires", token.expires_us);
    encode_time(buf, "login_expires", token.refresh_expires_us);
}

int64_t login_ends_soon(const struct call *call, const struct token_list *list, struct str destination) {
    int64_t at_us = find_token(list, destination).refresh_expires_us;
    return at_us < call->now_us + EXPIRY_SOON_US ? at_us : 0;
}

/* An instant of the body; false: refused. "" = none. */
static bool read_moment(struct call *call, struct str text, const char *pointer, int64_t *ret_us) {
    *ret_us = 0;
    if (!text.n || when_parse(text, ret_us)) return true;
    (void)serve_problem(call, ERR_BAD_FIELD, STR("a time has its offset, as 2026-12-01T09:00:00Z"), pointer);
    return false;
}

/* What somebody's login came to, sealed by who asked for it, so that it is open nowhere on its way. A destination that
 * was paused for want of it goes on. */
enum err api_destinations_login(struct call *call) {
    size_t desk;
    struct str expires = STR_NONE, login_expires = STR_NONE, access, refresh;
    struct token_row row = {.destination = call->part};
    const struct body_member members[] = {{"sealed", BODY_TEXT, &row.sealed},
                                          {"seed", BODY_TEXT, &row.seed},
                                          {"expires", BODY_TEXT, &expires},
                                          {"login_expires", BODY_TEXT, &login_expires}};
    if (!destination_find(call, &desk) || !body_read(call, members, 4) ||
        !read_moment(call, expires, "/expires", &row.expires_us) ||
        !read_moment(call, login_expires, "/login_expires", &row.refresh_expires_us))
        return ERR_NONE;
    if (!token_open(call->standing->settings->token_key, call->part, row.sealed, call->arena, &access, &refresh))
        return serve_problem(call, ERR_BAD_FIELD,
                             STR("it is not sealed with the DRUMBEAT_TOKEN_KEY of this server, for this destination"),
                             "/sealed");
    TRY(store_token_put(call->store, &row, call->now_us));
    call->wishes |= WISH_TOKENS | WISH_WORK;
    deliver_resume(call->desks, desk);
    deliver_due(call->desks, desk, call->now_us);
    TRY(store_let_go(call->store, call->part, call->now_us, call->now_us + PAUSE_PROBE_US, call->arena));
    TRY(store_audit(call->store, call->actor, STR("destination.login"), call->part, STR(""), call->now_us));
    return destination_reply(call, desk);
}
