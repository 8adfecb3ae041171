/* What a reload would change. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "fixture.h"

#define HEAD      "version: 1\n"
#define PEM(body) "    ca: |\n      -----BEGIN CERTIFICATE-----\n      " body "\n      -----END CERTIFICATE-----\n"
#define LONG(end)                                                                                                      \
    "routes:\n  r:\n    from: A\n    when: .a == \"" TEN TEN TEN TEN TEN TEN TEN TEN TEN TEN TEN TEN end               \
    "\"\n    to: crm\n"
#define TEN "0123456789"
#define CRM "destinations:\n  crm:\n    url: https://crm.example/\n"

static struct settings *read_text(struct arena *arena, const char *text) {
    struct findings findings;
    struct settings *settings = fixture_read(arena, str_from(text), &findings);
    if (findings.errors) print_error("%.*s", STR_ARG(findings_text(arena, &findings)));
    assert_int_equal(findings.errors, 0);
    return settings;
}

/* Each change on a line; those that need a restart begin with "! ". */
static struct str diff(struct arena *arena, const char *before, const char *after) {
    struct buf text = {.arena = arena};
    struct change *change = config_diff(arena, read_text(arena, before), read_text(arena, after));
    for (; change; change = change->next)
        buf_fmt(&text, "%s%.*s\n", change->needs_restart ? "! " : "", STR_ARG(change->text));
    return buf_str(&text);
}

static void test_changes(void **state) {
    (void)state;
    static const struct {
        const char *before, *after, *changes;
    } cases[] = {
        {HEAD "zone: UTC\n", HEAD "zone: Europe/Berlin\n", "zone UTC -> Europe/Berlin\n"},
        {HEAD, HEAD "types: [A, B]\n", "types none -> A, B\n"},
        {HEAD, HEAD "store: other.db\n", "! store changed\n"},
        {HEAD, HEAD "server: {listen: 0.0.0.0:80, max_event: 1MiB, stop_timeout: 90s}\n",
         "! server.listen 127.0.0.1:8120 -> 0.0.0.0:80\nserver.max_event 256KiB -> 1MiB\n"
         "server.stop_timeout 10s -> 90s\n"},
        {HEAD, HEAD "keep: {events: 30d}\n", "keep.events 90d -> 30d\n"},
        {HEAD "redis: {on_failure: open}\n", HEAD "redis: {timeout: 1s, url: redis://r}\n",
         "! redis.url changed\n! redis.on_failure open -> fail_local\n! redis.timeout 50ms -> 1s\n"},
        {HEAD, HEAD CRM, "destination crm added\n"},
        {HEAD CRM, HEAD, "destination crm removed\n"},
        {HEAD CRM, HEAD "destinations:\n  hub:\n    url: https://crm.example.com/\n    was: crm\n",
         "destination crm renamed to hub\ndestination hub: url changed\n"
         "destination hub: account crm -> hub\ndestination hub: was none -> crm\n"},
        {HEAD CRM "    limit: 10/s\n", HEAD CRM "    limit: [5/s, 300/15m]\n",
         "destination crm: limit 10/s -> 5/s, 300/15m\n"},
        {HEAD CRM, HEAD CRM "    retry: {max: 3}\n    breaker: off\n    on_unknown: hold\n    allow_private: true\n",
         "destination crm: retry {max: 5, base: 1s, cap: 1m} -> {max: 3, base: 1s, cap: 1m}\n"
         "destination crm: breaker {failures: 5, share: 50%, window: 30s, error_rate: 2%, "
         "error_window: 5m, open: 30s} -> off\n"
         "destination crm: on_unknown none -> hold\n"
         "destination crm: allow_private false -> true\n"},
        {HEAD CRM "    concurrency: 8\n", HEAD CRM "    concurrency: 16\n    account: x\n",
         "destination crm: account crm -> x\ndestination crm: concurrency 8 -> 16\n"},
        {HEAD CRM PEM("MIIB"), HEAD CRM PEM("MIIC"), "destination crm: ca changed\n"},
        {HEAD CRM, HEAD CRM PEM("MIIC"), "destination crm: ca added\n"},
        {HEAD CRM PEM("MIIC"), HEAD CRM, "destination crm: ca removed\n"},
        {HEAD CRM LONG("x"), HEAD CRM LONG("y"), "route r: when changed\n"},
        {HEAD CRM, HEAD CRM "routes:\n  r:\n    from: A\n    to: crm\n", "route r added\n"},
        {HEAD CRM "routes:\n  r:\n    from: A\n    to: crm\n", HEAD CRM, "route r removed\n"},
        {HEAD CRM, HEAD CRM "alerts: {to: crm, report: 08:05}\n",
         "route drumbeat.alerts added\nalerts.every 0s -> 1h\nalerts.report none -> 08:05\n"},
        {HEAD CRM "alerts: {to: crm}\n", HEAD CRM "alerts: {to: [crm: {body: 1}]}\n",
         "route drumbeat.alerts: to changed\n"},
        {HEAD CRM "routes:\n  r:\n    from: A\n    to: crm\n",
         HEAD CRM "routes:\n  r:\n    from: [A, B]\n    when: .x\n    late: 2h\n    to: crm\n",
         "route r: from A -> A, B\nroute r: when none -> .x\nroute r: late 0s -> 2h\n"},
        {HEAD CRM "routes:\n  r:\n    from: A\n    to: crm\n",
         HEAD CRM "routes:\n  r:\n    from: A\n    to: [crm: {after: 1d}]\n", "route r: to changed\n"},
        {HEAD CRM "routes:\n  r:\n    from: A\n    to: [crm: {body: {a: 1}}]\n",
         HEAD CRM "routes:\n  r:\n    from: A\n    to: [crm: {body: {a: '1'}}]\n", "route r: to changed\n"},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct arena arena = ARENA_EMPTY;
        struct str found = diff(&arena, cases[i].before, cases[i].after);
        if (!str_eq(found, str_from(cases[i].changes)))
            print_error("expected\n%sfound\n%.*s", cases[i].changes, STR_ARG(found));
        assert_true(str_eq(found, str_from(cases[i].changes)));
        arena_free(&arena);
    }
}

