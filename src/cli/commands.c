/* cli/commands.c - THE table of commands. */
#include "cli/commands.h"

#include "observe/log.h"

const struct option global_options[] = {
    {"config", 'c', "FILE", NULL, false,
     "The configuration; else $DRUMBEAT_CONFIG, ./drumbeat.yaml, /etc/drumbeat/drumbeat.yaml"},
    {"server", 0, "URL", NULL, false,
     "Ask this server instead of the local one; its key is in DRUMBEAT_KEY_FILE (a file) or DRUMBEAT_KEY"},
    {"output", 'o', "FORM", "table|json|ndjson|id", false, "How the answer is shown; json is what the API answers"},
    {"jq", 0, "EXPR", NULL, false, "Put the JSON answer through a jq expression"},
    {"quiet", 'q', NULL, NULL, false, "No talk: data and errors only"},
    {"verbose", 'v', NULL, NULL, false, "More talk"},
    {"color", 0, "WHEN", "auto|always|never", false, "Colour of status words; NO_COLOR turns it off too"},
    {"no-input", 0, NULL, NULL, false, "Ask nothing: what would be asked is done, as it is where there is no terminal"},
    {"yes", 'y', NULL, NULL, false, "Answer every question with yes"},
    {"dry-run", 'n', NULL, NULL, false, "Say what would be done, change nothing"},
    {"timeout", 0, "TIME", NULL, false, "How long to wait for an answer, as 30s (the default) or 5m"},
    {"help", 'h', NULL, NULL, false, "Help on the command"},
    {"version", 'V', NULL, NULL, false, "The version"},
    {0},
};

