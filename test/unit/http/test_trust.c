/* Which servers the client trusts: openssl's own test server with certificates
 * made here, and the server's unix socket. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* after those */
#include <cmocka.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <time.h>

#include "house.h"
#include "http/client.h"
#include "http/passage.h"
#include "liar.h"

extern char **environ;

struct folder {
    char path[64];
    char certificate[96], key[96];
};

static void run_openssl(char *const argv[]) {
    pid_t pid;
    int status = -1;
    posix_spawn_file_actions_t quiet;
    posix_spawn_file_actions_init(&quiet);
    posix_spawn_file_actions_addopen(&quiet, STDERR_FILENO, "/dev/null", O_WRONLY, 0);
    assert_int_equal(posix_spawnp(&pid, argv[0], &quiet, NULL, argv, environ), 0);
    posix_spawn_file_actions_destroy(&quiet);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
}

/* A certificate for localhost that vouches for itself. */
static int make_certificate(void **state) {
    struct folder *folder = calloc(1, sizeof *folder);
    const char *temporary = getenv("TMPDIR");
    snprintf(folder->path, sizeof folder->path, "%.40s/trustXXXXXX", temporary ? temporary : "/tmp");
    assert_non_null(mkdtemp(folder->path));
    snprintf(folder->certificate, sizeof folder->certificate, "%s/certificate", folder->path);
    snprintf(folder->key, sizeof folder->key, "%s/key", folder->path);
    run_openssl((char *[]){"openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
                           "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost", "-days", "2", "-keyout",
                           folder->key, "-out", folder->certificate, NULL});
    *state = folder;
    return 0;
}

static int remove_certificate(void **state) {
    struct folder *folder = *state;
    unlink(folder->certificate);
    unlink(folder->key);
    rmdir(folder->path);
    free(folder);
    return 0;
}

struct tls_server {
    pid_t pid;
    int output;
    unsigned port;
};

/* It says on which port it accepts once it does. */
static struct tls_server start_server(struct folder *folder) {
    struct tls_server server = {0};
    int ends[2];
    assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, ends[1], STDOUT_FILENO);
    posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, "/dev/null", O_WRONLY, 0);
    char *argv[] = {"openssl", "s_server",          "-4",   "-accept",   "0", "-www",
                    "-cert",   folder->certificate, "-key", folder->key, NULL};
    assert_int_equal(posix_spawnp(&server.pid, argv[0], &actions, NULL, argv, environ), 0);
    posix_spawn_file_actions_destroy(&actions);
    close(ends[1]);
    server.output = ends[0];
    char text[512] = "";
    for (size_t n = 0; !strstr(text, "ACCEPT") || !strchr(strstr(text, "ACCEPT"), '\n');) {
        ssize_t got = read(server.output, text + n, sizeof text - 1 - n);
        assert_true(got > 0);
        n += (size_t)got;
    }
    assert_int_equal(sscanf(strrchr(text, ':'), ":%u", &server.port), 1);
    return server;
}

static void stop_server(struct tls_server *server) {
    kill(server->pid, SIGKILL);
    waitpid(server->pid, NULL, 0);
    close(server->output);
}

static struct answer get(const char *ca_file, const char *host, unsigned port) {
    struct arena arena = ARENA_EMPTY;
    struct wake *wake = wake_new();
    struct clock clock = wake_clock(wake);
    struct client *client = NULL;
    const struct client_options options = {str_from(ca_file), STR("drumbeat/test"), 4};
    assert_int_equal(client_open(&options, &clock, wake, &client), 0);
    struct transport transport = client_transport(client);
    struct outgoing outgoing = {.method = STR("GET"), .timeout_us = 30 * US_PER_S, .allow_private = true};
    outgoing.url = str_fmt(&arena, "https://%s:%u/", host, port);
    struct completion end;
    transport.start(transport.self, 1, &outgoing);
    while (!transport.collect(transport.self, &end, 1)) clock.wait(clock.self, WHEN_NEVER);
    struct answer answer = end.answer;
    transport.release(transport.self, &end);
    client_close(client);
    wake_free(wake);
    arena_free(&arena);
    return answer; /* without its texts */
}

