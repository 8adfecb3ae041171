/* test_link.c - reaching a Redis, losing it, and what is made of answers that are none. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "member.h"

#include "liar.h"

static const struct limit_rule rules[] = {{10, 900 * US_PER_S}};
static const struct limit_ask usual = {
    .limit = {"x_api", 5}, .rules = rules, .rule_count = 1, .want = 1, .hold_us = 30 * US_PER_S};
/* Enough for a new connection to be tried. */
#define PAUSE_OVER_US (501 * US_PER_MS)

static void open_with(struct member *member, const char *url, int64_t deadline_us) {
    const struct share_options options = {.url = str_from(url),
                                          .deadline_us = deadline_us,
                                          .instance = STR("here"),
                                          .clock = {.now_us = member_now_us, .self = member}};
    struct str problem = STR_NONE;
    *member = (struct member){0};
    if (share_open(&options, &member->arena, &member->share, &problem)) fail_msg("%.*s", STR_ARG(problem));
    member->limits = share_limits(member->share);
}

/* A clock that stands, so that the pause ends when the test says so. */
static int64_t standing_now_us(void *self) {
    return US_PER_DAY + ((struct member *)self)->ahead_us;
}

static void open_standing(struct member *member, const char *url, int64_t deadline_us) {
    const struct share_options options = {.url = str_from(url),
                                          .deadline_us = deadline_us,
                                          .instance = STR("here"),
                                          .clock = {.now_us = standing_now_us, .self = member}};
    struct str problem = STR_NONE;
    *member = (struct member){0};
    if (share_open(&options, &member->arena, &member->share, &problem)) fail_msg("%.*s", STR_ARG(problem));
    member->limits = share_limits(member->share);
}

static void assert_trouble(const struct member *member, const char *words) {
    const char *trouble = share_trouble(member->share);
    if (!strstr(trouble, words)) fail_msg("'%s' does not say '%s'", trouble, words);
}

/* Nobody answers any more once this returned. */
static void server_freeze(const struct server *server) {
    int status = 0;
    kill(server->pid, SIGSTOP);
    assert_int_equal(waitpid(server->pid, &status, WUNTRACED), server->pid);
    assert_true(WIFSTOPPED(status));
}

static void server_thaw(const struct server *server) {
    kill(server->pid, SIGCONT);
}

/* ---- ways to a server ---- */

static void test_hosts_ports_and_databases_are_found(void **state) {
    (void)state;
    static const char *const formats[] = {"redis://127.0.0.1:%d", "redis://localhost:%d/3", "redis://LOCALHOST:%d/3"};
    struct server server;
    server_start(&server, true, NULL, 0);
    for (size_t i = 0; i < ARRAY_COUNT(formats); i++) {
        struct member member;
        char url[64];
        snprintf(url, sizeof url, formats[i], server.port);
        member_open(&member, url);
        assert_int_equal(member_take(&member, &usual).remaining, i < 2 ? 9 : 8);
        member_close(&member);
    }
    server_number(&server, "SELECT 3");
    assert_int_equal(server_number(&server, "GET rate_limit:x_api:window"), 8);
    server_stop(&server);
}

static void test_a_password_is_given_and_never_shown(void **state) {
    (void)state;
    static const char *const extra[] = {"--requirepass", "p@ss/w:ord", "--user", "ana", "on",
                                        ">hunter2",      "~*",         "+@all"};
    static const struct {
        const char *login;
        const char *words; /* NULL = it is right */
    } cases[] = {
        {":p%40ss%2Fw%3Aord@", NULL},      {"default:p@ss%2Fw:ord@", NULL},   {"ana:hunter2@", NULL},
        {":hunter2@", "login: WRONGPASS"}, {"ana:p@ss@", "login: WRONGPASS"}, {"", "the script: NOAUTH"},
    };
    struct server server;
    server_start(&server, false, extra, ARRAY_COUNT(extra));
    for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
        struct member member;
        char url[160];
        snprintf(url, sizeof url, "unix://%s%s", cases[i].login, server.socket);
        member_open(&member, url);
        if (cases[i].words) {
            member_fails(&member, &usual);
            assert_false(share_is_up(member.share));
            assert_trouble(&member, cases[i].words);
            assert_null(strstr(share_trouble(member.share), "hunter2"));
            assert_null(strstr(share_trouble(member.share), "p@ss"));
        } else {
            member_take(&member, &usual);
        }
        member_close(&member);
    }
    server_stop(&server);
}

