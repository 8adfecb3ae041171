/* What the tests of this room share: a catalog with two connectors, secrets
 * that are all there but MISSING_*, and a text read to settings. */
#ifndef TEST_CONFIG_FIXTURE_H
#define TEST_CONFIG_FIXTURE_H

#include "config/config.h"
#include "model/catalog.h"

#include <string.h>

#define CANARY "canary-5f2a"

#define COUNT(array) (sizeof(array) / sizeof *(array))

static struct catalog_name fixture_hubspot_fields[] = {
    {.name = {"token", 5}, .required = true, .secret = true, .help = {"A private app's token.", 22}},
    {.name = {"region", 6}, .help = {"eu1 or na1.", 11}},
};
static struct catalog_name fixture_contact_params[] = {
    {.name = {"email", 5}, .type = PARAM_ADDRESS, .required = true, .help = {"Who.", 4}},
    {.name = {"firstname", 9}, .type = PARAM_TEXT},
    {.name = {"lead_source", 11}},
};
static struct str fixture_stage[] = {{"stage", 5}};
static struct str fixture_sizes[] = {{"amount", 6}, {"seats", 5}};
static struct str_list fixture_size = {fixture_sizes, COUNT(fixture_sizes)};
static struct catalog_name fixture_deal_params[] = {
    {.name = {"name", 4}, .required = true},
    {.name = {"pipeline", 8}, .needs = {fixture_stage, COUNT(fixture_stage)}},
    {.name = {"stage", 5}},
    {.name = {"amount", 6}},
    {.name = {"seats", 5}},
};
static struct catalog_action fixture_hubspot_actions[] = {
    {.name = {"contact", 7},
     .params = fixture_contact_params,
     .param_count = COUNT(fixture_contact_params),
     .traits = {.batch_max = 50}},
    {.name = {"deal", 4},
     .params = fixture_deal_params,
     .param_count = COUNT(fixture_deal_params),
     .any_of = &fixture_size,
     .any_of_count = 1},
};
static struct catalog_name fixture_slack_fields[] = {
    {.name = {"url", 3}, .required = true, .secret = true, .help = {"The webhook's URL.", 18}}};
static struct catalog_name fixture_message_params[] = {
    {.name = {"text", 4}, .required = true},
    {.name = {"body", 4}},
};
static struct catalog_action fixture_slack_actions[] = {
    {.name = {"message", 7},
     .params = fixture_message_params,
     .param_count = COUNT(fixture_message_params),
     .traits = {.batch_max = 100}},
};
static struct catalog_entry fixture_entries[] = {
    {.name = {"http", 4}},
    {.name = {"hubspot", 7},
     .fields = fixture_hubspot_fields,
     .field_count = COUNT(fixture_hubspot_fields),
     .actions = fixture_hubspot_actions,
     .action_count = COUNT(fixture_hubspot_actions)},
    {.name = {"slack", 5},
     .fields = fixture_slack_fields,
     .field_count = COUNT(fixture_slack_fields),
     .actions = fixture_slack_actions,
     .action_count = COUNT(fixture_slack_actions)},
};
static const struct catalog fixture_catalog = {fixture_entries, COUNT(fixture_entries)};

/* MISSING_X is nowhere, URL_X a URL, TEXT_X what follows, ENV_X comes with a note; each holds the canary. */
static inline bool fixture_lookup(void *self, struct str name, struct arena *arena, struct str *ret_value,
                                  struct str *ret_note) {
    size_t *asked = self;
    if (asked) ++*asked;
    *ret_note = STR("");
    if (str_starts(name, STR("MISSING_"))) {
        *ret_note = STR("looked in /run/secrets/ and the environment");
        return false;
    }
    if (str_starts(name, STR("ENV_"))) *ret_note = STR("from the environment");
    if (str_starts(name, STR("URL_")))
        *ret_value = STR("https://" CANARY ".example.com/hook");
    else if (str_starts(name, STR("PRIVATE_")))
        *ret_value = STR("http://127.0.0.1/" CANARY);
    else if (str_starts(name, STR("LINES_")))
        *ret_value = STR(CANARY "\r\nx: y");
    else
        *ret_value = str_fmt(arena, "%s-%.*s", CANARY, STR_ARG(name));
    return true;
}

/* The list of zones has all but those on the moon. */
static inline bool fixture_zone_known(void *self, struct str zone) {
    (void)self;
    return !str_starts(zone, STR("Moon/"));
}

/* Settings, or NULL when the text did not parse. */
static inline struct settings *fixture_read(struct arena *arena, struct str text, struct findings *findings) {
    struct secret_source secrets = {.lookup = fixture_lookup, .zone_known = fixture_zone_known};
    *findings = (struct findings){.arena = arena};
    struct tree *tree = config_parse(arena, STR("drumbeat.yaml"), text, findings);
    return tree ? config_check(arena, tree, &fixture_catalog, &secrets, findings) : NULL;
}

static inline bool fixture_holds(struct str text, const char *part) {
    return memmem(text.p ? text.p : "", text.n, part, strlen(part)) != NULL;
}

#endif
