/*
 * http1_head - see http1_head.h.
 *
 * Three steps.  (1) check_lines() refuses what llhttp 8.1 lets through or is vague about: a bare
 * CR or LF, control characters, a folded line, anything but a token before the colon.  (2) llhttp,
 * in its strict build, cuts the head into parts.  (3) understand() looks at the headers that decide
 * where the message ends, once more and by itself, because a mistake there is request smuggling.
 */
#include "net/http1_head.h"

#include "base/assert.h"

#include <llhttp.h>

enum { HEADERS_MAX = 256 };

ptrdiff_t
tk_http1_head_find_end(const char *text, size_t size, size_t *scanned)
{
    while (*scanned < size) {
        const char *line = text + *scanned;
        const char *end = memchr(line, '\n', size - *scanned);
        if (end == NULL)
            return 0;
        if (end == line || end[-1] != '\r')
            return -1;
        *scanned = (size_t)(end + 1 - text);
        if (end == line + 1)
            return (ptrdiff_t)*scanned;
    }
    return 0;
}

/* RFC 9110, 5.6.2 */
static bool
is_token_char(unsigned char c)
{
    static const char marks[] = "!#$%&'*+-.^_`|~";
    return (c >= '0' && c <= '9') || ((c | 0x20) >= 'a' && (c | 0x20) <= 'z') ||
           (c != '\0' && strchr(marks, c) != NULL);
}

/* The line without its line end: "METHOD SP target SP HTTP/d.d", printable ASCII. */
static const char *
check_request_line(tk_str line)
{
    size_t spaces = 0;
    for (size_t i = 0; i < line.len; i++) {
        unsigned char c = (unsigned char)line.ptr[i];
        if (c <= ' ' && c != ' ')
            return "a control character in the request line";
        if (c >= 0x7f)
            return "a character beyond ASCII in the request line";
        if (c == ' ' && ++spaces && (i == 0 || line.ptr[i - 1] == ' '))
            return "a space too many in the request line";
    }
    return spaces == 2 ? NULL : "the request line is not 'method target version'";
}

/* Also puts the name into lower case. */
static const char *
check_header_line(char *line, size_t len)
{
    size_t i = 0;
    if (line[0] == ' ' || line[0] == '\t')
        return "a folded header line";
    for (; i < len && line[i] != ':'; i++) {
        if (!is_token_char((unsigned char)line[i]))
            return "a character in a header's name that may not be there";
        if (line[i] >= 'A' && line[i] <= 'Z')
            line[i] = (char)(line[i] + ('a' - 'A'));
    }
    if (i == 0 || i == len)
        return "a header line without name or colon";
    for (; i < len; i++) {
        unsigned char c = (unsigned char)line[i];
        if ((c < ' ' && c != '\t') || c == 0x7f)
            return "a control character in a header's value";
    }
    return NULL;
}

/* NULL, or what is wrong.  Counts the header lines. */
static const char *
check_lines(char *text, size_t size, size_t *ret_count)
{
    const char *wrong = NULL;
    char *line = text, *end = text + size - 2; /* without the empty line */
    for (*ret_count = 0; line < end && wrong == NULL; ++*ret_count) {
        char *line_end = memchr(line, '\n', (size_t)(end - line));
        TK_ASSERT(line_end != NULL); /* tk_http1_head_find_end saw it */
        size_t len = (size_t)(line_end - 1 - line);
        wrong =
            line == text ? check_request_line((tk_str){line, len}) : check_header_line(line, len);
        line = line_end + 1;
    }
    if (*ret_count > 0)
        --*ret_count; /* the request line is none */
    return wrong;
}

/* ---- llhttp's callbacks: the head is one piece, so every part comes in one call ---- */

struct reader {
    llhttp_t parser;
    struct tk_http1_head *head;
    size_t header_max;
    tk_str target;
};

static int
on_url(llhttp_t *parser, const char *at, size_t len)
{
    struct reader *reader = parser->data;
    reader->target = (tk_str){at, len};
    return 0;
}

static int
on_header_field(llhttp_t *parser, const char *at, size_t len)
{
    struct reader *reader = parser->data;
    TK_ASSERT(reader->head->header_count < reader->header_max);
    reader->head->headers[reader->head->header_count++] =
        (struct tk_header){.name = {at, len}, .value = TK_STR("")};
    return 0;
}

static int
on_header_value(llhttp_t *parser, const char *at, size_t len)
{
    struct reader *reader = parser->data;
    TK_ASSERT(reader->head->header_count > 0);
    reader->head->headers[reader->head->header_count - 1].value = tk_str_trim((tk_str){at, len});
    return 0;
}

static int
on_headers_complete(llhttp_t *parser)
{
    struct reader *reader = parser->data;
    reader->head->keep_alive = llhttp_should_keep_alive(parser) != 0;
    parser->upgrade = 0; /* we offer nothing to upgrade to */
    return 1;            /* the body is read elsewhere */
}

static int
refuse(const char **ret_reason, int status, const char *reason)
{
    *ret_reason = reason;
    return status;
}

static int
status_of(const llhttp_t *parser, tk_str method, const char **ret_reason)
{
    switch (llhttp_get_errno(parser)) {
    case HPE_INVALID_METHOD:
        for (size_t i = 0; i < method.len; i++)
            if (!is_token_char((unsigned char)method.ptr[i]))
                return refuse(ret_reason, 400, "the method is no token");
        return refuse(ret_reason, 501, "unknown method");
    case HPE_INVALID_VERSION:
        return refuse(ret_reason, 505, "only HTTP/1.0, HTTP/1.1 and HTTP/2 are spoken here");
    default:
        *ret_reason = llhttp_get_error_reason(parser);
        if (*ret_reason == NULL || **ret_reason == '\0')
            *ret_reason = "malformed request head";
        return 400;
    }
}

