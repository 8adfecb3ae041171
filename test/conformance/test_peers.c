#include "peers.h"

#include <semaphore.h>

/* ---- tasks, probes ---- */

static void a_task_is_one_processs_until_its_commit(void **state) {
    struct fixture *f = *state;
    struct peer *peer = peer_start(f);
    bool ours;
    fixture_begin(f);
    OK(store_try_task(f->store, TASK_RETIRE, &ours));
    assert_true(ours);
    OK(store_begin(peer->store));
    OK(store_try_task(peer->store, TASK_RETIRE, &ours));
    assert_false(ours);
    OK(store_try_task(peer->store, TASK_ROUTE, &ours));
    assert_true(ours);
    fixture_commit(f);
    OK(store_try_task(peer->store, TASK_RETIRE, &ours));
    assert_true(ours);
    OK(store_commit(peer->store));
    peer_stop(peer);
}

static void an_open_breaker_is_probed_by_one(void **state) {
    struct fixture *f = *state;
    struct peer *peer = peer_start(f);
    const struct destination_state open = {
        .name = STR("crm"), .breaker_state = 1, .breaker_until_us = T0, .aspects = STATE_ALL};
    bool ours;
    fixture_begin(f);
    OK(store_save_destination(f->store, &open, 1, T0));
    fixture_commit(f);
    fixture_begin(f);
    OK(store_probe(f->store, STR("crm"), T0 - 1, T0 + US_PER_MIN, &ours));
    assert_false(ours);
    OK(store_probe(f->store, STR("crm"), T0, T0 + US_PER_MIN, &ours));
    assert_true(ours);
    fixture_commit(f);
    OK(store_begin(peer->store));
    OK(store_probe(peer->store, STR("crm"), T0 + 1, T0 + US_PER_MIN, &ours));
    assert_false(ours);
    OK(store_probe(peer->store, STR("mail"), T0 + 1, T0 + US_PER_MIN, &ours));
    assert_false(ours);
    OK(store_probe(peer->store, STR("crm"), T0 + US_PER_MIN, T0 + US_PER_HOUR, &ours));
    assert_true(ours);
    OK(store_commit(peer->store));
    peer_stop(peer);
}

static void a_probe_is_free_where_nobody_else_is(void **state) {
    struct fixture *f = *state;
    bool ours = false;
    fixture_begin(f);
    OK(store_probe(f->store, STR("crm"), T0, T0 + US_PER_MIN, &ours));
    assert_true(ours);
    ours = false;
    OK(store_try_task(f->store, TASK_ROUTE, &ours));
    assert_true(ours);
    fixture_commit(f);
    assert_false(store_is_shared(f->store));
}

/* Who writes of a breaker leaves alone what another wrote of a pause. */
static void a_state_is_written_by_its_aspects(void **state) {
    struct fixture *f = *state;
    const struct destination_state of_me = {.name = STR("crm"), .paused = true, .aspects = STATE_PAUSE};
    const struct destination_state of_you = {
        .name = STR("crm"), .breaker_state = 1, .breaker_until_us = T0 + 5, .aspects = STATE_BREAKER};
    const struct destination_state quiet = {.name = STR("crm"), .quiet_until_us = T0 + 9, .aspects = STATE_QUIET};
    const struct destination_state *const all[] = {&of_me, &of_you, &quiet};
    struct destination_state *states;
    size_t count;
    fixture_begin(f);
    for (size_t i = 0; i < 3; i++) OK(store_save_destination(f->store, all[i], 1, T0));
    fixture_commit(f);
    OK(store_destination_states(f->store, &f->arena, &states, &count));
    assert_int_equal(count, 1);
    assert_true(states[0].paused);
    assert_int_equal(states[0].breaker_state, 1);
    assert_int_equal(states[0].breaker_until_us, T0 + 5);
    assert_int_equal(states[0].quiet_until_us, T0 + 9);
}

