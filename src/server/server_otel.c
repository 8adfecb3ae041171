/* server/server_otel.c - what the environment says of a collector, and what of it could not be understood. */
#include <stdlib.h>

#include "server/server_private.h"

static const char *from_environment(void *self, const char *name) {
    (void)self;
    return getenv(name);
}

/* A value that nobody can use does not keep the server from its work: it is told and passed over. */
void server_read_otel(struct server *server) {
    const struct otel_env env = {from_environment, NULL};
    server->otel = otel_read(&env, server->token, &server->arena);
    for (size_t i = 0; i < server->otel.warning_count; i++)
        log_event(&server->options.log, LOG_WARN, server->clock.wall_us(server->clock.self), "otel_ignored",
                  LOG_TEXT("reason", server->otel.warnings[i]));
}
