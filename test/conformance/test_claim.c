#include "work.h"

#include "store/memory.h"

/* ---- plan ---- */

static void a_plan_is_kept_as_it_was_made(void **state) {
    struct fixture *f = *state;
    fixture_begin(f);
    struct event event = fixture_append(f, "a", T0);
    struct delivery plans[3] = {fixture_delivery(f, &event, "crm", DELIVERY_PENDING),
                                fixture_delivery(f, &event, "mail", DELIVERY_SKIPPED),
                                fixture_delivery(f, &event, "chat", DELIVERY_HELD)};
    bool blocked[3];
    plans[0].action = STR("contact");
    plans[0].params = STR("{\"email\":\"a\"}");
    plans[0].due_us = T0 + 3;
    plans[0].first_due_us = T0 + 2;
    plans[0].late_us = T0 + 9;
    plans[1].last_error = STR("unless: .plan == \"paid\"");
    plans[2].last_error = STR("late");
    OK(store_plan(f->store, plans, 3, &f->arena, blocked));
    fixture_commit(f);
    for (size_t i = 0; i < 3; i++) {
        assert_false(blocked[i]);
        assert_int_equal(plans[i].seq, i + 1);
    }
    struct delivery kept = fixture_get(f, plans[0].id);
    assert_true(uuid_eq(kept.event_id, event.id));
    assert_text(kept.destination, "crm");
    assert_text(kept.action, "contact");
    assert_text(kept.route, "lead");
    assert_text(kept.step, "lead");
    assert_text(kept.params, "{\"email\":\"a\"}");
    assert_int_equal(kept.due_us, T0 + 3);
    assert_int_equal(kept.first_due_us, T0 + 2);
    assert_int_equal(kept.late_us, T0 + 9);
    assert_int_equal(kept.lease_until_us, 0);
    assert_int_equal(kept.order_key.n, 0);
    assert_true(uuid_is_zero(kept.batch));
    assert_text(fixture_get(f, plans[1].id).last_error, "unless: .plan == \"paid\"");
    assert_int_equal(fixture_get(f, plans[1].id).status, DELIVERY_SKIPPED);
    assert_text(fixture_get(f, plans[2].id).last_error, "late");
    assert_int_equal(fixture_get(f, plans[2].id).status, DELIVERY_HELD);
}

static void what_leaves_at_once_is_stored_with_its_lease(void **state) {
    struct fixture *f = *state;
    fixture_begin(f);
    struct delivery delivery = fixture_deliver(f, "a", "crm", DELIVERY_PROCESSING);
    size_t count;
    fixture_claim(f, "crm", 10, T0 + US_PER_DAY, &count);
    fixture_commit(f);
    assert_int_equal(count, 0);
    struct delivery kept = fixture_get(f, delivery.id);
    assert_int_equal(kept.status, DELIVERY_PROCESSING);
    assert_int_equal(kept.lease_epoch, 1);
    assert_int_equal(kept.lease_until_us, T0 + US_PER_MIN);
    assert_int_equal(fixture_number(f, "SELECT count(*) FROM deliveries WHERE lease_owner = 'me'"), 1);
}

static void one_step_of_one_run_is_planned_once(void **state) {
    struct fixture *f = *state;
    bool blocked;
    fixture_begin(f);
    struct delivery delivery = fixture_deliver(f, "a", "crm", DELIVERY_PENDING), again = delivery;
    again.id.b[0] ^= 1;
    assert_int_equal(store_plan(f->store, &again, 1, &f->arena, &blocked),
                     fixture_on_postgres(f) ? ERR_STORE_CLASH : ERR_STORE_REFUSED);
    store_rollback(f->store);
}

/* ---- claim ---- */

