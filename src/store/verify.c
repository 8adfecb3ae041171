/* store/verify.c - whether the store keeps its promises: invariants by SQL, as tables.def names them, and deeper, what
 * every row says of itself. */
#include "store/admin.h"

#include "base/hash.h"
#include "base/json.h"
#include "store/row.h"
#include "store/table.h"

#define VIOLATIONS_KEPT ((size_t)100)
#define FOUND_MAX       1000 /* counted per rule */
#define WINDOW_ROWS     256

struct verifier {
    struct store *store;
    struct hasher *hasher;
    struct arena *arena;  /* what is handed back */
    struct arena *window; /* one window of rows, or one payload */
    struct verification found;
    struct violation **end;
};

static void add_violation(struct verifier *verifier, const char *rule, struct str text) {
    if (verifier->found.violation_count++ >= VIOLATIONS_KEPT) return;
    struct violation *violation = arena_new(verifier->arena, struct violation);
    *violation = (struct violation){NULL, str_from(rule), text};
    *verifier->end = violation;
    verifier->end = &violation->next;
}

static void blame(struct verifier *verifier, const struct table_rule *rule, struct uuid id, struct str what) {
    struct str name = uuid_is_zero(id) ? STR_NONE : uuid_str(verifier->arena, id);
    add_violation(
        verifier, rule->name,
        str_fmt(verifier->arena, "%s %.*s%s%.*s", rule->subject, STR_ARG(name), name.n ? " " : "", STR_ARG(what)));
}

static enum err check_rule(struct verifier *verifier, const struct table_rule *rule) {
    const struct sql_value limit = sql_int(FOUND_MAX);
    struct sql_result result;
    TRY(store_run(verifier->store, rule->statement, &limit, 1, verifier->window, &result));
    for (size_t i = 0; i < result.count; i++)
        blame(verifier, rule, sql_to_uuid(&result.rows[i].values[1]), result.rows[i].values[0].text);
    arena_reset(verifier->window);
    return ERR_NONE;
}

static enum err count_rows(struct verifier *verifier) {
    struct sql_result result;
    TRY(store_run(verifier->store, SQL_COUNT_ROWS, NULL, 1, verifier->window, &result));
    const struct sql_value *v = result.rows[0].values;
    verifier->found.events = v[0].number;
    verifier->found.deliveries = v[1].number;
    verifier->found.attempts = v[2].number;
    arena_reset(verifier->window);
    return ERR_NONE;
}

/* ---- deep ---- */

static enum err check_integrity(struct verifier *verifier) {
    struct sql_result result;
    TRY(store_run(verifier->store, SQL_VERIFY_INTEGRITY, NULL, 1, verifier->window, &result));
    for (size_t i = 0; i < result.count; i++) {
        struct str said = result.rows[i].values[0].text;
        if (!str_eq(said, STR("ok"))) add_violation(verifier, "integrity", str_dup(verifier->arena, said));
    }
    arena_reset(verifier->window);
    return ERR_NONE;
}

static void check_payload(struct verifier *verifier, const struct sql_value *row) {
    static const struct table_rule rule = {SQL_VERIFY_PAYLOADS, "I1 payload", "event"};
    struct uuid id = sql_to_uuid(&row[1]);
    struct arena canonical = ARENA_EMPTY;
    struct buf buf = {.arena = &canonical};
    struct json_error error;
    struct json *payload = NULL;
    uint8_t digest[SHA256_BYTES];
    if (json_parse(row[2].text, JSON_DEPTH_MAX, &payload, &error)) {
        blame(verifier, &rule, id, STR("has a payload that is no JSON"));
    } else if (row[3].text.n == 2 * SHA256_BYTES) { /* else another program's, of a form of its own */
        json_canonical(&buf, payload);
        hash_sha256(verifier->hasher, buf_str(&buf), digest);
        if (!str_eq(hex_encode(&canonical, digest, sizeof digest), row[3].text))
            blame(verifier, &rule, id, STR("has another payload than its fingerprint says"));
    }
    json_free(payload);
    arena_free(&canonical);
}

static void check_id(struct verifier *verifier, const struct sql_value *row) {
    static const struct table_rule rule = {SQL_VERIFY_IDS, "I7 one effect", "delivery"};
    struct uuid id = sql_to_uuid(&row[1]), derived = delivery_derive_id(verifier->hasher, row[2].text, row[3].text,
                                                                        row[4].text, sql_to_i32(&row[5]));
    if (!uuid_eq(id, derived)) blame(verifier, &rule, id, STR("has another id than its event and destination give"));
}

/* Every row in order of seq, a window at a time: memory stays flat at any history. */
static enum err check_rows(struct verifier *verifier, enum sql_statement statement,
                           void (*check)(struct verifier *, const struct sql_value *)) {
    int64_t last_seq = 0;
    for (;;) {
        const struct sql_value params[] = {sql_int(last_seq), sql_int(WINDOW_ROWS)};
        struct sql_result result;
        TRY(store_run(verifier->store, statement, params, 1, verifier->window, &result));
        for (size_t i = 0; i < result.count; i++) check(verifier, result.rows[i].values);
        if (result.count) last_seq = result.rows[result.count - 1].values[0].number;
        arena_reset(verifier->window);
        if (result.count < WINDOW_ROWS) return ERR_NONE;
    }
}

static enum err check_deep(struct verifier *verifier) {
    TRY(check_integrity(verifier));
    TRY(check_rows(verifier, SQL_VERIFY_PAYLOADS, check_payload));
    return check_rows(verifier, SQL_VERIFY_IDS, check_id);
}

static enum err check_all(struct verifier *verifier, bool deep) {
    TRY(count_rows(verifier));
    for (size_t i = 0; i < TABLE_RULE_COUNT; i++) TRY(check_rule(verifier, &table_rules[i]));
    return deep ? check_deep(verifier) : ERR_NONE;
}

enum err store_verify(struct store *store, bool deep, struct hasher *hasher, struct arena *arena,
                      struct verification *ret) {
    struct arena window = ARENA_EMPTY;
    struct verifier verifier = {.store = store, .hasher = hasher, .arena = arena, .window = &window};
    verifier.end = &verifier.found.violations;
    enum err err = check_all(&verifier, deep);
    arena_free(&window);
    if (!err) *ret = verifier.found;
    return err;
}
