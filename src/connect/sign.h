/* connect/sign.h - credentials that sign a whole request: AWS Signature Version 4 and OAuth 1.0a. Pure; private to this
 * room.
 *
 * Signing comes last: it reads the method, the URL, the headers and the body as they will leave, and adds headers. A
 * request that is changed afterwards is refused by the provider.
 * Sources: docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv.html, RFC 5849 (3.4, 3.5.1).
 */
#ifndef CONNECT_SIGN_H
#define CONNECT_SIGN_H

#include "model/exchange.h"

struct arena;
struct hasher;

/* Of one AWS account; token "" = the key is a lasting one. Every service but S3, whose paths are written another way,
 * is signed so. */
struct aws_keys {
    struct str key, secret, token, region, service;
};
/* Adds X-Amz-Date, X-Amz-Security-Token where there is a token, and Authorization. Every header but User-Agent is
 * signed, so none may come later. */
void sign_aws(struct outgoing *outgoing, const struct aws_keys *keys, int64_t now_us, struct hasher *hasher,
              struct arena *arena);

/* Of one app and one user of it. */
struct oauth1_keys {
    struct str consumer_key, consumer_secret, token, token_secret;
};
/* Adds Authorization with an HMAC-SHA1 signature. The nonce is the caller's, another one for each request. */
void sign_oauth1(struct outgoing *outgoing, const struct oauth1_keys *keys, int64_t now_us, struct str nonce,
                 struct arena *arena);

#endif