static void each_destination_tells_its_earliest_due(void **state) {
    struct fixture *f = *state;
    struct next_due *next;
    size_t count;
    OK(store_next_due_all(f->store, &f->arena, &next, &count));
    assert_int_equal(count, 0);
    fixture_begin(f);
    struct event event = fixture_append(f, "a", T0);
    static const char *const names[] = {"mail", "crm", "mail", "chat"};
    for (size_t i = 0; i < 4; i++) {
        struct delivery delivery =
            fixture_delivery(f, &event, names[i], i == 3 ? DELIVERY_PROCESSING : DELIVERY_PENDING);
        delivery.id.b[0] = (uint8_t)i;
        delivery.step = str_fmt(&f->arena, "%zu", i);
        delivery.due_us = T0 + 10 - (int64_t)i;
        fixture_plan_one(f, &delivery);
    }
    fixture_commit(f);
    OK(store_next_due_all(f->store, &f->arena, &next, &count));
    assert_int_equal(count, 2);
    assert_text(next[0].destination, "crm");
    assert_int_equal(next[0].due_us, T0 + 9);
    assert_text(next[1].destination, "mail");
    assert_int_equal(next[1].due_us, T0 + 8);
}

/* ---- who is there ---- */

static void processes_see_one_another(void **state) {
    struct fixture *f = *state;
    struct peer *peer = peer_start(f);
    struct instance *instances;
    size_t count;
    int64_t now_us;
    fixture_begin(f);
    OK(store_seen(f->store, STR("ingest"), STR("a host")));
    fixture_commit(f);
    OK(store_begin(peer->store));
    OK(store_seen(peer->store, STR("worker"), STR("another")));
    OK(store_commit(peer->store));
    OK(store_clock(f->store, &now_us));
    OK(store_instances(f->store, US_PER_HOUR, &f->arena, &instances, &count));
    assert_int_equal(count, 2);
    assert_text(instances[0].token, "me");
    assert_text(instances[0].role, "ingest");
    assert_text(instances[0].host, "a host");
    assert_true(instances[0].started_us > now_us - US_PER_HOUR && instances[0].started_us <= now_us);
    assert_text(instances[1].token, "you");
    fixture_sql(f, "UPDATE instances SET seen_at = seen_at - 60000000 WHERE token = 'you'");
    OK(store_instances(f->store, US_PER_S * 59, &f->arena, &instances, &count));
    assert_int_equal(count, 1);
    OK(store_begin(peer->store));
    OK(store_seen(peer->store, STR("worker"), STR("another")));
    OK(store_commit(peer->store));
    OK(store_instances(f->store, US_PER_S * 59, &f->arena, &instances, &count));
    assert_int_equal(count, 2);
    assert_true(instances[1].started_us < instances[1].seen_us);
    OK(store_begin(peer->store));
    OK(store_gone(peer->store));
    OK(store_commit(peer->store));
    OK(store_instances(f->store, US_PER_HOUR, &f->arena, &instances, &count));
    assert_int_equal(count, 1);
    assert_text(instances[0].token, "me");
    peer_stop(peer);
}

/* ---- news ---- */

static void ring(void *bell) {
    sem_post(bell);
}

static void await(sem_t *bell) {
    struct timespec end;
    clock_gettime(CLOCK_REALTIME, &end);
    end.tv_sec += PATIENCE_S;
    assert_int_equal(sem_timedwait(bell, &end), 0);
}

/* The peer listens from here on, and has heard of the time before. */
static struct peer *start_listener(struct fixture *f, sem_t *bell) {
    struct peer *peer = peer_start(f);
    struct postgres_options options = {.token = STR("you"), .wake = ring, .wake_self = bell};
    struct str problem = STR_NONE;
    char name[32];
    peer->driver.close(peer->driver.self);
    options.dsn = fixture_dsn(fixture_database(name), &f->arena);
    if (postgres_open(&options, &f->arena, &peer->driver, &problem)) fail_msg("%.*s", STR_ARG(problem));
    await(bell);
    assert_int_equal(store_news(peer->store), SQL_NEWS_WORK | SQL_NEWS_STATE);
    assert_int_equal(store_news(peer->store), 0);
    return peer;
}

