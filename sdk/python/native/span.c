/* span - see Record in _pure.py. */
#include "core.h"

/* One unit with libtracekit's, as its one-file form is: what a span costs is calls. */
#include "clock.c"
#include "random.c"
#include "record.c"
#include "utf8.c"

enum {
    BLOCK_SIZE = 1024, /* what a span begins with; most need no more */
    BLOCKS_KEPT_MAX = 64,
};

static const int64_t SYNC_EVERY_NANO = 5000000000, SYNC_FIRST_NANO = 200000000;

static uint64_t random_state[4];
static int64_t wall_offset, next_sync;
static void *free_blocks[BLOCKS_KEPT_MAX];
static unsigned free_block_count;

/* ---- ids, time, memory ---- */

void
core_random_seed(void)
{
    tk_random_seed(random_state);
}

uint64_t
core_random_id(void)
{
    return tk_random_id(random_state);
}

void
core_sync_clock(void)
{
    next_sync = 0;
}

/* Unix time less what tk_now says, measured anew every few seconds. */
static int64_t
unix_offset(int64_t now)
{
    if (now < next_sync)
        return wall_offset;
    bool first = tk_clock.start_ticks == 0; /* the counter's rate is not known yet */
    tk_clock_calibrate();
    wall_offset = tk_clock_wall_offset();
    PyObject *wall = core.clock != NULL ? PyObject_CallMethod(core.clock, "time_ns", NULL) : NULL;
    if (wall != NULL && PyLong_Check(wall))
        wall_offset = PyLong_AsLongLong(wall) - tk_now();
    PyErr_Clear();
    Py_XDECREF(wall);
    next_sync = now + (first ? SYNC_FIRST_NANO : SYNC_EVERY_NANO);
    return wall_offset;
}

static void *
take_block(void)
{
    return free_block_count > 0 ? free_blocks[--free_block_count] : PyMem_RawMalloc(BLOCK_SIZE);
}

static void
give_bytes(tracekit_record *record)
{
    if (record->bytes == NULL)
        return;
    if (record->capacity == BLOCK_SIZE && free_block_count < BLOCKS_KEPT_MAX)
        free_blocks[free_block_count++] = record->bytes;
    else
        PyMem_RawFree(record->bytes);
    record->bytes = NULL;
}

static bool
grow(tracekit_record *record, uint32_t capacity)
{
    uint8_t *bytes = PyMem_RawRealloc(record->bytes, capacity);
    if (bytes == NULL)
        return false;
    record->bytes = bytes;
    record->capacity = capacity;
    return true;
}

/* ---- texts ---- */

struct text {
    const char *start;
    size_t size;
    PyObject *held;
};

/* The UTF-8 of a str, which lives as long as that and `held` do. Python keeps that of a text with
 * other than ASCII beside it: not of giants. Lone surrogates are mended in Python. */
static bool
utf8_of_other(PyObject *string, struct text *ret_text)
{
    Py_ssize_t size = 0;
    char *start = NULL;
    ret_text->held = NULL;
    if (PyUnicode_IS_ASCII(string) || PyUnicode_GET_LENGTH(string) <= TK_TEXT_MAX)
        ret_text->start = PyUnicode_AsUTF8AndSize(string, &size);
    else
        ret_text->start = NULL;
    if (ret_text->start == NULL) {
        PyErr_Clear();
        ret_text->held = core_ask(core.utf8, string);
        if (ret_text->held == NULL || PyBytes_AsStringAndSize(ret_text->held, &start, &size) < 0) {
            PyErr_Clear();
            Py_CLEAR(ret_text->held);
            return false;
        }
        ret_text->start = start;
    }
    ret_text->size = (size_t)size;
    return true;
}

/* Nearly all texts are ASCII: Python holds their bytes as they are. */
static inline bool
utf8_of(PyObject *string, struct text *ret_text)
{
    if (!PyUnicode_IS_COMPACT_ASCII(string))
        return utf8_of_other(string, ret_text);
    ret_text->start = PyUnicode_DATA(string);
    ret_text->size = (size_t)PyUnicode_GET_LENGTH(string);
    ret_text->held = NULL;
    return true;
}

/* ---- the beginning ---- */

bool
core_span_has_trace(const Span *span)
{
    uint64_t id[2];
    memcpy(id, span->identity.trace_id, sizeof id);
    return (id[0] | id[1]) != 0;
}

