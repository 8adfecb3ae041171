#include "work.h"

static enum err act(struct fixture *f, struct uuid id, enum delivery_act what, struct delivery *ret_after) {
    return store_delivery_act(f->store, id, what, STR("ada"), STR("a reason"), T0 + 50, f->hasher, &f->arena,
                              ret_after);
}

/* A delivery that came to stand so, its lease gone. */
static struct delivery make(struct fixture *f, const char *key, enum delivery_status status) {
    struct delivery delivery = fixture_deliver(f, key, "crm", DELIVERY_PROCESSING);
    struct settlement settlement = fixture_outcome(&delivery, status, "unknown");
    settlement.retry_count = 3;
    settlement.last_error = STR("timed out");
    if (status != DELIVERY_PROCESSING) assert_true(fixture_settle(f, &settlement));
    return delivery;
}

/* From PENDING, PROCESSING, COMPLETED, FAILED, UNKNOWN, HELD, SKIPPED by a person. X: refused. */
#define X DELIVERY_STATUS_COUNT
static const enum delivery_status becomes[][DELIVERY_STATUS_COUNT] = {
    [ACT_RETRY] = {DELIVERY_PENDING, X, X, DELIVERY_HELD, DELIVERY_PENDING, DELIVERY_PENDING, DELIVERY_HELD},
    [ACT_RETRY_AS_SENT] = {DELIVERY_PENDING, X, X, DELIVERY_PENDING, DELIVERY_PENDING, DELIVERY_PENDING,
                           DELIVERY_PENDING},
    [ACT_CANCEL] = {DELIVERY_SKIPPED, X, X, DELIVERY_SKIPPED, DELIVERY_SKIPPED, DELIVERY_SKIPPED, X},
    [ACT_RESOLVE_DELIVERED] = {X, X, X, X, DELIVERY_COMPLETED, DELIVERY_COMPLETED, X},
    [ACT_RESOLVE_NOT_DELIVERED] = {X, X, X, X, DELIVERY_FAILED, DELIVERY_FAILED, X},
    [ACT_RESOLVE_RETRY] = {X, X, X, X, DELIVERY_PENDING, DELIVERY_PENDING, X},
};

static void an_act_does_what_the_status_allows(void **state) {
    struct fixture *f = *state;
    for (int what = ACT_RETRY; what <= ACT_RESOLVE_RETRY; what++)
        for (int from = 0; from < DELIVERY_STATUS_COUNT; from++) {
            struct delivery after = {.status = X};
            char key[32];
            snprintf(key, sizeof key, "%d from %d", what, from);
            fixture_begin(f);
            struct delivery delivery =
                make(f, key, from == DELIVERY_SKIPPED ? DELIVERY_HELD : (enum delivery_status)from);
            if (from == DELIVERY_SKIPPED) OK(act(f, delivery.id, ACT_CANCEL, &after));
            int64_t audited = fixture_number(f, "SELECT count(*) FROM audit");
            enum err err = act(f, delivery.id, (enum delivery_act)what, &after);
            assert_int_equal(err, becomes[what][from] == X ? ERR_NOT_NOW : ERR_NONE);
            assert_int_equal(fixture_number(f, "SELECT count(*) FROM audit"), audited + (err == ERR_NONE));
            if (!err) assert_int_equal(after.status, becomes[what][from]);
            if (err) assert_int_equal(fixture_get(f, delivery.id).status, from);
            fixture_commit(f);
        }
}
#undef X

static void an_act_on_nothing_is_not_found(void **state) {
    struct fixture *f = *state;
    struct delivery after;
    size_t cancelled;
    fixture_begin(f);
    assert_int_equal(act(f, (struct uuid){{1}}, ACT_RETRY, &after), ERR_NOT_FOUND);
    assert_int_equal(store_event_cancel(f->store, (struct uuid){{1}}, STR("ada"), T0, &f->arena, &cancelled),
                     ERR_NOT_FOUND);
    fixture_commit(f);
}

