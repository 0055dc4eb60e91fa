#ifndef TK_BENCH_HTTP_H
#define TK_BENCH_HTTP_H
/*
 * http - one keep-alive HTTP/1.1 connection over a raw socket: as little client as a measurement
 * can bear.  Reads answers that carry Content-Length, which is all that receivers send.
 */
#include "base/bytes.h"

enum { TK_HTTP_HEAD_MAX = 8192, TK_HTTP_ANSWER_MAX = 1 << 30 };

struct tk_http {
    int fd;
    char host[280];              /* as in the URL, with the port */
    char head[TK_HTTP_HEAD_MAX]; /* of the request being sent */
    size_t head_len;
    tk_str body;
    size_t sent; /* of head and body */
    struct tk_buf answer;
    size_t answer_size; /* head and body, once the head is there; 0 before */
    int status;         /* of the answer, once it is complete */
    tk_str answer_body; /* in `answer`, until the next request */
};

/* "http://127.0.0.1:4318" -> "127.0.0.1", "4318"; false when it is anything else. */
bool tk_http_parse_url(const char *url, char host[256], char port[16]);
/* A connected socket with TCP_NODELAY in *ret_fd. */
enum tk_err tk_http_socket(const char *host, const char *port, bool nonblocking, int *ret_fd,
                           struct tk_error *err) TK_MUST_USE;
enum tk_err tk_http_connect(struct tk_http *http, const char *host, const char *port,
                            bool nonblocking, struct tk_error *err) TK_MUST_USE;
/* May be called for one that never connected, if it is all zero. */
void tk_http_close(struct tk_http *http);
/* `headers`: further lines, each with CRLF.  `body` is viewed until it is sent. */
void tk_http_begin(struct tk_http *http, const char *method, const char *target,
                   const char *headers, tk_str body);
/* Sends and receives what it can.  TK_OK: the answer is complete; TK_ERR_BUSY: the socket blocks;
   wait for tk_http_events(). */
enum tk_err tk_http_step(struct tk_http *http, struct tk_error *err) TK_MUST_USE;
short tk_http_events(const struct tk_http *http); /* POLLIN or POLLOUT */
/* A whole exchange over a blocking connection; another status than 200 is an error as well. */
enum tk_err tk_http_exchange(struct tk_http *http, const char *method, const char *target,
                             const char *headers, tk_str body, struct tk_error *err) TK_MUST_USE;

#endif
