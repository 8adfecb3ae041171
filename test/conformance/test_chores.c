#include "work.h"

#include "store/query.h"
#include "store/report.h"

/* ---- rounds ---- */

static void a_round_is_as_it_was_written(void **state) {
    struct fixture *f = *state;
    struct chore_round round;
    fixture_begin(f);
    OK(store_chore_get(f->store, STR("verify"), &f->arena, &round));
    assert_int_equal(round.started_us, 0);
    assert_false(chore_is_open(&round));
    const struct chore_round wrote = {STR("verify"), 1, T0, 0, 2, 30, 60, 40, 200, 5, 6, STR("{\"a\":1}")};
    OK(store_chore_set(f->store, &wrote));
    OK(store_chore_set(f->store, &(struct chore_round){.name = STR("orphans"), .started_us = T0, .finished_us = T0}));
    OK(store_chore_get(f->store, STR("verify"), &f->arena, &round));
    assert_true(chore_is_open(&round));
    assert_int_equal(round.part_end, 60);
    assert_int_equal(round.found, 6);
    assert_text(round.result, "{\"a\":1}");
    assert_true(chore_share(&round) > 0.34 && chore_share(&round) < 0.36);
    OK(store_chore_get(f->store, STR("orphans"), &f->arena, &round));
    assert_text(round.name, "orphans");
    assert_text(round.result, "");
    assert_true(chore_share(&round) >= 1);
    fixture_commit(f);
}

/* ---- the sheet of a day ---- */

static struct sheet make_sheet(struct fixture *f, int64_t *ret_steps) {
    struct chore_round round = {.mode = T0 / US_PER_DAY, .started_us = T0};
    int64_t since_us = round.mode * US_PER_DAY;
    fixture_begin(f);
    for (bool more = true; more; round.steps++)
        OK(store_report_step(f->store, since_us, since_us + US_PER_DAY, &f->arena, &round, &more));
    fixture_commit(f);
    round.finished_us = T0;
    *ret_steps = round.steps;
    return sheet_of(&round, &f->arena);
}

static void a_sheet_adds_up_and_damage_shows_in_it(void **state) {
    struct fixture *f = *state;
    struct delivery after;
    int64_t steps;
    fixture_begin(f);
    for (int i = 0; i < 300; i++) {
        struct delivery delivery = fixture_deliver(f, str_fmt(&f->arena, "k%d", i).p, "crm", DELIVERY_PROCESSING);
        fixture_end(f, &delivery, DELIVERY_COMPLETED, "done");
    }
    struct delivery lost = fixture_deliver(f, "lost", "mail", DELIVERY_PROCESSING);
    fixture_end(f, &lost, DELIVERY_FAILED, "failed");
    fixture_deliver(f, "held", "mail", DELIVERY_HELD);
    fixture_deliver(f, "open", "mail", DELIVERY_PENDING);
    struct event unwanted = fixture_append(f, "unwanted", T0);
    fixture_routed(f, &unwanted, EVENT_COMPLETED, "");
    fixture_append(f, "pending", T0);
    fixture_commit(f);
    struct sheet sheet = make_sheet(f, &steps);
    assert_true(steps > 1 && sheet.made);
    assert_int_equal(sheet.difference, 0);
    assert_int_equal(sheet.count, 3);
    assert_int_equal(sheet.lines[0].counts[SHEET_IN], 305);
    assert_int_equal(sheet.lines[0].counts[SHEET_UNROUTED], 1);
    assert_int_equal(sheet.lines[0].counts[SHEET_PENDING], 1);
    assert_int_equal(sheet.lines[0].counts[SHEET_OPEN], 2);
    assert_int_equal(sheet.lines[1].counts[SHEET_COMPLETED], 300);
    assert_text(sheet.lines[2].destination, "mail");
    assert_int_equal(sheet.lines[2].counts[SHEET_FAILED], 1);
    fixture_begin(f);
    OK(store_delivery_act(f->store, lost.id, ACT_RETRY_AS_SENT, STR("ada"), STR(""), T0 + 1, f->hasher, &f->arena,
                          &after));
    fixture_commit(f);
    sheet = make_sheet(f, &steps);
    assert_int_equal(sheet.difference, 0);
    assert_int_equal(sheet.lines[2].counts[SHEET_SUPERSEDED], 1);
    assert_int_equal(sheet.lines[2].counts[SHEET_IN], 4);
    fixture_allow_damage(f);
    fixture_sql(f, "UPDATE deliveries SET status = 'FAILED' WHERE seq = 1");
    sheet = make_sheet(f, &steps);
    assert_int_equal(sheet.difference, 1);
    assert_int_equal(sheet.lines[0].counts[SHEET_WRONG], 1);
}

