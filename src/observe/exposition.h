/* observe/exposition.h - the text that Prometheus reads, of the gauges that rooms bring (base/gauge.h).
 *
 * One walk over the tables writes two forms: the plain one (text format 0.0.4), and OpenMetrics 1.0, which has examples
 * of traces at the buckets of times and is for who asks for it. A gauge that its room cannot tell is left out of both.
 * Source: prometheus.io/docs/instrumenting/exposition_formats, OpenMetrics 1.0. Thread: the loop's.
 */
#ifndef OBSERVE_EXPOSITION_H
#define OBSERVE_EXPOSITION_H

#include "base/arena.h"
#include "base/gauge.h"

struct exposition {
    struct str plain;
    struct str open; /* without its last line, which is EXPOSITION_END */
};
#define EXPOSITION_PLAIN "text/plain; version=0.0.4"
#define EXPOSITION_OPEN  "application/openmetrics-text; version=1.0.0; charset=utf-8"
#define EXPOSITION_END   "# EOF\n"

struct exposition exposition_write(const struct gauge_set *sets, size_t count, int64_t now_us, struct arena *arena);

#endif
