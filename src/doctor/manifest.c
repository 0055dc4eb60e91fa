/*
 * manifest - what a project's manifests and settings say, as facts: `dependency` (a package and its
 * version), `setting` (a variable of the environment), `option` (of the SDK, in a settings file),
 * `container` (a service of a compose file), `self` (this is an SDK), `broken` (cannot be read:
 * why, and at which line).
 *
 * JSON is read by our reader, XML by expat, TOML, YAML and Ruby by their grammars.  Formats that
 * are lines are read here.
 */
#include "doctor/private.h"

#include <expat.h>
#include <fnmatch.h>
#include <stdio.h>

static void read_json_packages(struct doctor *doctor, struct file *file);
static void read_json_settings(struct doctor *doctor, struct file *file);
static void read_go_mod(struct doctor *doctor, struct file *file);
static void read_requirements(struct doctor *doctor, struct file *file);
static void read_quoted(struct doctor *doctor, struct file *file);
static void read_xml(struct doctor *doctor, struct file *file);
static void read_toml(struct doctor *doctor, struct file *file);
static void read_yaml(struct doctor *doctor, struct file *file);
static void read_ruby(struct doctor *doctor, struct file *file);

static const struct manifest manifests[] = {
    {"package.json", ECO_NPM, read_json_packages},
    {"go.mod", ECO_GO, read_go_mod},
    {"requirements*.txt", ECO_PYTHON, read_requirements},
    {"pyproject.toml", ECO_PYTHON, read_toml},
    {"Pipfile", ECO_PYTHON, read_toml},
    {"setup.py", ECO_PYTHON, read_quoted},
    {"setup.cfg", ECO_PYTHON, read_requirements},
    {"composer.json", ECO_PHP, read_json_packages},
    {"pom.xml", ECO_JAVA, read_xml},
    {"build.gradle", ECO_JAVA, read_quoted},
    {"build.gradle.kts", ECO_JAVA, read_quoted},
    {"*.csproj", ECO_DOTNET, read_xml},
    {"packages.config", ECO_DOTNET, read_xml},
    {"Gemfile", ECO_RUBY, read_ruby},
    {"*.gemspec", ECO_RUBY, read_ruby},
    /* No services' own, but what is set for them. */
    {"*.yml", ECO_OTHER, read_yaml},
    {"*.yaml", ECO_OTHER, read_yaml},
    {"application*.properties", ECO_OTHER, tk_doctor_read_lines},
    {"appsettings*.json", ECO_OTHER, read_json_settings},
};

enum { XML_DEPTH_MAX = 64, XML_TEXT_MAX = 256, JSON_SECTIONS_DEPTH = 2 };

const struct manifest *
tk_doctor_manifest_of(tk_str name)
{
    for (size_t i = 0; i < sizeof manifests / sizeof *manifests; i++)
        if (fnmatch(manifests[i].pattern, name.ptr, 0) == 0)
            return &manifests[i];
    return NULL;
}

static struct fact *
add(struct doctor *doctor, struct file *file, const char *kind, tk_str name, tk_str text,
    uint32_t line)
{
    struct fact *fact = tk_doctor_fact(doctor, file, kind, line);
    struct item *item = tk_doctor_new(doctor, sizeof *item);
    if (fact == NULL || item == NULL)
        return NULL;
    fact->name = name;
    if (text.ptr != NULL) {
        *item = (struct item){.kind = ITEM_TEXT, .text = text, .line = line};
        fact->value.items = item;
        if (text.ptr >= file->text.ptr && text.ptr < file->text.ptr + file->text.len) {
            item->start = (size_t)(text.ptr - file->text.ptr);
            item->end = item->start + text.len;
        }
    }
    return fact;
}

static void
add_broken(struct doctor *doctor, struct file *file, uint32_t line, const char *why)
{
    (void)add(doctor, file, "broken", tk_doctor_copy(doctor, tk_str_from(why)), TK_STR_NONE, line);
}

/* ---- JSON --------------------------------------------------------------------------------------
 */

static bool
has_packages(tk_str section)
{
    return tk_str_eq(section, TK_STR("dependencies")) ||
           tk_str_eq(section, TK_STR("devDependencies")) ||
           tk_str_eq(section, TK_STR("optionalDependencies")) ||
           tk_str_eq(section, TK_STR("require")) || tk_str_eq(section, TK_STR("require-dev"));
}

static bool
has_settings(tk_str section)
{
    return tk_str_eq_nocase(section, TK_STR("tracekit"));
}

