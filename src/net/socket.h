#ifndef TK_NET_SOCKET_H
#define TK_NET_SOCKET_H
/* socket - private to net/: the transport of real connections: libuv, and TLS when there is. */
#include "net/conn.h"

/* A uv_connection_cb; listener->data is the loop. */
void tk_socket_accept(uv_stream_t *listener, int status);

#endif