static void others_hear_of_news_at_the_commit(void **state) {
    struct fixture *f = *state;
    sem_t bell;
    assert_int_equal(sem_init(&bell, 0, 0), 0);
    struct peer *peer = start_listener(f, &bell);
    fixture_begin(f);
    OK(store_tell(f->store, SQL_NEWS_STATE));
    store_rollback(f->store);
    fixture_begin(f);
    OK(store_tell(f->store, SQL_NEWS_WORK));
    fixture_commit(f);
    await(&bell);
    assert_int_equal(store_news(peer->store), SQL_NEWS_WORK);
    fixture_sql(f, "SELECT pg_notify('marketing_events', gen_random_uuid()::text)");
    await(&bell);
    assert_int_equal(store_news(peer->store), SQL_NEWS_WORK);
    /* Its own is no news; what comes after it is. */
    OK(store_begin(peer->store));
    OK(store_tell(peer->store, SQL_NEWS_WORK));
    OK(store_commit(peer->store));
    fixture_begin(f);
    OK(store_tell(f->store, SQL_NEWS_STATE));
    fixture_commit(f);
    await(&bell);
    assert_int_equal(store_news(peer->store), SQL_NEWS_STATE);
    peer_stop(peer);
    sem_destroy(&bell);
}

/* ---- limits ---- */

static const struct limit_rule rules[] = {{3, US_PER_HOUR}, {10, US_PER_DAY}};
#define TAKE(want)                                                                                                     \
    &(struct limit_take) {                                                                                             \
        STR("x_api"), rules, 2, (want), US_PER_MIN                                                                     \
    }

static struct limit_taken take(struct fixture *f, struct store *store, size_t want) {
    struct limit_taken taken;
    (void)f;
    OK(store_begin(store));
    OK(store_limit_take(store, TAKE(want), &taken));
    OK(store_commit(store));
    return taken;
}

static void a_limit_is_shared_to_the_last_send(void **state) {
    struct fixture *f = *state;
    struct peer *peer = peer_start(f);
    struct limit_taken mine, yours;
    fixture_begin(f);
    OK(store_limit_take(f->store, TAKE(2), &mine));
    assert_int_equal(mine.granted, 2);
    assert_int_equal(mine.remaining, 1);
    assert_int_equal(mine.wait_us, 0);
    yours = take(f, peer->store, 5); /* while the other is at it */
    assert_int_equal(yours.granted, 0);
    assert_int_equal(yours.id, 0);
    assert_true(yours.wait_us > 0 && yours.wait_us < US_PER_S);
    fixture_commit(f);
    yours = take(f, peer->store, 5);
    assert_int_equal(yours.granted, 1);
    assert_int_equal(yours.remaining, 0);
    assert_true(yours.wait_us > US_PER_HOUR - US_PER_MIN);
    assert_int_equal(take(f, f->store, 1).granted, 0);
    peer_stop(peer);
}

static void what_did_not_start_is_given_back(void **state) {
    struct fixture *f = *state;
    struct limit_taken taken = take(f, f->store, 3);
    const struct limit_started started = {.id = taken.id, .started = 1};
    fixture_begin(f);
    OK(store_limit_started(f->store, &started, 1));
    fixture_commit(f);
    taken = take(f, f->store, 9);
    assert_int_equal(taken.granted, 2);
    assert_int_equal(fixture_number(f, "SELECT sum(count) FROM limit_uses"), 3);
}

static void sends_count_until_their_window_is_over(void **state) {
    struct fixture *f = *state;
    assert_int_equal(take(f, f->store, 3).granted, 3);
    assert_int_equal(take(f, f->store, 1).granted, 0);
    fixture_sql(f, "UPDATE limit_uses SET at = at - 3661000000"); /* an hour and the minute they were held */
    assert_int_equal(take(f, f->store, 3).granted, 3);
    fixture_sql(f, "UPDATE limit_uses SET at = at - 86461000000");
    assert_int_equal(take(f, f->store, 1).granted, 1);
    assert_int_equal(fixture_number(f, "SELECT count(*) FROM limit_uses"), 1); /* what no window needs goes */
}

int main(void) {
    const struct CMUnitTest tests[] = {
        ON_POSTGRES(a_task_is_one_processs_until_its_commit),
        ON_POSTGRES(an_open_breaker_is_probed_by_one),
        ON_SQLITE(a_probe_is_free_where_nobody_else_is),
        ON_EVERY_DRIVER(a_state_is_written_by_its_aspects),
        ON_EVERY_DRIVER(each_destination_tells_its_earliest_due),
        ON_POSTGRES(processes_see_one_another),
        ON_POSTGRES(others_hear_of_news_at_the_commit),
        ON_POSTGRES(a_limit_is_shared_to_the_last_send),
        ON_POSTGRES(what_did_not_start_is_given_back),
        ON_POSTGRES(sends_count_until_their_window_is_over),
    };
    return RUN_ON_EVERY_DRIVER(tests);
}
