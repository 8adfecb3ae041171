/* cli/status.h - the state of the server, for `status` and for `drumbeat` alone. */
#ifndef CLI_STATUS_H
#define CLI_STATUS_H

#include "cli/ask.h"

void status_show(struct cli *cli, const struct json *status);
/* The running server's answer; false, without a word, when there is none. */
bool status_of_running(struct cli *cli, struct asked *ret_asked);

#endif
