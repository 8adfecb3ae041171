/* connect/fields.h - limit and retry headers as providers really write them.
 * Sources: RFC 9110 10.2.3 (Retry-After), RFC 8941 (structured fields),
 * draft-ietf-httpapi-ratelimit-headers in its forms, X-RateLimit-*. Pure. */
#ifndef CONNECT_FIELDS_H
#define CONNECT_FIELDS_H

#include "model/exchange.h"

/* How a number in a reset header is meant. AUTO: a date, else > 1e11 epoch ms, > 1e9 epoch s (fractions allowed), else seconds to go. */
enum reset_unit { RESET_AUTO, RESET_EPOCH_S, RESET_EPOCH_MS, RESET_DELTA_S, RESET_DELTA_MS, RESET_DATE };
/* The moment it names; false when it names none. */
bool field_reset(struct str value, enum reset_unit unit, int64_t now_us, int64_t *ret_at_us);
/* Retry-After: seconds (fractions allowed) or an HTTP-date; clamped to [now + 1 s, now + 24 h]; of several, the latest. */
bool field_retry_after(const struct answer *answer, int64_t now_us, int64_t *ret_at_us);
/* Remaining 0 with its reset, from RateLimit, RateLimit-*, X-RateLimit-*, X-Rate-Limit-*: the moment the account may go on. */
bool field_quiet_until(const struct answer *answer, int64_t now_us, int64_t *ret_at_us);

/* One member of a structured list or dictionary: `"name";r=0;t=30`. false at the end or at the first error. */
struct sf_member {
    struct str key;   /* dictionary key, or the string/token item */
    double value;     /* bare number item, else 0 */
    struct { struct str name; double number; struct str text; } params[8];
    size_t param_count;
};
bool sf_next(struct str *rest, struct sf_member *ret_member);
/* A whole field that is an sf-string ("…" with escapes), or any other text taken bare; for Idempotency-Key. false: broken quotes. */
bool sf_string_or_bare(struct arena *arena, struct str value, struct str *ret_text);

#endif
