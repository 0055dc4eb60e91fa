/*
 * server - the span of a request, out of what WSGI and ASGI say of it: _server.py, for what is
 * usual. Whatever is not (text beyond ASCII, baggage, values of other types) is answered by
 * NotImplemented and done there: there is one description of it then.
 *
 * Texts are looked at where they lie: until its span is there nobody changes what a request says.
 */
#include "core.h"

#include "context.c"

struct part {
    const char *start;
    size_t size;
};

struct request {
    PyObject *query; /* str, or NULL */
    struct part method, scheme, host, agent, protocol, path, peer;
    tracekit_context caller;
};

/* ---- what is looked for ---- */

enum {
    REQUEST_METHOD,
    PREFLIGHT,
    TRACEPARENT,
    TRACESTATE,
    BAGGAGE,
    USER_AGENT,
    REMOTE_ADDR,
    QUERY_STRING,
    SERVER_PROTOCOL,
    HTTP_HOST,
    SERVER_NAME,
    URL_SCHEME,
    SCRIPT_NAME,
    PATH_INFO,
    METHOD,
    HEADERS,
    SCHEME,
    QUERY,
    CLIENT,
    HTTP_VERSION,
    PATH,
    NAMES_MAX,
};

static const char *const texts[NAMES_MAX] = {
    [REQUEST_METHOD] = "REQUEST_METHOD",
    [PREFLIGHT] = "HTTP_ACCESS_CONTROL_REQUEST_METHOD",
    [TRACEPARENT] = "HTTP_TRACEPARENT",
    [TRACESTATE] = "HTTP_TRACESTATE",
    [BAGGAGE] = "HTTP_BAGGAGE",
    [USER_AGENT] = "HTTP_USER_AGENT",
    [REMOTE_ADDR] = "REMOTE_ADDR",
    [QUERY_STRING] = "QUERY_STRING",
    [SERVER_PROTOCOL] = "SERVER_PROTOCOL",
    [HTTP_HOST] = "HTTP_HOST",
    [SERVER_NAME] = "SERVER_NAME",
    [URL_SCHEME] = "wsgi.url_scheme",
    [SCRIPT_NAME] = "SCRIPT_NAME",
    [PATH_INFO] = "PATH_INFO",
    [METHOD] = "method",
    [HEADERS] = "headers",
    [SCHEME] = "scheme",
    [QUERY] = "query_string",
    [CLIENT] = "client",
    [HTTP_VERSION] = "http_version",
    [PATH] = "path",
};

static const char *const methods[] = {"GET",     "HEAD",    "POST",  "PUT",   "PATCH", "DELETE",
                                      "CONNECT", "OPTIONS", "TRACE", "QUERY", NULL};

static PyObject *names[NAMES_MAX], *method_names[sizeof methods / sizeof methods[0]], *other_method;

bool
core_server_init(void)
{
    for (int i = 0; i < NAMES_MAX; i++)
        if (names[i] == NULL && (names[i] = PyUnicode_InternFromString(texts[i])) == NULL)
            return false;
    for (int i = 0; methods[i] != NULL; i++)
        if (method_names[i] == NULL &&
            (method_names[i] = PyUnicode_InternFromString(methods[i])) == NULL)
            return false;
    if (other_method == NULL)
        other_method = PyUnicode_InternFromString("HTTP");
    return other_method != NULL;
}

/* ---- reading ---- */

static bool
is(struct part part, const char *text)
{
    return part.size == strlen(text) && memcmp(part.start, text, part.size) == 0;
}

/* A str of ASCII; none and None are empty. */
static bool
read_text(PyObject *value, struct part *ret_part)
{
    *ret_part = (struct part){"", 0};
    if (value == NULL || value == Py_None)
        return true;
    if (!PyUnicode_CheckExact(value) || !PyUnicode_IS_COMPACT_ASCII(value))
        return false;
    ret_part->start = PyUnicode_DATA(value);
    ret_part->size = (size_t)PyUnicode_GET_LENGTH(value);
    return true;
}