static void a_day_without_events_has_an_empty_sheet(void **state) {
    struct fixture *f = *state;
    int64_t steps;
    struct sheet sheet = make_sheet(f, &steps);
    assert_int_equal(sheet.count, 1);
    assert_int_equal(sheet.difference, 0);
}

/* ---- verify, step by step ---- */

static void verify_in_steps_finds_what_it_finds_at_once(void **state) {
    struct fixture *f = *state;
    struct chore_round round = {.mode = VERIFY_DEEP};
    bool more = true;
    fixture_begin(f);
    for (int i = 0; i < 300; i++) {
        struct delivery delivery = fixture_deliver(f, str_fmt(&f->arena, "k%d", i).p, "crm", DELIVERY_PROCESSING);
        fixture_end(f, &delivery, DELIVERY_COMPLETED, "done");
    }
    fixture_commit(f);
    fixture_allow_damage(f);
    fixture_sql(f, "UPDATE deliveries SET lease_until = 7 WHERE seq = (SELECT max(seq) FROM deliveries)");
    fixture_sql(f, "DELETE FROM attempts WHERE delivery_seq = (SELECT min(seq) FROM deliveries)");
    for (double share = 0; more; round.steps++) {
        fixture_begin(f);
        OK(store_verify_step(f->store, f->hasher, &f->arena, &round, &more));
        fixture_commit(f);
        assert_true(chore_share(&round) >= share || !more);
        share = chore_share(&round);
        round.started_us = T0;
    }
    struct verification found = verify_found(&round, &f->arena);
    assert_true(round.steps > 6);
    assert_int_equal(found.events, 300);
    assert_int_equal(found.deliveries, 300);
    assert_int_equal(found.attempts, 299);
    assert_int_equal(found.violation_count, 2);
    assert_text(found.violations->rule, "I8 no false success");
    assert_text(found.violations->next->rule, "I6 deliveries");
}

/* ---- orphans ---- */

static struct swept sweep(struct fixture *f, int64_t now_us, int64_t counted_us, size_t limit, int64_t after_seq) {
    struct sweep sweep = {.after_seq = after_seq, .limit = limit, .now_us = now_us, .counted_us = counted_us};
    struct swept swept;
    fixture_begin(f);
    OK(store_last_delivery(f->store, &sweep.upto_seq));
    OK(store_sweep(f->store, &sweep, &f->arena, &swept));
    fixture_commit(f);
    return swept;
}

#define delete_event(f, key) fixture_sql((f), "DELETE FROM marketing_events WHERE idempotency_key = '" key "'")

static void a_delivery_without_its_event_goes_with_its_attempts(void **state) {
    struct fixture *f = *state;
    fixture_begin(f);
    struct delivery done = fixture_deliver(f, "done", "crm", DELIVERY_PROCESSING);
    fixture_end(f, &done, DELIVERY_COMPLETED, "done");
    struct delivery kept = fixture_deliver(f, "kept", "crm", DELIVERY_PROCESSING);
    fixture_end(f, &kept, DELIVERY_COMPLETED, "done");
    fixture_deliver(f, "waits", "crm", DELIVERY_PENDING);
    fixture_commit(f);
    assert_int_equal(sweep(f, T0, T0 + US_PER_DAY, 100, 0).orphans, 0);
    delete_event(f, "done");
    delete_event(f, "waits");
    struct swept swept = sweep(f, T0, T0 + US_PER_DAY, 100, 0);
    assert_int_equal(swept.orphans, 2);
    assert_int_equal(swept.open, 1);
    assert_text(swept.destinations[0], "crm");
    assert_int_equal(fixture_number(f, "SELECT count(*) FROM deliveries"), 1);
    assert_int_equal(fixture_number(f, "SELECT count(*) FROM attempts"), 1);
}