static void a_claim_takes_what_is_due_oldest_first(void **state) {
    struct fixture *f = *state;
    static const int64_t dues[] = {T0 + 30, T0 + 10, T0 + 99, T0 + 20, T0 + 10};
    char key[16];
    fixture_begin(f);
    for (size_t i = 0; i < 5; i++) {
        snprintf(key, sizeof key, "k%zu", i);
        struct event *event = arena_new(&f->arena, struct event);
        *event = fixture_append(f, key, T0);
        struct delivery delivery = fixture_delivery(f, event, i == 4 ? "mail" : "crm", DELIVERY_PENDING);
        delivery.due_us = dues[i];
        fixture_plan_one(f, &delivery);
    }
    int64_t next_us;
    size_t count;
    OK(store_next_due(f->store, STR("crm"), &next_us));
    assert_int_equal(next_us, T0 + 10);
    struct delivery *claimed = fixture_claim(f, "crm", 2, T0 + 40, &count);
    assert_int_equal(count, 2);
    assert_text(claimed[0].event->key, "k1");
    assert_text(claimed[1].event->key, "k3");
    claimed = fixture_claim(f, "crm", 9, T0 + 40, &count);
    assert_int_equal(count, 1);
    assert_text(claimed[0].event->key, "k0");
    OK(store_next_due(f->store, STR("crm"), &next_us));
    assert_int_equal(next_us, T0 + 99);
    OK(store_oldest_due(f->store, &next_us));
    assert_int_equal(next_us, T0 + 10);
    fixture_claim(f, "mail", 9, T0 + 40, &count);
    OK(store_next_due(f->store, STR("mail"), &next_us));
    assert_int_equal(next_us, WHEN_NEVER);
    OK(store_oldest_due(f->store, &next_us));
    assert_int_equal(next_us, T0 + 99);
    fixture_commit(f);
}

static void a_claim_brings_lease_epoch_and_event(void **state) {
    struct fixture *f = *state;
    size_t count;
    fixture_begin(f);
    struct delivery delivery = fixture_deliver(f, "a", "crm", DELIVERY_PENDING);
    struct delivery *claimed = fixture_claim(f, "crm", 1, T0 + 5, &count);
    fixture_commit(f);
    assert_int_equal(count, 1);
    struct delivery kept = fixture_get(f, delivery.id);
    assert_int_equal(claimed[0].lease_epoch, 1);
    assert_int_equal(kept.lease_epoch, 1);
    assert_int_equal(claimed[0].status, DELIVERY_PROCESSING);
    assert_int_equal(kept.status, DELIVERY_PROCESSING);
    assert_int_equal(claimed[0].lease_until_us, T0 + 5 + US_PER_MIN);
    assert_int_equal(kept.lease_until_us, T0 + 5 + US_PER_MIN);
    assert_int_equal(kept.updated_us, T0 + 5);
    assert_false(claimed[0].looking_up);
    assert_true(uuid_eq(claimed[0].event->id, delivery.event_id));
    assert_text(claimed[0].event->type, "LEAD_CAPTURE");
    assert_text(claimed[0].event->payload, "{\"of\": \"a\"}");
}

static void an_unknown_one_is_claimed_to_be_looked_up(void **state) {
    struct fixture *f = *state;
    size_t count;
    fixture_begin(f);
    struct delivery delivery = fixture_deliver(f, "a", "crm", DELIVERY_PROCESSING);
    fixture_end(f, &delivery, DELIVERY_UNKNOWN, "unknown");
    struct delivery *claimed = fixture_claim(f, "crm", 1, T0 + US_PER_S, &count);
    assert_int_equal(count, 1);
    assert_true(claimed[0].looking_up);
    assert_int_equal(claimed[0].lease_epoch, 2);
    assert_true(fixture_get(f, delivery.id).looking_up);
    assert_true(fixture_end(f, &claimed[0], DELIVERY_PENDING, "retry"));
    assert_false(fixture_get(f, delivery.id).looking_up);
    claimed = fixture_claim(f, "crm", 1, T0 + US_PER_S, &count);
    assert_false(claimed[0].looking_up);
    fixture_commit(f);
}

/* ---- leases ---- */

