/* mcp_tools - the tools and how they run; see mcp.h. */
#include "cli/mcp.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum param_type { STRING, NUMBER, NAMES /* an array of strings; one flag each */ };

struct param {
    const char *name, *description;
    enum param_type type;
    const char *flag; /* NULL: positional, in the order of the table */
    bool required;
};

enum { PARAMS_MAX = 6, ARGUMENTS_MAX = 160 };

struct tool {
    const char *name, *command, *description;
    struct param params[PARAMS_MAX]; /* until one without a name */
};

#define TRACE_ID "32 hexadecimal digits"

static const struct tool tools[] = {
    {"search_traces",
     "search",
     "Find traces, newest first: TraceQL such as { resource.service.name = \"api\" && status = "
     "error "
     "&& duration > 200ms }, or shorthand such as order.id=42 service:api error duration>200ms. "
     "A query that ends in a function, | rate() by (name), gives numbers over time.",
     {{"query", "TraceQL or shorthand; without it: the newest traces", STRING, NULL, false},
      {"start", "RFC 3339; traces that began then or later", STRING, "start", false},
      {"end", "RFC 3339; traces that began before", STRING, "end", false},
      {"limit", "1 to 1000; 20 unless told", NUMBER, "limit", false},
      {"cursor", "where the page before ended", STRING, "cursor", false}}},
    {"get_trace",
     "trace",
     "Open one trace as a waterfall: a row for each visit to a service, its spans below it with "
     "offset, duration and errors.",
     {{"trace_id", TRACE_ID, STRING, NULL, true}}},
    {"compare_traces",
     "compare",
     "Why the second trace took longer than the first: each operation's time on the critical path "
     "of both. The changes add up to the change of the whole.",
     {{"first", TRACE_ID, STRING, NULL, true}, {"second", TRACE_ID, STRING, NULL, true}}},
    {"findings",
     "findings",
     "What keeps traces from connecting, from the spans that arrived: rule, cause, evidence and "
     "the "
     "cure in the service's language. Of one trace, or of the project's newest.",
     {{"trace_id", TRACE_ID "; without it: the project", STRING, NULL, false},
      {"start", "RFC 3339; the project's traces since then, an hour ago unless told", STRING,
       "start", false}}},
    {"list_services",
     "services",
     "The services that sent spans, with counts of spans and errors and when they were last seen.",
     {{0}}},
    {"list_attributes",
     "tags",
     "The attributes that can be searched, with their scope and type.",
     {{0}}},
    {"doctor",
     "doctor",
     "Look through the sources of a project or monorepo: which SDKs and services there are, and "
     "what "
     "would keep their traces from connecting, with file, line and cure. It runs nothing and "
     "changes "
     "nothing.",
     {{"dir", "a directory of this machine", STRING, NULL, true}}},
    {"verify",
     "verify",
     "Prove that tracing is connected: sends one request with a fresh traceparent to a URL, waits "
     "for its trace, draws it, and names the hop that is missing and the cure.",
     {{"url", "the URL to request", STRING, NULL, true},
      {"services", "names of services that must be in the trace", NAMES, "services", false},
      {"expect", "hops that must be there: service:a > service:b", NAMES, "expect", false},
      {"browser", "also ask as a browser on a page of this origin would (CORS)", STRING, "browser",
       false}}},
};
enum { TOOL_COUNT = sizeof tools / sizeof *tools };

static void
param_json(struct tk_json_writer *json, const struct param *param)
{
    tk_json_key(json, tk_str_from(param->name));
    tk_json_object(json);
    tk_json_key(json, TK_STR("type"));
    tk_json_string(json, param->type == STRING   ? TK_STR("string")
                         : param->type == NUMBER ? TK_STR("integer")
                                                 : TK_STR("array"));
    if (param->type == NAMES) {
        tk_json_key(json, TK_STR("items"));
        tk_json_raw(json, TK_STR("{\"type\":\"string\"}"));
    }
    tk_json_key(json, TK_STR("description"));
    tk_json_string(json, tk_str_from(param->description));
    tk_json_object_end(json);
}