/* Limits are rebuilt from attempts after a restart. */
static void what_limits_still_count_stays(void **state) {
    struct fixture *f = *state;
    fixture_begin(f);
    struct delivery done = fixture_deliver(f, "done", "crm", DELIVERY_PROCESSING);
    fixture_end(f, &done, DELIVERY_COMPLETED, "done");
    fixture_commit(f);
    delete_event(f, "done");
    sweep(f, T0, 0, 100, 0);
    assert_int_equal(fixture_number(f, "SELECT count(*) FROM attempts"), 1);
    sweep(f, T0, T0 + US_PER_DAY, 100, 0);
    assert_int_equal(fixture_number(f, "SELECT count(*) FROM attempts"), 0);
}

static void the_next_of_its_order_may_go(void **state) {
    struct fixture *f = *state;
    size_t count;
    fixture_begin(f);
    for (int i = 0; i < 2; i++) {
        struct event *event = arena_new(&f->arena, struct event);
        *event = fixture_append(f, i ? "second" : "first", T0);
        struct delivery delivery = fixture_delivery(f, event, "mail", DELIVERY_PENDING);
        delivery.order_key = STR("ada");
        fixture_plan_one(f, &delivery);
        fixture_routed(f, event, EVENT_PROCESSING, "");
    }
    fixture_commit(f);
    delete_event(f, "first");
    fixture_begin(f);
    fixture_claim(f, "mail", 10, T0 + US_PER_DAY, &count);
    assert_int_equal(count, 0);
    fixture_commit(f);
    assert_int_equal(sweep(f, T0, 0, 100, 0).open, 1);
    fixture_begin(f);
    fixture_claim(f, "mail", 10, T0 + US_PER_DAY, &count);
    assert_int_equal(count, 1);
    fixture_commit(f);
}

static void one_that_is_being_sent_stays_until_its_lease_is_over(void **state) {
    struct fixture *f = *state;
    fixture_begin(f);
    struct delivery flying = fixture_deliver(f, "flying", "crm", DELIVERY_PROCESSING);
    fixture_commit(f);
    delete_event(f, "flying");
    assert_int_equal(sweep(f, flying.lease_until_us - 1, 0, 100, 0).orphans, 0);
    assert_int_equal(sweep(f, flying.lease_until_us, flying.lease_until_us, 100, 0).orphans, 1);
    assert_int_equal(fixture_number(f, "SELECT count(*) FROM deliveries"), 0);
}

/* A process that is gone may have sent it: limits count it as a send of now until their windows are over. */
static void one_that_a_gone_process_had_keeps_an_attempt(void **state) {
    struct fixture *f = *state;
    fixture_begin(f);
    int64_t now_us = fixture_deliver(f, "flying", "crm", DELIVERY_PROCESSING).lease_until_us;
    fixture_commit(f);
    delete_event(f, "flying");
    assert_int_equal(sweep(f, now_us, now_us - 1, 100, 0).open, 1);
    assert_int_equal(sweep(f, now_us, now_us - 1, 100, 0).open, 0);
    fixture_begin(f);
    struct metered_send *sends;
    size_t count;
    OK(store_sends_of(f->store, STR("crm"), now_us - 1, 10, &f->arena, &sends, &count));
    assert_int_equal(count, 1);
    assert_int_equal(sends[0].started_us, now_us);
    struct verification found;
    OK(store_verify(f->store, false, f->hasher, &f->arena, &found));
    assert_int_equal(found.violation_count, 0);
    fixture_commit(f);
    assert_int_equal(fixture_number(f, "SELECT attempts FROM deliveries"), 1);
    assert_int_equal(sweep(f, now_us, now_us, 100, 0).orphans, 1);
    assert_int_equal(fixture_number(f, "SELECT count(*) FROM attempts"), 0);
}

static void a_sweep_goes_in_steps(void **state) {
    struct fixture *f = *state;
    fixture_begin(f);
    for (int i = 0; i < 5; i++) fixture_deliver(f, str_fmt(&f->arena, "k%d", i).p, "crm", DELIVERY_PENDING);
    fixture_commit(f);
    fixture_sql(f, "DELETE FROM marketing_events");
    struct swept swept = sweep(f, T0, 0, 3, 0);
    assert_int_equal(swept.orphans, 3);
    assert_true(swept.more);
    swept = sweep(f, T0, 0, 3, swept.last_seq);
    assert_int_equal(swept.orphans, 2);
    assert_false(swept.more);
}

/* ---- one question for all attempts of an event ---- */

