/* api/todo.h - the list of what waits for a person: its items, and who finds them. Private to this room. Thread: the
 * loop's. */
#ifndef API_TODO_H
#define API_TODO_H

#include "api/handlers.h"

struct cause; /* model/alert.h */
struct desk_view;
struct destination_counts;
struct todo_group;
struct todo {
    struct call *call;
    struct cause *causes;
    size_t count, room;
    const struct destination_counts *counts;
    size_t counts_count;
    const struct todo_group *groups; /* those that are being added */
    size_t group_count;
};
/* All of them, the most urgent first. */
MUST_USE enum err todo_find(struct call *call, struct todo *ret_todo);

/* What a cause is about. A member that is not set is null in the answer. */
struct matter {
    struct str name, error;
    int32_t last_status; /* of the last answer to each of them, which the error names; 0 = none */
    int64_t count, oldest_us;
    int64_t behind;                  /* others that wait in order behind deliveries to the same place */
    const struct todo_group *rivals; /* it is one of these groups; 0 = of none */
    size_t rival_count;
    const char *status; /* of the deliveries that it is about; NULL = of none, or of several */
};
struct advice {
    const char *cause, *kind; /* kind: what the name names; "" = there is none */
    /* {name} {filter} (of deliveries, by their error) {these} (by status and filter, or by id) {at} are filled in */
    const char *command, *does;
};

/* until_us: of what goes on by itself then; 0 = it does not. */
void todo_add(struct todo *todo, const struct advice *advice, const struct matter *matter, int64_t until_us);
/* What only a server that runs knows: how it stands, and what its sources refused (todo_server.c); its desks and routes
 * that are in trouble (troubled.c). */
MUST_USE enum err todo_server(struct todo *todo);
MUST_USE enum err todo_troubled(struct todo *todo);
void todo_hold(struct todo *todo);    /* the brake, also without a server (todo_server.c) */
void todo_folders(struct todo *todo); /* folders.c */
/* One that ends soon, unless it is refused by now: then its pause is told. (certificates.c) */
void todo_certificate(struct todo *todo, size_t desk);
bool certificate_pauses(const struct desk_view *view); /* it was refused */
/* No call since the start, which was within a day, showed the one that was told of. */
bool certificate_is_unseen(const struct call *call, struct str kind, struct str name);
void todo_collector(struct todo *todo); /* the same of the collector of traces */

#endif
