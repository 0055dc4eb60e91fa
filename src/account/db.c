/* db - see db.h.  The only file that maps SQLite's result codes. */
#include "account/db.h"

#include <sys/stat.h>

enum tk_err
tk_db_error(sqlite3 *db, struct tk_error *err)
{
    enum tk_err code;
    int why = sqlite3_system_errno(db); /* "disk I/O error" alone helps nobody */
    switch (sqlite3_errcode(db) & 0xff) {
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
        code = TK_ERR_BUSY;
        break;
    case SQLITE_NOMEM:
        code = TK_ERR_MEMORY;
        break;
    case SQLITE_FULL:
        code = TK_ERR_FULL;
        break;
    case SQLITE_READONLY:
    case SQLITE_CANTOPEN:
    case SQLITE_PERM:
        code = TK_ERR_DENIED;
        break;
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
        code = TK_ERR_CORRUPT;
        break;
    case SQLITE_CONSTRAINT:
        code = TK_ERR_EXISTS;
        break;
    default:
        code = TK_ERR_IO;
    }
    const char *path = sqlite3_db_filename(db, "main");
    return tk_error_set(err, code, "%s: %s%s%s", path != NULL ? path : "accounts.db",
                        sqlite3_errmsg(db), code == TK_ERR_IO && why != 0 ? ": " : "",
                        code == TK_ERR_IO && why != 0 ? strerror(why) : "");
}

enum tk_err
tk_db_open(const char *path, int busy_ms, sqlite3 **ret_db, struct tk_error *err)
{
    sqlite3 *db = NULL;
    enum tk_err result = TK_OK;
    int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX;
    if (sqlite3_open_v2(path, &db, flags, NULL) != SQLITE_OK) {
        result = tk_error_set(err, TK_ERR_DENIED, "%s: %s", path,
                              db != NULL ? sqlite3_errmsg(db) : "out of memory");
        goto out;
    }
    (void)chmod(path, S_IRUSR | S_IWUSR); /* SQLite gives its -wal and -shm the same mode */
    (void)sqlite3_busy_timeout(db, busy_ms);
    if (sqlite3_exec(db, "PRAGMA journal_mode = WAL; PRAGMA foreign_keys = ON", NULL, NULL, NULL) !=
        SQLITE_OK) {
        result = tk_db_error(db, err);
        goto out;
    }
    *ret_db = db;
    db = NULL;
out:
    tk_db_close(db);
    return result;
}

void
tk_db_close(sqlite3 *db)
{
    (void)sqlite3_close_v2(db);
}

static int
bind(sqlite3_stmt *statement, int index, char type, va_list *args)
{
    tk_str value;
    switch (type) {
    case 'i':
        return sqlite3_bind_int64(statement, index, va_arg(*args, int64_t));
    case 't':
        value = va_arg(*args, tk_str);
        return sqlite3_bind_text64(statement, index, value.len > 0 ? value.ptr : "", value.len,
                                   SQLITE_STATIC, SQLITE_UTF8);
    case 'b':
        value = va_arg(*args, tk_str);
        return sqlite3_bind_blob64(statement, index, value.ptr, value.len, SQLITE_STATIC);
    default:
        return sqlite3_bind_null(statement, index);
    }
}

static enum tk_err
prepare(sqlite3 *db, sqlite3_stmt **ret_statement, struct tk_error *err, const char *sql,
        const char *types, va_list *args)
{
    sqlite3_stmt *statement;
    int status = sqlite3_prepare_v2(db, sql, -1, &statement, NULL);
    for (int i = 0; status == SQLITE_OK && types[i] != '\0'; i++)
        status = bind(statement, i + 1, types[i], args);
    if (status != SQLITE_OK) {
        enum tk_err result = tk_db_error(db, err);
        (void)sqlite3_finalize(statement);
        return result;
    }
    *ret_statement = statement;
    return TK_OK;
}

enum tk_err
tk_db_prepare(sqlite3 *db, sqlite3_stmt **ret_statement, struct tk_error *err, const char *sql,
              const char *types, ...)
{
    va_list args;
    va_start(args, types);
    enum tk_err result = prepare(db, ret_statement, err, sql, types, &args);
    va_end(args);
    return result;
}

enum tk_err
tk_db_step(sqlite3_stmt *statement, struct tk_error *err)
{
    switch (sqlite3_step(statement)) {
    case SQLITE_ROW:
        return TK_OK;
    case SQLITE_DONE:
        return TK_ERR_END;
    default:
        return tk_db_error(sqlite3_db_handle(statement), err);
    }
}

enum tk_err
tk_db_run(sqlite3 *db, struct tk_error *err, const char *sql, const char *types, ...)
{
    sqlite3_stmt *statement = NULL;
    va_list args;
    va_start(args, types);
    enum tk_err result = prepare(db, &statement, err, sql, types, &args);
    va_end(args);
    if (result != TK_OK)
        return result;
    do {
        result = tk_db_step(statement, err);
    } while (result == TK_OK);
    (void)sqlite3_finalize(statement);
    return result == TK_ERR_END ? TK_OK : result;
}

enum tk_err
tk_db_number(sqlite3 *db, int64_t *ret_number, struct tk_error *err, const char *sql)
{
    sqlite3_stmt *statement;
    enum tk_err result = tk_db_prepare(db, &statement, err, sql, "");
    if (result != TK_OK)
        return result;
    result = tk_db_step(statement, err);
    if (result == TK_OK)
        *ret_number = sqlite3_column_int64(statement, 0);
    (void)sqlite3_finalize(statement);
    return result;
}

enum tk_err
tk_db_end(sqlite3 *db, enum tk_err result, struct tk_error *err)
{
    if (result == TK_OK)
        result = tk_db_run(db, err, "COMMIT", "");
    if (result != TK_OK)
        (void)sqlite3_exec(db, "ROLLBACK", NULL, NULL, NULL); /* may be undone already */
    return result;
}

tk_str
tk_db_text(sqlite3_stmt *statement, int column)
{
    const void *bytes = sqlite3_column_blob(statement, column);
    return (tk_str){bytes, (size_t)sqlite3_column_bytes(statement, column)};
}

tk_str
tk_db_text_copy(sqlite3_stmt *statement, int column, struct tk_arena *arena)
{
    return tk_arena_copy(arena, tk_db_text(statement, column));
}