static void leases_that_ran_out_are_found_with_their_epoch(void **state) {
    struct fixture *f = *state;
    struct delivery *expired;
    size_t count;
    fixture_begin(f);
    fixture_deliver(f, "a", "crm", DELIVERY_PENDING);
    fixture_deliver(f, "b", "crm", DELIVERY_PENDING);
    fixture_claim(f, "crm", 1, T0, &count);
    fixture_claim(f, "crm", 1, T0 + 10, &count);
    OK(store_expired(f->store, T0 + US_PER_MIN - 1, STR("me"), false, ROOM, &f->arena, &expired, &count));
    assert_int_equal(count, 0);
    OK(store_expired(f->store, T0 + US_PER_MIN, STR("me"), false, ROOM, &f->arena, &expired, &count));
    assert_int_equal(count, 1);
    assert_text(expired[0].event->key, "a");
    assert_int_equal(expired[0].lease_epoch, 1);
    OK(store_expired(f->store, T0 + US_PER_HOUR, STR("me"), false, 1, &f->arena, &expired, &count));
    assert_int_equal(count, 1);
    assert_true(fixture_end(f, &expired[0], DELIVERY_PENDING, "unknown"));
    OK(store_expired(f->store, T0 + US_PER_HOUR, STR("me"), false, ROOM, &f->arena, &expired, &count));
    assert_int_equal(count, 1);
    fixture_commit(f);
}

static void what_another_owner_left_is_found_at_once(void **state) {
    struct fixture *f = *state;
    struct delivery *left;
    size_t count;
    fixture_begin(f);
    fixture_deliver(f, "claimed", "crm", DELIVERY_PENDING);
    fixture_claim(f, "crm", 1, T0, &count);
    fixture_deliver(f, "planned", "crm", DELIVERY_PROCESSING);
    OK(store_expired(f->store, T0, STR("me"), true, ROOM, &f->arena, &left, &count));
    assert_int_equal(count, 0);
    OK(store_expired(f->store, T0, STR("the next process"), true, ROOM, &f->arena, &left, &count));
    assert_int_equal(count, 2);
    fixture_commit(f);
}

/* ---- order ---- */

static struct delivery ordered(struct fixture *f, const char *key, const char *order_key, enum delivery_status status,
                               bool *ret_blocked) {
    struct event *event = arena_new(&f->arena, struct event);
    *event = fixture_append(f, key, T0);
    struct delivery delivery = fixture_delivery(f, event, "crm", status);
    delivery.order_key = str_from(order_key);
    *ret_blocked = fixture_plan_one(f, &delivery);
    fixture_routed(f, event, EVENT_PROCESSING, "");
    return delivery;
}

static void one_behind_an_open_one_of_its_order_waits(void **state) {
    struct fixture *f = *state;
    bool blocked;
    size_t count;
    fixture_begin(f);
    ordered(f, "a1", "ada", DELIVERY_PENDING, &blocked);
    assert_false(blocked);
    struct delivery second = ordered(f, "a2", "ada", DELIVERY_PROCESSING, &blocked);
    assert_true(blocked);
    assert_int_equal(second.status, DELIVERY_PENDING);
    assert_int_equal(fixture_get(f, second.id).status, DELIVERY_PENDING);
    assert_int_equal(fixture_get(f, second.id).lease_until_us, 0);
    ordered(f, "b1", "bob", DELIVERY_PENDING, &blocked);
    assert_false(blocked);
    struct delivery *claimed = fixture_claim(f, "crm", 9, T0, &count);
    fixture_commit(f);
    assert_int_equal(count, 2);
    assert_text(claimed[0].event->key, "a1");
    assert_text(claimed[1].event->key, "b1");
}

static void order_holds_within_one_batch_and_per_destination(void **state) {
    struct fixture *f = *state;
    struct delivery plans[4];
    bool blocked[4];
    static const char *const destinations[] = {"crm", "crm", "mail", "crm"};
    fixture_begin(f);
    for (size_t i = 0; i < 4; i++) {
        char key[16];
        snprintf(key, sizeof key, "k%zu", i);
        struct event *event = arena_new(&f->arena, struct event);
        *event = fixture_append(f, key, T0);
        plans[i] = fixture_delivery(f, event, destinations[i], DELIVERY_PROCESSING);
        plans[i].order_key = i < 3 ? STR("ada") : STR_NONE;
    }
    OK(store_plan(f->store, plans, 4, &f->arena, blocked));
    fixture_commit(f);
    assert_false(blocked[0]);
    assert_true(blocked[1]);
    assert_false(blocked[2]);
    assert_false(blocked[3]);
    assert_int_equal(plans[1].status, DELIVERY_PENDING);
    assert_int_equal(plans[3].status, DELIVERY_PROCESSING);
}

