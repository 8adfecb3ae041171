/* What is made from the table of keys: schema, explanations, the reference. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "fixture.h"

#include "base/json.h"
#include "config/section.h"
#include "model/code.h"

#include <stdio.h>

static const struct key *each_key(const struct key *previous) {
    enum section section = previous ? previous->section : SECTION_TOP;
    const struct key *key = key_next(section, previous);
    while (!key && ++section < SECTION_COUNT) key = key_next(section, NULL);
    return key;
}

/* ---- schema ---- */

/* Where the schema has the keys of each section. */
static const char *const schema_places[SECTION_COUNT] = {
    [SECTION_TOP] = "/properties",
    [SECTION_SERVER] = "/properties/server/properties",
    [SECTION_POSTGRES] = "/properties/postgres/properties",
    [SECTION_REDIS] = "/properties/redis/properties",
    [SECTION_ALERTS] = "/properties/alerts/properties",
    [SECTION_KEEP] = "/properties/keep/properties",
    [SECTION_LOG] = "/properties/log/properties",
    [SECTION_SOURCE] = "/$defs/source-form/properties",
    [SECTION_WEBHOOK] = "/$defs/source-webhook/properties",
    [SECTION_FORM] = "/$defs/source-form/properties",
    [SECTION_SCHEDULE] = "/$defs/source-schedule/properties",
    [SECTION_FOLDER] = "/$defs/source-folder/properties",
    [SECTION_FIELD] = "/$defs/source-form/properties/fields/additionalProperties/anyOf/1/properties",
    [SECTION_MAP] = "/$defs/source-webhook/properties/map/properties",
    [SECTION_DESTINATION] = "/$defs/destination-http/properties",
    [SECTION_RETRY] = "/$defs/destination-http/properties/retry/properties",
    [SECTION_BREAKER] = "/$defs/destination-http/properties/breaker/anyOf/1/properties",
    [SECTION_ROUTE] = "/properties/routes/additionalProperties/properties",
    [SECTION_DELIVERY] = "/$defs/steps/anyOf/1/items/anyOf/1/additionalProperties/anyOf/0/properties",
    [SECTION_BATCH] = "/$defs/steps/anyOf/1/items/anyOf/1/additionalProperties/anyOf/0/properties/batch/properties",
};

static struct json *read_schema(struct arena *arena) {
    struct json *schema = NULL;
    assert_int_equal(json_parse(config_schema(arena, &fixture_catalog), JSON_DEPTH_MAX, &schema, NULL), ERR_NONE);
    return schema;
}

static void test_the_schema_has_every_key(void **state) {
    (void)state;
    struct arena arena = ARENA_EMPTY;
    struct json *schema = read_schema(&arena);
    for (const struct key *key = NULL; (key = each_key(key));) {
        const struct json *properties = json_point(schema, str_from(schema_places[key->section]));
        const struct json *property = json_get(properties, key->name);
        if (!property) print_error("%.*s\n", STR_ARG(key_path(&arena, key)));
        assert_non_null(property);
        if (key->type != KEY_BODY) assert_non_null(json_text(json_get(property, STR("description"))).p);
    }
    json_free(schema);
    arena_free(&arena);
}

static void test_the_schema_refuses_other_keys(void **state) {
    (void)state;
    struct arena arena = ARENA_EMPTY;
    struct json *schema = read_schema(&arena);
    static const char *const closed[] = {"",
                                         "/properties/server",
                                         "/properties/postgres",
                                         "/properties/redis",
                                         "/properties/alerts",
                                         "/$defs/destination-http",
                                         "/$defs/destination-slack",
                                         "/$defs/source-webhook",
                                         "/$defs/source-form"};
    for (size_t i = 0; i < COUNT(closed); i++) {
        const struct json *map = json_point(schema, str_from(closed[i]));
        assert_int_equal(json_type(json_get(map, STR("additionalProperties"))), JSON_FALSE);
    }
    json_free(schema);
    arena_free(&arena);
}

