#include "peers.h"

/* ---- claims ---- */

static void deliver_many(struct fixture *f, int count, const char *destination) {
    fixture_begin(f);
    for (int i = 0; i < count; i++) fixture_deliver(f, str_fmt(&f->arena, "k%d", i).p, destination, DELIVERY_PENDING);
    fixture_commit(f);
}

static void two_claims_share_the_work_and_never_a_row(void **state) {
    struct fixture *f = *state;
    struct peer *peer = peer_start(f);
    size_t mine_count, yours_count;
    deliver_many(f, 20, "crm");
    fixture_begin(f);
    OK(store_begin(peer->store));
    struct delivery *mine = fixture_claim(f, "crm", 8, T0, &mine_count);
    struct delivery *yours = peer_claim(f, peer, "crm", 20, T0, &yours_count);
    assert_int_equal(mine_count, 8);
    assert_int_equal(yours_count, 12);
    for (size_t i = 0; i < mine_count; i++)
        for (size_t j = 0; j < yours_count; j++) assert_int_not_equal(mine[i].seq, yours[j].seq);
    fixture_commit(f);
    OK(store_commit(peer->store));
    assert_int_equal(fixture_number(f, "SELECT count(*) FROM deliveries WHERE lease_owner = 'me'"), 8);
    assert_int_equal(fixture_number(f, "SELECT count(*) FROM deliveries WHERE lease_owner = 'you'"), 12);
    peer_stop(peer);
}

static void a_claim_that_was_rolled_back_is_free_again(void **state) {
    struct fixture *f = *state;
    struct peer *peer = peer_start(f);
    size_t count;
    deliver_many(f, 3, "crm");
    fixture_begin(f);
    fixture_claim(f, "crm", 3, T0, &count);
    assert_int_equal(count, 3);
    store_rollback(f->store);
    OK(store_begin(peer->store));
    peer_claim(f, peer, "crm", 3, T0, &count);
    OK(store_commit(peer->store));
    assert_int_equal(count, 3);
    peer_stop(peer);
}

static void a_due_event_is_routed_by_one(void **state) {
    struct fixture *f = *state;
    struct peer *peer = peer_start(f);
    struct event *due;
    size_t count;
    fixture_begin(f);
    for (int i = 0; i < 4; i++) fixture_append(f, str_fmt(&f->arena, "k%d", i).p, T0);
    fixture_commit(f);
    fixture_begin(f);
    OK(store_due_events(f->store, T0, 3, &f->arena, &due, &count));
    assert_int_equal(count, 3);
    OK(store_begin(peer->store));
    OK(store_due_events(peer->store, T0, ROOM, &f->arena, &due, &count));
    OK(store_commit(peer->store));
    assert_int_equal(count, 1);
    assert_text(due[0].key, "k3");
    fixture_commit(f);
    peer_stop(peer);
}

static void a_lease_that_ran_out_is_found_by_one(void **state) {
    struct fixture *f = *state;
    struct peer *peer = peer_start(f);
    struct delivery *expired;
    size_t count;
    deliver_many(f, 1, "crm");
    fixture_begin(f);
    fixture_claim(f, "crm", 1, T0, &count);
    fixture_commit(f);
    fixture_begin(f);
    OK(store_begin(peer->store));
    OK(store_expired(peer->store, T0 + US_PER_HOUR, STR("you"), false, ROOM, &f->arena, &expired, &count));
    assert_int_equal(count, 1);
    OK(store_expired(f->store, T0 + US_PER_HOUR, STR("me"), false, ROOM, &f->arena, &expired, &count));
    assert_int_equal(count, 0);
    fixture_commit(f);
    OK(store_commit(peer->store));
    peer_stop(peer);
}

