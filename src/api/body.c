#include "api/body.h"

#include "api/serve.h"
#include "base/jq.h"
#include "base/json.h"

#define JQ_MOST 2048

static bool refuse(struct call *call, struct str name, struct str detail) {
    struct buf pointer = {.arena = call->arena};
    json_point_add(&pointer, name);
    (void)serve_problem(call, ERR_BAD_FIELD, detail, buf_str(&pointer).p);
    return false;
}

static bool read_text(struct call *call, const struct json *value, const struct body_member *member) {
    if (json_type(value) != JSON_STRING)
        return refuse(call, str_from(member->name), str_fmt(call->arena, "'%s' must be a text", member->name));
    *(struct str *)member->into = str_dup(call->arena, json_text(value));
    return true;
}

static bool read_flag(struct call *call, const struct json *value, const struct body_member *member) {
    if (json_type(value) != JSON_TRUE && json_type(value) != JSON_FALSE)
        return refuse(call, str_from(member->name), str_fmt(call->arena, "'%s' must be true or false", member->name));
    *(bool *)member->into = json_true(value);
    return true;
}

static bool read_ids(struct call *call, const struct json *value, const struct body_member *member) {
    struct body_ids *ids = member->into;
    if (json_type(value) != JSON_ARRAY || json_size(value) == 0 || json_size(value) > BULK_MAX)
        return refuse(call, str_from(member->name),
                      str_fmt(call->arena, "'%s' must be a list of 1 to %d ids", member->name, BULK_MAX));
    for (size_t i = 0; i < json_size(value); i++) {
        if (uuid_parse(json_text(json_at(value, i)), &ids->ids[i])) continue;
        (void)serve_problem(call, ERR_BAD_FIELD, str_fmt(call->arena, "each of '%s' must be a whole id", member->name),
                            str_fmt(call->arena, "/%s/%zu", member->name, i).p);
        return false;
    }
    ids->count = json_size(value);
    return true;
}

static bool (*const readers[])(struct call *, const struct json *, const struct body_member *) = {
    [BODY_TEXT] = read_text,
    [BODY_FLAG] = read_flag,
    [BODY_IDS] = read_ids,
};

static bool refuse_unknown(struct call *call, struct str name, const struct body_member *members, size_t count) {
    struct buf detail = {.arena = call->arena};
    buf_fmt(&detail, "unknown field '%.*s'; ", STR_ARG(name));
    for (size_t i = 0; i < count; i++) buf_fmt(&detail, "%s'%s'", i ? ", " : "this takes ", members[i].name);
    if (!count) buf_add(&detail, STR("this takes none"));
    return refuse(call, name, buf_str(&detail));
}

static bool read_members(struct call *call, const struct json *body, const struct body_member *members, size_t count) {
    void *cursor = NULL;
    struct str name;
    for (const struct json *value; (value = json_next(body, &cursor, &name)) != NULL;) {
        size_t at = 0;
        while (at < count && !str_eq(name, str_from(members[at].name))) at++;
        if (at == count) return refuse_unknown(call, name, members, count);
        if (!readers[members[at].type](call, value, &members[at])) return false;
    }
    return true;
}

bool body_read(struct call *call, const struct body_member *members, size_t count) {
    struct str text = str_trim(call->request->body);
    struct json *body;
    struct json_error error;
    if (!text.n) return true;
    if (json_parse(text, JSON_DEPTH_MAX, &body, &error)) {
        (void)serve_problem(call, ERR_BAD_JSON,
                            str_fmt(call->arena, "line %zu, column %zu: %s", error.line, error.column, error.text), "");
        return false;
    }
    bool object = json_type(body) == JSON_OBJECT;
    if (!object) (void)serve_problem(call, ERR_BAD_FIELD, STR("the body must be a JSON object"), "");
    bool good = object && read_members(call, body, members, count);
    json_free(body);
    return good;
}

bool body_empty(struct call *call) {
    return body_read(call, NULL, 0);
}

/* It is compiled in a process of its own first: one that breaks libjq
 * breaks nothing here. Only what was refused there is compiled here too, for better words. */
bool body_jq(struct call *call, const char *name, struct str expression) {
    struct jq_source source = {.arena = call->arena};
    struct evaluator evaluator;
    struct str problem = STR_NONE;
    if (!expression.n) return true;
    if (expression.n > JQ_MOST) { /* it is compiled while others wait */
        (void)serve_problem(call, ERR_BAD_FIELD, str_fmt(call->arena, "'%s' is longer than %d bytes", name, JQ_MOST),
                            str_fmt(call->arena, "/%s", name).p);
        return false;
    }
    const char *lexical = jq_condition_problem(call->arena, expression);
    enum err err = ERR_JQ_COMPILE;
    if (lexical) {
        problem = str_from(lexical);
    } else {
        (void)jq_add(&source, expression);
        err = call->evaluators->open(call->evaluators->self, jq_program(&source, call->arena), call->arena, &evaluator,
                                     &problem);
        if (err == ERR_JQ_COMPILE) (void)!jq_check(call->arena, expression, &problem);
    }
    if (err == ERR_JQ_COMPILE)
        (void)serve_problem(call, ERR_BAD_FIELD, str_fmt(call->arena, "'%s': %.*s", name, STR_ARG(problem)),
                            str_fmt(call->arena, "/%s", name).p);
    else if (err)
        (void)serve_problem(call, ERR_NOT_NOW, problem, NULL);
    else
        call->evaluators->close(call->evaluators->self, evaluator);
    return !err;
}
