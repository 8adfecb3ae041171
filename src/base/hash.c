/* base/hash.c - see hash.h. */
#include "base/hash.h"

#include "base/arena.h"

#include <assert.h>
#include <errno.h>
#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

struct hasher {
    EVP_MD *sha256, *md5; /* md5: NULL where the library has none */
    EVP_MD_CTX *digest;
    EVP_MAC *hmac;
    EVP_MAC_CTX *mac;
};

struct hasher *hasher_new(void) {
    struct hasher *hasher = calloc(1, sizeof *hasher);
    assert(hasher);
    hasher->sha256 = EVP_MD_fetch(NULL, "SHA256", NULL);
    hasher->md5 = EVP_MD_fetch(NULL, "MD5", NULL);
    hasher->digest = EVP_MD_CTX_new();
    hasher->hmac = EVP_MAC_fetch(NULL, "HMAC", NULL);
    hasher->mac = EVP_MAC_CTX_new(hasher->hmac);
    assert(hasher->sha256 && hasher->digest && hasher->hmac && hasher->mac);
    char name[] = "SHA256";
    OSSL_PARAM params[] = {OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, name, 0),
                           OSSL_PARAM_construct_end()};
    int set = EVP_MAC_CTX_set_params(hasher->mac, params);
    assert(set == 1);
    return hasher;
}

void hasher_free(struct hasher *hasher) {
    if (!hasher) return;
    EVP_MAC_CTX_free(hasher->mac);
    EVP_MAC_free(hasher->hmac);
    EVP_MD_CTX_free(hasher->digest);
    EVP_MD_free(hasher->sha256);
    EVP_MD_free(hasher->md5);
    free(hasher);
}

void hash_sha256(struct hasher *hasher, struct str data, uint8_t ret_digest[SHA256_BYTES]) {
    hash_sha256_parts(hasher, &data, 1, ret_digest);
}

void hash_sha256_parts(struct hasher *hasher, const struct str *parts, size_t count, uint8_t ret_digest[SHA256_BYTES]) {
    int fine = EVP_DigestInit_ex2(hasher->digest, hasher->sha256, NULL);
    for (size_t i = 0; i < count; i++) fine &= EVP_DigestUpdate(hasher->digest, parts[i].p, parts[i].n);
    fine &= EVP_DigestFinal_ex(hasher->digest, ret_digest, NULL);
    assert(fine == 1);
}

bool hash_md5(struct hasher *hasher, struct str data, uint8_t ret_digest[MD5_BYTES]) {
    if (!hasher->md5) return false;
    int fine = EVP_DigestInit_ex2(hasher->digest, hasher->md5, NULL);
    fine &= EVP_DigestUpdate(hasher->digest, data.p, data.n);
    fine &= EVP_DigestFinal_ex(hasher->digest, ret_digest, NULL);
    assert(fine == 1);
    return true;
}

/* A NULL key would mean "the key of the last call" to OpenSSL, so an empty key is still given an address. */
void hash_hmac_sha256(struct hasher *hasher, struct str key, struct str data, uint8_t ret_digest[SHA256_BYTES]) {
    const void *key_bytes = key.n ? key.p : "";
    size_t length;
    int fine = EVP_MAC_init(hasher->mac, key_bytes, key.n, NULL);
    fine &= EVP_MAC_update(hasher->mac, (const unsigned char *)data.p, data.n);
    fine &= EVP_MAC_final(hasher->mac, ret_digest, &length, SHA256_BYTES);
    assert(fine == 1);
}

bool hash_equal(const void *a, const void *b, size_t bytes) {
    return CRYPTO_memcmp(a, b, bytes) == 0;
}

void hash_random(void *ret_data, size_t bytes) {
    for (size_t done = 0; done < bytes;) {
        ssize_t got = getrandom((uint8_t *)ret_data + done, bytes - done, 0);
        /* Interrupted by a signal: nothing was written, ask again. */
        assert(got > 0 || errno == EINTR);
        if (got > 0) done += (size_t)got;
    }
}
