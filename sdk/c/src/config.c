/*
 * config - code beats TRACEKIT_*, which beats OTEL_*, which beats the default. An empty variable is
 * unset.
 *
 * What the environment says wrongly is said in the log and never fails: it is another person's, at
 * another time than the code's.
 */
#include "config.h"

#include "log.h"
#include "random.h"
#include "utf8.h"
#include "wire.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>
#include <unistd.h>

enum { RESOURCE_BYTES_MAX = 16384, PAIRS_MAX = 64 };

static const char *
first_of(const char *code, const char *const *variables)
{
    if (code != NULL && *code != '\0')
        return code;
    for (; *variables != NULL; variables++) {
        const char *value = getenv(*variables);
        if (value != NULL && *value != '\0')
            return value;
    }
    return NULL;
}

#define FIRST_OF(code, ...) first_of(code, (const char *const[]){__VA_ARGS__, NULL})

static bool
env_bool(const char *name)
{
    const char *value = getenv(name);
    return value != NULL && (strcmp(value, "1") == 0 || strcasecmp(value, "true") == 0 ||
                             strcasecmp(value, "t") == 0);
}

/* ---- key=value,key=value of OpenTelemetry's variables ---- */

struct pair {
    char *key, *value;
};

struct pairs {
    char *text; /* what they point into */
    size_t count;
    struct pair list[PAIRS_MAX];
};

static void
percent_decode(char *text)
{
    char *to = text;
    for (; *text != '\0'; text++, to++) {
        unsigned byte;
        char hex[3] = {0};
        if (*text == '%' && text[1] != '\0' && text[2] != '\0') {
            memcpy(hex, text + 1, 2);
            if (strspn(hex, "0123456789abcdefABCDEF") == 2 && sscanf(hex, "%x", &byte) == 1 &&
                byte != 0) {
                *to = (char)byte;
                text += 2;
                continue;
            }
        }
        *to = *text;
    }
    *to = '\0';
}

static char *
trimmed(char *text)
{
    text += strspn(text, " \t");
    size_t size = strlen(text);
    while (size > 0 && (text[size - 1] == ' ' || text[size - 1] == '\t'))
        text[--size] = '\0';
    return text;
}

static int
read_pairs(struct pairs *pairs, const char *text)
{
    *pairs = (struct pairs){0};
    if (text == NULL)
        return 0;
    char *next = pairs->text = strdup(text);
    if (next == NULL)
        return TRACEKIT_ERROR_MEMORY;
    while (next != NULL && pairs->count < PAIRS_MAX) {
        char *pair = strsep(&next, ","), *equals = strchr(pair, '=');
        if (equals == NULL)
            continue;
        *equals = '\0';
        struct pair read = {trimmed(pair), trimmed(equals + 1)};
        percent_decode(read.value);
        if (*read.key != '\0')
            pairs->list[pairs->count++] = read;
    }
    return 0;
}

static const char *
pair_value(const struct pairs *pairs, const char *key)
{
    for (size_t i = 0; i < pairs->count; i++)
        if (strcmp(pairs->list[i].key, key) == 0 && *pairs->list[i].value != '\0')
            return pairs->list[i].value;
    return NULL;
}

/* ---- sampling ---- */

static bool
ends_with(const char *text, const char *end)
{
    size_t size = strlen(text), end_size = strlen(end);
    return size >= end_size && memcmp(text + size - end_size, end, end_size) == 0;
}

uint64_t
tk_config_threshold(double rate, char ret_state[32])
{
    uint64_t whole = 1ULL << 56, threshold = whole - (uint64_t)floor(rate * (double)whole);
    ret_state[0] = '\0';
    if (threshold == whole)
        return threshold;
    int size = snprintf(ret_state, 32, "ot=th:%014llx", (unsigned long long)threshold);
    while (size > 7 && ret_state[size - 1] == '0')
        size--;
    ret_state[size] = '\0';
    return threshold;
}

