/* model/expiry.c - see expiry.h. */
#include "model/expiry.h"

#include <stdio.h>
#include <string.h>

#include "base/when.h"

#define SAYS_US US_PER_DAY

bool expiry_is_blamed(struct str words) {
    static const char begin[] = EXPIRY_WORDS;
    return words.n && memmem(words.p, words.n, begin, sizeof begin - 1);
}

struct str expiry_host(struct str url) {
    static const char ends[] = "/?#";
    struct str host = url;
    for (size_t i = 0; i + 3 <= host.n; i++) {
        if (!str_starts(str_sub(host, i, 3), STR("://"))) continue;
        host = str_sub(host, i + 3, host.n);
        break;
    }
    for (size_t i = 0; ends[i]; i++) host = str_sub(host, 0, str_find(host, ends[i]));
    return host;
}

static bool ends_soon(int64_t holds_until_us, int64_t wall_us) {
    return holds_until_us < wall_us + EXPIRY_SOON_US;
}

static bool is_of(const struct expiry *expiry, struct str host) {
    return str_eq(str_from(expiry->host), str_sub(host, 0, EXPIRY_HOST_ROOM - 1));
}

static void forget(struct expiries *expiries, size_t at) {
    expiries->hosts[at] = expiries->hosts[--expiries->count];
}

/* Makes room for one more. */
static void forget_oldest(struct expiries *expiries) {
    size_t oldest = 0;
    for (size_t i = 1; i < expiries->count; i++)
        if (expiries->hosts[i].seen_us < expiries->hosts[oldest].seen_us) oldest = i;
    forget(expiries, oldest);
}

bool expiry_learn(struct expiries *expiries, struct str host, int64_t holds_until_us, int64_t now_us, int64_t wall_us) {
    bool was_told = false;
    for (size_t i = expiries->count; i-- > 0;) {
        bool same = is_of(&expiries->hosts[i], host);
        was_told = was_told || (same && expiries->hosts[i].was_near);
        if (same || expiries->hosts[i].seen_us < now_us - SAYS_US) forget(expiries, i);
    }
    if (expiries->count == EXPIRY_HOSTS_MAX) forget_oldest(expiries);
    struct expiry *fresh = &expiries->hosts[expiries->count++];
    *fresh = (struct expiry){
        .holds_until_us = holds_until_us, .seen_us = now_us, .was_near = ends_soon(holds_until_us, wall_us)};
    snprintf(fresh->host, sizeof fresh->host, "%.*s", STR_ARG(host));
    return fresh->was_near && !was_told;
}

const struct expiry *expiry_first(const struct expiries *expiries, int64_t now_us) {
    const struct expiry *first = NULL;
    for (size_t i = 0; expiries && i < expiries->count; i++) {
        const struct expiry *it = &expiries->hosts[i];
        bool says = it->was_near || it->seen_us >= now_us - SAYS_US;
        if (says && (!first || it->holds_until_us < first->holds_until_us)) first = it;
    }
    return first;
}

const struct expiry *expiry_soon(const struct expiries *expiries, int64_t now_us, int64_t wall_us) {
    const struct expiry *first = expiry_first(expiries, now_us);
    return first && ends_soon(first->holds_until_us, wall_us) ? first : NULL;
}
