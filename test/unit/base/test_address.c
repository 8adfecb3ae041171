#include "check.h"

#include "base/address.h"

#include <arpa/inet.h>
#include <string.h>

static bool is_public(const char *text) {
    uint8_t bytes[16];
    int family = str_find(str_from(text), ':') == SIZE_MAX ? AF_INET : AF_INET6;
    assert_int_equal(inet_pton(family, text, bytes), 1);
    return address_is_public(family, bytes);
}

static const char *const open_addresses[] = {
    "1.1.1.1",
    "8.8.8.8",
    "9.255.255.255",
    "11.0.0.0",
    "100.63.255.255",
    "100.128.0.0",
    "126.255.255.255",
    "128.0.0.0",
    "169.253.255.255",
    "169.255.0.0",
    "172.15.255.255",
    "172.32.0.0",
    "191.255.255.255",
    "192.0.1.0",
    "192.0.3.0",
    "192.31.196.1",
    "192.52.193.1",
    "192.88.98.255",
    "192.88.100.0",
    "192.167.255.255",
    "192.169.0.0",
    "192.175.48.1",
    "198.17.255.255",
    "198.20.0.0",
    "198.51.99.255",
    "198.51.101.0",
    "203.0.112.255",
    "203.0.114.0",
    "223.255.255.255",
    "2001:200::1",
    "2001:4860:4860::8888",
    "2001:db7:ffff::1",
    "2001:db9::1",
    "2003::1",
    "2400:cb00::1",
    "2620:4f:8000::1",
    "2a00:1450::1",
    "3fff:1000::1",
    "3ffe:ffff::1",
    "::ffff:8.8.8.8",
    "64:ff9b::8.8.8.8",
    "2002:808:808::1",
    "2001:0:4136:e378:8000:63bf:f7f7:f7f7", /* Teredo of 8.8.8.8 */
};

static void public_addresses(void **state) {
    (void)state;
    for (size_t i = 0; i < COUNT_OF(open_addresses); i++)
        if (!is_public(open_addresses[i])) fail_msg("%s was closed", open_addresses[i]);
}

static const char *const closed_addresses[] = {
    "0.0.0.0",
    "0.255.255.255",
    "10.0.0.1",
    "10.255.255.255",
    "100.64.0.0",
    "100.127.255.255",
    "127.0.0.1",
    "127.255.255.255",
    "169.254.0.1",
    "169.254.169.254",
    "172.16.0.0",
    "172.31.255.255",
    "192.0.0.0",
    "192.0.0.8",
    "192.0.0.170",
    "192.0.2.1",
    "192.88.99.1",
    "192.168.0.1",
    "192.168.255.255",
    "198.18.0.0",
    "198.19.255.255",
    "198.51.100.1",
    "203.0.113.1",
    "224.0.0.1",
    "239.255.255.255",
    "240.0.0.1",
    "255.255.255.255",
    "::",
    "::1",
    "::7f00:1",
    "::8.8.8.8",
    "::ffff:0:8.8.8.8",
    "64:ff9b:1::1",
    "100::1",
    "100:0:0:1::1",
    "2001::1",
    "2001:1::1",
    "2001:2::1",
    "2001:3::1",
    "2001:4:112::1",
    "2001:10::1",
    "2001:20::1",
    "2001:30::1",
    "2001:1ff:ffff::1",
    "2001:db8::1",
    "3fff::1",
    "3fff:fff::1",
    "4000::1",
    "5f00::1",
    "1fff:ffff::1",
    "fc00::1",
    "fd00::1",
    "fdff:ffff::1",
    "fe80::1",
    "febf::1",
    "fec0::1",
    "ff00::1",
    "ff02::1",
    "ff0e::1",
};

static void special_purpose_addresses(void **state) {
    (void)state;
    for (size_t i = 0; i < COUNT_OF(closed_addresses); i++)
        if (is_public(closed_addresses[i])) fail_msg("%s was open", closed_addresses[i]);
    assert_false(address_is_public(AF_UNIX, (const uint8_t[16]){8, 8, 8, 8}));
}

