/* cli/rehearse.c - see rehearse.h.
 *
 * A secret is known by its value, so it is found wherever a template put it. A value of fewer than SECRET_MIN
 * characters is like the digits and words of which any text is made: it is replaced only where it is the whole text,
 * because elsewhere it would hide what a person wants to see and keep nothing secret. */
#include "cli/rehearse.h"

#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "base/json.h"
#include "cli/locate.h"
#include "config/keys.h"
#include "config/secret.h"
#include "os/file.h"

#define SECRET_MIN 4
#define SPELLINGS  3 /* as it is, in a URL, in JSON */

/* ---- secrets ---- */

/* Looks up as the server does, and notes what it found. */
static bool lookup(void *self, struct str name, struct arena *arena, struct str *ret_value, struct str *ret_note) {
    struct rehearsal *rehearsal = self;
    struct str value;
    if (!rehearsal->real.lookup(rehearsal->real.self, name, arena, &value, ret_note)) return false;
    struct arena *kept = rehearsal->cli->arena;
    struct str copy = str_dup(kept, value);
    map_set(&rehearsal->secrets, str_dup(kept, name), arena_copy(kept, &copy, sizeof copy));
    *ret_value = value;
    return true;
}

static struct str percent_encoded(struct arena *arena, struct str text) {
    static const char plain[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~";
    struct buf buf = {.arena = arena};
    for (size_t i = 0; i < text.n; i++)
        if (text.p[i] && strchr(plain, text.p[i]))
            buf_byte(&buf, text.p[i]);
        else
            buf_fmt(&buf, "%%%02X", (unsigned)(uint8_t)text.p[i]);
    return buf_str(&buf);
}

static struct str json_escaped(struct arena *arena, struct str text) {
    struct buf buf = {.arena = arena};
    json_quote(&buf, text);
    struct str quoted = buf_str(&buf);
    return str_sub(quoted, 1, quoted.n - 2);
}

/* A text to look for, and what is written in its place. */
struct known_text {
    struct str text, name;
};

static int compare_known(const void *a, const void *b) {
    const struct known_text *one = a, *other = b;
    return one->text.n != other->text.n ? (one->text.n > other->text.n ? -1 : 1) : str_cmp(one->name, other->name);
}

/* The spellings to look for in the text, the longest first. */
static size_t list_known(const struct rehearsal *rehearsal, struct str text, struct known_text *ret_known) {
    struct arena *arena = rehearsal->cli->arena;
    size_t count = 0;
    for (size_t i = 0; i < rehearsal->secrets.count; i++) {
        struct str value = *(struct str *)rehearsal->secrets.slots[i].value;
        struct str name = str_fmt(arena, "${%.*s}", STR_ARG(rehearsal->secrets.slots[i].key));
        if (!value.n || (value.n < SECRET_MIN && !str_eq(value, text))) continue;
        ret_known[count++] = (struct known_text){value, name};
        ret_known[count++] = (struct known_text){percent_encoded(arena, value), name};
        ret_known[count++] = (struct known_text){json_escaped(arena, value), name};
    }
    if (count) qsort(ret_known, count, sizeof *ret_known, compare_known);
    return count;
}

/* Hides each secret as it is, and as it stands in URLs, in JSON, and in Basic credentials that begin with it. One
 * secret may begin with another: the longest that stands at a place is the one that is hidden there, so that the rest
 * of it is not shown behind the name of the other. What was put in is not looked at again. */
struct str rehearsal_redact(const struct rehearsal *rehearsal, struct str text) {
    struct arena *arena = rehearsal->cli->arena;
    struct known_text *known = arena_array(arena, struct known_text, SPELLINGS * rehearsal->secrets.count);
    size_t count = list_known(rehearsal, text, known), kept = 0, at = 0;
    struct buf buf = {.arena = arena};
    while (at < text.n) {
        size_t i = 0;
        while (i < count && !str_starts(str_sub(text, at, text.n - at), known[i].text)) i++;
        if (i == count) {
            at++;
            continue;
        }
        buf_add(&buf, str_sub(text, kept, at - kept));
        buf_add(&buf, known[i].name);
        kept = at += known[i].text.n;
    }
    if (!kept) return text;
    buf_add(&buf, str_sub(text, kept, text.n - kept));
    return buf_str(&buf);
}

/* What a header of credentials still shows after that is a secret in another form. */
static struct str redact_header(const struct rehearsal *rehearsal, const struct header *header) {
    static const char *const names[] = {"authorization", "proxy-authorization", "cookie", "x-api-key", "api-key"};
    struct str value = rehearsal_redact(rehearsal, header->value);
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        if (!str_eq_nocase(header->name, str_from(names[i])) || (value.n && memmem(value.p, value.n, "${", 2)))
            continue;
        struct str scheme = str_sub(value, 0, str_find(value, ' '));
        return scheme.n < value.n ? str_fmt(rehearsal->cli->arena, "%.*s [redacted]", STR_ARG(scheme))
                                  : STR("[redacted]");
    }
    return value;
}

/* ---- opening ---- */

