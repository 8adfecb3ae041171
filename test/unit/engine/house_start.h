/* test/unit/engine/house_start.h - a house is opened, changed, left. */
#ifndef ENGINE_HOUSE_START_H
#define ENGINE_HOUSE_START_H

#include "house_begun.h"
#include "house_load.h"
#include "store/sqlite.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static inline void start(struct house *house) {
    static const struct log silent = {.fd = -1, .level = LOG_ERROR};
    const struct sqlite_options sqlite = {.path = str_fmt(&house->arena, "%s/s.db", house->folder)};
    struct str problem;
    OK(sqlite_open(&sqlite, &house->arena, &house->real, &problem));
    house->driver = (struct sql_driver){.begin = begin_turn,
                                        .run = run_batch,
                                        .commit = commit_turn,
                                        .rollback = roll_back,
                                        .script = run_script,
                                        .tidy = tidy_up,
                                        .trouble = trouble,
                                        .self = house};
    OK(store_open(&house->driver, house->wall_us, &house->arena, &house->store, &problem));
    house->api = api_new(&(struct api_options){.log = &silent, .exposed = house->exposed});
    const struct loop_options options = {
        .clock = {read_wall, read_now, note_wait, house},
        .inlet = {collect_requests, take_reply, house},
        .transport = house_transport(house),
        .folders = house->folders,
        .parse = config_parse,
        .store = house->store,
        .log = &silent,
        .instance = str_fmt(&house->arena, "start-%d", ++house->starts),
        .seed = 1,
        .slots = 16,
        .limits = house->limits,
        .redis_failure = house->redis_failure,
        .exclusive = !house->beside,
        .service = api_service(house->api),
        .reload = house->reload.self ? &house->reload : NULL,
        .version = STR("test"),
        .store_text = STR("s.db"),
    };
    OK(loop_open(&options, house_in_force(house), &house->loop, &problem));
}

static inline void stop(struct house *house) {
    if (!house->loop) return;
    loop_close(house->loop);
    api_free(house->api);
    store_close(house->store);
    house->real.close(house->real.self);
    house->loop = NULL;
}

static inline int house_setup(void **state) {
    struct house *house = calloc(1, sizeof *house);
    house->now_us = house->wall_us = T0;
    snprintf(house->folder, sizeof house->folder, "%s/drumbeat-house-XXXXXX", P_tmpdir);
    assert_non_null(mkdtemp(house->folder));
    *state = house;
    return 0;
}

static inline int house_teardown(void **state) {
    struct house *house = *state;
    stop(house);
    setup_free(house->setup);
    setup_free(house->old_setup);
    jq_close(house->jq);
    jq_close(house->old_jq);
    DIR *folder = opendir(house->folder);
    for (struct dirent *entry; (entry = readdir(folder));) unlinkat(dirfd(folder), entry->d_name, 0);
    closedir(folder);
    rmdir(house->folder);
    arena_free(&house->arena);
    free(house);
    return 0;
}

static inline void house_open(struct house *house, const char *config) {
    load(house, config);
    start(house);
    for (int i = 0; i < 2; i++) OK(loop_turn(house->loop)); /* the past is settled, the first chores are done */
}

/* A reload. */
static inline void house_configure(struct house *house, const char *config) {
    assert_null(house->old_setup);
    house->old_setup = house->setup;
    house->old_jq = house->jq;
    load(house, config);
    OK(loop_apply(house->loop, house_in_force(house)));
}

#endif
