/* connect/call.c - the request for a delivery or a batch, and the lookup; see
 * connect.h. */
#include "base/json.h"
#include "connect/batch.h"
#include "connect/request.h"
#include "connect/webhook.h"

static enum err no_action(const struct call_context *context, const char *lacks, struct str *ret_problem) {
    *ret_problem =
        str_fmt(context->arena, "the connector '%.*s' has no %s '%.*s'", STR_ARG(context->destination->connector->name),
                lacks, STR_ARG(context->deliveries[0]->action));
    return ERR_BAD_FIELD;
}

/* One delivery's request: its parameters live while it is filled. */
static enum err single_request(struct fill *fill, const struct action *action, const struct request_form *request,
                               struct outgoing *ret_outgoing) {
    struct json *params;
    fill->delivery = fill->context->deliveries[0];
    TRY(request_params(fill, action, &params));
    fill->params = params;
    enum err err = request_fill(fill, request, ret_outgoing);
    json_free(params);
    return err;
}

/* A frozen set has a key of its own, the same in each attempt. */
static struct fill fill_for(const struct call_context *context, bool many) {
    const struct delivery *first = context->deliveries[0];
    return (struct fill){.context = context,
                         .connector = context->destination->connector,
                         .key = many && !uuid_is_zero(first->batch) ? first->batch : first->key};
}

/* How the destination is reached, whatever is sent. */
static void put_way(const struct call_context *context, struct outgoing *outgoing) {
    outgoing->ca = context->destination->ca;
    outgoing->proxy = context->destination->proxy;
}

static enum err make_request(const struct call_context *context, struct outgoing *ret_outgoing,
                             struct str *ret_problem) {
    const struct connector *connector = context->destination->connector;
    if (connector->webhook) return webhook_request(context, ret_outgoing, ret_problem);
    const struct action *action = connector_action(connector, context->deliveries[0]->action);
    if (!action) return no_action(context, "action", ret_problem);
    bool many = batch_takes(action, context);
    struct fill fill = fill_for(context, many);
    enum err err = many ? batch_request(&fill, action, ret_outgoing)
                        : single_request(&fill, action, action->request, ret_outgoing);
    if (err) *ret_problem = fill.problem;
    if (!err && many) ret_outgoing->answer_max = connector->answer_max; /* an item for each delivery may be long */
    return err;
}

enum err connect_request(const struct call_context *context, struct outgoing *ret_outgoing, struct str *ret_problem) {
    TRY(make_request(context, ret_outgoing, ret_problem));
    put_way(context, ret_outgoing);
    return ERR_NONE;
}

enum err connect_lookup(const struct call_context *context, struct outgoing *ret_outgoing, struct str *ret_problem) {
    const struct action *action = connector_action(context->destination->connector, context->deliveries[0]->action);
    if (!action || !action->lookup) return no_action(context, "lookup for the action", ret_problem);
    struct fill fill = fill_for(context, false);
    enum err err = single_request(&fill, action, action->lookup->request, ret_outgoing);
    if (err) *ret_problem = fill.problem;
    if (!err) put_way(context, ret_outgoing);
    return err;
}

/* ---- by what a delivery is counted ---- */

#define METERED_MAX ((size_t)200) /* bytes; texts that begin alike count as one, so that a limit is never passed */

/* The parameter's JSON: the delivery's, else the default. */
static struct str metered_json(const struct destination_settings *destination, const struct delivery *delivery,
                               struct str meter) {
    struct str text = delivery->params.n ? delivery->params : delivery->event->payload, slice;
    if (text.n && json_slice(text, meter, &slice) && !str_eq(slice, STR("null"))) return slice;
    const struct action *action = connector_action(destination->connector, delivery->action);
    for (size_t i = 0; action && i < action->catalog->param_count; i++)
        if (str_eq(action->catalog->params[i].name, meter)) return action->catalog->params[i].fallback;
    return STR("");
}

struct str connect_metered(const struct destination_settings *destination, const struct delivery *delivery,
                           struct str meter, struct arena *arena) {
    struct str slice = metered_json(destination, delivery, meter);
    struct json_error error;
    struct json *value;
    if (!slice.n || json_parse(slice, JSON_DEPTH_MAX, &value, &error)) return STR("");
    struct str text = json_type(value) == JSON_STRING ? json_text(value) : json_dump(arena, value);
    size_t bytes = str_head(text, METERED_MAX).n;
    struct buf buf = {.arena = arena};
    for (size_t i = 0; i < bytes; i++) buf_byte(&buf, (unsigned char)text.p[i] < ' ' ? '?' : text.p[i]);
    json_free(value);
    return buf_str(&buf);
}
