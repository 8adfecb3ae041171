/* base/signing.c - see signing.h. */
#include "base/signing.h"

#include "base/arena.h"
#include "base/when.h"

#include <assert.h>
#include <openssl/asn1.h>
#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/param_build.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <string.h>

#define ED25519_BYTES 32

/* digest: NULL where the algorithm brings its own. */
static const struct {
    bool mac;
    const char *digest;
    int key_type;
} algorithms[SIGNING_COUNT] = {
    [SIGNING_HMAC_SHA1] = {true, "SHA1", 0},
    [SIGNING_HMAC_SHA256] = {true, "SHA256", 0},
    [SIGNING_HMAC_SHA512] = {true, "SHA512", 0},
    [SIGNING_ED25519] = {false, NULL, EVP_PKEY_ED25519},
    [SIGNING_ECDSA_SHA256] = {false, "SHA256", EVP_PKEY_EC},
    [SIGNING_RSA_SHA1] = {false, "SHA1", EVP_PKEY_RSA},
    [SIGNING_RSA_SHA256] = {false, "SHA256", EVP_PKEY_RSA},
};

bool signing_is_mac(enum signing signing) {
    return algorithms[signing].mac;
}

struct str signing_mac(enum signing signing, struct str secret, struct str message, struct arena *arena) {
    assert(algorithms[signing].mac);
    unsigned char code[EVP_MAX_MD_SIZE];
    size_t bytes = 0;
    /* A NULL secret would be no secret to the library, an empty one is one. */
    const unsigned char *made =
        EVP_Q_mac(NULL, "HMAC", NULL, algorithms[signing].digest, NULL, secret.n ? secret.p : "", secret.n,
                  (const unsigned char *)message.p, message.n, code, sizeof code, &bytes);
    assert(made);
    return str_dup(arena, (struct str){(const char *)code, bytes});
}

/* ---- public keys ----
 *
 * The library's own reader tries every format that it knows, which costs more than judging a signature. So the two
 * forms that senders have are taken apart here, and it gets the rest. */

static EVP_PKEY *key_of_params(const char *kind, OSSL_PARAM *params) {
    EVP_PKEY_CTX *context = EVP_PKEY_CTX_new_from_name(NULL, kind, NULL);
    EVP_PKEY *key = NULL;
    if (context && EVP_PKEY_fromdata_init(context) == 1)
        (void)EVP_PKEY_fromdata(context, &key, EVP_PKEY_PUBLIC_KEY, params);
    EVP_PKEY_CTX_free(context);
    return key;
}

/* RFC 5480: a point of P-256, not compressed. */
static EVP_PKEY *read_p256(struct str key) {
    static const unsigned char head[] = {0x30, 0x59, 0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01,
                                         0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07, 0x03, 0x42, 0x00};
    char group[] = "prime256v1";
    unsigned char point[65];
    if (key.n != sizeof head + sizeof point || memcmp(key.p, head, sizeof head) != 0) return NULL;
    memcpy(point, key.p + sizeof head, sizeof point);
    OSSL_PARAM params[] = {OSSL_PARAM_construct_utf8_string(OSSL_PKEY_PARAM_GROUP_NAME, group, 0),
                           OSSL_PARAM_construct_octet_string(OSSL_PKEY_PARAM_PUB_KEY, point, sizeof point),
                           OSSL_PARAM_construct_end()};
    return key_of_params("EC", params);
}

/* The members of a sequence of two that fills all the bytes, or NULL. */
static STACK_OF(ASN1_TYPE) * read_pair(const unsigned char *bytes, size_t n) {
    const unsigned char *at = bytes;
    STACK_OF(ASN1_TYPE) *pair = n < 16384 ? d2i_ASN1_SEQUENCE_ANY(NULL, &at, (long)n) : NULL;
    if (pair && sk_ASN1_TYPE_num(pair) == 2 && at == bytes + n) return pair;
    sk_ASN1_TYPE_pop_free(pair, ASN1_TYPE_free);
    return NULL;
}