static const struct option serve_options[] = {
    {"hold", 0, NULL, NULL, false, "Take events in and store them, deliver nothing"},
    {"listen", 0, "HOST:PORT", NULL, false, "Overrides server.listen"},
    {"role", 0, "ROLE", "all|ingest|worker", false,
     "What this process does of the work on a store on PostgreSQL: take events in (ingest), deliver (worker), or all"},
    {"log-level", 0, "LEVEL", LOG_LEVELS, false,
     "The least that the log says; overrides log.level, -v (debug) and -q (warn)"},
    {"log-format", 0, "FORMAT", LOG_FORMATS, false, "How it says it; overrides log.format"},
    {0},
};
static const struct option demo_options[] = {
    {"port", 0, "N", NULL, false, "Listen here; else on any free port, with --receiver on 8129"},
    {"receiver", 0, NULL, NULL, false,
     "Only a destination on this machine: show what is sent to it and answer 200, until Ctrl-C"},
    {"script", 0, NULL, NULL, false, "Play the story by itself and end; exit 0 when each step really happened"},
    {0},
};
static const struct option login_options[] = {
    {"port", 0, "N", NULL, false,
     "The browser is sent back to this port of 127.0.0.1, or what you paste names it; 8119"},
    {"redirect", 0, "URL", NULL, false, "The provider sends the browser to this page instead: paste where you end"},
    {0},
};
static const struct option check_options[] = {
    {"strict", 0, NULL, NULL, false, "Warnings count as errors"},
    {"schema", 0, NULL, NULL, false, "Print the JSON Schema of the configuration instead, for editors"},
    {0},
};
static const struct option status_options[] = {
    {"watch", 0, NULL, NULL, false, "Again every two seconds, until Ctrl-C, also while the server starts anew"},
    {"exit-code", 0, NULL, NULL, false, "Exit with 9 when something needs a person"},
    {0},
};
static const struct option todo_options[] = {
    {"exit-code", 0, NULL, NULL, false, "Exit with 9 when there is something"},
    {0},
};
static const struct option tail_options[] = {
    {"type", 0, "GLOB", NULL, false, "Only events of such types, as 'landing.*', and their deliveries"},
    {"destination", 0, "NAME", NULL, false, "Only deliveries to this destination"},
    {"where", 0, "JQ", NULL, false,
     "Only events for which this is true, and their deliveries; . is the payload, $event the whole event"},
    {"since", 0, "TIME", NULL, false, "Begin in the past: RFC 3339, or a length of time as 2h"},
    {0},
};
static const struct option send_options[] = {
    {"data", 'd', "JSON|@FILE|-", NULL, true, "The payload: a JSON object, a file that holds it, or - for stdin"},
    {"key", 'k', "KEY", NULL, false, "The idempotency key; else a random one, which is shown"},
    {"source", 's', "NAME", NULL, false, "Where it comes from; else 'cli'"},
    {"at", 0, "TIME", NULL, false, "When it is due: RFC 3339, or a length of time from now as 2h"},
    {"wait", 'w', NULL, NULL, false, "Wait until nothing of it is open, and show what came of each delivery"},
    {0},
};
static const struct option event_filters[] = {
    {"status", 0, "STATUS", "PENDING|PROCESSING|COMPLETED|FAILED|HELD", false,
     "Only those with this status; HELD: with a delivery that is held"},
    {"delivery", 0, "STATUS", "HELD|FAILED", false,
     "Only those with a delivery that is held or failed, also while others of it are open"},
    {"type", 0, "TYPE", NULL, false, "Only those of this type"},
    {"source", 0, "NAME", NULL, false, "Only those from this source"},
    {"key", 'k', "KEY", NULL, false, "The one with this idempotency key"},
    {"where", 0, "JQ", NULL, false, "Only those for which this is true; . is the payload, $event the whole event"},
    {"since", 0, "TIME", NULL, false, "Made at or after: RFC 3339, or a length of time as 2h"},
    {"until", 0, "TIME", NULL, false, "Made before"},
    {"limit", 0, "N", NULL, false, "At most so many, up to 1000; else 50"},
    {"cursor", 0, "CURSOR", NULL, false, "Go on where a list ended"},
    {0},
};
static const struct option delivery_place[] = {
    {"event", 0, "ID", NULL, false, "Its event, for a key that is not among the newest 10,000 deliveries"},
    {0},
};
static const struct option delivery_filters[] = {
    {"status", 0, "STATUS", "PENDING|PROCESSING|COMPLETED|FAILED|UNKNOWN|HELD|SKIPPED", false,
     "Only those with this status"},
    {"destination", 0, "NAME", NULL, false, "Only those to this destination"},
    {"event", 0, "ID", NULL, false, "Only those of this event"},
    {"superseded", 0, NULL, NULL, false,
     "With --status: also those that a later run replaced; -o json and its like have them anyway"},
    {"resent", 0, NULL, NULL, false, "Only those sent again while nobody knew what had come of an earlier try"},
    {"since", 0, "TIME", NULL, false, "Made at or after: RFC 3339, or a length of time as 2h"},
    {"until", 0, "TIME", NULL, false, "Made before"},
    {"limit", 0, "N", NULL, false, "At most so many, up to 1000; else 50"},
    {"cursor", 0, "CURSOR", NULL, false, "Go on where a list ended"},
    {0},
};
#define CHOOSING_DELIVERIES                                                                                            \
    {"status", 0, "STATUS", "PENDING|FAILED|UNKNOWN|HELD", false, "All with this status, instead of ids"},             \
        {"destination", 0, "NAME", NULL, false, "All to this destination"},                                            \
        {"route", 0, "NAME", NULL, false, "All of this route"},                                                        \
        {"since", 0, "TIME", NULL, false, "Made at or after: RFC 3339, or a length of time as 2h"},                    \
        {"until", 0, "TIME", NULL, false, "Made before"}, {                                                            \
        "error", 0, "TEXT", NULL, false, "All whose error has this text"                                               \
    }
