/*
 * TraceKit for C: spans of your service, sent as OTLP.
 *
 *     tracekit_init(&(tracekit_options){.service_name = "users"});
 *
 *     tracekit_span *span = tracekit_start("load user");
 *     tracekit_set_string(span, "user.id", id);
 *     tracekit_end(span);
 *
 * Rules for all of it:
 *
 * - Nothing here ends, blocks or breaks the program. A span may be NULL, and every call with NULL
 * does nothing: that is what the start functions return when tracing is not set up, disabled or out
 * of memory.
 * - Strings are UTF-8 and are copied; what is no UTF-8 becomes U+FFFD. Lengths are bytes. Times are
 * nanoseconds since 1970 where their name ends in unix_nano, and milliseconds where it ends in ms.
 * - A span belongs to its caller until tracekit_end. It may move between threads, but is used by
 * one at a time. Everything else may be called by any thread at any time, but for tracekit_init and
 * tracekit_shutdown.
 * - Limits: 128 attributes, 128 events and 128 links a span, 128 attributes an event, 32,768 bytes
 * a string, 256 KiB a span, 8,192 open spans; 2,048 ended spans wait per thread, 16 MiB of them in
 * all. What is beyond is dropped and counted, never waited for.
 *
 * Specifications: W3C Trace Context level 2, W3C Baggage, OTLP 1.x, OpenTelemetry's trace SDK and
 * probability sampling.
 */
