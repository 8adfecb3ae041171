/* cli/ask.h - questions to the server, in the API's own words, and what its
 * answers mean for the exit code. Reads are answered from the store itself
 * when no server runs here. */
#ifndef CLI_ASK_H
#define CLI_ASK_H

#include "cli/command.h"

#define ANSWER_DEPTH_MAX 72 /* of JSON: a payload inside a list inside an answer */

struct json;

struct asked {
    int status;
    struct str body;
    struct json *json;       /* NULL when the body is none; asked_free ends it */
    struct str event_status; /* X-Event-Status */
    bool offline;            /* no server: the store itself was read */
};

/* --dry-run: nothing was asked. Handed up as a command's result, it ends the program as 0. */
#define ASK_DRY (-1)

/* Makes one call and gives an exit code: DONE when the answer is a good one; otherwise what is wrong was said, and
 * nothing is to be freed. body .p NULL = none. */
MUST_USE int ask(struct cli *cli, const char *method, struct str path, struct str body, struct asked *ret_asked);
/* The same, but every answer of the server counts as good, because the caller judges it. --dry-run does not hold it
 * back.
 */
MUST_USE int ask_any(struct cli *cli, const char *method, struct str path, struct str body, struct asked *ret_asked);
/* Posts a request to /in/NAME, with its headers, as it is. */
struct request;
MUST_USE int ask_as(struct cli *cli, const struct request *request, struct asked *ret_asked);
/* Says what a refusal says, gives its exit code. */
int asked_refused(struct cli *cli, const struct asked *asked);
void asked_free(struct asked *asked);
/* 400 -> 2, 404 -> 4, 409 422 -> 5, 401 403 -> 7, other refusals -> 1. */
int exit_code_of(int status);

/* "/v1/events/" and the percent-encoded part. */
struct str path_of(struct cli *cli, const char *before, struct str part, const char *after);
/* Adds ?name=value or &name=value for each option that was given. */
void path_option(struct cli *cli, struct buf *path, const char *option, const char *name);
void path_query(struct buf *path, const char *name, struct str value);

#endif
