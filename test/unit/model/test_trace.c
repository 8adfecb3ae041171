/* Which trace an event belongs to, what is kept of it, and what a receiver is told. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* after those */
#include <cmocka.h>
#include <string.h>

#include "base/arena.h"
#include "model/trace.h"

#define PARENT "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"

static void reads_what_w3c_says(void **state) {
    (void)state;
    static const struct {
        const char *text;
        bool good, sampled;
    } cases[] = {
        {PARENT, true, true},
        {"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00", true, false},
        {"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-03", true, true},
        {"cc-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-what-the-future-brings", true, true},
        {"cc-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01.x", false, false},
        {"ff-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", false, false},
        {PARENT "-more", false, false},
        {"00-0AF7651916CD43DD8448EB211C80319C-B7AD6B7169203331-01", false, false},
        {"00-00000000000000000000000000000000-b7ad6b7169203331-01", false, false},
        {"00-0af7651916cd43dd8448eb211c80319c-0000000000000000-01", false, false},
        {"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-0", false, false},
        {"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-zz", false, false},
        {"00_0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", false, false},
        {"", false, false},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct trace_place place = {0};
        bool good = trace_parent_parse(str_from(cases[i].text), &place);
        if (good != cases[i].good || place.parent_sampled != cases[i].sampled) fail_msg("%s", cases[i].text);
        if (!good) continue;
        assert_int_equal(place.trace[0], 0x0a);
        assert_int_equal(place.trace[15], 0x9c);
        assert_int_equal(place.parent.b[7], 0x31);
    }
}

static struct event event_of(uint8_t last, struct str parent) {
    struct event event = {.trace_parent = parent};
    for (size_t i = 0; i < sizeof event.id.b; i++) event.id.b[i] = (uint8_t)(i + 1);
    event.id.b[15] = last;
    return event;
}

static void an_event_is_its_own_trace_or_goes_on_with_another(void **state) {
    (void)state;
    struct event own = event_of(9, STR("")), foreign = event_of(9, STR(PARENT)),
                 broken = event_of(9, STR("00-nonsense"));
    assert_memory_equal(trace_place_of(&own).trace, own.id.b, 16);
    assert_false(trace_place_of(&own).has_parent);
    assert_int_equal(trace_place_of(&foreign).trace[0], 0x0a);
    assert_true(trace_place_of(&foreign).has_parent);
    assert_memory_equal(trace_place_of(&broken).trace, broken.id.b, 16);
}

static bool kept(enum trace_sampler_kind kind, double ratio, bool parent_based, const char *parent, uint8_t last) {
    const struct trace_sampler sampler = {kind, ratio, parent_based};
    const struct event event = event_of(last, str_from(parent));
    const struct trace_place place = trace_place_of(&event);
    return trace_is_sampled(&sampler, &place);
}

static void the_head_decides_for_all(void **state) {
    (void)state;
    static const char unsampled[] = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00";
    assert_true(kept(TRACE_ALWAYS, 0, false, "", 1));
    assert_false(kept(TRACE_NEVER, 0, false, PARENT, 1));
    assert_true(kept(TRACE_NEVER, 0, true, PARENT, 1));
    assert_false(kept(TRACE_ALWAYS, 0, true, unsampled, 1));
    assert_true(kept(TRACE_ALWAYS, 0, false, unsampled, 1));
    assert_false(kept(TRACE_RATIO, 0, false, "", 1));
    assert_true(kept(TRACE_RATIO, 1, false, "", 1));
    assert_true(kept(TRACE_RATIO, 0, true, PARENT, 1));
}

/* Ids that differ in their last byte alone are as good as random ones; what a ratio keeps, a larger one keeps too. */
static void a_ratio_keeps_its_share(void **state) {
    (void)state;
    int few = 0, many = 0;
    for (int i = 0; i < 256; i++) {
        bool in_few = kept(TRACE_RATIO, 0.1, false, "", (uint8_t)i),
             in_many = kept(TRACE_RATIO, 0.5, false, "", (uint8_t)i);
        few += in_few;
        many += in_many;
        assert_true(!in_few || in_many);
    }
    assert_in_range(few, 10, 45);
    assert_in_range(many, 100, 156);
}

static void every_attempt_has_a_span_of_its_own(void **state) {
    (void)state;
    struct arena arena = ARENA_EMPTY;
    const struct event event = event_of(9, STR(PARENT));
    struct delivery delivery = {.event = &event, .attempts = 1};
    for (size_t i = 0; i < sizeof delivery.key.b; i++) delivery.key.b[i] = (uint8_t)(0xa0 + i);
    struct trace_span_id first = trace_attempt_span(&delivery, 1), second = trace_attempt_span(&delivery, 2);
    struct trace_span_id settle = trace_settle_span(&delivery, 1);
    assert_memory_not_equal(&first, &second, sizeof first);
    assert_memory_not_equal(&first, &settle, sizeof first);
    struct str text = trace_parent_text(&arena, NULL, &delivery);
    assert_true(str_eq(text, STR("00-0af7651916cd43dd8448eb211c80319c-a0a1a2a3a4a5a6a6-01")));
    const struct trace_sampler never = {TRACE_NEVER, 0, false};
    assert_true(str_ends(trace_parent_text(&arena, &never, &delivery), STR("-00")));
    delivery.key = (struct uuid){{0}};
    struct trace_span_id none = {{0}}, zero = trace_attempt_span(&delivery, 1);
    assert_memory_not_equal(&zero, &none, sizeof none); /* all zeros would be no span */
    arena_free(&arena);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_what_w3c_says),
        cmocka_unit_test(an_event_is_its_own_trace_or_goes_on_with_another),
        cmocka_unit_test(the_head_decides_for_all),
        cmocka_unit_test(a_ratio_keeps_its_share),
        cmocka_unit_test(every_attempt_has_a_span_of_its_own),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
