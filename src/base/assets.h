/* base/assets.h - the files that are compiled in, and what was built.
 *
 * The build writes both tables from connectors/, docs/openapi.json and assets/
 * (tools/embed.py) and the commit from git. Each file is followed by a NUL that
 * does not count. Everything here is constant and lives as long as the program.
 */
#ifndef BASE_ASSETS_H
#define BASE_ASSETS_H

#include <stddef.h>

/* connectors/NAME.yaml, in order of name. */
struct builtin_connector {
    const char *name;
    const char *start;
    const char *end;
};
extern const struct builtin_connector builtin_connectors[];
extern const size_t builtin_connector_count;

/* path is relative to assets/; docs/openapi.json is "openapi.json". */
struct builtin_asset {
    const char *path;
    const unsigned char *start, *end;
};
extern const struct builtin_asset builtin_assets[];
extern const size_t builtin_asset_count;

/* The version is the macro DRUMBEAT_VERSION; the commit is twelve digits, or "unknown" outside of git. */
extern const char builtin_commit[];

#endif