static bool
read_name(PyObject *map, int name, struct part *ret_part)
{
    return read_text(PyDict_GetItemWithError(map, names[name]), ret_part);
}

/* The same; when it is empty, something else. */
static bool
read_name_or(PyObject *map, int name, const char *other, struct part *ret_part)
{
    if (!read_name(map, name, ret_part))
        return false;
    if (ret_part->size == 0)
        *ret_part = (struct part){other, strlen(other)};
    return true;
}

static bool
read_ascii_bytes(PyObject *value, struct part *ret_part)
{
    if (!PyBytes_CheckExact(value))
        return false;
    *ret_part = (struct part){PyBytes_AS_STRING(value), (size_t)PyBytes_GET_SIZE(value)};
    for (size_t i = 0; i < ret_part->size; i++)
        if ((ret_part->start[i] & 0x80) != 0)
            return false;
    return true;
}

/* Of which nothing would be cut off. */
static bool
read_caller(tracekit_context *caller, const char *name, struct part value)
{
    if (value.size + caller->tracestate_size >= TRACEKIT_TRACESTATE_MAX)
        return false;
    tracekit_extract_n(caller, name, strlen(name), value.start, value.size);
    return true;
}

/* All of it but the texts' buffers, which are large, and empty while their sizes are 0. */
static void
begin_request(struct request *request)
{
    request->query = NULL;
    request->host = request->agent = (struct part){"", 0};
    memset(&request->caller, 0, offsetof(tracekit_context, tracestate));
}

/* ---- the span ---- */

static void
set(Span *span, const char *key, struct part value)
{
    tracekit_record_string(&span->record, key, strlen(key), value.start, value.size);
}

static void
set_if_any(Span *span, const char *key, struct part value)
{
    if (value.size > 0)
        set(span, key, value);
}

/* `host`, `host:port`, `[::1]:port`: split_host of _url.py. */
static void
set_authority(Span *span, struct part authority)
{
    struct part host = authority, port = {"", 0};
    const char *end = authority.start + authority.size, *colon;
    if (authority.size > 0 && *authority.start == '[') {
        colon = memchr(authority.start, ']', authority.size);
        colon = colon != NULL ? colon + 1 : end;
        if (end[-1] != ']' && (colon == end || *colon != ':'))
            return;
    } else {
        colon = memchr(authority.start, ':', authority.size);
    }
    if (colon != NULL && colon < end) {
        host.size = (size_t)(colon - host.start);
        port = (struct part){colon + 1, (size_t)(end - colon - 1)};
    }
    if (host.size == 0)
        return;
    set(span, "server.address", host);
    int64_t number = 0;
    for (size_t i = 0; i < port.size; i++) {
        if (port.start[i] < '0' || port.start[i] > '9' || port.size > 5)
            return;
        number = number * 10 + (port.start[i] - '0');
    }
    if (port.size > 0)
        tracekit_record_int(&span->record, "server.port", 11, number);
}

static void
set_query(Span *span, PyObject *query)
{
    struct part text;
    PyObject *redacted = core_ask(core.redact_query, query);
    if (span->queue != NULL && redacted != NULL && read_text(redacted, &text))
        set(span, "url.query", text);
    Py_XDECREF(redacted);
}

