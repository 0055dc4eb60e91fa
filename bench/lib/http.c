/* http - see http.h. */
#include "http.h"

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

bool
tk_http_parse_url(const char *url, char host[256], char port[16])
{
    char rest;
    return sscanf(url, "http://%255[^:/]:%15[0-9]%c", host, port, &rest) == 2;
}

enum tk_err
tk_http_connect(struct tk_http *http, const char *host, const char *port, bool nonblocking,
                struct tk_error *err)
{
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM}, *found = NULL;
    int one = 1;
    *http = (struct tk_http){.fd = -1};
    (void)snprintf(http->host, sizeof http->host, "%s:%s", host, port);
    if (getaddrinfo(host, port, &hints, &found) != 0)
        return tk_error_set(err, TK_ERR_UNREACHABLE, "%s is not known", host);
    http->fd = socket(found->ai_family, found->ai_socktype | SOCK_CLOEXEC, found->ai_protocol);
    if (http->fd < 0 || connect(http->fd, found->ai_addr, found->ai_addrlen) != 0) {
        freeaddrinfo(found);
        tk_http_close(http);
        return tk_error_set(err, TK_ERR_UNREACHABLE, "%s:%s cannot be reached", host, port);
    }
    freeaddrinfo(found);
    (void)setsockopt(http->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    if (nonblocking)
        (void)fcntl(http->fd, F_SETFL, O_NONBLOCK);
    return TK_OK;
}

void
tk_http_close(struct tk_http *http)
{
    if (http->fd >= 0)
        (void)close(http->fd);
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
    http->answer_len = 0;
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

/* True when the answer is whole. */
static bool
parse_answer(struct tk_http *http)
{
    const char *end = memmem(http->answer, http->answer_len, "\r\n\r\n", 4);
    unsigned long long body_len = 0;
    if (end == NULL || sscanf(http->answer, "HTTP/1.1 %d", &http->status) != 1)
        return false;
    for (tk_str rest = {http->answer, (size_t)(end - http->answer)}; rest.len > 0;) {
        tk_str line = tk_str_split(&rest, '\n'), name = tk_str_split(&line, ':');
        if (tk_str_eq_nocase(name, TK_STR("content-length")))
            body_len = strtoull(line.ptr, NULL, 10);
    }
    size_t head_len = (size_t)(end - http->answer) + 4;
    http->answer_body = (tk_str){http->answer + head_len, http->answer_len - head_len};
    return http->answer_body.len >= body_len;
}

enum tk_err
tk_http_step(struct tk_http *http, struct tk_error *err)
{
    enum tk_err code = send_more(http, err);
    if (code != TK_OK)
        return code;
    for (;;) {
        size_t room = sizeof http->answer - 1 - http->answer_len;
        if (room == 0)
            return tk_error_set(err, TK_ERR_LIMIT, "answer too long");
        ssize_t got = recv(http->fd, http->answer + http->answer_len, room, 0);
        if (got < 0)
            return io_error("recv", err);
        if (got == 0)
            return tk_error_set(err, TK_ERR_END, "the server closed the connection");
        http->answer_len += (size_t)got;
        http->answer[http->answer_len] = '\0';
        if (parse_answer(http))
            return TK_OK;
    }
}

short
tk_http_events(const struct tk_http *http)
{
    return left_to_send(http) > 0 ? POLLOUT : POLLIN;
}
