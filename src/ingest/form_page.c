/* ingest/form_page.c - see form_page.h. */
#include "ingest/form_page.h"

#include "base/arena.h"

static const struct {
    const char *english, *german;
} texts[] = {
#define X(name, english, german) {english, german},
#include "ingest/form_texts.def"
#undef X
};

const char *form_says(int32_t language, enum form_text text) {
    return language == FORM_GERMAN ? texts[text].german : texts[text].english;
}

const struct str form_style = STR(
    "body{font:1rem/1.5 system-ui,sans-serif;margin:0;background:#f5f5f5;color:#1a1a1a}"
    "main{max-width:34rem;margin:0 auto;padding:1.5rem 1rem;background:#fff;min-height:100vh;box-sizing:border-box}"
    "h1{font-size:1.5rem;line-height:1.25}h2{font-size:1.1rem;margin:0}"
    ".field{margin:0 0 1.1rem}label{display:block;font-weight:600}"
    ".tick{display:flex;gap:.6rem;align-items:start}.tick label{font-weight:400}"
    "input,textarea,select,button{font:inherit;box-sizing:border-box}"
    "input:not([type=checkbox]),textarea,select{width:100%;padding:.6rem;border:1px solid #6b6b6b;border-radius:.3rem;"
    "background:#fff;color:inherit}input[type=checkbox]{width:1.4rem;height:1.4rem;flex:none}"
    "textarea{min-height:8rem}[aria-invalid=true]{border:2px solid #b00020;outline-color:#b00020}"
    "button{padding:.7rem 1.4rem;border:0;border-radius:.3rem;background:#12408a;color:#fff;font-weight:600;"
    "min-height:2.75rem}:focus-visible{outline:3px solid #12408a;outline-offset:2px}"
    ".wrong{color:#b00020;margin:.3rem 0 0}.wrong-all{border:2px solid #b00020;border-radius:.3rem;padding:1rem;"
    "margin:0 0 1.25rem}.wrong-all ul{margin:.5rem 0 0;padding-left:1.2rem}.wrong-all a{color:#b00020}"
    ".must{font-weight:400;color:#5a5a5a}.apart{position:absolute;left:-10000px;width:1px;height:1px;overflow:hidden}");

/* ---- pieces ---- */

static void add_escaped(struct buf *buf, struct str text) {
    for (size_t i = 0; i < text.n; i++) {
        char c = text.p[i];
        const char *escape = c == '&' ? "&amp;" : c == '<' ? "&lt;" : c == '>' ? "&gt;" : c == '"' ? "&quot;" : NULL;
        if (c == '\'') escape = "&#39;";
        if (escape)
            buf_add(buf, str_from(escape));
        else
            buf_byte(buf, c);
    }
}

static void add_attribute(struct buf *buf, const char *name, struct str value) {
    buf_fmt(buf, " %s=\"", name);
    add_escaped(buf, value);
    buf_byte(buf, '"');
}

static void add_hidden(struct buf *buf, const char *name, struct str value) {
    buf_fmt(buf, "<input type=\"hidden\" name=\"%s\"", name);
    add_attribute(buf, "value", value);
    buf_add(buf, STR(">\n"));
}

/* ---- fields ---- */

/* What pages know of a field by its name: how browsers fill it in, and what it is called. */
static const struct {
    const char *name, *autocomplete;
    enum form_text label;
} known[] = {
    {"email", "email", FORM_SAYS_LABEL_EMAIL},
    {"name", "name", FORM_SAYS_LABEL_NAME},
    {"first_name", "given-name", FORM_SAYS_LABEL_FIRST_NAME},
    {"firstname", "given-name", FORM_SAYS_LABEL_FIRST_NAME},
    {"last_name", "family-name", FORM_SAYS_LABEL_LAST_NAME},
    {"lastname", "family-name", FORM_SAYS_LABEL_LAST_NAME},
    {"phone", "tel", FORM_SAYS_LABEL_PHONE},
    {"tel", "tel", FORM_SAYS_LABEL_PHONE},
    {"company", "organization", FORM_SAYS_LABEL_COMPANY},
    {"organization", "organization", FORM_SAYS_LABEL_COMPANY},
    {"message", "off", FORM_SAYS_LABEL_MESSAGE},
    {"website", "url", FORM_SAYS_LABEL_WEBSITE},
    {"url", "url", FORM_SAYS_LABEL_WEBSITE},
    {"street", "street-address", FORM_SAYS_LABEL_STREET},
    {"postcode", "postal-code", FORM_SAYS_LABEL_POSTCODE},
    {"city", "address-level2", FORM_SAYS_LABEL_CITY},
    {"country", "country-name", FORM_SAYS_LABEL_COUNTRY},
};
#define KNOWN_COUNT (sizeof known / sizeof *known)

