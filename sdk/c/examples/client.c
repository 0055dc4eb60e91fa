/*
 * client - asks a service for a user with libcurl, in a trace: ./client
 * http://localhost:8080/users/42
 */
#include <curl/curl.h>
#include <stdio.h>
#include <stdlib.h>

#include <tracekit.h>

static struct curl_slist *
add_header(struct curl_slist *list, const char *name, const char *value)
{
    size_t size = strlen(name) + 2 + strlen(value) + 1;
    char *line = malloc(size);
    if (value[0] != '\0' && line != NULL) {
        snprintf(line, size, "%s: %s", name, value);
        list = curl_slist_append(list, line);
    }
    free(line);
    return list;
}

/* GETs the URL as a CLIENT span below the current one; gives the status, 0 when there is no answer.
 */
static long
traced_get(CURL *curl, const char *url)
{
    long status = 0;
    tracekit_headers trace;
    tracekit_span *span = tracekit_start_client(tracekit_current(), "GET", url, &trace);

    struct curl_slist *headers = add_header(NULL, "traceparent", trace.traceparent);
    headers = add_header(headers, "tracestate", trace.tracestate);
    headers = add_header(headers, "baggage", trace.baggage);
    curl_easy_setopt(curl, CURLOPT_URL, url);
    curl_easy_setopt(curl, CURLOPT_HTTPHEADER, headers);
    CURLcode code = curl_easy_perform(curl);
    if (code == CURLE_OK) {
        curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &status);
        tracekit_set_http_status(span, (int)status);
    } else {
        tracekit_record_error(span, "CURLcode", curl_easy_strerror(code), NULL);
    }
    curl_slist_free_all(headers);
    tracekit_end(span);
    return status;
}

int
main(int argc, char **argv)
{
    if (argc < 2) {
        fprintf(stderr, "usage: %s URL\n", argv[0]);
        return 2;
    }
    tracekit_init(&(tracekit_options){.service_name = "c-client"});
    CURL *curl = curl_easy_init();

    tracekit_span *span = tracekit_start("load user");
    tracekit_set_string(span, "user.id", "42");
    tracekit_set_baggage(span, "tenant", "acme");
    long status = traced_get(curl, argv[1]);
    char trace_id[33];
    tracekit_trace_id(span, trace_id);
    printf("\n%ld, trace %s\n", status, trace_id);
    tracekit_end(span);

    curl_easy_cleanup(curl);
    return status == 200 ? 0 : 1; /* what waits is sent at exit */
}
