/* cli/sample.h - the sample that a command's first argument asks for. */
#ifndef CLI_SAMPLE_H
#define CLI_SAMPLE_H

#include "cli/rehearse.h"

struct request;
struct source_settings;

/* The source that a command's first argument names, and what stands behind the first dot. An exit code. */
MUST_USE int sample_named(struct rehearsal *rehearsal, const struct source_settings **ret_source, struct str *ret_what);
/* SOURCE, or SOURCE.TYPE: a request as its sender would make it, signed now, with what --data and --set say, or with
 * what that sender's bodies usually have. An exit code; what is wrong was said. */
MUST_USE int sample_make(struct rehearsal *rehearsal, struct request *ret_request,
                         const struct source_settings **ret_source);

/* Says of each --set that names a field which nothing reads, and that is nearly one which something does. usual: what
 * bodies of that sender have, STR_NONE where that is not known. (sample_hint.c) */
void sample_hint(struct rehearsal *rehearsal, const struct source_settings *source, struct str usual);

/* The source of a name; NOT_FOUND, and it was said, when the configuration has none. */
MUST_USE int sample_source(struct cli *cli, const struct settings *settings, struct str name,
                           const struct source_settings **ret_source);

#endif
