/* load - see load.h. */
#include "bench/load.h"

#include "bench/grpc.h"
#include "bench/http.h"
#include "wire/compress.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum {
    LATENCIES_MAX = 1 << 20, /* later ones are not kept */
    HEADERS_SIZE = 512,
    PACKED_SPANS_MAX = 20000000,
    TRACE_SPANS_MEAN = 10,
    DATED_RATE = 10000, /* spans a second, without a rate */
    GZIP_LEVEL = 6,
    ZSTD_LEVEL = 3,
};
static const double RETRY_SECONDS = 0.1;

struct packed {
    char *ptr; /* owned */
    size_t len;
};

struct connection {
    struct tk_http http;
    struct tk_export export;
    char *body;   /* owned */
    tk_str bytes; /* being sent: in `body`, or packed */
    bool busy;
    double due;      /* when the request under way should have left */
    double retry_at; /* not 0: it was refused, and goes again then */
    uint32_t span_count;
};

struct tk_load {
    struct tk_load_options options;
    char host[256], port[16];
    struct tk_round round;
    uint64_t sendings_max; /* 0: no end */
    uint64_t sendings, start_nano, needles;
    struct packed *packed; /* [sendings_max], or NULL */
    struct connection *connections;
    double *latencies;
    size_t latency_count;
    char headers[HEADERS_SIZE];
    double begin, last;
    struct tk_load_result result;
};

