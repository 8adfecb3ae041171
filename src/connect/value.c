/* connect/value.c - what references give, and the transforms; see value.h. */
#include "connect/value.h"

#include "base/json.h"
#include "base/when.h"
#include "connect/connector.h"
#include "connect/token.h"

#include <string.h>

enum err fill_fail(struct fill *fill, const char *format, ...) {
    va_list args;
    va_start(args, format);
    fill->problem = str_vfmt(fill->context->arena, format, args);
    va_end(args);
    return ERR_BAD_FIELD;
}

static const char *const ref_words[REF_COUNT] = {
#define REF_WORD(name, word, scopes) word,
    REF_LIST(REF_WORD)
#undef REF_WORD
};

struct str ref_name(struct arena *arena, const struct ref *ref) {
    if (ref->kind != REF_PARAM) return str_fmt(arena, "'%s'", ref_words[ref->kind]);
    struct buf buf = {.arena = arena};
    for (size_t i = 0; i < ref->path_count; i++) buf_fmt(&buf, "%s%.*s", i ? "." : "", STR_ARG(ref->path[i]));
    struct str path = buf_str(&buf);
    return path.n ? str_fmt(arena, "parameter '%.*s'", STR_ARG(path)) : STR("the parameters");
}

/* ---- references ---- */

static struct value value_of_text(struct str text) {
    return (struct value){.kind = VALUE_TEXT, .text = text};
}

static struct value value_of_time(int64_t us) {
    return (struct value){.kind = VALUE_TIME, .number = us};
}

static struct value value_of_id(struct uuid id) {
    return (struct value){.kind = VALUE_ID, .id = id};
}

static struct value value_of_param(const struct fill *fill, const struct ref *ref) {
    const struct json *node = fill->params;
    for (size_t i = 0; i < ref->path_count; i++) node = json_get(node, ref->path[i]);
    if (json_type(node) == JSON_NULL) return (struct value){.kind = VALUE_NONE};
    if (json_type(node) == JSON_STRING) return value_of_text(str_dup(fill->context->arena, json_text(node)));
    return (struct value){.kind = VALUE_JSON, .json = node};
}

static struct value value_of_field(const struct fill *fill, const struct ref *ref) {
    struct str text = connector_field(fill->connector, fill->context->destination, ref->path[0]);
    return text.n ? value_of_text(text) : (struct value){.kind = VALUE_NONE};
}

static void put_sortable(char *to, uint64_t bits, size_t digits) {
    static const char alphabet[] = "234567abcdefghijklmnopqrstuvwxyz";
    for (size_t i = digits; i-- > 0; bits >>= 5) to[i] = alphabet[bits & 31];
}

/* AT Protocol, record keys: a zero bit, 53 bits of microseconds, 10 bits that tell writers apart; here the event's time
 * and the delivery's key, so that each attempt and each replayed backup names the same record. */
#define TID_DIGITS     13
#define TID_TIME_MASK  (((uint64_t)1 << 53) - 1)
#define TID_CLOCK_BITS 10
static struct value value_of_tid(const struct fill *fill) {
    const struct delivery *delivery = fill->delivery;
    uint64_t writer = (uint64_t)(delivery->key.b[14] << 8 | delivery->key.b[15]) & ((1U << TID_CLOCK_BITS) - 1);
    char text[TID_DIGITS];
    put_sortable(text, ((uint64_t)delivery->event->created_us & TID_TIME_MASK) << TID_CLOCK_BITS | writer, TID_DIGITS);
    return value_of_text(str_dup(fill->context->arena, (struct str){text, TID_DIGITS}));
}

/* Where nothing is sent there is no token, and its reference stands in its place. */
static struct value value_of_token(const struct fill *fill, enum ref_kind kind) {
    const struct token_use *token = fill->context->token;
    if (!token) return value_of_text(str_fmt(fill->context->arena, "${%s}", ref_words[kind]));
    const struct str texts[REF_COUNT] = {
        [REF_TOKEN] = token->access,      [REF_TOKEN_REFRESH] = token->refresh,
        [REF_LOGIN_CODE] = token->code,   [REF_LOGIN_VERIFIER] = token->verifier,
        [REF_LOGIN_STATE] = token->state, [REF_LOGIN_REDIRECT] = token->redirect,
    };
    return texts[kind].n ? value_of_text(texts[kind]) : (struct value){.kind = VALUE_NONE};
}

