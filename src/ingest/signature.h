/* ingest/signature.h - whether a request is its source's, over the bytes that came, before anything of it is read.
 *
 * Pure and in constant time where secrets are compared: every signature of the request is tried with every secret of
 * the source, whichever fits. Private to this room.
 */
#ifndef INGEST_SIGNATURE_H
#define INGEST_SIGNATURE_H

#include "base/err.h"
#include "ingest/intake.h"
#include "model/certificate.h"
#include "model/request.h"
#include "model/scheme.h"
#include "model/settings.h"
#include "model/source.h"

#define SIGNATURES_MAX 8 /* of one request that are looked at */

/* UNSIGNED, or STALE for one that is signed but whose time is too far from now. *ret_words: why, for the log; who sent
 * it is not told. form: the members of a form-encoded body, decoded; NULL when it is none. */
struct form;
MUST_USE enum err signature_check(const struct source_settings *source, const struct server_settings *server,
                                  const struct request *request, const struct form *form, int64_t wall_us,
                                  struct arena *arena, struct str *ret_words);

/* The same where the request names the certificate of its signature (certified.c). UNVOUCHED: it is not here, and
 * *ret_fetch says where it is. On success *ret_fetch may name a certificate that is old, or a subscription that wants
 * to be confirmed, and *ret_notice says that the request is no notification. */
MUST_USE enum err certified_check(const struct intake_context *context, const struct source_settings *source,
                                  const struct request *request, struct fetch_need *ret_fetch, bool *ret_notice,
                                  struct str *ret_words);

/* What the scheme signs of a request, with this time and id. */
struct str signature_message(const struct source_settings *source, const struct server_settings *server,
                             const struct request *request, const struct form *form, struct str time, struct str id,
                             struct arena *arena);
/* The signature as the header holds it, without its prefix; the key is a secret's, not a public one. */
struct str signature_text(const struct scheme *scheme, enum signing signing, struct str key, struct str message,
                          struct arena *arena);

/* As much work as a check that fails, for a source that does not exist. */
void signature_pretend(const struct request *request, struct arena *arena);

#endif
