/* What people fill in: how it is judged, what the event of it has, what is kept as spam, and the page that shows it. */
#include "kit.h"

#include "base/json.h"
#include "ingest/form_page.h"

#define URLENCODED "application/x-www-form-urlencoded"
#define V7         "01a221e0-0000-7000-8000-000000000000" /* made at V7_US */
#define V7_US      ((int64_t)0x01a221e00000 * US_PER_MS)
#define V4         "01a221e0-0000-4000-8000-000000000000"

static struct str choices[] = {{"small", 5}, {"large", 5}};
static struct form_field fields[] = {
    {.name = {"email", 5}, .kind = FORM_EMAIL, .required = true, .max = 2000},
    {.name = {"name", 4}, .label = {"Your <name>", 11}, .kind = FORM_TEXT, .max = 10},
    {.name = {"n", 1}, .kind = FORM_NUMBER, .max = 2000},
    {.name = {"plan", 4}, .kind = FORM_CHOICE, .choices = {choices, 2}, .max = 2000},
    {.name = {"ok", 2}, .kind = FORM_TICK, .max = 2000},
    {.name = {"tel", 3}, .kind = FORM_TEL, .max = 2000},
    {.name = {"site", 4}, .kind = FORM_URL, .max = 2000},
    {.name = {"text", 4}, .kind = FORM_AREA, .max = 2000},
};

struct filling {
    struct kit *kit;
    struct source_settings source;
    struct intake_context context;
    struct header headers[2];
    struct submission submission;
    struct refusal refusal;
};

static struct filling filling_of(struct kit *kit, bool declared) {
    struct filling filling = {.kit = kit};
    filling.source = (struct source_settings){.name = STR("contact"), .type = STR("form"), .kind = SOURCE_FORM};
    filling.source.form = (struct form_settings){.event = STR("LEAD"),
                                                 .title = STR(""),
                                                 .consent = STR(""),
                                                 .thanks = STR(""),
                                                 .language = FORM_ENGLISH,
                                                 .least_us = 2 * US_PER_S,
                                                 .window_us = 600 * US_PER_S};
    if (declared) filling.source.form.fields = fields, filling.source.form.field_count = COUNT_OF(fields);
    kit->wall_us = V7_US + US_PER_MIN;
    return filling;
}

static enum err read(struct filling *filling, const char *media, const char *body) {
    struct kit *kit = filling->kit;
    filling->context = kit_context(kit);
    filling->headers[0] = (struct header){STR("Content-Type"), str_from(media)};
    filling->headers[1] = (struct header){STR("Referer"), STR("https://example.com/a?utm_medium=mail&utm_source=b#c")};
    kit->request = (struct request){.method = STR("POST"),
                                    .path = STR("/f/contact"),
                                    .query = STR("utm_campaign=spring"),
                                    .headers = filling->headers,
                                    .header_count = 2,
                                    .body = str_from(body)};
    filling->refusal = (struct refusal){0};
    return submission_read(&filling->context, &filling->source, &kit->request, &filling->submission, &filling->refusal);
}

static struct event event_of(struct filling *filling, const char *body) {
    if (read(filling, URLENCODED, body)) fail_msg("refused: %.*s", STR_ARG(filling->refusal.detail));
    struct intake_item item = submission_event(&filling->context, &filling->kit->request, &filling->submission);
    if (!item.valid) fail_msg("no event: %.*s", STR_ARG(item.refusal.detail));
    return item.event;
}

/* ---- what fields take ---- */

