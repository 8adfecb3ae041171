#include "server/setup.h"

#include <stdlib.h>

#include "base/assets.h"
#include "base/hash.h"
#include "engine/loop.h"
#include "ingest/mapping.h"
#include "os/file.h"
#include "os/folder.h"
#include "schedule/schedules.h"

#define CONNECTOR_TEXT_MAX ((size_t)262144)
#define ZONES              "/usr/share/zoneinfo/"
#define ZONE_BYTES_MAX     ((size_t)65536)

/* Whether a destination is of this connector: by its type, or by its own name where it names no type. */
static bool is_used(const struct tree *config, struct str name) {
    const struct tree *destinations = tree_get(config, STR("destinations"));
    for (size_t i = 0; destinations && destinations->kind == TREE_MAP && i < destinations->count; i++) {
        struct str type = tree_text(destinations->items[i], STR("type"));
        if (str_eq(type.n ? type : destinations->names[i], name)) return true;
    }
    return false;
}

/* The program's jq is compiled at the start and at each reload, so that of connectors which no destination uses is kept
 * out of it. They are read all the same: the catalog names them. */
static void add_builtin(struct connectors *connectors, const struct tree *config, struct jq_source *source,
                        struct arena *arena, struct findings *findings) {
    struct jq_source *unused = arena_new(arena, struct jq_source);
    unused->arena = arena;
    for (size_t i = 0; i < builtin_connector_count; i++) {
        const struct builtin_connector *builtin = &builtin_connectors[i];
        struct str text = {builtin->start, (size_t)(builtin->end - builtin->start)};
        struct str file = str_fmt(arena, "connectors/%s.yaml", builtin->name);
        const struct tree *document = config_parse(arena, file, text, findings);
        connectors_collect(connectors, is_used(config, str_from(builtin->name)) ? source : unused);
        if (document) connectors_add(connectors, document, findings);
    }
    connectors_collect(connectors, source);
}

static void add_own(struct connectors *connectors, struct str folder, struct arena *arena, struct findings *findings) {
    struct str *names;
    size_t count = folder.n ? file_list(folder, STR(".yaml"), arena, &names) : 0;
    for (size_t i = 0; i < count; i++) {
        struct str path = str_fmt(arena, "%.*s/%.*s", STR_ARG(folder), STR_ARG(names[i])), text, problem;
        if (file_read(path, CONNECTOR_TEXT_MAX, arena, &text, &problem)) {
            finding_add(findings, path, (struct tree_mark){1, 1}, "E0201", "%.*s", STR_ARG(problem));
            continue;
        }
        const struct tree *document = config_parse(arena, path, text, findings);
        if (document) connectors_add(connectors, document, findings);
    }
}

static struct connectors *load_connectors(struct arena *arena, const struct tree *config, struct jq_source *source,
                                          struct str folder, struct findings *findings) {
    struct connectors *connectors = connectors_new(arena, source);
    add_builtin(connectors, config, source, arena, findings);
    add_own(connectors, folder, arena, findings);
    return connectors;
}

const struct catalog *setup_catalog(struct arena *arena, struct str connectors_folder, struct findings *findings) {
    struct jq_source *source = arena_new(arena, struct jq_source);
    source->arena = arena;
    return connectors_catalog(load_connectors(arena, NULL, source, connectors_folder, findings));
}

/* Deliveries are joined into batches where a route asks for it and the connector can do it. */
static void join_batches(struct settings *settings) {
    for (size_t i = 0; i < settings->route_count; i++)
        for (size_t j = 0; j < settings->routes[i].step_count; j++) {
            const struct route_step *step = &settings->routes[i].steps[j];
            struct destination_settings *destination = &settings->destinations[step->destination];
            for (size_t k = 0; k < destination->action_count; k++) {
                struct action_traits *action = &destination->actions[k];
                if (!str_eq(action->name, step->action)) continue;
                int32_t joined = step->batch_max < action->batch_max ? step->batch_max : action->batch_max;
                if (joined > action->batch_joined) action->batch_joined = joined;
            }
        }
}

/* Where the store is, or who may listen, makes no other world for what is to be sent. */
static struct str digest_of(const struct tree *tree, struct arena *arena) {
    static const char *const sections[] = {"destinations", "routes"};
    struct hasher *hasher = hasher_new();
    struct buf buf = {.arena = arena};
    uint8_t digest[SHA256_BYTES];
    for (size_t i = 0; i < sizeof sections / sizeof *sections; i++) {
        const struct tree *section = tree_get(tree, str_from(sections[i]));
        if (section) tree_json(&buf, section);
        buf_byte(&buf, '\n');
    }
    hash_sha256(hasher, buf_str(&buf), digest);
    hasher_free(hasher);
    return hex_encode(arena, digest, sizeof digest);
}