static size_t known_at(struct str name) {
    size_t at = 0;
    while (at < KNOWN_COUNT && !str_eq(name, str_from(known[at].name))) at++;
    return at;
}

/* What is written, the language's word, or the name made to look like one: "job_title" is "Job title". */
static struct str label_of(const struct source_settings *source, const struct form_field *field, struct arena *arena) {
    size_t at = known_at(field->name);
    if (field->label.n) return field->label;
    if (at < KNOWN_COUNT) return str_from(form_says(source->form.language, known[at].label));
    struct buf label = {.arena = arena};
    for (size_t i = 0; i < field->name.n; i++) {
        char c = field->name.p[i];
        bool first = !i && c >= 'a' && c <= 'z';
        buf_byte(&label, first ? (char)(c - 'a' + 'A') : c == '_' || c == '-' ? ' ' : c);
    }
    return buf_str(&label);
}

static const char *autocomplete_of(const struct form_field *field) {
    static const char *const kinds[] = {
        [FORM_EMAIL] = "email", [FORM_TEL] = "tel", [FORM_URL] = "url", [FORM_TICK] = NULL};
    size_t at = known_at(field->name);
    if (at < KNOWN_COUNT) return known[at].autocomplete;
    return kinds[field->kind] ? kinds[field->kind] : "on";
}

struct str form_problem_text(const struct source_settings *source, const struct entry *entry, struct arena *arena) {
    static const enum form_text words[] = {
        [ENTRY_MISSING] = FORM_SAYS_MISSING,     [ENTRY_LONG] = FORM_SAYS_LONG,
        [ENTRY_CONTROL] = FORM_SAYS_CONTROL,     [ENTRY_NO_EMAIL] = FORM_SAYS_NO_EMAIL,
        [ENTRY_NO_TEL] = FORM_SAYS_NO_TEL,       [ENTRY_NO_URL] = FORM_SAYS_NO_URL,
        [ENTRY_NO_NUMBER] = FORM_SAYS_NO_NUMBER, [ENTRY_NO_CHOICE] = FORM_SAYS_NO_CHOICE};
    bool tick = entry->field->kind == FORM_TICK && entry->problem == ENTRY_MISSING;
    struct str text = str_from(form_says(source->form.language, tick ? FORM_SAYS_MISSING_TICK : words[entry->problem]));
    struct str label = label_of(source, entry->field, arena);
    size_t at = str_find(text, '%'); /* each has one %s */
    return str_fmt(arena, "%.*s%.*s%.*s", STR_ARG(str_sub(text, 0, at)), STR_ARG(label),
                   STR_ARG(str_sub(text, at + 2, text.n)));
}

/* Attributes that every control has. */
static void add_name(struct buf *buf, const struct form_field *field, const struct entry *entry) {
    add_attribute(buf, "id", str_fmt(buf->arena, "f-%.*s", STR_ARG(field->name)));
    add_attribute(buf, "name", field->name);
    if (field->kind != FORM_TICK) add_attribute(buf, "autocomplete", str_from(autocomplete_of(field)));
    if (field->required) buf_add(buf, STR(" required"));
    if (!entry || !entry->problem) return;
    buf_add(buf, STR(" aria-invalid=\"true\""));
    add_attribute(buf, "aria-describedby", str_fmt(buf->arena, "f-%.*s-wrong", STR_ARG(field->name)));
}

static void add_choices(struct buf *buf, const struct source_settings *source, const struct form_field *field,
                        struct str value) {
    buf_fmt(buf, "<option value=\"\">%s</option>", form_says(source->form.language, FORM_SAYS_CHOOSE));
    for (size_t i = 0; i < field->choices.count; i++) {
        struct str choice = field->choices.items[i];
        buf_add(buf, STR("<option"));
        add_attribute(buf, "value", choice);
        buf_add(buf, str_eq(choice, value) ? STR(" selected>") : STR(">"));
        add_escaped(buf, choice);
        buf_add(buf, STR("</option>"));
    }
    buf_add(buf, STR("</select>\n"));
}

