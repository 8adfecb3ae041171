/* cli/rehearse.h - the configuration made ready in this process, to show what
 * would be sent without a server. Secrets are known by name and put back as
 * ${NAME} wherever they would be printed. */
#ifndef CLI_REHEARSE_H
#define CLI_REHEARSE_H

#include "base/map.h"
#include "cli/command.h"
#include "server/setup.h"

struct json;

struct rehearsal {
    struct cli *cli;
    struct setup *setup;
    struct jq *jq; /* NULL = no jq in the configuration */
    struct hasher *hasher;
    struct secret_source real;
    struct map secrets; /* name -> its value, a struct str */
};

/* An exit code; what is wrong was said. */
MUST_USE int rehearsal_open(struct cli *cli, struct rehearsal *rehearsal);
void rehearsal_close(struct rehearsal *rehearsal);
struct evaluator rehearsal_evaluator(struct rehearsal *rehearsal);
/* Says that no destination has this name, and which is near; an exit code. */
int rehearsal_no_destination(const struct rehearsal *rehearsal, struct str name);

/* The text with every secret in it as ${NAME}. */
struct str rehearsal_redact(const struct rehearsal *rehearsal, struct str text);
/* {"method":...,"url":...,"headers":{...},"body":"..."}, redacted; the caller's to free or to hand on. */
struct json *rehearsal_request(const struct rehearsal *rehearsal, const struct outgoing *outgoing);
/* The same for people. */
void rehearsal_show(struct cli *cli, const struct json *request);

#endif
