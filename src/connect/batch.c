/* connect/batch.c - see batch.h. */
#include "connect/batch.h"

#include "base/json.h"
#include "base/map.h"
#include "connect/request.h"

bool batch_takes(const struct action *action, const struct call_context *context) {
    if (!action->batch) return false;
    return !action->request || context->count > 1 || !uuid_is_zero(context->deliveries[0]->batch);
}

/* The item and the key of one delivery; nothing stays appended when it fails. */
static enum err part_fill(struct fill *fill, const struct action *action, struct str *ret_key, struct buf *items) {
    const struct batch_form *batch = action->batch;
    struct json *params;
    bool missing = false;
    size_t start = items->n;
    TRY(request_params(fill, action, &params));
    fill->params = params;
    if (start > 1) buf_byte(items, ',');
    size_t begin = items->n;
    enum err err = node_fill(fill, batch->item, items, &missing);
    if (!err && missing) buf_add(items, STR("{}"));
    if (!err && batch->match == MATCH_KEY) err = text_fill(fill, &batch->sent, ret_key, &missing);
    if (!err && batch->match == MATCH_KEY && missing) err = fill_fail(fill, "the value that names its item is missing");
    if (!err && batch->item_bytes && items->n - begin > batch->item_bytes)
        err = fill_fail(fill, "it has %zu bytes as JSON, and the provider takes %zu at most", items->n - begin,
                        batch->item_bytes);
    if (err) items->n = start;
    fill->params = NULL;
    json_free(params);
    return err;
}

void batch_parts(struct fill *fill, const struct action *action, struct batch_part *ret_parts, struct buf *items) {
    struct map seen = {.arena = fill->context->arena};
    const struct uuid key = fill->key;
    size_t index = 0;
    buf_byte(items, '[');
    for (size_t i = 0; i < fill->context->count; i++) {
        struct batch_part *part = &ret_parts[i];
        size_t start = items->n;
        *part = (struct batch_part){0};
        fill->delivery = fill->context->deliveries[i];
        fill->key = fill->delivery->key;
        fill->index = index;
        if (part_fill(fill, action, &part->key, items)) {
            part->problem = fill->problem;
            continue;
        }
        bool fits = !action->batch->bytes || !index || items->n < action->batch->bytes;
        if (!fits || (action->batch->match == MATCH_KEY && map_get(&seen, part->key))) {
            items->n = start;
            continue;
        }
        if (action->batch->match == MATCH_KEY) map_set(&seen, part->key, part);
        part->sent = true;
        index++;
    }
    fill->delivery = NULL;
    fill->key = key;
    buf_byte(items, ']');
}

enum err batch_request(struct fill *fill, const struct action *action, struct outgoing *ret_outgoing) {
    const struct call_context *context = fill->context;
    struct batch_part *parts = arena_array(context->arena, struct batch_part, context->count);
    struct buf items = {.arena = context->arena};
    batch_parts(fill, action, parts, &items);
    fill->items = buf_str(&items);
    for (size_t i = 0; i < context->count; i++)
        if (parts[i].sent) return request_fill(fill, action->batch->request, ret_outgoing);
    return ERR_BAD_FIELD; /* the problem of the last one is set */
}
