/* model/catalog.h - what the connectors offer: names with their types, as config
 * must know them to check what is written, and pages to describe them. Made by
 * connect; pure.
 *
 * A parameter's value that comes from an event is checked when the request is
 * made, one that stands in the configuration when that is checked. */
#ifndef MODEL_CATALOG_H
#define MODEL_CATALOG_H

#include "model/destination.h"

struct json;

/* ---- types of parameters ---- */

/* X(NAME, word, what): the last reads behind "must be". */
#define PARAM_TYPE_LIST(X)                                                                                             \
    X(ANY, "any", "anything")                                                                                          \
    X(TEXT, "text", "a text")                                                                                          \
    X(LINE, "line", "a text of one line")                                                                              \
    X(ADDRESS, "address", "an e-mail address such as ada@example.com")                                                 \
    X(MAILBOX, "mailbox", "an e-mail address, or a name with one as in Ada <ada@example.com>")                         \
    X(MAILBOXES, "mailboxes", "a text of one line: a mailbox, or several with commas between them")                    \
    X(MAILBOX_LIST, "mailbox_list", "a mailbox, or a list of them")                                                    \
    X(URL, "url", "a URL that begins with http:// or https://")                                                        \
    X(NUMBER, "number", "a number")                                                                                    \
    X(TRUTH, "truth", "true or false")                                                                                 \
    X(LIST, "list", "a list")                                                                                          \
    X(OBJECT, "object", "an object")                                                                                   \
    X(HEADERS, "headers", "a map of a mail's further headers to texts of one line each")                               \
    X(INSTANT, "instant", "a time with its offset such as 2026-12-01T09:00:00+01:00")
enum param_type {
#define PARAM_TYPE_ENUM(name, word, what) PARAM_##name,
    PARAM_TYPE_LIST(PARAM_TYPE_ENUM)
#undef PARAM_TYPE_ENUM
        PARAM_TYPE_COUNT
};
const char *param_type_word(enum param_type type);
const char *param_type_what(enum param_type type);

/* Numbers and truth values are texts too, because providers' texts are filled with them. A number may also come as the
 * text of one: forms know nothing else. */
bool param_type_takes(enum param_type type, const struct json *value);
bool param_type_takes_text(enum param_type type, struct str text);
/* A member of an object that is written out in the configuration, where its value is a text. */
bool param_type_takes_member(enum param_type type, struct str name, struct str text);
/* What is wrong with a text that the type does not take, as a sentence's end; "" = there is no more to say. */
struct str param_type_problem(struct arena *arena, enum param_type type, struct str text);
/* Whether its texts are mailboxes, which providers read as RFC 5322 has them (party_text). */
bool param_type_is_mailbox(enum param_type type);

/* ---- connectors ---- */

struct catalog_name {
    struct str name;
    bool required;
    bool secret; /* fields only: never printed */
    struct str help;
    enum param_type type;  /* parameters only */
    struct str fallback;   /* a field's text, a parameter's JSON; "" = none */
    struct str_list needs; /* parameters only: without these beside it the provider refuses it */
};
/* How a provider tells a repeated request from a second one. */
enum key_place { KEY_NOWHERE, KEY_IN_HEADER, KEY_IN_FIELD, KEY_NATURAL };
struct catalog_action {
    struct str name;
    struct catalog_name *params;
    size_t param_count;
    struct str_list *any_of; /* of the parameters in each list one must be there */
    size_t any_of_count;
    struct str help;
    struct action_traits traits; /* as the connector has them; a destination may ask for another on_unknown */
    enum key_place key_place;
    struct str key_name; /* of the header, or the place in the body */
    bool overwrites;     /* an older delivery that is sent after a newer one undoes what that wrote */
    bool batch_by_item;  /* a batch's answer tells each delivery's own fate */
};
struct catalog_entry {
    struct str name, about, checked, file; /* as in `type:`; for people; the document, "" = none */
    struct catalog_name *fields;
    size_t field_count;
    struct catalog_action *actions;
    size_t action_count;
    const struct tree *docs; /* one text, or a list of them; NULL = none */
    struct limit_rule limits[LIMIT_RULES_MAX];
    size_t limit_count;
    struct str meter; /* as in struct destination_settings */
    struct limit_rule meter_limits[LIMIT_RULES_MAX];
    size_t meter_limit_count;
    int32_t concurrency; /* 0 = the provider names none */
    bool keeps_token;    /* one that is renewed: it lies in the store, sealed under settings.token_key */
    bool logs_in;        /* its token comes from a person's login */
};
struct catalog {
    struct catalog_entry *entries;
    size_t count;
};

const struct catalog_entry *catalog_find(const struct catalog *catalog, struct str name);
struct str catalog_any_of(struct arena *arena, const struct str_list *names); /* 'text', 'html' */
const struct catalog_name *catalog_param(const struct catalog_action *action, struct str name);
const struct catalog_action *catalog_action(const struct catalog_entry *entry, struct str name);

#endif