/* The name was checked: it leads to no other folder. */
static bool read_zone(void *self, struct str name, struct arena *arena, struct str *ret_bytes) {
    struct str problem;
    (void)self;
    return !file_read(str_fmt(arena, ZONES "%.*s", STR_ARG(name)), ZONE_BYTES_MAX, arena, ret_bytes, &problem);
}

struct zone_list setup_zones(void) {
    return (struct zone_list){read_zone, NULL};
}

static bool fill(struct setup *setup, const struct setup_input *input, struct findings *findings) {
    struct arena *arena = &setup->arena;
    struct str file = str_dup(arena, input->file);
    setup->text = str_dup(arena, input->text);
    setup->source.arena = arena;
    const struct tree *tree = config_parse(arena, file, setup->text, findings);
    setup->connectors = load_connectors(arena, tree, &setup->source, input->connectors_folder, findings);
    if (input->connector_text.n) {
        struct str text = str_dup(arena, input->connector_text);
        const struct tree *document = config_parse(arena, STR("connector"), text, findings);
        if (document) connectors_add(setup->connectors, document, findings);
    }
    if (!tree) return false;
    setup->settings = config_check(arena, tree, connectors_catalog(setup->connectors), input->secrets, findings);
    connectors_bind(setup->connectors, setup->settings, findings);
    const struct zone_list zones = setup_zones();
    setup->schedules = schedules_compile(setup->settings, file, &zones, findings, arena);
    setup->mappings = mappings_compile(setup->settings, &setup->source, findings, arena);
    if (findings->errors) { /* nothing will run, but every mistake is to be named, also those in jq */
        if (!routes_compile(setup->settings, &setup->source, findings, arena, &setup->routes))
            routes_blame(setup->routes, findings);
        mappings_blame(setup->mappings, findings);
        return false;
    }
    setup->settings->digest = digest_of(tree, arena);
    join_batches(setup->settings);
    if (routes_compile(setup->settings, &setup->source, findings, arena, &setup->routes)) return false;
    if (setup->source.count > 0) setup->program = jq_program(&setup->source, arena);
    return findings->errors == 0;
}

/* They outlive the caller's findings. */
static void keep_warnings(struct setup *setup, const struct findings *findings) {
    setup->warnings.arena = &setup->arena;
    for (const struct finding *at = findings->first; at; at = at->next)
        finding_add(&setup->warnings, at->file, at->mark, at->code, "%.*s", STR_ARG(at->text));
    setup->settings->warning_count = findings->warnings;
}

struct setup *setup_load(const struct setup_input *input, struct findings *findings) {
    struct setup *setup = calloc(1, sizeof *setup);
    if (!setup) abort();
    if (fill(setup, input, findings)) {
        keep_warnings(setup, findings);
        return setup;
    }
    setup_free(setup);
    return NULL;
}

void setup_look(const struct setup *setup, struct findings *findings) {
    const struct folder_seam seam = folder_seam_real();
    for (size_t i = 0; i < setup->settings->source_count; i++) {
        const struct source_settings *source = &setup->settings->sources[i];
        struct str *names, problem;
        size_t count;
        bool more;
        if (source->kind != SOURCE_FOLDER) continue;
        if (!seam.list(seam.self, source->folder.path, findings->arena, &names, &count, &more, &problem)) continue;
        bool files = str_find(source->folder.path, '*') != SIZE_MAX || str_ends(source->folder.path, STR(".md"));
        finding_add(findings, setup->settings->file, source->folder.path_mark, "W0328",
                    "'path' in source '%.*s': %.*s%s", STR_ARG(source->name), STR_ARG(problem),
                    files ? "; it takes the folder alone, whose files that end in .md are read" : "");
    }
}

void setup_blame(const struct setup *setup, struct findings *findings) {
    routes_blame(setup->routes, findings);
    mappings_blame(setup->mappings, findings);
    connectors_blame(setup->connectors, findings);
}

void setup_free(struct setup *setup) {
    if (!setup) return;
    struct arena arena = setup->arena;
    free(setup);
    arena_free(&arena);
}

struct in_force setup_in_force(const struct setup *setup, const struct evaluator *evaluator) {
    return (struct in_force){setup->settings, setup->routes, evaluator, setup->schedules, setup->mappings};
}
