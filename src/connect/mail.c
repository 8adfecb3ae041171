/* connect/mail.c - see mail.h. */
#include "connect/mail.h"

#include "base/address.h"
#include "base/json.h"
#include "connect/mime.h"
#include "connect/reader.h"
#include "connect/value.h"

#define HELO_MAX  253
#define SHOWN_MAX 60

static const struct mail_key {
    const char *word;
    bool shared;
} parts[MAIL_PARTS] = {
#define MAIL_PART_ROW(name, word, shared) {word, shared},
    MAIL_PART_LIST(MAIL_PART_ROW)
#undef MAIL_PART_ROW
};

/* ---- reading ---- */

static void read_way(struct document_reader *reader, const struct tree *tree, enum mail_part part,
                     struct mail_form *form) {
    size_t at = form->counts[part];
    if (tree->kind != TREE_SCALAR || at == MAIL_WAYS_MAX) {
        reader_complain(reader, tree, tree->mark, CODE_CONNECT_SHAPE, "'%s' takes one text, or up to %d of them",
                        parts[part].word, MAIL_WAYS_MAX);
        return;
    }
    text_read(reader, tree, parts[part].shared ? SCOPE_SHARED : SCOPE_SEND, &form->ways[part][at]);
    if (part == MAIL_HEADERS && !form->ways[part][at].whole)
        reader_complain(reader, tree, tree->mark, CODE_CONNECT_VALUE, "'headers' takes one reference to an object");
    form->counts[part]++;
}

struct mail_form *mail_read(struct document_reader *reader, const struct tree *map) {
    struct key_rule keys[MAIL_PARTS];
    struct mail_form *form = arena_new(reader->arena, struct mail_form);
    for (enum mail_part part = 0; part < MAIL_PARTS; part++)
        keys[part] = (struct key_rule){parts[part].word, KEY_TEXT | KEY_LIST,
                                       part == MAIL_FROM || part == MAIL_TO || part == MAIL_SUBJECT};
    if (!reader_keys(reader, map, keys, MAIL_PARTS, STR("'mail'"))) return form;
    for (enum mail_part part = 0; part < MAIL_PARTS; part++) {
        const struct tree *value = reader_get(map, parts[part].word, KEY_TEXT | KEY_LIST);
        if (value && value->kind == TREE_SCALAR) read_way(reader, value, part, form);
        for (size_t i = 0; value && value->kind == TREE_LIST && i < value->count; i++)
            read_way(reader, value->items[i], part, form);
    }
    return form;
}

/* ---- filling ---- */

static enum err part_fill(struct fill *fill, const struct mail_form *form, enum mail_part part, struct str *ret_text) {
    bool missing = true;
    *ret_text = STR("");
    for (size_t i = 0; i < form->counts[part] && (missing || !ret_text->n); i++)
        TRY(text_fill(fill, &form->ways[part][i], ret_text, &missing));
    return ERR_NONE;
}

static enum err party_fill(struct fill *fill, const struct mail_form *form, enum mail_part part,
                           struct party *ret_party) {
    struct str text;
    TRY(part_fill(fill, form, part, &text));
    if (!text.n && part == MAIL_REPLY_TO) return ERR_NONE;
    if (!text.n) return fill_fail(fill, "the mail has no '%s'", parts[part].word);
    if (party_parse(text, ret_party)) return ERR_NONE;
    struct arena *arena = fill->context->arena;
    struct str shown = str_shown(arena, text, SHOWN_MAX), problem = party_problem(arena, text);
    return fill_fail(fill,
                     "'%s' must be one e-mail address, or a name with one as in Ada <ada@example.com>, not '%.*s': "
                     "%.*s",
                     parts[part].word, STR_ARG(shown), STR_ARG(problem));
}

static enum err headers_fill(struct fill *fill, const struct mail_form *form, struct mail *mail) {
    const struct text *text = &form->ways[MAIL_HEADERS][0];
    struct value value = {.kind = VALUE_NONE};
    struct str name;
    void *cursor = NULL;
    if (form->counts[MAIL_HEADERS]) TRY(value_of(fill, text->parts[0].ref, &value));
    if (value.kind == VALUE_NONE) return ERR_NONE;
    if (value.kind != VALUE_JSON || json_type(value.json) != JSON_OBJECT)
        return fill_fail(fill, "'headers' must be an object");
    for (const struct json *item; (item = json_next(value.json, &cursor, &name));) {
        if (json_type(item) == JSON_NULL) continue;
        if (json_type(item) != JSON_STRING || mail->header_count == MIME_HEADERS_MAX)
            return fill_fail(fill, "'headers' must be up to %d texts by name", MIME_HEADERS_MAX);
        mail->headers[mail->header_count++] =
            (struct header){str_dup(fill->context->arena, name), str_dup(fill->context->arena, json_text(item))};
    }
    return ERR_NONE;
}

