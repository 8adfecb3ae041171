/* cli/provider_pages.c - a page for each destination and each sender, made from its file or its row; see
 * connectors.h. */
#include "base/arena.h"
#include "base/when.h"
#include "cli/connectors.h"
#include "model/scheme.h"
#include "model/settings.h"

#include <ctype.h>

/* A text in a cell of a table. */
static struct str cell(struct arena *arena, struct str text) {
    struct buf buf = {.arena = arena};
    for (size_t i = 0; i < text.n; i++) {
        if (text.p[i] == '|') buf_byte(&buf, '\\');
        buf_byte(&buf, text.p[i] == '\n' ? ' ' : text.p[i]);
    }
    return buf_str(&buf);
}

/* ---- a destination ---- */

/* The secret of a setting: SLACK_BOT_TOKEN for slack-bot's token. */
static void add_secret_name(struct buf *buf, struct str owner, struct str part) {
    for (size_t i = 0; i < owner.n; i++)
        buf_byte(buf, owner.p[i] == '-' ? '_' : (char)toupper((unsigned char)owner.p[i]));
    buf_byte(buf, '_');
    for (size_t i = 0; i < part.n; i++) buf_byte(buf, (char)toupper((unsigned char)part.p[i]));
}

static void add_sample_setting(struct buf *buf, const struct catalog_entry *entry, const struct catalog_name *field) {
    buf_fmt(buf, "    %.*s: ", STR_ARG(field->name));
    if (!field->secret) {
        buf_add(buf, STR("…\n"));
        return;
    }
    buf_add(buf, STR("${"));
    add_secret_name(buf, entry->name, field->name);
    buf_add(buf, STR("}\n"));
}

static void add_sample(struct buf *buf, const struct catalog_entry *entry) {
    const struct catalog_action *action = &entry->actions[0];
    buf_fmt(buf, "```yaml\ndestinations:\n  %.*s:\n", STR_ARG(entry->name));
    for (size_t i = 0; i < entry->field_count; i++)
        if (entry->fields[i].required) add_sample_setting(buf, entry, &entry->fields[i]);
    buf_fmt(buf, "routes:\n  example:\n    from: \"*\"\n    to:\n      - %.*s.%.*s:\n", STR_ARG(entry->name),
            STR_ARG(action->name));
    for (size_t i = 0; i < action->param_count; i++)
        if (connector_is_sampled(action, &action->params[i]))
            buf_fmt(buf, "          %.*s: \"${.%.*s}\"\n", STR_ARG(action->params[i].name),
                    STR_ARG(action->params[i].name));
    buf_add(buf, STR("```\n"));
}

static void add_names(struct buf *buf, const char *title, const struct catalog_name *names, size_t count, bool params) {
    if (!count) return;
    buf_fmt(buf, "\n| %s | | |\n| --- | --- | --- |\n", title);
    for (size_t i = 0; i < count; i++) {
        const struct catalog_name *name = &names[i];
        struct str fallback = cell(buf->arena, name->fallback), help = cell(buf->arena, name->help);
        const char *type = params ? param_type_word(name->type) : name->secret ? "secret" : "text";
        buf_fmt(buf, "| `%.*s` | %s%s", STR_ARG(name->name), type, name->required ? ", required" : "");
        if (fallback.n) buf_fmt(buf, ", default `%.*s`", STR_ARG(fallback));
        for (size_t j = 0; j < name->needs.count; j++)
            buf_fmt(buf, "%s `%.*s`", j ? " and" : ", only with", STR_ARG(name->needs.items[j]));
        buf_fmt(buf, " | %.*s |\n", STR_ARG(help));
    }
}

static void add_limits(struct buf *buf, const struct catalog_entry *entry) {
    struct buf limits = {.arena = buf->arena};
    for (size_t i = 0; i < entry->limit_count + entry->meter_limit_count; i++) {
        bool metered = i >= entry->limit_count;
        struct str text = metered
                              ? limit_rule_text(buf->arena, &entry->meter_limits[i - entry->limit_count], entry->meter)
                              : limit_rule_text(buf->arena, &entry->limits[i], STR(""));
        buf_fmt(&limits, "%s`%.*s`", i ? ", " : "", STR_ARG(text));
    }
    if (limits.n) buf_fmt(buf, "Its limits are %.*s unless `limit` says otherwise.\n", STR_ARG(buf_str(&limits)));
    if (entry->concurrency) buf_fmt(buf, "It bears %d calls at a time.\n", entry->concurrency);
    if (!limits.n && !entry->concurrency) buf_add(buf, STR("It documents no limit that could be kept from here.\n"));
}

