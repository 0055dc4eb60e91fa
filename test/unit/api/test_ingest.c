/* ingest: what the store says reaches the client, and the body lives as long as it was promised.
   A real server and client; the store is one that does what the test tells it. */
#include "api/api.h"
#include "wire/compress.h"
#include "wire/otlp.h"

#include <curl/curl.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

struct fake_store {
    struct tk_store store;
    enum tk_err at_append, at_done; /* what it answers */
    tk_str expected;                /* the body as the client sent it */
    _Atomic uint32_t span_count;
    _Atomic unsigned append_count;
};

struct fixture {
    struct fake_store store;
    char dir[64];
    struct tk_account *account;
    struct tk_api *api;
    struct tk_server *server;
    struct tk_buf body; /* an OTLP request of two spans */
};

struct answer {
    long status;
    int grpc_status;
    bool retry_after, retry_details;
    char body[512];
};

/* ---- the store ---- */

struct job {
    struct fake_store *store;
    struct tk_store_append append;
};

static void *
finish(void *arg)
{
    struct job *job = arg;
    const struct tk_store_append *append = &job->append;
    struct tk_error err = {.code = job->store->at_done};
    /* Just before `done` the body is what it was. */
    assert_int_equal(append->body.len, job->store->expected.len);
    assert_memory_equal(append->body.ptr, job->store->expected.ptr, append->body.len);
    atomic_fetch_add(&job->store->span_count, append->batch->span_count);
    tk_batch_free(append->batch);
    append->done(append->arg, job->store->at_done, &err);
    free(job);
    return NULL;
}

static enum tk_err
fake_append(struct tk_store *store, const struct tk_store_append *append, struct tk_error *err)
{
    struct fake_store *fake = (struct fake_store *)store;
    pthread_t thread;
    atomic_fetch_add(&fake->append_count, 1);
    if (fake->at_append != TK_OK)
        return tk_error_set(err, fake->at_append, "the store says no");
    struct job *job = malloc(sizeof *job);
    assert_non_null(job);
    *job = (struct job){.store = fake, .append = *append};
    assert_int_equal(pthread_create(&thread, NULL, finish, job), 0);
    assert_int_equal(pthread_detach(thread), 0);
    return TK_OK;
}

/* ---- the server ---- */

static void
make_body(struct tk_buf *body)
{
    struct tk_batch *batch = tk_batch_new();
    uint32_t row, index;
    assert_non_null(batch);
    assert_int_equal(tk_batch_add_resource(batch, &index), TK_OK);
    assert_int_equal(tk_batch_add_scope(batch, &index), TK_OK);
    for (uint32_t i = 0; i < 2; i++) {
        assert_int_equal(tk_batch_add_span(batch, &row), TK_OK);
        batch->trace_id[row] = (struct tk_trace_id){.high = 1, .low = 2};
        batch->span_id[row] = i + 1;
        batch->start_nano[row] = 1;
        batch->end_nano[row] = 2;
        batch->name[row] = TK_STR("work");
    }
    tk_buf_init(body, 1 << 20);
    tk_otlp_protobuf_encode(batch, (struct tk_range){0, 2}, body);
    assert_int_equal(body->status, TK_OK);
    tk_batch_free(batch);
}

static int
setup(void **state)
{
    static const struct tk_store_vtable vtable = {.append = fake_append};
    static const char *const listen[] = {"127.0.0.1:0"};
    struct fixture *f = calloc(1, sizeof *f);
    struct tk_error err = {0};
    assert_non_null(f);
    f->store.store.vtable = &vtable;
    (void)snprintf(f->dir, sizeof f->dir, "/tmp/tk_ingest_XXXXXX");
    assert_non_null(mkdtemp(f->dir));
    assert_int_equal(tk_account_open(tk_env_host(), f->dir, &f->account, &err), TK_OK);
    struct tk_api_options api = {.store = &f->store.store,
                                 .account = f->account,
                                 .env = tk_env_host(),
                                 .dev = true,
                                 .body_max = 1 << 20};
    assert_int_equal(tk_api_new(&api, &f->api, &err), TK_OK);
    struct tk_server_options net = {.listen = listen, .listen_count = 1, .threads = 1};
    struct tk_server_handler handler = tk_api_handler(f->api);
    if (tk_server_start(&net, &handler, &f->server, &err) != TK_OK)
        fail_msg("%s", err.message);
    make_body(&f->body);
    f->store.expected = tk_buf_str(&f->body);
    *state = f;
    return 0;
}

