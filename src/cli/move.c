/* cli/move.c - copies the embedded store into a PostgreSQL database and puts the file away, so that no server sends its
 * deliveries a second time.
 *
 * The file is renamed when everything is there and before servers may start on the database. If the move is killed in
 * between, no server starts on either of the two until the move was run again. */
#include "cli/move.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/json.h"
#include "base/when.h"
#include "cli/locate.h"
#include "cli/show.h"
#include "os/file.h"
#include "store/move.h"
#include "store/takeover.h"

#define BAR_COLUMNS  30
#define BAR_US       (100 * US_PER_MS) /* between two pictures on a terminal */
#define LINE_US      (10 * US_PER_S)   /* between two lines elsewhere */
#define PATIENCE_US  (60 * US_PER_S)   /* for a database that does not answer */
#define TRY_AGAIN_US (500 * US_PER_MS)

/* One end: a store and what must be closed. */
struct end {
    struct place place;
    struct sql_driver driver;
    bool driver_open;
    struct store *store; /* NULL = not open */
};

struct moving {
    struct cli *cli;
    struct end from, to;
    struct str file, put_away; /* the store in force, and its name when it is moved */
    struct str target;         /* for people */
    struct move *move;
    bool bar;
    int64_t shown_us, began_us;
    int64_t first_copied; /* rows that an earlier run had copied */
};

/* ---- the two ends ---- */

static bool is_there(struct cli *cli, struct str path) {
    struct stat info;
    return stat(str_dup(cli->arena, path).p, &info) == 0;
}

/* The file, or what an interrupted move already renamed. */
static int find_file(struct moving *moving) {
    struct cli *cli = moving->cli;
    struct str problem, file, away;
    int code = locate_place(cli, &moving->from.place, &problem);
    if (code) return code;
    if (place_is_shared(&moving->from.place)) {
        struct str name = place_name(&moving->from.place, cli->arena);
        return cli_fail(cli, EXIT_USAGE, "error: --to moves a store that is a file; the one in force is %.*s",
                        STR_ARG(name));
    }
    file = moving->from.place.store;
    away = str_fmt(cli->arena, "%.*s.moved", STR_ARG(file));
    bool here = is_there(cli, file), gone = is_there(cli, away);
    if (here && gone) return cli_fail(cli, EXIT_FAILED, "error: %.*s is in the way: rename it first", STR_ARG(away));
    if (!here && !gone) return cli_fail(cli, EXIT_NOT_FOUND, "error: there is no store %.*s", STR_ARG(file));
    moving->file = file;
    moving->put_away = away;
    moving->from.place = place_at(here ? file : away, cli->arena);
    return EXIT_DONE;
}

static int open_driver(struct cli *cli, struct end *end) {
    const struct place_options options = {.read_only = cli->dry_run};
    struct str problem = STR("");
    enum err err = place_open(&end->place, &options, cli->arena, &end->driver, &problem);
    end->driver_open = !err;
    if (!err) return EXIT_DONE;
    return cli_fail(cli, EXIT_FAILED, "error: %.*s%s", STR_ARG(problem),
                    err == ERR_STORE_LOCKED ? ": stop it first" : "");
}

static int open_store(struct cli *cli, struct end *end) {
    struct str problem = STR("");
    enum err err = store_open(&end->driver, cli_wall_us(), cli->arena, &end->store, &problem);
    return err ? cli_fail(cli, EXIT_FAILED, "error %s: %.*s", err_code(err), STR_ARG(problem)) : EXIT_DONE;
}

/* Whether it is an empty database, of which --dry-run must not make a store. */
static bool is_unmade(struct end *end, struct arena *arena) {
    struct migrate_plan plan;
    struct str problem;
    return !migrate_look(&end->driver, arena, &plan, &problem) && !plan.version && !plan.is_seed;
}

static void close_end(struct end *end) {
    if (end->store) store_close(end->store);
    if (end->driver_open) end->driver.close(end->driver.self);
}

