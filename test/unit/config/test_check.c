/* Tree to settings: what right configurations mean. Wrong ones are in bad/. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "fixture.h"

#include "base/when.h"
#include "config/keys.h"
#include "model/exchange.h"

static void assert_str(struct str text, const char *expected) {
    if (text.n != strlen(expected) || memcmp(text.p ? text.p : "", expected, text.n) != 0) {
        print_error("'%.*s' is not '%s'\n", STR_ARG(text), expected);
        fail();
    }
}

/* Reads a text that must be without any finding. */
static struct settings *read_clean(struct arena *arena, const char *text) {
    struct findings findings;
    struct settings *settings = fixture_read(arena, str_from(text), &findings);
    struct str found = findings_text(arena, &findings);
    if (found.n) print_error("%.*s", STR_ARG(found));
    assert_int_equal(findings.errors + findings.warnings, 0);
    return settings;
}

/* The example of the contract, word for word. */
static const char example[] =
    "version: 1\n"
    "zone: Europe/Berlin                 # default UTC; never the host's\n"
    "types: [LEAD_CAPTURE, CONTENT_PUBLISH, CAMPAIGN_TRIGGER]   # optional: refuse any other; default: any "
    "[A-Za-z][A-Za-z0-9_.-]{0,63}\n"
    "store: ./data/drumbeat.db           # or postgres://\u2026  (env DB_DSN overrides)\n"
    "server:\n"
    "  listen: 127.0.0.1:8120\n"
    "sources:\n"
    "  stripe:\n"
    "    type: stripe\n"
    "    secret: ${STRIPE_WEBHOOK_SECRET}\n"
    "destinations:\n"
    "  crm:\n"
    "    type: http                      # or a connector's name; the destination's own name serves when it is one\n"
    "    url: https://crm.example.com/leads\n"
    "    headers: {authorization: \"Bearer ${CRM_TOKEN}\"}\n"
    "    signing_secret: ${CRM_SECRET}   # optional: signs as Standard Webhooks\n"
    "    limit: [10/s, 300/15m]          # one or several\n"
    "    account: x_api                  # optional: destinations with the same account share the limit, under this "
    "name\n"
    "    concurrency: 8\n"
    "    timeout: 10s\n"
    "    retry: {max: 5, base: 1s, cap: 60s}\n"
    "    give_up: 24h                    # end of the slow lane; 0s = none\n"
    "    breaker: on                     # on | off, or {failures: 5, share: 50%, window: 30s, open: 30s}\n"
    "    on_unknown: retry               # lookup | retry | hold\n"
    "    allow_private: false            # loopback, private and link-local addresses are refused unless true\n"
    "  hubspot:\n"
    "    token: ${HUBSPOT_TOKEN}\n"
    "routes:\n"
    "  new-lead:\n"
    "    from: LEAD_CAPTURE              # a type, a glob (landing.*), or a list\n"
    "    source: landing-page            # optional\n"
    "    when: .email != null            # jq; optional\n"
    "    late: 2h                        # optional\n"
    "    to:\n"
    "      - crm                         # body = the payload, as received\n"
    "      - hubspot.contact:            # destination.action with parameters\n"
    "          email: ${.email}          # ${.\u2026} is jq on the payload; $event is the whole event\n"
    "          lead_source: ${.utm.source // \"direct\"}\n"
    "      - crm:\n"
    "          after: 3d                 # reserved words in a delivery: after when unless key order_by late batch\n"
    "          unless: .plan == \"paid\"\n"
    "          body: {kind: followup, email: \"${.email}\"}\n";

static void test_the_example_top_and_destinations(void **state) {
    (void)state;
    struct arena arena = ARENA_EMPTY;
    const struct settings *settings = read_clean(&arena, example);
    assert_str(settings->file, "drumbeat.yaml");
    assert_str(settings->zone, "Europe/Berlin");
    assert_int_equal(settings->type_count, 3);
    assert_str(settings->types[2], "CAMPAIGN_TRIGGER");
    assert_str(settings->store, "./data/drumbeat.db");
    assert_int_equal(settings->destination_count, 2);
    const struct destination_settings *crm = &settings->destinations[0];
    assert_str(crm->name, "crm");
    assert_str(crm->type, "http");
    assert_str(crm->account, "x_api");
    assert_str(crm->url, "https://crm.example.com/leads");
    assert_int_equal(crm->header_count, 1);
    assert_str(crm->headers[0].name, "authorization");
    assert_str(crm->headers[0].value, "Bearer " CANARY "-CRM_TOKEN");
    assert_str(crm->signing_secret, CANARY "-CRM_SECRET");
    assert_int_equal(crm->limit_count, 2);
    assert_int_equal(crm->limits[0].count, 10);
    assert_int_equal(crm->limits[0].window_us, US_PER_S);
    assert_int_equal(crm->limits[1].count, 300);
    assert_int_equal(crm->limits[1].window_us, 15 * US_PER_MIN);
    assert_int_equal(crm->on_unknown, ON_UNKNOWN_RETRY);
    assert_int_equal(crm->mark.line, 12);
    const struct destination_settings *hubspot = &settings->destinations[1];
    assert_str(hubspot->type, "hubspot");
    assert_str(hubspot->account, "hubspot");
    assert_str(*(struct str *)map_get(&hubspot->fields, STR("token")), CANARY "-HUBSPOT_TOKEN");
    assert_int_equal(hubspot->fields.count, 1);
    arena_free(&arena);
}

