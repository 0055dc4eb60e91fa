/*
 * Request bodies that real SDKs sent, against what an independent decoder found in them; and every
 * one of them there and back again.  The corpus lies beside the tree: $TRACEKIT_SHARED/corpus or
 * ../shared/corpus.
 */
#include "expected.h"
#include "wire/compress.h"
#include "wire/zipkin.h"

enum { FILES_MAX = 9999, LIMIT = 1 << 26, GRPC_PREFIX = 5 };

static char corpus[4000]; /* folder; "": not there */

/* The file's bytes, or an empty buffer. */
static struct tk_buf
read_file(unsigned number, const char *suffix)
{
    char path[4096];
    struct tk_buf buf;
    tk_buf_init(&buf, LIMIT);
    (void)snprintf(path, sizeof path, "%s/%04u.%s", corpus, number, suffix);
    FILE *file = fopen(path, "rb");
    if (file == NULL)
        return buf;
    char *at;
    size_t len = 0;
    do {
        buf.len += len;
        at = tk_buf_reserve(&buf, 1 << 16);
        assert_non_null(at);
        len = fread(at, 1, 1 << 16, file);
    } while (len > 0);
    (void)fclose(file);
    return buf;
}

static int
find_corpus(void **state)
{
    const char *shared = getenv("TRACEKIT_SHARED"), *source = getenv("TRACEKIT_SOURCE");
    (void)state;
    if (shared != NULL)
        (void)snprintf(corpus, sizeof corpus, "%s/corpus", shared);
    else
        (void)snprintf(corpus, sizeof corpus, "%s/../shared/corpus", source ? source : ".");
    struct tk_buf first = read_file(1, "body");
    if (first.len == 0) {
        print_message("skipped: no corpus in %s (set TRACEKIT_SHARED)\n", corpus);
        corpus[0] = '\0';
    }
    tk_buf_release(&first);
    return 0;
}

struct request {
    struct tk_buf headers, body;
    enum tk_format format;
    enum tk_encoding encoding;
    tk_str payload;
    bool is_ours; /* Jaeger's thrift is not */
};

static bool
mentions(const struct request *request, const char *text)
{
    return memmem(request->headers.ptr, request->headers.len, text, strlen(text)) != NULL;
}

static bool
open_request(unsigned number, struct request *request)
{
    *request = (struct request){.headers = read_file(number, "headers.json"),
                                .body = read_file(number, "body"),
                                .is_ours = true};
    if (request->body.len == 0)
        return false;
    request->payload = tk_buf_str(&request->body);
    if (mentions(request, "\"content-encoding\": \"gzip\""))
        request->encoding = TK_ENCODING_GZIP;
    if (mentions(request, "TraceService/Export") && request->body.len > GRPC_PREFIX) {
        request->encoding = request->body.ptr[0] == 1 ? TK_ENCODING_GZIP : TK_ENCODING_NONE;
        request->payload.ptr += GRPC_PREFIX;
        request->payload.len -= GRPC_PREFIX;
    } else if (mentions(request, "/api/v2/spans")) {
        request->format = TK_FORMAT_ZIPKIN_JSON_V2;
    } else if (mentions(request, "application/json")) {
        request->format = TK_FORMAT_OTLP_JSON;
    } else if (mentions(request, "application/x-thrift")) {
        request->is_ours = false;
    }
    return true;
}

static void
close_request(struct request *request)
{
    tk_buf_release(&request->headers);
    tk_buf_release(&request->body);
}

static struct tk_batch *
decode(enum tk_format format, enum tk_encoding encoding, tk_str body)
{
    struct tk_batch *batch = tk_batch_new();
    struct tk_rejected rejected;
    struct tk_error err = {0};
    assert_non_null(batch);
    if (tk_wire_decode(format, encoding, body, NULL, LIMIT, batch, &rejected, &err) != TK_OK)
        fail_msg("%s", err.message);
    assert_int_equal(rejected.span_count, 0);
    return batch;
}

static void
assert_same_lines(unsigned number, tk_str actual, tk_str expected)
{
    for (unsigned line = 1; actual.len > 0 || expected.len > 0; line++) {
        tk_str a = tk_str_split(&actual, '\n'), e = tk_str_split(&expected, '\n');
        if (!tk_str_eq(a, e))
            fail_msg("%04u line %u:\n%.*s\nis not\n%.*s", number, line, TK_STR_ARG(a),
                     TK_STR_ARG(e));
    }
}

/* Calls `check` with every request that is ours; how many they were. */
static unsigned
each_request(void (*check)(unsigned number, const struct request *request))
{
    struct request request;
    unsigned count = 0;
    if (corpus[0] == '\0') {
        print_message("skipped: the captured requests are not beside the tree\n");
        skip();
    }
    for (unsigned number = 1; number < FILES_MAX && open_request(number, &request); number++) {
        if (request.is_ours) {
            check(number, &request);
            count++;
        }
        close_request(&request);
    }
    close_request(&request);
    return count;
}

static void
check_decoding(unsigned number, const struct request *request)
{
    if (request->format == TK_FORMAT_ZIPKIN_JSON_V2) /* stated in Zipkin's terms: test_zipkin */
        return;
    struct tk_batch *batch = decode(request->format, request->encoding, request->payload);
    struct tk_buf expected = read_file(number, "expected.jsonl"), actual;
    tk_buf_init(&actual, LIMIT);
    expected_batch(&actual, batch);
    assert_same_lines(number, tk_buf_str(&actual), tk_buf_str(&expected));
    tk_buf_release(&actual);
    tk_buf_release(&expected);
    tk_batch_free(batch);
}

