/* store/driver_sqlite.c - see sqlite.h. Knows SQLite's API; what it writes its log with is log_file.c.
 *
 * One connection in exclusive locking mode: no second one can checkpoint (releases before 3.51.3 may corrupt a store
 * that two connections checkpoint at once), and there is no shared memory file. Checkpoints run in tidy() alone. After
 * an error that leaves the disk's state in doubt (a failed fsync above all) nothing is written any more. */
#include "store/sqlite.h"

#include "store/files.h"
#include "store/lock.h"
#include "store/log_file.h"
#include "store/migrate.h"
#include "store/reserve.h"
#include "store/sql.h"
#include "store/sqlite_error.h"

#include <assert.h>
#include <errno.h>
#include <limits.h>
#include <sqlite3.h>
#include <stdio.h>
#include <string.h>

/* How much a checkpoint in a busy spell moves at most, for which that moment's answers wait. */
#define WAL_BOUND_DEFAULT_BYTES ((int64_t)12 << 20)
#define PAGE_BYTES              4096
/* While there is only the reserve's room on the disk. */
#define WAL_TIGHT_BYTES ((int64_t)1 << 20)
/* A store up to this size is read through and checked at every start: at most about 30 ms. */
#define CHECKED_AT_START_BYTES ((int64_t)4 << 20)
#define FIRST_ROWS             ((size_t)8)
/* Cursors and values of running statements, 300 KiB in all: what does not fit costs a malloc each time. */
#define LOOKASIDE_BYTES 1200
#define LOOKASIDE_COUNT 256

enum { BEGIN, BEGIN_READING, COMMIT, ROLLBACK, TURN_STATEMENTS };
static const char *const turn_texts[TURN_STATEMENTS] = {"BEGIN IMMEDIATE", "BEGIN", "COMMIT", "ROLLBACK"};

struct sqlite_driver {
    sqlite3 *db;
    struct log_vfs *log_vfs; /* of a writer */
    struct lock lock;
    struct files files;
    struct reserve reserve;
    sqlite3_stmt *turn[TURN_STATEMENTS];
    sqlite3_stmt *statements[SQL_STATEMENT_COUNT]; /* prepared at first use, kept */
    int64_t wal_bound_frames;
    int wal_frames;  /* not yet checkpointed */
    bool wal_filled; /* the file has something in it */
    bool looked;     /* at the files, since the store was last put in order */
    bool failed;     /* nothing is trusted any more */
    bool read_only;
    char trouble[256];
};

/* ---- errors ---- */

/* What the system said. A failed COMMIT keeps no such note in the connection; the log's file does. */
static int system_error(struct sqlite_driver *driver) {
    sqlite3_file *log = NULL;
    int number = sqlite3_system_errno(driver->db);
    if (!number && !sqlite3_file_control(driver->db, "main", SQLITE_FCNTL_JOURNAL_POINTER, &log) && log->pMethods)
        log->pMethods->xFileControl(log, SQLITE_FCNTL_LAST_ERRNO, &number);
    return number;
}

/* Takes down the database's words for the error that just happened, and what it means. */
static enum err driver_failed(struct sqlite_driver *driver) {
    int extended = sqlite3_extended_errcode(driver->db), primary = extended & 0xff;
    int system_errno = primary == SQLITE_IOERR || primary == SQLITE_CANTOPEN ? system_error(driver) : 0;
    enum err err = sqlite_error(extended, system_errno);
    if (system_errno)
        snprintf(driver->trouble, sizeof driver->trouble, "%s: %s (%d)", sqlite3_errmsg(driver->db),
                 strerror(system_errno), extended);
    else
        snprintf(driver->trouble, sizeof driver->trouble, "%s (%d)", sqlite3_errmsg(driver->db), extended);
    if (err_class(err) == ERR_CLASS_FATAL) driver->failed = true;
    if (err == ERR_STORE_FULL) reserve_give_up(&driver->reserve);
    return err;
}

static const char *driver_trouble(void *self) {
    return ((struct sqlite_driver *)self)->trouble;
}

/* ---- statements ---- */

static enum err prepare(struct sqlite_driver *driver, const char *text, sqlite3_stmt **statement) {
    if (*statement) return ERR_NONE;
    int code = sqlite3_prepare_v3(driver->db, text, -1, SQLITE_PREPARE_PERSISTENT, statement, NULL);
    return code == SQLITE_OK ? ERR_NONE : driver_failed(driver);
}

