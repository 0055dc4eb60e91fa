/*
 * Every rule on a project that has the fault and on the same project repaired:
 * test/doctor/NAME.txt.
 *
 *   what: a sentence                        # the first line
 *   expect: RULE FILE:LINE SEVERITY [fixable]
 *   -- path/of/a/file --                    # ... of the faulty project
 *   == repaired                             # files from here on replace or join those above
 *   -- path/of/a/file --
 *
 * The faulty project has exactly the findings that are expected, the repaired one has none.  What
 * is fixable is gone after it was fixed.
 */
#include "doctor/doctor.h"
#include "test.h"

#include <dirent.h>
#include <ftw.h>
#include <sys/stat.h>
#include <unistd.h>

static char folder[64];
static struct tk_arena arena;
static size_t failures; /* all are told before the test fails */

#define complain(...)                                                                              \
    do {                                                                                           \
        print_error(__VA_ARGS__);                                                                  \
        failures++;                                                                                \
    } while (0)

static int
remove_entry(const char *path, const struct stat *about, int type, struct FTW *at)
{
    (void)about, (void)type, (void)at;
    return remove(path);
}

static int
begin(void **state)
{
    (void)state;
    (void)snprintf(folder, sizeof folder, "/tmp/tk-doctor-XXXXXX");
    tk_arena_init(&arena, 4096, 256 << 20);
    return mkdtemp(folder) == NULL;
}

