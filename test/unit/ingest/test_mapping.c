/* test_mapping.c - what a source's map says by jq, what becomes of bodies for which it says nothing, and when a program
 * that runs away is not run. */
#include "kit.h"

#include <stdio.h>

#include "base/jq.h"
#include "base/tree.h"
#include "ingest/mapping.h"

struct bench {
    struct kit *kit;
    struct jq_source source;
    struct findings findings;
    struct jq *jq;
    size_t runs;
    int64_t deadline_us; /* of the last call */
    enum err broken;     /* what each call comes to that has RUN in its input */
};

static void run_calls(void *self, struct jq_call *calls, size_t count, struct arena *arena) {
    struct bench *bench = self;
    for (size_t i = 0; i < count; i++) {
        bench->runs++;
        bench->deadline_us = calls[i].deadline_us;
        if (bench->broken && memmem(calls[i].input.p, calls[i].input.n, "RUN", 3)) {
            calls[i].err = bench->broken;
            calls[i].result = STR("stopped: it ran longer than 50ms");
        } else {
            jq_run(bench->jq, &calls[i], arena);
        }
    }
}

/* A source `shop` whose map is this, as config would have left it. */
static void open_bench(struct kit *kit, struct bench *bench, const char *type, const char *map_type,
                       const char *map_key, const char *map_at) {
    *bench = (struct bench){.kit = kit, .source = {.arena = &kit->arena}, .findings = {.arena = &kit->arena}};
    kit_load(kit, kit_sample(type));
    kit->source.name = STR("shop");
    kit->source.webhook.map_type = str_from(map_type);
    kit->source.webhook.map_key = str_from(map_key);
    kit->source.webhook.map_at = str_from(map_at);
    kit->source.webhook.map_marks[MAP_KEY] = (struct tree_mark){7, 11};
    kit->settings.file = STR("drumbeat.yaml");
    kit->settings.sources = &kit->source;
    kit->settings.source_count = 1;
    kit->mappings = mappings_compile(&kit->settings, &bench->source, &bench->findings, &kit->arena);
    kit->evaluator = (struct evaluator){run_calls, bench};
    if (bench->source.count) {
        struct str problem;
        if (jq_open(jq_program(&bench->source, &kit->arena), &bench->jq, &kit->arena, &problem)) bench->jq = NULL;
    }
}

static enum err take(struct kit *kit, const char *body) {
    kit->request.body = str_from(body);
    return kit_take(kit);
}

static const struct intake_item *item(const struct kit *kit, size_t at) {
    assert_true(at < kit->posting.intake.count);
    return &kit->posting.intake.items[at];
}

static void jq_names_type_key_and_moment(void **state) {
    struct kit *kit = *state;
    struct bench bench;
    open_bench(kit, &bench, "bearer", ".event | ascii_downcase | sub(\" \"; \".\")", "\"\\(.order.id):\\(.n)\"",
               ".due | todate");
    assert_int_equal(take(kit, "{\"event\":\"Order Paid\",\"order\":{\"id\":7},\"n\":2,\"due\":1800000000}"), ERR_NONE);
    assert_str(item(kit, 0)->event.type, "shop.order.paid");
    assert_str(item(kit, 0)->event.key, "shop:7:2");
    assert_int_equal(item(kit, 0)->event.scheduled_us, 1800000000 * US_PER_S);
    assert_false(item(kit, 0)->unkeyed);
    assert_str(item(kit, 0)->problem, "");
    assert_int_equal(bench.runs, 1);
    assert_true(bench.deadline_us > 0 && bench.deadline_us < 250 * US_PER_MS);
    jq_close(bench.jq);
}

static void places_and_jq_stand_side_by_side(void **state) {
    struct kit *kit = *state;
    struct bench bench;
    open_bench(kit, &bench, "bearer", "/kind", ".id | tostring", "");
    assert_int_equal(take(kit, "{\"kind\":\"paid\",\"id\":7}"), ERR_NONE);
    assert_str(item(kit, 0)->event.type, "shop.paid");
    assert_str(item(kit, 0)->event.key, "shop:7");
    assert_int_equal(item(kit, 0)->event.scheduled_us, kit->wall_us);
    jq_close(bench.jq);
    open_bench(kit, &bench, "bearer", "/kind", "/id", "");
    assert_int_equal(bench.source.count, 0); /* places alone ask nobody */
    assert_int_equal(take(kit, "{\"kind\":\"paid\",\"id\":7}"), ERR_NONE);
    assert_int_equal(bench.runs, 0);
}

