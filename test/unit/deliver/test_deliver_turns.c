#include "world.h"

/* Properties: random turns over five desks, of which some share an account, and four configurations. */

struct model {
    struct world worlds[4];
    struct deliver *deliver;
    struct rng rng;
    int64_t now_us;
    size_t flying[DESTINATIONS_MAX], waiting[DESTINATIONS_MAX]; /* started; committed and not started */
    size_t staged[DESTINATIONS_MAX];
    size_t started[DESTINATIONS_MAX]; /* in all */
};

static void model_open(struct model *model, uint64_t seed) {
    static const char *const names[] = {"a", "b", "c", "d", "e"};
    *model = (struct model){.deliver = deliver_new(20, METERS_MAX), .now_us = T0};
    rng_seed(&model->rng, seed);
    for (size_t i = 0; i < COUNT_OF(model->worlds); i++) {
        struct world *world = &model->worlds[i];
        size_t count = (size_t)draw(&model->rng, 2, COUNT_OF(names));
        world->settings = (struct settings){.destinations = world->destinations, .destination_count = count};
        for (size_t j = 0; j < count; j++) {
            size_t account = rng_below(&model->rng, 2) ? j : 0;
            world->destinations[j] = destination(names[j], names[account]);
            world->destinations[j].concurrency = (int32_t)draw(&model->rng, 1, 9);
            world->destinations[j].breaker.on = rng_below(&model->rng, 5) != 0;
            for (int64_t rules = draw(&model->rng, 0, 2); rules; rules--)
                limit(&world->destinations[j], draw(&model->rng, 1, 12), draw(&model->rng, 1, 20) * US_PER_S);
        }
    }
    deliver_configure(model->deliver, &model->worlds[0].settings);
}

static size_t model_desk(struct model *model) {
    return rng_below(&model->rng, deliver_desks(model->deliver));
}

/* One staged step. */
static void model_step(struct model *model) {
    struct deliver *deliver = model->deliver;
    size_t desk = model_desk(model);
    struct desk_change changed[2];
    int64_t later_us = model->now_us + draw(&model->rng, -US_PER_S, 20 * US_PER_S);
    switch (rng_below(&model->rng, 20)) {
    case 0:
        deliver_pause(deliver, desk, rng_below(&model->rng, 4) ? later_us : 0, STR("why"));
        break;
    case 1:
        deliver_resume(deliver, desk);
        break;
    case 2:
        deliver_quiet(deliver, desk, later_us, model->now_us);
        break;
    case 3:
        deliver_changed(deliver, changed, 2);
        break;
    case 4:
        deliver_set_due(deliver, desk, rng_below(&model->rng, 3) ? later_us : WHEN_NEVER);
        break;
    case 5:
    case 6:
        deliver_due(deliver, desk, later_us);
        break;
    case 7:
    case 8:
    case 9:
    case 10:
    case 11:
    case 12:
        deliver_record(deliver, desk, model->now_us, rng_below(&model->rng, 3) == 0);
        break;
    default: {
        size_t budget = deliver_budget(deliver, desk, model->now_us, (size_t)draw(&model->rng, 1, 5));
        size_t sends = budget ? (size_t)draw(&model->rng, 0, (int64_t)budget) : 0;
        deliver_take(deliver, sends ? desk : deliver_desk(deliver, STR("a")), sends, model->now_us);
        model->staged[desk] += sends;
    }
    }
}

/* After a turn: some leave, some stay unsent, some come back. */
static void model_fly(struct model *model) {
    for (size_t desk = 0; desk < deliver_desks(model->deliver); desk++) {
        while (model->waiting[desk] && rng_below(&model->rng, 3)) {
            model->waiting[desk]--;
            if (rng_below(&model->rng, 5) == 0) {
                deliver_unsent(model->deliver, desk);
            } else {
                deliver_started(model->deliver, desk, 1, model->now_us);
                model->flying[desk]++;
                model->started[desk]++;
            }
        }
        while (model->flying[desk] && rng_below(&model->rng, 2)) {
            model->flying[desk]--;
            deliver_ended(model->deliver, desk);
        }
    }
}