/* An id of so many bytes, or none. */
static void
read_id(PyObject *bytes, uint8_t *ret_id, Py_ssize_t size)
{
    if (bytes != NULL && PyBytes_Check(bytes) && PyBytes_GET_SIZE(bytes) == size)
        memcpy(ret_id, PyBytes_AS_STRING(bytes), (size_t)size);
    else
        memset(ret_id, 0, (size_t)size);
}

static PyObject *
attribute(PyObject *object, const char *name)
{
    PyObject *value = PyObject_GetAttrString(object, name);
    if (value == NULL)
        PyErr_Clear();
    return value;
}

/* Gives a text to keep: NULL if it is empty, or none. Takes the reference. */
static PyObject *
kept_text(PyObject *text)
{
    if (text != NULL && (!PyUnicode_Check(text) || PyUnicode_GET_LENGTH(text) == 0))
        Py_CLEAR(text);
    return text;
}

static void
take_context(Span *span, PyObject *context)
{
    PyObject *trace_id = attribute(context, "trace_id"), *span_id = attribute(context, "span_id"),
             *flags = attribute(context, "flags");
    read_id(trace_id, span->identity.trace_id, 16);
    read_id(span_id, span->identity.parent_id, 8);
    span->identity.flags = flags != NULL ? (uint8_t)PyLong_AsLong(flags) : 0;
    span->identity.parent_is_remote = span_id != NULL && PyObject_IsTrue(span_id) == 1;
    PyErr_Clear();
    span->tracestate = kept_text(attribute(context, "tracestate"));
    span->baggage = kept_text(attribute(context, "baggage"));
    Py_XDECREF(trace_id);
    Py_XDECREF(span_id);
    Py_XDECREF(flags);
}

void
core_span_take_caller(Span *span, const tracekit_context *caller)
{
    memcpy(span->identity.trace_id, caller->trace_id, sizeof span->identity.trace_id);
    memcpy(span->identity.parent_id, caller->span_id, sizeof span->identity.parent_id);
    span->identity.flags = caller->flags;
    span->identity.parent_is_remote = true;
    if (caller->tracestate_size > 0)
        span->tracestate = PyUnicode_FromStringAndSize(caller->tracestate, caller->tracestate_size);
    PyErr_Clear();
}

void
core_span_take_parent(Span *span, PyObject *parent)
{
    if (parent == NULL || parent == Py_None)
        return;
    if (!PyObject_TypeCheck(parent, core.record)) {
        take_context(span, parent);
        return;
    }
    Span *above = (Span *)parent;
    memcpy(span->identity.trace_id, above->identity.trace_id, sizeof span->identity.trace_id);
    memcpy(span->identity.parent_id, above->identity.span_id, sizeof span->identity.parent_id);
    span->identity.flags = above->identity.flags;
    Py_XINCREF(above->tracestate);
    span->tracestate = above->tracestate;
    span->entry = above->entry != NULL ? above->entry : parent;
    Py_INCREF(span->entry);
    span->offset = above->offset;
}

void
core_span_record(Span *span, Queue *queue)
{
    struct text name = {0}, state = {0};
    void *block = take_block();
    bool begun = block != NULL && utf8_of(span->name, &name) &&
                 (span->tracestate == NULL || utf8_of(span->tracestate, &state));
    if (begun) {
        span->record.grow = grow;
        begun = tracekit_record_begin(&span->record, block, BLOCK_SIZE, state.start, state.size,
                                      name.start, name.size);
        if (!begun)
            give_bytes(&span->record);
    } else {
        PyMem_RawFree(block);
    }
    Py_XDECREF(name.held);
    Py_XDECREF(state.held);
    if (!begun)
        return; /* no memory */
    int64_t now = tk_now();
    if (span->offset == 0)
        span->offset = unix_offset(now);
    span->identity.start_unix_nano = (uint64_t)(now + span->offset);
    Py_INCREF(queue);
    span->queue = queue;
}

