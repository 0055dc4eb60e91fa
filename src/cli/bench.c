/* bench - a load of realistic spans for a running server, and how soon they are found. */
#include "bench/load.h"
#include "bench/probe.h"
#include "cli/cli.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <sys/random.h>

enum { TRACES_LISTED = 10000, BODY_SPANS_MAX = 100000, SERVICES_MAX = 10000, PROBES_MAX = 100000 };

struct config {
    struct tk_load_options load;
    const char *key, *read_key, *protocol, *format, *encoding, *traces;
    uint64_t batch, services, instances, trace_spans, seed, probes, probe_pause_ms;
    bool json;
};

/* The probes run beside the load. */
struct probing {
    struct tk_probe_options options;
    struct tk_probe_result result;
    enum tk_err code;
    struct tk_error err;
};

static void *
probe_thread(void *arg)
{
    struct probing *probing = arg;
    probing->code = tk_probe_run(&probing->options, &probing->result, &probing->err);
    return NULL;
}

static enum tk_exit
check(struct config *config)
{
    struct tk_load_options *load = &config->load;
    load->grpc = strcmp(config->protocol, "grpc") == 0;
    load->round.format =
        strcmp(config->format, "json") == 0 ? TK_FORMAT_OTLP_JSON : TK_FORMAT_OTLP_PROTOBUF;
    if (strcmp(config->encoding, "none") != 0)
        (void)tk_encoding_parse(tk_str_from(config->encoding), &load->encoding);
    if (load->connections == 0 || load->connections > TK_LOAD_CONNECTIONS_MAX)
        return tk_cli_fail(TK_EXIT_USAGE, "bench", "--connections: 1 to %d",
                           TK_LOAD_CONNECTIONS_MAX);
    if (config->batch == 0 || config->batch > BODY_SPANS_MAX)
        return tk_cli_fail(TK_EXIT_USAGE, "bench", "--batch: 1 to %d", BODY_SPANS_MAX);
    if (config->services == 0 || config->instances == 0 ||
        config->services > SERVICES_MAX / config->instances)
        return tk_cli_fail(TK_EXIT_USAGE, "bench",
                           "--services times --instances: 1 to %d processes", SERVICES_MAX);
    if (config->trace_spans > TK_GENERATE_TRACE_SPANS_MAX)
        return tk_cli_fail(TK_EXIT_USAGE, "bench", "--trace-spans: up to %d",
                           TK_GENERATE_TRACE_SPANS_MAX);
    if (config->probes > PROBES_MAX)
        return tk_cli_fail(TK_EXIT_USAGE, "bench", "--probes: up to %d", PROBES_MAX);
    if (load->grpc && load->round.format == TK_FORMAT_OTLP_JSON)
        return tk_cli_fail(TK_EXIT_USAGE, "bench", "--protocol grpc carries protobuf only");
    if (load->spans > 0 && load->needles > 0 && load->spans < 1000 * load->needles)
        return tk_cli_fail(TK_EXIT_USAGE, "bench", "--needles: at most one in 1000 spans");
    if (load->spans == 0 && load->needles > 0)
        return tk_cli_fail(TK_EXIT_USAGE, "bench", "--needles: say --spans as well");
    if (load->encoding != TK_ENCODING_NONE && load->spans == 0)
        return tk_cli_fail(TK_EXIT_USAGE, "bench",
                           "--encoding: compressed requests are made beforehand: say --spans");
    return TK_EXIT_GOOD;
}

static void
print_json(const struct tk_load_result *load, const struct tk_probe_result *probe)
{
    (void)printf("{\"spans\":%" PRIu64 ",\"seconds\":%.3f,\"spansPerSecond\":%.0f,"
                 "\"bytesPerSecond\":%.0f,\"ackP50Ms\":%.3f,\"ackP99Ms\":%.3f,\"ackMaxMs\":%.3f,"
                 "\"requests\":%" PRIu64 ",\"refused\":%" PRIu64 ",\"failed\":%" PRIu64
                 ",\"needles\":%" PRIu64,
                 load->spans, load->seconds, (double)load->spans / load->seconds,
                 (double)load->sent_bytes / load->seconds, load->ack_p50_ms, load->ack_p99_ms,
                 load->ack_max_ms, load->requests, load->refused, load->failed, load->needles);
    if (probe->count > 0)
        (void)printf(",\"probes\":%" PRIu64 ",\"foundP50Ms\":%.3f,\"foundP99Ms\":%.3f,"
                     "\"foundMaxMs\":%.3f",
                     probe->count, probe->found_p50_ms, probe->found_p99_ms, probe->found_max_ms);
    (void)printf("}\n");
}