static int
end(void **state)
{
    (void)state;
    (void)nftw(folder, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
    tk_arena_release(&arena);
    return 0;
}

static void
write_file(tk_str path, tk_str text)
{
    char full[512];
    (void)snprintf(full, sizeof full, "%s/%.*s", folder, TK_STR_ARG(path));
    for (char *at = full + strlen(folder) + 1; *at != '\0'; at++)
        if (*at == '/') {
            *at = '\0';
            (void)mkdir(full, 0755);
            *at = '/';
        }
    FILE *file = fopen(full, "w");
    assert_non_null(file);
    assert_int_equal(fwrite(text.ptr, 1, text.len, file), text.len);
    assert_int_equal(fclose(file), 0);
}

/* The files of "-- path --" sections. */
static void
write_files(tk_str text)
{
    tk_str path = TK_STR_NONE, body = {text.ptr, 0};
    while (text.len > 0) {
        tk_str line = tk_str_split(&text, '\n');
        bool head =
            tk_str_starts_with(line, TK_STR("-- ")) && tk_str_ends_with(line, TK_STR(" --"));
        if (head) {
            if (path.ptr != NULL)
                write_file(path, body);
            path = (tk_str){line.ptr + 3, line.len - 6};
            body = (tk_str){text.ptr, 0};
        } else if (path.ptr != NULL) {
            body.len = (size_t)(text.ptr - body.ptr);
        }
    }
    if (path.ptr != NULL)
        write_file(path, body);
}

/* Every finding as a line like those that are expected. */
static tk_str
findings_of(struct tk_doctor_report *report, bool *ret_fixable)
{
    struct tk_error err = {0};
    tk_str lines = TK_STR("");
    *ret_fixable = false;
    if (tk_doctor_examine(folder, &arena, report, &err) != TK_OK)
        fail_msg("%s", err.message);
    for (struct tk_doctor_finding *at = report->findings; at != NULL; at = at->next) {
        bool fixable = at->edit.insert.ptr != NULL;
        *ret_fixable = *ret_fixable || fixable;
        assert_true(at->message.len > 0 && at->fix.len > 0);
        lines = tk_arena_printf(&arena, "%.*s%s %.*s:%u %s%s\n", TK_STR_ARG(lines), at->rule,
                                TK_STR_ARG(at->file), (unsigned)at->line,
                                tk_doctor_severity_text(at->severity), fixable ? " fixable" : "");
    }
    return lines;
}

static void
check_fixed(const char *name, struct tk_doctor_report *report, tk_str expected)
{
    struct tk_error err = {0};
    size_t files;
    bool fixable;
    if (tk_doctor_apply(folder, report, &arena, &files, &err) != TK_OK)
        fail_msg("%s", err.message);
    tk_str left = findings_of(report, &fixable);
    tk_str kept = TK_STR("");
    while (expected.len > 0) {
        tk_str line = tk_str_split(&expected, '\n');
        if (!tk_str_ends_with(line, TK_STR(" fixable")))
            kept = tk_arena_printf(&arena, "%.*s%.*s\n", TK_STR_ARG(kept), TK_STR_ARG(line));
    }
    if (!tk_str_eq(left, kept))
        complain("%s: after it was fixed:\n%.*sand not:\n%.*s", name, TK_STR_ARG(left),
                 TK_STR_ARG(kept));
}

static void
run_case(const char *name, tk_str text)
{
    struct tk_doctor_report report;
    tk_str expected = TK_STR(""), all = text;
    bool fixable;
    while (text.len > 0 && !tk_str_starts_with(text, TK_STR("-- "))) {
        tk_str line = tk_str_split(&text, '\n');
        if (tk_str_starts_with(line, TK_STR("expect: ")))
            expected = tk_arena_printf(&arena, "%.*s%.*s\n", TK_STR_ARG(expected),
                                       (int)line.len - 8, line.ptr + 8);
    }
    assert_true(tk_str_starts_with(all, TK_STR("what: ")));
    const char *middle = memmem(text.ptr, text.len, "\n== repaired\n", 13);
    if (expected.len > 0 && middle == NULL)
        fail_msg("%s: nothing is repaired", name);
    tk_str repaired = {0};
    if (middle != NULL) {
        repaired = (tk_str){middle + 13, text.len - (size_t)(middle + 13 - text.ptr)};
        text.len = (size_t)(middle + 1 - text.ptr);
    }
    write_files(text);
    tk_str found = findings_of(&report, &fixable);
    if (!tk_str_eq(found, expected))
        complain("%s: found\n%.*sand not\n%.*s", name, TK_STR_ARG(found), TK_STR_ARG(expected));
    if (fixable)
        check_fixed(name, &report, expected);
    write_files(repaired);
    found = findings_of(&report, &fixable);
    if (found.len > 0)
        complain("%s: the repaired project still has\n%.*s", name, TK_STR_ARG(found));
}

static void
run_file(const char *name, const char *path)
{
    static char text[1 << 16];
    FILE *file = fopen(path, "r");
    assert_non_null(file);
    size_t len = fread(text, 1, sizeof text, file);
    (void)fclose(file);
    assert_true(len > 0 && len < sizeof text);
    assert_int_equal(begin(NULL), 0);
    run_case(name, (tk_str){text, len});
    (void)end(NULL);
}

static void
every_fault_is_found_and_nothing_on_the_repaired_project(void **state)
{
    (void)state;
    char path[1024];
    size_t count = 0;
    const char *source = getenv("TRACEKIT_SOURCE");
    assert_non_null(source);
    (void)snprintf(path, sizeof path, "%s/test/doctor", source);
    DIR *dir = opendir(path);
    assert_non_null(dir);
    for (struct dirent *entry; (entry = readdir(dir)) != NULL;) {
        size_t len = strlen(entry->d_name);
        if (len < 4 || strcmp(entry->d_name + len - 4, ".txt") != 0)
            continue;
        (void)snprintf(path, sizeof path, "%s/test/doctor/%s", source, entry->d_name);
        run_file(entry->d_name, path);
        count++;
    }
    (void)closedir(dir);
    assert_true(count > 20);
    assert_int_equal(failures, 0);
}

/* The three services of the document, as they are shipped. */
static void
the_example_is_healthy(void **state)
{
    (void)state;
    char path[1024];
    struct tk_doctor_report report;
    struct tk_error err = {0};
    (void)snprintf(path, sizeof path, "%s/examples", getenv("TRACEKIT_SOURCE"));
    tk_arena_init(&arena, 4096, 256 << 20);
    if (tk_doctor_examine(path, &arena, &report, &err) != TK_OK)
        fail_msg("%s", err.message);
    if (report.findings != NULL)
        fail_msg("%s %.*s", report.findings->rule, TK_STR_ARG(report.findings->message));
    assert_int_equal(report.advice, TK_DOCTOR_PROCEED);
    const struct tk_doctor_service *api = report.services, *go = api->next, *web = go->next;
    assert_text(api->name, "Node.js API");
    assert_int_equal(api->port, 3001);
    assert_text(go->name, "Go Microservice");
    assert_int_equal(go->port, 8080);
    assert_text(web->name, "React Frontend");
    assert_true(web->frontend && !go->frontend && !api->frontend && web->next == NULL);
    tk_arena_release(&arena);
}

/* What a large project costs: each of its files is read once, few are parsed. */
static void
only_files_that_say_something_are_parsed(void **state)
{
    static const char *const silent[] = {
        "export const users = (rows) => rows.map((row) => row.name);\n",
        "// https://www.example.com/licenses is where the text of it is.\n",
        "import { trace } from './trace.js';\nexport const expressions = fastest(trace);\n",
        "const listeners = corners.flat(); // list, cor, http:\n",
    };
    static const char *const telling[] = {
        "fetch('http://users:8080/users');\n",
        "const key = 'TK_SERVER_0123456789';\n",
        "app.use(CORS());\n",
        "server.listen(3000);\n",
        "const app = express();\n",
    };
    enum { TIMES = 100 };
    struct tk_doctor_report report;
    struct tk_error err = {0};
    (void)state;
    assert_int_equal(begin(NULL), 0);
    write_file(TK_STR("package.json"), TK_STR("{\"dependencies\":{\"@tracekit/node\":\"0.1.0\"}}"));
    for (size_t i = 0; i < TIMES; i++)
        for (size_t k = 0; k < sizeof silent / sizeof *silent; k++)
            write_file(tk_arena_printf(&arena, "lib/%zu/silent%zu.js", i % 7, 10 * i + k),
                       tk_str_from(silent[k]));
    for (size_t k = 0; k < sizeof telling / sizeof *telling; k++)
        write_file(tk_arena_printf(&arena, "telling%zu.js", k), tk_str_from(telling[k]));
    write_file(TK_STR("library.min.js"), tk_str_from(telling[0]));
    write_file(TK_STR("users.pb.go"), tk_str_from(telling[0]));
    if (tk_doctor_examine(folder, &arena, &report, &err) != TK_OK)
        fail_msg("%s", err.message);
    assert_int_equal(report.read_count,
                     TIMES * sizeof silent / sizeof *silent + sizeof telling / sizeof *telling);
    assert_int_equal(report.parsed_count, sizeof telling / sizeof *telling);
    (void)end(NULL);
}

/* dependencies = [[["tracekit-apm"]]] */
static size_t
services_behind(size_t brackets, bool *ret_broken)
{
    static char text[4 * TK_DOCTOR_NESTING_MAX];
    struct tk_doctor_report report;
    struct tk_error err = {0};
    size_t services = 0;
    tk_str name = TK_STR("\"tracekit-apm\""), key = TK_STR("dependencies = ");
    memcpy(text, key.ptr, key.len);
    memset(text + key.len, '[', brackets);
    memcpy(text + key.len + brackets, name.ptr, name.len);
    memset(text + key.len + brackets + name.len, ']', brackets);
    assert_int_equal(begin(NULL), 0);
    write_file(TK_STR("pyproject.toml"), (tk_str){text, key.len + 2 * brackets + name.len});
    if (tk_doctor_examine(folder, &arena, &report, &err) != TK_OK)
        fail_msg("%s", err.message);
    for (struct tk_doctor_service *at = report.services; at != NULL; at = at->next)
        services++;
    *ret_broken = report.findings != NULL && strcmp(report.findings->rule, "manifest-broken") == 0;
    (void)end(NULL);
    return services;
}

static void
what_nests_deeper_than_the_limit_is_told_and_not_asked(void **state)
{
    enum { AROUND = 3 }; /* the file, the pair, the text itself */
    bool broken;
    (void)state;
    assert_int_equal(services_behind(TK_DOCTOR_NESTING_MAX - AROUND, &broken), 1);
    assert_false(broken);
    assert_int_equal(services_behind(TK_DOCTOR_NESTING_MAX + 1, &broken), 0);
    assert_true(broken);
}

/* As editors save them: a string, and the call around it, have no end yet. */
static void
a_file_that_is_still_being_written_is_examined(void **state)
{
    static const char *const values[] = {"f\"{BASE}", "f'{BASE}", "f\"\"\"{BASE}", "f\"{BASE"};
    (void)state;
    for (size_t i = 0; i < sizeof values / sizeof *values; i++) {
        struct tk_doctor_report report;
        bool fixable;
        assert_int_equal(begin(NULL), 0);
        write_file(TK_STR("requirements.txt"), TK_STR("tracekit-apm\n"));
        write_file(TK_STR("app.py"),
                   tk_arena_printf(&arena,
                                   "import tracekit\nBASE = \"http://x\"\n"
                                   "tracekit.init(api_key=os.environ[\"K\"], endpoint=%s)\n",
                                   values[i]));
        (void)findings_of(&report, &fixable);
        assert_non_null(report.services);
        (void)end(NULL);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_file_that_is_still_being_written_is_examined),
        cmocka_unit_test(every_fault_is_found_and_nothing_on_the_repaired_project),
        cmocka_unit_test(the_example_is_healthy),
        cmocka_unit_test(what_nests_deeper_than_the_limit_is_told_and_not_asked),
        cmocka_unit_test(only_files_that_say_something_are_parsed),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    tk_doctor_release();
    return failed;
}