static void test_the_schema_has_connectors(void **state) {
    (void)state;
    struct arena arena = ARENA_EMPTY;
    struct json *schema = read_schema(&arena);
    const struct json *hubspot = json_point(schema, STR("/$defs/destination-hubspot"));
    assert_non_null(json_point(hubspot, STR("/properties/token/description")));
    assert_non_null(json_point(hubspot, STR("/properties/limit")));
    assert_string_equal(json_text(json_point(hubspot, STR("/required/0"))).p, "token");
    const struct json *named = json_point(schema, STR("/$defs/steps/anyOf/1/items/anyOf/1/properties"));
    const struct json *contact = json_get(named, STR("hubspot.contact"));
    assert_non_null(json_point(contact, STR("/properties/email")));
    assert_non_null(json_point(contact, STR("/properties/after")));
    assert_string_equal(json_text(json_point(contact, STR("/required/0"))).p, "email");
    const struct json *deal = json_get(named, STR("hubspot.deal"));
    assert_string_equal(json_text(json_point(deal, STR("/dependentRequired/pipeline/0"))).p, "stage");
    json_free(schema);
    arena_free(&arena);
}

static void test_the_schema_has_bounds_and_defaults(void **state) {
    (void)state;
    struct arena arena = ARENA_EMPTY;
    struct json *schema = read_schema(&arena);
    const struct json *http = json_point(schema, STR("/$defs/destination-http"));
    assert_int_equal(json_integer(json_point(http, STR("/properties/concurrency/maximum")), 0), 256);
    assert_int_equal(json_integer(json_point(http, STR("/properties/concurrency/default")), 0), 8);
    assert_string_equal(json_text(json_point(http, STR("/properties/give_up/default"))).p, "24h");
    assert_int_equal(json_type(json_point(http, STR("/properties/allow_private/default"))), JSON_FALSE);
    assert_string_equal(json_text(json_point(http, STR("/properties/on_unknown/enum/2"))).p, "hold");
    const struct json *redis = json_point(schema, STR("/properties/redis/properties"));
    assert_string_equal(json_text(json_point(redis, STR("/timeout/default"))).p, "50ms");
    assert_string_equal(json_text(json_point(redis, STR("/on_failure/enum/1"))).p, "closed");
    assert_string_equal(json_text(json_point(schema, STR("/required/0"))).p, "version");
    json_free(schema);
    arena_free(&arena);
}

/* ---- explain ---- */

static void test_explain_finds_a_key_by_the_end_of_its_path(void **state) {
    (void)state;
    static const struct {
        const char *asked, *path; /* path: the line it must hold, NULL = nothing is found */
    } cases[] = {
        {"limit", "destinations.*.limit\n"},
        {"destinations.*.limit", "destinations.*.limit\n"},
        {"destinations.crm.limit", "destinations.*.limit\n"},
        {"server.max_body", "server.max_body\n"},
        {"retry.max", "destinations.*.retry.max\n"},
        {"max", "routes.*.to.batch.max\n"},
        {"zone", "zone\n"},
        {"listen_dsn", "postgres.listen_dsn\n"},
        {"redis.on_failure", "redis.on_failure\n"},
        {"routes.x.to.after", "routes.*.to.after\n"},
        {"server.limit", NULL},
        {"crm.limit", NULL},
        {"limits", NULL},
        {"zone.limit", NULL},
        {"", NULL},
        {".", NULL},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct arena arena = ARENA_EMPTY;
        struct str text = config_explain(&arena, str_from(cases[i].asked));
        if (cases[i].path ? !fixture_holds(text, cases[i].path) : text.p != NULL) {
            print_error("explain '%s': %.*s\n", cases[i].asked, STR_ARG(text));
            fail();
        }
        arena_free(&arena);
    }
}

