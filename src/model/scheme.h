/* model/scheme.h - how senders of webhooks sign them and what their bodies say, as one table of parameters
 * (schemes.def). A row is data: config checks a source by it, ingest verifies and reads by it, the CLI signs samples.
 *
 * A place is where a value of a request stands:
 *   Some-Header      the value of a header
 *   Some-Header#t    the member t of a header that is a list, as in t=1,v1=ab
 *   /a/b             a JSON pointer into the body, or into one item of it
 */
#ifndef MODEL_SCHEME_H
#define MODEL_SCHEME_H

#include "base/signing.h"

/* What proves that a request is the sender's. */
enum scheme_proof {
    PROOF_SIGNATURE,
    PROOF_BASIC,
    PROOF_BEARER,
    PROOF_PATH,
    PROOF_CERTIFICATE /* a signature whose certificate the request names: ingest/certified.h */
};

/* How the secret becomes the key. */
enum scheme_secret {
    SECRET_RAW,      /* its bytes as they are */
    SECRET_STANDARD, /* base64 behind whsec_; whpk_ is a public key of Ed25519 */
    SECRET_PUBLIC    /* a public key in base64, as DER or PEM */
};

/* A request that is no event and wants an answer of its own. */
enum scheme_greeting {
    GREETING_NONE,
    GREETING_SLACK, /* {"type":"url_verification","challenge":…} wants {"challenge":…} */
    GREETING_SNS,   /* a Type beside Notification: SubscriptionConfirmation wants its SubscribeURL to be called */
    GREETING_META   /* GET with hub.verify_token and hub.challenge wants the challenge as text */
};

enum scheme_reply { REPLY_JSON, REPLY_XML /* what Twilio takes for "nothing to do" */ };

struct scheme {
    const char *name;  /* what `type` takes */
    const char *whose; /* for a person: "Stripe" */
    enum scheme_proof proof;
    enum signing signing;
    bool base64; /* signatures are base64, else hexadecimal in lower case */
    enum scheme_secret secret;
    int32_t secret_least;  /* characters */
    const char *signature; /* the place of one signature, or of a list with several */
    const char *prefix;    /* what stands before the signature: "sha256=" */
    char between, behind;  /* of a list: what parts its members, and what stands behind a member's name; 0 = no list */
    const char *version;   /* the members of the list that are signatures */
    const char *time, *id; /* places; NULL = there is none */
    bool milliseconds;     /* the time is in ms, else in s */
    const char *certificate, *hosts; /* the place of the certificate's URL; hosts it may be at, each with one '*' for a
                                        label, parted by blanks */
    const char *message; /* what is signed, with {body} {time} {id} {method} {url} {form}; each { has its }. Of
                            certificates: the names of members, each signed with its value; one with a '?' may lack */
    const char *notice;  /* likewise, of a greeting */
    const char *items;   /* a pointer to the array of events in the body; "" = the body is it; NULL = one event */
    const char *key;     /* places joined by '+'; "" = the digest of the body (or of its item) */
    const char *type;    /* likewise; what is missing is left out */
    const char *usual;   /* what it says there of an event that is often sent, for samples; NULL = nothing is known */
    enum scheme_greeting greeting;
    enum scheme_reply reply;
    const char *source; /* where these facts are from, and when they were read */
};

extern const struct scheme schemes[];
extern const size_t scheme_count;
const struct scheme *scheme_find(struct str name); /* NULL: there is no such scheme */
/* The key that a secret stands for, and what is done with it. False: it cannot be read. */
bool scheme_key(const struct scheme *scheme, struct str secret, struct arena *arena, enum signing *ret_signing,
                struct str *ret_key);
/* Whether it can be used: of a public key, that it is one. */
bool scheme_secret_valid(const struct scheme *scheme, struct str secret, struct arena *arena);

#endif
