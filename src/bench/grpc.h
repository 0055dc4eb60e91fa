#ifndef TK_BENCH_GRPC_H
#define TK_BENCH_GRPC_H
/*
 * grpc - one HTTP/2 connection that calls TraceService/Export, one call at a time.  HTTP/2 is
 * nghttp2's; the socket does not block.
 */
#include "base/bytes.h"

struct nghttp2_session;

struct tk_export {
    int fd;
    struct nghttp2_session *_session;
    struct tk_buf _out; /* frames to send */
    size_t _sent;       /* of them */
    char _authority[280];
    tk_str _message; /* being sent, behind its prefix */
    char _prefix[5];
    size_t _message_sent; /* of both */
    bool done;
    /* of the answer, once it is done */
    int grpc_status;     /* -1: none came */
    char why[200];       /* grpc-message, percent-encoded as it came */
    size_t answer_bytes; /* of the message: 0 unless there was a partial success */
};

enum tk_err tk_export_connect(struct tk_export *export, const char *host, const char *port,
                              struct tk_error *err) TK_MUST_USE;
void tk_export_close(struct tk_export *export);
/* `message` is viewed until it is sent; `encoding` ("gzip", or NULL) is what it is compressed with;
   `key` may be NULL. */
enum tk_err tk_export_begin(struct tk_export *export, const char *encoding, const char *key,
                            tk_str message, struct tk_error *err) TK_MUST_USE;
/* As tk_http_step: TK_OK: answered; TK_ERR_BUSY: wait for tk_export_events(). */
enum tk_err tk_export_step(struct tk_export *export, struct tk_error *err) TK_MUST_USE;
short tk_export_events(const struct tk_export *export);

#endif
