#include "model/event.h"

#include "base/json.h"
#include "base/when.h"

static const char *const status_texts[EVENT_STATUS_COUNT] = {
#define EVENT_STATUS_TEXT(name) #name,
    EVENT_STATUS_LIST(EVENT_STATUS_TEXT)
#undef EVENT_STATUS_TEXT
};

const char *event_status_text(enum event_status status) {
    return status_texts[status];
}

bool event_status_parse(struct str text, enum event_status *ret_status) {
    for (int i = 0; i < EVENT_STATUS_COUNT; i++)
        if (str_eq(text, str_from(status_texts[i]))) {
            *ret_status = (enum event_status)i;
            return true;
        }
    return false;
}

static bool is_letter(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static bool is_type_byte(char c) {
    return is_letter(c) || (c >= '0' && c <= '9') || c == '_' || c == '.' || c == '-';
}

bool event_type_valid(struct str type) {
    if (type.n == 0 || type.n > EVENT_TYPE_MAX || !is_letter(type.p[0])) return false;
    for (size_t i = 1; i < type.n; i++)
        if (!is_type_byte(type.p[i])) return false;
    return true;
}

/* Printable: no C0 or C1 control and no DEL, valid UTF-8; the length is counted in characters. */
static bool printable(struct str text, size_t max) {
    if (text.n == 0 || !str_is_utf8(text)) return false;
    size_t characters = 0;
    for (size_t i = 0; i < text.n; i++) {
        uint8_t byte = (uint8_t)text.p[i];
        if (byte < 0x20 || byte == 0x7f) return false;
        if (byte == 0xc2 && i + 1 < text.n && (uint8_t)text.p[i + 1] < 0xa0) return false;
        if ((byte & 0xc0) != 0x80) characters++;
    }
    return characters <= max;
}

bool event_type_fits(struct str pattern, struct str type) {
    const struct str reserved[] = {STR(EVENT_SPAM), STR(EVENT_OWN)};
    for (size_t i = 0; i < sizeof reserved / sizeof *reserved; i++)
        if (str_starts(type, reserved[i]) && !str_starts(pattern, reserved[i])) return false;
    return str_glob(pattern, type);
}

bool event_key_valid(struct str key) {
    return printable(key, EVENT_KEY_MAX);
}

bool event_source_valid(struct str source) {
    return printable(source, EVENT_SOURCE_MAX);
}

struct str event_json(struct arena *arena, const struct event *event) {
    char id[UUID_TEXT_LENGTH + 1], scheduled[WHEN_TEXT_ROOM], created[WHEN_TEXT_ROOM];
    uuid_format(event->id, id);
    when_format(event->scheduled_us, scheduled);
    when_format(event->created_us, created);
    struct buf buf = {.arena = arena};
    buf_fmt(&buf, "{\"id\":\"%s\",\"type\":", id);
    json_quote(&buf, event->type);
    buf_add(&buf, STR(",\"source\":"));
    json_quote(&buf, event->source);
    buf_add(&buf, STR(",\"idempotency_key\":"));
    json_quote(&buf, event->key);
    buf_add(&buf, STR(",\"payload\":"));
    buf_add(&buf, event->payload.n ? event->payload : STR("{}"));
    buf_fmt(&buf, ",\"scheduled_at\":\"%s\",\"created_at\":\"%s\",\"run\":%d}", scheduled, created, event->run);
    return buf_str(&buf);
}
