#include "model/settings.h"

size_t settings_destination(const struct settings *settings, struct str name) {
    for (size_t i = 0; i < settings->destination_count; i++)
        if (str_eq(settings->destinations[i].name, name)) return i;
    return SIZE_MAX;
}

const struct action_traits *destination_action(const struct destination_settings *destination, struct str action) {
    for (size_t i = 0; i < destination->action_count; i++)
        if (str_eq(destination->actions[i].name, action)) return &destination->actions[i];
    return NULL;
}
