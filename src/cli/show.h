/* cli/show.h - answers in the form that was asked for: -o, --jq, tables, and
 * the short lines of deliveries. */
#ifndef CLI_SHOW_H
#define CLI_SHOW_H

#include "cli/ask.h"
#include "cli/grid.h"

/* How a member of an answer's item becomes a cell. On a terminal a table shows so much of an id as tells it from the
 * others: of an event at least its time, of a delivery some of what follows too, because those of one event share the
 * time. `-v`, a pipe and -o json have the whole. LATER is a time, if it is after the item was made. */
enum cell_kind {
    CELL_TEXT,
    CELL_TIME,
    CELL_LATER,
    CELL_LIST,
    CELL_FLAG,
    CELL_TARGET,
    CELL_EVENT_ID,
    CELL_DELIVERY_ID,
    CELL_ERROR
};
/* A table of them ends with a title of NULL. */
struct column {
    const char *member;
    enum cell_kind kind;
    struct grid_column how;
};

/* A list answer {"items":[...],"next":...}, which is freed. id: the member that -o id prints. An exit code. */
MUST_USE int show_list(struct cli *cli, struct asked *asked, const struct column *columns, const char *id);
/* One thing, which is freed: as JSON where that was asked for, else by the function. */
MUST_USE int show_one(struct cli *cli, struct asked *asked, const char *id,
                      void (*show)(struct cli *cli, const struct json *thing));
/* JSON, NDJSON, id and --jq: true, with the exit code, when one of them was asked for. */
bool show_machine(struct cli *cli, struct str json, const char *id, int *ret_code);

/* A member as text: numbers and lists as JSON, "" when null or absent. */
struct str show_member(struct cli *cli, const struct json *item, const char *name);
/* "1 delivery", "2 deliveries" */
struct str show_count(struct cli *cli, int64_t count, const char *one, const char *many);
/* An RFC 3339 time without its fraction; "" when it is none. */
struct str show_time(struct cli *cli, struct str time);
/* A list of things as an aligned table, cut to the terminal; nothing when it is empty. */
void show_table(struct cli *cli, const struct json *items, const struct column *columns);
/* Puts out a text, somebody else's too, which begins in column `at`, and ends the line: on a terminal as text_wrap
 * does, elsewhere in one line. */
void show_text(struct cli *cli, struct str text, size_t at, size_t indent);
/* One member a line, "  name   value", those that are there. */
void show_fields(struct cli *cli, const struct json *thing, const struct column *columns);
/* An id as a line for people has it: whole in a pipe and with -v. */
struct str show_id(struct cli *cli, struct str id);
/* "  crm  delivered  201  38 ms": one delivery, with its attempts or without, and what else is to stand there;
 * before: columns that stand in the line already. */
void show_delivery_line(struct cli *cli, const struct json *delivery, size_t before, struct str more);
/* Waits until nothing of an event is open, and shows what came of each delivery (send.c). An exit code. */
MUST_USE int show_outcome(struct cli *cli, struct str id);
/* What people did to one of the things of a list of acts, a line each. */
void show_acts(struct cli *cli, const struct json *acts, struct str subject);
/* Of an event that no route wants, a line for each route: which of its rules did not let it through. */
void show_unwanted(struct cli *cli, struct writer *writer, const struct json *event);
/* "crm", or "hubspot.contact" where there is an action. */
struct str show_target(struct cli *cli, const struct json *delivery);

#endif