static void model_commit(struct model *model) {
    deliver_commit(model->deliver);
    for (size_t i = 0; i < DESTINATIONS_MAX; i++) {
        model->waiting[i] += model->staged[i];
        model->staged[i] = 0;
    }
}

/* All that a desk shows, the time being now_us. */
static bool views_equal(struct desk_view a, struct desk_view b) {
    return str_eq(a.name, b.name) && a.closed == b.closed && a.paused == b.paused &&
           a.paused_until_us == b.paused_until_us && a.pause_reason.n == b.pause_reason.n &&
           memcmp(&a.breaker, &b.breaker, sizeof a.breaker) == 0 && a.quiet_until_us == b.quiet_until_us &&
           a.in_flight == b.in_flight && a.remaining == b.remaining && a.next_due_us == b.next_due_us;
}

static void a_rollback_leaves_the_same_views(void **state) {
    (void)state;
    struct model model;
    model_open(&model, 42);
    size_t differed = 0;
    for (int turn = 0; turn < 4000; turn++) {
        model.now_us += draw(&model.rng, 0, 4 * US_PER_S);
        size_t desks = deliver_desks(model.deliver);
        struct desk_view before[DESTINATIONS_MAX];
        for (size_t i = 0; i < desks; i++) before[i] = deliver_view(model.deliver, i, model.now_us);
        int64_t next_us = deliver_next(model.deliver, model.now_us);
        for (int64_t steps = draw(&model.rng, 1, 12); steps; steps--) model_step(&model);
        if (rng_below(&model.rng, 2)) {
            model_commit(&model);
        } else {
            for (size_t i = 0; i < desks; i++)
                differed += !views_equal(before[i], deliver_view(model.deliver, i, model.now_us));
            deliver_rollback(model.deliver);
            memset(model.staged, 0, sizeof model.staged);
            for (size_t i = 0; i < desks; i++)
                assert_true(views_equal(before[i], deliver_view(model.deliver, i, model.now_us)));
            assert_us(deliver_next(model.deliver, model.now_us), next_us);
        }
        model_fly(&model);
        if (rng_below(&model.rng, 20) == 0)
            deliver_configure(model.deliver, &model.worlds[rng_below(&model.rng, 4)].settings);
    }
    assert_true(differed > 1000);
    deliver_free(model.deliver);
}

/* Whether a turn at that moment would claim something; it is rolled back. */
static bool would_send(struct deliver *deliver, int64_t now_us) {
    bool sends = false;
    for (size_t i = 0; i < deliver_desks(deliver) && !sends; i++)
        sends = deliver_is_due(deliver, i, now_us) && deliver_budget(deliver, i, now_us, 1) == 1;
    deliver_rollback(deliver);
    return sends;
}

/* The loop sleeps until the very moment, and does not wake for nothing. */
static void next_is_the_first_moment_at_which_something_may_leave(void **state) {
    (void)state;
    struct model model;
    model_open(&model, 7);
    size_t now = 0, later = 0, never = 0;
    for (int turn = 0; turn < 6000; turn++) {
        model.now_us += draw(&model.rng, 0, 3 * US_PER_S);
        for (int64_t steps = draw(&model.rng, 1, 8); steps; steps--) model_step(&model);
        model_commit(&model);
        model_fly(&model);
        if (rng_below(&model.rng, 20) == 0)
            deliver_configure(model.deliver, &model.worlds[rng_below(&model.rng, 4)].settings);
        int64_t next_us = deliver_next(model.deliver, model.now_us);
        assert_true(next_us >= model.now_us);
        if (next_us == WHEN_NEVER) {
            assert_false(would_send(model.deliver, model.now_us + 1000 * US_PER_DAY));
            never++;
            continue;
        }
        assert_true(would_send(model.deliver, next_us));
        if (next_us == model.now_us) {
            now++;
        } else {
            assert_false(would_send(model.deliver, next_us - 1));
            assert_false(would_send(model.deliver, draw(&model.rng, model.now_us, next_us - 1)));
            later++;
        }
    }
    assert_true(now > 100 && later > 100 && never > 10);
    deliver_free(model.deliver);
}

