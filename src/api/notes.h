/* api/notes.h - what is remembered of requests that sources refused: when the log may speak of a source again, why the
 * last one was refused, and whether there were enough to trouble a person with.
 *
 * Anybody can post nonsense to a public address, so refusals alone say nothing of the source's own sender. They trouble
 * a person when NOTE_SEVERAL came with nothing good in between, the last within a day, and what is good stays away for
 * longer than it is used to: longer than it did lately between two requests, an hour at least and a day at most. So the
 * noise of strangers beside a sender that is heard says nothing, and a secret that was changed at the sender does.
 * Where nothing good came yet, nobody knows how often it comes: an hour since the first refusal has to pass; and no
 * time at all where the source is new since a reload or has other secrets since, because whoever changed that waits for
 * it.
 *
 * One note for each source in force that something came for, and one for all names that are none, so that strangers
 * can neither fill the memory nor keep the log from speaking of a source. A restart forgets them. Thread: the loop's.
 */
#ifndef API_NOTES_H
#define API_NOTES_H

#include "base/str.h"

#define NOTE_SEVERAL   5
#define UNKEPT_MAX     8   /* fields of one form that are remembered */
#define UNKEPT_SEVERAL 3   /* so often a field comes until it is no stranger's whim */
#define UNKEPT_BYTES   104 /* of a name, with its NUL */

struct settings;
struct notes;

/* Of lines that are written once a minute at most. */
struct note_line {
    int64_t again_us; /* the loop's clock: not before this */
    int64_t unsaid;   /* what was not written since the last line */
};

/* A field that a form does not declare, so that what people wrote into it was not kept. */
struct unkept {
    char name[UNKEPT_BYTES];
    int64_t count;             /* events that lack it; 0 = the place is free */
    int64_t first_us, last_us; /* wall time */
};

struct note {
    char name[48], why[200]; /* each ends with a NUL */
    const char *code;        /* of the last request that was refused; NULL = none was */
    int64_t at_us;           /* its wall time */
    int64_t refusals;        /* since the source took something, without a day between two of them */
    int64_t first_us;        /* wall time of the first of these */
    int64_t taken_us;        /* wall time of the last request that was good; 0 = none was */
    int64_t usual_us;        /* for how long nothing good came lately, at most */
    uint64_t secrets;        /* a digest: what was known of the source is forgotten when they change */
    bool renewed;            /* a reload brought the source, or other secrets of it */
    struct note_line refused, unkeyed;
    struct unkept unkept[UNKEPT_MAX];
};

struct notes *notes_new(void);
void notes_free(struct notes *notes);

/* The note of a source, made when there is none; the one for strangers when no source in force has the name. Borrowed
 * until the next call. */
struct note *notes_of(struct notes *notes, const struct settings *settings, struct str name);
/* NULL: nothing is known of a source of this name. Borrowed likewise. */
const struct note *notes_find(const struct notes *notes, struct str name);

void note_refused(struct note *note, const char *code, struct str why, int64_t wall_us);
void note_taken(struct note *note, int64_t wall_us); /* the source took what came */
/* Whether somebody should look at it, as said above. */
bool note_weighs(const struct note *note, int64_t wall_us);
/* An event was stored without what came in this field. A new one takes the place of the one that came least. */
void note_unkept(struct note *note, struct str field, int64_t wall_us);
/* Whether somebody should look at it: it came several times, and the last time within a week. */
bool unkept_weighs(const struct unkept *unkept, int64_t wall_us);
/* Whether a line may be written now; then *ret_unsaid is how many were not. */
bool note_may_speak(struct note_line *line, int64_t now_us, int64_t *ret_unsaid);

#endif