static PyObject *
serve(struct request *request)
{
    int known = 0;
    while (methods[known] != NULL && !is(request->method, methods[known]))
        known++;
    PyObject *name = methods[known] != NULL ? method_names[known] : other_method;
    Span *span = core_start_below_caller(name, TRACEKIT_SERVER,
                                         request->caller.valid ? &request->caller : NULL);
    if (span != NULL && span->queue != NULL) {
        if (methods[known] != NULL) {
            set(span, "http.request.method", request->method);
        } else {
            set(span, "http.request.method", (struct part){"_OTHER", 6});
            set(span, "http.request.method_original", request->method);
        }
        set(span, "url.scheme", request->scheme);
        set_authority(span, request->host);
        set_if_any(span, "user_agent.original", request->agent);
        set_if_any(span, "network.protocol.version", request->protocol);
        set(span, "url.path", request->path);
        if (request->query != NULL && PyUnicode_GET_LENGTH(request->query) > 0)
            set_query(span, request->query);
        if (span->queue != NULL)
            set_if_any(span, "client.address", request->peer);
    }
    return (PyObject *)span;
}

static PyObject *
not_usual(void)
{
    PyErr_Clear();
    Py_INCREF(Py_NotImplemented);
    return Py_NotImplemented;
}

/* ---- WSGI ---- */

/* In `ret_whole` what the path may be a part of, to be released. */
static bool
read_path(PyObject *environ, struct part *ret_path, PyObject **ret_whole)
{
    struct part script;
    PyObject *above = PyDict_GetItemWithError(environ, names[SCRIPT_NAME]),
             *below = PyDict_GetItemWithError(environ, names[PATH_INFO]);
    if (above == Py_None || below == Py_None || !read_text(above, &script) ||
        !read_text(below, ret_path))
        return false;
    if (script.size == 0)
        return true;
    if (ret_path->size == 0) {
        *ret_path = script;
        return true;
    }
    *ret_whole = PyUnicode_Concat(above, below);
    return *ret_whole != NULL && read_text(*ret_whole, ret_path);
}

static bool
read_environ(PyObject *environ, struct request *request)
{
    struct part text;
    PyObject *value = PyDict_GetItemWithError(environ, names[TRACEPARENT]);
    if (value != NULL) {
        if (!read_text(value, &text) || !read_caller(&request->caller, "traceparent", text) ||
            !read_name(environ, TRACESTATE, &text) ||
            !read_caller(&request->caller, "tracestate", text))
            return false;
    }
    request->query = PyDict_GetItemWithError(environ, names[QUERY_STRING]);
    if (!read_text(request->query, &text) || !read_name(environ, HTTP_HOST, &request->host) ||
        !read_name(environ, USER_AGENT, &request->agent) ||
        !read_name(environ, REMOTE_ADDR, &request->peer) ||
        !read_name(environ, SERVER_PROTOCOL, &request->protocol) ||
        !read_name_or(environ, URL_SCHEME, "http", &request->scheme))
        return false;
    if (request->query == Py_None)
        request->query = NULL;
    size_t before = request->protocol.size < 5 ? request->protocol.size : 5; /* "HTTP/" */
    request->protocol.start += before;
    request->protocol.size -= before;
    return request->host.size > 0 || read_name(environ, SERVER_NAME, &request->host);
}

static PyObject *
from_environ(PyObject *Py_UNUSED(module), PyObject *const *given, Py_ssize_t count)
{
    struct request request;
    if (count != 2) {
        PyErr_SetString(PyExc_TypeError, "from_environ() takes an environ and a path");
        return NULL;
    }
    PyObject *environ = given[0], *path = given[1], *whole = NULL, *span = NULL;
    begin_request(&request);
    if (!PyDict_CheckExact(environ) ||
        !read_name_or(environ, REQUEST_METHOD, "GET", &request.method) ||
        PyDict_GetItemWithError(environ, names[BAGGAGE]) != NULL)
        return not_usual();
    if (is(request.method, "OPTIONS") && PyDict_GetItemWithError(environ, names[PREFLIGHT]) != NULL)
        Py_RETURN_NONE;
    if (!read_environ(environ, &request) ||
        !(path != Py_None ? read_text(path, &request.path)
                          : read_path(environ, &request.path, &whole)))
        span = not_usual();
    else
        span = serve(&request);
    Py_XDECREF(whole);
    return span;
}

/* ---- ASGI ---- */

