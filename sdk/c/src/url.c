/*
 * url - the little of RFC 3986 that is needed. A URL is looked at in parts that point into it; what
 * is compared is scheme, host, port and path as a browser would resolve them: scheme and host in
 * lower case, no port that the scheme implies.
 */
#include "url.h"

#include <ctype.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include <tracekit.h>

static const char LOCAL_SERVER[] = "http://localhost:4318";
static const char TRACES_PATH[] = "/v1/traces";

struct part {
    const char *text;
    size_t size;
};

/* scheme://user-info@host/path?query#fragment */
struct url {
    struct part scheme, host, path; /* host: with its port */
};

static bool
part_is(struct part part, const char *text)
{
    return part.size == strlen(text) && strncasecmp(part.text, text, part.size) == 0;
}

/* Of a scheme: RFC 3986, section 3.1. */
static bool
scheme_character(char c)
{
    return isalnum((unsigned char)c) || c == '+' || c == '-' || c == '.';
}

static bool
split(const char *text, struct url *ret_url)
{
    const char *colon = text;
    while (scheme_character(*colon))
        colon++;
    if (strncmp(colon, "://", 3) != 0)
        return false;
    struct url url = {.scheme = {text, (size_t)(colon - text)}};
    const char *host = colon + 3;
    size_t size = strcspn(host, "/?#");
    for (size_t i = size; i > 0; i--) {
        if (host[i - 1] == '@') { /* the last one: a password may hold others */
            host += i;
            size -= i;
            break;
        }
    }
    url.host = (struct part){host, size};
    url.path = (struct part){host + size, strcspn(host + size, "?#")};
    *ret_url = url;
    return size > 0 && host[0] != ':' && (host[0] != '[' || memchr(host, ']', size) != NULL);
}

static bool
is_web(const struct url *url)
{
    return part_is(url->scheme, "http") || part_is(url->scheme, "https");
}

/* ---- the endpoint ---- */

static bool
is_loopback(const char *host)
{
    return strncasecmp(host, "localhost", 9) == 0 || strncmp(host, "127.", 4) == 0 ||
           strncmp(host, "[::1]", 5) == 0;
}

bool
tk_url_endpoint(const char *endpoint, char ret_url[TK_URL_MAX])
{
    char text[TK_URL_MAX];
    struct url url;
    while (endpoint != NULL && isspace((unsigned char)*endpoint))
        endpoint++;
    if (endpoint == NULL || *endpoint == '\0')
        endpoint = LOCAL_SERVER;
    size_t size = strlen(endpoint);
    while (isspace((unsigned char)endpoint[size - 1]))
        size--;
    const char *scheme = memmem(endpoint, size, "://", 3) != NULL ? ""
                         : is_loopback(endpoint)                  ? "http://"
                                                                  : "https://";
    int length = snprintf(text, sizeof text, "%s%.*s", scheme,
                          (int)(size < TK_URL_MAX ? size : TK_URL_MAX), endpoint);
    if ((size_t)length >= sizeof text || !split(text, &url) || !is_web(&url))
        return false;
    while (url.path.size > 0 && url.path.text[url.path.size - 1] == '/')
        url.path.size--;
    size_t suffix = sizeof TRACES_PATH - 1;
    bool whole = url.path.size >= suffix &&
                 memcmp(url.path.text + url.path.size - suffix, TRACES_PATH, suffix) == 0;
    length = snprintf(ret_url, TK_URL_MAX, "%.*s%s", (int)(url.path.text + url.path.size - text),
                      text, whole ? "" : TRACES_PATH);
    return length < TK_URL_MAX;
}

/* ---- targets ---- */

static int
target_init(struct tk_target *target, const char *text)
{
    if (text[0] != '~') {
        target->text = strdup(text);
        return target->text != NULL ? 0 : TRACEKIT_ERROR_MEMORY;
    }
    bool ignore_case = text[1] == '*';
    target->text = NULL;
    int flags = REG_EXTENDED | REG_NOSUB | (ignore_case ? REG_ICASE : 0);
    return regcomp(&target->expression, text + 1 + ignore_case, flags) == 0
               ? 0
               : TRACEKIT_ERROR_ARGUMENT;
}

int
tk_targets_init(struct tk_targets *targets, const char *const *list, const char **ret_bad)
{
    *targets = (struct tk_targets){.set = list != NULL};
    size_t count = 0;
    while (list != NULL && list[count] != NULL)
        count++;
    if (count == 0)
        return 0;
    targets->list = calloc(count, sizeof *targets->list);
    if (targets->list == NULL)
        return TRACEKIT_ERROR_MEMORY;
    for (; targets->count < count; targets->count++) {
        int error = target_init(&targets->list[targets->count], list[targets->count]);
        if (error != 0) {
            *ret_bad = list[targets->count];
            tk_targets_release(targets);
            return error;
        }
    }
    return 0;
}

