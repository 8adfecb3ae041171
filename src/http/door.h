/* http/door.h - who may come in, judged by a request's head alone, before a
 * byte of its body is kept. The role that an act needs is the API's to judge.
 *
 * While no API key exists anybody on this machine may ask, and a browser is on
 * this machine, too: so a page of another site must not be able to. Once keys
 * exist, a page has none to send.
 * Thread: door_set from any, all else from the listener's.
 */
#ifndef HTTP_DOOR_H
#define HTTP_DOOR_H

#include "base/hash.h"
#include "http/denial.h"

struct door_key {
    uint8_t digest[SHA256_BYTES]; /* of the key's text */
    bool reads;                   /* it may read, and so see /metrics */
};

struct door_keys {
    const struct door_key *keys;
    size_t count;
    bool keyless;      /* nobody needs a key: there is none, and only this machine reaches the listener */
    bool open_metrics; /* /metrics is shown to everybody */
    bool any_key;      /* with keyless: what is sent as a key is not looked at, as at a destination of the demo's */
};

struct door;
/* Shut until door_set: everybody is told to come again. listen_host is copied. */
struct door *door_new(struct str listen_host);
void door_free(struct door *door);
void door_set(struct door *door, const struct door_keys *keys); /* copied */
/* The head must have passed framing_trouble; address is the peer's, as text. */
/* Whether whoever asks needs no key: paths of sources, whose handler judges a signature. */
bool door_is_open_to_all(const struct framing *head);
struct denial door_judge(struct door *door, const struct framing *head, struct str address, int64_t now_us);

#endif
