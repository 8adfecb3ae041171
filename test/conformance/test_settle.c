#include "work.h"

/* A claim brings it back to the rules; the settle that follows has the word. */
static void doubt_is_kept_until_it_is_settled(void **state) {
    struct fixture *f = *state;
    size_t count;
    fixture_begin(f);
    struct delivery delivery = fixture_deliver(f, "a", "crm", DELIVERY_PROCESSING);
    assert_false(fixture_get(f, delivery.id).in_doubt);
    struct settlement unknown = fixture_outcome(&delivery, DELIVERY_PENDING, "unknown");
    unknown.in_doubt = true;
    assert_true(fixture_settle(f, &unknown));
    assert_true(fixture_get(f, delivery.id).in_doubt);
    struct delivery *claimed = fixture_claim(f, "crm", 1, T0 + US_PER_MIN, &count);
    assert_int_equal(count, 1);
    assert_true(claimed[0].in_doubt);
    assert_true(fixture_end(f, &claimed[0], DELIVERY_FAILED, "failed"));
    assert_false(fixture_get(f, delivery.id).in_doubt);
    fixture_commit(f);
}

static void an_outcome_is_kept_with_its_attempt(void **state) {
    struct fixture *f = *state;
    struct attempt *attempts;
    size_t count;
    fixture_begin(f);
    struct delivery delivery = fixture_deliver(f, "a", "crm", DELIVERY_PROCESSING);
    struct settlement retry = fixture_outcome(&delivery, DELIVERY_PENDING, "retry");
    retry.retry_count = 1;
    retry.due_us = T0 + 77;
    retry.last_status = 503;
    retry.last_error = STR("503 Service Unavailable");
    retry.remote_id = STR("r-1");
    retry.attempt.http_status = 503;
    retry.attempt.error = STR("503 Service Unavailable");
    retry.attempt.answer = STR("busy");
    assert_true(fixture_settle(f, &retry));
    struct delivery kept = fixture_get(f, delivery.id);
    assert_int_equal(kept.status, DELIVERY_PENDING);
    assert_int_equal(kept.retry_count, 1);
    assert_int_equal(kept.attempts, 1);
    assert_int_equal(kept.due_us, T0 + 77);
    assert_int_equal(kept.first_sent_us, T0);
    assert_int_equal(kept.last_status, 503);
    assert_text(kept.last_error, "503 Service Unavailable");
    assert_int_equal(kept.lease_until_us, 0);
    assert_int_equal(kept.updated_us, T0 + 2000);
    OK(store_attempts(f->store, delivery.seq, &f->arena, &attempts, &count));
    fixture_commit(f);
    assert_int_equal(count, 1);
    assert_int_equal(attempts[0].number, 1);
    assert_int_equal(attempts[0].started_us, T0);
    assert_int_equal(attempts[0].finished_us, T0 + 1000);
    assert_text(attempts[0].outcome, "retry");
    assert_int_equal(attempts[0].http_status, 503);
    assert_text(attempts[0].error, "503 Service Unavailable");
    assert_text(attempts[0].answer, "busy");
}

static void attempts_are_numbered_on(void **state) {
    struct fixture *f = *state;
    struct attempt *attempts;
    size_t count;
    fixture_begin(f);
    struct delivery delivery = fixture_deliver(f, "a", "crm", DELIVERY_PROCESSING);
    for (int i = 0; i < 3; i++) {
        assert_true(fixture_end(f, &delivery, DELIVERY_PENDING, "retry"));
        delivery = fixture_claim(f, "crm", 1, T0 + US_PER_DAY, &count)[0];
        assert_int_equal(delivery.attempts, i + 1);
    }
    assert_true(fixture_end(f, &delivery, DELIVERY_COMPLETED, "done"));
    OK(store_attempts(f->store, delivery.seq, &f->arena, &attempts, &count));
    fixture_commit(f);
    assert_int_equal(count, 4);
    for (size_t i = 0; i < 4; i++) assert_int_equal(attempts[i].number, i + 1);
    assert_text(attempts[3].outcome, "done");
}