/* What it needs beside its settings: a key for the token that is kept, and a person's login. */
static void add_token(struct buf *buf, const struct catalog_entry *entry) {
    if (!entry->keeps_token && !entry->logs_in) return;
    buf_add(buf, STR("\n## Before it sends\n"));
    if (entry->keeps_token)
        buf_add(buf, STR("Its token is renewed, and kept in the store, sealed with the secret `DRUMBEAT_TOKEN_KEY`: 32 "
                         "bytes in base64, as\n`openssl rand -base64 32` makes them. It lies where other secrets do "
                         "and must stay the same ([connectors](../connectors.md)).\n"));
    if (entry->logs_in)
        buf_fmt(buf,
                "While the server runs, `drumbeat destinations login %.*s` asks a person to allow it, once. Until then "
                "nothing is sent,\nand `drumbeat todo` says so.\n",
                STR_ARG(entry->name));
}

static void add_docs(struct buf *buf, const struct catalog_entry *entry) {
    const struct tree *docs = entry->docs;
    size_t count = docs && docs->kind == TREE_LIST ? docs->count : docs ? 1 : 0;
    buf_fmt(buf, "\n## Facts\nCompared with the provider's own pages on %.*s:\n", STR_ARG(entry->checked));
    for (size_t i = 0; i < count; i++) {
        struct str page = docs->kind == TREE_LIST ? docs->items[i]->text : docs->text;
        buf_fmt(buf, "- <%.*s>\n", STR_ARG(page));
    }
}

static void add_action(struct buf *buf, const struct catalog_entry *entry, const struct catalog_action *action) {
    struct str unknown = connector_unknown_words(buf->arena, action), batch = connector_batch_words(buf->arena, action);
    buf_fmt(buf, "\n## %.*s.%.*s\n%.*s\n", STR_ARG(entry->name), STR_ARG(action->name), STR_ARG(action->help));
    add_names(buf, "parameter", action->params, action->param_count, true);
    for (size_t i = 0; i < action->any_of_count; i++) {
        const struct str_list *names = &action->any_of[i];
        for (size_t j = 0; j < names->count; j++)
            buf_fmt(buf, "%s`%.*s`", j ? ", " : "\nOne at least of ", STR_ARG(names->items[j]));
        buf_add(buf, STR(" is needed.\n"));
    }
    buf_fmt(buf, "\nWhere nobody knows whether it had its effect, it is %.*s.\n", STR_ARG(unknown));
    if (action->overwrites)
        buf_add(
            buf,
            STR("The last one wins: an older delivery that is tried again may overwrite newer data. `order_by` in the "
                "route,\nwith what names the thing (as `order_by: .email`), sends those of one thing strictly one "
                "after the other.\n"));
    if (batch.n) buf_fmt(buf, "In one call (`batch: {max, wait}`): %.*s.\n", STR_ARG(batch));
}

struct str connector_page(struct arena *arena, const struct catalog_entry *entry) {
    struct buf buf = {.arena = arena};
    buf_fmt(&buf, "# %.*s\n%.*s\n\nMade from `connectors/%.*s.yaml` by `tools/pages.py`.\n\n", STR_ARG(entry->name),
            STR_ARG(entry->about), STR_ARG(entry->name));
    add_sample(&buf, entry);
    add_limits(&buf, entry);
    add_names(&buf, "setting", entry->fields, entry->field_count, false);
    add_token(&buf, entry);
    for (size_t i = 0; i < entry->action_count; i++) add_action(&buf, entry, &entry->actions[i]);
    add_docs(&buf, entry);
    return buf_str(&buf);
}

/* ---- a sender ---- */

static struct str places(struct arena *arena, const char *text, const char *none) {
    struct str rest = str_from(text ? text : ""), place;
    struct buf buf = {.arena = arena};
    while (rest.n && str_next(&rest, '+', &place)) buf_fmt(&buf, "%s`%.*s`", buf.n ? ", " : "", STR_ARG(place));
    return buf.n ? buf_str(&buf) : str_from(none);
}

static void add_row(struct buf *buf, const char *what, struct str says) {
    buf_fmt(buf, "| %s | %.*s |\n", what, STR_ARG(says));
}

