#include "check.h"

#include "base/hash.h"

#include <string.h>

static struct str hex_of(struct arena *arena, const uint8_t digest[SHA256_BYTES]) {
    return hex_encode(arena, digest, SHA256_BYTES);
}

/* FIPS 180-4 examples. */
static void sha256_vectors(void **state) {
    (void)state;
    static const struct {
        const char *text, *digest;
    } cases[] = {
        {"", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"},
        {"abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"},
        {"abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
         "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1"},
    };
    struct arena arena = ARENA_EMPTY;
    struct hasher *hasher = hasher_new();
    uint8_t digest[SHA256_BYTES];
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        hash_sha256(hasher, str_from(cases[i].text), digest);
        assert_str(hex_of(&arena, digest), cases[i].digest);
    }
    hash_sha256(hasher, STR_NONE, digest);
    assert_str(hex_of(&arena, digest), cases[0].digest);
    hasher_free(hasher);
    arena_free(&arena);
}

/* RFC 1321, A.5. */
static void md5_vectors(void **state) {
    (void)state;
    static const struct {
        const char *text, *digest;
    } cases[] = {
        {"", "d41d8cd98f00b204e9800998ecf8427e"},
        {"abc", "900150983cd24fb0d6963f7d28e17f72"},
        {"12345678901234567890123456789012345678901234567890123456789012345678901234567890",
         "57edf4a22be3c955ac49da2e2107b67a"},
    };
    struct arena arena = ARENA_EMPTY;
    struct hasher *hasher = hasher_new();
    uint8_t digest[MD5_BYTES];
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        assert_true(hash_md5(hasher, str_from(cases[i].text), digest));
        assert_str(hex_encode(&arena, digest, MD5_BYTES), cases[i].digest);
    }
    hasher_free(hasher);
    arena_free(&arena);
}

static void parts_hash_as_one_text(void **state) {
    (void)state;
    struct hasher *hasher = hasher_new();
    uint8_t whole[SHA256_BYTES], parts[SHA256_BYTES];
    hash_sha256(hasher, STR("abc"), whole);
    hash_sha256_parts(hasher, (struct str[]){STR("a"), STR_NONE, STR("bc")}, 3, parts);
    assert_memory_equal(whole, parts, SHA256_BYTES);
    hasher_free(hasher);
}

/* RFC 4231, cases 1, 2 and 6, and the empty key. */
static void hmac_vectors(void **state) {
    (void)state;
    char key_1[20], key_6[131];
    memset(key_1, 0x0b, sizeof key_1);
    memset(key_6, 0xaa, sizeof key_6);
    const struct {
        struct str key, data;
        const char *digest;
    } cases[] = {
        {{key_1, 20}, STR("Hi There"), "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7"},
        {STR(""), STR(""), "b613679a0814d9ec772f95d778c35fc5ff1697c493715653c6c712144292c5ad"},
        {STR("Jefe"), STR("what do ya want for nothing?"),
         "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"},
        {STR_NONE, STR_NONE, "b613679a0814d9ec772f95d778c35fc5ff1697c493715653c6c712144292c5ad"},
        {{key_6, 131},
         STR("Test Using Larger Than Block-Size Key - Hash Key First"),
         "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54"},
    };
    struct arena arena = ARENA_EMPTY;
    struct hasher *hasher = hasher_new();
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        uint8_t digest[SHA256_BYTES];
        hash_hmac_sha256(hasher, cases[i].key, cases[i].data, digest);
        assert_str(hex_of(&arena, digest), cases[i].digest);
    }
    hasher_free(hasher);
    arena_free(&arena);
}

static void equality_sees_every_byte(void **state) {
    (void)state;
    uint8_t a[SHA256_BYTES] = {1, 2, 3}, b[SHA256_BYTES];
    for (size_t i = 0; i < sizeof a; i++) {
        memcpy(b, a, sizeof b);
        assert_true(hash_equal(a, b, sizeof a));
        b[i] ^= 0x80;
        assert_false(hash_equal(a, b, sizeof a));
    }
    assert_true(hash_equal(a, b, 0));
}

static void random_fills_all_of_it(void **state) {
    (void)state;
    uint8_t all[1000] = {0}, again[1000] = {0};
    hash_random(all, sizeof all);
    hash_random(again, sizeof again);
    assert_memory_not_equal(all, again, sizeof all);
    size_t zeros = 0;
    for (size_t i = 0; i < sizeof all; i++) zeros += !all[i];
    assert_true(zeros < 50);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sha256_vectors),           cmocka_unit_test(md5_vectors),
        cmocka_unit_test(parts_hash_as_one_text),   cmocka_unit_test(hmac_vectors),
        cmocka_unit_test(equality_sees_every_byte), cmocka_unit_test(random_fills_all_of_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
