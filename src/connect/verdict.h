/* connect/verdict.h - the words for what an answer means, and what it means
 * where no connector says otherwise: by how far the exchange came, by status,
 * and by the limit headers. Pure; private to this room. */
#ifndef CONNECT_VERDICT_H
#define CONNECT_VERDICT_H

#include "connect/fields.h"
#include "model/exchange.h"

/* Where a word may stand. */
#define VERDICT_OF_CALL   1U
#define VERDICT_OF_ITEM   2U
#define VERDICT_OF_LOOKUP 4U
#define VERDICT_OF_BATCH  8U /* the call for many, as a whole */
#define VERDICT_OF_SEND   (VERDICT_OF_CALL | VERDICT_OF_ITEM | VERDICT_OF_BATCH)
#define VERDICT_OF_ANY    (VERDICT_OF_SEND | VERDICT_OF_LOOKUP)
/* What a word adds to its class. */
#define VERDICT_ADDS_PLAIN     0U
#define VERDICT_ADDS_REPEAT    1U
#define VERDICT_ADDS_THROTTLED 2U
#define VERDICT_ADDS_PAUSE     4U
#define VERDICT_ADDS_REFUSED   8U
#define VERDICT_ADDS_EXPIRED   16U /* a pause, unless another token helps */

/* X(NAME, word, class, adds, where) */
#define VERDICT_LIST(X)                                                                                                \
    X(DONE, "done", DONE, PLAIN, SEND)                                                                                 \
    X(ALREADY, "already", DONE, REPEAT, SEND) /* it had it before */                                                   \
    X(RETRY, "retry", RETRY, PLAIN, ANY)                                                                               \
    X(LIMIT, "limit", RETRY, THROTTLED, ANY) /* the provider's limit */                                                \
    X(FAILED, "failed", FAILED, PLAIN, SEND)                                                                           \
    X(PAUSE, "pause", RETRY, PAUSE, ANY)        /* the account is refused */                                           \
    X(EXPIRED, "expired", RETRY, EXPIRED, ANY)  /* its token is */                                                     \
    X(REFUSED, "refused", RETRY, REFUSED, SEND) /* the account is, or this one delivery */                             \
    X(UNKNOWN, "unknown", UNKNOWN, PLAIN, ANY)                                                                         \
    X(FOUND, "found", DONE, PLAIN, LOOKUP)                                                                             \
    X(ABSENT, "absent", ABSENT, PLAIN, LOOKUP)                                                                         \
    X(ITEMS, "items", DONE, PLAIN, BATCH) /* each item has its own answer */
enum verdict {
#define VERDICT_ENUM(name, word, class, adds, where) VERDICT_##name,
    VERDICT_LIST(VERDICT_ENUM)
#undef VERDICT_ENUM
        VERDICT_COUNT
};
const char *verdict_word(enum verdict verdict);
bool verdict_may_stand(enum verdict verdict, unsigned where);
/* Sets class, pause, refused, repeat and throttled; the error stays. */
void verdict_apply(enum verdict verdict, struct outcome *outcome);

/* The moment the answer came, on the loop's clock. */
int64_t verdict_now_us(const struct answer *answer, int64_t now_us);
/* The outcome where no connector says otherwise: class, pause, throttled and error. Its texts are in the arena. */
struct outcome verdict_default(const struct answer *answer, enum outgoing_scheme scheme, struct arena *arena);
/* "answered 422: " and the body's beginning; "answered 422" without one. */
struct str verdict_text(const struct answer *answer, struct arena *arena);
/* not_before from Retry-After, quiet_until from the limit headers; a refusal for the limit silences the account. */
void verdict_limits(const struct answer *answer, const struct limit_field *fields, size_t count, int64_t now_us,
                    struct outcome *outcome);

#endif
