/* base/signing.c - see signing.h. */
#include "base/signing.h"

#include "base/arena.h"
#include "base/when.h"

#include <assert.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>

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

static EVP_PKEY *read_key(enum signing signing, struct str key) {
    const unsigned char *at = (const unsigned char *)key.p;
    if (signing == SIGNING_ED25519 && key.n == ED25519_BYTES)
        return EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, NULL, at, key.n);
    EVP_PKEY *read = key.n > 0 && key.n < 16384 ? d2i_PUBKEY(NULL, &at, (long)key.n) : NULL;
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
