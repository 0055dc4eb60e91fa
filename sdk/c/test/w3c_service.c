/*
 * w3c_service - what W3C's trace-context harness talks to (./dev w3c DIR): POST /test with [{"url",
 * "arguments"}, ...] makes each of these requests, traced. Prints "ready URL" and runs until it is
 * killed.
 */
#include <curl/curl.h>
#include <jansson.h>
#include <microhttpd.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <tracekit.h>

struct upload {
    size_t size;
    char bytes[1 << 16];
};

static struct curl_slist *
add_header(struct curl_slist *list, const char *name, const char *value)
{
    char line[TRACEKIT_BAGGAGE_MAX + 32];
    snprintf(line, sizeof line, "%s: %s", name, value);
    return value[0] != '\0' ? curl_slist_append(list, line) : list;
}

static void
call(const tracekit_span *parent, const json_t *one)
{
    tracekit_headers trace;
    const char *url = json_string_value(json_object_get(one, "url"));
    char *body = json_dumps(json_object_get(one, "arguments"), JSON_ENCODE_ANY);
    tracekit_span *span = tracekit_start_client(parent, "POST", url, &trace);
    struct curl_slist *headers = add_header(NULL, "Content-Type", "application/json");
    headers = add_header(headers, "traceparent", trace.traceparent);
    headers = add_header(headers, "tracestate", trace.tracestate);
    CURL *curl = curl_easy_init();
    curl_easy_setopt(curl, CURLOPT_URL, url);
    curl_easy_setopt(curl, CURLOPT_POSTFIELDS, body);
    curl_easy_setopt(curl, CURLOPT_HTTPHEADER, headers);
    curl_easy_setopt(curl, CURLOPT_TIMEOUT, 10L);
    curl_easy_perform(curl);
    curl_easy_cleanup(curl);
    curl_slist_free_all(headers);
    tracekit_end(span);
    free(body);
}

static enum MHD_Result
read_header(void *caller, enum MHD_ValueKind kind, const char *name, const char *value)
{
    (void)kind;
    tracekit_extract(caller, name, value);
    return MHD_YES;
}

static enum MHD_Result
serve(void *data, struct MHD_Connection *connection, const char *url, const char *method,
      const char *version, const char *part, size_t *part_size, void **request)
{
    (void)data, (void)version;
    struct upload *upload = *request;
    if (upload == NULL)
        return (*request = calloc(1, sizeof *upload)) != NULL ? MHD_YES : MHD_NO;
    if (*part_size > 0) {
        if (*part_size > sizeof upload->bytes - upload->size)
            return MHD_NO;
        memcpy(upload->bytes + upload->size, part, *part_size);
        upload->size += *part_size;
        *part_size = 0;
        return MHD_YES;
    }
    tracekit_context caller = {0};
    MHD_get_connection_values(connection, MHD_HEADER_KIND, read_header, &caller);
    tracekit_request about = {.method = method, .route = "/test", .path = url};
    tracekit_span *span = tracekit_start_server(&about, &caller);
    json_t *calls = json_loadb(upload->bytes, upload->size, 0, NULL), *one;
    size_t i;
    json_array_foreach(calls, i, one) call(span, one);
    json_decref(calls);
    struct MHD_Response *response =
        MHD_create_response_from_buffer(0, NULL, MHD_RESPMEM_PERSISTENT);
    enum MHD_Result queued = MHD_queue_response(connection, MHD_HTTP_OK, response);
    MHD_destroy_response(response);
    tracekit_end(span);
    free(upload);
    *request = NULL;
    return queued;
}

int
main(void)
{
    tracekit_init(NULL);
    curl_global_init(CURL_GLOBAL_DEFAULT);
    struct MHD_Daemon *daemon = MHD_start_daemon(MHD_USE_INTERNAL_POLLING_THREAD, 0, NULL, NULL,
                                                 serve, NULL, MHD_OPTION_END);
    if (daemon == NULL)
        return 1;
    printf("ready http://127.0.0.1:%u\n",
           MHD_get_daemon_info(daemon, MHD_DAEMON_INFO_BIND_PORT)->port);
    fflush(stdout);
    for (;;)
        pause();
}
