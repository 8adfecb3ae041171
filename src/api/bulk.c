/* api/bulk.c - the same act for several things at once. Each is done or refused by itself, and the answer says which; a
 * page of them is one turn's work. */
#include "api/body.h"
#include "api/handlers.h"

enum err serve_each(struct call *call, const struct body_ids *ids, bulk_act *act, const void *wanted) {
    struct buf buf = {.arena = call->arena};
    size_t done = 0, refused = 0;
    if (!ids->count) return serve_problem(call, ERR_BAD_FIELD, STR("'ids' is missing"), "/ids");
    buf_add(&buf, STR("{\"items\":["));
    for (size_t i = 0; i < ids->count; i++) {
        struct str status = STR_NONE, words = STR_NONE;
        enum err err = act(call, ids->ids[i], wanted, &status, &words);
        if (err != ERR_NOT_FOUND && err != ERR_NOT_NOW && err != ERR_LIMIT) TRY(err);
        buf_fmt(&buf, "%s{\"id\":\"%.*s\",\"done\":%s", i ? "," : "", STR_ARG(uuid_str(call->arena, ids->ids[i])),
                err ? "false" : "true");
        if (err)
            encode_text(&buf, "error", words);
        else
            encode_text(&buf, "status", status);
        buf_byte(&buf, '}');
        if (err)
            refused++;
        else
            done++;
    }
    buf_fmt(&buf, "],\"done\":%zu,\"refused\":%zu}", done, refused);
    return serve_json(call, 200, buf_str(&buf));
}
