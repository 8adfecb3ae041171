/* store/verify.c - whether the store keeps its promises.
 *
 * WHAT: a round over all rows, a window of a table at a time, each window judged by SQL, as tables.def names its rules,
 * and, deep, by what every row says of itself.
 * PROMISE: a step takes a few milliseconds at any size of the store, whatever the rows hold; a round that was broken
 * off goes on where its last committed step ended; each row that was there when the round came to its table, and still
 * is, is looked at once.
 * WHY IT HOLDS: a window is so many rows by the primary key, found before they are judged, so that gaps between seqs
 * cost nothing; payloads, the only thing that may be large, come by their bytes. Each rule is one statement, which sees
 * one moment, and what it needs of other tables it finds by an index. The state of a round is written with its step.
 * The end of a table is read once, as its part begins, so that a round ends while events keep coming.
 * WHAT BREAKS IT: the pages of an embedded file can be checked only in one go (docs/decisions/0008-chores.md): that
 * part is there only for who asks for it.
 * HOW TO SEE IT: `drumbeat chores list`, drumbeat_turn_seconds.
 * TESTED BY: test/conformance/test_verify.c, test_chores.c. */
#include "store/chore.h"

#include "base/hash.h"
#include "base/json.h"
#include "store/row.h"
#include "store/table.h"

#include <string.h>

#define VIOLATIONS_KEPT  ((size_t)100)
#define TEXT_BYTES_MAX   ((size_t)240) /* of a violation that is kept */
#define WINDOW_ROWS      128
#define PAIR_ROWS        512                  /* of a table whose rows are many and small under one number */
#define WINDOW_BYTES     ((int64_t)64 * 1024) /* of payloads */
#define RESULT_DEPTH_MAX 4

struct verifier {
    struct store *store;
    struct hasher *hasher;
    struct arena *arena;  /* what is handed back */
    struct arena *window; /* one window of rows, or one payload */
    struct chore_round *round;
    struct verification found;
    struct violation **end;
};

static void add_violation(struct verifier *verifier, const char *rule, struct str text) {
    if (verifier->found.violation_count++ >= VIOLATIONS_KEPT) return;
    struct violation *violation = arena_new(verifier->arena, struct violation);
    *violation = (struct violation){NULL, str_from(rule), str_dup(verifier->arena, str_head(text, TEXT_BYTES_MAX))};
    *verifier->end = violation;
    verifier->end = &violation->next;
}

static void blame(struct verifier *verifier, const struct table_rule *rule, struct uuid id, struct str what) {
    struct str name = uuid_is_zero(id) ? STR_NONE : uuid_str(verifier->window, id);
    add_violation(
        verifier, rule->name,
        str_fmt(verifier->window, "%s %.*s%s%.*s", rule->subject, STR_ARG(name), name.n ? " " : "", STR_ARG(what)));
}

/* ---- windows ---- */

/* Finds the next window of the part: from behind last_seq to *ret_upto. The last window ends where the part ends. */
static enum err next_window(struct verifier *verifier, enum sql_statement statement, int64_t rows, int64_t *ret_upto) {
    const struct chore_round *round = verifier->round;
    const struct sql_value params[] = {sql_int(round->last_seq), sql_int(round->part_end), sql_int(rows)};
    struct sql_result seqs;
    TRY(store_run(verifier->store, statement, params, 1, verifier->window, &seqs));
    bool whole = seqs.count == (size_t)rows;
    *ret_upto = whole ? seqs.rows[seqs.count - 1].values[0].number : round->part_end;
    return ERR_NONE;
}

static enum err run_over(struct verifier *verifier, enum sql_statement statement, int64_t upto,
                         struct sql_result *ret_result) {
    const struct sql_value params[] = {sql_int(verifier->round->last_seq), sql_int(upto)};
    return store_run(verifier->store, statement, params, 1, verifier->window, ret_result);
}

static enum err check_rule(struct verifier *verifier, const struct table_rule *rule, int64_t upto) {
    struct sql_result result;
    TRY(run_over(verifier, rule->statement, upto, &result));
    for (size_t i = 0; i < result.count; i++)
        blame(verifier, rule, sql_to_uuid(&result.rows[i].values[1]), result.rows[i].values[0].text);
    return ERR_NONE;
}

/* ---- parts ---- */

/* Where the rows of a table are counted for people, which is done for three tables. */
static int64_t *counter_of(struct verification *found, const struct table *table) {
    if (!strcmp(table->name, "marketing_events")) return &found->events;
    if (!strcmp(table->name, "deliveries")) return &found->deliveries;
    return strcmp(table->name, "attempts") ? NULL : &found->attempts;
}

static enum err step_table(struct verifier *verifier) {
    const struct table *table = &tables[verifier->round->part];
    int64_t *counter = counter_of(&verifier->found, table);
    struct sql_result counted;
    int64_t upto;
    TRY(next_window(verifier, table->verify_window, table->moved == MOVED_BY_PAIR ? PAIR_ROWS : WINDOW_ROWS, &upto));
    for (int i = 0; i < table->rule_count; i++) TRY(check_rule(verifier, &table->rules[i], upto));
    TRY(run_over(verifier, table->verify_rows, upto, &counted));
    if (counter) *counter += counted.rows[0].values[0].number;
    verifier->round->last_seq = upto;
    return ERR_NONE;
}