static void carried_addresses_are_unwrapped(void **state) {
    (void)state;
    const char *closed[] = {
        "::ffff:127.0.0.1",
        "::ffff:10.0.0.1",
        "::ffff:169.254.169.254",
        "64:ff9b::127.0.0.1",
        "64:ff9b::10.1.2.3",
        "2002:7f00:1::1",
        "2002:a00:1::",
        "2002:a9fe:a9fe::1",
        "2002:c0a8:1::1",
        "2001:0:808:808:8000:63bf:80ff:fffe", /* Teredo of 127.0.0.1 */
        "2001:0:808:808::f5ff:fffe",          /* Teredo of 10.0.0.1 */
    };
    for (size_t i = 0; i < COUNT_OF(closed); i++)
        if (is_public(closed[i])) fail_msg("%s was open", closed[i]);
}

static void good_urls_give_their_host(void **state) {
    (void)state;
    static const struct {
        const char *url, *host;
        bool literal_private;
    } cases[] = {
        {"https://crm.example.com/leads", "crm.example.com", false},
        {"http://example.com", "example.com", false},
        {"HTTPS://example.com", "example.com", false},
        {"https://example.com:8443/a?b=c#d", "example.com", false},
        {"https://example.com?x", "example.com", false},
        {"https://example.com#x", "example.com", false},
        {"https://example.com/@user:pw", "example.com", false},
        {"https://xn--bcher-kva.example/%C3%A9", "xn--bcher-kva.example", false},
        {"https://a-b.0x.example1", "a-b.0x.example1", false},
        {"http://localhost:8025/", "localhost", false},
        {"http://1.1.1.1/", "1.1.1.1", false},
        {"http://127.0.0.1:80", "127.0.0.1", true},
        {"http://10.0.0.1/", "10.0.0.1", true},
        {"http://169.254.169.254/latest/meta-data", "169.254.169.254", true},
        {"http://[::1]:8080/", "::1", true},
        {"http://[2606:4700::1111]/", "2606:4700::1111", false},
        {"http://[::ffff:10.0.0.1]/", "::ffff:10.0.0.1", true},
        {"http://0x7f.example/", "0x7f.example", false},
        {"http://dead.beef/", "dead.beef", false},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct str url = str_from(cases[i].url), host = STR_NONE;
        bool literal_private = !cases[i].literal_private;
        const char *reason = "untouched";
        if (!url_check(url, &host, &literal_private, &reason)) fail_msg("%s: %s", cases[i].url, reason);
        assert_str(host, cases[i].host);
        assert_in_range((uintptr_t)host.p, (uintptr_t)url.p, (uintptr_t)url.p + url.n);
        assert_int_equal(literal_private, cases[i].literal_private);
        assert_null(reason);
    }
}

