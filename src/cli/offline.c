/* cli/offline.c - a turn of its own for one request: the same handlers, so the same answers. */
#include "cli/offline.h"

#include <sys/stat.h>

#include "api/api.h"
#include "base/hash.h"
#include "base/when.h"
#include "store/takeover.h"

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
    const struct place *place;
    struct sql_driver driver;
    struct store *store;
    bool changes;
};

static int no_store(struct cli *cli, const struct place *place, struct str problem) {
    return cli_fail(cli, EXIT_NO_SERVER, "error: no server answers at %.*s, and %.*s", STR_ARG(place->socket),
                    STR_ARG(problem));
}

/* Who only reads makes no store. */
static bool lacks_file(struct cli *cli, const struct offline *offline) {
    struct stat info;
    bool is_file = !offline->changes && !place_is_shared(offline->place);
    return is_file && stat(str_dup(cli->arena, offline->place->store).p, &info) != 0;
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

static enum err answer(struct offline *offline, struct turn *turn, struct visit *visit) {
    struct call call = {.turn = turn, .visit = visit, .arena = turn->arena, .store = offline->store};
    if (!str_eq(visit->request->path, STR("/v1/status"))) return serve_request(turn, visit);
    return answer_status(&call, place_name(offline->place, turn->arena));
}

/* Reads too: what they see belongs together. */
static enum err answer_in_transaction(struct offline *offline, struct turn *turn, struct visit *visit) {
    TRY(store_begin(offline->store));
    enum err err = answer(offline, turn, visit);
    if (!err && offline->changes) err = store_commit(offline->store);
    if (err || !offline->changes) store_rollback(offline->store);
    return err;
}

static enum err answer_question(struct cli *cli, struct offline *offline, const struct offline_question *question,
                                struct visit *visit) {
    size_t mark = str_find(question->path, '?');
    struct request request = {.method = question->method,
                              .path = str_sub(question->path, 0, mark),
                              .query = mark == SIZE_MAX ? STR("") : str_sub(question->path, mark + 1, question->path.n),
                              .body = question->body,
                              .peer = STR("unix"),
                              .trusted = true};
    struct loop *loop = arena_new(cli->arena, struct loop);
    loop->options.store = offline->store;
    loop->hasher = hasher_new();
    struct turn turn = {.loop = loop, .arena = cli->arena, .now_us = cli_wall_us(), .wall_us = cli_wall_us()};
    rng_seed(&loop->rng, (uint64_t)turn.now_us);
    visit->request = &request;
    enum err err = answer_in_transaction(offline, &turn, visit);
    visit->request = NULL;
    hasher_free(loop->hasher);
    return err;
}

int offline_ask(struct cli *cli, const struct offline_question *question, const struct place *place,
                struct asked *ret_asked) {
    struct offline offline = {.place = place, .changes = find_ability(question->method, question->path)->changes};
    struct visit visit = {0};
    int code = open_offline(cli, &offline);
    if (code) return code;
    enum err err = answer_question(cli, &offline, question, &visit);
    struct str said = str_dup(cli->arena, str_from(store_trouble(offline.store)));
    close_offline(&offline);
    if (err)
        return cli_fail(cli, EXIT_FAILED, "error %s: the store cannot be read: %s%s%.*s", err_code(err), err_text(err),
                        said.n ? ": " : "", STR_ARG(said));
    *ret_asked = (struct asked){.status = visit.reply.status, .body = visit.reply.body, .offline = true};
    return EXIT_DONE;
}