static bool is_put_away(const struct moving *moving) {
    return str_eq(moving->from.place.store, moving->put_away);
}

static int fail(struct moving *moving, enum err err, struct str problem) {
    struct str words = problem;
    if (!words.n) {
        const char *said = store_trouble(moving->to.store);
        words = str_fmt(moving->cli->arena, "%s%s%s", err_text(err), *said ? ": " : "", said);
    }
    return cli_fail(moving->cli, EXIT_FAILED, "error %s: %.*s", err_code(err), STR_ARG(words));
}

/* ---- showing ---- */

static int64_t total(const struct moving *moving, bool copied) {
    size_t count;
    const struct move_table *tables = move_tables(moving->move, &count);
    int64_t sum = 0;
    for (size_t i = 0; i < count; i++) sum += copied ? tables[i].copied : tables[i].rows;
    return sum;
}

/* "12,345 of 20,000 rows, 8,100/s, 1 s left" */
static struct str progress_text(struct moving *moving, int64_t now_us) {
    int64_t rows = total(moving, false), copied = total(moving, true), spent_us = now_us - moving->began_us;
    int64_t fresh = copied - moving->first_copied;
    struct buf text = {.arena = moving->cli->arena};
    buf_fmt(&text, "%lld of %lld rows", (long long)copied, (long long)rows);
    if (fresh > 0 && spent_us > 0) {
        double rate = (double)fresh * 1e6 / (double)spent_us;
        struct str left = span_human(text.arena, (int64_t)((double)(rows - copied) / rate * 1e6));
        buf_fmt(&text, ", %.0f/s, %.*s left", rate, STR_ARG(left));
    }
    return buf_str(&text);
}

static void show_bar(struct moving *moving, struct str text) {
    int64_t rows = total(moving, false), copied = total(moving, true);
    int full = rows ? (int)(BAR_COLUMNS * copied / rows) : BAR_COLUMNS;
    writer_add(&moving->cli->err, STR("\r["));
    for (int i = 0; i < BAR_COLUMNS; i++) writer_add(&moving->cli->err, i < full ? STR("#") : STR("."));
    writer_fmt(&moving->cli->err, "] %.*s", STR_ARG(text));
    writer_add(&moving->cli->err, STR("\033[K"));
    writer_flush(&moving->cli->err);
}

static void show_progress(struct moving *moving) {
    int64_t now_us = cli_now_us(), every_us = moving->bar ? BAR_US : LINE_US;
    if (moving->cli->quiet || now_us - moving->shown_us < every_us) return;
    moving->shown_us = now_us;
    struct str text = progress_text(moving, now_us);
    if (moving->bar)
        show_bar(moving, text);
    else
        cli_say(moving->cli, "%.*s", STR_ARG(text));
}

/* Ends the bar, so that what is said next begins on a line of its own. */
static void end_bar(struct moving *moving) {
    if (!moving->bar) return;
    show_bar(moving, progress_text(moving, cli_now_us()));
    writer_add(&moving->cli->err, STR("\n"));
    writer_flush(&moving->cli->err);
    moving->bar = false;
}

static struct str move_json(struct moving *moving, bool done) {
    size_t count;
    const struct move_table *tables = move_tables(moving->move, &count);
    struct json *answer = json_object(), *list = json_array();
    json_set_str(answer, "from", moving->from.place.store);
    json_set_str(answer, "to", moving->target);
    json_set(answer, STR("done"), json_bool(done));
    for (size_t i = 0; i < count; i++) {
        struct json *table = json_object();
        json_set_str(table, "name", str_from(tables[i].name));
        json_set_int(table, "rows", tables[i].rows);
        json_set_int(table, "copied", tables[i].copied);
        json_push(list, table);
    }
    json_set(answer, STR("tables"), list);
    struct str text = json_dump(moving->cli->arena, answer);
    json_free(answer);
    return text;
}

