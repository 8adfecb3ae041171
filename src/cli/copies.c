#include "cli/copies.h"

#include <sys/stat.h>
#include <unistd.h>

#include "base/hash.h"
#include "server/home.h"
#include "server/place.h"

/* What a reader leaves beside the file, and nothing is in it. */
static void remove_empty(struct cli *cli, struct str file) {
    struct str log = str_fmt(cli->arena, "%.*s-wal", STR_ARG(file));
    struct stat info;
    if (stat(log.p, &info) || info.st_size) return;
    unlink(log.p);
    unlink(str_fmt(cli->arena, "%.*s-shm", STR_ARG(file)).p);
}

int copies_check(struct cli *cli, struct str file, struct verification *ret_found) {
    const struct place place = place_at(file, cli->arena);
    const struct place_options options = {.read_only = true};
    struct sql_driver driver;
    struct store *store;
    struct str problem = STR("");
    struct stat info;
    if (!stat(str_dup(cli->arena, file).p, &info) && !info.st_size)
        return cli_fail(cli, EXIT_FAILED, "error: %.*s is empty: it is no backup", STR_ARG(file));
    enum err err = place_open(&place, &options, cli->arena, &driver, &problem);
    if (err) return cli_fail(cli, EXIT_FAILED, "error %s: %.*s", err_code(err), STR_ARG(problem));
    struct hasher *hasher = hasher_new();
    err = store_open(&driver, cli_wall_us(), cli->arena, &store, &problem);
    if (!err) {
        err = store_begin(store);
        if (!err) err = store_verify(store, true, hasher, cli->arena, ret_found);
        if (err) problem = str_dup(cli->arena, str_from(store_trouble(store)));
        store_rollback(store);
        store_close(store);
    }
    hasher_free(hasher);
    driver.close(driver.self);
    remove_empty(cli, file);
    if (err) return cli_fail(cli, EXIT_FAILED, "error %s: %.*s: %.*s", err_code(err), STR_ARG(file), STR_ARG(problem));
    if (!ret_found->violation_count) return EXIT_DONE;
    return cli_fail(cli, EXIT_FINDINGS, "error: %.*s breaks %zu of its own rules, the first: %.*s", STR_ARG(file),
                    ret_found->violation_count, STR_ARG(ret_found->violations->text));
}

static enum err write_hold(struct store *store, struct str why, struct arena *arena) {
    TRY(store_begin(store));
    enum err err = home_hold(store, why, "restore", cli_wall_us(), arena);
    if (!err) return store_commit(store);
    store_rollback(store);
    return err;
}

enum err copies_hold(struct cli *cli, struct str file, struct str why, struct str *ret_problem) {
    const struct place place = place_at(file, cli->arena);
    const struct place_options options = {0};
    struct sql_driver driver;
    struct store *store;
    TRY(place_open(&place, &options, cli->arena, &driver, ret_problem));
    enum err err = store_open(&driver, cli_wall_us(), cli->arena, &store, ret_problem);
    if (!err) {
        err = write_hold(store, why, cli->arena);
        if (err) *ret_problem = str_dup(cli->arena, str_from(store_trouble(store)));
        store_close(store);
    }
    driver.close(driver.self); /* the log is moved into the file here */
    return err;
}