static const struct {
    const char *body;
    size_t field;
    enum entry_problem problem;
} values[] = {
    {"email=ada@example.com", 0, ENTRY_FINE},
    {"email=+ada@example.com+", 0, ENTRY_FINE},
    {"email=a.b%2Bc@sub.example.co", 0, ENTRY_FINE},
    {"email=%C3%A4da@b%C3%BCcher.example", 0, ENTRY_FINE},
    {"email=a@xn--bcher-kva.example", 0, ENTRY_FINE},
    {"email=", 0, ENTRY_MISSING},
    {"email=+", 0, ENTRY_MISSING},
    {"name=Ada", 0, ENTRY_MISSING},
    {"email=ada", 0, ENTRY_NO_EMAIL},
    {"email=@example.com", 0, ENTRY_NO_EMAIL},
    {"email=ada@", 0, ENTRY_NO_EMAIL},
    {"email=ada@example", 0, ENTRY_NO_EMAIL},
    {"email=ada@example..com", 0, ENTRY_NO_EMAIL},
    {"email=ada@example.com.", 0, ENTRY_NO_EMAIL},
    {"email=ada@-example.com", 0, ENTRY_NO_EMAIL},
    {"email=ada@127.0.0.1", 0, ENTRY_NO_EMAIL},
    {"email=a..b@example.com", 0, ENTRY_NO_EMAIL},
    {"email=.a@example.com", 0, ENTRY_NO_EMAIL},
    {"email=a.@example.com", 0, ENTRY_NO_EMAIL},
    {"email=a@b@example.com", 0, ENTRY_NO_EMAIL},
    {"email=a@example.com,b@example.com", 0, ENTRY_NO_EMAIL},
    {"email=Ada+%3Cada@example.com%3E", 0, ENTRY_NO_EMAIL},
    {"email=a%0Ab@example.com", 0, ENTRY_NO_EMAIL},
    {"email=a%00b@example.com", 0, ENTRY_CONTROL},
    {"name=0123456789", 1, ENTRY_FINE},
    {"name=01234567890", 1, ENTRY_LONG},
    {"name=a%0Db", 1, ENTRY_FINE},
    {"name=a%1Bb", 1, ENTRY_CONTROL},
    {"name=a%7Fb", 1, ENTRY_CONTROL},
    {"n=-1.5e3", 2, ENTRY_FINE},
    {"n=1,5", 2, ENTRY_NO_NUMBER},
    {"n=0x1", 2, ENTRY_NO_NUMBER},
    {"n=NaN", 2, ENTRY_NO_NUMBER},
    {"plan=large", 3, ENTRY_FINE},
    {"plan=Large", 3, ENTRY_NO_CHOICE},
    {"tel=%2B49+(30)+123/45-6", 5, ENTRY_FINE},
    {"tel=call+me", 5, ENTRY_NO_TEL},
    {"tel=12", 5, ENTRY_NO_TEL},
    {"site=https://example.com/a?b", 6, ENTRY_FINE},
    {"site=example.com", 6, ENTRY_NO_URL},
    {"site=javascript:alert(1)", 6, ENTRY_NO_URL},
    {"text=a%0D%0Ab", 7, ENTRY_FINE},
};

static void test_what_each_kind_takes(void **state) {
    struct filling filling = filling_of(*state, true);
    for (size_t i = 0; i < COUNT_OF(values); i++) {
        assert_int_equal(read(&filling, URLENCODED, values[i].body), ERR_NONE);
        const struct entry *entry = &filling.submission.entries[values[i].field];
        if (entry->problem != values[i].problem)
            fail_msg("%s gives %d, not %d", values[i].body, (int)entry->problem, (int)values[i].problem);
    }
}

/* ---- the event ---- */

static void test_the_payload(void **state) {
    struct filling filling = filling_of(*state, true);
    struct event event = event_of(
        &filling,
        "email=ada%40example.com&name=&n=1.50&plan=large&ok=1&text=a%0D%0Ab&x=y"
        "&utm_source=letter&_referrer=https://search.example/&other=1&x=z&empty=&submit=Send&h-captcha-response=P1");
    assert_str(event.type, "LEAD");
    assert_str(event.source, "contact");
    assert_str(event.payload,
               "{\"email\":\"ada@example.com\",\"n\":1.50,\"plan\":\"large\",\"ok\":true,\"text\":\"a\\nb\","
               "\"utm\":{\"source\":\"letter\",\"medium\":\"mail\",\"campaign\":\"spring\"},"
               "\"form\":{\"page\":\"https://example.com/a?utm_medium=mail&utm_source=b#c\","
               "\"referrer\":\"https://search.example/\",\"language\":\"en\"}}");
    assert_int_equal(filling.submission.unknown_count, 2);
    assert_str(filling.submission.unknown[0], "x");
    assert_str(filling.submission.unknown[1], "other");
    assert_int_equal(filling.submission.problem_count, 0);
}

