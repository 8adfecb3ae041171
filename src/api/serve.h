/* api/serve.h - THE table of paths, and what every handler needs: refusals,
 * bodies, query parameters. Private to api/. */
#ifndef API_SERVE_H
#define API_SERVE_H

#include "engine/call.h"
#include "store/admin.h"

/* The first phase of a handler (engine/call.h). A refusal of its own is a reply, and ERR_NONE goes back. */
typedef enum err serve_take(struct call *call);
/* The second, for those whose reply waits for the verdicts. */
typedef void serve_answer(struct call *call);

struct endpoint {
    const char *method, *path; /* "/v1/events/{id}", "/v1/events/{id}/cancel" */
    enum key_role role;        /* the least role that may */
    bool open;                 /* needs no key: its handler judges who asks */
    bool from_copy;            /* may be answered from a replica, which may be behind */
    const char *parameters;    /* of the query, with blanks between; any other is refused */
    serve_take *take;
    serve_answer *answer; /* NULL: take makes every reply */
    const char *summary;  /* one line, for openapi and the README */
};
extern const struct endpoint endpoints[];
extern const size_t endpoint_count;

size_t serve_key_count(const struct call *call); /* API keys in force */
bool serve_is_exposed(const struct call *call);  /* others than this machine reach the listener */

struct note;
/* One line of the log about a request to a source that was refused, at most one a minute for each source, and one for
 * all names that are none. */
void serve_log_refused(struct call *call, struct str source, enum err err, struct str words);
/* That line, and the refusal is kept in the source's note and counts there. */
void serve_note_refused(struct call *call, struct str source, enum err err, struct str words);
void serve_note_taken(struct call *call, struct str source); /* it took what came: earlier refusals count no more */
/* Likewise about an event that is known by a digest, because its body lacks the places of the key. */
/* An event whose part `what` was not where its source's map says; why = "": the place is not there. */
void serve_log_unmapped(struct call *call, struct str source, const char *what, struct str map, struct str why);
/* Likewise about a form's page that sends fields which the form does not declare. */
void serve_log_unkept(struct call *call, struct str source, const struct str *fields, size_t count);
/* An event of the form was stored without them. */
void serve_note_unkept(struct call *call, struct str source, const struct str *fields, size_t count);
struct throttle *serve_throttle(const struct call *call);
const struct note *serve_note(const struct call *call, struct str source); /* NULL: nothing was refused */

struct refusal;
/* problem+json with X-Event-Status where the contract names one, Retry-After on 503. */
void serve_refuse(struct call *call, const struct refusal *refusal);
enum err serve_problem(struct call *call, enum err err, struct str detail, const char *pointer);
enum err serve_json(struct call *call, int status, struct str body);
/* The service's look (engine/service.h). */
enum err api_alerts_look(void *self, struct call *call, struct str *state);
/* A query parameter as a number in [min, max] or the fallback; false: refused. */
bool serve_number(struct call *call, const char *name, int64_t fallback, int64_t min, int64_t max, int64_t *ret_value);
/* One that is true or false, false when absent. */
bool serve_truth(struct call *call, const char *name, bool *ret_value);
/* A query parameter as an instant (RFC 3339, or a length of time before now); 0 when absent. */
bool serve_instant(struct call *call, const char *name, int64_t *ret_us);

#endif
