/* cli/routes_test.c - routes test: what a route makes of an event, without sending it. */
#include <unistd.h>

#include "base/json.h"
#include "base/when.h"
#include "cli/commands.h"
#include "cli/rehearse.h"
#include "cli/show.h"
#include "config/keys.h"
#include "os/file.h"

#define EVENT_FILE_MAX ((size_t)64 << 20)

/* ---- the event ---- */

/* Reads the event from a file, or asks for a stored one: both have the API's names. */
static int read_event_text(struct cli *cli, struct str *ret_text) {
    struct str named = cli_value(cli, "event"), problem;
    struct asked asked;
    if (str_eq(named, STR("-")) || access(str_dup(cli->arena, named).p, F_OK) == 0) {
        if (!file_read(named, EVENT_FILE_MAX, cli->arena, ret_text, &problem)) return EXIT_DONE;
        return cli_fail(cli, EXIT_USAGE, "error: --event: %.*s", STR_ARG(problem));
    }
    if (str_find(named, '/') != SIZE_MAX || str_find(named, '.') != SIZE_MAX)
        return cli_fail(cli, EXIT_NOT_FOUND, "error: --event: there is no file %.*s", STR_ARG(named));
    int code = ask(cli, "GET", path_of(cli, "/v1/events/", named, ""), STR_NONE, &asked);
    if (code) return code;
    *ret_text = str_dup(cli->arena, asked.body);
    asked_free(&asked);
    return EXIT_DONE;
}

static struct str member_or(struct cli *cli, const struct json *root, struct str name, struct str otherwise) {
    struct str text = json_text(json_get(root, name));
    return text.p ? str_dup(cli->arena, text) : otherwise;
}

static int fill_event(struct cli *cli, const struct json *root, struct str text, struct event *event) {
    struct str scheduled = json_text(json_get(root, STR("scheduled_at"))), payload;
    if (json_type(json_get(root, STR("payload"))) != JSON_OBJECT || !json_slice(text, STR("payload"), &payload))
        return cli_fail(cli, EXIT_USAGE,
                        "error E0102: --event: an event has \"type\" and \"payload\", an object, as "
                        "POST /v1/events takes it");
    event->type = member_or(cli, root, STR("type"), STR(""));
    if (!event_type_valid(event->type)) return cli_fail(cli, EXIT_USAGE, "error E0102: --event: \"type\" is not valid");
    event->source = member_or(cli, root, STR("source"), STR("cli"));
    event->key = member_or(cli, root, STR("idempotency_key"), STR("test"));
    event->payload = payload;
    event->created_us = event->updated_us = event->scheduled_us = cli_wall_us();
    if (scheduled.p && !when_parse(scheduled, &event->scheduled_us))
        return cli_fail(cli, EXIT_USAGE, "error E0102: --event: \"scheduled_at\" is RFC 3339 with an offset");
    (void)uuid_parse(json_text(json_get(root, STR("id"))), &event->id);
    return EXIT_DONE;
}

static int read_event(struct cli *cli, struct event *event) {
    struct str text;
    struct json *root;
    struct json_error error;
    int code = read_event_text(cli, &text);
    if (code) return code;
    if (json_parse(text, ANSWER_DEPTH_MAX, &root, &error))
        return cli_fail(cli, EXIT_USAGE, "error E0101: --event is not valid JSON: line %zu, column %zu: %s", error.line,
                        error.column, error.text);
    code = fill_event(cli, root, text, event);
    json_free(root);
    return code;
}

/* ---- the rehearsal ---- */

static bool route_exists(const struct settings *settings, struct str name, struct suggestion *near) {
    for (size_t i = 0; i < settings->route_count; i++) {
        if (str_eq(settings->routes[i].name, name)) return true;
        suggestion_consider(near, settings->routes[i].name);
    }
    return false;
}

