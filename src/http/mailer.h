/* http/mailer.h - the mails of the client: each is carried by a thread of its own, because the library waits in some
 * places without letting go (transfer_smtp.c). A server that hangs so delays nobody else.
 *
 * At most MAILER_THREADS_MAX mails are under way, the others wait in their order. A connection is kept for
 * MAILER_REST_S, and serves only calls to the same server in the same name on the same terms.
 * Thread: mailer_* from the loop's thread. */
#ifndef HTTP_MAILER_H
#define HTTP_MAILER_H

#include "http/wake.h"
#include "world.h"

#define MAILER_THREADS_MAX 64
#define MAILER_REST_S      20

struct mailer;
struct transfer;

struct mailer *mailer_new(const struct clock *clock, struct wake *wake, const char *ca_file);
void mailer_free(struct mailer *mailer); /* cancels what runs, joins the threads */
/* As the transport's calls (world.h). Ended transfers are the mailer's until mailer_release. */
void mailer_start(struct mailer *mailer, uint64_t tag, const struct outgoing *outgoing);
size_t mailer_collect(struct mailer *mailer, struct completion *ret_completions, size_t max);
void mailer_release(struct mailer *mailer, struct transfer *transfer);
void mailer_cancel(struct mailer *mailer, uint64_t tag);
size_t mailer_begun(struct mailer *mailer, struct beginning *ret_begun, size_t max);

#endif
