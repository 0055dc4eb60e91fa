#ifndef TK_NET_SERVER_H
#define TK_NET_SERVER_H
/*
 * server - bytes in, bytes out: listeners, HTTP/1.1, HTTP/2, gRPC framing, TLS.  Knows no spans.
 *
 * One event-loop thread per `threads`, each with its own listening socket per address
 * (SO_REUSEPORT) and its own connections; a request lives on the loop of its connection.  The
 * handler's two functions are called on that loop and must not block: what may take long goes
 * through tk_request_offload() to a worker.  tk_request_respond() may be called from any thread,
 * exactly once per request; it crosses to the loop through the loop's mailbox.
 *
 * A request outlives its connection: when the peer goes away before the answer, the answer is
 * dropped, and the request is freed once it was responded to.
 *
 * Names of headers in answers may be of any case; Date, Content-Length and what belongs to the
 * connection are the server's, and a header whose value holds CR, LF or NUL is left out.
 */
#include "base/arena.h"

struct tk_server;
struct tk_request;

struct tk_header {
    tk_str name; /* lower case */
    tk_str value;
};

enum tk_protocol { TK_PROTOCOL_HTTP1, TK_PROTOCOL_HTTP2 };

struct tk_request {
    enum tk_protocol protocol;
    bool grpc; /* content-type application/grpc[+proto]; the answer is framed and trailed */
    bool tls;
    bool loopback;             /* the peer's address is a loopback address */
    tk_str method;             /* "GET" */
    tk_str path;               /* before '?', percent-decoding undone not, begins with '/' */
    tk_str query;              /* after '?', not decoded; empty when there is none */
    struct tk_header *headers; /* in order of arrival, several of one name kept */
    size_t header_count;
    /* The whole body. For grpc: one message, its 5-byte prefix cut off. Set before on_request. */
    tk_str body;
    bool grpc_compressed; /* the message's compression flag; its encoding is in grpc-encoding */
    /* Memory that lives until the answer has been sent. Only whoever handles the request uses it.
     */
    struct tk_arena arena;
    void *user; /* the handler's own, NULL at first */
};

/* The first header of that (lower-case) name, or an empty view with ptr NULL. */
tk_str tk_request_header(const struct tk_request *request, tk_str name);
/* The value of a query parameter, percent-decoded into the arena; ptr NULL when absent. */
tk_str tk_request_param(struct tk_request *request, tk_str name);
/* Percent-decoded into the arena; a '%' that no two hexadecimal digits follow stays.  In a query,
   as forms encode it, '+' is a space; in a path it is a plus. */
tk_str tk_percent_decode(struct tk_arena *arena, tk_str text, bool plus_is_space);
/* Takes the body's malloc'ed block over; the view stays valid until the caller frees it. NULL when
   the body is empty. */
void *tk_request_take_body(struct tk_request *request);

struct tk_response {
    int status;
    tk_str content_type;             /* none when empty */
    const struct tk_header *headers; /* further ones */
    size_t header_count;
    tk_str body;             /* copied, unless body_owned */
    void *body_owned;        /* a malloc'ed block that `body` lies in; freed once sent */
    const void *body_static; /* not NULL: `body` lives forever (embedded files); not copied */
    /* gRPC only: `status` is ignored; body is the message (may be empty when grpc_status != 0). */
    int grpc_status;
    tk_str grpc_message; /* percent-encoded by the server */
    tk_str grpc_details; /* grpc-status-details-bin, before base64; none when empty */
};

/* HEAD requests get the same answer without its body. */
void tk_request_respond(struct tk_request *request, const struct tk_response *response);

/*
 * Long answers: start (body of `head` must be empty), write any number of times, end.  Chunked on
 * HTTP/1.1, DATA frames on HTTP/2.  From any one thread at a time.  tk_response_write blocks a
 * worker thread while more than 1 MiB waits to be sent (never call it on a loop with long data),
 * and returns TK_ERR_UNREACHABLE once the peer is gone; end must still be called.
 */
