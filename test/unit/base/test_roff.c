/* What a formatter of manual pages would take for its own language is escaped. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* after those */
#include <cmocka.h>

#include "base/arena.h"
#include "base/roff.h"

static void words_are_read_as_words(void **state) {
    (void)state;
    struct arena arena = ARENA_EMPTY;
    struct buf buf = {.arena = &arena};
    roff_words(&buf, STR(".start of a line\n'and another; ${.x} is `a-b \\n`, ~5^2, it's"));
    assert_string_equal(buf_str(&buf).p, "\\&.start of a line\n\\&'and another; ${.x} is \\fBa\\-b \\en\\fR, "
                                         "\\(ti5\\(ha2, it's");
    arena_free(&arena);
}

static void an_open_backquote_ends_with_the_text(void **state) {
    (void)state;
    struct arena arena = ARENA_EMPTY;
    struct buf buf = {.arena = &arena};
    roff_words(&buf, STR("`bold"));
    assert_string_equal(buf_str(&buf).p, "\\fBbold\\fR");
    arena_free(&arena);
}

static void code_is_shown_as_it_is_typed(void **state) {
    (void)state;
    struct arena arena = ARENA_EMPTY;
    struct buf buf = {.arena = &arena};
    roff_code(&buf, STR("send --data '{}' `x`"));
    assert_string_equal(buf_str(&buf).p, "send \\-\\-data \\(aq{}\\(aq \\(gax\\(ga");
    arena_free(&arena);
}

static void items_have_a_tag_and_an_argument(void **state) {
    (void)state;
    struct arena arena = ARENA_EMPTY;
    struct buf buf = {.arena = &arena};
    roff_request(&buf, ".SH", STR("A-B"));
    roff_item(&buf, STR("--key"), STR("KEY"));
    roff_item(&buf, STR("-q"), STR(""));
    assert_string_equal(buf_str(&buf).p, ".SH A\\-B\n.TP\n\\fB\\-\\-key\\fR \\fIKEY\\fR\n.TP\n\\fB\\-q\\fR\n");
    arena_free(&arena);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(words_are_read_as_words),
        cmocka_unit_test(an_open_backquote_ends_with_the_text),
        cmocka_unit_test(code_is_shown_as_it_is_typed),
        cmocka_unit_test(items_have_a_tag_and_an_argument),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
