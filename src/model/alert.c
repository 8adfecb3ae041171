/* model/alert.c - see alert.h.
 *
 * WHAT  From what was remembered and what is there now to what people are told.
 * PROMISE  A cause is told at most once in `every` while it lasts and at most ALERT_TIMES_MAX times however often it
 *   comes and goes, whatever restarts and however many processes look. What was told is told to be over.
 * WHY IT HOLDS  The times of telling outlive the cause: an alert is forgotten only when it is over and `every` has
 *   passed since it was told. It is told again when the last time lies back by `every`, or when its end was told and
 *   the last time but ALERT_TIMES_MAX - 1 does. The book is written in the transaction that stores the events, under
 *   the lock of the chore, so a look that is dropped told nothing and remembers nothing. Several processes look one
 *   after the other, and some causes are seen by one of them alone (its Redis is away): so a cause is over when no look
 *   has found it for GONE_US.
 * WHAT BREAKS IT  A clock that is set back: it makes nothing silent until it has caught up, because times that lie
 *   ahead count as the present.
 * HOW TO SEE IT  `drumbeat alerts list`; the events of type drumbeat.alert.
 * TESTED BY  test/unit/model/test_alert.c, test/scenario/alerts*.txt.
 */
#include "model/alert.h"

#include <string.h>

#include "base/json.h"
#include "base/when.h"

#define GONE_US     (2 * US_PER_MIN + 30 * US_PER_S) /* two looks of a minute each, and a slow turn */
#define ERROR_SHOWN 300

/* How long a cause must last before it is told. What is not listed is told at once. */
static const struct {
    const char *cause;
    int64_t after_us;
} patiences[] = {
    {"breaker", 5 * US_PER_MIN},  {"unknown", 15 * US_PER_MIN}, {"limits", 5 * US_PER_MIN}, {"queue", 5 * US_PER_MIN},
    {"silence", 15 * US_PER_MIN}, {"overflow", 5 * US_PER_MIN}, {"clock", 5 * US_PER_MIN},  {"hold", US_PER_HOUR},
    {"paused", US_PER_HOUR},      {"chore", 15 * US_PER_MIN},   {"claim", US_PER_MIN},      {"routing", US_PER_MIN},
};

static int64_t patience_of(struct str cause) {
    for (size_t i = 0; i < sizeof patiences / sizeof *patiences; i++)
        if (str_eq(cause, str_from(patiences[i].cause))) return patiences[i].after_us;
    return 0;
}

/* ---- the book ---- */

struct str alert_book_write(const struct alert_book *book, struct arena *arena) {
    struct buf buf = {.arena = arena};
    if (!book->count && !book->reported_day) return STR("");
    buf_fmt(&buf, "{\"reported\":%lld,\"alerts\":[", (long long)book->reported_day);
    for (size_t i = 0; i < book->count; i++) {
        const struct alert *alert = &book->alerts[i];
        buf_add(&buf, i ? STR(",[") : STR("["));
        json_quote(&buf, alert->cause);
        buf_byte(&buf, ',');
        json_quote(&buf, alert->kind);
        buf_byte(&buf, ',');
        json_quote(&buf, alert->name);
        buf_fmt(&buf, ",%lld,%lld,%lld,%s", (long long)alert->since_us, (long long)alert->seen_us,
                (long long)alert->told_us, alert->told ? "true" : "false");
        for (size_t j = 0; j < ALERT_TIMES_MAX - 1; j++) buf_fmt(&buf, ",%lld", (long long)alert->before_us[j]);
        buf_byte(&buf, ']');
    }
    buf_add(&buf, STR("]}"));
    return buf_str(&buf);
}

static struct str text_at(const struct json *row, size_t at, struct arena *arena) {
    return str_dup(arena, json_text(json_at(row, at)));
}

struct alert_book alert_book_read(struct str text, struct arena *arena) {
    struct alert_book book = {0};
    struct json *root;
    if (!text.n || json_parse(text, JSON_DEPTH_MAX, &root, NULL)) return book;
    const struct json *rows = json_get(root, STR("alerts"));
    book.reported_day = json_integer(json_get(root, STR("reported")), 0);
    book.alerts = arena_array(arena, struct alert, json_size(rows));
    for (size_t i = 0; i < json_size(rows) && i < ALERTS_MAX; i++) {
        const struct json *row = json_at(rows, i);
        book.alerts[book.count++] = (struct alert){.cause = text_at(row, 0, arena),
                                                   .kind = text_at(row, 1, arena),
                                                   .name = text_at(row, 2, arena),
                                                   .since_us = json_integer(json_at(row, 3), 0),
                                                   .seen_us = json_integer(json_at(row, 4), 0),
                                                   .told_us = json_integer(json_at(row, 5), 0),
                                                   .told = json_true(json_at(row, 6))};
        int64_t *before_us = book.alerts[book.count - 1].before_us; /* a book of an earlier version has none */
        for (size_t j = 0; j < ALERT_TIMES_MAX - 1; j++) before_us[j] = json_integer(json_at(row, 7 + j), 0);
    }
    json_free(root);
    return book;
}