/* Some errors repeat the command. */
static void test_an_error_that_shows_the_password_is_cut(void **state) {
    (void)state;
    struct liar liar = {.lies = {STR("-ERR unknown command, with args beginning with: 'hunter2'\r\n")}};
    struct member member;
    char url[160];
    liar_start(&liar);
    snprintf(url, sizeof url, "unix://:hunter2@%s", liar.socket);
    member_open(&member, url);
    member_fails(&member, &usual);
    assert_string_equal(share_trouble(member.share), "Redis refused the login: ERR");
    member_close(&member);
    liar_stop(&liar);
}

static void test_a_name_that_is_nobodys(void **state) {
    (void)state;
    struct member member;
    open_standing(&member, "redis://nobody.invalid", 10 * US_PER_MS);
    for (int i = 0; i < 3; i++) {
        member_fails(&member, &usual);
        assert_trouble(&member, "no connection to Redis");
        member.ahead_us += PAUSE_OVER_US;
    }
    member_close(&member);
}

/* ---- losing it ---- */

static void test_nobody_is_there_and_then_somebody(void **state) {
    (void)state;
    struct server server;
    struct member member;
    server_start(&server, false, NULL, 0);
    server_kill(&server);
    open_standing(&member, server.url, US_PER_S);
    assert_false(share_is_up(member.share));
    member_fails(&member, &usual);
    assert_trouble(&member, "no connection to Redis: No such file");
    server_begin(&server);
    member.ahead_us += PAUSE_OVER_US - 2 * US_PER_MS; /* not yet */
    member_fails(&member, &usual);
    assert_trouble(&member, "no connection to Redis: No such file");
    size_t remaining = 77;
    assert_int_equal(member_look(&member, &usual, &remaining), ERR_IO);
    assert_int_equal(remaining, 77);
    member.ahead_us += 2 * US_PER_MS;
    assert_int_equal(member_take(&member, &usual).granted, 1);
    assert_true(share_is_up(member.share));
    member_close(&member);
    server_stop(&server);
}

static void test_a_server_that_was_killed(void **state) {
    (void)state;
    struct server server;
    struct member member;
    server_start(&server, false, NULL, 0);
    open_standing(&member, server.url, US_PER_S);
    assert_int_equal(member_take(&member, &usual).granted, 1);
    server_kill(&server);
    member_started(&member, usual.limit, 1); /* to nobody, and nobody is harmed */
    member.ahead_us += PAUSE_OVER_US;
    member_fails(&member, &usual);
    assert_false(share_is_up(member.share));
    server_begin(&server);
    member.ahead_us += PAUSE_OVER_US;
    member_fails(&member, &usual); /* a Redis that keeps nothing on disk has forgotten */
    assert_int_equal(member.losses, 1);
    assert_int_equal(member_take(&member, &usual).remaining, 9);
    member_close(&member);
    server_stop(&server);
}

/* A connection that the server closed is replaced before anything is asked on it: nothing fails. */
static void test_a_connection_closed_while_idle_is_not_noticed(void **state) {
    (void)state;
    struct server server;
    struct member member;
    server_start(&server, false, NULL, 0);
    open_standing(&member, server.url, US_PER_S);
    assert_int_equal(member_take(&member, &usual).granted, 1);
    member_started(&member, usual.limit, 1);
    assert_int_equal(member_remaining(&member, &usual), 9);
    assert_int_equal(server_number(&server, "CLIENT KILL TYPE normal SKIPME yes"), 1);
    member.ahead_us += PAUSE_OVER_US;
    assert_int_equal(member_take(&member, &usual).remaining, 8);
    member_close(&member);
    server_stop(&server);
}

static void test_a_server_that_hangs(void **state) {
    (void)state;
    struct server server;
    struct member member;
    server_start(&server, false, NULL, 0);
    open_standing(&member, server.url, 50 * US_PER_MS);
    while (member_look(&member, &usual, &(size_t){0})) member.ahead_us += PAUSE_OVER_US;
    server_freeze(&server);
    member_fails(&member, &usual);
    assert_trouble(&member, "did not answer in time");
    member_quiet(&member, usual.limit, US_PER_MIN); /* there is no connection: it goes with the next take */
    member.ahead_us += PAUSE_OVER_US;
    member_fails(&member, &usual);
    assert_trouble(&member, "did not answer in time");
    server_thaw(&server);
    struct limit_grant grant = {.granted = 77};
    do member.ahead_us += PAUSE_OVER_US;
    while (member_try(&member, &usual, &grant));
    assert_int_equal(grant.granted, 0);
    assert_true(grant.quiet_us > 0);
    member_close(&member);
    server_stop(&server);
}