/* I17: the one whose lease ran out comes back with an answer when another has taken its place. */
static void a_late_settle_changes_nothing(void **state) {
    struct fixture *f = *state;
    struct peer *peer = peer_start(f);
    struct delivery *expired;
    size_t count;
    deliver_many(f, 1, "crm");
    fixture_begin(f);
    struct delivery mine = fixture_claim(f, "crm", 1, T0, &count)[0];
    fixture_commit(f);
    OK(store_begin(peer->store));
    OK(store_expired(peer->store, T0 + US_PER_HOUR, STR("you"), false, ROOM, &f->arena, &expired, &count));
    assert_int_equal(count, 1);
    assert_true(peer_end(f, peer, &expired[0], DELIVERY_PENDING, "unknown"));
    struct delivery yours = peer_claim(f, peer, "crm", 1, T0 + US_PER_HOUR, &count)[0];
    OK(store_commit(peer->store));
    assert_int_equal(count, 1);
    fixture_begin(f);
    assert_false(fixture_end(f, &mine, DELIVERY_FAILED, "failed"));
    fixture_commit(f);
    OK(store_begin(peer->store));
    assert_true(peer_end(f, peer, &yours, DELIVERY_COMPLETED, "done"));
    OK(store_commit(peer->store));
    assert_int_equal(fixture_get(f, mine.id).status, DELIVERY_COMPLETED);
    assert_int_equal(fixture_number(f, "SELECT count(*) FROM attempts WHERE outcome = 'failed'"), 0);
    peer_stop(peer);
}

/* Of five, the first three are one call that is to go out again. */
static void freeze_three(struct fixture *f) {
    int64_t seqs[3];
    size_t count;
    deliver_many(f, 5, "crm");
    fixture_begin(f);
    struct delivery *claimed = fixture_claim(f, "crm", 3, T0, &count);
    for (size_t i = 0; i < 3; i++) seqs[i] = claimed[i].seq;
    OK(store_freeze_batch(f->store, seqs, 3, (struct uuid){{7}}));
    for (size_t i = 0; i < 3; i++) {
        struct settlement again = fixture_outcome(&claimed[i], DELIVERY_PENDING, "unknown");
        again.batch = (struct uuid){{7}};
        again.due_us = T0 - 10;
        assert_true(fixture_settle(f, &again));
    }
    fixture_commit(f);
}

static void a_frozen_set_goes_to_one(void **state) {
    struct fixture *f = *state;
    struct peer *peer = peer_start(f);
    size_t count;
    freeze_three(f);
    fixture_begin(f);
    fixture_claim(f, "crm", 1, T0, &count);
    assert_int_equal(count, 3);
    OK(store_begin(peer->store));
    struct delivery *yours = peer_claim(f, peer, "crm", 9, T0, &count);
    OK(store_commit(peer->store));
    assert_int_equal(count, 2);
    for (size_t i = 0; i < count; i++) assert_true(uuid_is_zero(yours[i].batch));
    fixture_commit(f);
    peer_stop(peer);
}

/* Another has locked the set and not yet its rows. */
static void a_frozen_set_that_another_is_taking_is_left(void **state) {
    struct fixture *f = *state;
    struct peer *peer = peer_start(f);
    size_t count;
    freeze_three(f);
    fixture_begin(f);
    fixture_sql(f, "SELECT pg_advisory_xact_lock(hashtextextended('07000000-0000-0000-0000-000000000000', 1))");
    OK(store_begin(peer->store));
    peer_claim(f, peer, "crm", 9, T0, &count);
    OK(store_commit(peer->store));
    assert_int_equal(count, 2);
    store_rollback(f->store);
    OK(store_begin(peer->store));
    peer_claim(f, peer, "crm", 9, T0, &count);
    OK(store_commit(peer->store));
    assert_int_equal(count, 3);
    peer_stop(peer);
}

/* ---- order ---- */

struct ordering {
    struct event event;
    struct delivery delivery;
    bool blocked;
};

static struct ordering make_ordering(struct fixture *f, const char *key) {
    struct ordering it = {.event = fixture_append(f, key, T0)};
    it.delivery = fixture_delivery(f, &it.event, "crm", DELIVERY_PENDING);
    it.delivery.order_key = STR("ada");
    return it;
}

