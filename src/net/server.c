/*
 * server - see server.h: puts loops, listeners, workers and TLS together, and takes them apart.
 *
 * Stopping goes from the outside in: each loop closes its listeners, lets its connections finish,
 * cuts them off when the grace is over, and ends once the last request was answered, which needs
 * the workers; so they are joined after the loops.
 */
#include "net/conn.h"
#include "net/listen.h"
#include "net/tls.h"

#include "base/assert.h"

#include <stdlib.h>
#include <unistd.h>

enum { THREADS_MAX = 64 };

struct tk_server {
    struct tk_shared shared;
    int *ports;
    size_t listen_count;
    unsigned loop_count;
    struct tk_loop loops[];
};

static void
fill(unsigned *option, unsigned standard)
{
    if (*option == 0)
        *option = standard;
}

static unsigned
at_most(unsigned value, unsigned max)
{
    return value < max ? value : max;
}

static struct tk_server_options
with_defaults(const struct tk_server_options *given)
{
    struct tk_server_options options = *given;
    unsigned cores = uv_available_parallelism();
    fill(&options.threads, at_most(cores, 8));
    fill(&options.workers, at_most(cores + 2, 16));
    fill(&options.worker_queue_max, 1024);
    fill(&options.connections_max, 10000);
    fill(&options.head_timeout_ms, 10000);
    fill(&options.body_timeout_ms, 30000);
    fill(&options.idle_timeout_ms, 120000);
    if (options.head_size_max == 0)
        options.head_size_max = 32 << 10;
    if (options.buffered_max == 0)
        options.buffered_max = (size_t)512 << 20;
    options.threads = at_most(options.threads, THREADS_MAX);
    return options;
}

static void
free_server(struct tk_server *server)
{
    for (unsigned i = 0; i < server->loop_count; i++)
        tk_loop_release(&server->loops[i]);
    if (server->shared.workers != NULL)
        tk_workers_stop(server->shared.workers);
    tk_tls_context_free(server->shared.tls);
    free(server->ports);
    free(server);
}

/* One socket per loop for one address. */
static enum tk_err
listen_on(struct tk_server *server, const char *address, int *ret_port, struct tk_error *err)
{
    int fds[THREADS_MAX];
    enum tk_err status = tk_listen(address, fds, server->loop_count, ret_port, err);
    if (status != TK_OK)
        return status;
    for (unsigned i = 0; i < server->loop_count; i++) {
        if (status == TK_OK)
            status = tk_loop_listen(&server->loops[i], fds[i], err); /* takes the socket */
        else
            close(fds[i]);
    }
    return status;
}

static enum tk_err
make_loops(struct tk_server *server, struct tk_error *err)
{
    for (; server->loop_count < server->shared.options.threads; server->loop_count++) {
        struct tk_loop *loop = &server->loops[server->loop_count];
        loop->listeners = calloc(server->listen_count, sizeof *loop->listeners);
        enum tk_err status = loop->listeners != NULL
                                 ? tk_loop_init(loop, &server->shared, err)
                                 : tk_error_set(err, TK_ERR_MEMORY, "out of memory");
        if (status != TK_OK) {
            free(loop->listeners);
            return status;
        }
    }
    return TK_OK;
}

enum tk_err
tk_server_start(const struct tk_server_options *given, const struct tk_server_handler *handler,
                struct tk_server **ret_server, struct tk_error *err)
{
    struct tk_server_options options = with_defaults(given);
    struct tk_server *server =
        calloc(1, sizeof *server + options.threads * sizeof server->loops[0]);
    if (server == NULL)
        return tk_error_set(err, TK_ERR_MEMORY, "out of memory");
    enum tk_err status;
    server->shared.options = options;
    server->shared.handler = *handler;
    server->listen_count = options.listen_count;
    server->ports = calloc(options.listen_count, sizeof *server->ports);
    if (server->ports == NULL) {
        status = tk_error_set(err, TK_ERR_MEMORY, "out of memory");
        goto out;
    }
    if (options.tls_cert != NULL) {
        status = tk_tls_context_new(options.tls_cert, options.tls_key, &server->shared.tls, err);
        if (status != TK_OK)
            goto out;
    }
    status = make_loops(server, err);
    for (size_t i = 0; status == TK_OK && i < options.listen_count; i++)
        status = listen_on(server, options.listen[i], &server->ports[i], err);
    if (status == TK_OK)
        status = tk_workers_start(options.workers, options.worker_queue_max,
                                  &server->shared.workers, err);
    if (status != TK_OK)
        goto out;
    for (unsigned i = 0; i < server->loop_count; i++) {
        status = tk_loop_start(&server->loops[i], err);
        if (status != TK_OK) {
            tk_server_stop(server, 0);
            return status;
        }
    }
    *ret_server = server;
out:
    if (status != TK_OK)
        free_server(server);
    return status;
}

int
tk_server_port(const struct tk_server *server, size_t index)
{
    TK_ASSERT(index < server->listen_count);
    return server->ports[index];
}

enum tk_err
tk_server_reload_tls(struct tk_server *server, struct tk_error *err)
{
    if (server->shared.tls == NULL)
        return TK_OK;
    return tk_tls_context_reload(server->shared.tls, err);
}

void
tk_server_stop(struct tk_server *server, unsigned grace_ms)
{
    for (unsigned i = 0; i < server->loop_count; i++)
        if (server->loops[i].started)
            tk_loop_stop(&server->loops[i], grace_ms);
    free_server(server);
}

void
tk_server_stats(const struct tk_server *server, struct tk_server_stats *ret_stats)
{
    *ret_stats =
        (struct tk_server_stats){.connections_open = atomic_load(&server->shared.connections)};
    for (unsigned i = 0; i < server->loop_count; i++) {
        const struct tk_loop_counters *counters = &server->loops[i].counters;
        ret_stats->connections_total += counters->connections_total;
        ret_stats->requests_total += counters->requests_total;
        ret_stats->refused_total += counters->refused_total;
        ret_stats->bytes_in += counters->bytes_in;
        ret_stats->bytes_out += counters->bytes_out;
    }
}
