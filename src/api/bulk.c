/* api/bulk.c - the same act for several things at once. Each is done or refused by itself, and the answer says which; a
 * page of them is one turn's work. */
#include "api/handlers.h"
#include "base/json.h"

static bool read_ids(struct call *call, const struct json *list, struct uuid *ids) {
    if (json_type(list) != JSON_ARRAY || json_size(list) == 0 || json_size(list) > BULK_MAX) {
        (void)serve_problem(call, ERR_BAD_FIELD, str_fmt(call->arena, "'ids' must be a list of 1 to %d ids", BULK_MAX),
                            "/ids");
        return false;
    }
    for (size_t i = 0; i < json_size(list); i++) {
        if (uuid_parse(json_text(json_at(list, i)), &ids[i])) continue;
        (void)serve_problem(call, ERR_BAD_FIELD, STR("each of 'ids' must be a whole id"),
                            str_fmt(call->arena, "/ids/%zu", i).p);
        return false;
    }
    return true;
}

enum err serve_each(struct call *call, const struct json *body, bulk_act *act, const void *wanted) {
    const struct json *list = json_get(body, STR("ids"));
    struct uuid ids[BULK_MAX];
    struct buf buf = {.arena = call->arena};
    size_t done = 0, refused = 0;
    if (!read_ids(call, list, ids)) return ERR_NONE;
    buf_add(&buf, STR("{\"items\":["));
    for (size_t i = 0; i < json_size(list); i++) {
        struct str status = STR_NONE, words = STR_NONE;
        enum err err = act(call, ids[i], wanted, &status, &words);
        if (err != ERR_NOT_FOUND && err != ERR_NOT_NOW && err != ERR_LIMIT) TRY(err);
        buf_fmt(&buf, "%s{\"id\":\"%.*s\",\"done\":%s", i ? "," : "", STR_ARG(uuid_str(call->arena, ids[i])),
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
