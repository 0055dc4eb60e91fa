/*
 * What only the embedded store promises: its files.  Who may open them, what a crash leaves behind,
 * what damage does, and that files written by earlier versions keep opening (golden/).
 */
#include "store/fixture.h"

#include "base/log.h"

#include <dirent.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>

static struct tk_store *
open_at(const char *dir)
{
    struct tk_store *store;
    struct tk_error err = {0};
    struct tk_store_options options = {.dir = dir, .memory = 32 << 20};
    if (tk_embedded_open(&options, &store, &err) != TK_OK)
        fail_msg("open: %s", err.message);
    return store;
}

static void
seal(struct tk_store *store)
{
    struct tk_error err = {0};
    if (tk_store_seal(store, &err) != TK_OK)
        fail_msg("seal: %s", err.message);
}

static struct tk_store_stats
stats_of(struct tk_store *store)
{
    struct tk_store_stats stats;
    tk_store_get_stats(store, &stats);
    return stats;
}

/* The only file of `dir`/`sub` that ends in `suffix`; freed by the caller. */
static char *
file_in(const char *dir, const char *sub, const char *suffix)
{
    char *path = NULL, *folder;
    assert_true(asprintf(&folder, "%s/%s", dir, sub) > 0);
    DIR *listing = opendir(folder);
    assert_non_null(listing);
    for (struct dirent *entry; (entry = readdir(listing)) != NULL;)
        if (tk_str_ends_with(tk_str_from(entry->d_name), tk_str_from(suffix))) {
            assert_null(path);
            assert_true(asprintf(&path, "%s/%s", folder, entry->d_name) > 0);
        }
    (void)closedir(listing);
    free(folder);
    return path;
}

static char *
read_file(const char *path, size_t *ret_len)
{
    FILE *file = fopen(path, "rb");
    assert_non_null(file);
    char *bytes = malloc(1 << 20);
    *ret_len = fread(bytes, 1, 1 << 20, file);
    (void)fclose(file);
    return bytes;
}

static void
write_file(const char *path, const char *bytes, size_t len)
{
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(bytes, 1, len, file), len);
    assert_int_equal(fclose(file), 0);
}

static void
flip_byte(const char *path, size_t offset)
{
    size_t len;
    char *bytes = read_file(path, &len);
    assert_true(offset < len);
    bytes[offset] = (char)(bytes[offset] ^ 0x40);
    write_file(path, bytes, len);
    free(bytes);
}

