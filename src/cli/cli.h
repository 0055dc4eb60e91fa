#ifndef TK_CLI_CLI_H
#define TK_CLI_CLI_H
/*
 * cli - what the subcommands share: exit codes, option parsing, talking to a server.
 *
 * Results go to stdout, everything else to stderr.  A command is one function that returns the exit
 * status; main.c lists them.
 */
#include "base/options.h"
#include "net/client.h"

enum tk_exit {
    TK_EXIT_GOOD = 0,
    TK_EXIT_FINDING = 1, /* a finding, or nothing found */
    TK_EXIT_USAGE = 2,
    TK_EXIT_UNREACHABLE = 3,
    TK_EXIT_DENIED = 4,
    TK_EXIT_CANNOT_START = 5,
};

struct tk_command {
    const char *name;
    const char *summary;
    enum tk_exit (*run)(int argc, char **argv); /* arguments after the name */
};

enum tk_exit tk_cli_serve(int argc, char **argv);
enum tk_exit tk_cli_project(int argc, char **argv);
enum tk_exit tk_cli_key(int argc, char **argv);
enum tk_exit tk_cli_signin(int argc, char **argv);
enum tk_exit tk_cli_trace(int argc, char **argv);
enum tk_exit tk_cli_search(int argc, char **argv);
enum tk_exit tk_cli_services(int argc, char **argv);
enum tk_exit tk_cli_tags(int argc, char **argv);
enum tk_exit tk_cli_findings(int argc, char **argv);
enum tk_exit tk_cli_compare(int argc, char **argv);
enum tk_exit tk_cli_verify(int argc, char **argv);
enum tk_exit tk_cli_doctor(int argc, char **argv);
enum tk_exit tk_cli_check(int argc, char **argv);
enum tk_exit tk_cli_export(int argc, char **argv);
enum tk_exit tk_cli_import(int argc, char **argv);
enum tk_exit tk_cli_mcp(int argc, char **argv);
enum tk_exit tk_cli_bench(int argc, char **argv);

/* An error line to stderr: "tracekit <command>: <text>". Returns `status`. */
enum tk_exit tk_cli_fail(enum tk_exit status, const char *command, const char *format, ...)
    TK_PRINTF(3, 4);
/* The status for what went wrong below: UNREACHABLE and TIMEOUT 3, DENIED 4, INPUT 2, rest 5. */
enum tk_exit tk_cli_status(enum tk_err code);

/*
 * Parses; on --help prints `usage`, `about` and the options and returns false with *ret_status 0;
 * on a mistake says it and returns false with 2. At most `positional_max` positional arguments.
 */
struct tk_cli_usage {
    const char *command;
    const char *usage; /* "tracekit trace ID [options]" */
    const char *about;
    size_t positional_min, positional_max;
};
bool tk_cli_parse(const struct tk_cli_usage *usage, struct tk_options *options, int argc,
                  char **argv, struct tk_arena *arena, enum tk_exit *ret_status);

/* Colour and drawing characters are for terminals; NO_COLOR is honoured. */
bool tk_cli_colour(void);
unsigned tk_cli_width(void); /* columns of the terminal, 100 when there is none */

/* Columns of the text on a terminal: one per UTF-8 character, near enough for names. */
unsigned tk_cli_columns(tk_str text);
/* Prints, cut to `width` columns, control characters made harmless: names come from anywhere.
   Returns the columns it took. */
unsigned tk_cli_print(tk_str name, unsigned width);

/* "420ms", "1.25s", "180us", "3m20s": at most three significant digits, like the page. */
void tk_cli_duration(uint64_t nano, char text[24]);

#endif
