/* base/signing.h - who made these bytes: message authentication codes and signatures of public keys.
 *
 * Beside hash.c and seal.c the only file that knows OpenSSL. Nothing is kept between calls, so every thread may call
 * it. Sources: RFC 2104 (HMAC), RFC 8032 (Ed25519), FIPS 186-5 (ECDSA over P-256), RFC 8017 8.2 (RSA, PKCS #1 v1.5).
 */
#ifndef BASE_SIGNING_H
#define BASE_SIGNING_H

#include "base/str.h"

struct arena;

enum signing {
    SIGNING_HMAC_SHA1,
    SIGNING_HMAC_SHA256,
    SIGNING_HMAC_SHA512,
    SIGNING_ED25519,
    SIGNING_ECDSA_SHA256, /* signatures in DER */
    SIGNING_RSA_SHA1,
    SIGNING_RSA_SHA256,
    SIGNING_COUNT
};

bool signing_is_mac(enum signing signing);
/* The code of a message under a secret; the algorithm must be a MAC. */
struct str signing_mac(enum signing signing, struct str secret, struct str message, struct arena *arena);
/* Whether the holder of a public key's other half signed the message. The key: 32 bytes for Ed25519, or a
 * SubjectPublicKeyInfo in DER for each. False for a key that is none. */
bool signing_verify(enum signing signing, struct str key, struct str message, struct str signature);
/* Whether signing_verify could use the key. */
bool signing_key_valid(enum signing signing, struct str key);

/* The key of a certificate (X.509 in PEM, the first in the text) as signing_verify takes it, and between which moments
 * it holds. Who issued it is not looked at: whoever calls this trusts the place where it was. False, with a sentence,
 * when it cannot be read or its key is none of RSA with 2048 to 8192 bits. */
bool signing_certificate(struct str pem, struct arena *arena, struct str *ret_key, int64_t *ret_from_us,
                         int64_t *ret_until_us, const char **ret_problem);

/* Signs as RSA with SHA-256 does. The private key stands in PEM (PKCS #8 or PKCS #1) and has no passphrase; false for
 * one that cannot be read. */
bool signing_sign_rsa(struct str pem, struct str message, struct arena *arena, struct str *ret_signature);

#endif
