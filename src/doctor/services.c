/*
 * services - whose SDK a dependency is, which facts belong to which service, and what to do first.
 *
 * A file belongs to the service of its language whose folder holds it, the innermost of them. Where
 * one package.json asks for several SDKs, the file's own imports decide.  A package without an SDK
 * of its own that starts one (a monorepo that has all dependencies at its top) is a service too.
 */
#include "doctor/private.h"

#include <stdlib.h>

struct sdk {
    const char *package, *language;
    enum ecosystem ecosystem;
    bool frontend;
};

/* The document's names and today's. */
static const struct sdk sdks[] = {
    {"@tracekit/browser", "javascript", ECO_NPM, true},
    {"@tracekit/react", "javascript", ECO_NPM, true},
    {"@tracekit/vue", "javascript", ECO_NPM, true},
    {"@tracekit/angular", "javascript", ECO_NPM, true},
    {"@tracekit/nextjs", "javascript", ECO_NPM, true},
    {"@tracekit/nuxt", "javascript", ECO_NPM, true},
    {"@tracekit/node", "javascript", ECO_NPM, false},
    {"@tracekit/node-apm", "javascript", ECO_NPM, false},
    {"github.com/Tracekit-Dev/go-sdk", "go", ECO_GO, false},
    {"tracekit-apm", "python", ECO_PYTHON, false},
    {"tracekit/php-apm", "php", ECO_PHP, false},
    {"tracekit/laravel-apm", "php", ECO_PHP, false},
    {"tracekit-java", "java", ECO_JAVA, false},
    {"tracekit-core", "java", ECO_JAVA, false},
    {"tracekit-spring-boot", "java", ECO_JAVA, false},
    {"tracekit-spring-boot-starter", "java", ECO_JAVA, false},
    {"TraceKit.AspNetCore", "csharp", ECO_DOTNET, false},
    {"TraceKit.Core", "csharp", ECO_DOTNET, false},
    {"tracekit", "ruby", ECO_RUBY, false},
};

/* Which SDK fits what else a manifest asks for; the first that is there counts.  "" is any. */
static const struct {
    const char *package, *sdk, *command;
    enum ecosystem ecosystem;
    bool frontend;
} fits[] = {
    {"next", "@tracekit/nextjs", "npm install @tracekit/nextjs", ECO_NPM, true},
    {"nuxt", "@tracekit/nuxt", "npm install @tracekit/nuxt", ECO_NPM, true},
    {"@angular/core", "@tracekit/angular", "npm install @tracekit/angular", ECO_NPM, true},
    {"vue", "@tracekit/vue", "npm install @tracekit/vue", ECO_NPM, true},
    {"react", "@tracekit/react", "npm install @tracekit/react", ECO_NPM, true},
    {"svelte", "@tracekit/browser", "npm install @tracekit/browser", ECO_NPM, true},
    {"preact", "@tracekit/browser", "npm install @tracekit/browser", ECO_NPM, true},
    {"vite", "@tracekit/browser", "npm install @tracekit/browser", ECO_NPM, true},
    {"express", "@tracekit/node", "npm install @tracekit/node", ECO_NPM, false},
    {"fastify", "@tracekit/node", "npm install @tracekit/node", ECO_NPM, false},
    {"@nestjs/core", "@tracekit/node", "npm install @tracekit/node", ECO_NPM, false},
    {"koa", "@tracekit/node", "npm install @tracekit/node", ECO_NPM, false},
    {"hono", "@tracekit/node", "npm install @tracekit/node", ECO_NPM, false},
    {"", "github.com/Tracekit-Dev/go-sdk", "go get github.com/Tracekit-Dev/go-sdk", ECO_GO, false},
    {"django", "tracekit-apm", "pip install tracekit-apm", ECO_PYTHON, false},
    {"fastapi", "tracekit-apm", "pip install tracekit-apm", ECO_PYTHON, false},
    {"flask", "tracekit-apm", "pip install tracekit-apm", ECO_PYTHON, false},
    {"", "tracekit-apm", "pip install tracekit-apm", ECO_PYTHON, false},
    {"laravel/framework", "tracekit/laravel-apm", "composer require tracekit/laravel-apm", ECO_PHP,
     false},
    {"", "tracekit/php-apm", "composer require tracekit/php-apm", ECO_PHP, false},
    {"", "tracekit-java", "add dev.tracekit:tracekit-java to the build", ECO_JAVA, false},
    {"", "TraceKit.AspNetCore", "dotnet add package TraceKit.AspNetCore", ECO_DOTNET, false},
    {"", "tracekit", "bundle add tracekit", ECO_RUBY, false},
};