static void add_control(struct buf *buf, const struct source_settings *source, const struct form_field *field,
                        const struct entry *entry) {
    static const char *const types[] = {[FORM_TEXT] = "text", [FORM_EMAIL] = "email",   [FORM_TEL] = "tel",
                                        [FORM_URL] = "url",   [FORM_NUMBER] = "number", [FORM_TICK] = "checkbox"};
    struct str value = entry ? entry->value : STR("");
    bool area = field->kind == FORM_AREA, choice = field->kind == FORM_CHOICE, tick = field->kind == FORM_TICK;
    buf_add(buf, area ? STR("<textarea") : choice ? STR("<select") : STR("<input"));
    if (!area && !choice) buf_fmt(buf, " type=\"%s\"", types[field->kind]);
    add_name(buf, field, entry);
    if (field->kind == FORM_NUMBER) buf_add(buf, STR(" step=\"any\""));
    if (area) buf_add(buf, STR(">\n")); /* the first new line in it does not count */
    if (area) add_escaped(buf, value);
    if (area) buf_add(buf, STR("</textarea>\n"));
    if (choice) buf_byte(buf, '>');
    if (choice) add_choices(buf, source, field, value);
    if (area || choice) return;
    if (tick && value.n) buf_add(buf, STR(" checked"));
    add_attribute(buf, "value", tick ? STR("on") : value);
    buf_add(buf, STR(">\n"));
}

static void add_label(struct buf *buf, const struct source_settings *source, const struct form_field *field) {
    buf_add(buf, STR("<label"));
    add_attribute(buf, "for", str_fmt(buf->arena, "f-%.*s", STR_ARG(field->name)));
    buf_byte(buf, '>');
    add_escaped(buf, label_of(source, field, buf->arena));
    if (field->required)
        buf_fmt(buf, " <span class=\"must\">(%s)</span>", form_says(source->form.language, FORM_SAYS_REQUIRED));
    buf_add(buf, STR("</label>\n"));
}

static void add_field(struct buf *buf, const struct source_settings *source, const struct form_field *field,
                      const struct entry *entry) {
    bool tick = field->kind == FORM_TICK; /* its label stands behind it */
    buf_fmt(buf, "<div class=\"field\">%s\n", tick ? "<div class=\"tick\">" : "");
    if (!tick) add_label(buf, source, field);
    add_control(buf, source, field, entry);
    if (tick) add_label(buf, source, field);
    if (tick) buf_add(buf, STR("</div>"));
    if (entry && entry->problem) {
        buf_add(buf, STR("<p class=\"wrong\""));
        add_attribute(buf, "id", str_fmt(buf->arena, "f-%.*s-wrong", STR_ARG(field->name)));
        buf_byte(buf, '>');
        add_escaped(buf, form_problem_text(source, entry, buf->arena));
        buf_add(buf, STR("</p>\n"));
    }
    buf_add(buf, STR("</div>\n"));
}

/* ---- the form ---- */

/* Nobody sees or reaches it, and no browser fills it in; who fills in every field of a page does. */
static void add_trap(struct buf *buf, int32_t language, bool pasted) {
    buf_fmt(buf,
            "<div class=\"apart\" aria-hidden=\"true\"%s><label for=\"f-gotcha\">%s</label>\n"
            "<input id=\"f-gotcha\" type=\"text\" name=\"_gotcha\" tabindex=\"-1\" autocomplete=\"off\"></div>\n",
            pasted ? " style=\"position:absolute;left:-10000px;width:1px;height:1px;overflow:hidden\"" : "",
            form_says(language, FORM_SAYS_LEAVE_EMPTY));
}

static void add_form(struct buf *buf, const struct form_view *view) {
    const struct source_settings *source = view->source;
    const struct form_settings *form = &source->form;
    const struct submission *typed = view->typed;
    bool pasted = !view->request;
    buf_add(buf, STR("<form method=\"post\""));
    add_attribute(buf, "action", view->action);
    buf_fmt(buf, " id=\"form-%.*s\" accept-charset=\"utf-8\">\n", STR_ARG(source->name));
    for (size_t i = 0; i < (typed ? typed->entry_count : form->field_count); i++) {
        const struct form_field *field = typed ? typed->entries[i].field : &form->fields[i];
        if (str_starts(field->name, STR("utm_"))) continue; /* add_way */
        add_field(buf, source, field, typed ? &typed->entries[i] : NULL);
    }
    if (form->consent.n) {
        const struct form_field consent = {.name = STR("consent"), .label = form->consent, .kind = FORM_TICK};
        const struct entry given = {.value = STR("on")};
        add_field(buf, source, &consent, typed && typed->consents ? &given : NULL);
    }
    add_trap(buf, form->language, pasted);
    buf_add(buf, STR("<input type=\"hidden\" name=\"_token\" autocomplete=\"off\""));
    add_attribute(buf, "value", view->token); /* of this page: no browser puts an older one there */
    buf_add(buf, STR(">\n"));
}

