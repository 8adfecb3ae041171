/* store/key.c - API keys and the audit of what operators did. */
#include "store/admin.h"

#include "store/row.h"

static const char *const role_texts[KEY_ROLE_COUNT] = {
    [KEY_INGEST] = "ingest",
    [KEY_READ] = "read",
    [KEY_OPERATE] = "operate",
    [KEY_OWNER] = "owner",
};

const char *key_role_text(enum key_role role) {
    return role_texts[role];
}

bool key_role_parse(struct str text, enum key_role *ret_role) {
    for (int i = 0; i < KEY_ROLE_COUNT; i++)
        if (str_eq(text, str_from(role_texts[i]))) {
            *ret_role = (enum key_role)i;
            return true;
        }
    return false;
}

enum err store_audit(struct store *store, struct str actor, struct str act, struct str subject, struct str detail,
                     int64_t now_us) {
    const struct sql_value params[] = {sql_int(now_us), sql_str(actor), sql_str(act), sql_str(subject),
                                       sql_str(detail)};
    enum err err = store_run(store, SQL_AUDIT_ADD, params, 1, &store->scratch, NULL);
    arena_reset(&store->scratch);
    return err;
}

static void read_audit(const struct sql_result *result, struct arena *arena, struct audit_row **ret_rows,
                       size_t *ret_count) {
    struct audit_row *rows = arena_array(arena, struct audit_row, result->count);
    for (size_t i = 0; i < result->count; i++) {
        const struct sql_value *v = result->rows[i].values;
        rows[i] = (struct audit_row){v[0].number, v[1].number, v[2].text, v[3].text, v[4].text, v[5].text};
    }
    *ret_rows = rows;
    *ret_count = result->count;
}

enum err store_audit_of(struct store *store, const struct str *subjects, size_t subject_count, struct arena *arena,
                        struct audit_row **ret_rows, size_t *ret_count) {
    struct sql_value *params = arena_array(arena, struct sql_value, subject_count * 2);
    struct sql_result result;
    for (size_t i = 0; i < subject_count; i++) {
        params[i * 2] = sql_str(subjects[i]);
        params[i * 2 + 1] = sql_int(AUDIT_OF_MAX);
    }
    TRY(store_run(store, SQL_AUDIT_OF, params, subject_count, arena, &result));
    read_audit(&result, arena, ret_rows, ret_count);
    return ERR_NONE;
}

enum err store_audit_list(struct store *store, int64_t cursor, size_t limit, struct arena *arena,
                          struct audit_row **ret_rows, size_t *ret_count) {
    const struct sql_value params[] = {sql_int(cursor ? cursor : INT64_MAX), sql_int((int64_t)limit)};
    struct sql_result result;
    TRY(store_run(store, SQL_AUDIT_LIST, params, 1, arena, &result));
    read_audit(&result, arena, ret_rows, ret_count);
    return ERR_NONE;
}

enum err store_key_add(struct store *store, const struct api_key *key, struct str actor) {
    const struct sql_value params[] = {sql_str(key->id), sql_str(key->name), sql_int(key->role), sql_str(key->hash),
                                       sql_int(key->created_us)};
    enum err err = store_run(store, SQL_KEY_ADD, params, 1, &store->scratch, NULL);
    arena_reset(&store->scratch);
    if (err) return err;
    return store_audit(store, actor, STR("key add"), key->id, str_from(key_role_text(key->role)), key->created_us);
}

enum err store_key_list(struct store *store, struct arena *arena, struct api_key **ret_keys, size_t *ret_count) {
    struct sql_result result;
    TRY(store_run(store, SQL_KEY_LIST, NULL, 1, arena, &result));
    struct api_key *keys = arena_array(arena, struct api_key, result.count);
    for (size_t i = 0; i < result.count; i++) {
        const struct sql_value *v = result.rows[i].values;
        if (v[2].number < 0 || v[2].number >= KEY_ROLE_COUNT) return ERR_STORE_CORRUPT;
        keys[i] =
            (struct api_key){v[0].text, v[1].text, (enum key_role)v[2].number, v[3].text, v[4].number, v[5].number};
    }
    *ret_keys = keys;
    *ret_count = result.count;
    return ERR_NONE;
}

enum err store_key_revoke(struct store *store, struct str id, struct str actor, int64_t now_us) {
    const struct sql_value params[] = {sql_str(id), sql_int(now_us)};
    struct sql_result result;
    enum err err = store_run(store, SQL_KEY_REVOKE, params, 1, &store->scratch, &result);
    if (!err && result.changes == 0) err = ERR_NOT_FOUND;
    arena_reset(&store->scratch);
    return err ? err : store_audit(store, actor, STR("key revoke"), id, STR_NONE, now_us);
}
