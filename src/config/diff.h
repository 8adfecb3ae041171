/* config/diff.h - what a reload changes, section by section. Private to this room.
 *
 * Every value is written out in one form and the texts are compared, so a
 * value counts as changed when what it does changes, not how it is written.
 * Keys that may hold a secret are named and their texts dropped.
 */
#ifndef CONFIG_DIFF_H
#define CONFIG_DIFF_H

#include "config/config.h"
#include "config/keys.h"

struct diff {
    struct arena *arena;
    const struct settings *before, *after;
    struct change **end;
};

/* Adds what is different in a section between two owners. subject stands before the names of keys: "destination crm: "
 * or "server."; it is "" at the top level. */
typedef void diff_comparer(struct diff *diff, const struct key *key, struct str subject, const void *before,
                           const void *after);
diff_comparer diff_keys;         /* each key by its name */
diff_comparer diff_value;        /* the section as one value */
diff_comparer diff_sources;      /* section_source.c */
diff_comparer diff_fields;       /* section_form.c */
diff_comparer diff_destinations; /* section_destination.c */
diff_comparer diff_breaker;
diff_comparer diff_routes; /* section_route.c */
diff_comparer diff_steps;  /* section_delivery.c */

/* Every key of a section, of two structs that hold it. */
void diff_section(struct diff *diff, enum section section, struct str subject, const void *before, const void *after);
/* Two values of a key, written out. */
void diff_texts(struct diff *diff, const struct key *key, struct str subject, struct str before, struct str after);
/* "destination crm added" */
void diff_add(struct diff *diff, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Values written out. */
void diff_write_text(struct buf *text, struct str part); /* with its length, so that two parts never look like one */
void diff_write_section(struct buf *text, enum section section, const void *owner);
void diff_write_tree(struct buf *text, const struct tree *tree);

#endif
