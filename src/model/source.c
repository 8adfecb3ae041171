/* model/source.c - see source.h. */
#include "model/source.h"

#include <stddef.h>

static const char *const types[SOURCE_KIND_COUNT] = {
    [SOURCE_FORM] = "form", [SOURCE_SCHEDULE] = "schedule", [SOURCE_FOLDER] = "folder"};

bool webhook_map_is_jq(struct str map) {
    return map.n && map.p[0] != '/';
}

const char *form_language_code(int32_t language) {
    return language == FORM_GERMAN ? "de" : "en";
}

const char *source_kind_type(enum source_kind kind) {
    return types[kind];
}
