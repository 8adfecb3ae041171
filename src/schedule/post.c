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

bool post_split(struct str text, struct str *ret_front, struct str *ret_body, struct str *ret_problem) {
    struct str rest = text, line;
    if (str_starts(rest, STR("\xef\xbb\xbf"))) rest = str_sub(rest, 3, rest.n);
    if (!str_is_utf8(rest)) {
        *ret_problem = STR("it is not UTF-8");
        return false;
    }
    *ret_front = STR("");
    *ret_body = str_trim(rest);
    if (!take_line(&rest, &line) || !is_mark(line)) return true;
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