/* Runs `work` in a process that is gone at its end without closing anything: a crash. */
static void
in_a_process_that_dies(void (*work)(const char *dir), const char *dir)
{
    int status;
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        work(dir);
        _exit(0);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

static struct tk_embedded_check
run_check(const char *dir)
{
    struct tk_embedded_check result;
    struct tk_error err = {0};
    if (tk_embedded_check(NULL, dir, NULL, NULL, &result, &err) != TK_OK)
        fail_msg("check: %s", err.message);
    return result;
}

static bool
is_well(const char *dir)
{
    struct tk_embedded_check result = run_check(dir);
    return result.damaged_blocks + result.damaged_files == 0;
}

static struct tk_embedded_check
check(const char *dir, bool expect_well)
{
    assert_int_equal(is_well(dir), expect_well);
    return run_check(dir);
}

static void
send_ten_and_die(const char *dir)
{
    struct tk_store *store = open_at(dir);
    for (uint64_t i = 1; i <= 10; i++)
        if (FX_SEND(store, 1, {.trace = i, .span = i, .start = 100 + i}) != TK_OK)
            _exit(1);
}

static void
the_log_is_replayed_after_a_crash(void **state)
{
    char *dir = fx_dir();
    (void)state;
    in_a_process_that_dies(send_ten_and_die, dir);
    in_a_process_that_dies(send_ten_and_die, dir); /* retries after the restart */
    check(dir, true);
    struct tk_store *store = open_at(dir);
    assert_in_range(stats_of(store).replayed_spans, 10, 20); /* the first ten may be sealed */
    for (uint64_t i = 1; i <= 10; i++)
        assert_int_equal(fx_span_count(store, 1, i), 1);
    tk_store_close(store);
    fx_remove_dir(dir);
}

/* Where the last record of a log file begins, and its size (docs/formats/log.md). */
static size_t
last_record(const char *bytes, size_t len, size_t *ret_size)
{
    uint32_t body_size;
    size_t at = len - 48;
    while (memcmp(bytes + at, "TKr\x01", 4) != 0)
        at--;
    memcpy(&body_size, bytes + at + 8, sizeof body_size);
    *ret_size = 48 + body_size;
    return at;
}

static void
a_torn_tail_of_the_log_is_cut_off_without_a_word(void **state)
{
    static const size_t kept[] = {0, 1, 47, 48, 100, SIZE_MAX};
    (void)state;
    for (size_t i = 0; i < sizeof kept / sizeof *kept; i++) {
        char *dir = fx_dir();
        size_t len, size;
        in_a_process_that_dies(send_ten_and_die, dir);
        char *path = file_in(dir, "log", ".log"), *bytes = read_file(path, &len);
        size_t at = last_record(bytes, len, &size);
        write_file(path, bytes, at + (kept[i] < size ? kept[i] : size - 1));
        check(dir, true);
        struct tk_store *store = open_at(dir);
        assert_int_equal(stats_of(store).replayed_spans, 9);
        assert_int_equal(stats_of(store).damaged_blocks, 0);
        tk_store_close(store);
        free(bytes);
        free(path);
        fx_remove_dir(dir);
    }
}

static void
zeros_behind_a_record_up_to_the_end_of_its_block_are_no_damage_and_others_are(void **state)
{
    (void)state;
    for (int damage = 0; damage < 2; damage++) {
        char *dir = fx_dir();
        size_t len;
        in_a_process_that_dies(send_ten_and_die, dir);
        char *path = file_in(dir, "log", ".log"), *bytes = read_file(path, &len);
        assert_int_equal(len % 4096, 0);
        assert_int_equal(bytes[4095], 0); /* the first group is one span, which is no whole block */
        assert_memory_equal(bytes + 4096, "TKr\x01", 4);
        if (damage == 1)
            flip_byte(path, 4095);
        check(dir, damage == 0);
        struct tk_store *store = open_at(dir);
        assert_int_equal(stats_of(store).replayed_spans, 10);
        assert_int_equal(stats_of(store).damaged_blocks, damage);
        tk_store_close(store);
        free(bytes);
        free(path);
        fx_remove_dir(dir);
    }
}

static void
a_damaged_record_in_the_middle_of_the_log_is_counted_and_the_rest_is_replayed(void **state)
{
    (void)state;
    for (size_t place = 0; place < 3; place++) {
        static const size_t offsets[] = {32 + 10, 32 + 48 + 100, 5}; /* header, body, file header */
        char *dir = fx_dir();
        in_a_process_that_dies(send_ten_and_die, dir);
        char *path = file_in(dir, "log", ".log");
        flip_byte(path, offsets[place]);
        check(dir, false);
        struct tk_store *store = open_at(dir);
        assert_int_equal(stats_of(store).replayed_spans, place == 2 ? 10 : 9);
        assert_int_equal(stats_of(store).damaged_blocks, 1);
        assert_int_equal(fx_span_count(store, 1, 10), 1);
        tk_store_close(store);
        free(path);
        fx_remove_dir(dir);
    }
}

static void
a_log_file_that_its_segment_covers_adds_nothing(void **state)
{
    char *dir = fx_dir();
    size_t len;
    (void)state;
    in_a_process_that_dies(send_ten_and_die, dir);
    char *path = file_in(dir, "log", ".log"), *bytes = read_file(path, &len);
    tk_store_close(open_at(dir)); /* sealed, and the log file is gone */
    write_file(path, bytes, len); /* as if the crash had come before that */
    struct tk_store *store = open_at(dir);
    assert_int_equal(stats_of(store).replayed_spans, 0);
    seal(store);
    assert_int_equal(stats_of(store).segment_spans, 10);
    assert_int_equal(access(path, F_OK), -1);
    tk_store_close(store);
    free(bytes);
    free(path);
    fx_remove_dir(dir);
}

static void
leftovers_of_a_cut_short_sealing_are_removed(void **state)
{
    char *dir = fx_dir(), *path;
    (void)state;
    in_a_process_that_dies(send_ten_and_die, dir);
    tk_store_close(open_at(dir));
    assert_true(asprintf(&path, "%s/p1/00000009-00000009.tmp", dir) > 0);
    write_file(path, "half", 4);
    tk_store_close(open_at(dir));
    assert_int_equal(access(path, F_OK), -1);
    free(path);
    fx_remove_dir(dir);
}

static void
many_small_segments_become_one_and_leftovers_of_it_are_not_read_twice(void **state)
{
    char *dir = fx_dir(), *path, *kept = NULL;
    size_t len = 0;
    (void)state;
    struct tk_store *store = open_at(dir);
    for (uint64_t i = 1; i <= 8; i++) {
        assert_int_equal(FX_SEND(store, 1, {.trace = 1 + i % 3, .span = i, .start = 100 + i},
                                 {.trace = 7, .span = 77, .start = 50}),
                         TK_OK);
        seal(store);
        if (i == 1) {
            path = file_in(dir, "p1", ".seg");
            kept = read_file(path, &len);
        }
    }
    for (int wait = 0; wait < 3000 && stats_of(store).segments > 1; wait++)
        usleep(10000);
    assert_int_equal(stats_of(store).segments, 1);
    assert_int_equal(stats_of(store).segment_spans, 9); /* the copies of span 77 are one */
    tk_store_close(store);
    write_file(path, kept, len); /* the crash came before it was deleted */
    store = open_at(dir);
    assert_int_equal(stats_of(store).segment_spans, 9);
    assert_int_equal(access(path, F_OK), -1);
    assert_int_equal(fx_span_count(store, 1, 7), 1);
    for (uint64_t i = 1; i <= 3; i++)
        assert_true(fx_span_count(store, 1, i) >= 2);
    tk_store_close(store);
    check(dir, true);
    free(kept);
    free(path);
    fx_remove_dir(dir);
}

/* Two groups: trace 1 fills the first and reaches into the second, trace 2 is in the second. */
static void
make_two_groups(const char *dir)
{
    enum { COUNT = 2100 };
    struct tk_store *store = open_at(dir);
    struct fx_span *spans = calloc(COUNT, sizeof *spans);
    for (uint64_t i = 0; i < COUNT; i++)
        spans[i] = (struct fx_span){
            .trace = i < 2090 ? 1 : 2, .span = i + 1, .start = i < 2090 ? 5000 + i : 10 + i};
    assert_int_equal(fx_send(store, 1, spans, COUNT), TK_OK);
    free(spans);
    tk_store_close(store);
}

static void
a_damaged_group_is_counted_once_and_the_rest_is_served(void **state)
{
    char *dir = fx_dir();
    struct fx_scan scan;
    (void)state;
    make_two_groups(dir);
    assert_int_equal(check(dir, true).groups, 2);
    char *path = file_in(dir, "p1", ".seg");
    flip_byte(path, 100);
    assert_int_equal(check(dir, false).damaged_blocks, 1);
    struct tk_store *store = open_at(dir);
    for (int round = 0; round < 2; round++) {
        fx_scan(store, 1, (struct tk_store_range){0}, 10, &scan);
        assert_int_equal(scan.count, 2);
        assert_true(scan.span_count < 2100 && scan.span_count > 10);
        assert_int_equal(fx_span_count(store, 1, 2), 10);
        assert_int_equal(stats_of(store).damaged_blocks, 1);
    }
    tk_store_close(store);
    free(path);
    fx_remove_dir(dir);
}

static void
a_flipped_byte_anywhere_in_a_segment_is_never_served(void **state)
{
    char *dir = fx_dir();
    size_t len;
    (void)state;
    struct tk_store *store = open_at(dir);
    assert_int_equal(
        FX_SEND(store, 1, {.trace = 1, .span = 1, .start = 5}, {.trace = 2, .span = 2, .start = 6}),
        TK_OK);
    tk_store_close(store);
    char *path = file_in(dir, "p1", ".seg"), *bytes = read_file(path, &len);
    struct fx_span spans[] = {{.trace = 1, .span = 1, .start = 5}};
    struct tk_batch *sent = fx_batch(spans, 1);
    for (size_t at = 0; at < len; at += 3) {
        struct tk_store_view *view;
        struct tk_error err;
        bytes[at] ^= 0x10;
        write_file(path, bytes, len);
        bytes[at] ^= 0x10;
        bool well = is_well(dir); /* zstd has bits that it does not care for */
        store = open_at(dir);
        struct tk_batch *found = tk_batch_new();
        assert_int_equal(tk_store_view_open(store, 1, &view, &err), TK_OK);
        enum tk_err code = tk_store_find(view, fx_trace_id(1), NULL, found, &err);
        if (code == TK_OK)
            fx_assert_same_spans(sent, found);
        assert_true(code == TK_OK || !well);
        tk_batch_free(found);
        tk_store_view_close(view);
        tk_store_close(store);
    }
    tk_batch_free(sent);
    free(bytes);
    free(path);
    fx_remove_dir(dir);
}

static void
a_second_process_is_told_who_has_the_directory(void **state)
{
    char *dir = fx_dir(), pid[32];
    struct tk_store *second, *first = open_at(dir);
    struct tk_error err = {0};
    struct tk_store_options options = {.dir = dir};
    (void)state;
    assert_int_equal(tk_embedded_open(&options, &second, &err), TK_ERR_LOCKED);
    (void)snprintf(pid, sizeof pid, "%ld", (long)getpid());
    assert_non_null(strstr(err.message, pid));
    check(dir, true); /* but looking is allowed */
    tk_store_close(first);
    tk_store_close(open_at(dir));
    fx_remove_dir(dir);
}

static enum tk_err
refuse_lock(struct tk_env *env, const char *path, tk_file **ret_file, struct tk_error *err)
{
    (void)env;
    (void)ret_file;
    return tk_error_set(err, TK_ERR_DENIED, "open %s: permission denied", path);
}

static void
a_directory_that_cannot_be_written_is_refused(void **state)
{
    char *dir = fx_dir();
    struct tk_env env = *tk_env_host();
    struct tk_store *store;
    struct tk_error err = {0};
    struct tk_store_options options = {.env = &env, .dir = dir};
    (void)state;
    env.lock = refuse_lock; /* root may write everywhere, so permissions would prove nothing */
    assert_int_equal(tk_embedded_open(&options, &store, &err), TK_ERR_DENIED);
    assert_non_null(strstr(err.message, dir));
    fx_remove_dir(dir);
}

static void
missing_directories_are_made(void **state)
{
    char *dir = fx_dir(), *deep;
    (void)state;
    assert_true(asprintf(&deep, "%s/a/b/c", dir) > 0);
    tk_store_close(open_at(deep));
    assert_int_equal(access(deep, F_OK), 0);
    free(deep);
    fx_remove_dir(dir);
}

static void
a_store_takes_far_more_than_its_memory(void **state)
{
    enum { COUNT = 500, ROUNDS = 200 };
    char *dir = fx_dir();
    struct tk_store *store;
    struct tk_error err = {0};
    struct tk_store_options options = {.dir = dir, .memory = 8 << 20};
    struct fx_span spans[COUNT];
    (void)state;
    assert_int_equal(tk_embedded_open(&options, &store, &err), TK_OK);
    for (uint64_t round = 0; round < ROUNDS; round++) {
        for (uint64_t i = 0; i < COUNT; i++)
            spans[i] = (struct fx_span){.trace = 1 + round * COUNT / 10 + i / 10,
                                        .span = 1 + round * COUNT + i,
                                        .start = 1000 + round * COUNT + i};
        enum tk_err code;
        while ((code = fx_send(store, 1, spans, COUNT)) == TK_ERR_BUSY)
            usleep(1000);
        assert_int_equal(code, TK_OK);
        assert_true(stats_of(store).open_bytes <= 8 << 20);
    }
    for (uint64_t trace = 1; trace <= ROUNDS * COUNT / 10; trace += 97)
        assert_int_equal(fx_span_count(store, 1, trace), 10);
    tk_store_close(store);
    check(dir, true);
    fx_remove_dir(dir);
}

enum { MUCH = 5000 }; /* spans, of ten a trace; more than 2 MiB */

static struct tk_store *
open_with(const char *dir, size_t memory)
{
    struct tk_store *store;
    struct tk_error err = {0};
    struct tk_store_options options = {.dir = dir, .memory = memory};
    if (tk_embedded_open(&options, &store, &err) != TK_OK)
        fail_msg("open: %s", err.message);
    return store;
}

static void
send_much(struct tk_store *store)
{
    enum { COUNT = 500 };
    struct fx_span spans[COUNT];
    for (uint64_t first = 1; first <= MUCH; first += COUNT) {
        for (uint64_t i = 0; i < COUNT; i++)
            spans[i] = (struct fx_span){
                .trace = 1 + (first + i) / 10, .span = first + i, .start = 1000 + first + i};
        if (fx_send(store, 1, spans, COUNT) != TK_OK)
            _exit(1);
    }
}

static void
send_much_and_die(const char *dir)
{
    struct tk_store *store = open_with(dir, 256 << 20);
    send_much(store);
    if (stats_of(store).open_bytes <= 2 << 20 || stats_of(store).sealed.segments > 0)
        _exit(1);
}

static void
a_start_takes_a_log_larger_than_its_memory_and_one_that_fits(void **state)
{
    (void)state;
    for (size_t memory = 1 << 20; memory <= 256 << 20; memory *= 256) {
        char *dir = fx_dir();
        enum tk_err code;
        in_a_process_that_dies(send_much_and_die, dir);
        struct tk_store *store = open_with(dir, memory);
        assert_int_equal(stats_of(store).replayed_spans, MUCH);
        if (memory > 2 << 20) /* it fits, so nobody is sent away */
            assert_int_equal(FX_SEND(store, 1, {.trace = 1 << 20, .span = 1, .start = 9}), TK_OK);
        while ((code = FX_SEND(store, 1, {.trace = 1 << 21, .span = 2, .start = 9})) == TK_ERR_BUSY)
            usleep(1000); /* until what is too much is sealed */
        assert_int_equal(code, TK_OK);
        for (uint64_t trace = 2; trace <= MUCH / 10; trace += 97)
            assert_int_equal(fx_span_count(store, 1, trace), 10);
        tk_store_close(store);
        check(dir, true);
        fx_remove_dir(dir);
    }
}

static uint64_t log_wanted; /* the number of the log file that the next process leaves */

static void
leave_a_log_and_die(const char *dir)
{
    struct tk_store *store = open_with(dir, 256 << 20);
    for (uint64_t number = 1; number < log_wanted; number++) {
        if (FX_SEND(store, 2, {.trace = number, .span = number, .start = number}) != TK_OK)
            _exit(1);
        seal(store);
    }
    send_much(store);
}

/* Log files 1 to `count`, each with as much in it, of which nothing is sealed. */
static void
make_logs(const char *dir, uint64_t count)
{
    char *to, *folder;
    assert_true(asprintf(&folder, "%s/log", dir) > 0);
    assert_int_equal(mkdir(folder, 0700), 0);
    for (log_wanted = 1; log_wanted <= count; log_wanted++) {
        char *elsewhere = fx_dir();
        in_a_process_that_dies(leave_a_log_and_die, elsewhere);
        char *from = file_in(elsewhere, "log", ".log");
        assert_non_null(from);
        assert_true(asprintf(&to, "%s/%s", folder, strrchr(from, '/') + 1) > 0);
        assert_int_equal(rename(from, to), 0);
        free(from);
        free(to);
        fx_remove_dir(elsewhere);
    }
    free(folder);
}

static void
a_start_seals_what_does_not_fit_while_it_reads_on(void **state)
{
    enum { COUNT = 6, SMALL = 16 << 20 };
    char *dir = fx_dir();
    (void)state;
    make_logs(dir, COUNT);
    struct tk_store *store = open_with(dir, SMALL);
    struct tk_store_stats stats = stats_of(store);
    assert_int_equal(stats.replayed_spans, COUNT * MUCH);
    assert_true(stats.sealed.segments > 0);
    assert_true(stats.open_bytes <= SMALL);
    for (uint64_t trace = 2; trace <= MUCH / 10; trace += 97)
        assert_int_equal(fx_span_count(store, 1, trace), 10);
    tk_store_close(store);
    check(dir, true);
    fx_remove_dir(dir);
}

/* Sealing asks older segments whether they have a span already; at 10,000 spans/s what it read of
   them for that was most of the memory. */
static void
what_sealing_read_of_older_segments_does_not_stay_in_memory(void **state)
{
    char *dir = fx_dir();
    struct tk_store *store = open_at(dir);
    (void)state;
    for (uint64_t span = 1; span <= 4; span++) {
        assert_int_equal(FX_SEND(store, 1, {.trace = 1, .span = span, .start = 100}), TK_OK);
        seal(store);
        assert_int_equal(stats_of(store).cache_bytes, 0);
    }
    assert_true(stats_of(store).cache_misses > 0); /* it did ask */
    assert_int_equal(fx_span_count(store, 1, 1), 4);
    assert_true(stats_of(store).cache_bytes > 0); /* readers keep what they read */
    tk_store_close(store);
    fx_remove_dir(dir);
}

/* Leaves `left` bytes free on the file system of `path`. */
static void
fill_disk(const char *path, uint64_t left)
{
    static const char zeros[1 << 16];
    uint64_t bytes_free = UINT64_MAX;
    struct tk_error err;
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    setbuf(file, NULL);
    while (bytes_free > left) {
        assert_int_equal(fwrite(zeros, 1, sizeof zeros, file), sizeof zeros);
        assert_int_equal(tk_env_host()->free_space(tk_env_host(), path, &bytes_free, &err), TK_OK);
    }
    assert_int_equal(fclose(file), 0);
}

/* How many spans fit depends on when what is there is compacted: one trace of them all could be
   more than one batch may hold. */
enum { FILL_TRACES = 64 };

static uint64_t
count_spans(struct tk_store *store)
{
    uint64_t count = 0;
    for (uint64_t trace = 1; trace <= FILL_TRACES; trace++)
        count += fx_span_count(store, 1, trace);
    return count;
}

static void
a_real_file_system_of_48_mib_fills_up_and_goes_on_when_there_is_room(void **state)
{
    char *dir = fx_dir(), *data, *filler;
    struct tk_error err;
    uint64_t sent = 0;
    (void)state;
    if (mount("tmpfs", dir, "tmpfs", 0, "size=48m") != 0) {
        print_message("skipped: mounting a tmpfs is not permitted here\n");
        fx_remove_dir(dir);
        skip();
    }
    assert_true(asprintf(&data, "%s/data", dir) > 0 && asprintf(&filler, "%s/filler", dir) > 0);
    struct tk_store *store = open_at(data);
    assert_int_equal(
        FX_SEND(store, 1, {.trace = 1 + sent % FILL_TRACES, .span = sent + 1, .start = 7}), TK_OK);
    sent++;
    fill_disk(filler, 3 << 20);
    enum tk_err code = TK_OK;
    for (int refused = 0; refused < 2;) { /* refused even after what there is was sealed */
        code =
            FX_SEND(store, 1,
                    {.trace = 1 + sent % FILL_TRACES, .span = sent + 1, .start = 7, .attrs = 400});
        sent += code == TK_OK;
        refused = code == TK_OK ? 0 : refused + 1;
        if (refused == 1) {
            seal(store);
            fill_disk(filler, 1 << 20);
        }
    }
    assert_int_equal(code, TK_ERR_FULL);
    assert_int_equal(tk_store_ready(store, &err), TK_ERR_FULL);
    assert_int_equal(count_spans(store), sent);
    assert_int_equal(remove(filler), 0);
    assert_int_equal(tk_store_ready(store, &err), TK_OK);
    assert_int_equal(
        FX_SEND(store, 1, {.trace = 1 + sent % FILL_TRACES, .span = sent + 1, .start = 7}), TK_OK);
    sent++;
    tk_store_close(store);
    store = open_at(data);
    assert_int_equal(count_spans(store), sent);
    tk_store_close(store);
    check(data, true);
    assert_int_equal(umount2(dir, MNT_DETACH), 0);
    free(data);
    free(filler);
    fx_remove_dir(dir);
}

/* What golden/v2 holds; it was written by make_golden() below, and must open forever. */
static const struct fx_span golden_sealed[] = {
    {.trace = 1, .span = 1, .start = 1700000000000000000, .end = 1700000000360000000, .attrs = 2},
    {.trace = 1, .span = 2, .parent = 1, .start = 1700000000010000000, .name = ""},
    {.trace = 2, .span = 3, .parent = 99, .start = 1700000001000000000},
};
static const struct fx_span golden_logged[] = {
    {.trace = 3, .span = 4, .start = 1700000002000000000, .name = "late"},
};

static void
make_golden(const char *dir)
{
    struct tk_store *store = open_at(dir);
    if (fx_send(store, 1, golden_sealed, 3) != TK_OK)
        _exit(1);
    seal(store);
    if (fx_send(store, 1, golden_logged, 1) != TK_OK)
        _exit(1);
}

static char *
golden_path(const char *file)
{
    char *path;
    const char *source = getenv("TRACEKIT_SOURCE");
    assert_true(asprintf(&path, "%s/test/unit/store/golden/v2/%s", source != NULL ? source : ".",
                         file) > 0);
    return path;
}

static void
copy_golden(const char *dir, const char *folder, const char *file)
{
    char *from = golden_path(file), *to;
    size_t len;
    assert_true(asprintf(&to, "%s/%s", dir, folder) > 0);
    assert_int_equal(mkdir(to, 0700), 0);
    free(to);
    assert_true(asprintf(&to, "%s/%s/%s", dir, folder, file) > 0);
    char *bytes = read_file(from, &len);
    write_file(to, bytes, len);
    free(bytes);
    free(to);
    free(from);
}

static void
assert_golden(struct tk_store *store, uint64_t trace, const struct fx_span *spans, size_t count)
{
    struct tk_batch *sent = fx_batch(spans, count), *found = fx_find(store, 1, trace);
    assert_non_null(found);
    fx_assert_same_spans(sent, found);
    tk_batch_free(sent);
    tk_batch_free(found);
}

static void
files_of_version_2_open_and_hold_what_they_held(void **state)
{
    char *dir = fx_dir();
    (void)state;
    if (getenv("TRACEKIT_MAKE_GOLDEN") != NULL)
        in_a_process_that_dies(make_golden, getenv("TRACEKIT_MAKE_GOLDEN"));
    copy_golden(dir, "p1", "00000001-00000001.seg");
    copy_golden(dir, "log", "00000002.log");
    check(dir, true);
    struct tk_store *store = open_at(dir);
    assert_golden(store, 1, golden_sealed, 2);
    assert_golden(store, 2, golden_sealed + 2, 1);
    assert_golden(store, 3, golden_logged, 1);
    tk_store_close(store);
    fx_remove_dir(dir);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_log_is_replayed_after_a_crash),
        cmocka_unit_test(a_torn_tail_of_the_log_is_cut_off_without_a_word),
        cmocka_unit_test(
            zeros_behind_a_record_up_to_the_end_of_its_block_are_no_damage_and_others_are),
        cmocka_unit_test(
            a_damaged_record_in_the_middle_of_the_log_is_counted_and_the_rest_is_replayed),
        cmocka_unit_test(a_log_file_that_its_segment_covers_adds_nothing),
        cmocka_unit_test(leftovers_of_a_cut_short_sealing_are_removed),
        cmocka_unit_test(many_small_segments_become_one_and_leftovers_of_it_are_not_read_twice),
        cmocka_unit_test(a_damaged_group_is_counted_once_and_the_rest_is_served),
        cmocka_unit_test(a_flipped_byte_anywhere_in_a_segment_is_never_served),
        cmocka_unit_test(a_second_process_is_told_who_has_the_directory),
        cmocka_unit_test(a_directory_that_cannot_be_written_is_refused),
        cmocka_unit_test(missing_directories_are_made),
        cmocka_unit_test(a_real_file_system_of_48_mib_fills_up_and_goes_on_when_there_is_room),
        cmocka_unit_test(files_of_version_2_open_and_hold_what_they_held),
        cmocka_unit_test(a_store_takes_far_more_than_its_memory),
        cmocka_unit_test(a_start_takes_a_log_larger_than_its_memory_and_one_that_fits),
        cmocka_unit_test(a_start_seals_what_does_not_fit_while_it_reads_on),
        cmocka_unit_test(what_sealing_read_of_older_segments_does_not_stay_in_memory),
    };
    tk_log_set_level(TK_LOG_ERROR + 1);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
