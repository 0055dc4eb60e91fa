/* http - see http.h. */
#include "bench/http.h"

#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

enum { RECEIVE_SIZE = 64 << 10 };

bool
tk_http_parse_url(const char *url, char host[256], char port[16])
{
    char rest;
    return sscanf(url, "http://%255[^:/]:%15[0-9]%c", host, port, &rest) == 2;
}

enum tk_err
tk_http_socket(const char *host, const char *port, bool nonblocking, int *ret_fd,
               struct tk_error *err)
{
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM}, *found = NULL;
    int one = 1;
    if (getaddrinfo(host, port, &hints, &found) != 0)
        return tk_error_set(err, TK_ERR_UNREACHABLE, "%s is not known", host);
    int fd = socket(found->ai_family, found->ai_socktype | SOCK_CLOEXEC, found->ai_protocol);
    bool connected = fd >= 0 && connect(fd, found->ai_addr, found->ai_addrlen) == 0;
    freeaddrinfo(found);
    if (!connected) {
        if (fd >= 0)
            (void)close(fd);
        return tk_error_set(err, TK_ERR_UNREACHABLE, "%s:%s cannot be reached", host, port);
    }
    (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    if (nonblocking)
        (void)fcntl(fd, F_SETFL, O_NONBLOCK);
    *ret_fd = fd;
    return TK_OK;
}

enum tk_err
tk_http_connect(struct tk_http *http, const char *host, const char *port, bool nonblocking,
                struct tk_error *err)
{
    *http = (struct tk_http){.fd = -1};
    (void)snprintf(http->host, sizeof http->host, "%s:%s", host, port);
    tk_buf_init(&http->answer, TK_HTTP_ANSWER_MAX);
    return tk_http_socket(host, port, nonblocking, &http->fd, err);
}

void
tk_http_close(struct tk_http *http)
{
    if (http->fd > 0)
        (void)close(http->fd);
    tk_buf_release(&http->answer);
    http->fd = -1;
}

void
tk_http_begin(struct tk_http *http, const char *method, const char *target, const char *headers,
              tk_str body)
{
    int len = snprintf(http->head, sizeof http->head,
                       "%s %s HTTP/1.1\r\nHost: %s\r\nContent-Length: %zu\r\n%s\r\n", method,
                       target, http->host, body.len, headers);
    http->head_len = len > 0 && (size_t)len < sizeof http->head ? (size_t)len : 0;
    http->body = body;
    http->sent = 0;
    tk_buf_clear(&http->answer);
    http->answer_size = 0;
    http->status = 0;
}

static size_t
left_to_send(const struct tk_http *http)
{
    return http->head_len + http->body.len - http->sent;
}

static enum tk_err
io_error(const char *what, struct tk_error *err)
{
    if (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR)
        return TK_ERR_BUSY;
    return tk_error_set(err, TK_ERR_IO, "%s: %s", what, strerror(errno));
}

static enum tk_err
send_more(struct tk_http *http, struct tk_error *err)
{
    while (left_to_send(http) > 0) {
        struct iovec parts[2];
        int count = 0;
        if (http->sent < http->head_len)
            parts[count++] = (struct iovec){http->head + http->sent, http->head_len - http->sent};
        size_t body_sent = http->sent > http->head_len ? http->sent - http->head_len : 0;
        if (http->body.len > 0)
            parts[count++] = (struct iovec){(void *)(uintptr_t)(http->body.ptr + body_sent),
                                            http->body.len - body_sent};
        struct msghdr message = {.msg_iov = parts, .msg_iovlen = (size_t)count};
        ssize_t sent = sendmsg(http->fd, &message, MSG_NOSIGNAL);
        if (sent < 0)
            return io_error("send", err);
        http->sent += (size_t)sent;
    }
    return TK_OK;
}

/* Once the head is there: the status, and how long the answer is. */
static void
parse_head(struct tk_http *http)
{
    tk_str answer = tk_buf_str(&http->answer);
    const char *end = memmem(answer.ptr, answer.len, "\r\n\r\n", 4);
    uint64_t body_len = 0;
    if (end == NULL)
        return;
    tk_str head = {answer.ptr, (size_t)(end - answer.ptr)}, line = tk_str_split(&head, '\n');
    (void)tk_str_split(&line, ' ');
    uint64_t status = 0;
    (void)tk_str_to_u64(tk_str_split(&line, ' '), &status);
    http->status = (int)status;
    while (head.len > 0) {
        line = tk_str_split(&head, '\n');
        tk_str name = tk_str_split(&line, ':');
        if (line.len > 0 && line.ptr[line.len - 1] == '\r')
            line.len--;
        if (tk_str_eq_nocase(name, TK_STR("content-length")))
            (void)tk_str_to_u64(tk_str_trim(line), &body_len);
    }
    http->answer_size = (size_t)(end - answer.ptr) + 4 + body_len;
}

/* True when the answer is whole. */
static bool
parse_answer(struct tk_http *http)
{
    if (http->answer_size == 0)
        parse_head(http);
    if (http->answer_size == 0 || http->answer.len < http->answer_size)
        return false;
    const char *body = (const char *)memmem(http->answer.ptr, http->answer.len, "\r\n\r\n", 4) + 4;
    http->answer_body = (tk_str){body, http->answer_size - (size_t)(body - http->answer.ptr)};
    return true;
}

enum tk_err
tk_http_step(struct tk_http *http, struct tk_error *err)
{
    enum tk_err code = send_more(http, err);
    if (code != TK_OK)
        return code;
    for (;;) {
        char *to = tk_buf_reserve(&http->answer, RECEIVE_SIZE);
        if (to == NULL)
            return tk_error_set(err, http->answer.status, "answer too long");
        ssize_t got = recv(http->fd, to, RECEIVE_SIZE, 0);
        if (got < 0)
            return io_error("recv", err);
        if (got == 0)
            return tk_error_set(err, TK_ERR_END, "the server closed the connection");
        http->answer.len += (size_t)got;
        if (parse_answer(http))
            return TK_OK;
    }
}

enum tk_err
tk_http_exchange(struct tk_http *http, const char *method, const char *target, const char *headers,
                 tk_str body, struct tk_error *err)
{
    enum tk_err code;
    tk_http_begin(http, method, target, headers, body);
    do
        code = tk_http_step(http, err);
    while (code == TK_ERR_BUSY);
    if (code == TK_OK && http->status != 200)
        code = tk_error_set(
            err, http->status == 401 || http->status == 403 ? TK_ERR_DENIED : TK_ERR_IO, "%d %.*s",
            http->status, http->answer_body.len < 200 ? (int)http->answer_body.len : 200,
            http->answer_body.ptr);
    return code;
}

short
tk_http_events(const struct tk_http *http)
{
    return left_to_send(http) > 0 ? POLLOUT : POLLIN;
}
