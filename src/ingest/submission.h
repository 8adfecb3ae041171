/* ingest/submission.h - from a form that somebody filled in to an event. Pure.
 *
 * What came is read and judged first, so that a page can show it again (ingest/form_page.h); then it becomes the event.
 * Its payload has the fields by name, and what the form knows of the person's way:
 *   consent  {given, text, at, page}, where the form asks for it: the words that were shown, and when they were
 * answered utm      {source, medium, campaign, term, content}, from members utm_…, the request's query or the page's
 *   form     {page, referrer, language}
 * Names that begin with '_' are the page's own: _gotcha is a field that no person sees, _token is another in each page,
 * _elapsed says how long it took to fill in, _page and _referrer where it stood. */
#ifndef INGEST_SUBMISSION_H
#define INGEST_SUBMISSION_H

#include "ingest/form.h"
#include "ingest/webhook.h"

#define UNKNOWN_MAX 8 /* names that one submission tells of; more are as if they had not come */

/* X(NAME): what is wrong with a field; the words are in form_texts.def. */
enum entry_problem {
    ENTRY_FINE,
    ENTRY_MISSING,
    ENTRY_LONG,
    ENTRY_CONTROL, /* it holds a character that no keyboard makes */
    ENTRY_NO_EMAIL,
    ENTRY_NO_TEL,
    ENTRY_NO_URL,
    ENTRY_NO_NUMBER,
    ENTRY_NO_CHOICE
};

/* One field of the form, in its order; of a form that declares none, one for each name that came. */
struct entry {
    const struct form_field *field;
    struct str value; /* "" = nothing; of a tick, "on" */
    size_t member;    /* the first member of this name, where none is declared, */
    bool several;     /* and whether there are more */
    enum entry_problem problem;
};

struct submission {
    const struct source_settings *source;
    struct form form; /* all that came */
    struct entry *entries;
    size_t entry_count, problem_count;
    bool consents;
    const char *spam;          /* why it is; NULL = it is not */
    struct str token;          /* "" = the page carried none */
    struct str page, referrer; /* "" = unknown */
    /* Names of what is not kept, because the form does not declare it: what came with nothing in it loses nothing. */
    struct str unknown[UNKNOWN_MAX];
    size_t unknown_count;
};

/* A request to the form: urlencoded, multipart without files, or a JSON object of texts. A file is refused with its
 * field's name. */
MUST_USE enum err submission_read(const struct intake_context *context, const struct source_settings *source,
                                  const struct request *request, struct submission *ret_submission,
                                  struct refusal *ret_refusal);

/* The event of it, under its key. */
struct intake_item submission_event(const struct intake_context *context, const struct request *request,
                                    const struct submission *submission);
/* Where the page carried no token, the same words are one event within a window of the form's: those since `window_us`,
 * in which the key's digest is taken; ago: how many windows before this one. */
struct str submission_key(const struct intake_context *context, const struct submission *submission, int ago);

/* ---- spam ---- */

/* What is kept as spam is an event of the type spam.NAME, which no pattern takes that does not say spam.
 * (model/event.h); its payload is {"why", "type", "problems", "payload"}: problems, where there are any, are those for
 * which the form would have refused it. Gives the event that it would have been; false: it is none of these, or would
 * have been refused. */
bool submission_release(const struct intake_context *context, const struct event *spam, struct event *ret_event,
                        struct refusal *ret_refusal);

/* A request as the form's page would make it, from what is wished; fields that the form requires and the wish has not
 * are filled in. */
void submission_sample(const struct source_settings *source, const struct sample_wish *wish, struct arena *arena,
                       struct request *ret_request);

#endif
