#include "cli/check_logins.h"

#include <errno.h>
#include <sys/stat.h>

#include "base/hash.h"
#include "engine/logins.h"
#include "model/code.h"
#include "server/place.h"
#include "store/store.h"

struct login_look {
    struct cli *cli;
    const struct setup *setup;
    struct hasher *hasher;
    struct str file;
    struct findings *findings;
};

static bool wants_any(const struct login_look *look) {
    const struct settings *settings = look->setup->settings;
    bool any = false;
    for (size_t i = 0; i < settings->destination_count && !any; i++)
        any = login_is_only_way(&settings->destinations[i], cli_wall_us(), look->hasher, look->cli->arena);
    return any;
}

static void say_all(const struct login_look *look) {
    const struct settings *settings = look->setup->settings;
    for (size_t i = 0; i < settings->destination_count; i++) {
        const struct destination_settings *destination = &settings->destinations[i];
        if (!login_is_only_way(destination, cli_wall_us(), look->hasher, look->cli->arena)) continue;
        cli_say(look->cli, "%.*s sends nothing before a login: once the server runs, " LOGIN_COMMAND " %.*s",
                STR_ARG(destination->name), STR_ARG(destination->name));
    }
}

static enum err report_lacking(const struct login_look *look, struct store *store) {
    const struct settings *settings = look->setup->settings;
    for (size_t i = 0; i < settings->destination_count; i++) {
        const struct destination_settings *destination = &settings->destinations[i];
        bool lacking;
        TRY(login_is_lacking(store, destination, settings->token_key, cli_wall_us(), look->hasher, look->cli->arena,
                             &lacking));
        if (lacking)
            finding_add(look->findings, look->file, destination->mark, code_text(CODE_NO_LOGIN),
                        "destination '%.*s' has no login, and sends nothing before: " LOGIN_COMMAND " %.*s",
                        STR_ARG(destination->name), STR_ARG(destination->name));
    }
    return ERR_NONE;
}

/* What cannot be opened or read adds nothing. */
static void look_in_store(const struct login_look *look, const struct place *place) {
    const struct place_options options = {.read_only = true};
    struct arena *arena = look->cli->arena;
    struct sql_driver driver;
    struct store *store;
    struct str problem;
    if (place_open(place, &options, arena, &driver, &problem)) return;
    if (!store_open(&driver, cli_wall_us(), arena, &store, &problem)) {
        if (!store_begin(store)) (void)!report_lacking(look, store);
        store_rollback(store);
        store_close(store);
    }
    driver.close(driver.self);
}

void check_logins(struct cli *cli, const struct setup *setup, struct str file, struct findings *findings) {
    struct place place = place_of(setup->settings, file, cli->arena);
    struct login_look look = {cli, setup, hasher_new(), file, findings};
    struct stat info;
    if (!place_is_shared(&place) && wants_any(&look)) {
        if (!stat(str_dup(cli->arena, place.store).p, &info))
            look_in_store(&look, &place);
        else if (errno == ENOENT)
            say_all(&look);
    }
    hasher_free(look.hasher);
}