static const struct {
    struct str url;
    const char *reason;
} refused_urls[] = {
    {STR_NONE, "http://"},
    {STR("example.com"), "http://"},
    {STR("//example.com"), "http://"},
    {STR("ftp://example.com"), "http://"},
    {STR("file:///etc/passwd"), "http://"},
    {STR("javascript:alert(1)"), "http://"},
    {STR("http:/example.com"), "http://"},
    {STR("http://"), "no host"},
    {STR("http:///path"), "no host"},
    {STR("http://:80"), "no host"},
    {STR("http://user@example.com"), "user name"},
    {STR("http://user:pw@example.com/"), "user name"},
    {STR("http://good.example@10.0.0.1/"), "user name"},
    {STR("http://exa mple.com"), "blank"},
    {STR("http://example.com/a b"), "blank"},
    {STR("http://example.com/\r\nX: y"), "control"},
    {STR("http://example.com/\0"), "control"},
    {STR("http://example.com/\x7f"), "control"},
    {STR("http://example.com\\@10.0.0.1"), "backslash"},
    {STR("http://b\xc3\xbc"
         "cher.example"),
     "ASCII"},
    {STR("http://example.com/\xc3\xa9"), "ASCII"},
    {STR("http://Example.com"), "lower case"},
    {STR("http://exa_mple.com"), "a-z"},
    {STR("http://exa%6dple.com"), "a-z"},
    {STR("http://a,b"), "a-z"},
    {STR("http://-a.example"), "'-'"},
    {STR("http://a-.example"), "'-'"},
    {STR("http://a..example"), "empty part"},
    {STR("http://.example"), "empty part"},
    {STR("http://example.com."), "end with a dot"},
    {STR("http://127.0.0.1."), "end with a dot"},
    {STR("http://0x7f.1"), "four decimal"},
    {STR("http://2130706433/"), "four decimal"},
    {STR("http://0x7f000001"), "four decimal"},
    {STR("http://0177.0.0.1"), "four decimal"},
    {STR("http://127.1"), "four decimal"},
    {STR("http://127.0.1"), "four decimal"},
    {STR("http://127.0.0.01"), "four decimal"},
    {STR("http://127.0.0.256"), "four decimal"},
    {STR("http://1.2.3.4.5"), "four decimal"},
    {STR("http://0x.0x.0"), "four decimal"},
    {STR("http://1.2.3.0x"), "four decimal"},
    {STR("http://example.123"), "four decimal"},
    {STR("http://[::1"), "IPv6"},
    {STR("http://[]"), "IPv6"},
    {STR("http://[::1%25eth0]"), "IPv6"},
    {STR("http://[fe80::1%eth0]"), "IPv6"},
    {STR("http://[127.0.0.1]"), "IPv6"},
    {STR("http://[1:2:3:4:5:6:7:8:9]"), "IPv6"},
    {STR("http://[0000:0000:0000:0000:0000:0000:0000:0000:0000:0001]"), "IPv6"},
    {STR("http://[::1]x"), "only a port"},
    {STR("http://::1/"), "no host"},
    {STR("http://example.com:"), "port"},
    {STR("http://example.com:0"), "port"},
    {STR("http://example.com:65536"), "port"},
    {STR("http://example.com:80x"), "port"},
    {STR("http://example.com:80:80"), "port"},
    {STR("http://example.com:-1"), "port"},
};

static void other_urls_are_refused_with_a_reason(void **state) {
    (void)state;
    struct str host = STR("untouched");
    bool literal_private = true;
    for (size_t i = 0; i < COUNT_OF(refused_urls); i++) {
        const char *reason = NULL;
        if (url_check(refused_urls[i].url, &host, &literal_private, &reason))
            fail_msg("accepted: %s", refused_urls[i].url.p);
        assert_non_null(reason);
        if (!strstr(reason, refused_urls[i].reason)) fail_msg("%s: %s", refused_urls[i].url.p, reason);
    }
    assert_str(host, "untouched");
    assert_true(literal_private);
}

static void lengths_are_bounded(void **state) {
    (void)state;
    struct arena arena = ARENA_EMPTY;
    struct str host;
    bool literal_private;
    const char *reason;
    char label[65] = {0};
    memset(label, 'a', 64);
    struct str good = str_fmt(&arena, "http://%.63s.%.63s.%.63s.%.61s", label, label, label, label);
    assert_true(url_check(good, &host, &literal_private, &reason));
    assert_int_equal(host.n, 253);
    assert_false(url_check(str_fmt(&arena, "%sa", good.p), &host, &literal_private, &reason));
    assert_non_null(strstr(reason, "253"));
    assert_false(url_check(str_fmt(&arena, "http://%s.example", label), &host, &literal_private, &reason));
    assert_non_null(strstr(reason, "63"));
    struct str longest = str_fmt(&arena, "http://example.com/%07981d", 0);
    assert_int_equal(longest.n, 8000);
    assert_true(url_check(longest, &host, &literal_private, &reason));
    assert_false(url_check(str_fmt(&arena, "%s0", longest.p), &host, &literal_private, &reason));
    assert_non_null(strstr(reason, "8000"));
    arena_free(&arena);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(public_addresses),
        cmocka_unit_test(special_purpose_addresses),
        cmocka_unit_test(carried_addresses_are_unwrapped),
        cmocka_unit_test(good_urls_give_their_host),
        cmocka_unit_test(other_urls_are_refused_with_a_reason),
        cmocka_unit_test(lengths_are_bounded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