/* I11: in flight per destination and in all. */
static void no_bound_on_flights_is_passed(void **state) {
    (void)state;
    struct model model;
    model_open(&model, 99);
    size_t full = 0;
    for (int turn = 0; turn < 4000; turn++) {
        model.now_us += draw(&model.rng, 0, 10 * US_PER_S);
        for (int64_t steps = draw(&model.rng, 1, 12); steps; steps--) model_step(&model);
        size_t all = 0;
        for (size_t i = 0; i < deliver_desks(model.deliver); i++) {
            size_t in_flight = deliver_view(model.deliver, i, model.now_us).in_flight;
            assert_int_equal(in_flight, model.flying[i] + model.waiting[i] + model.staged[i]);
            assert_true(in_flight <= (size_t)deliver_settings(model.deliver, i)->concurrency);
            full += in_flight == (size_t)deliver_settings(model.deliver, i)->concurrency;
            all += in_flight;
        }
        assert_true(all <= 20);
        model_commit(&model);
        model_fly(&model);
    }
    assert_true(full > 50);
    deliver_free(model.deliver);
}

/* I10: three desks of one account, each with a rule; late starts, rollbacks and unsent sends between. */
static void no_window_of_a_shared_account_is_passed(void **state) {
    (void)state;
    static int64_t starts[20000];
    size_t count = 0;
    struct world world = {.destinations = {destination("a", "x"), destination("b", "x"), destination("c", "x")}};
    world.settings = (struct settings){.destinations = world.destinations, .destination_count = 3};
    const struct limit_rule rules[] = {{4, US_PER_S}, {7, 3 * US_PER_S}, {30, 20 * US_PER_S}};
    for (size_t i = 0; i < 3; i++) limit(&world.destinations[i], rules[i].count, rules[i].window_us);
    struct model model = {.deliver = opened(&world), .now_us = T0};
    rng_seed(&model.rng, 4);
    for (int turn = 0; turn < 6000; turn++) {
        model.now_us += draw(&model.rng, 0, US_PER_S / 2);
        for (int steps = 0; steps < 3; steps++) {
            size_t desk = model_desk(&model);
            size_t budget = deliver_budget(model.deliver, desk, model.now_us, (size_t)draw(&model.rng, 1, 5));
            deliver_take(model.deliver, desk, budget, model.now_us);
            model.staged[desk] += budget;
        }
        if (rng_below(&model.rng, 4)) {
            model_commit(&model);
        } else {
            deliver_rollback(model.deliver);
            memset(model.staged, 0, sizeof model.staged);
        }
        size_t before[3];
        memcpy(before, model.started, sizeof before);
        model.now_us += draw(&model.rng, 0, US_PER_S / 10);
        model_fly(&model);
        for (size_t i = 0; i < 3; i++)
            for (size_t j = before[i]; j < model.started[i]; j++) starts[count++] = model.now_us;
        assert_true(count < COUNT_OF(starts));
    }
    for (size_t rule = 0; rule < 3; rule++)
        for (size_t to = 0, from = 0; to < count; to++) {
            while (starts[from] <= starts[to] - rules[rule].window_us) from++;
            assert_true((int64_t)(to - from + 1) <= rules[rule].count);
        }
    assert_true(count > 1000);
    deliver_free(model.deliver);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_rollback_leaves_the_same_views),
        cmocka_unit_test(next_is_the_first_moment_at_which_something_may_leave),
        cmocka_unit_test(no_bound_on_flights_is_passed),
        cmocka_unit_test(no_window_of_a_shared_account_is_passed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
