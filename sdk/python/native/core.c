/* core - the module: tracers, and which one is in use. */
#include "core.h"

struct core core;

/* ---- calls into Python ---- */

PyObject *
core_ask(PyObject *callable, PyObject *argument)
{
    if (callable == NULL)
        return NULL;
    PyObject *answer = PyObject_CallFunctionObjArgs(callable, argument, NULL);
    if (answer == NULL)
        PyErr_Clear();
    return answer;
}

PyObject *
core_text_of(PyObject *value)
{
    if (PyUnicode_CheckExact(value)) {
        Py_INCREF(value);
        return value;
    }
    PyObject *text = core_ask(core.text_of, value);
    if (text != NULL && !PyUnicode_Check(text))
        Py_CLEAR(text);
    return text;
}

bool
core_read_arguments(const char *function, const char *const *names, Py_ssize_t required,
                    PyObject *const *given, Py_ssize_t count, PyObject *keywords,
                    PyObject **ret_arguments)
{
    Py_ssize_t most = 0, named = keywords != NULL ? PyTuple_GET_SIZE(keywords) : 0;
    while (names[most] != NULL)
        ret_arguments[most++] = NULL;
    if (count + named > most) {
        PyErr_Format(PyExc_TypeError, "%s() takes at most %zd arguments", function, most);
        return false;
    }
    for (Py_ssize_t i = 0; i < count; i++)
        ret_arguments[i] = given[i];
    for (Py_ssize_t i = 0; i < named; i++) {
        PyObject *name = PyTuple_GET_ITEM(keywords, i);
        Py_ssize_t at = 0;
        while (at < most && PyUnicode_CompareWithASCIIString(name, names[at]) != 0)
            at++;
        if (at == most || ret_arguments[at] != NULL) {
            PyErr_Format(PyExc_TypeError, "%s() got an unexpected argument '%U'", function, name);
            return false;
        }
        ret_arguments[at] = given[count + i];
    }
    for (Py_ssize_t i = 0; i < required; i++) {
        if (ret_arguments[i] == NULL) {
            PyErr_Format(PyExc_TypeError, "%s() needs the argument '%s'", function, names[i]);
            return false;
        }
    }
    return true;
}

/* ---- tracers ---- */

typedef struct {
    PyObject_HEAD Queue *queue; /* NULL: nothing is recorded */
    PyObject *tracestate;
    uint64_t threshold;
} Tracer;

static Tracer *in_use; /* or NULL */

/* The last 56 bits of a trace id, which is big-endian, decide. */
static bool
is_sampled(uint64_t threshold, const uint8_t trace_id[16])
{
    uint64_t last = 0;
    for (int i = 9; i < 16; i++)
        last = last << 8 | trace_id[i];
    return last >= threshold;
}

static void
begin_trace(Tracer *tracer, Span *span)
{
    uint64_t id[2] = {core_random_id(), core_random_id()};
    memcpy(span->identity.trace_id, id, sizeof id);
    span->identity.flags = RANDOM;
    if (is_sampled(tracer->threshold, span->identity.trace_id)) {
        span->identity.flags |= SAMPLED;
        Py_XINCREF(tracer->tracestate);
        Py_XSETREF(span->tracestate, tracer->tracestate);
    }
}

/* `name` is a str. */
static Span *
new_span(PyObject *name, long kind)
{
    PyTypeObject *type = (PyTypeObject *)core.span;
    Span *span = (Span *)type->tp_alloc(type, 0);
    if (span == NULL)
        return NULL;
    Py_INCREF(name);
    span->name = name;
    span->identity.kind = (uint8_t)kind;
    return span;
}

/* It has its parent. */
static void
begin(Tracer *tracer, Span *span)
{
    if (tracer->queue == NULL) {
        memcpy(span->identity.span_id, span->identity.parent_id, sizeof span->identity.span_id);
        return;
    }
    uint64_t id = core_random_id();
    memcpy(span->identity.span_id, &id, sizeof id);
    if (!core_span_has_trace(span))
        begin_trace(tracer, span);
    if (span->identity.flags & SAMPLED)
        core_span_record(span, tracer->queue);
}

static PyObject *
start_below(Tracer *tracer, PyObject *name, long kind, PyObject *parent)
{
    Span *span = new_span(name, kind);
    if (span == NULL)
        return NULL;
    core_span_take_parent(span, parent);
    begin(tracer, span);
    return (PyObject *)span;
}

static PyObject *
tracer_start(Tracer *self, PyObject *const *given, Py_ssize_t count)
{
    if (count != 3 || !PyUnicode_Check(given[0])) {
        PyErr_SetString(PyExc_TypeError, "start() takes a name, a kind and a parent");
        return NULL;
    }
    long kind = PyLong_AsLong(given[1]);
    if (kind == -1 && PyErr_Occurred())
        return NULL;
    return start_below(self, given[0], kind, given[2]);
}

