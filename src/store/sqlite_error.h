/* store/sqlite_error.h - what an error of SQLite's means for the store. Private
 * to this room. Thread: any. */
#ifndef STORE_SQLITE_ERROR_H
#define STORE_SQLITE_ERROR_H

#include "base/err.h"

/* extended: SQLite's extended result code; system_errno: of the call that failed, 0 = none did. */
enum err sqlite_error(int extended, int system_errno);

#endif
