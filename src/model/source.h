/* model/source.h - where events come from besides the API: the section `sources`, as values. A source is of one kind,
 * and the kind has its own keys and its own struct. Made by config; one arena owns all of it. */
#ifndef MODEL_SOURCE_H
#define MODEL_SOURCE_H

#include "model/destination.h"

struct scheme;

/* `type: form` is a form, `schedule` a schedule, `folder` a folder, any other type that of a sender whose webhooks are
 * signed. */
enum source_kind { SOURCE_WEBHOOK, SOURCE_FORM, SOURCE_SCHEDULE, SOURCE_FOLDER, SOURCE_KIND_COUNT };

/* Where signed webhooks come from. */
struct webhook_settings {
    struct str secret, old_secret;        /* both are taken, while senders change from one to the other; "" = none */
    struct str topic, ca, proxy;          /* of certificates: whose messages these are; how they are fetched */
    struct str verify_token;              /* of Meta's greeting; "" = none */
    int64_t tolerance_us;                 /* how far a request's time may be from ours */
    struct str map_type, map_key, map_at; /* places in the body joined by '+', or jq; "" = the scheme's */
    struct tree_mark map_marks[3];        /* of type, key, at */
    struct {
        int32_t algorithm, encoding; /* their choice, from 1 */
        struct str header, prefix, message, time;
    } hmac;                      /* of type hmac */
    const struct scheme *scheme; /* model/scheme.h: the type's row, or the one that `hmac` makes */
};

enum form_kind { FORM_TEXT = 1, FORM_EMAIL, FORM_TEL, FORM_URL, FORM_NUMBER, FORM_AREA, FORM_CHOICE, FORM_TICK };
enum form_language { FORM_ENGLISH = 1, FORM_GERMAN, FORM_LANGUAGES };

struct form_field {
    struct str name, label; /* "" = the language's word for this name, or the name itself */
    int32_t kind;           /* enum form_kind; 0 = by its name: email is an address */
    bool required;
    int32_t max;             /* bytes of a value */
    struct str_list choices; /* of a choice */
    struct tree_mark mark;
};

/* A form that people fill in. */
struct form_settings {
    struct str event; /* the type of its events */
    struct form_field *fields;
    size_t field_count; /* 0 = whatever comes is taken */
    struct str title, consent, thanks;
    int32_t language; /* enum form_language */
    struct str_list origins;
    struct limit_rule limit; /* of one address */
    int64_t least_us;        /* who is faster is no person */
    int64_t window_us;       /* within it the same words are one event */
};

/* What becomes of the times at which a schedule was due while no process was there to see it. */
enum catch_up { CATCH_UP_SKIP = 1, CATCH_UP_ONCE, CATCH_UP_ALL };

/* What makes an event at each of its times. */
struct schedule_settings {
    struct str event;           /* the type of its events */
    struct str schedule;        /* schedule/cron.h */
    struct str zone;            /* "" = the configuration's */
    int32_t catch_up;           /* enum catch_up */
    const struct tree *payload; /* a map of any values; NULL = none */
    struct tree_mark mark;      /* of the schedule */
};

/* A folder of Markdown files, each an event at its moment. */
struct folder_settings {
    struct str event;
    struct str path; /* absolute, or seen from where the server was started */
    struct str zone; /* of moments without an offset; "" = the configuration's */
    int64_t late_us; /* a file whose moment lies back by more is not published */
    struct tree_mark path_mark;
};

struct source_settings {
    struct str name, type;
    enum source_kind kind;
    struct webhook_settings webhook;
    struct form_settings form;
    struct schedule_settings schedule;
    struct folder_settings folder;
    struct tree_mark mark;
};

bool webhook_map_is_jq(struct str map);           /* no jq begins with '/', and each place does */
const char *form_language_code(int32_t language); /* "en" */
const char *source_kind_type(
    enum source_kind kind); /* what `type` takes: "form"; NULL for webhooks, whose types are many */

#endif