static int
span_init(Span *self, PyObject *arguments, PyObject *Py_UNUSED(keywords))
{
    PyObject *name, *parent, *trace_id, *span_id, *tracestate, *queue;
    unsigned char kind, flags;
    if (self->name != NULL) {
        PyErr_SetString(PyExc_TypeError, "a span is made once");
        return -1;
    }
    if (!PyArg_ParseTuple(arguments, "UbOSSbUO", &name, &kind, &parent, &trace_id, &span_id, &flags,
                          &tracestate, &queue))
        return -1;
    core_span_take_parent(self, parent);
    Py_INCREF(name);
    self->name = name;
    self->identity.kind = kind;
    self->identity.flags = flags;
    read_id(trace_id, self->identity.trace_id, 16);
    read_id(span_id, self->identity.span_id, 8);
    Py_INCREF(tracestate);
    Py_XSETREF(self->tracestate, kept_text(tracestate));
    if (PyObject_TypeCheck(queue, core.queue))
        core_span_record(self, (Queue *)queue);
    return 0;
}

/* ---- what is set on it ---- */

static PyObject *
itself(Span *self)
{
    Py_INCREF(self);
    return (PyObject *)self;
}

/* Values that no other call is for: as _otlp.py writes them. */
static void
set_other(Span *self, const struct text *key, PyObject *value)
{
    PyObject *encoded = core_ask(core.any_value, value);
    if (encoded != NULL && PyBytes_Check(encoded) && self->queue != NULL)
        tracekit_record_encoded(&self->record, key->start, key->size, PyBytes_AS_STRING(encoded),
                                (size_t)PyBytes_GET_SIZE(encoded));
    Py_XDECREF(encoded);
}

static inline void
set_text(Span *self, const struct text *key, PyObject *value)
{
    struct text text;
    if (!utf8_of(value, &text))
        return;
    if (self->queue != NULL)
        tracekit_record_string(&self->record, key->start, key->size, text.start, text.size);
    Py_XDECREF(text.held);
}

static void
set_integer(Span *self, const struct text *key, PyObject *value)
{
    int overflow;
    long long integer = PyLong_AsLongLongAndOverflow(value, &overflow);
    if (overflow != 0)
        set_other(self, key, value);
    else
        tracekit_record_int(&self->record, key->start, key->size, integer);
}

static inline void
set_value(Span *self, const struct text *key, PyObject *value)
{
    if (PyUnicode_CheckExact(value))
        set_text(self, key, value);
    else if (PyLong_CheckExact(value))
        set_integer(self, key, value);
    else if (PyFloat_CheckExact(value))
        tracekit_record_double(&self->record, key->start, key->size, PyFloat_AS_DOUBLE(value));
    else if (PyBool_Check(value))
        tracekit_record_bool(&self->record, key->start, key->size, value == Py_True);
    else if (value == Py_None)
        tracekit_record_remove(&self->record, key->start, key->size);
    else
        set_other(self, key, value);
}

static void
set(Span *self, PyObject *key, PyObject *value)
{
    struct text text;
    if (self->queue != NULL && PyUnicode_CheckExact(key) && PyUnicode_IS_COMPACT_ASCII(key)) {
        utf8_of(key, &text);
        set_value(self, &text, value);
        return;
    }
    PyObject *name = self->queue != NULL ? core_text_of(key) : NULL;
    if (name != NULL && utf8_of(name, &text)) {
        if (self->queue != NULL)
            set_value(self, &text, value);
        Py_XDECREF(text.held);
    }
    Py_XDECREF(name);
}

static PyObject *
span_set_tag(Span *self, PyObject *const *given, Py_ssize_t count, PyObject *keywords)
{
    static const char *const names[] = {"key", "value", NULL};
    PyObject *both[2];
    if (count == 2 && keywords == NULL) {
        set(self, given[0], given[1]);
        return itself(self);
    }
    if (!core_read_arguments("set_tag", names, 2, given, count, keywords, both))
        return NULL;
    set(self, both[0], both[1]);
    return itself(self);
}

static void
set_items(Span *self, PyObject *tags)
{
    PyObject *items = PyMapping_Items(tags);
    for (Py_ssize_t i = 0; items != NULL && i < PyList_GET_SIZE(items); i++) {
        PyObject *pair = PyList_GET_ITEM(items, i);
        if (PyTuple_Check(pair) && PyTuple_GET_SIZE(pair) == 2)
            set(self, PyTuple_GET_ITEM(pair, 0), PyTuple_GET_ITEM(pair, 1));
    }
    Py_XDECREF(items);
    PyErr_Clear();
}

