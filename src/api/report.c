/* api/report.c - the sheet of a day: begins a round that makes it, and tells how far it is. */
#include "store/report.h"
#include "api/body.h"
#include "api/handlers.h"
#include "base/json.h"
#include "base/when.h"
#include "model/chore.h"
#include "schedule/day.h"

#define DATE_LENGTH 10

struct str day_text(struct arena *arena, int64_t day) {
    return str_sub(when_str(arena, day * US_PER_DAY), 0, DATE_LENGTH);
}

/* "today", "yesterday" or a date; false: refused. */
static bool read_day(struct call *call, int64_t *ret_day) {
    struct str text = request_query(call->request, STR("day"), call->arena);
    int64_t today = day_reached(call->standing->schedules, call->wall_us), us;
    *ret_day = today;
    if (!text.n || str_eq(text, STR("today"))) return true;
    *ret_day = today - 1;
    if (str_eq(text, STR("yesterday"))) return true;
    bool is_date =
        text.n == DATE_LENGTH && when_parse(str_fmt(call->arena, "%.*sT00:00:00Z", STR_ARG(text)), &us) && us > 0;
    if (is_date && us / US_PER_DAY <= today) {
        *ret_day = us / US_PER_DAY;
        return true;
    }
    (void)serve_problem(
        call, ERR_BAD_REQUEST,
        is_date ? STR("'day' lies ahead") : STR("'day' is today, yesterday, or a date such as 2026-11-27"), NULL);
    return false;
}

static void encode_line(struct buf *buf, const struct sheet_line *line) {
    buf_add(buf, STR("{\"destination\":"));
    if (line->destination.n)
        json_quote(buf, line->destination);
    else
        buf_add(buf, STR("null"));
    for (int i = 0; i < SHEET_COLUMNS; i++)
        buf_fmt(buf, ",\"%s\":%lld", sheet_text((enum sheet_column)i), (long long)line->counts[i]);
    buf_fmt(buf, ",\"difference\":%lld}", (long long)sheet_difference(line));
}

struct str report_answer(const struct call *call, const struct chore_round *round) {
    struct arena *arena = call->arena;
    struct sheet sheet = sheet_of(round, arena);
    struct buf buf = {.arena = arena};
    buf_fmt(&buf, "{\"day\":\"%.*s\"", STR_ARG(day_text(arena, sheet.day)));
    encode_text(&buf, "zone", report_zone(call));
    encode_time(&buf, "started_at", round->started_us);
    encode_time(&buf, "finished_at", round->finished_us);
    buf_fmt(&buf, ",\"running\":%s,\"progress\":%.3f,\"events\":", chore_is_open(round) ? "true" : "false",
            chore_share(round));
    encode_line(&buf, &sheet.lines[0]);
    buf_add(&buf, STR(",\"destinations\":["));
    for (size_t i = 1; i < sheet.count; i++) {
        if (i > 1) buf_byte(&buf, ',');
        encode_line(&buf, &sheet.lines[i]);
    }
    buf_fmt(&buf, "],\"difference\":%lld,\"adds_up\":%s}", (long long)sheet.difference,
            sheet.difference ? "false" : "true");
    return buf_str(&buf);
}

enum err api_report_show(struct call *call) {
    struct chore_round round;
    TRY(store_chore_get(call->store, chore_text(CHORE_REPORT), call->arena, &round));
    if (!round.started_us)
        return serve_problem(call, ERR_NOT_FOUND, STR("no sheet was made yet; POST /v1/report makes one"), NULL);
    return serve_json(call, 200, report_answer(call, &round));
}

/* Makes the whole sheet now: without a server there is nobody to take its steps later. */
static enum err report_at_once(struct call *call, struct chore_round *round) {
    const struct schedules *schedules = call->standing->schedules;
    int64_t since_us = day_moment(schedules, round->mode, 0);
    int64_t until_us = day_moment(schedules, round->mode + 1, 0);
    for (bool more = true; more; round->steps++)
        TRY(store_report_step(call->store, since_us, until_us, call->arena, round, &more));
    round->finished_us = call->wall_us;
    return serve_json(call, 200, report_answer(call, round));
}

/* Joins a round that is under way for the same day. */
enum err api_report_begin(struct call *call) {
    struct chore_round round, fresh = {.name = chore_text(CHORE_REPORT), .started_us = call->wall_us};
    if (!read_day(call, &fresh.mode) || !body_empty(call)) return ERR_NONE;
    if (!call->standing->running) return report_at_once(call, &fresh);
    TRY(store_chore_get(call->store, fresh.name, call->arena, &round));
    if (chore_is_open(&round) && round.mode != fresh.mode)
        return serve_problem(call, ERR_NOT_NOW,
                             str_fmt(call->arena, "the sheet of %.*s is being made; GET /v1/report follows it",
                                     STR_ARG(day_text(call->arena, round.mode))),
                             NULL);
    if (!chore_is_open(&round)) {
        TRY(store_chore_set(call->store, &fresh));
        round = fresh;
    }
    call->wishes |= WISH_REPORT;
    return serve_json(call, 202, report_answer(call, &round));
}
