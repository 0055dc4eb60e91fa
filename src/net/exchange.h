#ifndef TK_NET_EXCHANGE_H
#define TK_NET_EXCHANGE_H
/*
 * exchange - private to net/: a request and its answer, from the head's first byte until the last
 * byte of the answer is sent.
 *
 * Who owns it: first the protocol (http1, http2), which may free it while the request is still
 * coming in; from on_request (or an on_head that answers) until tk_request_respond or
 * tk_response_end the handler, on whatever thread; then the protocol again.  `conn` is NULL once
 * the connection is gone: the answer is then dropped.  The loop's thread alone touches all fields,
 * except for what the handler fills: request.arena, request.user, response, stream.
 */
#include "net/loop.h"
#include "net/output.h"

struct tk_stream_part { /* a piece of a long answer on its way from a worker to the loop */
    struct tk_mail mail;
    struct tk_exchange *exchange;
    size_t size;           /* of what the handler wrote */
    struct tk_chunk chunk; /* ... as it goes out; the bytes lie behind this struct */
};

struct tk_exchange {
    struct tk_request request; /* MUST BE FIRST: the handler's pointer is cast back */
    struct tk_loop *loop;
    struct tk_conn *conn;
    int32_t stream_id; /* HTTP/2 */

    /* The body as it comes in. */
    char *body; /* owned; malloc */
    size_t body_len, body_capacity;
    size_t body_max; /* what the handler takes */

    bool head_only; /* HEAD: no body in the answer */
    bool chunked;   /* HTTP/1.1: long answers are chunked */
    bool calling;   /* the handler is being called for it, on the loop */
    bool handed;    /* the handler has it, and owes an answer */
    bool refused;   /* the server itself answers */

    /* The answer. */
    atomic_bool responded;       /* by the handler: once */
    bool streaming;              /* ... in pieces */
    struct tk_response response; /* ours: strings in the arena, the body there or owned */
    struct tk_mail mail, end_mail;
    struct tk_job job;
    void (*work)(struct tk_request *request, void *arg);
    void *work_arg;
    struct tk_chunk head_chunk, body_chunk; /* HTTP/1: what lies in the connection's output */

    /* Long answers: the worker waits here while too much is under way. */
    struct {
        uv_mutex_t lock; /* guards the fields below */
        uv_cond_t drained;
        size_t pending; /* bytes written and not yet sent */
        bool gone;      /* nobody reads them */
        bool ready;     /* lock and drained exist */
    } stream;
    struct tk_output parts; /* HTTP/2: pieces that wait for flow control; loop's thread */
    bool parts_ended;

    /* HTTP/2, loop's thread. */
    struct tk_exchange *prev, *next; /* of the connection */
    size_t header_capacity, head_size;
    bool head_done, head_too_large, body_done;
    bool expects_continue;
    bool sending;      /* the answer is there ... */
    bool held;         /* ... and waits for the request's end */
    bool length_known; /* content-length was said ... */
    uint64_t length;   /* ... and is this */
    uint64_t heard_ms; /* when the peer last sent something of it, or took of the answer */
    size_t handling;   /* bytes of it that the connection counts as being handled */
    size_t discarded;  /* bytes of its body that came after the answer */
    size_t data_sent;  /* bytes of the answer handed to nghttp2 */
    size_t unsent;     /* ... and not yet handed */
    char grpc_prefix[5];
};

static inline struct tk_exchange *
tk_exchange_of(struct tk_request *request)
{
    return (struct tk_exchange *)request;
}

/* NULL: no memory. */
struct tk_exchange *tk_exchange_new(struct tk_loop *loop, struct tk_conn *conn);
void tk_exchange_free(struct tk_exchange *exchange);
/* Nobody reads the answer any more: lets a waiting writer go. */
void tk_exchange_hang_up(struct tk_exchange *exchange);
/* The connection is going away: frees it, or leaves that to the handler's answer. */
void tk_exchange_abandon(struct tk_exchange *exchange);

/* Room for body bytes: at least one, at most `hint` (what is known to come).  TK_ERR_BUSY: the
   server holds too many bytes; TK_ERR_MEMORY. */
enum tk_err tk_exchange_reserve(struct tk_exchange *exchange, size_t hint) TK_MUST_USE;
enum tk_err tk_exchange_append(struct tk_exchange *exchange, tk_str bytes, size_t hint) TK_MUST_USE;

/* Calls on_head; true when the body is wanted, false when it was answered (or refused). */
bool tk_exchange_head(struct tk_exchange *exchange);
/* The body is complete: hands the request over. */
void tk_exchange_handle(struct tk_exchange *exchange);
/* The server's own answer. */
void tk_exchange_refuse(struct tk_exchange *exchange, int status, const char *reason);
/* `size` bytes of a long answer have left. */
void tk_exchange_sent(struct tk_exchange *exchange, size_t size);

/* "Not Found" */
const char *tk_status_text(int status);

#endif
