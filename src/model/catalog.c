/* model/catalog.c - see catalog.h. */
#include "model/catalog.h"

#include "base/json.h"
#include "base/when.h"

#include "model/exchange.h"
#include "model/party.h"

static const struct type {
    const char *word, *what;
} types[PARAM_TYPE_COUNT] = {
#define PARAM_TYPE_ROW(name, word, what) {word, what},
    PARAM_TYPE_LIST(PARAM_TYPE_ROW)
#undef PARAM_TYPE_ROW
};

const char *param_type_word(enum param_type type) {
    return types[type].word;
}

const char *param_type_what(enum param_type type) {
    return types[type].what;
}

/* Blanks around it are what people type into forms; connectors take them off. */
static bool is_address(struct str text) {
    return address_valid(str_trim(text));
}

static bool is_mailbox(struct str text) {
    struct party party;
    return party_parse(text, &party);
}

static bool is_url(struct str text) {
    bool secure = str_starts(text, STR("https://"));
    struct str rest = str_sub(text, secure ? 8 : 7, text.n);
    for (size_t i = 0; i < text.n; i++)
        if ((unsigned char)text.p[i] <= ' ' || text.p[i] == 0x7f) return false;
    return (secure || str_starts(text, STR("http://"))) && rest.n && rest.p[0] != '/';
}

bool param_type_takes_text(enum param_type type, struct str text) {
    double number;
    int64_t us;
    switch (type) {
    case PARAM_ANY:
    case PARAM_TEXT:
        return true;
    case PARAM_ADDRESS:
        return is_address(text);
    case PARAM_MAILBOX:
        return is_mailbox(text);
    case PARAM_LINE:
    case PARAM_MAILBOXES:
    case PARAM_MAILBOX_LIST:
        return header_value_valid(text);
    case PARAM_URL:
        return is_url(text);
    case PARAM_NUMBER:
        return str_to_double(text, &number);
    case PARAM_TRUTH:
        return str_eq(text, STR("true")) || str_eq(text, STR("false"));
    case PARAM_INSTANT:
        return when_parse(text, &us);
    case PARAM_LIST:
    case PARAM_OBJECT:
    case PARAM_HEADERS:
    case PARAM_TYPE_COUNT:
        break;
    }
    return false;
}

struct str param_type_problem(struct arena *arena, enum param_type type, struct str text) {
    if (type == PARAM_ADDRESS) return address_problem(arena, str_trim(text));
    return type == PARAM_MAILBOX ? party_problem(arena, text) : STR("");
}

bool param_type_is_mailbox(enum param_type type) {
    return type == PARAM_MAILBOX || type == PARAM_MAILBOXES || type == PARAM_MAILBOX_LIST;
}

bool param_type_takes_member(enum param_type type, struct str name, struct str text) {
    return type != PARAM_HEADERS || (mail_header_allowed(name) && header_value_valid(text));
}

/* Of headers, each name and text; what is no text is said where the mail is made. */
static bool takes_object(enum param_type type, const struct json *value) {
    struct str name;
    void *cursor = NULL;
    for (const struct json *item; (item = json_next(value, &cursor, &name));)
        if (!param_type_takes_member(type, name, json_type(item) == JSON_STRING ? json_text(item) : STR("")))
            return false;
    return type == PARAM_ANY || type == PARAM_OBJECT || type == PARAM_HEADERS;
}

bool param_type_takes(enum param_type type, const struct json *value) {
    switch (json_type(value)) {
    case JSON_STRING:
        return param_type_takes_text(type, json_text(value));
    case JSON_NUMBER:
        return type == PARAM_ANY || type == PARAM_NUMBER || type == PARAM_TEXT || type == PARAM_LINE;
    case JSON_TRUE:
    case JSON_FALSE:
        return type == PARAM_ANY || type == PARAM_TRUTH || type == PARAM_TEXT || type == PARAM_LINE;
    case JSON_ARRAY:
        return type == PARAM_ANY || type == PARAM_LIST || type == PARAM_MAILBOX_LIST;
    case JSON_OBJECT:
        return takes_object(type, value);
    case JSON_NULL:
        break;
    }
    return true; /* it is missing, and `required` says whether it may be */
}

const struct catalog_entry *catalog_find(const struct catalog *catalog, struct str name) {
    for (size_t i = 0; i < catalog->count; i++)
        if (str_eq(catalog->entries[i].name, name)) return &catalog->entries[i];
    return NULL;
}

struct str catalog_any_of(struct arena *arena, const struct str_list *names) {
    struct buf buf = {.arena = arena};
    for (size_t i = 0; i < names->count; i++) buf_fmt(&buf, "%s'%.*s'", i ? ", " : "", STR_ARG(names->items[i]));
    return buf_str(&buf);
}

const struct catalog_name *catalog_param(const struct catalog_action *action, struct str name) {
    for (size_t i = 0; i < action->param_count; i++)
        if (str_eq(action->params[i].name, name)) return &action->params[i];
    return NULL;
}

const struct catalog_action *catalog_action(const struct catalog_entry *entry, struct str name) {
    for (size_t i = 0; i < entry->action_count; i++)
        if (str_eq(entry->actions[i].name, name)) return &entry->actions[i];
    return NULL;
}