/* Values stay where they are until the statement has run. */
static int bind_value(sqlite3_stmt *statement, int at, const struct sql_value *value) {
    assert(value->text.n <= INT_MAX);
    const char *bytes = value->text.p ? value->text.p : "";
    switch (value->kind) {
    case SQL_NULL:
        return sqlite3_bind_null(statement, at);
    case SQL_INT:
        return sqlite3_bind_int64(statement, at, value->number);
    case SQL_TEXT:
        return sqlite3_bind_text(statement, at, bytes, (int)value->text.n, SQLITE_STATIC);
    case SQL_BLOB:
        return sqlite3_bind_blob(statement, at, bytes, (int)value->text.n, SQLITE_STATIC);
    }
    return SQLITE_MISUSE;
}

/* The row's texts lie behind its values, in one piece. */
static const struct sql_value *copy_row(sqlite3_stmt *statement, size_t columns, struct arena *arena) {
    size_t bytes = 0;
    for (size_t i = 0; i < columns; i++)
        if (sqlite3_column_type(statement, (int)i) >= SQLITE_TEXT &&
            sqlite3_column_type(statement, (int)i) <= SQLITE_BLOB)
            bytes += (size_t)sqlite3_column_bytes(statement, (int)i);
    struct sql_value *values = arena_alloc(arena, columns * sizeof *values + bytes);
    char *to = (char *)(values + columns);
    for (size_t i = 0; i < columns; i++) {
        int type = sqlite3_column_type(statement, (int)i);
        if (type == SQLITE_INTEGER) values[i] = sql_int(sqlite3_column_int64(statement, (int)i));
        if (type != SQLITE_TEXT && type != SQLITE_BLOB) continue;
        const void *from = sqlite3_column_blob(statement, (int)i);
        size_t length = (size_t)sqlite3_column_bytes(statement, (int)i);
        if (length) memcpy(to, from, length);
        values[i] = (struct sql_value){.kind = type == SQLITE_TEXT ? SQL_TEXT : SQL_BLOB, .text = {to, length}};
        to += length;
    }
    return values;
}

struct rows {
    struct arena *arena; /* NULL = nobody wants them */
    struct sql_row *rows;
    size_t count, room, columns;
};

static void keep_row(struct rows *rows, size_t input, const struct sql_value *values) {
    if (rows->count == rows->room) {
        rows->room = rows->room ? rows->room * 2 : FIRST_ROWS;
        struct sql_row *grown = arena_array(rows->arena, struct sql_row, rows->room);
        if (rows->count) memcpy(grown, rows->rows, rows->count * sizeof *grown);
        rows->rows = grown;
    }
    rows->rows[rows->count++] = (struct sql_row){input, values};
}

/* Keeps one row of a result "+", as store/sql.h describes it. */
static void keep_change(struct rows *rows, size_t input, int64_t seq) {
    struct sql_value *value = arena_new(rows->arena, struct sql_value);
    *value = sql_int(seq);
    keep_row(rows, input, value);
}

/* Steps to the end. The statement is ready for its next row of parameters, also after an error. */
static enum err run_once(struct sqlite_driver *driver, sqlite3_stmt *statement, size_t input, struct rows *rows) {
    int code;
    rows->columns = (size_t)sqlite3_column_count(statement);
    while ((code = sqlite3_step(statement)) == SQLITE_ROW)
        if (rows->arena) keep_row(rows, input, copy_row(statement, rows->columns, rows->arena));
    enum err err = code == SQLITE_DONE ? ERR_NONE : driver_failed(driver);
    sqlite3_reset(statement);
    return err;
}

static enum err bind_row(struct sqlite_driver *driver, sqlite3_stmt *statement, const struct sql_value *params,
                         size_t columns) {
    for (size_t i = 0; i < columns; i++)
        if (bind_value(statement, (int)i + 1, &params[i])) return driver_failed(driver);
    return ERR_NONE;
}

