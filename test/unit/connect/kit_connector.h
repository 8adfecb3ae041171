/* test/unit/connect/kit_connector.h - connectors from their files, for the
 * tests of this room. */
#ifndef KIT_CONNECTOR_H
#define KIT_CONNECTOR_H

#include "kit_answer.h"

#include "config/config.h"

#include <stdio.h>

#define KIT_FILE_MAX ((size_t)65536)

/* Adds a connector; the text must outlive the kit. */
static inline void kit_add(struct kit *kit, struct str file, struct str text) {
    const struct tree *document = config_parse(&kit->arena, file, text, &kit->findings);
    if (document) connectors_add(kit->connectors, document, &kit->findings);
}

static inline void kit_add_file(struct kit *kit, const char *path) {
    FILE *file = fopen(path, "r");
    assert_non_null(file);
    char *text = arena_alloc(&kit->arena, KIT_FILE_MAX);
    size_t length = fread(text, 1, KIT_FILE_MAX, file);
    assert_true(length > 0 && length < KIT_FILE_MAX);
    fclose(file);
    kit_add(kit, str_from(path), (struct str){text, length});
}

/* All jq that was added becomes the evaluator's program. */
static inline void kit_compile(struct kit *kit) {
    struct str problem = STR_NONE;
    if (jq_open(jq_program(&kit->source, &kit->arena), &kit->jq, &kit->arena, &problem))
        fail_msg("%.*s", STR_ARG(problem));
}

static inline void kit_set_field(struct kit *kit, const char *name, const char *value) {
    struct str *text = arena_new(&kit->arena, struct str);
    *text = str_from(value);
    map_set(&kit->destination.fields, str_from(name), text);
}

static inline void kit_no_findings(const struct kit *kit) {
    const struct finding *first = kit->findings.first;
    if (first)
        fail_msg("%.*s:%u:%u %s %.*s", STR_ARG(first->file), first->mark.line, first->mark.column, first->code,
                 STR_ARG(first->text));
}

static inline const struct action_traits *kit_traits(const struct kit *kit) {
    const struct action_traits *traits = destination_action(&kit->destination, kit->delivery.action);
    assert_non_null(traits);
    return traits;
}

/* The invented provider that uses every feature, bound to a destination. */
static inline struct kit *kit_everything(void) {
    struct kit *kit = kit_new();
    kit_add_file(kit, "test/unit/connect/everything.yaml");
    kit_no_findings(kit);
    kit_compile(kit);
    kit->destination.name = kit->destination.type = STR("everything");
    kit->destination.url = STR_NONE;
    kit_set_field(kit, "token", "s3cret");
    kit_set_field(kit, "sender", "ada");
    kit_bind(kit);
    kit_no_findings(kit);
    kit->delivery.action = STR("send");
    kit->delivery.params = STR("{\"to\":\"bob@example.com\",\"text\":\"hi\",\"channel\":\"news\"}");
    return kit;
}

#endif