static PyObject *
span_set_tags(Span *self, PyObject *tags)
{
    if (self->queue == NULL)
        return itself(self);
    if (!PyDict_CheckExact(tags)) {
        set_items(self, tags);
        return itself(self);
    }
    PyObject *key, *value;
    Py_ssize_t at = 0;
    while (PyDict_Next(tags, &at, &key, &value)) {
        Py_INCREF(key);
        Py_INCREF(value);
        set(self, key, value);
        Py_DECREF(key);
        Py_DECREF(value);
    }
    return itself(self);
}

static PyObject *
span_set_name(Span *self, PyObject *name)
{
    struct text text;
    PyObject *string = self->queue != NULL ? core_text_of(name) : NULL;
    if (string == NULL)
        return itself(self);
    if (utf8_of(string, &text)) {
        if (self->queue != NULL)
            tracekit_record_name(&self->record, text.start, text.size);
        Py_XDECREF(text.held);
    }
    Py_XSETREF(self->name, string);
    return itself(self);
}

static PyObject *
span_set_status(Span *self, PyObject *const *given, Py_ssize_t count, PyObject *keywords)
{
    static const char *const names[] = {"ok", "message", NULL};
    struct text text = {0};
    PyObject *both[2];
    if (!core_read_arguments("set_status", names, 1, given, count, keywords, both))
        return NULL;
    int ok = PyObject_IsTrue(both[0]);
    PyErr_Clear();
    PyObject *message = ok != 1 && both[1] != NULL ? core_text_of(both[1]) : NULL;
    if (message != NULL && !utf8_of(message, &text))
        text = (struct text){0};
    if (self->queue != NULL)
        tracekit_record_status(&self->record, ok == 1 ? TRACEKIT_STATUS_OK : TRACEKIT_STATUS_ERROR,
                               text.start, text.size);
    Py_XDECREF(text.held);
    Py_XDECREF(message);
    return itself(self);
}

static PyObject *
span_add_event(Span *self, PyObject *event)
{
    if (self->queue != NULL && PyBytes_Check(event))
        tracekit_record_encoded_event(&self->record, PyBytes_AS_STRING(event),
                                      (size_t)PyBytes_GET_SIZE(event));
    Py_RETURN_NONE;
}

static PyObject *
span_add_link(Span *self, PyObject *link)
{
    if (self->queue != NULL && PyBytes_Check(link))
        tracekit_record_encoded_link(&self->record, PyBytes_AS_STRING(link),
                                     (size_t)PyBytes_GET_SIZE(link));
    Py_RETURN_NONE;
}

static PyObject *
span_now(Span *self, PyObject *Py_UNUSED(none))
{
    return PyLong_FromLongLong(tk_now() + self->offset);
}

/* ---- the end ---- */

static void
end(Span *self)
{
    Queue *queue = self->queue;
    if (queue == NULL)
        return;
    uint64_t now = (uint64_t)(tk_now() + self->offset);
    bool earlier = now < self->identity.start_unix_nano; /* the counter is not trusted any more */
    self->identity.end_unix_nano = earlier ? self->identity.start_unix_nano : now;
    self->queue = NULL;
    size_t size = tracekit_record_size(&self->record, &self->identity);
    uint8_t *to = core_queue_room(queue, size);
    if (to != NULL) {
        tracekit_record_end(&self->record, &self->identity, to);
        core_queue_pushed(queue, size);
    }
    give_bytes(&self->record);
    Py_CLEAR(self->last_error);
    Py_DECREF(queue);
}

static PyObject *
span_end(Span *self, PyObject *Py_UNUSED(none))
{
    end(self);
    Py_RETURN_NONE;
}

static PyObject *
span_encoded(Span *self, PyObject *end_unix_nano)
{
    unsigned long long time = PyLong_AsUnsignedLongLong(end_unix_nano);
    if (PyErr_Occurred() || self->queue == NULL)
        return PyErr_Occurred() ? NULL : PyBytes_FromStringAndSize(NULL, 0);
    self->identity.end_unix_nano = time;
    size_t size = tracekit_record_size(&self->record, &self->identity);
    PyObject *bytes = PyBytes_FromStringAndSize(NULL, (Py_ssize_t)size);
    if (bytes != NULL)
        tracekit_record_end(&self->record, &self->identity, (uint8_t *)PyBytes_AS_STRING(bytes));
    return bytes;
}

/* ---- as the current one ---- */