static double
now(void)
{
    struct timespec time;
    (void)clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

static uint64_t
wall_nano(void)
{
    struct timespec time;
    (void)clock_gettime(CLOCK_REALTIME, &time);
    return (uint64_t)time.tv_sec * 1000000000u + (uint64_t)time.tv_nsec;
}

/* ---- what is sent ---------------------------------------------------------------------------- */

static const struct tk_body *
body_of(const struct tk_load *load, uint64_t sending)
{
    return &load->round.bodies[sending % load->round.body_count];
}

static struct tk_sending
sending_of(const struct tk_load *load, uint64_t sending)
{
    uint64_t round = sending / load->round.body_count;
    return (struct tk_sending){.number = load->options.run << 32 | round,
                               .start_nano = load->start_nano + round * load->round.length_nano};
}

static void
copy_body(struct tk_load *load, uint64_t number, char *to)
{
    const struct tk_body *body = body_of(load, number);
    struct tk_sending sending = sending_of(load, number);
    uint64_t wanted = load->options.needles, after = load->needles * 2 + 1;
    sending.needle = load->needles < wanted && body->user > 0 &&
                     number * wanted * 2 >= after * load->sendings_max;
    load->needles += sending.needle;
    tk_round_copy(&load->round, body, &sending, to);
}

static void
set_start(struct tk_load *load)
{
    uint64_t present = wall_nano(), hour = 3600000000000u;
    if (load->options.rate > 0)
        load->start_nano = present - (load->round.bodies[0].end_nano - load->round.start_nano);
    else if (load->sendings_max > 0)
        load->start_nano =
            present - load->sendings_max / load->round.body_count * load->round.length_nano;
    else
        load->start_nano = present - hour;
}

static enum tk_err
pack_bodies(struct tk_load *load)
{
    int level = load->options.encoding == TK_ENCODING_ZSTD ? ZSTD_LEVEL : GZIP_LEVEL;
    char *body = malloc(load->round.body_len_max);
    enum tk_err code = TK_ERR_MEMORY;
    load->packed = calloc(load->sendings_max, sizeof *load->packed);
    if (body == NULL || load->packed == NULL)
        goto out;
    code = TK_OK;
    for (uint64_t i = 0; i < load->sendings_max && code == TK_OK; i++) {
        copy_body(load, i, body);
        code = tk_compress(load->options.encoding, level, (tk_str){body, body_of(load, i)->len},
                           &load->packed[i].ptr, &load->packed[i].len);
    }
out:
    free(body);
    return code;
}

static enum tk_err
make_round(struct tk_load *load, struct tk_error *err)
{
    struct tk_round_options round = load->options.round;
    uint64_t spans = load->options.spans, rate = load->options.rate;
    uint64_t wanted = spans > 0 ? spans : rate * load->options.seconds; /* 0: no one knows */
    if (round.spans == 0 && wanted > 0 && wanted < TK_ROUND_SPANS)
        round.spans = (uint32_t)wanted;
    uint64_t dated = rate > 0 ? rate : DATED_RATE;
    uint64_t trace_spans =
        round.generate.trace_spans > 0 ? round.generate.trace_spans : TRACE_SPANS_MEAN;
    round.generate.step_nano = 1000000000u * trace_spans / dated;
    round.generate.step_nano += round.generate.step_nano == 0;
    enum tk_err code = tk_round_make(&load->round, &round);
    if (code != TK_OK)
        return tk_error_set(err, code, "making spans: %s", tk_err_text(code));
    uint64_t each = load->round.span_count, rounds = (spans + each / 2) / each;
    if (spans > 0)
        load->sendings_max = (rounds > 0 ? rounds : 1) * load->round.body_count;
    return TK_OK;
}

/* ---- connections ----------------------------------------------------------------------------- */

static void
write_headers(struct tk_load *load)
{
    static const char *const encodings[] = {"", "gzip", "deflate", "zstd"};
    const struct tk_load_options *options = &load->options;
    int len = snprintf(load->headers, sizeof load->headers, "Content-Type: application/%s\r\n",
                       options->round.format == TK_FORMAT_OTLP_JSON ? "json" : "x-protobuf");
    if (options->encoding != TK_ENCODING_NONE)
        len += snprintf(load->headers + len, sizeof load->headers - (size_t)len,
                        "Content-Encoding: %s\r\n", encodings[options->encoding]);
    if (options->key != NULL)
        (void)snprintf(load->headers + len, sizeof load->headers - (size_t)len, "X-API-Key: %s\r\n",
                       options->key);
}

static enum tk_err
open_connections(struct tk_load *load, struct tk_error *err)
{
    enum tk_err code = TK_OK;
    for (uint64_t i = 0; i < load->options.connections && code == TK_OK; i++) {
        struct connection *connection = &load->connections[i];
        connection->body = malloc(load->round.body_len_max);
        if (connection->body == NULL)
            code = TK_ERR_MEMORY;
        else if (load->options.grpc)
            code = tk_export_connect(&connection->export, load->host, load->port, err);
        else
            code = tk_http_connect(&connection->http, load->host, load->port, true, err);
    }
    return code;
}

static enum tk_err
send_request(struct tk_load *load, struct connection *connection, struct tk_error *err)
{
    static const char *const encodings[] = {NULL, "gzip", "deflate", "zstd"};
    connection->retry_at = 0;
    if (load->options.grpc)
        return tk_export_begin(&connection->export, encodings[load->options.encoding],
                               load->options.key, connection->bytes, err);
    tk_http_begin(&connection->http, "POST", "/v1/traces", load->headers, connection->bytes);
    return TK_OK;
}

static enum tk_err
begin_request(struct tk_load *load, struct connection *connection, double due, struct tk_error *err)
{
    uint64_t sending = load->sendings++;
    const struct tk_body *body = body_of(load, sending);
    if (load->packed != NULL) {
        connection->bytes = (tk_str){load->packed[sending].ptr, load->packed[sending].len};
    } else {
        copy_body(load, sending, connection->body);
        connection->bytes = (tk_str){connection->body, body->len};
    }
    connection->span_count = body->span_count;
    connection->due = due;
    connection->busy = true;
    return send_request(load, connection, err);
}

enum outcome { ACKNOWLEDGED, REFUSED_FOR_NOW, FAILED };

/* An acknowledgement is of every span: no partial success in it. */
static enum outcome
outcome_of(const struct tk_load *load, const struct connection *connection)
{
    enum { GRPC_RESOURCE_EXHAUSTED = 8, GRPC_UNAVAILABLE = 14, GRPC_PREFIX = 5 };
    const struct tk_http *http = &connection->http;
    const struct tk_export *export = &connection->export;
    if (load->options.grpc) {
        if (export->grpc_status == 0 && export->answer_bytes <= GRPC_PREFIX)
            return ACKNOWLEDGED;
        return export->grpc_status == GRPC_RESOURCE_EXHAUSTED ||
                       export->grpc_status == GRPC_UNAVAILABLE
                   ? REFUSED_FOR_NOW
                   : FAILED;
    }
    if (http->status == 200 &&
        (http->answer_body.len == 0 || tk_str_eq(http->answer_body, TK_STR("{}")) ||
         tk_str_eq(http->answer_body, TK_STR("{\"partialSuccess\":{}}"))))
        return ACKNOWLEDGED;
    return http->status == 429 || http->status == 503 ? REFUSED_FOR_NOW : FAILED;
}

static void
note_failure(struct tk_load *load, const struct connection *connection)
{
    struct tk_load_result *result = &load->result;
    tk_str body = connection->http.answer_body;
    if (result->failed++ > 0)
        return;
    if (load->options.grpc)
        (void)snprintf(result->failure, sizeof result->failure, "grpc-status %d %s",
                       connection->export.grpc_status, connection->export.why);
    else
        (void)snprintf(result->failure, sizeof result->failure, "%d %.*s", connection->http.status,
                       body.len < 200 ? (int)body.len : 200, body.ptr);
}

static void
note_answer(struct tk_load *load, struct connection *connection)
{
    struct tk_load_result *result = &load->result;
    double time = now();
    result->requests++;
    result->sent_bytes += connection->bytes.len;
    load->last = time;
    switch (outcome_of(load, connection)) {
    case REFUSED_FOR_NOW:
        result->refused++;
        connection->retry_at = time + RETRY_SECONDS;
        return;
    case FAILED:
        note_failure(load, connection);
        break;
    case ACKNOWLEDGED:
        result->spans += connection->span_count;
        if (load->latency_count < LATENCIES_MAX)
            load->latencies[load->latency_count++] = time - connection->due;
        break;
    }
    connection->busy = false;
}

/* ---- the run --------------------------------------------------------------------------------- */

/* When the next request may leave; in the past when it should have left. */
static double
next_due(const struct tk_load *load)
{
    if (load->options.rate == 0)
        return load->begin;
    uint64_t round = load->sendings / load->round.body_count;
    uint64_t index = load->sendings % load->round.body_count;
    double spans = (double)load->round.span_count *
                   ((double)round + (double)index / (double)load->round.body_count);
    return load->begin + spans / (double)load->options.rate;
}

static bool
may_send(const struct tk_load *load)
{
    if (load->options.seconds > 0 && now() >= load->begin + (double)load->options.seconds)
        return false;
    return load->sendings_max == 0 || load->sendings < load->sendings_max;
}

static enum tk_err
step(struct tk_load *load, struct connection *connection, struct tk_error *err)
{
    enum tk_err code = TK_OK;
    if (!connection->busy && may_send(load)) {
        double due = next_due(load), time = now();
        if (due <= time)
            code = begin_request(load, connection, load->options.rate > 0 ? due : time, err);
    }
    if (code == TK_OK && connection->retry_at != 0 && connection->retry_at <= now())
        code = send_request(load, connection, err);
    if (code != TK_OK || !connection->busy || connection->retry_at != 0)
        return code;
    code = load->options.grpc ? tk_export_step(&connection->export, err)
                              : tk_http_step(&connection->http, err);
    if (code == TK_OK)
        note_answer(load, connection);
    return code == TK_ERR_BUSY ? TK_OK : code;
}

/* Until a socket is ready or a request is due; false when nothing is under way any more. */
static bool
wait_for_work(struct tk_load *load)
{
    struct pollfd fds[TK_LOAD_CONNECTIONS_MAX];
    nfds_t count = 0;
    bool sends = may_send(load), waits = false;
    double wake = now() + 0.1;
    for (uint64_t i = 0; i < load->options.connections; i++) {
        const struct connection *connection = &load->connections[i];
        double due = connection->retry_at != 0 ? connection->retry_at : next_due(load);
        waits |= connection->busy;
        if ((connection->retry_at != 0 || (!connection->busy && sends)) && due < wake)
            wake = due;
        if (connection->busy && connection->retry_at == 0)
            fds[count++] =
                load->options.grpc
                    ? (struct pollfd){connection->export.fd, tk_export_events(&connection->export),
                                      0}
                    : (struct pollfd){connection->http.fd, tk_http_events(&connection->http), 0};
    }
    if (!waits && !sends)
        return false;
    double left = wake - now();
    if (left > 0)
        (void)ppoll(fds, count, &(struct timespec){.tv_nsec = (long)(left * 1e9)}, NULL);
    return true;
}

static int
by_size(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double
quantile_ms(const struct tk_load *load, double q)
{
    if (load->latency_count == 0)
        return 0;
    return load->latencies[(size_t)(q * (double)(load->latency_count - 1))] * 1000;
}

enum tk_err
tk_load_run(struct tk_load *load, struct tk_load_result *ret_result, struct tk_error *err)
{
    struct tk_load_result *result = &load->result;
    enum tk_err code = open_connections(load, err);
    load->begin = load->last = now();
    if (load->packed == NULL)
        set_start(load);
    do {
        for (uint64_t i = 0; i < load->options.connections && code == TK_OK; i++)
            code = step(load, &load->connections[i], err);
    } while (code == TK_OK && wait_for_work(load));
    if (code != TK_OK)
        return code;
    if (load->latency_count > 0)
        qsort(load->latencies, load->latency_count, sizeof *load->latencies, by_size);
    result->seconds = load->last - load->begin;
    result->needles = load->needles;
    result->rounds = (load->sendings + load->round.body_count - 1) / load->round.body_count;
    result->ack_p50_ms = quantile_ms(load, 0.5);
    result->ack_p99_ms = quantile_ms(load, 0.99);
    result->ack_max_ms = quantile_ms(load, 1);
    *ret_result = *result;
    return TK_OK;
}

enum tk_err
tk_load_new(struct tk_load **ret_load, const struct tk_load_options *options, struct tk_error *err)
{
    struct tk_load *load = calloc(1, sizeof *load);
    enum tk_err code = TK_ERR_MEMORY;
    if (load == NULL)
        return code;
    load->options = *options;
    if (!tk_http_parse_url(options->url, load->host, load->port)) {
        code = tk_error_set(err, TK_ERR_INPUT, "%s is not http://HOST:PORT", options->url);
        goto out;
    }
    if (options->encoding != TK_ENCODING_NONE &&
        (options->spans == 0 || options->spans > PACKED_SPANS_MAX)) {
        code = tk_error_set(err, TK_ERR_INPUT,
                            "compressed bodies are made beforehand: say how "
                            "many spans, at most %d",
                            PACKED_SPANS_MAX);
        goto out;
    }
    write_headers(load);
    code = make_round(load, err);
    if (code != TK_OK)
        goto out;
    set_start(load);
    if (options->encoding != TK_ENCODING_NONE)
        code = pack_bodies(load);
    load->latencies = calloc(LATENCIES_MAX, sizeof *load->latencies);
    load->connections = calloc(options->connections, sizeof *load->connections);
    if (load->latencies == NULL || load->connections == NULL)
        code = TK_ERR_MEMORY;
out:
    if (code == TK_OK)
        *ret_load = load;
    else
        tk_load_free(load);
    return code;
}

void
tk_load_free(struct tk_load *load)
{
    if (load == NULL)
        return;
    for (uint64_t i = 0; i < load->options.connections && load->connections != NULL; i++) {
        tk_http_close(&load->connections[i].http);
        tk_export_close(&load->connections[i].export);
        free(load->connections[i].body);
    }
    for (uint64_t i = 0; i < load->sendings_max && load->packed != NULL; i++)
        free(load->packed[i].ptr);
    free(load->packed);
    free(load->connections);
    free(load->latencies);
    tk_round_release(&load->round);
    free(load);
}

uint64_t
tk_load_trace_count(const struct tk_load *load)
{
    return load->sendings / load->round.body_count * load->round.trace_count;
}

bool
tk_load_trace(const struct tk_load *load, uint64_t index, struct tk_trace_id *ret_id,
              uint32_t *ret_span_count)
{
    uint64_t round = index / load->round.trace_count;
    uint32_t trace = (uint32_t)(index % load->round.trace_count);
    if (index >= tk_load_trace_count(load))
        return false;
    struct tk_sending sending = sending_of(load, round * load->round.body_count);
    *ret_id = tk_round_trace_id(&load->round, trace, &sending);
    *ret_span_count = load->round.traces[trace].span_count;
    return true;
}
