/* http/progress.h - how far a call came, and what its end is called.
 *
 * The one question that matters: had the request begun to leave? If not,
 * nothing happened and it may be sent again; if so, the effect may exist. Pure.
 */
#ifndef HTTP_PROGRESS_H
#define HTTP_PROGRESS_H

#include <stdatomic.h>

#include "model/exchange.h"

struct progress {
    bool foreign;          /* its scheme is none of this client's: it was not even begun */
    bool began;            /* the request began to leave */
    bool sent_again;       /* it would have left a second time and was stopped */
    bool refused, tried;   /* an address was refused; one was tried */
    bool answered;         /* a full status line and headers came */
    atomic_bool cancelled; /* by the loop */
};

/* What the library complains of, as far as it matters here. */
enum complaint { COMPLAINT_TIME, COMPLAINT_TRUST, COMPLAINT_URL, COMPLAINT_OTHER };

enum exchange_end progress_end(const struct progress *progress, enum complaint complaint);
/* Our own words for the end where we know better than the library; else NULL. */
const char *progress_words(const struct progress *progress);

#endif
