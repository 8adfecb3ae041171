/* api/notes.c - see notes.h. */
#include "api/notes.h"

#include <stdlib.h>
#include <string.h>

#include "base/when.h"
#include "model/settings.h"
#include "model/source.h"

#define BETWEEN_LINES_US (60 * US_PER_S)
#define LASTING_US       US_PER_DAY /* a source whose last refusal is older is not worth a look any more */
#define QUIET_LEAST_US   US_PER_HOUR
#define QUIET_MOST_US    US_PER_DAY
#define UNKEPT_LASTS_US  (7 * US_PER_DAY)  /* a page that sends a field no more was mended */
#define USUAL_LASTS_US   (14 * US_PER_DAY) /* a night or a weekend is remembered for about so long */

struct notes {
    struct note stranger;
    const struct settings *first; /* those at the beginning; compared, never read */
    struct note *all;             /* of sources */
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
    size_t n = str_head(text, room_bytes - 1).n;
    if (n) memcpy(room, text.p, n);
    room[n] = 0;
}

static const struct source_settings *in_force(const struct settings *settings, struct str name) {
    for (size_t i = 0; settings && i < settings->source_count; i++)
        if (str_eq(settings->sources[i].name, name)) return &settings->sources[i];
    return NULL;
}

/* FNV-1a. Nobody gains by two secrets with the same one: the note would only keep what it knows. */
static uint64_t digest(uint64_t so_far, struct str text) {
    for (size_t i = 0; i <= text.n; i++) so_far = (so_far ^ (i < text.n ? (uint8_t)text.p[i] : 256)) * 0x100000001b3;
    return so_far;
}

static uint64_t secrets_of(const struct source_settings *source) {
    return digest(digest(digest(0xcbf29ce484222325, source->type), source->webhook.secret), source->webhook.old_secret);
}

/* Room for one more: that of a source that a reload removed, else new room. So there are never more notes than the
 * largest configuration had sources. */
static struct note *add_note(struct notes *notes, const struct settings *settings) {
    for (size_t i = 0; i < notes->count; i++)
        if (!in_force(settings, str_from(notes->all[i].name))) return &notes->all[i];
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
    const struct source_settings *source = in_force(settings, name);
    if (!notes->first) notes->first = settings;
    if (!source) return &notes->stranger;
    const struct note *known = notes_find(notes, name);
    struct note *note = known ? &notes->all[known - notes->all] : add_note(notes, settings);
    uint64_t secrets = secrets_of(source);
    if (known && note->secrets == secrets) return note;
    const struct note_line refused = note->refused, unkeyed = note->unkeyed;
    *note = (struct note){.secrets = secrets, .renewed = known || settings != notes->first};
    if (known) note->refused = refused, note->unkeyed = unkeyed;
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

void note_taken(struct note *note, int64_t wall_us) {
    int64_t gap_us = note->taken_us ? wall_us - note->taken_us : 0;
    double left = gap_us < USUAL_LASTS_US ? 1 - (double)gap_us / (double)USUAL_LASTS_US : 0;
    note->usual_us = (int64_t)((double)note->usual_us * left);
    if (gap_us > note->usual_us) note->usual_us = gap_us;
    note->taken_us = wall_us;
    note->refusals = 0;
}

/* How long nothing good may come until refusals weigh, and since when nothing did. */
static int64_t quiet_us(const struct note *note) {
    if (!note->taken_us) return note->renewed ? 0 : QUIET_LEAST_US;
    if (note->usual_us < QUIET_LEAST_US) return QUIET_LEAST_US;
    return note->usual_us < QUIET_MOST_US ? note->usual_us : QUIET_MOST_US;
}

bool note_weighs(const struct note *note, int64_t wall_us) {
    if (!note || note->refusals < NOTE_SEVERAL || wall_us - note->at_us >= LASTING_US) return false;
    return wall_us - (note->taken_us ? note->taken_us : note->first_us) >= quiet_us(note);
}

static struct unkept *unkept_place(struct note *note, struct str field) {
    struct unkept *least = &note->unkept[0];
    for (size_t i = 0; i < UNKEPT_MAX; i++) {
        struct unkept *at = &note->unkept[i];
        if (at->count && str_eq(str_from(at->name), field)) return at;
        if (at->count < least->count) least = at;
    }
    *least = (struct unkept){.count = 0};
    keep_text(least->name, sizeof least->name, field);
    return least;
}

void note_unkept(struct note *note, struct str field, int64_t wall_us) {
    struct unkept *unkept = unkept_place(note, str_head(field, UNKEPT_BYTES - 1));
    if (unkept->count && wall_us - unkept->last_us >= UNKEPT_LASTS_US) unkept->count = 0;
    if (!unkept->count++) unkept->first_us = wall_us;
    unkept->last_us = wall_us;
}

bool unkept_weighs(const struct unkept *unkept, int64_t wall_us) {
    return unkept->count >= UNKEPT_SEVERAL && wall_us - unkept->last_us < UNKEPT_LASTS_US;
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
