/*
 * catalog - which segments there are (internal.h).
 *
 * There is no manifest: a segment's name, p<project>/<first>-<last>.seg, says which log files it
 * covers, and a rename makes it appear whole or not at all.  A segment within the range of another
 * one is a leftover of a compaction that was cut short; a .tmp is one that never got its name.
 */
#include "store/embedded/internal.h"

#include "base/log.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

void
tk_catalog_project_dir(const struct tk_embedded *store, uint32_t project,
                       char path[TK_WAL_PATH_SIZE])
{
    (void)snprintf(path, TK_WAL_PATH_SIZE, "%s/p%" PRIu32, store->dir, project);
}

static void
path_of(const struct tk_embedded *store, struct tk_segment_name name, const char *suffix,
        char path[TK_WAL_PATH_SIZE])
{
    (void)snprintf(path, TK_WAL_PATH_SIZE, "%s/p%" PRIu32 "/%08" PRIu64 "-%08" PRIu64 ".%s",
                   store->dir, name.project, name.first, name.last, suffix);
}

bool
tk_catalog_parse_name(const char *file, struct tk_segment_name *ret_name)
{
    tk_str rest = tk_str_from(file);
    if (!tk_str_ends_with(rest, TK_STR(".seg")))
        return false;
    rest.len -= 4;
    tk_str first = tk_str_split(&rest, '-');
    return tk_str_to_u64(first, &ret_name->first) && tk_str_to_u64(rest, &ret_name->last) &&
           ret_name->first <= ret_name->last && ret_name->last <= TK_WAL_NUMBER_MAX;
}