static EVP_PKEY *key_of_numbers(const ASN1_INTEGER *modulus, const ASN1_INTEGER *exponent) {
    OSSL_PARAM_BLD *builder = OSSL_PARAM_BLD_new();
    BIGNUM *n = ASN1_INTEGER_to_BN(modulus, NULL), *e = ASN1_INTEGER_to_BN(exponent, NULL);
    bool fine = builder && n && e && OSSL_PARAM_BLD_push_BN(builder, OSSL_PKEY_PARAM_RSA_N, n) &&
                OSSL_PARAM_BLD_push_BN(builder, OSSL_PKEY_PARAM_RSA_E, e);
    OSSL_PARAM *params = fine ? OSSL_PARAM_BLD_to_param(builder) : NULL;
    EVP_PKEY *key = params ? key_of_params("RSA", params) : NULL;
    OSSL_PARAM_free(params);
    OSSL_PARAM_BLD_free(builder);
    BN_free(n);
    BN_free(e);
    return key;
}

/* RFC 8017, A.1.1, in the frame of RFC 3279. */
static EVP_PKEY *read_rsa(struct str key) {
    static const unsigned char kind[] = {0x30, 0x0d, 0x06, 0x09, 0x2a, 0x86, 0x48, 0x86,
                                         0xf7, 0x0d, 0x01, 0x01, 0x01, 0x05, 0x00};
    STACK_OF(ASN1_TYPE) *frame = read_pair((const unsigned char *)key.p, key.n), *numbers = NULL;
    const ASN1_TYPE *first = frame ? sk_ASN1_TYPE_value(frame, 0) : NULL, *last = NULL;
    if (first && first->type == V_ASN1_SEQUENCE && first->value.sequence->length == (int)sizeof kind &&
        memcmp(first->value.sequence->data, kind, sizeof kind) == 0)
        last = sk_ASN1_TYPE_value(frame, 1);
    if (last && last->type == V_ASN1_BIT_STRING)
        numbers = read_pair(last->value.bit_string->data, (size_t)last->value.bit_string->length);
    const ASN1_TYPE *n = numbers ? sk_ASN1_TYPE_value(numbers, 0) : NULL;
    const ASN1_TYPE *e = numbers ? sk_ASN1_TYPE_value(numbers, 1) : NULL;
    EVP_PKEY *read = n && n->type == V_ASN1_INTEGER && e->type == V_ASN1_INTEGER
                         ? key_of_numbers(n->value.integer, e->value.integer)
                         : NULL;
    sk_ASN1_TYPE_pop_free(numbers, ASN1_TYPE_free);
    sk_ASN1_TYPE_pop_free(frame, ASN1_TYPE_free);
    return read;
}

static EVP_PKEY *read_key(enum signing signing, struct str key) {
    const unsigned char *at = (const unsigned char *)key.p;
    if (signing == SIGNING_ED25519 && key.n == ED25519_BYTES)
        return EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, NULL, at, key.n);
    EVP_PKEY *read = NULL;
    if (signing == SIGNING_ECDSA_SHA256) read = read_p256(key);
    if (signing == SIGNING_RSA_SHA1 || signing == SIGNING_RSA_SHA256) read = read_rsa(key);
    if (read) return read;
    read = key.n > 0 && key.n < 16384 ? d2i_PUBKEY(NULL, &at, (long)key.n) : NULL;
    if (read && EVP_PKEY_get_base_id(read) == algorithms[signing].key_type) return read;
    EVP_PKEY_free(read);
    return NULL;
}

bool signing_verify(enum signing signing, struct str key, struct str message, struct str signature) {
    EVP_PKEY *public_key = algorithms[signing].mac ? NULL : read_key(signing, key);
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    bool fits = public_key && context &&
                EVP_DigestVerifyInit_ex(context, NULL, algorithms[signing].digest, NULL, NULL, public_key, NULL) == 1 &&
                EVP_DigestVerify(context, (const unsigned char *)signature.p, signature.n,
                                 (const unsigned char *)message.p, message.n) == 1;
    EVP_MD_CTX_free(context);
    EVP_PKEY_free(public_key);
    return fits;
}

