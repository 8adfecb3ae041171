#include "cli/offline.h"

#include <errno.h>
#include <sys/stat.h>

#include "api/api.h"
#include "cli/bar.h"
#include "deliver/hold.h"
#include "observe/log.h"
#include "server/home.h"
#include "store/chore.h"
#include "store/takeover.h"

struct ability {
    const char *method, *prefix;
    bool changes;
};
static const struct ability abilities[] = {
    {"GET", "/v1/events", false},  {"GET", "/v1/deliveries", false}, {"GET", "/v1/verify", false},
    {"GET", "/v1/keys", false},    {"GET", "/v1/status", false},     {"POST", "/v1/keys", true},
    {"GET", "/v1/audit", false},   {"GET", "/v1/chores", false},     {"GET", "/v1/todo", false},
    {"POST", "/v1/report", false}, {"POST", "/v1/verify", false},
};

static const struct ability *find_ability(struct str method, struct str path) {
    for (size_t i = 0; i < sizeof abilities / sizeof *abilities; i++)
        if (str_eq(method, str_from(abilities[i].method)) && str_starts(path, str_from(abilities[i].prefix)))
            return &abilities[i];
    return NULL;
}

bool offline_can(struct str method, struct str path) {
    return find_ability(method, path) != NULL;
}

/* ---- the store ---- */

struct offline {
    const struct place *place;
    struct sql_driver driver;
    struct store *store;
    bool changes;
};

static int no_store(struct cli *cli, const struct place *place, struct str problem) {
    return cli_fail(cli, EXIT_NO_SERVER, "error: no server answers at %.*s, and %.*s", STR_ARG(place->socket),
                    STR_ARG(problem));
}

/* Whether there is no store yet: a command that only reads must not make one. */
static bool lacks_file(struct cli *cli, const struct offline *offline) {
    struct stat info;
    bool is_file = !offline->changes && !place_is_shared(offline->place);
    return is_file && stat(str_dup(cli->arena, offline->place->store).p, &info) != 0 && errno == ENOENT;
}

static bool lacks_tables(struct cli *cli, struct offline *offline) {
    struct migrate_plan plan;
    struct str problem;
    bool is_database = !offline->changes && place_is_shared(offline->place);
    return is_database && !migrate_look(&offline->driver, cli->arena, &plan, &problem) && !plan.version &&
           !plan.is_seed;
}

static enum err open_parts(struct cli *cli, struct offline *offline, struct str *ret_problem) {
    const struct place_options options = {.read_only = !offline->changes};
    *ret_problem = str_fmt(cli->arena, "there is no store %.*s", STR_ARG(place_name(offline->place, cli->arena)));
    if (lacks_file(cli, offline)) return ERR_NOT_FOUND;
    TRY(place_open(offline->place, &options, cli->arena, &offline->driver, ret_problem));
    enum err err = ERR_NOT_FOUND;
    if (!lacks_tables(cli, offline))
        err = store_open(&offline->driver, cli_wall_us(), cli->arena, &offline->store, ret_problem);
    if (err) offline->driver.close(offline->driver.self);
    return err;
}

static int open_offline(struct cli *cli, struct offline *offline) {
    struct str problem;
    return open_parts(cli, offline, &problem) ? no_store(cli, offline->place, problem) : EXIT_DONE;
}

static void close_offline(struct offline *offline) {
    store_close(offline->store);
    offline->driver.close(offline->driver.self);
}

/* ---- answers ---- */

/* Reads run in a transaction too, so that what they see belongs together. */
static enum err take_in_transaction(const struct offline *offline, const struct service *service, struct call *call) {
    TRY(store_begin(offline->store));
    enum err err = service->take(service->self, call);
    if (!err && offline->changes) err = store_commit(offline->store);
    if (err || !offline->changes) store_rollback(offline->store);
    return err;
}

static void show_progress(void *self, const struct chore_round *round) {
    if (round->steps % 64 == 0) bar_show(self, "verify", chore_share(round), round->found);
}

/* The same struct as a turn of a server fills, with no desk on the board and nothing that runs. */
static enum err answer_question(struct cli *cli, const struct offline *offline, const struct request *request,
                                struct reply *ret_reply) {
    const struct log silent = {.fd = -1};
    const struct api_options options = {.log = &silent};
    struct deliver *desks = deliver_new(1, 1);
    struct str why_held;
    enum err err = home_held(offline->store, cli->arena, &why_held);
    if (!err) deliver_hold_read(desks, why_held.p != NULL, why_held);
    const struct standing standing = {.version = STR(DRUMBEAT_VERSION),
                                      .store = place_name(offline->place, cli->arena),
                                      .hold = deliver_is_held(desks),
                                      .hold_reason = deliver_hold_reason(desks)};
    struct api *api = api_new(&options);
    const struct service service = api_service(api);
    const struct verify_look look = {show_progress, cli};
    struct rng rng;
    rng_seed(&rng, (uint64_t)cli_wall_us());
    struct call call = {.request = request,
                        .now_us = cli_wall_us(),
                        .wall_us = cli_wall_us(),
                        .service = service.self,
                        .arena = cli->arena,
                        .store = offline->store,
                        .desks = desks,
                        .hasher = hasher_new(),
                        .rng = &rng,
                        .standing = &standing,
                        .look = &look};
    if (!err) err = take_in_transaction(offline, &service, &call);
    bar_end(cli);
    *ret_reply = call.reply;
    deliver_free(desks);
    hasher_free(call.hasher);
    api_free(api);
    return err;
}

int offline_ask(struct cli *cli, const struct offline_question *question, const struct place *place,
                struct asked *ret_asked) {
    struct offline offline = {.place = place, .changes = find_ability(question->method, question->path)->changes};
    int code = open_offline(cli, &offline);
    if (code) return code;
    size_t mark = str_find(question->path, '?');
    const struct request request = {.method = question->method,
                                    .path = str_sub(question->path, 0, mark),
                                    .query = mark == SIZE_MAX ? STR("")
                                                              : str_sub(question->path, mark + 1, question->path.n),
                                    .body = question->body,
                                    .peer = STR("unix"),
                                    .trusted = true};
    struct reply reply = {0};
    enum err err = answer_question(cli, &offline, &request, &reply);
    struct str said = str_dup(cli->arena, str_from(store_trouble(offline.store)));
    close_offline(&offline);
    if (err)
        return cli_fail(cli, EXIT_FAILED, "error %s: the store cannot be read: %s%s%.*s", err_code(err), err_text(err),
                        said.n ? ": " : "", STR_ARG(said));
    *ret_asked = (struct asked){.status = reply.status, .body = reply.body, .offline = true};
    return EXIT_DONE;
}