bool
tk_doctor_kind(const struct fact *fact, const char *kind)
{
    return strcmp(fact->kind, kind) == 0;
}

/* Case, and for Python's names `-`, `_` and `.`, make no difference. */
static bool
same_package(enum ecosystem ecosystem, tk_str name, const char *package)
{
    size_t len = strlen(package);
    if (ecosystem == ECO_GO && name.len > len && name.ptr[len] == '/')
        name.len = len; /* a module of the repository, or /v2 */
    if (name.len != len)
        return false;
    for (size_t i = 0; i < len; i++) {
        char a = name.ptr[i], b = package[i];
        if (ecosystem == ECO_PYTHON && (a == '_' || a == '.'))
            a = '-';
        if (a >= 'A' && a <= 'Z')
            a = (char)(a | 32);
        if (b >= 'A' && b <= 'Z')
            b = (char)(b | 32);
        if (a != b)
            return false;
    }
    return true;
}

static const struct sdk *
sdk_of(const struct fact *fact)
{
    if (!tk_doctor_kind(fact, "dependency") || fact->file->manifest == NULL)
        return NULL;
    for (size_t i = 0; i < sizeof sdks / sizeof *sdks; i++)
        if (sdks[i].ecosystem == fact->file->manifest->ecosystem &&
            same_package(sdks[i].ecosystem, fact->name, sdks[i].package))
            return &sdks[i];
    return NULL;
}

static struct tk_doctor_service *
add_service(struct doctor *doctor, struct tk_doctor_service model)
{
    struct tk_doctor_service *service = tk_doctor_new(doctor, sizeof *service);
    struct tk_doctor_facts *facts = tk_doctor_new(doctor, sizeof *facts);
    if (service == NULL || facts == NULL)
        return NULL;
    *service = model;
    service->next = NULL;
    service->_facts = facts;
    *doctor->services_end = service;
    doctor->services_end = &service->next;
    return service;
}

static bool
is_known(const struct doctor *doctor, tk_str dir, const struct sdk *sdk)
{
    const struct tk_doctor_service *service = doctor->report->services;
    for (; service != NULL; service = service->next)
        if (tk_str_eq(service->dir, dir) &&
            (tk_str_eq(service->sdk, tk_str_from(sdk->package)) ||
             (!sdk->frontend && !service->frontend &&
              tk_str_eq(service->language, tk_str_from(sdk->language)))))
            return true; /* package.json and package-lock.json, Gemfile and gemspec */
    return false;
}

/* An SDK that is built on another SDK is no service. */
static bool
is_sdk(const struct file *file)
{
    for (const struct fact *fact = file->facts; fact != NULL; fact = fact->next)
        if (tk_doctor_kind(fact, "self"))
            return true;
    return false;
}

void
tk_doctor_services(struct doctor *doctor)
{
    for (struct file *file = doctor->settings; file != NULL; file = file->next_setting)
        for (const struct fact *fact = file->facts; fact != NULL; fact = fact->next) {
            const struct sdk *sdk = sdk_of(fact);
            if (sdk == NULL || is_sdk(file) || is_known(doctor, file->dir, sdk))
                continue;
            const struct item *version = fact->value.items;
            (void)add_service(doctor, (struct tk_doctor_service){
                                          .dir = file->dir,
                                          .sdk = tk_str_from(sdk->package),
                                          .version = version != NULL ? version->text : TK_STR(""),
                                          .language = tk_str_from(sdk->language),
                                          .manifest = file->path,
                                          .line = fact->line,
                                          .frontend = sdk->frontend,
                                      });
        }
}

/* ---- files of services -------------------------------------------------------------------------
 */

