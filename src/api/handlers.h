/* api/handlers.h - the handlers behind the paths of serve.h's table, one file a
 * noun, and the JSON forms they share. The console, the CLI and scripts see
 * the same answers. */
#ifndef API_HANDLERS_H
#define API_HANDLERS_H

#include "api/serve.h"
#include "store/query.h"

serve_answer api_events_answer, api_events_retried, api_events_bulk_answer;
serve_answer api_deliveries_retried, api_deliveries_bulk_answer;
serve_take api_events_post, api_events_list, api_events_show, api_events_cancel, api_events_retry, api_events_bulk;
serve_take api_sources_list, api_sources_show, api_source_take;
serve_answer api_source_answer, api_form_answer, api_events_released;
serve_take api_form_take, api_form_show, api_form_options, api_events_release;
serve_take api_deliveries_list, api_deliveries_show, api_deliveries_retry, api_deliveries_cancel,
    api_deliveries_resolve, api_deliveries_bulk;
serve_take api_destinations_list, api_destinations_show, api_destinations_pause, api_destinations_resume,
    api_destinations_login;
serve_take api_hold, api_release, api_backup_show, api_backup_begin;
serve_take api_routes_list, api_schedules_list;
serve_take api_keys_list, api_keys_create, api_keys_revoke;
serve_take api_chores_list, api_verify_show, api_verify_begin;
serve_take api_alerts_list, api_alerts_test;
serve_answer api_alerts_tested;
serve_take api_report_show, api_report_begin, api_reconcile;
serve_take api_replays_plan, api_replays_list, api_replays_show, api_replays_items, api_replays_failures,
    api_replays_apply, api_replays_pause, api_replays_resume, api_replays_cancel;
serve_take api_status, api_todo, api_config_apply, api_audit;

/* Why no event can be taken in at all, whatever the request says; true: the reply was made. (events.c) */
bool events_refused(struct call *call, enum err *ret_err);
/* The webhook source (form: the form) that a path /in/NAME or /f/NAME names, and the name; NULL: there is none.
 * (sources.c) */
struct source_settings;
const struct source_settings *source_named(const struct call *call, bool form, struct str *ret_name);
/* Whether a form keeps a field of this name. (sources.c) */
bool form_declares(const struct source_settings *source, struct str name);
/* Of a request to the address of another kind: what the source of this name is, and where it is posted to; where there
 * is none, what is to be said otherwise. For the log and the owner; a stranger hears the same of any name. (sources.c)
 */
struct str source_words(const struct call *call, struct str name, struct str otherwise);
/* What intake needs of a call. (events.c) */
struct intake_context;
struct intake_context events_context(const struct call *call);

/* ---- encode.c ---- */
void encode_event(struct buf *buf, const struct event *event,
                  bool whole); /* without its closing brace, so that more may follow */
/* Likewise. call: what its destination's desk says of one that waits. ahead: what it waits for before that, "" =
 * nothing is known, as in a list, where no other delivery is looked at. */
void encode_delivery(const struct call *call, struct buf *buf, const struct delivery *delivery, struct str ahead);
/* For one that is shown alone or with its event: the delivery of its order key for which it waits. */
MUST_USE enum err find_ahead(const struct call *call, const struct delivery *delivery, struct str *ret_words);
void encode_attempts(struct buf *buf, const struct attempt *attempts, size_t count);
void encode_audit(struct buf *buf, const struct audit_row *row);
/* ,"acts":[...]: what people did to these things. */
MUST_USE enum err encode_acts(struct call *call, struct buf *buf, const struct str *subjects, size_t count);
void encode_time(struct buf *buf, const char *name, int64_t us); /* ,"name":"…" or null when 0 */
void encode_text(struct buf *buf, const char *name, struct str text);
/* ---- tokens.c: of destinations whose token is kept ---- */
struct token_list;
MUST_USE enum err tokens_list(struct call *call, struct token_list **ret_list);
/* When the token in force ends, and when the login it grows from does; null where that is not known. */
void encode_token(struct buf *buf, const struct token_list *list, struct str destination);
int64_t login_ends_soon(const struct call *call, const struct token_list *list, struct str destination); /* 0 = no */
bool has_no_login(const struct call *call, struct str destination); /* nothing is sent before a person logged in */
/* ---- certificates.c: of what a destination's servers showed ----
 * Until when it holds, and of which server; null and "" where that is not known. */
struct expiry;
void encode_expiry(struct buf *buf, const struct expiry *expiry);
void encode_certificate(const struct call *call, struct buf *buf, struct str destination);
const struct expiry *certificate_ends_soon(const struct call *call, struct str destination); /* NULL = no */
void encode_collector(const struct call *call, struct buf *buf, bool *first); /* among what is troubled */
/* The path's destination; false: refused. Its page. (destinations.c) */
bool destination_find(struct call *call, size_t *ret_desk);
enum err destination_reply(struct call *call, size_t desk);

/* Of a source that is a folder: ,"path":… how many files there are of each state and, with `whole`, which of them wait
 * or are wrong. (folders.c) */
void encode_folder(const struct call *call, struct buf *buf, struct str source, bool whole);
/* Of one that is a schedule: ,"schedule":… how it is written, and when it is due next. (schedules.c) */
void encode_schedule(const struct call *call, struct buf *buf, struct str source);
/* ,"schedules":[…]: the times at which schedules are due next, soonest first, at most so many. (schedules.c) */
void encode_schedules(const struct call *call, struct buf *buf, size_t most);
/* ,"troubled":[…] (troubled.c) */
MUST_USE enum err encode_troubled(struct call *call, struct buf *buf, const struct destination_counts *counts,
                                  size_t count);
MUST_USE enum err encode_hold(struct call *call, struct buf *buf); /* ,"hold_reason":… (hold.c) */
void encode_keys_kept(const struct call *call, struct buf *buf, struct str destination); /* ,"keys_kept_seconds":… */
/* The sources that make events by themselves: what they made and the store does not know of, they make again. */
void encode_made_again(const struct call *call, struct buf *buf, bool stale); /* ,"made_again":[…]: none if not stale */
/* Ends a list: {"items":[…  ->  …],"next":…}, with Link: rel="next". more_seq 0 = the end. */
enum err reply_list(struct call *call, struct buf *buf, int64_t more_seq);
/* ---- report.c ---- */
struct chore_round;
struct str day_text(struct arena *arena, int64_t day); /* "2026-11-27" of days since 1970 */
struct str report_answer(const struct call *call, const struct chore_round *round);
struct str report_zone(const struct call *call); /* in which the days of sheets are (schedules.c) */
/* limit and cursor of a list, and the moments it lies between (0 = open). */
struct page {
    size_t limit;
    int64_t cursor;
    int64_t since_us, until_us;
};
bool read_page(struct call *call, struct page *ret_page);   /* false: refused */
bool read_window(struct call *call, struct page *ret_page); /* since and until too */
/* The path's id, whole or a unique prefix; false: refused. by_prefix is one of query.h's. */
bool read_id(struct call *call, enum err (*by_prefix)(struct store *, struct str, struct arena *, struct uuid *),
             struct uuid *ret_id, enum err *ret_err);
/* What is said where no event (no delivery) has this id: of one of the other kind, the command that shows it. */
MUST_USE enum err no_such_event(struct call *call, struct uuid id, struct str *ret_words);
MUST_USE enum err no_such_delivery(struct call *call, struct uuid id, struct str otherwise, struct str *ret_words);
MUST_USE enum err reply_no_event(struct call *call, struct uuid id);

#endif
