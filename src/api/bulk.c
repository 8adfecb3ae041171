/* api/bulk.c - the same act for several things at once. Each is done or refused by itself, and the answer says which; a
 * page of them is one turn's work. How they stand is told as it is after the commit, because the turn goes on with what
 * an act began. */
#include "api/body.h"
#include "api/handlers.h"

struct page_of_acts {
    bool dry;
    size_t count;
    struct bulk_item items[BULK_MAX];
};

enum err serve_each(struct call *call, const struct body_ids *ids, bool dry, bulk_act *act, const void *wanted) {
    struct page_of_acts *bulk = arena_new(call->arena, struct page_of_acts);
    bulk->dry = dry;
    if (!ids->count) return serve_problem(call, ERR_BAD_FIELD, STR("'ids' is missing"), "/ids");
    for (; bulk->count < ids->count; bulk->count++) {
        struct bulk_item *item = &bulk->items[bulk->count];
        item->id = ids->ids[bulk->count];
        item->err = act(call, wanted, item);
        if (item->err != ERR_NOT_FOUND && item->err != ERR_NOT_NOW && item->err != ERR_LIMIT) TRY(item->err);
    }
    call->own = bulk;
    return ERR_NONE;
}

void serve_told(struct call *call, void (*tell)(struct call *call, struct bulk_item *item)) {
    struct page_of_acts *bulk = call->own;
    struct buf buf = {.arena = call->arena};
    size_t refused = 0;
    buf_add(&buf, STR("{\"items\":["));
    for (size_t i = 0; i < bulk->count; i++) {
        struct bulk_item *item = &bulk->items[i];
        buf_fmt(&buf, "%s{\"id\":\"%.*s\",\"done\":%s", i ? "," : "", STR_ARG(uuid_str(call->arena, item->id)),
                item->err ? "false" : "true");
        if (item->err) {
            encode_text(&buf, "error", item->words);
            refused++;
        } else if (!bulk->dry) {
            tell(call, item);
            encode_text(&buf, "status", item->status);
            if (!uuid_eq(item->is_now, item->id)) encode_text(&buf, "is_now", uuid_str(call->arena, item->is_now));
        }
        buf_byte(&buf, '}');
    }
    buf_fmt(&buf, "],\"dry\":%s,\"done\":%zu,\"refused\":%zu}", bulk->dry ? "true" : "false", bulk->count - refused,
            refused);
    (void)serve_json(call, 200, buf_str(&buf));
}
