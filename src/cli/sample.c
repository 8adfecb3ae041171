/* cli/sample.c - see sample.h. */
#include "cli/sample.h"

#include <string.h>

#include "base/assets.h"
#include "base/hash.h"
#include "base/json.h"
#include "cli/sources.h"
#include "config/keys.h"
#include "ingest/submission.h"
#include "os/file.h"

#define DATA_MAX_BYTES ((size_t)64 << 20) /* the server's own limits are lower */

/* Puts a text, or what is JSON, at a.b.c; what stands in the way is replaced. */
static int set_field(struct cli *cli, struct json *root, struct str assignment) {
    size_t equals = str_find(assignment, '=');
    struct str rest = str_sub(assignment, 0, equals), step, text;
    struct json *value;
    if (equals == SIZE_MAX || !rest.n)
        return cli_fail(cli, EXIT_USAGE, "error: --set takes a path and a value, as in customer.email=ada@example.com");
    text = str_sub(assignment, equals + 1, assignment.n);
    if (json_parse(text, JSON_DEPTH_MAX, &value, NULL)) {
        value = json_str(text);
    } else {
        struct json *copy = json_copy(value);
        json_free(value);
        value = copy;
    }
    while (str_next(&rest, '.', &step) && rest.n) {
        struct json *child = (struct json *)(uintptr_t)json_get(root, step);
        if (json_type(child) != JSON_OBJECT) {
            child = json_object();
            json_set(root, step, child);
        }
        root = child;
    }
    json_set(root, step, value);
    return EXIT_DONE;
}

/* assets/samples/TYPE.json: what bodies of that sender usually have, without what tells two of them apart. STR_NONE for
 * the senders that have none. */
static struct str usual_body(struct cli *cli, struct str type) {
    struct str path = str_fmt(cli->arena, "samples/%.*s.json", STR_ARG(type));
    for (size_t i = 0; i < builtin_asset_count; i++)
        if (str_eq(path, str_from(builtin_assets[i].path)))
            return (struct str){(const char *)builtin_assets[i].start,
                                (size_t)(builtin_assets[i].end - builtin_assets[i].start)};
    return STR_NONE;
}

static int read_fields(struct cli *cli, struct str type, struct json **ret_fields) {
    struct str data = cli_value(cli, "data"), problem;
    struct json_error error;
    struct json *parsed, *fields = json_object();
    if (!data.p) data = usual_body(cli, type);
    if (str_starts(data, STR("@")) && file_read(str_sub(data, 1, data.n), DATA_MAX_BYTES, cli->arena, &data, &problem))
        return cli_fail(cli, EXIT_USAGE, "error: --data: %.*s", STR_ARG(problem));
    if (data.p) {
        if (json_parse(data, JSON_DEPTH_MAX, &parsed, &error))
            return cli_fail(cli, EXIT_USAGE, "error E0101: --data is not valid JSON: line %zu, column %zu: %s",
                            error.line, error.column, error.text);
        json_free(fields);
        fields = json_copy(parsed);
        json_free(parsed);
    }
    if (json_type(fields) != JSON_OBJECT) return cli_fail(cli, EXIT_USAGE, "error: --data must be a JSON object");
    for (size_t i = 0; i < cli->given_count; i++) {
        if (strcmp(cli->given[i].option->name, "set") != 0) continue;
        int code = set_field(cli, fields, cli->given[i].value);
        if (code) return code;
    }
    *ret_fields = fields;
    return EXIT_DONE;
}

int sample_source(struct cli *cli, const struct settings *settings, struct str name,
                  const struct source_settings **ret_source) {
    struct suggestion near = {.wrong = name};
    for (size_t i = 0; i < settings->source_count; i++) {
        *ret_source = &settings->sources[i];
        if (str_eq(settings->sources[i].name, name)) return EXIT_DONE;
        suggestion_consider(&near, settings->sources[i].name);
    }
    return cli_fail(cli, EXIT_NOT_FOUND, "error: there is no source '%.*s'%.*s", STR_ARG(name),
                    STR_ARG(suggestion_text(cli->arena, &near)));
}

int sample_named(struct rehearsal *rehearsal, const struct source_settings **ret_source, struct str *ret_what) {
    struct str named = cli_argument(rehearsal->cli, 0);
    size_t dot = str_find(named, '.');
    *ret_what = dot == SIZE_MAX ? STR("") : str_sub(named, dot + 1, named.n);
    return sample_source(rehearsal->cli, rehearsal->setup->settings, str_sub(named, 0, dot), ret_source);
}

int sample_make(struct rehearsal *rehearsal, struct request *ret_request, const struct source_settings **ret_source) {
    struct cli *cli = rehearsal->cli;
    const struct settings *settings = rehearsal->setup->settings;
    struct str problem = STR("");
    uint8_t noise[9];
    struct sample_wish wish = {.wall_us = cli_wall_us()};
    hash_random(noise, sizeof noise);
    wish.id = str_fmt(cli->arena, "sample-%.*s", STR_ARG(hex_encode(cli->arena, noise, sizeof noise)));
    int code = sample_named(rehearsal, ret_source, &wish.what);
    if (!code && !source_is_posted(*ret_source))
        return cli_fail(cli, EXIT_USAGE,
                        "error: nobody posts to a %.*s: it makes its events itself; `drumbeat sources test` shows one",
                        STR_ARG((*ret_source)->type));
    if (!code) code = read_fields(cli, (*ret_source)->type, &wish.fields);
    if (code) return code;
    sample_hint(rehearsal, *ret_source, usual_body(cli, (*ret_source)->type));
    bool made = true;
    if ((*ret_source)->kind == SOURCE_FORM)
        submission_sample(*ret_source, &wish, cli->arena, ret_request);
    else
        made = webhook_sample(*ret_source, &settings->server, &wish, cli->arena, ret_request, &problem);
    json_free(wish.fields);
    return made ? EXIT_DONE : cli_fail(cli, EXIT_FAILED, "error: no sample can be made: %.*s", STR_ARG(problem));
}