static int show_tables(struct moving *moving, bool done, const char *title) {
    struct cli *cli = moving->cli;
    size_t count;
    int code;
    const struct move_table *tables = move_tables(moving->move, &count);
    if (show_machine(cli, move_json(moving, done), "to", &code)) return code;
    writer_fmt(&cli->out, "%s\n", title);
    for (size_t i = 0; i < count; i++)
        writer_fmt(&cli->out, "  %-17s %lld rows%s\n", tables[i].name, (long long)tables[i].rows,
                   tables[i].copied && tables[i].copied < tables[i].rows
                       ? str_fmt(cli->arena, ", %lld of them are there", (long long)tables[i].copied).p
                       : "");
    return EXIT_DONE;
}

/* ---- copying ---- */

/* Repeats an act while the database restarts, for up to PATIENCE_US. */
static enum err patiently(struct moving *moving, enum err (*act)(struct moving *moving, bool *ret_more),
                          bool *ret_more) {
    int64_t since_us = cli_now_us();
    bool told = false;
    for (;;) {
        enum err err = act(moving, ret_more);
        bool late = cli_now_us() - since_us > PATIENCE_US;
        if (err_class(err) != ERR_CLASS_RETRY || late || cli_stopped(moving->cli)) return err;
        if (!told)
            cli_say(moving->cli, "the database does not take it: %s; trying again", store_trouble(moving->to.store));
        told = true;
        cli_sleep(moving->cli, TRY_AGAIN_US);
    }
}

static enum err one_step(struct moving *moving, bool *ret_more) {
    return move_step(moving->move, ret_more);
}

static enum err mark_finished(struct moving *moving, bool *ret_more) {
    *ret_more = false;
    return move_finish(moving->move);
}

static int copy_all(struct moving *moving) {
    struct cli *cli = moving->cli;
    enum err err = ERR_NONE;
    moving->began_us = moving->shown_us = cli_now_us();
    moving->first_copied = total(moving, true);
    for (bool more = true; more && !err && !cli_stopped(cli);) {
        err = patiently(moving, one_step, &more);
        show_progress(moving);
    }
    end_bar(moving);
    if (!err && !cli_stopped(cli)) return EXIT_DONE;
    int code = err && !cli_stopped(cli) ? fail(moving, err, STR_NONE) : EXIT_INTERRUPTED;
    cli_say(cli, "stopped after %lld of %lld rows: the same command goes on there", (long long)total(moving, true),
            (long long)total(moving, false));
    return code;
}

/* ---- ending ---- */