static PyObject *
span_enter(Span *self, PyObject *Py_UNUSED(none))
{
    PyObject *token = PyContextVar_Set(core.current, (PyObject *)self);
    if (token == NULL)
        return NULL;
    Py_XSETREF(self->token, token);
    return itself(self);
}

static void
leave(Span *self)
{
    PyObject *token = self->token, *now = NULL;
    self->token = NULL;
    if (token == NULL)
        return;
    if (PyContextVar_Reset(core.current, token) < 0) {
        PyErr_Clear(); /* left in another context than entered */
        if (PyContextVar_Get(core.current, NULL, &now) == 0 && now == (PyObject *)self)
            Py_XDECREF(PyContextVar_Set(core.current, Py_None));
        Py_XDECREF(now);
        PyErr_Clear();
    }
    Py_DECREF(token);
}

static PyObject *
span_leave(Span *self, PyObject *Py_UNUSED(none))
{
    leave(self);
    Py_RETURN_NONE;
}

static PyObject *
span_exit(Span *self, PyObject *const *given, Py_ssize_t count)
{
    leave(self);
    if (count >= 2 && PyObject_IsInstance(given[1], PyExc_Exception) == 1) {
        Py_XDECREF(PyObject_CallMethod((PyObject *)self, "capture_exception", "O", given[1]));
        PyErr_Clear();
    }
    end(self);
    Py_RETURN_NONE;
}

/* ---- what it says of itself ---- */

static PyObject *
id_of(const uint8_t *id, Py_ssize_t size)
{
    static const uint8_t none[16];
    bool known = memcmp(id, none, (size_t)size) != 0;
    return PyBytes_FromStringAndSize((const char *)id, known ? size : 0);
}

static PyObject *
get_trace_id(Span *self, void *Py_UNUSED(closure))
{
    return id_of(self->identity.trace_id, 16);
}

static PyObject *
get_span_id(Span *self, void *Py_UNUSED(closure))
{
    return id_of(self->identity.span_id, 8);
}

static PyObject *
get_parent_id(Span *self, void *Py_UNUSED(closure))
{
    return id_of(self->identity.parent_id, 8);
}

static PyObject *
text_or_empty(PyObject *text)
{
    if (text == NULL)
        return PyUnicode_FromStringAndSize(NULL, 0);
    Py_INCREF(text);
    return text;
}

static PyObject *
get_tracestate(Span *self, void *Py_UNUSED(closure))
{
    return text_or_empty(self->tracestate);
}

static PyObject *
get_baggage(Span *self, void *Py_UNUSED(closure))
{
    return text_or_empty(self->baggage);
}

static int
set_baggage(Span *self, PyObject *baggage, void *Py_UNUSED(closure))
{
    Py_XINCREF(baggage);
    Py_XSETREF(self->baggage, kept_text(baggage));
    return 0;
}

static PyObject *
get_entry(Span *self, void *Py_UNUSED(closure))
{
    PyObject *entry = self->entry != NULL ? self->entry : (PyObject *)self;
    Py_INCREF(entry);
    return entry;
}

static PyObject *
get_is_recording(Span *self, void *Py_UNUSED(closure))
{
    return PyBool_FromLong(self->queue != NULL);
}

static PyObject *
get_failed(Span *self, void *Py_UNUSED(closure))
{
    return PyBool_FromLong(self->queue != NULL && self->record.failed);
}

/* ---- the type ---- */

static int
span_traverse(Span *self, visitproc visit, void *arg)
{
    Py_VISIT(Py_TYPE(self));
    Py_VISIT(self->entry);
    Py_VISIT(self->token);
    Py_VISIT(self->last_error);
    Py_VISIT(self->queue);
    return 0;
}

static int
span_clear(Span *self)
{
    Py_CLEAR(self->entry);
    Py_CLEAR(self->token);
    Py_CLEAR(self->last_error);
    Py_CLEAR(self->queue);
    return 0;
}

static void
span_dealloc(Span *self)
{
    PyTypeObject *type = Py_TYPE(self);
    PyObject_GC_UnTrack(self);
    if (self->weak_references != NULL)
        PyObject_ClearWeakRefs((PyObject *)self);
    span_clear(self);
    Py_CLEAR(self->name);
    Py_CLEAR(self->tracestate);
    Py_CLEAR(self->baggage);
    give_bytes(&self->record);
    type->tp_free(self);
    Py_DECREF(type);
}

