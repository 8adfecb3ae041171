#include "fixture.h"

#include "store/sql.h"

/* What is prepared is planned once: here on empty tables, where PostgreSQL would rather read them whole, and kept for
 * whatever parameters come. No history may cost a turn anything. */

/* Those that look at all there is of something, and why that may be. */
static const enum sql_statement scans[] = {
    SQL_DESTINATION_LIST,   /* a handful */
    SQL_ROUTE_STOPS,        /* a handful */
    SQL_KEY_LIST,           /* a handful */
    SQL_INSTANCE_LIST,      /* a handful */
    SQL_INSTANCE_GONE,      /* a handful */
    SQL_AHEAD_ELDERS,       /* a handful */
    SQL_AHEAD_INSTANCES,    /* a handful */
    SQL_AHEAD_DESTINATIONS, /* a handful */
    SQL_AHEAD_ROUTES,       /* a handful */
    SQL_AHEAD_LIMITS,       /* once at a start: what windows still count */
    SQL_COUNT_FINAL,        /* asked for by name */
};

/* ... and the index that others must go by. */
static const struct {
    enum sql_statement statement;
    const char *index;
} expected[] = {
    {SQL_EVENT_OF_KEY, "marketing_events_idempotency_key_key"},
    {SQL_EVENT_DUE, "marketing_events_due"},
    {SQL_EVENT_NEXT, "marketing_events_due"},
    {SQL_EVENT_ROUTED, "marketing_events_seq_key"},
    {SQL_EVENT_LOCK, "marketing_events_pkey"},
    {SQL_EVENT_STAND, "deliveries_event_id_destination_step_run_key"},
    {SQL_EVENT_FINISH, "marketing_events_seq_key"},
    {SQL_EVENT_LIST, "marketing_events_seq_key"},
    {SQL_EVENT_LIST_FAILED, "marketing_events_failed"},
    {SQL_EVENT_LIST_HELD, "deliveries_held"},
    {SQL_EVENT_LIST_LOST, "deliveries_failed"},
    {SQL_DELIVERY_LIST_RESENT, "deliveries_pkey"},
    {SQL_AUDIT_LIST, "audit_pkey"},
    {SQL_AUDIT_OF, "audit_subject"},
    {SQL_DELIVERY_BLOCK, "deliveries_order"},
    {SQL_DELIVERY_UNBLOCK, "deliveries_order"},
    {SQL_DELIVERY_DUE, "deliveries_due"},
    {SQL_DELIVERY_NEXT, "deliveries_due"},
    {SQL_DELIVERY_NEXT_ALL, "deliveries_due"},
    {SQL_DELIVERY_OLDEST, "deliveries_due"},
    {SQL_DELIVERY_OF_BATCH, "deliveries_batch"},
    {SQL_DELIVERY_CLAIM, "deliveries_pkey"},
    {SQL_DELIVERY_SETTLE, "deliveries_pkey"},
    {SQL_DELIVERY_FREEZE, "deliveries_pkey"},
    {SQL_DELIVERY_EXPIRED, "deliveries_lease"},
    {SQL_DELIVERY_LEFT, "deliveries_lease"},
    {SQL_DELIVERY_FLYING, "deliveries_lease"},
    {SQL_DELIVERY_FLYING_OF, "deliveries_lease"},
    {SQL_ATTEMPT_SENDS_OF, "attempts_started"},
    {SQL_DELIVERY_ACT, "deliveries_id_key"},
    {SQL_DELIVERY_LIST, "deliveries_pkey"},
    {SQL_DELIVERY_LIST_HELD, "deliveries_held"},
    {SQL_DELIVERY_LIST_FAILED, "deliveries_failed"},
    {SQL_DELIVERY_LIST_PROCESSING, "deliveries_lease"},
    {SQL_DELIVERY_LIST_EVENT, "deliveries_event_id_destination_step_run_key"},
    {SQL_COUNT_CLAIMABLE, "deliveries_due"},
    {SQL_COUNT_DUE, "deliveries_due"},
    {SQL_COUNT_DUE_OF, "deliveries_due"},
    {SQL_COUNT_DOUBT, "deliveries_due"},
    {SQL_COUNT_BLOCKED, "deliveries_blocked"},
    {SQL_COUNT_PROCESSING, "deliveries_lease"},
    {SQL_COUNT_HELD, "deliveries_held"},
    {SQL_COUNT_FAILED, "deliveries_failed"},
    {SQL_REPLAY_EVENTS, "marketing_events_seq_key"},
    {SQL_REPLAY_DELIVERIES, "marketing_events_seq_key"},
    {SQL_REPLAY_ITEMS, "replay_items_pkey"},
    {SQL_REPLAY_NEXT, "replays_open"},
    {SQL_DOUBT_LIST, "deliveries_held"},
    {SQL_DOUBT_LOOK_UP, "deliveries_pkey"},
    {SQL_DOUBT_LOOK_NOW, "deliveries_due"},
    {SQL_REPORT_EVENTS, "marketing_events_seq_key"},
    {SQL_REPORT_OWED, "marketing_events_seq_key"},
    {SQL_REPORT_DELIVERIES, "marketing_events_seq_key"},
    {SQL_TODO_HELD, "deliveries_held"},
    {SQL_TODO_FAILED, "deliveries_failed"},
    {SQL_TODO_EVENTS, "marketing_events_failed"},
    {SQL_VERIFY_WINDOW_MARKETING_EVENTS, "marketing_events_seq_key"},
    {SQL_VERIFY_WINDOW_DELIVERIES, "deliveries_pkey"},
    {SQL_VERIFY_WINDOW_ATTEMPTS, "attempts_pkey"},
    {SQL_VERIFY_EVENTS, "marketing_events_seq_key"},
    {SQL_VERIFY_FANOUT, "deliveries_pkey"},
    {SQL_VERIFY_ORDER, "deliveries_pkey"},
    {SQL_VERIFY_ATTEMPTS, "deliveries_pkey"},
    {SQL_VERIFY_PAYLOADS, "marketing_events_seq_key"},
    {SQL_VERIFY_IDS, "deliveries_pkey"},
    {SQL_AHEAD_NEWEST, "attempts_started"},
    {SQL_AHEAD_LOOK_EVENTS, "marketing_events_seq_key"},
    {SQL_AHEAD_LOOK, "deliveries_pkey"},
    {SQL_AHEAD_MOVE, "deliveries_pkey"},
    {SQL_ORPHAN_LOOK, "deliveries_pkey"},
    {SQL_ATTEMPT_OF_EVENT, "deliveries_event_id_destination_step_run_key"},
    {SQL_RETIRE_LOOK, "marketing_events_seq_key"},
    {SQL_RETIRE_ATTEMPTS, "marketing_events_pkey"},
    {SQL_RETIRE_DELIVERIES, "marketing_events_pkey"},
    {SQL_RETIRE_EVENT, "marketing_events_pkey"},
};