static int load(struct rehearsal *rehearsal) {
    struct cli *cli = rehearsal->cli;
    struct findings findings = {.arena = cli->arena};
    struct str file, text;
    int code = locate_config_text(cli, STR_NONE, &file, &text);
    if (code) return code;
    struct str folder = file_folder(file, cli->arena);
    rehearsal->real = secret_source_real(cli->arena, folder);
    const struct secret_source recorder = {.lookup = lookup, .self = rehearsal};
    const struct setup_input input = {.file = file,
                                      .text = text,
                                      .secrets = &recorder,
                                      .connectors_folder = str_fmt(cli->arena, "%.*s/connectors", STR_ARG(folder))};
    rehearsal->setup = setup_load(&input, &findings);
    if (rehearsal->setup) return EXIT_DONE;
    return cli_fail(cli, EXIT_CONFIG, "%.*s", STR_ARG(findings_text(cli->arena, &findings)));
}

static int start_jq(struct rehearsal *rehearsal) {
    struct cli *cli = rehearsal->cli;
    struct findings findings = {.arena = cli->arena};
    struct str problem;
    if (!rehearsal->setup->program.n) return EXIT_DONE;
    enum err err = jq_open(rehearsal->setup->program, &rehearsal->jq, cli->arena, &problem);
    if (!err) return EXIT_DONE;
    setup_blame(rehearsal->setup, &findings);
    if (findings.errors) problem = findings_text(cli->arena, &findings);
    return cli_fail(cli, EXIT_CONFIG, "%.*s", STR_ARG(problem));
}

int rehearsal_open(struct cli *cli, struct rehearsal *rehearsal) {
    *rehearsal = (struct rehearsal){.cli = cli, .secrets = {.arena = cli->arena}, .hasher = hasher_new()};
    int code = load(rehearsal);
    if (!code) code = start_jq(rehearsal);
    if (code) rehearsal_close(rehearsal);
    return code;
}

void rehearsal_close(struct rehearsal *rehearsal) {
    if (rehearsal->jq) jq_close(rehearsal->jq);
    setup_free(rehearsal->setup);
    hasher_free(rehearsal->hasher);
}

static void run_calls(void *self, struct jq_call *calls, size_t count, struct arena *arena) {
    struct rehearsal *rehearsal = self;
    for (size_t i = 0; i < count; i++) jq_run(rehearsal->jq, &calls[i], arena);
}

struct evaluator rehearsal_evaluator(struct rehearsal *rehearsal) {
    return (struct evaluator){run_calls, rehearsal};
}

/* ---- requests ---- */

/* Without the password, which no receiver sees either. */
static struct json *envelope_json(const struct rehearsal *rehearsal, const struct envelope *envelope) {
    struct json *json = json_object();
    json_set_str(json, "from", envelope->from);
    json_set_str(json, "to", envelope->to);
    if (envelope->user.n) json_set_str(json, "user", rehearsal_redact(rehearsal, envelope->user));
    return json;
}

int rehearsal_no_destination(const struct rehearsal *rehearsal, struct str name) {
    const struct settings *settings = rehearsal->setup->settings;
    struct suggestion near = {.wrong = name};
    for (size_t i = 0; i < settings->destination_count; i++) suggestion_consider(&near, settings->destinations[i].name);
    return cli_fail(rehearsal->cli, EXIT_NOT_FOUND, "error: no destination is named '%.*s'%.*s", STR_ARG(name),
                    STR_ARG(suggestion_text(rehearsal->cli->arena, &near)));
}

struct json *rehearsal_request(const struct rehearsal *rehearsal, const struct outgoing *outgoing) {
    struct json *request = json_object(), *headers = json_object();
    json_set_str(request, "method", outgoing->method);
    json_set_str(request, "url", rehearsal_redact(rehearsal, outgoing->url));
    for (size_t i = 0; i < outgoing->header_count; i++)
        json_set(headers, outgoing->headers[i].name, json_str(redact_header(rehearsal, &outgoing->headers[i])));
    json_set(request, STR("headers"), headers);
    if (outgoing->scheme == OUTGOING_SMTP)
        json_set(request, STR("envelope"), envelope_json(rehearsal, &outgoing->envelope));
    json_set_str(request, "body", rehearsal_redact(rehearsal, outgoing->body));
    return request;
}

static void put_safe(struct cli *cli, struct str text) {
    writer_safe(&cli->out, text);
    if (!str_ends(text, STR("\n"))) writer_add(&cli->out, STR("\n"));
}

void rehearsal_show(struct cli *cli, const struct json *request) {
    struct str name, body = json_text(json_get(request, STR("body")));
    void *cursor = NULL;
    const struct json *headers = json_get(request, STR("headers")), *value;
    const struct json *envelope = json_get(request, STR("envelope"));
    writer_fmt(&cli->out, "%.*s %.*s\n", STR_ARG(json_text(json_get(request, STR("method")))),
               STR_ARG(json_text(json_get(request, STR("url")))));
    if (envelope)
        writer_fmt(&cli->out, "from %.*s to %.*s\n", STR_ARG(json_text(json_get(envelope, STR("from")))),
                   STR_ARG(json_text(json_get(envelope, STR("to")))));
    while ((value = json_next(headers, &cursor, &name))) {
        writer_fmt(&cli->out, "%.*s: ", STR_ARG(name));
        put_safe(cli, json_text(value));
    }
    if (body.n) {
        writer_add(&cli->out, STR("\n"));
        put_safe(cli, body);
    }
}