/* What OpenTelemetry's sampler would do at a root; other samplers have no such rate. */
static const char *
otel_rate(void)
{
    const char *sampler = FIRST_OF(NULL, "OTEL_TRACES_SAMPLER");
    if (sampler != NULL && ends_with(sampler, "always_off"))
        return "0";
    if (sampler != NULL && !ends_with(sampler, "traceidratio"))
        return NULL;
    return FIRST_OF(NULL, "OTEL_TRACES_SAMPLER_ARG");
}

static double
configured_rate(double code)
{
    double rate = code;
    if (rate == 0) {
        const char *text = FIRST_OF(NULL, "TRACEKIT_SAMPLE_RATE");
        if (text == NULL)
            text = otel_rate();
        if (text == NULL)
            return 1;
        char *end;
        rate = strtod(text, &end);
        if (end == text || *end != '\0')
            rate = -1;
    }
    if (rate >= 0 && rate <= 1) /* NaN is not */
        return rate;
    tk_log("the sample rate is not a number from 0 to 1; recording every trace");
    return 1;
}

static void
set_sampling(struct tk_config *config, double code)
{
    char state[32];
    config->sample_rate = configured_rate(code);
    config->threshold = tk_config_threshold(config->sample_rate, state);
    size_t size = strlen(state);
    if (size == 0)
        return;
    config->root_state[0] = TK_TAG_TRACE_STATE;
    config->root_state[1] = (uint8_t)size;
    memcpy(config->root_state + 2, state, size);
    config->root_state_size = size + 2;
}

/* ---- the resource ---- */

static uint8_t *
put_field(uint8_t *to, uint8_t tag, const uint8_t *text, size_t size)
{
    *to = tag;
    to = tk_put_varint(to + 1, size);
    memcpy(to, text, size);
    return to + size;
}

/* Resource.attributes; gives where the value's text begins. Left out when it does not fit. */
static uint8_t *
put_resource_attribute(uint8_t **to, const uint8_t *end, const char *key, const char *value)
{
    size_t key_size = strlen(key), value_size = tk_utf8_cut(value, strlen(value), 1024);
    if (key_size > 1024 || (size_t)(end - *to) < 32 + 3 * (key_size + value_size))
        return NULL;
    uint8_t key_text[3 * 1024], value_text[3 * 1024];
    key_size = tk_utf8_copy(key_text, key, key_size);
    value_size = tk_utf8_copy(value_text, value, value_size);
    size_t any = 1 + tk_varint_size(value_size) + value_size;
    size_t body = 1 + tk_varint_size(key_size) + key_size + 1 + tk_varint_size(any) + any;
    *(*to)++ = 0x0a;
    *to = tk_put_varint(*to, body);
    *to = put_field(*to, TK_TAG_KEY, key_text, key_size);
    *(*to)++ = TK_TAG_VALUE;
    *to = tk_put_varint(*to, any);
    *to = put_field(*to, TK_TAG_VALUE_STRING, value_text, value_size);
    return *to - value_size;
}

static bool
set_elsewhere(const char *key)
{
    static const char *const keys[] = {
        "service.name",          "service.version",    "deployment.environment.name",
        "service.instance.id",   "telemetry.sdk.name", "telemetry.sdk.language",
        "telemetry.sdk.version", "host.name"};
    for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++)
        if (strcmp(key, keys[i]) == 0)
            return true;
    return false;
}

/* Who sends, with the names of the semantic conventions. */
static uint8_t *
put_resource(struct tk_config *config, uint8_t *to, const uint8_t *end, const struct pairs *pairs,
             const char *release, const char *environment)
{
    char uuid[TK_UUID_SIZE + 1] = {0}, host[256] = {0};
    tk_config_uuid(uuid);
    put_resource_attribute(&to, end, "service.name", config->service_name);
    if (release != NULL)
        put_resource_attribute(&to, end, "service.version", release);
    config->instance_id = (char *)put_resource_attribute(&to, end, "service.instance.id", uuid);
    if (environment != NULL)
        put_resource_attribute(&to, end, "deployment.environment.name", environment);
    put_resource_attribute(&to, end, "telemetry.sdk.name", "tracekit");
    put_resource_attribute(&to, end, "telemetry.sdk.language", "c");
    put_resource_attribute(&to, end, "telemetry.sdk.version", TRACEKIT_VERSION);
    if (gethostname(host, sizeof host - 1) == 0 && host[0] != '\0')
        put_resource_attribute(&to, end, "host.name", host);
    for (size_t i = 0; i < pairs->count; i++)
        if (!set_elsewhere(pairs->list[i].key))
            put_resource_attribute(&to, end, pairs->list[i].key, pairs->list[i].value);
    return to;
}

