/*
 * walk - the files of a project that matter: manifests, sources, environment files.
 *
 * Folders are opened one below the other by openat() with O_NOFOLLOW, and what is no folder and no
 * regular file is left alone, so that no symbolic link leads out.  What .gitignore leaves out is
 * left out (comments, `!`, `/` at either end, `*`, `**`), but not .env files: they are rightly
 * ignored, and say what is set.
 */
#include "base/hash.h"
#include "doctor/private.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <fnmatch.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

/* Made by tools, or never deployed: nothing in them is this project's own set-up. */
static const char *const skipped[] = {
    "node_modules", "vendor",      "bower_components",
    "dist",         "build",       "out",
    "target",       "bin",         "obj",
    "coverage",     "venv",        "site-packages",
    "__pycache__",  "Pods",        "DerivedData",
    "test",         "tests",       "__tests__",
    "spec",         "e2e",         "cypress",
    "fixtures",     "testdata",    "__fixtures__",
    "__mocks__",    "third_party",
};
static const char *const left_out[] = {
    "*.test.*",    "*.spec.*",   "*_test.go", "test_*.py", "*_test.py",   "conftest.py",
    "*_spec.rb",   "*Test.java", "*Tests.cs", "*Test.php", "*.min.js",    "*.d.ts",
    "*.stories.*", "*.pb.go",    "*_pb2.py",  "*.g.cs",    "*.bundle.js",
};

struct folder {
    const struct folder *outer;
    tk_str path;
    tk_str ignore; /* its .gitignore */
    unsigned depth;
};

struct walk {
    struct doctor *doctor;
    struct tk_error *err;
    enum tk_err result;
};

static void walk_folder(struct walk *walk, int fd, const struct folder *outer, tk_str path);

bool
tk_doctor_within(tk_str dir, tk_str outer)
{
    if (tk_str_eq(outer, TK_STR(".")))
        return true;
    return tk_str_starts_with(dir, outer) && (dir.len == outer.len || dir.ptr[outer.len] == '/');
}

/* One line of a .gitignore on a path below its folder. */
static bool
ignore_line_matches(tk_str line, tk_str path, bool is_dir)
{
    char pattern[256], subject[1024];
    bool anchored, dir_only = tk_str_ends_with(line, TK_STR("/"));
    if (dir_only)
        line.len--;
    if (dir_only && !is_dir)
        return false;
    if (tk_str_starts_with(line, TK_STR("**/"))) {
        line.ptr += 3;
        line.len -= 3;
    }
    anchored = line.len > 0 && memchr(line.ptr, '/', line.len) != NULL;
    if (line.len > 0 && line.ptr[0] == '/') {
        line.ptr++;
        line.len--;
    }
    if (!anchored)
        for (size_t i = path.len; i > 0; i--)
            if (path.ptr[i - 1] == '/') {
                path = (tk_str){path.ptr + i, path.len - i};
                break;
            }
    if (line.len == 0 || line.len >= sizeof pattern || path.len >= sizeof subject)
        return false;
    memcpy(pattern, line.ptr, line.len);
    pattern[line.len] = '\0';
    memcpy(subject, path.ptr, path.len);
    subject[path.len] = '\0';
    int flags = strstr(pattern, "**") != NULL ? 0 : FNM_PATHNAME;
    return fnmatch(pattern, subject, flags) == 0;
}

bool
tk_doctor_is_ignored(tk_str patterns, tk_str path, bool is_dir, bool *ret_decided)
{
    bool ignored = false;
    *ret_decided = false;
    while (patterns.len > 0) {
        tk_str line = tk_str_split(&patterns, '\n');
        while (line.len > 0 && (line.ptr[line.len - 1] == '\r' || line.ptr[line.len - 1] == ' '))
            line.len--;
        bool keeps = line.len > 0 && line.ptr[0] == '!';
        if (keeps) {
            line.ptr++;
            line.len--;
        }
        if (line.len == 0 || line.ptr[0] == '#' || !ignore_line_matches(line, path, is_dir))
            continue;
        ignored = !keeps; /* the last line that matches decides */
        *ret_decided = true;
    }
    return ignored;
}

/* The innermost .gitignore that says anything decides. */
static bool
is_ignored(const struct folder *folder, tk_str path, bool is_dir)
{
    for (; folder != NULL; folder = folder->outer) {
        bool decided = false;
        size_t skip = tk_str_eq(folder->path, TK_STR(".")) ? 0 : folder->path.len + 1;
        if (folder->ignore.len == 0)
            continue;
        bool ignored = tk_doctor_is_ignored(
            folder->ignore, (tk_str){path.ptr + skip, path.len - skip}, is_dir, &decided);
        if (decided)
            return ignored;
    }
    return false;
}

static bool
is_environment(const char *name)
{
    return fnmatch(".env*", name, 0) == 0 || fnmatch("*.env", name, 0) == 0 ||
           strcmp(name, "Dockerfile") == 0 || fnmatch("Dockerfile.*", name, 0) == 0 ||
           fnmatch("*.Dockerfile", name, 0) == 0;
}

static bool
is_skipped(const char *name)
{
    for (size_t i = 0; i < sizeof skipped / sizeof *skipped; i++)
        if (strcmp(name, skipped[i]) == 0)
            return true;
    return name[0] == '.'; /* .git, .venv, .next, ... */
}

