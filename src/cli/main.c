/* main - the program's subcommands, one file each. */
#include "cli/cli.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>

static const struct tk_command commands[] = {
    {"serve", "receive, keep and show spans", tk_cli_serve},
    {"project", "create, list and delete projects", tk_cli_project},
    {"key", "create, list and revoke API keys", tk_cli_key},
    {"signin", "print a one-time link that signs a browser in", tk_cli_signin},
    {"doctor", "look at a project: is tracing set up right?", tk_cli_doctor},
    {"trace", "draw one trace as a waterfall", tk_cli_trace},
    {"search", "find traces", tk_cli_search},
    {"findings", "what keeps traces from connecting", tk_cli_findings},
    {"compare", "why one trace took longer than another", tk_cli_compare},
    {"services", "list the services that sent spans", tk_cli_services},
    {"tags", "list the attributes that can be searched", tk_cli_tags},
    {"verify", "send one request and see whether its trace comes whole", tk_cli_verify},
    {"check", "verify a data directory", tk_cli_check},
    {"export", "write traces as OTLP JSON lines", tk_cli_export},
    {"import", "read OTLP files", tk_cli_import},
    {"mcp", "the same for coding assistants (Model Context Protocol)", tk_cli_mcp},
    {"bench", "load a server with spans and measure it", tk_cli_bench},
};
enum { COMMAND_COUNT = sizeof commands / sizeof *commands };

static void
print_usage(FILE *to)
{
    (void)fprintf(to, "usage: tracekit COMMAND [options]\n\n"
                      "TraceKit shows what happened to one request as it crossed every service it "
                      "touched.\n\n");
    for (size_t i = 0; i < COMMAND_COUNT; i++)
        (void)fprintf(to, "  %-10s %s\n", commands[i].name, commands[i].summary);
    (void)fprintf(to,
                  "\n`tracekit COMMAND --help` tells more; `tracekit --version` the version.\n");
}

int
main(int argc, char **argv)
{
    const char *names[COMMAND_COUNT + 2] = {[COMMAND_COUNT] = "--help", "--version"};
    (void)signal(SIGPIPE, SIG_IGN);
    if (argc < 2) {
        print_usage(stderr);
        return TK_EXIT_USAGE;
    }
    if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0 ||
        strcmp(argv[1], "help") == 0) {
        print_usage(stdout);
        return TK_EXIT_GOOD;
    }
    if (strcmp(argv[1], "--version") == 0) {
        (void)printf("tracekit %s\n", TK_VERSION);
        return TK_EXIT_GOOD;
    }
    for (size_t i = 0; i < COMMAND_COUNT; i++) {
        names[i] = commands[i].name;
        if (strcmp(argv[1], names[i]) == 0)
            return (int)commands[i].run(argc - 2, argv + 2);
    }
    const char *nearest = tk_nearest(argv[1], names, COMMAND_COUNT + 2);
    (void)fprintf(stderr, "tracekit: there is no command `%s`%s%s%s\n", argv[1],
                  nearest != NULL ? "; did you mean `" : "", nearest != NULL ? nearest : "",
                  nearest != NULL ? "`?" : "; `tracekit --help` lists them");
    return TK_EXIT_USAGE;
}