/* Resource and scope as fields of ResourceSpans and ScopeSpans, one behind the other. */
static int
make_head(struct tk_config *config, const struct pairs *pairs, const char *release,
          const char *environment)
{
    uint8_t *bytes = malloc(RESOURCE_BYTES_MAX);
    if (bytes == NULL)
        return TRACEKIT_ERROR_MEMORY;
    uint8_t *body = bytes + 1 + TK_LENGTH_SIZE_MAX;
    uint8_t *end =
        put_resource(config, body, bytes + RESOURCE_BYTES_MAX - 64, pairs, release, environment);
    size_t size = (size_t)(end - body);
    uint8_t *start =
        body - 1 -
        tk_varint_size(size); /* right in front of it: the instance id stays where it is */
    *start = 0x0a;
    tk_put_varint(start + 1, size);
    config->resource_size = (size_t)(end - start);
    uint8_t *scope = end;
    *end++ = 0x0a;
    *end++ = 2 + 8 + 2 + sizeof TRACEKIT_VERSION - 1;
    end = put_field(end, 0x0a, (const uint8_t *)"tracekit", 8);
    end = put_field(end, 0x12, (const uint8_t *)TRACEKIT_VERSION, sizeof TRACEKIT_VERSION - 1);
    config->scope_size = (size_t)(end - scope);
    memmove(bytes, start, (size_t)(end - start));
    if (config->instance_id != NULL)
        config->instance_id -= start - bytes;
    config->head = bytes;
    return 0;
}

void
tk_config_uuid(char ret_text[TK_UUID_SIZE])
{
    static const char dashes[] = "........-....-....-....-............";
    uint64_t random[4];
    tk_random_seed(random);
    uint8_t bytes[16];
    memcpy(bytes, random, sizeof bytes);
    bytes[6] = (bytes[6] & 0x0f) | 0x40;
    bytes[8] = (bytes[8] & 0x3f) | 0x80;
    for (int at = 0, digit = 0; at < TK_UUID_SIZE; at++) {
        if (dashes[at] == '-') {
            ret_text[at] = '-';
            continue;
        }
        ret_text[at] =
            "0123456789abcdef"[digit % 2 == 0 ? bytes[digit / 2] >> 4 : bytes[digit / 2] & 15];
        digit++;
    }
}

/* OpenTelemetry's variable can switch it off: for a proxy that does not know gzip, or to spare a
 * core. */
static bool
configured_compression(void)
{
    const char *text =
        FIRST_OF(NULL, "OTEL_EXPORTER_OTLP_TRACES_COMPRESSION", "OTEL_EXPORTER_OTLP_COMPRESSION");
    return text == NULL || strcasecmp(text, "none") != 0;
}

/* ---- all of it ---- */

static int
add_header(struct tk_config *config, const char *name, const char *value)
{
    char *line = NULL;
    if (asprintf(&line, "%s: %s", name, value) < 0)
        return TRACEKIT_ERROR_MEMORY;
    if (strpbrk(line, "\r\n") != NULL) {
        tk_log("the header %s holds a line break; it is left out", name);
        free(line);
        return 0;
    }
    config->headers[config->header_count++] = line;
    return 0;
}

