/* doctor - is tracing set up right in this project? The findings as text, JSON, or written. */
#include "doctor/doctor.h"
#include "base/json.h"
#include "cli/cli.h"

#include <stdio.h>
#include <unistd.h>

#define ARENA_LIMIT ((size_t)1 << 30)
enum { TEXT_LIMIT = 64 << 20, MARGIN = 4 };

/* What a terminal draws; nothing elsewhere. */
struct style {
    const char *bold, *dim, *red, *yellow, *blue, *green, *off;
};
static const struct style plain = {"", "", "", "", "", "", ""};
static const struct style coloured = {"\033[1m",  "\033[2m",  "\033[31m", "\033[33m",
                                      "\033[34m", "\033[32m", "\033[0m"};

/* ---- JSON --------------------------------------------------------------------------------------
 */

static void
put_text(struct tk_json_writer *json, const char *key, tk_str value)
{
    tk_json_key(json, tk_str_from(key));
    tk_json_string(json, value);
}

static void
put_number(struct tk_json_writer *json, const char *key, uint64_t value)
{
    tk_json_key(json, tk_str_from(key));
    tk_json_uint(json, value);
}

static void
put_service(struct tk_json_writer *json, const struct tk_doctor_service *service)
{
    tk_json_object(json);
    put_text(json, "dir", service->dir);
    put_text(json, "sdk", service->sdk);
    if (service->version.len > 0)
        put_text(json, "version", service->version);
    put_text(json, "kind", service->frontend ? TK_STR("frontend") : TK_STR("backend"));
    put_text(json, "language", service->language);
    tk_json_key(json, TK_STR("serviceName"));
    if (service->name.len > 0)
        tk_json_string(json, service->name);
    else
        tk_json_null(json);
    if (service->port != 0)
        put_number(json, "port", service->port);
    put_text(json, "manifest", service->manifest);
    put_number(json, "line", service->line);
    tk_json_object_end(json);
}

static void
put_finding(struct tk_json_writer *json, const struct tk_doctor_finding *finding)
{
    tk_json_object(json);
    put_text(json, "rule", tk_str_from(finding->rule));
    put_text(json, "severity", tk_str_from(tk_doctor_severity_text(finding->severity)));
    put_text(json, "confidence", finding->sure ? TK_STR("certain") : TK_STR("likely"));
    put_text(json, "file", finding->file);
    put_number(json, "line", finding->line);
    put_text(json, "message", finding->message);
    put_text(json, "fix", finding->fix);
    tk_json_key(json, TK_STR("fixable"));
    tk_json_bool(json, finding->edit.insert.ptr != NULL);
    tk_json_object_end(json);
}

static void
print_json(const struct tk_doctor_report *report)
{
    struct tk_json_writer json;
    struct tk_buf out;
    tk_buf_init(&out, TEXT_LIMIT);
    tk_json_writer_init(&json, &out);
    tk_json_object(&json);
    tk_json_key(&json, TK_STR("services"));
    tk_json_array(&json);
    for (const struct tk_doctor_service *at = report->services; at != NULL; at = at->next)
        put_service(&json, at);
    tk_json_array_end(&json);
    tk_json_key(&json, TK_STR("findings"));
    tk_json_array(&json);
    for (const struct tk_doctor_finding *at = report->findings; at != NULL; at = at->next)
        put_finding(&json, at);
    tk_json_array_end(&json);
    put_text(&json, "advice", tk_str_from(tk_doctor_advice_text(report->advice)));
    tk_json_key(&json, TK_STR("suggestions"));
    tk_json_array(&json);
    for (const struct tk_doctor_suggestion *at = report->suggestions; at != NULL; at = at->next) {
        tk_json_object(&json);
        put_text(&json, "dir", at->dir);
        put_text(&json, "sdk", tk_str_from(at->sdk));
        put_text(&json, "kind", at->frontend ? TK_STR("frontend") : TK_STR("backend"));
        put_text(&json, "because", at->because);
        put_text(&json, "command", tk_str_from(at->command));
        tk_json_object_end(&json);
    }
    tk_json_array_end(&json);
    tk_json_object_end(&json);
    (void)printf("%.*s\n", TK_STR_ARG(tk_buf_str(&out)));
    tk_buf_release(&out);
}

/* ---- text --------------------------------------------------------------------------------------
 */

/* Words, broken before `width`; every line begins with `indent` spaces, the first has them already.
   Control characters are made harmless: the words come from files. */
