/* ingest/form_page.h - the pages of a form, as HTML. Pure.
 *
 * They need no script, each field has its label and says how browsers may fill it in, and what is wrong is said in the
 * form's language, beside the field and above all, with what was typed still there. Everything that comes from a
 * request or the configuration is escaped. Source of autocomplete: the HTML standard, 4.10.18.7.1. */
#ifndef INGEST_FORM_PAGE_H
#define INGEST_FORM_PAGE_H

#include "ingest/submission.h"

enum form_text {
#define X(name, english, german) FORM_SAYS_##name,
#include "ingest/form_texts.def"
#undef X
    FORM_TEXT_COUNT
};
const char *form_says(int32_t language, enum form_text text);

/* What stands in the page besides the form. */
struct form_view {
    const struct source_settings *source;
    const struct submission *typed; /* what was wrong and is shown again; NULL: an empty form */
    const struct request *request;  /* NULL: the page is pasted elsewhere */
    struct str action;              /* where it is posted */
    struct str token;
};

/* The style of the pages, which their policy names by its digest. */
extern const struct str form_style;

struct str form_page(const struct form_view *view, struct arena *arena);
/* The form alone, to be pasted into another page; a small script in it, which it also works without, notes that page.
 */
struct str form_paste(const struct form_view *view, struct arena *arena);
/* A page that says one thing: thanks, or why not. */
struct str form_note(int32_t language, enum form_text heading, enum form_text text, struct arena *arena);
/* One sentence about an entry. */
struct str form_problem_text(const struct source_settings *source, const struct entry *entry, struct arena *arena);

#endif
