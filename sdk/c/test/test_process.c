/*
 * What a process goes through: it forks, ends, is told to end, finds no memory, and has its clock
 * set. Each in a process of its own, which sends to this one through a pipe.
 */
#include "../src/tracer.h"
#include "test.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

/* ---- what the linker puts in place of libc's ---- */

static atomic_long allocations_left =
    -1;                           /* until one is refused, and all behind it; negative: none is */
static _Atomic int64_t wall_jump; /* nanoseconds that the wall clock was set by */

void *__real_malloc(size_t size);
void *__real_realloc(void *old, size_t size);
void *__real_aligned_alloc(size_t alignment, size_t size);
void *__real_calloc(size_t count, size_t size);
int __real_clock_gettime(clockid_t clock, struct timespec *ret_time);
void *__wrap_malloc(size_t size);
void *__wrap_realloc(void *old, size_t size);
void *__wrap_aligned_alloc(size_t alignment, size_t size);
void *__wrap_calloc(size_t count, size_t size);
int __wrap_clock_gettime(clockid_t clock, struct timespec *ret_time);

static bool
refused(void)
{
    long left = atomic_load(&allocations_left);
    if (left < 0)
        return false;
    if (left > 0)
        atomic_fetch_sub(&allocations_left, 1);
    return left == 0;
}

void *
__wrap_malloc(size_t size)
{
    return refused() ? NULL : __real_malloc(size);
}

void *
__wrap_realloc(void *old, size_t size)
{
    return refused() ? NULL : __real_realloc(old, size);
}

void *
__wrap_aligned_alloc(size_t alignment, size_t size)
{
    return refused() ? NULL : __real_aligned_alloc(alignment, size);
}

void *
__wrap_calloc(size_t count, size_t size)
{
    return refused() ? NULL : __real_calloc(count, size);
}

int
__wrap_clock_gettime(clockid_t clock, struct timespec *ret_time)
{
    int error = __real_clock_gettime(clock, ret_time);
    if (clock == CLOCK_REALTIME) {
        int64_t time =
            (int64_t)ret_time->tv_sec * 1000000000 + ret_time->tv_nsec + atomic_load(&wall_jump);
        ret_time->tv_sec = time / 1000000000;
        ret_time->tv_nsec = time % 1000000000;
    }
    return error;
}

/* ---- processes ---- */

enum { DEADLINE_S = 120 };

static int channel[2]; /* what is posted: the process, its number of spans, the trace of the last */

struct message {
    pid_t process;
    unsigned spans;
    uint8_t trace_id[16], instance[36];
};

static void
tell(const tracekit_post *post)
{
    struct message message = {.process = getpid(), .spans = receiver.spans};
    const uint8_t *span;
    size_t size;
    receiver.body_size = post->body_size;
    message.spans = spans_named("one", &span, &size);
    if (message.spans > 0)
        memcpy(message.trace_id, field_of(span, size, 1, 0).text, 16);
    struct field resource_spans = field_of(receiver.body, receiver.body_size, 1, 0);
    struct field resource = field_of(resource_spans.text, resource_spans.value, 1, 0), pair;
    for (const uint8_t *at = resource.text;
         next_field(&at, resource.text + resource.value, &pair);) {
        struct field key = field_of(pair.text, pair.value, 1, 0),
                     value = field_of(pair.text, pair.value, 2, 0);
        if (key.value == 19 && memcmp(key.text, "service.instance.id", 19) == 0)
            memcpy(message.instance, field_of(value.text, value.value, 1, 0).text, 36);
    }
    if (write(channel[1], &message, sizeof message) != sizeof message && errno != EAGAIN)
        _exit(99); /* a full pipe holds more than any test asks for */
}

static void
set_up_child(void)
{
    set_up(NULL);
    receiver.on_post = tell;
}

static void
make_spans(int count)
{
    for (int i = 0; i < count; i++)
        tracekit_end(tracekit_start("one"));
}

/* Runs `work` in a process; gives how it ended. */
static int
run(void (*work)(void))
{
    int status = 0;
    assert_int_equal(pipe(channel), 0);
    assert_int_equal(fcntl(channel[1], F_SETFL, O_NONBLOCK), 0); /* it is read at the end */
    pid_t child = fork();
    if (child == 0) {
        alarm(DEADLINE_S); /* a process that hangs ends */
        work();
        _exit(0);
    }
    close(channel[1]);
    assert_int_equal(waitpid(child, &status, 0), child);
    return status;
}