static struct str proof_words(struct arena *arena, const struct scheme *scheme) {
    static const char *const words[] = {[PROOF_BASIC] =
                                            "user and password, written `user:password`, in `Authorization`",
                                        [PROOF_BEARER] = "a token in `Authorization: Bearer`",
                                        [PROOF_PATH] = "the secret is the last part of the path"};
    if (scheme->proof == PROOF_CERTIFICATE)
        return str_fmt(arena,
                       "a signature in %.*s over the lines of `%s`, with the certificate at %.*s, over https from "
                       "`%s` alone, in a file .pem",
                       STR_ARG(places(arena, scheme->signature, "")), scheme->message,
                       STR_ARG(places(arena, scheme->certificate, "")), scheme->hosts);
    if (scheme->proof != PROOF_SIGNATURE) return str_from(words[scheme->proof]);
    return str_fmt(arena, "a signature in %.*s over `%s`", STR_ARG(places(arena, scheme->signature, "")),
                   scheme->message);
}

static void add_facts(struct buf *buf, const struct scheme *scheme) {
    struct arena *arena = buf->arena;
    buf_add(buf, STR("\n| | |\n| --- | --- |\n"));
    add_row(buf, "proof", proof_words(arena, scheme));
    add_row(buf, "time that is signed",
            places(arena, scheme->time, "none: a request that was recorded can be sent again, and is a duplicate"));
    add_row(buf, "idempotency key", places(arena, scheme->key, "the digest of what was sent, or what `map` names"));
    add_row(buf, "event type", places(arena, scheme->type, "`event`, or what `map` names"));
    if (scheme->items)
        add_row(buf, "several events in one body",
                *scheme->items ? str_fmt(arena, "the items of `%s`", scheme->items)
                               : STR("the body is a list of them"));
    if (scheme->greeting == GREETING_SLACK) add_row(buf, "greeting", STR("`url_verification` is answered"));
    if (scheme->greeting == GREETING_SNS)
        add_row(buf, "greeting",
                STR("`SubscribeURL` of a `SubscriptionConfirmation` is called once; it becomes an event, as does "
                    "`UnsubscribeConfirmation`"));
    if (scheme->greeting == GREETING_META)
        add_row(buf, "greeting", STR("GET with `hub.challenge`; wants `verify_token`"));
    add_row(buf, "facts from", str_from(scheme->source));
}

struct str sender_page(struct arena *arena, const struct scheme *scheme) {
    struct buf buf = {.arena = arena};
    struct str name = str_from(scheme->name);
    buf_fmt(&buf, "# %s\nWebhooks of %s.\n\nMade from its row in `src/model/schemes.def` by `tools/pages.py`.\n\n",
            scheme->name, scheme->whose);
    buf_fmt(&buf, "```yaml\nsources:\n  %.*s:\n    ", STR_ARG(name));
    if (scheme->proof == PROOF_CERTIFICATE) {
        buf_add(&buf, STR("topic: arn:aws:sns:eu-central-1:123456789012:bounces # whose messages are taken"));
    } else {
        buf_add(&buf, STR("secret: ${"));
        add_secret_name(&buf, name, STR("secret"));
        buf_fmt(&buf, "} # at least %d characters", scheme->secret_least);
    }
    buf_fmt(&buf, "\n```\nIts address is `/in/%.*s%s`.\n", STR_ARG(name), scheme->proof == PROOF_PATH ? "/SECRET" : "");
    add_facts(&buf, scheme);
    if (scheme->proof == PROOF_CERTIFICATE) { /* nobody but the sender signs with its key */
        buf_fmt(&buf,
                "\nNobody but %s can sign, so there are no samples: publish to the topic. More: "
                "[sources](../sources.md#amazon-sns).\n",
                scheme->whose);
        return buf_str(&buf);
    }
    if (scheme->secret == SECRET_PUBLIC)
        buf_fmt(&buf, "\nNobody but %s can sign, so there are no samples: it sends them from its own page.",
                scheme->whose);
    else
        buf_fmt(
            &buf,
            "\n`drumbeat sources test %s` shows what a request becomes, `drumbeat trigger %s` posts a signed one to "
            "the running server.",
            scheme->name, scheme->name);
    buf_add(&buf, STR(" More: [sources](../sources.md).\n"));
    return buf_str(&buf);
}
