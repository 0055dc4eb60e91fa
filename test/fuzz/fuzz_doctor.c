/*
 * Any bytes as one of a project's manifests, settings or sources: read, and judged beside services
 * of every kind.  The first byte says which file.
 */
#include "base/assert.h"
#include "doctor/rules.h"

enum { LIMIT = 1 << 24 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct file *
add_file(struct doctor *doctor, const char *name, tk_str text)
{
    struct file *file = tk_doctor_new(doctor, sizeof *file);
    TK_ASSERT(file != NULL);
    file->path = file->name = tk_str_from(name);
    file->dir = TK_STR(".");
    file->text = text;
    file->manifest = tk_doctor_manifest_of(file->name);
    file->language = tk_doctor_language_of(file->name);
    file->environment = file->manifest == NULL && file->language == NULL;
    file->facts_end = &file->facts;
    *doctor->files_end = file;
    doctor->files_end = &file->next;
    if (file->manifest != NULL || file->environment) {
        file->next_setting = doctor->settings;
        doctor->settings = file;
    }
    if (file->manifest != NULL)
        file->manifest->read(doctor, file);
    else if (file->environment)
        tk_doctor_read_lines(doctor, file);
    else if (tk_doctor_worth_parsing(file->language, text))
        tk_doctor_parse(doctor, file, file->language);
    return file;
}

static void
check_facts(const struct file *file)
{
    for (const struct fact *fact = file->facts; fact != NULL; fact = fact->next) {
        TK_ASSERT(fact->kind != NULL && fact->file == file);
        TK_ASSERT(fact->line >= 1 && fact->line <= file->text.len + 1);
        for (const struct item *item = fact->value.items; item != NULL; item = item->next)
            TK_ASSERT(item->start <= item->end && item->end <= file->text.len);
    }
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const names[] = {
        "package.json",
        "go.mod",
        "requirements.txt",
        "setup.cfg",
        "setup.py",
        "build.gradle",
        "pom.xml",
        "application.properties",
        "appsettings.json",
        "composer.json",
        ".env",
        "a.csproj",
        "pyproject.toml",
        "compose.yml",
        "Gemfile",
        "a.tsx",
        "a.vue",
        "a.go",
        "a.py",
        "A.java",
        "a.php",
        "A.cs",
        "a.rb",
    };
    struct tk_arena arena;
    struct tk_doctor_report report = {0};
    struct doctor doctor = {.arena = &arena, .report = &report};
    bool decided;
    if (size == 0)
        return 0;
    tk_arena_init(&arena, 4096, LIMIT);
    doctor.files_end = &doctor.files;
    doctor.services_end = &report.services;
    doctor.findings_end = &report.findings;
    tk_str text = {(const char *)data + 1, size - 1};
    check_facts(add_file(&doctor, names[data[0] % (sizeof names / sizeof *names)], text));
    (void)add_file(&doctor, "requirements-base.txt", TK_STR("tracekit-apm>=0.1\n"));
    (void)add_file(&doctor, "go.mod", TK_STR("require github.com/Tracekit-Dev/go-sdk v0.1.0\n"));
    (void)add_file(
        &doctor, "package.json",
        TK_STR("{\"dependencies\":{\"@tracekit/node\":\"0.1\",\"@tracekit/vue\":\"0.1\"}}"));
    (void)add_file(&doctor, "composer.json", TK_STR("{\"require\":{\"tracekit/php-apm\":\"1\"}}"));
    (void)add_file(&doctor, "build.gradle", TK_STR("'dev.tracekit:tracekit-core:0.1'"));
    (void)add_file(&doctor, "b.csproj",
                   TK_STR("<a><PackageReference Include='TraceKit.Core'/></a>"));
    (void)add_file(&doctor, "b.gemspec", TK_STR("gem 'tracekit'"));
    tk_doctor_services(&doctor);
    tk_doctor_assign(&doctor);
    tk_doctor_advise(&doctor);
    tk_doctor_judge(&doctor);
    for (const struct tk_doctor_finding *at = report.findings; at != NULL; at = at->next)
        TK_ASSERT(at->line >= 1 && at->message.len > 0 && at->fix.len > 0);
    (void)tk_doctor_is_ignored(text, TK_STR("services/api/server.js"), false, &decided);
    struct tk_doctor_url url = tk_doctor_url(text);
    TK_ASSERT(url.host.len <= text.len && url.path.len <= text.len && url.port < 65536);
    tk_arena_release(&arena);
    return 0;
}
