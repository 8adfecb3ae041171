/* base/err.h - errors are values with a class.
 *
 * ONE list gives each error its code, class, HTTP status, metric label and
 * text. A function that can fail for the world's reasons returns enum err and
 * leaves its ret_ outputs untouched on failure. Asserts are for the
 * programmer; they stay on in release.
 */
#ifndef BASE_ERR_H
#define BASE_ERR_H

#define MUST_USE __attribute__((warn_unused_result))
/* Hand an error up. */
#define TRY(call)                                                                                                      \
    do {                                                                                                               \
        enum err try_err_ = (call);                                                                                    \
        if (try_err_) return try_err_;                                                                                 \
    } while (0)

/* class: what a caller may do about it.
 *   ASK    the asker must change something     RETRY  the same again later
 *   FATAL  stop, nothing in memory is trusted any more */
enum err_class { ERR_CLASS_NONE, ERR_CLASS_ASK, ERR_CLASS_RETRY, ERR_CLASS_FATAL };

/* X(name, code, class, http status, label, text) */
#define ERR_LIST(X)                                                                                                    \
    X(NONE, "", NONE, 200, "none", "no error")                                                                         \
    X(BAD_JSON, "E0101", ASK, 400, "bad_json", "the body is not valid JSON")                                           \
    X(BAD_FIELD, "E0102", ASK, 400, "bad_field", "a field is missing, unknown or not valid")                           \
    X(BAD_TYPE, "E0103", ASK, 400, "bad_type", "this event type is not declared under types")                          \
    X(BAD_KEY, "E0104", ASK, 400, "bad_key", "the idempotency key is not valid")                                       \
    X(BAD_REQUEST, "E0105", ASK, 400, "bad_request", "the request is malformed")                                       \
    X(CONFLICT, "E0502", ASK, 422, "conflict", "this key was used before with another payload, type or source")        \
    X(UNAUTHORIZED, "E0110", ASK, 401, "unauthorized", "a valid API key is needed")                                    \
    X(UNSIGNED, "E0135", ASK, 401, "unsigned", "no source here takes this: its path or its signature does not fit")    \
    X(STALE, "E0136", ASK, 401, "stale", "the request was signed too long ago")                                        \
    X(FORBIDDEN, "E0111", ASK, 403, "forbidden", "the API key's role does not allow this")                             \
    X(NOT_FOUND, "E0112", ASK, 404, "not_found", "nothing has this id, name or path")                                  \
    X(BAD_METHOD, "E0113", ASK, 405, "bad_method", "this path does not take this method")                              \
    X(TOO_LARGE, "E0114", ASK, 413, "too_large", "the request is larger than allowed")                                 \
    X(BAD_MEDIA, "E0115", ASK, 415, "bad_media", "this media type is not accepted")                                    \
    X(HEADERS_LARGE, "E0116", ASK, 431, "headers_large", "the request's headers are too large")                        \
    X(TIMEOUT, "E0117", ASK, 408, "timeout", "the request took too long to arrive")                                    \
    X(NOT_NOW, "E0118", ASK, 409, "not_now", "as things stand this cannot be done")                                    \
    X(PLAN_EXPIRED, "E0150", ASK, 409, "plan_expired", "the plan is too old to be carried out")                        \
    X(PLAN_CHANGED, "E0151", ASK, 409, "plan_changed", "the configuration changed since the plan was made")            \
    X(FOREIGN, "E0119", ASK, 403, "foreign", "a page of another site may not ask this")                                \
    X(FULL, "E0120", RETRY, 503, "full", "the queue is full, try again")                                               \
    X(STORE_FULL, "E0121", RETRY, 503, "store_full", "no space is left for the store")                                 \
    X(STORE_BUSY, "E0122", RETRY, 503, "store_busy", "the store is busy")                                              \
    X(STORE_RACED, "E0125", RETRY, 503, "store_raced", "another process was in the way, try again")                    \
    X(STORE_HELD, "E0132", RETRY, 503, "store_held", "another transaction holds what this needs, try again")           \
    X(STORE_CLASH, "E0141", RETRY, 503, "store_clash", "another process made the same row, try again")                 \
    X(STORE_UNFIT, "E0142", RETRY, 503, "store_unfit", "the database lacks a table, a column or a right")              \
    X(STORE_REFUSED, "E0131", ASK, 422, "store_refused", "the database refused this")                                  \
    X(STORE_AWAY, "E0134", RETRY, 503, "store_away", "the database cannot be reached")                                 \
    X(STALLED, "E0133", RETRY, 503, "stalled", "the server stands still, it waits for its store")                      \
    X(STORE_FAILED, "E0123", FATAL, 503, "store_failed", "the store failed")                                           \
    X(STOPPING, "E0124", RETRY, 503, "stopping", "the server is shutting down")                                        \
    X(NOT_HERE, "E0126", RETRY, 503, "not_here", "this process does not take events")                                  \
    X(SLOWED, "E0127", RETRY, 429, "slowed", "too many wrong API keys came from this address")                         \
    X(TOO_OFTEN, "E0128", RETRY, 429, "too_often", "this address sent it too often")                                   \
    X(NOT_FILLED, "E0137", ASK, 422, "not_filled", "a field of the form is missing or not valid")                      \
    X(MAP_STOPPED, "E0138", RETRY, 503, "map_stopped", "what the source's map says by jq cannot be told now")          \
    X(UNVOUCHED, "E0139", RETRY, 503, "unvouched", "the certificate of this signature is not here yet, try again")     \
    X(CONFIRMING, "E0140", RETRY, 503, "confirming", "the subscription is being confirmed, try again")                 \
    X(STORE_LOCKED, "E0601", ASK, 503, "store_locked", "another process holds the store")                              \
    X(STORE_NEWER, "E0602", ASK, 503, "store_newer", "the store was written by a newer version")                       \
    X(STORE_CORRUPT, "E0603", FATAL, 503, "store_corrupt", "the store is damaged")                                     \
    X(STORE_FOREIGN, "E0604", ASK, 503, "store_foreign", "the file is not a drumbeat store")                           \
    X(CONFIG, "E0200", ASK, 400, "config", "the configuration is not valid")                                           \
    X(JQ_COMPILE, "E0420", ASK, 400, "jq_compile", "the jq program does not compile")                                  \
    X(JQ_RUN, "E0421", ASK, 422, "jq_run", "the jq program failed on this input")                                      \
    X(JQ_RUNAWAY, "E0422", ASK, 422, "jq_runaway", "the jq program was stopped: it ran too long")                      \
    X(IO, "E0901", RETRY, 500, "io", "input or output failed")                                                         \
    X(LIMIT, "E0902", ASK, 400, "limit", "a limit was passed")                                                         \
    X(INTERNAL, "E0999", FATAL, 500, "internal", "an internal rule was broken")

enum err {
#define ERR_ENUM(name, code, class, http, label, text) ERR_##name,
    ERR_LIST(ERR_ENUM)
#undef ERR_ENUM
        ERR_COUNT
};

const char *err_code(enum err err);  /* "E0502" */
const char *err_label(enum err err); /* a word, for whoever reads a failing test */
const char *err_text(enum err err);
int err_http(enum err err);
enum err_class err_class(enum err err);

#endif