/* A take that was sent and not answered is carried out when the server goes on. Its places are not kept for a process
 * that never heard of them, and a start that could not be told is told then. */
static void stall(void (*tell)(struct member *member, struct str limit, size_t started)) {
    struct server server;
    struct member member;
    struct limit_ask ask = usual;
    server_start(&server, false, NULL, 0);
    open_standing(&member, server.url, 50 * US_PER_MS);
    while (member_look(&member, &usual, &(size_t){0})) member.ahead_us += PAUSE_OVER_US;
    ask.want = 3;
    assert_int_equal(member_take(&member, &ask).granted, 3);
    server_freeze(&server);
    tell(&member, ask.limit, 1);
    ask.want = 5;
    for (int i = 0; i < 3; i++, member.ahead_us += PAUSE_OVER_US) member_fails(&member, &ask);
    server_thaw(&server);
    size_t remaining = 0;
    for (int i = 0; i < 100 && remaining != 9; i++, member.ahead_us += PAUSE_OVER_US)
        (void)!member_look(&member, &usual, &remaining);
    assert_int_equal(remaining, 9);
    member_close(&member);
    server_stop(&server);
}

static void test_what_a_stall_left_pending_is_given_back(void **state) {
    (void)state;
    stall(member_started);
}

static void test_what_flies_outlives_a_stall(void **state) {
    (void)state;
    stall(member_flying);
}

/* Another limit, for which nothing is asked any more, is given back with whatever is asked next. */
static void test_what_is_in_doubt_is_given_back_unasked(void **state) {
    (void)state;
    struct server server;
    struct member member, other;
    struct limit_ask ask = usual, next = usual;
    next.limit = STR("next");
    ask.want = 4;
    server_start(&server, false, NULL, 0);
    open_standing(&member, server.url, 50 * US_PER_MS);
    member_open(&other, server.url);
    while (member_look(&member, &usual, &(size_t){0})) member.ahead_us += PAUSE_OVER_US;
    server_freeze(&server);
    member_fails(&member, &ask);
    server_thaw(&server);
    for (int i = 0; i < 100 && member_look(&member, &next, &(size_t){0}); i++) member.ahead_us += PAUSE_OVER_US;
    assert_int_equal(member_remaining(&other, &usual), 10);
    member_close(&member);
    member_close(&other);
    server_stop(&server);
}

/* Notes to one that reads nothing are kept up to a bound; then it is taken for gone. */
static void test_notes_to_a_server_that_hangs_have_a_bound(void **state) {
    (void)state;
    struct server server;
    struct member member;
    server_start(&server, false, NULL, 0);
    member_open(&member, server.url);
    member_remaining(&member, &usual);
    server_freeze(&server);
    for (int i = 0; i < 100000 && !*share_trouble(member.share); i++)
        member_quiet(&member, usual.limit, US_PER_MIN + i);
    assert_trouble(&member, "Redis does not answer");
    server_thaw(&server);
    member.ahead_us += PAUSE_OVER_US;
    assert_int_equal(member_take(&member, &usual).granted, 0); /* those that were sent before do count */
    member_close(&member);
    server_stop(&server);
}

/* What may come for one answer is bounded, not what comes over a connection. */
static void test_many_calls_go_over_one_connection(void **state) {
    (void)state;
    struct server server;
    struct member member;
    struct limit_ask ask = usual;
    ask.want = 0;
    server_start(&server, false, NULL, 0);
    open_standing(&member, server.url, 10 * US_PER_S);
    for (int i = 0; i < 1500; i++) assert_int_equal(member_take(&member, &ask).remaining, 10);
    assert_true(*share_trouble(member.share) == 0);
    member_close(&member);
    server_stop(&server);
}