static void check_payload(struct verifier *verifier, const struct sql_value *row) {
    static const struct table_rule rule = {SQL_VERIFY_PAYLOADS, "I1 payload", "event"};
    struct uuid id = sql_to_uuid(&row[1]);
    struct arena canonical = ARENA_EMPTY;
    struct buf buf = {.arena = &canonical};
    struct json_error error;
    struct json *payload = NULL;
    uint8_t digest[SHA256_BYTES];
    if (json_parse(row[2].text, JSON_DEPTH_MAX, &payload, &error)) {
        blame(verifier, &rule, id, STR("has a payload that is no JSON"));
    } else if (row[3].text.n == 2 * SHA256_BYTES) { /* else another program's, of a form of its own */
        /* Fingerprints were once made without the digits of large integers. */
        bool same = false;
        for (int form = 0; form < 2 && !same; form++) {
            buf.n = 0;
            (form ? json_canonical_doubles : json_canonical)(&buf, payload);
            hash_sha256(verifier->hasher, buf_str(&buf), digest);
            same = str_eq(hex_encode(&canonical, digest, sizeof digest), row[3].text);
        }
        if (!same) blame(verifier, &rule, id, STR("has another payload than its fingerprint says"));
    }
    json_free(payload);
    arena_free(&canonical);
}

static enum err step_payloads(struct verifier *verifier) {
    struct chore_round *round = verifier->round;
    const struct sql_value params[] = {sql_int(round->last_seq), sql_int(round->part_end), sql_int(WINDOW_BYTES)};
    struct sql_result result;
    TRY(store_run(verifier->store, SQL_VERIFY_PAYLOADS, params, 1, verifier->window, &result));
    for (size_t i = 0; i < result.count; i++) check_payload(verifier, result.rows[i].values);
    round->last_seq = result.count ? result.rows[result.count - 1].values[0].number : round->part_end;
    return ERR_NONE;
}

static enum err step_ids(struct verifier *verifier) {
    static const struct table_rule rule = {SQL_VERIFY_IDS, "I7 one effect", "delivery"};
    struct sql_result result;
    int64_t upto;
    TRY(next_window(verifier, SQL_VERIFY_WINDOW_DELIVERIES, WINDOW_ROWS, &upto));
    TRY(run_over(verifier, rule.statement, upto, &result));
    for (size_t i = 0; i < result.count; i++) {
        const struct sql_value *row = result.rows[i].values;
        struct uuid id = sql_to_uuid(&row[1]), key = delivery_derive_key(verifier->hasher, row[2].text, row[3].text,
                                                                         row[4].text, sql_to_i32(&row[5]));
        if (!uuid_is_of(id, key)) /* older ones are the key itself */
            blame(verifier, &rule, id, STR("has another id than its event and destination give"));
    }
    verifier->round->last_seq = upto;
    return ERR_NONE;
}

static enum err step_pages(struct verifier *verifier) {
    struct sql_result result;
    TRY(store_run(verifier->store, SQL_VERIFY_INTEGRITY, NULL, 1, verifier->window, &result));
    for (size_t i = 0; i < result.count; i++) {
        struct str said = result.rows[i].values[0].text;
        if (!str_eq(said, STR("ok"))) add_violation(verifier, "integrity", said);
    }
    verifier->round->last_seq = verifier->round->part_end;
    return ERR_NONE;
}

/* The parts of a round are first all tables with rules, in the order of tables.def, and then these. Stored rounds name
 * a part by its place. If a program with other tables goes on with such a round, that round may leave something out;
 * the next round does not. */
struct part {
    int64_t mode;           /* only where it was asked for; 0 = always */
    enum sql_statement end; /* how far the part goes; the pages are as many as the events */
    enum err (*step)(struct verifier *verifier);
};
static const struct part deep_parts[] = {
    {VERIFY_DEEP, SQL_VERIFY_END_MARKETING_EVENTS, step_payloads},
    {VERIFY_DEEP, SQL_VERIFY_END_DELIVERIES, step_ids},
    {VERIFY_PAGES, SQL_VERIFY_END_MARKETING_EVENTS, step_pages},
};
#define PART_COUNT ((int64_t)(TABLE_COUNT + sizeof deep_parts / sizeof *deep_parts))

static struct part part_of(int64_t number) {
    if (number >= TABLE_COUNT) return deep_parts[number - TABLE_COUNT];
    return (struct part){0, tables[number].verify_end, step_table};
}

static bool is_wanted(const struct chore_round *round, int64_t number) {
    if (number < 0 || number >= PART_COUNT || part_of(number).end == SQL_NONE) return false;
    return !part_of(number).mode || round->mode & part_of(number).mode;
}