enum header { USUAL, PREFLIGHTED, UNUSUAL };

static enum header
read_header(PyObject *header, struct request *request)
{
    struct part name, value;
    if (!PyTuple_CheckExact(header) && !PyList_CheckExact(header))
        return UNUSUAL;
    PyObject **both = PySequence_Fast_ITEMS(header);
    if (PySequence_Fast_GET_SIZE(header) != 2 || !PyBytes_CheckExact(both[0]))
        return UNUSUAL;
    name = (struct part){PyBytes_AS_STRING(both[0]), (size_t)PyBytes_GET_SIZE(both[0])};
    bool host = is(name, "host"), agent = is(name, "user-agent"),
         traceparent = is(name, "traceparent"), tracestate = is(name, "tracestate");
    if (host || agent || traceparent || tracestate) {
        if (!read_ascii_bytes(both[1], &value))
            return UNUSUAL;
        if (host)
            request->host = value;
        else if (agent)
            request->agent = value;
        else if (!read_caller(&request->caller, traceparent ? "traceparent" : "tracestate", value))
            return UNUSUAL;
        return USUAL;
    }
    if (is(name, "access-control-request-method") && is(request->method, "OPTIONS"))
        return PREFLIGHTED;
    return is(name, "baggage") ? UNUSUAL : USUAL;
}

static enum header
read_headers(PyObject *headers, struct request *request)
{
    if (headers == NULL || (!PyList_CheckExact(headers) && !PyTuple_CheckExact(headers)))
        return UNUSUAL;
    for (Py_ssize_t i = 0; i < PySequence_Fast_GET_SIZE(headers); i++) {
        enum header header = read_header(PySequence_Fast_GET_ITEM(headers, i), request);
        if (header != USUAL)
            return header;
    }
    return USUAL;
}

/* The query is a new reference. */
static bool
read_scope(PyObject *scope, struct request *request)
{
    struct part query = {"", 0};
    PyObject *bytes = PyDict_GetItemWithError(scope, names[QUERY]),
             *client = PyDict_GetItemWithError(scope, names[CLIENT]), *peer = NULL;
    if (client != NULL && client != Py_None) {
        if ((!PyTuple_CheckExact(client) && !PyList_CheckExact(client)) ||
            PySequence_Fast_GET_SIZE(client) == 0)
            return false;
        peer = PySequence_Fast_GET_ITEM(client, 0);
    }
    if (!read_text(peer, &request->peer) ||
        !read_name_or(scope, SCHEME, "http", &request->scheme) ||
        !read_name(scope, HTTP_VERSION, &request->protocol) ||
        PyDict_GetItemWithError(scope, names[PATH]) == NULL ||
        !read_name(scope, PATH, &request->path))
        return false;
    if (bytes != NULL && bytes != Py_None && !read_ascii_bytes(bytes, &query))
        return false;
    if (query.size == 0)
        return true;
    request->query = PyUnicode_DecodeASCII(query.start, (Py_ssize_t)query.size, NULL);
    return request->query != NULL;
}

static PyObject *
from_scope(PyObject *Py_UNUSED(module), PyObject *scope)
{
    struct request request;
    begin_request(&request);
    if (!PyDict_CheckExact(scope) || !read_name_or(scope, METHOD, "GET", &request.method))
        return not_usual();
    enum header header = read_headers(PyDict_GetItemWithError(scope, names[HEADERS]), &request);
    if (header == PREFLIGHTED)
        Py_RETURN_NONE;
    PyObject *span = header == USUAL && read_scope(scope, &request) ? serve(&request) : not_usual();
    Py_XDECREF(request.query);
    return span;
}

/* ---- what is made while it is sent ---- */

typedef struct {
    PyObject_HEAD PyObject *whole, *parts; /* what was given, and its iterator */
    PyObject *span, *done;
} Within;