static void test_the_example_route(void **state) {
    (void)state;
    struct arena arena = ARENA_EMPTY;
    const struct settings *settings = read_clean(&arena, example);
    assert_int_equal(settings->route_count, 1);
    const struct route_settings *route = &settings->routes[0];
    assert_str(route->name, "new-lead");
    assert_int_equal(route->from_count, 1);
    assert_str(route->from[0], "LEAD_CAPTURE");
    assert_str(route->source, "landing-page");
    assert_str(route->when, ".email != null");
    assert_int_equal(route->when_mark.line, 32);
    assert_int_equal(route->when_mark.column, 11);
    assert_int_equal(route->late_us, 2 * US_PER_HOUR);
    assert_int_equal(route->step_count, 3);
    const struct route_step *first = &route->steps[0], *contact = &route->steps[1], *third = &route->steps[2];
    assert_int_equal(first->destination, 0);
    assert_str(first->action, "");
    assert_str(first->step, "new-lead");
    assert_null(first->params);
    assert_int_equal(first->batch_max, 1);
    assert_int_equal(contact->destination, 1);
    assert_str(contact->action, "contact");
    assert_str(contact->step, "new-lead");
    assert_int_equal(contact->params->count, 2);
    assert_str(tree_text(contact->params, STR("lead_source")), "${.utm.source // \"direct\"}");
    assert_str(third->step, "new-lead.2");
    assert_int_equal(third->after_us, 3 * US_PER_DAY);
    assert_str(third->unless, ".plan == \"paid\"");
    assert_int_equal(third->unless_mark.line, 41);
    assert_int_equal(third->when_mark.line, 0);
    assert_str(tree_text(third->params, STR("kind")), "followup");
    arena_free(&arena);
}

static void test_the_defaults(void **state) {
    (void)state;
    struct arena arena = ARENA_EMPTY;
    const struct settings *settings =
        read_clean(&arena, "version: 1\ndestinations: {a: {url: \"https://a.example\"}}\n");
    const struct server_settings *server = &settings->server;
    assert_str(settings->zone, "UTC");
    assert_int_equal(settings->type_count, 0);
    assert_str(settings->store, "./data/drumbeat.db");
    assert_int_equal(settings->keep_events_us, 90 * US_PER_DAY);
    assert_str(server->listen_host, "127.0.0.1");
    assert_int_equal(server->listen_port, 8120);
    assert_int_equal(server->max_event_bytes, 256 << 10);
    assert_int_equal(server->max_body_bytes, 8 << 20);
    assert_int_equal(server->header_timeout_us, 10 * US_PER_S);
    assert_int_equal(server->body_timeout_us, 30 * US_PER_S);
    assert_int_equal(server->idle_timeout_us, 60 * US_PER_S);
    assert_int_equal(server->connections, 1024);
    assert_int_equal(server->connections_per_address, 256);
    assert_int_equal(server->queue_max, 2000000);
    assert_int_equal(server->stop_timeout_us, 10 * US_PER_S);
    const struct destination_settings *destination = &settings->destinations[0];
    assert_str(destination->type, "http");
    assert_str(destination->account, "a");
    assert_int_equal(destination->header_count, 0);
    assert_int_equal(destination->signing_secret.n, 0);
    assert_int_equal(destination->limit_count, 0);
    assert_int_equal(destination->concurrency, 8);
    assert_int_equal(destination->timeout_us, 0); /* the connector says how long */
    assert_int_equal(destination->retry.max, 5);
    assert_int_equal(destination->retry.base_us, US_PER_S);
    assert_int_equal(destination->retry.cap_us, 60 * US_PER_S);
    assert_int_equal(destination->give_up_us, 24 * US_PER_HOUR);
    assert_true(destination->breaker.on);
    assert_int_equal(destination->breaker.failures, 5);
    assert_int_equal(destination->breaker.share, 50);
    assert_int_equal(destination->breaker.window_us, 30 * US_PER_S);
    assert_int_equal(destination->breaker.open_us, 30 * US_PER_S);
    assert_int_equal(destination->on_unknown, ON_UNKNOWN_DEFAULT);
    assert_false(destination->allow_private);
    arena_free(&arena);
}

