/* Who a mail is from and to. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* after those */
#include <cmocka.h>

#include "base/arena.h"
#include "model/party.h"

static void one_mailbox_and_never_a_list(void **state) {
    (void)state;
    static const struct {
        const char *text, *name, *address; /* address NULL = refused */
    } cases[] = {
        {"ada@example.com", "", "ada@example.com"},
        {"  ada@example.com\n", "", "ada@example.com"},
        {"<ada@example.com>", "", "ada@example.com"},
        {"Ada <ada@example.com>", "Ada", "ada@example.com"},
        {"Ada Lövelace<ada@example.com>", "Ada Lövelace", "ada@example.com"},
        {"\"Lovelace, Ada\" <ada@example.com>", "Lovelace, Ada", "ada@example.com"},
        {"jörg@bücher.example", "", "jörg@bücher.example"},
        {"a+b.c_d@x", "", "a+b.c_d@x"},
        {"", 0, 0},
        {"ada", 0, 0},
        {"@example.com", 0, 0},
        {"ada@", 0, 0},
        {"a@b@c", 0, 0},
        {"a@x, b@x", 0, 0},
        {"a@x b@x", 0, 0},
        {"Ada <a@x>, Bob <b@x>", 0, 0},
        {"Lovelace, Ada <ada@example.com>", "Lovelace, Ada", "ada@example.com"},
        {"John \"JJ\" Smith <a@x>", "John \"JJ\" Smith", "a@x"},
        {"J. (Joe) D <a@x>", "J. (Joe) D", "a@x"},
        {"Dr: A; B <a@x>", "Dr: A; B", "a@x"},
        {"a<b <a@x>", "a<b", "a@x"},
        {"a@x <a@x>", "a@x", "a@x"},
        {"\"A \\\"B\\\" C\" <a@x>", "A \"B\" C", "a@x"},
        {"\"Ada\\\" <a@x>", "\"Ada\\\"", "a@x"},
        {"\"A\"da\" <a@x>", "\"A\"da\"", "a@x"},
        {"Ada <b@x> <a@x>", "Ada <b@x>", "a@x"},
        {"b@x, Ada <a@x>", 0, 0},
        {"Bob <b@x>; Ada <a@x>", 0, 0},
        {"A\rda <a@x>", 0, 0},
        {"A\x7f"
         "da <a@x>",
         0, 0},
        {"Ada <ada@example.com", 0, 0},
        {"Ada ada@example.com>", 0, 0},
        {"Ada\r\nBcc: <eve@example.com>", 0, 0},
        {"Ada <a\r\n@x>", 0, 0},
        {"ada(home)@example.com", 0, 0},
        {"\xff@example.com", 0, 0},
    };
    struct arena arena = ARENA_EMPTY;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct party party = {0};
        bool fits = party_parse(str_from(cases[i].text), &party);
        struct str name = party_name(&arena, &party);
        if (fits != (cases[i].address != NULL) || !str_eq(name, str_from(cases[i].name)) ||
            !str_eq(party.address, str_from(cases[i].address)))
            fail_msg("'%s': %d '%.*s' '%.*s'", cases[i].text, fits, STR_ARG(name), STR_ARG(party.address));
        if (fits == (party_problem(&arena, str_from(cases[i].text)).n > 0)) fail_msg("'%s'", cases[i].text);
    }
    arena_free(&arena);
}

static void what_is_no_mailbox_is_told_why(void **state) {
    (void)state;
    static const struct {
        const char *text, *problem;
    } cases[] = {
        {"", "it is empty"},
        {"ada", "it has no '@'"},
        {"a b@x", "the address has a blank in it"},
        {"Ada <a;b@x>", "';' cannot stand in an address"},
        {"Ada ada@x>", "it has a '>' without its '<'"},
        {"Ada <a@x>, Bob <b@x>", "it has more than one address"},
        {"Ada\nBcc: <eve@x>", "the name has a line break or another control character in it"},
    };
    struct arena arena = ARENA_EMPTY;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct str problem = party_problem(&arena, str_from(cases[i].text));
        if (!str_eq(problem, str_from(cases[i].problem))) fail_msg("'%s': %.*s", cases[i].text, STR_ARG(problem));
    }
    arena_free(&arena);
}

static void names_with_marks_are_quoted_for_providers(void **state) {
    (void)state;
    static const struct {
        const char *text, *written;
    } cases[] = {
        {"ada@x", "ada@x"},
        {"Ada L\xc3\xb6velace <a@x>", "Ada L\xc3\xb6velace <a@x>"},
        {"Smith, John <a@x>", "\"Smith, John\" <a@x>"},
        {"\"Smith, John\" <a@x>", "\"Smith, John\" <a@x>"},
        {"John \"JJ\" Smith <a@x>", "\"John \\\"JJ\\\" Smith\" <a@x>"},
        {"back\\slash <a@x>", "\"back\\\\slash\" <a@x>"},
        {"Ada <a@x>, Bob <b@x>", "Ada <a@x>, Bob <b@x>"},
    };
    struct arena arena = ARENA_EMPTY;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct str written = party_text(&arena, str_from(cases[i].text));
        if (!str_eq(written, str_from(cases[i].written))) fail_msg("'%s': %.*s", cases[i].text, STR_ARG(written));
    }
    arena_free(&arena);
}

static void a_mails_own_headers_are_not_for_others(void **state) {
    (void)state;
    static const char *const allowed[] = {"X-Campaign", "Auto-Submitted", "List-Id", "References"};
    static const char *const refused[] = {"To", "bcc", "FROM", "Message-ID", "Content-Type", "a b", "a:b", "", "ä"};
    for (size_t i = 0; i < sizeof allowed / sizeof *allowed; i++)
        assert_true(mail_header_allowed(str_from(allowed[i])));
    for (size_t i = 0; i < sizeof refused / sizeof *refused; i++)
        assert_false(mail_header_allowed(str_from(refused[i])));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_mailbox_and_never_a_list),
        cmocka_unit_test(what_is_no_mailbox_is_told_why),
        cmocka_unit_test(names_with_marks_are_quoted_for_providers),
        cmocka_unit_test(a_mails_own_headers_are_not_for_others),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