static void a_long_answer_is_cut(void **state) {
    struct fixture *f = *state;
    struct attempt *attempts;
    size_t count;
    fixture_begin(f);
    struct delivery delivery = fixture_deliver(f, "a", "crm", DELIVERY_PROCESSING);
    struct settlement done = fixture_outcome(&delivery, DELIVERY_COMPLETED, "done");
    char *answer = arena_alloc(&f->arena, 5000);
    memset(answer, 'a', 5000);
    done.attempt.answer = (struct str){answer, 5000};
    assert_true(fixture_settle(f, &done));
    OK(store_attempts(f->store, delivery.seq, &f->arena, &attempts, &count));
    fixture_commit(f);
    assert_int_equal(attempts[0].answer.n, DELIVERY_ANSWER_MAX);
}

static void a_lease_handed_back_spends_nothing(void **state) {
    struct fixture *f = *state;
    size_t count;
    fixture_begin(f);
    struct delivery delivery = fixture_deliver(f, "a", "crm", DELIVERY_PROCESSING);
    struct settlement first = fixture_outcome(&delivery, DELIVERY_PENDING, "retry");
    first.last_status = 500;
    first.last_error = STR("500");
    assert_true(fixture_settle(f, &first));
    delivery = fixture_claim(f, "crm", 1, T0 + US_PER_DAY, &count)[0];
    const struct settlement back = {.seq = delivery.seq,
                                    .event_id = delivery.event_id,
                                    .lease_epoch = delivery.lease_epoch,
                                    .destination = delivery.destination,
                                    .status = DELIVERY_PENDING,
                                    .due_us = T0 + 5,
                                    .first_sent_us = T0};
    assert_true(fixture_settle(f, &back));
    fixture_commit(f);
    struct delivery kept = fixture_get(f, delivery.id);
    assert_int_equal(kept.attempts, 1);
    assert_int_equal(kept.last_status, 500);
    assert_text(kept.last_error, "500");
    assert_int_equal(kept.first_sent_us, T0);
    assert_int_equal(kept.due_us, T0 + 5);
    assert_int_equal(fixture_number(f, "SELECT count(*) FROM attempts"), 1);
}

static void an_attempt_without_an_answer_clears_the_last_one(void **state) {
    struct fixture *f = *state;
    size_t count;
    fixture_begin(f);
    struct delivery delivery = fixture_deliver(f, "a", "crm", DELIVERY_PROCESSING);
    struct settlement first = fixture_outcome(&delivery, DELIVERY_PENDING, "retry");
    first.last_error = STR("503");
    first.last_status = 503;
    assert_true(fixture_settle(f, &first));
    delivery = fixture_claim(f, "crm", 1, T0 + US_PER_DAY, &count)[0];
    struct settlement cut = fixture_outcome(&delivery, DELIVERY_UNKNOWN, "unknown");
    cut.last_status = 0;
    assert_true(fixture_settle(f, &cut));
    fixture_commit(f);
    assert_int_equal(fixture_get(f, delivery.id).last_status, 0);
    assert_int_equal(fixture_get(f, delivery.id).last_error.n, 0);
}