static void a_retry_is_a_fresh_start(void **state) {
    struct fixture *f = *state;
    struct delivery after;
    size_t count;
    fixture_begin(f);
    struct delivery held = make(f, "a", DELIVERY_HELD);
    fixture_sql_of(f, "UPDATE deliveries SET late = 5, batch = x'07'",
                   "UPDATE deliveries SET late = 5, batch = '07000000-0000-0000-0000-000000000000'");
    OK(act(f, held.id, ACT_RETRY, &after));
    assert_true(uuid_eq(after.id, held.id));
    assert_int_equal(after.due_us, T0 + 50);
    assert_int_equal(after.first_due_us, T0 + 50);
    assert_int_equal(after.retry_count, 0);
    assert_int_equal(after.late_us, 0);
    assert_true(uuid_is_zero(after.batch));
    assert_int_equal(after.first_sent_us, T0);
    fixture_claim(f, "crm", 1, T0 + 50, &count);
    assert_int_equal(count, 1);
    fixture_commit(f);
}

static void a_failed_one_is_retried_in_a_new_run(void **state) {
    struct fixture *f = *state;
    struct delivery after, other;
    fixture_begin(f);
    struct event *event = arena_new(&f->arena, struct event);
    *event = fixture_append(f, "a", T0);
    struct delivery pair[2] = {fixture_delivery(f, event, "crm", DELIVERY_PROCESSING),
                               fixture_delivery(f, event, "mail", DELIVERY_PROCESSING)};
    bool blocked[2];
    pair[0].params = STR("{\"a\":1}");
    pair[0].action = STR("contact");
    OK(store_plan(f->store, pair, 2, &f->arena, blocked));
    fixture_routed(f, event, EVENT_PROCESSING, "");
    fixture_end(f, &pair[0], DELIVERY_FAILED, "failed");
    fixture_end(f, &pair[1], DELIVERY_FAILED, "failed");
    assert_int_equal(fixture_get_event(f, event->id).status, EVENT_FAILED);

    OK(act(f, pair[0].id, ACT_RETRY_AS_SENT, &after));
    assert_false(uuid_eq(after.id, pair[0].id));
    struct uuid key = delivery_derive_key(f->hasher, event->key, STR("crm"), STR("lead"), 1);
    assert_true(uuid_eq(after.key, key));
    assert_true(uuid_eq(after.id, uuid_dated(key, event->created_us)));
    assert_int_equal(after.run, 1);
    assert_int_equal(after.attempts, 0);
    assert_text(after.params, "{\"a\":1}");
    assert_text(after.action, "contact");
    assert_int_equal(fixture_get(f, pair[0].id).status, DELIVERY_FAILED);
    assert_int_equal(fixture_get_event(f, event->id).status, EVENT_PROCESSING);
    assert_int_equal(act(f, pair[0].id, ACT_RETRY, &other), ERR_NOT_NOW);

    /* The other one that failed still speaks for the event, until it is retried too. */
    size_t count;
    fixture_end(f, fixture_claim(f, "crm", 1, T0 + 50, &count), DELIVERY_COMPLETED, "done");
    assert_int_equal(fixture_get_event(f, event->id).status, EVENT_FAILED);
    OK(act(f, pair[1].id, ACT_RETRY_AS_SENT, &other));
    assert_int_equal(other.run, 2);
    fixture_end(f, fixture_claim(f, "mail", 1, T0 + 50, &count), DELIVERY_COMPLETED, "done");
    assert_int_equal(fixture_get_event(f, event->id).status, EVENT_COMPLETED);
    assert_int_equal(fixture_get_event(f, event->id).last_error.n, 0);
    assert_int_equal(fixture_get_event(f, event->id).run, 3);
    fixture_commit(f);
}

static int64_t counted_failed(struct fixture *f) {
    struct destination_counts *counts;
    size_t count;
    int64_t failed = 0;
    OK(store_counts(f->store, false, &f->arena, &counts, &count));
    for (size_t i = 0; i < count; i++) failed += counts[i].by_status[DELIVERY_FAILED];
    return failed;
}

