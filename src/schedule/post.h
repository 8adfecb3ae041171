/* schedule/post.h - a Markdown file with front matter, as what a folder publishes. Pure: the file was read and its
 * front matter parsed by others.
 *
 *   ---
 *   publish_at: 2026-12-01 09:00
 *   title: Winter is here
 *   ---
 *   What is posted.
 *
 * The payload is the front matter's members and, of its own, `file` and `body`.
 */
#ifndef SCHEDULE_POST_H
#define SCHEDULE_POST_H

#include "base/arena.h"
#include "base/tree.h"
#include "model/event.h"
#include "model/source.h"

#define FRONT_BYTES_MAX ((size_t)16384)

struct zone;

/* Parts a file at the lines `---`; a file without front matter is body alone. False, with the problem, when it is no
 * text or the front matter has no end. */
bool post_split(struct str text, struct str *ret_front, struct str *ret_body, struct str *ret_problem);

struct post {
    bool draft;     /* it has no publish_at, or says `draft: true`: it waits */
    int64_t due_us; /* else 0 */
    struct str payload;
    struct str doubt; /* what looks like a slip and keeps nothing back, as a sentence; "" = nothing does */
};
/* front NULL = there is none. False, with the problem as a sentence, when it cannot be published. */
bool post_read(struct str file, const struct tree *front, struct str body, const struct zone *zone, struct arena *arena,
               struct post *ret_post, struct str *ret_problem);
/* Its event; intake adds the rest. The key is the source's name and the file's. */
struct event post_event(const struct source_settings *source, struct str file, const struct post *post,
                        struct arena *arena);

#endif