/* Where the project is, or belongs. */
static uint32_t
position_of(const struct tk_embedded *store, uint32_t project)
{
    uint32_t low = 0, high = store->project_count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (store->projects[middle].id < project)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

struct tk_project *
tk_catalog_find(struct tk_embedded *store, uint32_t project)
{
    uint32_t at = position_of(store, project);
    bool there = at < store->project_count && store->projects[at].id == project;
    return there ? &store->projects[at] : NULL;
}

struct tk_project *
tk_catalog_add(struct tk_embedded *store, uint32_t id)
{
    struct tk_project *project = tk_catalog_find(store, id);
    if (project != NULL)
        return project;
    if (store->project_count == store->project_capacity) {
        uint32_t capacity = store->project_capacity > 0 ? store->project_capacity * 2 : 8;
        struct tk_project *projects = realloc(store->projects, capacity * sizeof *projects);
        if (projects == NULL)
            return NULL;
        store->projects = projects;
        store->project_capacity = capacity;
    }
    uint32_t at = position_of(store, id);
    memmove(&store->projects[at + 1], &store->projects[at],
            (store->project_count - at) * sizeof *store->projects);
    store->projects[at] = (struct tk_project){.id = id};
    store->project_count++;
    return &store->projects[at];
}

static bool
covers(struct tk_segment_name outer, struct tk_segment_name inner)
{
    return outer.first <= inner.first && inner.last <= outer.last;
}

bool
tk_catalog_covers(struct tk_embedded *store, uint32_t project, uint64_t number)
{
    bool found = false;
    pthread_mutex_lock(&store->lock);
    const struct tk_project *known = tk_catalog_find(store, project);
    for (uint32_t i = 0; known != NULL && i < known->count && !found; i++)
        found = covers(known->segments[i]->name, (struct tk_segment_name){project, number, number});
    pthread_mutex_unlock(&store->lock);
    return found;
}

enum tk_err
tk_catalog_install(struct tk_embedded *store, struct tk_segment *segment)
{
    struct tk_project *project = tk_catalog_add(store, segment->name.project);
    if (project == NULL)
        return TK_ERR_MEMORY;
    if (project->count == project->capacity) {
        uint32_t capacity = project->capacity > 0 ? project->capacity * 2 : 8;
        struct tk_segment **segments = realloc(project->segments, capacity * sizeof *segments);
        if (segments == NULL)
            return TK_ERR_MEMORY;
        project->segments = segments;
        project->capacity = capacity;
    }
    uint32_t kept = 0, at = 0;
    for (uint32_t i = 0; i < project->count; i++) {
        struct tk_segment *other = project->segments[i];
        if (covers(segment->name, other->name)) {
            tk_segment_unref(other);
            continue;
        }
        if (other->name.first < segment->name.first)
            at = kept + 1;
        project->segments[kept++] = other;
    }
    memmove(&project->segments[at + 1], &project->segments[at],
            (kept - at) * sizeof *project->segments);
    project->segments[at] = segment;
    project->count = kept + 1;
    store->changes++;
    pthread_cond_signal(&store->grown);
    return TK_OK;
}

enum tk_err
tk_catalog_writer(struct tk_embedded *store, struct tk_segment_name name,
                  const struct tk_schema *schema, int level, struct tk_segment_writer **ret_writer,
                  struct tk_error *err)
{
    char path[TK_WAL_PATH_SIZE], dir[TK_WAL_PATH_SIZE];
    tk_catalog_project_dir(store, name.project, dir);
    enum tk_err code = store->env->make_dir(store->env, dir, err);
    if (code == TK_OK)
        code = store->env->sync_dir(store->env, store->dir, err);
    if (code != TK_OK)
        return code;
    path_of(store, name, "tmp", path);
    return tk_segment_writer_open(store->env, path, name, schema, level, ret_writer, err);
}

void
tk_catalog_discard(struct tk_embedded *store, struct tk_segment_name name)
{
    char path[TK_WAL_PATH_SIZE];
    struct tk_error err;
    path_of(store, name, "tmp", path);
    enum tk_err code = store->env->remove(store->env, path, &err);
    if (code != TK_OK && code != TK_ERR_NOT_FOUND)
        tk_log(TK_LOG_WARNING, "store", "%s", err.message);
}

enum tk_err
tk_catalog_publish(struct tk_embedded *store, struct tk_segment_name name,
                   struct tk_segment **ret_segment, struct tk_error *err)
{
    char from[TK_WAL_PATH_SIZE], to[TK_WAL_PATH_SIZE], dir[TK_WAL_PATH_SIZE];
    path_of(store, name, "tmp", from);
    path_of(store, name, "seg", to);
    tk_catalog_project_dir(store, name.project, dir);
    enum tk_err code = store->env->rename(store->env, from, to, err);
    if (code == TK_OK)
        code = store->env->sync_dir(store->env, dir, err);
    return code == TK_OK ? tk_segment_open(&store->host, to, name, ret_segment, err) : code;
}

enum tk_err
tk_catalog_remove_file(struct tk_embedded *store, struct tk_segment_name name, struct tk_error *err)
{
    char path[TK_WAL_PATH_SIZE];
    path_of(store, name, "seg", path);
    enum tk_err code = store->env->remove(store->env, path, err);
    return code == TK_ERR_NOT_FOUND ? TK_OK : code;
}

void
tk_catalog_count(struct tk_store_tally *tally, const struct tk_segment *segment)
{
    tally->segments++;
    tally->spans += segment->row_count;
    tally->bytes += segment->size;
}

void
tk_catalog_forget(struct tk_embedded *store, struct tk_segment *segment)
{
    struct tk_project *project = tk_catalog_find(store, segment->name.project);
    uint32_t at = 0;
    while (project->segments[at] != segment)
        at++;
    project->count--;
    memmove(&project->segments[at], &project->segments[at + 1],
            (project->count - at) * sizeof *project->segments);
    tk_segment_unref(segment);
}

void
tk_catalog_release(struct tk_embedded *store)
{
    for (uint32_t i = 0; i < store->project_count; i++) {
        for (uint32_t k = 0; k < store->projects[i].count; k++)
            tk_segment_unref(store->projects[i].segments[k]);
        free(store->projects[i].segments);
    }
    free(store->projects);
}

/* What lies in the directories. */

struct names {
    struct tk_segment_name *name;
    uint32_t count, capacity;
    uint32_t project; /* of the directory that is listed; 0: the store's own, for projects */
    const struct tk_embedded *store;
    enum tk_err code;
};

static void
add_name(struct names *names, struct tk_segment_name name)
{
    if (names->count == names->capacity) {
        uint32_t capacity = names->capacity > 0 ? names->capacity * 2 : 32;
        struct tk_segment_name *grown = realloc(names->name, capacity * sizeof *grown);
        if (grown == NULL) {
            names->code = TK_ERR_MEMORY;
            return;
        }
        names->name = grown;
        names->capacity = capacity;
    }
    names->name[names->count++] = name;
}

/* "p<project>" in the store's directory. */
static bool
add_project(void *arg, const char *file)
{
    struct names *names = arg;
    uint64_t id;
    if (file[0] == 'p' && tk_str_to_u64(tk_str_from(file + 1), &id) && id > 0 && id <= UINT32_MAX)
        add_name(names, (struct tk_segment_name){.project = (uint32_t)id});
    return names->code == TK_OK;
}

static bool
add_segment(void *arg, const char *file)
{
    struct names *names = arg;
    struct tk_segment_name name = {.project = names->project};
    if (tk_catalog_parse_name(file, &name))
        add_name(names, name);
    return names->code == TK_OK;
}

/* By the files, not by what is known of them: one that cannot be read, or whose sealing failed when
   it had its name already, must go too. */
enum tk_err
tk_catalog_drop(struct tk_embedded *store, uint32_t id, uint64_t before, struct tk_error *err)
{
    char dir[TK_WAL_PATH_SIZE];
    struct names names = {.store = store, .project = id};
    struct tk_sources gone; /* held until the lock is let go: closing a removed file takes time */
    struct tk_env *env = store->env;
    tk_catalog_project_dir(store, id, dir);
    enum tk_err code = env->list(env, dir, add_segment, &names, err);
    bool there = code == TK_OK;
    if (code == TK_ERR_NOT_FOUND)
        code = TK_OK;
    if (names.code != TK_OK)
        code = tk_error_set(err, names.code, "%s: out of memory", dir);
    for (uint32_t i = 0; i < names.count && code == TK_OK; i++)
        if (names.name[i].last < before)
            code = tk_catalog_remove_file(store, names.name[i], err);
    free(names.name);
    if (code != TK_OK)
        return code;
    tk_sources_init(&gone);
    pthread_mutex_lock(&store->lock);
    struct tk_project *project = tk_catalog_find(store, id);
    while (project != NULL && project->count > 0 && project->segments[0]->name.last < before) {
        (void)!tk_sources_add_segment(&gone, project->segments[0]); /* no memory: closed here */
        tk_catalog_forget(store, project->segments[0]);
    }
    pthread_mutex_unlock(&store->lock);
    tk_sources_release(&gone);
    return there ? env->sync_dir(env, dir, err) : TK_OK;
}

/* Loading, at start: nobody else is there yet. */

static bool
remove_temporary(void *arg, const char *file)
{
    struct names *names = arg;
    char path[TK_WAL_PATH_SIZE];
    struct tk_error err;
    if (!tk_str_ends_with(tk_str_from(file), TK_STR(".tmp")))
        return true;
    (void)snprintf(path, sizeof path, "%s/p%" PRIu32 "/%s", names->store->dir, names->project,
                   file);
    if (names->store->env->remove(names->store->env, path, &err) != TK_OK)
        tk_log(TK_LOG_WARNING, "store", "%s", err.message);
    return true;
}

/* By first log file; of those with the same, the longer one first. */
static int
compare_names(const void *a, const void *b)
{
    const struct tk_segment_name *x = a, *y = b;
    if (x->first != y->first)
        return x->first < y->first ? -1 : 1;
    return (x->last < y->last) - (x->last > y->last);
}

static enum tk_err
load_segment(struct tk_embedded *store, struct tk_segment_name name, struct tk_error *err)
{
    char path[TK_WAL_PATH_SIZE];
    struct tk_segment *segment;
    path_of(store, name, "seg", path);
    enum tk_err code = tk_segment_open(&store->host, path, name, &segment, err);
    if (code == TK_ERR_CORRUPT || code == TK_ERR_IO) {
        struct tk_project *project = tk_catalog_add(store, name.project);
        if (project == NULL)
            return TK_ERR_MEMORY;
        project->damaged = true;
        atomic_fetch_add(&store->host.damaged_blocks, 1);
        tk_log(TK_LOG_ERROR, "store", "left out: %s", err->message);
        return TK_OK;
    }
    if (code != TK_OK)
        return code;
    code = tk_catalog_install(store, segment);
    if (code != TK_OK)
        tk_segment_unref(segment);
    return code;
}

static enum tk_err
load_project(struct tk_embedded *store, uint32_t project, uint64_t *last, struct tk_error *err)
{
    char dir[TK_WAL_PATH_SIZE];
    struct names names = {.store = store, .project = project};
    struct tk_env *env = store->env;
    tk_catalog_project_dir(store, project, dir);
    enum tk_err code = env->list(env, dir, remove_temporary, &names, err);
    if (code == TK_OK)
        code = env->list(env, dir, add_segment, &names, err);
    if (code == TK_OK && names.code != TK_OK)
        code = tk_error_set(err, names.code, "%s: out of memory", dir);
    if (code == TK_OK && names.count > 1)
        qsort(names.name, names.count, sizeof *names.name, compare_names);
    for (uint32_t i = 0; i < names.count && code == TK_OK; i++) {
        if (names.name[i].last > *last)
            *last = names.name[i].last;
        if (tk_catalog_covers(store, project, names.name[i].first) &&
            tk_catalog_covers(store, project, names.name[i].last))
            code = tk_catalog_remove_file(store, names.name[i], err);
        else
            code = load_segment(store, names.name[i], err);
    }
    free(names.name);
    /* A name may be given again, to other spans, once nothing is left of what had it: so a power
       cut must not bring back what this start did not find. */
    return code == TK_OK ? env->sync_dir(env, dir, err) : code;
}

enum tk_err
tk_catalog_load(struct tk_embedded *store, uint64_t *last, struct tk_error *err)
{
    struct names projects = {.store = store};
    enum tk_err code = store->env->list(store->env, store->dir, add_project, &projects, err);
    if (code == TK_OK && projects.code != TK_OK)
        code = tk_error_set(err, projects.code, "%s: out of memory", store->dir);
    for (uint32_t i = 0; i < projects.count && code == TK_OK; i++)
        code = load_project(store, projects.name[i].project, last, err);
    free(projects.name);
    return code;
}
