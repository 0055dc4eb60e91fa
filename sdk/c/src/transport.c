/*
 * transport - HTTP/1.0 over a plain socket, so that a program needs nothing to send its spans to a
 * server or collector beside it. 1.0, because then the answer ends where the connection does,
 * whatever stands between. Every wait is a poll with what is left of the time.
 */
#include "transport.h"

#include "url.h"

#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { ANSWER_MAX = 16384, REQUEST_HEAD_MAX = 16384 };

struct connection {
    int socket;
    int64_t deadline_ms; /* of the monotonic clock */
    tracekit_answer *answer;
};

static int64_t
clock_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static bool
fail(struct connection *connection, const char *what)
{
    snprintf(connection->answer->error, sizeof connection->answer->error, "%s", what);
    return false;
}

/* Waits until the socket can be read or written. */
static bool
ready(struct connection *connection, short events)
{
    for (;;) {
        int64_t left = connection->deadline_ms - clock_ms();
        struct pollfd poll_socket = {.fd = connection->socket, .events = events};
        int count = left > 0 ? poll(&poll_socket, 1, (int)left) : 0;
        if (count > 0)
            return true;
        if (count == 0)
            return fail(connection, "no answer in time");
        if (errno != EINTR)
            return fail(connection, strerror(errno));
    }
}

static bool
connect_to(struct connection *connection, const struct addrinfo *address)
{
    int error = 0;
    socklen_t size = sizeof error;
    connection->socket =
        socket(address->ai_family, address->ai_socktype | SOCK_CLOEXEC, address->ai_protocol);
    if (connection->socket < 0)
        return fail(connection, strerror(errno));
    fcntl(connection->socket, F_SETFL, O_NONBLOCK);
    if (connect(connection->socket, address->ai_addr, address->ai_addrlen) == 0)
        return true;
    if (errno != EINPROGRESS)
        return fail(connection, strerror(errno));
    if (!ready(connection, POLLOUT))
        return false;
    if (getsockopt(connection->socket, SOL_SOCKET, SO_ERROR, &error, &size) != 0 || error != 0)
        return fail(connection, strerror(error != 0 ? error : errno));
    return true;
}

static bool
open_connection(struct connection *connection, const char *host, int port)
{
    char name[256], service[16];
    bool v6 = host[0] == '[';
    snprintf(name, sizeof name, "%.*s", (int)(strlen(host) - (v6 ? 2U : 0U)), host + v6);
    snprintf(service, sizeof service, "%d", port);
    struct addrinfo *addresses, hints = {.ai_socktype = SOCK_STREAM};
    int error = getaddrinfo(name, service, &hints, &addresses);
    if (error != 0)
        return fail(connection, gai_strerror(error));
    bool connected = false;
    for (struct addrinfo *address = addresses; address != NULL && !connected;
         address = address->ai_next) {
        connected = connect_to(connection, address);
        if (!connected && connection->socket >= 0) {
            close(connection->socket);
            connection->socket = -1;
        }
    }
    freeaddrinfo(addresses);
    return connected;
}

static bool
send_all(struct connection *connection, const void *bytes, size_t size)
{
    for (const char *at = bytes; size > 0;) {
        ssize_t sent = send(connection->socket, at, size, MSG_NOSIGNAL);
        if (sent < 0 && errno != EAGAIN && errno != EWOULDBLOCK && errno != EINTR)
            return fail(connection, strerror(errno));
        if (sent < 0 && !ready(connection, POLLOUT))
            return false;
        if (sent > 0) {
            at += sent;
            size -= (size_t)sent;
        }
    }
    return true;
}

/* Reads until the server closes or there is no room: what is beyond is not looked at. Gives the
 * size. */
static size_t
receive(struct connection *connection, char *bytes, size_t capacity)
{
    size_t size = 0;
    while (size < capacity) {
        if (!ready(connection, POLLIN))
            break;
        ssize_t got = recv(connection->socket, bytes + size, capacity - size, 0);
        if (got == 0)
            break;
        if (got > 0)
            size += (size_t)got;
        else if (errno != EAGAIN && errno != EWOULDBLOCK && errno != EINTR) {
            fail(connection, strerror(errno));
            break;
        }
    }
    return size;
}

static bool
send_request(struct connection *connection, const tracekit_post *post, const char *host, int port)
{
    char head[REQUEST_HEAD_MAX];
    const char *path = strchr(strstr(post->url, "://") + 3, '/');
    int size =
        snprintf(head, sizeof head, "POST %s HTTP/1.0\r\nHost: %s:%d\r\nContent-Length: %zu\r\n",
                 path, host, port, post->body_size);
    for (const char *const *line = post->headers; *line != NULL && size < REQUEST_HEAD_MAX; line++)
        size += snprintf(head + size, sizeof head - (size_t)size, "%s\r\n", *line);
    if (size + 2 >= REQUEST_HEAD_MAX)
        return fail(connection, "the headers are too long");
    memcpy(head + size, "\r\n", 2);
    return send_all(connection, head, (size_t)size + 2) &&
           send_all(connection, post->body, post->body_size);
}

/* "HTTP/1.1 200 OK", header lines, an empty line, the body. */
static bool
read_answer(struct connection *connection, tracekit_answer *answer)
{
    char text[ANSWER_MAX + 1];
    size_t size = receive(connection, text, ANSWER_MAX);
    text[size] = '\0';
    char *end = strstr(text, "\r\n\r\n");
    if (size < 12 || strncmp(text, "HTTP/1.", 7) != 0 || end == NULL) {
        if (answer->error[0] == '\0')
            fail(connection, size == 0 ? "the connection was closed" : "it does not speak HTTP");
        return false;
    }
    *end = '\0';
    answer->body_size = (size_t)(text + size - (end + 4));
    if (answer->body_size > sizeof answer->body)
        answer->body_size = sizeof answer->body;
    memcpy(answer->body, end + 4, answer->body_size);
    for (char *line = strstr(text, "\r\n"); line != NULL; line = strstr(line + 2, "\r\n")) {
        if (strncasecmp(line + 2, "retry-after:", 12) != 0)
            continue;
        char *value = line + 14 + strspn(line + 14, " \t");
        snprintf(answer->retry_after, sizeof answer->retry_after, "%.*s",
                 (int)strcspn(value, "\r\n"), value);
    }
    long status = strtol(text + 9, NULL, 10);
    answer->status = status >= 100 && status <= 599 ? (int)status : 0;
    return answer->status != 0 || fail(connection, "it does not speak HTTP");
}

void
tk_transport_socket(void *data, const tracekit_post *post, tracekit_answer *answer)
{
    char host[256];
    int port;
    (void)data;
    struct connection connection = {
        .socket = -1, .deadline_ms = clock_ms() + post->timeout_ms, .answer = answer};
    if (strncasecmp(post->url, "http://", 7) != 0 || !tk_url_host(post->url, host, &port)) {
        fail(&connection, "this build has no TLS");
        return;
    }
    if (port < 0)
        port = 80;
    if (open_connection(&connection, host, port) && send_request(&connection, post, host, port))
        read_answer(&connection, answer);
    if (connection.socket >= 0)
        close(connection.socket);
}

#ifndef TRACEKIT_WITH_CURL
bool
tk_transport_can(const char *url)
{
    return strncasecmp(url, "http://", 7) == 0;
}

int
tk_transport_default(tracekit_transport **ret_transport, void **ret_data)
{
    *ret_transport = tk_transport_socket;
    *ret_data = NULL;
    return TRACEKIT_OK;
}

void
tk_transport_release(void *data)
{
    (void)data;
}
#endif
