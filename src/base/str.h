/* base/str.h - text as pointer and length, and the buffer that builds it.
 *
 * A struct str never owns: it points into an arena, a literal or somebody's
 * buffer. It need not end in NUL; where it does (str_fmt, str_dup, buf_str)
 * the comment says so. Thread: values, no shared state.
 */
#ifndef BASE_STR_H
#define BASE_STR_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct arena;

struct str {
    const char *p;
    size_t n;
};

struct str_list {
    struct str *items;
    size_t count;
};

#define STR(literal) ((struct str){(literal), sizeof(literal) - 1})
#define STR_NONE     ((struct str){0})
/* for printf: "%.*s", STR_ARG(s) */
#define STR_ARG(s) (int)(s).n, ((s).p ? (s).p : "")

struct str str_from(const char *c_text); /* NULL gives STR_NONE */
bool str_eq(struct str a, struct str b);
bool str_list_has(struct str_list list, struct str text);
bool str_eq_nocase(struct str a, struct str b); /* ASCII only */
int str_cmp(struct str a, struct str b);        /* bytes, as memcmp */
bool str_starts(struct str s, struct str prefix);
bool str_ends(struct str s, struct str suffix);
/* Index of the byte or SIZE_MAX. */
size_t str_find(struct str s, char byte);
struct str str_trim(struct str s);                           /* blanks, tabs, CR, LF at both ends */
struct str str_sub(struct str s, size_t from, size_t count); /* clamped */
/* As much of the beginning as so many bytes hold, without half a character at its end. */
struct str str_head(struct str s, size_t bytes);
/* Takes the part before the separator off *rest; false when *rest is used up ("a,b," has the two parts a and b). */
bool str_next(struct str *rest, char separator, struct str *ret_part);
/* Whole text must be a decimal number without sign or blanks. */
bool str_to_u64(struct str s, uint64_t *ret_value);
bool str_to_i64(struct str s, int64_t *ret_value);   /* leading '-' allowed */
bool str_to_double(struct str s, double *ret_value); /* JSON's number grammar, up to 400 characters, finite */

/* Copies end in NUL. */
struct str str_dup(struct arena *arena, struct str s);
/* Fit to stand in a sentence: control characters and broken UTF-8 are blanks, and behind so many bytes it is cut. */
struct str str_shown(struct arena *arena, struct str s, size_t max_bytes);
struct str str_fmt(struct arena *arena, const char *format, ...) __attribute__((format(printf, 2, 3)));
struct str str_vfmt(struct arena *arena, const char *format, va_list args) __attribute__((format(printf, 2, 0)));

/* Levenshtein distance, at most limit + 1; for "did you mean". */
size_t str_distance(struct str a, struct str b, size_t limit);
/* '*' any run, '?' one byte; the glob of route types. */
bool str_glob(struct str pattern, struct str s);
/* Valid UTF-8 (RFC 3629: no surrogates, no overlong forms). */
bool str_is_utf8(struct str s);
/* The length of the UTF-8 sequence at s.p[at] (at < s.n); 0 when it is not valid. */
size_t str_utf8_length(struct str s, size_t at);
/* The character of a valid sequence. */
uint32_t str_point(struct str s, size_t at, size_t length);
/* Whether the character at a place (a valid sequence of that length) is one that a terminal obeys or does not draw: a
 * control, a bidi control, a separator of lines, something without width. Joiners and forms of emoji are not, where
 * they stand as they should. */
bool str_is_hidden(struct str s, size_t at, size_t length);
/* As JSON escapes it, "\u202e", or two of them above U+FFFF; ends in NUL. Gives the length. */
#define ESCAPE_ROOM 13
size_t str_escape(uint32_t point, char ret_text[ESCAPE_ROOM]);
/* The text with what is hidden escaped, and a '?' for each byte that is no UTF-8, so that it steers no terminal and
 * reads as it is. Line ends and tabs are kept, or blanks when one_line; a CR is a blank. What is JSON stays the same
 * JSON. */
struct str str_safe(struct arena *arena, struct str text, bool one_line);

/* A growing text in an arena. Zeros with .arena set are ready for use. */
struct buf {
    struct arena *arena;
    char *p;
    size_t n, room;
};
void buf_add(struct buf *buf, struct str s);
void buf_byte(struct buf *buf, char byte);
void buf_fmt(struct buf *buf, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* What was built; a NUL stands behind it. The buffer may go on growing. */
struct str buf_str(struct buf *buf);

#endif
