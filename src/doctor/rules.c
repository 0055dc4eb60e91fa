/*
 * rules - what is wrong with a service's set-up, from its facts: keys, names, targets, endpoints,
 * versions.  What a request meets on its way (middleware, clients, CORS, headers) is in
 * rules_requests.c.
 *
 * A rule knows facts and no language; a language's queries make the facts.  It says nothing where
 * it cannot know: options that come from elsewhere, targets that are computed.
 */
#include "doctor/rules.h"

#include <stdlib.h>

struct tk_doctor_finding *
tk_doctor_find(struct doctor *doctor, const char *rule, enum tk_doctor_severity severity,
               tk_str file, uint32_t line, tk_str message, tk_str fix)
{
    struct tk_doctor_finding *finding = tk_doctor_new(doctor, sizeof *finding);
    if (finding == NULL || message.ptr == NULL || fix.ptr == NULL) {
        doctor->status = TK_ERR_MEMORY;
        return NULL;
    }
    finding->rule = rule;
    finding->severity = severity;
    finding->sure = true;
    finding->file = file;
    finding->line = line;
    finding->message = message;
    finding->fix = fix;
    *doctor->findings_end = finding;
    doctor->findings_end = &finding->next;
    return finding;
}

/* ---- what the rules ask ------------------------------------------------------------------------
 */

/* apiKey, api_key, api-key, APIKey, setApiKey: one option. */
static bool
same_option(tk_str name, const char *wanted)
{
    size_t at = 0;
    if (name.len > 3 && tk_str_starts_with(name, TK_STR("set")) && name.ptr[3] >= 'A' &&
        name.ptr[3] <= 'Z')
        name = (tk_str){name.ptr + 3, name.len - 3};
    for (size_t i = 0; i < name.len; i++) {
        char c = name.ptr[i];
        if (memchr("_-'\":", c, 5) != NULL)
            continue;
        if (c >= 'A' && c <= 'Z')
            c = (char)(c | 32);
        if (wanted[at] == '\0' || wanted[at] != c) /* a name may hold a NUL */
            return false;
        at++;
    }
    return wanted[at] == '\0';
}

const struct fact *
tk_doctor_option(struct doctor *doctor, const struct tk_doctor_service *service, const char *name)
{
    const struct fact *init = service->_facts->init, *loose = NULL;
    for (size_t i = 0; i < service->_facts->file_count; i++) {
        const struct file *file = service->_facts->files[i];
        for (const struct fact *fact = file->facts; fact != NULL; fact = fact->next) {
            if (!tk_doctor_kind(fact, "option") || !same_option(fact->name, name))
                continue;
            if (init != NULL && init->file == file &&
                ((fact->start >= init->start && fact->end <= init->end) ||
                 (fact->start >= init->also_start && fact->end <= init->also_end)))
                return fact;
            loose = loose != NULL ? loose : fact;
        }
    }
    for (const struct file *file = doctor->settings; file != NULL; file = file->next_setting) {
        if (!tk_doctor_within(file->dir, service->dir))
            continue; /* application.yml, appsettings.json */
        for (const struct fact *fact = file->facts; fact != NULL; fact = fact->next)
            if (tk_doctor_kind(fact, "option") && same_option(fact->name, name))
                return fact;
    }
    /* Options as in JavaScript are members of objects: others may have such names too. */
    return tk_str_eq(service->language, TK_STR("javascript")) ? NULL : loose;
}

/* A variable of the environment that is set for the service: in its folder, or above it. */
const struct fact *
tk_doctor_setting(struct doctor *doctor, const struct tk_doctor_service *service, const char *name)
{
    for (const struct file *file = doctor->settings; file != NULL; file = file->next_setting) {
        if (!tk_doctor_within(file->dir, service->dir) &&
            !tk_doctor_within(service->dir, file->dir))
            continue;
        for (const struct fact *fact = file->facts; fact != NULL; fact = fact->next)
            if (tk_doctor_kind(fact, "setting") && tk_doctor_matches(tk_str_from(name), fact->name))
                return fact;
    }
    return NULL;
}

