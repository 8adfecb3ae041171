/* store/token.c - see token.h. */
#include "store/token.h"

#include "store/row.h"

static struct token_row token_from(const struct sql_value *v) {
    return (struct token_row){.destination = v[0].text,
                              .generation = v[1].number,
                              .sealed = v[2].text,
                              .expires_us = v[3].number,
                              .refresh_expires_us = v[4].number,
                              .seed = v[5].text,
                              .asked_by = v[6].text,
                              .asked_until_us = v[7].number,
                              .in_doubt = v[8].number,
                              .updated_us = v[9].number};
}

enum err store_token_get(struct store *store, struct str destination, struct arena *arena, struct token_row *ret_row) {
    const struct sql_value name = sql_str(destination);
    struct sql_result result;
    TRY(store_run(store, SQL_TOKEN_GET, &name, 1, arena, &result));
    *ret_row = result.count ? token_from(result.rows[0].values) : (struct token_row){0};
    return ERR_NONE;
}

enum err store_token_list(struct store *store, struct arena *arena, struct token_row **ret_rows, size_t *ret_count) {
    struct sql_result result;
    TRY(store_run(store, SQL_TOKEN_LIST, NULL, 1, arena, &result));
    struct token_row *rows = arena_array(arena, struct token_row, result.count);
    for (size_t i = 0; i < result.count; i++) rows[i] = token_from(result.rows[i].values);
    *ret_rows = rows;
    *ret_count = result.count;
    return ERR_NONE;
}

static enum err change(struct store *store, enum sql_statement statement, const struct sql_value *params,
                       bool *ret_changed) {
    struct sql_result result;
    enum err err = store_run(store, statement, params, 1, &store->scratch, &result);
    if (!err) *ret_changed = result.count > 0;
    arena_reset(&store->scratch);
    return err;
}

enum err store_token_ask(struct store *store, struct str destination, struct str owner, int64_t now_us,
                         int64_t until_us, bool others_too, bool *ret_ours) {
    const struct sql_value params[] = {sql_str(destination), sql_str(owner), sql_int(now_us), sql_int(until_us),
                                       sql_int(others_too)};
    return change(store, SQL_TOKEN_ASK, params, ret_ours);
}

enum err store_token_made(struct store *store, const struct token_row *row, int64_t now_us, bool *ret_applied) {
    const struct sql_value params[] = {
        sql_str(row->destination),        sql_int(row->generation),   sql_str(row->sealed), sql_int(row->expires_us),
        sql_int(row->refresh_expires_us), sql_str_or_null(row->seed), sql_int(now_us)};
    return change(store, SQL_TOKEN_MADE, params, ret_applied);
}

enum err store_token_not_made(struct store *store, struct str destination, struct str owner, int64_t until_us,
                              bool in_doubt, int64_t now_us) {
    const struct sql_value params[] = {sql_str(destination), sql_str(owner), sql_int(until_us), sql_int(in_doubt),
                                       sql_int(now_us)};
    return store_run(store, SQL_TOKEN_NOT_MADE, params, 1, &store->scratch, NULL);
}

enum err store_token_put(struct store *store, const struct token_row *row, int64_t now_us) {
    const struct sql_value params[] = {sql_str(row->destination),  sql_str(row->sealed),
                                       sql_int(row->expires_us),   sql_int(row->refresh_expires_us),
                                       sql_str_or_null(row->seed), sql_int(now_us)};
    return store_run(store, SQL_TOKEN_PUT, params, 1, &store->scratch, NULL);
}
