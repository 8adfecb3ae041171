/* deliver/gauges.h - the numbers of desks for whoever watches: breakers, sends
 * on their way, pauses, what limits allow. Label values are names from the
 * configuration. The deliver stays the caller's. */
#ifndef DELIVER_GAUGES_H
#define DELIVER_GAUGES_H

#include "base/gauge.h"

struct deliver;
struct gauge_set deliver_gauges(const struct deliver *deliver);

#endif
