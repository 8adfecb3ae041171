/* api/alerts.c - people are told what waits for them: what `todo` finds becomes events of drumbeat's own, which the
 * route of the section `alerts` sends like any other. See model/alert.h for the rule.
 *
 * Nothing is told of what tells: trouble of the destinations of that route, of the route itself, or of these events
 * stands in `todo` and `status` alone, because a message about it would meet the same trouble. */
#include "api/body.h"
#include "api/todo.h"
#include "base/json.h"
#include "ingest/intake.h"
#include "model/alert.h"
#include "model/chore.h"
#include "schedule/day.h"
#include "store/report.h"

/* ---- events ---- */

/* The key names the moment: the book sees to it that nothing is told twice, and is written with the events. */
static struct event own_event(const struct call *call, const char *type, struct str subject, struct str payload) {
    const struct intake_context context = events_context(call);
    struct event event = {.type = str_from(type),
                          .source = STR(EVENT_OWN_SOURCE),
                          .key = str_fmt(call->arena, "%s/%.*s/%.*s", type, STR_ARG(subject),
                                         STR_ARG(when_str(call->arena, call->wall_us))),
                          .payload = payload,
                          .scheduled_us = call->wall_us};
    struct json *root = NULL;
    (void)!json_parse(payload, JSON_DEPTH_MAX, &root, NULL); /* it was written here */
    intake_complete(&context, root, &event);
    json_free(root);
    return event;
}

static void tell(struct call *call, const struct alert_news *news) {
    const struct alert *alert = &news->alert;
    struct str subject =
        str_fmt(call->arena, "%.*s/%.*s", STR_ARG(alert->cause), STR_ARG(str_head(alert->name, EVENT_TYPE_MAX)));
    call->events[call->event_count++] =
        own_event(call, news->cause ? ALERT_EVENT : ALERT_OVER_EVENT, subject, alert_payload(news, call->arena));
}

/* ---- what is told ---- */

static bool carries_alerts(const struct settings *settings, struct str destination) {
    const struct route_settings *route = settings->alerts.route;
    for (size_t i = 0; i < route->step_count; i++)
        if (str_eq(settings->destinations[route->steps[i].destination].name, destination)) return true;
    return false;
}

static bool is_own_trouble(const struct settings *settings, const struct cause *cause) {
    if (str_eq(cause->kind, STR("destination"))) return carries_alerts(settings, cause->name);
    if (str_eq(cause->kind, STR("route"))) return str_eq(cause->name, STR(ALERT_ROUTE));
    return str_eq(cause->kind, STR("type")) && str_starts(cause->name, STR(EVENT_OWN));
}

/* ---- the sheet of a day ---- */

static void say_line(struct buf *text, const struct sheet_line *line) {
    bool first = true;
    for (int i = SHEET_IN + 1; i < SHEET_WRONG; i++) {
        if (!line->counts[i]) continue;
        buf_fmt(text, "%s%lld %s", first ? " = " : " + ", (long long)line->counts[i], sheet_text((enum sheet_column)i));
        first = false;
    }
}

static struct str report_text(struct call *call, const struct sheet *sheet, size_t waiting) {
    struct buf text = {.arena = call->arena};
    int64_t in = sheet->lines[0].counts[SHEET_IN];
    buf_fmt(&text, "drumbeat on %.*s (%.*s): %lld %s came in", STR_ARG(day_text(call->arena, sheet->day)),
            STR_ARG(report_zone(call)), (long long)in, in == 1 ? "event" : "events");
    say_line(&text, &sheet->lines[0]);
    for (size_t i = 1; i < sheet->count; i++) {
        buf_fmt(&text, "\n%.*s: %lld", STR_ARG(sheet->lines[i].destination),
                (long long)sheet->lines[i].counts[SHEET_IN]);
        say_line(&text, &sheet->lines[i]);
    }
    if (sheet->difference)
        buf_fmt(&text, "\nIt does not add up, by %lld: drumbeat verify", (long long)sheet->difference);
    else
        buf_add(&text, STR("\nIt adds up."));
    if (waiting)
        buf_fmt(&text, "\n%zu %s for you: drumbeat todo", waiting, waiting == 1 ? "thing waits" : "things wait");
    else
        buf_add(&text, STR("\nNothing waits for you."));
    return buf_str(&text);
}

static struct str report_payload(struct call *call, const struct chore_round *round, size_t waiting) {
    struct sheet sheet = sheet_of(round, call->arena);
    struct buf buf = {.arena = call->arena};
    buf_add(&buf, STR("{\"state\":\"report\""));
    encode_text(&buf, "text", report_text(call, &sheet, waiting));
    buf_fmt(&buf, ",\"waiting\":%zu,\"sheet\":%.*s}", waiting, STR_ARG(report_answer(call, round)));
    return buf_str(&buf);
}

/* Sends the sheet of yesterday, once it is made, at its time; has it made where it is not. Nothing is sent of the days
 * before the first look: the server was started, or told to, too late for them. */