static bool may_scan(enum sql_statement statement) {
    for (size_t i = 0; i < sizeof scans / sizeof *scans; i++)
        if (scans[i] == statement) return true;
    return false;
}

static const char *type_of(char letter) {
    return letter == 'i' ? "int8" : letter == 't' ? "text" : letter == 'b' ? "uuid" : "timestamptz";
}

/* A line a row; nothing for what has no plan. */
static struct sql_result plan_of(struct fixture *f, enum sql_statement statement) {
    const struct sql_text *text = sql_text(statement);
    size_t count = strlen(text->params);
    struct buf script = {.arena = &f->arena}, nulls = {.arena = &f->arena};
    struct sql_result plan = {0};
    if (!*text->postgres || !strncmp(text->name, "move", 4)) return plan; /* a move is of all there is */
    buf_fmt(&script, "PREPARE kept");
    for (int i = 0; i < (int)count; i++) {
        buf_fmt(&script, "%s%s%s", i ? ", " : "(", type_of(text->params[i]), text->batched ? "[]" : "");
        buf_fmt(&nulls, "%sNULL", i ? ", " : "(");
    }
    buf_fmt(&script, "%s AS %s; EXPLAIN EXECUTE kept%.*s%s", count ? ")" : "", text->postgres, STR_ARG(buf_str(&nulls)),
            count ? ")" : "");
    if (f->driver.script(f->driver.self, buf_str(&script), &f->arena, &plan))
        fail_msg("%s: %s", text->name, f->driver.trouble(f->driver.self));
    OK(f->driver.script(f->driver.self, STR("DEALLOCATE kept"), &f->arena, NULL));
    return plan;
}

static bool says(struct fixture *f, const struct sql_result *plan, const char *words) {
    for (size_t i = 0; i < plan->count; i++)
        if (strstr(str_dup(&f->arena, plan->rows[i].values[0].text).p, words)) return true;
    return false;
}

static void no_plan_reads_a_table_whole(void **state) {
    struct fixture *f = *state;
    OK(f->driver.script(f->driver.self, STR("SET plan_cache_mode = force_generic_plan"), &f->arena, NULL));
    for (int i = 0; i < SQL_STATEMENT_COUNT; i++) {
        struct sql_result plan = plan_of(f, (enum sql_statement)i);
        bool is_bad = says(f, &plan, "Seq Scan on") || says(f, &plan, "Hash Join") || says(f, &plan, "Merge Join");
        if (is_bad && !may_scan((enum sql_statement)i)) fail_msg("%s", sql_text((enum sql_statement)i)->name);
    }
}

static void statements_go_by_the_index_made_for_them(void **state) {
    struct fixture *f = *state;
    size_t wrong = 0;
    OK(f->driver.script(f->driver.self, STR("SET plan_cache_mode = force_generic_plan"), &f->arena, NULL));
    for (size_t i = 0; i < sizeof expected / sizeof *expected; i++) {
        struct sql_result plan = plan_of(f, expected[i].statement);
        if (says(f, &plan, expected[i].index)) continue;
        wrong++;
        print_error("%s does not use %s\n", sql_text(expected[i].statement)->name, expected[i].index);
        for (size_t j = 0; j < plan.count; j++) print_error("%.*s\n", STR_ARG(plan.rows[j].values[0].text));
    }
    assert_int_equal(wrong, 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        ON_POSTGRES(no_plan_reads_a_table_whole),
        ON_POSTGRES(statements_go_by_the_index_made_for_them),
    };
    return RUN_ON_EVERY_DRIVER(tests);
}
