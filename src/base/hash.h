/* base/hash.h - digests, encodings and constant-time comparison.
 *
 * The only file that knows OpenSSL's EVP. A struct hasher holds fetched
 * algorithms and reused contexts (fetching per call costs 1.5 to 3 times).
 * Thread: one hasher per thread. Sources: FIPS 180-4, RFC 1321, RFC 2104, RFC 4648.
 */
#ifndef BASE_HASH_H
#define BASE_HASH_H

#include "base/err.h"
#include "base/str.h"

#define SHA256_BYTES 32
#define MD5_BYTES    16

struct hasher;
struct hasher *hasher_new(void); /* aborts when the library has no SHA-256 */
void hasher_free(struct hasher *hasher);

void hash_sha256(struct hasher *hasher, struct str data, uint8_t ret_digest[SHA256_BYTES]);
void hash_sha256_parts(struct hasher *hasher, const struct str *parts, size_t count, uint8_t ret_digest[SHA256_BYTES]);
/* MD5 proves nothing: it is for providers that name a thing by the MD5 of its address. False where the library offers
 * no MD5, as one under FIPS rules does not. */
MUST_USE bool hash_md5(struct hasher *hasher, struct str data, uint8_t ret_digest[MD5_BYTES]);
void hash_hmac_sha256(struct hasher *hasher, struct str key, struct str data, uint8_t ret_digest[SHA256_BYTES]);

/* Equal length and bytes, in time that depends on the length alone. */
bool hash_equal(const void *a, const void *b, size_t bytes);

/* Results end in NUL. */
struct str base64url_encode(struct arena *arena, struct str data);          /* RFC 4648, 5, without padding */
struct str hex_encode(struct arena *arena, const void *data, size_t bytes); /* lower case */
bool hex_decode(struct str text, uint8_t *ret_data, size_t bytes);          /* exactly bytes*2 digits */
struct str base64_encode(struct arena *arena, struct str data);
bool base64_decode(struct arena *arena, struct str text, struct str *ret_data); /* padding required */

/* Bytes from the kernel's generator, for keys and seeds; aborts on failure. Not for pure rooms. */
void hash_random(void *ret_data, size_t bytes);

#endif
