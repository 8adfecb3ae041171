/* cli/offline.c - a turn of its own for one request: the same handlers, so the same answers. */
#include "cli/offline.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "api/api.h"
#include "base/hash.h"
#include "base/when.h"
#include "file.h"
#include "store/sqlite.h"

struct ability {
    const char *method, *prefix;
    bool changes;
};
static const struct ability abilities[] = {
    {"GET", "/v1/events", false}, {"GET", "/v1/deliveries", false}, {"GET", "/v1/verify", false},
    {"GET", "/v1/keys", false},   {"GET", "/v1/status", false},     {"POST", "/v1/keys", true},
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
    struct sql_driver driver;
    struct store *store;
    bool changes;
};

static int no_store(struct cli *cli, struct str path, struct str problem) {
    struct str socket = server_socket_path(path, cli->arena);
    return cli_fail(cli, EXIT_NO_SERVER, "error: no server answers at %.*s, and %.*s", STR_ARG(socket),
                    STR_ARG(problem));
}

static int open_offline(struct cli *cli, struct str path, struct offline *offline) {
    struct stat info;
    struct str folder = file_folder(path, cli->arena), problem = STR("");
    if (!offline->changes && stat(str_dup(cli->arena, path).p, &info))
        return no_store(cli, path, str_fmt(cli->arena, "there is no store %.*s", STR_ARG(path)));
    if (offline->changes && mkdir(folder.p, 0700) && errno != EEXIST)
        return cli_fail(cli, EXIT_FAILED, "error: cannot make %.*s: %s", STR_ARG(folder), strerror(errno));
    const struct sqlite_options options = {.path = path, .read_only = !offline->changes};
    if (sqlite_open(&options, cli->arena, &offline->driver, &problem)) return no_store(cli, path, problem);
    if (!store_open(&offline->driver, cli_wall_us(), cli->arena, &offline->store, &problem)) return EXIT_DONE;
    offline->driver.close(offline->driver.self);
    return no_store(cli, path, problem);
}

static void close_offline(struct offline *offline) {
    store_close(offline->store);
    offline->driver.close(offline->driver.self);
}

/* ---- answers ---- */

/* GET /v1/status without a server: what the store alone can say. */
static enum err answer_status(struct call *call, struct str path) {
    struct destination_counts *counts;
    size_t count;
    int64_t oldest_us, totals[DELIVERY_STATUS_COUNT] = {0};
    TRY(store_counts(call->store, false, call->arena, &counts, &count));
    TRY(store_oldest_due(call->store, &oldest_us));
    for (size_t i = 0; i < count; i++)
        for (int j = 0; j < DELIVERY_STATUS_COUNT; j++) totals[j] += counts[i].by_status[j];
    int64_t lag_us = oldest_us < call->turn->now_us ? call->turn->now_us - oldest_us : 0;
    struct buf buf = {.arena = call->arena};
    buf_add(&buf, STR("{\"version\":\"" DRUMBEAT_VERSION "\",\"running\":false"));
    encode_text(&buf, "store", path);
    buf_fmt(&buf, ",\"lag_seconds\":%lld", (long long)(lag_us / US_PER_S));
    static const struct {
        const char *name;
        enum delivery_status status;
    } shown[] = {{"pending", DELIVERY_PENDING},
                 {"processing", DELIVERY_PROCESSING},
                 {"unknown", DELIVERY_UNKNOWN},
                 {"held", DELIVERY_HELD},
                 {"failed", DELIVERY_FAILED}};
    for (size_t i = 0; i < sizeof shown / sizeof *shown; i++)
        buf_fmt(&buf, ",\"%s\":%lld", shown[i].name, (long long)totals[shown[i].status]);
    buf_byte(&buf, '}');
    return serve_json(call, 200, buf_str(&buf));
}

static enum err answer(struct turn *turn, struct visit *visit, struct str path) {
    struct call call = {.turn = turn, .visit = visit, .arena = turn->arena, .store = turn->loop->options.store};
    return str_eq(visit->request->path, STR("/v1/status")) ? answer_status(&call, path) : serve_request(turn, visit);
}

static enum err answer_in_transaction(struct offline *offline, struct turn *turn, struct visit *visit,
                                      struct str path) {
    if (!offline->changes) return answer(turn, visit, path);
    TRY(store_begin(offline->store));
    enum err err = answer(turn, visit, path);
    if (!err) err = store_commit(offline->store);
    if (err) store_rollback(offline->store);
    return err;
}

int offline_ask(struct cli *cli, struct str method, struct str path, struct str body, struct str store,
                struct asked *ret_asked) {
    struct offline offline = {.changes = find_ability(method, path)->changes};
    int code = open_offline(cli, store, &offline);
    if (code) return code;
    size_t mark = str_find(path, '?');
    struct request request = {.method = method,
                              .path = str_sub(path, 0, mark),
                              .query = mark == SIZE_MAX ? STR("") : str_sub(path, mark + 1, path.n),
                              .body = body,
                              .peer = STR("unix"),
                              .trusted = true};
    struct loop *loop = arena_new(cli->arena, struct loop);
    loop->options.store = offline.store;
    loop->hasher = hasher_new();
    struct turn turn = {.loop = loop, .arena = cli->arena, .now_us = cli_wall_us(), .wall_us = cli_wall_us()};
    rng_seed(&loop->rng, (uint64_t)turn.now_us);
    struct visit visit = {.request = &request};
    enum err err = answer_in_transaction(&offline, &turn, &visit, store);
    hasher_free(loop->hasher);
    close_offline(&offline);
    if (err) return cli_fail(cli, EXIT_FAILED, "error %s: the store cannot be read: %s", err_code(err), err_text(err));
    *ret_asked = (struct asked){.status = visit.reply.status, .body = visit.reply.body, .offline = true};
    return EXIT_DONE;
}
