/* model/folder.h - what is known of a folder's files: kept by the engine
 * (engine/folders.c), shown by the API. */
#ifndef MODEL_FOLDER_H
#define MODEL_FOLDER_H

#include "base/folder.h"

/* X(NAME, text) */
#define FILE_STATE_LIST(X)                                                                                             \
    X(SETTLING, "settling")   /* new or just changed: it is read when two looks find it the same */                    \
    X(DRAFT, "draft")         /* it has no publish_at */                                                               \
    X(WAITING, "waiting")     /* for its time */                                                                       \
    X(BROKEN, "broken")       /* it cannot be published as it is */                                                    \
    X(POSTING, "posting")     /* its event is in a turn that has not committed */                                      \
    X(PUBLISHED, "published") /* its event is stored */                                                                \
    X(EDITED, "edited")       /* and it was changed since, which changes nothing */                                    \
    X(PAST, "past")           /* its time lies back by more than `late`: nothing is made of it */
enum file_state {
#define X(name, text) FILE_##name,
    FILE_STATE_LIST(X)
#undef X
        FILE_STATE_COUNT
};
struct str file_state_text(enum file_state state);

struct folder_file {
    struct str name;
    enum file_state state;
    struct file_stamp seen, read; /* as it was looked at last, and as it was read last */
    int64_t due_us;
    struct str problem;   /* BROKEN, and PAST where it was never published; of others what looks like a slip */
    char fingerprint[65]; /* of what was published; "" = that is not known */
};
struct folder_view {
    struct str source, path;
    struct str problem; /* why the folder cannot be read; "" = it can */
    bool more;          /* it has more files than are looked at */
    const struct folder_file *files;
    size_t count;
};

#endif
