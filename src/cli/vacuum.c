/* cli/vacuum.c - the room of removed events, back to the file system. The server must be stopped: SQLite gives room
 * back while it works only where every store pays for it (docs/decisions/0019). */
#include <sys/stat.h>

#include "base/json.h"
#include "cli/commands.h"
#include "cli/locate.h"
#include "cli/show.h"
#include "store/sqlite.h"

static int say(struct cli *cli, struct str store, const struct sqlite_room *before, int64_t after_bytes) {
    struct json *result = json_object();
    int code;
    json_set_str(result, "store", store);
    json_set(result, STR("done"), json_bool(!cli->dry_run));
    json_set_int(result, "bytes_before", before->bytes);
    json_set_int(result, "bytes_after", after_bytes);
    struct str text = json_dump(cli->arena, result);
    json_free(result);
    if (show_machine(cli, text, "store", &code)) return code;
    writer_fmt(&cli->out, "%.*s: %s %.1f MiB to %.1f MiB\n", STR_ARG(store),
               cli->dry_run ? "would go from about" : "from", (double)before->bytes / (1 << 20),
               (double)after_bytes / (1 << 20));
    return EXIT_DONE;
}

static enum err work(struct cli *cli, const struct place *place, struct sql_driver *driver,
                     struct sqlite_room *ret_before, int64_t *ret_after_bytes, struct str *ret_problem) {
    struct stat after;
    TRY(sqlite_measure(driver, cli->arena, ret_before));
    *ret_after_bytes = ret_before->bytes - ret_before->free_bytes;
    if (cli->dry_run) return ERR_NONE;
    TRY(sqlite_vacuum(driver, place->store, cli->arena, ret_problem));
    if (!stat(str_dup(cli->arena, place->store).p, &after)) *ret_after_bytes = after.st_size;
    return ERR_NONE;
}

int command_vacuum(struct cli *cli) {
    struct place place;
    struct str problem = STR("");
    struct sql_driver driver;
    struct sqlite_room before;
    struct stat info;
    int64_t after_bytes;
    int code = locate_place(cli, &place, &problem);
    if (code) return code;
    if (problem.n) return cli_fail(cli, EXIT_CONFIG, "%.*s", STR_ARG(problem));
    struct str name = place_name(&place, cli->arena);
    if (place_is_shared(&place))
        return cli_fail(cli, EXIT_USAGE, "error: %.*s is PostgreSQL, whose autovacuum does this", STR_ARG(name));
    if (stat(str_dup(cli->arena, place.store).p, &info))
        return cli_fail(cli, EXIT_NOT_FOUND, "error: there is no store %.*s; `drumbeat serve` makes it", STR_ARG(name));
    const struct place_options options = {.read_only = cli->dry_run};
    enum err err = place_open(&place, &options, cli->arena, &driver, &problem);
    if (err)
        return cli_fail(cli, EXIT_FAILED, "error: %.*s%s", STR_ARG(problem),
                        err == ERR_STORE_LOCKED ? ": stop it first" : "");
    err = work(cli, &place, &driver, &before, &after_bytes, &problem);
    if (err && !problem.n) problem = str_dup(cli->arena, str_from(driver.trouble(driver.self)));
    driver.close(driver.self);
    if (err) return cli_fail(cli, EXIT_FAILED, "error %s: %.*s", err_code(err), STR_ARG(problem));
    return say(cli, name, &before, after_bytes);
}