static bool
next_message(struct message *ret_message)
{
    ssize_t size = read(channel[0], ret_message, sizeof *ret_message);
    if (size == 0)
        close(channel[0]);
    return size == sizeof *ret_message;
}

/* ---- the end of a process ---- */

static void
end_by_exit(void)
{
    set_up_child();
    make_spans(3);
    exit(7);
}

static void
what_waits_is_sent_when_the_program_exits(void **state)
{
    (void)state;
    struct message message;
    assert_int_equal(WEXITSTATUS(run(end_by_exit)), 7);
    assert_true(next_message(&message));
    assert_int_equal(message.spans, 3);
    assert_false(next_message(&message));
}

static void
flush_and_end(int number)
{
    (void)number;
    _exit(tracekit_flush(10000) == TRACEKIT_OK ? 5 : 6);
}

static void
end_by_signal(void)
{
    set_up_child();
    signal(SIGTERM, flush_and_end);
    make_spans(4);
    raise(SIGTERM);
}

static void
a_handler_of_sigterm_may_flush(void **state)
{
    (void)state;
    struct message message;
    assert_int_equal(WEXITSTATUS(run(end_by_signal)), 5);
    assert_true(next_message(&message));
    assert_int_equal(message.spans, 4);
    assert_false(next_message(&message));
}

static void
interrupt_spans(void)
{
    set_up_child();
    signal(SIGTERM, flush_and_end);
    pid_t self = getpid();
    make_spans(1);
    if (fork() == 0) {
        usleep(20000);
        kill(self, SIGTERM);
        _exit(0);
    }
    for (;;)
        make_spans(100);
}

static void
a_signal_may_come_while_a_span_is_made(void **state)
{
    (void)state;
    struct message message;
    int status = run(interrupt_spans);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 5);
    assert_true(next_message(&message));
    while (next_message(&message))
        ;
}

/* ---- fork ---- */

/* In the child of a process with threads, TSan knows no new ones, and ASan may find its allocator
 * locked. */
#if defined(__SANITIZE_THREAD__) || defined(__SANITIZE_ADDRESS__)
#define skip_under_sanitizers()                                                                    \
    do {                                                                                           \
        print_message("skipped: a sanitizer's runtime does not survive this fork\n");              \
        skip();                                                                                    \
    } while (0)
#else
#define skip_under_sanitizers() ((void)0)
#endif

static void
fork_with_open_spans(void)
{
    set_up_child();
    make_spans(5);
    tracekit_span *open = tracekit_start("one");
    pid_t child = fork();
    if (child == 0) {
        tracekit_headers headers;
        tracekit_inject(tracekit_current(), &headers); /* it can still be the parent of spans */
        tracekit_end(open);                            /* but it is not sent twice */
        make_spans(2);
        exit(headers.traceparent[0] != '\0' ? 0 : 1);
    }
    int status;
    waitpid(child, &status, 0);
    tracekit_end(open);
    tracekit_flush(10000);
    _exit(status == 0 ? 0 : 1);
}

static void
a_child_has_a_queue_ids_and_a_thread_of_its_own(void **state)
{
    (void)state;
    struct message first, second, none;
    skip_under_sanitizers();
    assert_int_equal(run(fork_with_open_spans), 0);
    assert_true(next_message(&first) && next_message(&second));
    assert_false(next_message(&none));
    assert_int_equal(first.spans, 2); /* the child's, who ended first */
    assert_int_equal(second.spans, 6);
    assert_int_not_equal(first.process, second.process);
    assert_memory_not_equal(first.trace_id, second.trace_id, 16);
    assert_memory_not_equal(first.instance, second.instance, 36);
}

static atomic_bool hammering;

static void *
hammer(void *argument)
{
    (void)argument;
    while (atomic_load(&hammering))
        make_spans(10);
    return NULL;
}

static void
fork_while_threads_make_spans(void)
{
    pthread_t threads[2];
    set_up_child();
    receiver.on_post = NULL;
    atomic_store(&hammering, true);
    for (int i = 0; i < 2; i++)
        pthread_create(&threads[i], NULL, hammer, NULL);
    for (int i = 0; i < 20; i++) {
        int status;
        pid_t child = fork();
        if (child == 0) {
            make_spans(600); /* more than a batch */
            _exit(tracekit_flush(30000) == TRACEKIT_OK && receiver.spans >= 600 ? 0 : 1);
        }
        waitpid(child, &status, 0);
        if (status != 0)
            _exit(1);
    }
    atomic_store(&hammering, false);
    for (int i = 0; i < 2; i++)
        pthread_join(threads[i], NULL);
    _exit(tracekit_shutdown(30000) == TRACEKIT_OK ? 0 : 2);
}

