/* store/report.h - the sheet of a day: of the events that came in, what became
 * of each, and of the deliveries that they owe, for each destination.
 *
 * It is made a window of events at a time (a round of store/chore.h), each
 * window as it stands at one moment, and it must add up: what came in is the
 * sum of what it became. The two sides are counted in different places: what is
 * owed in the index by event, what became of it in the table; the status of an
 * event is held against its deliveries. Same rules as store/store.h.
 */
#ifndef STORE_REPORT_H
#define STORE_REPORT_H

#include "store/chore.h"

/* X(NAME, text): the columns of a line. OWED is what came in; WRONG is no part of the sum: lines of the event's status
 * that its deliveries contradict. PENDING and UNROUTED are of events, SKIPPED and behind it of deliveries. */
#define SHEET_LIST(X)                                                                                                  \
    X(IN, "in")                                                                                                        \
    X(COMPLETED, "completed")                                                                                          \
    X(SKIPPED, "skipped")                                                                                              \
    X(FAILED, "failed")                                                                                                \
    X(UNKNOWN, "unknown")                                                                                              \
    X(HELD, "held")                                                                                                    \
    X(OPEN, "open")                                                                                                    \
    X(SUPERSEDED, "superseded")                                                                                        \
    X(PENDING, "pending")                                                                                              \
    X(UNROUTED, "unrouted")                                                                                            \
    X(WRONG, "wrong")
enum sheet_column {
#define X(name, text) SHEET_##name,
    SHEET_LIST(X)
#undef X
        SHEET_COLUMNS
};
const char *sheet_text(enum sheet_column column);

struct sheet_line {
    struct str destination; /* "" = the events themselves */
    int64_t counts[SHEET_COLUMNS];
};
/* By how much a line does not add up. */
int64_t sheet_difference(const struct sheet_line *line);

#define SHEET_LINES_MAX 256 /* destinations beyond are counted together, as "(others)" */
struct sheet {
    int64_t day;              /* days since 1970, of the calendar that the round was begun with */
    bool made;                /* whole: no window is left */
    struct sheet_line *lines; /* the events first, then destinations as they were met */
    size_t count;
    int64_t difference; /* of all lines together; 0 = it adds up */
};

/* Takes the next window of the day's events in [since, until) of wall time. A round begins when steps is 0; its mode is
 * the day. found is the difference so far. *ret_more false: the sheet is whole. */
MUST_USE enum err store_report_step(struct store *store, int64_t since_us, int64_t until_us, struct arena *arena,
                                    struct chore_round *round, bool *ret_more);
/* What a round of it found so far. For whoever shows it or sends it. */
struct sheet sheet_of(const struct chore_round *round, struct arena *arena);

#endif
