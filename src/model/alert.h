/* model/alert.h - what people are told of: causes as `todo` finds them, what is remembered of each, and the rule which
 * says what to tell now. Pure: `now` is a parameter, what is remembered is a value that the store keeps (in the row of
 * the chore of alerts).
 *
 * A cause is known by its word, what it is about, and that thing's name: ten groups of failed deliveries to one
 * destination are one cause. It is told when it has lasted for as long as its kind must (a breaker 5 minutes), again
 * each `every` while it lasts, and once when it is over. One that was told to be over and comes again is told anew: who
 * heard that all is well must not be left to believe it. What comes and goes is told ALERT_TIMES_MAX times within
 * `every` and no oftener.
 * Times: microseconds UTC, of the calendar. Texts are borrowed.
 */
#ifndef MODEL_ALERT_H
#define MODEL_ALERT_H

#include "base/arena.h"
#include "base/str.h"

#define ALERTS_MAX       100 /* causes that are remembered; those beyond are told when others are over */
#define ALERTS_TOLD_MAX  16  /* at one look; the next has the others */
#define ALERT_TIMES_MAX  3   /* of one cause within `every` */
#define ALERT_EVENT      "drumbeat.alert"
#define ALERT_OVER_EVENT "drumbeat.alert.resolved"
#define ALERT_TEST_EVENT "drumbeat.alert.test"
#define REPORT_EVENT     "drumbeat.report"

/* Something that waits for a person. A text that is not set is "". */
struct cause {
    struct str cause, kind, name; /* kind: what the name names; "" = there is none */
    struct str error;
    struct str command, does; /* what helps, without '<' and '>', and what that would do */
    int64_t count, oldest_us;
    int64_t others; /* groups of the same cause with other errors, which `count` has and `error` does not */
};

/* What is remembered of a cause. */
struct alert {
    struct str cause, kind, name;
    int64_t since_us;                       /* it lasts since then */
    int64_t seen_us;                        /* the last look that found it, of any process */
    int64_t told_us;                        /* when people were last told that it is there; 0 = never */
    int64_t before_us[ALERT_TIMES_MAX - 1]; /* and the times before, the last one first */
    bool told;                              /* they were told of this time, and not yet that it is over */
};
struct alert_book {
    struct alert *alerts;
    size_t count;
    int64_t reported_day; /* the last day whose sheet was sent, in days since 1970 */
};
/* As one JSON text, and back; what cannot be read is an empty book. */
struct str alert_book_write(const struct alert_book *book, struct arena *arena);
struct alert_book alert_book_read(struct str text, struct arena *arena);

struct alert_news {
    struct alert alert;        /* as it is from now on */
    const struct cause *cause; /* with all that was found of it; NULL = it is over */
    int64_t silent_until_us;   /* it comes and goes: not told again before that; 0 = it may be */
};
struct alert_news_list {
    struct alert_news items[ALERTS_TOLD_MAX];
    size_t count;
};
/* One look: what the book was, what there is now. *book becomes what is to be remembered. */
void alert_decide(struct alert_book *book, const struct cause *causes, size_t count, int64_t every_us, int64_t wall_us,
                  struct arena *arena, struct alert_news_list *ret_news);
/* Whether it lasts, as far as is known: what is not told yet waits until it has lasted long enough. */
bool alert_lasts(const struct alert *alert, int64_t wall_us);

/* The payload of the event that tells it. `text` is a whole message for people; `<` and `>`, with which chat programs
 * mark commands, are other characters there. */
struct str alert_payload(const struct alert_news *news, struct arena *arena);

#endif