static void test_a_form_without_fields_keeps_what_comes(void **state) {
    struct filling filling = filling_of(*state, false);
    struct event event =
        event_of(&filling, "a=1&b=x&a=2&_own=3&form=4&utm=5&consent=6&_page=https://example.org/&email=a@b.example");
    assert_str(event.payload,
               "{\"a\":[\"1\",\"2\"],\"b\":\"x\",\"consent\":\"6\",\"email\":\"a@b.example\","
               "\"utm\":{\"campaign\":\"spring\"},\"form\":{\"page\":\"https://example.org/\",\"language\":\"en\"}}");
    assert_int_equal(read(&filling, URLENCODED, "email=a&b=1&b=%01"), ERR_NONE);
    assert_int_equal(filling.submission.problem_count, 2);
    filling.source.form.language = FORM_GERMAN;
    assert_true(str_ends(event_of(&filling, "a=1").payload, STR(",\"language\":\"de\"}}")));
}

static void test_consent_is_kept_with_its_words(void **state) {
    struct filling filling = filling_of(*state, true);
    filling.source.form.consent = STR("Send me \"news\".");
    struct str yes = event_of(&filling, "email=a@b.example&consent=on").payload;
    static const char *const evidence[] = {"\"given\":true", "\"text\":\"Send me \\\"news\\\".\"",
                                           "\"at\":\"2026-11-28T1", "\"page\":\"https://example.com/a?"};
    for (size_t i = 0; i < COUNT_OF(evidence); i++)
        if (!strstr(yes.p, evidence[i])) fail_msg("%s is not in %s", evidence[i], yes.p);
    static const char *const no[] = {"email=a@b.example", "email=a@b.example&consent=", "email=a@b.example&consent=no"};
    for (size_t i = 0; i < COUNT_OF(no); i++)
        assert_non_null(strstr(event_of(&filling, no[i]).payload.p, "\"given\":false"));
}

static void test_bodies_of_each_kind(void **state) {
    struct filling filling = filling_of(*state, true);
    const char *json = "{\"email\":\"a@b.example\",\"n\":1,\"ok\":true,\"name\":null,\"plan\":\"small\"}";
    assert_int_equal(read(&filling, "application/json; charset=utf-8", json), ERR_NONE);
    assert_int_equal(filling.submission.problem_count, 0);
    struct intake_item item = submission_event(&filling.context, &filling.kit->request, &filling.submission);
    assert_true(
        str_starts(item.event.payload, STR("{\"email\":\"a@b.example\",\"n\":1,\"plan\":\"small\",\"ok\":true")));
    static const struct {
        const char *media, *body, *pointer;
        enum err err;
    } wrong[] = {
        {"application/json", "{\"name\":{\"a/b\":1}}", "/name", ERR_BAD_FIELD},
        {"application/json", "{\"a/b\":[[1]]}", "/a~1b", ERR_BAD_FIELD},
        {"application/json", "[]", "", ERR_BAD_FIELD},
        {"application/json", "{", "", ERR_BAD_JSON},
        {"text/plain", "email=a", NULL, ERR_BAD_MEDIA},
        {"", "email=a", NULL, ERR_BAD_MEDIA},
        {URLENCODED, "email=%FF", NULL, ERR_BAD_REQUEST},
        {"multipart/form-data; boundary=b",
         "--b\r\nContent-Disposition: form-data; name=cv; filename=a\r\n\r\nx\r\n--b--", "/cv", ERR_BAD_MEDIA},
        {"multipart/form-data; boundary=b", "--c--", NULL, ERR_BAD_REQUEST},
    };
    for (size_t i = 0; i < COUNT_OF(wrong); i++) {
        if (read(&filling, wrong[i].media, wrong[i].body) != wrong[i].err) fail_msg("%s", wrong[i].body);
        if (wrong[i].pointer) assert_str(filling.refusal.pointer, wrong[i].pointer);
    }
}