static bool
imports(const struct file *file, tk_str package)
{
    for (const struct fact *fact = file->facts; fact != NULL; fact = fact->next)
        if (tk_doctor_kind(fact, "import") && tk_str_starts_with(fact->name, package) &&
            (fact->name.len == package.len || fact->name.ptr[package.len] == '/'))
            return true;
    return false;
}

static bool
is_server(const struct file *file)
{
    for (const struct fact *fact = file->facts; fact != NULL; fact = fact->next)
        if (tk_doctor_kind(fact, "app") || tk_doctor_kind(fact, "listen"))
            return true;
    return false;
}

static struct tk_doctor_service *
service_of(struct doctor *doctor, const struct file *file)
{
    struct tk_doctor_service *best = NULL;
    int best_score = -1;
    if (file->language == NULL)
        return NULL;
    struct tk_doctor_service *service = doctor->report->services;
    for (; service != NULL; service = service->next) {
        if (!tk_doctor_within(file->dir, service->dir) ||
            !tk_str_eq(service->language, tk_str_from(file->language->name)))
            continue;
        int score = 4 * (int)(tk_str_eq(service->dir, TK_STR(".")) ? 0 : service->dir.len);
        score += imports(file, service->sdk) ? 2 : 0;
        score += service->frontend != is_server(file) ? 1 : 0;
        if (score > best_score) {
            best = service;
            best_score = score;
        }
    }
    return best;
}

/* The folder of the innermost manifest of the service's kind that holds the file. */
static tk_str
package_dir(const struct doctor *doctor, const struct file *file,
            const struct tk_doctor_service *service)
{
    tk_str found = service->dir;
    size_t end = strlen(service->manifest.ptr);
    const char *name = service->manifest.ptr + end;
    while (name > service->manifest.ptr && name[-1] != '/')
        name--;
    for (const struct file *other = doctor->settings; other != NULL; other = other->next_setting)
        if (other->manifest != NULL && tk_str_eq(other->name, tk_str_from(name)) &&
            tk_doctor_within(file->dir, other->dir) && tk_doctor_within(other->dir, found))
            found = other->dir;
    return found;
}

static bool
starts_sdk(const struct file *file)
{
    for (const struct fact *fact = file->facts; fact != NULL; fact = fact->next)
        if (tk_doctor_kind(fact, "init"))
            return true;
    return false;
}

/* Dependencies hoisted to the top: each package below that starts the SDK is a service. */
static void
split_hoisted(struct doctor *doctor)
{
    for (struct file *file = doctor->files; file != NULL; file = file->next) {
        struct tk_doctor_service *service = starts_sdk(file) ? service_of(doctor, file) : NULL;
        if (service == NULL)
            continue;
        tk_str dir = package_dir(doctor, file, service);
        if (tk_str_eq(dir, service->dir))
            continue;
        struct tk_doctor_service model = *service;
        model.dir = dir;
        (void)add_service(doctor, model);
    }
}

static int
by_dir(const void *a, const void *b)
{
    const struct tk_doctor_service *const *x = a, *const *y = b;
    int order = tk_str_cmp((*x)->dir, (*y)->dir);
    return order != 0 ? order : tk_str_cmp((*x)->sdk, (*y)->sdk);
}

static bool
has_init_below(const struct doctor *doctor, const struct tk_doctor_service *service)
{
    const struct tk_doctor_service *other = doctor->report->services;
    for (; other != NULL; other = other->next)
        if (other != service && tk_str_eq(other->manifest, service->manifest) &&
            tk_str_eq(other->sdk, service->sdk) && !tk_str_eq(other->dir, service->dir) &&
            tk_doctor_within(other->dir, service->dir))
            return service->_facts->init == NULL;
    return false;
}

static void
sort_services(struct doctor *doctor)
{
    size_t count = 0;
    struct tk_doctor_service *service = doctor->report->services;
    for (; service != NULL; service = service->next)
        count++;
    struct tk_doctor_service **all = tk_doctor_new(doctor, (count + 1) * sizeof(void *));
    if (all == NULL)
        return;
    count = 0;
    for (service = doctor->report->services; service != NULL; service = service->next)
        if (!has_init_below(doctor, service))
            all[count++] = service;
    if (count > 0)
        qsort(all, count, sizeof(void *), by_dir);
    doctor->services_end = &doctor->report->services;
    for (size_t i = 0; i < count; i++) {
        *doctor->services_end = all[i];
        doctor->services_end = &all[i]->next;
    }
    *doctor->services_end = NULL;
}

