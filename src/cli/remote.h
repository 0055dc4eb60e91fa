#ifndef TK_CLI_REMOTE_H
#define TK_CLI_REMOTE_H
/*
 * remote - a server's query API, for the commands that talk to one.
 */
#include "cli/cli.h"
#include "cli/json_tree.h"

struct tk_remote {
    const char *command; /* for messages */
    const char *server;  /* --server */
    const char *api_key; /* --api-key; NULL: none */
    const char *project; /* --project; NULL: the key's */
    struct tk_client *client;
    struct tk_arena *arena;
    tk_str answer; /* what tk_remote_get_json read last, in the arena */
};

/* The options that every such command has; put them into its table. */
#define TK_REMOTE_DEFAULTS                                                                         \
    {                                                                                              \
        .server = "http://127.0.0.1:4318"                                                          \
    }
#define TK_REMOTE_OPTIONS(remote)                                                                  \
    {"server", TK_OPTION_STRING,   &(remote)->server, "URL", "[http://127.0.0.1:4318]",            \
     NULL,     "TRACEKIT_ENDPOINT"},                                                               \
        {"api-key",                                                                                \
         TK_OPTION_STRING,                                                                         \
         &(remote)->api_key,                                                                       \
         "KEY",                                                                                    \
         "a read or admin key; better in TRACEKIT_API_KEY",                                        \
         NULL,                                                                                     \
         "TRACEKIT_API_KEY"},                                                                      \
    {                                                                                              \
        "project", TK_OPTION_STRING, &(remote)->project, "P", "under --dev: which project", NULL,  \
            NULL                                                                                   \
    }

enum tk_exit tk_remote_open(struct tk_remote *remote, const char *command, struct tk_arena *arena);
void tk_remote_close(struct tk_remote *remote);

/* Appends "name=value", percent-encoded, with '?' or '&' in front. Skipped when value is NULL. */
void tk_remote_param(struct tk_buf *path, const char *name, const char *value);

/*
 * GET server + path.  Anything but 200 is said on stderr and turned into an exit status (404: 1,
 * 400: 2 with the place marked, 401 and 403: 4, the rest: 3).  The body is good until the next
 * call.
 */
enum tk_exit tk_remote_get(struct tk_remote *remote, const struct tk_buf *path, const char *accept,
                           tk_str *ret_body);
/* POST of an OTLP body to /v1/traces. */
enum tk_exit tk_remote_post(struct tk_remote *remote, const char *content_type, tk_str body,
                            tk_str *ret_body);
/* The same as a tree in the remote's arena. */
enum tk_exit tk_remote_get_json(struct tk_remote *remote, const struct tk_buf *path,
                                struct tk_json_node **ret_root);
/* Prints the body as it came, with a newline: --json.  The second asks nobody: it is the answer. */
enum tk_exit tk_remote_print(struct tk_remote *remote, const struct tk_buf *path);
void tk_remote_print_answer(const struct tk_remote *remote);

#endif