static void a_failed_one_is_counted_until_a_later_run_takes_its_place(void **state) {
    struct fixture *f = *state;
    struct delivery after, failed, other;
    size_t count;
    fixture_begin(f);
    failed = make(f, "a", DELIVERY_FAILED);
    other = make(f, "b", DELIVERY_FAILED);
    assert_int_equal(counted_failed(f), 2);
    OK(act(f, failed.id, ACT_RETRY_AS_SENT, &after));
    assert_int_equal(counted_failed(f), 1);
    fixture_end(f, fixture_claim(f, "crm", 1, T0 + 50, &count), DELIVERY_COMPLETED, "done");
    assert_int_equal(counted_failed(f), 1);
    struct delivery both[2] = {fixture_get(f, failed.id), fixture_get(f, other.id)};
    OK(store_superseded(f->store, both, 2, &f->arena));
    assert_true(uuid_eq(both[0].superseded_by, after.id));
    assert_int_equal(both[0].superseded_run, 1);
    assert_true(uuid_is_zero(both[1].superseded_by));
    fixture_commit(f);
}

static void one_without_a_key_is_replaced_by_what_gets_one(void **state) {
    struct fixture *f = *state;
    struct delivery after;
    size_t count, made = 1;
    fixture_begin(f);
    struct event *event = arena_new(&f->arena, struct event);
    *event = fixture_append(f, "a", T0);
    struct delivery unmade = fixture_delivery(f, event, "crm", DELIVERY_FAILED), *page;
    unmade.unmade = true;
    fixture_plan_one(f, &unmade);
    fixture_routed(f, event, EVENT_FAILED, "route lead: no key");
    OK(act(f, unmade.id, ACT_RETRY, &after));
    OK(store_unmade(f->store, 0, 9, &f->arena, &page, &made));
    assert_int_equal(made, 1);
    page[0].step = STR("lead:ada");
    page[0].place = STR("lead");
    page[0].status = DELIVERY_PENDING;
    page[0].unmade = false;
    page[0].params = STR("{}");
    OK(store_make(f->store, page, 1, T0 + 50, &f->arena));
    fixture_end(f, fixture_claim(f, "crm", 1, T0 + 50, &count), DELIVERY_COMPLETED, "done");
    assert_int_equal(fixture_get_event(f, event->id).status, EVENT_COMPLETED);
    assert_int_equal(counted_failed(f), 0);
    fixture_commit(f);
}

/* Two of one route that were never made: the run that gets a key stands for the one whose place it had. */
static void a_run_with_a_key_replaces_the_one_of_its_place_alone(void **state) {
    struct fixture *f = *state;
    struct delivery both[2], after, *page;
    size_t count;
    fixture_begin(f);
    struct event *event = arena_new(&f->arena, struct event);
    *event = fixture_append(f, "a", T0);
    for (size_t i = 0; i < 2; i++) {
        both[i] = fixture_delivery(f, event, "crm", DELIVERY_FAILED);
        both[i].unmade = true;
        if (i) both[i].step = STR("lead.2");
        delivery_identify(f->hasher, event, &both[i]);
        fixture_plan_one(f, &both[i]);
    }
    fixture_routed(f, event, EVENT_FAILED, "route lead: no content");
    OK(act(f, both[1].id, ACT_RETRY, &after));
    OK(store_unmade(f->store, 0, 9, &f->arena, &page, &count));
    assert_int_equal(count, 1);
    page[0].step = STR("lead:tips");
    page[0].place = STR("lead.2");
    page[0].status = DELIVERY_PENDING;
    page[0].unmade = false;
    page[0].params = STR("{}");
    OK(store_make(f->store, page, 1, T0 + 50, &f->arena));
    assert_text(fixture_get(f, after.id).place, "lead.2");
    assert_int_equal(counted_failed(f), 1);
    enum run_before before;
    struct delivery asked = page[0];
    asked.run = 2;
    OK(store_run_before(f->store, &asked, 1, &f->arena, &before));
    assert_int_equal(before, BEFORE_OPEN);
    fixture_end(f, fixture_claim(f, "crm", 1, T0 + 50, &count), DELIVERY_COMPLETED, "done");
    assert_int_equal(fixture_get_event(f, event->id).status, EVENT_FAILED);
    fixture_commit(f);
}