/* Members of the objects that `wanted` names at the top: {"wanted": {"name": "text"}}. */
static void
read_json(struct doctor *doctor, struct file *file, bool (*wanted)(tk_str section),
          const char *kind)
{
    struct tk_json_reader json;
    struct tk_json_token token = {.type = TK_JSON_NULL};
    struct tk_error err = {0};
    tk_str section = TK_STR_NONE, name = TK_STR_NONE, text = file->text;
    size_t at = 0;
    if (tk_str_starts_with(text, TK_STR("\xEF\xBB\xBF"))) {
        text.ptr += 3;
        text.len -= 3;
    }
    tk_json_reader_init(&json, text, doctor->arena);
    while (token.type != TK_JSON_DONE) {
        enum tk_err code = tk_json_next(&json, &token, &err);
        if (code != TK_OK) {
            if (code == TK_ERR_MEMORY)
                doctor->status = code;
            else if (file->manifest->ecosystem != ECO_OTHER)
                add_broken(doctor, file, tk_doctor_line(text, json.at), err.message);
            return;
        }
        if (token.type == TK_JSON_STRING && json.depth == 1 && tk_str_eq(section, TK_STR("name")) &&
            tk_str_starts_with(token.text, TK_STR("@tracekit/")))
            (void)add(doctor, file, "self", token.text, TK_STR_NONE, 1);
        if (token.type == TK_JSON_KEY && json.depth == 1)
            section = token.text;
        if (token.type == TK_JSON_KEY && json.depth == JSON_SECTIONS_DEPTH) {
            name = token.text;
            at = token.offset;
        }
        if (token.type == TK_JSON_STRING && json.depth == JSON_SECTIONS_DEPTH && name.ptr != NULL &&
            wanted(section))
            (void)add(doctor, file, kind, name, token.text, tk_doctor_line(text, at));
    }
}

static void
read_json_packages(struct doctor *doctor, struct file *file)
{
    read_json(doctor, file, has_packages, "dependency");
}

static void
read_json_settings(struct doctor *doctor, struct file *file)
{
    read_json(doctor, file, has_settings, "option");
}

/* ---- lines -------------------------------------------------------------------------------------
 */

struct lines {
    tk_str rest;
    uint32_t number;
};

static bool
next_line(struct lines *lines, tk_str *ret_line)
{
    if (lines->rest.len == 0)
        return false;
    *ret_line = tk_str_split(&lines->rest, '\n');
    if (tk_str_ends_with(*ret_line, TK_STR("\r")))
        ret_line->len--;
    *ret_line = tk_str_trim(*ret_line);
    lines->number++;
    return true;
}

static void
read_go_mod(struct doctor *doctor, struct file *file)
{
    struct lines lines = {.rest = file->text};
    bool in_block = false;
    for (tk_str line; next_line(&lines, &line);) {
        bool starts = tk_str_starts_with(line, TK_STR("require"));
        if (starts)
            line = tk_str_trim((tk_str){line.ptr + 7, line.len - 7});
        if (starts && tk_str_starts_with(line, TK_STR("("))) {
            in_block = true;
            continue;
        }
        if (tk_str_starts_with(line, TK_STR(")")))
            in_block = false;
        if (tk_str_starts_with(line, TK_STR("go ")))
            (void)add(doctor, file, "runtime", TK_STR("go"),
                      tk_str_trim((tk_str){line.ptr + 3, line.len - 3}), lines.number);
        if ((!starts && !in_block) || tk_str_starts_with(line, TK_STR("//")) ||
            memmem(line.ptr, line.len, "// indirect", 11) != NULL)
            continue;
        tk_str version = line, name = tk_str_split(&version, ' ');
        if (name.len > 0)
            (void)add(doctor, file, "dependency", name, tk_str_split(&version, ' '), lines.number);
    }
}

/* PEP 508: name[extras] >=1.0 ; marker.  False when there is no name. */
static bool
split_requirement(tk_str line, tk_str *ret_name, tk_str *ret_version)
{
    size_t len = 0;
    while (len < line.len && (memchr("-_.", line.ptr[len], 3) != NULL ||
                              (line.ptr[len] >= '0' && line.ptr[len] <= '9') ||
                              ((line.ptr[len] | 32) >= 'a' && (line.ptr[len] | 32) <= 'z')))
        len++;
    *ret_name = (tk_str){line.ptr, len};
    tk_str rest = {line.ptr + len, line.len - len};
    if (rest.len > 0 && rest.ptr[0] == '[')
        (void)tk_str_split(&rest, ']');
    for (size_t i = 0; i < rest.len; i++)
        if (rest.ptr[i] == ';' || rest.ptr[i] == '#')
            rest.len = i;
    *ret_version = tk_str_trim(rest);
    return len > 0;
}

static void
read_requirements(struct doctor *doctor, struct file *file)
{
    struct lines lines = {.rest = file->text};
    for (tk_str line, name, version; next_line(&lines, &line);)
        if (line.len > 0 && line.ptr[0] != '#' && line.ptr[0] != '-' &&
            split_requirement(line, &name, &version))
            (void)add(doctor, file, "dependency", name, version, lines.number);
}

