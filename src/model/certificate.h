/* model/certificate.h - what a sender that names the certificate of its signature in each request needs from outside:
 * the certificate, and that a subscription is confirmed. The pure rooms ask a shelf for what is there and say what is
 * to be fetched; the engine keeps the shelf and fetches (engine/certificates.h). */
#ifndef MODEL_CERTIFICATE_H
#define MODEL_CERTIFICATE_H

#include "base/str.h"

#define CERTIFICATE_URL_MAX 255

struct certificate_shelf {
    /* The key of the certificate at this URL, as base/signing.h takes it. *ret_old: it is good, and another look is
     * due. False: it is not here, and *ret_why says whether it was asked for in vain ("" = it was not). */
    bool (*find)(void *self, struct str url, struct str *ret_key, bool *ret_old, struct str *ret_why);
    /* The certificate at this URL fitted the signature of a message that is taken. True whatever becomes of the turn.
     */
    void (*prove)(void *self, struct str url);
    bool (*confirmed)(void *self, struct str url); /* this URL was called, and answered 2xx */
    void *self;
};

/* What a request makes the engine fetch after the commit. */
enum fetch_what { FETCH_NOTHING, FETCH_CERTIFICATE, FETCH_CONFIRMATION };
struct fetch_need {
    enum fetch_what what;
    struct str url;
};
/* The same with all that the engine needs for it. */
struct event;
struct source_settings;
struct fetch_wish {
    struct fetch_need need;
    const struct source_settings *source;
    const struct event *event; /* what a confirmation is stored as */
};

#endif