/* Which of the three of one order a claim gives after the first became so. */
static const char *next_after(struct fixture *f, enum delivery_status status) {
    bool blocked;
    size_t count;
    char key[32];
    fixture_begin(f);
    snprintf(key, sizeof key, "%s 1", delivery_status_text(status));
    struct delivery first = ordered(f, key, delivery_status_text(status), DELIVERY_PROCESSING, &blocked);
    for (int i = 2; i <= 3; i++) {
        snprintf(key, sizeof key, "%s %d", delivery_status_text(status), i);
        ordered(f, key, delivery_status_text(status), DELIVERY_PENDING, &blocked);
        assert_true(blocked);
    }
    assert_true(fixture_end(f, &first, status, "failed"));
    struct delivery *claimed = fixture_claim(f, "crm", 9, T0, &count);
    fixture_commit(f);
    assert_true(count <= 1);
    return count ? claimed[0].event->key.p + claimed[0].event->key.n - 1 : "";
}

static void final_ones_let_the_next_go_and_doubtful_ones_do_not(void **state) {
    struct fixture *f = *state;
    assert_int_equal(next_after(f, DELIVERY_COMPLETED)[0], '2');
    assert_int_equal(next_after(f, DELIVERY_FAILED)[0], '2');
    assert_int_equal(next_after(f, DELIVERY_HELD)[0], 0);
    assert_int_equal(next_after(f, DELIVERY_UNKNOWN)[0], 0);
    assert_int_equal(next_after(f, DELIVERY_PENDING)[0], 0);
}

static void each_of_an_order_goes_in_turn(void **state) {
    struct fixture *f = *state;
    bool blocked;
    size_t count;
    fixture_begin(f);
    struct delivery all[3];
    for (int i = 0; i < 3; i++) {
        char key[16];
        snprintf(key, sizeof key, "k%d", i);
        all[i] = ordered(f, key, "ada", DELIVERY_PENDING, &blocked);
    }
    for (int i = 0; i < 3; i++) {
        struct delivery *claimed = fixture_claim(f, "crm", 9, T0, &count);
        assert_int_equal(count, 1);
        assert_true(uuid_eq(claimed[0].id, all[i].id));
        assert_true(fixture_end(f, &claimed[0], DELIVERY_COMPLETED, "done"));
    }
    ordered(f, "k3", "ada", DELIVERY_PENDING, &blocked);
    assert_false(blocked);
    fixture_commit(f);
}

/* ---- batches ---- */

/* Begins a transaction in which the first three of so many were claimed and are one call. */
static struct delivery *freeze_three_of(struct fixture *f, int all, struct uuid batch, int64_t ret_seqs[3]) {
    size_t count;
    fixture_begin(f);
    for (int i = 0; i < all; i++) {
        char key[16];
        snprintf(key, sizeof key, "k%d", i);
        fixture_deliver(f, key, "crm", DELIVERY_PENDING);
    }
    struct delivery *claimed = fixture_claim(f, "crm", 3, T0, &count);
    for (size_t i = 0; i < 3; i++) ret_seqs[i] = claimed[i].seq;
    OK(store_freeze_batch(f->store, ret_seqs, 3, batch));
    return claimed;
}