static const struct option sample_options[] = {
    {"set", 0, "PATH=VALUE", NULL, false, "A field of the body, as in customer.email=ada@example.com; several times"},
    {"data", 0, "JSON", NULL, false, "The body, or @FILE; its type and key are added where it has none"},
    {0},
};
static const struct option schedules_list_options[] = {
    {"next", 0, "N", NULL, false, "So many times of each; else 1"},
    {0},
};
static const struct option schedules_test_options[] = {
    {"zone", 0, "ZONE", NULL, false, "The time zone, as Europe/Berlin; else UTC"},
    {"from", 0, "TIME", NULL, false, "After this moment, in RFC 3339; else now"},
    {"next", 0, "N", NULL, false, "So many times; else 5"},
    {0},
};
static const struct option retry_options[] = {
    {"as-sent", 0, NULL, NULL, false, "A failed one goes with its old content; else its route makes it anew"},
    CHOOSING_DELIVERIES,
    {0},
};
static const struct option cancel_options[] = {CHOOSING_DELIVERIES, {0}};
static const struct option event_retry_options[] = {
    {"all", 0, NULL, NULL, false, "Also what is done already, and due now even if it was scheduled for later"},
    {"status", 0, "STATUS", "COMPLETED|FAILED", false,
     "All with this status, instead of ids; else FAILED, with --all both"},
    {"type", 0, "TYPE", NULL, false, "All of this type"},
    {"source", 0, "NAME", NULL, false, "All from this source"},
    {"route", 0, "NAME", NULL, false, "All with a failed delivery of this route, with --all a completed one too"},
    {"destination", 0, "NAME", NULL, false, "All with a failed delivery to this destination; --all likewise"},
    {"since", 0, "TIME", NULL, false, "Made at or after: RFC 3339, or a length of time as 2h"},
    {"until", 0, "TIME", NULL, false, "Made before"},
    {0},
};
static const struct option resolve_options[] = {
    {"as", 0, "WHAT", "delivered|not-delivered|retry", true, "What came of it"},
    {"note", 0, "TEXT", NULL, false, "Why, for the audit"},
    CHOOSING_DELIVERIES,
    {0},
};
static const struct option backup_options[] = {
    {"keep", 0, "N", NULL, false, "How many backups stay in the folder, the newest; 0 = all. 7 by default"},
    {0},
};
static const struct option restore_options[] = {
    {"force", 0, NULL, NULL, false, "Where there is a store: put it aside under another name"},
    {0},
};
static const struct option pause_options[] = {
    {"for", 0, "TIME", NULL, false, "Resume by itself after this long, as 2h; else when told to"},
    {"reason", 0, "TEXT", NULL, false, "Why, for whoever looks"},
    {0},
};
static const struct option destination_test_options[] = {
    {"send", 0, NULL, NULL, false, "Really send it, and show what the answer means"},
    {0},
};
static const struct option route_test_options[] = {
    {"event", 0, "FILE|ID", NULL, true, "A file as POST /v1/events takes it, or the id of a stored event"},
    {0},
};
static const struct option verify_options[] = {
    {"deep", 0, NULL, NULL, false, "Also every page of the file, every payload's fingerprint, every delivery's id"},
    {0},
};
static const struct option report_options[] = {
    {"day", 'd', "DAY", NULL, false,
     "today (the default), yesterday, or a date as 2026-11-27, in the zone of the configuration"},
    {0},
};
static const struct option replay_plan_options[] = {
    {"since", 0, "TIME", NULL, false, "Events made at or after: RFC 3339, or a length of time as 2h"},
    {"until", 0, "TIME", NULL, false, "Events made before"},
    {"type", 0, "GLOB", NULL, false, "Only events of such types, as 'landing.*'"},
    {"source", 0, "NAME", NULL, false, "Only events from this source"},
    {"route", 0, "NAME", NULL, false, "Only what this route makes of them"},
    {"destination", 0, "NAME", NULL, false, "Only what goes to this destination"},
    {"status", 0, "STATUS", "PENDING|PROCESSING|COMPLETED|FAILED|UNKNOWN|HELD|SKIPPED", false,
     "Only deliveries that stand so"},
    {"error", 0, "TEXT", NULL, false, "Only deliveries whose error has this text"},
    {"when", 0, "JQ", NULL, false, "Only events for which this jq holds, as a route's `when`: '.plan == \"pro\"'"},
    {"by", 0, "WHICH", "current|original", false,
     "By the configuration in force (the default), or with the content that each delivery had"},
    {"again", 0, NULL, NULL, false, "Also what is done already"},
    {0},
};
static const struct option replay_apply_options[] = {
    {"wait", 'w', NULL, NULL, false, "Wait until it is over"},
    {0},
};
static const struct option replay_show_options[] = {
    {"destination", 0, "NAME", NULL, false, "Of this destination; may be left out where the plan has but one"},
    {"would", 0, "WHAT", "send|offer|unknown|done|skipped|open|held|gone|moving", false,
     "Only those that this would become of, as the columns of `replay status` name it"},
    {"result", 0, "WHAT", "made|moved|none", false, "Only those that this became of by now"},
    {"route", 0, "NAME", NULL, false, "Only those of this route"},
    {"event", 0, "ID", NULL, false, "Only those of this event, by its id or the beginning of it"},
    {"failed", 0, NULL, NULL, false, "The events on which its --when failed, which are not in it"},
    {"limit", 0, "N", NULL, false, "At most so many, up to 1000; else 50"},
    {"cursor", 0, "CURSOR", NULL, false, "Go on where a list ended"},
    {0},
};
static const struct option replay_list_options[] = {
    {"limit", 0, "N", NULL, false, "At most so many, up to 1000; else 50"},
    {"cursor", 0, "CURSOR", NULL, false, "Go on where a list ended"},
    {0},
};
static const struct option reconcile_options[] = {
    {"destination", 0, "NAME", NULL, false, "Only what was sent to this destination"},
    {0},
};
static const struct option audit_options[] = {
    {"limit", 0, "N", NULL, false, "At most so many, up to 1000; else 50"},
    {"cursor", 0, "CURSOR", NULL, false, "Go on where a list ended"},
    {0},
};
static const struct option key_create_options[] = {
    {"role", 0, "ROLE", "ingest|read|operate|owner", true, "What it may do"},
    {"name", 0, "TEXT", NULL, false, "Whose it is"},
    {0},
};
static const struct option key_revoke_options[] = {
    {"open", 0, NULL, NULL, false, "Also the last one: then nobody on this machine needs a key any more"},
    {0},
};