/* "group:name:version" of Gradle, "name>=1" of setup.py: whatever stands in quotes. */
static void
read_quoted(struct doctor *doctor, struct file *file)
{
    struct lines lines = {.rest = file->text};
    bool gradle = file->manifest->ecosystem == ECO_JAVA;
    for (tk_str line; next_line(&lines, &line);) {
        if (tk_str_starts_with(line, TK_STR("//")) || tk_str_starts_with(line, TK_STR("#")))
            continue;
        while (line.len > 0) {
            char quote = line.ptr[0];
            line = (tk_str){line.ptr + 1, line.len - 1};
            if (quote != '\'' && quote != '"')
                continue;
            tk_str name, version, inside = tk_str_split(&line, quote);
            if (gradle && memchr(inside.ptr, ':', inside.len) != NULL) {
                (void)tk_str_split(&inside, ':');
                name = tk_str_split(&inside, ':');
                (void)add(doctor, file, "dependency", name, inside, lines.number);
            } else if (!gradle && split_requirement(inside, &name, &version)) {
                (void)add(doctor, file, "dependency", name, version, lines.number);
            }
        }
    }
}

/* NAME=value, export NAME="value", ENV NAME value, tracekit.api-key=value */
void
tk_doctor_read_lines(struct doctor *doctor, struct file *file)
{
    struct lines lines = {.rest = file->text};
    for (tk_str line; next_line(&lines, &line);) {
        static const tk_str words[] = {{"export ", 7}, {"ENV ", 4}, {"ARG ", 4}};
        for (size_t i = 0; i < sizeof words / sizeof *words; i++)
            if (tk_str_starts_with(line, words[i]))
                line = (tk_str){line.ptr + words[i].len, line.len - words[i].len};
        char separator = memchr(line.ptr, '=', line.len) != NULL ? '=' : ' ';
        tk_str value = line, name = tk_str_trim(tk_str_split(&value, separator));
        value = tk_str_trim(value);
        if (value.len >= 2 && (value.ptr[0] == '"' || value.ptr[0] == '\''))
            value = (tk_str){value.ptr + 1, value.len - 2};
        if (tk_str_starts_with(name, TK_STR("tracekit.")))
            (void)add(doctor, file, "option", (tk_str){name.ptr + 9, name.len - 9}, value,
                      lines.number);
        else if (tk_doctor_matches(TK_STR("TRACEKIT_|^OTEL_"), name))
            (void)add(doctor, file, "setting", name, value, lines.number);
    }
}

/* ---- XML ---------------------------------------------------------------------------------------
 */

struct xml {
    struct doctor *doctor;
    struct file *file;
    XML_Parser parser;
    unsigned depth;
    bool in_dependency;
    uint32_t line;
    char artifact[XML_TEXT_MAX], version[XML_TEXT_MAX], text[XML_TEXT_MAX];
    size_t text_len;
};

static void
add_xml(struct xml *xml, const char *name, const char *version, uint32_t line)
{
    (void)add(xml->doctor, xml->file, "dependency", tk_doctor_copy(xml->doctor, tk_str_from(name)),
              tk_doctor_copy(xml->doctor, tk_str_from(version)), line);
}

static const char *
local_name(const char *name)
{
    const char *colon = strrchr(name, ':');
    return colon != NULL ? colon + 1 : name;
}

static void
xml_start(void *arg, const char *name, const char **attributes)
{
    struct xml *xml = arg;
    const char *id = NULL, *version = "";
    uint32_t line = (uint32_t)XML_GetCurrentLineNumber(xml->parser);
    name = local_name(name);
    xml->text_len = 0;
    if (++xml->depth > XML_DEPTH_MAX)
        (void)XML_StopParser(xml->parser, XML_FALSE);
    if (strcmp(name, "dependency") == 0 || strcmp(name, "parent") == 0) {
        xml->in_dependency = true;
        xml->artifact[0] = xml->version[0] = '\0';
        xml->line = line;
    }
    if (strcmp(name, "PackageReference") != 0 && strcmp(name, "package") != 0)
        return;
    for (; attributes[0] != NULL; attributes += 2) {
        if (strcmp(attributes[0], "Include") == 0 || strcmp(attributes[0], "id") == 0)
            id = attributes[1];
        else if (strcmp(attributes[0], "Version") == 0 || strcmp(attributes[0], "version") == 0)
            version = attributes[1];
    }
    if (id != NULL)
        add_xml(xml, id, version, line);
}

