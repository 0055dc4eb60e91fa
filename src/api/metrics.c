/*
 * metrics - the server's own numbers in Prometheus' text format (docs/operations.md lists them).
 */
#include "api/private.h"

struct metric {
    const char *name, *type, *help;
    double value;
};

static void
write_metrics(struct tk_buf *out, const struct metric *metrics, size_t count)
{
    for (size_t i = 0; i < count; i++)
        tk_buf_printf(out, "# HELP tracekit_%s %s\n# TYPE tracekit_%s %s\ntracekit_%s %.15g\n",
                      metrics[i].name, metrics[i].help, metrics[i].name, metrics[i].type,
                      metrics[i].name, metrics[i].value);
}

/* What became of segments: three metrics, each with a sample for every event. */
static void
write_segment_events(struct tk_buf *out, const struct tk_store_stats *stats)
{
    static const char *const names[] = {"events", "event_spans", "event_bytes"};
    static const char *const help[] = {
        "Segments that were sealed, compacted, thinned, expired by age, evicted by a cap on disk.",
        "Spans of these segments; thinned: those that went.",
        "Bytes of these segments; thinned: those that were freed."};
    static const char *const events[] = {"sealed", "compacted", "thinned", "expired", "evicted"};
    const struct tk_store_tally *tallies[] = {&stats->sealed, &stats->compacted, &stats->thinned,
                                              &stats->expired, &stats->evicted};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        tk_buf_printf(out,
                      "# HELP tracekit_store_segment_%s_total %s\n"
                      "# TYPE tracekit_store_segment_%s_total counter\n",
                      names[i], help[i], names[i]);
        for (size_t k = 0; k < sizeof events / sizeof *events; k++) {
            const uint64_t values[] = {tallies[k]->segments, tallies[k]->spans, tallies[k]->bytes};
            tk_buf_printf(out, "tracekit_store_segment_%s_total{event=\"%s\"} %llu\n", names[i],
                          events[k], (unsigned long long)values[i]);
        }
    }
}

static void
write_store(struct tk_api *api, struct tk_buf *out)
{
    struct tk_store_stats stats = {0};
    tk_store_get_stats(api->options.store, &stats);
#define COUNT(value) (double)stats.value
    const struct metric metrics[] = {
        {"store_spans_appended_total", "counter", "Spans taken into the store.",
         COUNT(spans_appended)},
        {"store_bytes_appended_total", "counter", "Bytes of bodies taken, as received.",
         COUNT(bytes_appended)},
        {"store_appends_refused_total", "counter", "Requests the store refused (full, busy).",
         COUNT(appends_refused)},
        {"store_log_bytes", "gauge", "Bytes of the log whose spans are not in segments yet.",
         COUNT(log_bytes)},
        {"store_log_written_bytes_total", "counter", "Bytes written to the log.",
         COUNT(log_written)},
        {"store_log_syncs_total", "counter", "Times the log was synced to disk.", COUNT(log_syncs)},
        {"store_open_spans", "gauge", "Spans in memory, not yet sealed into a segment.",
         COUNT(open_spans)},
        {"store_open_bytes", "gauge", "Memory of spans not yet sealed.", COUNT(open_bytes)},
        {"store_segments", "gauge", "Segment files.", COUNT(segments)},
        {"store_segment_spans", "gauge", "Spans in segments.", COUNT(segment_spans)},
        {"store_segment_bytes", "gauge", "Bytes of segments.", COUNT(segment_bytes)},
        {"store_disk_limit_bytes", "gauge", "What --disk allows; 0: all there is.",
         COUNT(disk_limit)},
        {"store_oldest_span_seconds", "gauge",
         "Earliest start of a trace in a segment, since the epoch; 0: there is none.",
         (double)stats.oldest_nano / 1e9},
        {"store_damaged_blocks_total", "counter", "Damaged blocks that were skipped.",
         COUNT(damaged_blocks)},
        {"store_cache_bytes", "gauge", "Memory of what was read from segments lately.",
         COUNT(cache_bytes)},
        {"store_cache_hits_total", "counter", "Reads of segments that the cache answered.",
         COUNT(cache_hits)},
        {"store_cache_misses_total", "counter", "Reads of segments that went to the file.",
         COUNT(cache_misses)},
        {"store_replayed_spans", "gauge", "Spans read again from the log at this start.",
         COUNT(replayed_spans)},
        {"store_replay_seconds", "gauge", "Time this start took to read the log.",
         (double)stats.replay_nano / 1e9},
    };
#undef COUNT
    write_metrics(out, metrics, sizeof metrics / sizeof *metrics);
    write_segment_events(out, &stats);
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
         (double)atomic_load(&api->spans_accepted)},
        {"spans_rejected_total", "counter", "Spans named in a partial_success.",
         (double)atomic_load(&api->spans_rejected)},
        {"connections_open", "gauge", "Open connections.", (double)stats.connections_open},
        {"connections_total", "counter", "Connections accepted.", (double)stats.connections_total},
        {"requests_total", "counter", "Requests received.", (double)stats.requests_total},
        {"requests_refused_total", "counter", "Requests refused before they were routed.",
         (double)stats.refused_total},
        {"received_bytes_total", "counter", "Bytes received.", (double)stats.bytes_in},
        {"sent_bytes_total", "counter", "Bytes sent.", (double)stats.bytes_out},
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