/* A new run knows a delivery by its place. */
static void test_deliveries_that_change_places_are_told(void **state) {
    (void)state;
    struct arena arena = ARENA_EMPTY;
    const char *both = HEAD CRM "routes:\n  r:\n    from: A\n    to: [crm: {body: {a: 1}}, crm: {body: {b: 1}}]\n";
    struct str stay = diff(
        &arena, both, HEAD CRM "routes:\n  r:\n    from: A\n    to: [crm: {body: {c: 1}}, crm: {body: {b: 1}}, crm]\n");
    assert_true(str_eq(stay, STR("route r: to changed\n")));
    struct str move = diff(&arena, both, HEAD CRM "routes:\n  r:\n    from: A\n    to: [crm: {body: {b: 1}}]\n");
    assert_true(str_eq(move, STR("route r: to changed\nroute r: the deliveries to crm change places: a retry of what "
                                 "failed before sends another one in its place; settle it first (drumbeat deliveries "
                                 "list --status FAILED --route r), and give each a key (key: '\"welcome\"'), by which "
                                 "it is known wherever it stands\n")));
#define KEYED(key) "crm: {key: '\"" key "\"', body: {" key ": 1}}"
    struct str keyed = diff(&arena, HEAD CRM "routes:\n  r:\n    from: A\n    to: [" KEYED("a") ", " KEYED("b") "]\n",
                            HEAD CRM "routes:\n  r:\n    from: A\n    to: [" KEYED("b") ", " KEYED("a") "]\n");
    assert_true(str_eq(keyed, STR("route r: to changed\n")));
    struct str gone =
        diff(&arena, HEAD CRM "routes:\n  r:\n    from: A\n    to: [crm: {body: {b: 1}}, " KEYED("a") "]\n",
             HEAD CRM "routes:\n  r:\n    from: A\n    to: [" KEYED("a") "]\n");
    assert_true(str_starts(gone, STR("route r: to changed\nroute r: the deliveries to crm change places")));
    arena_free(&arena);
}

/* What a route did is known by its name. */
static void test_a_renamed_route_is_told(void **state) {
    (void)state;
    struct arena arena = ARENA_EMPTY;
    struct str found =
        diff(&arena, HEAD CRM "routes:\n  r:\n    from: A\n    to: crm\n  s:\n    from: B\n    to: crm\n",
             HEAD CRM "routes:\n  q:\n    from: A\n    to: crm\n  t:\n    from: C\n    to: crm\n");
    assert_string_equal(found.p,
                        "route q added\nroute q says what r said: a retry or a replay of earlier events makes again "
                        "under the new name what r has done\nroute t added\nroute r removed\nroute s removed\n");
    arena_free(&arena);
}

static void test_what_means_the_same_is_no_change(void **state) {
    (void)state;
    struct arena arena = ARENA_EMPTY;
    struct str found = diff(&arena,
                            HEAD CRM "    timeout: 60s\n    limit: 10/s\n"
                                     "routes:\n  r:\n    from: A\n    to: crm\n",
                            "# moved\n" HEAD "routes:\n  r:\n    to:\n      - crm\n    from: [A]\n\n" CRM
                            "    breaker: on\n    limit: [10/1s]\n    timeout: 1m\n");
    assert_int_equal(found.n, 0);
    arena_free(&arena);
}

static void test_secrets_are_named_and_never_shown(void **state) {
    (void)state;
    struct arena arena = ARENA_EMPTY;
    struct str found =
        diff(&arena,
             HEAD "store: postgres://${A}\n"
                  "postgres: {listen_dsn: \"postgres://${A}@a\", read_dsn: \"postgresql://u:${A}@a\"}\n"
                  "redis: {url: \"redis://:${A}@a\"}\n"
                  "destinations:\n  crm:\n    url: ${URL_A}\n    headers: {x: \"${A}\"}\n    signing_secret: ${A}\n"
                  "  hubspot:\n    token: ${A}\n    region: ${A}\n  slack:\n    url: ${URL_A}\n",
             HEAD "store: postgres://${B}\n"
                  "postgres: {listen_dsn: \"postgres://${B}@a\", read_dsn: \"postgresql://u:${B}@a\"}\n"
                  "redis: {url: \"redis://:${B}@a\"}\n"
                  "destinations:\n  crm:\n    url: ${URL_A}/b\n    headers: {x: \"${B}\"}\n    signing_secret: ${B}\n"
                  "  hubspot:\n    token: ${B}\n  slack:\n    url: ${URL_A}/b\n");
    assert_string_equal(found.p, "! store changed\n"
                                 "! postgres.listen_dsn changed\n"
                                 "! postgres.read_dsn changed\n"
                                 "! redis.url changed\n"
                                 "destination crm: url changed\n"
                                 "destination crm: headers changed\n"
                                 "destination crm: signing_secret changed\n"
                                 "destination hubspot: token changed\n"
                                 "destination hubspot: region removed\n"
                                 "destination slack: url changed\n");
    assert_false(fixture_holds(found, "canary"));
    arena_free(&arena);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_changes),
        cmocka_unit_test(test_deliveries_that_change_places_are_told),
        cmocka_unit_test(test_a_renamed_route_is_told),
        cmocka_unit_test(test_what_means_the_same_is_no_change),
        cmocka_unit_test(test_secrets_are_named_and_never_shown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