static void
print_text(const struct tk_load_result *load, const struct tk_probe_result *probe)
{
    (void)printf("%" PRIu64 " spans acknowledged in %.2f s: %.0f spans/s, %.1f MB/s\n", load->spans,
                 load->seconds, (double)load->spans / load->seconds,
                 (double)load->sent_bytes / load->seconds / 1e6);
    (void)printf("acknowledged after: p50 %.2f ms, p99 %.2f ms, most %.2f ms (%" PRIu64
                 " requests)\n",
                 load->ack_p50_ms, load->ack_p99_ms, load->ack_max_ms, load->requests);
    if (probe->count > 0)
        (void)printf(
            "found after the acknowledgement: p50 %.2f ms, p99 %.2f ms, most %.2f ms (%" PRIu64
            " probes)\n",
            probe->found_p50_ms, probe->found_p99_ms, probe->found_max_ms, probe->count);
    if (load->refused > 0)
        (void)printf("refused for the moment and sent again: %" PRIu64 " requests\n",
                     load->refused);
}

/* Traces that were sent, evenly chosen: "ID SPANS" lines. */
static enum tk_exit
write_traces(const struct tk_load *load, const char *path)
{
    uint64_t count = tk_load_trace_count(load), every = count / TRACES_LISTED + 1;
    struct tk_trace_id id;
    uint32_t spans;
    char text[TK_TRACE_ID_HEX + 1];
    FILE *file = fopen(path, "w");
    if (file == NULL)
        return tk_cli_fail(TK_EXIT_CANNOT_START, "bench", "%s: cannot be written", path);
    for (uint64_t i = 0; tk_load_trace(load, i, &id, &spans); i += every) {
        tk_trace_id_format(id, text);
        (void)fprintf(file, "%s %u\n", text, spans);
    }
    return fclose(file) == 0 ? TK_EXIT_GOOD
                             : tk_cli_fail(TK_EXIT_CANNOT_START, "bench", "%s: not written", path);
}

static enum tk_exit
run(struct config *config)
{
    struct tk_load *load = NULL;
    struct tk_load_result result = {0};
    struct tk_error err = {0};
    struct probing probing = {.options = {.url = config->load.url,
                                          .send_key = config->key,
                                          .read_key = config->read_key,
                                          .count = config->probes,
                                          .pause_ms = config->probe_pause_ms}};
    pthread_t thread;
    enum tk_exit status = TK_EXIT_GOOD;
    enum tk_err code = tk_load_new(&load, &config->load, &err);
    bool probes = code == TK_OK && config->probes > 0 &&
                  pthread_create(&thread, NULL, probe_thread, &probing) == 0;
    if (code == TK_OK)
        code = tk_load_run(load, &result, &err);
    if (probes)
        (void)pthread_join(thread, NULL);
    if (code == TK_OK && probes && probing.code != TK_OK) {
        code = probing.code;
        err = probing.err;
    }
    if (code != TK_OK) {
        status =
            tk_cli_fail(code == TK_ERR_INPUT || code == TK_ERR_DENIED ? tk_cli_status(code)
                                                                      : TK_EXIT_UNREACHABLE,
                        "bench", "%s", err.message[0] != '\0' ? err.message : tk_err_text(code));
        goto out;
    }
    (config->json ? print_json : print_text)(&result, &probing.result);
    if (config->traces != NULL)
        status = write_traces(load, config->traces);
    if (result.failed > 0)
        status =
            tk_cli_fail(strncmp(result.failure, "401", 3) == 0 ? TK_EXIT_DENIED : TK_EXIT_FINDING,
                        "bench", "%" PRIu64 " requests were not acknowledged, the first: %s",
                        result.failed, result.failure);
out:
    tk_load_free(load);
    return status;
}