static enum err next_part(struct verifier *verifier, bool *ret_more) {
    struct chore_round *round = verifier->round;
    round->done += round->part_end;
    do round->part++;
    while (round->part < PART_COUNT && !is_wanted(round, round->part));
    *ret_more = round->part < PART_COUNT;
    round->last_seq = round->part_end = 0;
    return *ret_more ? store_ask(verifier->store, part_of(round->part).end, NULL, 0, &round->part_end) : ERR_NONE;
}

static enum err begin_round(struct verifier *verifier) {
    struct chore_round *round = verifier->round;
    bool more;
    round->total = 0;
    for (int64_t i = 0; i < PART_COUNT; i++) {
        int64_t end = 0;
        if (is_wanted(round, i)) TRY(store_ask(verifier->store, part_of(i).end, NULL, 0, &end));
        round->total += end;
    }
    round->part = -1;
    return next_part(verifier, &more);
}

/* ---- the result, as it is kept ---- */

static struct str result_text(const struct verification *found, struct arena *arena) {
    struct buf buf = {.arena = arena};
    buf_fmt(&buf, "{\"events\":%lld,\"deliveries\":%lld,\"attempts\":%lld,\"violations\":[", (long long)found->events,
            (long long)found->deliveries, (long long)found->attempts);
    for (const struct violation *at = found->violations; at; at = at->next) {
        buf_add(&buf, at == found->violations ? STR("{\"rule\":") : STR(",{\"rule\":"));
        json_quote(&buf, at->rule);
        buf_add(&buf, STR(",\"text\":"));
        json_quote(&buf, at->text);
        buf_byte(&buf, '}');
    }
    buf_add(&buf, STR("]}"));
    return buf_str(&buf);
}

struct verification verify_found(const struct chore_round *round, struct arena *arena) {
    struct verification found = {.violation_count = (size_t)round->found};
    struct violation **end = &found.violations;
    struct json *kept;
    if (!round->result.n || json_parse(round->result, RESULT_DEPTH_MAX, &kept, NULL)) return found;
    found.events = json_integer(json_get(kept, STR("events")), 0);
    found.deliveries = json_integer(json_get(kept, STR("deliveries")), 0);
    found.attempts = json_integer(json_get(kept, STR("attempts")), 0);
    const struct json *violations = json_get(kept, STR("violations"));
    for (size_t i = 0; i < json_size(violations); i++) {
        const struct json *one = json_at(violations, i);
        struct violation *violation = arena_new(arena, struct violation);
        *violation = (struct violation){NULL, str_dup(arena, json_text(json_get(one, STR("rule")))),
                                        str_dup(arena, json_text(json_get(one, STR("text"))))};
        *end = violation;
        end = &violation->next;
    }
    json_free(kept);
    return found;
}

/* ---- rounds ---- */

static enum err take_step(struct verifier *verifier, bool *ret_more) {
    struct chore_round *round = verifier->round;
    *ret_more = true;
    if (!round->steps) TRY(begin_round(verifier));
    if (!is_wanted(round, round->part)) return next_part(verifier, ret_more);
    TRY(part_of(round->part).step(verifier));
    return round->last_seq >= round->part_end ? next_part(verifier, ret_more) : ERR_NONE;
}

enum err store_verify_step(struct store *store, struct hasher *hasher, struct arena *arena, struct chore_round *round,
                           bool *ret_more) {
    struct arena window = ARENA_EMPTY;
    struct chore_round next = *round;
    struct verifier verifier = {.store = store,
                                .hasher = hasher,
                                .arena = arena,
                                .window = &window,
                                .round = &next,
                                .found = verify_found(round, arena)};
    verifier.end = &verifier.found.violations;
    while (*verifier.end) verifier.end = &(*verifier.end)->next;
    bool more;
    enum err err = take_step(&verifier, &more);
    arena_free(&window);
    if (err) return err;
    next.found = (int64_t)verifier.found.violation_count;
    next.result = result_text(&verifier.found, arena);
    *round = next;
    *ret_more = more;
    return ERR_NONE;
}

/* Each step begins from the result of the one before, so two arenas take turns and memory stays flat. */
enum err store_verify_whole(struct store *store, const struct verify_look *look, struct hasher *hasher,
                            struct arena *arena, struct chore_round *round) {
    struct arena turns[2] = {ARENA_EMPTY, ARENA_EMPTY};
    struct chore_round next = *round;
    enum err err = ERR_NONE;
    for (bool more = true; more && !err; next.steps++) {
        struct arena *turn = &turns[next.steps % 2];
        arena_reset(turn);
        err = store_verify_step(store, hasher, turn, &next, &more);
        if (!err && look) look->look(look->self, &next);
    }
    if (!err) {
        next.result = str_dup(arena, next.result);
        *round = next;
    }
    arena_free(&turns[0]);
    arena_free(&turns[1]);
    return err;
}

enum err store_verify(struct store *store, bool deep, struct hasher *hasher, struct arena *arena,
                      struct verification *ret) {
    struct chore_round round = {.mode = deep ? VERIFY_DEEP | VERIFY_PAGES : 0};
    TRY(store_verify_whole(store, NULL, hasher, arena, &round));
    *ret = verify_found(&round, arena);
    return ERR_NONE;
}