static void trusts_only_known_authorities(void **state) {
    struct folder *folder = *state;
    struct tls_server server = start_server(folder);
    struct answer good = get(folder->certificate, "localhost", server.port);
    assert_int_equal(good.end, EXCHANGE_ANSWERED);
    int64_t left_us = good.holds_until_us - (int64_t)time(NULL) * US_PER_S;
    assert_true(left_us > 2 * US_PER_DAY - US_PER_HOUR && left_us <= 2 * US_PER_DAY);
    struct answer answer = get("", "localhost", server.port);
    assert_int_equal(answer.end, EXCHANGE_NO_TRUST);
    assert_int_equal(answer.holds_until_us, 0); /* nobody vouches for what it says */
    assert_non_null(strstr(answer.trouble, "the certificate of localhost:"));
    assert_non_null(strstr(answer.trouble, " is signed by nobody who is trusted here"));
    assert_int_equal(get("/nonexistent", "localhost", server.port).end, EXCHANGE_NO_CONNECT); /* our own file */
    stop_server(&server);
}

static void trusts_only_the_name_it_called(void **state) {
    struct folder *folder = *state;
    struct tls_server server = start_server(folder);
    struct answer answer = get(folder->certificate, "127.0.0.1", server.port);
    assert_int_equal(answer.end, EXCHANGE_NO_TRUST);
    assert_int_equal(answer.holds_until_us, 0); /* it was shown, and is not that server's */
    stop_server(&server);
}

static void never_falls_back_to_plain_http(void **state) {
    (void)state;
    struct listener_options options = default_options();
    struct house *house = new_house(&options, true);
    assert_int_equal(get("", "localhost", house->port).end, EXCHANGE_NO_CONNECT);
    assert_int_equal(atomic_load(&house->seen), 0);
    end_house(house);
}

static void serve_a_reset(struct liar_caller *caller) {
    char hello[64];
    liar_reset(caller);
    ssize_t got = recv(caller->fd, hello, sizeof hello, 0); /* the rest of it waits: closing is a reset */
    (void)got;
}

/* What breaks off before anybody showed a certificate says nothing of trust. */
static void a_handshake_that_breaks_off_was_not_sent(void **state) {
    (void)state;
    struct liar *liar = liar_new(serve_a_reset);
    assert_int_equal(get("", "localhost", liar->port).end, EXCHANGE_NO_CONNECT);
    liar_free(liar);
}

static void a_refusal_names_the_host_and_who_helps(void **state) {
    (void)state;
    static const struct {
        const char *url, *proxy, *library, *words;
    } cases[] = {
        {"https://crm.example.com/in?key=s", "", "SSL certificate problem: certificate has expired",
         "the certificate of crm.example.com has expired; whoever runs that server must renew it"},
        {"https://crm.example.com:8443", "", "SSL certificate problem: certificate is not yet valid",
         "the certificate of crm.example.com:8443 does not hold yet; one of the two clocks is wrong"},
        {"https://a", "", "SSL: no alternative certificate subject name matches target host name 'a'",
         "the certificate of a is for other names; look at the address"},
        {"https://a", "", "SSL: certificate subject name 'b' does not match target host name 'a'",
         "the certificate of a is for other names; look at the address"},
        {"smtp://a:25", "", "SSL certificate problem: self-signed certificate in certificate chain",
         "the certificate of a:25 is signed by nobody who is trusted here; ca: names who is"},
        {"https://a", "https://proxy:1", "SSL certificate problem: unable to get local issuer certificate",
         "the certificate of a or its proxy is signed by nobody who is trusted here; ca: names who is"},
        {"https://a", "http://proxy:1", "SSL certificate problem: CA signature digest algorithm too weak",
         "the certificate of a is refused: SSL certificate problem: CA signature digest algorithm too weak"},
    };
    struct arena arena = ARENA_EMPTY;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const struct outgoing outgoing = {.url = str_from(cases[i].url), .proxy = str_from(cases[i].proxy)};
        assert_string_equal(passage_distrust(&outgoing, cases[i].library, &arena).p, cases[i].words);
    }
    char url[400] = "https://";
    memset(url + 8, 'h', 300);
    const struct outgoing longest = {.url = str_from(url), .proxy = STR("https://proxy:1")};
    struct str words = passage_distrust(&longest, "self-signed certificate", &arena);
    assert_true(words.n < sizeof(struct answer){0}.trouble && str_ends(words, STR("names who is")));
    arena_free(&arena);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(trusts_only_known_authorities),
        cmocka_unit_test(trusts_only_the_name_it_called),
        cmocka_unit_test(never_falls_back_to_plain_http),
        cmocka_unit_test(a_handshake_that_breaks_off_was_not_sent),
        cmocka_unit_test(a_refusal_names_the_host_and_who_helps),
    };
    return cmocka_run_group_tests(tests, make_certificate, remove_certificate);
}
