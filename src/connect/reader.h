/* connect/reader.h - what the reading of a connector document shares: keys by
 * table, findings with their places, jq with its number. Private to this room. */
#ifndef CONNECT_READER_H
#define CONNECT_READER_H

#include "connect/connector.h"
#include "model/code.h"

/* A jq expression with its place, for the blame after a program failed to compile. */
struct connector_jq {
    struct str file, text;
    struct tree_mark mark;
};
struct connectors {
    struct arena *arena;
    struct jq_source *source;
    struct catalog catalog;
    struct connector **items; /* as catalog.entries */
    size_t room;
    struct connector_jq *expressions;
    size_t expression_count, expression_room;
};
/* Adds a connector, or puts it in the place of the one with the same name. */
void connectors_put(struct connectors *connectors, struct connector *connector, struct catalog_entry entry);

struct document_reader {
    struct connectors *connectors;
    struct connector *connector;         /* in the making */
    const struct catalog_entry *entry;   /* its fields' names */
    const struct catalog_action *action; /* whose parameters may be referred to; NULL outside of one */
    struct findings *findings;
    struct arena *arena;
};

void reader_complain(struct document_reader *reader, const struct tree *tree, struct tree_mark mark, enum code code,
                     const char *format, ...) __attribute__((format(printf, 5, 6)));

/* A key a map may have: its value's kind, or several. */
enum key_kind { KEY_TEXT = 1, KEY_MAP = 2, KEY_LIST = 4, KEY_ANY = 7 };
struct key_rule {
    const char *name;
    unsigned kinds;
    bool required;
};
/* Whether the tree is a map; findings for keys that are unknown, missing or of another kind. where: "action 'send'". */
bool reader_keys(struct document_reader *reader, const struct tree *tree, const struct key_rule *rules, size_t count,
                 struct str where);
#define READER_KEYS(reader, tree, rules, where)                                                                        \
    reader_keys((reader), (tree), (rules), sizeof(rules) / sizeof *(rules), (where))

/* A value that reader_keys let pass; NULL when absent or of a kind that was complained about. */
const struct tree *reader_get(const struct tree *map, const char *name, unsigned kinds);
/* One of the words: its place in the list; count after a finding. */
size_t reader_word(struct document_reader *reader, const struct tree *tree, const char *const *words, size_t count);
bool reader_truth(struct document_reader *reader, const struct tree *map, const char *name); /* absent = false */
/* A length of time between the bounds; otherwise when absent or after a finding. */
int64_t reader_span(struct document_reader *reader, const struct tree *map, const char *name, int64_t least_us,
                    int64_t most_us, int64_t otherwise_us);
int32_t reader_count(struct document_reader *reader, const struct tree *map, const char *name, int32_t least,
                     int32_t most, int32_t otherwise);
/* "256KiB", "1MiB": bytes between the bounds, which are whole KiB. */
size_t reader_size(struct document_reader *reader, const struct tree *map, const char *name, size_t least, size_t most,
                   size_t otherwise);
/* The number of a jq expression that sees the body as `.` and $status, $headers, $delivery, $params; JQ_NONE when
 * absent. */
size_t reader_jq(struct document_reader *reader, const struct tree *map, const char *name);
/* The same of an expression that no document holds. */
size_t reader_jq_own(struct document_reader *reader, struct str expression);
/* "; did you mean 'limit'?" or "". */
struct str reader_suggestion(struct arena *arena, struct str word, const struct str *words, size_t count);

#endif