static void test_a_list_of_types_holds_and_spam_is_none_of_it(void **state) {
    struct filling filling = filling_of(*state, true);
    struct str only = STR("OTHER");
    filling.kit->settings.types = &only;
    filling.kit->settings.type_count = 1;
    assert_int_equal(read(&filling, URLENCODED, "email=a@b.example"), ERR_NONE);
    struct intake_item item = submission_event(&filling.context, &filling.kit->request, &filling.submission);
    assert_int_equal(item.refusal.err, ERR_BAD_TYPE);
    assert_str(event_of(&filling, "_gotcha=x").type, "spam.contact");
}

/* ---- the same words twice ---- */

static bool same_key(struct filling *filling, const char *one, const char *other) {
    struct str key = event_of(filling, one).key;
    return str_eq(key, event_of(filling, other).key);
}

static void test_a_second_click_is_the_same_fact(void **state) {
    struct filling filling = filling_of(*state, true);
    assert_true(same_key(&filling, "email=a@b.example&_token=" V4, "_token=" V4 "&email=a@b.example"));
    assert_false(same_key(&filling, "email=a@b.example&_token=" V4, "email=a@b.example&_token=" V7));
    assert_false(same_key(&filling, "email=a@b.example&_token=" V4, "email=c@b.example&_token=" V4));
    assert_true(same_key(&filling, "email=a@b.example", "email=a@b.example&_token=nonsense"));
    assert_false(same_key(&filling, "email=a@b.example", "email=a@b.example&name=x"));
    struct str key = event_of(&filling, "email=a@b.example").key;
    filling.kit->wall_us += 600 * US_PER_S;
    assert_false(str_eq(key, event_of(&filling, "email=a@b.example").key));
    struct str before = submission_key(&filling.context, &filling.submission, 1);
    assert_true(str_eq(key, before));
    filling.source.form.window_us = 0;
    assert_false(same_key(&filling, "email=a@b.example", "email=a@b.example"));
}

/* ---- spam ---- */

static const struct {
    const char *body;
    int64_t after_us;
    bool is_spam;
} sendings[] = {
    {"email=a@b.example", 0, false},
    {"email=a@b.example&_gotcha=", 0, false},
    {"email=a@b.example&_gotcha=x", 0, true},
    {"email=a@b.example&_token=" V7, 1999 * US_PER_MS, true},
    {"email=a@b.example&_token=" V7, 2 * US_PER_S, false},
    {"email=a@b.example&_token=" V7, -US_PER_S, false}, /* a clock that was set back says nothing */
    {"email=a@b.example&_token=" V4, 0, false},
    {"email=a@b.example&_elapsed=1999", 0, true},
    {"email=a@b.example&_elapsed=2000", 0, false},
    {"email=a@b.example&_elapsed=-1", 0, false},
    {"email=a@b.example&_elapsed=fast", 0, false},
};

static void test_what_is_kept_as_spam_and_released(void **state) {
    struct filling filling = filling_of(*state, true);
    for (size_t i = 0; i < COUNT_OF(sendings); i++) {
        filling.kit->wall_us = V7_US + sendings[i].after_us;
        struct event event = event_of(&filling, sendings[i].body), released = {0};
        if ((filling.submission.spam != NULL) != sendings[i].is_spam) fail_msg("%s", sendings[i].body);
        assert_str(event.type, sendings[i].is_spam ? "spam.contact" : "LEAD");
        bool is = submission_release(&filling.context, &event, &released, &filling.refusal);
        assert_int_equal(is, sendings[i].is_spam);
        if (!is) continue;
        assert_str(released.type, "LEAD");
        assert_str(released.source, "contact");
        assert_true(str_starts(released.payload, STR("{\"email\":\"a@b.example\",")));
        assert_false(str_eq(released.key, event.key));
        assert_true(str_starts(released.key, STR("contact:")) && released.key.n == STR("contact:").n + 32);
    }
    const struct event false_one = {.type = STR("spam.contact"),
                                    .source = STR("contact"),
                                    .key = STR("contact:spam:1"),
                                    .payload = STR("{\"payload\":{}}")};
    struct event released;
    assert_false(submission_release(&filling.context, &false_one, &released, &filling.refusal));
    assert_int_equal(filling.refusal.err, ERR_NOT_NOW);
}

