/* engine/certificates.h - certificates of senders that name theirs in each request, and subscriptions that want to be
 * confirmed: what is here, and the errand that fetches what is not. Private to the loop's own files.
 *
 * In memory alone, and bounded: another process, or this one after its start, fetches them again. Thread: the loop's.
 */
#ifndef ENGINE_CERTIFICATES_H
#define ENGINE_CERTIFICATES_H

#include "base/hash.h"
#include "engine/errand.h"
#include "model/certificate.h"

#define PLACES_MAX        16   /* in each lot */
#define CONFIRMATIONS_MAX 64   /* that were made of late */
#define KEY_BYTES_MAX     1100 /* of RSA with 8192 bits */

struct fetch_wish;

/* Only what a signature of a source's topic fitted is proven; what any request may ask for is a try. What confirms a
 * subscription stood in a signed message. No lot takes places of another. */
enum fetch_lot { LOT_PROVEN, LOT_TRIES, LOT_CONFIRMING, FETCH_LOTS };
/* An address that was called or is being called, and the certificate that came from it. All zero = the place is free.
 */
struct fetched {
    uint8_t url[SHA256_BYTES];
    uint64_t errand;  /* 0 = none is under way */
    int64_t again_us; /* the loop's clock: not before this */
    char why[160];    /* of the last call, where it failed; "" = it did not */
    uint8_t key[KEY_BYTES_MAX];
    size_t key_bytes;         /* 0 = no certificate is here */
    int64_t came_us, ends_us; /* wall time: it was fetched; it holds no longer */
};
struct certificates {
    struct certificate_shelf shelf; /* what handlers see */
    struct loop *loop;
    struct fetched places[FETCH_LOTS][PLACES_MAX];
    uint8_t confirmed[CONFIRMATIONS_MAX][SHA256_BYTES];
    size_t next_confirmed;
};

void certificates_open(struct loop *loop);
/* Starts the errand, unless it is under way, the address rests, or there is no room. */
void certificates_fetch(struct turn *turn, const struct fetch_wish *wish);

/* What the owner of the errand does (errand_owners). */
enum err certificates_settle(struct turn *turn, const struct errand *errand, const struct answer *answer);
void certificates_settled(struct turn *turn, const struct errand *errand);

#endif
