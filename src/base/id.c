/* base/id.c - see id.h. */
#include "base/id.h"

#include "base/arena.h"
#include "base/hash.h"
#include "base/when.h"

#include <assert.h>
#include <string.h>

/* What a delivery is made of, with room to spare. */
#define DERIVE_PARTS_MAX 8
#define TIME_MAX_MS      (((uint64_t)1 << 48) - 1)
/* The 62 random bits below the variant. */
#define LOW_MASK (((uint64_t)1 << 62) - 1)

static void put_be(uint8_t *to, uint64_t value, size_t bytes) {
    for (size_t i = bytes; i-- > 0; value >>= 8) to[i] = (uint8_t)value;
}

static uint64_t get_be(const uint8_t *from, size_t bytes) {
    uint64_t value = 0;
    for (size_t i = 0; i < bytes; i++) value = value << 8 | from[i];
    return value;
}

/* top: 48 bits of milliseconds and the 12 bits after the version; low: the 62 bits after the variant. */
static struct uuid v7_make(uint64_t top, uint64_t low) {
    struct uuid id = {0};
    put_be(id.b, top >> 12, 6);
    put_be(id.b + 6, 0x7000 | (top & 0xfff), 2);
    put_be(id.b + 8, (uint64_t)2 << 62 | low, 8);
    return id;
}

static uint64_t v7_top(struct uuid id) {
    return get_be(id.b, 6) << 12 | (get_be(id.b + 6, 2) & 0xfff);
}

/* Milliseconds within the 48 bits that an id has for them. WHEN_NEVER becomes the largest, which is after every id. */
static uint64_t unix_ms(int64_t us) {
    uint64_t ms = us > 0 ? (uint64_t)(us / US_PER_MS) : 0;
    return ms > TIME_MAX_MS ? TIME_MAX_MS : ms;
}

/* RFC 9562, 6.2 method 2: within a millisecond the random part is a counter that advances by a random step; when it
 * runs over, it carries into the time. */
struct uuid uuid_v7(int64_t now_us, struct rng *rng, struct uuid *last) {
    uint64_t ms = unix_ms(now_us), last_top = v7_top(*last);
    uint64_t top = ms << 12 | (rng_u64(rng) & 0xfff), low = rng_u64(rng) & LOW_MASK;
    if (!uuid_is_zero(*last) && ms <= last_top >> 12) {
        low = (get_be(last->b + 8, 8) & LOW_MASK) + 1 + (low & UINT32_MAX);
        top = last_top + (low > LOW_MASK);
        low &= LOW_MASK;
    }
    *last = v7_make(top, low);
    return *last;
}

struct uuid uuid_derive(struct hasher *hasher, const struct str *parts, size_t count) {
    assert(count <= DERIVE_PARTS_MAX);
    uint8_t lengths[DERIVE_PARTS_MAX][8], digest[SHA256_BYTES];
    struct str framed[DERIVE_PARTS_MAX * 2];
    for (size_t i = 0; i < count; i++) {
        put_be(lengths[i], parts[i].n, 8);
        framed[i * 2] = (struct str){(const char *)lengths[i], 8};
        framed[i * 2 + 1] = parts[i];
    }
    hash_sha256_parts(hasher, framed, count * 2, digest);
    struct uuid id;
    memcpy(id.b, digest, sizeof id.b);
    id.b[6] = (uint8_t)(0x80 | (id.b[6] & 0x0f));
    id.b[8] = (uint8_t)(0x80 | (id.b[8] & 0x3f));
    return id;
}

struct uuid uuid_dated(struct uuid derived, int64_t at_us) {
    put_be(derived.b, unix_ms(at_us), 6);
    derived.b[6] = (uint8_t)(0x70 | (derived.b[6] & 0x0f));
    return derived;
}

struct uuid uuid_floor(int64_t at_us) {
    struct uuid least = {0};
    put_be(least.b, unix_ms(at_us), 6);
    return least;
}

bool uuid_is_of(struct uuid id, struct uuid derived) {
    bool dated = id.b[6] >> 4 == 7;
    if (dated) memcpy(derived.b, id.b, 6);
    if (dated) derived.b[6] = (uint8_t)(0x70 | (derived.b[6] & 0x0f));
    return uuid_eq(id, derived);
}

/* Whether a dash stands before this byte in the text. */
static bool dash_before(size_t byte) {
    return byte == 4 || byte == 6 || byte == 8 || byte == 10;
}

void uuid_format(struct uuid id, char ret_text[UUID_TEXT_LENGTH + 1]) {
    static const char digits[] = "0123456789abcdef";
    char *to = ret_text;
    for (size_t i = 0; i < sizeof id.b; i++) {
        if (dash_before(i)) *to++ = '-';
        *to++ = digits[id.b[i] >> 4];
        *to++ = digits[id.b[i] & 15];
    }
    *to = 0;
}

struct str uuid_str(struct arena *arena, struct uuid id) {
    char text[UUID_TEXT_LENGTH + 1];
    uuid_format(id, text);
    return str_dup(arena, (struct str){text, UUID_TEXT_LENGTH});
}

bool uuid_parse(struct str text, struct uuid *ret_id) {
    struct uuid id;
    if (text.n != UUID_TEXT_LENGTH) return false;
    for (size_t i = 0, at = 0; i < sizeof id.b; i++, at += 2) {
        if (dash_before(i) && text.p[at++] != '-') return false;
        if (!hex_decode(str_sub(text, at, 2), &id.b[i], 1)) return false;
    }
    *ret_id = id;
    return true;
}

bool uuid_eq(struct uuid a, struct uuid b) {
    return memcmp(a.b, b.b, sizeof a.b) == 0;
}

bool uuid_is_zero(struct uuid id) {
    return uuid_eq(id, (struct uuid){0});
}
