#ifndef TK_CONFIG_H
#define TK_CONFIG_H
/* config - the options, completed from the environment. Written by tracekit_init, then only read.
 */
#include "url.h"

#include <tracekit.h>

enum {
    TK_UUID_SIZE = 36,
    TK_HEADERS_MAX = 32, /* of OTEL_EXPORTER_OTLP_HEADERS; further ones are left out */
};

struct tk_config {
    bool disabled, debug;
    bool compresses; /* if built with zlib */
    bool sends; /* the server will know whose spans these are, or the transport is the caller's */
    char *service_name;
    char url[TK_URL_MAX];
    char *headers[TK_HEADERS_MAX + 5]; /* "Name: value", NULL behind the last */
    size_t header_count;
    double sample_rate;
    uint64_t threshold;     /* a root is sampled when the last 56 bits of its trace id reach it */
    uint8_t root_state[32]; /* tracestate of a sampled root, as a field of the message Span */
    size_t root_state_size;
    struct tk_targets targets;
    uint8_t *head; /* Resource and InstrumentationScope, each with its tag, of this process */
    size_t resource_size, scope_size;
    char *instance_id; /* in `head`: TK_UUID_SIZE characters, anew after fork */
    tracekit_transport *transport;
    void *transport_data;
};

/* 0 or an error of tracekit.h; what is wrong in the environment is said in the log and gets its
 * default. */
int tk_config_init(struct tk_config *config, const tracekit_options *options);
void tk_config_release(struct tk_config *config);

/* The threshold of a rate from 0 to 1; 1 << 56: none. `ret_state` is "ot=th:..." or empty. */
uint64_t tk_config_threshold(double rate, char ret_state[32]);

/* A random UUID, version 4 of RFC 9562; no NUL. */
void tk_config_uuid(char ret_text[TK_UUID_SIZE]);

#endif
