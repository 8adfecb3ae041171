/* config/secret.h - the real lookup of ${NAME}: $CREDENTIALS_DIRECTORY/NAME and
 * /drumbeat_NAME, /run/secrets/NAME, secrets/NAME beside the configuration (refused unless only
 * its owner may read it), then the environment; and of time zones, in
 * /usr/share/zoneinfo. The one file of this room that
 * touches the outside (rooms.txt names it). */
#ifndef CONFIG_SECRET_H
#define CONFIG_SECRET_H

#include "config/config.h"

/* folder: where the configuration lies. */
struct secret_source secret_source_real(struct arena *arena, struct str folder);

#endif
