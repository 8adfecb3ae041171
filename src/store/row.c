/* store/row.c - see row.h. */
#include "store/row.h"

#include <assert.h>
#include <string.h>

static bool fits(const struct sql_value *value, char kind) {
    switch (value->kind) {
    case SQL_NULL:
        return true;
    case SQL_INT:
        return kind == 'i' || kind == 'w';
    case SQL_TEXT:
        return kind == 't';
    case SQL_BLOB:
        return kind == 'b';
    }
    return false;
}

enum err store_run(struct store *store, enum sql_statement statement, const struct sql_value *params, size_t rows,
                   struct arena *arena, struct sql_result *ret_result) {
    const struct sql_text *text = sql_text(statement);
    size_t columns = strlen(text->params);
    for (size_t i = 0; i < columns * rows; i++) assert(fits(&params[i], text->params[i % columns]));
    struct sql_batch batch = {.statement = (int)statement, .params = params, .columns = columns, .rows = rows};
    if (!rows) {
        if (ret_result) *ret_result = (struct sql_result){.columns = strlen(text->results)};
        return ERR_NONE;
    }
    return store->driver->run(store->driver->self, &batch, arena, ret_result);
}

enum err store_ask(struct store *store, enum sql_statement statement, const struct sql_value *params, int64_t otherwise,
                   int64_t *ret_number) {
    struct sql_result result;
    enum err err = store_run(store, statement, params, 1, &store->scratch, &result);
    if (!err) {
        bool known = result.count && result.rows[0].values[0].kind == SQL_INT;
        *ret_number = known ? result.rows[0].values[0].number : otherwise;
    }
    arena_reset(&store->scratch);
    return err;
}

#define ROW_EVENT_KEY 2

enum err row_event(const struct sql_value *values, struct event *ret_event) {
    const struct sql_value *v = values;
    enum event_status status;
    if (!event_status_parse(v[7].text, &status)) return ERR_STORE_CORRUPT;
    *ret_event = (struct event){
        .seq = v[0].number,
        .id = sql_to_uuid(&v[1]),
        .key = v[ROW_EVENT_KEY].text,
        .type = v[3].text,
        .source = v[4].text,
        .payload = v[5].text,
        .fingerprint = v[6].text,
        .status = status,
        .run = sql_to_i32(&v[8]) + 1,
        .retry_count = sql_to_i32(&v[9]),
        .last_error = v[10].text,
        .scheduled_us = v[11].number,
        .created_us = v[12].number,
        .updated_us = v[13].number,
        .trace_parent = v[14].text,
    };
    return ERR_NONE;
}

static enum err read_delivery(struct store *store, const struct sql_value *values, const struct sql_value *event_key,
                              struct delivery *ret_delivery) {
    const struct sql_value *v = values;
    enum delivery_status status;
    if (!delivery_status_parse(v[8].text, &status)) return ERR_STORE_CORRUPT;
    *ret_delivery = (struct delivery){
        .seq = v[0].number,
        .id = sql_to_uuid(&v[1]),
        .event_id = sql_to_uuid(&v[2]),
        .destination = v[3].text,
        .action = v[4].text,
        .route = v[5].text,
        .step = v[6].text,
        .run = sql_to_i32(&v[7]),
        .status = status,
        .retry_count = sql_to_i32(&v[9]),
        .attempts = sql_to_i32(&v[10]),
        .due_us = v[11].number,
        .first_due_us = v[12].number,
        .late_us = v[13].number,
        .first_sent_us = v[14].number,
        .lease_until_us = v[15].number,
        .lease_epoch = v[16].number,
        .params = v[17].text,
        .unmade = v[17].kind != SQL_NULL && v[17].text.n == 0,
        .order_key = v[18].text,
        .looking_up = v[19].number != 0,
        .batch = sql_to_uuid(&v[20]),
        .last_status = sql_to_i32(&v[21]),
        .last_error = v[22].text,
        .created_us = v[23].number,
        .updated_us = v[24].number,
        .in_doubt = v[25].number != 0,
        .keyed_as = v[26].text,
        .place = v[27].text,
    };
    if (event_key->kind == SQL_TEXT)
        ret_delivery->key =
            delivery_derive_key(store->hasher, event_key->text,
                                ret_delivery->keyed_as.n ? ret_delivery->keyed_as : ret_delivery->destination,
                                ret_delivery->step, ret_delivery->run);
    return ERR_NONE;
}

enum err row_delivery(struct store *store, const struct sql_value *values, struct delivery *ret_delivery) {
    return read_delivery(store, values, &values[ROW_DELIVERY_COLUMNS], ret_delivery);
}

enum err row_claims(struct store *store, const struct sql_result *result, struct arena *arena,
                    struct delivery *ret_deliveries) {
    struct event *events = arena_array(arena, struct event, result->count);
    for (size_t i = 0; i < result->count; i++) {
        const struct sql_value *values = result->rows[i].values, *event = values + ROW_DELIVERY_COLUMNS;
        TRY(row_event(event, &events[i]));
        TRY(read_delivery(store, values, &event[ROW_EVENT_KEY], &ret_deliveries[i]));
        ret_deliveries[i].event = &events[i];
    }
    return ERR_NONE;
}