static enum err driver_run(void *self, const struct sql_batch *batch, struct arena *arena,
                           struct sql_result *ret_result) {
    struct sqlite_driver *driver = self;
    const struct sql_text *text = sql_text((enum sql_statement)batch->statement);
    sqlite3_stmt **statement = &driver->statements[batch->statement];
    struct rows rows = {.arena = ret_result ? arena : NULL};
    bool tells_changes = rows.arena && text->results[0] == '+';
    int64_t changes = 0;
    if (ret_result) *ret_result = (struct sql_result){0};
    if (!*text->sqlite) return ERR_NONE;
    TRY(prepare(driver, text->sqlite, statement));
    assert((size_t)sqlite3_bind_parameter_count(*statement) == batch->columns);
    assert(text->results[0] == '+' || (size_t)sqlite3_column_count(*statement) == strlen(text->results));
    bool writes = !sqlite3_stmt_readonly(*statement);
    for (size_t row = 0; row < batch->rows; row++) {
        TRY(bind_row(driver, *statement, batch->params + row * batch->columns, batch->columns));
        TRY(run_once(driver, *statement, row, &rows));
        int64_t changed = writes ? sqlite3_changes64(driver->db) : 0;
        if (changed && tells_changes) keep_change(&rows, row, sqlite3_last_insert_rowid(driver->db));
        changes += changed;
    }
    if (ret_result) *ret_result = (struct sql_result){rows.rows, rows.count, rows.columns, changes};
    return ERR_NONE;
}

static enum err driver_script(void *self, struct str sql, struct arena *arena, struct sql_result *ret_result) {
    struct sqlite_driver *driver = self;
    struct rows rows = {.arena = ret_result ? arena : NULL};
    const char *at = sql.p, *end = sql.p + sql.n;
    while (at < end) {
        sqlite3_stmt *statement = NULL;
        if (sqlite3_prepare_v2(driver->db, at, (int)(end - at), &statement, &at)) return driver_failed(driver);
        enum err err = statement ? run_once(driver, statement, 0, &rows) : ERR_NONE;
        sqlite3_finalize(statement);
        TRY(err);
    }
    if (ret_result) *ret_result = (struct sql_result){rows.rows, rows.count, rows.columns, 0};
    return ERR_NONE;
}

/* ---- turns ---- */

static enum err run_turn_statement(struct sqlite_driver *driver, int which) {
    if (driver->failed) return ERR_STORE_FAILED;
    TRY(prepare(driver, turn_texts[which], &driver->turn[which]));
    struct rows none = {0};
    return run_once(driver, driver->turn[which], 0, &none);
}

static enum err driver_begin(void *self) {
    struct sqlite_driver *driver = self;
    return run_turn_statement(driver, driver->read_only ? BEGIN_READING : BEGIN);
}

/* SQLite may have rolled back by itself. An error here is only the trouble that was told before, so it is ignored. */
static void driver_rollback(void *self) {
    struct sqlite_driver *driver = self;
    if (sqlite3_get_autocommit(driver->db)) return;
    enum err err = run_turn_statement(driver, ROLLBACK);
    (void)err;
}

static int count_frames(void *self, sqlite3 *db, const char *schema, int frames) {
    struct sqlite_driver *driver = self;
    (void)db;
    (void)schema;
    driver->wal_frames = frames;
    driver->wal_filled = true;
    return SQLITE_OK;
}

static enum err checkpoint(struct sqlite_driver *driver, int mode) {
    if (sqlite3_wal_checkpoint_v2(driver->db, "main", mode, NULL, NULL)) return driver_failed(driver);
    driver->wal_frames = 0;
    driver->wal_filled = mode != SQLITE_CHECKPOINT_TRUNCATE;
    files_grew(&driver->files);
    return ERR_NONE;
}

/* Files that were removed, replaced or cut would take commits that nobody finds again. Where only the log's name is
 * gone, what it holds can still be read and goes into the store's file. */
static enum err end_without_files(struct sqlite_driver *driver, enum files_trouble trouble, const char *what) {
    driver_rollback(driver);
    if (trouble == FILES_LOG_GONE && checkpoint(driver, SQLITE_CHECKPOINT_PASSIVE)) trouble = FILES_GONE;
    snprintf(driver->trouble, sizeof driver->trouble, "%s %s", what, files_trouble_text(trouble));
    driver->failed = true;
    return ERR_STORE_FAILED;
}