static enum err plan_ordering(struct peer *peer, void *with) {
    struct ordering *it = with;
    return store_plan(peer->store, &it->delivery, 1, &peer->arena, &it->blocked);
}

static enum err end_ordering(struct peer *peer, void *with) {
    const struct settlement settlement = fixture_outcome(with, DELIVERY_COMPLETED, "done");
    bool applied = false;
    TRY(store_settle(peer->store, &settlement, 1, T0, &peer->arena, &applied));
    return applied ? ERR_NONE : ERR_CONFLICT;
}

/* One of an order ends while the next is made: it sees that nothing is before it any more. */
static void one_made_while_the_last_of_its_order_ends_may_go(void **state) {
    struct fixture *f = *state;
    struct peer *peer = peer_start(f);
    struct meanwhile planning;
    size_t count;
    fixture_begin(f);
    struct ordering first = make_ordering(f, "first"), second = make_ordering(f, "second");
    assert_false(fixture_plan_one(f, &first.delivery));
    struct delivery claimed = fixture_claim(f, "crm", 1, T0, &count)[0];
    fixture_commit(f);
    fixture_begin(f);
    assert_true(fixture_end(f, &claimed, DELIVERY_COMPLETED, "done"));
    meanwhile_start(f, &planning, plan_ordering, peer, &second);
    fixture_commit(f);
    OK(meanwhile_end(&planning));
    assert_false(second.blocked);
    fixture_begin(f);
    fixture_claim(f, "crm", 9, T0, &count);
    fixture_commit(f);
    assert_int_equal(count, 1);
    peer_stop(peer);
}

/* One of an order is made while the one before ends: who ends it lets it go. */
static void one_that_ends_lets_one_just_made_go(void **state) {
    struct fixture *f = *state;
    struct peer *peer = peer_start(f);
    struct meanwhile ending;
    size_t count;
    fixture_begin(f);
    struct ordering first = make_ordering(f, "first"), second = make_ordering(f, "second");
    assert_false(fixture_plan_one(f, &first.delivery));
    struct delivery claimed = fixture_claim(f, "crm", 1, T0, &count)[0];
    fixture_commit(f);
    fixture_begin(f);
    assert_true(fixture_plan_one(f, &second.delivery));
    meanwhile_start(f, &ending, end_ordering, peer, &claimed);
    fixture_commit(f);
    OK(meanwhile_end(&ending));
    fixture_begin(f);
    fixture_claim(f, "crm", 9, T0, &count);
    fixture_commit(f);
    assert_int_equal(count, 1);
    peer_stop(peer);
}

static void two_made_at_once_keep_an_order(void **state) {
    struct fixture *f = *state;
    struct peer *peer = peer_start(f);
    struct meanwhile planning;
    fixture_begin(f);
    struct ordering first = make_ordering(f, "first"), second = make_ordering(f, "second");
    fixture_commit(f);
    fixture_begin(f);
    assert_false(fixture_plan_one(f, &first.delivery));
    meanwhile_start(f, &planning, plan_ordering, peer, &second);
    fixture_commit(f);
    OK(meanwhile_end(&planning));
    assert_true(second.blocked);
    assert_true(second.delivery.seq > first.delivery.seq);
    peer_stop(peer);
}

/* ---- events ---- */

static void two_that_end_an_event_together_finish_it(void **state) {
    struct fixture *f = *state;
    struct peer *peer = peer_start(f);
    struct meanwhile ending;
    fixture_begin(f);
    struct event event = fixture_append(f, "a", T0);
    struct delivery pair[2] = {fixture_delivery(f, &event, "crm", DELIVERY_PROCESSING),
                               fixture_delivery(f, &event, "mail", DELIVERY_PROCESSING)};
    bool blocked[2];
    OK(store_plan(f->store, pair, 2, &f->arena, blocked));
    fixture_routed(f, &event, EVENT_PROCESSING, "");
    fixture_commit(f);
    fixture_begin(f);
    assert_true(fixture_end(f, &pair[0], DELIVERY_COMPLETED, "done"));
    meanwhile_start(f, &ending, end_ordering, peer, &pair[1]);
    fixture_commit(f);
    OK(meanwhile_end(&ending));
    assert_int_equal(fixture_get_event(f, event.id).status, EVENT_COMPLETED);
    peer_stop(peer);
}

