#include "work.h"

/* A store with something of everything, built by the verbs alone. */
static void fill(struct fixture *f) {
    fixture_begin(f);
    struct delivery retried = fixture_deliver(f, "retried", "crm", DELIVERY_PROCESSING), after;
    fixture_end(f, &retried, DELIVERY_FAILED, "failed");
    OK(store_delivery_act(f->store, retried.id, ACT_RETRY_AS_SENT, STR("ada"), STR_NONE, T0, f->hasher, &f->arena,
                          &after));
    struct delivery done = fixture_deliver(f, "done", "crm", DELIVERY_PROCESSING);
    fixture_end(f, &done, DELIVERY_COMPLETED, "done");
    struct delivery failed = fixture_deliver(f, "failed", "crm", DELIVERY_PROCESSING);
    fixture_end(f, &failed, DELIVERY_FAILED, "failed");
    struct delivery resolved = fixture_deliver(f, "resolved", "crm", DELIVERY_PROCESSING);
    fixture_end(f, &resolved, DELIVERY_HELD, "unknown");
    OK(store_delivery_act(f->store, resolved.id, ACT_RESOLVE_DELIVERED, STR("ada"), STR_NONE, T0, f->hasher, &f->arena,
                          &after));
    fixture_deliver(f, "flying", "crm", DELIVERY_PROCESSING);
    fixture_append(f, "not yet due", T0 + US_PER_DAY);
    struct event unrouted = fixture_append(f, "unrouted", T0), bad = fixture_append(f, "bad", T0);
    fixture_routed(f, &unrouted, EVENT_COMPLETED, "");
    fixture_routed(f, &bad, EVENT_FAILED, "route lead: jq error");
    for (int i = 0; i < 3; i++) {
        struct event *event = arena_new(&f->arena, struct event);
        *event = fixture_append(f, i == 0 ? "o1" : i == 1 ? "o2" : "o3", T0);
        struct delivery delivery = fixture_delivery(f, event, "mail", DELIVERY_PENDING);
        delivery.order_key = STR("ada");
        fixture_plan_one(f, &delivery);
        fixture_routed(f, event, EVENT_PROCESSING, "");
    }
    fixture_commit(f);
}

static struct verification verify(struct fixture *f, bool deep) {
    struct verification found;
    fixture_begin(f);
    OK(store_verify(f->store, deep, f->hasher, &f->arena, &found));
    fixture_commit(f);
    return found;
}

static void a_store_that_only_verbs_touched_is_clean(void **state) {
    struct fixture *f = *state;
    fill(f);
    struct verification found = verify(f, true);
    if (found.violation_count) fail_msg("%.*s", STR_ARG(found.violations->text));
    assert_null(found.violations);
    assert_int_equal(found.events, 11);
    assert_int_equal(found.deliveries, 9);
    assert_int_equal(found.attempts, 4);
}

static void an_empty_store_is_clean(void **state) {
    struct fixture *f = *state;
    struct verification found = verify(f, true);
    assert_int_equal(found.violation_count, 0);
    assert_int_equal(found.events, 0);
}

#define EVENT(key)    "(SELECT id FROM marketing_events WHERE idempotency_key = '" key "')"
#define DELIVERY(key) "(SELECT seq FROM deliveries WHERE event_id = " EVENT(key) " ORDER BY seq LIMIT 1)"

static const struct damage {
    const char *sql, *rule, *says;
    bool deep;
} damages[] = {
    {"UPDATE marketing_events SET status = 'PENDING', run = -1 WHERE idempotency_key = 'flying'", "I4 events",
     "is PENDING, but deliveries are planned for it", false},
    {"UPDATE marketing_events SET status = 'PROCESSING' WHERE idempotency_key = 'done'", "I4 events",
     "is PROCESSING, but nothing of it is open", false},
    {"UPDATE marketing_events SET status = 'COMPLETED' WHERE idempotency_key = 'flying'", "I4 events",
     "is COMPLETED, but a delivery is open", false},
    {"UPDATE marketing_events SET status = 'COMPLETED' WHERE idempotency_key = 'failed'", "I4 events",
     "is COMPLETED, but a delivery FAILED", false},
    {"UPDATE marketing_events SET status = 'FAILED' WHERE idempotency_key = 'done'", "I4 events",
     "is FAILED, but no delivery FAILED", false},
    {"DELETE FROM marketing_events WHERE idempotency_key = 'done'", "I5 fan-out", "has no event", false},
    {"DELETE FROM deliveries WHERE event_id = " EVENT("flying"), "I4 events", "nothing of it is open", false},
    {"UPDATE deliveries SET run = 9 WHERE seq = " DELIVERY("done"), "I5 fan-out", "a run its event never had", false},
    {"UPDATE deliveries SET lease_until = 0 WHERE seq = " DELIVERY("flying"), "I6 deliveries", "without a lease",
     false},
    {"UPDATE deliveries SET lease_until = 7 WHERE seq = " DELIVERY("done"), "I6 deliveries", "still holds a lease",
     false},
    {"UPDATE deliveries SET blocked = 1 WHERE seq = " DELIVERY("done"), "I6 deliveries", "still waits for its order",
     false},
    {"UPDATE deliveries SET blocked = 1 WHERE seq = " DELIVERY("flying"), "I6 deliveries", "an order it has none of",
     false},
    {"UPDATE deliveries SET blocked = 1 WHERE seq = " DELIVERY("o1"), "I14 order", "nothing is before it", false},
    {"UPDATE deliveries SET blocked = 0 WHERE seq = " DELIVERY("o3"), "I14 order", "may overtake", false},
    {"UPDATE deliveries SET attempts = 2 WHERE seq = " DELIVERY("done"), "I8 no false success",
     "counts 2 attempts, but has 1", false},
    {"DELETE FROM attempts WHERE delivery_seq = " DELIVERY("done"), "I8 no false success",
     "counts 1 attempts, but has 0", false},
    {"UPDATE attempts SET number = 2 WHERE delivery_seq = " DELIVERY("done"), "I8 no false success",
     "counts 1 attempts, but has 1", false},
    {"UPDATE attempts SET outcome = 'failed' WHERE delivery_seq = " DELIVERY("done"), "I8 no false success",
     "is COMPLETED, but no attempt was done", false},
    {"DELETE FROM audit", "I8 no false success", "is COMPLETED, but no attempt was done", false},
    {"INSERT INTO attempts SELECT 999, number, started, finished, outcome, http_status, error, answer FROM attempts"
     " LIMIT 1",
     "I9 attempts", "is not there: seq 999", false},
    {"UPDATE marketing_events SET payload = '{\"of\": \"other\"}' WHERE idempotency_key = 'done'", "I1 payload",
     "another payload than its fingerprint", true},
    {"UPDATE marketing_events SET payload = '{' WHERE idempotency_key = 'done'", "I1 payload", "that is no JSON", true},
    {"UPDATE marketing_events SET fingerprint = replace(fingerprint, substr(fingerprint, 1, 1), 'x')"
     " WHERE idempotency_key = 'done'",
     "I1 payload", "another payload than its fingerprint", true},
    {"UPDATE deliveries SET id = zeroblob(16) WHERE seq = " DELIVERY("done"), "I7 one effect", "another id than", true},
    {"UPDATE deliveries SET step = 'x' WHERE seq = " DELIVERY("done"), "I7 one effect", "another id than", true},
};