static void test_names_that_strangers_choose_are_short_where_they_are_told(void **state) {
    struct filling filling = filling_of(*state, true);
    char body[4000] = "email=a@b.example&x";
    for (int i = 0; i < 600; i++) strcat(body, "%C3%A4");
    strcat(body, "=1");
    assert_int_equal(read(&filling, URLENCODED, body), ERR_NONE);
    assert_int_equal(filling.submission.unknown[0].n, 99); /* x, and 49 of two bytes each */
    assert_true(str_is_utf8(filling.submission.unknown[0]));
    char parts[4000] = "--b\r\nContent-Disposition: form-data; filename=a; name=\"";
    for (int i = 0; i < 600; i++) strcat(parts, "cv-");
    strcat(parts, "\"\r\n\r\nx\r\n--b--");
    assert_int_equal(read(&filling, "multipart/form-data; boundary=b", parts), ERR_BAD_MEDIA);
    assert_int_equal(filling.refusal.pointer.n, 101);
    assert_true(filling.refusal.detail.n < 200);
}

static void test_spam_holds_nothing_that_a_store_refuses(void **state) {
    struct filling filling = filling_of(*state, true);
    struct event event = event_of(&filling, "email=a%00b&name=Ada&_gotcha=x");
    assert_null(strstr(event.payload.p, "\\u0000"));
    assert_non_null(strstr(event.payload.p, "\"payload\":{\"email\":\"a\xef\xbf\xbd"
                                            "b\",\"name\":\"Ada\""));
    event =
        event_of(&filling, "email=a@b.example&text=%0001234567890&name=01234567890%00&_gotcha=x"); /* too long too */
    assert_null(strstr(event.payload.p, "\\u0000"));
    filling = filling_of(*state, false);
    event = event_of(&filling, "a=1&a=%00&b=2&_gotcha=x");
    assert_null(strstr(event.payload.p, "\\u0000"));
    assert_non_null(strstr(event.payload.p, "\"payload\":{\"a\":[\"1\",\"\xef\xbf\xbd\"],\"b\":\"2\""));
}

/* Released it is what the page would have made of it: an event, or a refusal that names the field. */
static void test_spam_that_the_form_would_refuse_is_not_released(void **state) {
    static const struct {
        const char *body, *pointer, *detail; /* pointer NULL: it is released */
    } cases[] = {
        {"email=a@b.example&name=Ada&_gotcha=x", NULL, NULL},
        {"email=a@b.example&name=Ad%1Ba&_gotcha=x", "/name", "Your <name> holds characters that cannot be used."},
        {"email=a@b.example&name=01234567890&_gotcha=x", "/name", "Your <name> is too long."},
        {"email=ada&_gotcha=x", "/email", "E-mail address is no complete e-mail address"},
        {"name=Ada&tel=x&_gotcha=x", "/email", "E-mail address is missing."},
    };
    struct filling filling = filling_of(*state, true);
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct event event = event_of(&filling, cases[i].body), released;
        filling.refusal = (struct refusal){0};
        bool is = submission_release(&filling.context, &event, &released, &filling.refusal);
        assert_int_equal(is, !cases[i].pointer);
        if (is) continue;
        assert_int_equal(filling.refusal.err, ERR_NOT_FILLED);
        assert_str(filling.refusal.pointer, cases[i].pointer);
        assert_true(str_starts(filling.refusal.detail, str_from(cases[i].detail)));
    }
}