static void
gather_files(struct doctor *doctor, struct file *const *all, size_t count,
             struct tk_doctor_service *service)
{
    struct tk_doctor_facts *facts = service->_facts;
    facts->files = tk_doctor_new(doctor, (count + 1) * sizeof(void *));
    if (facts->files == NULL)
        return;
    for (size_t i = 0; i < count; i++)
        if (all[i]->service == service)
            facts->files[facts->file_count++] = all[i];
    for (size_t i = 0; i < facts->file_count && facts->init == NULL; i++)
        for (struct fact *fact = facts->files[i]->facts; fact != NULL; fact = fact->next)
            if (tk_doctor_kind(fact, "init") && facts->init == NULL)
                facts->init = fact;
}

void
tk_doctor_assign(struct doctor *doctor)
{
    size_t count = 0;
    split_hoisted(doctor);
    for (struct file *file = doctor->files; file != NULL; file = file->next)
        count += file->facts != NULL;
    struct file **all = tk_doctor_new(doctor, (count + 1) * sizeof(void *));
    if (all == NULL)
        return;
    count = 0;
    for (struct file *file = doctor->files; file != NULL; file = file->next)
        if (file->facts != NULL) {
            file->service = service_of(doctor, file);
            all[count++] = file;
        }
    struct tk_doctor_service *service = doctor->report->services;
    for (; service != NULL; service = service->next)
        gather_files(doctor, all, count, service);
    sort_services(doctor);
}

/* ---- advice ------------------------------------------------------------------------------------
 */

static void
suggest_for(struct doctor *doctor, const struct file *file, bool frontend,
            struct tk_doctor_suggestion ***end)
{
    for (size_t i = 0; i < sizeof fits / sizeof *fits; i++) {
        if (fits[i].ecosystem != file->manifest->ecosystem || fits[i].frontend != frontend)
            continue;
        const struct fact *fact = file->facts;
        bool any = fits[i].package[0] == '\0';
        while (fact != NULL && !any &&
               !(tk_doctor_kind(fact, "dependency") &&
                 same_package(fits[i].ecosystem, fact->name, fits[i].package)))
            fact = fact->next;
        if (fact == NULL && !any)
            continue;
        struct tk_doctor_suggestion *suggestion = tk_doctor_new(doctor, sizeof *suggestion);
        if (suggestion == NULL)
            return;
        *suggestion = (struct tk_doctor_suggestion){
            .dir = file->dir,
            .because = any ? file->name : tk_str_from(fits[i].package),
            .sdk = fits[i].sdk,
            .command = fits[i].command,
            .frontend = frontend,
        };
        **end = suggestion;
        *end = &suggestion->next;
        return;
    }
}

static void
suggest(struct doctor *doctor, bool frontend)
{
    struct tk_doctor_suggestion **end = &doctor->report->suggestions;
    while (*end != NULL)
        end = &(*end)->next;
    for (struct file *file = doctor->settings; file != NULL; file = file->next_setting) {
        const struct tk_doctor_suggestion *seen = doctor->report->suggestions;
        if (file->manifest == NULL || file->manifest->ecosystem == ECO_OTHER)
            continue;
        while (seen != NULL && !(tk_str_eq(seen->dir, file->dir) && seen->frontend == frontend))
            seen = seen->next;
        if (seen == NULL) /* one for each folder */
            suggest_for(doctor, file, frontend, &end);
    }
}

void
tk_doctor_advise(struct doctor *doctor)
{
    bool frontend = false, backend = false;
    const struct tk_doctor_service *service = doctor->report->services;
    for (; service != NULL; service = service->next) {
        frontend = frontend || service->frontend;
        backend = backend || !service->frontend;
    }
    doctor->report->advice = frontend && backend ? TK_DOCTOR_PROCEED
                             : frontend          ? TK_DOCTOR_INSTALL_BACKEND
                             : backend           ? TK_DOCTOR_INSTALL_FRONTEND
                                                 : TK_DOCTOR_INSTALL_SDK;
    if (!backend)
        suggest(doctor, false);
    if (!frontend)
        suggest(doctor, true);
}