void
tk_mcp_tools_json(struct tk_json_writer *json)
{
    tk_json_array(json);
    for (size_t i = 0; i < TOOL_COUNT; i++) {
        const struct tool *tool = &tools[i];
        tk_json_object(json);
        tk_json_key(json, TK_STR("name"));
        tk_json_string(json, tk_str_from(tool->name));
        tk_json_key(json, TK_STR("description"));
        tk_json_string(json, tk_str_from(tool->description));
        tk_json_key(json, TK_STR("inputSchema"));
        tk_json_object(json);
        tk_json_key(json, TK_STR("type"));
        tk_json_string(json, TK_STR("object"));
        tk_json_key(json, TK_STR("properties"));
        tk_json_object(json);
        for (size_t p = 0; p < PARAMS_MAX && tool->params[p].name != NULL; p++)
            param_json(json, &tool->params[p]);
        tk_json_object_end(json);
        tk_json_key(json, TK_STR("required"));
        tk_json_array(json);
        for (size_t p = 0; p < PARAMS_MAX && tool->params[p].name != NULL; p++)
            if (tool->params[p].required)
                tk_json_string(json, tk_str_from(tool->params[p].name));
        tk_json_array_end(json);
        tk_json_key(json, TK_STR("additionalProperties"));
        tk_json_bool(json, false);
        tk_json_object_end(json);
        tk_json_object_end(json);
    }
    tk_json_array_end(json);
}

/* ---- the command line of a call ----------------------------------------------------------------
 */

struct command_line {
    char *words[ARGUMENTS_MAX + 1]; /* ends with NULL */
    size_t count;
    struct tk_arena *arena;
};

/* "word", or "--flag=word": whatever the word begins with, it is the flag's value. */
static enum tk_err
push(struct command_line *line, const char *flag, tk_str word, struct tk_error *err)
{
    if (memchr(word.ptr != NULL ? word.ptr : "", '\0', word.len) != NULL)
        return tk_error_set(err, TK_ERR_INPUT, "an argument holds a NUL");
    if (line->count == ARGUMENTS_MAX)
        return tk_error_set(err, TK_ERR_INPUT, "more than %d arguments", ARGUMENTS_MAX);
    tk_str text = flag != NULL ? tk_arena_printf(line->arena, "--%s=%.*s", flag, TK_STR_ARG(word))
                               : tk_arena_copy(line->arena, word);
    if (text.ptr == NULL)
        return tk_error_set(err, TK_ERR_MEMORY, "out of memory");
    line->words[line->count++] = (char *)text.ptr;
    return TK_OK;
}

static enum tk_err
push_value(struct command_line *line, const struct param *param, const struct tk_json_node *value,
           struct tk_error *err)
{
    static const enum tk_json_type types[] = {
        [STRING] = TK_JSON_STRING, [NUMBER] = TK_JSON_NUMBER, [NAMES] = TK_JSON_ARRAY};
    enum tk_err result = TK_OK;
    if (value->type != types[param->type])
        return tk_error_set(err, TK_ERR_INPUT, "%s: expected %s", param->name,
                            param->type == STRING   ? "a string"
                            : param->type == NUMBER ? "an integer"
                                                    : "an array of strings");
    if (param->type != NAMES)
        return push(line, param->flag, value->text, err);
    for (const struct tk_json_node *one = value->child; one != NULL && result == TK_OK;
         one = one->next)
        result = one->type == TK_JSON_STRING
                     ? push(line, param->flag, one->text, err)
                     : tk_error_set(err, TK_ERR_INPUT, "%s: expected strings", param->name);
    return result;
}

static const struct param *
find_param(const struct tool *tool, tk_str name)
{
    for (size_t i = 0; i < PARAMS_MAX && tool->params[i].name != NULL; i++)
        if (tk_str_eq(name, tk_str_from(tool->params[i].name)))
            return &tool->params[i];
    return NULL;
}

/* Flags first, then "--", then what is positional. */
static enum tk_err
make_line(struct command_line *line, const struct tool *tool, const struct tk_json_node *arguments,
          struct tk_error *err)
{
    enum tk_err result = push(line, NULL, TK_STR("tracekit"), err);
    for (const struct tk_json_node *one = arguments->child; one != NULL; one = one->next)
        if (find_param(tool, one->key) == NULL)
            return tk_error_set(err, TK_ERR_INPUT, "%s has no argument %.*s", tool->name,
                                TK_STR_ARG(one->key));
    if (result == TK_OK)
        result = push(line, NULL, tk_str_from(tool->command), err);
    for (int positional = 0; positional < 2; positional++) {
        if (positional && result == TK_OK)
            result = push(line, NULL, TK_STR("--"), err);
        for (size_t i = 0; i < PARAMS_MAX && tool->params[i].name != NULL && result == TK_OK; i++) {
            const struct param *param = &tool->params[i];
            const struct tk_json_node *value = tk_json_get(arguments, param->name);
            if ((param->flag == NULL) != (positional == 1))
                continue;
            if (value->type != TK_JSON_NULL)
                result = push_value(line, param, value, err);
            else if (param->required)
                result = tk_error_set(err, TK_ERR_INPUT, "%s is missing", param->name);
        }
    }
    return result;
}

