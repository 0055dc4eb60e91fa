#ifndef TRACEKIT_PYTHON_CORE_H
#define TRACEKIT_PYTHON_CORE_H
/*
 * tracekit._core - recording in C: what _pure.py does, which is where it is described, on
 * libtracekit's record.
 *
 * A span is written as the OTLP bytes that leave while it is recorded, in a block of memory that
 * the next span takes over, and copied into its queue when it ends. Everything is done under the
 * GIL. What is seldom, the values that are no text and no number before all, is left to _otlp.py:
 * there is one description of it then. Calls into Python may do anything, end the span that they
 * are made for included: its record is looked at after them. Nothing here raises for what it is
 * given, as long as the arguments are as many as they should be.
 */
#define PY_SSIZE_T_CLEAN
#include <Python.h>
#include <structmember.h>

#include <stdbool.h>

#define TRACEKIT_API __attribute__((visibility("hidden")))
#include <tracekit.h>

enum {
    QUEUE_MAX = 2048, /* as in _limits.py */
    BATCH_MAX = 512,
    BATCHES_MAX = QUEUE_MAX / BATCH_MAX + 1, /* full ones, and one that is begun */
    SAMPLED = 1,
    RANDOM = 2,
};

/* ---- queue.c ---- */

struct batch {
    uint8_t *bytes;
    size_t size, capacity;
    unsigned count;
};

typedef struct {
    PyObject_HEAD PyObject *pushed, *full; /* callables */
    struct batch batches[BATCHES_MAX];
    unsigned first; /* of the batches that wait: all but the last of them are full */
    unsigned waiting, under_way;
    size_t bytes, under_way_bytes;
    unsigned long long sent, dropped;
    bool closed;
} Queue;

extern PyType_Spec core_queue_spec;

/* Where so many bytes of a span may be written; NULL, and counted, when there is no room. */
uint8_t *core_queue_room(Queue *queue, size_t size);

/* They were written. */
void core_queue_pushed(Queue *queue, size_t size);

/* ---- span.c ---- */

typedef struct {
    PyObject_HEAD PyObject *name;   /* str */
    PyObject *tracestate, *baggage; /* str; NULL: "" */
    PyObject *entry;                /* NULL: itself */
    PyObject *token, *last_error;   /* or NULL */
    PyObject *weak_references;
    Queue *queue;   /* NULL: not recorded, or not any more */
    int64_t offset; /* of the wall clock to the monotonic one */
    tracekit_identity identity;
    tracekit_record record;
} Span;

extern PyType_Spec core_record_spec;

/* Whose child `span` is: of a Record or a SpanContext, None or NULL. Takes the trace over too. */
void core_span_take_parent(Span *span, PyObject *parent);

/* The same of a caller that its headers name. */
void core_span_take_caller(Span *span, const tracekit_context *caller);

/* Whether it belongs to a trace. */
bool core_span_has_trace(const Span *span);

/* From here on it is recorded. */
void core_span_record(Span *span, Queue *queue);

void core_random_seed(void);
uint64_t core_random_id(void);
void core_sync_clock(void);

/* ---- server.c ---- */

extern PyMethodDef core_server_functions[];
extern PyType_Spec core_within_spec;

/* Makes the names that it looks for; false, and an exception, when there is no memory. */
bool core_server_init(void);

/* ---- core.c ---- */

/* Of the tracer in use, below a caller or, NULL, at the top of a trace. */
Span *core_start_below_caller(PyObject *name, long kind, const tracekit_context *caller);

/* What is defined elsewhere: types, the ContextVar of the current span, and what `bind` was given.
 */
struct core {
    PyTypeObject *record, *queue, *tracer;
    PyObject *current;
    PyObject *span, *set_up, *any_value, *text_of, *utf8, *clock, *redact_query;
};
extern struct core core;

/* Calls with an argument, or with none. What is raised is let go: NULL. */
PyObject *core_ask(PyObject *callable, PyObject *argument);

/* The str that a value is or prints as; a new reference, or NULL. */
PyObject *core_text_of(PyObject *value);

/* Puts arguments, given by place or by name, where they belong; those that are not given are NULL.
 * False, and a TypeError, when one that is required is missing, or there is one too many. */
bool core_read_arguments(const char *function, const char *const *names, Py_ssize_t required,
                         PyObject *const *given, Py_ssize_t count, PyObject *keywords,
                         PyObject **ret_arguments);

#endif
