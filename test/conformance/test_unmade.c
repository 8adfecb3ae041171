/* Deliveries that their route has not made yet. */
#include "work.h"

#include "store/memory.h"

/* Deliveries that their route has not made are found again, nobody claims them, and they are made in their place. */
static void what_is_unmade_is_made_in_its_place(void **state) {
    struct fixture *f = *state;
    fixture_begin(f);
    struct event event = fixture_append(f, "a", T0);
    struct delivery plans[3] = {fixture_delivery(f, &event, "crm", DELIVERY_HELD),
                                fixture_delivery(f, &event, "mail", DELIVERY_HELD),
                                fixture_delivery(f, &event, "chat", DELIVERY_HELD)};
    bool blocked[3];
    plans[0].unmade = plans[1].unmade = true; /* the third one is late */
    OK(store_plan(f->store, plans, 3, &f->arena, blocked));
    fixture_routed(f, &event, EVENT_PROCESSING, "");
    fixture_commit(f);
    struct delivery *found;
    size_t count;
    fixture_begin(f);
    OK(store_unmade(f->store, plans[0].seq, 10, &f->arena, &found, &count));
    assert_int_equal(count, 1);
    OK(store_unmade(f->store, 0, 10, &f->arena, &found, &count));
    assert_int_equal(count, 2);
    assert_true(found[0].unmade && found[1].unmade);
    assert_true(uuid_eq(found[0].event->id, event.id));
    found[0].unmade = false;
    found[0].status = DELIVERY_PENDING;
    found[0].params = STR("{\"n\":1}");
    found[0].step = STR("lead:k");
    found[1].status = DELIVERY_FAILED;
    found[1].last_error = STR("route lead: no");
    OK(store_make(f->store, found, 2, T0 + 5, &f->arena));
    fixture_commit(f);
    struct delivery kept = fixture_get(f, plans[0].id);
    assert_int_equal(kept.seq, plans[0].seq);
    assert_int_equal(kept.status, DELIVERY_PENDING);
    assert_text(kept.params, "{\"n\":1}");
    assert_text(kept.step, "lead:k");
    assert_false(kept.unmade);
    kept = fixture_get(f, plans[1].id);
    assert_int_equal(kept.status, DELIVERY_FAILED);
    assert_true(kept.unmade);
    fixture_begin(f);
    OK(store_unmade(f->store, 0, 10, &f->arena, &found, &count));
    fixture_commit(f);
    assert_int_equal(count, 0);
}

/* One of an event of its own, in an order. */
static struct delivery plan_ordered(struct fixture *f, const char *key, struct str order_key, bool unmade) {
    struct event *event = arena_new(&f->arena, struct event);
    *event = fixture_append(f, key, T0);
    struct delivery delivery = fixture_delivery(f, event, "crm", unmade ? DELIVERY_HELD : DELIVERY_PENDING);
    delivery.order_key = order_key;
    delivery.unmade = unmade;
    fixture_plan_one(f, &delivery);
    fixture_routed(f, event, EVENT_PROCESSING, "");
    return delivery;
}

/* The only one that is unmade becomes this. */
static void make(struct fixture *f, enum delivery_status status, struct str order_key) {
    struct delivery *found;
    size_t count;
    OK(store_unmade(f->store, 0, 10, &f->arena, &found, &count));
    assert_int_equal(count, 1);
    found->unmade = false;
    found->status = status;
    found->order_key = order_key;
    found->params = STR("{}");
    OK(store_make(f->store, found, 1, T0 + 5, &f->arena));
}

/* Three of one order, the second of which is unmade and waits. It is made as given, while the first one is open. */
static void make_the_second(struct fixture *f, struct delivery *ret_three, enum delivery_status status,
                            struct str order_key) {
    fixture_begin(f);
    for (size_t i = 0; i < 3; i++) {
        const char *key = str_fmt(&f->arena, "%d %.*s %zu", (int)status, STR_ARG(order_key), i).p;
        ret_three[i] = plan_ordered(f, key, STR("ada"), i == 1);
    }
    make(f, status, order_key);
    fixture_commit(f);
}

/* Ends one delivery of "crm" after the other, in the order in which they can be claimed: by their places, 0 to 2. */
static void claim_in_turn(struct fixture *f, const struct delivery *three, const char *expected) {
    char order[8] = "";
    size_t count;
    fixture_begin(f);
    for (size_t n = 0; n < strlen(expected) + 1; n++) {
        struct delivery *claimed = fixture_claim(f, "crm", 1, T0 + US_PER_S, &count);
        for (size_t i = 0; count && i < 3; i++)
            if (three[i].seq == claimed->seq) order[n] = (char)('0' + i);
        if (count) assert_true(fixture_end(f, claimed, DELIVERY_COMPLETED, "done"));
    }
    fixture_commit(f);
    assert_string_equal(order, expected);
}

static void one_that_waits_unmade_may_come_to_nothing(void **state) {
    struct fixture *f = *state;
    struct delivery three[3];
    make_the_second(f, three, DELIVERY_FAILED, STR_NONE);
    claim_in_turn(f, three, "02");
    make_the_second(f, three, DELIVERY_SKIPPED, STR("ada"));
    claim_in_turn(f, three, "02");
}

static void one_that_waits_unmade_may_be_made_without_its_order(void **state) {
    struct fixture *f = *state;
    struct delivery three[3];
    size_t count;
    make_the_second(f, three, DELIVERY_PENDING, STR_NONE);
    fixture_begin(f);
    struct delivery *claimed = fixture_claim(f, "crm", 9, T0 + US_PER_S, &count);
    assert_int_equal(count, 2);
    for (size_t i = 0; i < count; i++) assert_true(fixture_end(f, &claimed[i], DELIVERY_COMPLETED, "done"));
    fixture_commit(f);
    claim_in_turn(f, three, "2");
    make_the_second(f, three, DELIVERY_PENDING, STR("ada"));
    claim_in_turn(f, three, "012");
}

/* The first of an order is unmade, the second waits for it. Made in another order, the first leaves the second free. */
static void what_waits_for_an_unmade_one_goes_when_that_leaves_its_order(void **state) {
    struct fixture *f = *state;
    size_t count;
    fixture_begin(f);
    plan_ordered(f, "first", STR("ada"), true);
    struct delivery second = plan_ordered(f, "second", STR("ada"), false);
    fixture_claim(f, "crm", 9, T0 + US_PER_S, &count);
    assert_int_equal(count, 0);
    make(f, DELIVERY_HELD, STR("bob"));
    struct delivery *claimed = fixture_claim(f, "crm", 9, T0 + US_PER_S, &count);
    fixture_commit(f);
    assert_int_equal(count, 1);
    assert_int_equal(claimed->seq, second.seq);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        ON_EVERY_DRIVER(what_is_unmade_is_made_in_its_place),
        ON_EVERY_DRIVER(one_that_waits_unmade_may_come_to_nothing),
        ON_EVERY_DRIVER(one_that_waits_unmade_may_be_made_without_its_order),
        ON_EVERY_DRIVER(what_waits_for_an_unmade_one_goes_when_that_leaves_its_order),
    };
    return RUN_ON_EVERY_DRIVER(tests);
}
