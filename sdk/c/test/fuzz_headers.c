/*
 * fuzz_headers - what comes from outside: headers, URLs and answers. What is kept of headers is
 * what is sent on, so it must be valid: reading it again changes nothing.
 */
#include "../src/context.h"
#include "../src/retry.h"
#include "../src/url.h"

#include <stdlib.h>

#include <tracekit.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
require(bool condition)
{
    if (!condition)
        abort();
}

/* A line is a header; the first byte of it says which. */
static void
read_headers(tracekit_context *context, const char *text, size_t size)
{
    static const char *const names[] = {"traceparent", "tracestate", "baggage"};
    while (size > 0) {
        const char *end = memchr(text, '\n', size);
        size_t line = end != NULL ? (size_t)(end - text) : size;
        const char *name = names[line > 0 ? (uint8_t)text[0] % 3 : 0];
        if (line > 0)
            tracekit_extract_n(context, name, strlen(name), text + 1, line - 1);
        text += line + (end != NULL);
        size -= line + (end != NULL);
    }
}

static void
check_context(const tracekit_context *context)
{
    char traceparent[TK_TRACEPARENT_SIZE + 1];
    tracekit_context again = {0};
    require(context->tracestate_size <= TRACEKIT_TRACESTATE_MAX &&
            context->baggage_size <= TRACEKIT_BAGGAGE_MAX);
    if (context->valid) {
        tk_traceparent_write(traceparent, context->trace_id, context->span_id, context->flags);
        tracekit_extract(&again, "TraceParent", traceparent);
        require(again.valid && memcmp(again.trace_id, context->trace_id, 16) == 0 &&
                again.flags == context->flags);
    }
    tracekit_extract_n(&again, "tracestate", 10, context->tracestate, context->tracestate_size);
    require(again.tracestate_size == context->tracestate_size &&
            memcmp(again.tracestate, context->tracestate, context->tracestate_size) == 0);
    tracekit_extract_n(&again, "baggage", 7, context->baggage, context->baggage_size);
    require(again.baggage_size == context->baggage_size &&
            memcmp(again.baggage, context->baggage, context->baggage_size) == 0);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char url[TK_URL_MAX], host[256], message[256], value[64];
    int port;
    static tracekit_context context;
    context = (tracekit_context){0};
    read_headers(&context, (const char *)data, size);
    check_context(&context);
    tk_baggage_get(context.baggage, context.baggage_size, "a", value, sizeof value);

    char *text = malloc(size + 1);
    require(text != NULL);
    memcpy(text, data, size);
    text[size] = '\0';
    if (tk_url_endpoint(text, url)) {
        char again[TK_URL_MAX];
        require(tk_url_endpoint(url, again) && strcmp(url, again) == 0);
    }
    const char *const list[] = {"a", "~b+", NULL};
    const char *bad;
    struct tk_targets targets;
    require(tk_targets_init(&targets, list, &bad) == 0);
    tk_targets_match(&targets, text);
    tk_targets_release(&targets);
    require(tk_url_redact(text, url) <= TK_URL_MAX && tk_url_redact_query(text, url) <= TK_URL_MAX);
    tk_url_host(text, host, &port);
    int delay = tk_retry_delay_ms(1, text, 0, 0.5);
    require(delay >= 0 && delay <= TK_DELAY_MS_MAX);
    free(text);
    tk_retry_rejected(data, size, message);
    return 0;
}
