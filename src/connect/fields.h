/* connect/fields.h - limit and retry headers as providers really write them.
 * Sources: RFC 9110 10.2.3 (Retry-After), RFC 8941 (structured fields),
 * draft-ietf-httpapi-ratelimit-headers in its forms, X-RateLimit-*. Pure. */
#ifndef CONNECT_FIELDS_H
#define CONNECT_FIELDS_H

#include "model/exchange.h"

/* X(NAME, word): how a reset header is meant. AUTO: a date, else > 1e11 epoch ms, > 1e9 epoch s (fractions allowed),
 * else seconds to go. */
#define RESET_LIST(X)                                                                                                  \
    X(AUTO, "auto")                                                                                                    \
    X(EPOCH_S, "epoch_s")                                                                                              \
    X(EPOCH_MS, "epoch_ms")                                                                                            \
    X(DELTA_S, "seconds")                                                                                              \
    X(DELTA_MS, "milliseconds")                                                                                        \
    X(DATE, "date")
enum reset_unit {
#define RESET_ENUM(name, word) RESET_##name,
    RESET_LIST(RESET_ENUM)
#undef RESET_ENUM
        RESET_COUNT
};

/* A date or an epoch is a moment of the provider's clock. If the answer says what time it is there, the moment is
 * counted from that. Otherwise a moment that is only guessed to be one (AUTO) is taken to be at most 15 minutes ahead,
 * so that a slow clock of ours does not silence an account for long. */
struct field_clock {
    int64_t now_us;  /* ours */
    int64_t date_us; /* what the answer's Date says; 0 = it has none that can be read */
};
struct field_clock field_clock(const struct answer *answer, int64_t now_us);

/* The moment that a reset header names, on our clock; it may be past. False when it names none. Dates are RFC 3339 with
 * an offset, or HTTP-date, also with UTC or +0000 for GMT. */
bool field_reset(struct str value, enum reset_unit unit, struct field_clock clock, int64_t *ret_at_us);
/* Retry-After: seconds (fractions allowed), an epoch, a date, or several numbers with commas; clamped to
 * [now + 1 s, now + 24 h]; of several, the latest. */
bool field_retry_after(const struct answer *answer, int64_t now_us, int64_t *ret_at_us);
/* [now + 1 s, now + 24 h]: what a provider may ask for. */
int64_t field_clamp(int64_t at_us, int64_t now_us);

/* Where a provider writes its limit, beside or in place of the usual headers. */
struct limit_field {
    struct str remaining; /* header; "" = the reset counts only in an answer that refuses for the limit */
    struct str reset;     /* header; "" = `remaining` is a structured field with r= and t= in each member */
    enum reset_unit unit;
};
/* The moment until which the account must be silent, because nothing remains and the reset is ahead. Of several moments
 * it is the latest, and of several with the same `remaining` the first that can be read; at most 24 h ahead. refused
 * says that the answer itself was a refusal for the limit. */
bool field_limit(const struct answer *answer, const struct limit_field *fields, size_t count, bool refused,
                 int64_t now_us, int64_t *ret_at_us);
/* The same from the headers most providers use: RateLimit in both draft forms, RateLimit-*, X-RateLimit-*,
 * X-Rate-Limit-*. */
bool field_quiet_until(const struct answer *answer, int64_t now_us, int64_t *ret_at_us);

#endif
