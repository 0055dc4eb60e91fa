#ifndef TK_DOCTOR_DOCTOR_H
#define TK_DOCTOR_DOCTOR_H
/*
 * doctor - is tracing set up right in this project?  Looks at its files; runs nothing, follows no
 * symbolic link, and writes only when tk_doctor_apply() is called.
 *
 * A *service* is a folder whose manifest (package.json, go.mod, ...) asks for a TraceKit SDK.  A
 * *finding* is one thing that keeps its traces from connecting: where, what, and the cure.  Texts
 * lie in the arena and live as long as it.
 *
 * How it works, and where a rule is added: rules/README.md.
 */
#include "base/arena.h"

enum {
    TK_DOCTOR_DEPTH_MAX = 64,           /* folders in folders */
    TK_DOCTOR_NESTING_MAX = 1000,       /* of a file's syntax; deeper ones are not asked anything */
    TK_DOCTOR_FILE_BYTES_MAX = 1 << 20, /* larger files are not read: nobody wrote them by hand */
};

enum tk_doctor_severity { TK_DOCTOR_ERROR, TK_DOCTOR_WARNING, TK_DOCTOR_HINT };

/* What is done first, before traces can connect. */
enum tk_doctor_advice {
    TK_DOCTOR_INSTALL_SDK,      /* no SDK was found */
    TK_DOCTOR_INSTALL_BACKEND,  /* only frontends were */
    TK_DOCTOR_INSTALL_FRONTEND, /* only backends were */
    TK_DOCTOR_PROCEED,          /* both */
};

struct tk_doctor_service {
    struct tk_doctor_service *next;
    tk_str dir;      /* below the project's folder; "." is that folder itself */
    tk_str sdk;      /* the package, as its manifest names it */
    tk_str version;  /* as the manifest says it; empty when it does not */
    tk_str language; /* "javascript", "go", ... */
    tk_str name;     /* serviceName; empty when none was found */
    tk_str manifest; /* the file that names the SDK, and where */
    uint32_t line;
    uint32_t port; /* where it listens; 0: not seen */
    bool frontend;
    struct tk_doctor_facts *_facts;
};

/* Puts `insert` in place of `remove` bytes of a file. */
struct tk_doctor_edit {
    size_t at, remove;
    tk_str insert;      /* ptr is NULL when there is no safe edit */
    uint64_t text_hash; /* of the file that was examined: another one is left alone */
};

struct tk_doctor_finding {
    struct tk_doctor_finding *next;
    const char *rule;
    enum tk_doctor_severity severity;
    bool sure; /* read in the sources; else it is likely, from what was not found */
    tk_str file;
    uint32_t line; /* from 1 */
    tk_str message, fix;
    struct tk_doctor_edit edit;
};

/* An SDK that fits what was found. */
struct tk_doctor_suggestion {
    struct tk_doctor_suggestion *next;
    tk_str dir, because; /* "." , "express" */
    const char *sdk, *command;
    bool frontend;
};

struct tk_doctor_report {
    struct tk_doctor_service *services;       /* by folder */
    struct tk_doctor_finding *findings;       /* by severity, file, line */
    struct tk_doctor_suggestion *suggestions; /* what the advice asks for */
    enum tk_doctor_advice advice;
    size_t counts[TK_DOCTOR_HINT + 1]; /* findings by severity */
    size_t read_count, parsed_count;   /* sources of services; those of them worth parsing */
};

/* TK_ERR_NOT_FOUND when there is no such folder. */
enum tk_err tk_doctor_examine(const char *dir, struct tk_arena *arena,
                              struct tk_doctor_report *ret_report,
                              struct tk_error *err) TK_MUST_USE;

/* Frees the queries, which are compiled once and kept for the next project.  One thread only. */
void tk_doctor_release(void);

const char *tk_doctor_severity_text(enum tk_doctor_severity severity);
const char *tk_doctor_advice_text(enum tk_doctor_advice advice);

/* The edits of all findings as a unified diff; empty when there are none. */
enum tk_err tk_doctor_diff(const char *dir, const struct tk_doctor_report *report,
                           struct tk_arena *arena, struct tk_buf *out,
                           struct tk_error *err) TK_MUST_USE;
/* Writes them: each file anew beside the old one, which it then replaces. */
enum tk_err tk_doctor_apply(const char *dir, const struct tk_doctor_report *report,
                            struct tk_arena *arena, size_t *ret_files,
                            struct tk_error *err) TK_MUST_USE;

#endif
