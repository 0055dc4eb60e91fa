#ifndef TK_ACCOUNT_DB_H
#define TK_ACCOUNT_DB_H
/*
 * db - private to src/account: SQLite behind calls that speak tk_err and tk_str.
 *
 * A connection is used by one thread at a time; its owner holds the lock.
 */
#include "base/arena.h"

#include <sqlite3.h>

/* Opens (and makes) the file, WAL, foreign keys on.  busy_ms: how long a write waits for another
   process's. */
enum tk_err tk_db_open(const char *path, int busy_ms, sqlite3 **ret_db,
                       struct tk_error *err) TK_MUST_USE;
void tk_db_close(sqlite3 *db); /* NULL is fine */
/* Maps SQLite's last error of `db`. */
enum tk_err tk_db_error(sqlite3 *db, struct tk_error *err);

/*
 * Prepares `sql` and binds what follows: one letter of `types` per `?`, `i` int64_t, `t` tk_str
 * text, `b` tk_str blob, `n` NULL (nothing passed).  What is bound must live until finalize.
 */
enum tk_err tk_db_prepare(sqlite3 *db, sqlite3_stmt **ret_statement, struct tk_error *err,
                          const char *sql, const char *types, ...) TK_MUST_USE;
/* TK_OK: a row; TK_ERR_END: no more. */
enum tk_err tk_db_step(sqlite3_stmt *statement, struct tk_error *err) TK_MUST_USE;
/* Prepare, run to the end, finalize. */
enum tk_err tk_db_run(sqlite3 *db, struct tk_error *err, const char *sql, const char *types,
                      ...) TK_MUST_USE;
/* The one number that a query without arguments answers. */
enum tk_err tk_db_number(sqlite3 *db, int64_t *ret_number, struct tk_error *err,
                         const char *sql) TK_MUST_USE;
/* Ends the transaction: commits when `result` is TK_OK, else rolls back. Returns the outcome. */
enum tk_err tk_db_end(sqlite3 *db, enum tk_err result, struct tk_error *err) TK_MUST_USE;

/* A column as a view (good until the next step), or as a copy; NULL is the empty view. */
tk_str tk_db_text(sqlite3_stmt *statement, int column);
tk_str tk_db_text_copy(sqlite3_stmt *statement, int column, struct tk_arena *arena);

#endif