static int
tracer_init(Tracer *self, PyObject *arguments, PyObject *Py_UNUSED(keywords))
{
    PyObject *queue, *tracestate;
    unsigned long long threshold;
    if (!PyArg_ParseTuple(arguments, "OKU", &queue, &threshold, &tracestate))
        return -1;
    if (PyObject_TypeCheck(queue, core.queue)) {
        Py_INCREF(queue);
        Py_XSETREF(self->queue, (Queue *)queue);
    }
    Py_INCREF(tracestate);
    Py_XSETREF(self->tracestate, tracestate);
    self->threshold = threshold;
    return 0;
}

static int
tracer_traverse(Tracer *self, visitproc visit, void *arg)
{
    Py_VISIT(Py_TYPE(self));
    Py_VISIT(self->queue);
    return 0;
}

static int
tracer_clear(Tracer *self)
{
    Py_CLEAR(self->queue);
    return 0;
}

static void
tracer_dealloc(Tracer *self)
{
    PyTypeObject *type = Py_TYPE(self);
    PyObject_GC_UnTrack(self);
    tracer_clear(self);
    Py_CLEAR(self->tracestate);
    type->tp_free(self);
    Py_DECREF(type);
}

#define METHOD(function) (PyCFunction)(void (*)(void))(function)

static PyMethodDef tracer_methods[] = {
    {"start", METHOD(tracer_start), METH_FASTCALL, NULL},
    {NULL, NULL, 0, NULL},
};

static PyMemberDef tracer_members[] = {
    {"queue", T_OBJECT, offsetof(Tracer, queue), READONLY, NULL},
    {NULL, 0, 0, 0, NULL},
};

static PyType_Slot tracer_slots[] = {
    {Py_tp_init, tracer_init},
    {Py_tp_traverse, tracer_traverse},
    {Py_tp_clear, tracer_clear},
    {Py_tp_dealloc, tracer_dealloc},
    {Py_tp_methods, tracer_methods},
    {Py_tp_members, tracer_members},
    {0, NULL},
};

static PyType_Spec tracer_spec = {
    .name = "tracekit._core.Tracer",
    .basicsize = sizeof(Tracer),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC,
    .slots = tracer_slots,
};

/* ---- the module's functions ---- */

/* A new reference to the tracer in use; the environment makes one when there is none. */
static Tracer *
tracer_in_use(void)
{
    if (in_use == NULL) {
        PyObject *answer = PyObject_CallFunction(core.set_up, "{}");
        if (answer == NULL)
            return NULL;
        Py_DECREF(answer);
    }
    if (in_use == NULL)
        PyErr_SetString(PyExc_RuntimeError, "nothing was set up");
    Py_XINCREF(in_use);
    return in_use;
}

Span *
core_start_below_caller(PyObject *name, long kind, const tracekit_context *caller)
{
    Tracer *tracer = tracer_in_use();
    Span *span = tracer != NULL ? new_span(name, kind) : NULL;
    if (span != NULL) {
        if (caller != NULL)
            core_span_take_caller(span, caller);
        begin(tracer, span);
    }
    Py_XDECREF(tracer);
    return span;
}

/* Below the current span. */
static PyObject *
start_here(PyObject *name, long kind)
{
    PyObject *parent = NULL;
    Tracer *tracer = tracer_in_use();
    if (tracer == NULL || PyContextVar_Get(core.current, NULL, &parent) < 0) {
        Py_XDECREF(tracer);
        return NULL;
    }
    PyObject *span = start_below(tracer, name, kind, parent);
    Py_DECREF(tracer);
    Py_XDECREF(parent);
    return span;
}

static PyObject *
start(PyObject *Py_UNUSED(module), PyObject *const *given, Py_ssize_t count)
{
    if (count < 1 || count > 2 || !PyUnicode_Check(given[0])) {
        PyErr_SetString(PyExc_TypeError, "start() takes a name and a kind");
        return NULL;
    }
    long kind = count == 2 ? PyLong_AsLong(given[1]) : TRACEKIT_INTERNAL;
    if (kind == -1 && PyErr_Occurred())
        return NULL;
    return start_here(given[0], kind);
}

static PyObject *
start_span(PyObject *Py_UNUSED(module), PyObject *const *given, Py_ssize_t count,
           PyObject *keywords)
{
    static const char *const names[] = {"name", "tags", NULL};
    PyObject *arguments[2] = {count == 1 ? given[0] : NULL, NULL};
    if ((count != 1 || keywords != NULL) &&
        !core_read_arguments("start_span", names, 1, given, count, keywords, arguments))
        return NULL;
    PyObject *name = core_text_of(arguments[0]), *tags = arguments[1];
    if (name == NULL)
        name = PyUnicode_FromString("?");
    PyObject *span = name != NULL ? start_here(name, TRACEKIT_INTERNAL) : NULL;
    Py_XDECREF(name);
    if (span == NULL || tags == NULL || tags == Py_None)
        return span;
    Py_XDECREF(PyObject_CallMethod(span, "set_tags", "O", tags));
    PyErr_Clear();
    return span;
}

static PyObject *
use(PyObject *Py_UNUSED(module), PyObject *tracer)
{
    Tracer *before = in_use;
    in_use = NULL;
    if (PyObject_TypeCheck(tracer, core.tracer)) {
        Py_INCREF(tracer);
        in_use = (Tracer *)tracer;
    }
    Py_XDECREF(before);
    Py_RETURN_NONE;
}

