/* cli/sources.h - one source of the server, and what to say when the server has none of that name. */
#ifndef CLI_SOURCES_H
#define CLI_SOURCES_H

#include "cli/ask.h"

/* Asks for a source. A name that is not in force is NOT_FOUND, and it was said whether the configuration here has it or
 * which name is near; any other answer is for the caller to judge, and to free. */
MUST_USE int source_ask(struct cli *cli, struct str name, struct asked *ret_asked);

/* A form as HTML, of the configuration here (sources_test.c). */
MUST_USE int source_page(struct cli *cli, struct str name);

#endif