/* I17 */
static void a_late_worker_changes_nothing(void **state) {
    struct fixture *f = *state;
    size_t count;
    bool applied[2];
    fixture_begin(f);
    struct delivery slow = fixture_deliver(f, "a", "crm", DELIVERY_PROCESSING);
    assert_true(fixture_end(f, &slow, DELIVERY_PENDING, "unknown"));
    struct delivery fast = fixture_claim(f, "crm", 1, T0 + US_PER_DAY, &count)[0];
    const struct settlement settlements[2] = {fixture_outcome(&slow, DELIVERY_FAILED, "failed"),
                                              fixture_outcome(&fast, DELIVERY_COMPLETED, "done")};
    OK(store_settle(f->store, settlements, 2, T0, &f->arena, applied));
    assert_false(applied[0]);
    assert_true(applied[1]);
    assert_false(fixture_end(f, &fast, DELIVERY_FAILED, "failed"));
    fixture_commit(f);
    assert_int_equal(fixture_get(f, fast.id).status, DELIVERY_COMPLETED);
    assert_int_equal(fixture_get(f, fast.id).attempts, 2);
    assert_int_equal(fixture_number(f, "SELECT count(*) FROM attempts"), 2);
    assert_int_equal(fixture_get_event(f, fast.event_id).status, EVENT_COMPLETED);
}

static void one_settled_twice_in_a_batch_counts_once(void **state) {
    struct fixture *f = *state;
    bool applied[2];
    fixture_begin(f);
    struct delivery delivery = fixture_deliver(f, "a", "crm", DELIVERY_PROCESSING);
    const struct settlement twice[2] = {fixture_outcome(&delivery, DELIVERY_COMPLETED, "done"),
                                        fixture_outcome(&delivery, DELIVERY_FAILED, "failed")};
    OK(store_settle(f->store, twice, 2, T0, &f->arena, applied));
    fixture_commit(f);
    assert_true(applied[0]);
    assert_false(applied[1]);
    assert_int_equal(fixture_get(f, delivery.id).status, DELIVERY_COMPLETED);
}

/* ---- the event follows ---- */

struct three {
    struct event *event;
    struct delivery deliveries[3];
};

static struct three plan_three(struct fixture *f, const char *key) {
    static const char *const destinations[] = {"crm", "mail", "chat"};
    struct three three = {.event = arena_new(&f->arena, struct event)};
    bool blocked[3];
    *three.event = fixture_append(f, key, T0);
    for (size_t i = 0; i < 3; i++)
        three.deliveries[i] = fixture_delivery(f, three.event, destinations[i], DELIVERY_PROCESSING);
    OK(store_plan(f->store, three.deliveries, 3, &f->arena, blocked));
    fixture_routed(f, three.event, EVENT_PROCESSING, "");
    return three;
}

static enum event_status after(struct fixture *f, const struct three *three) {
    return fixture_get_event(f, three->event->id).status;
}

static void an_event_is_over_when_its_last_delivery_is(void **state) {
    struct fixture *f = *state;
    fixture_begin(f);
    struct three three = plan_three(f, "a");
    fixture_end(f, &three.deliveries[0], DELIVERY_COMPLETED, "done");
    assert_int_equal(after(f, &three), EVENT_PROCESSING);
    fixture_end(f, &three.deliveries[1], DELIVERY_PENDING, "retry");
    assert_int_equal(after(f, &three), EVENT_PROCESSING);
    fixture_end(f, &three.deliveries[2], DELIVERY_COMPLETED, "done");
    assert_int_equal(after(f, &three), EVENT_PROCESSING);
    size_t count;
    struct delivery *claimed = fixture_claim(f, "mail", 1, T0 + US_PER_DAY, &count);
    fixture_end(f, &claimed[0], DELIVERY_COMPLETED, "done");
    assert_int_equal(after(f, &three), EVENT_COMPLETED);
    assert_int_equal(fixture_get_event(f, three.event->id).updated_us, T0 + 2000);
    fixture_commit(f);
}

