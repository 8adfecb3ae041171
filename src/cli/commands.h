/* cli/commands.h - the functions behind the table of commands, one file a noun. */
#ifndef CLI_COMMANDS_H
#define CLI_COMMANDS_H

#include "cli/command.h"

#define DEMO_RECEIVER_PORT "8129" /* where `demo --receiver` listens, and where `init` sends first */

command_run command_serve, command_demo, command_init, command_check, command_apply;
command_run command_status, command_todo, command_tail, command_send;
command_run command_events_list, command_events_show, command_events_cancel, command_events_retry,
    command_events_release;
command_run command_deliveries_list, command_deliveries_show, command_deliveries_retry, command_deliveries_cancel,
    command_deliveries_resolve;
command_run command_hold, command_release, command_backup, command_restore;
command_run command_destinations_list, command_destinations_show, command_destinations_test, command_destinations_pause,
    command_destinations_resume, command_destinations_login;
command_run command_connectors_list, command_connectors_show;
command_run command_routes_list, command_routes_test;
command_run command_schedules_list, command_schedules_test;
command_run command_sources_list, command_sources_show, command_sources_test, command_sources_types, command_trigger;
command_run command_chores_list, command_verify, command_report, command_reconcile, command_migrate, command_vacuum;
command_run command_replay_plan, command_replay_apply, command_replay_pause, command_replay_resume,
    command_replay_cancel, command_replay_status, command_replay_show, command_replay_list;
command_run command_alerts_list, command_alerts_test;
command_run command_audit_list;
command_run command_keys_create, command_keys_list, command_keys_revoke;
command_run command_explain, command_version, command_completion, command_help, command_reference;
command_run command_jq_worker;

#endif
