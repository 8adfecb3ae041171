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

#define CERTIFICATES_MAX  8    /* that are good */
#define FETCHES_MAX       16   /* that were tried of late, or are being tried */
#define CONFIRMATIONS_MAX 64   /* that were made of late */
#define KEY_BYTES_MAX     1100 /* of RSA with 8192 bits */

struct fetch_wish;

struct kept_certificate {
    char url[CERTIFICATE_URL_MAX + 1]; /* "" = the place is free */
    uint8_t key[KEY_BYTES_MAX];
    size_t key_bytes;
    int64_t old_us, until_us; /* wall time: another look is due; it is not used any more */
};
struct tried_fetch {
    uint8_t url[SHA256_BYTES];
    uint64_t errand;  /* 0 = none is under way */
    int64_t again_us; /* the loop's clock: not before this */
    char why[160];    /* of the last that failed; "" = none did */
};
struct certificates {
    struct certificate_shelf shelf; /* what handlers see */
    struct loop *loop;
    struct kept_certificate kept[CERTIFICATES_MAX];
    struct tried_fetch tried[FETCHES_MAX];
    uint8_t confirmed[CONFIRMATIONS_MAX][SHA256_BYTES];
    size_t next_confirmed;
};

void certificates_open(struct loop *loop);
/* Starts the errand, unless it is under way, was tried in vain within a minute, or has no room. */
void certificates_fetch(struct turn *turn, const struct fetch_wish *wish);

/* What the owner of the errand does (errand_owners). */
enum err certificates_settle(struct turn *turn, const struct errand *errand, const struct answer *answer);
void certificates_settled(struct turn *turn, const struct errand *errand);

#endif
