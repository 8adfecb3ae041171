#include "server/place.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/when.h"
#include "os/file.h"
#include "store/postgres.h"
#include "store/sqlite.h"

#define SYSTEMD_FOLDER   "/run/drumbeat" /* of a unit with RuntimeDirectory=drumbeat */
#define COPY_DEADLINE_US (2 * US_PER_S)  /* the loop waits for it */

static struct str socket_in(struct str folder, unsigned port, struct arena *arena) {
    return str_fmt(arena, "%.*s/drumbeat-%u.sock", STR_ARG(folder), port);
}

static struct str socket_of(struct str store, const struct settings *settings, struct str file, struct arena *arena) {
    struct str runtime = str_from(getenv("RUNTIME_DIRECTORY")); /* systemd makes it; several are divided by colons */
    struct str folder = file.n ? file_folder(file, arena) : STR(".");
    if (!postgres_is_dsn(store)) return str_fmt(arena, "%.*s.sock", STR_ARG(store));
    if (runtime.n) folder = str_sub(runtime, 0, strcspn(runtime.p, ":"));
    return socket_in(folder, settings->server.listen_port, arena);
}

void place_move(struct place *place, uint16_t port, struct arena *arena) {
    if (place_is_shared(place)) place->socket = socket_in(file_folder(place->socket, arena), port, arena);
}

void place_find(struct place *place, struct arena *arena) {
    struct str folder = file_folder(place->socket, arena), name = place->socket;
    if (!place_is_shared(place) || !access(str_dup(arena, name).p, F_OK)) return;
    struct str there = str_fmt(arena, SYSTEMD_FOLDER "%.*s", STR_ARG(str_sub(name, folder.n, SIZE_MAX)));
    if (!access(there.p, F_OK)) place->socket = there;
}

struct place place_of(const struct settings *settings, struct str file, struct arena *arena) {
    const char *dsn = getenv("DB_DSN");
    struct place place = {.store = str_dup(arena, dsn && *dsn ? str_from(dsn) : settings->store),
                          .listen_dsn = str_dup(arena, settings->postgres.listen_dsn),
                          .read_dsn = str_dup(arena, settings->postgres.read_dsn)};
    place.socket = socket_of(place.store, settings, file, arena);
    return place;
}

struct place place_at(struct str path, struct arena *arena) {
    return (struct place){.store = str_dup(arena, path), .socket = str_fmt(arena, "%.*s.sock", STR_ARG(path))};
}

struct str place_backups(const struct place *place, struct arena *arena) {
    if (place_is_shared(place)) return STR("");
    return str_fmt(arena, "%.*s/backups", STR_ARG(file_folder(place->store, arena)));
}

bool place_is_shared(const struct place *place) {
    return postgres_is_dsn(place->store);
}

enum err place_check(const struct place *place, struct arena *arena, struct str *ret_problem) {
    const char *problem = settings_store_problem(place->store);
    if (!problem) return ERR_NONE;
    *ret_problem = str_fmt(arena, "E0207: the store (%s) %s", getenv("DB_DSN") ? "DB_DSN" : "store", problem);
    return ERR_CONFIG;
}

struct str place_name(const struct place *place, struct arena *arena) {
    return place_is_shared(place) ? postgres_name(place->store, arena) : place->store;
}

static enum err open_postgres(const struct place *place, const struct place_options *options, struct arena *arena,
                              struct sql_driver *ret_driver, struct str *ret_problem) {
    const struct postgres_options postgres = {.dsn = options->copy ? place->read_dsn : place->store,
                                              .listen_dsn = place->listen_dsn,
                                              .token = options->token,
                                              .read_only = options->read_only || options->copy,
                                              .later = options->copy,
                                              .stop_fd = options->stop_fd,
                                              .deadline_us = options->copy ? COPY_DEADLINE_US : 0,
                                              .wake = options->wake,
                                              .wake_self = options->wake_self};
    return postgres_open(&postgres, arena, ret_driver, ret_problem);
}

enum err place_make_folder(const struct place *place, struct arena *arena, struct str *ret_problem) {
    struct str folder = file_folder(place->store, arena);
    if (mkdir(folder.p, 0700) == 0 || errno == EEXIST) return ERR_NONE;
    *ret_problem = str_fmt(arena, "cannot make the store's folder %.*s: %s", STR_ARG(folder), strerror(errno));
    return ERR_IO;
}

/* Refuses a file whose content was moved elsewhere: what was pending in it is delivered from there. */
static enum err check_not_moved(struct str path, struct arena *arena, struct str *ret_problem) {
    struct str moved = str_fmt(arena, "%.*s.moved", STR_ARG(path));
    if (!access(str_dup(arena, path).p, F_OK) || access(moved.p, F_OK)) return ERR_NONE;
    *ret_problem =
        str_fmt(arena,
                "the store %.*s was moved into PostgreSQL (%.*s is what is left of it): set `store:` to where "
                "it is now, or remove that file to begin anew",
                STR_ARG(path), STR_ARG(moved));
    return ERR_STORE_FOREIGN;
}

enum err place_open(const struct place *place, const struct place_options *options, struct arena *arena,
                    struct sql_driver *ret_driver, struct str *ret_problem) {
    TRY(place_check(place, arena, ret_problem));
    if (place_is_shared(place)) return open_postgres(place, options, arena, ret_driver, ret_problem);
    TRY(check_not_moved(place->store, arena, ret_problem));
    if (!options->read_only) TRY(place_make_folder(place, arena, ret_problem));
    const struct sqlite_options sqlite = {.path = place->store, .read_only = options->read_only};
    return sqlite_open(&sqlite, arena, ret_driver, ret_problem);
}