static const struct option source_show_options[] = {
    {"html", 0, NULL, NULL, false, "The form, to be pasted into a page; of the configuration here, without a server"},
    {0},
};

static const struct option migrate_options[] = {
    {"to", 0, "URL", NULL, false,
     "Copy the store, which is a file, into this PostgreSQL database; the same command goes on where it was stopped"},
    {0},
};

const struct command commands[] = {
    {"demo", NULL, "", "The whole server with pretend providers; nothing leaves this machine", demo_options,
     "demo\ndemo --script\ndemo --receiver\n", command_demo, COMMAND_SIGNALS | COMMAND_DAILY},
    {"init", NULL, "[DIR]", "Write a first drumbeat.yaml", NULL, "init\ninit --yes /etc/drumbeat\n", command_init,
     COMMAND_CHANGES | COMMAND_DAILY},
    {"check", NULL, "[FILE]", "Find every mistake in a configuration", check_options,
     "check\ncheck --strict /etc/drumbeat/drumbeat.yaml\ncheck --schema > drumbeat.schema.json\n", command_check,
     COMMAND_JSON | COMMAND_DAILY},
    {"serve", NULL, "", "Run the server", serve_options,
     "serve\nserve -c /etc/drumbeat/drumbeat.yaml\nserve --hold\nserve --role worker --listen 127.0.0.1:8121\n",
     command_serve, COMMAND_SIGNALS | COMMAND_DAILY},
    {"apply", NULL, "", "Put the changed configuration in force in the running server", NULL, "apply -n\napply\n",
     command_apply, COMMAND_JSON | COMMAND_CHANGES | COMMAND_DAILY},
    {"status", NULL, "", "The server in one look", status_options,
     "status\nstatus --watch\nstatus --exit-code -q\nstatus --jq .waiting.due\n", command_status,
     COMMAND_JSON | COMMAND_SIGNALS | COMMAND_DAILY},
    {"todo", NULL, "", "What waits for a person, and the command that helps", todo_options,
     "todo\ntodo --exit-code -q\ntodo --jq '.items[].command'\n", command_todo, COMMAND_JSON | COMMAND_DAILY},
    {"hold", NULL, "[REASON]", "Let nothing leave, to no destination, until a release; events are taken in", NULL,
     "hold 'wrong text in the campaign'\n", command_hold, COMMAND_JSON | COMMAND_CHANGES},
    {"release", NULL, "", "Show what a hold kept, ask, and let it go", NULL, "release -n\nrelease --yes\n",
     command_release, COMMAND_JSON | COMMAND_CHANGES},
    {"tail", NULL, "", "Watch events come in and deliveries go out", tail_options,
     "tail\ntail --type 'landing.*' --since 1h\ntail -o ndjson | jq .status\n", command_tail,
     COMMAND_JSON | COMMAND_SIGNALS | COMMAND_DAILY},
    {"send", NULL, "TYPE", "Send one event", send_options,
     "send LEAD_CAPTURE --data '{\"email\":\"ada@example.com\"}' --wait\n"
     "send LEAD_CAPTURE --data @lead.json --key lead-41\n"
     "send CAMPAIGN_TRIGGER --data - --at 2h < campaign.json\n",
     command_send, COMMAND_JSON | COMMAND_CHANGES | COMMAND_SIGNALS | COMMAND_DAILY},
    {"events", "list", "", "Events, newest first", event_filters,
     "events list --status FAILED --since 1d\nevents list --key lead-41\n"
     "events list --where '.email == \"ada@example.com\"'\nevents list --jq '.items[].id'\n",
     command_events_list, COMMAND_JSON},
    {"events", "show", "ID", "One event with its deliveries and their attempts", NULL,
     "events show 01934f2a-8c3d\nevents show 01934f2a-8c3d -o json\n", command_events_show, COMMAND_JSON},
    {"events", "cancel", "ID", "Cancel what is still open of an event", NULL, "events cancel 01934f2a-8c3d\n",
     command_events_cancel, COMMAND_JSON | COMMAND_CHANGES},
    {"events", "retry", "[ID...]", "Route events again and make what is neither done nor cancelled, in a new run",
     event_retry_options,
     "events retry 01934f2a-8c3d\nevents retry --status FAILED --since 2h\nevents retry --route new-lead --all -n\n",
     command_events_retry, COMMAND_JSON | COMMAND_CHANGES},
    {"events", "release", "ID", "Let through what a form kept as spam", NULL, "events release 01934f2a-8c3d\n",
     command_events_release, COMMAND_JSON | COMMAND_CHANGES},
    {"deliveries", "list", "", "Deliveries, newest first", delivery_filters,
     "deliveries list --status HELD\ndeliveries list --destination crm -o id\n", command_deliveries_list, COMMAND_JSON},
    {"deliveries", "show", "ID|KEY", "One delivery with its attempts; by the provider's key too", delivery_place,
     "deliveries show 01934f2a-8c3d-7b11-9f7e-0a52c3d4e5f6\n"
     "deliveries show 5e0c1a77-93b4-8b11-9f7e-0a52c3d4e5f6 --event 01934f2a-8c3d-7f00-8a4e-62b1d0c9e8f7\n",
     command_deliveries_show, COMMAND_JSON},
    {"deliveries", "retry", "[ID...]", "Send again now; one that failed or was cancelled gets a new run", retry_options,
     "deliveries retry 01934f2a-8c3d-7b11\ndeliveries retry --status FAILED --destination crm --since 2h\n",
     command_deliveries_retry, COMMAND_JSON | COMMAND_CHANGES},
    {"deliveries", "cancel", "[ID...]", "Do not send; what failed is put aside", cancel_options,
     "deliveries cancel 01934f2a-8c3d-7b11\ndeliveries cancel --destination crm -n\n"
     "deliveries cancel --status FAILED --destination crm\n",
     command_deliveries_cancel, COMMAND_JSON | COMMAND_CHANGES},
    {"deliveries", "resolve", "[ID...]", "Say what came of those that are in doubt", resolve_options,
     "deliveries resolve --status UNKNOWN --destination crm --as retry\ndeliveries resolve 01934f2a-8c3d-7b11 --as "
     "delivered "
     "--note 'seen at the provider'\n",
     command_deliveries_resolve, COMMAND_JSON | COMMAND_CHANGES},
    {"destinations", "list", "", "Destinations with limits, breaker and backlog", NULL, "destinations list\n",
     command_destinations_list, COMMAND_JSON},
    {"destinations", "show", "NAME", "One destination", NULL, "destinations show crm\n", command_destinations_show,
     COMMAND_JSON},
    {"destinations", "test", "NAME", "Show a sample request to a destination, or really send it",
     destination_test_options, "destinations test crm\ndestinations test crm --send\n", command_destinations_test,
     COMMAND_JSON | COMMAND_CHANGES},
    {"destinations", "pause", "NAME", "Let its deliveries wait", pause_options, "destinations pause crm --for 6h\n",
     command_destinations_pause, COMMAND_JSON | COMMAND_CHANGES},
    {"destinations", "resume", "NAME", "Let its deliveries go; closes the breaker", NULL, "destinations resume crm\n",
     command_destinations_resume, COMMAND_JSON | COMMAND_CHANGES},
    {"destinations", "login", "NAME", "Let a person allow it at the provider, and give the server the token",
     login_options, "destinations login x\ndestinations login x --redirect https://example.com/done\n",
     command_destinations_login, COMMAND_JSON},
    {"connectors", "list", "", "What a destination's type may be: built in, and your own beside the configuration",
     NULL, "connectors list\nconnectors list --jq '.items[] | {name, secrets}'\n", command_connectors_list,
     COMMAND_JSON},
    {"connectors", "show", "NAME", "One connector: its settings, its actions, and what becomes of an unknown outcome",
     NULL, "connectors show slack\nconnectors show hubspot -o json\n", command_connectors_show, COMMAND_JSON},
    {"schedules", "list", "", "When schedules are due next", schedules_list_options,
     "schedules list\nschedules list --next 10\n", command_schedules_list, COMMAND_JSON},
    {"schedules", "test", "SCHEDULE", "Try out how a schedule is written: when it would be due", schedules_test_options,
     "schedules test 'Tue 09:00' --zone Europe/Berlin\nschedules test '*/15 8-17 * * Mon-Fri' --next 20\n",
     command_schedules_test, COMMAND_JSON},
    {"sources", "list", "", "Where events come from: webhooks, forms, schedules and folders, and what became of them",
     NULL, "sources list\n", command_sources_list, COMMAND_JSON},
    {"sources", "show", "NAME", "One source: its address for the sender's page, its counts; or a form as HTML",
     source_show_options, "sources show stripe\nsources show contact --html > form.html\n", command_sources_show,
     COMMAND_JSON},
    {"sources", "test", "NAME[.TYPE]", "The event that a sample of a source would become, without sending it",
     sample_options, "sources test stripe.invoice.paid\nsources test stripe --data @invoice.json\n",
     command_sources_test, COMMAND_JSON},
    {"sources", "types", "", "The senders whose webhooks are understood", NULL, "sources types\n",
     command_sources_types, COMMAND_JSON},
    {"trigger", NULL, "NAME[.TYPE]",
     "Post a sample, as its sender would sign it or a form send it, to the running server", sample_options,
     "trigger stripe.invoice.paid\ntrigger stripe --set data.object.customer_email=ada@example.com\n", command_trigger,
     COMMAND_JSON | COMMAND_CHANGES},
    {"routes", "list", "", "The routes in force", NULL, "routes list\n", command_routes_list, COMMAND_JSON},
    {"routes", "test", "ROUTE", "Print each request a route would send for an event", route_test_options,
     "routes test new-lead --event lead.json\nroutes test new-lead --event 01934f2a-8c3d -o json\n",
     command_routes_test, COMMAND_JSON},
    {"verify", NULL, "", "Check the store's invariants", verify_options, "verify --deep\n", command_verify,
     COMMAND_JSON},
    {"report", NULL, "", "The sheet of a day: what came in, and what became of it", report_options,
     "report\nreport --day yesterday\nreport --day 2026-11-27 -o json\n", command_report, COMMAND_JSON},
    {"replay", "plan", "", "Plan to send again: what would be sent, skipped, held, looked up; nothing is sent yet",
     replay_plan_options,
     "replay plan --since 2026-11-27T00:00:00Z --until 2026-11-28T00:00:00Z\nreplay plan --status FAILED --destination "
     "crm --error 'answered 503'\n",
     command_replay_plan, COMMAND_JSON | COMMAND_CHANGES},
    {"replay", "apply", "ID", "Carry a plan out, beside what is sent anyway", replay_apply_options,
     "replay apply 7\nreplay apply 7 --wait -y\n", command_replay_apply, COMMAND_JSON | COMMAND_CHANGES},
    {"replay", "status", "ID", "How far a replay is", NULL, "replay status 7\n", command_replay_status, COMMAND_JSON},
    {"replay", "show", "ID", "What would become, or became, of each delivery to a destination", replay_show_options,
     "replay show 7 --destination crm\nreplay show 7 --destination crm --would send -o id\nreplay show 7 --failed\n",
     command_replay_show, COMMAND_JSON},
    {"replay", "pause", "ID", "Stop a replay for a while", NULL, "replay pause 7\n", command_replay_pause,
     COMMAND_JSON | COMMAND_CHANGES},
    {"replay", "resume", "ID", "Let it go on", NULL, "replay resume 7\n", command_replay_resume,
     COMMAND_JSON | COMMAND_CHANGES},
    {"replay", "cancel", "ID", "End a replay; what it made stays", NULL, "replay cancel 7\n", command_replay_cancel,
     COMMAND_JSON | COMMAND_CHANGES},
    {"replay", "list", "", "Replays, newest first", replay_list_options, "replay list\n", command_replay_list,
     COMMAND_JSON},
    {"reconcile", NULL, "", "Look up now, at the provider, what nobody knows the end of", reconcile_options,
     "reconcile -n\nreconcile --destination forum\n", command_reconcile, COMMAND_JSON | COMMAND_CHANGES},
    {"alerts", "list", "", "What people were told of, and what is about to be", NULL,
     "alerts list\nalerts list --jq '.items[] | select(.state == \"firing\")'\n", command_alerts_list, COMMAND_JSON},
    {"alerts", "test", "", "Send a message where alerts go, and show whether it arrived", NULL,
     "alerts test\nalerts test --timeout 10s\n", command_alerts_test, COMMAND_JSON | COMMAND_CHANGES},
    {"chores", "list", "", "What the server does now and then, and how far it is", NULL,
     "chores list\nchores list --jq '.items[] | select(.running)'\n", command_chores_list, COMMAND_JSON},
    {"migrate", NULL, "", "Bring the store up to date, take a database of the seed's over, or move to PostgreSQL",
     migrate_options, "migrate -n\nmigrate\nmigrate --to postgres://drumbeat@db.example.com/drumbeat\n",
     command_migrate, COMMAND_JSON | COMMAND_CHANGES | COMMAND_SIGNALS},
    {"audit", "list", "", "Who did what, newest first", audit_options,
     "audit list\naudit list --jq '.items[] | select(.act | startswith(\"resolve\"))'\n", command_audit_list,
     COMMAND_JSON},
    {"backup", NULL, "", "Copy the store while it serves, verify the copy, keep the newest", backup_options,
     "backup\nbackup --keep 30\n", command_backup, COMMAND_JSON | COMMAND_CHANGES},
    {"restore", NULL, "FILE", "Put a backup in the store's place; it starts held. The server must be stopped",
     restore_options, "restore backups/drumbeat-2026-11-28T091500Z.db\n", command_restore,
     COMMAND_JSON | COMMAND_CHANGES},
    {"vacuum", NULL, "",
     "Give the room of removed events in the store's file back to the disk; the server must be stopped", NULL,
     "vacuum -n\nvacuum\n", command_vacuum, COMMAND_JSON | COMMAND_CHANGES},
    {"keys", "create", "", "Make an API key; it is shown once", key_create_options,
     "keys create --role ingest --name landing-page\n", command_keys_create, COMMAND_JSON | COMMAND_CHANGES},
    {"keys", "list", "", "API keys, without their secrets", NULL, "keys list\n", command_keys_list, COMMAND_JSON},
    {"keys", "revoke", "ID", "End an API key", key_revoke_options, "keys revoke 3f2a8c3d\n", command_keys_revoke,
     COMMAND_JSON | COMMAND_CHANGES},
    {"explain", NULL, "CODE|KEY", "What an error code or a configuration key means, and what helps", NULL,
     "explain E0502\nexplain destinations.*.limit\n", command_explain, 0},
    {"version", NULL, "", "Version and build", NULL, "version -o json\n", command_version, COMMAND_JSON},
    {"completion", NULL, "SHELL", "The shell's completion script, for bash or zsh", NULL,
     "completion bash > /etc/bash_completion.d/drumbeat\ncompletion zsh > ~/.zfunc/_drumbeat\n", command_completion, 0},
    {"help", NULL, "[COMMAND] [VERB]", "Help on everything, or on one command", NULL, "help send\nhelp events list\n",
     command_help, 0},
    {"reference", NULL, "PAGE",
     "docs/cli.md (cli), docs/configuration.md (config), docs/providers.md (connectors), docs/metrics.md "
     "(metrics), one provider's page "
     "(connector/NAME, source/NAME), or a manual page (drumbeat.1, drumbeat.yaml.5), from the program's tables",
     NULL, "reference cli\n", command_reference, COMMAND_HIDDEN},
    {"jq-worker", NULL, "", "The process jq runs in", NULL, "", command_jq_worker, COMMAND_HIDDEN},
};
const size_t command_count = sizeof commands / sizeof commands[0];
