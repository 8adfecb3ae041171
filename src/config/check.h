/* config/check.h - what the parts of the check share. Private to this room.
 *
 * A tree is walked by the table of keys: check_known reads every key of a map
 * that the table has (or its fallback), check_unknown refuses the others. Each
 * part reports what is wrong and goes on, so that all is found at once. A
 * value that was refused leaves its member as it was.
 */
#ifndef CONFIG_CHECK_H
#define CONFIG_CHECK_H

#include "config/config.h"
#include "config/keys.h"
#include "model/catalog.h"
#include "model/code.h"

#define NAME_MAX_CHARACTERS 40

/* What a destination is, beside settings->destinations. */
struct target {
    bool known;                        /* false: its type was refused; nothing that depends on it is looked at */
    const struct catalog_entry *entry; /* NULL for http */
};

struct checker {
    struct arena *arena;
    struct findings *findings;
    const struct catalog *catalog;
    const struct secret_source *secrets;
    struct settings *settings;
    struct str file;
    const struct tree *document;
    struct str where;     /* " in destination 'crm'": the map being read; "" at the top level */
    bool takes_secrets;   /* whether ${NAME} is allowed there */
    struct map looked_up; /* secret name -> struct str, asked for once */
    struct target *targets;
    struct map missing; /* name of a destination that there is not -> struct missing, told once (section_delivery.c) */
};

/* Reads the value of one key into its owner. */
typedef void check_reader(struct checker *checker, const struct key *key, const struct tree *value, void *owner);

#define check_report(checker, mark, code, ...)                                                                         \
    finding_add((checker)->findings, (checker)->file, (mark), code_text(code), __VA_ARGS__)

/* check.c */
void check_known(struct checker *checker, enum section section, const struct tree *map, void *owner);
void check_unknown(struct checker *checker, enum section section, const struct tree *map);
/* Reports a key that neither a section nor a part of it has. */
void check_refuse_key(struct checker *checker, enum section section, enum section part, const struct tree *map,
                      size_t at);
/* The value must be a map or nothing; if it is not, that is reported and NULL given. subject: "'retry' in destination
 * 'crm'"; mark: where the map's name stands, which is the place of what is missing in it. */
const struct tree *check_is_map(struct checker *checker, struct str subject, const struct tree *value,
                                struct tree_mark mark);
/* Reports a text that cannot be a name. noun: "destination" */
void check_name(struct checker *checker, const char *noun, struct str name, struct tree_mark mark);
/* Where a key stands in a map; the map's own place when it is not there. */
struct tree_mark check_key_mark(const struct tree *map, struct str name);
/* How something is fetched: certificates of authorities, and a proxy. (section_destination.c) */
void check_way(struct checker *checker, const struct tree *map, struct str ca, struct str proxy);
/* "'timeout' in destination 'crm'" */
struct str check_subject(struct checker *checker, struct str name);
/* A text of the file, fit to be shown: short, without control characters. */
struct str check_shown(struct checker *checker, struct str text);

/* A path seen from the folder of the file (section_server.c). */
struct str check_beside(struct checker *checker, struct str path);

/* scalar.c: readers of the types whose value is one text. */
check_reader scalar_read;
/* One text, or several; each within the key's bounds. */
check_reader scalar_read_list;
/* The text of a scalar with its secrets in place; false, after a finding, when the value is not one text or holds what
 * is not allowed. */
bool scalar_text(struct checker *checker, const struct key *key, const struct tree *value, struct str *ret_text);
/* Reports a value that the key does not take. */
void scalar_refuse(struct checker *checker, const struct key *key, const struct tree *value, enum code code);
/* "from 1 to 256" for a number; "" for anything else. */
struct str scalar_bounds(struct arena *arena, const struct key *key);
struct str size_str(struct arena *arena, int64_t bytes);

/* expand.c */
/* Puts the secrets of a text in place. subject names it in findings. */
bool expand_secrets(struct checker *checker, struct str subject, const struct tree *value, struct str *ret_text);
/* Looks up a secret that no text names. False: it is not there, and the note says where was looked. */
bool expand_lookup(struct checker *checker, struct str name, struct str *ret_value, struct str *ret_note);
/* Reports a ${...} in a text that may have none; true when there is none. */
bool expand_refuse(struct checker *checker, struct str subject, const struct tree *value);
/* Reports a token written into the file; the text itself is never shown. */
void expand_refuse_literal(struct checker *checker, struct str subject, const struct tree *value);
/* The same for the value of a key that is a secret whatever it looks like: part of it at least must be a ${NAME}. True
 * when it is. */
bool expand_refuse_plain(struct checker *checker, struct str subject, const struct tree *value);

/* advice.c: warnings about a file without errors. */
void check_advise(struct checker *checker);

/* The types whose value is more than one text, or has a shape of its own. */
check_reader check_zone, check_store, check_dsn, check_redis_url, check_listen; /* section_server.c */
check_reader check_headers, check_limits, check_rate;                           /* section_destination.c */
check_reader check_types, check_patterns;                                       /* section_route.c */
check_reader check_alert_steps, check_daytime;                                  /* section_alerts.c */
check_reader check_payload;                                                     /* section_schedule.c */

/* The sections that are more than a map of their keys: each in section_NAME.c. */
check_reader check_server, check_sources, check_fields, check_destinations, check_retry, check_breaker, check_routes,
    check_steps, check_alerts;

#endif