#ifndef TRACEKIT_H
#define TRACEKIT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#ifdef __cplusplus
extern "C" {
#endif

#define TRACEKIT_VERSION "0.1.0"

#ifndef TRACEKIT_API
#if defined(__GNUC__)
#define TRACEKIT_API __attribute__((visibility("default")))
#else
#define TRACEKIT_API
#endif
#endif

/* What functions that can fail return. */
enum {
    TRACEKIT_OK = 0,
    TRACEKIT_ERROR_ARGUMENT =
        -1, /* a mistake in the calling code: the log has one line that says which */
    TRACEKIT_ERROR_MEMORY = -2,  /* no memory, no thread or no descriptor was to be had */
    TRACEKIT_ERROR_STATE = -3,   /* set up already, or the earlier one has not ended yet */
    TRACEKIT_ERROR_TIMEOUT = -4, /* not done in time */
};

/* ---- setting up ---- */

/* One POST of an OTLP body. Everything in it is lent for the time of the call. */
typedef struct tracekit_post {
    const char *url;
    const char *const *headers; /* "Name: value" lines, NULL behind the last */
    const void *body;
    size_t body_size;
    int timeout_ms; /* when to give up */
} tracekit_post;

/* The answer to it, all zero before the call. */
typedef struct tracekit_answer {
    int status;           /* of HTTP; 0: there was no answer */
    char retry_after[64]; /* the header's text; "": none */
    char body[4096];      /* its first bytes: OTLP's partial success is short */
    size_t body_size;
    char error[128]; /* why there is no answer */
} tracekit_answer;

/*
 * Posts a body, on the library's own thread, and waits for the answer for at most timeout_ms.
 * It must not follow redirects (they would carry the key elsewhere), and not call the library.
 */
typedef void tracekit_transport(void *data, const tracekit_post *post, tracekit_answer *answer);

/* Takes one line, without a line break, from any thread. */
typedef void tracekit_log(void *data, const char *line);

/* All zero: the environment decides, then the default. Strings are copied. */
typedef struct tracekit_options {
    const char
        *api_key; /* TRACEKIT_API_KEY. Leave it out of the code. None: spans are made, not sent */
    const char
        *service_name; /* TRACEKIT_SERVICE_NAME, OTEL_SERVICE_NAME; unknown_service:<program> */
    const char
        *endpoint; /* TRACEKIT_ENDPOINT, OTEL_EXPORTER_OTLP_ENDPOINT; http://localhost:4318 */
    const char
        *environment;    /* TRACEKIT_ENVIRONMENT: where the service runs, such as "production" */
    const char *release; /* TRACEKIT_RELEASE: the version of the service */
    /* TRACEKIT_SAMPLE_RATE, OTEL_TRACES_SAMPLER(_ARG): the share of new traces that is recorded,
     * above 0 to 1. 0 is unset; to record none, say 0 in the environment. Requests that come with a
     * trace follow its decision. */
    double sample_rate;
    /* Which URLs tracekit_start_client gives headers for: NULL for all, else a list with NULL
     * behind its last. A string is looked for in scheme, host, port and path of the URL, never in
     * its query; behind a '~' stands a POSIX extended regular expression that is matched there,
     * behind "~*" one that ignores case. An empty list: none. */
    const char *const *propagation_targets;
    bool debug;    /* TRACEKIT_DEBUG: says what was set up and the result of the first export */
    bool disabled; /* OTEL_SDK_DISABLED: no spans, no headers */
    tracekit_transport
        *transport; /* NULL: libcurl if built with it, else a plain socket (http alone) */
    void *transport_data;
    tracekit_log *log; /* NULL: stderr */
    void *log_data;
} tracekit_options;

/*
 * Sets tracing up and starts the thread that sends. NULL: the environment alone. A missing key, a
 * wrong address in the environment and a server that is away are one line in the log and never an
 * error.
 *
 * Registers handlers: at exit what waits is sent (3 s at most); after fork the child has ids, a
 * queue and a thread of its own, and what the parent recorded stays the parent's.
 */
TRACEKIT_API int tracekit_init(const tracekit_options *options);

/*
 * Sends what has ended so far, and waits until that is delivered or given up, or the time is over
 * (TRACEKIT_ERROR_TIMEOUT). May be called in a signal handler, as for SIGTERM.
 */
TRACEKIT_API int tracekit_flush(int timeout_ms);

/*
 * Flushes, each batch once more at most, and ends the thread. What is left when the time is over is
 * dropped and counted. Spans still open may be ended afterwards; they are dropped.
 */
TRACEKIT_API int tracekit_shutdown(int timeout_ms);

typedef struct tracekit_statistics {
    uint64_t sent;    /* spans that the server took */
    uint64_t dropped; /* spans that found no room, were refused, or could not be delivered */
    uint64_t queued;  /* spans that wait or are under way */
} tracekit_statistics;

TRACEKIT_API void tracekit_get_statistics(tracekit_statistics *ret_statistics);

/* ---- spans ---- */

typedef struct tracekit_span tracekit_span;

/* What came with a request: whose child the next span is. All zero: nothing, a new trace. */
typedef struct tracekit_context tracekit_context;

/* Starts a child of the thread's current span, or a trace, and makes it current. */
TRACEKIT_API tracekit_span *tracekit_start_n(const char *name, size_t name_size);

/* Starts a child of `parent` (NULL: a trace) and leaves the current span alone. */
TRACEKIT_API tracekit_span *tracekit_start_child_n(const tracekit_span *parent, const char *name,
                                                   size_t name_size);

/* Starts a child of a caller in another process, or a trace when it is not valid, and makes it
 * current. */
TRACEKIT_API tracekit_span *tracekit_start_from_n(const tracekit_context *caller, const char *name,
                                                  size_t name_size);

/* Ends the span and hands it over to be sent; the pointer is no longer valid. If it was current,
 * the one before it is. */
TRACEKIT_API void tracekit_end(tracekit_span *span);

/* The thread's current span, or NULL. */
TRACEKIT_API tracekit_span *tracekit_current(void);

/* Makes a span that is current nowhere the thread's current one, above the one that is. Gives
 * `span`. */
TRACEKIT_API tracekit_span *tracekit_attach(tracekit_span *span);

/* The span is current nowhere, so that another thread may attach or end it. Gives `span`. */
TRACEKIT_API tracekit_span *tracekit_detach(tracekit_span *span);

/* OTLP's numbers. */
typedef enum tracekit_kind {
    TRACEKIT_INTERNAL = 1,
    TRACEKIT_SERVER = 2,
    TRACEKIT_CLIENT = 3,
    TRACEKIT_PRODUCER = 4,
    TRACEKIT_CONSUMER = 5,
} tracekit_kind;

typedef enum tracekit_status {
    TRACEKIT_STATUS_UNSET = 0,
    TRACEKIT_STATUS_OK = 1,
    TRACEKIT_STATUS_ERROR = 2,
} tracekit_status;

TRACEKIT_API void tracekit_set_kind(tracekit_span *span, tracekit_kind kind);

/* Gives the span another name. Names are few and say what is done; what differs each time is an
 * attribute. */
TRACEKIT_API void tracekit_set_name_n(tracekit_span *span, const char *name, size_t name_size);

/* Says how the operation went. A message (or NULL) only explains an error. */
TRACEKIT_API void tracekit_set_status(tracekit_span *span, tracekit_status status,
                                      const char *message);

/*
 * Set an attribute; a key set before gets the new value. A NULL or empty key, and a NULL string,
 * set nothing. Names of keys: OpenTelemetry's semantic conventions.
 */
TRACEKIT_API void tracekit_set_string_n(tracekit_span *span, const char *key, size_t key_size,
                                        const char *value, size_t value_size);
TRACEKIT_API void tracekit_set_int_n(tracekit_span *span, const char *key, size_t key_size,
                                     int64_t value);
TRACEKIT_API void tracekit_set_double_n(tracekit_span *span, const char *key, size_t key_size,
                                        double value);
TRACEKIT_API void tracekit_set_bool_n(tracekit_span *span, const char *key, size_t key_size,
                                      bool value);

typedef enum tracekit_type {
    TRACEKIT_TYPE_STRING,
    TRACEKIT_TYPE_INT,
    TRACEKIT_TYPE_DOUBLE,
    TRACEKIT_TYPE_BOOL,
    TRACEKIT_TYPE_BYTES,
    TRACEKIT_TYPE_ARRAY, /* of values; 128 at most, 8 deep */
    TRACEKIT_TYPE_MAP,   /* of attributes; likewise */
} tracekit_type;

typedef struct tracekit_attribute tracekit_attribute;

/* Any value that OTLP has. */
typedef struct tracekit_value {
    tracekit_type type;
    union {
        struct {
            const void *start;
            size_t size;
        } bytes; /* STRING, BYTES */
        int64_t integer;
        double number;
        bool boolean;
        struct {
            const struct tracekit_value *items;
            size_t count;
        } array;
        struct {
            const tracekit_attribute *items;
            size_t count;
        } map;
    } as;
} tracekit_value;

struct tracekit_attribute {
    const char *key;
    tracekit_value value;
};

/* Sets an attribute to any value, lists and maps included. */
TRACEKIT_API void tracekit_set_value(tracekit_span *span, const char *key,
                                     const tracekit_value *value);

/* Records that something happened, now. */
TRACEKIT_API void tracekit_add_event(tracekit_span *span, const char *name,
                                     const tracekit_attribute *attributes, size_t attribute_count);

/* Points at a span of this or another trace that has to do with this one. */
TRACEKIT_API void tracekit_add_link(tracekit_span *span, const tracekit_context *to);

/*
 * Records an error as an event `exception`, sets error.type and fails the span. `stack` may be
 * NULL. OpenTelemetry's conventions for exceptions on spans.
 */
TRACEKIT_API void tracekit_record_error(tracekit_span *span, const char *type, const char *message,
                                        const char *stack);

/* The ids in lower-case hexadecimal, to write into a log or show to a user; "" of NULL. */
TRACEKIT_API void tracekit_trace_id(const tracekit_span *span, char ret_text[33]);
TRACEKIT_API void tracekit_span_id(const tracekit_span *span, char ret_text[17]);

/* Whether what is set on the span will be sent: costly values need not be made for one that is not.
 */
TRACEKIT_API bool tracekit_is_recording(const tracekit_span *span);

/* ---- between services ---- */

enum {
    TRACEKIT_TRACESTATE_MAX =
        1024, /* bytes; of a longer one whole members go, W3C section 3.3.1.5 */
    TRACEKIT_BAGGAGE_MAX =
        8192, /* bytes, W3C Baggage section 3.3.2; of a longer one the last members go */
};

struct tracekit_context {
    uint8_t trace_id[16];
    uint8_t span_id[8];
    uint8_t flags; /* 1: sampled, 2: the trace id is random */
    bool valid;
    uint8_t traceparents; /* how many headers were read */
    uint8_t members;      /* of tracestate; 255: discarded */
    uint16_t tracestate_size;
    uint16_t baggage_size;
    char tracestate[TRACEKIT_TRACESTATE_MAX];
    char baggage[TRACEKIT_BAGGAGE_MAX];
};

/*
 * Reads one header of a request; others than traceparent, tracestate and baggage are passed over.
 * Call it for every header, in their order, repeated ones included: two traceparents mean that
 * nobody can tell which caller is meant, and several tracestates are one list. W3C Trace Context
 * level 2, sections 3.2 and 3.3.
 */
TRACEKIT_API void tracekit_extract_n(tracekit_context *context, const char *name, size_t name_size,
                                     const char *value, size_t value_size);

/* The headers of a request made by a span; "" is not sent. */
typedef struct tracekit_headers {
    char traceparent[56];
    char tracestate[TRACEKIT_TRACESTATE_MAX + 1];
    char baggage[TRACEKIT_BAGGAGE_MAX + 1];
} tracekit_headers;

/* Gives the headers for a request made by `span`. Of NULL: none. */
TRACEKIT_API void tracekit_inject(const tracekit_span *span, tracekit_headers *ret_headers);

/*
 * Baggage goes along to every service behind this one and is not put on spans. Any text may be a
 * value. Setting costs an allocation; NULL takes the key away. Returns TRACEKIT_ERROR_ARGUMENT for
 * a key that is no token of RFC 9110, TRACEKIT_ERROR_MEMORY when it does not fit.
 */
TRACEKIT_API int tracekit_set_baggage(tracekit_span *span, const char *key, const char *value);

/* Writes the value, decoded and with a NUL behind it, if it fits; gives its size, or -1 when the
 * key is not there. */
TRACEKIT_API long tracekit_get_baggage(const tracekit_span *span, const char *key, char *ret_value,
                                       size_t capacity);

/* A request that came in. What is NULL is not known. */
typedef struct tracekit_request {
    const char *method;
    const char *route; /* the pattern that matched, such as "/users/{id}", never the path */
    const char *scheme;
    const char *host; /* the header Host: name and port */
    const char *path;
    const char *query; /* without its question mark; signatures in it are redacted */
    const char *client_address;
    const char *user_agent;
} tracekit_request;

/*
 * Starts the SERVER span of a request and makes it current, named "{method} {route}", with the
 * attributes of OpenTelemetry's conventions for HTTP. `caller` may be NULL.
 */
TRACEKIT_API tracekit_span *tracekit_start_server(const tracekit_request *request,
                                                  const tracekit_context *caller);

/* Names a SERVER span once its route is known. */
TRACEKIT_API void tracekit_set_route(tracekit_span *span, const char *method, const char *route);

/*
 * Starts the CLIENT span of a request, a child of `parent`, current nowhere, and gives the headers
 * to send with it: none when the URL is not among the propagation targets. The URL is recorded
 * without user-info, fragment and signatures.
 */
TRACEKIT_API tracekit_span *tracekit_start_client(const tracekit_span *parent, const char *method,
                                                  const char *url, tracekit_headers *ret_headers);

/* Records the answer's status. A SERVER span is failed by 5xx, a CLIENT span by 4xx too. */
TRACEKIT_API void tracekit_set_http_status(tracekit_span *span, int status);

/* ---- shorthands ---- */

static inline tracekit_span *
tracekit_start(const char *name)
{
    return tracekit_start_n(name, name != NULL ? strlen(name) : 0);
}

static inline tracekit_span *
tracekit_start_child(const tracekit_span *parent, const char *name)
{
    return tracekit_start_child_n(parent, name, name != NULL ? strlen(name) : 0);
}

static inline tracekit_span *
tracekit_start_from(const tracekit_context *caller, const char *name)
{
    return tracekit_start_from_n(caller, name, name != NULL ? strlen(name) : 0);
}

static inline void
tracekit_set_name(tracekit_span *span, const char *name)
{
    tracekit_set_name_n(span, name, name != NULL ? strlen(name) : 0);
}

static inline void
tracekit_set_string(tracekit_span *span, const char *key, const char *value)
{
    tracekit_set_string_n(span, key, key != NULL ? strlen(key) : 0, value,
                          value != NULL ? strlen(value) : 0);
}

static inline void
tracekit_set_int(tracekit_span *span, const char *key, int64_t value)
{
    tracekit_set_int_n(span, key, key != NULL ? strlen(key) : 0, value);
}

static inline void
tracekit_set_double(tracekit_span *span, const char *key, double value)
{
    tracekit_set_double_n(span, key, key != NULL ? strlen(key) : 0, value);
}

static inline void
tracekit_set_bool(tracekit_span *span, const char *key, bool value)
{
    tracekit_set_bool_n(span, key, key != NULL ? strlen(key) : 0, value);
}

static inline void
tracekit_extract(tracekit_context *context, const char *name, const char *value)
{
    tracekit_extract_n(context, name, name != NULL ? strlen(name) : 0, value,
                       value != NULL ? strlen(value) : 0);
}

static inline tracekit_value
tracekit_string(const char *text)
{
    tracekit_value value = {TRACEKIT_TYPE_STRING, {{text, text != NULL ? strlen(text) : 0}}};
    return value;
}

static inline tracekit_value
tracekit_int(int64_t integer)
{
    tracekit_value value = {TRACEKIT_TYPE_INT, {{NULL, 0}}};
    value.as.integer = integer;
    return value;
}

static inline tracekit_value
tracekit_double(double number)
{
    tracekit_value value = {TRACEKIT_TYPE_DOUBLE, {{NULL, 0}}};
    value.as.number = number;
    return value;
}

static inline tracekit_value
tracekit_bool(bool boolean)
{
    tracekit_value value = {TRACEKIT_TYPE_BOOL, {{NULL, 0}}};
    value.as.boolean = boolean;
    return value;
}

/* ---- recording alone, for bindings ---- */

/*
 * A span's attributes, events, links, name and status as the OTLP fields they will be, in memory of
 * the caller's. Nothing here uses what tracekit_init sets up: a language with its own contexts,
 * clock and queue uses this part only.
 */
typedef struct tracekit_record {
    uint8_t *bytes;
    uint32_t size, capacity;
    /* Called for more room: makes capacity at least `capacity` (bytes may move) or says no. NULL:
     * no. */
    bool (*grow)(struct tracekit_record *record, uint32_t capacity);
    uint64_t keys[4]; /* a bit for each key that may be there */
    uint32_t dropped_attributes, dropped_events, dropped_links;
    uint8_t attributes, events, links;
    bool failed;
} tracekit_record;

/* What a span has besides: fixed in size, written when it ends. */
typedef struct tracekit_identity {
    uint8_t trace_id[16], span_id[8], parent_id[8]; /* parent_id all zero: a root */
    uint64_t start_unix_nano, end_unix_nano;
    uint8_t flags; /* 1: sampled, 2: random */
    uint8_t kind;  /* tracekit_kind */
    bool parent_is_remote;
} tracekit_identity;

/* Begins a span in `bytes`. `tracestate` may be empty. False, and nothing else may be called, when
 * it does not fit. */
TRACEKIT_API bool tracekit_record_begin(tracekit_record *record, void *bytes, uint32_t capacity,
                                        const char *tracestate, size_t tracestate_size,
                                        const char *name, size_t name_size);
TRACEKIT_API void tracekit_record_name(tracekit_record *record, const char *name, size_t name_size);
TRACEKIT_API void tracekit_record_status(tracekit_record *record, tracekit_status status,
                                         const char *message, size_t message_size);
TRACEKIT_API void tracekit_record_string(tracekit_record *record, const char *key, size_t key_size,
                                         const char *value, size_t value_size);
TRACEKIT_API void tracekit_record_int(tracekit_record *record, const char *key, size_t key_size,
                                      int64_t value);
TRACEKIT_API void tracekit_record_double(tracekit_record *record, const char *key, size_t key_size,
                                         double value);
TRACEKIT_API void tracekit_record_bool(tracekit_record *record, const char *key, size_t key_size,
                                       bool value);
TRACEKIT_API void tracekit_record_value(tracekit_record *record, const char *key, size_t key_size,
                                        const tracekit_value *value);
TRACEKIT_API void tracekit_record_event(tracekit_record *record, uint64_t time_unix_nano,
                                        const char *name, size_t name_size,
                                        const tracekit_attribute *attributes,
                                        size_t attribute_count);
TRACEKIT_API void tracekit_record_link(tracekit_record *record, const tracekit_context *to);

/* For values that the binding encodes itself: the fields of an AnyValue, and the messages
 * Span.Event and Span.Link. They are taken as they are. */
TRACEKIT_API void tracekit_record_encoded(tracekit_record *record, const char *key, size_t key_size,
                                          const void *value, size_t value_size);
TRACEKIT_API void tracekit_record_encoded_event(tracekit_record *record, const void *event,
                                                size_t size);
TRACEKIT_API void tracekit_record_encoded_link(tracekit_record *record, const void *link,
                                               size_t size);

/* Takes an attribute away. */
TRACEKIT_API void tracekit_record_remove(tracekit_record *record, const char *key, size_t key_size);

/* How many bytes the span takes in a request: a field `spans` of OTLP's ScopeSpans. */
TRACEKIT_API size_t tracekit_record_size(const tracekit_record *record,
                                         const tracekit_identity *identity);

/* Writes so many bytes; gives their end. */
TRACEKIT_API uint8_t *tracekit_record_end(const tracekit_record *record,
                                          const tracekit_identity *identity, uint8_t *ret_bytes);

#ifdef __cplusplus
}
#endif
#endif