static enum err check_log(struct sqlite_driver *driver) {
    const char *what = "";
    if (!driver->log_vfs) return ERR_NONE;
    enum files_trouble trouble = files_look_at_log(&driver->files, log_vfs_bytes(driver->log_vfs), &what);
    return trouble == FILES_FINE ? ERR_NONE : end_without_files(driver, trouble, what);
}

static enum err check_files(struct sqlite_driver *driver) {
    const char *what = "";
    if (!driver->log_vfs) return ERR_NONE;
    enum files_trouble trouble = files_look(&driver->files, log_vfs_bytes(driver->log_vfs), &what);
    driver->looked = true;
    return trouble == FILES_FINE ? ERR_NONE : end_without_files(driver, trouble, what);
}

/* Before, because what is written behind the end of a log that was cut hides that it was. After, because only then it
 * is known that what is acknowledged went where the next start looks for it. */
static enum err driver_commit(void *self) {
    struct sqlite_driver *driver = self;
    if (driver->failed) return ERR_STORE_FAILED;
    TRY(check_log(driver));
    TRY(run_turn_statement(driver, COMMIT));
    return check_files(driver);
}

static enum err driver_tidy(void *self, bool idle) {
    struct sqlite_driver *driver = self;
    if (driver->failed) return ERR_STORE_FAILED;
    if (idle || !driver->looked) TRY(check_files(driver)); /* else a commit of this turn has just looked */
    driver->looked = false;
    reserve_restore(&driver->reserve);
    bool tight = driver->reserve.tight && driver->wal_frames > WAL_TIGHT_BYTES / PAGE_BYTES;
    if ((idle || tight) && driver->wal_filled) return checkpoint(driver, SQLITE_CHECKPOINT_TRUNCATE);
    if (driver->wal_frames > driver->wal_bound_frames) return checkpoint(driver, SQLITE_CHECKPOINT_RESTART);
    return ERR_NONE;
}

static bool driver_tight(void *self) {
    return ((struct sqlite_driver *)self)->reserve.tight;
}

static bool driver_measure(void *self, int64_t *ret_file_bytes, int64_t *ret_log_bytes) {
    struct sqlite_driver *driver = self;
    sqlite3_file *file = NULL, *log = NULL;
    sqlite3_int64 file_bytes = 0, log_bytes = 0;
    sqlite3_file_control(driver->db, "main", SQLITE_FCNTL_FILE_POINTER, &file);
    sqlite3_file_control(driver->db, "main", SQLITE_FCNTL_JOURNAL_POINTER, &log);
    if (!file || !file->pMethods || file->pMethods->xFileSize(file, &file_bytes)) return false;
    if (log && log->pMethods && log->pMethods->xFileSize(log, &log_bytes)) return false;
    *ret_file_bytes = file_bytes;
    *ret_log_bytes = log_bytes;
    return true;
}

struct sqlite3 *sqlite_connection(const struct sql_driver *driver) {
    return ((const struct sqlite_driver *)driver->self)->db;
}