static void a_frozen_set_is_claimed_whole(void **state) {
    struct fixture *f = *state;
    const struct uuid batch = {{7}};
    int64_t seqs[3];
    size_t count;
    struct delivery *claimed = freeze_three_of(f, 5, batch, seqs);
    for (size_t i = 0; i < 3; i++) {
        struct settlement again = fixture_outcome(&claimed[i], DELIVERY_PENDING, "unknown");
        again.batch = batch;
        again.due_us = T0 - 10 + (int64_t)i;
        assert_true(fixture_settle(f, &again));
    }
    claimed = fixture_claim(f, "crm", 1, T0, &count);
    assert_int_equal(count, 3);
    for (size_t i = 0; i < 3; i++) {
        assert_true(uuid_eq(claimed[i].batch, batch));
        assert_int_equal(claimed[i].seq, seqs[i]);
        assert_int_equal(claimed[i].lease_epoch, 2);
    }
    assert_true(fixture_end(f, &claimed[0], DELIVERY_COMPLETED, "done"));
    assert_true(fixture_end(f, &claimed[1], DELIVERY_PENDING, "retry"));
    assert_true(uuid_is_zero(fixture_get(f, claimed[1].id).batch));
    claimed = fixture_claim(f, "crm", 9, T0 + US_PER_HOUR, &count);
    assert_int_equal(count, 3);
    fixture_commit(f);
}

/* A claim that meets the first of two sets takes both, however few it asked for. */
static void each_set_that_is_met_is_claimed_whole(void **state) {
    struct fixture *f = *state;
    const struct uuid batches[] = {{{7}}, {{8}}};
    size_t count;
    fixture_begin(f);
    for (int i = 0; i < 4; i++) fixture_deliver(f, str_fmt(&f->arena, "k%d", i).p, "crm", DELIVERY_PENDING);
    struct delivery *claimed = fixture_claim(f, "crm", 4, T0, &count);
    for (size_t i = 0; i < 4; i++) {
        struct settlement again = fixture_outcome(&claimed[i], DELIVERY_PENDING, "unknown");
        again.batch = batches[i % 2];
        again.due_us = T0 - 10 + (int64_t)i;
        assert_true(fixture_settle(f, &again));
    }
    claimed = fixture_claim(f, "crm", 2, T0, &count);
    assert_int_equal(count, 4);
    for (size_t i = 0; i < 4; i++) assert_int_equal(fixture_get(f, claimed[i].id).status, DELIVERY_PROCESSING);
    fixture_commit(f);
}

/* Who has a part of a set asks whether the rest comes back by itself. */
static void what_is_away_of_a_set_is_counted(void **state) {
    struct fixture *f = *state;
    const struct uuid batch = {{7}};
    int64_t seqs[3];
    size_t away;
    struct delivery *claimed = freeze_three_of(f, 5, batch, seqs);
    OK(store_batch_away(f->store, batch, 3, &away));
    assert_int_equal(away, 0);
    OK(store_batch_away(f->store, batch, 1, &away));
    assert_int_equal(away, 2); /* another process has them */
    for (size_t i = 0; i < 2; i++) {
        struct settlement held = fixture_outcome(&claimed[i], DELIVERY_HELD, "unknown");
        held.batch = batch;
        held.last_error = i ? STR("a person must look") : STR(STRAY_ERROR);
        assert_true(fixture_settle(f, &held));
    }
    OK(store_batch_away(f->store, batch, 1, &away));
    assert_int_equal(away, 1); /* its destination may be there again; the other waits for a person */
    fixture_commit(f);
}

static void a_set_can_be_cut_in_two(void **state) {
    struct fixture *f = *state;
    const struct uuid batch = {{7}}, halves[] = {{{8}}, {{9}}};
    int64_t seqs[3];
    size_t count;
    struct delivery *claimed = freeze_three_of(f, 3, batch, seqs);
    for (size_t i = 0; i < 3; i++) {
        struct settlement again = fixture_outcome(&claimed[i], DELIVERY_PENDING, "refused");
        again.batch = halves[i / 2];
        again.due_us = T0 + (int64_t)(i / 2);
        assert_true(fixture_settle(f, &again));
    }
    claimed = fixture_claim(f, "crm", 1, T0, &count);
    assert_int_equal(count, 2);
    for (size_t i = 0; i < 2; i++) assert_true(uuid_eq(claimed[i].batch, halves[0]));
    claimed = fixture_claim(f, "crm", 9, T0 + 1, &count);
    assert_int_equal(count, 1);
    assert_true(uuid_eq(claimed[0].batch, halves[1]));
    fixture_commit(f);
}