static int
teardown(void **state)
{
    static const char *const files[] = {"accounts.db", "accounts.db-wal", "accounts.db-shm"};
    struct fixture *f = *state;
    char path[128];
    tk_server_stop(f->server, 5000);
    tk_api_free(f->api);
    tk_account_close(f->account);
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        (void)snprintf(path, sizeof path, "%s/%s", f->dir, files[i]);
        (void)unlink(path);
    }
    (void)rmdir(f->dir);
    tk_buf_release(&f->body);
    free(f);
    return 0;
}

/* ---- the client ---- */

static size_t
take_header(char *line, size_t size, size_t count, void *arg)
{
    struct answer *answer = arg;
    if (strncmp(line, "grpc-status:", 12) == 0)
        answer->grpc_status = atoi(line + 12);
    else if (strncasecmp(line, "retry-after:", 12) == 0)
        answer->retry_after = atoi(line + 12) > 0;
    else if (strncmp(line, "grpc-status-details-bin:", 24) == 0)
        answer->retry_details = true;
    return size * count;
}

static size_t
take_body(char *bytes, size_t size, size_t count, void *arg)
{
    struct answer *answer = arg;
    size_t len = size * count < sizeof answer->body ? size * count : sizeof answer->body - 1;
    memcpy(answer->body, bytes, len);
    return size * count;
}

static struct answer
post(struct fixture *f, tk_str body, const char *path, const char *headers[])
{
    struct answer answer = {.grpc_status = -1};
    struct curl_slist *list = NULL;
    char url[256];
    CURL *curl = curl_easy_init();
    assert_non_null(curl);
    (void)snprintf(url, sizeof url, "http://127.0.0.1:%d%s", tk_server_port(f->server, 0), path);
    for (size_t i = 0; headers[i] != NULL; i++)
        list = curl_slist_append(list, headers[i]);
    bool grpc = strstr(headers[0], "grpc") != NULL;
    (void)curl_easy_setopt(curl, CURLOPT_URL, url);
    (void)curl_easy_setopt(curl, CURLOPT_TIMEOUT, 60L);
    (void)curl_easy_setopt(curl, CURLOPT_HTTP_VERSION,
                           grpc ? (long)CURL_HTTP_VERSION_2_PRIOR_KNOWLEDGE
                                : (long)CURL_HTTP_VERSION_1_1);
    (void)curl_easy_setopt(curl, CURLOPT_POSTFIELDSIZE, (long)body.len);
    (void)curl_easy_setopt(curl, CURLOPT_POSTFIELDS, body.ptr);
    (void)curl_easy_setopt(curl, CURLOPT_HTTPHEADER, list);
    (void)curl_easy_setopt(curl, CURLOPT_HEADERFUNCTION, take_header);
    (void)curl_easy_setopt(curl, CURLOPT_HEADERDATA, &answer);
    (void)curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, take_body);
    (void)curl_easy_setopt(curl, CURLOPT_WRITEDATA, &answer);
    assert_int_equal(curl_easy_perform(curl), CURLE_OK);
    (void)curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &answer.status);
    curl_slist_free_all(list);
    curl_easy_cleanup(curl);
    return answer;
}