/* One delivery as JSON, with its request, or with what stands in its way. */
static struct json *rehearse_delivery(struct rehearsal *rehearsal, const struct delivery *delivery) {
    const struct settings *settings = rehearsal->setup->settings;
    struct outgoing outgoing = {0};
    struct str problem = delivery->last_error;
    struct json *item = json_object();
    const struct call_context context = {
        .destination = &settings->destinations[settings_destination(settings, delivery->destination)],
        .deliveries = &delivery,
        .count = 1,
        .now_us = cli_wall_us(),
        .hasher = rehearsal->hasher,
        .arena = rehearsal->cli->arena};
    json_set_str(item, "id", uuid_str(rehearsal->cli->arena, delivery->id));
    json_set_str(item, "key", uuid_str(rehearsal->cli->arena, delivery->key));
    json_set_str(item, "destination", delivery->destination);
    if (delivery->action.n) json_set_str(item, "action", delivery->action);
    json_set_str(item, "status", str_from(delivery_status_text(delivery->status)));
    json_set_str(item, "due", when_str(rehearsal->cli->arena, delivery->due_us));
    bool sends = delivery->status == DELIVERY_PENDING && !connect_request(&context, &outgoing, &problem);
    if (sends)
        json_set(item, STR("request"), rehearsal_request(rehearsal, &outgoing));
    else
        json_set_str(item, "problem", rehearsal_redact(rehearsal, problem));
    return item;
}

static void show_item(struct cli *cli, const struct json *item) {
    const struct json *request = json_get(item, STR("request"));
    struct str due = show_time(cli, show_member(cli, item, "due"));
    writer_fmt(&cli->out, "# %.*s, due %.*s\n", STR_ARG(show_target(cli, item)), STR_ARG(due));
    if (request)
        rehearsal_show(cli, request);
    else
        writer_fmt(&cli->out, "# nothing is sent: %.*s\n",
                   STR_ARG(str_safe(cli->arena, show_member(cli, item, "problem"), true)));
    writer_add(&cli->out, STR("\n"));
}

static int show_plan(struct rehearsal *rehearsal, const struct plan *plan, struct str route) {
    struct cli *cli = rehearsal->cli;
    struct json *answer = json_object(), *items = json_array();
    int code;
    for (size_t i = 0; i < plan->count; i++)
        if (str_eq(plan->deliveries[i].route, route))
            json_push(items, rehearse_delivery(rehearsal, &plan->deliveries[i]));
    json_set(answer, STR("items"), items);
    if (!json_size(items)) cli_say(cli, "route %.*s makes nothing of this event (from, source, when)", STR_ARG(route));
    if (!show_machine(cli, json_dump(cli->arena, answer), "id", &code))
        for (size_t i = 0; i < json_size(items); i++) show_item(cli, json_at(items, i));
    json_free(answer);
    return code;
}

/* The failure of this route alone. Other routes may fail on this event too, but nobody asked about them. */
static struct str failure_of(const struct plan *plan, struct str route) {
    for (size_t i = 0; i < plan->count; i++)
        if (plan->deliveries[i].status == DELIVERY_FAILED && str_eq(plan->deliveries[i].route, route))
            return plan->deliveries[i].last_error;
    return STR_NONE;
}

int command_routes_test(struct cli *cli) {
    struct str route = cli_argument(cli, 0);
    struct rehearsal rehearsal;
    struct event event = {0};
    struct suggestion near = {.wrong = route};
    int code = rehearsal_open(cli, &rehearsal);
    if (code) return code;
    struct evaluator evaluator = rehearsal_evaluator(&rehearsal);
    if (!route_exists(rehearsal.setup->settings, route, &near))
        code = cli_fail(cli, EXIT_NOT_FOUND, "error: no route is named '%.*s'%.*s", STR_ARG(route),
                        STR_ARG(suggestion_text(cli->arena, &near)));
    if (!code) code = read_event(cli, &event);
    if (!code) {
        struct plan plan = {0};
        if (uuid_is_zero(event.id)) event.id = uuid_derive(rehearsal.hasher, &event.key, 1);
        int64_t now_us = cli_wall_us();
        if (event.scheduled_us > now_us) now_us = event.scheduled_us; /* when it will be routed */
        route_events(rehearsal.setup->routes, &event, 1, now_us, rehearsal.hasher, &evaluator, cli->arena, &plan);
        struct str error = failure_of(&plan, route);
        code = error.n ? cli_fail(cli, EXIT_FAILED, "error: routing fails: %.*s", STR_ARG(error))
                       : show_plan(&rehearsal, &plan, route);
    }
    rehearsal_close(&rehearsal);
    return code;
}
