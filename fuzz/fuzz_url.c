/* fuzz/fuzz_url.c - any bytes as the URL of a destination. What is let through
 * is safe to hand to a resolver and to write into a request. */
#include "base/address.h"

#include <arpa/inet.h>
#include <assert.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What a resolver would read as an IPv4 address in any notation must be the strict one. */
static void check_no_hidden_address(struct str host) {
    char text[256];
    struct in_addr loose, strict;
    assert(host.n < sizeof text);
    memcpy(text, host.p, host.n);
    text[host.n] = 0;
    assert(!inet_aton(text, &loose) || (inet_pton(AF_INET, text, &strict) == 1 && loose.s_addr == strict.s_addr));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct str url = {(const char *)data, size}, host = STR_NONE;
    bool literal_private = false;
    const char *reason = NULL;
    bool fine = url_check(url, &host, &literal_private, &reason);
    assert(fine == !reason);
    if (fine) {
        assert(host.n > 0 && host.p > url.p && host.p + host.n <= url.p + url.n);
        for (size_t i = 0; i < url.n; i++) assert(data[i] > ' ' && data[i] < 0x7f && data[i] != '\\');
        assert(str_find(host, '@') == SIZE_MAX && str_find(host, '/') == SIZE_MAX);
        if (str_find(host, ':') == SIZE_MAX) check_no_hidden_address(host);
    }
    if (size >= 16) address_is_public(AF_INET6, data);
    if (size >= 4) address_is_public(AF_INET, data);
    return 0;
}
