/* api/endpoints.c - THE table of paths. */
#include "api/handlers.h"
#include "base/assets.h"

/* What this table says in the form that tools read. A test asks each of its paths. */
static enum err api_openapi(struct call *call) {
    for (size_t i = 0; i < builtin_asset_count; i++)
        if (str_eq(str_from(builtin_assets[i].path), STR("openapi.json")))
            return serve_json(call, 200,
                              (struct str){(const char *)builtin_assets[i].start,
                                           (size_t)(builtin_assets[i].end - builtin_assets[i].start)});
    return serve_problem(call, ERR_NOT_FOUND, STR("this build carries no description"), NULL);
}

#define STORE      false, false /* keys, and the store itself */
#define COPY       false, true
#define OPEN       true, false
#define EVENTS     "status type source idempotency_key delivery since until limit cursor"
#define DELIVERIES "status destination event_id resent since until limit cursor"

const struct endpoint endpoints[] = {
    {"POST", "/v1/events", KEY_INGEST, STORE, "", api_events_post, api_events_answer,
     "Take in one event, an array, or NDJSON"},
    {"GET", "/v1/events", KEY_READ, COPY, EVENTS, api_events_list, NULL, "List events, newest first"},
    {"GET", "/v1/events/{id}", KEY_READ, STORE, "", api_events_show, NULL,
     "One event with its deliveries and attempts"},
    {"POST", "/v1/events/{id}/cancel", KEY_OPERATE, STORE, "", api_events_cancel, NULL,
     "Cancel what is still open of an event"},
    {"POST", "/v1/events/{id}/retry", KEY_OPERATE, STORE, "", api_events_retry, api_events_retried,
     "A new run of what is not done, or of all, by the configuration in force; due now"},
    {"POST", "/v1/events/{id}/release", KEY_OPERATE, STORE, "", api_events_release, api_events_released,
     "What a form kept as spam becomes the event that it would have been"},
    {"POST", "/v1/bulk/events", KEY_OPERATE, STORE, "", api_events_bulk, api_events_bulk_answer, "Retry many events"},
    {"POST", "/v1/bulk/deliveries", KEY_OPERATE, STORE, "", api_deliveries_bulk, api_deliveries_bulk_answer,
     "Retry, cancel or resolve many deliveries"},
    {"POST", "/in/{source}", KEY_INGEST, OPEN, "", api_source_take, api_source_answer, "A sender's signed webhook"},
    {"GET", "/in/{source}", KEY_INGEST, OPEN, "", api_source_take, api_source_answer, "A sender's greeting"},
    {"POST", "/in/{source}/{secret}", KEY_INGEST, OPEN, "", api_source_take, api_source_answer,
     "A webhook of a sender that signs nothing"},
    {"POST", "/f/{form}", KEY_INGEST, OPEN, "", api_form_take, api_form_answer, "A form that somebody filled in"},
    {"GET", "/f/{form}", KEY_INGEST, OPEN, "", api_form_show, NULL, "A form's page"},
    {"OPTIONS", "/f/{form}", KEY_INGEST, OPEN, "", api_form_options, NULL,
     "Whether a page of another site may send it"},
    {"GET", "/v1/sources", KEY_READ, STORE, "", api_sources_list, NULL, "The sources in force"},
    {"GET", "/v1/sources/{name}", KEY_READ, STORE, "", api_sources_show, NULL, "One source"},
    {"GET", "/v1/deliveries", KEY_READ, COPY, DELIVERIES, api_deliveries_list, NULL, "List deliveries, newest first"},
    {"GET", "/v1/deliveries/{id}", KEY_READ, STORE, "event_id", api_deliveries_show, NULL,
     "One delivery with its attempts"},
    {"POST", "/v1/deliveries/{id}/retry", KEY_OPERATE, STORE, "", api_deliveries_retry, api_deliveries_retried,
     "Send again now; a failed one gets a new run"},
    {"POST", "/v1/deliveries/{id}/cancel", KEY_OPERATE, STORE, "", api_deliveries_cancel, NULL, "Do not send: SKIPPED"},
    {"POST", "/v1/deliveries/{id}/resolve", KEY_OPERATE, STORE, "", api_deliveries_resolve, api_deliveries_retried,
     "A person says what came of it"},
    {"GET", "/v1/destinations", KEY_READ, STORE, "", api_destinations_list, NULL,
     "Destinations with limits, breaker and backlog"},
    {"GET", "/v1/destinations/{name}", KEY_READ, STORE, "", api_destinations_show, NULL, "One destination"},
    {"POST", "/v1/destinations/{name}/pause", KEY_OPERATE, STORE, "", api_destinations_pause, NULL,
     "Hold its deliveries"},
    {"POST", "/v1/destinations/{name}/resume", KEY_OPERATE, STORE, "", api_destinations_resume, NULL,
     "Let them go; closes the breaker"},
    {"POST", "/v1/destinations/{name}/login", KEY_OWNER, STORE, "", api_destinations_login, NULL,
     "Keep the sealed token that a login came to, and let its deliveries go"},
    {"POST", "/v1/hold", KEY_OPERATE, STORE, "", api_hold, NULL,
     "Let nothing leave, to no destination, until a release"},
    {"POST", "/v1/release", KEY_OPERATE, STORE, "", api_release, NULL, "Let go what a hold kept"},
    {"GET", "/v1/backup", KEY_READ, STORE, "", api_backup_show, NULL, "The copy that was asked for last"},
    {"POST", "/v1/backup", KEY_OPERATE, STORE, "", api_backup_begin, NULL,
     "Copy the store while it serves; `drumbeat backup` follows, checks and names it"},
    {"GET", "/v1/routes", KEY_READ, STORE, "", api_routes_list, NULL, "The routes in force"},
    {"GET", "/v1/schedules", KEY_READ, STORE, "next", api_schedules_list, NULL, "When schedules are due next"},
    {"GET", "/v1/keys", KEY_OWNER, STORE, "", api_keys_list, NULL, "API keys, without their secrets"},
    {"POST", "/v1/keys", KEY_OWNER, STORE, "", api_keys_create, NULL, "Make a key; it is shown once"},
    {"POST", "/v1/keys/{id}/revoke", KEY_OWNER, STORE, "", api_keys_revoke, NULL, "End a key"},
    {"GET", "/v1/status", KEY_READ, STORE, "", api_status, NULL, "The server in one look"},
    {"GET", "/v1/todo", KEY_READ, STORE, "", api_todo, NULL, "What waits for a person, and the command that helps"},
    {"GET", "/v1/chores", KEY_READ, STORE, "", api_chores_list, NULL, "What is done now and then, and how far it is"},
    {"GET", "/v1/verify", KEY_OPERATE, STORE, "", api_verify_show, NULL,
     "The last check of the store's invariants, or the running one"},
    {"POST", "/v1/verify", KEY_OPERATE, STORE, "deep", api_verify_begin, NULL, "Begin to check the store's invariants"},
    {"GET", "/v1/report", KEY_READ, STORE, "", api_report_show, NULL, "The last sheet of a day, or how far it is"},
    {"POST", "/v1/report", KEY_OPERATE, STORE, "day", api_report_begin, NULL, "Begin to make the sheet of a day"},
    {"GET", "/v1/alerts", KEY_READ, STORE, "", api_alerts_list, NULL,
     "What people were told of, and what is about to be"},
    {"POST", "/v1/alerts/test", KEY_OPERATE, STORE, "", api_alerts_test, api_alerts_tested,
     "Send a message where alerts go"},
    {"POST", "/v1/reconcile", KEY_OPERATE, STORE, "", api_reconcile, NULL,
     "Look up now what nobody knows the end of, where the provider can be asked"},
    {"POST", "/v1/replays", KEY_OPERATE, STORE, "", api_replays_plan, NULL,
     "Plan to send again; nothing is sent until it is applied"},
    {"GET", "/v1/replays", KEY_READ, STORE, "limit cursor", api_replays_list, NULL, "Plans to send again"},
    {"GET", "/v1/replays/{id}", KEY_READ, STORE, "", api_replays_show, NULL, "One plan, and how far it is"},
    {"GET", "/v1/replays/{id}/items", KEY_READ, STORE, "destination limit cursor", api_replays_items, NULL,
     "What would become, or became, of each delivery to a destination"},
    {"GET", "/v1/replays/{id}/failures", KEY_READ, STORE, "limit cursor", api_replays_failures, NULL,
     "The events on which its `when` failed, which are not in it"},
    {"POST", "/v1/replays/{id}/apply", KEY_OPERATE, STORE, "", api_replays_apply, NULL, "Carry the plan out"},
    {"POST", "/v1/replays/{id}/pause", KEY_OPERATE, STORE, "", api_replays_pause, NULL, "Stop for a while"},
    {"POST", "/v1/replays/{id}/resume", KEY_OPERATE, STORE, "", api_replays_resume, NULL, "Go on"},
    {"POST", "/v1/replays/{id}/cancel", KEY_OPERATE, STORE, "", api_replays_cancel, NULL, "End it; what is made stays"},
    {"POST", "/v1/config/apply", KEY_OWNER, STORE, "", api_config_apply, NULL,
     "Check and put the configuration in force"},
    {"GET", "/v1/audit", KEY_OWNER, COPY, "limit cursor", api_audit, NULL, "Acts of operators"},
    {"GET", "/openapi.json", KEY_READ, STORE, "", api_openapi, NULL, "This API's description"},
};
const size_t endpoint_count = sizeof endpoints / sizeof endpoints[0];