static void
a_process_may_fork_while_its_threads_make_spans(void **state)
{
    (void)state;
    skip_under_sanitizers();
    assert_int_equal(run(fork_while_threads_make_spans), 0);
}

static void *
make_spans_in_a_thread(void *argument)
{
    (void)argument;
    make_spans(100);
    return NULL;
}

/* A child's exporter is started by its first span: here while another thread shuts down. */
static void
shut_down_as_the_exporter_starts(void)
{
    set_up_child();
    receiver.on_post = NULL;
    for (int i = 0; i < 30; i++) {
        int status;
        pid_t child = fork();
        if (child == 0) {
            pthread_t thread;
            pthread_create(&thread, NULL, make_spans_in_a_thread, NULL);
            for (volatile int spin = 0; spin < i * 3000; spin++)
                ;
            bool ended = tracekit_shutdown(30000) == TRACEKIT_OK;
            pthread_join(thread, NULL);
            bool again = tracekit_init(&(tracekit_options){.api_key = "k", .transport = receive}) ==
                         TRACEKIT_OK;
            _exit(ended && again ? 0 : 1);
        }
        waitpid(child, &status, 0);
        if (status != 0)
            _exit(1);
    }
}

static void
shutting_down_while_the_exporter_starts_ends_it(void **state)
{
    (void)state;
    skip_under_sanitizers();
    assert_int_equal(run(shut_down_as_the_exporter_starts), 0);
}

/* ---- memory ---- */

static void
use_everything(void)
{
    tracekit_context caller = {0};
    tracekit_headers headers;
    char text[3000];
    memset(text, 'x', sizeof text - 1);
    text[sizeof text - 1] = '\0';
    tracekit_extract(&caller, "traceparent",
                     "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01");
    tracekit_extract(&caller, "baggage", "a=1");
    tracekit_span *server = tracekit_start_server(NULL, &caller);
    tracekit_span *client = tracekit_start_client(server, "GET", "http://x/", &headers);
    tracekit_set_string(server, "large", text);
    tracekit_set_baggage(server, "b", "2");
    tracekit_record_error(client, "E", "m", NULL);
    tracekit_end(client);
    tracekit_end(server);
    make_spans(40);
}

static void
refuse_memory(void)
{
    const char *const targets[] = {"a", NULL};
    for (long allowed = 0; allowed < 60; allowed++) {
        set_up(NULL);
        tracekit_shutdown(10000);
        receiver.on_post = NULL;
        atomic_store(&allocations_left, allowed);
        int error = tracekit_init(
            &(tracekit_options){.transport = receive, .propagation_targets = targets});
        if (error != TRACEKIT_OK && error != TRACEKIT_ERROR_MEMORY)
            _exit(1);
        use_everything();
        tracekit_flush(10000);
        atomic_store(&allocations_left, -1);
        use_everything(); /* and with memory again all is well */
        if (tracekit_flush(10000) != TRACEKIT_OK)
            _exit(2);
        tracekit_shutdown(10000);
    }
}

static void *
refuse_memory_on_a_new_thread(void *argument)
{
    atomic_store(&allocations_left, (long)(intptr_t)argument);
    use_everything();
    atomic_store(&allocations_left, -1);
    return NULL;
}

static void
refuse_memory_of_threads(void)
{
    pthread_t thread;
    set_up(NULL);
    for (intptr_t allowed = 0; allowed < 8; allowed++) {
        if (pthread_create(&thread, NULL, refuse_memory_on_a_new_thread, (void *)allowed) == 0)
            pthread_join(thread, NULL);
    }
    use_everything();
    _exit(tracekit_flush(10000) == TRACEKIT_OK ? 0 : 1);
}

static void
no_allocation_that_is_refused_harms_the_program(void **state)
{
    (void)state;
    assert_int_equal(run(refuse_memory), 0);
    assert_int_equal(run(refuse_memory_of_threads), 0);
}

static void
count_allocations(void)
{
    set_up(NULL);
    for (int i = 0; i < 10; i++) { /* slots and blocks are made, as many as this takes at most */
        make_spans(500);
        tracekit_flush(10000);
    }
    atomic_store(&allocations_left, 1000000);
    for (int i = 0; i < 300; i++) {
        tracekit_span *span = tracekit_start("one");
        tracekit_set_string(span, "key", "value");
        tracekit_end(span);
    }
    _exit(atomic_load(&allocations_left) == 1000000 ? 0 : 1);
}