/* ---- the rule ---- */

bool alert_lasts(const struct alert *alert, int64_t wall_us) {
    return wall_us - alert->seen_us < GONE_US;
}

static bool is_of(const struct alert *alert, const struct cause *cause) {
    return str_eq(cause->cause, alert->cause) && str_eq(cause->kind, alert->kind) && str_eq(cause->name, alert->name);
}

static struct alert alert_of(const struct cause *cause, int64_t wall_us) {
    return (struct alert){
        .cause = cause->cause, .kind = cause->kind, .name = cause->name, .since_us = wall_us, .seen_us = wall_us};
}

/* The groups of one cause become one: their counts together, the words of the largest. */
static struct cause *join(const struct cause *causes, size_t count, struct arena *arena, size_t *ret_count) {
    struct cause *joined = arena_array(arena, struct cause, count);
    int64_t *largest = arena_array(arena, int64_t, count);
    size_t n = 0;
    for (size_t i = 0; i < count; i++) {
        const struct cause *cause = &causes[i];
        const struct alert wanted = alert_of(cause, 0);
        size_t at = 0;
        while (at < n && !is_of(&wanted, &joined[at])) at++;
        struct cause *into = &joined[at];
        if (at == n) {
            *into = *cause;
            into->others = 0;
            largest[n++] = cause->count;
            continue;
        }
        int64_t together = into->count + cause->count, oldest_us = into->oldest_us, others = into->others + 1;
        if (!oldest_us || (cause->oldest_us && cause->oldest_us < oldest_us)) oldest_us = cause->oldest_us;
        if (cause->count > largest[at]) {
            *into = *cause;
            largest[at] = cause->count;
        }
        into->count = together;
        into->oldest_us = oldest_us;
        into->others = others;
    }
    *ret_count = n;
    return joined;
}

static const struct cause *cause_of(const struct alert *alert, const struct cause *causes, size_t count) {
    for (size_t i = 0; i < count; i++)
        if (is_of(alert, &causes[i])) return &causes[i];
    return NULL;
}

static bool is_known(const struct cause *cause, const struct alert *alerts, size_t count) {
    for (size_t i = 0; i < count; i++)
        if (is_of(&alerts[i], cause)) return true;
    return false;
}

static int64_t not_ahead(int64_t us, int64_t now_us) {
    return us < now_us ? us : now_us;
}

static bool has_room(const struct alert_news_list *news) {
    return news->count < ALERTS_TOLD_MAX;
}

/* When what is back may be told: at once, unless it was told so often within `every`. */
static int64_t back_us(const struct alert *alert, int64_t every_us) {
    int64_t first_us = alert->before_us[ALERT_TIMES_MAX - 2];
    return first_us ? first_us + every_us : 0;
}

/* It is there. */
static void look_at(struct alert *alert, const struct cause *cause, int64_t every_us, int64_t wall_us,
                    struct alert_news_list *news) {
    if (!alert->told && !alert_lasts(alert, wall_us)) alert->since_us = wall_us; /* it is back */
    alert->seen_us = wall_us;
    if (wall_us - alert->since_us < patience_of(alert->cause)) return;
    int64_t again_us = alert->told ? alert->told_us + every_us : back_us(alert, every_us);
    if (wall_us < again_us || !has_room(news)) return;
    memmove(alert->before_us + 1, alert->before_us, sizeof alert->before_us - sizeof *alert->before_us);
    alert->before_us[0] = alert->told_us;
    alert->told_us = wall_us;
    alert->told = true;
    int64_t until_us = back_us(alert, every_us);
    news->items[news->count++] =
        (struct alert_news){*alert, cause, .silent_until_us = until_us > wall_us ? until_us : 0};
}

/* It is not. False: nothing of it need be remembered. */
static bool look_for(struct alert *alert, int64_t every_us, int64_t wall_us, struct alert_news_list *news) {
    if (alert_lasts(alert, wall_us)) return true;
    if (alert->told && !has_room(news)) return true;
    if (alert->told) news->items[news->count++] = (struct alert_news){.alert = *alert};
    alert->told = false;
    return alert->told_us && wall_us - alert->told_us < every_us;
}