static void test_a_map_keeps_the_defaults_of_what_it_leaves_out(void **state) {
    (void)state;
    struct arena arena = ARENA_EMPTY;
    const struct settings *settings = read_clean(&arena, "version: 1\n"
                                                         "server: {max_event: 1MiB}\n"
                                                         "destinations:\n"
                                                         "  a:\n"
                                                         "    url: https://a.example\n"
                                                         "    retry: {max: 0}\n"
                                                         "    breaker: {share: 20%}\n"
                                                         "    give_up: 0s\n"
                                                         "  b:\n"
                                                         "    url: https://b.example\n"
                                                         "    breaker: off\n");
    assert_int_equal(settings->server.max_event_bytes, 1 << 20);
    assert_int_equal(settings->server.max_body_bytes, 8 << 20);
    const struct destination_settings *a = &settings->destinations[0];
    assert_int_equal(a->retry.max, 0);
    assert_int_equal(a->retry.cap_us, 60 * US_PER_S);
    assert_true(a->breaker.on);
    assert_int_equal(a->breaker.share, 20);
    assert_int_equal(a->breaker.failures, 5);
    assert_int_equal(a->give_up_us, 0);
    assert_false(settings->destinations[1].breaker.on);
    arena_free(&arena);
}

static void test_where_the_store_is(void **state) {
    (void)state;
    static const struct {
        const char *file, *written, *store;
    } cases[] = {
        {"drumbeat.yaml", "./data/drumbeat.db", "./data/drumbeat.db"},
        {"drumbeat.yaml", "drumbeat.db", "./drumbeat.db"},
        {"/etc/drumbeat/drumbeat.yaml", "./data/drumbeat.db", "/etc/drumbeat/data/drumbeat.db"},
        {"/etc/drumbeat/drumbeat.yaml", "data.db", "/etc/drumbeat/data.db"},
        {"/etc/drumbeat/drumbeat.yaml", "../x.db", "/etc/drumbeat/../x.db"},
        {"conf/drumbeat.yaml", "/var/lib/drumbeat.db", "/var/lib/drumbeat.db"},
        {"conf/drumbeat.yaml", "postgres://db.example/x", "postgres://db.example/x"},
        {"conf/drumbeat.yaml", "\"postgresql://u:${PW}@db.example/x\"", "postgresql://u:" CANARY "-PW@db.example/x"},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct arena arena = ARENA_EMPTY;
        struct findings findings = {.arena = &arena};
        struct secret_source secrets = {.lookup = fixture_lookup, .self = NULL};
        struct str text = str_fmt(&arena, "version: 1\nstore: %s\n", cases[i].written);
        const struct tree *tree = config_parse(&arena, str_from(cases[i].file), text, &findings);
        assert_str(config_check(&arena, tree, &fixture_catalog, &secrets, &findings)->store, cases[i].store);
        assert_int_equal(findings.errors, 0);
        arena_free(&arena);
    }
}

static void test_postgres_and_redis(void **state) {
    (void)state;
    struct arena arena = ARENA_EMPTY;
    const struct settings *settings = read_clean(&arena, "version: 1\n");
    assert_int_equal(settings->postgres.listen_dsn.n + settings->postgres.read_dsn.n + settings->redis.url.n, 0);
    assert_int_equal(settings->redis.on_failure, REDIS_FAIL_LOCAL);
    assert_int_equal(settings->redis.timeout_us, 50 * US_PER_MS);
    settings =
        read_clean(&arena, "version: 1\n"
                           "postgres: {listen_dsn: \"postgres://u:${PW}@a:5432/x\", read_dsn: postgresql://b/x}\n"
                           "redis: {url: \"redis://:${PW}@c:6379/1\", on_failure: open, timeout: 5s}\n");
    assert_str(settings->postgres.listen_dsn, "postgres://u:" CANARY "-PW@a:5432/x");
    assert_str(settings->postgres.read_dsn, "postgresql://b/x");
    assert_str(settings->redis.url, "redis://:" CANARY "-PW@c:6379/1");
    assert_int_equal(settings->redis.on_failure, REDIS_OPEN);
    assert_int_equal(settings->redis.timeout_us, 5 * US_PER_S);
    settings = read_clean(&arena, "version: 1\nredis: {url: unix:///run/redis.sock, on_failure: closed}\n");
    assert_str(settings->redis.url, "unix:///run/redis.sock");
    assert_int_equal(settings->redis.on_failure, REDIS_CLOSED);
    arena_free(&arena);
}

