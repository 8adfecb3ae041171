/* base/roff.h - text into the source of a manual page (man(7)): what a formatter would take for its own language is
 * escaped. Pure. */
#ifndef BASE_ROFF_H
#define BASE_ROFF_H

#include "base/str.h"

/* Running text. Backquotes around words, as help texts have them, become bold. */
void roff_words(struct buf *buf, struct str text);
/* Text that is to be seen as it is typed: hyphens are minus signs, and quotes are straight. */
void roff_code(struct buf *buf, struct str text);
/* A line of a request, as ".SH NAME". */
void roff_request(struct buf *buf, const char *request, struct str argument);
/* The tag of a list: bold code, then words in italics, which may be "". The item's text follows. */
void roff_item(struct buf *buf, struct str code, struct str argument);

#endif
