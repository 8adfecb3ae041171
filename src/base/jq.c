/* base/jq.c - the engine; the one file that knows libjq. See jq.h.
 *
 * jv values have one rule: every call consumes its arguments but jv_copy.
 * Four things must be set on each jq_state before it compiles, or libjq may
 * crash or print: the error, debug and input callbacks and an empty
 * JQ_LIBRARY_PATH.
 */
#include "base/jq.h"

#include "base/arena.h"
#include "base/json.h"

#include <jq.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#define ARRAY_COUNT(array) (sizeof(array) / sizeof *(array))

struct jq {
    jq_state *state;
};

/* ---- libjq's words, made fit for people ---- */

/* The order matters: an earlier phrase may contain a later one. */
static const struct {
    const char *from, *to;
} phrases[] = {
    {"jq: error: ", ""},
    {"syntax error, ", ""},
    {" (Unix shell quoting issues?)", ""},
    {", expecting $end", ""},
    {", expecting end of file", ""},
    {", expecting QQSTRING_TEXT or QQSTRING_INTERP_START or QQSTRING_END", ""},
    {"$end", "end of the expression"},
    {"end of file", "end of the expression"},
    {"INVALID_CHARACTER", "character"},
    {"FORMAT or QQSTRING_START", "a name"},
    {"QQSTRING_START", "text"},
    {"IDENT", "name"},
    {"FIELD", "field"},
    {"LITERAL", "number"},
    {"FORMAT", "@format"},
    {"BINDING", "$name"},
};

static struct str text_replace(struct arena *arena, struct str text, struct str from, struct str to) {
    struct buf buf = {.arena = arena};
    for (size_t at = 0; at < text.n;) {
        if (str_starts(str_sub(text, at, from.n), from)) {
            buf_add(&buf, to);
            at += from.n;
        } else {
            buf_byte(&buf, text.p[at++]);
        }
    }
    return buf_str(&buf);
}

/* Cuts a message to at most JQ_MESSAGE_MAX bytes of whole characters. */
static struct str message_cut(struct arena *arena, struct str text) {
    if (text.n <= JQ_MESSAGE_MAX) return text;
    return str_fmt(arena, "%.*s...", STR_ARG(str_head(text, JQ_MESSAGE_MAX)));
}

/* "jq: error: WORDS at <top-level>, line 1:\nPROGRAM" gives WORDS, and the line when it is not the first. */
static struct str message_clean(struct arena *arena, struct str message) {
    static const char where[] = " at <top-level>, line ";
    const char *place = message.n ? strstr(message.p, where) : NULL;
    long line = 1;
    if (place) {
        line = strtol(place + sizeof where - 1, NULL, 10);
        message.n = (size_t)(place - message.p);
    }
    message = str_trim(message);
    for (size_t i = 0; i < ARRAY_COUNT(phrases); i++)
        message = text_replace(arena, message, str_from(phrases[i].from), str_from(phrases[i].to));
    message = message_cut(arena, message);
    return line > 1 ? str_fmt(arena, "%.*s in line %ld", STR_ARG(message), line) : message;
}

static struct str jv_str(jv text) {
    return (struct str){jv_string_value(text), (size_t)jv_string_length_bytes(jv_copy(text))};
}

/* Consumes the value. A text is taken as it is, anything else as JSON. */
static struct str jv_words(struct arena *arena, jv value) {
    jv text = jv_get_kind(value) == JV_KIND_STRING ? value : jv_dump_string(value, 0);
    struct str words = str_dup(arena, message_cut(arena, jv_str(text)));
    jv_free(text);
    return words;
}

/* ---- compiling ---- */

/* Keeps the first message; libjq's second one only counts. */
struct compile_error {
    struct arena *arena;
    struct str text;
};

static void on_error(void *data, jv message) {
    struct compile_error *complaint = data;
    message = jq_format_error(message);
    if (!complaint->text.n) complaint->text = str_dup(complaint->arena, jv_str(message));
    jv_free(message);
}

static void on_message(void *data, jv message) {
    (void)data;
    jv_free(message);
}

static jv on_input(jq_state *state, void *data) {
    (void)state;
    (void)data;
    return jv_invalid();
}

