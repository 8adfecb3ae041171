/* engine/certificates.c - see certificates.h.
 *
 * WHAT. Fetches a certificate when a request first needs it, keeps it for a day at most, looks again when it is half a
 * day old, and calls the URL that confirms a subscription.
 *
 * PROMISE. A request waits for nothing: one whose certificate is not here is answered 503 and comes again. A
 * confirmation is answered 2xx only after its URL was called with success, and then it is an event, stored once.
 *
 * WHY IT HOLDS.
 * 1. Both are errands of the reserve, two at a time, ten seconds each. What they learn becomes true in `settled`, after
 *    the commit; a dropped turn reads the same answer again.
 * 2. A confirmation's event is appended in the transaction that takes its answer. A crash before it leaves a sender
 * that heard 503: it sends again, and the URL is called again, which Amazon takes. The message's id is the event's key.
 * 3. Good certificates and tries have places of their own, so that strangers who have many URLs tried push none out
 *    that is good. Who fills all places of the tries delays a new certificate by AGAIN_US.
 * 4. A certificate is not used after its own end, whatever its age here.
 *
 * WHAT BREAKS IT. A wall clock that is off by days: no certificate holds then.
 *
 * HOW TO SEE IT. The log's certificate_kept, certificate_refused, subscription_confirmed and subscription_refused.
 *
 * TESTED BY. test/e2e/test_sns.py
 */
#include "engine/certificates.h"

#include <string.h>

#include "base/signing.h"
#include "engine/turn.h"
#include "model/source.h"

#define CALL_US  (10 * US_PER_S)
#define KEEP_US  US_PER_DAY
#define OLD_US   (US_PER_DAY / 2)
#define AGAIN_US US_PER_MIN
#define SOON_US  (2 * US_PER_S)

/* What the errand keeps. */
struct fetching {
    struct fetch_need fetch;
    const struct source_settings *source;
    struct event event;
    uint8_t url[SHA256_BYTES];
    /* of the turn that settles it */
    struct str why; /* "" = it went well */
    struct str key;
    int64_t until_us;
};

static void digest_of(const struct loop *loop, struct str url, uint8_t ret_digest[SHA256_BYTES]) {
    hash_sha256(loop->hasher, url, ret_digest);
}

/* ---- what is here ---- */

static struct kept_certificate *kept_find(struct certificates *certificates, struct str url) {
    for (size_t i = 0; i < CERTIFICATES_MAX; i++)
        if (url.n && str_eq(str_from(certificates->kept[i].url), url)) return &certificates->kept[i];
    return NULL;
}

static struct tried_fetch *tried_find(struct certificates *certificates, const uint8_t url[SHA256_BYTES]) {
    for (size_t i = 0; i < FETCHES_MAX; i++)
        if (!memcmp(certificates->tried[i].url, url, SHA256_BYTES)) return &certificates->tried[i];
    return NULL;
}

static bool find(void *self, struct str url, struct str *ret_key, bool *ret_old, struct str *ret_why) {
    struct certificates *certificates = self;
    const struct clock *clock = &certificates->loop->options.clock;
    const struct kept_certificate *kept = kept_find(certificates, url);
    int64_t wall_us = clock->wall_us(clock->self);
    uint8_t digest[SHA256_BYTES];
    if (kept && wall_us < kept->until_us) {
        *ret_key = (struct str){(const char *)kept->key, kept->key_bytes};
        *ret_old = wall_us >= kept->old_us;
        return true;
    }
    digest_of(certificates->loop, url, digest);
    const struct tried_fetch *tried = tried_find(certificates, digest);
    *ret_why = str_from(tried ? tried->why : "");
    return false;
}

static bool confirmed(void *self, struct str url) {
    const struct certificates *certificates = self;
    uint8_t digest[SHA256_BYTES];
    digest_of(certificates->loop, url, digest);
    for (size_t i = 0; i < CONFIRMATIONS_MAX; i++)
        if (!memcmp(certificates->confirmed[i], digest, SHA256_BYTES)) return true;
    return false;
}

void certificates_open(struct loop *loop) {
    loop->certificates.loop = loop;
    loop->certificates.shelf = (struct certificate_shelf){find, confirmed, &loop->certificates};
}

/* ---- the errand ---- */

static bool is_under_way(const struct loop *loop, const struct tried_fetch *tried) {
    return tried->errand && errand_find(loop->errands, tried->errand);
}

/* A place for one more try: the one that may be forgotten first. NULL when each is needed. */
static struct tried_fetch *tried_place(struct turn *turn) {
    struct tried_fetch *place = NULL;
    for (size_t i = 0; i < FETCHES_MAX; i++) {
        struct tried_fetch *tried = &turn->loop->certificates.tried[i];
        if (is_under_way(turn->loop, tried) || tried->again_us > turn->now_us) continue;
        if (!place || tried->again_us < place->again_us) place = tried;
    }
    return place;
}

/* The errand's own copy: the turn's texts end with it. */
static struct event own_event(struct arena *arena, const struct event *event) {
    struct event own = *event;
    own.key = str_dup(arena, event->key);
    own.type = str_dup(arena, event->type);
    own.source = str_dup(arena, event->source);
    own.payload = str_dup(arena, event->payload);
    own.fingerprint = str_dup(arena, event->fingerprint);
    own.last_error = own.trace_parent = STR("");
    return own;
}

