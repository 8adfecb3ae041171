#include "cli/ask.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/json.h"
#include "cli/locate.h"
#include "cli/offline.h"
#include "http/client.h"
#include "model/request.h"
#include "os/file.h"

#define ANSWER_MAX_BYTES   ((size_t)256 << 20)
#define KEY_FILE_MAX_BYTES ((size_t)4096)

/* ---- paths ---- */

static void add_encoded(struct buf *buf, struct str text) {
    static const char plain[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~";
    for (size_t i = 0; i < text.n; i++)
        if (text.p[i] && strchr(plain, text.p[i]))
            buf_byte(buf, text.p[i]);
        else
            buf_fmt(buf, "%%%02X", (unsigned)(uint8_t)text.p[i]);
}

struct str path_of(struct cli *cli, const char *before, struct str part, const char *after) {
    struct buf path = {.arena = cli->arena};
    buf_add(&path, str_from(before));
    add_encoded(&path, part);
    buf_add(&path, str_from(after));
    return buf_str(&path);
}

void path_query(struct buf *path, const char *name, struct str value) {
    buf_byte(path, str_find(buf_str(path), '?') == SIZE_MAX ? '?' : '&');
    buf_fmt(path, "%s=", name);
    add_encoded(path, value);
}

void path_option(struct cli *cli, struct buf *path, const char *option, const char *name) {
    if (cli_flag(cli, option)) path_query(path, name, cli_value(cli, option));
}

/* ---- the way there ---- */

struct way {
    struct str base;        /* "http://localhost", or --server without its last slash */
    struct str unix_socket; /* "" = TCP */
    bool local;             /* it is this store's server */
    struct place place;
    struct str problem; /* why that store cannot be opened here, "" = it can */
    struct str key;
};

static int read_key(struct cli *cli, struct str *ret_key) {
    struct str file = str_from(getenv("DRUMBEAT_KEY_FILE")), key = str_from(getenv("DRUMBEAT_KEY")), problem;
    if (file.n && file_read(file, KEY_FILE_MAX_BYTES, cli->arena, &key, &problem))
        return cli_fail(cli, EXIT_USAGE, "error: DRUMBEAT_KEY_FILE: %.*s", STR_ARG(problem));
    key = str_trim(key);
    for (size_t i = 0; i < key.n; i++)
        if (key.p[i] <= ' ' || key.p[i] == 0x7f)
            return cli_fail(cli, EXIT_USAGE, "error: the API key holds a character that none has");
    *ret_key = key;
    return EXIT_DONE;
}

static int find_way(struct cli *cli, struct way *ret_way) {
    struct str server = cli_value(cli, "server");
    struct way way = {.base = STR("http://localhost"), .key = STR(""), .unix_socket = STR("")};
    int code;
    if (server.p) {
        if (!str_starts(server, STR("http://")) && !str_starts(server, STR("https://")))
            return cli_fail(cli, EXIT_USAGE, "error: --server takes a URL as http://127.0.0.1:8120");
        way.base = str_ends(server, STR("/")) ? str_sub(server, 0, server.n - 1) : server;
        code = read_key(cli, &way.key);
    } else {
        code = locate_place(cli, &way.place, &way.problem);
        way.local = true;
        if (!code) place_find(&way.place, cli->arena);
        if (!code) way.unix_socket = way.place.socket;
    }
    if (!code) *ret_way = way;
    return code;
}

/* ---- the call ---- */

/* There is a server, or was one, whose socket this user may not use. */
static bool is_forbidden(const struct cli *cli, const struct way *way) {
    return way->unix_socket.n && access(str_dup(cli->arena, way->unix_socket).p, W_OK) && errno == EACCES;
}

static int no_answer(struct cli *cli, const struct way *way, const struct answer *answer) {
    struct str where = way->unix_socket.n ? way->unix_socket : way->base;
    if (answer->end == EXCHANGE_TIMED_OUT)
        return cli_fail(cli, EXIT_TIMED_OUT, "error: the server at %.*s did not answer in time (--timeout)",
                        STR_ARG(where));
    if (answer->end == EXCHANGE_NO_CONNECT && way->local)
        return cli_fail(cli, EXIT_NO_SERVER, "error: no server answers at %.*s; start it with `drumbeat serve`",
                        STR_ARG(where));
    return cli_fail(cli, EXIT_NO_SERVER, "error: no server answers at %.*s: %s", STR_ARG(where),
                    answer->trouble[0] ? answer->trouble : exchange_text(answer->end));
}

static void call(struct cli *cli, const struct way *way, const struct request *request, struct answer *ret_answer) {
    struct outgoing outgoing = {.method = request->method,
                                .url = str_fmt(cli->arena, "%.*s%.*s", STR_ARG(way->base), STR_ARG(request->path)),
                                .body = request->body,
                                .timeout_us = cli->timeout_us,
                                .allow_private = true,
                                .unix_socket = way->unix_socket};
    if (request->body.p) outgoing_header(&outgoing, STR("Content-Type"), STR("application/json"));
    if (way->key.n)
        outgoing_header(&outgoing, STR("Authorization"), str_fmt(cli->arena, "Bearer %.*s", STR_ARG(way->key)));
    for (size_t i = 0; i < request->header_count; i++)
        outgoing_put(&outgoing, request->headers[i].name, request->headers[i].value);
    client_call(&outgoing, ANSWER_MAX_BYTES, cli->arena, ret_answer);
}

static int ask_whole(struct cli *cli, const struct request *request, struct asked *ret_asked) {
    struct way way;
    struct answer answer = {0};
    int code = find_way(cli, &way);
    if (code) return code;
    call(cli, &way, request, &answer);
    struct asked asked = {.status = answer.status, .body = answer.body};
    if (answer.end == EXCHANGE_NO_CONNECT && is_forbidden(cli, &way))
        return cli_fail(cli, EXIT_NO_SERVER,
                        "error: uid %u may not use the server's socket %.*s: run this as the user that the server runs "
                        "as, or name the server with --server and a key in DRUMBEAT_KEY",
                        geteuid(), STR_ARG(way.unix_socket));
    bool may_read = way.local && !cli->only_server && offline_can(request->method, request->path);
    if (answer.end == EXCHANGE_NO_CONNECT && may_read) {
        const struct offline_question question = {request->method, request->path, request->body};
        if (way.problem.n)
            return cli_fail(cli, EXIT_CONFIG, "error: no server answers at %.*s, and the store cannot be opened:\n%.*s",
                            STR_ARG(way.unix_socket), STR_ARG(way.problem));
        code = offline_ask(cli, &question, &way.place, &asked);
        if (code) return code;
    } else if (answer.end != EXCHANGE_ANSWERED) {
        return no_answer(cli, &way, &answer);
    } else if (!answer.body_complete) {
        return cli_fail(cli, EXIT_FAILED, "error: the answer did not come whole; with a list, try a smaller --limit");
    }
    asked.event_status = answer_header(&answer, STR("X-Event-Status"));
    if (json_parse(asked.body, ANSWER_DEPTH_MAX, &asked.json, NULL)) asked.json = NULL;
    *ret_asked = asked;
    return EXIT_DONE;
}

int ask_any(struct cli *cli, const char *method, struct str path, struct str body, struct asked *ret_asked) {
    const struct request request = {.method = str_from(method), .path = path, .body = body};
    return ask_whole(cli, &request, ret_asked);
}

/* A good answer, or what was refused is said. */
static int judge(struct cli *cli, struct asked *asked, struct asked *ret_asked) {
    if (asked->status >= 200 && asked->status < 300 && asked->json) {
        *ret_asked = *asked;
        return EXIT_DONE;
    }
    int code = asked_refused(cli, asked);
    asked_free(asked);
    return code;
}

int ask_as(struct cli *cli, const struct request *request, struct asked *ret_asked) {
    struct asked asked;
    int code = ask_whole(cli, request, &asked);
    if (!code && asked.status == 200 && !asked.json) { /* a sender that wants no JSON */
        asked.json = json_object();
        asked.body = STR("{}");
    }
    return code ? code : judge(cli, &asked, ret_asked);
}

int ask(struct cli *cli, const char *method, struct str path, struct str body, struct asked *ret_asked) {
    struct asked asked;
    if (cli->dry_run && strcmp(method, "GET") != 0) {
        writer_fmt(&cli->out, "would ask %s %.*s", method, STR_ARG(path));
        writer_fmt(&cli->out, "%s%.*s\n", body.n ? " with " : "", STR_ARG(body));
        return ASK_DRY;
    }
    int code = ask_any(cli, method, path, body, &asked);
    return code ? code : judge(cli, &asked, ret_asked);
}

/* ---- answers ---- */

static const struct {
    int status, code;
} exit_codes[] = {
    {400, EXIT_USAGE},     {401, EXIT_NOT_ALLOWED}, {403, EXIT_NOT_ALLOWED},
    {404, EXIT_NOT_FOUND}, {409, EXIT_CONFLICT},    {422, EXIT_CONFLICT},
};

int exit_code_of(int status) {
    for (size_t i = 0; i < sizeof exit_codes / sizeof *exit_codes; i++)
        if (exit_codes[i].status == status) return exit_codes[i].code;
    return EXIT_FAILED;
}

int asked_refused(struct cli *cli, const struct asked *asked) {
    int exit_code = exit_code_of(asked->status);
    struct str code = json_text(json_get(asked->json, STR("code")));
    struct str detail = json_text(json_get(asked->json, STR("detail")));
    struct str pointer = json_text(json_point(asked->json, STR("/errors/0/pointer")));
    if (!code.n || !detail.n)
        return cli_fail(cli, EXIT_FAILED, "error: the server answered %d and no word of why; is it drumbeat?",
                        asked->status);
    bool lacks_key = str_eq(code, str_from(err_code(ERR_UNAUTHORIZED)));
    const char *help =
        lacks_key ? "; the command line takes a key from the file that DRUMBEAT_KEY_FILE names, or from DRUMBEAT_KEY"
                  : "";
    return cli_fail(cli, exit_code, "error %.*s: %.*s%s%.*s%s%s", STR_ARG(code), STR_ARG(detail),
                    pointer.n ? " (at " : "", STR_ARG(pointer), pointer.n ? ")" : "", help);
}

void asked_free(struct asked *asked) {
    json_free(asked->json);
    asked->json = NULL;
}
