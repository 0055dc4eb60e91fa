/* How ended spans leave: batches, tries, limits, and what is said when they cannot. */
#include "../src/retry.h"
#include "../src/tracer.h"
#include "test.h"

#include <pthread.h>
#include <time.h>
#include <unistd.h>

enum { DEADLINE_S = 60 }; /* until something that must happen is given up on; never a measure */

static tracekit_statistics
statistics(void)
{
    tracekit_statistics now;
    tracekit_get_statistics(&now);
    return now;
}

static void
make_spans(int count)
{
    for (int i = 0; i < count; i++)
        tracekit_end(tracekit_start("one"));
}

static int
begin(void **state)
{
    (void)state;
    set_up(NULL);
    return 0;
}

static int
finish(void **state)
{
    (void)state;
    assert_int_equal(tracekit_shutdown(10000), TRACEKIT_OK);
    return 0;
}

#define wait_for(condition)                                                                        \
    do {                                                                                           \
        time_t give_up = time(NULL) + DEADLINE_S;                                                  \
        while (!(condition)) {                                                                     \
            if (time(NULL) > give_up)                                                              \
                fail_msg("not in %d s: %s", DEADLINE_S, #condition);                               \
            usleep(500);                                                                           \
        }                                                                                          \
    } while (0)

/* A server that does not answer until it is let. */
static atomic_bool held;

static void
hold(const tracekit_post *post)
{
    (void)post;
    while (atomic_load(&held))
        usleep(200);
}

/* The exporter has one batch under way that does not come back. */
static void
hold_the_exporter(void)
{
    atomic_store(&held, true);
    receiver.on_post = hold;
    make_spans(TK_BATCH_MAX);
    wait_for(atomic_load(&tk_tracer.under_way) == TK_BATCH_MAX);
}

static void
a_full_batch_leaves_by_itself(void **state)
{
    (void)state;
    make_spans(TK_BATCH_MAX);
    wait_for(receiver.spans == TK_BATCH_MAX);
    assert_int_equal(receiver.posts, 1);
}

static void
a_request_has_one_batch_at_most(void **state)
{
    (void)state;
    hold_the_exporter();
    make_spans(TK_BATCH_MAX + 1);
    atomic_store(&held, false);
    assert_int_equal(tracekit_flush(10000), TRACEKIT_OK);
    assert_int_equal(receiver.spans, 2 * TK_BATCH_MAX + 1);
    assert_int_equal(receiver.posts, 3);
}

static void
what_finds_the_queue_full_is_dropped_counted_and_said_once(void **state)
{
    (void)state;
    hold_the_exporter();
    make_spans(TK_QUEUE_MAX);
    assert_int_equal(statistics().dropped, 0);
    assert_int_equal(statistics().queued, TK_BATCH_MAX + TK_QUEUE_MAX);
    make_spans(3);
    assert_int_equal(statistics().dropped, 3);
    char *line = strstr(said, "the queue is full");
    assert_non_null(line);
    assert_null(strstr(line + 1, "the queue is full"));
    atomic_store(&held, false);
    assert_int_equal(tracekit_flush(10000), TRACEKIT_OK);
    assert_int_equal(statistics().sent, TK_BATCH_MAX + TK_QUEUE_MAX);
    assert_int_equal(statistics().queued, 0);
}

static void
the_memory_of_what_waits_is_bounded(void **state)
{
    (void)state;
    static char text[32769];
    memset(text, 'x', sizeof text - 1);
    hold_the_exporter();
    for (int i = 0; i < 600; i++) { /* 19 MiB */
        tracekit_span *span = tracekit_start("large");
        tracekit_set_string(span, "text", text);
        tracekit_end(span);
    }
    assert_true(tk_tracer.block_bytes <= TK_QUEUE_BYTES_MAX);
    assert_in_range(statistics().dropped, 600 - (TK_QUEUE_BYTES_MAX >> 15), 599);
    assert_non_null(strstr(said, "no memory for the queue"));
    atomic_store(&held, false);
    assert_int_equal(tracekit_flush(30000), TRACEKIT_OK);
    assert_int_equal(statistics().sent + statistics().dropped, 600 + TK_BATCH_MAX);
    assert_true(tk_tracer.block_bytes < TK_QUEUE_BYTES_MAX / 4);
}

static void
a_large_span_finds_room_after_many_smaller_ones(void **state)
{
    (void)state;
    static char text[32769];
    memset(text, 'x', 7000);
    hold_the_exporter();
    for (int i = 0; i < TK_QUEUE_MAX; i++) { /* a block each: all the memory there is, nearly */
        tracekit_span *span = tracekit_start("small");
        tracekit_set_string(span, "text", text);
        tracekit_end(span);
    }
    assert_true(tk_tracer.block_bytes > TK_QUEUE_BYTES_MAX - 3 * (sizeof text - 1));
    atomic_store(&held, false);
    assert_int_equal(tracekit_flush(30000), TRACEKIT_OK);
    uint64_t dropped = statistics().dropped;
    memset(text, 'x', sizeof text - 1);
    tracekit_span *span = tracekit_start("large");
    tracekit_set_string(span, "a", text);
    tracekit_set_string(span, "b", text);
    tracekit_set_string(span, "c", text);
    tracekit_end(span);
    assert_int_equal(tracekit_flush(10000), TRACEKIT_OK);
    assert_int_equal(statistics().dropped, dropped);
}

static void
a_refused_batch_is_not_tried_again(void **state)
{
    (void)state;
    const int statuses[] = {301, 400, 401, 404, 413, 500};
    for (size_t i = 0; i < sizeof statuses / sizeof statuses[0]; i++) {
        receiver.status = statuses[i];
        receiver.posts = 0;
        make_spans(2);
        assert_int_equal(tracekit_flush(10000), TRACEKIT_OK);
        assert_int_equal(receiver.posts, 1);
        assert_int_equal(statistics().dropped, 2 * (i + 1));
    }
}

static void
a_busy_server_is_asked_five_times_and_told_of_once(void **state)
{
    (void)state;
    const int statuses[] = {429, 502, 503, 504, 0};
    receiver.retry_after = "0";
    for (size_t i = 0; i < sizeof statuses / sizeof statuses[0]; i++) {
        receiver.status = statuses[i];
        receiver.posts = 0;
        make_spans(3);
        assert_int_equal(tracekit_flush(10000), TRACEKIT_OK);
        assert_int_equal(receiver.posts, TK_ATTEMPTS_MAX);
        assert_int_equal(statistics().dropped, 3 * (i + 1));
    }
    char *line = strstr(said, "cannot send spans");
    assert_non_null(line);
    assert_null(strstr(line + 1, "cannot send spans"));
}

static void
answer_the_third_time(const tracekit_post *post)
{
    (void)post;
    receiver.status = receiver.posts >= 2 ? 200 : 503;
}

static void
a_batch_arrives_once_the_server_is_well_again(void **state)
{
    (void)state;
    receiver.retry_after = "0";
    receiver.on_post = answer_the_third_time;
    make_spans(5);
    assert_int_equal(tracekit_flush(10000), TRACEKIT_OK);
    assert_int_equal(receiver.posts, 3);
    assert_int_equal(receiver.spans, 5);
    assert_int_equal(statistics().dropped, 0);
}

static void
a_flush_ends_a_long_wait_between_tries(void **state)
{
    (void)state;
    receiver.status = 429;
    receiver.retry_after = "3600";
    make_spans(TK_BATCH_MAX);
    wait_for(receiver.posts == 1);
    assert_int_equal(tracekit_flush(50),
                     TRACEKIT_ERROR_TIMEOUT); /* tried again at once, then it waits as asked */
    wait_for(receiver.posts == 2);
    receiver.status = 200;
    assert_int_equal(tracekit_flush(10000), TRACEKIT_OK);
    assert_int_equal(receiver.spans, TK_BATCH_MAX);
}

/* Each answer asks for 30 s; a flush stands for their end. The program goes on meanwhile. */
static void
an_hour_of_429_is_waited_out_and_every_span_is_counted(void **state)
{
    (void)state;
    enum { WAITS = 3600 / 30, MADE = 600 };
    receiver.status = 429;
    receiver.retry_after = "30";
    for (int i = 0; i < WAITS; i++) {
        unsigned before = receiver.posts;
        make_spans(MADE);
        tracekit_flush(0);
        wait_for(receiver.posts > before);
    }
    assert_in_range(receiver.posts, WAITS, WAITS * TK_ATTEMPTS_MAX / (TK_ATTEMPTS_MAX - 1) + 2);
    assert_true(tk_tracer.block_bytes <= TK_QUEUE_BYTES_MAX);
    receiver.status = 200;
    assert_int_equal(tracekit_flush(60000), TRACEKIT_OK);
    assert_int_equal(statistics().sent + statistics().dropped, WAITS * MADE);
    assert_int_equal(statistics().sent, receiver.spans);
    assert_in_range(receiver.spans, TK_QUEUE_MAX - TK_BATCH_MAX, TK_QUEUE_MAX + TK_BATCH_MAX);
    const char *const told[] = {"it answered 429", "spans are being dropped"};
    for (size_t i = 0; i < sizeof told / sizeof told[0]; i++) {
        char *line = strstr(said, told[i]);
        assert_non_null(line);
        assert_null(strstr(line + 1, told[i]));
    }
}

static void
a_partial_success_is_told_and_never_sent_again(void **state)
{
    (void)state;
    static const char answer[] = "\x0a\x0a\x08\x02\x12\x06"
                                 "bad id";
    memcpy(receiver.answer, answer, sizeof answer - 1);
    receiver.answer_size = sizeof answer - 1;
    make_spans(5);
    assert_int_equal(tracekit_flush(10000), TRACEKIT_OK);
    assert_int_equal(receiver.posts, 1);
    assert_int_equal(statistics().sent, 3);
    assert_int_equal(statistics().dropped, 2);
    assert_non_null(strstr(said, "refused 2 of 5 spans: bad id"));
}

static void
nonsense_in_an_answer_is_passed_over(void **state)
{
    (void)state;
    char message[256];
    uint64_t random = 88172645463325252ULL;
    uint8_t answer[64];
    for (int i = 0; i < 20000; i++) {
        for (size_t at = 0; at < sizeof answer; at++) {
            random ^= random << 13;
            random ^= random >> 7;
            random ^= random << 17;
            answer[at] = (uint8_t)(i % 2 == 0 ? random & 0x1f : random);
        }
        tk_retry_rejected(answer, random % (sizeof answer + 1), message);
        assert_true(strlen(message) < sizeof message);
    }
}

static void
a_flush_gives_up_in_time(void **state)
{
    (void)state;
    hold_the_exporter();
    assert_int_equal(tracekit_flush(20), TRACEKIT_ERROR_TIMEOUT);
    atomic_store(&held, false);
    assert_int_equal(tracekit_flush(10000), TRACEKIT_OK);
}

static void
shutting_down_gives_up_in_time_and_counts_what_is_lost(void **state)
{
    (void)state;
    hold_the_exporter();
    make_spans(7);
    tracekit_span *open = tracekit_start("open");
    assert_int_equal(tracekit_shutdown(20), TRACEKIT_ERROR_TIMEOUT);
    assert_int_equal(statistics().dropped, 7);
    assert_int_equal(statistics().queued, 512); /* the batch that is held */
    assert_null(tracekit_start("too late"));
    tracekit_end(open);
    assert_int_equal(statistics().dropped, 8);
    assert_int_equal(tracekit_init(NULL), TRACEKIT_ERROR_STATE);
    atomic_store(&held, false);
    wait_for(tracekit_init(&(tracekit_options){.api_key = "k", .transport = receive}) ==
             TRACEKIT_OK);
    unsigned before = receiver.spans; /* what was lost is not sent by the next set-up */
    make_spans(2);
    assert_int_equal(tracekit_flush(10000), TRACEKIT_OK);
    assert_int_equal(receiver.spans - before, 2);
}

static const char *posted_type, *posted_encoding, *posted_key;
static uint8_t posted_start[2];

static void
note_post(const tracekit_post *post)
{
    posted_type = posted_encoding = posted_key = "";
    for (const char *const *line = post->headers; *line != NULL; line++) {
        if (strncmp(*line, "Content-Type: ", 14) == 0)
            posted_type = *line + 14;
        if (strncmp(*line, "Content-Encoding: ", 18) == 0)
            posted_encoding = *line + 18;
        if (strncmp(*line, "X-API-Key: ", 11) == 0)
            posted_key = *line + 11;
    }
    assert_string_equal(post->url, "http://collector:4318/v1/traces");
    memcpy(posted_start, post->body, 2);
    receiver.status = 500; /* it is not counted: it may be compressed */
}

static void
a_post_has_the_key_and_what_it_is(void **state)
{
    (void)state;
    for (int compressed = 0; compressed < 2; compressed++) {
        tracekit_shutdown(10000);
        set_up(&(tracekit_options){.api_key = "secret", .endpoint = "http://collector:4318"});
        tracekit_shutdown(10000);
        if (compressed)
            unsetenv("OTEL_EXPORTER_OTLP_COMPRESSION");
        assert_int_equal(tracekit_init(&(tracekit_options){.api_key = " secret\n",
                                                           .endpoint = "collector:4318",
                                                           .transport = receive}),
                         TRACEKIT_OK);
        tracekit_shutdown(10000);
        assert_int_equal(tracekit_init(&(tracekit_options){.api_key = " secret\n",
                                                           .endpoint = "http://collector:4318/",
                                                           .transport = receive}),
                         TRACEKIT_OK);
        receiver.on_post = note_post;
        make_spans(1);
        assert_int_equal(tracekit_flush(10000), TRACEKIT_OK);
        assert_string_equal(posted_type, "application/x-protobuf");
        assert_string_equal(posted_key, "secret");
        bool zipped = posted_start[0] == 0x1f && posted_start[1] == 0x8b;
        assert_int_equal(strcmp(posted_encoding, "gzip") == 0, zipped);
        assert_true(compressed || !zipped);
    }
}

static char first_line[1024];

static void
note_line(void *data, const char *line)
{
    (void)data;
    if (first_line[0] == '\0')
        snprintf(first_line, sizeof first_line, "%s", line);
}

static void
without_a_key_traces_are_passed_on_and_not_sent(void **state)
{
    (void)state;
    tracekit_headers headers;
    tracekit_shutdown(10000);
    first_line[0] = '\0';
    assert_int_equal(tracekit_init(&(tracekit_options){.service_name = "s", .log = note_line}),
                     TRACEKIT_OK);
    assert_non_null(strstr(first_line, "TRACEKIT_API_KEY is not set"));
    tracekit_span *span = tracekit_start("one");
    tracekit_inject(span, &headers);
    assert_string_equal(headers.traceparent + 53, "03");
    assert_false(tracekit_is_recording(span));
    tracekit_end(span);
    assert_int_equal(tracekit_flush(0), TRACEKIT_OK);
    assert_int_equal(statistics().dropped + statistics().queued, 0);
}

static void
what_is_disabled_does_nothing(void **state)
{
    (void)state;
    for (int by_environment = 0; by_environment < 2; by_environment++) {
        tracekit_shutdown(10000);
        if (by_environment)
            setenv("OTEL_SDK_DISABLED", "true", 1);
        assert_int_equal(
            tracekit_init(&(tracekit_options){.disabled = !by_environment, .transport = receive}),
            0);
        assert_null(tracekit_start("none"));
        assert_null(tracekit_current());
    }
    unsetenv("OTEL_SDK_DISABLED");
}

static void
code_beats_the_environment_which_beats_the_default(void **state)
{
    (void)state;
    tracekit_shutdown(10000);
    setenv("TRACEKIT_SERVICE_NAME", "ours", 1);
    setenv("OTEL_SERVICE_NAME", "theirs", 1);
    setenv("OTEL_RESOURCE_ATTRIBUTES",
           "deployment.environment.name=pro%64,team=a%20b,service.name=no", 1);
    setenv("TRACEKIT_RELEASE", "1.2", 1);
    tracekit_init(&(tracekit_options){.transport = receive});
    assert_string_equal(tk_tracer.config.service_name, "ours");
    make_spans(1);
    tracekit_flush(10000);
    struct field resource_spans = field_of(receiver.body, receiver.body_size, 1, 0);
    struct field resource = field_of(resource_spans.text, resource_spans.value, 1, 0), pair;
    char all[4096] = "";
    for (const uint8_t *at = resource.text;
         next_field(&at, resource.text + resource.value, &pair);) {
        struct field key = field_of(pair.text, pair.value, 1, 0),
                     value = field_of(pair.text, pair.value, 2, 0);
        struct field text = field_of(value.text, value.value, 1, 0);
        snprintf(all + strlen(all), sizeof all - strlen(all), "%.*s=%.*s\n", (int)key.value,
                 (const char *)key.text, (int)text.value, (const char *)text.text);
    }
    assert_non_null(strstr(all, "service.name=ours\n"));
    assert_non_null(strstr(all, "service.version=1.2\n"));
    assert_non_null(strstr(all, "deployment.environment.name=prod\n"));
    assert_non_null(strstr(all, "team=a b\n"));
    assert_non_null(strstr(all, "telemetry.sdk.language=c\n"));
    assert_non_null(strstr(all, "service.instance.id="));
    assert_null(strstr(all, "service.name=no"));
    tracekit_shutdown(10000);
    unsetenv("OTEL_RESOURCE_ATTRIBUTES");
    set_up(&(tracekit_options){.service_name = "code"});
    assert_string_equal(tk_tracer.config.service_name, "code");
}

static void
opentelemetrys_samplers_are_understood(void **state)
{
    static const struct {
        const char *sampler, *argument;
        double rate;
    } cases[] = {{"always_off", "1", 0},
                 {"parentbased_always_off", "", 0},
                 {"always_on", "0", 1},
                 {"parentbased_traceidratio", "0.5", 0.5},
                 {"", "0.5", 0.5},
                 {"off", "0.5", 1},
                 {"jaeger_remote", "endpoint=http://localhost:14250", 1}};
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        tracekit_shutdown(10000);
        setenv("OTEL_TRACES_SAMPLER", cases[i].sampler, 1);
        setenv("OTEL_TRACES_SAMPLER_ARG", cases[i].argument, 1);
        set_up(NULL);
        assert_true(tk_tracer.config.sample_rate == cases[i].rate);
    }
    unsetenv("OTEL_TRACES_SAMPLER");
    unsetenv("OTEL_TRACES_SAMPLER_ARG");
    tracekit_shutdown(10000);
    set_up(NULL);
}