/* ---- a new run of an event ---- */

static enum err retry_event(struct fixture *f, const struct event *event, bool all, size_t *ret_made) {
    struct delivery *owed = arena_array(&f->arena, struct delivery, 3);
    static const char *const names[] = {"crm", "mail", "sms"};
    for (size_t i = 0; i < 3; i++) {
        owed[i] = fixture_delivery(f, event, names[i], DELIVERY_HELD);
        owed[i].unmade = true;
    }
    const struct event_retry retry = {event->id, all, false, owed, 3, STR("ada"), T0 + 50, T0 + 50};
    return store_event_retry(f->store, &retry, f->hasher, &f->arena, ret_made);
}

static void an_event_is_retried_without_what_is_done_or_cancelled(void **state) {
    struct fixture *f = *state;
    struct delivery after, *page;
    struct event *due;
    size_t made = 0, count;
    fixture_begin(f);
    struct event *event = arena_new(&f->arena, struct event);
    *event = fixture_append(f, "a", T0);
    struct delivery three[3] = {fixture_delivery(f, event, "crm", DELIVERY_PROCESSING),
                                fixture_delivery(f, event, "mail", DELIVERY_PROCESSING),
                                fixture_delivery(f, event, "sms", DELIVERY_PENDING)};
    bool blocked[3];
    OK(store_plan(f->store, three, 3, &f->arena, blocked));
    fixture_routed(f, event, EVENT_PROCESSING, "");
    fixture_end(f, &three[0], DELIVERY_COMPLETED, "done");
    fixture_end(f, &three[1], DELIVERY_FAILED, "failed");
    assert_int_equal(retry_event(f, event, false, &made), ERR_NOT_NOW);
    OK(act(f, three[2].id, ACT_CANCEL, &after));

    OK(retry_event(f, event, false, &made));
    assert_int_equal(made, 1);
    assert_int_equal(fixture_get_event(f, event->id).status, EVENT_PROCESSING);
    OK(store_unmade(f->store, 0, 9, &f->arena, &page, &count));
    assert_int_equal(count, 1);
    assert_text(page[0].destination, "mail");
    assert_int_equal(page[0].run, 1);
    assert_true(uuid_eq(page[0].key, delivery_derive_key(f->hasher, event->key, STR("mail"), STR("lead"), 1)));
    page[0].status = DELIVERY_PENDING;
    page[0].unmade = false;
    OK(store_make(f->store, page, 1, T0 + 50, &f->arena));
    fixture_end(f, fixture_claim(f, "mail", 1, T0 + 50, &count), DELIVERY_COMPLETED, "done");
    assert_int_equal(fixture_get_event(f, event->id).status, EVENT_COMPLETED);
    assert_int_equal(counted_failed(f), 0);

    enum run_before before[2];
    struct delivery asked[2] = {page[0], page[0]};
    asked[0].run = asked[1].run = 2;
    asked[1].step = STR("other");
    OK(store_run_before(f->store, asked, 2, &f->arena, before));
    assert_int_equal(before[0], BEFORE_DONE);
    assert_int_equal(before[1], BEFORE_FAILED);

    assert_int_equal(retry_event(f, event, false, &made), ERR_LIMIT);
    OK(retry_event(f, event, true, &made));
    OK(store_due_events(f->store, T0 + 60, ROOM, &f->arena, &due, &count));
    assert_int_equal(count, 1);
    assert_int_equal(due[0].run, 2);
    assert_int_equal(fixture_number(f, "SELECT count(*) FROM audit WHERE act = 'retry'"), 2);
    fixture_commit(f);
}