static void test_a_forgotten_script_is_sent_again(void **state) {
    (void)state;
    struct server server;
    struct member member;
    server_start(&server, false, NULL, 0);
    member_open(&member, server.url);
    assert_int_equal(member_take(&member, &usual).granted, 1);
    member_started(&member, usual.limit, 1);
    member_remaining(&member, &usual);
    for (int i = 0; i < 2; i++) {
        server_number(&server, "SCRIPT FLUSH");
        assert_int_equal(member_take(&member, &usual).remaining, 8);
        member_started(&member, usual.limit, 0);
    }
    member_close(&member);
    server_stop(&server);
}

/* Its words are shown, and the connection is dropped; when the trouble is over, all is as before. */
static void test_a_server_that_refuses(void **state) {
    (void)state;
    struct server server;
    struct member member;
    server_start(&server, false, NULL, 0);
    open_standing(&member, server.url, US_PER_S);
    server_number(&server, "SET rate_limit:x_api:epoch somebody's");
    member_fails(&member, &usual);
    assert_trouble(&member, "WRONGTYPE");
    assert_false(share_is_up(member.share));
    server_number(&server, "DEL rate_limit:x_api:epoch");
    server_number(&server, "REPLICAOF 127.0.0.1 1");
    member.ahead_us += PAUSE_OVER_US;
    member_fails(&member, &usual);
    assert_trouble(&member, "READONLY");
    server_number(&server, "REPLICAOF NO ONE");
    member.ahead_us += PAUSE_OVER_US;
    assert_int_equal(member_take(&member, &usual).granted, 1);
    member_close(&member);
    server_stop(&server);
}

/* ---- answers that are none ---- */

static char endless[READ_BYTES * 2]; /* of one bulk string that never ends */

static void test_what_makes_no_sense_is_trouble(void **state) {
    (void)state;
    memset(endless, 'x', sizeof endless);
    memcpy(endless, "$9999999\r\n", 10);
    const struct str endless_text = {endless, sizeof endless};
    const struct {
        struct str first, second;
        const char *words;
    } cases[] = {
        {STR("HTTP/1.1 400 Bad Request\r\n\r\n"), STR_NONE, "not its protocol"},
        {STR("+OK\r\n"), STR_NONE, "makes no sense"},
        {STR("$3\r\nabc\r\n"), STR_NONE, "makes no sense"},
        {STR("-LOADING \x1b[31mwait\r\n"), STR_NONE, "script: LOADING"},
        {STR(LOADED ":1\r\n"), STR_NONE, "makes no sense"},
        {STR(LOADED), STR(":1\r\n"), "makes no sense"},
        {STR(LOADED), STR("$-1\r\n"), "makes no sense"},
        {STR(LOADED), STR("*-1\r\n"), "makes no sense"},
        {STR(LOADED), STR("*0\r\n"), "makes no sense"},
        {STR(LOADED), STR("*6\r\n:1\r\n:1\r\n:1\r\n:9\r\n:0\r\n:0\r\n"), "makes no sense"},
        {STR(LOADED), STR("*8\r\n:1\r\n:1\r\n:1\r\n:9\r\n:0\r\n:0\r\n:0\r\n:0\r\n"), "makes no sense"},
        {STR(LOADED), STR("*7\r\n:1\r\n:1\r\n$1\r\n1\r\n:9\r\n:0\r\n:0\r\n:0\r\n"), "makes no sense"},
        {STR(LOADED), STR("*7\r\n:1\r\n:1\r\n*1\r\n*1\r\n:1\r\n:9\r\n:0\r\n:0\r\n:0\r\n"), "makes no sense"},
        {STR(LOADED), STR("*7\r\n:1\r\n:1\r\n:2\r\n:9\r\n:0\r\n:0\r\n:0\r\n"), "makes no sense"},  /* more than asked */
        {STR(LOADED), STR("*7\r\n:0\r\n:1\r\n:1\r\n:9\r\n:0\r\n:0\r\n:0\r\n"), "makes no sense"},  /* no epoch */
        {STR(LOADED), STR("*7\r\n:2\r\n:1\r\n:1\r\n:9\r\n:0\r\n:0\r\n:0\r\n"), "makes no sense"},  /* takes before it */
        {STR(LOADED), STR("*7\r\n:1\r\n:1\r\n:1\r\n:-9\r\n:0\r\n:0\r\n:0\r\n"), "makes no sense"}, /* less than none */
        {STR(LOADED), STR("*7\r\n:1\r\n:1\r\n:1\r\n:9\r\n:-1\r\n:0\r\n:0\r\n"),
         "makes no sense"}, /* a wait before now */
        {STR(LOADED), STR("*7\r\n:1\r\n:1\r\n:1\r\n:9\r\n:0\r\n:86400000001\r\n:0\r\n"), "makes no sense"},
        {STR(LOADED), STR("*7\r\n:1\r\n:1\r\n:1\r\n:9\r\n:0\r\n:0\r\n:2\r\n"), "makes no sense"},
        {STR(LOADED), STR("*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n:1\r\n"), "not its protocol"},
        {STR(LOADED), STR("*7\r\n:x\r\n"), "not its protocol"},
        {STR(LOADED), STR("\r\n"), "not its protocol"},
        {STR(LOADED), STR("-ERR \x1b]0;title\x07 no\r\n"), "Redis refused: ERR ?]0;title? no"},
        {STR(LOADED), STR("-NOSCRIPT\r\n"), "in time"}, /* says nothing to the whole text */
        {STR(LOADED), STR("*7\r\n:1\r\n:1\r\n"), "in time"},
        {STR(LOADED), STR_NONE, "in time"},
        {STR_NONE, STR_NONE, "in time"},
        {STR(LOADED), endless_text, "too long"},
    };
    for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
        struct liar liar = {.lies = {cases[i].first, cases[i].second}};
        struct member member;
        liar_start(&liar);
        /* What is silent is waited for in full; what speaks has time. */
        open_with(&member, liar.url, strcmp(cases[i].words, "in time") ? 10 * US_PER_S : 30 * US_PER_MS);
        member_fails(&member, &usual);
        assert_trouble(&member, cases[i].words);
        assert_false(share_is_up(member.share));
        member_close(&member);
        liar_stop(&liar);
    }
}