/* Where PostgreSQL says it otherwise. */
static const char *const dialects[][2] = {
    {"SET payload =", "SET received ="},
    {"zeroblob(16)", "'00000000-0000-0000-0000-000000000000'"},
};

static const char *in_dialect(struct fixture *f, const char *sql) {
    for (size_t i = 0; fixture_on_postgres(f) && i < sizeof dialects / sizeof *dialects; i++) {
        const char *found = strstr(sql, dialects[i][0]);
        if (!found) continue;
        sql = str_fmt(&f->arena, "%.*s%s%s", (int)(found - sql), sql, dialects[i][1], found + strlen(dialects[i][0])).p;
    }
    return sql;
}

static void each_damage_is_found_once(void **state) {
    struct fixture *f = *state;
    fill(f);
    for (size_t i = 0; i < sizeof damages / sizeof *damages; i++) {
        const struct damage *damage = &damages[i];
        struct verification found;
        fixture_begin(f);
        fixture_allow_damage(f);
        fixture_sql(f, in_dialect(f, damage->sql));
        OK(store_verify(f->store, true, f->hasher, &f->arena, &found));
        if (found.violation_count != 1) fail_msg("%zu found after %s", found.violation_count, damage->sql);
        if (!strstr(str_dup(&f->arena, found.violations->text).p, damage->says) ||
            !str_eq(found.violations->rule, str_from(damage->rule)))
            fail_msg("%.*s: %.*s, not %s: %s", STR_ARG(found.violations->rule), STR_ARG(found.violations->text),
                     damage->rule, damage->says);
        OK(store_verify(f->store, false, f->hasher, &f->arena, &found));
        assert_int_equal(found.violation_count, damage->deep ? 0 : 1);
        store_rollback(f->store);
    }
    assert_int_equal(verify(f, true).violation_count, 0);
}

static void a_violation_names_its_row(void **state) {
    struct fixture *f = *state;
    fill(f);
    fixture_allow_damage(f);
    fixture_sql(f, "UPDATE deliveries SET lease_until = 0 WHERE seq = " DELIVERY("flying"));
    struct delivery_query query = {.status = DELIVERY_PROCESSING, .limit = 2};
    struct delivery *flying;
    size_t count;
    OK(store_delivery_list(f->store, &query, &f->arena, &flying, &count));
    assert_int_equal(count, 1);
    struct str expected =
        str_fmt(&f->arena, "delivery %.*s is PROCESSING without a lease", STR_ARG(uuid_str(&f->arena, flying[0].id)));
    assert_text(verify(f, false).violations->text, expected.p);
}

static void a_hundred_violations_are_kept_and_all_counted(void **state) {
    struct fixture *f = *state;
    fixture_begin(f);
    for (int i = 0; i < 150; i++) fixture_deliver(f, str_fmt(&f->arena, "k%d", i).p, "crm", DELIVERY_PENDING);
    fixture_allow_damage(f);
    fixture_sql(f, "UPDATE deliveries SET lease_until = 1");
    fixture_commit(f);
    struct verification found = verify(f, false);
    size_t kept = 0;
    for (const struct violation *violation = found.violations; violation; violation = violation->next) kept++;
    assert_int_equal(found.violation_count, 150);
    assert_int_equal(kept, 100);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        ON_EVERY_DRIVER(a_store_that_only_verbs_touched_is_clean),
        ON_EVERY_DRIVER(an_empty_store_is_clean),
        ON_EVERY_DRIVER(each_damage_is_found_once),
        ON_EVERY_DRIVER(a_violation_names_its_row),
        ON_EVERY_DRIVER(a_hundred_violations_are_kept_and_all_counted),
    };
    return RUN_ON_EVERY_DRIVER(tests);
}
