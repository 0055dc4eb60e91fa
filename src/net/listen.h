#ifndef TK_NET_LISTEN_H
#define TK_NET_LISTEN_H
/* listen - private to net/: "host:port" to bound sockets. */
#include "base/error.h"

/*
 * Makes `count` sockets bound to the same address (SO_REUSEPORT), one per loop.  Port 0 picks a
 * free one.  TK_ERR_EXISTS: somebody listens there already; TK_ERR_DENIED; TK_ERR_INPUT: no such
 * address.  On failure no socket is left open.
 */
enum tk_err tk_listen(const char *address, int *ret_fds, unsigned count, int *ret_port,
                      struct tk_error *err) TK_MUST_USE;

#endif
