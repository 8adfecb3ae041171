/* cli/login.h - where a login's code comes from: a page that sends the browser back to this machine, or a person who
 * pastes what the browser was sent to. */
#ifndef CLI_LOGIN_H
#define CLI_LOGIN_H

#include "cli/command.h"

struct str login_random(struct arena *arena); /* 32 bytes as base64url: a verifier, a state */
/* Listens on 127.0.0.1; -1 where the port is not free, which was said. login_wait ends it. */
int login_listen(struct cli *cli, uint16_t port);
/* A code for this state; an exit code when there is none, and that was said. What is pasted may be the whole address or
 * the code alone: the verifier that the code was asked with makes one of somebody else's worthless. page: from
 * login_listen, or -1. */
MUST_USE int login_wait(struct cli *cli, int page, struct str state, struct str *ret_code);

#endif