static void
print_wrapped(tk_str text, unsigned indent, unsigned width)
{
    unsigned at = indent;
    while (text.len > 0) {
        tk_str word = tk_str_split(&text, ' ');
        unsigned columns = tk_cli_columns(word);
        if (at > indent && at + 1 + columns > width) {
            (void)printf("\n%*s", (int)indent, "");
            at = indent;
        }
        if (at > indent)
            at += (unsigned)printf(" ");
        at += tk_cli_print(word, columns);
    }
    (void)putchar('\n');
}

static const tk_str NO_NAME = {"(no name)", sizeof "(no name)" - 1};

static void
print_services(const struct tk_doctor_report *report, const struct style *style)
{
    unsigned names = (unsigned)NO_NAME.len, dirs = 6;
    for (const struct tk_doctor_service *at = report->services; at != NULL; at = at->next) {
        unsigned name = tk_cli_columns(at->name), dir = tk_cli_columns(at->dir);
        names = name > names ? name : names;
        dirs = dir > dirs ? dir : dirs;
    }
    names = names > 28 ? 28 : names;
    dirs = dirs > 28 ? 28 : dirs;
    for (const struct tk_doctor_service *at = report->services; at != NULL; at = at->next) {
        tk_str name = at->name.len > 0 ? at->name : NO_NAME;
        (void)printf("  %s%s%s  %s", at->frontend ? style->blue : style->green,
                     at->frontend ? "frontend" : "backend ", style->off, style->bold);
        (void)printf("%*s", (int)(names + 2 - tk_cli_print(name, names)), "");
        (void)printf("%s", style->off);
        (void)printf("%*s", (int)(dirs + 2 - tk_cli_print(at->dir, dirs)), "");
        (void)printf("%s%.*s%s", style->dim, TK_STR_ARG(at->sdk), style->off);
        if (at->port != 0)
            (void)printf("  :%u", (unsigned)at->port);
        (void)putchar('\n');
    }
    if (report->services != NULL)
        (void)putchar('\n');
}

static void
print_finding(const struct tk_doctor_finding *finding, const struct style *style)
{
    const char *const colours[] = {style->red, style->yellow, style->blue};
    unsigned width = tk_cli_width();
    (void)printf("%s%s%s", colours[finding->severity], tk_doctor_severity_text(finding->severity),
                 style->off);
    (void)printf("  %s", style->bold);
    (void)tk_cli_print(finding->file, 4096);
    (void)printf(":%u%s  %s%s%s%s\n", (unsigned)finding->line, style->off, style->dim,
                 finding->rule, finding->sure ? "" : ", likely", style->off);
    (void)printf("%*s", MARGIN, "");
    print_wrapped(finding->message, MARGIN, width);
    (void)printf("%*s%sfix:%s ", MARGIN, "", style->green, style->off);
    print_wrapped(finding->fix, MARGIN + 5, width);
    (void)putchar('\n');
}

static void
print_advice(const struct tk_doctor_report *report, const struct style *style)
{
    static const char *const texts[] = {
        "No TraceKit SDK was found. Begin with one frontend and one backend",
        "Only frontends have an SDK. Install one in a backend first, so that traces go on there",
        "Only backends have an SDK. Install the browser's or a framework's next, so that traces "
        "begin at the click",
        NULL,
    };
    if (texts[report->advice] == NULL)
        return;
    (void)printf("%s%s%s%s\n", style->bold, texts[report->advice], style->off,
                 report->suggestions != NULL ? ":" : ".");
    for (const struct tk_doctor_suggestion *at = report->suggestions; at != NULL; at = at->next) {
        (void)printf("  ");
        (void)tk_cli_print(at->dir, 60);
        (void)printf("  %s%s%s  %s(", style->green, at->command, style->off, style->dim);
        (void)tk_cli_print(at->because, 60);
        (void)printf(")%s\n", style->off);
    }
    (void)putchar('\n');
}

static const char *
plural(size_t count)
{
    return count == 1 ? "" : "s";
}

static void
print_text(const struct tk_doctor_report *report)
{
    const struct style *style = tk_cli_colour() ? &coloured : &plain;
    const size_t *counts = report->counts;
    size_t fixable = 0;
    print_services(report, style);
    for (const struct tk_doctor_finding *at = report->findings; at != NULL; at = at->next) {
        print_finding(at, style);
        fixable += at->edit.insert.ptr != NULL;
    }
    print_advice(report, style);
    if (report->findings == NULL && report->advice == TK_DOCTOR_PROCEED)
        (void)printf("%sAll is well:%s nothing here keeps traces from connecting. "
                     "`tracekit verify URL` proves it on a request.\n",
                     style->green, style->off);
    else
        (void)printf("%zu error%s, %zu warning%s, %zu hint%s%s\n", counts[TK_DOCTOR_ERROR],
                     plural(counts[TK_DOCTOR_ERROR]), counts[TK_DOCTOR_WARNING],
                     plural(counts[TK_DOCTOR_WARNING]), counts[TK_DOCTOR_HINT],
                     plural(counts[TK_DOCTOR_HINT]),
                     fixable > 0 ? "; `--fix` shows what it can repair, and asks" : "");
}