/* SQLite checkpoints when its last connection closes, which must not happen once nothing is trusted any more. */
static void driver_close(void *self) {
    struct sqlite_driver *driver = self;
    for (int i = 0; i < TURN_STATEMENTS; i++) sqlite3_finalize(driver->turn[i]);
    for (int i = 0; i < SQL_STATEMENT_COUNT; i++) sqlite3_finalize(driver->statements[i]);
    if (driver->db && (driver->failed || driver->read_only))
        sqlite3_db_config(driver->db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
    int code = sqlite3_close(driver->db);
    assert(code == SQLITE_OK);
    log_vfs_free(driver->log_vfs);
    lock_release(&driver->lock);
}

/* ---- opening ---- */

/* trusted_schema, cell_size_check: a damaged file is to fail, not to run code or read past a page. */
static const char settings[] = "PRAGMA page_size = 4096; PRAGMA synchronous = FULL; PRAGMA wal_autocheckpoint = 0;"
                               "PRAGMA cache_size = -32000; PRAGMA temp_store = MEMORY; PRAGMA mmap_size = 0;"
                               "PRAGMA trusted_schema = OFF; PRAGMA cell_size_check = ON;";

static enum err ask_text(struct sqlite_driver *driver, const char *sql, struct arena *arena,
                         struct sql_value *ret_value) {
    struct sql_result result;
    TRY(driver_script(driver, str_from(sql), arena, &result));
    *ret_value = result.count ? result.rows[0].values[0] : sql_int(0);
    return ERR_NONE;
}

/* Runs before anything is written, because a SQLite file that belongs to somebody else must stay as it is. */
static enum err check_owner(struct sqlite_driver *driver, struct arena *arena, struct str *ret_problem) {
    struct sql_value id, tables;
    TRY(ask_text(driver, "PRAGMA application_id;", arena, &id));
    TRY(ask_text(driver, "SELECT count(*) FROM sqlite_schema;", arena, &tables));
    if (id.number == STORE_APPLICATION_ID || (id.number == 0 && tables.number == 0)) return ERR_NONE;
    *ret_problem = STR("it is a SQLite file of another program");
    return ERR_STORE_FOREIGN;
}

/* The file as the disk has it must hold every page the store counts, unless the log could not be emptied; what is small
 * is checked page by page. */
static enum err check_whole(struct sqlite_driver *driver, struct arena *arena, struct str *ret_problem) {
    sqlite3_file *file = NULL;
    sqlite3_int64 bytes = 0;
    struct sql_value pages, verdict;
    TRY(ask_text(driver, "PRAGMA page_count;", arena, &pages));
    sqlite3_file_control(driver->db, "main", SQLITE_FCNTL_FILE_POINTER, &file);
    if (file->pMethods->xFileSize(file, &bytes)) return driver_failed(driver);
    if (bytes < pages.number * PAGE_BYTES && !driver->wal_filled) {
        *ret_problem = str_fmt(arena, "it is cut short: %lld bytes where %lld belong", (long long)bytes,
                               (long long)pages.number * PAGE_BYTES);
        return ERR_STORE_CORRUPT;
    }
    if (bytes > CHECKED_AT_START_BYTES) return ERR_NONE;
    TRY(ask_text(driver, "PRAGMA integrity_check(1);", arena, &verdict));
    if (str_eq(verdict.text, STR("ok"))) return ERR_NONE;
    *ret_problem = verdict.text;
    return ERR_STORE_CORRUPT;
}

/* A full disk keeps nobody from starting: what the log holds can stay there, and what a person asks can be told. */
static enum err empty_log(struct sqlite_driver *driver) {
    enum err err = checkpoint(driver, SQLITE_CHECKPOINT_TRUNCATE);
    if (err == ERR_STORE_FULL) err = checkpoint(driver, SQLITE_CHECKPOINT_TRUNCATE); /* with the reserve given up */
    driver->wal_filled = err != ERR_NONE;
    return err == ERR_STORE_FULL ? ERR_NONE : err;
}

/* First moves into the file what a crash left in the log. The simulator sets no check: it looks for damage itself. */
static enum err open_writer(struct sqlite_driver *driver, bool check, struct arena *arena, struct str *ret_problem) {
    struct sql_value mode;
    TRY(driver_script(driver, STR("PRAGMA locking_mode = EXCLUSIVE;"), arena, NULL));
    TRY(check_owner(driver, arena, ret_problem));
    TRY(driver_script(driver, str_from(settings), arena, NULL));
    TRY(ask_text(driver, "PRAGMA journal_mode = WAL;", arena, &mode));
    if (!str_eq(mode.text, STR("wal"))) {
        *ret_problem = STR("its folder allows no write-ahead log");
        return ERR_IO;
    }
    TRY(empty_log(driver));
    sqlite3_wal_hook(driver->db, count_frames, driver);
    return check ? check_whole(driver, arena, ret_problem) : ERR_NONE;
}

static enum err open_reader(struct sqlite_driver *driver, struct arena *arena, struct str *ret_problem) {
    TRY(check_owner(driver, arena, ret_problem));
    return driver_script(driver, str_from(settings), arena, NULL);
}

static const struct open_failure {
    enum err err;
    const char *before, *between, *after; /* the file's name, the detail */
} open_failures[] = {
    {ERR_STORE_CORRUPT, "the store ", " is damaged: ", "; restore a backup"},
    {ERR_STORE_FOREIGN, "", " is not a drumbeat store: ", ""},
    {ERR_STORE_LOCKED, "", " is in use", ""},
    {ERR_NONE, "cannot open the store ", ": ", ""},
};

static struct str refusal_text(enum err err, struct str path, struct str detail, struct arena *arena) {
    const struct open_failure *failure = open_failures;
    while (failure->err && failure->err != err) failure++;
    if (err == ERR_STORE_LOCKED) {
        int pid = lock_holder(path, arena);
        detail = pid ? str_fmt(arena, " by process %d", pid) : STR(" by another process");
    }
    return str_fmt(arena, "%s%.*s%s%.*s%s", failure->before, STR_ARG(path), failure->between, STR_ARG(detail),
                   failure->after);
}

/* What an error means while opening: a reader may hold the file, and a file that was ours before cannot be foreign. */
static enum err open_error(const struct sqlite_driver *driver, enum err err) {
    int code = driver->db ? sqlite3_errcode(driver->db) & 0xff : SQLITE_OK;
    if (code == SQLITE_BUSY) return ERR_STORE_LOCKED;
    bool ours = driver->lock.fd >= 0 && lock_was_made(&driver->lock);
    return code == SQLITE_NOTADB && ours ? ERR_STORE_CORRUPT : err;
}

static enum err open_file(struct sqlite_driver *driver, const struct sqlite_options *options, struct arena *arena,
                          struct str *ret_problem) {
    int flags = SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE |
                (options->read_only ? SQLITE_OPEN_READONLY : SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE);
    sqlite3_config(SQLITE_CONFIG_SINGLETHREAD); /* refused, without harm, once SQLite is in use */
    sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0);
    if (!options->read_only && !options->vfs) files_make_private(options->path, arena);
    if (!options->read_only) driver->log_vfs = log_vfs_new(options->vfs);
    if (sqlite3_open_v2(str_dup(arena, options->path).p, &driver->db, flags,
                        driver->log_vfs ? log_vfs_name(driver->log_vfs) : options->vfs))
        return driver_failed(driver);
    return options->read_only ? open_reader(driver, arena, ret_problem)
                              : open_writer(driver, !options->vfs, arena, ret_problem);
}