/* As a browser's <input> has it; a <textarea> keeps its lines, and of a form that declares nothing nobody knows. */
static void test_a_field_of_one_line_has_one_line(void **state) {
    struct filling filling = filling_of(*state, true);
    struct event event = event_of(&filling, "email=a@b.example&name=Ada%0D%0ABcc:&text=a%0Db%0D%0Ac%0A%0Ad");
    assert_non_null(strstr(event.payload.p, "\"name\":\"Ada Bcc:\""));
    assert_non_null(strstr(event.payload.p, "\"text\":\"a\\nb\\nc\\n\\nd\""));
    assert_int_equal(read(&filling, "application/json", "{\"email\":\"a@b.example\\nc@d.example\"}"), ERR_NONE);
    assert_int_equal(filling.submission.entries[0].problem, ENTRY_NO_EMAIL);
    filling = filling_of(*state, false);
    event = event_of(&filling, "words=a%0D%0Ab");
    assert_non_null(strstr(event.payload.p, "\"words\":\"a\\nb\""));
}

static void test_routes_take_spam_only_by_its_name(void **state) {
    (void)state;
    assert_false(event_type_fits(STR("*"), STR("spam.contact")));
    assert_false(event_type_fits(STR("s*"), STR("spam.contact")));
    assert_true(event_type_fits(STR("spam.*"), STR("spam.contact")));
    assert_true(event_type_fits(STR("spam.contact"), STR("spam.contact")));
    assert_true(event_type_fits(STR("*"), STR("contact.spam")));
}

/* ---- the page ---- */

static struct str page_of(struct filling *filling, const char *body) {
    if (body) assert_int_equal(read(filling, URLENCODED, body), ERR_NONE);
    const struct form_view view = {&filling->source, body ? &filling->submission : NULL, &filling->kit->request,
                                   STR("/f/contact"), body ? filling->submission.token : STR(V7)};
    return form_page(&view, &filling->kit->arena);
}

static void holds(struct str page, const char *const *parts, size_t count) {
    for (size_t i = 0; i < count; i++)
        if (!strstr(page.p, parts[i])) fail_msg("%s\nis not in\n%s", parts[i], page.p);
}

static void test_the_page_shows_what_was_typed(void **state) {
    struct filling filling = filling_of(*state, true);
    filling.source.form.consent = STR("News & <offers>");
    struct str page =
        page_of(&filling, "email=a%22%3E%3Cscript%3E&name=%3Cb%3E%26%27&plan=large&ok=on&consent=on&text=%0A1%0A2"
                          "&utm_source=%22x&_referrer=https://r.example/%22&_token=" V7);
    const char *const parts[] = {
        "<html lang=\"en\">",
        "<a href=\"#f-email\">E-mail address is no complete e-mail address",
        "type=\"email\" id=\"f-email\" name=\"email\" autocomplete=\"email\" required aria-invalid=\"true\" "
        "aria-describedby=\"f-email-wrong\" value=\"a&quot;&gt;&lt;script&gt;\"",
        "<p class=\"wrong\" id=\"f-email-wrong\">",
        "<label for=\"f-name\">Your &lt;name&gt;</label>",
        "value=\"&lt;b&gt;&amp;&#39;\"",
        "<option value=\"large\" selected>",
        "name=\"ok\" checked",
        "name=\"consent\" checked",
        "News &amp; &lt;offers&gt;",
        "autocomplete=\"on\">\n1\n2</textarea>",
        "name=\"utm_source\" value=\"&quot;x\"",
        "name=\"_referrer\" value=\"https://r.example/&quot;\"",
        "name=\"_token\" autocomplete=\"off\" value=\"" V7 "\"",
    };
    holds(page, parts, COUNT_OF(parts));
    assert_null(strstr(page.p, "<script"));
    assert_null(strstr(page.p, "<b>"));
}

