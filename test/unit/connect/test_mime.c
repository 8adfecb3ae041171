/* A mail's bytes: the head, the bodies, and what is refused. */
#include "kit_answer.h"

#include "connect/mime.h"

static struct mail plain_mail(void) {
    return (struct mail){.from = {STR("Shop"), STR("shop@example.com")},
                         .to = {STR(""), STR("ada@example.org")},
                         .subject = STR("Hello"),
                         .text = STR("Hi"),
                         .date_us = NOW,
                         .id = STR("id-1")};
}

/* The value of a header with its lines as they stand; "" = it is not there. */
static struct str header_of(struct str mail, const char *name, struct arena *arena) {
    char *start = memmem(mail.p, mail.n, name, strlen(name));
    if (!start) return STR("");
    char *end = start;
    do end = strstr(end, "\r\n") + 2;
    while (*end == ' ');
    start += strlen(name);
    return str_dup(arena, (struct str){start, (size_t)(end - 2 - start)});
}

static void subjects_beyond_ascii_are_words_of_whole_characters(void **state) {
    (void)state;
    static const struct {
        const char *subject, *written;
    } cases[] = {
        {"Hello", "Hello"},
        {"", ""},
        {"=?UTF-8?B?SGk=?=", "=?UTF-8?B?PT9VVEYtOD9CP1NHaz0/PQ==?="},
        {"Grüße", "=?UTF-8?B?R3LDvMOfZQ==?="},
        {"üüüüüüüüüüüüüüüüüüüüüüüü", "=?UTF-8?B?w7zDvMO8w7zDvMO8w7zDvMO8w7zDvMO8w7zDvMO8w7zDvMO8w7w=?=\r\n "
                                     "=?UTF-8?B?w7zDvMO8w7zDvA==?="},
        {"a long subject of ASCII letters alone, which no line of a head would hold as it is",
         "=?UTF-8?B?YSBsb25nIHN1YmplY3Qgb2YgQVNDSUkgbGV0dGVycyBhbG9uZSwg?=\r\n "
         "=?UTF-8?B?d2hpY2ggbm8gbGluZSBvZiBhIGhlYWQgd291bGQgaG9sZCBhcyBpdCBpcw==?="},
    };
    struct arena arena = ARENA_EMPTY;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct mail mail = plain_mail();
        mail.subject = str_from(cases[i].subject);
        assert_text(header_of(mail_write(&mail, &arena), "Subject: ", &arena), cases[i].written);
    }
    arena_free(&arena);
}

static void a_name_is_quoted_whatever_marks_it_has(void **state) {
    (void)state;
    static const struct {
        const char *text, *written;
    } cases[] = {
        {"Smith, John <a@x>", "\"Smith, John\" <a@x>"},
        {"John \"JJ\" Smith <a@x>", "\"John \\\"JJ\\\" Smith\" <a@x>"},
        {"\"John \\\"JJ\\\" Smith\" <a@x>", "\"John \\\"JJ\\\" Smith\" <a@x>"},
        {"a\\ <a@x>", "\"a\\\\\" <a@x>"},
        {"eve@x <a@x>", "\"eve@x\" <a@x>"},
        {"M\xc3\xbcller, A. <a@x>", "=?UTF-8?B?TcO8bGxlciwgQS4=?= <a@x>"},
    };
    struct arena arena = ARENA_EMPTY;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct mail mail = plain_mail();
        assert_true(party_parse(str_from(cases[i].text), &mail.to));
        assert_text(header_of(mail_write(&mail, &arena), "To: ", &arena), cases[i].written);
        assert_text(mime_party(&arena, str_from(cases[i].text)), cases[i].written);
    }
    arena_free(&arena);
}

static void dates_are_those_of_mail(void **state) {
    (void)state;
    static const struct {
        int64_t s;
        const char *written;
    } cases[] = {
        {0, "Thu, 01 Jan 1970 00:00:00 +0000"},          {951782399, "Mon, 28 Feb 2000 23:59:59 +0000"},
        {951827696, "Tue, 29 Feb 2000 12:34:56 +0000"},  {NOW_S, "Tue, 24 Nov 2026 12:00:00 +0000"},
        {4102444799, "Thu, 31 Dec 2099 23:59:59 +0000"},
    };
    struct arena arena = ARENA_EMPTY;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct mail mail = plain_mail();
        mail.date_us = cases[i].s * US_PER_S + 7; /* whose fraction does not show */
        assert_text(header_of(mail_write(&mail, &arena), "Date: ", &arena), cases[i].written);
    }
    arena_free(&arena);
}

static struct str body_of(struct str text, struct arena *arena) {
    struct mail mail = plain_mail();
    mail.text = text;
    struct str whole = mail_write(&mail, arena);
    const char *body = strstr(whole.p, "\r\n\r\n") + 4;
    return str_sub(whole, (size_t)(body - whole.p), whole.n);
}

