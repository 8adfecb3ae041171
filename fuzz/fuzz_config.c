/* fuzz/fuzz_config.c - any bytes as drumbeat.yaml. Whatever is not right has a
 * finding with a place; what is right differs in nothing from itself, and no
 * secret comes out in a text. */
#include "config/config.h"
#include "model/catalog.h"

#include <assert.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
const char *__lsan_default_suppressions(void);

/* libfyaml 0.7.12 keeps 1 KiB of a quoted text that other text follows. That our own side gives everything back is seen
 * by the unit tests, which suppress nothing. */
const char *__lsan_default_suppressions(void) {
    return "leak:libfyaml.so";
}

#define CANARY "canary-5f2a"

static const struct catalog catalog = {
    .entries = (struct catalog_entry[]){{
        .name = {"hubspot", 7},
        .fields = (struct catalog_name[]){{.name = {"token", 5}, .required = true, .secret = true}},
        .field_count = 1,
        .actions = (struct catalog_action[]){{
            .name = {"contact", 7},
            .params = (struct catalog_name[]){{.name = {"email", 5}, .required = true}, {.name = {"name", 4}}},
            .param_count = 2,
        }},
        .action_count = 1,
    }},
    .count = 1,
};

static bool lookup(void *self, struct str name, struct arena *arena, struct str *ret_value, struct str *ret_note) {
    (void)self;
    *ret_value = str_fmt(arena, "https://%s.example/%.*s", CANARY, STR_ARG(name));
    *ret_note = STR("");
    return name.n < 20;
}

static bool shows_secret(struct str text) {
    return text.n && memmem(text.p, text.n, CANARY, strlen(CANARY));
}

static void check_findings(struct arena *arena, const struct findings *findings) {
    for (const struct finding *finding = findings->first; finding; finding = finding->next)
        assert(finding->mark.line > 0 && finding->mark.column > 0 && finding->text.n);
    assert(!shows_secret(findings_text(arena, findings)));
}

static void check_settings(struct arena *arena, const struct settings *settings) {
    assert(settings->store.n && settings->zone.n && settings->server.listen_host.n);
    for (size_t i = 0; i < settings->destination_count; i++) assert(settings->destinations[i].type.n);
    for (size_t i = 0; i < settings->route_count; i++) {
        const struct route_settings *route = &settings->routes[i];
        assert(route->from_count && route->step_count);
        for (size_t j = 0; j < route->step_count; j++)
            assert(route->steps[j].destination < settings->destination_count);
    }
    assert(!config_diff(arena, settings, settings));
    struct settings *nothing = arena_new(arena, struct settings);
    for (struct change *change = config_diff(arena, nothing, settings); change; change = change->next)
        assert(!shows_secret(change->text));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct arena arena = ARENA_EMPTY;
    struct findings findings = {.arena = &arena};
    struct secret_source secrets = {.lookup = lookup, .self = NULL};
    struct str text = {(const char *)data, size};
    const struct tree *tree = shows_secret(text) ? NULL : config_parse(&arena, STR("x.yaml"), text, &findings);
    if (!tree) assert(shows_secret(text) || findings.errors);
    if (tree) {
        const struct settings *settings = config_check(&arena, tree, &catalog, &secrets, &findings);
        if (!findings.errors) check_settings(&arena, settings);
    }
    check_findings(&arena, &findings);
    arena_free(&arena);
    return 0;
}