struct appending {
    struct event event;
    struct append_result result;
};

static enum err append_one(struct peer *peer, void *with) {
    struct appending *it = with;
    return store_append(peer->store, &it->event, 1, &peer->arena, &it->result);
}

static struct append_result append_beside(struct fixture *f, bool commits, bool same_payload) {
    struct peer *peer = peer_start(f);
    struct meanwhile meanwhile;
    struct appending yours = {.event = fixture_event(f, "k", T0)};
    if (!same_payload) {
        yours.event.payload = STR("{}");
        yours.event.fingerprint = fixture_fingerprint(f, yours.event.payload);
    }
    fixture_begin(f);
    fixture_append(f, "k", T0);
    meanwhile_start(f, &meanwhile, append_one, peer, &yours);
    if (commits)
        fixture_commit(f);
    else
        store_rollback(f->store);
    OK(meanwhile_end(&meanwhile));
    yours.result.payload = str_dup(&f->arena, yours.result.payload);
    peer_stop(peer);
    return yours.result;
}

static void a_key_that_another_just_used_is_a_duplicate(void **state) {
    struct fixture *f = *state;
    assert_int_equal(append_beside(f, true, true).verdict, APPEND_DUPLICATE);
    assert_int_equal(fixture_number(f, "SELECT count(*) FROM marketing_events"), 1);
}

static void a_key_that_another_just_used_otherwise_is_a_conflict(void **state) {
    struct fixture *f = *state;
    struct append_result result = append_beside(f, true, false);
    assert_int_equal(result.verdict, APPEND_CONFLICT);
    assert_text(result.payload, "{\"of\": \"k\"}");
}

static void a_database_that_isolates_more_changes_nothing(void **state) {
    struct fixture *f = *state;
    char name[32];
    fixture_database(name);
    fixture_sql(f, str_fmt(&f->arena, "ALTER DATABASE %s SET default_transaction_isolation = 'serializable'", name).p);
    struct append_result result = append_beside(f, true, true);
    fixture_sql(f, str_fmt(&f->arena, "ALTER DATABASE %s RESET default_transaction_isolation", name).p);
    assert_int_equal(result.verdict, APPEND_DUPLICATE);
}

static void a_key_that_another_gave_up_is_fresh(void **state) {
    struct fixture *f = *state;
    assert_int_equal(append_beside(f, false, true).verdict, APPEND_FRESH);
    assert_int_equal(fixture_number(f, "SELECT count(*) FROM marketing_events"), 1);
}

struct appending_many {
    struct event events[3];
    struct append_result results[3];
};

static struct appending_many make_many(struct fixture *f, const char *first, const char *second, const char *third) {
    return (struct appending_many){
        .events = {fixture_event(f, first, T0), fixture_event(f, second, T0), fixture_event(f, third, T0)}};
}

static enum err append_many(struct peer *peer, void *with) {
    struct appending_many *it = with;
    return store_append(peer->store, it->events, 3, &peer->arena, it->results);
}

/* Each waits for a key of a third one, behind and before a key of the other. */
static void equal_keys_in_any_order_do_not_deadlock(void **state) {
    struct fixture *f = *state;
    struct appending_many many[2] = {make_many(f, "b", "m", "a"), make_many(f, "a", "n", "b")};
    struct meanwhile meanwhile[2];
    fixture_begin(f);
    fixture_append(f, "m", T0);
    fixture_append(f, "n", T0);
    for (size_t i = 0; i < 2; i++) meanwhile_start(f, &meanwhile[i], append_many, peer_start(f), &many[i]);
    fixture_commit(f);
    for (size_t i = 0; i < 2; i++) {
        enum err err = meanwhile_end(&meanwhile[i]);
        if (err) fail_msg("%s: %s", err_label(err), store_trouble(meanwhile[i].peer->store));
        peer_stop(meanwhile[i].peer);
    }
    assert_int_equal(fixture_number(f, "SELECT count(*) FROM marketing_events"), 4);
    assert_int_equal(many[1].results[1].verdict, APPEND_DUPLICATE);
}

