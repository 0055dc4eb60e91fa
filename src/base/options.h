#ifndef TK_BASE_OPTIONS_H
#define TK_BASE_OPTIONS_H
/*
 * options - one table per command: flags, environment, config file and --help all come from it.
 *
 * `--retention 15d`, `--retention=15d`, TRACEKIT_RETENTION=15d and the line `retention = 15d` of
 * the file given by --config say the same; flag beats environment beats file beats default.
 * Options may stand before or after the positional arguments; `--` ends them.  A flag that is
 * given twice takes the last value, a list takes all.
 *
 * Errors are TK_ERR_INPUT with a message for people; an unknown flag's names the nearest right one.
 */
#include "base/arena.h"

enum tk_option_type {
    TK_OPTION_BOOL,     /* bool; --dev, --dev=false */
    TK_OPTION_STRING,   /* const char *; NULL when not given */
    TK_OPTION_LIST,     /* struct tk_option_list; in environment and file separated by commas */
    TK_OPTION_SIZE,     /* uint64_t bytes; "64MiB", "1GB", "512" */
    TK_OPTION_DURATION, /* uint64_t nanoseconds; "50ms", "15d", "1h30m" */
    TK_OPTION_NUMBER,   /* uint64_t */
    TK_OPTION_CHOICE,   /* const char *; one of `choices` */
};

enum { TK_OPTION_LIST_MAX = 64 };

struct tk_option_list {
    const char *items[TK_OPTION_LIST_MAX];
    size_t count;
};

struct tk_option {
    const char *name; /* without the dashes */
    enum tk_option_type type;
    void *to;            /* where the value goes; holds the default beforehand */
    const char *value;   /* "DIR" in --help; NULL for BOOL */
    const char *help;    /* one line */
    const char *choices; /* "always|group|async" */
    const char *env;     /* NULL: TRACEKIT_<NAME> */
};

struct tk_options {
    const struct tk_option *options;
    size_t option_count;
    const char *config;      /* out: the --config file that was read, or NULL */
    const char **positional; /* out: [positional_count], in the arena */
    size_t positional_count;
    bool help; /* out: --help was given; nothing else was checked */
};

/* argv[0] is the first argument (not the program). */
enum tk_err tk_options_parse(struct tk_options *options, int argc, char **argv,
                             struct tk_arena *arena, struct tk_error *err) TK_MUST_USE;
/* The option list of --help, aligned. */
void tk_options_help(const struct tk_options *options, struct tk_buf *out);
/* The name in `names` nearest to `wrong` (edit distance at most a third of its length + 1), or
   NULL. */
const char *tk_nearest(const char *wrong, const char *const *names, size_t count);

bool tk_parse_size(tk_str text, uint64_t *ret_bytes);
bool tk_parse_duration(tk_str text, uint64_t *ret_nano); /* ns us µs ms s m h d w */

#endif
