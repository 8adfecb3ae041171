#include "check.h"

#include <string.h>

#include "base/hash.h"
#include "base/signing.h"

static struct arena arena;

static int teardown(void **state) {
    (void)state;
    arena_free(&arena);
    return 0;
}

static struct str bytes(const char *hex) {
    size_t count = strlen(hex) / 2;
    uint8_t *data = arena_alloc(&arena, count + 1);
    assert_true(hex_decode(str_from(hex), data, count));
    return (struct str){(const char *)data, count};
}

static struct str repeated(char byte, size_t count) {
    char *text = arena_alloc(&arena, count);
    memset(text, byte, count);
    return (struct str){text, count};
}

static void check_mac(enum signing signing, struct str secret, const char *message, const char *hex) {
    assert_true(signing_is_mac(signing));
    struct str code = signing_mac(signing, secret, str_from(message), &arena);
    assert_str(hex_encode(&arena, code.p, code.n), hex);
}

static void test_codes_of_rfc_4231_and_2202(void **state) {
    (void)state;
    struct str eleven = repeated('\x0b', 20), long_key = repeated('\xaa', 131), jefe = STR("Jefe");
    const char *question = "what do ya want for nothing?";
    check_mac(SIGNING_HMAC_SHA256, eleven, "Hi There",
              "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7");
    check_mac(SIGNING_HMAC_SHA512, eleven, "Hi There",
              "87aa7cdea5ef619d4ff0b4241a1d6cb02379f4e2ce4ec2787ad0b30545e17cde"
              "daa833b7d6b8a702038b274eaea3f4e4be9d914eeb61f1702e696c203a126854");
    check_mac(SIGNING_HMAC_SHA256, jefe, question, "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
    check_mac(SIGNING_HMAC_SHA512, jefe, question,
              "164b7a7bfcf819e2e395fbe73b56e0a387bd64222e831fd610270cd7ea250554"
              "9758bf75c05a994a6d034f65f8f0e6fdcaeab1a34d4a6b4b636e070a38bce737");
    check_mac(SIGNING_HMAC_SHA1, jefe, question, "effcdf6ae5eb2fa2d27416d5f184df9c259a7c79");
    check_mac(SIGNING_HMAC_SHA256, long_key, "Test Using Larger Than Block-Size Key - Hash Key First",
              "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54");
}

/* RFC 2104 pads a key to the block, so that none and one of zeros are the same; the value is openssl's. */
static void test_a_secret_may_be_empty(void **state) {
    (void)state;
    check_mac(SIGNING_HMAC_SHA256, STR_NONE, "", "b613679a0814d9ec772f95d778c35fc5ff1697c493715653c6c712144292c5ad");
}

/* Keys, messages and signatures of public keys, as their standards print them. */
static const struct {
    const char *what;
    enum signing signing;
    const char *key, *message, *signature;
} vectors[] = {
    {"RFC 8032, 7.1, test 1", SIGNING_ED25519, "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a", "",
     "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe246"
     "55"
     "141438e7a100b"},
    {"RFC 8032, 7.1, test 2", SIGNING_ED25519, "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c", "r",
     "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb"
     "00"
     "d291612bb0c00"},
    {"RFC 6979, A.2.5", SIGNING_ECDSA_SHA256,
     "3059301306072a8648ce3d020106082a8648ce3d0301070342000460fed4ba255a9d31c961eb74c6356d68c049b8923b61fa6ce669622e60f"
     "29f"
     "b67903fe1008b8bc99a41ae9e95628bc64f2f1b20c2d7e9f5177a3c294d4462299",
     "sample",
     "3046022100efd48b2aacb6a8fd1140dd9cd45e81d69d2c877b56aaf991c34d0ea84eaf3716022100f7cb1c942d657c41d436c7a1b6e29f65f"
     "3e9"
     "00dbb9aff4064dc4ab2f843acda8"},
};

static void test_signatures_of_the_standards(void **state) {
    (void)state;
    for (size_t i = 0; i < COUNT_OF(vectors); i++) {
        struct str key = bytes(vectors[i].key), signature = bytes(vectors[i].signature);
        assert_false(signing_is_mac(vectors[i].signing));
        assert_true(signing_key_valid(vectors[i].signing, key));
        if (!signing_verify(vectors[i].signing, key, str_from(vectors[i].message), signature))
            fail_msg("%s does not verify", vectors[i].what);
        assert_false(signing_verify(vectors[i].signing, key, STR("another message"), signature));
    }
}

static void test_each_bit_of_a_signature_counts(void **state) {
    (void)state;
    for (size_t i = 0; i < COUNT_OF(vectors); i++) {
        struct str key = bytes(vectors[i].key), signature = bytes(vectors[i].signature);
        for (size_t bit = 0; bit < signature.n * 8; bit++) {
            struct str other = str_dup(&arena, signature);
            ((char *)(uintptr_t)other.p)[bit / 8] ^= (char)(1 << bit % 8);
            if (signing_verify(vectors[i].signing, key, str_from(vectors[i].message), other))
                fail_msg("%s verifies without bit %zu", vectors[i].what, bit);
        }
        for (size_t n = 0; n < signature.n; n++)
            assert_false(
                signing_verify(vectors[i].signing, key, str_from(vectors[i].message), str_sub(signature, 0, n)));
    }
}

/* A key of one algorithm is none of another, and what is cut or empty is none at all. */
static void test_keys_that_are_none(void **state) {
    (void)state;
    for (size_t i = 0; i < COUNT_OF(vectors); i++) {
        struct str key = bytes(vectors[i].key);
        for (enum signing other = SIGNING_ED25519; other < SIGNING_COUNT; other++)
            if (other != vectors[i].signing) assert_false(signing_key_valid(other, key));
        for (size_t n = 0; n < key.n; n++) assert_false(signing_key_valid(vectors[i].signing, str_sub(key, 0, n)));
        assert_false(
            signing_verify(vectors[i].signing, STR(""), str_from(vectors[i].message), bytes(vectors[i].signature)));
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_codes_of_rfc_4231_and_2202),  cmocka_unit_test(test_a_secret_may_be_empty),
        cmocka_unit_test(test_signatures_of_the_standards), cmocka_unit_test(test_each_bit_of_a_signature_counts),
        cmocka_unit_test(test_keys_that_are_none),
    };
    return cmocka_run_group_tests(tests, NULL, teardown);
}
