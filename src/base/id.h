/* base/id.h - event and delivery identities.
 *
 * An event's id is a UUIDv7 (RFC 9562, 5.7): time ordered, made from the
 * turn's clock and rng. A delivery's key is a UUIDv8 (RFC 9562, 5.8) cut from
 * a SHA-256 over what the delivery is, so the same delivery has the same key
 * in every attempt, after a crash, and in a restored backup. Its id is that
 * key under a time (docs/decisions/0018-a-delivery-has-an-id-and-a-key.md).
 */
#ifndef BASE_ID_H
#define BASE_ID_H

#include "base/rng.h"
#include "base/str.h"

struct hasher;

struct uuid {
    uint8_t b[16];
};
#define UUID_TEXT_LENGTH 36

/* Strictly increasing while *last is kept by one caller, also within a millisecond and when the clock steps back. */
struct uuid uuid_v7(int64_t now_us, struct rng *rng, struct uuid *last);
/* v8 from SHA-256 over the parts, each with its length before it. */
struct uuid uuid_derive(struct hasher *hasher, const struct str *parts, size_t count);
/* A v7 of that millisecond whose random bits are the last bits of the derived id. */
struct uuid uuid_dated(struct uuid derived, int64_t at_us);
/* The smallest id of that millisecond: no v7 that was made since then is less. */
struct uuid uuid_floor(int64_t at_us);
/* Whether the id is the derived one itself, or the derived one under whatever time. */
bool uuid_is_of(struct uuid id, struct uuid derived);

void uuid_format(struct uuid id, char ret_text[UUID_TEXT_LENGTH + 1]);
struct str uuid_str(struct arena *arena, struct uuid id);
bool uuid_parse(struct str text, struct uuid *ret_id); /* 8-4-4-4-12, either case */
bool uuid_eq(struct uuid a, struct uuid b);
bool uuid_is_zero(struct uuid id);

#endif
