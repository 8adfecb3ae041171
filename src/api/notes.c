/* api/notes.c - see notes.h. */
#include "api/notes.h"

#include <stdlib.h>
#include <string.h>

#include "base/when.h"
#include "model/settings.h"
#include "model/source.h"

#define BETWEEN_LINES_US (60 * US_PER_S)
#define LASTING_US       US_PER_DAY /* a source whose last refusal is older is not worth a look any more */

struct notes {
    struct note stranger;
    struct note *all; /* of sources */
    size_t count;
};

struct notes *notes_new(void) {
    struct notes *notes = calloc(1, sizeof *notes);
    if (!notes) abort();
    return notes;
}

void notes_free(struct notes *notes) {
    free(notes->all);
    free(notes);
}

static void keep_text(char *room, size_t room_bytes, struct str text) {
    size_t n = text.n < room_bytes ? text.n : room_bytes - 1;
    while (n < text.n && n && ((unsigned char)text.p[n] & 0xC0) == 0x80) n--; /* no half character */
    if (n) memcpy(room, text.p, n);
    room[n] = 0;
}

static bool is_in_force(const struct settings *settings, struct str name) {
    for (size_t i = 0; settings && i < settings->source_count; i++)
        if (str_eq(settings->sources[i].name, name)) return true;
    return false;
}

/* Room for one more: that of a source that a reload removed, else new room. So there are never more notes than the
 * largest configuration had sources. */
static struct note *add_note(struct notes *notes, const struct settings *settings) {
    for (size_t i = 0; i < notes->count; i++)
        if (!is_in_force(settings, str_from(notes->all[i].name))) return &notes->all[i];
    struct note *all = realloc(notes->all, (notes->count + 1) * sizeof *all);
    if (!all) abort();
    notes->all = all;
    return &all[notes->count++];
}

const struct note *notes_find(const struct notes *notes, struct str name) {
    for (size_t i = 0; i < notes->count; i++)
        if (str_eq(str_from(notes->all[i].name), name)) return &notes->all[i];
    return NULL;
}

struct note *notes_of(struct notes *notes, const struct settings *settings, struct str name) {
    if (!is_in_force(settings, name)) return &notes->stranger;
    const struct note *known = notes_find(notes, name);
    if (known) return &notes->all[known - notes->all];
    struct note *note = add_note(notes, settings);
    *note = (struct note){0};
    keep_text(note->name, sizeof note->name, name);
    return note;
}

void note_refused(struct note *note, const char *code, struct str why, int64_t wall_us) {
    if (note->code && wall_us - note->at_us >= LASTING_US) note->refusals = 0;
    if (!note->refusals++) note->first_us = wall_us;
    note->code = code;
    note->at_us = wall_us;
    keep_text(note->why, sizeof note->why, why);
}

void note_taken(struct notes *notes, struct str name) {
    const struct note *known = notes_find(notes, name);
    if (known) notes->all[known - notes->all].refusals = 0;
}

bool note_weighs(const struct note *note, int64_t wall_us) {
    return note && note->refusals >= NOTE_SEVERAL && wall_us - note->at_us < LASTING_US;
}

bool note_may_speak(struct note_line *line, int64_t now_us, int64_t *ret_unsaid) {
    if (now_us < line->again_us) {
        line->unsaid++;
        return false;
    }
    *ret_unsaid = line->unsaid;
    *line = (struct note_line){now_us + BETWEEN_LINES_US, 0};
    return true;
}