const struct item *
tk_doctor_literal(const struct fact *fact)
{
    if (fact == NULL)
        return NULL;
    for (const struct item *item = fact->value.items; item != NULL; item = item->next)
        if (item->kind == ITEM_TEXT && !item->in_call)
            return item;
    return NULL;
}

bool
tk_doctor_is_unknown(const struct value *value)
{
    for (const struct item *item = value->items; item != NULL; item = item->next)
        if (item->kind == ITEM_UNKNOWN || item->in_call)
            return true;
    return value->items == NULL;
}

/* Where the service is told of: its init, or the manifest that asks for its SDK. */
static void
place_of(const struct tk_doctor_service *service, tk_str *ret_file, uint32_t *ret_line)
{
    const struct fact *init = service->_facts->init;
    *ret_file = init != NULL ? init->file->path : service->manifest;
    *ret_line = init != NULL ? init->line : service->line;
}

/* PHP, Java, .NET and Ruby: Laravel, Spring and Rails start the SDK, from settings. */
static bool
is_started_by_framework(const struct tk_doctor_service *service)
{
    return tk_doctor_matches(TK_STR("^(php|java|csharp|ruby)$"), service->language);
}

bool
tk_doctor_options_place(struct doctor *doctor, const struct tk_doctor_service *service,
                        tk_str *ret_file, uint32_t *ret_line)
{
    static const char *const names[] = {"servicename", "apikey", "endpoint"};
    const struct fact *init = service->_facts->init, *option = NULL;
    if (init != NULL) {
        place_of(service, ret_file, ret_line);
        return !init->uncertain;
    }
    for (size_t i = 0; option == NULL && i < sizeof names / sizeof *names; i++)
        option = tk_doctor_option(doctor, service, names[i]);
    if (option == NULL || !is_started_by_framework(service))
        return false;
    *ret_file = option->file->path;
    *ret_line = option->line;
    return true;
}

static tk_str
option_spelling(const struct tk_doctor_service *service, const char *camel, const char *snake,
                const char *pascal)
{
    tk_str language = service->language;
    bool snakes = tk_str_eq(language, TK_STR("python")) || tk_str_eq(language, TK_STR("ruby")) ||
                  tk_str_eq(language, TK_STR("php"));
    bool pascals = tk_str_eq(language, TK_STR("go")) || tk_str_eq(language, TK_STR("csharp"));
    return tk_str_from(snakes ? snake : pascals ? pascal : camel);
}