/* Where the person came from, and the campaign that the page's own address names; what was typed keeps both. */
static void add_way(struct buf *buf, const struct form_view *view) {
    static const char *const names[] = {"utm_source", "utm_medium", "utm_campaign", "utm_term", "utm_content"};
    const struct submission *typed = view->typed;
    struct str referrer = typed ? typed->referrer : request_header(view->request, STR("Referer"));
    if (referrer.n && str_is_utf8(referrer)) add_hidden(buf, "_referrer", referrer);
    if (typed && typed->page.n) add_hidden(buf, "_page", typed->page);
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        struct str name = str_from(names[i]), value = typed ? form_value(&typed->form, name) : STR_NONE;
        if (!value.n) value = request_query(view->request, name, buf->arena);
        if (value.n && str_is_utf8(value)) add_hidden(buf, names[i], value);
    }
}

static void add_button(struct buf *buf, int32_t language) {
    buf_fmt(buf, "<button type=\"submit\">%s</button>\n</form>\n", form_says(language, FORM_SAYS_SEND));
}

/* ---- pages ---- */

static void begin_page(struct buf *buf, int32_t language, struct str title) {
    buf_fmt(buf,
            "<!doctype html>\n<html lang=\"%s\">\n<head>\n<meta charset=\"utf-8\">\n"
            "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
            "<meta name=\"robots\" content=\"noindex\">\n<title>",
            form_language_code(language));
    add_escaped(buf, title);
    buf_fmt(buf, "</title>\n<style>%.*s</style>\n</head>\n<body>\n<main>\n<h1>", STR_ARG(form_style));
    add_escaped(buf, title);
    buf_add(buf, STR("</h1>\n"));
}

/* All that is wrong, above the form, each a link to its field. */
static void add_problems(struct buf *buf, const struct submission *typed) {
    const struct source_settings *source = typed->source;
    buf_fmt(buf, "<div class=\"wrong-all\" role=\"alert\">\n<h2>%s</h2>\n<ul>\n",
            form_says(source->form.language, FORM_SAYS_MISTAKES));
    for (size_t i = 0; i < typed->entry_count; i++) {
        const struct entry *entry = &typed->entries[i];
        if (!entry->problem) continue;
        buf_add(buf, STR("<li><a"));
        add_attribute(buf, "href", str_fmt(buf->arena, "#f-%.*s", STR_ARG(entry->field->name)));
        buf_byte(buf, '>');
        add_escaped(buf, form_problem_text(source, entry, buf->arena));
        buf_add(buf, STR("</a></li>\n"));
    }
    buf_add(buf, STR("</ul>\n</div>\n"));
}

struct str form_page(const struct form_view *view, struct arena *arena) {
    struct buf buf = {.arena = arena};
    const struct form_settings *form = &view->source->form;
    begin_page(&buf, form->language, form->title.n ? form->title : view->source->name);
    if (view->typed) add_problems(&buf, view->typed);
    add_form(&buf, view);
    add_way(&buf, view);
    add_button(&buf, form->language);
    buf_add(&buf, STR("</main>\n</body>\n</html>\n"));
    return buf_str(&buf);
}

struct str form_paste(const struct form_view *view, struct arena *arena) {
    struct buf buf = {.arena = arena};
    add_form(&buf, view);
    buf_add(&buf, STR("<input type=\"hidden\" name=\"_page\"><input type=\"hidden\" name=\"_referrer\">"
                      "<input type=\"hidden\" name=\"_elapsed\">\n"));
    add_button(&buf, view->source->form.language);
    buf_fmt(&buf,
            "<script>\n"
            "/* The form works without this. It notes the page, and tells two visits apart. */\n"
            "(function (form, began) {\n"
            "  var field = form.elements;\n"
            "  if (window.crypto && crypto.randomUUID) field._token.value = crypto.randomUUID();\n"
            "  field._page.value = location.href;\n"
            "  field._referrer.value = document.referrer;\n"
            "  form.addEventListener('submit', function () { field._elapsed.value = Date.now() - began; });\n"
            "})(document.getElementById('form-%.*s'), Date.now());\n"
            "</script>\n",
            STR_ARG(view->source->name));
    return buf_str(&buf);
}

struct str form_note(int32_t language, enum form_text heading, enum form_text text, struct arena *arena) {
    struct buf buf = {.arena = arena};
    begin_page(&buf, language, str_from(form_says(language, heading)));
    buf_fmt(&buf, "<p>%s</p>\n</main>\n</body>\n</html>\n", form_says(language, text));
    return buf_str(&buf);
}