/* ---- people ---- */

static enum err cancel_one(struct peer *peer, void *with) {
    struct delivery after;
    return store_delivery_act(peer->store, *(const struct uuid *)with, ACT_CANCEL, STR("ada"), STR_NONE, T0, NULL,
                              &peer->arena, &after);
}

static void what_is_being_claimed_is_not_cancelled(void **state) {
    struct fixture *f = *state;
    struct peer *peer = peer_start(f);
    struct meanwhile cancelling;
    size_t count;
    deliver_many(f, 1, "crm");
    fixture_begin(f);
    struct delivery claimed = fixture_claim(f, "crm", 1, T0, &count)[0];
    meanwhile_start(f, &cancelling, cancel_one, peer, &claimed.id);
    fixture_commit(f);
    assert_int_equal(meanwhile_end(&cancelling), ERR_NOT_NOW);
    assert_int_equal(fixture_get(f, claimed.id).status, DELIVERY_PROCESSING);
    peer_stop(peer);
}

static enum err retire_all(struct peer *peer, void *with) {
    return store_retire(peer->store, T0 + US_PER_DAY, 10, 0, with);
}

static void what_is_set_back_to_pending_is_not_retired(void **state) {
    struct fixture *f = *state;
    struct peer *peer = peer_start(f);
    struct meanwhile retiring;
    struct retirement removed = {0};
    fixture_begin(f);
    struct delivery delivery = fixture_deliver(f, "a", "crm", DELIVERY_PROCESSING);
    fixture_end(f, &delivery, DELIVERY_COMPLETED, "done");
    fixture_commit(f);
    fixture_begin(f);
    fixture_sql(f, "UPDATE marketing_events SET status = 'PENDING'");
    meanwhile_start(f, &retiring, retire_all, peer, &removed);
    fixture_commit(f);
    OK(meanwhile_end(&retiring));
    assert_int_equal(fixture_get_event(f, delivery.event_id).status, EVENT_PENDING);
    assert_int_equal(fixture_number(f, "SELECT count(*) FROM attempts"), 1);
    peer_stop(peer);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        ON_POSTGRES(two_claims_share_the_work_and_never_a_row),
        ON_POSTGRES(a_claim_that_was_rolled_back_is_free_again),
        ON_POSTGRES(a_due_event_is_routed_by_one),
        ON_POSTGRES(a_lease_that_ran_out_is_found_by_one),
        ON_POSTGRES(a_late_settle_changes_nothing),
        ON_POSTGRES(a_frozen_set_goes_to_one),
        ON_POSTGRES(a_frozen_set_that_another_is_taking_is_left),
        ON_POSTGRES(one_made_while_the_last_of_its_order_ends_may_go),
        ON_POSTGRES(one_that_ends_lets_one_just_made_go),
        ON_POSTGRES(two_made_at_once_keep_an_order),
        ON_POSTGRES(two_that_end_an_event_together_finish_it),
        ON_POSTGRES(a_key_that_another_just_used_is_a_duplicate),
        ON_POSTGRES(a_key_that_another_just_used_otherwise_is_a_conflict),
        ON_POSTGRES(a_key_that_another_gave_up_is_fresh),
        ON_POSTGRES(a_database_that_isolates_more_changes_nothing),
        ON_POSTGRES(equal_keys_in_any_order_do_not_deadlock),
        ON_POSTGRES(what_is_being_claimed_is_not_cancelled),
        ON_POSTGRES(what_is_set_back_to_pending_is_not_retired),
    };
    return RUN_ON_EVERY_DRIVER(tests);
}
