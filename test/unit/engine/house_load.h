/* test/unit/engine/house_load.h - a house's configuration, and the secrets that it names. */
#ifndef ENGINE_HOUSE_LOAD_H
#define ENGINE_HOUSE_LOAD_H

#include "house_seams.h"

#define HOUSE_TOKEN_KEY "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=" /* the bytes from 0 to 31 */

static inline bool find_secret(void *self, struct str name, struct arena *arena, struct str *ret_value,
                               struct str *ret_note) {
    (void)self;
    *ret_value =
        str_eq(name, STR("DRUMBEAT_TOKEN_KEY")) ? STR(HOUSE_TOKEN_KEY) : str_fmt(arena, "secret-%.*s", STR_ARG(name));
    *ret_note = STR("");
    return true;
}

static inline void load(struct house *house, const char *config) {
    const struct secret_source secrets = {.lookup = find_secret, .self = NULL};
    struct findings findings = {.arena = &house->arena};
    const struct setup_input input = {.file = STR("test.yaml"),
                                      .text = str_from(config),
                                      .secrets = &secrets,
                                      .connector_text = str_from(house->connector)};
    struct str problem = STR_NONE;
    house->setup = setup_load(&input, &findings);
    if (!house->setup) fail_msg("%.*s", STR_ARG(findings_text(&house->arena, &findings)));
    house->jq = NULL;
    house->evaluator = (struct evaluator){0};
    if (!house->setup->program.n) return;
    OK(jq_open(house->setup->program, &house->jq, &house->arena, &problem));
    house->evaluator = (struct evaluator){run_calls, house->jq};
}

#endif