static void test_no_person_is_asked_for_the_campaign(void **state) {
    struct filling filling = filling_of(*state, true);
    struct form_field campaign = {.name = STR("utm_campaign"), .kind = FORM_TEXT, .max = 200};
    filling.source.form.fields = &campaign;
    filling.source.form.field_count = 1;
    filling.kit->request = (struct request){.query = STR("utm_campaign=spring")};
    struct str page = page_of(&filling, NULL);
    assert_non_null(strstr(page.p, "<input type=\"hidden\" name=\"utm_campaign\" value=\"spring\">"));
    assert_null(strstr(page.p, "f-utm_campaign"));
}

static void test_the_page_speaks_the_forms_language(void **state) {
    struct filling filling = filling_of(*state, true);
    filling.source.form.language = FORM_GERMAN;
    const char *const parts[] = {"<html lang=\"de\">", "E-Mail-Adresse fehlt.", "Absenden", "Telefon", "Bitte wählen"};
    holds(page_of(&filling, "name=x"), parts, COUNT_OF(parts));
    for (enum form_text text = 0; text < FORM_TEXT_COUNT; text++) { /* each text is there, and has its %s alike */
        const char *english = form_says(FORM_ENGLISH, text), *german = form_says(FORM_GERMAN, text);
        assert_true(*english && *german);
        assert_int_equal(strstr(english, "%s") != NULL, strstr(german, "%s") != NULL);
    }
}

static void test_every_control_has_a_label(void **state) {
    struct filling filling = filling_of(*state, true);
    filling.source.form.consent = STR("News");
    struct str page = page_of(&filling, NULL);
    size_t controls = 0;
    for (const char *at = page.p; (at = strstr(at, " id=\"f-")); at++) {
        struct str id = str_from(at + 5), label;
        id = str_sub(id, 0, str_find(id, '"'));
        label = str_fmt(&filling.kit->arena, "<label for=\"%.*s\">", STR_ARG(id));
        if (!strstr(page.p, label.p)) fail_msg("%.*s has no label", STR_ARG(id));
        controls++;
    }
    assert_int_equal(controls, COUNT_OF(fields) + 2); /* consent, and what no person sees */
}

static void test_the_form_to_be_pasted(void **state) {
    struct filling filling = filling_of(*state, true);
    const struct form_view view = {.source = &filling.source, .action = STR("https://hooks.example.com/f/contact")};
    struct str form = form_paste(&view, &filling.kit->arena);
    assert_true(str_starts(form, STR("<form method=\"post\" action=\"https://hooks.example.com/f/contact\"")));
    const char *const parts[] = {"name=\"_gotcha\"", "position:absolute",
                                 "name=\"_token\" autocomplete=\"off\" value=\"\"", "</form>",
                                 "getElementById('form-contact')"};
    holds(form, parts, COUNT_OF(parts));
}

int main(void) {
    const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, kit_setup, kit_teardown)
        TEST(test_what_each_kind_takes),
        TEST(test_the_payload),
        TEST(test_a_form_without_fields_keeps_what_comes),
        TEST(test_consent_is_kept_with_its_words),
        TEST(test_bodies_of_each_kind),
        TEST(test_a_list_of_types_holds_and_spam_is_none_of_it),
        TEST(test_a_second_click_is_the_same_fact),
        TEST(test_what_is_kept_as_spam_and_released),
        TEST(test_names_that_strangers_choose_are_short_where_they_are_told),
        TEST(test_spam_holds_nothing_that_a_store_refuses),
        TEST(test_spam_that_the_form_would_refuse_is_not_released),
        TEST(test_a_field_of_one_line_has_one_line),
        TEST(test_routes_take_spam_only_by_its_name),
        TEST(test_the_page_shows_what_was_typed),
        TEST(test_no_person_is_asked_for_the_campaign),
        TEST(test_the_page_speaks_the_forms_language),
        TEST(test_every_control_has_a_label),
        TEST(test_the_form_to_be_pasted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
