/* model/outcome.h - what an attempt came to, as the connector language reads
 * it and the settling rules take it. Texts are borrowed. */
#ifndef MODEL_OUTCOME_H
#define MODEL_OUTCOME_H

#include "base/str.h"

/* X(NAME, text): the four classes of attempts, then the answers to a lookup. */
#define OUTCOME_LIST(X)                                                                                                \
    X(DONE, "done")       /* the effect exists */                                                                      \
    X(RETRY, "retry")     /* no effect; the same again later */                                                        \
    X(FAILED, "failed")   /* no effect; the same again is useless */                                                   \
    X(UNKNOWN, "unknown") /* bytes were sent, no complete answer: the effect may or may not exist */                   \
    X(ABSENT, "absent")   /* a lookup: the effect does not exist */
enum outcome_class {
#define OUTCOME_ENUM(name, text) OUTCOME_##name,
    OUTCOME_LIST(OUTCOME_ENUM)
#undef OUTCOME_ENUM
        OUTCOME_COUNT
};

struct outcome {
    enum outcome_class class;
    bool pause;             /* the account is refused (401, 403, ...): pause the destination, spend no retry */
    bool repeat;            /* done, and the provider says it had it already */
    bool throttled;         /* the provider's limit, not trouble: the breaker does not count it */
    bool hold;              /* when no try is left a person decides: HELD, not FAILED */
    bool unsent;            /* nothing left the process (a lease handed back): spends nothing, no attempt is kept */
    int32_t http_status;    /* 0 = no answer */
    int64_t not_before_us;  /* 0, or the moment the provider named for this delivery */
    int64_t quiet_until_us; /* 0, or the moment until which the whole account must send nothing */
    int64_t started_us, finished_us;
    struct str error;     /* a sentence for a person, "" when done */
    struct str answer;    /* the body's first bytes */
    struct str remote_id; /* the provider's id of the effect, "" = not known */
};

const char *outcome_text(enum outcome_class class);

#endif