static void test_what_hangs_up_is_trouble(void **state) {
    (void)state;
    const struct str greetings[] = {STR_NONE, STR(LOADED)};
    for (size_t i = 0; i < ARRAY_COUNT(greetings); i++) {
        struct liar liar = {.lies = {greetings[i]}, .hangs_up = true};
        struct member member;
        liar_start(&liar);
        open_with(&member, liar.url, 10 * US_PER_S);
        member_fails(&member, &usual);
        assert_trouble(&member, "connection to Redis broke");
        member_close(&member);
        liar_stop(&liar);
    }
}

/* An answer is never taken for that of another question. */
static void test_what_speaks_unasked_is_not_listened_to(void **state) {
    (void)state;
    struct liar liar = {
        .lies = {
            STR(LOADED),
            STR("*7\r\n:1\r\n:1\r\n:0\r\n:5\r\n:0\r\n:0\r\n:0\r\n*7\r\n:1\r\n:1\r\n:1\r\n:9\r\n:0\r\n:0\r\n:0\r\n")}};
    struct member member;
    liar_start(&liar);
    open_standing(&member, liar.url, 10 * US_PER_S);
    assert_int_equal(member_remaining(&member, &usual), 5);
    member_fails(&member, &usual);
    assert_trouble(&member, "spoke unasked");
    member_close(&member);
    liar_stop(&liar);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_hosts_ports_and_databases_are_found),
        cmocka_unit_test(test_a_password_is_given_and_never_shown),
        cmocka_unit_test(test_an_error_that_shows_the_password_is_cut),
        cmocka_unit_test(test_a_name_that_is_nobodys),
        cmocka_unit_test(test_nobody_is_there_and_then_somebody),
        cmocka_unit_test(test_a_server_that_was_killed),
        cmocka_unit_test(test_a_connection_closed_while_idle_is_not_noticed),
        cmocka_unit_test(test_a_server_that_hangs),
        cmocka_unit_test(test_what_a_stall_left_pending_is_given_back),
        cmocka_unit_test(test_what_flies_outlives_a_stall),
        cmocka_unit_test(test_what_is_in_doubt_is_given_back_unasked),
        cmocka_unit_test(test_notes_to_a_server_that_hangs_have_a_bound),
        cmocka_unit_test(test_many_calls_go_over_one_connection),
        cmocka_unit_test(test_a_forgotten_script_is_sent_again),
        cmocka_unit_test(test_a_server_that_refuses),
        cmocka_unit_test(test_what_makes_no_sense_is_trouble),
        cmocka_unit_test(test_what_hangs_up_is_trouble),
        cmocka_unit_test(test_what_speaks_unasked_is_not_listened_to),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