/* ---- running it --------------------------------------------------------------------------------
 */

static uint64_t
now_ms(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

/* Reads until the end of the output or of the time. */
static void
collect(int fd, pid_t child, struct tk_buf *out)
{
    uint64_t deadline = now_ms() + TK_MCP_CALL_SECONDS * 1000;
    bool cut = false;
    for (;;) {
        char block[16384];
        uint64_t now = now_ms();
        struct pollfd waiting = {.fd = fd, .events = POLLIN};
        int ready = now < deadline ? poll(&waiting, 1, (int)(deadline - now)) : 0;
        if (ready < 0 && errno == EINTR)
            continue;
        if (ready <= 0) {
            (void)kill(child, SIGKILL);
            tk_buf_printf(out, "\n(ended after %d s)\n", TK_MCP_CALL_SECONDS);
            return;
        }
        ssize_t size = read(fd, block, sizeof block);
        if (size < 0 && errno == EINTR)
            continue;
        if (size <= 0)
            break;
        size_t room = out->len < TK_MCP_OUTPUT_MAX ? TK_MCP_OUTPUT_MAX - out->len : 0;
        cut = cut || (size_t)size > room;
        tk_buf_append(out, (tk_str){block, (size_t)size < room ? (size_t)size : room});
    }
    if (cut)
        tk_buf_printf(out, "\n(cut off after %d bytes)\n", TK_MCP_OUTPUT_MAX);
}

/* Signals that are blocked here, where one thread waits for them, end the child. */
static enum tk_err
spawn(struct command_line *line, int output, pid_t *ret_child, struct tk_error *err)
{
    extern char **environ;
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
    sigset_t none;
    (void)sigemptyset(&none);
    int failed = posix_spawn_file_actions_init(&actions);
    if (failed != 0)
        return tk_error_set(err, TK_ERR_MEMORY, "out of memory");
    failed = posix_spawnattr_init(&attributes);
    if (failed == 0) {
        if ((failed = posix_spawnattr_setsigmask(&attributes, &none)) == 0 &&
            (failed = posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK)) == 0 &&
            (failed = posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0)) ==
                0 &&
            (failed = posix_spawn_file_actions_adddup2(&actions, output, 1)) == 0 &&
            (failed = posix_spawn_file_actions_adddup2(&actions, output, 2)) == 0)
            failed = posix_spawn(ret_child, "/proc/self/exe", &actions, &attributes, line->words,
                                 environ);
        (void)posix_spawnattr_destroy(&attributes);
    }
    (void)posix_spawn_file_actions_destroy(&actions);
    return failed == 0 ? TK_OK
                       : tk_error_set(err, TK_ERR_IO, "cannot run itself: %s", strerror(failed));
}

static enum tk_err
run(struct command_line *line, struct tk_buf *out, bool *ret_failed, struct tk_error *err)
{
    int ends[2], status = 0;
    pid_t child = 0;
    if (pipe2(ends, O_CLOEXEC) != 0)
        return tk_error_set(err, TK_ERR_IO, "pipe: %s", strerror(errno));
    enum tk_err result = spawn(line, ends[1], &child, err);
    (void)close(ends[1]);
    if (result == TK_OK) {
        collect(ends[0], child, out);
        while (waitpid(child, &status, 0) < 0 && errno == EINTR)
            ;
        /* 1 is a result, too: a finding, or nothing found */
        *ret_failed = !WIFEXITED(status) || WEXITSTATUS(status) > 1;
    }
    (void)close(ends[0]);
    return result;
}

enum tk_err
tk_mcp_tool_run(tk_str name, const struct tk_json_node *arguments, struct tk_buf *out,
                bool *ret_failed, struct tk_error *err)
{
    const struct tool *tool = NULL;
    for (size_t i = 0; i < TOOL_COUNT; i++)
        if (tk_str_eq(name, tk_str_from(tools[i].name)))
            tool = &tools[i];
    if (tool == NULL)
        return tk_error_set(err, TK_ERR_NOT_FOUND, "there is no tool %.*s", TK_STR_ARG(name));
    struct tk_arena arena;
    tk_arena_init(&arena, 4096, TK_MCP_MESSAGE_MAX * 2);
    struct command_line line = {.arena = &arena};
    enum tk_err result = make_line(&line, tool, arguments, err);
    if (result == TK_OK)
        result = run(&line, out, ret_failed, err);
    tk_arena_release(&arena);
    return result;
}