void
tk_targets_release(struct tk_targets *targets)
{
    for (size_t i = 0; i < targets->count; i++) {
        if (targets->list[i].text == NULL)
            regfree(&targets->list[i].expression);
        free(targets->list[i].text);
    }
    free(targets->list);
    *targets = (struct tk_targets){0};
}

/* Writes what is matched: scheme, host, port and path. */
static bool
location(const struct url *url, char *ret_text)
{
    bool https = part_is(url->scheme, "https");
    const char *port = https ? ":443" : ":80";
    size_t host = url->host.size, size = strlen(port);
    if (host > size && memcmp(url->host.text + host - size, port, size) == 0)
        host -= size;
    int length = snprintf(ret_text, TK_URL_MAX, "http%s://%.*s%.*s", https ? "s" : "", (int)host,
                          url->host.text, (int)url->path.size, url->path.text);
    if (length >= TK_URL_MAX)
        return false;
    for (char *c = ret_text, *path = ret_text + length - url->path.size; c < path; c++)
        *c = (char)tolower((unsigned char)*c);
    if (url->path.size == 0 && length < TK_URL_MAX - 1)
        memcpy(ret_text + length, "/", 2); /* as every client asks for it */
    return true;
}

bool
tk_targets_match(const struct tk_targets *targets, const char *text)
{
    struct url url;
    char where[TK_URL_MAX];
    if (!targets->set)
        return true;
    if (!split(text, &url) || !is_web(&url) || url.path.size >= TK_URL_MAX ||
        url.host.size >= TK_URL_MAX || !location(&url, where))
        return false;
    for (size_t i = 0; i < targets->count; i++) {
        const struct tk_target *target = &targets->list[i];
        if (target->text == NULL ? regexec(&target->expression, where, 0, NULL, 0) == 0
                                 : target->text[0] != '\0' && strstr(where, target->text) != NULL)
            return true;
    }
    return false;
}

/* ---- what may be told ---- */

/* Parameters that grant access: the semantic conventions' for url.query, and the cloud stores'
 * other ones. */
static bool
is_credential(const char *name, size_t size)
{
    static const char *const names[] = {
        "AWSAccessKeyId",   "Signature",           "sig", "X-Goog-Signature", "X-Amz-Signature",
        "X-Amz-Credential", "X-Amz-Security-Token"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        if (part_is((struct part){name, size}, names[i]))
            return true;
    return false;
}

static size_t
put(char *to, size_t at, const char *text, size_t size)
{
    if (at + size > TK_URL_MAX)
        size = TK_URL_MAX - at;
    memcpy(to + at, text, size);
    return at + size;
}

static size_t
put_query(char *to, size_t at, const char *query, size_t size)
{
    for (size_t i = 0; i < size;) {
        const char *pair = query + i, *end = memchr(pair, '&', size - i);
        size_t whole = end != NULL ? (size_t)(end - pair) : size - i;
        const char *equals = memchr(pair, '=', whole);
        if (equals != NULL && is_credential(pair, (size_t)(equals - pair))) {
            at = put(to, at, pair, (size_t)(equals - pair) + 1);
            at = put(to, at, "REDACTED", 8);
        } else {
            at = put(to, at, pair, whole);
        }
        if (end != NULL)
            at = put(to, at, "&", 1);
        i += whole + 1;
    }
    return at;
}

size_t
tk_url_redact_query(const char *query, char ret_query[TK_URL_MAX])
{
    return put_query(ret_query, 0, query, strcspn(query, "#"));
}

size_t
tk_url_redact(const char *text, char ret_url[TK_URL_MAX])
{
    struct url url;
    size_t at = 0, size = strcspn(text, "#");
    const char *rest = text;
    if (split(text, &url)) {
        at = put(ret_url, 0, text, url.scheme.size + 3);
        rest = url.host.text;
    }
    size_t before = strcspn(rest, "?#");
    at = put(ret_url, at, rest, before);
    if (rest[before] != '?')
        return at;
    at = put(ret_url, at, "?", 1);
    const char *query = rest + before + 1;
    return put_query(ret_url, at, query, size - (size_t)(query - text));
}

bool
tk_url_host(const char *text, char ret_host[256], int *ret_port)
{
    struct url url;
    struct part host = {text, strlen(text)};
    if (strstr(text, "://") != NULL) {
        if (!split(text, &url))
            return false;
        host = url.host;
    }
    *ret_port = -1;
    const char *colon = NULL;
    for (size_t i = host.size; i > 0 && host.text[i - 1] != ']'; i--)
        if (host.text[i - 1] == ':')
            colon = host.text + i - 1;
    if (colon != NULL) {
        long port = strtol(colon + 1, NULL, 10);
        *ret_port = port > 0 && port < 65536 ? (int)port : -1;
        host.size = (size_t)(colon - host.text);
    }
    if (host.size == 0 || host.size > 255)
        return false;
    memcpy(ret_host, host.text, host.size);
    ret_host[host.size] = '\0';
    return true;
}
