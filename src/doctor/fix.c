/*
 * fix - the findings' edits as a unified diff, and written.
 *
 * Each edited file is written anew beside the old one, with its mode, synced, and renamed over it:
 * whoever looks sees the old text or the new one.  A file that changed since it was examined is
 * left alone.  Edits of one file do not overlap: of two that would, the first counts.
 */
#include "doctor/doctor.h"

#include "base/hash.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

enum { CONTEXT = 2, TEXT_MAX = TK_DOCTOR_FILE_BYTES_MAX + (1 << 16) };

struct edits {
    const struct tk_doctor_edit **list; /* by place */
    size_t count;
};

static int
by_place(const void *a, const void *b)
{
    const struct tk_doctor_edit *const *x = a, *const *y = b;
    return ((*x)->at > (*y)->at) - ((*x)->at < (*y)->at);
}

static enum tk_err
edits_of(const struct tk_doctor_report *report, tk_str file, struct tk_arena *arena,
         struct edits *ret_edits)
{
    size_t count = 0, kept = 0;
    const struct tk_doctor_finding *finding = report->findings;
    for (; finding != NULL; finding = finding->next)
        count += finding->edit.insert.ptr != NULL && tk_str_eq(finding->file, file);
    const struct tk_doctor_edit **list = tk_arena_zalloc(arena, count + 1, sizeof(void *));
    if (list == NULL)
        return TK_ERR_MEMORY;
    count = 0;
    for (finding = report->findings; finding != NULL; finding = finding->next)
        if (finding->edit.insert.ptr != NULL && tk_str_eq(finding->file, file))
            list[count++] = &finding->edit;
    if (count > 0)
        qsort(list, count, sizeof(void *), by_place);
    for (size_t i = 0; i < count; i++)
        if (kept == 0 || list[i]->at > list[kept - 1]->at + list[kept - 1]->remove)
            list[kept++] = list[i];
    *ret_edits = (struct edits){list, kept};
    return TK_OK;
}

/* The first finding of each file that has an edit stands for the file. */
static bool
is_first(const struct tk_doctor_report *report, const struct tk_doctor_finding *finding)
{
    const struct tk_doctor_finding *other = report->findings;
    if (finding->edit.insert.ptr == NULL)
        return false;
    while (other != finding &&
           !(other->edit.insert.ptr != NULL && tk_str_eq(other->file, finding->file)))
        other = other->next;
    return other == finding;
}

static enum tk_err
read_file(int root, const char *path, struct tk_buf *out, mode_t *ret_mode, struct tk_error *err)
{
    struct stat about;
    int fd = openat(root, path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0)
        return tk_error_set(err, TK_ERR_IO, "%s: %s", path, strerror(errno));
    bool whole = false;
    if (fstat(fd, &about) == 0 && about.st_size <= TK_DOCTOR_FILE_BYTES_MAX) {
        size_t size = (size_t)about.st_size;
        char *to = tk_buf_reserve(out, size);
        ssize_t n = 1;
        *ret_mode = about.st_mode & 0777;
        while (to != NULL && out->len < size && (n > 0 || (n < 0 && errno == EINTR))) {
            n = read(fd, to + out->len, size - out->len);
            out->len += n > 0 ? (size_t)n : 0;
        }
        whole = to != NULL && out->len == size;
    }
    (void)close(fd);
    return whole ? TK_OK : tk_error_set(err, TK_ERR_IO, "cannot read all of %s", path);
}

/* `text` with the edits; an edit that is beyond its end means that the file has changed. */
static bool
edited(tk_str text, const struct edits *edits, struct tk_buf *out)
{
    size_t at = 0;
    for (size_t i = 0; i < edits->count; i++) {
        const struct tk_doctor_edit *edit = edits->list[i];
        if (edit->at + edit->remove > text.len)
            return false;
        tk_buf_append(out, (tk_str){text.ptr + at, edit->at - at});
        tk_buf_append(out, edit->insert);
        at = edit->at + edit->remove;
    }
    tk_buf_append(out, (tk_str){text.ptr + at, text.len - at});
    return out->status == TK_OK;
}

/* ---- the diff ----------------------------------------------------------------------------------
 */

static size_t
line_start(tk_str text, size_t at)
{
    while (at > 0 && text.ptr[at - 1] != '\n')
        at--;
    return at;
}

static size_t
line_end(tk_str text, size_t at) /* behind its newline */
{
    while (at < text.len && text.ptr[at] != '\n')
        at++;
    return at < text.len ? at + 1 : at;
}

static unsigned
put_lines(struct tk_buf *out, char mark, tk_str lines)
{
    unsigned count = 0;
    while (lines.len > 0) {
        tk_str line = tk_str_split(&lines, '\n');
        tk_buf_printf(out, "%c%.*s\n", mark, TK_STR_ARG(line));
        count++;
    }
    return count;
}

static unsigned
count_lines(tk_str text)
{
    unsigned count = 0;
    for (size_t i = 0; i < text.len; i++)
        count += text.ptr[i] == '\n' || i + 1 == text.len;
    return count;
}