static void
every_body_of_the_corpus_decodes_to_what_it_is_known_to_hold(void **state)
{
    (void)state;
    assert_true(each_request(check_decoding) > 40);
}

static void
check_zipkin(unsigned number, const struct request *request)
{
    if (request->format != TK_FORMAT_ZIPKIN_JSON_V2)
        return;
    struct tk_batch *batch = decode(request->format, request->encoding, request->payload);
    struct tk_buf expected = read_file(number, "expected.jsonl");
    tk_str rest = tk_buf_str(&expected);
    for (uint32_t row = 0; row < batch->span_count; row++) {
        char id[TK_SPAN_ID_HEX + 1], start[32];
        tk_str line = tk_str_split(&rest, '\n');
        tk_span_id_format(batch->span_id[row], id);
        (void)snprintf(start, sizeof start, "\"timestamp\":%llu",
                       (unsigned long long)batch->start_nano[row] / 1000);
        assert_non_null(memmem(line.ptr, line.len, id, strlen(id)));
        assert_non_null(memmem(line.ptr, line.len, start, strlen(start)));
        assert_text(tk_batch_service(batch, row), "shop");
    }
    assert_int_equal(rest.len, 0);
    tk_buf_release(&expected);
    tk_batch_free(batch);
}

static void
zipkin_bodies_of_the_corpus_hold_the_spans_that_they_are_known_to_hold(void **state)
{
    (void)state;
    assert_true(each_request(check_zipkin) > 40);
}

static void
check_round_trip(unsigned number, const struct request *request)
{
    struct tk_batch *batch = decode(request->format, request->encoding, request->payload);
    struct tk_range all = {0, batch->span_count};
    struct tk_buf want, protobuf, json, again;
    tk_buf_init(&want, LIMIT);
    tk_buf_init(&protobuf, LIMIT);
    tk_buf_init(&json, LIMIT);
    tk_buf_init(&again, LIMIT);
    expected_batch(&want, batch);
    tk_otlp_protobuf_encode(batch, all, &protobuf);
    tk_otlp_json_encode(batch, all, &json);

    struct tk_batch *from_protobuf =
        decode(TK_FORMAT_OTLP_PROTOBUF, TK_ENCODING_NONE, tk_buf_str(&protobuf));
    expected_batch(&again, from_protobuf);
    assert_same_lines(number, tk_buf_str(&again), tk_buf_str(&want));

    struct tk_batch *from_json = decode(TK_FORMAT_OTLP_JSON, TK_ENCODING_NONE, tk_buf_str(&json));
    tk_buf_clear(&again);
    expected_batch(&again, from_json);
    assert_same_lines(number, tk_buf_str(&again), tk_buf_str(&want));

    tk_buf_clear(&again);
    tk_otlp_protobuf_encode(from_protobuf, all, &again);
    assert_int_equal(again.len, protobuf.len);
    assert_memory_equal(again.ptr, protobuf.ptr, protobuf.len);

    tk_batch_free(from_json);
    tk_batch_free(from_protobuf);
    tk_batch_free(batch);
    tk_buf_release(&want);
    tk_buf_release(&protobuf);
    tk_buf_release(&json);
    tk_buf_release(&again);
}

static void
every_body_of_the_corpus_survives_protobuf_and_json_and_back(void **state)
{
    (void)state;
    assert_true(each_request(check_round_trip) > 40);
}

static void
check_truncation(unsigned number, const struct request *request)
{
    struct tk_batch *batch = tk_batch_new();
    char *plain;
    size_t len;
    (void)number;
    assert_int_equal(tk_decompress(request->encoding, request->payload, LIMIT, &plain, &len, NULL),
                     TK_OK);
    for (size_t cut = 0; cut < len; cut += 1 + cut / 16) {
        struct tk_rejected rejected;
        struct tk_error err = {0};
        char *exact = malloc(cut + 1); /* so that a sanitizer sees every byte read too many */
        memcpy(exact, plain, cut);
        enum tk_err code = tk_wire_decode(request->format, TK_ENCODING_NONE, (tk_str){exact, cut},
                                          NULL, LIMIT, batch, &rejected, &err);
        assert_true(code == TK_OK || (code == TK_ERR_INPUT && err.message[0] != '\0'));
        if (request->format != TK_FORMAT_OTLP_PROTOBUF)
            assert_int_equal(code, TK_ERR_INPUT);
        tk_batch_clear(batch);
        free(exact);
    }
    free(plain);
    tk_batch_free(batch);
}

static void
every_body_of_the_corpus_cut_short_is_refused_with_a_place(void **state)
{
    (void)state;
    assert_true(each_request(check_truncation) > 40);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_body_of_the_corpus_decodes_to_what_it_is_known_to_hold),
        cmocka_unit_test(zipkin_bodies_of_the_corpus_hold_the_spans_that_they_are_known_to_hold),
        cmocka_unit_test(every_body_of_the_corpus_survives_protobuf_and_json_and_back),
        cmocka_unit_test(every_body_of_the_corpus_cut_short_is_refused_with_a_place),
    };
    return cmocka_run_group_tests(tests, find_corpus, NULL);
}
