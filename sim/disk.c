#include "sim/disk.h"

#include <assert.h>
#include <sqlite3.h>
#include <stdlib.h>
#include <string.h>

#define SECTOR    512
#define FILES_MAX 16
#define PATH_MAX_ 256

struct image {
    char path[PATH_MAX_]; /* "" = free */
    uint8_t *seen, *durable;
    uint8_t *dirty; /* one byte a sector: written since the last sync */
    size_t size, durable_size, room;
};

struct disk {
    sqlite3_vfs vfs;
    struct rng *rng;
    struct disk_watch watch;
    struct image images[FILES_MAX];
    size_t limit;
    size_t failing_syncs;
    bool lying;
    uint64_t syncs;
};

struct handle {
    sqlite3_file base;
    struct disk *disk;
    struct image *image;
    int lock;
};

static bool alive(struct disk *disk) {
    return !disk->watch.alive || disk->watch.alive(disk->watch.self);
}

static void image_grow(struct image *image, size_t size) {
    if (size <= image->room) return;
    size_t room = image->room ? image->room : 65536;
    while (room < size) room *= 2;
    image->seen = realloc(image->seen, room);
    image->durable = realloc(image->durable, room);
    image->dirty = realloc(image->dirty, room / SECTOR);
    assert(image->seen && image->durable && image->dirty);
    memset(image->seen + image->room, 0, room - image->room);
    memset(image->durable + image->room, 0, room - image->room);
    memset(image->dirty + image->room / SECTOR, 0, (room - image->room) / SECTOR);
    image->room = room;
}

size_t disk_bytes(const struct disk *disk) {
    size_t sum = 0;
    for (size_t i = 0; i < FILES_MAX; i++) sum += disk->images[i].path[0] ? disk->images[i].size : 0;
    return sum;
}

/* ---- a file ---- */

static int file_close(sqlite3_file *file) {
    (void)file;
    return SQLITE_OK;
}

static int file_read(sqlite3_file *file, void *to, int amount, sqlite3_int64 offset) {
    struct image *image = ((struct handle *)file)->image;
    size_t from = (size_t)offset, want = (size_t)amount;
    size_t have = from >= image->size ? 0 : image->size - from < want ? image->size - from : want;
    if (have) memcpy(to, image->seen + from, have);
    if (have == want) return SQLITE_OK;
    memset((uint8_t *)to + have, 0, want - have);
    return SQLITE_IOERR_SHORT_READ;
}

static int file_write(sqlite3_file *file, const void *from, int amount, sqlite3_int64 offset) {
    struct handle *handle = (struct handle *)file;
    struct image *image = handle->image;
    size_t begin = (size_t)offset, end = begin + (size_t)amount;
    if (!alive(handle->disk)) return SQLITE_IOERR_WRITE;
    size_t growth = end > image->size ? end - image->size : 0;
    if (growth && disk_bytes(handle->disk) + growth > handle->disk->limit) return SQLITE_FULL;
    image_grow(image, end);
    memcpy(image->seen + begin, from, (size_t)amount);
    memset(image->dirty + begin / SECTOR, 1, (end - 1) / SECTOR - begin / SECTOR + 1);
    if (end > image->size) image->size = end;
    return SQLITE_OK;
}

static int file_truncate(sqlite3_file *file, sqlite3_int64 size) {
    struct handle *handle = (struct handle *)file;
    struct image *image = handle->image;
    if (!alive(handle->disk)) return SQLITE_IOERR_TRUNCATE;
    image_grow(image, (size_t)size);
    if ((size_t)size < image->size) memset(image->seen + size, 0, image->size - (size_t)size);
    image->size = (size_t)size;
    return SQLITE_OK;
}

static void image_sync(struct image *image) {
    for (size_t at = 0; at < image->room; at += SECTOR) {
        if (!image->dirty[at / SECTOR]) continue;
        memcpy(image->durable + at, image->seen + at, SECTOR);
        image->dirty[at / SECTOR] = 0;
    }
    image->durable_size = image->size;
}

