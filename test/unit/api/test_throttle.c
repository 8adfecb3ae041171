/* How often an address may send a form, and whose address it is. */
#include "../base/check.h"

#include "api/throttle.h"
#include "base/address.h"
#include "base/arena.h"
#include "base/when.h"
#include "model/request.h"

static struct str proxies[] = {{"127.0.0.1", 9}, {"10.0.0.0/8", 10}, {"2001:db8::/32", 13}};
static const struct limit_rule three = {3, 60 * US_PER_S};

static bool admits(struct throttle *throttle, bool believes, const char *peer, const char *forwarded, int64_t now_us) {
    struct server_settings server = {.proxies = {proxies, believes ? 3 : 0}};
    struct header headers[2] = {{STR("x-forwarded-for"), str_from(forwarded)}};
    struct request request = {.peer = str_from(peer), .headers = headers, .header_count = forwarded ? 1 : 0};
    int64_t wait_us = 0;
    bool may = throttle_admits(throttle, &server, STR("contact"), &three, &request, now_us, &wait_us);
    assert_true(may || (wait_us > 0 && wait_us <= 20 * US_PER_S));
    return may;
}

static void an_address_has_so_many_and_then_one_in_each_part(void **state) {
    (void)state;
    struct throttle *throttle = throttle_new();
    for (int i = 0; i < 3; i++) assert_true(admits(throttle, false, "192.0.2.1", NULL, US_PER_S));
    assert_false(admits(throttle, false, "192.0.2.1", NULL, US_PER_S));
    assert_true(admits(throttle, false, "192.0.2.2", NULL, US_PER_S));
    assert_false(admits(throttle, false, "192.0.2.1", NULL, 20 * US_PER_S));
    assert_true(admits(throttle, false, "192.0.2.1", NULL, 21 * US_PER_S));
    assert_false(admits(throttle, false, "192.0.2.1", NULL, 22 * US_PER_S));
    for (int i = 0; i < 3; i++) assert_true(admits(throttle, false, "192.0.2.1", NULL, 200 * US_PER_S));
    assert_false(admits(throttle, false, "192.0.2.1", NULL, 200 * US_PER_S));
    throttle_free(throttle);
}

static void a_host_of_ipv6_has_one_limit_for_its_network(void **state) {
    (void)state;
    struct throttle *throttle = throttle_new();
    for (int i = 0; i < 3; i++) assert_true(admits(throttle, false, "2001:db8:1:1::1", NULL, US_PER_S));
    assert_false(admits(throttle, false, "2001:db8:1:1:ffff::2", NULL, US_PER_S));
    assert_true(admits(throttle, false, "2001:db8:1:2::1", NULL, US_PER_S));
    throttle_free(throttle);
}

static void each_form_has_a_limit_of_its_own(void **state) {
    (void)state;
    struct throttle *throttle = throttle_new();
    const struct server_settings server = {.listen_port = 1};
    const struct request request = {.peer = STR("192.0.2.1")};
    const struct limit_rule one = {1, US_PER_S};
    int64_t wait_us;
    assert_true(throttle_admits(throttle, &server, STR("a"), &one, &request, 1, &wait_us));
    assert_false(throttle_admits(throttle, &server, STR("a"), &one, &request, 1, &wait_us));
    assert_true(throttle_admits(throttle, &server, STR("b"), &one, &request, 1, &wait_us));
    throttle_free(throttle);
}

/* Whether what is forwarded counts as the address 192.0.2.1, whose three are used up. */
static const struct {
    const char *peer, *forwarded;
    bool believes, counts;
} ways[] = {
    {"127.0.0.1", "192.0.2.1", true, true},
    {"127.0.0.1", "192.0.2.1:4711", true, true},
    {"127.0.0.1", " 192.0.2.1 ", true, true},
    {"127.0.0.1", "203.0.113.9, 192.0.2.1", true, true},
    {"127.0.0.1", "192.0.2.1, 203.0.113.9", true, false},
    {"127.0.0.1", "203.0.113.9, 192.0.2.1, 10.1.2.3, [2001:db8::1]:443", true, true},
    {"127.0.0.1", "::ffff:192.0.2.1", true, true},
    {"203.0.113.7", "192.0.2.1", true, false}, /* no proxy of ours says so */
    {"192.0.2.1", "203.0.113.9", true, true},
    {"192.0.2.1", "203.0.113.9", false, true},
};

static void whose_address_it_is(void **state) {
    (void)state;
    for (size_t i = 0; i < COUNT_OF(ways); i++) {
        struct throttle *throttle = throttle_new();
        for (int j = 0; j < 3; j++) assert_true(admits(throttle, false, "192.0.2.1", NULL, US_PER_S));
        bool may = admits(throttle, ways[i].believes, ways[i].peer, ways[i].forwarded, US_PER_S);
        if (may == ways[i].counts) fail_msg("%s %s", ways[i].peer, ways[i].forwarded);
        throttle_free(throttle);
    }
}

/* What a proxy on this machine passes on has no address that could be told, where nobody named the proxy; and one that
 * is named and writes nonsense tells none either. */
static void without_an_address_there_is_no_limit(void **state) {
    (void)state;
    struct throttle *throttle = throttle_new();
    for (int i = 0; i < 9; i++) {
        assert_true(admits(throttle, false, "127.0.0.1", "192.0.2.1", US_PER_S));
        assert_true(admits(throttle, false, "::1", "192.0.2.1", US_PER_S));
        assert_true(admits(throttle, true, "127.0.0.1", "unknown", US_PER_S));
        assert_true(admits(throttle, true, "unix", NULL, US_PER_S));
    }
    throttle_free(throttle);
}

static void what_is_remembered_is_bounded(void **state) {
    (void)state;
    struct throttle *throttle = throttle_new();
    struct arena arena = ARENA_EMPTY;
    for (int i = 0; i < 100000; i++) {
        struct str peer = str_fmt(&arena, "10.%d.%d.%d", i >> 16, i >> 8 & 255, i & 255);
        assert_true(admits(throttle, false, peer.p, NULL, US_PER_S + i));
        arena_reset(&arena);
    }
    for (int i = 0; i < 3; i++) assert_true(admits(throttle, false, "192.0.2.1", NULL, 2 * US_PER_S));
    assert_false(admits(throttle, false, "192.0.2.1", NULL, 2 * US_PER_S));
    arena_free(&arena);
    throttle_free(throttle);
}

static void networks(void **state) {
    (void)state;
    static const char *const wrong[] = {"",       "/8",        "10.0.0.0/33", "::/129",
                                        "10.0.0", "10.0.0.0/", "localhost",   "10.0.0.0/-1"};
    struct network network, address;
    for (size_t i = 0; i < COUNT_OF(wrong); i++)
        if (network_parse(str_from(wrong[i]), &network)) fail_msg("%s is a network", wrong[i]);
    assert_true(network_parse(STR("10.9.8.7/8"), &network) && network_parse(STR("10.0.0.1"), &address));
    assert_true(network_has(&network, &address) && !network_has(&address, &network));
    assert_true(network_parse(STR("0.0.0.0/0"), &network) && network_has(&network, &address));
    assert_true(network_parse(STR("::1"), &address) && !network_has(&network, &address));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_address_has_so_many_and_then_one_in_each_part),
        cmocka_unit_test(a_host_of_ipv6_has_one_limit_for_its_network),
        cmocka_unit_test(each_form_has_a_limit_of_its_own),
        cmocka_unit_test(whose_address_it_is),
        cmocka_unit_test(without_an_address_there_is_no_limit),
        cmocka_unit_test(what_is_remembered_is_bounded),
        cmocka_unit_test(networks),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