static bool
is_left_out(const char *name)
{
    for (size_t i = 0; i < sizeof left_out / sizeof *left_out; i++)
        if (fnmatch(left_out[i], name, 0) == 0)
            return true;
    return false;
}

tk_str
tk_doctor_peek(int dir, const char *name, char *scratch)
{
    struct stat about;
    size_t got = 0;
    int fd = openat(dir, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0)
        return TK_STR_NONE;
    bool good = fstat(fd, &about) == 0 && S_ISREG(about.st_mode);
    while (good && got <= TK_DOCTOR_FILE_BYTES_MAX) {
        ssize_t n = read(fd, scratch + got, TK_DOCTOR_FILE_BYTES_MAX + 1 - got);
        if (n < 0 && errno == EINTR)
            continue;
        good = n >= 0;
        if (n <= 0)
            break;
        got += (size_t)n;
        if (got == (size_t)about.st_size)
            break; /* saves a call; who writes meanwhile is not waited for */
    }
    (void)close(fd);
    if (!good || got > TK_DOCTOR_FILE_BYTES_MAX)
        return TK_STR_NONE;
    return (tk_str){scratch, got};
}

bool
tk_doctor_read(struct doctor *doctor, struct file *file)
{
    /* The path's folders were walked without following a link; the name is not followed now. */
    tk_str text = tk_doctor_peek(doctor->root, file->path.ptr, doctor->scratch);
    if (text.ptr == NULL)
        return false;
    file->text = tk_doctor_copy(doctor, text);
    file->text_hash = tk_hash(text);
    return file->text.ptr != NULL;
}

static void
add_file(struct walk *walk, const struct folder *folder, const char *name, tk_str path)
{
    struct doctor *doctor = walk->doctor;
    const struct manifest *manifest = tk_doctor_manifest_of(tk_str_from(name));
    const struct language *language = tk_doctor_language_of(tk_str_from(name));
    bool environment = manifest == NULL && is_environment(name);
    if (manifest == NULL && !environment && (language == NULL || is_left_out(name)))
        return;
    if (!environment && is_ignored(folder, path, false))
        return;
    struct file *file = tk_doctor_new(doctor, sizeof *file);
    tk_str copy = tk_doctor_copy(doctor, path);
    if (file == NULL || copy.ptr == NULL)
        return;
    file->path = copy;
    file->dir = folder->path;
    file->name = (tk_str){copy.ptr + copy.len - strlen(name), strlen(name)};
    file->manifest = manifest;
    file->language = language;
    file->environment = environment;
    file->facts_end = &file->facts;
    *doctor->files_end = file;
    doctor->files_end = &file->next;
}

static unsigned char
type_of(int fd, const struct dirent *entry)
{
    struct stat about;
    if (entry->d_type != DT_UNKNOWN)
        return entry->d_type;
    if (fstatat(fd, entry->d_name, &about, AT_SYMLINK_NOFOLLOW) != 0)
        return DT_UNKNOWN;
    return S_ISDIR(about.st_mode) ? DT_DIR : S_ISREG(about.st_mode) ? DT_REG : DT_UNKNOWN;
}

static void
walk_entry(struct walk *walk, int fd, const struct folder *folder, const struct dirent *entry)
{
    char path[4096];
    unsigned char type = type_of(fd, entry);
    bool top = tk_str_eq(folder->path, TK_STR("."));
    int len = top ? snprintf(path, sizeof path, "%s", entry->d_name)
                  : snprintf(path, sizeof path, "%.*s/%s", TK_STR_ARG(folder->path), entry->d_name);
    if (len <= 0 || (size_t)len >= sizeof path)
        return;
    if (type == DT_REG) {
        add_file(walk, folder, entry->d_name, (tk_str){path, (size_t)len});
        return;
    }
    if (type != DT_DIR || is_skipped(entry->d_name) || folder->depth >= TK_DOCTOR_DEPTH_MAX ||
        is_ignored(folder, (tk_str){path, (size_t)len}, true))
        return;
    int inner = openat(fd, entry->d_name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    tk_str copy = tk_doctor_copy(walk->doctor, (tk_str){path, (size_t)len});
    if (inner < 0 || copy.ptr == NULL) {
        if (inner >= 0)
            (void)close(inner);
        return;
    }
    walk_folder(walk, inner, folder, copy);
}

/* Takes the descriptor. */
static void
walk_folder(struct walk *walk, int fd, const struct folder *outer, tk_str path)
{
    struct folder folder = {.outer = outer, .path = path};
    folder.depth = outer != NULL ? outer->depth + 1 : 0;
    tk_str ignore = tk_doctor_peek(fd, ".gitignore", walk->doctor->scratch);
    folder.ignore = ignore.len > 0 ? tk_doctor_copy(walk->doctor, ignore) : TK_STR_NONE;
    DIR *dir = fdopendir(fd);
    if (dir == NULL) {
        (void)close(fd);
        return;
    }
    for (struct dirent *entry; walk->result == TK_OK && (entry = readdir(dir)) != NULL;)
        if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
            walk_entry(walk, fd, &folder, entry);
    (void)closedir(dir);
}

enum tk_err
tk_doctor_walk(struct doctor *doctor, struct tk_error *err)
{
    struct walk walk = {.doctor = doctor, .err = err, .result = TK_OK};
    int top = openat(doctor->root, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (top < 0)
        return tk_error_set(err, TK_ERR_IO, "cannot read the folder: %s", strerror(errno));
    walk_folder(&walk, top, NULL, TK_STR("."));
    return walk.result;
}