static void test_explain_says_all_of_a_key(void **state) {
    (void)state;
    struct arena arena = ARENA_EMPTY;
    assert_string_equal(config_explain(&arena, STR("concurrency")).p, "destinations.*.concurrency\n"
                                                                      "  The most requests at a time.\n\n"
                                                                      "  takes    a whole number, from 1 to 256\n"
                                                                      "  default  8\n"
                                                                      "  changes  apply to the running server\n");
    assert_true(fixture_holds(config_explain(&arena, STR("listen")), "changes  take a restart\n"));
    assert_true(fixture_holds(config_explain(&arena, STR("destinations.*.retry")), "keys     max base cap\n"));
    assert_true(fixture_holds(config_explain(&arena, STR("from")), "default  none: it must be there\n"));
    arena_free(&arena);
}

static void test_explain_knows_every_key_and_code(void **state) {
    (void)state;
    struct arena arena = ARENA_EMPTY;
    for (const struct key *key = NULL; (key = each_key(key));) {
        struct str text = config_explain(&arena, key_path(&arena, key)), rest = text, line;
        assert_true(text.n > 0);
        while (str_next(&rest, '\n', &line)) assert_true(line.n <= 100);
    }
    for (enum code code = 0; code < CODE_COUNT; code++)
        assert_true(str_starts(config_explain(&arena, str_from(code_text(code))), str_from(code_text(code))));
    arena_free(&arena);
}

/* ---- sections ---- */

/* A section whose path no key leads to would be read by nobody, a key without its section would be read as a text. The
 * kinds of source are read by the section of all sources. */
static void test_every_section_is_opened_by_one_key(void **state) {
    (void)state;
    size_t opened[SECTION_COUNT] = {0};
    for (const struct key *key = NULL; (key = each_key(key));) {
        enum section section = key_section(key);
        assert_true((key->type == KEY_SECTION) == (section != SECTION_COUNT));
        if (section != SECTION_COUNT) opened[section]++;
    }
    assert_int_equal(opened[SECTION_TOP], 0);
    for (enum section section = SECTION_TOP + 1; section < SECTION_COUNT; section++)
        assert_int_equal(opened[section], section_row(section)->read ? 1 : 0);
}

/* ---- reference ---- */

static void test_the_reference_has_every_key(void **state) {
    (void)state;
    struct arena arena = ARENA_EMPTY;
    struct str reference = config_reference(&arena);
    for (const struct key *key = NULL; (key = each_key(key));) {
        struct str head = str_fmt(&arena, "\n## %.*s\n", STR_ARG(section_title(&arena, key->section)));
        const char *section = memmem(reference.p, reference.n, head.p, head.n);
        assert_non_null(section);
        struct str row = str_fmt(&arena, "\n| `%.*s` | ", STR_ARG(key->name));
        const char *at = strstr(section, row.p), *next = strstr(section + 1, "\n## ");
        assert_true(at && (!next || at < next));
    }
    arena_free(&arena);
}

static void test_the_reference_in_the_docs_is_this_one(void **state) {
    (void)state;
    struct arena arena = ARENA_EMPTY;
    struct str reference = config_reference(&arena);
    FILE *file = fopen("docs/configuration.md", "r");
    assert_non_null(file);
    char *text = arena_alloc(&arena, reference.n + 2);
    size_t length = fread(text, 1, reference.n + 1, file);
    fclose(file);
    assert_int_equal(length, reference.n);
    assert_memory_equal(text, reference.p, length);
    arena_free(&arena);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_schema_has_every_key),
        cmocka_unit_test(test_the_schema_refuses_other_keys),
        cmocka_unit_test(test_the_schema_has_connectors),
        cmocka_unit_test(test_the_schema_has_bounds_and_defaults),
        cmocka_unit_test(test_explain_finds_a_key_by_the_end_of_its_path),
        cmocka_unit_test(test_explain_says_all_of_a_key),
        cmocka_unit_test(test_explain_knows_every_key_and_code),
        cmocka_unit_test(test_every_section_is_opened_by_one_key),
        cmocka_unit_test(test_the_reference_has_every_key),
        cmocka_unit_test(test_the_reference_in_the_docs_is_this_one),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