static void test_addresses_to_listen_on(void **state) {
    (void)state;
    static const struct {
        const char *written, *host;
        unsigned port;
    } cases[] = {
        {"0.0.0.0:80", "0.0.0.0", 80},
        {"localhost:0", "127.0.0.1", 0},
        {"\"[::1]:65535\"", "::1", 65535},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct arena arena = ARENA_EMPTY;
        struct str text = str_fmt(&arena, "version: 1\nserver:\n  listen: %s\n", cases[i].written);
        const struct settings *settings = read_clean(&arena, text.p);
        assert_str(settings->server.listen_host, cases[i].host);
        assert_int_equal(settings->server.listen_port, cases[i].port);
        arena_free(&arena);
    }
}

static void test_what_a_destination_is(void **state) {
    (void)state;
    struct arena arena = ARENA_EMPTY;
    const struct settings *settings = read_clean(&arena, "version: 1\n"
                                                         "destinations:\n"
                                                         "  slack:\n"
                                                         "    url: ${URL_SLACK}\n"
                                                         "  team:\n"
                                                         "    type: slack\n"
                                                         "    url: https://hooks.example/${T}\n"
                                                         "  hubspot:\n"
                                                         "    type: http\n"
                                                         "    url: https://hubspot.example/\n"
                                                         "  plain:\n"
                                                         "    url: http://127.0.0.1:9/\n"
                                                         "    allow_private: true\n");
    static const char *const types[] = {"slack", "slack", "http", "http"};
    for (size_t i = 0; i < COUNT(types); i++) assert_str(settings->destinations[i].type, types[i]);
    assert_str(*(struct str *)map_get(&settings->destinations[0].fields, STR("url")),
               "https://" CANARY ".example.com/hook");
    assert_str(*(struct str *)map_get(&settings->destinations[1].fields, STR("url")),
               "https://hooks.example/" CANARY "-T");
    assert_int_equal(settings->destinations[3].fields.count, 0);
    arena_free(&arena);
}

static void test_deliveries(void **state) {
    (void)state;
    struct arena arena = ARENA_EMPTY;
    const struct settings *settings = read_clean(&arena, "version: 1\n"
                                                         "destinations:\n"
                                                         "  a:\n    url: https://a.example\n    on_unknown: retry\n"
                                                         "  slack:\n    url: https://s.example/${S}\n"
                                                         "routes:\n"
                                                         "  one:\n"
                                                         "    from: ['landing.*', X]\n"
                                                         "    to: a\n"
                                                         "  two:\n"
                                                         "    from: \"*\"\n"
                                                         "    to:\n"
                                                         "      - slack: {text: hi, body: b, key: .id, batch: {}}\n"
                                                         "      - a:\n"
                                                         "          order_by: .user\n"
                                                         "          when: .x\n"
                                                         "          late: 1m\n"
                                                         "      - slack.message:\n"
                                                         "          text: [a, {b: c}]\n"
                                                         "          batch: {max: 10, wait: 0s}\n"
                                                         "      - a: {key: '\"welcome\"'}\n"
                                                         "      - a: {key: '\"\\(.id)\"'}\n"
                                                         "      - a: {key: '1'}\n");
    const struct route_settings *one = &settings->routes[0], *two = &settings->routes[1];
    assert_int_equal(one->from_count, 2);
    assert_str(one->from[0], "landing.*");
    assert_int_equal(one->step_count, 1);
    assert_int_equal(two->step_count, 6);
    const struct route_step *steps = two->steps;
    assert_str(steps[0].name, ""); /* the event gives its key */
    assert_str(steps[3].step, str_fmt(&arena, "%.*s.2", STR_ARG(two->name)).p);
    assert_str(steps[3].name, str_fmt(&arena, "%.*s:welcome", STR_ARG(two->name)).p);
    assert_str(steps[4].name, "");
    assert_str(steps[5].name, "");
    assert_str(steps[0].action, "message"); /* its only one */
    assert_str(steps[0].key, ".id");
    assert_int_equal(steps[0].params->count, 2); /* body is a parameter there */
    assert_str(tree_text(steps[0].params, STR("body")), "b");
    assert_str(steps[1].order_by, ".user");
    assert_str(steps[1].when, ".x");
    assert_int_equal(steps[1].late_us, US_PER_MIN);
    assert_int_equal(steps[0].batch_max, 100);
    assert_int_equal(steps[0].batch_wait_us, 2 * US_PER_S);
    assert_int_equal(steps[1].order_mark.line, 17);
    assert_int_equal(steps[2].batch_max, 10);
    assert_int_equal(steps[2].batch_wait_us, 0);
    assert_str(steps[2].step, "two.2");
    assert_int_equal(tree_get(steps[2].params, STR("text"))->kind, TREE_LIST);
    assert_str(steps[3].step, "two.2");
    assert_null(steps[3].params);
    arena_free(&arena);
}

