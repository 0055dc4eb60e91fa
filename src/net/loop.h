#ifndef TK_NET_LOOP_H
#define TK_NET_LOOP_H
/*
 * loop - private to net/: one event-loop thread with its connections, and what all loops share.
 *
 * Everything in struct tk_loop belongs to the loop's thread but the mailbox and the counters.
 */
#include "net/mailbox.h"
#include "net/server.h"
#include "net/workers.h"

#include <stdatomic.h>

struct tk_conn;
struct tk_tls_context;

enum {
    TK_SCRATCH_SIZE = 64 << 10,       /* one read */
    TK_FRAME_SCRATCH_SIZE = 96 << 10, /* HTTP/2 frames for one write; a frame has 16 KiB */
};

/* What the loops of a server share. */
struct tk_shared {
    struct tk_server_options options; /* every default filled in; `listen` is not kept */
    struct tk_server_handler handler;
    struct tk_workers *workers;
    struct tk_tls_context *tls; /* NULL: plaintext */
    atomic_size_t buffered;     /* bytes of request bodies in memory */
    atomic_uint connections;    /* open now */
    atomic_uint lingering;      /* connections over the limit that are being told so */
};

struct tk_loop_counters {
    _Atomic uint64_t connections_total, requests_total, refused_total, bytes_in, bytes_out;
};

struct tk_loop {
    struct tk_shared *shared;
    struct tk_mailbox mailbox;
    struct tk_loop_counters counters;
    struct tk_conn *conns; /* doubly linked, newest first */
    size_t exchange_count; /* requests that were not freed yet */
    bool draining;         /* stopping: no new connections, no new requests */
    uint64_t now_ms;       /* of the current round, monotonic */
    char *scratch;         /* TK_SCRATCH_SIZE bytes that a read lands in ... */
    char *wire_scratch;    /* ... and as many for what is still encrypted */
    char *frame_scratch;   /* TK_FRAME_SCRATCH_SIZE bytes */
    char date[32];         /* the Date header's value ... */
    int64_t date_s;        /* ... of this second */
    uv_loop_t uv;
    uv_thread_t thread;
    uv_timer_t sweep; /* looks after deadlines; runs while there are connections */
    uint64_t sweep_ms;
    uv_tcp_t *listeners; /* one per address */
    size_t listener_count;
    struct tk_mail stop_mail;
    uint64_t stop_at_ms; /* draining: when whatever is still open is cut off */
    unsigned grace_ms;
    bool started; /* the thread was */
};

static inline void
tk_count(_Atomic uint64_t *counter, uint64_t more)
{
    atomic_fetch_add_explicit(counter, more, memory_order_relaxed);
}

/* *loop is zero but for `listeners`, malloc'ed with room enough. Release after any outcome. */
enum tk_err tk_loop_init(struct tk_loop *loop, struct tk_shared *shared,
                         struct tk_error *err) TK_MUST_USE;
/* Takes a bound socket over.  Before the start. */
enum tk_err tk_loop_listen(struct tk_loop *loop, int fd, struct tk_error *err) TK_MUST_USE;
enum tk_err tk_loop_start(struct tk_loop *loop, struct tk_error *err) TK_MUST_USE;
/* Any thread; returns at once. */
void tk_loop_stop(struct tk_loop *loop, unsigned grace_ms);
void tk_loop_release(struct tk_loop *loop); /* waits for the thread */
/* There is a connection: see that deadlines are looked after. */
void tk_loop_watch(struct tk_loop *loop);
/* The calling thread is the loop's from now on. */
void tk_loop_adopt(const struct tk_loop *loop);
/* True on the loop's own thread. */
bool tk_loop_is_current(const struct tk_loop *loop);
/* "Mon, 02 Jan 2006 15:04:05 GMT" of now. */
tk_str tk_loop_date(struct tk_loop *loop);

#endif