/* The lines that edits [first, last) touch are one hunk. */
static void
put_hunk(tk_str text, const struct edits *edits, size_t first, size_t last, long shift,
         struct tk_buf *out, long *ret_shift)
{
    size_t begin = line_start(text, edits->list[first]->at);
    const struct tk_doctor_edit *final = edits->list[last - 1];
    size_t end = line_end(text, final->at + final->remove), from = begin, to = end;
    struct tk_buf new;
    tk_buf_init(&new, TEXT_MAX);
    for (unsigned i = 0; i < CONTEXT; i++) {
        from = from > 0 ? line_start(text, from - 1) : 0;
        to = line_end(text, to);
    }
    size_t at = begin;
    for (size_t i = first; i < last; i++) {
        tk_buf_append(&new, (tk_str){text.ptr + at, edits->list[i]->at - at});
        tk_buf_append(&new, edits->list[i]->insert);
        at = edits->list[i]->at + edits->list[i]->remove;
    }
    tk_buf_append(&new, (tk_str){text.ptr + at, end - at});
    unsigned line = count_lines((tk_str){text.ptr, from}) + 1;
    unsigned before = count_lines((tk_str){text.ptr + from, begin - from});
    unsigned after = count_lines((tk_str){text.ptr + end, to - end});
    unsigned old_count = count_lines((tk_str){text.ptr + begin, end - begin});
    unsigned new_count = count_lines(tk_buf_str(&new));
    tk_buf_printf(out, "@@ -%u,%u +%ld,%u @@\n", line, before + old_count + after,
                  (long)line + shift, before + new_count + after);
    (void)put_lines(out, ' ', (tk_str){text.ptr + from, begin - from});
    (void)put_lines(out, '-', (tk_str){text.ptr + begin, end - begin});
    (void)put_lines(out, '+', tk_buf_str(&new));
    (void)put_lines(out, ' ', (tk_str){text.ptr + end, to - end});
    *ret_shift = shift + (long)new_count - (long)old_count;
    tk_buf_release(&new);
}

static void
put_diff(tk_str path, tk_str text, const struct edits *edits, struct tk_buf *out)
{
    long shift = 0;
    tk_buf_printf(out, "--- a/%.*s\n+++ b/%.*s\n", TK_STR_ARG(path), TK_STR_ARG(path));
    for (size_t first = 0, last; first < edits->count; first = last) {
        for (last = first + 1; last < edits->count; last++) {
            size_t end = edits->list[last - 1]->at + edits->list[last - 1]->remove;
            for (unsigned i = 0; i <= 2 * CONTEXT; i++)
                end = line_end(text, end);
            if (edits->list[last]->at >= end)
                break;
        }
        put_hunk(text, edits, first, last, shift, out, &shift);
    }
}

/* ---- both --------------------------------------------------------------------------------------
 */

static enum tk_err
write_file(int root, const char *path, tk_str text, mode_t mode, struct tk_error *err)
{
    char beside[4200];
    (void)snprintf(beside, sizeof beside, "%s.tracekit-new", path);
    int fd = openat(root, beside, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, mode);
    if (fd < 0)
        return tk_error_set(err, TK_ERR_IO, "cannot write %s: %s", beside, strerror(errno));
    size_t done = 0;
    while (done < text.len) {
        ssize_t n = write(fd, text.ptr + done, text.len - done);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            break;
        done += (size_t)n;
    }
    bool good = done == text.len && fchmod(fd, mode) == 0 && fsync(fd) == 0;
    good = close(fd) == 0 && good;
    if (good && renameat(root, beside, root, path) == 0)
        return TK_OK;
    int number = errno;
    (void)unlinkat(root, beside, 0);
    return tk_error_set(err, TK_ERR_IO, "cannot write %s: %s", path, strerror(number));
}

/* The diff of one file into `out`, or the file itself when `out` is NULL. */
static enum tk_err
fix_file(int root, const struct tk_doctor_report *report, tk_str path, struct tk_arena *arena,
         struct tk_buf *out, struct tk_error *err)
{
    struct tk_buf text, new;
    struct edits edits;
    mode_t mode = 0644;
    tk_buf_init(&text, TEXT_MAX);
    tk_buf_init(&new, TEXT_MAX);
    enum tk_err result = edits_of(report, path, arena, &edits);
    if (result == TK_OK)
        result = read_file(root, path.ptr, &text, &mode, err);
    if (result == TK_OK && (edits.list[0]->text_hash != tk_hash(tk_buf_str(&text)) ||
                            !edited(tk_buf_str(&text), &edits, &new)))
        result = tk_error_set(err, TK_ERR_BUSY, "%s has changed meanwhile: try again", path.ptr);
    if (result == TK_OK && out != NULL)
        put_diff(path, tk_buf_str(&text), &edits, out);
    else if (result == TK_OK)
        result = write_file(root, path.ptr, tk_buf_str(&new), mode, err);
    tk_buf_release(&new);
    tk_buf_release(&text);
    return result;
}

static enum tk_err
fix_all(const char *dir, const struct tk_doctor_report *report, struct tk_arena *arena,
        struct tk_buf *out, size_t *ret_files, struct tk_error *err)
{
    enum tk_err result = TK_OK;
    int root = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (root < 0)
        return tk_error_set(err, TK_ERR_NOT_FOUND, "%s: %s", dir, strerror(errno));
    const struct tk_doctor_finding *finding = report->findings;
    for (; finding != NULL && result == TK_OK; finding = finding->next)
        if (is_first(report, finding)) {
            result = fix_file(root, report, finding->file, arena, out, err);
            *ret_files += result == TK_OK;
        }
    (void)close(root);
    return result;
}

enum tk_err
tk_doctor_diff(const char *dir, const struct tk_doctor_report *report, struct tk_arena *arena,
               struct tk_buf *out, struct tk_error *err)
{
    size_t files = 0;
    return fix_all(dir, report, arena, out, &files, err);
}

enum tk_err
tk_doctor_apply(const char *dir, const struct tk_doctor_report *report, struct tk_arena *arena,
                size_t *ret_files, struct tk_error *err)
{
    *ret_files = 0;
    return fix_all(dir, report, arena, NULL, ret_files, err);
}
