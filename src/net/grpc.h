#ifndef TK_NET_GRPC_H
#define TK_NET_GRPC_H
/*
 * grpc - private to net/: what gRPC adds to HTTP/2 for unary calls (gRPC over HTTP/2 protocol):
 * the 5-byte message prefix, status codes, and the encodings of the trailers.
 */
#include "base/arena.h"

enum tk_grpc_code {
    TK_GRPC_OK = 0,
    TK_GRPC_CANCELLED = 1,
    TK_GRPC_DEADLINE_EXCEEDED = 4,
    TK_GRPC_RESOURCE_EXHAUSTED = 8,
    TK_GRPC_UNIMPLEMENTED = 12,
    TK_GRPC_INTERNAL = 13,
    TK_GRPC_UNAVAILABLE = 14,
};

enum { TK_GRPC_PREFIX_SIZE = 5 };

/* application/grpc, application/grpc+proto, with or without parameters. */
bool tk_grpc_is_content_type(tk_str content_type);
/* Cuts the prefix off *body, which must be exactly one message.  0, or the HTTP status to refuse
   with and why. */
int tk_grpc_open_message(tk_str *body, bool *ret_compressed, const char **ret_reason);
/* What the prefix at `body` says. */
size_t tk_grpc_message_size(const char *body);
void tk_grpc_write_prefix(char prefix[TK_GRPC_PREFIX_SIZE], size_t message_size);
/* The code that says of a call what `http_status` says of a request. */
int tk_grpc_status_of(int http_status);
/* As grpc-message wants it: all but printable ASCII, and '%', as %XX. */
tk_str tk_grpc_percent_encode(struct tk_arena *arena, tk_str text);
/* Without padding, as the specification advises for -bin headers. */
tk_str tk_grpc_base64(struct tk_arena *arena, tk_str bytes);

#endif