static enum err envelope_fill(struct fill *fill, const struct mail_form *form, struct envelope *envelope) {
    struct str starttls;
    TRY(part_fill(fill, form, MAIL_USER, &envelope->user));
    TRY(part_fill(fill, form, MAIL_PASSWORD, &envelope->password));
    TRY(part_fill(fill, form, MAIL_HELO, &envelope->helo));
    TRY(part_fill(fill, form, MAIL_STARTTLS, &starttls));
    envelope->plain = str_eq(starttls, STR("off"));
    return ERR_NONE;
}

static enum err content_fill(struct fill *fill, const struct mail_form *form, struct mail *mail) {
    TRY(party_fill(fill, form, MAIL_FROM, &mail->from));
    TRY(party_fill(fill, form, MAIL_TO, &mail->to));
    TRY(party_fill(fill, form, MAIL_REPLY_TO, &mail->reply_to));
    TRY(part_fill(fill, form, MAIL_SUBJECT, &mail->subject));
    TRY(part_fill(fill, form, MAIL_TEXT, &mail->text));
    TRY(part_fill(fill, form, MAIL_HTML, &mail->html));
    TRY(part_fill(fill, form, MAIL_UNSUBSCRIBE, &mail->unsubscribe));
    TRY(headers_fill(fill, form, mail));
    const char *problem = mail_problem(mail);
    return problem ? fill_fail(fill, "%s", problem) : ERR_NONE;
}

enum err mail_fill(struct fill *fill, const struct mail_form *form, struct outgoing *outgoing) {
    struct arena *arena = fill->context->arena;
    struct mail mail = {.date_us = fill->delivery->first_due_us, .id = uuid_str(arena, fill->key)};
    if (!mail.date_us) mail.date_us = fill->context->now_us;
    TRY(content_fill(fill, form, &mail));
    TRY(envelope_fill(fill, form, &outgoing->envelope));
    outgoing->scheme = OUTGOING_SMTP;
    outgoing->method = STR("MAIL");
    outgoing->envelope.from = mail.from.address;
    outgoing->envelope.to = mail.to.address;
    outgoing->body = mail_write(&mail, arena);
    return ERR_NONE;
}

/* ---- a destination's settings ---- */

static bool helo_valid(struct str name) {
    for (size_t i = 0; i < name.n; i++) {
        char c = name.p[i];
        bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
        if (!plain && c != '.' && c != '-') return false;
    }
    return name.n <= HELO_MAX;
}

/* The sender where a destination names one; what deliveries say is looked at when they are made. */
static const char *sender_problem(struct fill *fill, const struct mail_form *form) {
    struct party party;
    for (size_t i = 0; i < form->counts[MAIL_FROM]; i++) {
        const struct text *way = &form->ways[MAIL_FROM][i];
        struct str text;
        bool missing, own = way->whole && way->parts[0].ref->kind == REF_FIELD;
        if (!own || text_fill(fill, way, &text, &missing) || missing) continue;
        if (!party_parse(text, &party))
            return "the sender must be an e-mail address, or a name with one as in Ada <ada@example.com>";
    }
    return NULL;
}

/* The destination's field that a part is made of. */
static struct str field_of(const struct mail_form *form, enum mail_part part) {
    return form->counts[part] ? text_field(&form->ways[part][form->counts[part] - 1]) : STR_NONE;
}

const char *mail_settings_problem(const struct call_context *context, const struct connector *connector,
                                  const struct mail_form *form, struct str url, struct str *ret_field) {
    struct fill fill = {.context = context, .connector = connector};
    struct envelope envelope = {0};
    struct str starttls, host;
    bool is_private = false;
    const char *reason = NULL;
    *ret_field = STR_NONE;
    if (envelope_fill(&fill, form, &envelope) || part_fill(&fill, form, MAIL_STARTTLS, &starttls)) return NULL;
    if (!mail_url_check(url, &host, &is_private, &reason)) return reason;
    bool secure = str_eq_nocase(str_sub(url, 0, 8), STR("smtps://"));
    *ret_field = field_of(form, envelope.user.n ? MAIL_USER : MAIL_PASSWORD);
    if (!envelope.user.n != !envelope.password.n) return "a user and a password belong together";
    *ret_field = field_of(form, MAIL_HELO);
    if (!helo_valid(envelope.helo)) return "the name for EHLO has letters, digits, '-' and '.' only";
    *ret_field = field_of(form, MAIL_STARTTLS);
    if (starttls.n && !envelope.plain && !str_eq(starttls, STR("required"))) return "starttls is required, or off";
    if (envelope.plain && secure) return "smtps:// is TLS from the first byte, so starttls cannot be off";
    if (envelope.plain && (context->destination->proxy.n || !host_is_loopback(host)))
        return "starttls can be off for a server on this machine only: localhost, 127.0.0.1 or [::1]";
    *ret_field = field_of(form, MAIL_FROM);
    return sender_problem(&fill, form);
}
