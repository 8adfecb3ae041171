/* ingest/cloudevent.h - events in the form of CloudEvents 1.0, by their HTTP binding. Pure; private to this room.
 *
 * type and source are theirs, the key is "source:id", which they say is unique, and the payload is their data, which
 * must be a JSON object. Other attributes are checked for their names and not kept. Source: github.com/cloudevents/spec
 * v1.0.2, cloudevents/spec.md, formats/json-format.md, bindings/http-protocol-binding.md
 */
#ifndef INGEST_CLOUDEVENT_H
#define INGEST_CLOUDEVENT_H

#include "ingest/intake.h"

/* Whether a request is one: by its header ce-specversion, or by its media type. */
bool cloudevent_is_binary(const struct request *request);
/* The event whose attributes are headers. */
struct intake_item cloudevent_of_headers(const struct intake_context *context, const struct request *request);
/* One event in the JSON format, with its attributes beside its data. */
struct intake_item cloudevent_of_json(const struct intake_context *context, struct str text);

#endif