static int file_sync(sqlite3_file *file, int flags) {
    struct handle *handle = (struct handle *)file;
    struct disk *disk = handle->disk;
    (void)flags;
    if (!alive(disk)) return SQLITE_IOERR_FSYNC;
    disk->syncs++;
    if (disk->failing_syncs) {
        disk->failing_syncs--;
        return SQLITE_IOERR_FSYNC;
    }
    if (!disk->lying) image_sync(handle->image);
    return SQLITE_OK;
}

static int file_size(sqlite3_file *file, sqlite3_int64 *ret_size) {
    *ret_size = (sqlite3_int64)((struct handle *)file)->image->size;
    return SQLITE_OK;
}

static int file_lock(sqlite3_file *file, int level) {
    ((struct handle *)file)->lock = level;
    return SQLITE_OK;
}

static int file_reserved(sqlite3_file *file, int *ret_held) {
    *ret_held = ((struct handle *)file)->lock >= SQLITE_LOCK_RESERVED;
    return SQLITE_OK;
}

static int file_control(sqlite3_file *file, int op, void *arg) {
    (void)file, (void)op, (void)arg;
    return SQLITE_NOTFOUND;
}

static int file_sector(sqlite3_file *file) {
    (void)file;
    return SECTOR;
}

static int file_traits(sqlite3_file *file) {
    (void)file;
    return 0;
}

static const sqlite3_io_methods methods = {
    .iVersion = 1,
    .xClose = file_close,
    .xRead = file_read,
    .xWrite = file_write,
    .xTruncate = file_truncate,
    .xSync = file_sync,
    .xFileSize = file_size,
    .xLock = file_lock,
    .xUnlock = file_lock,
    .xCheckReservedLock = file_reserved,
    .xFileControl = file_control,
    .xSectorSize = file_sector,
    .xDeviceCharacteristics = file_traits,
};

/* ---- the disk ---- */

static struct image *find(struct disk *disk, const char *path) {
    for (size_t i = 0; i < FILES_MAX; i++)
        if (disk->images[i].path[0] && strcmp(disk->images[i].path, path) == 0) return &disk->images[i];
    return NULL;
}

/* Makes a file; NULL when there are too many. */
static struct image *create(struct disk *disk, const char *path) {
    size_t i = 0;
    while (i < FILES_MAX && disk->images[i].path[0]) i++;
    if (i == FILES_MAX) return NULL;
    disk->images[i].size = disk->images[i].durable_size = 0;
    strncpy(disk->images[i].path, path, PATH_MAX_ - 1);
    return &disk->images[i];
}

static int vfs_open(sqlite3_vfs *vfs, const char *path, sqlite3_file *file, int flags, int *ret_flags) {
    struct disk *disk = vfs->pAppData;
    const char *name = path ? path : "temporary";
    struct image *image = find(disk, name);
    if (!image && (flags & SQLITE_OPEN_CREATE)) image = create(disk, name);
    if (!image) return SQLITE_CANTOPEN;
    *(struct handle *)file = (struct handle){.base = {&methods}, .disk = disk, .image = image};
    if (ret_flags) *ret_flags = flags;
    return SQLITE_OK;
}

static int vfs_delete(sqlite3_vfs *vfs, const char *path, int sync) {
    struct disk *disk = vfs->pAppData;
    struct image *image = find(disk, path);
    (void)sync;
    if (!alive(disk)) return SQLITE_IOERR_DELETE;
    if (!image) return SQLITE_IOERR_DELETE_NOENT;
    image->path[0] = 0;
    if (image->room) {
        memset(image->seen, 0, image->room);
        memset(image->durable, 0, image->room);
        memset(image->dirty, 0, image->room / SECTOR);
    }
    image->size = image->durable_size = 0;
    return SQLITE_OK;
}