/* What the program gives for a body, and what is made of it. */
static void what_is_no_text_falls_back(void **state) {
    static const struct {
        const char *body, *type, *key, *problem; /* key NULL: the digest's */
    } cases[] = {
        {"{\"v\":\"a\"}", "shop.a", "shop:a", ""},
        {"{\"v\":12}", "shop.12", "shop:12", ""},
        {"{\"v\":-1.5}", "shop.-1.5", "shop:-1.5", ""},
        {"{\"v\":null}", "shop.event", NULL, ""},
        {"{}", "shop.event", NULL, ""},
        {"{\"v\":\"\"}", "shop.event", NULL, ""},
        {"{\"v\":true}", "shop.event", NULL, "jq gave true or false, which is no text"},
        {"{\"v\":[1]}", "shop.event", NULL, "jq gave a list, which is no text"},
        {"{\"v\":{\"a\":1}}", "shop.event", NULL, "jq gave an object, which is no text"},
        {"{\"v\":{\"e\":1}}", "shop.event", NULL, "jq: 1"},
        {"{\"v\":820982911946154508}", "shop.event", NULL,
         "jq rounds numbers of more than 15 digits; name the place alone, as in /id"},
        {"{\"v\":1e300}", "shop.event", NULL,
         "jq rounds numbers of more than 15 digits; name the place alone, as in /id"},
        {"{\"v\":\"a\\nb\"}", "shop.a_b", NULL, ""},
        {"[1]", "shop.event", NULL, NULL},
    };
    struct kit *kit = *state;
    struct bench bench;
    open_bench(kit, &bench, "bearer", ".v | .", ".v | .", "");
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        enum err err = take(kit, cases[i].body);
        if (!cases[i].problem) { /* refused as it is without jq: a payload is an object */
            assert_int_equal(err, ERR_BAD_FIELD);
            continue;
        }
        assert_int_equal(err, ERR_NONE);
        assert_str(item(kit, 0)->event.type, cases[i].type);
        assert_str(item(kit, 0)->problem, cases[i].problem);
        assert_int_equal(item(kit, 0)->unkeyed, !cases[i].key);
        if (cases[i].key)
            assert_str(item(kit, 0)->event.key, cases[i].key);
        else
            assert_true(str_starts(item(kit, 0)->event.key, STR("shop:sha256:")));
    }
    jq_close(bench.jq);
}

static void an_error_is_the_bodys_and_is_named(void **state) {
    struct kit *kit = *state;
    struct bench bench;
    open_bench(kit, &bench, "bearer", "", ".id | ascii_downcase", "");
    assert_int_equal(take(kit, "{\"type\":\"paid\",\"id\":7}"), ERR_NONE);
    assert_true(str_starts(item(kit, 0)->event.key, STR("shop:sha256:")));
    assert_str(item(kit, 0)->problem, "jq: explode input must be a string");
    assert_str(item(kit, 0)->event.type, "shop.paid"); /* the scheme's own */
    jq_close(bench.jq);
    open_bench(kit, &bench, "bearer", "", "", ".due | todate");
    assert_int_equal(take(kit, "{\"due\":\"x\"}"), ERR_BAD_FIELD); /* sent now it might be too early */
    assert_non_null(memmem(kit->refusal.detail.p, kit->refusal.detail.n, "strftime/1 requires", 19));
    assert_int_equal(take(kit, "{\"due\":[]}"), ERR_BAD_FIELD);
    jq_close(bench.jq);
    open_bench(kit, &bench, "bearer", "", "", "if .due then .due else empty end");
    assert_int_equal(take(kit, "{\"due\":\"tomorrow\"}"), ERR_BAD_FIELD);
    assert_int_equal(take(kit, "{}"), ERR_NONE);
    assert_int_equal(item(kit, 0)->event.scheduled_us, kit->wall_us);
    jq_close(bench.jq);
    open_bench(kit, &bench, "bearer", "", "", "now + 60 | todate");
    assert_int_equal(take(kit, "{}"), ERR_NONE);
    assert_int_equal(item(kit, 0)->event.scheduled_us, kit->wall_us + US_PER_MIN);
    jq_close(bench.jq);
}

static void each_item_of_a_list_has_its_own(void **state) {
    struct kit *kit = *state;
    struct bench bench;
    open_bench(kit, &bench, "bearer", "", ".id | \"n\\(tonumber)\"", "");
    struct scheme lists = *kit->source.webhook.scheme;
    lists.items = "/list";
    kit->source.webhook.scheme = &lists;
    assert_int_equal(take(kit, "{\"list\":[{\"id\":\"1\"},{\"id\":{}},{bad},{\"id\":3}]}"), ERR_NONE);
    assert_int_equal(kit->posting.intake.count, 4);
    assert_str(item(kit, 0)->event.key, "shop:n1");
    assert_true(item(kit, 1)->valid && item(kit, 1)->unkeyed && item(kit, 1)->problem.n);
    assert_false(item(kit, 2)->valid);
    assert_str(item(kit, 3)->event.key, "shop:n3");
    assert_int_equal(bench.runs, 1); /* one for all of them */
    assert_int_equal(take(kit, "{\"list\":[]}"), ERR_NONE);
    assert_int_equal(bench.runs, 1);
    jq_close(bench.jq);
}