static enum err sync_folder(struct cli *cli, struct str path) {
    int fd = open(file_folder(path, cli->arena).p, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    bool fine = fd >= 0 && fsync(fd) == 0;
    if (fd >= 0) close(fd);
    return fine ? ERR_NONE : ERR_IO;
}

/* Renames the file. Its log is empty by then, and the lock is held until the file is closed. */
static int put_file_away(struct moving *moving) {
    struct cli *cli = moving->cli;
    if (is_put_away(moving)) return EXIT_DONE;
    enum err err = move_settle_source(moving->move);
    if (err)
        return cli_fail(cli, EXIT_FAILED, "error %s: the file could not be closed: %s", err_code(err),
                        store_trouble(moving->from.store));
    if (rename(str_dup(cli->arena, moving->file).p, str_dup(cli->arena, moving->put_away).p) ||
        sync_folder(cli, moving->file))
        return cli_fail(cli, EXIT_FAILED, "error: %.*s cannot be renamed: %s", STR_ARG(moving->file), strerror(errno));
    return EXIT_DONE;
}

/* SQLite leaves the log of a file that was renamed, readers leave their index of it, and the room that was kept for it
 * on the disk is kept for nothing. The log is empty and the index is nothing without it, so all of them would only
 * puzzle whoever finds them. */
static void remove_log(struct moving *moving) {
    struct stat info;
    if (!moving->move || !move_was_finished(moving->move)) return;
    unlink(str_fmt(moving->cli->arena, "%.*s.reserve", STR_ARG(moving->file)).p);
    unlink(str_fmt(moving->cli->arena, "%.*s.reserve", STR_ARG(moving->put_away)).p);
    struct str log = str_fmt(moving->cli->arena, "%.*s-wal", STR_ARG(moving->file));
    if (!stat(log.p, &info) && info.st_size) return;
    unlink(log.p);
    unlink(str_fmt(moving->cli->arena, "%.*s-shm", STR_ARG(moving->file)).p);
}

static int finish(struct moving *moving) {
    struct cli *cli = moving->cli;
    struct str problem = STR_NONE;
    bool more;
    enum err err = move_compare(moving->move, &problem);
    if (err == ERR_NOT_NOW)
        return cli_fail(cli, EXIT_FAILED, "error %s: nothing is finished: %.*s", err_code(err), STR_ARG(problem));
    if (err) return fail(moving, err, STR_NONE);
    int code = put_file_away(moving);
    if (code) return code;
    err = patiently(moving, mark_finished, &more);
    if (err) return fail(moving, err, STR_NONE);
    cli_say(cli,
            "%.*s is %.*s from now on, so that no server sends its deliveries again\n"
            "next: set store: (or DB_DSN) to the database, then drumbeat serve",
            STR_ARG(moving->file), STR_ARG(moving->put_away));
    return show_tables(moving, true, str_fmt(cli->arena, "moved into %.*s", STR_ARG(moving->target)).p);
}

/* ---- the command ---- */

static bool confirmed(struct moving *moving) {
    struct cli *cli = moving->cli;
    struct str question = str_fmt(cli->arena, "Copy %lld rows into %.*s and rename the file?",
                                  (long long)(total(moving, false) - total(moving, true)), STR_ARG(moving->target));
    return cli_confirm(cli, question.p);
}

static int move_rows(struct moving *moving) {
    struct cli *cli = moving->cli;
    struct str problem = STR_NONE;
    const char *plan = move_was_begun(moving->move) ? "would go on with" : "would move";
    if (move_was_finished(moving->move)) {
        int code = put_file_away(moving);
        return code ? code : show_tables(moving, true, "everything was moved before");
    }
    if (is_put_away(moving) && !move_was_begun(moving->move))
        return cli_fail(cli, EXIT_FAILED, "error: %.*s was moved into another database; %.*s is what was left of it",
                        STR_ARG(moving->file), STR_ARG(moving->put_away));
    if (cli->dry_run) return show_tables(moving, false, plan);
    if (!confirmed(moving)) return EXIT_DECLINED;
    enum err err = move_begin(moving->move, &problem);
    if (err) return fail(moving, err, problem);
    int code = copy_all(moving);
    return code ? code : finish(moving);
}

static int open_both(struct moving *moving) {
    struct cli *cli = moving->cli;
    int code = find_file(moving);
    if (!code) code = open_driver(cli, &moving->from);
    if (!code) code = open_store(cli, &moving->from);
    if (!code) code = open_driver(cli, &moving->to);
    if (!code && !(cli->dry_run && is_unmade(&moving->to, cli->arena))) code = open_store(cli, &moving->to);
    return code;
}

static int open_and_move(struct moving *moving) {
    struct cli *cli = moving->cli;
    struct str problem = STR_NONE;
    int code = open_both(moving);
    if (code) return code;
    enum err err = move_open(moving->from.store, moving->to.store, cli->arena, &moving->move, &problem);
    return err ? fail(moving, err, problem) : move_rows(moving);
}

int move_store(struct cli *cli, struct str to) {
    struct moving moving = {.cli = cli, .to.place = {.store = to}, .bar = isatty(STDERR_FILENO) && !cli->quiet};
    if (!place_is_shared(&moving.to.place))
        return cli_fail(cli, EXIT_USAGE, "error: --to takes a database as postgres://user@host:5432/name");
    moving.target = place_name(&moving.to.place, cli->arena);
    int code = open_and_move(&moving);
    if (moving.move) move_close(moving.move);
    close_end(&moving.to);
    close_end(&moving.from);
    remove_log(&moving);
    return code;
}
