/* model/chore.h - the chores: what must be done now and then. The engine knows how each is done (engine/chore.c), the
 * store keeps how far it is, under its text. */
#ifndef MODEL_CHORE_H
#define MODEL_CHORE_H

#include "base/str.h"

/* X(name, text) */
#define CHORE_LIST(X)                                                                                                  \
    X(LEASES, "leases")                                                                                                \
    X(GIVING_UP, "giving-up")                                                                                          \
    X(RETIREMENT, "retirement")                                                                                        \
    X(ORPHANS, "orphans")                                                                                              \
    X(VERIFY, "verify")                                                                                                \
    X(STRAYS, "strays")                                                                                                \
    X(OVERFLOW, "overflow")                                                                                            \
    X(CLOCK, "clock")                                                                                                  \
    X(REPORT, "report")                                                                                                \
    X(RECONCILIATION, "reconciliation")                                                                                \
    X(REPLAY, "replay")                                                                                                \
    X(ALERTS, "alerts")                                                                                                \
    X(SCHEDULES, "schedules")                                                                                          \
    X(FOLDERS, "folders")

enum chore_name {
#define X(name, text) CHORE_##name,
    CHORE_LIST(X)
#undef X
        CHORE_COUNT
};

struct str chore_text(enum chore_name name);

#endif