static void a_runaway_stores_nothing_and_is_told_to_come_again(void **state) {
    struct kit *kit = *state;
    struct bench bench;
    open_bench(kit, &bench, "bearer", "", ".id | tostring", "");
    bench.broken = ERR_JQ_RUNAWAY;
    for (int i = 0; i < 5; i++) { /* one body counts once, and costs its deadline once a minute */
        assert_int_equal(take(kit, "{\"id\":\"RUN 1\"}"), ERR_MAP_STOPPED);
        assert_int_equal(kit->posting.intake.count, 0);
        assert_int_equal(bench.runs, 1);
    }
    kit->wall_us += US_PER_MIN;
    assert_int_equal(take(kit, "{\"id\":\"RUN 1\"}"), ERR_MAP_STOPPED);
    assert_int_equal(bench.runs, 2);
    assert_int_equal(take(kit, "{\"id\":\"RUN 2\"}"), ERR_MAP_STOPPED);
    assert_int_equal(take(kit, "{\"id\":\"fine\"}"), ERR_NONE);
    assert_int_equal(take(kit, "{\"id\":\"RUN 3\"}"), ERR_MAP_STOPPED);
    size_t runs = bench.runs;
    assert_int_equal(take(kit, "{\"id\":\"fine\"}"), ERR_MAP_STOPPED); /* not run any more: it has another key than
                                                                          before the stop, if it were stored */
    assert_int_equal(bench.runs, runs);
    assert_str(kit->refusal.detail,
               "the jq of 'map' ran away and is tried again in 1 min: stopped: it ran longer than 50ms");
    kit->wall_us += US_PER_MIN;
    assert_int_equal(take(kit, "{\"id\":\"RUN 4\"}"), ERR_MAP_STOPPED); /* the probe fails, the next spell is longer */
    assert_int_equal(bench.runs, runs + 1);
    kit->wall_us += US_PER_MIN;
    assert_int_equal(take(kit, "{\"id\":\"fine\"}"), ERR_MAP_STOPPED);
    kit->wall_us += US_PER_MIN;
    assert_int_equal(take(kit, "{\"id\":\"fine\"}"), ERR_NONE);
    assert_int_equal(take(kit, "{\"id\":\"also\"}"), ERR_NONE);
    jq_close(bench.jq);
}

static void nobody_to_ask_is_no_fault_of_the_map(void **state) {
    struct kit *kit = *state;
    struct bench bench;
    open_bench(kit, &bench, "bearer", "", ".id | tostring", "");
    bench.broken = ERR_IO;
    for (int i = 0; i < 9; i++) {
        char body[32];
        snprintf(body, sizeof body, "{\"id\":\"RUN %d\"}", i);
        assert_int_equal(take(kit, body), ERR_MAP_STOPPED);
    }
    assert_int_equal(take(kit, "{\"id\":\"fine\"}"), ERR_NONE);
    jq_close(bench.jq);
}

static void bad_jq_has_its_place(void **state) {
    static const struct {
        const char *key, *finding; /* as compiled, or alone */
    } cases[] = {
        {".id | (",
         "drumbeat.yaml:7:11: error E0224: jq: '(' at column 7 is not closed, in 'key' in 'map' of source 'shop'\n"},
        {".id | nope",
         "drumbeat.yaml:7:11: error E0224: jq: nope/0 is not defined, in 'key' in 'map' of source 'shop'\n"},
        {"id", "drumbeat.yaml:7:11: error E0224: jq: id/0 is not defined, in 'key' in 'map' of source 'shop' "
               "(a place in the body begins with '/' or '.')\n"},
    };
    struct kit *kit = *state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct bench bench;
        open_bench(kit, &bench, "bearer", "", cases[i].key, "");
        assert_null(bench.jq);
        if (!bench.findings.errors) mappings_blame(kit->mappings, &bench.findings);
        struct buf text = {.arena = &kit->arena};
        for (const struct finding *one = bench.findings.first; one; one = one->next)
            buf_fmt(&text, "%.*s:%u:%u: error %s: %.*s\n", STR_ARG(one->file), one->mark.line, one->mark.column,
                    one->code, STR_ARG(one->text));
        assert_str(buf_str(&text), cases[i].finding);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(jq_names_type_key_and_moment, kit_setup, kit_teardown),
        cmocka_unit_test_setup_teardown(places_and_jq_stand_side_by_side, kit_setup, kit_teardown),
        cmocka_unit_test_setup_teardown(what_is_no_text_falls_back, kit_setup, kit_teardown),
        cmocka_unit_test_setup_teardown(an_error_is_the_bodys_and_is_named, kit_setup, kit_teardown),
        cmocka_unit_test_setup_teardown(each_item_of_a_list_has_its_own, kit_setup, kit_teardown),
        cmocka_unit_test_setup_teardown(a_runaway_stores_nothing_and_is_told_to_come_again, kit_setup, kit_teardown),
        cmocka_unit_test_setup_teardown(nobody_to_ask_is_no_fault_of_the_map, kit_setup, kit_teardown),
        cmocka_unit_test_setup_teardown(bad_jq_has_its_place, kit_setup, kit_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