static void bodies_survive_what_stands_in_their_way(void **state) {
    (void)state;
    static const struct {
        const char *text, *written;
    } cases[] = {
        {"a\nb", "a\r\nb\r\n"},
        {"a\r\nb\rc\n\n", "a\r\nb\r\nc\r\n\r\n"},
        {".\n", "=2E\r\n"},
        {"From me", "=46rom me\r\n"},
        {"Fromage", "Fromage\r\n"},
        {"a \nb\t", "a=20\r\nb=09\r\n"},
        {"ü=", "=C3=BC=3D\r\n"},
        {"\x01", "=01\r\n"},
        /* the break is placed so that the next line would begin with a dot */
        {"123456789012345678901234567890123456789012345678901234567890123456789012345.6",
         "123456789012345678901234567890123456789012345678901234567890123456789012345=\r\n=2E6\r\n"},
    };
    struct arena arena = ARENA_EMPTY;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        assert_text(body_of(str_from(cases[i].text), &arena), cases[i].written);
    arena_free(&arena);
}

/* Every length, with letters of one to four bytes and fragile ones: no line is longer, and none begins with a dot. */
static void no_line_is_too_long_and_none_begins_with_a_dot(void **state) {
    (void)state;
    static const char *const letters[] = {"a", ".", "ü", "日", "🎉", " ", "=", "F"};
    struct arena arena = ARENA_EMPTY;
    for (size_t n = 0; n < 400; n++) {
        struct buf text = {.arena = &arena};
        for (size_t i = 0; i < n; i++) buf_add(&text, str_from(letters[(i * i + n) % 8]));
        struct mail mail = plain_mail();
        mail.text = mail.html = buf_str(&text);
        mail.subject = str_sub(mail.text, 0, n < 300 ? SIZE_MAX : 0);
        mail.to.name = mail.from.name = n < 50 ? mail.text : STR("x");
        struct str rest = mail_write(&mail, &arena), line;
        if (!n) continue;
        while (str_next(&rest, '\n', &line)) {
            assert_true(line.n <= 79 && (line.n < 2 || line.p[0] != '.'));
            assert_true(!line.n || line.p[line.n - 1] == '\r');
            for (size_t i = 0; i < line.n; i++) assert_true((unsigned char)line.p[i] < 0x7f);
        }
        arena_reset(&arena);
    }
    arena_free(&arena);
}

static void what_would_be_another_mail_is_refused(void **state) {
    (void)state;
    static const struct {
        struct header header;
        const char *subject, *text, *unsubscribe, *problem;
    } cases[] = {
        {{{0}, {0}}, "Hello", "Hi", "", NULL},
        {{{0}, {0}}, "Hello", "", "", "neither"},
        {{{0}, {0}}, "Hel\nlo", "Hi", "", "the subject"},
        {{{0}, {0}}, "Hel\x7flo", "Hi", "", "the subject"},
        {{{0}, {0}}, "Hello", "Hi", "https://example.com/a b", "'unsubscribe'"},
        {{{0}, {0}}, "Hello", "Hi", "javascript:x", "'unsubscribe'"},
        {{{0}, {0}}, "Hello", "Hi", "mailto:leave@example.com", NULL},
        {{STR("X-A"), STR("1")}, "Hello", "Hi", "", NULL},
        {{STR("X-A"), STR("1\r\nBcc: e@x")}, "Hello", "Hi", "", "a header holds"},
        {{STR("X A"), STR("1")}, "Hello", "Hi", "", "a header has a name"},
        {{STR("To"), STR("e@x")}, "Hello", "Hi", "", "a header has a name"},
        {{STR("content-TYPE"), STR("text/html")}, "Hello", "Hi", "", "a header has a name"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct mail mail = plain_mail();
        mail.subject = str_from(cases[i].subject);
        mail.text = str_from(cases[i].text);
        mail.unsubscribe = str_from(cases[i].unsubscribe);
        if (cases[i].header.name.n) mail.headers[mail.header_count++] = cases[i].header;
        const char *problem = mail_problem(&mail), *wanted = cases[i].problem;
        if (wanted ? !problem || !strstr(problem, wanted) : problem != NULL)
            fail_msg("%zu: %s", i, problem ? problem : "nothing");
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(subjects_beyond_ascii_are_words_of_whole_characters),
        cmocka_unit_test(a_name_is_quoted_whatever_marks_it_has),
        cmocka_unit_test(dates_are_those_of_mail),
        cmocka_unit_test(bodies_survive_what_stands_in_their_way),
        cmocka_unit_test(no_line_is_too_long_and_none_begins_with_a_dot),
        cmocka_unit_test(what_would_be_another_mail_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