static int vfs_access(sqlite3_vfs *vfs, const char *path, int flags, int *ret_yes) {
    (void)flags;
    *ret_yes = find(vfs->pAppData, path) != NULL;
    return SQLITE_OK;
}

static int vfs_full_path(sqlite3_vfs *vfs, const char *path, int room, char *to) {
    (void)vfs;
    strncpy(to, path, (size_t)room);
    to[room - 1] = 0;
    return SQLITE_OK;
}

static int vfs_randomness(sqlite3_vfs *vfs, int bytes, char *to) {
    struct disk *disk = vfs->pAppData;
    for (int i = 0; i < bytes; i++) to[i] = (char)rng_u64(disk->rng);
    return bytes;
}

static int vfs_sleep(sqlite3_vfs *vfs, int us) {
    (void)vfs;
    return us;
}

static int vfs_time(sqlite3_vfs *vfs, double *ret_day) {
    (void)vfs;
    *ret_day = 2461000.0; /* nothing that is stored asks SQLite for the time */
    return SQLITE_OK;
}

static int vfs_last_error(sqlite3_vfs *vfs, int room, char *to) {
    (void)vfs, (void)room, (void)to;
    return 0;
}

struct disk *disk_new(struct rng *rng) {
    struct disk *disk = calloc(1, sizeof *disk);
    assert(disk);
    disk->rng = rng;
    disk->limit = SIZE_MAX;
    disk->vfs = (sqlite3_vfs){.iVersion = 1,
                              .szOsFile = sizeof(struct handle),
                              .mxPathname = PATH_MAX_ - 1,
                              .zName = DISK_VFS_NAME,
                              .pAppData = disk,
                              .xOpen = vfs_open,
                              .xDelete = vfs_delete,
                              .xAccess = vfs_access,
                              .xFullPathname = vfs_full_path,
                              .xRandomness = vfs_randomness,
                              .xSleep = vfs_sleep,
                              .xCurrentTime = vfs_time,
                              .xGetLastError = vfs_last_error};
    int code = sqlite3_vfs_register(&disk->vfs, 0);
    assert(code == SQLITE_OK);
    return disk;
}

void disk_free(struct disk *disk) {
    sqlite3_vfs_unregister(&disk->vfs);
    for (size_t i = 0; i < FILES_MAX; i++) {
        free(disk->images[i].seen);
        free(disk->images[i].durable);
        free(disk->images[i].dirty);
    }
    free(disk);
}

void disk_watch(struct disk *disk, struct disk_watch watch) {
    disk->watch = watch;
}

static void image_crash(struct image *image, struct rng *rng) {
    for (size_t at = 0; at < image->room; at += SECTOR) {
        if (!image->dirty[at / SECTOR]) continue;
        uint64_t fate = rng_below(rng, 3); /* dropped, kept, torn */
        size_t kept = fate == 0 ? 0 : fate == 1 ? SECTOR : (size_t)rng_below(rng, SECTOR);
        memcpy(image->durable + at, image->seen + at, kept);
        image->dirty[at / SECTOR] = 0;
    }
    if (image->size != image->durable_size && rng_below(rng, 2)) image->durable_size = image->size;
    memset(image->durable + image->durable_size, 0, image->room - image->durable_size);
    memcpy(image->seen, image->durable, image->room);
    image->size = image->durable_size;
}

void disk_crash(struct disk *disk) {
    for (size_t i = 0; i < FILES_MAX; i++)
        if (disk->images[i].path[0] && disk->images[i].room) image_crash(&disk->images[i], disk->rng);
}

void disk_limit(struct disk *disk, size_t bytes) {
    disk->limit = bytes;
}

void disk_fail_syncs(struct disk *disk, size_t count) {
    disk->failing_syncs = count;
}

void disk_lie(struct disk *disk, bool lie) {
    disk->lying = lie;
}

uint64_t disk_syncs(const struct disk *disk) {
    return disk->syncs;
}
