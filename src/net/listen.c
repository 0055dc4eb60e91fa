/*
 * listen - see listen.h.
 *
 * SO_REUSEPORT lets any process of the same user join in, a second server of ours too.  So the
 * address is first bound without it, which fails if anybody is there.
 */
#include "net/listen.h"

#include "base/bytes.h"

#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static enum tk_err
resolve(const char *address, struct addrinfo **ret_info, struct tk_error *err)
{
    char host[256];
    const char *start = address, *colon = strrchr(address, ':');
    size_t len = colon != NULL ? (size_t)(colon - address) : 0;
    if (len >= 2 && address[0] == '[' && address[len - 1] == ']') {
        start = address + 1;
        len -= 2;
    }
    uint64_t port;
    if (colon == NULL || len >= sizeof host || !tk_str_to_u64(tk_str_from(colon + 1), &port) ||
        port > UINT16_MAX)
        return tk_error_set(err, TK_ERR_INPUT, "%s is not HOST:PORT", address);
    memcpy(host, start, len);
    host[len] = '\0';
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE | AI_NUMERICSERV};
    int status = getaddrinfo(len > 0 ? host : NULL, colon + 1, &hints, ret_info);
    if (status != 0)
        return tk_error_set(err, TK_ERR_INPUT, "cannot listen on %s: %s", address,
                            gai_strerror(status));
    return TK_OK;
}

static enum tk_err
bind_one(const char *address, const struct addrinfo *info, bool shared, int *ret_fd,
         struct tk_error *err)
{
    int on = 1;
    int fd = socket(info->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd >= 0 && setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) == 0 &&
        (!shared || setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof on) == 0) &&
        bind(fd, info->ai_addr, info->ai_addrlen) == 0) {
        *ret_fd = fd;
        return TK_OK;
    }
    enum tk_err code = errno == EADDRINUSE      ? TK_ERR_EXISTS
                       : errno == EACCES        ? TK_ERR_DENIED
                       : errno == EADDRNOTAVAIL ? TK_ERR_INPUT
                                                : TK_ERR_IO;
    (void)tk_error_set(err, code, "cannot listen on %s: %s", address,
                       code == TK_ERR_EXISTS ? "the port is in use" : strerror(errno));
    if (fd >= 0)
        close(fd);
    return code;
}

/* The port lies at the same place in both families. */
static in_port_t *
port_of(struct sockaddr *address)
{
    return address->sa_family == AF_INET6 ? &((struct sockaddr_in6 *)(void *)address)->sin6_port
                                          : &((struct sockaddr_in *)(void *)address)->sin_port;
}

enum tk_err
tk_listen(const char *address, int *ret_fds, unsigned count, int *ret_port, struct tk_error *err)
{
    struct addrinfo *info = NULL;
    unsigned made = 0;
    int probe;
    enum tk_err status = resolve(address, &info, err);
    if (status != TK_OK)
        return status;
    if (*port_of(info->ai_addr) != 0) {
        status = bind_one(address, info, false, &probe, err);
        if (status != TK_OK)
            goto out;
        close(probe);
    }
    for (; made < count; made++) {
        status = bind_one(address, info, true, &ret_fds[made], err);
        if (status != TK_OK)
            goto out;
        socklen_t size = info->ai_addrlen; /* the next ones take the port this one got */
        if (getsockname(ret_fds[made], info->ai_addr, &size) != 0) {
            status = tk_error_set(err, TK_ERR_IO, "%s: %s", address, strerror(errno));
            made++;
            goto out;
        }
    }
    *ret_port = ntohs(*port_of(info->ai_addr));
out:
    for (unsigned i = 0; status != TK_OK && i < made; i++)
        close(ret_fds[i]);
    freeaddrinfo(info);
    return status;
}
