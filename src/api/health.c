/* health - alive, ready, and the server's own numbers in Prometheus' text format. */
#include "api/private.h"

void
tk_route_healthz(struct tk_call *call)
{
    tk_reply_static(call, 200, TK_STR("application/json"), TK_STR("{\"status\":\"ok\"}"));
}

void
tk_route_readyz(struct tk_call *call)
{
    struct tk_error err = {0};
    enum tk_err result = tk_store_ready(call->api->options.store, &err);
    if (result == TK_OK)
        tk_reply_static(call, 200, TK_STR("application/json"), TK_STR("{\"status\":\"ready\"}"));
    else
        tk_reply_problem(call, 503, "Not ready", "%s",
                         err.message[0] != '\0' ? err.message : tk_err_text(result));
}

struct metric {
    const char *name, *type, *help;
    uint64_t value;
};

static void
write_metrics(struct tk_buf *out, const struct metric *metrics, size_t count)
{
    for (size_t i = 0; i < count; i++)
        tk_buf_printf(out, "# HELP tracekit_%s %s\n# TYPE tracekit_%s %s\ntracekit_%s %llu\n",
                      metrics[i].name, metrics[i].help, metrics[i].name, metrics[i].type,
                      metrics[i].name, (unsigned long long)metrics[i].value);
}

static void
write_store(struct tk_api *api, struct tk_buf *out)
{
    struct tk_store_stats stats = {0};
    tk_store_get_stats(api->options.store, &stats);
    const struct metric metrics[] = {
        {"store_spans_appended_total", "counter", "Spans given to the store.",
         stats.spans_appended},
        {"store_bytes_appended_total", "counter", "Bytes of bodies given to the store.",
         stats.bytes_appended},
        {"store_appends_refused_total", "counter", "Requests the store refused (full, busy).",
         stats.appends_refused},
        {"store_log_bytes", "gauge", "Bytes in the log.", stats.log_bytes},
        {"store_log_syncs_total", "counter", "Times the log was synced to disk.", stats.log_syncs},
        {"store_open_spans", "gauge", "Spans not yet sealed into a segment.", stats.open_spans},
        {"store_open_bytes", "gauge", "Memory of spans not yet sealed.", stats.open_bytes},
        {"store_segments", "gauge", "Segment files.", stats.segments},
        {"store_segment_spans", "gauge", "Spans in segments.", stats.segment_spans},
        {"store_segment_bytes", "gauge", "Bytes of segments.", stats.segment_bytes},
        {"store_damaged_blocks_total", "counter", "Damaged blocks that were skipped.",
         stats.damaged_blocks},
        {"store_replayed_spans", "gauge", "Spans read again from the log at this start.",
         stats.replayed_spans},
    };
    write_metrics(out, metrics, sizeof metrics / sizeof *metrics);
    tk_buf_printf(out,
                  "# HELP tracekit_store_replay_seconds Time this start took to read the log.\n"
                  "# TYPE tracekit_store_replay_seconds gauge\n"
                  "tracekit_store_replay_seconds %.6f\n",
                  (double)stats.replay_nano / 1e9);
}

static void
write_server(struct tk_api *api, struct tk_buf *out)
{
    struct tk_server_stats stats = {0};
    const struct tk_server *server = atomic_load(&api->server);
    if (server != NULL)
        tk_server_stats(server, &stats);
    const struct metric metrics[] = {
        {"spans_accepted_total", "counter", "Spans acknowledged.",
         atomic_load(&api->spans_accepted)},
        {"spans_rejected_total", "counter", "Spans named in a partial_success.",
         atomic_load(&api->spans_rejected)},
        {"connections_open", "gauge", "Open connections.", stats.connections_open},
        {"connections_total", "counter", "Connections accepted.", stats.connections_total},
        {"requests_total", "counter", "Requests received.", stats.requests_total},
        {"requests_refused_total", "counter", "Requests refused before they were routed.",
         stats.refused_total},
        {"received_bytes_total", "counter", "Bytes received.", stats.bytes_in},
        {"sent_bytes_total", "counter", "Bytes sent.", stats.bytes_out},
    };
    write_metrics(out, metrics, sizeof metrics / sizeof *metrics);
}

void
tk_route_metrics(struct tk_call *call)
{
    struct tk_buf out;
    tk_buf_init(&out, 1 << 20);
    tk_buf_printf(&out,
                  "# HELP tracekit_build_info The running version.\n"
                  "# TYPE tracekit_build_info gauge\n"
                  "tracekit_build_info{version=\"%s\"} 1\n",
                  TK_VERSION);
    write_server(call->api, &out);
    write_store(call->api, &out);
    tk_reply(call, 200, TK_STR("text/plain; version=0.0.4; charset=utf-8"), &out);
}
