/* cli/migrate.c - the store in force, brought up to date; a database of the seed's, taken over. */
#include <signal.h>
#include <sys/stat.h>

#include "base/json.h"
#include "cli/commands.h"
#include "cli/locate.h"
#include "cli/move.h"
#include "cli/show.h"
#include "store/takeover.h"

struct migrating {
    struct cli *cli;
    struct place place;
    struct str name; /* of the store, for people */
    struct sql_driver driver;
    struct migrate_plan plan;
    struct take_over counts;
};

static int open_place(struct migrating *it) {
    struct cli *cli = it->cli;
    struct str problem = STR("");
    struct stat info;
    int code = locate_place(cli, &it->place, &problem);
    if (code) return code;
    if (problem.n) return cli_fail(cli, EXIT_CONFIG, "%.*s", STR_ARG(problem));
    it->name = place_name(&it->place, cli->arena);
    if (!place_is_shared(&it->place) && stat(str_dup(cli->arena, it->place.store).p, &info))
        return cli_fail(cli, EXIT_NOT_FOUND, "error: there is no store %.*s; `drumbeat serve` makes it",
                        STR_ARG(it->name));
    const struct place_options options = {.read_only = cli->dry_run};
    enum err err = place_open(&it->place, &options, cli->arena, &it->driver, &problem);
    if (!err) return EXIT_DONE;
    return cli_fail(cli, EXIT_FAILED, "error: %.*s%s", STR_ARG(problem),
                    err == ERR_STORE_LOCKED ? ": stop it first" : "");
}

/* ---- what is said ---- */

/* A step's statements, each on a line; for reading, so a semicolon inside a text may break a line too. */
static void say_steps(const struct migrating *it) {
    struct writer *out = &it->cli->out;
    for (int64_t step = it->plan.version + 1; step <= it->plan.latest; step++) {
        struct str rest = str_from(it->plan.steps[step - 1]), statement;
        writer_fmt(out, "  step %lld\n", (long long)step);
        while (str_next(&rest, ';', &statement))
            if (str_trim(statement).n) writer_fmt(out, "    %.*s;\n", STR_ARG(str_trim(statement)));
    }
    writer_add(out, STR("The way back is a copy of the store: an older drumbeat refuses it afterwards.\n"));
}

static struct str result_json(const struct migrating *it, bool done) {
    struct json *result = json_object();
    json_set_str(result, "store", it->name);
    json_set(result, STR("done"), json_bool(done));
    json_set_int(result, "step_before", it->plan.version);
    json_set_int(result, "step", it->plan.latest);
    json_set(result, STR("taken_over"), json_bool(it->plan.is_seed));
    json_set_int(result, "rows_before", done ? it->counts.before : it->plan.events);
    json_set_int(result, "rows_after", done ? it->counts.after : it->plan.events);
    json_set_int(result, "marked_unknown", done ? it->counts.doubtful : it->plan.doubtful);
    struct json *steps = json_array();
    for (int64_t step = it->plan.version; step < it->plan.latest; step++)
        json_push(steps, json_str(str_from(it->plan.steps[step])));
    json_set(result, STR("sql"), steps);
    struct str text = json_dump(it->cli->arena, result);
    json_free(result);
    return text;
}

static void say_take_over(const struct migrating *it, bool done) {
    struct cli *cli = it->cli;
    int64_t doubtful = done ? it->counts.doubtful : it->plan.doubtful;
    if (done)
        writer_fmt(&cli->out, "took over marketing_events in %.*s: %lld rows before, %lld after\n", STR_ARG(it->name),
                   (long long)it->counts.before, (long long)it->counts.after);
    else
        writer_fmt(&cli->out,
                   "would take over marketing_events in %.*s: all %lld rows stay; columns and tables are added\n",
                   STR_ARG(it->name), (long long)it->plan.events);
    if (doubtful)
        writer_fmt(&cli->out, "%lld %s PROCESSING and %s FAILED%s: whether the seed's worker acted is unknown\n",
                   (long long)doubtful, done ? "were" : "are", done ? "are" : "would become", done ? " now" : "");
}

static int say_result(const struct migrating *it, bool done) {
    struct cli *cli = it->cli;
    const struct migrate_plan *plan = &it->plan;
    int code;
    if (show_machine(cli, result_json(it, done), "store", &code)) return code;
    if (plan->is_seed)
        say_take_over(it, done);
    else if (plan->version == plan->latest)
        writer_fmt(&cli->out, "%.*s is up to date (step %lld)\n", STR_ARG(it->name), (long long)plan->latest);
    else
        writer_fmt(&cli->out, "%.*s: %s step %lld to step %lld\n", STR_ARG(it->name),
                   done ? "brought from" : "would go from", (long long)plan->version, (long long)plan->latest);
    if (!done && !plan->is_seed && plan->version && plan->version < plan->latest) say_steps(it);
    return EXIT_DONE;
}

/* ---- what is done ---- */

static int refuse(const struct migrating *it, enum err err, struct str problem) {
    return cli_fail(it->cli, EXIT_FAILED, "error %s: %.*s", err_code(err), STR_ARG(problem));
}

static bool confirmed(const struct migrating *it) {
    if (!it->plan.is_seed) return true;
    struct str question = str_fmt(it->cli->arena,
                                  "%.*s holds the seed's marketing_events with %lld rows. Its worker must be stopped. "
                                  "Alter the table and keep every row?",
                                  STR_ARG(it->name), (long long)it->plan.events);
    return cli_confirm(it->cli, question.p);
}

static int migrate(struct migrating *it) {
    struct cli *cli = it->cli;
    struct str problem = STR("");
    enum err err = migrate_look(&it->driver, cli->arena, &it->plan, &problem);
    if (err) return refuse(it, err, problem);
    if (cli->dry_run) return say_result(it, false);
    if (!confirmed(it)) return EXIT_DECLINED;
    err = migrate_take_over(&it->driver, cli_wall_us(), cli->arena, &it->counts, &problem);
    return err ? refuse(it, err, problem) : say_result(it, true);
}

int command_migrate(struct cli *cli) {
    struct migrating it = {.cli = cli};
    if (cli_flag(cli, "to")) return move_store(cli, cli_value(cli, "to"));
    signal(SIGINT, SIG_DFL); /* one transaction: it may simply end */
    signal(SIGTERM, SIG_DFL);
    int code = open_place(&it);
    if (code) return code;
    code = migrate(&it);
    it.driver.close(it.driver.self);
    return code;
}