void certificates_fetch(struct turn *turn, const struct fetch_wish *wish) {
    struct loop *loop = turn->loop;
    uint8_t digest[SHA256_BYTES];
    digest_of(loop, wish->need.url, digest);
    struct tried_fetch *tried = tried_find(&loop->certificates, digest);
    if (tried && (is_under_way(loop, tried) || tried->again_us > turn->now_us)) return;
    if (!tried) tried = tried_place(turn);
    struct errand *errand = tried ? errand_start(turn, &errand_owners[ERRAND_FETCH], turn->now_us + CALL_US) : NULL;
    if (!errand) return;
    struct fetching *fetching = arena_new(&errand->arena, struct fetching);
    struct str url = str_dup(&errand->arena, wish->need.url);
    *fetching = (struct fetching){.fetch = {wish->need.what, url}, .source = wish->source, .why = STR("")};
    memcpy(fetching->url, digest, sizeof digest);
    if (wish->need.what == FETCH_CONFIRMATION) fetching->event = own_event(&errand->arena, wish->event);
    errand->keeps = fetching;
    errand->outgoing = (struct outgoing){
        .method = STR("GET"), .url = url, .ca = wish->source->webhook.ca, .proxy = wish->source->webhook.proxy};
    *tried = (struct tried_fetch){.errand = errand->tag}; /* of a turn that is dropped no errand is found */
    memcpy(tried->url, digest, sizeof digest);
}

static struct str read_certificate(struct turn *turn, struct fetching *fetching, const struct answer *answer) {
    const char *problem;
    int64_t from_us;
    if (!answer->body_complete) return STR("its text was cut");
    if (!signing_certificate(answer->body, turn->arena, &fetching->key, &from_us, &fetching->until_us, &problem))
        return str_from(problem);
    if (fetching->key.n > KEY_BYTES_MAX) return STR("its key is too long");
    if (turn->wall_us < from_us) return STR("it does not hold yet");
    if (turn->wall_us >= fetching->until_us) return STR("it holds no longer");
    return STR("");
}

enum err certificates_settle(struct turn *turn, const struct errand *errand, const struct answer *answer) {
    struct fetching *fetching = errand->keeps;
    struct loop *loop = turn->loop;
    struct append_result verdict;
    fetching->why = STR("");
    if (answer->end != EXCHANGE_ANSWERED)
        fetching->why = str_fmt(turn->arena, "%s: %s", exchange_text(answer->end), answer->trouble);
    else if (answer->status < 200 || answer->status > 299)
        fetching->why = str_fmt(turn->arena, "the answer was %d", (int)answer->status);
    else if (fetching->fetch.what == FETCH_CERTIFICATE)
        fetching->why = read_certificate(turn, fetching, answer);
    if (fetching->why.n || fetching->fetch.what != FETCH_CONFIRMATION) return ERR_NONE;
    TRY(store_append(loop->options.store, &fetching->event, 1, turn->arena, &verdict));
    loop->next_scheduled_us = turn->wall_us; /* a turn that is dropped looks in vain */
    turn->wishes |= WISH_WORK;
    return ERR_NONE;
}

/* A place for one more good certificate: its own, a free one, else that of the one which ends first. */
static struct kept_certificate *kept_place(struct certificates *certificates, struct str url) {
    struct kept_certificate *place = kept_find(certificates, url);
    for (size_t i = 0; i < CERTIFICATES_MAX && !place; i++)
        if (!certificates->kept[i].url[0]) place = &certificates->kept[i];
    if (place) return place;
    place = &certificates->kept[0];
    for (size_t i = 1; i < CERTIFICATES_MAX; i++)
        if (certificates->kept[i].until_us < place->until_us) place = &certificates->kept[i];
    return place;
}

static void keep(struct turn *turn, const struct fetching *fetching) {
    struct kept_certificate *kept = kept_place(&turn->loop->certificates, fetching->fetch.url);
    int64_t until_us = turn->wall_us + KEEP_US;
    *kept = (struct kept_certificate){.key_bytes = fetching->key.n,
                                      .old_us = turn->wall_us + OLD_US,
                                      .until_us = fetching->until_us < until_us ? fetching->until_us : until_us};
    memcpy(kept->url, fetching->fetch.url.p, fetching->fetch.url.n);
    memcpy(kept->key, fetching->key.p, fetching->key.n);
}

static void confirm(struct certificates *certificates, const struct fetching *fetching) {
    memcpy(certificates->confirmed[certificates->next_confirmed++ % CONFIRMATIONS_MAX], fetching->url, SHA256_BYTES);
}

void certificates_settled(struct turn *turn, const struct errand *errand) {
    static const char *const words[][2] = {[FETCH_CERTIFICATE] = {"certificate_kept", "certificate_refused"},
                                           [FETCH_CONFIRMATION] = {"subscription_confirmed", "subscription_refused"}};
    const struct fetching *fetching = errand->keeps;
    struct certificates *certificates = &turn->loop->certificates;
    struct tried_fetch *tried = tried_find(certificates, fetching->url);
    bool is_certificate = fetching->fetch.what == FETCH_CERTIFICATE, failed = fetching->why.n > 0;
    struct str url = fetching->fetch.url; /* what confirms holds a token, which is no thing for a log */
    log_event(turn->loop->options.log, failed ? LOG_WARN : LOG_INFO, turn->wall_us, words[fetching->fetch.what][failed],
              LOG_TEXT("source", fetching->source->name),
              LOG_TEXT("url", is_certificate ? url : str_sub(url, 0, str_find(url, '?'))),
              LOG_TEXT("why", fetching->why));
    if (!failed && is_certificate) keep(turn, fetching);
    if (!failed && !is_certificate) confirm(certificates, fetching);
    if (!tried) return;
    tried->errand = 0;
    tried->again_us = failed ? turn->now_us + (is_certificate ? AGAIN_US : SOON_US) : 0;
    size_t n = fetching->why.n < sizeof tried->why ? fetching->why.n : sizeof tried->why - 1;
    if (n) memcpy(tried->why, fetching->why.p, n);
    tried->why[n] = 0;
}
