/* connect/document.h - the parts of a connector document, each read by one
 * function. Private to this room. Findings go to the reader; what could not be
 * read is left as it was. */
#ifndef CONNECT_DOCUMENT_H
#define CONNECT_DOCUMENT_H

#include "connect/reader.h"

/* document.c */
void read_params(struct document_reader *reader, const struct tree *map, struct catalog_action *action);
void read_any_of(struct document_reader *reader, const struct tree *list, struct catalog_action *action);

/* document_request.c */
void read_auth(struct document_reader *reader, const struct tree *map);
void read_headers(struct document_reader *reader, const struct tree *map, enum scope scope, struct pairs *pairs);
struct request_form *read_request(struct document_reader *reader, const struct tree *map, enum scope scope);
void add_pair(struct arena *arena, struct pairs *pairs, struct pair pair);

/* document_token.c */
void read_token(struct document_reader *reader, const struct tree *map);

/* document_action.c */
void read_status(struct document_reader *reader, const struct tree *tree, struct status_set *ret_set);
void read_action(struct document_reader *reader, const struct tree *tree, struct str name, struct action *ret_action,
                 struct catalog_action *ret_catalog);

#endif
