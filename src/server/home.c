/* server/home.c - see home.h.
 *
 * WHAT. Notices that a store is a copy of one that was served elsewhere.
 * PROMISE. A store that was copied by its files (cp, rsync, an archive) to another path, or to another machine, and is
 * started there, sends nothing before a person says so. One that was renamed, or restarted where it was, is not held.
 * WHY IT HOLDS. The store keeps a note of the file it was served from: the machine's id, its whole path, its inode and
 * birth. A rename keeps the inode, a restart keeps the path; a copy has another inode, and another path or machine. The
 * note is written in the transaction that holds the store.
 * WHAT BREAKS IT. A copy of a whole file system or machine, which has the same inode and the same id; a file that was
 * put in the place of the store by hand; a container without a machine's id, whose volume was copied to the same path.
 * Such a one is started with `serve --hold`.
 * HOW TO SEE IT. The log's store_copied; `drumbeat status`, `drumbeat release -n`.
 * TESTED BY. test/e2e/test_copied.py.
 */
#include "server/home.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "deliver/hold.h"
#include "os/file.h"
#include "server/server_private.h"
#include "store/admin.h"
#include "store/memory.h"

#define HOME_NAME "*" /* among the marks; no schedule can be called so */

struct home {
    struct str machine, path;
    int64_t inode;
};

static struct home home_of(struct str path, struct arena *arena) {
    struct str text = STR(""), problem;
    struct statx info;
    char *whole = realpath(str_dup(arena, path).p, NULL);
    struct home home = {.path = whole ? str_dup(arena, str_from(whole)) : path};
    free(whole);
    if (!statx(AT_FDCWD, home.path.p, 0, STATX_INO | STATX_BTIME, &info)) {
        int64_t born = info.stx_mask & STATX_BTIME ? info.stx_btime.tv_sec * 1000000000 + info.stx_btime.tv_nsec : 0;
        home.inode = (int64_t)info.stx_ino ^ born;
    }
    if (!file_read(STR("/etc/machine-id"), 64, arena, &text, &problem)) home.machine = str_trim(text);
    if (!home.machine.n) home.machine = STR("-");
    return home;
}

/* "MACHINE PATH" */
static struct home home_read(const struct mark *mark) {
    size_t space = str_find(mark->said, ' ');
    return (struct home){str_sub(mark->said, 0, space), str_sub(mark->said, space + 1, mark->said.n), mark->position};
}

static bool is_copy(const struct home *was, const struct home *is) {
    bool known = !str_eq(was->machine, STR("-")) && !str_eq(is->machine, STR("-"));
    bool elsewhere = known && !str_eq(was->machine, is->machine);
    return was->inode != is->inode && (elsewhere || !str_eq(was->path, is->path));
}

enum err home_held(struct store *store, struct arena *arena, struct str *ret_why) {
    struct destination_state *states;
    size_t count;
    *ret_why = STR_NONE;
    TRY(store_destination_states(store, arena, &states, &count));
    for (size_t i = 0; i < count; i++)
        if (str_eq(states[i].name, STR(HOLD_NAME)) && states[i].paused)
            *ret_why = states[i].pause_reason.n ? states[i].pause_reason : STR("");
    return ERR_NONE;
}

enum err home_hold(struct store *store, struct str why, const char *act, int64_t now_us, struct arena *arena) {
    struct str earlier;
    TRY(home_held(store, arena, &earlier));
    bool own = earlier.n && !str_starts(earlier, STR(HOME_RESTORED)); /* a person's word; of restores the last counts */
    struct str whole = own ? str_fmt(arena, "%.*s; held before: %.*s", STR_ARG(why), STR_ARG(earlier)) : why;
    const struct destination_state state = {
        .name = STR(HOLD_NAME), .paused = true, .pause_reason = whole, .aspects = STATE_PAUSE};
    TRY(store_save_destination(store, &state, 1, now_us));
    return store_audit(store, STR("unix"), str_from(act), STR(HOLD_NAME), why, now_us);
}

static enum err check(struct store *store, const struct home *home, int64_t now_us, struct arena *arena,
                      bool *ret_copied, struct str *ret_from) {
    const struct mark note = {.source = STR(HOME_NAME),
                              .position = home->inode,
                              .said = str_fmt(arena, "%.*s %.*s", STR_ARG(home->machine), STR_ARG(home->path)),
                              .at_us = now_us};
    struct mark mark;
    struct str why;
    bool found;
    TRY(store_mark(store, note.source, arena, &mark, &found));
    if (found && mark.position == note.position && str_eq(mark.said, note.said)) return ERR_NONE;
    TRY(home_held(store, arena, &why));
    struct home was = found ? home_read(&mark) : *home;
    *ret_copied = is_copy(&was, home) && !str_starts(why, STR(HOME_RESTORED)); /* a restore says so itself */
    *ret_from = was.path;
    if (*ret_copied)
        TRY(home_hold(store,
                      str_fmt(arena, "a copy of %.*s%.*s: release it once that one does not run any more",
                              STR_ARG(str_sub(was.path, was.path.n > 100 ? was.path.n - 100 : 0, 100)),
                              STR_ARG(str_eq(was.machine, home->machine) ? STR("") : STR(" on another machine"))),
                      "copied", now_us, arena));
    return store_set_mark(store, &note);
}

/* Compares the store's note with where it is now, and writes where it is. */
static enum err home_check(struct store *store, struct str path, int64_t now_us, struct arena *arena, bool *ret_copied,
                           struct str *ret_from) {
    const struct home home = home_of(path, arena);
    *ret_copied = false;
    TRY(store_begin(store));
    enum err err = check(store, &home, now_us, arena, ret_copied, ret_from);
    if (!err) err = store_commit(store);
    if (err) store_rollback(store);
    return err;
}

enum err server_look_for_copy(struct server *server, struct arena *arena, struct str *ret_problem) {
    int64_t now_us = server->clock.wall_us(server->clock.self);
    struct str from;
    bool copied;
    enum err err = home_check(server->store, server->place.store, now_us, arena, &copied, &from);
    if (err) *ret_problem = str_fmt(arena, "the store cannot be written: %s", store_trouble(server->store));
    if (!err && copied)
        log_event(&server->options.log, LOG_WARN, now_us, "store_copied", LOG_TEXT("from", from),
                  LOG_TEXT("undo", STR("drumbeat release, once that one does not run any more")));
    return err;
}
