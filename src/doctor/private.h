#ifndef TK_DOCTOR_PRIVATE_H
#define TK_DOCTOR_PRIVATE_H
/*
 * private - what the doctor's files share.
 *
 *   walk.c       the project's files, without what .gitignore leaves out     -> files
 *   manifest.c   package.json, go.mod, pom.xml, ...                          -> dependency facts
 *   language.c   a grammar and a table of queries (rules/NAME.scm) per language
 *   facts.c      a source or a structured file, parsed and asked             -> facts
 *   services.c   whose SDK a dependency is; which facts belong to which service; advice
 *   rules.c      the rules: facts of the services -> findings
 *   fix.c        findings' edits: shown as a diff, written
 *
 * A fact is what a query found: its kind, where it stands, a name and a value.  Rules know facts
 * and no language.  All of it lies in one arena; who finds it full sets `status` and goes on with
 * what there is, and tk_doctor_examine() fails at the end.
 */
#include "base/json.h"
#include "doctor/doctor.h"

#include <tree_sitter/api.h>

enum item_kind {
    ITEM_TEXT,    /* a literal string, without its quotes */
    ITEM_REGEX,   /* a JavaScript regular expression, without its slashes */
    ITEM_WORD,    /* a number, true, false, a symbol */
    ITEM_UNKNOWN, /* something that is known only when it runs; `text` is how it begins */
};

struct item {
    struct item *next;
    enum item_kind kind;
    tk_str text;
    uint32_t line;
    size_t start, end; /* bytes, quotes included; of the constant that was named */
    bool in_call;      /* an argument of some call: what comes of it is not known */
};

/* What an expression may be: its literals in order, names of constants followed. */
struct value {
    struct item *items;
    bool reads_env;    /* process.env, os.environ, ... */
    tk_str type;       /* of its node: "array", "string", ... */
    size_t start, end; /* bytes; start == end: there is none */
};

struct fact {
    struct fact *next;
    const char *kind;                       /* the capture: "init", "option", "route", ... */
    const char *framework, *cure, *headers; /* of #set!; NULL when not set */
    struct file *file;
    uint32_t line;
    size_t start, end;
    tk_str name;
    struct value value;
    size_t also_start, also_end; /* init: the constant that holds its options */
    bool uncertain;              /* init: some of its options stand elsewhere */
};

struct file {
    struct file *next, *next_setting;
    tk_str path, dir, name;          /* path = dir/name; dir is "." or has no slash at its end */
    const struct language *language; /* of a source; NULL */
    const struct manifest *manifest; /* NULL */
    bool environment;                /* .env and its kind */
    bool wanted;                     /* of a service, and worth parsing */
    tk_str text;
    uint64_t text_hash; /* of the file as it was read; `text` may be the scripts in it alone */
    struct fact *facts, **facts_end;
    struct fact *constants; /* only while it is parsed: values are followed by then */
    struct tk_doctor_service *service;
};

/* The facts of one service: those of its files. */
struct tk_doctor_facts {
    struct file **files;
    size_t file_count;
    struct fact *init;
};

struct language {
    const char *name;
    const TSLanguage *(*grammar)(void);
    const char *queries; /* rules/NAME.scm, NUL-terminated */
};

enum { TK_DOCTOR_SCRATCH = TK_DOCTOR_FILE_BYTES_MAX + 1 };

enum ecosystem { ECO_NPM, ECO_GO, ECO_PYTHON, ECO_PHP, ECO_JAVA, ECO_DOTNET, ECO_RUBY, ECO_OTHER };

struct doctor {
    int root;      /* descriptor of the project's folder */
    char *scratch; /* TK_DOCTOR_SCRATCH bytes, for the file that is being read */
    struct tk_arena *arena;
    struct file *files, **files_end;
    struct file *settings; /* those of them that are manifests or environment, by next_setting */
    struct tk_doctor_report *report;
    struct tk_doctor_service **services_end;
    struct tk_doctor_finding **findings_end;
    enum tk_err status;
};

/* Zeroed, or NULL with `status` set. */
void *tk_doctor_new(struct doctor *doctor, size_t size);
tk_str tk_doctor_copy(struct doctor *doctor, tk_str text);

/* walk.c */
enum tk_err tk_doctor_walk(struct doctor *doctor, struct tk_error *err) TK_MUST_USE;
/* Reads file->text; false when it is too large, gone, or no longer a file. */
bool tk_doctor_read(struct doctor *doctor, struct file *file);
/* The whole file in `scratch`; ptr is NULL when it is no file, or too large.  Any thread. */
tk_str tk_doctor_peek(int dir, const char *name, char *scratch);
bool tk_doctor_is_ignored(tk_str patterns, tk_str path, bool is_dir, bool *ret_decided);
/* Is `dir` the folder `outer`, or below it? */
bool tk_doctor_within(tk_str dir, tk_str outer);

/* manifest.c */
struct manifest {
    const char *pattern; /* of the file's name, as for fnmatch */
    enum ecosystem ecosystem;
    void (*read)(struct doctor *doctor, struct file *file);
};
const struct manifest *tk_doctor_manifest_of(tk_str name);
/* Also reads files of the environment: .env, and Dockerfile's ENV. */
void tk_doctor_read_lines(struct doctor *doctor, struct file *file);

/* language.c */
const struct language *tk_doctor_language_of(tk_str name);
const struct language *tk_doctor_language_named(const char *name);
/* The rest of the line of the queries' head that begins with ";; `key`: ". */
tk_str tk_doctor_language_head(const struct language *language, const char *key);
/* Compiled when it is first asked for; NULL with *ret_offset where the queries are wrong. */
TSQuery *tk_doctor_query(const struct language *language, uint32_t *ret_offset);
/* Is there any of what the queries look for? */
bool tk_doctor_worth_parsing(const struct language *language, tk_str text);
void tk_doctor_languages_release(void);
/* A regular expression of the rules or of a project on a text; one that is none matches nothing. */
bool tk_doctor_matches(tk_str pattern, tk_str text);
bool tk_doctor_match(tk_str pattern, tk_str text, size_t *ret_at); /* and where it begins */

/* facts.c */
void tk_doctor_parse(struct doctor *doctor, struct file *file, const struct language *language);
struct fact *tk_doctor_fact(struct doctor *doctor, struct file *file, const char *kind,
                            uint32_t line);
uint32_t tk_doctor_line(tk_str text, size_t offset);
bool tk_doctor_is_proprietary(tk_str header);

/* services.c */
void tk_doctor_services(struct doctor *doctor);
void tk_doctor_assign(struct doctor *doctor);
void tk_doctor_advise(struct doctor *doctor);
bool tk_doctor_kind(const struct fact *fact, const char *kind);

/* rules.c */
void tk_doctor_judge(struct doctor *doctor);

#endif
