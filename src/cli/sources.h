/* cli/sources.h - one source of the server, and what to say when the server has none of that name; the event that a
 * source would make. */
#ifndef CLI_SOURCES_H
#define CLI_SOURCES_H

#include "cli/ask.h"

struct event;
struct intake_context;
struct rehearsal;
struct source_settings;

/* Asks for a source. A name that is not in force is NOT_FOUND, and it was said whether the configuration here has it or
 * which name is near; any other answer is for the caller to judge, and to free. */
MUST_USE int source_ask(struct cli *cli, struct str name, struct asked *ret_asked);

/* A form as HTML, of the configuration here (sources_test.c). */
MUST_USE int source_page(struct cli *cli, struct str name);
bool source_is_posted(const struct source_settings *source); /* else it makes its events itself */
/* The event that a schedule would make next, or that a file of a folder is now. */
MUST_USE int source_rehearse(struct rehearsal *rehearsal, const struct source_settings *source, struct str what,
                             const struct intake_context *context);
MUST_USE int source_show_event(struct cli *cli, const struct event *event);

#endif