static void
a_span_allocates_nothing(void **state)
{
    (void)state;
    assert_int_equal(run(count_allocations), 0);
}

/* ---- clocks ---- */

static void
set_the_clock(void)
{
    const uint8_t *span;
    size_t size;
    set_up(NULL);
    tracekit_span *open = tracekit_start("one");
    atomic_store(&wall_jump, -3600LL * 1000000000);
    tk_clock_sync();
    tracekit_end(open);
    tracekit_flush(10000);
    if (spans_named("one", &span, &size) != 1)
        _exit(1);
    uint64_t start = field_of(span, size, 7, 0).value, end = field_of(span, size, 8, 0).value;
    if (end < start || end - start > 600ULL * 1000000000)
        _exit(2); /* not an hour, forth or back */
    make_spans(1);
    tracekit_flush(10000);
    if (spans_named("one", &span, &size) != 1)
        _exit(3);
    uint64_t next = field_of(span, size, 7, 0).value;
    _exit(next < start && start - next > 3000ULL * 1000000000
              ? 0
              : 4); /* the next span has the new time */
}

static void
a_clock_that_is_set_does_not_change_how_long_a_span_took(void **state)
{
    (void)state;
    assert_int_equal(run(set_the_clock), 0);
}

/* ---- a log that cannot be written ---- */

/* Says something on the program's own thread, and on the exporter's. */
static void
say_and_send(void)
{
    const char *const wrong[] = {"~(", NULL};
    set_up(NULL);
    tracekit_shutdown(10000);
    errno = ENOTTY;
    int error = tracekit_init(&(tracekit_options){.propagation_targets = wrong});
    if (error != TRACEKIT_ERROR_ARGUMENT || errno != ENOTTY)
        _exit(1);
    receiver.status = 500;
    if (tracekit_init(&(tracekit_options){.api_key = "k", .transport = receive}) != TRACEKIT_OK)
        _exit(2);
    for (uint64_t round = 1; round <= 2; round++) {
        tracekit_statistics statistics;
        make_spans(3);
        if (tracekit_flush(60000) != TRACEKIT_OK)
            _exit(3);
        tracekit_get_statistics(&statistics);
        if (statistics.dropped != 3 * round)
            _exit(4);
    }
    receiver.status = 200;
    make_spans(3);
    exit(7); /* and what ends the program is its own */
}

static void
say_to_a_full_disk(void)
{
    int full = open("/dev/full", O_WRONLY); /* where there is none, it is no full disk */
    if (full >= 0 && dup2(full, STDERR_FILENO) < 0)
        _exit(90);
    say_and_send();
}

static void
say_to_a_pipe_without_a_reader(void)
{
    int ends[2];
    if (pipe(ends) != 0 || dup2(ends[1], STDERR_FILENO) < 0)
        _exit(90);
    close(ends[0]);
    close(ends[1]);
    say_and_send();
}

static void
say_to_nothing(void)
{
    close(STDERR_FILENO);
    say_and_send();
}

static void
a_full_disk_under_the_log_changes_nothing(void **state)
{
    (void)state;
    void (*const programs[])(void) = {say_to_a_full_disk, say_to_a_pipe_without_a_reader,
                                      say_to_nothing};
    for (size_t i = 0; i < sizeof programs / sizeof programs[0]; i++) {
        int status = run(programs[i]);
        assert_true(WIFEXITED(status));
        assert_int_equal(WEXITSTATUS(status), 7);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_waits_is_sent_when_the_program_exits),
        cmocka_unit_test(a_handler_of_sigterm_may_flush),
        cmocka_unit_test(a_signal_may_come_while_a_span_is_made),
        cmocka_unit_test(a_child_has_a_queue_ids_and_a_thread_of_its_own),
        cmocka_unit_test(a_process_may_fork_while_its_threads_make_spans),
        cmocka_unit_test(shutting_down_while_the_exporter_starts_ends_it),
        cmocka_unit_test(no_allocation_that_is_refused_harms_the_program),
        cmocka_unit_test(a_span_allocates_nothing),
        cmocka_unit_test(a_clock_that_is_set_does_not_change_how_long_a_span_took),
        cmocka_unit_test(a_full_disk_under_the_log_changes_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
