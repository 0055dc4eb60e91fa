/* The plain socket against servers that answer well, badly, slowly and not at all. */
#include "../src/transport.h"
#include "test.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/socket.h>
#include <unistd.h>

/* A server of one connection: reads the request whole, or not, and answers. */
struct server {
    int listener;
    const char *answer; /* NULL: none, the connection stays open until the end */
    bool reads;
    atomic_bool ends;
    char request[65536];
    size_t request_size;
    pthread_t thread;
    char url[64];
};

static struct server server;

static bool
whole(const char *request, size_t size)
{
    const char *end = strstr(request, "\r\n\r\n"), *length = strstr(request, "Content-Length: ");
    return end != NULL && length != NULL &&
           size >= (size_t)(end + 4 - request) + strtoul(length + 16, NULL, 10);
}

static void *
serve(void *argument)
{
    (void)argument;
    int connection = accept(server.listener, NULL, NULL);
    while (connection >= 0 && server.reads && !whole(server.request, server.request_size)) {
        ssize_t got = recv(connection, server.request + server.request_size,
                           sizeof server.request - 1 - server.request_size, 0);
        if (got <= 0)
            break;
        server.request_size += (size_t)got;
    }
    for (const char *at = server.answer; at != NULL && *at != '\0'; at++)
        if (send(connection, at, 1, MSG_NOSIGNAL) != 1) /* byte by byte: however it comes */
            break;
    while (server.answer == NULL && !atomic_load(&server.ends))
        usleep(1000);
    close(connection);
    return NULL;
}

static void
start(const char *answer, bool reads)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof address;
    memset(&server, 0, sizeof server);
    server.answer = answer;
    server.reads = reads;
    server.listener = socket(AF_INET, SOCK_STREAM, 0);
    assert_true(server.listener >= 0);
    assert_int_equal(bind(server.listener, (struct sockaddr *)&address, sizeof address), 0);
    assert_int_equal(listen(server.listener, 1), 0);
    assert_int_equal(getsockname(server.listener, (struct sockaddr *)&address, &size), 0);
    snprintf(server.url, sizeof server.url, "http://127.0.0.1:%d/v1/traces",
             ntohs(address.sin_port));
    assert_int_equal(pthread_create(&server.thread, NULL, serve, NULL), 0);
}

static void
stop(void)
{
    atomic_store(&server.ends, true);
    pthread_join(server.thread, NULL);
    close(server.listener);
}

static tracekit_answer
post_to(const char *url, int timeout_ms)
{
    static const char *const headers[] = {"X-API-Key: k", "Content-Type: application/x-protobuf",
                                          NULL};
    tracekit_answer answer = {0};
    tracekit_post post = {.url = url,
                          .headers = headers,
                          .body = "0123456789",
                          .body_size = 10,
                          .timeout_ms = timeout_ms};
    tk_transport_socket(NULL, &post, &answer);
    return answer;
}

static void
a_good_answer_is_read_whole(void **state)
{
    (void)state;
    start("HTTP/1.1 429 Too Many Requests\r\nServer: x\r\nRETRY-After:  17 \r\n\r\nbody\n", true);
    tracekit_answer answer = post_to(server.url, 30000);
    stop();
    assert_int_equal(answer.status, 429);
    assert_memory_equal(answer.retry_after, "17", 2);
    assert_int_equal(answer.body_size, 5);
    assert_memory_equal(answer.body, "body\n", 5);
    assert_non_null(strstr(server.request, "POST /v1/traces HTTP/1.0\r\n"));
    assert_non_null(strstr(server.request, "\r\nX-API-Key: k\r\n"));
    assert_non_null(strstr(server.request, "\r\n\r\n0123456789"));
}

static void
what_is_no_answer_is_told_and_counts_as_none(void **state)
{
    (void)state;
    const char *const answers[] = {"",
                                   "garbage",
                                   "SSH-2.0-OpenSSH_9.2\r\n\r\n",
                                   "HTTP/1.1 \r\n\r\n",
                                   "HTTP/1.1 99999999999999999999 X\r\n\r\n",
                                   "HTTP/1.1 200 OK\r\nhalf a head"};
    for (size_t i = 0; i < sizeof answers / sizeof answers[0]; i++) {
        start(answers[i], true);
        tracekit_answer answer = post_to(server.url, 30000);
        stop();
        assert_int_equal(answer.status, 0);
        assert_true(answer.error[0] != '\0');
    }
}

static void
a_long_answer_is_cut(void **state)
{
    (void)state;
    static char text[100000];
    size_t size = (size_t)snprintf(text, sizeof text, "HTTP/1.0 200 OK\r\n\r\n");
    memset(text + size, 'x', sizeof text - size - 1);
    start(text, true);
    tracekit_answer answer = post_to(server.url, 30000);
    stop();
    assert_int_equal(answer.status, 200);
    assert_int_equal(answer.body_size, sizeof answer.body);
}

static void
a_server_that_does_not_answer_is_given_up_on(void **state)
{
    (void)state;
    for (int reads = 0; reads < 2; reads++) {
        start(NULL, reads);
        tracekit_answer answer = post_to(server.url, 50);
        assert_int_equal(answer.status, 0);
        assert_string_equal(answer.error, "no answer in time");
        stop();
    }
}

static void
nobody_at_the_port_and_no_such_host_are_told(void **state)
{
    (void)state;
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof address;
    char url[64];
    int bound = socket(AF_INET, SOCK_STREAM, 0); /* keeps the port, and does not listen */
    assert_int_equal(bind(bound, (struct sockaddr *)&address, sizeof address), 0);
    assert_int_equal(getsockname(bound, (struct sockaddr *)&address, &size), 0);
    snprintf(url, sizeof url, "http://127.0.0.1:%d/v1/traces", ntohs(address.sin_port));
    assert_non_null(strstr(post_to(url, 30000).error, "refused"));
    close(bound);
    assert_true(post_to("http://[::1/", 1000).error[0] != '\0');
    assert_true(post_to("http:///x", 1000).error[0] != '\0');
}

static void
a_span_goes_out_by_the_library_s_own_transport(void **state)
{
    (void)state;
    start("HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n", true);
    assert_int_equal(tracekit_init(&(tracekit_options){.api_key = "k", .endpoint = server.url}),
                     TRACEKIT_OK);
    tracekit_end(tracekit_start("one"));
    assert_int_equal(tracekit_flush(30000), TRACEKIT_OK);
    tracekit_statistics statistics;
    tracekit_get_statistics(&statistics);
    tracekit_shutdown(10000);
    stop();
    assert_int_equal(statistics.sent, 1);
    assert_non_null(strstr(server.request, "X-API-Key: k\r\n"));
    assert_non_null(strstr(server.request, "User-Agent: tracekit-c/"));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_good_answer_is_read_whole),
        cmocka_unit_test(what_is_no_answer_is_told_and_counts_as_none),
        cmocka_unit_test(a_long_answer_is_cut),
        cmocka_unit_test(a_server_that_does_not_answer_is_given_up_on),
        cmocka_unit_test(nobody_at_the_port_and_no_such_host_are_told),
        cmocka_unit_test(a_span_goes_out_by_the_library_s_own_transport),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
