/* cli/parse.h - the words of a command line into a struct cli, by the table of
 * commands. Reads nothing but its arguments. */
#ifndef CLI_PARSE_H
#define CLI_PARSE_H

#include "cli/command.h"

enum parsed { PARSED_RUN, PARSED_HELP, PARSED_VERSION, PARSED_NOTHING, PARSED_WRONG };

/* The words come without the program's name. Global options may stand anywhere, a command's own options behind it.
 * After WRONG, *ret_problem is a sentence, with "did you mean" where a name is near. HELP means help on cli->command,
 * else on cli->noun, else on everything. */
enum parsed parse_words(struct cli *cli, char *const *words, size_t count, struct str *ret_problem);

/* The command of that name, verb "" for a noun alone; NULL when there is none. */
const struct command *command_find(struct str noun, struct str verb);
bool command_has_noun(struct str noun);
struct str command_name(struct arena *arena, const struct command *command); /* "events list" */
/* "there is no command 'evnts'; did you mean 'events'?" */
struct str command_unknown(struct arena *arena, struct str noun, struct str verb);

#endif
