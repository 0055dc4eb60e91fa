/* conn - see conn.h. */
#include "net/conn.h"

#include "base/assert.h"
#include "net/http1.h"
#include "net/http2.h"

/* How long a connection that we have closed is still read: clients that send a refused body to its
   end before they look for the answer must get there. */
enum { LINGER_QUIET_MS = 2000, LINGER_MS = 30000, LINGER_MAX = 128 << 20 };

void
tk_conn_init(struct tk_conn *conn, struct tk_loop *loop)
{
    conn->loop = loop;
    tk_output_init(&conn->out);
    conn->next = loop->conns;
    if (conn->next != NULL)
        conn->next->prev = conn;
    loop->conns = conn;
    tk_conn_set_deadline(conn, TK_DEADLINE_IDLE, loop->shared->options.idle_timeout_ms);
}

void
tk_conn_close(struct tk_conn *conn)
{
    if (conn->closed)
        return;
    conn->closed = true;
    conn->finishing = true;
    conn->transport->close(conn);
}

/* The transport's last word, when nobody is in the middle of using the connection. */
void
tk_conn_release(struct tk_conn *conn)
{
    TK_ASSERT(conn->closed);
    tk_http1_free(conn->http1);
    tk_http2_free(conn->http2);
    tk_output_release(&conn->out);
    if (conn->prev != NULL)
        conn->prev->next = conn->next;
    else
        conn->loop->conns = conn->next;
    if (conn->next != NULL)
        conn->next->prev = conn->prev;
}

/* ---- input ---- */

static void
use_http1(struct tk_conn *conn)
{
    conn->speaks = TK_CONN_HTTP1;
    conn->http1 = tk_http1_new(conn);
    if (conn->http1 == NULL)
        tk_conn_close(conn);
}

void
tk_conn_use_http2(struct tk_conn *conn)
{
    conn->speaks = TK_CONN_HTTP2;
    conn->http2 = tk_http2_new(conn);
    if (conn->http2 == NULL)
        tk_conn_close(conn);
}

/* HTTP/2 by prior knowledge begins with a preface that no HTTP/1 request can begin with.
   Returns false while that is open. */
static bool
sniff(struct tk_conn *conn, tk_str bytes)
{
    static const char preface[] = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
    size_t seen = conn->sniffed;
    size_t part = sizeof preface - 1 - seen;
    if (bytes.len < part)
        part = bytes.len;
    bool same = memcmp(bytes.ptr, preface + seen, part) == 0;
    conn->sniffed = seen + part;
    if (same && conn->sniffed < sizeof preface - 1) {
        if (seen == 0)
            tk_conn_set_deadline(conn, TK_DEADLINE_HEAD,
                                 conn->loop->shared->options.head_timeout_ms);
        return false;
    }
    if (same)
        tk_conn_use_http2(conn);
    else
        use_http1(conn);
    if (conn->closed || seen == 0)
        return true;
    /* What looked like the preface so far was held back, and is known by heart. */
    if (same)
        tk_http2_received(conn->http2, preface, seen);
    else
        tk_http1_received(conn->http1, preface, seen);
    return true;
}

char *
tk_conn_buffer(struct tk_conn *conn, size_t *ret_size)
{
    char *buffer = NULL;
    if (conn->speaks == TK_CONN_HTTP1 && !conn->finishing)
        buffer = tk_http1_buffer(conn->http1, ret_size);
    if (buffer == NULL) {
        buffer = conn->loop->scratch;
        *ret_size = TK_SCRATCH_SIZE;
    }
    return buffer;
}

static void
linger(struct tk_conn *conn, size_t size)
{
    uint64_t left = conn->linger_end_ms - conn->loop->now_ms;
    conn->lingered += size;
    if (conn->lingered > LINGER_MAX)
        tk_conn_close(conn);
    else if (conn->lingering)
        tk_conn_set_deadline(conn, TK_DEADLINE_LINGER,
                             left < LINGER_QUIET_MS ? (unsigned)left : LINGER_QUIET_MS);
}

void
tk_conn_received(struct tk_conn *conn, const char *bytes, size_t size)
{
    tk_count(&conn->loop->counters.bytes_in, size);
    if (conn->closed || size == 0)
        return;
    if (conn->finishing) {
        linger(conn, size);
        return;
    }
    if (conn->speaks == TK_CONN_SNIFFING && !sniff(conn, (tk_str){bytes, size}))
        return;
    if (conn->closed)
        return;
    if (conn->speaks == TK_CONN_HTTP1)
        tk_http1_received(conn->http1, bytes, size);
    else
        tk_http2_received(conn->http2, bytes, size);
}