static void the_attempts_of_an_event_come_together(void **state) {
    struct fixture *f = *state;
    struct event_attempt *attempts;
    size_t count;
    fixture_begin(f);
    struct delivery other = fixture_deliver(f, "other", "crm", DELIVERY_PROCESSING);
    fixture_end(f, &other, DELIVERY_COMPLETED, "done");
    struct event event = fixture_append(f, "a", T0);
    struct delivery first = fixture_delivery(f, &event, "mail", DELIVERY_PROCESSING);
    struct delivery second = fixture_delivery(f, &event, "crm", DELIVERY_PROCESSING);
    fixture_plan_one(f, &first);
    fixture_plan_one(f, &second);
    fixture_end(f, &second, DELIVERY_COMPLETED, "done");
    fixture_end(f, &first, DELIVERY_FAILED, "failed");
    OK(store_event_attempts(f->store, event.id, &f->arena, &attempts, &count));
    fixture_commit(f);
    assert_int_equal(count, 2);
    assert_int_equal(attempts[0].delivery_seq, first.seq);
    assert_text(attempts[0].attempt.outcome, "failed");
    assert_int_equal(attempts[1].delivery_seq, second.seq);
    assert_int_equal(attempts[1].attempt.number, 1);
}

static void what_waits_for_no_destination_is_held_and_freed(void **state) {
    struct fixture *f = *state;
    struct str *names;
    size_t count = 0;
    fixture_begin(f);
    struct delivery gone = fixture_deliver(f, "a", "crm", DELIVERY_PENDING);
    struct delivery other = fixture_deliver(f, "b", "mail", DELIVERY_PENDING);
    OK(store_strand(f->store, STR("crm"), T0 + 5, 9, &f->arena, &count));
    assert_int_equal(count, 1);
    assert_int_equal(fixture_get(f, gone.id).status, DELIVERY_HELD);
    assert_text(fixture_get(f, gone.id).last_error, STRAY_ERROR);
    assert_int_equal(fixture_get(f, other.id).status, DELIVERY_PENDING);
    OK(store_stranded(f->store, &f->arena, &names, &count));
    assert_int_equal(count, 1);
    assert_text(names[0], "crm");
    OK(store_unstrand(f->store, STR("crm"), T0 + 6, 9, &f->arena, &count));
    assert_int_equal(count, 1);
    assert_int_equal(fixture_get(f, gone.id).status, DELIVERY_PENDING);
    assert_int_equal(fixture_get(f, gone.id).last_error.n, 0);
    fixture_commit(f);
}

static void what_is_held_for_want_of_room_waits_again(void **state) {
    struct fixture *f = *state;
    struct held_row *held;
    size_t count = 0;
    fixture_begin(f);
    struct delivery over[3];
    for (size_t i = 0; i < 3; i++) {
        struct event event = fixture_append(f, ((const char *[]){"a", "b", "c"})[i], T0);
        over[i] = fixture_delivery(f, &event, "crm", DELIVERY_HELD);
        over[i].last_error = i == 1 ? STR("a person must look") : STR(OVERFLOW_ERROR);
        fixture_plan_one(f, &over[i]);
    }
    OK(store_held(f->store, 0, 2, &f->arena, &held, &count));
    assert_int_equal(count, 2);
    assert_int_equal(held[1].seq, over[1].seq);
    assert_text(held[0].destination, "crm");
    assert_text(held[0].error, OVERFLOW_ERROR);
    OK(store_held(f->store, held[1].seq, 2, &f->arena, &held, &count));
    assert_int_equal(count, 1);
    const int64_t seqs[] = {over[0].seq, over[1].seq, over[2].seq};
    OK(store_release(f->store, seqs, 3, T0 + 1, &f->arena, &count));
    assert_int_equal(count, 2);
    assert_int_equal(fixture_get(f, over[0].id).status, DELIVERY_PENDING);
    assert_int_equal(fixture_get(f, over[1].id).status, DELIVERY_HELD);
    assert_int_equal(fixture_get(f, over[2].id).last_error.n, 0);
    fixture_commit(f);
}

static bool stands_still(struct fixture *f) {
    bool still;
    OK(store_stands_still(f->store, STR("crm"), &f->arena, &still));
    return still;
}

static struct delivery ordered(struct fixture *f, const char *key, enum delivery_status status) {
    struct event event = fixture_append(f, key, T0);
    struct delivery delivery = fixture_delivery(f, &event, "crm", status);
    delivery.order_key = STR("x");
    fixture_plan_one(f, &delivery);
    return delivery;
}

