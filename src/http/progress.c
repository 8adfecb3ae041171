/* http/progress.c - the ends of a call. */
#include "http/progress.h"

static enum exchange_end end_before(const struct progress *progress, enum complaint complaint) {
    if (complaint == COMPLAINT_TRUST) return EXCHANGE_NO_TRUST;
    bool only_refused = progress->refused && !progress->tried;
    return only_refused || complaint == COMPLAINT_URL ? EXCHANGE_REFUSED : EXCHANGE_NO_CONNECT;
}

enum exchange_end progress_end(const struct progress *progress, enum complaint complaint) {
    if (progress->answered) return EXCHANGE_ANSWERED;
    if (!progress->began) return end_before(progress, complaint);
    if (atomic_load(&progress->cancelled)) return EXCHANGE_CANCELLED;
    return complaint == COMPLAINT_TIME ? EXCHANGE_TIMED_OUT : EXCHANGE_CUT;
}

const char *progress_words(const struct progress *progress) {
    if (progress->answered) return "";
    if (progress->foreign) return "this client speaks http and https only";
    if (progress->refused && !progress->tried) return "the address is not public";
    if (progress->sent_again) return "the kept connection ended before an answer came";
    return atomic_load(&progress->cancelled) ? "stopped by this server" : NULL;
}
