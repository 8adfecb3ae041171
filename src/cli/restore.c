/* cli/restore.c - a backup takes the place of the store, and starts held: nothing of it is sent before somebody has
 * seen what is due and says `release`.
 *
 * WHY IT HOLDS. The copy is made beside the store, and held there, before it takes the store's name: a server that
 * starts after a crash in between finds the store of before, or the one that is held. What stood there keeps its log
 * and goes aside, so that a restore can be undone by hand. */
#include <sys/stat.h>

#include "base/json.h"
#include "base/when.h"
#include "cli/commands.h"
#include "cli/copies.h"
#include "cli/locate.h"
#include "cli/show.h"
#include "server/home.h"
#include "store/restore.h"

struct restoring {
    struct cli *cli;
    struct place place;
    struct str from, held, aside; /* the backup; the copy beside the store; where the store of before goes, "" = none */
    struct verification found;
};

static bool is_there(struct cli *cli, struct str path) {
    struct stat info;
    return !stat(str_dup(cli->arena, path).p, &info);
}

/* The backup is a file, and another one than the store. */
static int check_file(struct restoring *it) {
    struct cli *cli = it->cli;
    struct stat from, store;
    if (stat(str_dup(cli->arena, it->from).p, &from))
        return cli_fail(cli, EXIT_NOT_FOUND, "error: there is no file %.*s", STR_ARG(it->from));
    if (!S_ISREG(from.st_mode)) return cli_fail(cli, EXIT_FAILED, "error: %.*s is no file", STR_ARG(it->from));
    if (!stat(str_dup(cli->arena, it->place.store).p, &store) && store.st_dev == from.st_dev &&
        store.st_ino == from.st_ino)
        return cli_fail(cli, EXIT_FAILED, "error: %.*s is the store itself", STR_ARG(it->from));
    return EXIT_DONE;
}

/* A store that no server has is opened and closed, which empties its log. One that cannot be opened goes aside with it.
 */
static enum err settle_store(struct restoring *it, struct str *ret_problem) {
    const struct place_options options = {0};
    struct sql_driver driver;
    struct str unreadable;
    if (!it->aside.n) return ERR_NONE;
    enum err err = place_open(&it->place, &options, it->cli->arena, &driver, &unreadable);
    if (err == ERR_STORE_LOCKED) *ret_problem = unreadable;
    if (!err) driver.close(driver.self);
    return err == ERR_STORE_LOCKED ? err : ERR_NONE;
}

static int find_places(struct restoring *it) {
    struct cli *cli = it->cli;
    struct str problem = STR("");
    int code = locate_place(cli, &it->place, &problem);
    if (code) return code;
    if (problem.n) return cli_fail(cli, EXIT_CONFIG, "%.*s", STR_ARG(problem));
    it->from = cli_argument(cli, 0);
    if (place_is_shared(&it->place))
        return cli_fail(cli, EXIT_USAGE,
                        "error: %.*s is PostgreSQL: restore it with its own tools, then start with "
                        "`drumbeat serve --hold`",
                        STR_ARG(place_name(&it->place, cli->arena)));
    code = check_file(it);
    if (code) return code;
    struct str store = it->place.store, moment = when_str(cli->arena, cli_wall_us());
    it->held = str_fmt(cli->arena, "%.*s.restore-%.*s", STR_ARG(store), STR_ARG(moment));
    it->aside = STR("");
    if (!is_there(cli, store)) return EXIT_DONE;
    it->aside = str_fmt(cli->arena, "%.*s.before-%.*s", STR_ARG(store), STR_ARG(moment));
    if (restore_is_open(store, cli->arena, &problem))
        return cli_fail(cli, EXIT_FAILED, "error %s: %.*s: stop it first", err_code(ERR_STORE_LOCKED),
                        STR_ARG(problem));
    if (cli_flag(cli, "force")) return EXIT_DONE;
    return cli_fail(cli, EXIT_CONFLICT, "error: there is a store %.*s; with --force it goes aside to %.*s",
                    STR_ARG(store), STR_ARG(it->aside));
}

static int say(struct restoring *it) {
    struct cli *cli = it->cli;
    bool done = !cli->dry_run;
    struct json *result = json_object();
    int code;
    json_set_str(result, "store", it->place.store);
    json_set_str(result, "from", it->from);
    json_set_str(result, "aside", it->aside);
    json_set(result, STR("done"), json_bool(done));
    json_set_int(result, "events", it->found.events);
    json_set_int(result, "deliveries", it->found.deliveries);
    struct str text = json_dump(cli->arena, result);
    json_free(result);
    if (show_machine(cli, text, "store", &code)) return code;
    writer_fmt(&cli->out, "%s %.*s: %.*s, %.*s\n", done ? "restored" : "would restore", STR_ARG(it->place.store),
               STR_ARG(show_count(cli, it->found.events, "event", "events")),
               STR_ARG(show_count(cli, it->found.deliveries, "delivery", "deliveries")));
    if (it->aside.n)
        writer_fmt(&cli->out, "the store of before %s %.*s\n", done ? "is" : "would be", STR_ARG(it->aside));
    writer_fmt(&cli->out, "It %s held: drumbeat serve, then drumbeat release -n shows what is due\n",
               done ? "starts" : "would start");
    return EXIT_DONE;
}

int command_restore(struct cli *cli) {
    struct restoring it = {.cli = cli};
    struct str problem = STR("");
    int code = find_places(&it);
    if (!code) code = copies_check(cli, it.from, &it.found);
    if (code) return code;
    if (cli->dry_run) return say(&it);
    enum err err = place_make_folder(&it.place, cli->arena, &problem); /* a new machine has none */
    if (!err) err = settle_store(&it, &problem);
    if (!err) err = restore_copy(it.from, it.held, cli->arena, &problem);
    struct str why = str_fmt(cli->arena, HOME_RESTORED " %.*s", STR_ARG(it.from));
    if (!err) err = copies_hold(cli, it.held, why, &problem);
    struct str aside = it.aside.n ? it.aside : str_fmt(cli->arena, "%.*s.before", STR_ARG(it.place.store));
    if (!err) err = restore_put(it.held, it.place.store, aside, cli->arena, &problem);
    if (err) restore_drop(it.held, cli->arena);
    if (err)
        return cli_fail(cli, EXIT_FAILED, "error %s: %.*s%s", err_code(err), STR_ARG(problem),
                        err == ERR_STORE_LOCKED ? ": stop it first" : "");
    return say(&it);
}
