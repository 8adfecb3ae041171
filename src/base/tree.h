/* base/tree.h - a configuration document as read: maps, lists and texts with
 * their places. Every scalar is text; tables of keys convert it. Built by
 * config/parse.c (the one file that knows YAML), read by config and connect.
 */
#ifndef BASE_TREE_H
#define BASE_TREE_H

#include "base/str.h"

enum tree_kind { TREE_NULL, TREE_SCALAR, TREE_LIST, TREE_MAP };

struct tree_mark {
    uint32_t line, column; /* from 1 */
};

struct tree {
    enum tree_kind kind;
    struct tree_mark mark;
    struct str text; /* TREE_SCALAR */
    bool quoted;     /* written in quotes: "" is a text, not nothing */
    size_t count;
    struct tree **items; /* TREE_LIST and TREE_MAP: children */
    struct str *names;   /* TREE_MAP */
    struct tree_mark *name_marks;
    struct str file; /* the document's name, for messages */
};

struct tree *tree_get(const struct tree *map, struct str name); /* NULL when absent or not a map */
/* STR_NONE when absent or not a scalar. */
struct str tree_text(const struct tree *map, struct str name);
/* Appends it as JSON: outside quotes, numbers, true, false and null are JSON's, all else is text. */
void tree_json(struct buf *buf, const struct tree *tree);

/* What is wrong with a document: all at once, in order of place. */
struct finding {
    struct finding *next;
    bool warning;
    char code[8]; /* E0204, W0107 */
    struct str file;
    struct tree_mark mark;
    struct str text;
};
#define FINDINGS_MAX 1000 /* more are counted and not kept */
struct findings {
    struct arena *arena;
    struct finding *first; /* kept sorted by file, line, column */
    size_t errors, warnings;
};
void finding_add(struct findings *findings, struct str file, struct tree_mark mark, const char *code,
                 const char *format, ...)
    __attribute__((format(printf, 5, 6))); /* a code that begins with W is a warning */

#endif