static struct answer
send_http(struct fixture *f, tk_str body, const char *encoding)
{
    char header[64];
    (void)snprintf(header, sizeof header, "content-encoding: %s", encoding);
    const char *headers[] = {"content-type: application/x-protobuf", header, NULL};
    return post(f, body, "/v1/traces", headers);
}

static struct answer
send_grpc(struct fixture *f, tk_str message)
{
    static const char path[] = "/opentelemetry.proto.collector.trace.v1.TraceService/Export";
    const char *headers[] = {"content-type: application/grpc", "te: trailers", NULL};
    struct tk_buf body;
    tk_buf_init(&body, 1 << 20);
    const char prefix[5] = {0, 0, 0, (char)(message.len >> 8), (char)(message.len & 0xff)};
    tk_buf_append(&body, (tk_str){prefix, sizeof prefix});
    tk_buf_append(&body, message);
    struct answer answer = post(f, tk_buf_str(&body), path, headers);
    tk_buf_release(&body);
    return answer;
}

/* ---- the tests ---- */

static void
the_store_gets_the_body_as_it_came_and_keeps_it_until_done(void **state)
{
    struct fixture *f = *state;
    char *packed;
    size_t packed_len;
    assert_int_equal(send_http(f, f->store.expected, "identity").status, 200);
    assert_int_equal(send_grpc(f, f->store.expected).grpc_status, 0);
    assert_int_equal(tk_compress(TK_ENCODING_GZIP, 6, f->store.expected, &packed, &packed_len),
                     TK_OK);
    f->store.expected = (tk_str){packed, packed_len};
    assert_int_equal(send_http(f, f->store.expected, "gzip").status, 200);
    assert_int_equal(atomic_load(&f->store.span_count), 6);
    free(packed);
}

static void
an_empty_request_does_not_reach_the_store(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(send_http(f, TK_STR(""), "identity").status, 200);
    assert_int_equal(send_grpc(f, TK_STR("")).grpc_status, 0);
    assert_int_equal(atomic_load(&f->store.append_count), 0);
}

static void
what_the_store_refuses_is_said_with_when_to_come_again(void **state)
{
    static const struct {
        enum tk_err result;
        long status;
        int grpc_status;
    } cases[] = {
        {TK_ERR_BUSY, 429, 8},    /* RESOURCE_EXHAUSTED */
        {TK_ERR_FULL, 503, 8},    /* the same: the disk is full */
        {TK_ERR_IO, 503, 14},     /* UNAVAILABLE */
        {TK_ERR_MEMORY, 503, 14}, /* the same */
    };
    struct fixture *f = *state;
    for (size_t i = 0; i < 2 * sizeof cases / sizeof *cases; i++) {
        bool late = i % 2 == 1;
        f->store.at_append = late ? TK_OK : cases[i / 2].result;
        f->store.at_done = late ? cases[i / 2].result : TK_OK;
        struct answer http = send_http(f, f->store.expected, "identity");
        assert_int_equal(http.status, cases[i / 2].status);
        assert_true(http.retry_after);
        struct answer grpc = send_grpc(f, f->store.expected);
        assert_int_equal(grpc.status, 200);
        assert_int_equal(grpc.grpc_status, cases[i / 2].grpc_status);
        assert_true(grpc.retry_details);
    }
}

static void
nothing_is_acknowledged_before_done(void **state)
{
    struct fixture *f = *state;
    f->store.at_done = TK_ERR_IO;
    for (int i = 0; i < 20; i++)
        assert_int_equal(send_http(f, f->store.expected, "identity").status, 503);
    f->store.at_done = TK_OK;
    assert_int_equal(send_http(f, f->store.expected, "identity").status, 200);
}

int
main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(the_store_gets_the_body_as_it_came_and_keeps_it_until_done),
        T(an_empty_request_does_not_reach_the_store),
        T(what_the_store_refuses_is_said_with_when_to_come_again),
        T(nothing_is_acknowledged_before_done),
    };
#undef T
    (void)curl_global_init(CURL_GLOBAL_DEFAULT);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