bool signing_key_valid(enum signing signing, struct str key) {
    EVP_PKEY *read = read_key(signing, key);
    EVP_PKEY_free(read);
    return read != NULL;
}

/* Without words of its own the library would ask for a passphrase at the terminal. */
static int no_passphrase(char *text, int room, int writing, void *self) {
    (void)text;
    (void)room;
    (void)writing;
    (void)self;
    return -1;
}

static bool read_moment(const ASN1_TIME *time, int64_t *ret_us) {
    struct tm tm;
    if (!time || ASN1_TIME_to_tm(time, &tm) != 1) return false;
    int64_t days = civil_to_days((struct civil){tm.tm_year + 1900, tm.tm_mon + 1, tm.tm_mday});
    *ret_us = days * US_PER_DAY + (tm.tm_hour * 3600 + tm.tm_min * 60 + tm.tm_sec) * US_PER_S;
    return true;
}

bool signing_certificate(struct str pem, struct arena *arena, struct str *ret_key, int64_t *ret_from_us,
                         int64_t *ret_until_us, const char **ret_problem) {
    BIO *lines = pem.n && pem.n < 65536 ? BIO_new_mem_buf(pem.p, (int)pem.n) : NULL;
    X509 *certificate = lines ? PEM_read_bio_X509(lines, NULL, no_passphrase, NULL) : NULL;
    EVP_PKEY *key = certificate ? X509_get0_pubkey(certificate) : NULL;
    unsigned char *der = NULL;
    int64_t from_us, until_us;
    int bits = key && EVP_PKEY_get_base_id(key) == EVP_PKEY_RSA ? EVP_PKEY_get_bits(key) : 0, bytes = 0;
    *ret_problem = !certificate                 ? "it is no certificate in PEM"
                   : bits < 2048 || bits > 8192 ? "its key is none of RSA with 2048 bits or more"
                   : !read_moment(X509_get0_notBefore(certificate), &from_us) ||
                           !read_moment(X509_get0_notAfter(certificate), &until_us)
                       ? "it does not say when it holds"
                       : NULL;
    if (!*ret_problem && (bytes = i2d_PUBKEY(key, &der)) <= 0) *ret_problem = "its key cannot be read";
    if (!*ret_problem) {
        *ret_key = str_dup(arena, (struct str){(const char *)der, (size_t)bytes});
        *ret_from_us = from_us;
        *ret_until_us = until_us;
    }
    OPENSSL_free(der);
    X509_free(certificate);
    BIO_free(lines);
    return !*ret_problem;
}

bool signing_sign_rsa(struct str pem, struct str message, struct arena *arena, struct str *ret_signature) {
    BIO *lines = pem.n && pem.n < 16384 ? BIO_new_mem_buf(pem.p, (int)pem.n) : NULL;
    EVP_PKEY *key = lines ? PEM_read_bio_PrivateKey(lines, NULL, no_passphrase, NULL) : NULL;
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    size_t bytes = 0;
    bool fine = key && context && EVP_PKEY_get_base_id(key) == EVP_PKEY_RSA &&
                EVP_DigestSignInit_ex(context, NULL, "SHA256", NULL, NULL, key, NULL) == 1;
    const unsigned char *at = (const unsigned char *)message.p;
    fine = fine && EVP_DigestSign(context, NULL, &bytes, at, message.n) == 1;
    unsigned char *signature = fine ? arena_alloc(arena, bytes) : NULL;
    fine = fine && EVP_DigestSign(context, signature, &bytes, at, message.n) == 1;
    if (fine) *ret_signature = (struct str){(const char *)signature, bytes};
    EVP_MD_CTX_free(context);
    EVP_PKEY_free(key);
    BIO_free(lines);
    return fine;
}