static void an_event_fails_when_all_is_over_and_one_failed(void **state) {
    struct fixture *f = *state;
    fixture_begin(f);
    struct three three = plan_three(f, "a");
    struct settlement failed = fixture_outcome(&three.deliveries[1], DELIVERY_FAILED, "failed");
    failed.last_error = STR("422 no such list");
    failed.retry_count = 4;
    fixture_settle(f, &failed);
    assert_int_equal(after(f, &three), EVENT_PROCESSING);
    fixture_end(f, &three.deliveries[0], DELIVERY_HELD, "unknown");
    assert_int_equal(after(f, &three), EVENT_PROCESSING);
    fixture_end(f, &three.deliveries[2], DELIVERY_COMPLETED, "done");
    assert_int_equal(after(f, &three), EVENT_PROCESSING);
    struct delivery resolved;
    OK(store_delivery_act(f->store, three.deliveries[0].id, ACT_RESOLVE_DELIVERED, STR("ada"), STR_NONE, T0, f->hasher,
                          &f->arena, &resolved));
    fixture_commit(f);
    struct event event = fixture_get_event(f, three.event->id);
    assert_int_equal(event.status, EVENT_FAILED);
    assert_int_equal(event.retry_count, 4);
    assert_text(event.last_error, "422 no such list");
}

static void all_of_an_event_may_end_in_one_batch(void **state) {
    struct fixture *f = *state;
    struct settlement settlements[3];
    bool applied[3];
    fixture_begin(f);
    struct three three = plan_three(f, "a");
    for (size_t i = 0; i < 3; i++)
        settlements[i] = fixture_outcome(&three.deliveries[i], i == 2 ? DELIVERY_FAILED : DELIVERY_COMPLETED, "done");
    OK(store_settle(f->store, settlements, 3, T0, &f->arena, applied));
    fixture_commit(f);
    assert_int_equal(after(f, &three), EVENT_FAILED);
}

/* An event that waits for its next run is not finished by what is left of the one before. */
static void an_event_set_back_to_pending_stays_so(void **state) {
    struct fixture *f = *state;
    fixture_begin(f);
    struct delivery delivery = fixture_deliver(f, "a", "crm", DELIVERY_PROCESSING);
    fixture_sql(f, "UPDATE marketing_events SET status = 'PENDING'");
    assert_true(fixture_end(f, &delivery, DELIVERY_COMPLETED, "done"));
    fixture_commit(f);
    assert_int_equal(fixture_get_event(f, delivery.event_id).status, EVENT_PENDING);
}

/* The row of a deleted event goes, and where it was the last one its number may be another's by now. */
static void what_is_anothers_settles_nothing(void **state) {
    struct fixture *f = *state;
    fixture_begin(f);
    struct delivery delivery = fixture_deliver(f, "a", "crm", DELIVERY_PROCESSING);
    struct settlement stray = fixture_outcome(&delivery, DELIVERY_COMPLETED, "done");
    stray.event_id = (struct uuid){{7}};
    assert_false(fixture_settle(f, &stray));
    assert_int_equal(fixture_get(f, delivery.id).status, DELIVERY_PROCESSING);
    fixture_commit(f);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        ON_EVERY_DRIVER(what_is_anothers_settles_nothing),
        ON_EVERY_DRIVER(doubt_is_kept_until_it_is_settled),
        ON_EVERY_DRIVER(an_outcome_is_kept_with_its_attempt),
        ON_EVERY_DRIVER(attempts_are_numbered_on),
        ON_EVERY_DRIVER(a_long_answer_is_cut),
        ON_EVERY_DRIVER(a_lease_handed_back_spends_nothing),
        ON_EVERY_DRIVER(an_attempt_without_an_answer_clears_the_last_one),
        ON_EVERY_DRIVER(a_late_worker_changes_nothing),
        ON_EVERY_DRIVER(one_settled_twice_in_a_batch_counts_once),
        ON_EVERY_DRIVER(an_event_is_over_when_its_last_delivery_is),
        ON_EVERY_DRIVER(an_event_fails_when_all_is_over_and_one_failed),
        ON_EVERY_DRIVER(all_of_an_event_may_end_in_one_batch),
        ON_EVERY_DRIVER(an_event_set_back_to_pending_stays_so),
    };
    return RUN_ON_EVERY_DRIVER(tests);
}
