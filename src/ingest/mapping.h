/* ingest/mapping.h - what a source's `map` says by jq: the type, the key and the moment of each event of a request.
 *
 * One jq function for each source that has any jq in its map; a place in the body needs none. Compiling adds it to the
 * configuration's program, and the evaluator runs it, once for a request with all its events. Pure but for the
 * evaluator. Thread: the loop's. Lives as long as the settings it was compiled from.
 */
#ifndef INGEST_MAPPING_H
#define INGEST_MAPPING_H

#include "ingest/intake.h"
#include "model/source.h"

struct findings;
struct jq_source;
struct mappings;

/* Findings: jq that is not sound lexically, or one program too many. settings and arena outlive the mappings. */
struct mappings *mappings_compile(const struct settings *settings, struct jq_source *source, struct findings *findings,
                                  struct arena *arena);
/* After the whole program failed to compile: a finding for each expression that does not compile alone. */
void mappings_blame(const struct mappings *mappings, struct findings *findings);

enum map_part { MAP_TYPE, MAP_KEY, MAP_AT, MAP_COUNT };
/* Of one event. A part that is null, or that is not said by jq, is "". */
struct mapped {
    struct str values[MAP_COUNT];
    struct str problems[MAP_COUNT]; /* why there is no value though jq was to say it; "" = none */
};
/* The jq of this source; NULL when it has none. */
struct mapping;
struct mapping *mapping_find(const struct intake_context *context, const struct source_settings *source);
/* Of count events, each the text of a sound JSON value. MAP_STOPPED, with the words, when the jq ran away, or is not
 * run because it did, or could not be run at all: the same request may be taken later. */
MUST_USE enum err mapping_run(struct mapping *mapping, const struct intake_context *context, const struct str *events,
                              size_t count, struct mapped *ret_mapped, struct str *ret_words);

#endif
