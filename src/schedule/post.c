/* schedule/post.c - see post.h. */
#include "schedule/post.h"

#include "base/json.h"
#include "base/when.h"
#include "schedule/zone.h"

#define MARK ((struct str){"---", 3})

/* Takes a line off the front, without its end. */
static bool take_line(struct str *rest, struct str *ret_line) {
    if (!str_next(rest, '\n', ret_line)) return false;
    if (str_ends(*ret_line, STR("\r"))) ret_line->n--;
    return true;
}

static bool is_mark(struct str line) {
    while (line.n && (line.p[line.n - 1] == ' ' || line.p[line.n - 1] == '\t')) line.n--;
    return str_eq(line, MARK);
}

#define PLAIN_MAX 24
struct plain {
    char p[PLAIN_MAX];
    size_t n;
};

/* Without capitals, and without what stands between words: publishAt, Publish-At and publish_at are one. A name that is
 * longer than any that is looked for is cut. */
static struct plain plain_name(struct str name) {
    struct plain plain = {.n = 0};
    for (size_t i = 0; i < name.n && plain.n < PLAIN_MAX; i++) {
        char c = name.p[i];
        if (c != '_' && c != '-' && c != ' ') plain.p[plain.n++] = c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
    }
    return plain;
}

static bool is_among(struct str text, const char *const *words) {
    for (; *words; words++)
        if (str_eq(text, str_from(*words))) return true;
    return false;
}

/* Whether a line of a file without front matter was meant to be in one: its name is one that posts have. */
static bool is_lost_front(struct str line, struct str *ret_name) {
    static const char *const words[] = {"title", "titel", "draft", "date", NULL};
    size_t colon = str_find(line, ':');
    if (colon == SIZE_MAX || (colon + 1 < line.n && line.p[colon + 1] != ' ')) return false;
    *ret_name = str_sub(line, 0, colon);
    struct plain plain = plain_name(*ret_name);
    struct str name = {plain.p, plain.n};
    return is_among(name, words) || str_distance(name, STR("publishat"), 1) <= 1;
}

bool post_split(struct str text, struct str *ret_front, struct str *ret_body, struct str *ret_problem) {
    struct str rest = text, line;
    if (str_starts(rest, STR("\xef\xbb\xbf"))) rest = str_sub(rest, 3, rest.n);
    if (!str_is_utf8(rest)) {
        *ret_problem = STR("it is not UTF-8");
        return false;
    }
    *ret_front = STR("");
    *ret_body = str_trim(rest);
    bool more;
    while ((more = take_line(&rest, &line)) && !str_trim(line).n) continue;
    struct str name;
    if (more && is_lost_front(line, &name)) {
        *ret_problem = STR("it begins as front matter does, and no line '---' stands before it: put one there, and "
                           "one behind it");
        return false;
    }
    if (!more || !is_mark(line)) return true;
    for (struct str front = {rest.p, 0}; take_line(&rest, &line);) {
        front.n = (size_t)(line.p - front.p);
        if (!is_mark(line)) continue;
        *ret_front = front;
        *ret_body = str_trim(rest);
        if (front.n <= FRONT_BYTES_MAX) return true;
        *ret_problem = STR("its front matter is larger than 16 KiB");
        return false;
    }
    *ret_problem = STR("its front matter, which begins with '---', has no second '---'");
    return false;
}

/* With an offset it is an instant, without one a time in the zone. */
static bool read_moment(struct str text, const struct zone *zone, int64_t *ret_us) {
    int64_t local_us;
    if (when_parse(text, ret_us)) return true;
    if (!when_parse_local(text, &local_us)) return false;
    *ret_us = zone_instant(zone, local_us / US_PER_S) * US_PER_S;
    return *ret_us >= 0;
}

/* The members of the front matter, then our own. */
static struct str payload_of(struct str file, const struct tree *front, struct str body, struct arena *arena) {
    struct buf buf = {.arena = arena};
    buf_byte(&buf, '{');
    for (size_t i = 0; front && i < front->count; i++) {
        json_quote(&buf, front->names[i]);
        buf_byte(&buf, ':');
        tree_json(&buf, front->items[i]);
        buf_byte(&buf, ',');
    }
    buf_add(&buf, STR("\"file\":"));
    json_quote(&buf, file);
    buf_add(&buf, STR(",\"body\":"));
    json_quote(&buf, body);
    buf_byte(&buf, '}');
    return buf_str(&buf);
}

/* The member of a front matter without publish_at that was meant to be it; STR_NONE = none was. A name such as
 * `published` or `date` is one if what it says is a time, or begins as a date does. */
static struct str meant_moment(const struct tree *front, const struct zone *zone) {
    static const char *const words[] = {"date", "datetime", "time", "when", "scheduledat", "pubdate", "datum", NULL};
    for (size_t i = 0; front && i < front->count; i++) {
        const struct tree *item = front->items[i];
        struct plain plain = plain_name(front->names[i]);
        struct str name = {plain.p, plain.n};
        int64_t us;
        bool near = str_distance(name, STR("publishat"), 1) <= 1, is_time = false;
        if (item->kind == TREE_SCALAR) {
            struct str text = item->text;
            is_time = read_moment(text, zone, &us) || (text.n == 10 && text.p[4] == '-' && text.p[7] == '-');
        }
        bool dated = is_time && (str_starts(name, STR("publish")) || is_among(name, words));
        if (item->kind != TREE_NULL && (near || dated)) return front->names[i];
    }
    return STR_NONE;
}