/* ---- --fix -------------------------------------------------------------------------------------
 */

static bool
agreed(void)
{
    char answer[16] = "";
    (void)fprintf(stderr, "Write these changes? [y/N] ");
    return fgets(answer, sizeof answer, stdin) != NULL && (answer[0] == 'y' || answer[0] == 'Y');
}

/* What is left to do is told by the second report; where that is JSON, the diff does not stand in
   front of it. */
static enum tk_exit
fix(const char *dir, const struct tk_doctor_report *report, bool yes, FILE *out,
    struct tk_arena *arena)
{
    struct tk_error err = {0};
    struct tk_buf diff;
    size_t files = 0;
    enum tk_exit status = TK_EXIT_GOOD;
    tk_buf_init(&diff, TEXT_LIMIT);
    enum tk_err result = tk_doctor_diff(dir, report, arena, &diff, &err);
    if (result == TK_OK && diff.len == 0) {
        (void)fprintf(stderr, "there is nothing here that can be repaired safely\n");
        goto out;
    }
    if (result == TK_OK) {
        (void)fwrite(diff.ptr, 1, diff.len, out);
        (void)fflush(out);
        if (!yes && !isatty(STDIN_FILENO)) {
            status = tk_cli_fail(TK_EXIT_USAGE, "doctor",
                                 "nobody to ask: --fix writes without a terminal with --yes only");
            goto out;
        }
        if (!yes && !agreed()) {
            (void)fprintf(stderr, "nothing was written\n");
            goto out;
        }
        result = tk_doctor_apply(dir, report, arena, &files, &err);
    }
    if (result != TK_OK)
        status = tk_cli_fail(TK_EXIT_CANNOT_START, "doctor", "%s",
                             err.message[0] != '\0' ? err.message : tk_err_text(result));
    else
        (void)fprintf(stderr, "%zu file%s written\n", files, plural(files));
out:
    tk_buf_release(&diff);
    return status;
}

enum tk_exit
tk_cli_doctor(int argc, char **argv)
{
    bool json = false, want_fix = false, yes = false;
    const struct tk_option table[] = {
        {"json", TK_OPTION_BOOL, &json, NULL, "services, findings and advice as JSON", NULL, NULL},
        {"fix", TK_OPTION_BOOL, &want_fix, NULL,
         "show what can be repaired safely as a diff, ask, and write it", NULL, NULL},
        {"yes", TK_OPTION_BOOL, &yes, NULL, "with --fix: do not ask", NULL, NULL},
    };
    struct tk_options options = {.options = table, .option_count = sizeof table / sizeof *table};
    static const struct tk_cli_usage usage = {
        .command = "doctor",
        .usage = "tracekit doctor [DIR] [options]",
        .about = "Looks at a project's manifests and sources, and says what keeps its traces from\n"
                 "connecting: where, why, and the cure. Runs nothing and writes nothing but with\n"
                 "--fix. Exit status 1: a finding is an error.",
        .positional_max = 1,
    };
    struct tk_doctor_report report = {0};
    struct tk_error err = {0};
    struct tk_arena arena;
    enum tk_exit status = TK_EXIT_GOOD;

    tk_arena_init(&arena, 1 << 16, ARENA_LIMIT);
    if (!tk_cli_parse(&usage, &options, argc, argv, &arena, &status))
        goto out;
    const char *dir = options.positional_count > 0 ? options.positional[0] : ".";
    enum tk_err result = tk_doctor_examine(dir, &arena, &report, &err);
    if (result == TK_OK && want_fix) {
        status = fix(dir, &report, yes, json ? stderr : stdout, &arena);
        if (status != TK_EXIT_GOOD)
            goto out;
        result = tk_doctor_examine(dir, &arena, &report, &err);
    }
    if (result != TK_OK) {
        status = tk_cli_fail(result == TK_ERR_NOT_FOUND ? TK_EXIT_USAGE : tk_cli_status(result),
                             "doctor", "%s", err.message);
        goto out;
    }
    if (json)
        print_json(&report);
    else
        print_text(&report);
    status = report.counts[TK_DOCTOR_ERROR] > 0 ? TK_EXIT_FINDING : TK_EXIT_GOOD;
out:
    tk_doctor_release();
    tk_arena_release(&arena);
    return status;
}