/* origin-form, or absolute-form whose authority is left to Host (RFC 9112, 3.2). */
static bool
split_target(tk_str target, struct tk_http1_head *head)
{
    if (target.len > 0 && target.ptr[0] != '/') {
        const char *colon = memchr(target.ptr, ':', target.len);
        size_t scheme = colon != NULL ? (size_t)(colon - target.ptr) : 0;
        tk_str rest = {target.ptr + scheme, target.len - scheme};
        if (scheme == 0 || !tk_str_starts_with(rest, TK_STR("://")))
            return false;
        rest = (tk_str){rest.ptr + 3, rest.len - 3};
        size_t host = 0;
        while (host < rest.len && rest.ptr[host] != '/' && rest.ptr[host] != '?')
            host++;
        if (host == 0)
            return false;
        target = (tk_str){rest.ptr + host, rest.len - host};
    }
    const char *hash = target.len > 0 ? memchr(target.ptr, '#', target.len) : NULL;
    if (hash != NULL)
        return false; /* a fragment is never sent */
    head->query = target;
    head->path = tk_str_split(&head->query, '?');
    if (head->query.ptr == NULL)
        head->query = TK_STR("");
    if (head->path.len == 0)
        head->path = TK_STR("/");
    return true;
}

static bool
is_last_chunked(tk_str encodings)
{
    tk_str last = encodings;
    while (encodings.len > 0)
        last = tk_str_trim(tk_str_split(&encodings, ','));
    return tk_str_eq_nocase(last, TK_STR("chunked"));
}

/* The headers that say where the message ends, and Host.  RFC 9112, 3.2 and 6. */
static int
understand(struct tk_http1_head *head, const char **ret_reason)
{
    size_t hosts = 0, lengths = 0, encodings = 0;
    tk_str encoding = TK_STR("");
    for (size_t i = 0; i < head->header_count; i++) {
        const struct tk_header *header = &head->headers[i];
        if (tk_str_eq(header->name, TK_STR("host"))) {
            hosts++;
        } else if (tk_str_eq(header->name, TK_STR("content-length"))) {
            lengths++;
            if (!tk_str_to_u64(header->value, &head->content_length))
                return refuse(ret_reason, 400, "Content-Length is not a number");
        } else if (tk_str_eq(header->name, TK_STR("transfer-encoding"))) {
            encodings++;
            encoding = header->value;
        } else if (tk_str_eq(header->name, TK_STR("expect"))) {
            head->expect_continue =
                head->minor > 0 && tk_str_eq_nocase(header->value, TK_STR("100-continue"));
        }
    }
    if (hosts > 1 || (hosts == 0 && head->minor > 0))
        return refuse(ret_reason, 400, hosts > 1 ? "more than one Host" : "no Host");
    if (lengths > 1)
        return refuse(ret_reason, 400, "more than one Content-Length");
    if (encodings > 0 && (lengths > 0 || head->minor == 0))
        return refuse(ret_reason, 400,
                      lengths > 0 ? "Content-Length beside Transfer-Encoding"
                                  : "Transfer-Encoding in HTTP/1.0");
    head->chunked = tk_str_eq_nocase(encoding, TK_STR("chunked"));
    if (encodings == 0 || (encodings == 1 && head->chunked))
        return 0;
    if (encodings > 1 || !is_last_chunked(encoding))
        return refuse(ret_reason, 400, "Transfer-Encoding does not end with chunked");
    return refuse(ret_reason, 501, "the only Transfer-Encoding known here is chunked");
}

int
tk_http1_head_parse(struct tk_arena *arena, char *text, size_t size, struct tk_http1_head *ret_head,
                    const char **ret_reason)
{
    static const llhttp_settings_t settings = {.on_url = on_url,
                                               .on_header_field = on_header_field,
                                               .on_header_value = on_header_value,
                                               .on_headers_complete = on_headers_complete};
    struct reader reader = {.head = ret_head};
    *ret_head = (struct tk_http1_head){.path = TK_STR("/"), .query = TK_STR("")};
    const char *wrong = check_lines(text, size, &reader.header_max);
    if (wrong != NULL)
        return refuse(ret_reason, 400, wrong);
    if (reader.header_max > HEADERS_MAX)
        return refuse(ret_reason, 431, "too many header lines");
    ret_head->headers = tk_arena_zalloc(arena, reader.header_max, sizeof *ret_head->headers);
    if (ret_head->headers == NULL)
        return refuse(ret_reason, 503, "out of memory");

    ret_head->method = (tk_str){text, (size_t)((char *)memchr(text, ' ', size) - text)};
    llhttp_init(&reader.parser, HTTP_REQUEST, &settings);
    reader.parser.data = &reader;
    llhttp_errno_t error = llhttp_execute(&reader.parser, text, size);
    if (error != HPE_OK)
        return status_of(&reader.parser, ret_head->method, ret_reason);
    if (reader.parser.http_major != 1 || reader.parser.http_minor > 1)
        return refuse(ret_reason, 505, "only HTTP/1.0, HTTP/1.1 and HTTP/2 are spoken here");
    ret_head->minor = reader.parser.http_minor;
    if (reader.parser.method == HTTP_CONNECT)
        return refuse(ret_reason, 501, "this is not a proxy");
    if (!split_target(reader.target, ret_head))
        return refuse(ret_reason, 400, "the request target is neither a path nor a URL");
    return understand(ret_head, ret_reason);
}
