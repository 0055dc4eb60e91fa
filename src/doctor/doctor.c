/*
 * doctor - see doctor.h: walk, read the manifests, find the services, parse their sources, judge.
 */
#include "doctor/private.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <unistd.h>

enum { THREADS = 4, FILES_A_THREAD = 500 };

void *
tk_doctor_new(struct doctor *doctor, size_t size)
{
    void *memory = tk_arena_zalloc(doctor->arena, 1, size);
    if (memory == NULL)
        doctor->status = TK_ERR_MEMORY;
    return memory;
}

tk_str
tk_doctor_copy(struct doctor *doctor, tk_str text)
{
    tk_str copy = tk_arena_copy(doctor->arena, text);
    if (copy.ptr == NULL)
        doctor->status = TK_ERR_MEMORY;
    return copy;
}

static int
by_path(const void *a, const void *b)
{
    const struct file *const *x = a, *const *y = b;
    return tk_str_cmp((*x)->path, (*y)->path);
}

/* Folders are read in no order; reports have one. */
static void
sort_files(struct doctor *doctor)
{
    size_t count = 0;
    for (struct file *file = doctor->files; file != NULL; file = file->next)
        count++;
    struct file **all = tk_doctor_new(doctor, (count + 1) * sizeof(void *));
    if (all == NULL || count == 0)
        return;
    count = 0;
    for (struct file *file = doctor->files; file != NULL; file = file->next)
        all[count++] = file;
    qsort(all, count, sizeof(void *), by_path);
    doctor->files_end = &doctor->files;
    for (size_t i = 0; i < count; i++) {
        *doctor->files_end = all[i];
        doctor->files_end = &all[i]->next;
    }
    *doctor->files_end = NULL;
    struct file **end = &doctor->settings;
    for (struct file *file = doctor->files; file != NULL; file = file->next)
        if (file->manifest != NULL || file->environment) {
            *end = file;
            end = &file->next_setting;
        }
}

static void
read_manifests(struct doctor *doctor)
{
    struct file *file = doctor->settings;
    for (; file != NULL && doctor->status == TK_OK; file = file->next_setting) {
        if (!tk_doctor_read(doctor, file))
            continue;
        if (file->manifest != NULL)
            file->manifest->read(doctor, file);
        else
            tk_doctor_read_lines(doctor, file);
    }
}

/* Asked file by file, folder by folder: the answer for one folder and language is kept. */
struct belonging {
    const char *dir;
    const struct language *language;
    bool answer;
};

static bool
belongs(const struct doctor *doctor, const struct file *file, struct belonging *last)
{
    const struct tk_doctor_service *service = doctor->report->services;
    if (file->dir.ptr == last->dir && file->language == last->language)
        return last->answer;
    while (service != NULL && !(tk_str_eq(service->language, tk_str_from(file->language->name)) &&
                                tk_doctor_within(file->dir, service->dir)))
        service = service->next;
    *last = (struct belonging){file->dir.ptr, file->language, service != NULL};
    return last->answer;
}

/* Most of the time goes into reading sources that say nothing of tracing: threads sift them. */
struct sieve {
    const struct doctor *doctor;
    struct file **files;
    size_t count;
    atomic_size_t next;
    atomic_bool failed; /* memory */
};

static void *
sift(void *arg)
{
    struct sieve *sieve = arg;
    char *scratch = malloc(TK_DOCTOR_SCRATCH);
    if (scratch == NULL) {
        atomic_store(&sieve->failed, true);
        return NULL;
    }
    for (size_t i; (i = atomic_fetch_add(&sieve->next, 1)) < sieve->count;) {
        struct file *file = sieve->files[i];
        tk_str text = tk_doctor_peek(sieve->doctor->root, file->path.ptr, scratch);
        file->wanted = text.ptr != NULL && tk_doctor_worth_parsing(file->language, text);
    }
    free(scratch);
    return NULL;
}

static void
sift_all(struct doctor *doctor, struct file **files, size_t count)
{
    struct sieve sieve = {.doctor = doctor, .files = files, .count = count};
    pthread_t threads[THREADS - 1];
    size_t started = 0;
    for (size_t i = 0; i < count; i++) /* what threads share is compiled before */
        if (i == 0 || files[i]->language != files[i - 1]->language)
            (void)tk_doctor_worth_parsing(files[i]->language, TK_STR(""));
    while (started < THREADS - 1 && count > FILES_A_THREAD * (started + 1) &&
           pthread_create(&threads[started], NULL, sift, &sieve) == 0)
        started++;
    (void)sift(&sieve);
    for (size_t i = 0; i < started; i++)
        (void)pthread_join(threads[i], NULL);
    if (atomic_load(&sieve.failed))
        doctor->status = TK_ERR_MEMORY;
}

static void
read_sources(struct doctor *doctor)
{
    size_t count = 0;
    struct file *file = doctor->files;
    for (; file != NULL; file = file->next)
        count += file->language != NULL && file->manifest == NULL;
    struct file **files = tk_doctor_new(doctor, (count + 1) * sizeof(void *));
    if (files == NULL || doctor->report->services == NULL)
        return;
    count = 0;
    struct belonging last = {.dir = NULL};
    for (file = doctor->files; file != NULL; file = file->next)
        if (file->language != NULL && file->manifest == NULL && belongs(doctor, file, &last))
            files[count++] = file;
    sift_all(doctor, files, count);
    doctor->report->read_count = count;
    for (size_t i = 0; i < count && doctor->status == TK_OK; i++)
        if (files[i]->wanted && tk_doctor_read(doctor, files[i])) {
            tk_doctor_parse(doctor, files[i], files[i]->language);
            doctor->report->parsed_count++;
        }
}

enum tk_err
tk_doctor_examine(const char *dir, struct tk_arena *arena, struct tk_doctor_report *ret_report,
                  struct tk_error *err)
{
    struct tk_doctor_report report = {0};
    struct doctor doctor = {.arena = arena, .report = &report};
    doctor.files_end = &doctor.files;
    doctor.services_end = &report.services;
    doctor.findings_end = &report.findings;
    doctor.root = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (doctor.root < 0)
        return tk_error_set(err, TK_ERR_NOT_FOUND, "%s: %s", dir, strerror(errno));
    doctor.scratch = malloc(TK_DOCTOR_SCRATCH);
    enum tk_err result = doctor.scratch == NULL ? tk_error_set(err, TK_ERR_MEMORY, "out of memory")
                                                : tk_doctor_walk(&doctor, err);
    if (result == TK_OK) {
        sort_files(&doctor);
        read_manifests(&doctor);
        tk_doctor_services(&doctor);
        read_sources(&doctor);
        tk_doctor_assign(&doctor);
        tk_doctor_advise(&doctor);
        tk_doctor_judge(&doctor);
        if (doctor.status != TK_OK)
            result = tk_error_set(err, doctor.status, "not enough memory for this project");
    }
    (void)close(doctor.root);
    free(doctor.scratch);
    if (result == TK_OK)
        *ret_report = report;
    return result;
}

void
tk_doctor_release(void)
{
    tk_doctor_languages_release();
}

const char *
tk_doctor_severity_text(enum tk_doctor_severity severity)
{
    static const char *const texts[] = {"error", "warning", "hint"};
    return texts[severity];
}

const char *
tk_doctor_advice_text(enum tk_doctor_advice advice)
{
    static const char *const texts[] = {"install-sdk", "install-backend", "install-frontend",
                                        "proceed"};
    return texts[advice];
}