static void an_unmade_one_that_is_held_stays_for_its_route(void **state) {
    struct fixture *f = *state;
    struct delivery after, again;
    fixture_begin(f);
    struct delivery failed = make(f, "a", DELIVERY_FAILED);
    OK(act(f, failed.id, ACT_RETRY, &after));
    assert_true(after.unmade);
    OK(act(f, after.id, ACT_RETRY, &again));
    assert_int_equal(again.status, DELIVERY_HELD);
    assert_true(again.unmade);
    fixture_commit(f);
}

static void a_failed_one_waits_for_a_replay_of_its_event(void **state) {
    struct fixture *f = *state;
    struct delivery after;
    fixture_begin(f);
    struct delivery failed = make(f, "a", DELIVERY_FAILED);
    fixture_sql(f, "UPDATE marketing_events SET status = 'PENDING'");
    assert_int_equal(act(f, failed.id, ACT_RETRY, &after), ERR_NOT_NOW);
    fixture_commit(f);
}

static void an_act_lets_the_next_of_the_order_go(void **state) {
    struct fixture *f = *state;
    struct delivery after, all[3];
    size_t count;
    fixture_begin(f);
    for (int i = 0; i < 3; i++) {
        struct event *event = arena_new(&f->arena, struct event);
        *event = fixture_append(f, str_fmt(&f->arena, "k%d", i).p, T0);
        all[i] = fixture_delivery(f, event, "crm", i ? DELIVERY_PENDING : DELIVERY_HELD);
        all[i].order_key = STR("ada");
        fixture_plan_one(f, &all[i]);
        fixture_routed(f, event, EVENT_PROCESSING, "");
    }
    fixture_claim(f, "crm", 9, T0, &count);
    assert_int_equal(count, 0);
    OK(act(f, all[1].id, ACT_CANCEL, &after));
    fixture_claim(f, "crm", 9, T0, &count);
    assert_int_equal(count, 0);
    OK(act(f, all[0].id, ACT_RESOLVE_NOT_DELIVERED, &after));
    assert_text(after.last_error, "resolved as not delivered by ada: a reason");
    struct delivery *claimed = fixture_claim(f, "crm", 9, T0, &count);
    assert_int_equal(count, 1);
    assert_true(uuid_eq(claimed[0].id, all[2].id));
    fixture_commit(f);
}

static void an_act_ends_its_event(void **state) {
    struct fixture *f = *state;
    struct delivery after;
    fixture_begin(f);
    struct delivery skipped = make(f, "a", DELIVERY_HELD), done = make(f, "b", DELIVERY_UNKNOWN);
    OK(act(f, skipped.id, ACT_CANCEL, &after));
    assert_text(after.last_error, "cancelled by ada: a reason");
    OK(act(f, done.id, ACT_RESOLVE_DELIVERED, &after));
    assert_int_equal(after.last_error.n, 0);
    assert_int_equal(fixture_get_event(f, skipped.event_id).status, EVENT_COMPLETED);
    assert_int_equal(fixture_get_event(f, done.event_id).status, EVENT_COMPLETED);
    fixture_commit(f);
}

/* ---- cancelling an event ---- */

static void an_event_not_yet_due_is_cancelled(void **state) {
    struct fixture *f = *state;
    size_t cancelled, count;
    struct event *due;
    fixture_begin(f);
    struct event event = fixture_append(f, "a", T0 + 100);
    OK(store_event_cancel(f->store, event.id, STR("ada"), T0, &f->arena, &cancelled));
    assert_int_equal(cancelled, 1);
    assert_int_equal(store_event_cancel(f->store, event.id, STR("ada"), T0, &f->arena, &cancelled), ERR_NOT_NOW);
    OK(store_due_events(f->store, T0 + 100, ROOM, &f->arena, &due, &count));
    assert_int_equal(count, 0);
    assert_int_equal(fixture_get_event(f, event.id).status, EVENT_COMPLETED);
    assert_text(fixture_get_event(f, event.id).last_error, "cancelled by ada");
    fixture_commit(f);
}

