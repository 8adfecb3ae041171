/* store/report.c - see report.h. */
#include "store/report.h"

#include <stdlib.h>

#include "base/when.h"
#include "store/list.h"

#define WINDOW_ROWS    256
#define CLOCK_SLACK_US US_PER_HOUR /* seqs follow the time of creation, except for how far a clock may be set back */
#define OTHERS         "(others)"

const char *sheet_text(enum sheet_column column) {
    static const char *const texts[SHEET_COLUMNS] = {
#define X(name, text) text,
        SHEET_LIST(X)
#undef X
    };
    return texts[column];
}

int64_t sheet_difference(const struct sheet_line *line) {
    int64_t sum = 0;
    for (int i = SHEET_IN + 1; i < SHEET_WRONG; i++) sum += line->counts[i];
    return llabs(line->counts[SHEET_IN] - sum) + line->counts[SHEET_WRONG];
}

/* ---- a sheet as the text of a round: a line each, with a tab before every count ---- */

struct sheet sheet_of(const struct chore_round *round, struct arena *arena) {
    struct sheet sheet = {.day = round->mode,
                          .made = round->finished_us != 0,
                          .lines = arena_array(arena, struct sheet_line, SHEET_LINES_MAX)};
    struct str rest = round->result, text;
    sheet.count = 1; /* the events, also where there are none */
    while (rest.n && str_next(&rest, '\n', &text) && sheet.count <= SHEET_LINES_MAX) {
        struct str name, number;
        if (!str_next(&text, '\t', &name)) continue;
        struct sheet_line *line = name.n ? &sheet.lines[sheet.count++] : &sheet.lines[0];
        line->destination = name;
        for (int i = 0; i < SHEET_COLUMNS && str_next(&text, '\t', &number); i++)
            if (!str_to_i64(number, &line->counts[i])) line->counts[i] = 0;
        sheet.difference += sheet_difference(line);
    }
    return sheet;
}

static struct str sheet_dump(const struct sheet *sheet, struct arena *arena) {
    struct buf buf = {.arena = arena};
    if (sheet->count == 1 && !sheet->lines[0].counts[SHEET_IN]) return STR_NONE; /* nothing came in */
    for (size_t i = 0; i < sheet->count; i++) {
        buf_add(&buf, sheet->lines[i].destination);
        for (int j = 0; j < SHEET_COLUMNS; j++) buf_fmt(&buf, "\t%lld", (long long)sheet->lines[i].counts[j]);
        buf_byte(&buf, '\n');
    }
    return buf_str(&buf);
}

/* The line of a destination. The last place is kept for all that have none of their own. */
static struct sheet_line *line_of(struct sheet *sheet, struct str destination) {
    for (size_t i = 1; i < sheet->count; i++)
        if (str_eq(sheet->lines[i].destination, destination)) return &sheet->lines[i];
    if (sheet->count == SHEET_LINES_MAX) return &sheet->lines[SHEET_LINES_MAX - 1];
    struct sheet_line *line = &sheet->lines[sheet->count++];
    line->destination = sheet->count == SHEET_LINES_MAX ? STR(OTHERS) : destination;
    return line;
}

/* ---- a window ---- */

static const enum sheet_column of_events[] = {SHEET_IN,      SHEET_COMPLETED, SHEET_FAILED, SHEET_OPEN,
                                              SHEET_PENDING, SHEET_UNROUTED,  SHEET_WRONG};
static const enum sheet_column of_owed[] = {SHEET_IN};
static const enum sheet_column of_deliveries[] = {SHEET_COMPLETED, SHEET_SKIPPED, SHEET_FAILED,    SHEET_UNKNOWN,
                                                  SHEET_HELD,      SHEET_OPEN,    SHEET_SUPERSEDED};

static void add(struct sheet_line *line, const enum sheet_column *columns, size_t count,
                const struct sql_value *values) {
    for (size_t i = 0; i < count; i++) line->counts[columns[i]] += values[i].number;
}

static enum err add_window(struct store *store, const struct sql_value *window, struct arena *arena,
                           struct sheet *sheet) {
    static const struct {
        enum sql_statement statement;
        const enum sheet_column *columns;
        size_t count;
    } sides[] = {{SQL_REPORT_OWED, of_owed, 1},
                 {SQL_REPORT_DELIVERIES, of_deliveries, sizeof of_deliveries / sizeof *of_deliveries}};
    struct sql_result result;
    TRY(store_run(store, SQL_REPORT_EVENTS, window, 1, arena, &result));
    add(&sheet->lines[0], of_events, sizeof of_events / sizeof *of_events, result.rows[0].values);
    for (size_t i = 0; i < sizeof sides / sizeof *sides; i++) {
        TRY(store_run(store, sides[i].statement, window, 1, arena, &result));
        for (size_t j = 0; j < result.count; j++) {
            const struct sql_value *v = result.rows[j].values;
            add(line_of(sheet, v[0].text), sides[i].columns, sides[i].count, v + 1);
        }
    }
    return ERR_NONE;
}

static enum err begin(struct store *store, int64_t since_us, int64_t until_us, struct chore_round *round) {
    int64_t last, from;
    TRY(store_ask(store, SQL_EVENT_LAST, NULL, 0, &last));
    TRY(list_made(store, SQL_EVENT_MADE, 1, last + 1, since_us - CLOCK_SLACK_US, &from));
    round->last_seq = from - 1;
    TRY(list_made(store, SQL_EVENT_MADE, from, last + 1, until_us + CLOCK_SLACK_US, &from));
    round->part_end = from - 1;
    round->done = -round->last_seq; /* the share is of the day's range alone */
    round->total = round->part_end + round->done;
    return ERR_NONE;
}

enum err store_report_step(struct store *store, int64_t since_us, int64_t until_us, struct arena *arena,
                           struct chore_round *round, bool *ret_more) {
    if (!round->steps) TRY(begin(store, since_us, until_us, round));
    const struct sql_value next[] = {sql_int(round->last_seq), sql_int(round->part_end), sql_int(WINDOW_ROWS)};
    struct sql_result seqs;
    TRY(store_run(store, SQL_VERIFY_WINDOW_MARKETING_EVENTS, next, 1, arena, &seqs));
    bool more = seqs.count == WINDOW_ROWS;
    int64_t upto = more ? seqs.rows[seqs.count - 1].values[0].number : round->part_end;
    const struct sql_value window[] = {sql_int(round->last_seq), sql_int(upto), sql_int(since_us), sql_int(until_us)};
    struct sheet sheet = sheet_of(round, arena);
    TRY(add_window(store, window, arena, &sheet));
    round->last_seq = upto;
    round->result = sheet_dump(&sheet, arena);
    round->found = sheet_of(round, arena).difference;
    *ret_more = more;
    return ERR_NONE;
}