enum tk_exit
tk_cli_bench(int argc, char **argv)
{
    uint32_t any_run = 0;
    if (getrandom(&any_run, sizeof any_run, 0) != sizeof any_run)
        any_run = 0;
    struct config config = {
        .load = {.url = "http://127.0.0.1:4318", .connections = 8, .run = any_run},
        .protocol = "http",
        .format = "protobuf",
        .encoding = "none",
        .batch = 512,
        .services = 30,
        .instances = 8,
        .seed = 1,
        .probe_pause_ms = 100,
    };
    const struct tk_option table[] = {
        {"server", TK_OPTION_STRING, &config.load.url, "URL",
         "any OTLP receiver [http://127.0.0.1:4318]", NULL, "TRACEKIT_ENDPOINT"},
        {"api-key", TK_OPTION_STRING, &config.key, "KEY",
         "a server key; better in TRACEKIT_API_KEY; --dev needs none", NULL, "TRACEKIT_API_KEY"},
        {"read-key", TK_OPTION_STRING, &config.read_key, "KEY", "a read key, for --probes", NULL,
         NULL},
        {"spans", TK_OPTION_NUMBER, &config.load.spans, "N",
         "send about so many, as fast as they are taken", NULL, NULL},
        {"seconds", TK_OPTION_NUMBER, &config.load.seconds, "N", "or for so long [10]", NULL, NULL},
        {"rate", TK_OPTION_NUMBER, &config.load.rate, "N", "spans a second; 0: all it takes [0]",
         NULL, NULL},
        {"connections", TK_OPTION_NUMBER, &config.load.connections, "N",
         "one request under way on each [8]", NULL, NULL},
        {"protocol", TK_OPTION_CHOICE, &config.protocol, "P", "http|grpc [http]", "http|grpc",
         NULL},
        {"format", TK_OPTION_CHOICE, &config.format, "F", "protobuf|json [protobuf]",
         "protobuf|json", NULL},
        {"encoding", TK_OPTION_CHOICE, &config.encoding, "E",
         "none|gzip|zstd, made beforehand: needs --spans [none]", "none|gzip|zstd", NULL},
        {"batch", TK_OPTION_NUMBER, &config.batch, "N", "spans of a full request, about [512]",
         NULL, NULL},
        {"services", TK_OPTION_NUMBER, &config.services, "N", "[30]", NULL, NULL},
        {"instances", TK_OPTION_NUMBER, &config.instances, "N",
         "processes of each service; each sends its own spans [8]", NULL, NULL},
        {"trace-spans", TK_OPTION_NUMBER, &config.trace_spans, "N",
         "of each trace [1 to 200, 10 in the mean]", NULL, NULL},
        {"seed", TK_OPTION_NUMBER, &config.seed, "N", "of the traces [1]", NULL, NULL},
        {"run", TK_OPTION_NUMBER, &config.load.run, "N",
         "0 to 2^32 - 1: which ids the traces have [random]", NULL, NULL},
        {"probes", TK_OPTION_NUMBER, &config.probes, "N",
         "how soon is a span found? ask so often meanwhile [0]", NULL, NULL},
        {"probe-pause", TK_OPTION_NUMBER, &config.probe_pause_ms, "MS", "between two [100]", NULL,
         NULL},
        {"needles", TK_OPTION_NUMBER, &config.load.needles, "N",
         "give so many traces the enduser.id user-00000042 [0]", NULL, NULL},
        {"traces", TK_OPTION_STRING, &config.traces, "FILE",
         "write ids and span counts of up to 10000 of them", NULL, NULL},
        {"json", TK_OPTION_BOOL, &config.json, NULL, "the figures as JSON", NULL, NULL},
    };
    struct tk_options options = {.options = table, .option_count = sizeof table / sizeof *table};
    static const struct tk_cli_usage usage = {
        .command = "bench",
        .usage = "tracekit bench [options]",
        .about =
            "Loads a running server with realistic spans and prints how many it acknowledged and\n"
            "how soon. Every trace is new; with the same --seed and --run they are the same.",
    };
    struct tk_arena arena;
    enum tk_exit status = TK_EXIT_GOOD;

    tk_arena_init(&arena, 4096, 1 << 20);
    if (!tk_cli_parse(&usage, &options, argc, argv, &arena, &status))
        goto out;
    status = check(&config);
    if (status != TK_EXIT_GOOD)
        goto out;
    if (config.load.spans == 0 && config.load.seconds == 0)
        config.load.seconds = 10;
    config.load.key = config.key;
    config.load.run &= UINT32_MAX;
    config.load.round.body_spans = (uint32_t)config.batch;
    config.load.round.generate.services = (uint32_t)config.services;
    config.load.round.generate.instances = (uint32_t)config.instances;
    config.load.round.generate.seed = config.seed;
    config.load.round.generate.trace_spans = (uint32_t)config.trace_spans;
    status = run(&config);
out:
    tk_arena_release(&arena);
    return status;
}
