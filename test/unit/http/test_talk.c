/* What a conversation with a mail server comes to. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* after those */
#include <cmocka.h>
#include <string.h>

#include "http/talk.h"

/* Lines of the server begin with "<", ours with ">"; "." is the end of the mail. */
static struct talk talk_of(const char *script) {
    struct talk talk = {0};
    struct str rest = str_from(script), line;
    talk_reset(&talk);
    while (str_next(&rest, '\n', &line)) {
        struct str text = str_sub(line, 1, line.n);
        if (line.p[0] == '<') talk_hear(&talk, text);
        if (line.p[0] == '>') talk_say(&talk, text);
        if (line.p[0] == '.') talk_end_message(&talk);
    }
    return talk;
}

#define GREETED "<220 hi\r\n>EHLO me\r\n<250-hi\r\n<250 AUTH PLAIN\r\n"
#define SENT    GREETED ">MAIL FROM:<a@b>\r\n<250 ok\r\n>RCPT TO:<c@d>\r\n<250 ok\r\n>DATA\r\n<354 go\r\n.\n"

static void decides_by_the_last_whole_reply(void **state) {
    (void)state;
    static const struct {
        const char *script;
        bool decided;
        int32_t code;
        const char *stage, *text;
    } cases[] = {
        {"", false, 0, "connect", ""},
        {GREETED, false, 250, "EHLO", "hi\nAUTH PLAIN"},
        {SENT, false, 354, "DATA", "go"},
        {SENT "<250 2.0.0 ok\r\n", true, 250, "message", "2.0.0 ok"},
        {SENT "<250-2.0.0 almost\r\n", false, 250, "message", "2.0.0 almost"},
        {SENT "<250 2.0.0 ok\r\n>QUIT\r\n<221 bye\r\n", true, 250, "message", "2.0.0 ok"},
        {SENT "<554-5.7.1 a\r\n<554 5.7.1 b\r\n", true, 554, "message", "5.7.1 a\n5.7.1 b"},
        {"<554 no\r\n>QUIT\r\n<221 bye\r\n", true, 554, "connect", "no"},
        {"<421\r\n", true, 421, "connect", ""},
        {GREETED ">MAIL FROM:<a@b>\r\n<250 ok\r\n>RCPT TO:<c@d>\r\n<550 5.1.1 no\r\n", true, 550, "RCPT TO",
         "5.1.1 no"},
        {GREETED ">NOOP\r\n<250 ok\r\n", true, 250, "NOOP", "ok"},
        {GREETED ">STARTTLS\r\n<454 no\r\n", true, 454, "STARTTLS", "no"},
        {"<220 hi\r\n>EHLO me\r\n<502 what\r\n>HELO me\r\n<250 hi\r\n", false, 250, "HELO", "hi"},
        {SENT "<nonsense\r\n<99 x\r\n<700 x\r\n<250x\r\n", false, 354, "DATA", "go"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct talk talk = talk_of(cases[i].script);
        struct answer answer = {0};
        talk_answer(&talk, &answer);
        bool same = talk_is_decided(&talk) == cases[i].decided && answer.status == cases[i].code &&
                    str_eq(answer.headers[0].value, str_from(cases[i].stage)) &&
                    str_eq(answer.body, str_from(cases[i].text));
        if (!same)
            fail_msg("%zu: %d %d %.*s: %.*s", i, talk_is_decided(&talk), answer.status,
                     STR_ARG(answer.headers[0].value), STR_ARG(answer.body));
    }
}

/* A name and password in base64 may look like a command. */
static void what_is_said_inside_auth_is_no_command(void **state) {
    (void)state;
    struct talk talk = talk_of(GREETED ">AUTH PLAIN\r\n<334 \r\n>QUIT\r\n<535 no\r\n");
    assert_true(talk.secret && talk.greeted && talk_is_decided(&talk));
    assert_int_equal(talk.replied, TALK_AUTH);
}

static void a_reply_without_end_is_kept_in_part(void **state) {
    (void)state;
    struct talk talk = talk_of("");
    char line[300];
    memset(line, 'x', sizeof line);
    memcpy(line, "550-", 4);
    for (int i = 0; i < 100; i++) talk_hear(&talk, (struct str){line, sizeof line});
    assert_false(talk_is_decided(&talk));
    assert_int_equal(talk.text_bytes, TALK_TEXT_MAX);
    talk_hear(&talk, STR("550 end\r\n"));
    assert_true(talk_is_decided(&talk));
    assert_int_equal(talk.text_bytes, TALK_TEXT_MAX);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(decides_by_the_last_whole_reply),
        cmocka_unit_test(what_is_said_inside_auth_is_no_command),
        cmocka_unit_test(a_reply_without_end_is_kept_in_part),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