void
tk_conn_eof(struct tk_conn *conn)
{
    conn->eof = true;
    if (conn->lingering || conn->speaks == TK_CONN_SNIFFING)
        tk_conn_close(conn);
}

/* ---- output ---- */

static bool
advance(struct tk_conn *conn)
{
    if (conn->closed || conn->finishing || conn->speaks == TK_CONN_SNIFFING)
        return false;
    return conn->speaks == TK_CONN_HTTP1 ? tk_http1_advance(conn->http1)
                                         : tk_http2_advance(conn->http2);
}

void
tk_conn_settle(struct tk_conn *conn)
{
    do {
        (void)advance(conn);
        if (!conn->closed)
            conn->transport->flush(conn);
    } while (advance(conn));
    if (conn->closed)
        return;
    size_t unsent = conn->out.size + conn->wire_size;
    if (unsent == 0) {
        conn->write_deadline_ms = 0;
    } else if (conn->write_deadline_ms == 0) {
        tk_conn_progress(conn);
    }
    if (!conn->finishing || conn->lingering || unsent > 0)
        return;
    /* Closing while bytes of the peer are unread would reset the connection, and could cost it
       our last answer: shut our side, and read on for a moment. */
    if (conn->eof) {
        tk_conn_close(conn);
        return;
    }
    conn->lingering = true;
    conn->transport->shutdown(conn);
    if (conn->paused)
        conn->transport->pause(conn, false);
    conn->linger_end_ms = conn->loop->now_ms + LINGER_MS;
    linger(conn, 0);
}

void
tk_conn_finish(struct tk_conn *conn)
{
    conn->finishing = true;
    tk_conn_set_deadline(conn, TK_DEADLINE_NONE, 0);
}

void
tk_conn_answer(struct tk_conn *conn, struct tk_exchange *exchange)
{
    if (conn->speaks == TK_CONN_HTTP2)
        tk_http2_answer(conn->http2, exchange);
    else
        tk_http1_answer(conn->http1, exchange);
}

void
tk_conn_stream(struct tk_conn *conn, struct tk_exchange *exchange, struct tk_stream_part *part)
{
    if (conn->speaks == TK_CONN_HTTP2)
        tk_http2_stream(conn->http2, exchange, part);
    else
        tk_http1_stream(conn->http1, exchange, part);
}

/* ---- time ---- */

void
tk_conn_set_deadline(struct tk_conn *conn, enum tk_deadline deadline, unsigned ms)
{
    conn->deadline = deadline;
    conn->deadline_ms = conn->loop->now_ms + ms;
}

void
tk_conn_progress(struct tk_conn *conn)
{
    conn->write_deadline_ms = conn->loop->now_ms + conn->loop->shared->options.body_timeout_ms;
}

void
tk_conn_check_deadlines(struct tk_conn *conn)
{
    uint64_t now = conn->loop->now_ms;
    if (conn->closed)
        return;
    if (conn->write_deadline_ms != 0 && now >= conn->write_deadline_ms) {
        tk_conn_close(conn); /* the peer reads nothing */
        return;
    }
    bool passed = conn->deadline != TK_DEADLINE_NONE && now >= conn->deadline_ms;
    if (conn->speaks == TK_CONN_HTTP2 && !conn->finishing)
        tk_http2_check_deadlines(conn->http2);
    else if (!passed)
        return; /* idle connections cost no more than this */
    if (passed && !conn->closed) {
        enum tk_deadline deadline = conn->deadline;
        conn->deadline = TK_DEADLINE_NONE;
        if (deadline == TK_DEADLINE_LINGER || conn->speaks == TK_CONN_SNIFFING)
            tk_conn_close(conn);
        else if (conn->speaks == TK_CONN_HTTP1)
            tk_http1_timeout(conn->http1, deadline);
        else
            tk_http2_timeout(conn->http2, deadline);
    }
    tk_conn_settle(conn);
}

void
tk_conn_drain(struct tk_conn *conn)
{
    if (conn->closed || conn->finishing)
        return;
    if (conn->speaks == TK_CONN_SNIFFING)
        tk_conn_close(conn);
    else if (conn->speaks == TK_CONN_HTTP1)
        tk_http1_drain(conn->http1);
    else
        tk_http2_drain(conn->http2);
    tk_conn_settle(conn);
}