#define WITH_KEYWORDS (METH_FASTCALL | METH_KEYWORDS)
#define METHOD(function) (PyCFunction)(void (*)(void))(function)

static PyMethodDef span_methods[] = {
    {"set_tag", METHOD(span_set_tag), WITH_KEYWORDS,
     "set_tag($self, /, key, value)\n--\n\n"
     "Sets an attribute; one set before gets the new value, with None it is taken away.\n\n"
     "Strings, booleans, numbers, bytes, lists and dictionaries keep their type; any other value "
     "is recorded as ``str()``\nprints it. A span has at most 128 attributes, further ones are "
     "counted and dropped."},
    {"set_tags", METHOD(span_set_tags), METH_O,
     "set_tags($self, tags, /)\n--\n\nSets several attributes."},
    {"set_name", METHOD(span_set_name), METH_O, "set_name($self, name, /)\n--\n\n"},
    {"set_status", METHOD(span_set_status), WITH_KEYWORDS,
     "set_status($self, /, ok, message='')\n--\n\n"
     "Says how the operation went. The message explains an error."},
    {"end", METHOD(span_end), METH_NOARGS,
     "end($self, /)\n--\n\n"
     "Finishes the span and hands it over to be sent. Only the first call counts."},
    {"leave", METHOD(span_leave), METH_NOARGS,
     "leave($self, /)\n--\n\n"
     "Makes the span that was the current one before ``with`` the current one again."},
    {"__enter__", METHOD(span_enter), METH_NOARGS, NULL},
    {"__exit__", METHOD(span_exit), METH_FASTCALL, NULL},
    {"_add_event", METHOD(span_add_event), METH_O, NULL},
    {"_add_link", METHOD(span_add_link), METH_O, NULL},
    {"_now", METHOD(span_now), METH_NOARGS, NULL},
    {"_encoded", METHOD(span_encoded), METH_O, NULL},
    {NULL, NULL, 0, NULL},
};

#define IDENTITY(member) (offsetof(Span, identity) + offsetof(tracekit_identity, member))
#define RECORD(member) (offsetof(Span, record) + offsetof(tracekit_record, member))

static PyMemberDef span_members[] = {
    {"name", T_OBJECT_EX, offsetof(Span, name), READONLY, NULL},
    {"kind", T_UBYTE, IDENTITY(kind), READONLY, NULL},
    {"flags", T_UBYTE, IDENTITY(flags), READONLY, NULL},
    {"_last_error", T_OBJECT, offsetof(Span, last_error), 0, NULL},
    {"_start", T_ULONGLONG, IDENTITY(start_unix_nano), 0, NULL},
    {"_dropped_attributes", T_UINT, RECORD(dropped_attributes), 0, NULL},
    {"_dropped_events", T_UINT, RECORD(dropped_events), 0, NULL},
    {"__weaklistoffset__", T_PYSSIZET, offsetof(Span, weak_references), READONLY, NULL},
    {NULL, 0, 0, 0, NULL},
};

static PyGetSetDef span_getters[] = {
    {"trace_id", (getter)get_trace_id, NULL, NULL, NULL},
    {"span_id", (getter)get_span_id, NULL, NULL, NULL},
    {"parent_id", (getter)get_parent_id, NULL, NULL, NULL},
    {"tracestate", (getter)get_tracestate, NULL, NULL, NULL},
    {"baggage", (getter)get_baggage, (setter)set_baggage, NULL, NULL},
    {"entry", (getter)get_entry, NULL, "The first span of this trace in this process.", NULL},
    {"is_recording", (getter)get_is_recording, NULL, NULL, NULL},
    {"failed", (getter)get_failed, NULL, NULL, NULL},
    {NULL, NULL, NULL, NULL, NULL},
};

static PyType_Slot span_slots[] = {
    {Py_tp_init, span_init},       {Py_tp_traverse, span_traverse},
    {Py_tp_clear, span_clear},     {Py_tp_dealloc, span_dealloc},
    {Py_tp_methods, span_methods}, {Py_tp_members, span_members},
    {Py_tp_getset, span_getters},  {0, NULL},
};

PyType_Spec core_record_spec = {
    .name = "tracekit._core.Record",
    .basicsize = sizeof(Span),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE | Py_TPFLAGS_HAVE_GC,
    .slots = span_slots,
};
