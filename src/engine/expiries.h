/* engine/expiries.h - what the servers of each destination showed of their certificates (model/expiry.h): learned from
 * answers, kept in memory by the destination's name. Private to the loop's own files. Owned by the loop. Thread: the
 * loop's. */
#ifndef ENGINE_EXPIRIES_H
#define ENGINE_EXPIRIES_H

#include "base/arena.h"
#include "base/map.h"
#include "model/expiry.h"

struct answer;
struct errand;
struct gauge_sink;
struct loop;
struct settings;
struct turn;

struct expiry_book {
    struct arena arena;
    struct map all; /* destination's name -> struct expiries */
};

/* After the commit of the turn that settled it. */
void expiries_learn(struct turn *turn, const struct errand *errand, const struct answer *answer);
/* Another configuration is in force: what is called elsewhere now, or no longer, is forgotten. */
void expiries_reconfigured(struct loop *loop, const struct settings *before);
void expiries_put(const struct loop *loop, struct gauge_sink *sink); /* for metrics: unix time of the first end */
void expiries_close(struct loop *loop);

#endif
