/* cli/demo.c - the real server on a throw-away store, between a visitor and a
 * pretend world. Nothing leaves the machine. */

#include "cli/demo.h"

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/when.h"
#include "cli/commands.h"
#include "config/secret.h"
#include "server/server.h"

static const char connector_text[] = "version: 1\n"
                                     "name: demo-crm\n"
                                     "about: The pretend CRM of this process.\n"
                                     "fields: {server: {required: true}}\n"
                                     "actions:\n"
                                     "  contact:\n"
                                     "    params: {email: required, name: optional}\n"
                                     "    request:\n"
                                     "      url: \"${field.server}/crm/contacts\"\n"
                                     "      json: {email: \"${.email}\", name: \"${.name}\"}\n"
                                     "    answers:\n"
                                     "      - {status: 201, is: done}\n"
                                     "    lookup:\n"
                                     "      request:\n"
                                     "        url: \"${field.server}/crm/contacts\"\n"
                                     "        query: {email: \"${.email}\"}\n"
                                     "      answers:\n"
                                     "        - {status: 200, is: found}\n"
                                     "        - {status: 404, is: absent}\n"
                                     "      settle: 300ms\n"
                                     "    on_unknown: lookup\n";

static struct str config_text(struct arena *arena, struct str folder, uint16_t world_port) {
    return str_fmt(
        arena,
        "version: 1\n"
        "store: %.*s/drumbeat.db\n"
        "destinations:\n"
        "  crm: {type: demo-crm, server: \"http://127.0.0.1:%u\", allow_private: true, timeout: 1s}\n"
        "  mail: {url: \"http://127.0.0.1:%u/mail\", allow_private: true, retry: {max: 5, base: 1s, cap: 60s}}\n"
        "  chat: {url: \"http://127.0.0.1:%u/chat\", allow_private: true, limit: 10/s}\n"
        "routes:\n"
        "  new-lead:\n"
        "    from: landing.submitted\n"
        "    to:\n"
        "      - crm.contact: {email: \"${.email}\", name: \"${.name}\"}\n"
        "      - mail\n"
        "      - chat\n",
        STR_ARG(folder), world_port, world_port, world_port);
}

static bool make_folder(struct cli *cli, struct str *ret_folder) {
    const char *base = getenv("TMPDIR");
    struct str folder = str_fmt(cli->arena, "%s/drumbeat-demo-XXXXXX", base && *base ? base : "/tmp");
    if (!mkdtemp((char *)folder.p)) {
        (void)cli_fail(cli, EXIT_FAILED, "cannot make a folder for the demo's store: %s", strerror(errno));
        return false;
    }
    *ret_folder = folder;
    return true;
}

static void remove_folder(struct cli *cli, struct str folder) {
    DIR *dir = opendir(folder.p);
    for (struct dirent *entry; dir && (entry = readdir(dir));)
        if (strcmp(entry->d_name, ".") && strcmp(entry->d_name, ".."))
            unlink(str_fmt(cli->arena, "%.*s/%s", STR_ARG(folder), entry->d_name).p);
    if (dir) closedir(dir);
    rmdir(folder.p);
}

static void welcome(struct cli *cli, uint16_t port, bool script) {
    writer_fmt(&cli->out,
               "drumbeat " DRUMBEAT_VERSION " demo - nothing leaves this machine, data is deleted on exit\n");
    if (!script)
        writer_fmt(
            &cli->out,
            "  Events    http://127.0.0.1:%u/v1/events     Metrics  http://127.0.0.1:%u/metrics\n"
            "Try it:  curl -H 'Content-Type: application/json' -d '{\"type\":\"landing.submitted\",\"source\":\"me\","
            "\"idempotency_key\":\"1\",\"payload\":{\"email\":\"you@example.com\"}}' "
            "http://127.0.0.1:%u/v1/events\n"
            "Next:    drumbeat init          (Ctrl-C ends the demo)\n",
            port, port, port);
    writer_flush(&cli->out);
}

static bool no_secret(void *self, struct str name, struct arena *arena, struct str *ret_value, struct str *ret_note) {
    (void)self, (void)name, (void)arena, (void)ret_value, (void)ret_note;
    return false;
}

static int run_server(struct cli *cli, struct demo_world *world, struct str folder, struct str listen, bool script) {
    const struct secret_source secrets = {.lookup = no_secret, .self = NULL};
    struct str problem, text = config_text(cli->arena, folder, demo_world_port(world));
    const struct server_options options = {.config_file = STR("demo"),
                                           .config_text = text,
                                           .connector_text = STR(connector_text),
                                           .listen = listen,
                                           .secrets = &secrets,
                                           .log = log_open(2, LOG_ERROR, NULL),
                                           .log_wish = {.level = LOG_ERROR + 1},
                                           .signals = cli->signals,
                                           .store = str_fmt(cli->arena, "%.*s/drumbeat.db", STR_ARG(folder)),
                                           .quiet = true};
    struct server *server;
    if (server_open(&options, cli->arena, &server, &problem))
        return cli_fail(cli, EXIT_FAILED, "%.*s", STR_ARG(problem));
    welcome(cli, server_port(server), script);
    struct demo_visitor *visitor = demo_visitor_start(cli, world, server_port(server), script);
    enum err err = ERR_NONE;
    for (bool done = false; !done && !err;) err = server_step(server, US_PER_HOUR, &done);
    bool well = demo_visitor_end(visitor);
    server_close(server);
    if (err) return cli_fail(cli, EXIT_FAILED, "%s %s", err_code(err), err_text(err));
    return !script || well ? EXIT_DONE : EXIT_FAILED;
}

int command_demo(struct cli *cli) {
    struct str folder, problem, port = cli_value(cli, "port");
    if (cli_flag(cli, "receiver")) return demo_receive(cli, port.n ? port : STR(DEMO_RECEIVER_PORT));
    struct str listen = str_fmt(cli->arena, "127.0.0.1:%.*s", STR_ARG(port.n ? port : STR("0")));
    struct demo_world *world;
    if (!make_folder(cli, &folder)) return EXIT_FAILED;
    int code;
    if (demo_world_open(cli->arena, &world, &problem)) {
        code = cli_fail(cli, EXIT_FAILED, "%.*s", STR_ARG(problem));
    } else {
        code = run_server(cli, world, folder, listen, cli_flag(cli, "script"));
        demo_world_close(world);
    }
    remove_folder(cli, folder);
    return code;
}
