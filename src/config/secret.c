/* config/secret.c - see secret.h. A folder for credentials is the business of
 * whoever mounted it; secrets/ beside the configuration lies where other users
 * work, so its files must be closed to them and may not be links. */
#include "config/secret.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define SECRET_BYTES_MAX ((size_t)65536)
#define ZONES            "/usr/share/zoneinfo/"

struct secret_place {
    struct str folder; /* with its slash, and with what stands before each name; ends in NUL */
    bool guarded;
};

struct secret_places {
    struct str folder; /* of the configuration, with its slash */
};

enum found { FOUND_NOT, FOUND_VALUE, FOUND_REFUSED };

/* Reads a secret's file. A line end at its end comes from an editor and is no part of the secret. */
static enum found read_secret(int fd, struct arena *arena, struct str path, struct str *ret_value,
                              struct str *ret_note) {
    char *text = arena_alloc(arena, SECRET_BYTES_MAX + 1);
    size_t length = 0;
    ssize_t got;
    while (length <= SECRET_BYTES_MAX && (got = read(fd, text + length, SECRET_BYTES_MAX + 1 - length)) != 0) {
        if (got < 0 && errno == EINTR) continue;
        if (got < 0) {
            *ret_note = str_fmt(arena, "%.*s cannot be read: %s", STR_ARG(path), strerror(errno));
            return FOUND_REFUSED;
        }
        length += (size_t)got;
    }
    if (length && text[length - 1] == '\n') length--;
    if (length && text[length - 1] == '\r') length--;
    bool usable = length && length <= SECRET_BYTES_MAX;
    if (!usable)
        *ret_note = str_fmt(arena, "%.*s is %s", STR_ARG(path), length ? "larger than 64 KiB" : "empty");
    else
        *ret_value = (struct str){text, length};
    return usable ? FOUND_VALUE : FOUND_REFUSED;
}

static enum found look_at(int fd, bool guarded, struct arena *arena, struct str path, struct str *ret_value,
                          struct str *ret_note) {
    struct stat stat;
    if (fstat(fd, &stat) < 0 || !S_ISREG(stat.st_mode)) {
        *ret_note = str_fmt(arena, "%.*s is no regular file", STR_ARG(path));
        return FOUND_REFUSED;
    }
    if (guarded && (stat.st_mode & 077)) {
        *ret_note = str_fmt(arena, "%.*s may be read by others: chmod 600 it", STR_ARG(path));
        return FOUND_REFUSED;
    }
    return read_secret(fd, arena, path, ret_value, ret_note);
}

static enum found look_in(const struct secret_place *place, struct str name, struct arena *arena, struct str *ret_value,
                          struct str *ret_note) {
    struct str path = str_fmt(arena, "%.*s%.*s", STR_ARG(place->folder), STR_ARG(name));
    int fd = open(path.p, O_RDONLY | O_CLOEXEC | O_NONBLOCK | (place->guarded ? O_NOFOLLOW : 0));
    if (fd < 0 && (errno == ENOENT || errno == ENOTDIR)) return FOUND_NOT;
    if (fd < 0) {
        *ret_note = str_fmt(arena, "%.*s cannot be opened: %s", STR_ARG(path), strerror(errno));
        return FOUND_REFUSED;
    }
    enum found found = look_at(fd, place->guarded, arena, path, ret_value, ret_note);
    close(fd);
    return found;
}

static bool look_everywhere(void *self, struct str name, struct arena *arena, struct str *ret_value,
                            struct str *ret_note) {
    const struct secret_places *places = self;
    const char *credentials = getenv("CREDENTIALS_DIRECTORY");
    struct secret_place tried[] = {
        {credentials && *credentials ? str_fmt(arena, "%s/", credentials) : STR_NONE, false},
        /* LoadCredential=drumbeat:FOLDER names each file of the folder so (systemd.exec(5)). */
        {credentials && *credentials ? str_fmt(arena, "%s/drumbeat_", credentials) : STR_NONE, false},
        {STR("/run/secrets/"), false},
        {str_fmt(arena, "%.*ssecrets/", STR_ARG(places->folder)), true},
    };
    struct buf looked = {.arena = arena};
    buf_add(&looked, STR("looked in "));
    for (size_t i = 0; i < sizeof tried / sizeof *tried; i++) {
        if (!tried[i].folder.n) continue;
        enum found found = look_in(&tried[i], name, arena, ret_value, ret_note);
        if (found != FOUND_NOT) return found == FOUND_VALUE;
        buf_fmt(&looked, "%.*s, ", STR_ARG(tried[i].folder));
    }
    const char *value = getenv(str_dup(arena, name).p);
    if (!value || !*value) {
        buf_add(&looked, value ? STR("and the environment, where it is empty") : STR("and the environment"));
        *ret_note = buf_str(&looked);
        return false;
    }
    *ret_value = str_dup(arena, str_from(value));
    *ret_note = STR("from the environment");
    return true;
}

static bool is_zone_file(struct str zone) {
    struct stat found;
    struct arena arena = ARENA_EMPTY;
    int fd = open(str_fmt(&arena, ZONES "%.*s", STR_ARG(zone)).p, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    bool is_file = fd >= 0 && !fstat(fd, &found) && S_ISREG(found.st_mode);
    if (fd >= 0) close(fd);
    arena_free(&arena);
    return is_file;
}

/* The list is the machine's folder of zones; on a machine without one every zone passes. Zones begin with a capital
 * letter, the folder's other files do not. */
static bool find_zone(void *self, struct str zone) {
    (void)self;
    bool is_named_so = zone.p[0] >= 'A' && zone.p[0] <= 'Z';
    return (is_named_so && is_zone_file(zone)) || !is_zone_file(STR("UTC"));
}

struct secret_source secret_source_real(struct arena *arena, struct str folder) {
    struct secret_places *places = arena_new(arena, struct secret_places);
    bool needs_slash = folder.n && !str_ends(folder, STR("/"));
    places->folder = needs_slash ? str_fmt(arena, "%.*s/", STR_ARG(folder)) : folder;
    return (struct secret_source){.lookup = look_everywhere, .zone_known = find_zone, .self = places};
}
