/* connect/connector.h - a connector as compiled. Private to this room; made by
 * document*.c, never changed after. */
#ifndef CONNECT_CONNECTOR_H
#define CONNECT_CONNECTOR_H

#include "connect/connect.h"
#include "connect/mail.h"
#include "connect/node.h"
#include "connect/rules.h"
#include "model/catalog.h"

struct field {
    struct str name, fallback; /* fallback "" = none */
    bool required, secret;
    bool lines; /* a file's text: it may hold line breaks */
};

/* One named thing of a request: a header, a query value, a form member. */
struct pair {
    struct str name;
    struct text value;
    bool basic; /* user:password, to be written as RFC 7617 has it */
};
struct pairs {
    struct pair *items;
    size_t count;
};

enum body_kind { BODY_NONE, BODY_JSON, BODY_FORM, BODY_TEXT, BODY_MAIL };
struct request_form {
    struct str method;
    struct text url;
    struct pairs query, headers, form;
    enum body_kind body;
    struct body_node *json;
    struct text text;
    struct mail_form *mail; /* it goes to a mail server then */
    bool bare;              /* of a token: what every request of the connector has does not go with it */
};

struct lookup {
    struct request_form *request;
    struct answer_rules answers;
    int64_t settle_us;
};

/* Many deliveries in one call. */
enum batch_match { MATCH_ALL, MATCH_POSITION, MATCH_KEY };
struct batch_form {
    int32_t max;
    size_t bytes, item_bytes; /* of ${items} and of one item, as JSON; 0 = no limit */
    struct request_form *request;
    struct body_node *item;      /* one delivery's part of ${items} */
    struct answer_rules answers; /* of the call */
    enum batch_match match;
    size_t list;      /* jq: the body's list of items */
    size_t key;       /* jq on one item */
    struct text sent; /* the delivery's counterpart of key */
    struct answer_rules item_answers;
    enum verdict missing; /* the verdict on a delivery without an item */
};

struct action {
    struct str name;
    const struct catalog_action *catalog;
    struct request_form *request; /* NULL: only the batch form */
    struct answer_rules answers;
    struct lookup *lookup;    /* NULL = none */
    struct batch_form *batch; /* NULL = none */
    int64_t key_life_us;
    bool natural;               /* the request names its effect itself */
    enum on_unknown on_unknown; /* never DEFAULT */
};

/* Credentials that sign the whole request, when all else of it is made; the texts of a connector's own scheme. */
enum signer { SIGNER_NONE, SIGNER_AWS, SIGNER_OAUTH1 };
#define SIGNER_TEXTS 5
struct signature {
    enum signer signer;
    struct text texts[SIGNER_TEXTS]; /* in the order of struct aws_keys, and of struct oauth1_keys */
};

struct token_form; /* connect/token.h */

struct connector {
    struct str name;
    bool webhook; /* the built-in `http` */
    struct field *fields;
    size_t field_count;
    struct limit_rule limits[LIMIT_RULES_MAX];
    size_t limit_count;
    struct str meter; /* the parameter of which each value has the limits that follow; "" = none */
    struct limit_rule meter_limits[LIMIT_RULES_MAX];
    size_t meter_limit_count;
    int32_t concurrency; /* 0 = the provider names none */
    int64_t timeout_us;  /* of a destination that names none; 0 = the usual */
    size_t answer_max;   /* bytes of a batch's answer that are kept; 0 = EXCHANGE_ANSWER_MAX */
    struct status_set penalty_after;
    int64_t penalty_us;
    struct limit_field *limit_fields;
    size_t limit_field_count;
    struct pairs headers, query; /* of every request; auth is among them, unless it signs */
    struct signature signature;
    struct token_form *token; /* NULL = none is needed */
    size_t error;             /* jq: the provider's words for a refusal; JQ_NONE = the body's beginning */
    struct action *actions;
    size_t action_count;
};

/* A field's value in a destination, else its default; "" = none. `url` is the destination's own key. */
struct str connector_field(const struct connector *connector, const struct destination_settings *destination,
                           struct str name);
const struct action *connector_action(const struct connector *connector, struct str name); /* NULL when absent */

/* Whether some action has a parameter of this name that is one text or number. */
bool connector_has_param(const struct connector *connector, struct str name);

#endif
