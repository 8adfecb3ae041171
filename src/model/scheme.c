/* model/scheme.c - see scheme.h. */
#include "model/scheme.h"

#include "base/arena.h"
#include "base/hash.h"

const struct scheme schemes[] = {
#include "model/schemes.def"
};
const size_t scheme_count = sizeof schemes / sizeof schemes[0];

const struct scheme *scheme_find(struct str name) {
    for (size_t i = 0; i < scheme_count; i++)
        if (str_eq(str_from(schemes[i].name), name)) return &schemes[i];
    return NULL;
}

bool scheme_key(const struct scheme *scheme, struct str secret, struct arena *arena, enum signing *ret_signing,
                struct str *ret_key) {
    *ret_signing = scheme->signing;
    *ret_key = secret;
    if (scheme->proof != PROOF_SIGNATURE || scheme->secret == SECRET_RAW) return true;
    if (scheme->secret == SECRET_STANDARD) {
        bool is_public = str_starts(secret, STR("whpk_"));
        if (is_public) *ret_signing = SIGNING_ED25519;
        if (is_public || str_starts(secret, STR("whsec_"))) secret = str_sub(secret, is_public ? 5 : 6, secret.n);
        return base64_decode(arena, secret, ret_key);
    }
    struct buf digits = {.arena = arena};
    for (struct str rest = secret, line; str_next(&rest, '\n', &line);)
        if (!str_starts(line, STR("-----"))) buf_add(&digits, str_trim(line));
    return base64_decode(arena, buf_str(&digits), ret_key);
}

bool scheme_secret_valid(const struct scheme *scheme, struct str secret, struct arena *arena) {
    enum signing signing;
    struct str key;
    if (!scheme_key(scheme, secret, arena, &signing, &key)) return false;
    return scheme->proof != PROOF_SIGNATURE || signing_is_mac(signing) || signing_key_valid(signing, key);
}