static struct delivery waiting(struct fixture *f, const char *key, const char *action, int64_t first_due_us) {
    struct event *event = arena_new(&f->arena, struct event);
    *event = fixture_append(f, key, T0);
    struct delivery delivery = fixture_delivery(f, event, "crm", DELIVERY_PENDING);
    delivery.action = str_from(action);
    delivery.due_us = T0 + US_PER_MIN;
    delivery.first_due_us = first_due_us;
    fixture_plan_one(f, &delivery);
    return delivery;
}

/* Five wait for others, and two calls of two are full. Beside them stand those that wait for something else. */
static void full_calls_are_due_early(void **state) {
    struct fixture *f = *state;
    struct delivery joining[5], others[3];
    size_t full;
    fixture_begin(f);
    others[0] = waiting(f, "other action", "tag", T0);
    others[1] = waiting(f, "due by itself", "post", T0 + US_PER_MIN);
    others[2] = waiting(f, "tried", "post", T0);
    fixture_sql(f, "UPDATE deliveries SET attempts = 1 WHERE seq = 3");
    for (int i = 0; i < 5; i++) joining[i] = waiting(f, (char[]){(char)('a' + i), 0}, "post", T0);
    OK(store_fill_calls(f->store, &joining[4], 6, T0 + 5, &f->arena, &full));
    assert_int_equal(full, 0);
    OK(store_fill_calls(f->store, &joining[4], 2, T0 + 5, &f->arena, &full));
    assert_int_equal(full, 2);
    for (int i = 0; i < 4; i++) assert_int_equal(fixture_get(f, joining[i].id).due_us, T0 + 5);
    assert_int_equal(fixture_get(f, joining[4].id).due_us, T0 + US_PER_MIN);
    for (int i = 0; i < 3; i++) assert_int_equal(fixture_get(f, others[i].id).due_us, T0 + US_PER_MIN);
    OK(store_fill_calls(f->store, &joining[4], 2, T0 + 6, &f->arena, &full));
    assert_int_equal(full, 0);
    fixture_commit(f);
}

static void only_what_is_on_its_way_is_frozen(void **state) {
    struct fixture *f = *state;
    fixture_begin(f);
    struct delivery delivery = fixture_deliver(f, "a", "crm", DELIVERY_PENDING);
    OK(store_freeze_batch(f->store, &delivery.seq, 1, (struct uuid){{7}}));
    assert_true(uuid_is_zero(fixture_get(f, delivery.id).batch));
    fixture_commit(f);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        ON_EVERY_DRIVER(a_plan_is_kept_as_it_was_made),
        ON_EVERY_DRIVER(what_leaves_at_once_is_stored_with_its_lease),
        ON_EVERY_DRIVER(one_step_of_one_run_is_planned_once),
        ON_EVERY_DRIVER(a_claim_takes_what_is_due_oldest_first),
        ON_EVERY_DRIVER(a_claim_brings_lease_epoch_and_event),
        ON_EVERY_DRIVER(an_unknown_one_is_claimed_to_be_looked_up),
        ON_EVERY_DRIVER(leases_that_ran_out_are_found_with_their_epoch),
        ON_EVERY_DRIVER(what_another_owner_left_is_found_at_once),
        ON_EVERY_DRIVER(one_behind_an_open_one_of_its_order_waits),
        ON_EVERY_DRIVER(order_holds_within_one_batch_and_per_destination),
        ON_EVERY_DRIVER(final_ones_let_the_next_go_and_doubtful_ones_do_not),
        ON_EVERY_DRIVER(each_of_an_order_goes_in_turn),
        ON_EVERY_DRIVER(a_frozen_set_is_claimed_whole),
        ON_EVERY_DRIVER(each_set_that_is_met_is_claimed_whole),
        ON_EVERY_DRIVER(what_is_away_of_a_set_is_counted),
        ON_EVERY_DRIVER(a_set_can_be_cut_in_two),
        ON_EVERY_DRIVER(full_calls_are_due_early),
        ON_EVERY_DRIVER(only_what_is_on_its_way_is_frozen),
    };
    return RUN_ON_EVERY_DRIVER(tests);
}
