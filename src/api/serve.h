/* api/serve.h - from a request's path to its handler, and who may ask.
 *
 * Handlers run inside the turn's transaction and fill the visit's reply from
 * the turn's arena. POST /v1/events is only taken in: its reply waits for the
 * verdicts. Mutations are durable when the turn commits, which is before any
 * reply is sent.
 */
#ifndef API_SERVE_H
#define API_SERVE_H

#include "engine/turn.h"
#include "store/admin.h"

struct call {
    struct turn *turn;
    struct visit *visit;
    struct arena *arena;
    struct store *store;
    struct str part;  /* what stood for {…} in the path, as sent: ids and names need no encoding */
    struct str actor; /* "unix", or the key's id; for audit rows */
};

/* A handler's own refusal: fills the reply and gives ERR_NONE back. Only store trouble is handed up: it drops the turn.
 */
typedef enum err serve_handler(struct call *call);

struct endpoint {
    const char *method, *path; /* "/v1/events/{id}", "/v1/events/{id}/cancel" */
    enum key_role role;        /* the least role that may */
    bool from_copy;            /* may be answered from a replica, which may be behind */
    serve_handler *handler;
    const char *summary; /* one line, for openapi and the README */
};
extern const struct endpoint endpoints[];
extern const size_t endpoint_count;

MUST_USE enum err serve_request(struct turn *turn, struct visit *visit);
/* problem+json with X-Event-Status where the contract names one, Retry-After on 503. */
void serve_refuse(struct turn *turn, struct visit *visit, const struct refusal *refusal);
/* For handlers. */
enum err serve_problem(struct call *call, enum err err, struct str detail, const char *pointer);
enum err serve_json(struct call *call, int status, struct str body);
/* The request's body as a JSON object (NULL = empty body); a refusal was made when false. */
struct json;
bool serve_body(struct call *call, struct json **ret_body);
/* A query parameter as a number in [0, max] or the fallback; false: refused. */
bool serve_number(struct call *call, const char *name, int64_t fallback, int64_t max, int64_t *ret_value);
/* A query parameter as an instant (RFC 3339, or a length of time before now); 0 when absent. */
bool serve_instant(struct call *call, const char *name, int64_t *ret_us);

/* ---- who may ask ---- */
/* exposed: others can reach the door, so that nobody is let in without a key, also when there is none. */
struct key_ring *key_ring_new(bool exposed);
void key_ring_free(struct key_ring *ring);
/* Reads the keys anew: at start and after each change. */
MUST_USE enum err key_ring_load(struct key_ring *ring, struct store *store);
size_t key_ring_count(const struct key_ring *ring);
/* ERR_NONE and the actor, UNAUTHORIZED or FORBIDDEN. */
MUST_USE enum err key_ring_check(const struct key_ring *ring, const struct request *request, enum key_role role,
                                 struct hasher *hasher, struct arena *arena, struct str *ret_actor);

#endif
