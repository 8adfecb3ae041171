/* engine/certificates.c - see certificates.h.
 *
 * WHAT. Fetches a certificate when a request first needs it, keeps it for minutes until a signature proves it and then
 * for a day, looks again when it is half a day old, and calls the URL that confirms a subscription.
 *
 * PROMISE. A request waits for nothing: one whose certificate is not here is answered 503 and comes again. A
 * confirmation is answered 2xx only after its URL was called with success, and then it is an event, stored once. Who
 * cannot sign for the topic neither pushes out a certificate that is in use nor delays its renewal.
 *
 * WHY IT HOLDS.
 * 1. Both are errands of the reserve, three at a time, ten seconds each. What they learn becomes true in `settled`,
 *    after the commit; a dropped turn reads the same answer again.
 * 2. A confirmation's event is appended in the transaction that takes its answer. A crash before it leaves a sender
 *    that heard 503: it sends again, and the URL is called again, which Amazon takes. The message's id is the event's
 *    key.
 * 3. Three lots of places. Anybody who knows a topic can make tries; that one succeeds means that Amazon has such a
 *    file, not that it signed anything. Only a message that was taken moves its certificate to the proven ones, and
 *    those alone are renewed there, with a place and an errand that no try can have.
 * 4. A try keeps its place for AGAIN_US after its answer, whatever that was: no more than PLACES_MAX are made in a
 *    minute, and SNS, which comes again after 20 seconds, finds the certificate that it had fetched.
 * 5. A certificate is not used after its own end, whatever its age here.
 *
 * WHAT BREAKS IT. Who fills all places of the tries, again and again, keeps out a certificate that is not proven yet:
 * the first after a start, and Amazon's next one. Which address is right cannot be told before it is fetched. A wall
 * clock that is off by days: no certificate holds then.
 *
 * HOW TO SEE IT. The log's certificate_fetched, certificate_refused, subscription_confirmed and subscription_refused.
 *
 * TESTED BY. test/unit/engine/test_certificates.c, test/e2e/test_sns.py
 */
#include "engine/certificates.h"

#include <string.h>

#include "base/signing.h"
#include "engine/turn.h"
#include "model/source.h"

#define CALL_US       (10 * US_PER_S)
#define KEEP_US       US_PER_DAY
#define OLD_US        (US_PER_DAY / 2)
#define TRIAL_US      (5 * US_PER_MIN) /* a try's certificate: longer than SNS takes until its last retry by default */
#define AGAIN_US      US_PER_MIN
#define SOON_US       (2 * US_PER_S)
#define TRIES_AT_ONCE 2 /* fewer than the owner may have (returns.c): one is left for what is proven */

/* What the errand keeps. */
struct fetching {
    struct fetch_need fetch;
    const struct source_settings *source;
    struct event event;
    uint8_t url[SHA256_BYTES];
    /* of the turn that settles it */
    struct str why; /* "" = it went well */
    struct str key;
    int64_t ends_us;
};

static void digest_of(const struct loop *loop, struct str url, uint8_t ret_digest[SHA256_BYTES]) {
    hash_sha256(loop->hasher, url, ret_digest);
}

/* ---- what is here ---- */

static struct fetched *place_find(struct certificates *certificates, enum fetch_lot lot,
                                  const uint8_t url[SHA256_BYTES]) {
    for (size_t i = 0; i < PLACES_MAX; i++)
        if (!memcmp(certificates->places[lot][i].url, url, SHA256_BYTES)) return &certificates->places[lot][i];
    return NULL;
}

static bool find(void *self, struct str url, struct str *ret_key, bool *ret_old, struct str *ret_why) {
    static const int64_t lasts_us[] = {[LOT_PROVEN] = KEEP_US, [LOT_TRIES] = TRIAL_US};
    struct certificates *certificates = self;
    const struct clock *clock = &certificates->loop->options.clock;
    int64_t wall_us = clock->wall_us(clock->self);
    uint8_t digest[SHA256_BYTES];
    digest_of(certificates->loop, url, digest);
    *ret_why = STR("");
    for (enum fetch_lot lot = LOT_PROVEN; lot <= LOT_TRIES; lot++) {
        const struct fetched *place = place_find(certificates, lot, digest);
        if (!place) continue;
        *ret_why = str_from(place->why);
        if (!place->key_bytes || wall_us >= place->ends_us || wall_us - place->came_us >= lasts_us[lot]) continue;
        *ret_key = (struct str){(const char *)place->key, place->key_bytes};
        *ret_old = lot == LOT_PROVEN && wall_us - place->came_us >= OLD_US;
        return true;
    }
    return false;
}

/* A try that stood its trial moves: to a free place, else to that of the proven one which was fetched longest ago. */
static void prove(void *self, struct str url) {
    struct certificates *certificates = self;
    uint8_t digest[SHA256_BYTES];
    digest_of(certificates->loop, url, digest);
    struct fetched *tried = place_find(certificates, LOT_TRIES, digest);
    if (!tried || place_find(certificates, LOT_PROVEN, digest)) return;
    struct fetched *place = certificates->places[LOT_PROVEN];
    for (size_t i = 1; i < PLACES_MAX; i++)
        if (certificates->places[LOT_PROVEN][i].came_us < place->came_us) place = &certificates->places[LOT_PROVEN][i];
    *place = *tried;
    *tried = (struct fetched){.errand = 0};
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
    loop->certificates.shelf = (struct certificate_shelf){find, prove, confirmed, &loop->certificates};
}

/* ---- the errand ---- */

static bool is_under_way(const struct loop *loop, const struct fetched *place) {
    return place->errand && errand_find(loop->errands, place->errand);
}

