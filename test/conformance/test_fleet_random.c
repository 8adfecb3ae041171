/* Random turns of several processes, of which some race, break off, stand still or end: whatever happens, nothing is
 * sent by two at once, orders and limits hold, and in the end everything is settled. */
#include "fleet_acts.h"

#include "engine/loop_state.h"

#define SEEDS    5
#define STEPS    250
#define LIMIT    30 /* an hour: of the server's clock, so for the whole test */
#define LEASE_US (40 * US_PER_S)
#define FLEET_RANDOM                                                                                                   \
    "version: 1\nstore: ./x.db\ndestinations:\n"                                                                       \
    "  crm:\n    type: http\n    url: https://crm.example.com/in\n    timeout: 10s\n    concurrency: 2\n"              \
    "    breaker: {failures: 3, open: 5s}\n"                                                                           \
    "  chat:\n    type: http\n    url: https://chat.example.com/in\n    timeout: 10s\n"                                \
    "  mail:\n    type: http\n    url: https://mail.example.com/in\n    timeout: 10s\n    limit: 30/1h\n"              \
    "routes:\n  lead:\n    from: LEAD\n    to:\n      - crm\n      - mail\n      - chat:\n          order_by: "        \
    ".k[0:1]\n"

struct chaos {
    struct fleet *fleet;
    struct rng rng;
    size_t posted, known; /* events sent in; those that somebody answered for */
    size_t mails, starts;
    bool calm; /* no more faults */
};

static bool chance(struct chaos *chaos, uint64_t percent) {
    return rng_below(&chaos->rng, 100) < percent;
}

/* ---- what must hold at each start ---- */

static struct str key_of(const struct outgoing *outgoing) {
    for (size_t i = 0; i < outgoing->header_count; i++)
        if (str_eq(outgoing->headers[i].name, STR("Idempotency-Key"))) return outgoing->headers[i].value;
    fail_msg("a call without a key");
    return STR_NONE;
}

/* Another may still wait for an answer when its lease is over. */
static void nobody_else_is_at_it(const struct chaos *chaos, const struct member *member, struct str key) {
    for (size_t i = 0; i < chaos->fleet->count; i++) {
        const struct member *other = chaos->fleet->members[i];
        for (size_t j = 0; j < other->house.call_count && other != member; j++) {
            const struct house_call *call = &other->house.calls[j];
            if (!str_eq(key_of(call->outgoing), key)) continue;
            assert_true(other->started_us[j] + LEASE_US <= chaos->fleet->now_us);
        }
    }
}

static void look_at_start(void *self, struct member *member, const struct outgoing *outgoing) {
    struct chaos *chaos = self;
    struct delivery delivery;
    struct uuid key;
    assert_true(uuid_parse(key_of(outgoing), &key));
    OK(store_begin(chaos->fleet->store));
    OK(store_delivery_by_key(chaos->fleet->store, key, (struct uuid){0}, chaos->fleet->now_us, &chaos->fleet->arena,
                             &delivery));
    store_rollback(chaos->fleet->store);
    chaos->starts++;
    assert_int_equal(delivery.status, DELIVERY_PROCESSING);
    assert_true(delivery.lease_until_us > chaos->fleet->now_us);
    nobody_else_is_at_it(chaos, member, key_of(outgoing));
    if (str_eq(delivery.destination, STR("mail"))) assert_true(++chaos->mails <= LIMIT);
    assert_int_equal(fleet_number(chaos->fleet, "SELECT count(*) FROM deliveries d JOIN deliveries o ON o.destination ="
                                                " d.destination AND o.order_key = d.order_key AND o.seq < d.seq WHERE"
                                                " d.status = 'PROCESSING' AND o.status IN ('PENDING', 'PROCESSING',"
                                                " 'UNKNOWN', 'HELD')"),
                     0);
}

/* ---- what happens ---- */

static struct house *somebody(struct chaos *chaos) {
    return &chaos->fleet->members[rng_below(&chaos->rng, chaos->fleet->count)]->house;
}

static void note_replies(struct chaos *chaos, struct house *house) {
    for (size_t i = 0; i < house->reply_count; i++) {
        assert_true(house->replies[i].status == 200 || house->replies[i].status == 503);
        chaos->known += house->replies[i].status == 200 && house->replies[i].event_status.n > 0;
    }
    house->reply_count = 0;
}

static void misfortune(struct chaos *chaos, struct house *house) {
    struct member *member = member_of(house);
    if (chaos->calm) return;
    if (chance(chaos, 8)) member->races = (int)rng_below(&chaos->rng, 5);
    if (chance(chaos, 4)) member->raced_late = true;
    if (chance(chaos, 2)) member->stall_us = LEASE_US;
    house->commit_fails = chance(chaos, 4) ? ERR_STORE_BUSY : ERR_NONE;
    house->begin_fails = chance(chaos, 2) ? ERR_STORE_BUSY : ERR_NONE;
    chaos->fleet->deaf = chance(chaos, 30);
}

static void take_turn(struct chaos *chaos, struct house *house) {
    misfortune(chaos, house);
    house_turn(house);
    house->commit_fails = house->begin_fails = ERR_NONE;
    member_of(house)->races = 0;
    member_of(house)->raced_late = false;
    note_replies(chaos, house);
}

