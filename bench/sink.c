/*
 * bench_sink - answers 200 to every request and forgets it: how fast the load is alone.
 *
 * Prints "ready http://127.0.0.1:PORT"; ends when its standard input does.  One thread, HTTP/1.1
 * with Content-Length, which is what the load sends.
 */
#include "base/bytes.h"

#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

enum { CONNECTIONS_MAX = 64, BUFFER_SIZE = 1 << 20, HEAD_MAX = 8192 };

struct connection {
    char head[HEAD_MAX];
    size_t head_len;
    uint64_t body_left; /* of the request whose head was read */
};

static int
listen_anywhere(void)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof address;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || bind(fd, (struct sockaddr *)&address, sizeof address) != 0 ||
        listen(fd, CONNECTIONS_MAX) != 0 ||
        getsockname(fd, (struct sockaddr *)&address, &size) != 0)
        return -1;
    (void)printf("ready http://127.0.0.1:%u\n", ntohs(address.sin_port));
    (void)fflush(stdout);
    return fd;
}

/* The head is whole: how long is the body? */
static uint64_t
content_length(tk_str head)
{
    uint64_t len = 0;
    while (head.len > 0) {
        tk_str line = tk_str_split(&head, '\n'), name = tk_str_split(&line, ':');
        if (line.len > 0 && line.ptr[line.len - 1] == '\r')
            line.len--;
        if (tk_str_eq_nocase(name, TK_STR("content-length")))
            (void)tk_str_to_u64(tk_str_trim(line), &len);
    }
    return len;
}

/* Takes `bytes` of the stream; answers each request that ends in them. */
static bool
take(int fd, struct connection *connection, tk_str bytes)
{
    static const char answer[] = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";
    while (bytes.len > 0) {
        if (connection->body_left == 0) {
            if (connection->head_len == HEAD_MAX)
                return false;
            connection->head[connection->head_len++] = *bytes.ptr;
            bytes = (tk_str){bytes.ptr + 1, bytes.len - 1};
            tk_str head = {connection->head, connection->head_len};
            if (!tk_str_ends_with(head, TK_STR("\r\n\r\n")))
                continue;
            connection->body_left = content_length(head);
            connection->head_len = 0;
        }
        size_t part = bytes.len < connection->body_left ? bytes.len : connection->body_left;
        connection->body_left -= part;
        bytes = (tk_str){bytes.ptr + part, bytes.len - part};
        if (connection->body_left == 0 && send(fd, answer, sizeof answer - 1, MSG_NOSIGNAL) < 0)
            return false;
    }
    return true;
}

int
main(void)
{
    static struct connection connections[CONNECTIONS_MAX + 2];
    static char buffer[BUFFER_SIZE];
    struct pollfd fds[CONNECTIONS_MAX + 2] = {{.fd = STDIN_FILENO, .events = POLLIN},
                                              {.fd = listen_anywhere(), .events = POLLIN}};
    nfds_t count = 2;
    while (fds[1].fd >= 0 && poll(fds, count, -1) >= 0 && fds[0].revents == 0) {
        for (nfds_t i = 2; i < count; i++) {
            ssize_t got = fds[i].revents != 0 ? recv(fds[i].fd, buffer, sizeof buffer, 0) : -1;
            if (fds[i].revents != 0 &&
                (got <= 0 || !take(fds[i].fd, &connections[i], (tk_str){buffer, (size_t)got}))) {
                (void)close(fds[i].fd);
                fds[i].fd = -1; /* poll passes over it */
            }
        }
        if (fds[1].revents != 0 && count < CONNECTIONS_MAX + 2)
            fds[count++] = (struct pollfd){.fd = accept(fds[1].fd, NULL, NULL), .events = POLLIN};
    }
    return 0;
}
