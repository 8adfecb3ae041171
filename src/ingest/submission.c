/* ingest/submission.c - see submission.h. */
#include "ingest/submission.h"

#include "base/hash.h"
#include "base/json.h"
#include "ingest/form.h"

static enum err refused(enum err err, struct refusal *ret_refusal, struct str detail) {
    *ret_refusal = (struct refusal){err, detail, STR_NONE};
    return err;
}

static enum err read_payload(const struct intake_context *context, const struct request *request,
                             struct str *ret_payload, struct refusal *ret_refusal) {
    struct str value = request_header(request, STR("Content-Type")), problem;
    struct str media = str_trim(str_sub(value, 0, str_find(value, ';')));
    struct form form;
    if (str_eq_nocase(media, STR("application/json"))) {
        *ret_payload = request->body;
        return ERR_NONE;
    }
    if (!str_eq_nocase(media, STR("application/x-www-form-urlencoded")))
        return refused(ERR_BAD_MEDIA, ret_refusal, STR("send application/x-www-form-urlencoded or application/json"));
    if (!form_read(request->body, context->arena, &form, &problem))
        return refused(ERR_BAD_REQUEST, ret_refusal, problem);
    *ret_payload = form_json(&form, context->arena);
    return ERR_NONE;
}

static const char *sample_of(enum form_kind kind) {
    static const char *const texts[] = {[FORM_TEXT] = "sample",
                                        [FORM_EMAIL] = "ada@example.com",
                                        [FORM_TEL] = "+49 30 123456",
                                        [FORM_URL] = "https://example.com",
                                        [FORM_NUMBER] = "1",
                                        [FORM_AREA] = "sample",
                                        [FORM_TICK] = "on"};
    return texts[kind];
}

void submission_sample(const struct source_settings *source, const struct sample_wish *wish, struct arena *arena,
                       struct request *ret_request) {
    const struct form_settings *form = &source->form;
    for (size_t i = 0; i < form->field_count; i++) {
        const struct form_field *field = &form->fields[i];
        bool is_choice = field->kind == FORM_CHOICE;
        if (!field->required || json_get(wish->fields, field->name)) continue;
        struct str text = is_choice ? field->choices.items[0] : str_from(sample_of((enum form_kind)field->kind));
        json_set(wish->fields, field->name, json_str(text));
    }
    *ret_request = (struct request){.method = STR("POST"),
                                    .path = str_fmt(arena, "/f/%.*s", STR_ARG(source->name)),
                                    .headers = arena_new(arena, struct header),
                                    .header_count = 1,
                                    .body = json_dump(arena, wish->fields)};
    ret_request->headers[0] = (struct header){STR("Content-Type"), STR("application/json")};
}

enum err submission_take(const struct intake_context *context, const struct source_settings *source,
                         const struct request *request, struct intake_item *ret_item, struct refusal *ret_refusal) {
    struct intake_item item = {0};
    struct str payload;
    struct json *root;
    struct json_error error;
    uint8_t digest[SHA256_BYTES];
    TRY(read_payload(context, request, &payload, ret_refusal));
    if (json_parse(payload, JSON_DEPTH_MAX, &root, &error))
        return refused(ERR_BAD_JSON, ret_refusal, str_from(error.text));
    hash_sha256(context->hasher, payload, digest);
    item.event = (struct event){.type = source->form.event,
                                .source = source->name,
                                .key = str_fmt(context->arena, "%.*s:sha256:%.*s", STR_ARG(source->name),
                                               STR_ARG(hex_encode(context->arena, digest, sizeof digest))),
                                .payload = payload,
                                .scheduled_us = context->wall_us};
    item.valid = intake_finish(context, root, &item.event, ret_refusal);
    json_free(root);
    *ret_item = item;
    return item.valid ? ERR_NONE : ret_refusal->err;
}
