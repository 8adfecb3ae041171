/* ingest/multipart.h - a body of multipart/form-data without files, as the form that it is. Pure; private to this room.
 *
 * Strict: what no browser, curl or script library sends is refused. libmicrohttpd has a parser of its own, which works
 * on its connections alone, and here a body is whole before it is read. Source: RFC 7578, RFC 2046 5.1, and the HTML
 * standard, 4.10.22.8, for names. */
#ifndef INGEST_MULTIPART_H
#define INGEST_MULTIPART_H

#include "ingest/form.h"

/* content_type: the header's whole value. False, with a sentence; ret_file: the field that brings a file when that is
 * why, else "". */
bool multipart_read(struct str content_type, struct str body, struct arena *arena, struct form *ret_form,
                    struct str *ret_file, struct str *ret_problem);

#endif