static int
within_init(Within *self, PyObject *arguments, PyObject *Py_UNUSED(keywords))
{
    PyObject *parts, *span, *done;
    if (!PyArg_ParseTuple(arguments, "OOO", &parts, &span, &done))
        return -1;
    PyObject *iterator = PyObject_GetIter(parts);
    if (iterator == NULL)
        return -1;
    Py_INCREF(parts);
    Py_INCREF(span);
    Py_INCREF(done);
    Py_XSETREF(self->whole, parts);
    Py_XSETREF(self->parts, iterator);
    Py_XSETREF(self->span, span);
    Py_XSETREF(self->done, done);
    return 0;
}

/* Records what was raised, and leaves it as it is. */
static void
capture(PyObject *span)
{
    PyObject *type, *error, *trace;
    PyErr_Fetch(&type, &error, &trace);
    PyErr_NormalizeException(&type, &error, &trace);
    if (trace != NULL)
        PyException_SetTraceback(error, trace);
    if (PyObject_TypeCheck(error, (PyTypeObject *)PyExc_Exception)) {
        Py_XDECREF(PyObject_CallMethod(span, "capture_exception", "O", error));
        PyErr_Clear();
    }
    PyErr_Restore(type, error, trace);
}

static PyObject *
within_next(Within *self)
{
    if (self->parts == NULL)
        return NULL; /* none were given: `__init__` was not called */
    PyObject *token = PyContextVar_Set(core.current, self->span);
    if (token == NULL)
        return NULL;
    PyObject *part = PyIter_Next(self->parts), *type = NULL, *error = NULL, *trace = NULL;
    if (part == NULL && PyErr_Occurred())
        capture(self->span);
    else if (part == NULL)
        Py_XDECREF(core_ask(self->done, NULL));
    PyErr_Fetch(&type, &error, &trace);
    if (PyContextVar_Reset(core.current, token) < 0)
        PyErr_Clear();
    Py_DECREF(token);
    PyErr_Restore(type, error, trace);
    return part;
}

static int
within_traverse(Within *self, visitproc visit, void *arg)
{
    Py_VISIT(Py_TYPE(self));
    Py_VISIT(self->whole);
    Py_VISIT(self->parts);
    Py_VISIT(self->span);
    Py_VISIT(self->done);
    return 0;
}

static int
within_clear(Within *self)
{
    Py_CLEAR(self->whole);
    Py_CLEAR(self->parts);
    Py_CLEAR(self->span);
    Py_CLEAR(self->done);
    return 0;
}

static void
within_dealloc(Within *self)
{
    PyTypeObject *type = Py_TYPE(self);
    PyObject_GC_UnTrack(self);
    within_clear(self);
    type->tp_free(self);
    Py_DECREF(type);
}

static PyMemberDef within_members[] = {
    {"_whole", T_OBJECT_EX, offsetof(Within, whole), READONLY, NULL},
    {"_span", T_OBJECT_EX, offsetof(Within, span), READONLY, NULL},
    {"_done", T_OBJECT_EX, offsetof(Within, done), READONLY, NULL},
    {NULL, 0, 0, 0, NULL},
};

static PyType_Slot within_slots[] = {
    {Py_tp_init, within_init},       {Py_tp_iter, PyObject_SelfIter},
    {Py_tp_iternext, within_next},   {Py_tp_traverse, within_traverse},
    {Py_tp_clear, within_clear},     {Py_tp_dealloc, within_dealloc},
    {Py_tp_members, within_members}, {0, NULL},
};

PyType_Spec core_within_spec = {
    .name = "tracekit._core.Within",
    .basicsize = sizeof(Within),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE | Py_TPFLAGS_HAVE_GC,
    .slots = within_slots,
};

PyMethodDef core_server_functions[] = {
    {"from_environ", (PyCFunction)(void (*)(void))from_environ, METH_FASTCALL, NULL},
    {"from_scope", from_scope, METH_O, NULL},
    {NULL, NULL, 0, NULL},
};
