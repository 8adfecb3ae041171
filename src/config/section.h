/* config/section.h - the table of sections (sections.def): what a section of drumbeat.yaml brings along, so that the
 * check, the reload's differences, the JSON Schema and the reference need not know which sections there are. Private
 * to this room. */
#ifndef CONFIG_SECTION_H
#define CONFIG_SECTION_H

#include "config/check.h"
#include "config/diff.h"
#include "config/schema.h"

struct section_row {
    const char *path;       /* "destinations.*"; "" for the top level */
    const char *what;       /* what the key that opens it takes; of a part: for whom its keys are */
    bool secrets;           /* ${NAME} may be written there */
    check_reader *read;     /* NULL: a part of the section before it that has this path */
    diff_comparer *compare; /* NULL: nothing of it is kept, or another section compares it */
    schema_maker *schema;
};

const struct section_row *section_row(enum section section);
/* "`sources.*`, type form": its heading in the reference. */
struct str section_title(struct arena *arena, enum section section);
/* Where ${NAME} may be written, for a sentence: "store, server and destinations". */
struct str section_secret_places(struct arena *arena);
/* The reader of a section that is a map of its keys, each of which says all by itself. */
check_reader section_read;

#endif
