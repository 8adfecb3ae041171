/* cli/schedules.c - when schedules are due: those of the server, and one that is tried out. */
#include "schedule/schedules.h"
#include "base/json.h"
#include "base/when.h"
#include "cli/commands.h"
#include "cli/show.h"
#include "server/setup.h"

#define NEXT_MAX 100000

static const struct column list_columns[] = {
    {"due_at", CELL_TIME, {.title = "DUE", .whole = true}},
    {"source", CELL_TEXT, {.title = "SOURCE", .whole = true}},
    {"nominal", CELL_TEXT, {.title = "ON ITS CLOCK", .whole = true}},
    {"zone", CELL_TEXT, {.title = "ZONE"}},
    {"schedule", CELL_TEXT, {.title = "SCHEDULE"}},
    {"event", CELL_TEXT, {.title = "EVENT"}},
    {0},
};

/* --next, from 1 on; 0 after an error was said. */
static size_t read_next(struct cli *cli, size_t fallback) {
    struct str text = cli_value(cli, "next");
    uint64_t next = fallback;
    if (text.p && (!str_to_u64(text, &next) || !next || next > NEXT_MAX)) {
        (void)cli_fail(cli, EXIT_USAGE, "error: --next takes a number from 1 to %d", NEXT_MAX);
        return 0;
    }
    return (size_t)next;
}

int command_schedules_list(struct cli *cli) {
    struct asked asked;
    size_t next = read_next(cli, 1);
    if (!next) return EXIT_USAGE;
    int code = ask(cli, "GET", str_fmt(cli->arena, "/v1/schedules?next=%zu", next), STR_NONE, &asked);
    return code ? code : show_list(cli, &asked, list_columns, "source");
}

/* ---- test ---- */

static const struct zone *find_zone(struct cli *cli, struct str name) {
    const struct zone_list zones = setup_zones();
    const struct zone *zone = zone_find(&zones, name, cli->arena);
    if (!zone) (void)cli_fail(cli, EXIT_USAGE, "error: this machine has no zone '%.*s'", STR_ARG(name));
    return zone;
}

static const struct column test_columns[] = {
    {"nominal", CELL_TEXT, {.title = "ON ITS CLOCK", .whole = true}},
    {"due_at", CELL_TIME, {.title = "DUE", .whole = true}},
    {0},
};

static int show_times(struct cli *cli, const struct schedule *schedule, int64_t from_us, size_t next) {
    struct buf buf = {.arena = cli->arena};
    struct asked asked = {.status = 200};
    int64_t after_min = schedule_reached(schedule, from_us);
    buf_add(&buf, STR("{\"items\":["));
    for (size_t i = 0; i < next; i++) {
        struct firing firing = schedule_next(schedule, after_min);
        struct str nominal = nominal_str(cli->arena, firing.nominal_min), at = when_str(cli->arena, firing.at_us);
        buf_fmt(&buf, "%s{\"nominal\":\"%.*s\",\"due_at\":\"%.*s\"}", i ? "," : "", STR_ARG(nominal), STR_ARG(at));
        after_min = firing.nominal_min;
    }
    buf_add(&buf, STR("],\"next\":null}"));
    asked.body = buf_str(&buf);
    if (json_parse(asked.body, ANSWER_DEPTH_MAX, &asked.json, NULL)) asked.json = NULL;
    return show_list(cli, &asked, test_columns, "nominal");
}

int command_schedules_test(struct cli *cli) {
    struct str name = cli_value(cli, "zone"), from = cli_value(cli, "from"), problem = STR_NONE;
    int64_t from_us = cli_wall_us();
    size_t next = read_next(cli, 5);
    if (!next) return EXIT_USAGE;
    if (from.p && !when_parse(from, &from_us))
        return cli_fail(cli, EXIT_USAGE, "error: --from takes RFC 3339, as 2026-12-01T09:00:00+01:00");
    const struct zone *zone = find_zone(cli, name.p ? name : STR("UTC"));
    if (!zone) return EXIT_USAGE;
    const struct schedule *schedule = schedule_read(cli->arena, cli_argument(cli, 0), zone, CATCH_UP_ONCE, &problem);
    if (!schedule)
        return cli_fail(cli, EXIT_USAGE, "error: a schedule cannot be '%.*s': %.*s", STR_ARG(cli_argument(cli, 0)),
                        STR_ARG(problem));
    return show_times(cli, schedule, from_us, next);
}