static void
xml_text(void *arg, const char *text, int len)
{
    struct xml *xml = arg;
    for (int i = 0; i < len && xml->text_len + 1 < sizeof xml->text; i++)
        if (memchr(" \t\r\n", text[i], 4) == NULL)
            xml->text[xml->text_len++] = text[i];
}

/* net8.0, netcoreapp3.1; net48 is another runtime. */
static void
add_target_framework(struct xml *xml)
{
    size_t digits = strcspn(xml->text, "0123456789");
    if (strncmp(xml->text, "net", 3) == 0 && strchr(xml->text + digits, '.') != NULL)
        (void)add(xml->doctor, xml->file, "runtime", TK_STR(".NET"),
                  tk_doctor_copy(xml->doctor, tk_str_from(xml->text + digits)),
                  (uint32_t)XML_GetCurrentLineNumber(xml->parser));
}

static void
xml_end(void *arg, const char *name)
{
    struct xml *xml = arg;
    xml->depth--;
    xml->text[xml->text_len] = '\0';
    xml->text_len = 0;
    name = local_name(name);
    if (xml->in_dependency && strcmp(name, "artifactId") == 0 && xml->artifact[0] == '\0') {
        (void)snprintf(xml->artifact, sizeof xml->artifact, "%s", xml->text);
        xml->line = (uint32_t)XML_GetCurrentLineNumber(xml->parser);
    } else if (xml->in_dependency && strcmp(name, "version") == 0) {
        (void)snprintf(xml->version, sizeof xml->version, "%s", xml->text);
    } else if (strcmp(name, "TargetFramework") == 0) {
        add_target_framework(xml);
    } else if (strcmp(name, "dependency") == 0 || strcmp(name, "parent") == 0) {
        xml->in_dependency = false;
        if (xml->artifact[0] != '\0')
            add_xml(xml, xml->artifact, xml->version, xml->line);
    }
}

static void
read_xml(struct doctor *doctor, struct file *file)
{
    struct xml xml = {.doctor = doctor, .file = file, .parser = XML_ParserCreate(NULL)};
    if (xml.parser == NULL) {
        doctor->status = TK_ERR_MEMORY;
        return;
    }
    XML_SetUserData(xml.parser, &xml);
    XML_SetElementHandler(xml.parser, xml_start, xml_end);
    XML_SetCharacterDataHandler(xml.parser, xml_text);
    if (XML_Parse(xml.parser, file->text.ptr, (int)file->text.len, 1) != XML_STATUS_OK)
        add_broken(doctor, file, (uint32_t)XML_GetCurrentLineNumber(xml.parser),
                   XML_ErrorString(XML_GetErrorCode(xml.parser)));
    XML_ParserFree(xml.parser);
}

/* ---- by grammar --------------------------------------------------------------------------------
 */

/* What a table of queries could only capture whole is taken apart. */
static void
split_captured(struct doctor *doctor, struct file *file)
{
    for (struct fact *fact = file->facts; fact != NULL; fact = fact->next) {
        tk_str name, version;
        if (strcmp(fact->kind, "dependency.line") == 0) {
            if (!split_requirement(fact->name, &name, &version))
                continue;
            struct item *item = tk_doctor_new(doctor, sizeof *item);
            if (item == NULL)
                return;
            *item = (struct item){.kind = ITEM_TEXT, .text = version, .line = fact->line};
            fact->kind = "dependency";
            fact->name = name;
            fact->value.items = item;
        } else if (strcmp(fact->kind, "setting.line") == 0) {
            tk_str value = fact->name;
            fact->kind = "setting";
            if (memchr(value.ptr, '=', value.len) == NULL)
                continue; /* what the variable is where compose runs */
            struct item *item = tk_doctor_new(doctor, sizeof *item);
            if (item == NULL)
                return;
            fact->name = tk_str_split(&value, '=');
            *item = (struct item){.kind = ITEM_TEXT, .text = value, .line = fact->line};
            item->start = (size_t)(value.ptr - file->text.ptr);
            item->end = item->start + value.len;
            fact->value.items = item;
        } else if (strcmp(fact->kind, "setting.option") == 0) {
            fact->kind = "option";
        }
    }
}

static void
read_by_grammar(struct doctor *doctor, struct file *file, const char *name)
{
    const struct language *language = tk_doctor_language_named(name);
    if (!tk_doctor_worth_parsing(language, file->text))
        return;
    tk_doctor_parse(doctor, file, language);
    split_captured(doctor, file);
}

static void
read_toml(struct doctor *doctor, struct file *file)
{
    read_by_grammar(doctor, file, "toml");
}

static void
read_yaml(struct doctor *doctor, struct file *file)
{
    read_by_grammar(doctor, file, "yaml");
}

static void
read_ruby(struct doctor *doctor, struct file *file)
{
    read_by_grammar(doctor, file, "ruby");
}