static enum err look_at_report(struct call *call, struct alert_book *book, size_t waiting) {
    const struct schedules *schedules = call->standing->schedules;
    int64_t minutes = call->standing->settings->alerts.report - 1, day = day_reached(schedules, call->wall_us) - 1;
    if (minutes < 0) return ERR_NONE;
    bool is_time = call->wall_us >= day_moment(schedules, day + 1, minutes);
    if (!book->reported_day) book->reported_day = is_time ? day : day - 1;
    if (book->reported_day > day) book->reported_day = day; /* the clock was ahead */
    if (!is_time || book->reported_day == day) return ERR_NONE;
    struct chore_round round, fresh = {.name = chore_text(CHORE_REPORT), .mode = day, .started_us = call->wall_us};
    TRY(store_chore_get(call->store, fresh.name, call->arena, &round));
    bool whole_day =
        round.mode == day && round.started_us >= day_moment(schedules, day + 1, 0); /* not asked for during the day */
    if (whole_day && round.finished_us) {
        call->events[call->event_count++] =
            own_event(call, REPORT_EVENT, day_text(call->arena, day), report_payload(call, &round, waiting));
        book->reported_day = day;
        return ERR_NONE;
    }
    if (!chore_is_open(&round)) TRY(store_chore_set(call->store, &fresh));
    call->wishes |= WISH_REPORT;
    return ERR_NONE;
}

/* ---- the look ---- */

/* After a start nothing is known of certificates. What was told of one is not over until a call shows another. */
static void keep_unseen(const struct call *call, struct alert_book *book) {
    for (size_t i = 0; i < book->count; i++) {
        struct alert *alert = &book->alerts[i];
        bool unseen = str_eq(alert->cause, STR("certificate")) && certificate_is_unseen(call, alert->kind, alert->name);
        if (unseen && alert->told) alert->seen_us = call->wall_us;
    }
}

enum err api_alerts_look(void *self, struct call *call, struct str *state) {
    (void)self;
    const struct settings *settings = call->standing->settings;
    struct alert_book book = alert_book_read(*state, call->arena);
    struct alert_news_list news;
    struct todo todo;
    size_t count = 0;
    TRY(todo_find(call, &todo));
    keep_unseen(call, &book);
    for (size_t i = 0; i < todo.count; i++)
        if (!is_own_trouble(settings, &todo.causes[i])) todo.causes[count++] = todo.causes[i];
    alert_decide(&book, todo.causes, count, settings->alerts.every_us, call->wall_us, call->arena, &news);
    call->events = arena_array(call->arena, struct event, news.count + 1);
    for (size_t i = 0; i < news.count; i++) tell(call, &news.items[i]);
    TRY(look_at_report(call, &book, todo.count));
    *state = alert_book_write(&book, call->arena);
    return ERR_NONE;
}

/* ---- for people ---- */

static const char *state_text(const struct alert *alert, int64_t wall_us) {
    if (alert->told) return "firing";
    return alert_lasts(alert, wall_us) ? "waiting" : "over";
}

enum err api_alerts_list(struct call *call) {
    struct chore_round round;
    struct buf buf = {.arena = call->arena};
    TRY(store_chore_get(call->store, chore_text(CHORE_ALERTS), call->arena, &round));
    struct alert_book book = alert_book_read(round.result, call->arena);
    buf_add(&buf, STR("{\"items\":["));
    for (size_t i = 0; i < book.count; i++) {
        const struct alert *alert = &book.alerts[i];
        buf_fmt(&buf, "%s{\"state\":\"%s\"", i ? "," : "", state_text(alert, call->wall_us));
        encode_text(&buf, "cause", alert->cause);
        encode_text(&buf, "kind", alert->kind);
        encode_text(&buf, "name", alert->name);
        encode_time(&buf, "since", alert->since_us);
        encode_time(&buf, "seen_at", alert->seen_us);
        encode_time(&buf, "told_at", alert->told_us);
        buf_byte(&buf, '}');
    }
    return reply_list(call, &buf, 0);
}

enum err api_alerts_test(struct call *call) {
    enum err err;
    if (!body_empty(call) || events_refused(call, &err)) return ERR_NONE;
    if (!call->standing->settings->alerts.route)
        return serve_problem(call, ERR_NOT_NOW, STR("the configuration has no section 'alerts': nobody is told"), NULL);
    call->events = arena_array(call->arena, struct event, 1);
    call->events[call->event_count++] =
        own_event(call, ALERT_TEST_EVENT, call->request_id,
                  STR("{\"state\":\"test\",\"text\":\"drumbeat: this is a test, alerts arrive here\"}"));
    return ERR_NONE;
}

void api_alerts_tested(struct call *call) {
    char id[UUID_TEXT_LENGTH + 1];
    uuid_format(call->verdicts[0].verdict == APPEND_FRESH ? call->events[0].id : call->verdicts[0].event_id, id);
    (void)serve_json(call, 200, str_fmt(call->arena, "{\"success\":true,\"eventId\":\"%s\"}", id));
}
