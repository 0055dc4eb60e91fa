#ifndef TK_NET_CONN_H
#define TK_NET_CONN_H
/*
 * conn - private to net/: one connection, between its transport (a socket, or a fuzzer) below and
 * its protocol (HTTP/1.1 or HTTP/2) above.
 *
 * The transport asks tk_conn_buffer() where the next plaintext bytes should land and reports them
 * with tk_conn_received().  The protocol puts its bytes into `out`; nothing is sent in the middle
 * of its work: every way in ends with tk_conn_settle(), which sends and lets the protocol go on
 * for as long as one helps the other.  So a batch of answers leaves in one write.
 *
 * A connection is never freed under its callers: closing only marks it (`closed`), and the
 * transport frees it from a later round of the loop.
 */
#include "net/exchange.h"

struct tk_http1;
struct tk_http2;
struct tk_conn;

enum tk_deadline {
    TK_DEADLINE_NONE,
    TK_DEADLINE_IDLE,   /* nothing under way: close */
    TK_DEADLINE_HEAD,   /* 408 */
    TK_DEADLINE_BODY,   /* 408 */
    TK_DEADLINE_LINGER, /* closed on our side: cut off */
};

/* Above this much unsent output a connection takes up no further work. */
enum { TK_OUTPUT_HIGH = 256 << 10 };

struct tk_transport {
    void (*flush)(struct tk_conn *conn);             /* sends what it can of conn->out */
    void (*pause)(struct tk_conn *conn, bool pause); /* stops or resumes reading */
    void (*shutdown)(struct tk_conn *conn);          /* no more output */
    void (*close)(struct tk_conn *conn);             /* frees conn, later */
};

struct tk_conn {
    const struct tk_transport *transport;
    struct tk_loop *loop;
    struct tk_conn *prev, *next; /* of the loop */
    bool loopback, tls;

    enum { TK_CONN_SNIFFING, TK_CONN_HTTP1, TK_CONN_HTTP2 } speaks;
    struct tk_http1 *http1;
    struct tk_http2 *http2;
    struct tk_output out; /* plaintext to be sent */
    size_t wire_size;     /* bytes that left `out` and not yet the transport */

    bool eof;       /* the peer will send nothing more */
    bool finishing; /* what is in `out` is the last; then a lingering close */
    bool lingering; /* our side is shut; what still comes is thrown away */
    bool paused;
    bool closed;

    enum tk_deadline deadline;
    uint64_t deadline_ms;       /* of the loop's clock */
    uint64_t write_deadline_ms; /* output is waiting and must have moved by then; 0: none waits */
    size_t sniffed;             /* bytes of the HTTP/2 preface seen */
    size_t lingered;            /* bytes thrown away */
    uint64_t linger_end_ms;
};

/* `transport`, `loopback` and `tls` are set by the caller; the rest is zero. */
void tk_conn_init(struct tk_conn *conn, struct tk_loop *loop);
/* TLS has agreed on "h2". */
void tk_conn_use_http2(struct tk_conn *conn);
char *tk_conn_buffer(struct tk_conn *conn, size_t *ret_size);
void tk_conn_received(struct tk_conn *conn, const char *bytes, size_t size);
void tk_conn_eof(struct tk_conn *conn);
void tk_conn_settle(struct tk_conn *conn);
/* A deadline has passed; looks whether one has. */
void tk_conn_check_deadlines(struct tk_conn *conn);
/* Some of the output has left. */
void tk_conn_progress(struct tk_conn *conn);
/* The server stops: finish what is under way, then close. */
void tk_conn_drain(struct tk_conn *conn);
/* What a close() of the transport ends with, once nobody uses the connection any more. */
void tk_conn_release(struct tk_conn *conn);
/* Drops everything at once. */
void tk_conn_close(struct tk_conn *conn);

/* For the protocols. */
void tk_conn_set_deadline(struct tk_conn *conn, enum tk_deadline deadline, unsigned ms);
/* Close once `out` is sent. */
void tk_conn_finish(struct tk_conn *conn);
/* The answer of an exchange is there; finds the protocol. */
void tk_conn_answer(struct tk_conn *conn, struct tk_exchange *exchange);
void tk_conn_stream(struct tk_conn *conn, struct tk_exchange *exchange,
                    struct tk_stream_part *part); /* part NULL: the end */

#endif
