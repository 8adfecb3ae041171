/* config/section_source.h - the kinds of source. Private to this room.
 *
 * Every source has the keys of SECTION_SOURCE and those of its kind's section, which is a part of it (sections.def). A
 * new kind is a value and a struct of model/source.h, a row of sections.def with its keys in keys.def, a row of the
 * table in section_source.c, and a file section_KIND.c with what the table of keys cannot say. */
#ifndef CONFIG_SECTION_SOURCE_H
#define CONFIG_SECTION_SOURCE_H

#include "config/section.h"
#include "model/source.h"

enum section source_section(enum source_kind kind); /* the part that has the kind's keys */

/* Looks at a source whose keys were read: what one key alone does not say. */
typedef void source_checker(struct checker *checker, const struct tree *map, struct source_settings *source);
source_checker check_webhook, check_form, check_schedule, check_folder;

#endif