/* args: an object of global variables, consumed. The program was seen by jq_lex_problem or made by jq_program. */
static enum err engine_open(struct str program, jv args, jq_state **ret_state, struct arena *arena,
                            struct str *ret_problem) {
    struct compile_error complaint = {.arena = arena};
    jq_state *state = jq_init();
    if (!state) abort();
    jq_set_error_cb(state, on_error, &complaint);
    jq_set_debug_cb(state, on_message, NULL);
    jq_set_input_cb(state, on_input, NULL);
    jq_set_attr(state, jv_string("JQ_LIBRARY_PATH"), jv_array());
    if (!jq_compile_args(state, str_dup(arena, program).p, args)) {
        jq_teardown(&state);
        *ret_problem = message_clean(arena, complaint.text);
        return ERR_JQ_COMPILE;
    }
    jq_set_error_cb(state, on_message, NULL);
    *ret_state = state;
    return ERR_NONE;
}

enum err jq_open(struct str program, struct jq **ret_jq, struct arena *arena, struct str *ret_problem) {
    jq_state *state;
    TRY(engine_open(program, jv_object(), &state, arena, ret_problem));
    struct jq *jq = malloc(sizeof *jq);
    if (!jq) abort();
    jq->state = state;
    *ret_jq = jq;
    return ERR_NONE;
}

void jq_close(struct jq *jq) {
    if (!jq) return;
    jq_teardown(&jq->state);
    free(jq);
}

/* Compiles sound expressions as they will stand in the program. */
static enum err open_together(const struct str *expressions, size_t count, struct jq **ret_jq, struct arena *arena,
                              struct str *ret_problem) {
    struct jq_source source = {.arena = arena};
    for (size_t i = 0; i < count; i++) (void)jq_add(&source, expressions[i]);
    return jq_open(jq_program(&source, arena), ret_jq, arena, ret_problem);
}

/* An expression that does not compile in its place is compiled bare, so that the message says nothing of that place. */
static enum err open_alone(struct str expression, struct jq **ret_jq, struct arena *arena, struct str *ret_problem) {
    const char *lexical = jq_lex_problem(arena, expression);
    if (lexical) {
        *ret_problem = str_from(lexical);
        return ERR_JQ_COMPILE;
    }
    struct str in_place;
    if (open_together(&expression, 1, ret_jq, arena, &in_place) == ERR_NONE) return ERR_NONE;
    jq_state *bare;
    jv args = jv_object_set(jv_object(), jv_string("event"), jv_null());
    TRY(engine_open(expression, args, &bare, arena, ret_problem));
    jq_teardown(&bare);
    *ret_problem = in_place;
    return ERR_JQ_COMPILE;
}

enum err jq_check(struct arena *arena, struct str expression, struct str *ret_problem) {
    struct jq *jq;
    TRY(open_alone(expression, &jq, arena, ret_problem));
    jq_close(jq);
    return ERR_NONE;
}

/* A compile costs 20 ms however small the program, so whole ranges are compiled and only bad ones halved. */
static void check_range(struct arena *arena, const struct str *expressions, size_t count, struct str *ret_problems) {
    struct jq *jq = NULL;
    struct str unused;
    struct arena scratch = ARENA_EMPTY;
    enum err err = count == 1 ? open_alone(expressions[0], &jq, arena, ret_problems)
                              : open_together(expressions, count, &jq, &scratch, &unused);
    jq_close(jq);
    arena_free(&scratch);
    if (!err || count <= 1) return;
    check_range(arena, expressions, count / 2, ret_problems);
    check_range(arena, expressions + count / 2, count - count / 2, ret_problems + count / 2);
}

/* Only expressions that are lexically sound may share a program. */
void jq_check_all(struct arena *arena, const struct str *expressions, size_t count, struct str *ret_problems) {
    size_t sound = 0;
    struct str *texts = arena_array(arena, struct str, count);
    struct str *problems = arena_array(arena, struct str, count);
    for (size_t i = 0; i < count; i++) {
        const char *problem = jq_lex_problem(arena, expressions[i]);
        ret_problems[i] = str_from(problem);
        if (!problem) texts[sound++] = expressions[i];
    }
    check_range(arena, texts, sound, problems);
    for (size_t i = 0, next = 0; i < count; i++)
        if (!ret_problems[i].n) ret_problems[i] = problems[next++];
}

/* ---- running ---- */