static void what_is_on_its_way_is_not_cancelled(void **state) {
    struct fixture *f = *state;
    struct delivery three[3];
    bool blocked[3];
    size_t cancelled;
    fixture_begin(f);
    struct event *event = arena_new(&f->arena, struct event);
    *event = fixture_append(f, "a", T0);
    three[0] = fixture_delivery(f, event, "crm", DELIVERY_PROCESSING);
    three[1] = fixture_delivery(f, event, "mail", DELIVERY_PENDING);
    three[2] = fixture_delivery(f, event, "chat", DELIVERY_HELD);
    OK(store_plan(f->store, three, 3, &f->arena, blocked));
    fixture_routed(f, event, EVENT_PROCESSING, "");
    OK(store_event_cancel(f->store, event->id, STR("ada"), T0, &f->arena, &cancelled));
    assert_int_equal(cancelled, 2);
    assert_int_equal(fixture_get(f, three[0].id).status, DELIVERY_PROCESSING);
    assert_int_equal(fixture_get(f, three[1].id).status, DELIVERY_SKIPPED);
    assert_int_equal(fixture_get(f, three[2].id).status, DELIVERY_SKIPPED);
    assert_int_equal(fixture_get_event(f, event->id).status, EVENT_PROCESSING);
    assert_int_equal(store_event_cancel(f->store, event->id, STR("ada"), T0, &f->arena, &cancelled), ERR_NOT_NOW);
    fixture_end(f, &three[0], DELIVERY_COMPLETED, "done");
    assert_int_equal(fixture_get_event(f, event->id).status, EVENT_COMPLETED);
    fixture_commit(f);
}

/* ---- audit and keys ---- */

static void each_act_leaves_one_row(void **state) {
    struct fixture *f = *state;
    struct audit_row *rows;
    struct delivery after;
    size_t count, cancelled;
    fixture_begin(f);
    struct delivery held = make(f, "a", DELIVERY_HELD);
    struct event event = fixture_append(f, "b", T0);
    OK(act(f, held.id, ACT_RESOLVE_DELIVERED, &after));
    OK(store_event_cancel(f->store, event.id, STR("bob"), T0 + 60, &f->arena, &cancelled));
    OK(store_audit(f->store, STR("eve"), STR("pause"), STR("crm"), STR("401"), T0 + 70));
    fixture_commit(f);
    OK(store_audit_list(f->store, 0, 10, &f->arena, &rows, &count));
    assert_int_equal(count, 3);
    assert_text(rows[0].actor, "eve");
    assert_text(rows[0].detail, "401");
    assert_text(rows[1].act, "cancel");
    assert_true(str_eq(rows[1].subject, uuid_str(&f->arena, event.id)));
    assert_text(rows[1].detail, "PENDING, 0 deliveries");
    assert_int_equal(rows[1].at_us, T0 + 60);
    assert_text(rows[2].act, "resolve delivered");
    assert_text(rows[2].detail, "HELD: a reason");
    assert_true(str_eq(rows[2].subject, uuid_str(&f->arena, held.id)));
    OK(store_audit_list(f->store, 0, 1, &f->arena, &rows, &count));
    assert_int_equal(count, 1);
    assert_text(rows[0].actor, "eve");
    OK(store_audit_list(f->store, rows[0].seq, 1, &f->arena, &rows, &count));
    assert_int_equal(count, 1);
    assert_text(rows[0].act, "cancel");
    OK(store_audit_list(f->store, rows[0].seq, 10, &f->arena, &rows, &count));
    assert_int_equal(count, 1);
    assert_text(rows[0].act, "resolve delivered");
    OK(store_audit_list(f->store, rows[0].seq, 10, &f->arena, &rows, &count));
    assert_int_equal(count, 0);
}

/* I24 */
static void an_act_rolled_back_leaves_no_row(void **state) {
    struct fixture *f = *state;
    struct delivery after;
    fixture_begin(f);
    struct delivery held = make(f, "a", DELIVERY_HELD);
    fixture_commit(f);
    fixture_begin(f);
    OK(act(f, held.id, ACT_CANCEL, &after));
    store_rollback(f->store);
    assert_int_equal(fixture_number(f, "SELECT count(*) FROM audit"), 0);
    assert_int_equal(fixture_get(f, held.id).status, DELIVERY_HELD);
}