/* An address that is proven stays so: its renewal takes no place of the tries. */
static enum fetch_lot lot_of(struct certificates *certificates, enum fetch_what what, const uint8_t url[SHA256_BYTES]) {
    if (what == FETCH_CONFIRMATION) return LOT_CONFIRMING;
    return place_find(certificates, LOT_PROVEN, url) ? LOT_PROVEN : LOT_TRIES;
}

/* A place for one more try or confirmation: the one that may be forgotten first. NULL when each is needed. */
static struct fetched *spare_place(const struct turn *turn, enum fetch_lot lot) {
    struct fetched *places = turn->loop->certificates.places[lot], *spare = NULL;
    size_t under_way = 0;
    for (size_t i = 0; i < PLACES_MAX; i++) {
        if (is_under_way(turn->loop, &places[i]))
            under_way++;
        else if (places[i].again_us <= turn->now_us && (!spare || places[i].again_us < spare->again_us))
            spare = &places[i];
    }
    return lot == LOT_TRIES && under_way >= TRIES_AT_ONCE ? NULL : spare;
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
    enum fetch_lot lot = lot_of(&loop->certificates, wish->need.what, digest);
    struct fetched *place = place_find(&loop->certificates, lot, digest);
    if (place && (is_under_way(loop, place) || place->again_us > turn->now_us)) return;
    if (!place) place = spare_place(turn, lot);
    struct errand *errand = place ? errand_start(turn, &errand_owners[ERRAND_FETCH], turn->now_us + CALL_US) : NULL;
    if (!errand) return;
    struct fetching *fetching = arena_new(&errand->arena, struct fetching);
    struct str url = str_dup(&errand->arena, wish->need.url);
    *fetching = (struct fetching){.fetch = {wish->need.what, url}, .source = wish->source, .why = STR("")};
    memcpy(fetching->url, digest, sizeof digest);
    if (wish->need.what == FETCH_CONFIRMATION) fetching->event = own_event(&errand->arena, wish->event);
    errand->keeps = fetching;
    errand->outgoing = (struct outgoing){
        .method = STR("GET"), .url = url, .ca = wish->source->webhook.ca, .proxy = wish->source->webhook.proxy};
    if (lot != LOT_PROVEN)
        *place = (struct fetched){.errand = 0}; /* what is proven is used until the next one is here */
    place->errand = errand->tag;                /* of a turn that is dropped no errand is found */
    memcpy(place->url, digest, sizeof digest);
}

static struct str read_certificate(struct turn *turn, struct fetching *fetching, const struct answer *answer) {
    const char *problem;
    int64_t from_us;
    if (!answer->body_complete) return STR("its text was cut");
    if (!signing_certificate(answer->body, turn->arena, &fetching->key, &from_us, &fetching->ends_us, &problem))
        return str_from(problem);
    if (fetching->key.n > KEY_BYTES_MAX) return STR("its key is too long");
    if (turn->wall_us < from_us) return STR("it does not hold yet");
    if (turn->wall_us >= fetching->ends_us) return STR("it holds no longer");
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

static void keep(const struct turn *turn, struct fetched *place, const struct fetching *fetching) {
    memcpy(place->key, fetching->key.p, fetching->key.n);
    place->key_bytes = fetching->key.n;
    place->came_us = turn->wall_us;
    place->ends_us = fetching->ends_us;
}

static void confirm(struct certificates *certificates, const struct fetching *fetching) {
    memcpy(certificates->confirmed[certificates->next_confirmed++ % CONFIRMATIONS_MAX], fetching->url, SHA256_BYTES);
}

/* When the address may be called again. Success proves nothing: a certificate that is only tried rests like a failure.
 */
static int64_t rest_until(const struct turn *turn, enum fetch_lot lot, bool failed) {
    if (lot == LOT_TRIES) return turn->now_us + AGAIN_US;
    return failed ? turn->now_us + (lot == LOT_PROVEN ? AGAIN_US : SOON_US) : 0;
}

/* For the log: what confirms holds a token, so only its host is shown. */
static struct str url_shown(const struct fetching *fetching) {
    static const char https[] = "https://";
    struct str url = fetching->fetch.url;
    if (fetching->fetch.what == FETCH_CERTIFICATE) return url;
    size_t slash = str_find(str_sub(url, sizeof https - 1, url.n), '/');
    return str_sub(url, 0, slash == SIZE_MAX ? 0 : sizeof https - 1 + slash);
}

void certificates_settled(struct turn *turn, const struct errand *errand) {
    static const char *const words[][2] = {[FETCH_CERTIFICATE] = {"certificate_fetched", "certificate_refused"},
                                           [FETCH_CONFIRMATION] = {"subscription_confirmed", "subscription_refused"}};
    const struct fetching *fetching = errand->keeps;
    struct certificates *certificates = &turn->loop->certificates;
    enum fetch_lot lot = lot_of(certificates, fetching->fetch.what, fetching->url);
    struct fetched *place = place_find(certificates, lot, fetching->url);
    bool failed = fetching->why.n > 0;
    log_event(turn->loop->options.log, failed ? LOG_WARN : LOG_INFO, turn->wall_us, words[fetching->fetch.what][failed],
              LOG_TEXT("source", fetching->source->name), LOG_TEXT("url", url_shown(fetching)),
              LOG_TEXT("why", fetching->why));
    if (!failed && lot == LOT_CONFIRMING) confirm(certificates, fetching);
    if (!place) return;
    if (!failed && lot != LOT_CONFIRMING) keep(turn, place, fetching);
    place->errand = 0;
    place->again_us = rest_until(turn, lot, failed);
    size_t n = fetching->why.n < sizeof place->why ? fetching->why.n : sizeof place->why - 1;
    if (n) memcpy(place->why, fetching->why.p, n);
    place->why[n] = 0;
}
