/* base/seal.c - see seal.h. */
#include "base/seal.h"

#include "base/arena.h"
#include "base/hash.h"
#include "base/signing.h"

#include <assert.h>
#include <openssl/evp.h>
#include <string.h>

#define NONCE_BYTES 12
#define TAG_BYTES   16

static const struct str version = {"v1.", 3};

/* A key of its own for each use, so that none is used by two algorithms. */
static struct str derive(struct str key, const char *use, struct arena *arena) {
    return signing_mac(SIGNING_HMAC_SHA256, key, str_from(use), arena);
}

static struct str nonce_of(struct str key, struct str place, struct str text, struct arena *arena) {
    struct buf whole = {.arena = arena};
    buf_fmt(&whole, "%zu:", place.n);
    buf_add(&whole, place);
    buf_add(&whole, text);
    struct str own = derive(key, "drumbeat seal nonce", arena);
    struct str code = signing_mac(SIGNING_HMAC_SHA256, own, buf_str(&whole), arena);
    return str_sub(code, 0, NONCE_BYTES);
}

static int size_of(struct str text) {
    assert(text.n < INT32_MAX);
    return (int)text.n;
}

static const unsigned char *bytes_of(struct str text) {
    return (const unsigned char *)(text.n ? text.p : "");
}

struct str seal_text(struct str key, struct str place, struct str text, struct arena *arena) {
    assert(key.n == SEAL_KEY_BYTES);
    struct str nonce = nonce_of(key, place, text, arena), seal = derive(key, "drumbeat seal key", arena);
    unsigned char *box = arena_alloc(arena, NONCE_BYTES + text.n + TAG_BYTES);
    unsigned char *body = box + NONCE_BYTES;
    EVP_CIPHER_CTX *context = EVP_CIPHER_CTX_new();
    int done = 0, rest = 0;
    memcpy(box, nonce.p, NONCE_BYTES);
    bool fine = context && EVP_EncryptInit_ex(context, EVP_aes_256_gcm(), NULL, bytes_of(seal), bytes_of(nonce)) == 1 &&
                EVP_EncryptUpdate(context, NULL, &done, bytes_of(place), size_of(place)) == 1 &&
                EVP_EncryptUpdate(context, body, &done, bytes_of(text), size_of(text)) == 1 &&
                EVP_EncryptFinal_ex(context, body + done, &rest) == 1 &&
                EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_AEAD_GET_TAG, TAG_BYTES, body + text.n) == 1;
    assert(fine);
    EVP_CIPHER_CTX_free(context);
    struct str whole = {(const char *)box, NONCE_BYTES + text.n + TAG_BYTES};
    return str_fmt(arena, "%.*s%.*s", STR_ARG(version), STR_ARG(base64_encode(arena, whole)));
}

bool seal_open(struct str key, struct str place, struct str sealed, struct arena *arena, struct str *ret_text) {
    struct str whole;
    if (key.n != SEAL_KEY_BYTES || !str_starts(sealed, version) ||
        !base64_decode(arena, str_sub(sealed, version.n, sealed.n), &whole) || whole.n < NONCE_BYTES + TAG_BYTES)
        return false;
    struct str seal = derive(key, "drumbeat seal key", arena);
    struct str body = str_sub(whole, NONCE_BYTES, whole.n - NONCE_BYTES - TAG_BYTES);
    unsigned char *text = arena_alloc(arena, body.n + 1), tag[TAG_BYTES];
    EVP_CIPHER_CTX *context = EVP_CIPHER_CTX_new();
    int done = 0, rest = 0;
    memcpy(tag, whole.p + whole.n - TAG_BYTES, TAG_BYTES);
    bool fine = context && EVP_DecryptInit_ex(context, EVP_aes_256_gcm(), NULL, bytes_of(seal), bytes_of(whole)) == 1 &&
                EVP_DecryptUpdate(context, NULL, &done, bytes_of(place), size_of(place)) == 1 &&
                EVP_DecryptUpdate(context, text, &done, bytes_of(body), size_of(body)) == 1 &&
                EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_AEAD_SET_TAG, TAG_BYTES, tag) == 1 &&
                EVP_DecryptFinal_ex(context, text + done, &rest) == 1;
    EVP_CIPHER_CTX_free(context);
    if (fine) *ret_text = (struct str){(const char *)text, body.n};
    return fine;
}