static void keys_are_added_listed_and_revoked(void **state) {
    struct fixture *f = *state;
    struct api_key *keys;
    size_t count;
    const struct api_key site = {STR("k1"), STR("the site"), KEY_INGEST, STR("hash-1"), T0, 0};
    const struct api_key boss = {STR("k2"), STR("the boss"), KEY_OWNER, STR("hash-2"), T0 + 1, 0};
    fixture_begin(f);
    OK(store_key_add(f->store, &site, STR("ada")));
    OK(store_key_add(f->store, &boss, STR("ada")));
    OK(store_key_revoke(f->store, STR("k1"), STR("bob"), T0 + 9));
    assert_int_equal(store_key_revoke(f->store, STR("k1"), STR("bob"), T0 + 9), ERR_NOT_FOUND);
    assert_int_equal(store_key_revoke(f->store, STR("k9"), STR("bob"), T0 + 9), ERR_NOT_FOUND);
    fixture_commit(f);
    OK(store_key_list(f->store, &f->arena, &keys, &count));
    assert_int_equal(count, 2);
    assert_text(keys[0].id, "k1");
    assert_text(keys[0].name, "the site");
    assert_text(keys[0].hash, "hash-1");
    assert_int_equal(keys[0].role, KEY_INGEST);
    assert_int_equal(keys[0].created_us, T0);
    assert_int_equal(keys[0].revoked_us, T0 + 9);
    assert_int_equal(keys[1].role, KEY_OWNER);
    assert_int_equal(keys[1].revoked_us, 0);
    assert_int_equal(fixture_number(f, "SELECT count(*) FROM audit WHERE subject LIKE 'k_'"), 3);
}

static void roles_have_names(void **state) {
    (void)state;
    enum key_role role = KEY_OWNER;
    for (int i = 0; i < KEY_ROLE_COUNT; i++) {
        assert_true(key_role_parse(str_from(key_role_text((enum key_role)i)), &role));
        assert_int_equal(role, i);
    }
    assert_false(key_role_parse(STR("root"), &role));
    assert_string_equal(key_role_text(KEY_OPERATE), "operate");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        ON_EVERY_DRIVER(an_act_does_what_the_status_allows),
        ON_EVERY_DRIVER(an_act_on_nothing_is_not_found),
        ON_EVERY_DRIVER(a_retry_is_a_fresh_start),
        ON_EVERY_DRIVER(a_failed_one_is_retried_in_a_new_run),
        ON_EVERY_DRIVER(a_failed_one_is_counted_until_a_later_run_takes_its_place),
        ON_EVERY_DRIVER(one_without_a_key_is_replaced_by_what_gets_one),
        ON_EVERY_DRIVER(a_run_with_a_key_replaces_the_one_of_its_place_alone),
        ON_EVERY_DRIVER(an_event_is_retried_without_what_is_done_or_cancelled),
        ON_EVERY_DRIVER(an_unmade_one_that_is_held_stays_for_its_route),
        ON_EVERY_DRIVER(a_failed_one_waits_for_a_replay_of_its_event),
        ON_EVERY_DRIVER(an_act_lets_the_next_of_the_order_go),
        ON_EVERY_DRIVER(an_act_ends_its_event),
        ON_EVERY_DRIVER(an_event_not_yet_due_is_cancelled),
        ON_EVERY_DRIVER(what_is_on_its_way_is_not_cancelled),
        ON_EVERY_DRIVER(each_act_leaves_one_row),
        ON_EVERY_DRIVER(an_act_rolled_back_leaves_no_row),
        ON_EVERY_DRIVER(keys_are_added_listed_and_revoked),
        cmocka_unit_test(roles_have_names),
    };
    return RUN_ON_EVERY_DRIVER(tests);
}