#if defined(__SANITIZE_THREAD__) || defined(__SANITIZE_ADDRESS__)
enum { MANY = 100000 };
#else
enum { MANY = 1000000 };
#endif
enum { THREADS = 4 };

static void *
hammer(void *argument)
{
    (void)argument;
    for (int i = 0; i < MANY / THREADS / 2; i++) {
        tracekit_span *outer = tracekit_start("outer"), *inner = tracekit_start("inner");
        tracekit_set_int(inner, "i", i);
        tracekit_end(inner);
        tracekit_end(outer);
    }
    return NULL;
}

static void
every_one_of_a_million_spans_is_sent_or_counted(void **state)
{
    (void)state;
    pthread_t threads[THREADS];
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, hammer, NULL), 0);
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    assert_int_equal(tracekit_flush(60000), TRACEKIT_OK);
    assert_int_equal(statistics().sent + statistics().dropped, MANY);
    assert_int_equal(statistics().sent, receiver.spans);
    assert_int_equal(statistics().queued, 0);
    assert_true(tk_tracer.block_bytes <= TK_QUEUE_BYTES_MAX);
}

int
main(void)
{
#define test(name) cmocka_unit_test_setup_teardown(name, begin, finish)
    const struct CMUnitTest tests[] = {
        test(a_full_batch_leaves_by_itself),
        test(a_request_has_one_batch_at_most),
        test(what_finds_the_queue_full_is_dropped_counted_and_said_once),
        test(the_memory_of_what_waits_is_bounded),
        test(a_large_span_finds_room_after_many_smaller_ones),
        test(a_refused_batch_is_not_tried_again),
        test(a_busy_server_is_asked_five_times_and_told_of_once),
        test(a_batch_arrives_once_the_server_is_well_again),
        test(a_flush_ends_a_long_wait_between_tries),
        test(an_hour_of_429_is_waited_out_and_every_span_is_counted),
        test(a_partial_success_is_told_and_never_sent_again),
        test(nonsense_in_an_answer_is_passed_over),
        test(a_flush_gives_up_in_time),
        test(shutting_down_gives_up_in_time_and_counts_what_is_lost),
        test(a_post_has_the_key_and_what_it_is),
        test(without_a_key_traces_are_passed_on_and_not_sent),
        test(what_is_disabled_does_nothing),
        test(code_beats_the_environment_which_beats_the_default),
        test(opentelemetrys_samplers_are_understood),
        test(every_one_of_a_million_spans_is_sent_or_counted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
