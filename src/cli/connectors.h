/* cli/connectors.h - connectors as pages for people: what a destination may set,
 * what its actions take, and what is done where an outcome is unknown. */
#ifndef CLI_CONNECTORS_H
#define CLI_CONNECTORS_H

#include "base/json.h"
#include "model/catalog.h"

/* {"name","about","docs","checked","settings":[...],"limits":[...],"concurrency","actions":[...]}; the caller's to
 * free. */
struct json *connector_json(struct arena *arena, const struct catalog_entry *entry);
/* Parameters for a sample of an action, as JSON: a value of its type for each that must be there. */
struct str connector_sample(struct arena *arena, const struct catalog_entry *entry, struct str action, int64_t now_us);
/* docs/providers.md: the actions in order of how well an unknown outcome can be settled. */
struct str connectors_reference(struct arena *arena, const struct catalog *catalog);
bool connector_is_sampled(const struct catalog_action *action,
                          const struct catalog_name *param); /* it is in a sample */
/* What is done where nobody knows of an effect; how many join in a call and how they are answered ("" = none does). */
struct str connector_unknown_words(struct arena *arena, const struct catalog_action *action);
struct str connector_batch_words(struct arena *arena, const struct catalog_action *action);
/* docs/destinations/NAME.md and docs/senders/NAME.md. */
struct scheme;
struct str connector_page(struct arena *arena, const struct catalog_entry *entry);
struct str sender_page(struct arena *arena, const struct scheme *scheme);

#endif