/* jq refuses half a pair of surrogates, which our own reader takes for U+FFFD. */
static jv parse_mended(struct str text) {
    struct arena arena = ARENA_EMPTY;
    struct json *root;
    if (json_parse(text, JSON_DEPTH_MAX + 1, &root, NULL)) return jv_invalid();
    struct str mended = json_dump(&arena, root);
    jv value = mended.n <= INT_MAX ? jv_parse_sized(mended.p, (int)mended.n) : jv_invalid();
    json_free(root);
    arena_free(&arena);
    return value;
}

static bool value_parse(struct str text, jv *ret_value) {
    if (text.n > INT_MAX) return false;
    jv value = text.n ? jv_parse_sized(text.p, (int)text.n) : jv_null();
    if (!jv_is_valid(value)) {
        jv_free(value);
        value = parse_mended(text);
    }
    if (!jv_is_valid(value)) {
        jv_free(value);
        return false;
    }
    *ret_value = value;
    return true;
}

/* Consumes the message of a value that is not valid; false when it is only the end of the outputs. */
static bool end_message(jv end, struct arena *arena, struct str *ret_message) {
    jv message = jv_invalid_get_msg(end);
    if (!jv_is_valid(message) || jv_get_kind(message) == JV_KIND_NULL) {
        jv_free(message);
        return false;
    }
    *ret_message = jv_words(arena, message);
    return true;
}

static void call_fail(struct jq_call *call, struct str message) {
    call->err = ERR_JQ_RUN;
    call->result = message;
}

/* Consumes the first output. */
static void call_settle(struct jq_call *call, jv output, struct arena *arena) {
    call->err = ERR_NONE;
    call->result = STR("");
    if (!jv_is_valid(output)) {
        if (end_message(output, arena, &call->result)) call->err = ERR_JQ_RUN;
        return;
    }
    jv text = jv_dump_string(output, 0);
    struct str result = jv_str(text);
    if (result.n <= JQ_RESULT_MAX)
        call->result = str_dup(arena, result);
    else
        call_fail(call, STR("the result is larger than allowed"));
    jv_free(text);
}

void jq_run(struct jq *jq, struct jq_call *call, struct arena *arena) {
    jv input, event;
    if (call->function >= JQ_FUNCTIONS_MAX) {
        call_fail(call, STR("there is no such function"));
        return;
    }
    if (!value_parse(call->input, &input)) {
        call_fail(call, STR("the input is not JSON"));
        return;
    }
    if (!value_parse(call->event, &event)) {
        jv_free(input);
        call_fail(call, STR("the event is not JSON"));
        return;
    }
    /* The next start clears whatever this one leaves behind. */
    jq_start(jq->state, JV_ARRAY(jv_number((double)call->function), input, event), 0);
    call_settle(call, jq_next(jq->state), arena);
}

/* Consumes the value. */
static void output_add(struct buf *buf, jv value, bool raw) {
    jv text = raw && jv_get_kind(value) == JV_KIND_STRING ? value : jv_dump_string(value, 0);
    buf_add(buf, jv_str(text));
    buf_byte(buf, '\n');
    jv_free(text);
}

static enum err filter_run(struct jq *jq, jv input, struct buf *buf, bool raw, struct str *ret_problem) {
    jq_start(jq->state, JV_ARRAY(jv_number(0), input, jv_null()), 0);
    jv output;
    while (jv_is_valid(output = jq_next(jq->state))) {
        output_add(buf, output, raw);
        if (buf->n > JQ_OUTPUT_MAX) {
            *ret_problem = str_fmt(buf->arena, "the outputs are larger than %zu bytes", JQ_OUTPUT_MAX);
            return ERR_LIMIT;
        }
    }
    return end_message(output, buf->arena, ret_problem) ? ERR_JQ_RUN : ERR_NONE;
}

enum err jq_filter(struct arena *arena, struct str expression, struct str input, bool raw, struct str *ret_output,
                   struct str *ret_problem) {
    struct jq *jq;
    jv value;
    TRY(open_alone(expression, &jq, arena, ret_problem));
    struct buf buf = {.arena = arena};
    enum err err = ERR_JQ_RUN;
    if (value_parse(input, &value))
        err = filter_run(jq, value, &buf, raw, ret_problem);
    else
        *ret_problem = STR("the input is not JSON");
    jq_close(jq);
    if (!err) *ret_output = buf_str(&buf);
    return err;
}