static void test_references(void **state) {
    (void)state;
    struct arena arena = ARENA_EMPTY;
    const struct settings *settings = read_clean(&arena, "version: 1\n"
                                                         "destinations:\n"
                                                         "  a:\n"
                                                         "    url: ${URL_A}/x\n"
                                                         "    headers:\n"
                                                         "      two: ${A}-${B_2}\n"
                                                         "      literal: $${A} costs $5 $ {\n"
                                                         "      both: $${${A}\n"
                                                         "      empty: ''\n");
    const struct header *headers = settings->destinations[0].headers;
    assert_str(settings->destinations[0].url, "https://" CANARY ".example.com/hook/x");
    assert_str(headers[0].value, CANARY "-A-" CANARY "-B_2");
    assert_str(headers[1].value, "${A} costs $5 $ {");
    assert_str(headers[2].value, "${" CANARY "-A");
    assert_str(headers[3].value, "");
    arena_free(&arena);
}

static void test_a_secret_is_asked_for_once(void **state) {
    (void)state;
    struct arena arena = ARENA_EMPTY;
    struct findings findings = {.arena = &arena};
    size_t asked = 0;
    struct secret_source secrets = {.lookup = fixture_lookup, .self = &asked};
    struct str text =
        STR("version: 1\n"
            "destinations:\n"
            "  a: {url: \"https://a.example\", signing_secret: \"${ENV_A}\", headers: {x: \"${ENV_A}\"}}\n"
            "  b: {url: \"https://b.example\", signing_secret: \"${ENV_A}\"}\n");
    const struct tree *tree = config_parse(&arena, STR("x.yaml"), text, &findings);
    config_check(&arena, tree, &fixture_catalog, &secrets, &findings);
    assert_int_equal(asked, 1);
    assert_int_equal(findings.errors, 0);
    assert_int_equal(findings.warnings, 1);
    arena_free(&arena);
}

static void test_without_secrets_none_is_found(void **state) {
    (void)state;
    struct arena arena = ARENA_EMPTY;
    struct findings findings = {.arena = &arena};
    const struct tree *tree = config_parse(&arena, STR("x.yaml"), STR("version: 1\nstore: ${STORE}\n"), &findings);
    config_check(&arena, tree, &fixture_catalog, NULL, &findings);
    assert_int_equal(findings.errors, 1);
    assert_string_equal(findings.first->code, "E0234");
    arena_free(&arena);
}

static void test_near_names(void **state) {
    (void)state;
    static const struct {
        const char *wrong, *near;
    } cases[] = {
        {"limt", "limit"},
        {"Limit", "limit"},
        {"LIMIT", "limit"},
        {"ulr", "url"},
        {"uri", "url"},
        {"tiemout", "timeout"},
        {"signing-secret", "signing_secret"},
        {"breakr", "breaker"},
        {"zzz", NULL},
        {"x", NULL},
        {"", NULL},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct suggestion near = {.wrong = str_from(cases[i].wrong)};
        for (const struct key *key = NULL; (key = key_next(SECTION_DESTINATION, key));)
            suggestion_consider(&near, key->name);
        assert_str(near.best, cases[i].near ? cases[i].near : "");
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_example_top_and_destinations),
        cmocka_unit_test(test_the_example_route),
        cmocka_unit_test(test_the_defaults),
        cmocka_unit_test(test_a_map_keeps_the_defaults_of_what_it_leaves_out),
        cmocka_unit_test(test_where_the_store_is),
        cmocka_unit_test(test_postgres_and_redis),
        cmocka_unit_test(test_addresses_to_listen_on),
        cmocka_unit_test(test_what_a_destination_is),
        cmocka_unit_test(test_deliveries),
        cmocka_unit_test(test_references),
        cmocka_unit_test(test_a_secret_is_asked_for_once),
        cmocka_unit_test(test_without_secrets_none_is_found),
        cmocka_unit_test(test_near_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