static void a_destination_stands_still_when_all_that_waits_is_behind_what_is_held(void **state) {
    struct fixture *f = *state;
    fixture_begin(f);
    assert_true(stands_still(f));
    struct delivery first = ordered(f, "a", DELIVERY_HELD);
    struct delivery second = ordered(f, "b", DELIVERY_PENDING);
    struct delivery_ahead ahead;
    OK(store_delivery_ahead(f->store, &second, &f->arena, &ahead));
    assert_true(uuid_eq(ahead.id, first.id) && uuid_eq(ahead.event_id, first.event_id));
    assert_int_equal(ahead.status, DELIVERY_HELD);
    OK(store_delivery_ahead(f->store, &first, &f->arena, &ahead));
    assert_true(uuid_is_zero(ahead.id));
    assert_true(stands_still(f));
    struct held_row *held;
    size_t count;
    OK(store_held(f->store, 0, 9, &f->arena, &held, &count));
    assert_int_equal(count, 1);
    assert_int_equal(held[0].seq, first.seq);
    assert_false(held[0].blocked);
    ordered(f, "c", DELIVERY_HELD);
    OK(store_held(f->store, first.seq, 9, &f->arena, &held, &count));
    assert_int_equal(count, 1);
    assert_true(held[0].blocked);
    fixture_deliver(f, "d", "other", DELIVERY_PENDING);
    assert_true(stands_still(f));
    fixture_deliver(f, "e", "crm", DELIVERY_PROCESSING);
    assert_false(stands_still(f));
    fixture_commit(f);
}

static void one_that_may_go_is_no_standstill(void **state) {
    struct fixture *f = *state;
    fixture_begin(f);
    ordered(f, "a", DELIVERY_PENDING);
    ordered(f, "b", DELIVERY_PENDING);
    assert_false(stands_still(f));
    fixture_commit(f);
}

static void what_is_to_be_looked_up_still_is_when_its_destination_is_back(void **state) {
    struct fixture *f = *state;
    size_t count = 0;
    fixture_begin(f);
    struct delivery doubt = fixture_deliver(f, "a", "crm", DELIVERY_PROCESSING);
    fixture_end(f, &doubt, DELIVERY_UNKNOWN, "unknown");
    OK(store_strand(f->store, STR("crm"), T0 + US_PER_HOUR, 9, &f->arena, &count));
    assert_int_equal(count, 1);
    assert_int_equal(fixture_get(f, doubt.id).status, DELIVERY_HELD);
    assert_text(fixture_get(f, doubt.id).last_error, STRAY_DOUBT);
    OK(store_unstrand(f->store, STR("crm"), T0 + US_PER_HOUR, 9, &f->arena, &count));
    assert_int_equal(count, 1);
    assert_int_equal(fixture_get(f, doubt.id).status, DELIVERY_UNKNOWN);
    fixture_commit(f);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        ON_EVERY_DRIVER(what_is_held_for_want_of_room_waits_again),
        ON_EVERY_DRIVER(a_destination_stands_still_when_all_that_waits_is_behind_what_is_held),
        ON_EVERY_DRIVER(one_that_may_go_is_no_standstill),
        ON_EVERY_DRIVER(what_waits_for_no_destination_is_held_and_freed),
        ON_EVERY_DRIVER(what_is_to_be_looked_up_still_is_when_its_destination_is_back),
        ON_EVERY_DRIVER(a_round_is_as_it_was_written),
        ON_EVERY_DRIVER(a_sheet_adds_up_and_damage_shows_in_it),
        ON_EVERY_DRIVER(a_day_without_events_has_an_empty_sheet),
        ON_EVERY_DRIVER(verify_in_steps_finds_what_it_finds_at_once),
        ON_EVERY_DRIVER(a_delivery_without_its_event_goes_with_its_attempts),
        ON_EVERY_DRIVER(what_limits_still_count_stays),
        ON_EVERY_DRIVER(the_next_of_its_order_may_go),
        ON_EVERY_DRIVER(one_that_is_being_sent_stays_until_its_lease_is_over),
        ON_EVERY_DRIVER(one_that_a_gone_process_had_keeps_an_attempt),
        ON_EVERY_DRIVER(a_sweep_goes_in_steps),
        ON_EVERY_DRIVER(the_attempts_of_an_event_come_together),
    };
    return RUN_ON_EVERY_DRIVER(tests);
}