/* A name that is nearly `title` where there is none: whoever reads the payload finds no title. */
static struct str doubt_of(const struct tree *front, struct arena *arena) {
    if (tree_get(front, STR("title"))) return STR_NONE;
    for (size_t i = 0; front && i < front->count; i++) {
        struct plain plain = plain_name(front->names[i]);
        struct str name = {plain.p, plain.n};
        if (name.n < 4 || name.n > 6 || name.p[0] != 't' || str_distance(name, STR("title"), 2) > 2) continue;
        return str_fmt(arena, "its front matter says '%.*s' and has no 'title'",
                       STR_ARG(str_head(front->names[i], 40)));
    }
    return STR_NONE;
}

static bool says(const struct tree *item, const char *word, const char *other) {
    return item->kind == TREE_SCALAR &&
           (str_eq_nocase(item->text, str_from(word)) || str_eq_nocase(item->text, str_from(other)));
}

/* The member that was meant to keep back what has a time, as Draft: true or published: false; STR_NONE = none was. It
 * must not be passed over: the file would be published. */
static struct str meant_draft(const struct tree *front) {
    for (size_t i = 0; front && i < front->count; i++) {
        struct plain name = plain_name(front->names[i]);
        struct str plain = {name.p, name.n};
        bool near = str_distance(plain, STR("draft"), 1) <= 1 && !str_eq(front->names[i], STR("draft"));
        if (near && says(front->items[i], "true", "yes")) return front->names[i];
        if (str_eq(plain, STR("published")) && says(front->items[i], "false", "no")) return front->names[i];
    }
    return STR_NONE;
}

/* `draft: true` keeps back what has a time. False: it says neither. */
static bool read_draft(const struct tree *draft, bool *ret_draft) {
    *ret_draft = false;
    if (!draft || draft->kind == TREE_NULL) return true;
    *ret_draft = draft->kind == TREE_SCALAR && str_eq(draft->text, STR("true"));
    return *ret_draft || (draft->kind == TREE_SCALAR && str_eq(draft->text, STR("false")));
}

bool post_read(struct str file, const struct tree *front, struct str body, const struct zone *zone, struct arena *arena,
               struct post *ret_post, struct str *ret_problem) {
    struct post post = {.draft = true};
    if (front && front->kind == TREE_NULL) front = NULL;
    if (front && front->kind != TREE_MAP) {
        *ret_problem = STR("its front matter is no map of names to values");
        return false;
    }
    if (tree_get(front, STR("file")) || tree_get(front, STR("body"))) {
        *ret_problem = STR("its front matter may not name 'file' or 'body': these are the file's name and the text "
                           "below");
        return false;
    }
    const struct tree *moment = tree_get(front, STR("publish_at"));
    struct str meant = moment ? STR_NONE : meant_moment(front, zone), kept = meant_draft(front);
    bool held_back;
    if (moment && kept.p) {
        *ret_problem = str_fmt(arena, "its front matter says '%.*s': what keeps a file back is draft: true",
                               STR_ARG(str_head(kept, 40)));
        return false;
    }
    if (kept.p || (read_draft(tree_get(front, STR("draft")), &held_back) && held_back))
        meant = STR_NONE; /* it waits on purpose */
    if (meant.p) {
        *ret_problem = str_fmt(arena, "its front matter says '%.*s': the time at which it is published is publish_at",
                               STR_ARG(str_head(meant, 40)));
        return false;
    }
    if (!read_draft(tree_get(front, STR("draft")), &held_back)) {
        *ret_problem = STR("draft takes true, so that it is not published, or false");
        return false;
    }
    if (moment && moment->kind != TREE_NULL) {
        post.draft = false;
        if (moment->kind != TREE_SCALAR || !read_moment(moment->text, zone, &post.due_us)) {
            struct str shown = str_head(moment->text, 40);
            *ret_problem = str_fmt(arena,
                                   "publish_at '%.*s' is no time: write 2026-12-01 09:00, or with an offset "
                                   "2026-12-01T09:00:00+01:00",
                                   STR_ARG(shown));
            return false;
        }
    }
    if (held_back) post = (struct post){.draft = true};
    post.doubt = doubt_of(front, arena);
    post.payload = payload_of(file, front, body, arena);
    *ret_post = post;
    return true;
}

struct event post_event(const struct source_settings *source, struct str file, const struct post *post,
                        struct arena *arena) {
    return (struct event){.type = source->folder.event,
                          .source = source->name,
                          .key = str_fmt(arena, "%.*s:%.*s", STR_ARG(source->name), STR_ARG(file)),
                          .payload = post->payload,
                          .scheduled_us = post->due_us};
}