static tk_str
env_of(const struct tk_doctor_service *service)
{
    const struct language *language = tk_doctor_language_of(TK_STR("x"));
    static const char *const names[] = {"javascript", "go",     "python", "java",
                                        "php",        "csharp", "ruby"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (tk_str_eq(service->language, tk_str_from(names[i])))
            language = tk_doctor_language_named(names[i]);
    return language != NULL ? tk_doctor_language_head(language, "env") : TK_STR("TRACEKIT_API_KEY");
}

/* ---- is it started, with a key and a name? ------------------------------------------------------
 */

static void
rule_init(struct doctor *doctor, const struct tk_doctor_service *service)
{
    bool by_framework = is_started_by_framework(service);
    if (service->_facts->init != NULL ||
        (by_framework && (tk_doctor_option(doctor, service, "apikey") != NULL ||
                          tk_doctor_option(doctor, service, "servicename") != NULL ||
                          tk_doctor_setting(doctor, service, "^TRACEKIT_") != NULL)))
        return;
    struct tk_doctor_finding *finding =
        tk_doctor_find(doctor, "init-missing", by_framework ? TK_DOCTOR_HINT : TK_DOCTOR_WARNING,
                       service->manifest, service->line,
                       SAY("%.*s is installed, but nothing starts it", TK_STR_ARG(service->sdk)),
                       SAY("start the SDK where %.*s starts, with %.*s", TK_STR_ARG(service->dir),
                           TK_STR_ARG(option_spelling(service, "a serviceName", "a service_name",
                                                      "a ServiceName"))));
    if (finding != NULL)
        finding->sure = false;
}

/* Text that stands for something else: ${NAME}, <your key>, {{ .Values.key }}, %env(KEY)%. */
static bool
is_key_literal(tk_str text)
{
    return text.len > 0 && memchr("$<{%", text.ptr[0], 4) == NULL;
}

/* An expression that the file can use without an import more. */
static bool
env_is_in_reach(const struct file *file)
{
    const char *needs = tk_str_ends_with(file->name, TK_STR(".go"))   ? "\"os\""
                        : tk_str_ends_with(file->name, TK_STR(".py")) ? "import os"
                                                                      : "";
    return memmem(file->text.ptr, file->text.len, needs, strlen(needs)) != NULL;
}

/* Where a service's sources or settings speak of the variable, somebody knows of it. */
static bool
knows_of_key(struct doctor *doctor, const struct tk_doctor_service *service)
{
    static const char name[] = "TRACEKIT_API_KEY";
    for (size_t i = 0; i < service->_facts->file_count; i++) {
        tk_str text = service->_facts->files[i]->text;
        if (text.len > 0 && memmem(text.ptr, text.len, name, sizeof name - 1) != NULL)
            return true;
    }
    return tk_doctor_setting(doctor, service, "TRACEKIT_API_KEY|OTLP_HEADERS") != NULL;
}

static void
rule_key(struct doctor *doctor, const struct tk_doctor_service *service)
{
    const struct fact *key = tk_doctor_option(doctor, service, "apikey");
    const struct item *literal = tk_doctor_literal(key);
    if (literal != NULL && is_key_literal(literal->text)) {
        struct tk_doctor_finding *finding = tk_doctor_find(
            doctor, "api-key-literal", TK_DOCTOR_ERROR, key->file->path, literal->line,
            TK_STR("the API key is written into the code: whoever reads it can use it"),
            SAY("read it from the environment: %.*s; and revoke the one that was written here",
                TK_STR_ARG(env_of(service))));
        if (finding != NULL && key->file->language != NULL && !key->value.reads_env &&
            env_is_in_reach(key->file))
            finding->edit = (struct tk_doctor_edit){literal->start, literal->end - literal->start,
                                                    env_of(service), key->file->text_hash};
        return;
    }
    tk_str file;
    uint32_t line;
    if (!tk_doctor_options_place(doctor, service, &file, &line) ||
        (key != NULL && (literal == NULL || literal->text.len > 0)) ||
        (!service->frontend && knows_of_key(doctor, service)))
        return;
    struct tk_doctor_finding *finding = tk_doctor_find(
        doctor, "api-key-missing", service->frontend ? TK_DOCTOR_WARNING : TK_DOCTOR_HINT, file,
        line,
        service->frontend ? TK_STR("no API key is given: the page's spans are not sent")
                          : TK_STR("no API key is set here: it must be in the environment of the "
                                   "process, or spans are not sent"),
        service->frontend
            ? SAY("apiKey: %.*s, put in when the page is built", TK_STR_ARG(env_of(service)))
            : TK_STR("set TRACEKIT_API_KEY where the service runs"));
    if (finding != NULL)
        finding->sure = service->frontend;
}

/* Keys in what is deployed; .env files are where they belong. */
static void
rule_deployed_keys(struct doctor *doctor)
{
    for (const struct file *file = doctor->settings; file != NULL; file = file->next_setting) {
        if (file->environment && !tk_doctor_matches(TK_STR("Dockerfile"), file->name))
            continue;
        for (const struct fact *fact = file->facts; fact != NULL; fact = fact->next) {
            const struct item *value = fact->value.items;
            if (tk_doctor_kind(fact, "setting") && value != NULL &&
                tk_doctor_matches(TK_STR("TRACEKIT_API_KEY$"), fact->name) &&
                is_key_literal(value->text))
                (void)tk_doctor_find(
                    doctor, "api-key-literal", TK_DOCTOR_ERROR, file->path, fact->line,
                    SAY("%.*s has a literal key in a file that is shared", TK_STR_ARG(fact->name)),
                    TK_STR("write ${TRACEKIT_API_KEY} or use a secret; and revoke the one that was "
                           "written here"));
        }
    }
}

/* A key as this server makes them, wherever it stands: in a header, a constant, a comment. */
static void
rule_stray_keys(struct doctor *doctor)
{
    static const char key[] = "\\b(tk_(server|browser|read|admin)|ctxio)_[0-9A-Za-z]{16}";
    for (const struct file *file = doctor->files; file != NULL; file = file->next) {
        const struct tk_doctor_finding *known = doctor->report->findings;
        size_t at;
        if (file->text.len == 0 ||
            (file->environment && !tk_doctor_matches(TK_STR("Dockerfile"), file->name)) ||
            !tk_doctor_match(TK_STR(key), file->text, &at))
            continue;
        while (known != NULL &&
               !(strcmp(known->rule, "api-key-literal") == 0 && tk_str_eq(known->file, file->path)))
            known = known->next;
        if (known == NULL)
            (void)tk_doctor_find(doctor, "api-key-literal", TK_DOCTOR_ERROR, file->path,
                                 tk_doctor_line(file->text, at),
                                 TK_STR("an API key is written here: whoever reads it can use it"),
                                 TK_STR("read it from TRACEKIT_API_KEY; and revoke this one"));
    }
}

static void
rule_name(struct doctor *doctor, struct tk_doctor_service *service)
{
    const struct fact *name = tk_doctor_option(doctor, service, "servicename");
    const struct item *literal = tk_doctor_literal(name);
    if (name == NULL || (literal == NULL && name->value.reads_env)) {
        const struct fact *setting = tk_doctor_setting(
            doctor, service,
            "^(TRACEKIT_SERVICE_NAME|OTEL_SERVICE_NAME|OTEL_RESOURCE_ATTRIBUTES)$");
        if (setting != NULL && setting->value.items != NULL &&
            tk_doctor_within(setting->file->dir, service->dir) &&
            tk_str_ends_with(setting->name, TK_STR("SERVICE_NAME")) &&
            is_key_literal(setting->value.items->text))
            service->name = setting->value.items->text;
        if (setting != NULL || name != NULL)
            return;
    }
    if (literal != NULL && literal->text.len > 0) {
        bool joined = literal->next != NULL && literal->next->kind == ITEM_TEXT; /* "shop-" + x */
        service->name = joined ? TK_STR("") : literal->text;
        return;
    }
    tk_str file;
    uint32_t line;
    if (!tk_doctor_options_place(doctor, service, &file, &line) ||
        (name != NULL && literal == NULL))
        return;
    (void)tk_doctor_find(
        doctor, "service-name-missing", TK_DOCTOR_WARNING, file, line,
        TK_STR("the service has no name of its own: its spans are grouped with others' that have "
               "none"),
        SAY("give the SDK %.*s, unique to this service",
            TK_STR_ARG(
                option_spelling(service, "a serviceName", "a service_name", "a ServiceName"))));
}

static void
rule_shared_names(struct doctor *doctor)
{
    const struct tk_doctor_service *service = doctor->report->services;
    for (; service != NULL; service = service->next) {
        const struct tk_doctor_service *other = doctor->report->services;
        while (other != service && (other->name.len == 0 || !tk_str_eq(other->name, service->name)))
            other = other->next;
        if (other == service)
            continue;
        tk_str file, other_file;
        uint32_t line, other_line;
        place_of(service, &file, &line);
        place_of(other, &other_file, &other_line);
        const struct fact *name = tk_doctor_option(doctor, service, "servicename");
        const struct item *literal = tk_doctor_literal(name);
        (void)tk_doctor_find(
            doctor, "service-name-shared", TK_DOCTOR_ERROR,
            literal != NULL ? name->file->path : file, literal != NULL ? literal->line : line,
            SAY("%.*s and %.*s (%.*s:%u) are both called \"%.*s\": they are drawn as one service",
                TK_STR_ARG(service->dir), TK_STR_ARG(other->dir), TK_STR_ARG(other_file),
                (unsigned)other_line, TK_STR_ARG(service->name)),
            TK_STR("give each service a name of its own"));
    }
}

/* ---- tracePropagationTargets --------------------------------------------------------------------
 */

bool
tk_doctor_target_covers(const struct item *target, tk_str url)
{
    if (target->kind == ITEM_REGEX)
        return tk_doctor_matches(target->text, url);
    return target->text.len == 0 || memmem(url.ptr, url.len, target->text.ptr, target->text.len);
}

static bool
covers_all(const struct item *target)
{
    return tk_str_eq(target->text, TK_STR("*")) ||
           (tk_doctor_target_covers(target, TK_STR("https://third-party.example/collect")) &&
            tk_doctor_target_covers(target, TK_STR("https://cdn.somebody-else.net/a.js")));
}

/* 'localhost:3001', 'localhost:8080': all backends whose port was seen. */
static tk_str
backends_as_targets(struct doctor *doctor)
{
    tk_str list = TK_STR_NONE;
    const struct tk_doctor_service *service = doctor->report->services;
    for (; service != NULL; service = service->next)
        if (!service->frontend && service->port != 0)
            list = SAY("%.*s%s'localhost:%u'", TK_STR_ARG(list), list.len > 0 ? ", " : "",
                       (unsigned)service->port);
    return list;
}

static void
rule_targets_missing(struct doctor *doctor, const struct fact *init)
{
    const struct fact *first = NULL;
    tk_str targets = backends_as_targets(doctor);
    struct tk_doctor_finding *finding = tk_doctor_find(
        doctor, "targets-missing", TK_DOCTOR_WARNING, init->file->path, init->line,
        TK_STR("tracePropagationTargets is not set: only requests to the page's own origin carry "
               "the trace"),
        SAY("tracePropagationTargets: [%.*s], and your backends' addresses in production",
            TK_STR_ARG(targets.len > 0 ? targets : TK_STR("'localhost:3001'"))));
    for (const struct fact *fact = init->file->facts; fact != NULL; fact = fact->next)
        if (tk_doctor_kind(fact, "option") && fact->start > init->start && fact->end < init->end &&
            first == NULL)
            first = fact;
    if (finding == NULL || first == NULL || targets.len == 0)
        return;
    size_t indent = first->start;
    while (indent > 0 && memchr(" \t", init->file->text.ptr[indent - 1], 2) != NULL)
        indent--;
    bool own_line = indent > 0 && init->file->text.ptr[indent - 1] == '\n';
    finding->edit = (struct tk_doctor_edit){
        first->start, 0,
        SAY("tracePropagationTargets: [%.*s],%s%.*s", TK_STR_ARG(targets), own_line ? "\n" : " ",
            own_line ? (int)(first->start - indent) : 0, init->file->text.ptr + indent),
        init->file->text_hash};
}

/* The backends whose port was seen, and none of them is a target. */
static void
rule_targets_cover_nothing(struct doctor *doctor, const struct fact *targets)
{
    bool local = true;
    const struct tk_doctor_service *service = doctor->report->services, *missed = NULL;
    if (tk_doctor_is_unknown(&targets->value))
        return;
    for (; service != NULL; service = service->next) {
        char url[64];
        if (service->frontend || service->port == 0)
            continue;
        (void)snprintf(url, sizeof url, "http://localhost:%u/", (unsigned)service->port);
        for (const struct item *item = targets->value.items; item != NULL; item = item->next) {
            if (tk_doctor_target_covers(item, tk_str_from(url)))
                return;
            local = local && tk_doctor_matches(TK_STR("localhost|127\\.0\\.0\\.1"), item->text);
        }
        missed = missed != NULL ? missed : service;
    }
    if (missed == NULL)
        return;
    (void)tk_doctor_find(doctor, "targets-uncovered", local ? TK_DOCTOR_WARNING : TK_DOCTOR_HINT,
                         targets->file->path, targets->line,
                         SAY("no target matches a backend: %.*s listens on port %u",
                             TK_STR_ARG(missed->dir), (unsigned)missed->port),
                         SAY("add %.*s", TK_STR_ARG(backends_as_targets(doctor))));
}

static void
rule_targets(struct doctor *doctor, const struct tk_doctor_service *service)
{
    const struct fact *init = service->_facts->init;
    if (!service->frontend || init == NULL)
        return;
    const struct fact *targets = tk_doctor_option(doctor, service, "tracepropagationtargets");
    if (targets == NULL) {
        if (!init->uncertain)
            rule_targets_missing(doctor, init);
        return;
    }
    for (const struct item *item = targets->value.items; item != NULL; item = item->next) {
        if (item->kind == ITEM_UNKNOWN || item->kind == ITEM_WORD || !covers_all(item))
            continue;
        tk_str better = backends_as_targets(doctor);
        struct tk_doctor_finding *finding = tk_doctor_find(
            doctor, "targets-wildcard", TK_DOCTOR_ERROR, targets->file->path, item->line,
            tk_str_eq(item->text, TK_STR("*"))
                ? TK_STR("\"*\" is no pattern: a target is part of a URL, or a regular expression")
                : SAY("the target %.*s matches every URL: third parties get the trace headers, and "
                      "their CORS may refuse the requests",
                      TK_STR_ARG(item->text)),
            SAY("name your backends: [%.*s]",
                TK_STR_ARG(better.len > 0 ? better : TK_STR("'api.yourapp.com'"))));
        if (finding != NULL && better.len > 0)
            finding->edit = (struct tk_doctor_edit){item->start, item->end - item->start, better,
                                                    targets->file->text_hash};
        return;
    }
    rule_targets_cover_nothing(doctor, targets);
}

/* ---- where the spans go -------------------------------------------------------------------------
 */

static void
check_endpoint(struct doctor *doctor, const struct fact *fact, tk_str text, uint32_t line)
{
    const char *why = NULL;
    char said[160];
    if (text.len == 0 || !is_key_literal(text))
        return;
    struct tk_doctor_url url = tk_doctor_url(text);
    if (tk_doctor_matches(TK_STR("^[a-zA-Z][a-zA-Z0-9+.-]*://"), text) &&
        !tk_doctor_matches(TK_STR("^https?://"), text))
        why = "it is neither http:// nor https://";
    else if (url.host.len == 0)
        why = "it has no host";
    else if (tk_doctor_matches(TK_STR("^/(traces|api/traces|dashboard)/?$"), url.path))
        why = "that is the page where people look, not where spans go";
    else if (tk_doctor_matches(TK_STR("/v1/(metrics|logs)/?$"), url.path))
        why = "that is not where spans go";
    const struct tk_doctor_service *service = doctor->report->services;
    for (; service != NULL && why == NULL; service = service->next)
        if (url.loopback && service->port != 0 && service->port == url.port) {
            (void)snprintf(said, sizeof said, "%.*s listens there",
                           (int)(service->dir.len < 100 ? service->dir.len : 100),
                           service->dir.ptr);
            why = said;
        }
    if (why != NULL)
        (void)tk_doctor_find(
            doctor, "endpoint-wrong", TK_DOCTOR_ERROR, fact->file->path, line,
            SAY("spans are sent to %.*s: %s", TK_STR_ARG(text), why),
            TK_STR("name the TraceKit server's base URL, such as http://localhost:4318"));
}

static void
rule_endpoint(struct doctor *doctor, const struct tk_doctor_service *service)
{
    const struct fact *option = tk_doctor_option(doctor, service, "endpoint");
    const struct item *literal = tk_doctor_literal(option);
    if (literal != NULL)
        check_endpoint(doctor, option, literal->text, literal->line);
}

static void
rule_set_endpoints(struct doctor *doctor)
{
    for (const struct file *file = doctor->settings; file != NULL; file = file->next_setting)
        for (const struct fact *fact = file->facts; fact != NULL; fact = fact->next) {
            const struct item *value = fact->value.items;
            if (!tk_doctor_kind(fact, "setting") || value == NULL ||
                !tk_doctor_matches(TK_STR("TRACEKIT_ENDPOINT$"), fact->name))
                continue;
            check_endpoint(doctor, fact, value->text, fact->line);
            if (tk_doctor_matches(TK_STR("compose.*\\.ya?ml$"), file->name) &&
                tk_doctor_url(value->text).loopback)
                (void)tk_doctor_find(
                    doctor, "endpoint-wrong", TK_DOCTOR_WARNING, file->path, fact->line,
                    SAY("%.*s inside a container is the container itself", TK_STR_ARG(value->text)),
                    TK_STR("name the server's container, or host.docker.internal"));
        }
}

/* ---- versions -----------------------------------------------------------------------------------
 */

/* What an SDK needs beside it: the least version of another package, or of the language. */
static const struct {
    const char *sdk, *package;
    unsigned major, minor;
} needed[] = {
    {"@tracekit/react", "react", 18, 0},
    {"@tracekit/vue", "vue", 3, 3},
    {"@tracekit/node", "express", 4, 0},
    {"@tracekit/angular", "@angular/core", 17, 0},
    {"@tracekit/node", "fastify", 4, 0},
    {"github.com/Tracekit-Dev/go-sdk", "go", 1, 21},
    {"tracekit/php-apm", "php", 8, 1},
    {"tracekit/laravel-apm", "php", 8, 1},
    {"tracekit/laravel-apm", "laravel/framework", 10, 0},
    {"tracekit", "ruby", 2, 7},
    {"tracekit-spring-boot", "spring-boot-starter-parent", 3, 0},
    {"tracekit-spring-boot-starter", "spring-boot-starter-parent", 3, 0},
    {"TraceKit.AspNetCore", ".NET", 8, 0},
    {"TraceKit.Core", ".NET", 8, 0},
};

/* "^1.2.3", "~> 1.2", "==1.2", "v1.2.0": the first two numbers; false for tags, paths and ranges.
 */
static bool
version_of(tk_str text, unsigned *ret_major, unsigned *ret_minor)
{
    size_t i = 0;
    unsigned numbers[2] = {0, 0};
    while (i < text.len && memchr("^~>=v \"'", text.ptr[i], 8) != NULL)
        i++;
    if (i == text.len || text.ptr[i] < '0' || text.ptr[i] > '9')
        return false;
    for (size_t part = 0; part < 2; part++) {
        while (i < text.len && text.ptr[i] >= '0' && text.ptr[i] <= '9' && numbers[part] < 100000)
            numbers[part] = numbers[part] * 10 + (unsigned)(text.ptr[i++] - '0');
        if (i == text.len || text.ptr[i] != '.')
            break;
        i++;
    }
    *ret_major = numbers[0];
    *ret_minor = numbers[1];
    return true;
}

static const struct file *
manifest_file(const struct doctor *doctor, const struct tk_doctor_service *service)
{
    const struct file *file = doctor->settings;
    while (file != NULL && !tk_str_eq(file->path, service->manifest))
        file = file->next_setting;
    return file;
}

static void
rule_needs(struct doctor *doctor, const struct tk_doctor_service *service)
{
    const struct file *file = manifest_file(doctor, service);
    for (const struct fact *fact = file != NULL ? file->facts : NULL; fact != NULL;
         fact = fact->next) {
        unsigned major, minor;
        if ((!tk_doctor_kind(fact, "dependency") && !tk_doctor_kind(fact, "runtime")) ||
            fact->value.items == NULL || !version_of(fact->value.items->text, &major, &minor) ||
            tk_doctor_matches(TK_STR("^>|[|]"), fact->value.items->text)) /* or a later one */
            continue;
        for (size_t i = 0; i < sizeof needed / sizeof *needed; i++)
            if (tk_str_eq(service->sdk, tk_str_from(needed[i].sdk)) &&
                tk_str_eq(fact->name, tk_str_from(needed[i].package)) &&
                (major < needed[i].major || (major == needed[i].major && minor < needed[i].minor)))
                (void)tk_doctor_find(
                    doctor, "version-mismatch", TK_DOCTOR_WARNING, file->path, fact->line,
                    SAY("%s needs %s %u.%u or later, not %.*s", needed[i].sdk, needed[i].package,
                        needed[i].major, needed[i].minor, TK_STR_ARG(fact->value.items->text)),
                    SAY("update %s", needed[i].package));
    }
}

/* TraceKit's packages for one language are made together: those of two services should be too. */
static void
rule_versions(struct doctor *doctor, const struct tk_doctor_service *service)
{
    unsigned major, minor, other_major, other_minor;
    const struct tk_doctor_service *other = doctor->report->services;
    if (!version_of(service->version, &major, &minor))
        return;
    for (; other != service; other = other->next) {
        if (!tk_str_eq(other->language, service->language) ||
            !version_of(other->version, &other_major, &other_minor) ||
            (other_major == major && (major > 0 || other_minor == minor)))
            continue;
        (void)tk_doctor_find(doctor, "version-mismatch", TK_DOCTOR_WARNING, service->manifest,
                             service->line,
                             SAY("%.*s %.*s here, but %.*s %.*s in %.*s", TK_STR_ARG(service->sdk),
                                 TK_STR_ARG(service->version), TK_STR_ARG(other->sdk),
                                 TK_STR_ARG(other->version), TK_STR_ARG(other->manifest)),
                             TK_STR("use the same version of TraceKit's packages everywhere"));
        return;
    }
}

static void
rule_manifests(struct doctor *doctor)
{
    for (const struct file *file = doctor->settings; file != NULL; file = file->next_setting)
        for (const struct fact *fact = file->facts; fact != NULL; fact = fact->next)
            if (tk_doctor_kind(fact, "broken"))
                (void)tk_doctor_find(doctor, "manifest-broken", TK_DOCTOR_WARNING, file->path,
                                     fact->line,
                                     SAY("cannot be read: %.*s", TK_STR_ARG(fact->name)),
                                     TK_STR("repair it; what it asks for is not known"));
}

/* ---- all of them --------------------------------------------------------------------------------
 */

static int
by_weight(const void *a, const void *b)
{
    const struct tk_doctor_finding *const *x = a, *const *y = b;
    if ((*x)->severity != (*y)->severity)
        return (*x)->severity < (*y)->severity ? -1 : 1;
    int order = tk_str_cmp((*x)->file, (*y)->file);
    if (order != 0)
        return order;
    if ((*x)->line != (*y)->line)
        return (*x)->line < (*y)->line ? -1 : 1;
    return strcmp((*x)->rule, (*y)->rule);
}

static void
sort_findings(struct doctor *doctor)
{
    size_t count = 0;
    struct tk_doctor_finding *finding = doctor->report->findings;
    for (; finding != NULL; finding = finding->next)
        count++;
    struct tk_doctor_finding **all = tk_doctor_new(doctor, (count + 1) * sizeof(void *));
    if (all == NULL || count == 0)
        return;
    count = 0;
    for (finding = doctor->report->findings; finding != NULL; finding = finding->next)
        all[count++] = finding;
    qsort(all, count, sizeof(void *), by_weight);
    doctor->findings_end = &doctor->report->findings;
    for (size_t i = 0; i < count; i++) {
        doctor->report->counts[all[i]->severity]++;
        *doctor->findings_end = all[i];
        doctor->findings_end = &all[i]->next;
    }
    *doctor->findings_end = NULL;
}

void
tk_doctor_judge(struct doctor *doctor)
{
    struct tk_doctor_service *service;
    for (service = doctor->report->services; service != NULL; service = service->next) {
        service->port = tk_doctor_port(service);
        rule_name(doctor, service);
    }
    for (service = doctor->report->services; service != NULL; service = service->next) {
        rule_init(doctor, service);
        rule_key(doctor, service);
        rule_targets(doctor, service);
        rule_endpoint(doctor, service);
        rule_needs(doctor, service);
        rule_versions(doctor, service);
        tk_doctor_judge_requests(doctor, service);
    }
    rule_shared_names(doctor);
    rule_deployed_keys(doctor);
    rule_stray_keys(doctor);
    rule_set_endpoints(doctor);
    rule_manifests(doctor);
    sort_findings(doctor);
}