void alert_decide(struct alert_book *book, const struct cause *causes, size_t count, int64_t every_us, int64_t wall_us,
                  struct arena *arena, struct alert_news_list *ret_news) {
    struct alert *kept = arena_array(arena, struct alert, ALERTS_MAX);
    size_t n = 0;
    struct cause *now = join(causes, count, arena, &count);
    ret_news->count = 0;
    for (size_t i = 0; i < book->count && n < ALERTS_MAX; i++) {
        struct alert alert = book->alerts[i];
        const struct cause *cause = cause_of(&alert, now, count);
        alert.since_us = not_ahead(alert.since_us, wall_us);
        alert.seen_us = not_ahead(alert.seen_us, wall_us);
        alert.told_us = not_ahead(alert.told_us, wall_us);
        for (size_t j = 0; j < ALERT_TIMES_MAX - 1; j++) alert.before_us[j] = not_ahead(alert.before_us[j], wall_us);
        bool stays = true;
        if (cause)
            look_at(&alert, cause, every_us, wall_us, ret_news);
        else
            stays = look_for(&alert, every_us, wall_us, ret_news);
        if (stays) kept[n++] = alert;
    }
    for (size_t i = 0; i < count && n < ALERTS_MAX; i++) {
        struct alert fresh = alert_of(&now[i], wall_us);
        if (is_known(&now[i], kept, n)) continue;
        look_at(&fresh, &now[i], every_us, wall_us, ret_news);
        kept[n++] = fresh;
    }
    book->alerts = kept;
    book->count = n;
}

/* ---- the message ---- */

/* Texts of strangers steer no chat: no lines of their own, nothing hidden, no mark-up. */
static struct str tame(struct str text, struct arena *arena) {
    struct buf buf = {.arena = arena};
    text = str_safe(arena, text, true);
    size_t end = str_head(text, ERROR_SHOWN).n;
    for (size_t i = 0; i < end; i++) {
        if (text.p[i] == '<')
            buf_add(&buf, STR("\xe2\x80\xb9"));
        else if (text.p[i] == '>')
            buf_add(&buf, STR("\xe2\x80\xba"));
        else
            buf_byte(&buf, text.p[i]);
    }
    if (end < text.n) buf_add(&buf, STR("..."));
    return buf_str(&buf);
}

static struct str subject_of(const struct alert *alert, struct arena *arena) {
    if (!alert->name.n) return alert->cause;
    return str_fmt(arena, "%.*s: %.*s %.*s", STR_ARG(alert->cause), STR_ARG(alert->kind), STR_ARG(alert->name));
}

/* "drumbeat needs you: failed: destination crm, 12 times, since 2026-11-28T10:00:00Z: answered 422" and what helps. */
static struct str message(const struct alert_news *news, int64_t since_us, struct arena *arena) {
    struct buf buf = {.arena = arena};
    struct str subject = subject_of(&news->alert, arena);
    struct str since = when_str(arena, since_us - since_us % US_PER_S);
    const struct cause *cause = news->cause;
    if (!cause) {
        buf_fmt(&buf, "drumbeat: it is over: %.*s (since %.*s)", STR_ARG(subject), STR_ARG(since));
        return buf_str(&buf);
    }
    buf_fmt(&buf, "drumbeat needs you: %.*s", STR_ARG(subject));
    if (cause->count > 1) buf_fmt(&buf, ", %lld times", (long long)cause->count);
    buf_fmt(&buf, ", since %.*s", STR_ARG(since));
    if (cause->error.n) buf_fmt(&buf, ": %.*s", STR_ARG(tame(cause->error, arena)));
    if (cause->others)
        buf_fmt(&buf, " (and %lld other %s: drumbeat todo)", (long long)cause->others,
                cause->others == 1 ? "error" : "errors");
    if (news->silent_until_us)
        buf_fmt(&buf, "\nIt comes and goes: if it is over and comes again, that is told after %.*s",
                STR_ARG(when_str(arena, news->silent_until_us - news->silent_until_us % US_PER_S)));
    /* The command runs as it stands, whole: todo makes none with such characters. */
    buf_fmt(&buf, "\n%.*s\n%.*s", STR_ARG(cause->command), STR_ARG(tame(cause->does, arena)));
    return buf_str(&buf);
}

static void add_text(struct buf *buf, const char *name, struct str text) {
    buf_fmt(buf, ",\"%s\":", name);
    if (text.n)
        json_quote(buf, text);
    else
        buf_add(buf, STR("null"));
}

struct str alert_payload(const struct alert_news *news, struct arena *arena) {
    const struct alert *alert = &news->alert;
    const struct cause *cause = news->cause;
    struct buf buf = {.arena = arena};
    int64_t since_us =
        cause && cause->oldest_us && cause->oldest_us < alert->since_us ? cause->oldest_us : alert->since_us;
    buf_fmt(&buf, "{\"state\":\"%s\"", cause ? "firing" : "resolved");
    add_text(&buf, "text", message(news, since_us, arena));
    add_text(&buf, "cause", alert->cause);
    add_text(&buf, "kind", alert->kind);
    add_text(&buf, "name", alert->name);
    add_text(&buf, "error", cause ? cause->error : STR_NONE);
    buf_fmt(&buf, ",\"count\":%lld,\"other_errors\":%lld", cause ? (long long)cause->count : 0,
            cause ? (long long)cause->others : 0);
    add_text(&buf, "since", when_str(arena, since_us));
    add_text(&buf, "command", cause ? cause->command : STR_NONE);
    add_text(&buf, "does", cause ? cause->does : STR_NONE);
    buf_byte(&buf, '}');
    return buf_str(&buf);
}
