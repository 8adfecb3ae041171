/* server/setup.h - a configuration made ready to run: settings, connectors, routes
 * and the one jq program, in one arena that lives until the next one is in
 * force. Composition: knows config, connect, route, sandbox, and no rule.
 */
#ifndef SERVER_SETUP_H
#define SERVER_SETUP_H

#include "base/arena.h"
#include "base/jq.h"
#include "config/config.h"
#include "connect/connect.h"
#include "route/route.h"

struct in_force;
struct mappings;
struct schedules;
struct zone_list;

struct setup {
    struct arena arena; /* owns everything below */
    struct settings *settings;
    struct connectors *connectors;
    struct routes *routes;
    const struct schedules *schedules;
    struct mappings *mappings;
    struct jq_source source;
    struct str program;       /* the whole jq program; "" when there is no jq at all */
    struct str text;          /* the configuration as read */
    struct findings warnings; /* of what is valid; in `arena` */
};

struct setup_input {
    struct str file, text; /* drumbeat.yaml */
    const struct secret_source *secrets;
    struct str connectors_folder; /* a user's own, beside the file; "" = none */
    struct str connector_text;    /* one more connector document, as text; "" = none */
};
/* Everything but starting the engine. findings must have an arena of its own. NULL when there are errors. */
struct setup *setup_load(const struct setup_input *input, struct findings *findings);
/* Warns of what this machine lacks for it: folders of sources. A server does without, and says so in todo. */
void setup_look(const struct setup *setup, struct findings *findings);
/* The program did not compile: names the expressions at fault. */
void setup_blame(const struct setup *setup, struct findings *findings);
void setup_free(struct setup *setup);
/* What it comes to for the loop (engine/loop.h). */
struct in_force setup_in_force(const struct setup *setup, const struct evaluator *evaluator);
struct zone_list setup_zones(void); /* this machine's */
/* Only the connectors and their catalog, for `check --schema` and `connectors list`. */
const struct catalog *setup_catalog(struct arena *arena, struct str connectors_folder, struct findings *findings);

#endif