static struct value value_referred(const struct fill *fill, const struct ref *ref) {
    const struct delivery *delivery = fill->delivery;
    const struct event *event = delivery ? delivery->event : NULL;
    switch (ref->kind) {
    case REF_PARAM:
        return value_of_param(fill, ref);
    case REF_FIELD:
        return value_of_field(fill, ref);
    case REF_KEY:
        return value_of_id(fill->key);
    case REF_DELIVERY_ID:
        return value_of_id(delivery->key);
    case REF_DELIVERY_TID:
        return value_of_tid(fill);
    case REF_DELIVERY_SENT_AT:
        return value_of_time(delivery->first_sent_us);
    case REF_EVENT_ID:
        return value_of_id(event->id);
    case REF_EVENT_TYPE:
        return value_of_text(event->type);
    case REF_EVENT_KEY:
        return value_of_text(event->key);
    case REF_EVENT_SOURCE:
        return value_of_text(event->source);
    case REF_EVENT_CREATED_AT:
        return value_of_time(event->created_us);
    case REF_ITEMS:
        return (struct value){.kind = VALUE_RAW, .text = fill->items};
    case REF_ITEM_INDEX:
        return (struct value){.kind = VALUE_NUMBER, .number = (int64_t)fill->index};
    case REF_NOW:
        return value_of_time(fill->context->now_us);
    case REF_TOKEN:
    case REF_TOKEN_REFRESH:
    case REF_LOGIN_CODE:
    case REF_LOGIN_VERIFIER:
    case REF_LOGIN_STATE:
    case REF_LOGIN_REDIRECT:
        return value_of_token(fill, ref->kind);
    case REF_JWT: /* value_of makes it, because it may fail */
    case REF_COUNT:
        break;
    }
    __builtin_unreachable();
}

unsigned value_kinds(enum ref_kind kind) {
    static const unsigned kinds[REF_COUNT] = {
        [REF_PARAM] = VALUE_ANY,
        [REF_FIELD] = VALUE_TEXT,
        [REF_KEY] = VALUE_ID,
        [REF_DELIVERY_ID] = VALUE_ID,
        [REF_DELIVERY_TID] = VALUE_TEXT,
        [REF_DELIVERY_SENT_AT] = VALUE_TIME,
        [REF_EVENT_ID] = VALUE_ID,
        [REF_EVENT_TYPE] = VALUE_TEXT,
        [REF_EVENT_KEY] = VALUE_TEXT,
        [REF_EVENT_SOURCE] = VALUE_TEXT,
        [REF_EVENT_CREATED_AT] = VALUE_TIME,
        [REF_ITEMS] = VALUE_RAW,
        [REF_ITEM_INDEX] = VALUE_NUMBER,
        [REF_TOKEN] = VALUE_TEXT,
        [REF_TOKEN_REFRESH] = VALUE_TEXT,
        [REF_JWT] = VALUE_TEXT,
        [REF_NOW] = VALUE_TIME,
        [REF_LOGIN_CODE] = VALUE_TEXT,
        [REF_LOGIN_VERIFIER] = VALUE_TEXT,
        [REF_LOGIN_STATE] = VALUE_TEXT,
        [REF_LOGIN_REDIRECT] = VALUE_TEXT,
    };
    return kinds[kind];
}

enum err value_of(struct fill *fill, const struct ref *ref, struct value *ret_value) {
    struct value value = {.kind = VALUE_TEXT};
    if (ref->kind == REF_JWT)
        TRY(token_jwt(fill, &value.text));
    else
        value = value_referred(fill, ref);
    for (size_t i = 0; i < ref->step_count && value.kind != VALUE_NONE; i++)
        TRY(transform_run(fill, ref, &ref->steps[i], &value));
    *ret_value = value;
    return ERR_NONE;
}

/* ---- values as text and as JSON ---- */

enum err value_text(struct fill *fill, const struct ref *ref, const struct value *value, struct str *ret_text) {
    struct arena *arena = fill->context->arena;
    bool composed = value->kind == VALUE_RAW || (value->kind == VALUE_JSON && json_type(value->json) >= JSON_ARRAY);
    if (composed)
        return fill_fail(fill, "%.*s must be one text or number, not a list or an object",
                         STR_ARG(ref_name(arena, ref)));
    switch (value->kind) {
    case VALUE_NONE:
        *ret_text = STR_NONE;
        break;
    case VALUE_NUMBER:
        *ret_text = str_fmt(arena, "%lld", (long long)value->number);
        break;
    case VALUE_TIME:
        *ret_text = when_str(arena, value->number);
        break;
    case VALUE_ID:
        *ret_text = uuid_str(arena, value->id);
        break;
    case VALUE_JSON:
        *ret_text = json_dump(arena, value->json);
        break;
    default:
        *ret_text = value->text;
        break;
    }
    return ERR_NONE;
}

void value_json(struct buf *buf, const struct value *value) {
    switch (value->kind) {
    case VALUE_NUMBER:
        buf_fmt(buf, "%lld", (long long)value->number);
        break;
    case VALUE_TIME:
        json_quote(buf, when_str(buf->arena, value->number));
        break;
    case VALUE_ID:
        json_quote(buf, uuid_str(buf->arena, value->id));
        break;
    case VALUE_JSON:
        buf_add(buf, json_dump(buf->arena, value->json));
        break;
    case VALUE_RAW:
        buf_add(buf, value->text);
        break;
    case VALUE_NONE:
        buf_add(buf, STR("null"));
        break;
    default:
        json_quote(buf, value->text);
        break;
    }
}
