/* Who a mail is from and to. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* after those */
#include <cmocka.h>

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
        {"Lovelace, Ada <ada@example.com>", 0, 0},
        {"Ada <ada@example.com", 0, 0},
        {"Ada ada@example.com>", 0, 0},
        {"Ada\r\nBcc: <eve@example.com>", 0, 0},
        {"\"Ada\\\" <ada@example.com>", 0, 0},
        {"\"A\"da\" <ada@example.com>", 0, 0},
        {"Ada <a\r\n@x>", 0, 0},
        {"ada(home)@example.com", 0, 0},
        {"\xff@example.com", 0, 0},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct party party = {0};
        bool fits = party_parse(str_from(cases[i].text), &party);
        if (fits != (cases[i].address != NULL) || !str_eq(party.name, str_from(cases[i].name)) ||
            !str_eq(party.address, str_from(cases[i].address)))
            fail_msg("'%s': %d '%.*s' '%.*s'", cases[i].text, fits, STR_ARG(party.name), STR_ARG(party.address));
    }
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
        cmocka_unit_test(a_mails_own_headers_are_not_for_others),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
