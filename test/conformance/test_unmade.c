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

int main(void) {
    const struct CMUnitTest tests[] = {
        ON_EVERY_DRIVER(what_is_unmade_is_made_in_its_place),
    };
    return RUN_ON_EVERY_DRIVER(tests);
}