static enum err open_locked(struct sqlite_driver *driver, const struct sqlite_options *options, struct arena *arena,
                            struct str *ret_problem) {
    bool locks = !options->read_only && !options->vfs;
    struct str detail = STR_NONE;
    if (locks) TRY(lock_take(&driver->lock, options->path, arena, ret_problem));
    bool made = locks && lock_was_made(&driver->lock);
    if (locks) reserve_open(&driver->reserve, options->path, arena);
    enum err err = options->vfs ? ERR_NONE : files_check(options->path, made, arena, &detail);
    if (!err) err = open_file(driver, options, arena, &detail);
    if (!err && locks) lock_note_made(&driver->lock);
    if (!err && locks) reserve_restore(&driver->reserve);
    if (!err && locks) files_note(&driver->files, options->path, arena);
    if (!err) return ERR_NONE;
    err = open_error(driver, err);
    bool denied = !options->vfs && (err == ERR_IO || err == ERR_STORE_BUSY || err == ERR_STORE_FAILED);
    if (denied && !detail.n) detail = files_complaint(options->path, !options->read_only, arena);
    *ret_problem =
        refusal_text(err, options->path, detail.n ? detail : str_dup(arena, str_from(driver->trouble)), arena);
    driver->failed = true;
    driver_close(driver);
    return err;
}

enum err sqlite_open(const struct sqlite_options *options, struct arena *arena, struct sql_driver *ret_driver,
                     struct str *ret_problem) {
    struct sqlite_driver *driver = arena_new(arena, struct sqlite_driver);
    int64_t bound = options->wal_bound_bytes ? options->wal_bound_bytes : WAL_BOUND_DEFAULT_BYTES;
    *driver =
        (struct sqlite_driver){.lock = {-1}, .wal_bound_frames = bound / PAGE_BYTES, .read_only = options->read_only};
    TRY(open_locked(driver, options, arena, ret_problem));
    *ret_driver = (struct sql_driver){
        .read_only = options->read_only,
        .begin = driver_begin,
        .run = driver_run,
        .commit = driver_commit,
        .rollback = driver_rollback,
        .script = driver_script,
        .tidy = driver_tidy,
        .close = driver_close,
        .trouble = driver_trouble,
        .measure = driver_measure,
        .tight = driver_tight,
        .self = driver,
    };
    return ERR_NONE;
}
