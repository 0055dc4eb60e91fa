#ifndef TK_STORE_EMBEDDED_H
#define TK_STORE_EMBEDDED_H
/*
 * embedded - the store in files of one directory: log, open buffer, segments.
 */
#include "store/store.h"

/* TK_ERR_LOCKED: another process has the directory open (the message says which pid).
   TK_ERR_DENIED: it cannot be written.  TK_ERR_CORRUPT: damaged beyond serving. */
enum tk_err tk_embedded_open(const struct tk_store_options *options, struct tk_store **ret_store,
                             struct tk_error *err) TK_MUST_USE;

struct tk_embedded_check {
    uint64_t files, segments, groups, spans, log_records; /* spans of the log too */
    uint64_t damaged_blocks, damaged_files;               /* both 0: all is well */
};
/* Reads and verifies everything under `dir` without changing it; calls `report` with one line per
   damage. Works beside a running server. */
enum tk_err tk_embedded_check(struct tk_env *env, const char *dir,
                              void (*report)(void *arg, const char *line), void *arg,
                              struct tk_embedded_check *ret_check,
                              struct tk_error *err) TK_MUST_USE;
/* Where the bytes of the segments go: calls `each` with a section's name ("span id", "index of
   span.order.id"), often several times for one; together they are the whole files.  Damaged
   segments are left out. */
enum tk_err tk_embedded_sections(struct tk_env *env, const char *dir,
                                 void (*each)(void *arg, const char *name, uint64_t bytes),
                                 void *arg, struct tk_error *err) TK_MUST_USE;

#endif