static void post(struct chaos *chaos, struct house *house) {
    struct str body = str_fmt(&chaos->fleet->arena,
                              "{\"type\":\"LEAD\",\"source\":\"t\",\"idempotency_key\":\"%zu\",\"payload\":{\"k\":"
                              "\"%c%zu\"}}",
                              chaos->posted, (char)('a' + rng_below(&chaos->rng, 3)), chaos->posted);
    house_ask(house, "POST", "/v1/events", body.p);
    chaos->posted++;
}

/* One of its calls comes to some end. */
static void answer_one(struct chaos *chaos, struct house *house) {
    struct member *member = member_of(house);
    if (!house->call_count || house->done_count == HOUSE_ROOM) return;
    size_t i = rng_below(&chaos->rng, house->call_count);
    if (!chaos->calm && chance(chaos, 10))
        house_cut(house, i);
    else
        house_answer(house, i, chaos->calm || chance(chaos, 70) ? 200 : chance(chaos, 80) ? 503 : 400, "");
    house->calls[i] = house->calls[--house->call_count];
    member->started_us[i] = member->started_us[house->call_count];
}

static void pause_or_resume(struct chaos *chaos, struct house *house) {
    house_ask(house, "POST", chance(chaos, 50) ? "/v1/destinations/crm/pause" : "/v1/destinations/crm/resume", "");
}

static void end_and_begin(struct chaos *chaos) {
    fleet_remove(chaos->fleet, rng_below(&chaos->rng, chaos->fleet->count));
    fleet_join(chaos->fleet, chance(chaos, 20) ? LOOP_WORKER : LOOP_ALL);
}

static void step(struct chaos *chaos) {
    struct house *house = somebody(chaos);
    bool worker = house->loop->options.role == LOOP_WORKER;
    if (chance(chaos, 25) && !worker) post(chaos, house);
    if (chance(chaos, 3)) pause_or_resume(chaos, house);
    if (chance(chaos, 50)) answer_one(chaos, house);
    if (chance(chaos, 40)) fleet_pass(chaos->fleet, (int64_t)rng_below(&chaos->rng, 2 * US_PER_S));
    if (chance(chaos, 1)) fleet_pass(chaos->fleet, US_PER_MIN);
    if (chance(chaos, 2))
        end_and_begin(chaos);
    else
        take_turn(chaos, house);
}

/* ---- the end ---- */

static int64_t open_but_mail(struct fleet *fleet) {
    return fleet_number(fleet,
                        "SELECT count(*) FROM marketing_events e WHERE status = 'PENDING' OR EXISTS (SELECT 1 FROM"
                        " deliveries d WHERE d.event_id = e.id AND d.destination <> 'mail' AND d.status NOT IN"
                        " ('COMPLETED', 'FAILED'))");
}

static void settle_all(struct chaos *chaos) {
    struct fleet *fleet = chaos->fleet;
    chaos->calm = true;
    fleet->deaf = false;
    house_ask(somebody(chaos), "POST", "/v1/destinations/crm/resume", "");
    for (int rounds = 0; open_but_mail(fleet); rounds++) {
        if (rounds == 200) fail_msg("%d are left open", (int)open_but_mail(fleet));
        for (size_t i = 0; i < fleet->count; i++) {
            struct house *house = &fleet->members[i]->house;
            while (house->call_count && house->done_count < HOUSE_ROOM) answer_one(chaos, house);
            take_turn(chaos, house);
        }
        fleet_pass(fleet, rounds < 20 ? 2 * US_PER_S : 5 * US_PER_MIN); /* past the slow lane's hour */
    }
}

static void check_end(struct chaos *chaos) {
    struct fleet *fleet = chaos->fleet;
    struct verification found;
    struct hasher *hasher = hasher_new();
    OK(store_verify(fleet->store, true, hasher, &fleet->arena, &found));
    hasher_free(hasher);
    if (found.violation_count) fail_msg("%.*s", STR_ARG(found.violations->text));
    assert_in_range(found.events, chaos->known, chaos->posted);
    assert_int_equal(found.deliveries, 3 * found.events);
    assert_true(chaos->starts > chaos->posted);
}

static void run_chaos(struct fleet *fleet, uint64_t seed) {
    struct chaos chaos = {.fleet = fleet};
    rng_seed(&chaos.rng, seed);
    fleet->config = FLEET_RANDOM;
    fleet->on_start = look_at_start;
    fleet->on_start_self = &chaos;
    for (int i = 0; i < 3; i++) fleet_join(fleet, LOOP_ALL);
    for (int i = 0; i < STEPS; i++) step(&chaos);
    settle_all(&chaos);
    check_end(&chaos);
}

static void nothing_is_lost_and_nothing_doubled(void **state) {
    const char *more = getenv("DRUMBEAT_TEST_SEED"); /* from here on */
    uint64_t from = more ? strtoull(more, NULL, 10) : 1;
    for (uint64_t seed = from; seed < from + SEEDS; seed++) {
        print_message("seed %d\n", (int)seed);
        run_chaos(*state, seed);
        fleet_teardown(state);
        fleet_setup(state);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {T(nothing_is_lost_and_nothing_doubled)};
    return RUN(tests);
}