/* How the server knows us: by our key, or by the headers of OpenTelemetry's variables. */
static int
set_headers(struct tk_config *config, const char *code_key)
{
    char key[1024] = "";
    const char *text = FIRST_OF(code_key, "TRACEKIT_API_KEY");
    struct pairs pairs;
    int error = read_pairs(
        &pairs, FIRST_OF(NULL, "OTEL_EXPORTER_OTLP_TRACES_HEADERS", "OTEL_EXPORTER_OTLP_HEADERS"));
    for (size_t i = 0; i < pairs.count && i < TK_HEADERS_MAX && error == 0; i++)
        error = add_header(config, pairs.list[i].key, pairs.list[i].value);
    free(pairs.text);
    if (text != NULL)
        snprintf(key, sizeof key, "%s", text + strspn(text, " \t\r\n"));
    key[strcspn(key, " \t\r\n")] = '\0';
    if (error == 0 && key[0] != '\0')
        error = add_header(config, "X-API-Key", key);
    config->sends = config->header_count > 0;
    if (error == 0)
        error = add_header(config, "Content-Type", "application/x-protobuf");
    if (error == 0)
        error = add_header(config, "User-Agent", "tracekit-c/" TRACEKIT_VERSION);
    return error;
}

static void
set_endpoint(struct tk_config *config, const char *code)
{
    const char *endpoint = FIRST_OF(code, "TRACEKIT_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT",
                                    "OTEL_EXPORTER_OTLP_ENDPOINT");
    if (tk_url_endpoint(endpoint, config->url))
        return;
    tk_url_endpoint(NULL, config->url);
    tk_log("the endpoint %s is not the URL of a web server; using %s", endpoint, config->url);
}

static int
set_targets(struct tk_config *config, const char *const *list)
{
    const char *bad = NULL;
    int error = tk_targets_init(&config->targets, list, &bad);
    if (error == TRACEKIT_ERROR_ARGUMENT)
        tk_log("the propagation target %s is not a regular expression", bad);
    return error;
}

static int
set_service(struct tk_config *config, const tracekit_options *options)
{
    struct pairs pairs;
    int error = read_pairs(&pairs, FIRST_OF(NULL, "OTEL_RESOURCE_ATTRIBUTES"));
    const char *name =
        FIRST_OF(options->service_name, "TRACEKIT_SERVICE_NAME", "OTEL_SERVICE_NAME");
    const char *release = FIRST_OF(options->release, "TRACEKIT_RELEASE");
    const char *environment = FIRST_OF(options->environment, "TRACEKIT_ENVIRONMENT");
    if (name == NULL)
        name = pair_value(&pairs, "service.name");
    if (error == 0 && name == NULL)
        error =
            asprintf(&config->service_name, "unknown_service:%s", program_invocation_short_name) < 0
                ? TRACEKIT_ERROR_MEMORY
                : 0;
    else if (error == 0)
        error = (config->service_name = strdup(name)) == NULL ? TRACEKIT_ERROR_MEMORY : 0;
    if (error == 0)
        error = make_head(
            config, &pairs, release != NULL ? release : pair_value(&pairs, "service.version"),
            environment != NULL ? environment : pair_value(&pairs, "deployment.environment.name"));
    free(pairs.text);
    return error;
}

int
tk_config_init(struct tk_config *config, const tracekit_options *options)
{
    *config = (struct tk_config){
        .disabled = options->disabled || env_bool("OTEL_SDK_DISABLED"),
        .debug = options->debug || env_bool("TRACEKIT_DEBUG"),
        .compresses = configured_compression(),
        .transport = options->transport,
        .transport_data = options->transport_data,
    };
    set_endpoint(config, options->endpoint);
    set_sampling(config, options->sample_rate);
    int error = set_targets(config, options->propagation_targets);
    if (error == 0)
        error = set_headers(config, options->api_key);
    if (error == 0)
        error = set_service(config, options);
    if (options->transport != NULL)
        config->sends = true;
    if (error != 0)
        tk_config_release(config);
    return error;
}

void
tk_config_release(struct tk_config *config)
{
    for (size_t i = 0; i < config->header_count; i++)
        free(config->headers[i]);
    tk_targets_release(&config->targets);
    free(config->service_name);
    free(config->head);
    *config = (struct tk_config){0};
}