static PyObject *
bind(PyObject *Py_UNUSED(module), PyObject *arguments, PyObject *keywords)
{
    const struct {
        const char *name;
        PyObject **slot;
    } places[] = {
        {"span", &core.span},
        {"set_up", &core.set_up},
        {"any_value", &core.any_value},
        {"text_of", &core.text_of},
        {"utf8", &core.utf8},
        {"clock", &core.clock},
        {"redact_query", &core.redact_query},
    };
    if (PyTuple_GET_SIZE(arguments) > 0) {
        PyErr_SetString(PyExc_TypeError, "bind() takes names");
        return NULL;
    }
    for (size_t i = 0; keywords != NULL && i < sizeof places / sizeof places[0]; i++) {
        PyObject *value = PyDict_GetItemString(keywords, places[i].name);
        if (value != NULL) {
            Py_INCREF(value);
            Py_XSETREF(*places[i].slot, value);
        }
    }
    Py_RETURN_NONE;
}

static PyObject *
samples(PyObject *Py_UNUSED(module), PyObject *arguments)
{
    unsigned long long threshold;
    const char *trace_id;
    Py_ssize_t size;
    if (!PyArg_ParseTuple(arguments, "Ky#", &threshold, &trace_id, &size))
        return NULL;
    if (size != 16) {
        PyErr_SetString(PyExc_ValueError, "a trace id has 16 bytes");
        return NULL;
    }
    return PyBool_FromLong(is_sampled(threshold, (const uint8_t *)trace_id));
}

static PyObject *
reseed(PyObject *Py_UNUSED(module), PyObject *Py_UNUSED(none))
{
    core_random_seed();
    Py_RETURN_NONE;
}

static PyObject *
sync_clock(PyObject *Py_UNUSED(module), PyObject *Py_UNUSED(none))
{
    core_sync_clock();
    Py_RETURN_NONE;
}

static PyMethodDef functions[] = {
    {"start", METHOD(start), METH_FASTCALL, NULL},
    {"start_span", METHOD(start_span), METH_FASTCALL | METH_KEYWORDS,
     "start_span(name, tags=None)\n--\n\n"
     "Starts a child of the current span; a new trace outside of any.\n\n"
     "In a ``with`` statement it is the current span and ends with the block; else whoever started "
     "it ends it."},
    {"use", use, METH_O, NULL},
    {"bind", METHOD(bind), METH_VARARGS | METH_KEYWORDS, NULL},
    {"samples", samples, METH_VARARGS, NULL},
    {"reseed", reseed, METH_NOARGS, NULL},
    {"sync_clock", sync_clock, METH_NOARGS, NULL},
    {NULL, NULL, 0, NULL},
};

static PyTypeObject *
add_type(PyObject *module, PyType_Spec *spec, const char *name)
{
    PyObject *type = PyType_FromSpec(spec);
    if (type == NULL)
        return NULL;
    Py_INCREF(type);
    if (PyModule_AddObject(module, name, type) < 0) {
        Py_DECREF(type);
        Py_DECREF(type);
        return NULL;
    }
    return (PyTypeObject *)type;
}

/* State is the process's: other interpreters in it get an ImportError, and record in Python. */
static int
fill_module(PyObject *module)
{
    if (PyInterpreterState_Get() != PyInterpreterState_Main()) {
        PyErr_SetString(PyExc_ImportError, "tracekit._core is the main interpreter's");
        return -1;
    }
    core_random_seed();
    if (!core_server_init() || PyModule_AddFunctions(module, core_server_functions) < 0)
        return -1;
    core.record = add_type(module, &core_record_spec, "Record");
    core.queue = add_type(module, &core_queue_spec, "Queue");
    core.tracer = add_type(module, &tracer_spec, "Tracer");
    core.current = PyContextVar_New("tracekit-span", Py_None);
    if (core.record == NULL || core.queue == NULL || core.tracer == NULL || core.current == NULL ||
        add_type(module, &core_within_spec, "Within") == NULL)
        return -1;
    Py_INCREF(core.current);
    return PyModule_AddObject(module, "current", core.current);
}

static PyModuleDef_Slot slots[] = {
    {Py_mod_exec, fill_module},
#if PY_VERSION_HEX >= 0x030c0000
    {Py_mod_multiple_interpreters, Py_MOD_MULTIPLE_INTERPRETERS_NOT_SUPPORTED},
#endif
#if PY_VERSION_HEX >= 0x030d0000
    {Py_mod_gil, Py_MOD_GIL_USED}, /* setup.py does not build it for a Python without */
#endif
    {0, NULL},
};

static PyModuleDef definition = {
    PyModuleDef_HEAD_INIT,
    .m_name = "tracekit._core",
    .m_methods = functions,
    .m_slots = slots,
};

PyMODINIT_FUNC PyInit__core(void);

PyMODINIT_FUNC
PyInit__core(void)
{
    return PyModuleDef_Init(&definition);
}