void tk_response_start(struct tk_request *request, const struct tk_response *head);
enum tk_err tk_response_write(struct tk_request *request, tk_str bytes) TK_MUST_USE;
void tk_response_end(struct tk_request *request);
/* Bytes written and not yet sent, SIZE_MAX once the peer is gone: who must never wait looks at it
   before it writes. */
size_t tk_response_waiting(struct tk_request *request);

/* Runs `work(request, arg)` on a worker thread; it must respond. When the worker queue is full
   (TK_ERR_BUSY) nothing runs and the caller responds. */
enum tk_err tk_request_offload(struct tk_request *request,
                               void (*work)(struct tk_request *request, void *arg),
                               void *arg) TK_MUST_USE;

struct tk_server_handler {
    void *arg;
    /*
     * The head is complete, the body not yet read.  Returns the largest body it takes in bytes; a
     * larger one is answered 413 (gRPC RESOURCE_EXHAUSTED) by on_refused.  Or it answers at once
     * (401, 404 ...) by tk_request_respond() and returns TK_BODY_ANSWERED: the body is then read
     * and thrown away up to a small bound, else the connection is closed after the answer.
     * `Expect: 100-continue` is answered after it returned a size.  When the body never becomes
     * complete, on_head is the last the handler hears of the request.
     */
    size_t (*on_head)(void *arg, struct tk_request *request);
    /* The request is complete. */
    void (*on_request)(void *arg, struct tk_request *request);
    /* The server itself refuses (400, 408, 413, 414, 431, 501, 503, 505): fill a body for it in the
       shape of the API (problem+json), into request->arena. May be NULL: plain text is sent.
       Not asked for gRPC calls: `reason` is their grpc-message. Connections over connections_max
       get a bare 503, there is no request yet. */
    void (*on_refused)(void *arg, struct tk_request *request, int status, const char *reason,
                       struct tk_response *response);
};
#define TK_BODY_ANSWERED ((size_t)-1)

struct tk_server_options {     /* zero means the default in brackets */
    const char *const *listen; /* "127.0.0.1:4318", "[::1]:4318", port 0 picks one */
    size_t listen_count;
    unsigned threads;          /* loops [number of cores, at most 8] */
    unsigned workers;          /* [number of cores + 2, at most 16] */
    unsigned worker_queue_max; /* [1024] */
    unsigned connections_max;  /* over all loops [10000]; beyond: answered 503 and closed */
    unsigned head_timeout_ms;  /* whole head, from its first byte [10000] -> 408 */
    unsigned body_timeout_ms;  /* between two reads of a body [30000] -> 408 */
    unsigned idle_timeout_ms;  /* keep-alive [120000] */
    size_t head_size_max;      /* request line and headers [32 KiB] -> 431 / 414 */
    size_t buffered_max; /* bytes of unfinished bodies over all connections [512 MiB] -> 503 */
    const char *tls_cert, *tls_key; /* PEM files; both or none. With TLS every port is TLS */
};

/* Binds, listens and starts the threads. TK_ERR_EXISTS: an address is in use (message says which).
 */
enum tk_err tk_server_start(const struct tk_server_options *options,
                            const struct tk_server_handler *handler, struct tk_server **ret_server,
                            struct tk_error *err) TK_MUST_USE;
/* The port really bound for listen[index]. */
int tk_server_port(const struct tk_server *server, size_t index);
/* Reads the TLS files again; on failure the old ones stay. Any thread. */
enum tk_err tk_server_reload_tls(struct tk_server *server, struct tk_error *err) TK_MUST_USE;
/* Stops accepting, finishes what is in flight (HTTP/2: GOAWAY), closes after at most `grace_ms`,
   joins the threads and frees the server. Every request has been responded to or dropped. */
void tk_server_stop(struct tk_server *server, unsigned grace_ms);

struct tk_server_stats {
    uint64_t connections_open, connections_total, requests_total, refused_total;
    uint64_t bytes_in, bytes_out;
};
void tk_server_stats(const struct tk_server *server, struct tk_server_stats *ret_stats);

#endif
