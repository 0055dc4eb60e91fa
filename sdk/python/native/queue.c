/* queue - ended spans until they are sent: see Queue in _pure.py. A batch is written where it is
 * sent from. */
#include "core.h"

enum {
    QUEUE_BYTES_MAX = 16 << 20, /* as in _limits.py */
    BATCH_CAPACITY = 64 << 10,
    BATCH_KEPT_MAX = 256 << 10, /* memory that is not given back */
};

static struct batch *
batch_at(Queue *queue, unsigned behind)
{
    return &queue->batches[(queue->first + behind) % BATCHES_MAX];
}

/* Where so many bytes of a span may be written; NULL, and counted, when there is no room. */
uint8_t *
core_queue_room(Queue *queue, size_t size)
{
    if (!queue->closed && queue->waiting + queue->under_way < QUEUE_MAX &&
        queue->bytes < QUEUE_BYTES_MAX) {
        struct batch *batch = batch_at(queue, queue->waiting / BATCH_MAX);
        size_t capacity = batch->capacity > 0 ? batch->capacity : BATCH_CAPACITY;
        while (capacity < batch->size + size)
            capacity *= 2;
        if (capacity > batch->capacity) {
            uint8_t *bytes = PyMem_RawRealloc(batch->bytes, capacity);
            if (bytes == NULL)
                goto dropped;
            batch->bytes = bytes;
            batch->capacity = capacity;
        }
        return batch->bytes + batch->size;
    }
dropped:
    queue->dropped++;
    if (queue->dropped == 1 && !queue->closed) {
        Py_XDECREF(core_ask(queue->full, NULL));
    }
    return NULL;
}

/* The bytes are there. */
void
core_queue_pushed(Queue *queue, size_t size)
{
    struct batch *batch = batch_at(queue, queue->waiting / BATCH_MAX);
    batch->size += size;
    batch->count++;
    queue->bytes += size;
    queue->waiting++;
    if (queue->waiting == 1 || queue->waiting % BATCH_MAX == 0) {
        PyObject *waiting = PyLong_FromUnsignedLong(queue->waiting);
        Py_XDECREF(core_ask(queue->pushed, waiting));
        Py_XDECREF(waiting);
    }
}

static PyObject *
queue_push(Queue *self, PyObject *span)
{
    char *bytes;
    Py_ssize_t size;
    if (PyBytes_AsStringAndSize(span, &bytes, &size) < 0)
        return NULL;
    uint8_t *to = core_queue_room(self, (size_t)size);
    if (to != NULL) {
        memcpy(to, bytes, (size_t)size);
        core_queue_pushed(self, (size_t)size);
    }
    Py_RETURN_NONE;
}

static void
empty_batch(struct batch *batch)
{
    if (batch->capacity > BATCH_KEPT_MAX) {
        PyMem_RawFree(batch->bytes);
        batch->bytes = NULL;
        batch->capacity = 0;
    }
    batch->size = 0;
    batch->count = 0;
}

static PyObject *
queue_take(Queue *self, PyObject *Py_UNUSED(none))
{
    struct batch *batch = batch_at(self, 0);
    const char *bytes = batch->bytes != NULL ? (const char *)batch->bytes : "";
    PyObject *taken = Py_BuildValue("(y#I)", bytes, (Py_ssize_t)batch->size, batch->count);
    if (taken == NULL || batch->count == 0)
        return taken;
    self->under_way = batch->count;
    self->under_way_bytes = batch->size;
    self->waiting -= batch->count;
    self->first = (self->first + 1) % BATCHES_MAX;
    empty_batch(batch);
    return taken;
}

static PyObject *
queue_done(Queue *self, PyObject *lost)
{
    unsigned long count = PyLong_AsUnsignedLong(lost);
    if (PyErr_Occurred())
        return NULL;
    self->bytes -= self->under_way_bytes;
    self->sent += self->under_way - count;
    self->dropped += count;
    self->under_way = 0;
    self->under_way_bytes = 0;
    Py_RETURN_NONE;
}

static PyObject *
queue_close(Queue *self, PyObject *Py_UNUSED(none))
{
    self->closed = true;
    self->dropped += self->waiting;
    self->waiting = 0;
    self->bytes = self->under_way_bytes;
    for (unsigned i = 0; i < BATCHES_MAX; i++)
        empty_batch(&self->batches[i]);
    Py_RETURN_NONE;
}

static int
queue_init(Queue *self, PyObject *arguments, PyObject *Py_UNUSED(keywords))
{
    PyObject *pushed, *full;
    if (!PyArg_ParseTuple(arguments, "OO", &pushed, &full))
        return -1;
    Py_INCREF(pushed);
    Py_INCREF(full);
    Py_XSETREF(self->pushed, pushed);
    Py_XSETREF(self->full, full);
    return 0;
}

static int
queue_traverse(Queue *self, visitproc visit, void *arg)
{
    Py_VISIT(Py_TYPE(self));
    Py_VISIT(self->pushed);
    Py_VISIT(self->full);
    return 0;
}

static int
queue_clear(Queue *self)
{
    Py_CLEAR(self->pushed);
    Py_CLEAR(self->full);
    return 0;
}

static void
queue_dealloc(Queue *self)
{
    PyTypeObject *type = Py_TYPE(self);
    PyObject_GC_UnTrack(self);
    queue_clear(self);
    for (unsigned i = 0; i < BATCHES_MAX; i++)
        PyMem_RawFree(self->batches[i].bytes);
    type->tp_free(self);
    Py_DECREF(type);
}

static PyMethodDef queue_methods[] = {
    {"push", (PyCFunction)queue_push, METH_O, NULL},
    {"take", (PyCFunction)queue_take, METH_NOARGS, NULL},
    {"done", (PyCFunction)queue_done, METH_O, NULL},
    {"close", (PyCFunction)queue_close, METH_NOARGS, NULL},
    {"abandon", (PyCFunction)queue_close, METH_NOARGS, NULL},
    {NULL, NULL, 0, NULL},
};

static PyMemberDef queue_members[] = {
    {"waiting", T_UINT, offsetof(Queue, waiting), READONLY, NULL},
    {"under_way", T_UINT, offsetof(Queue, under_way), READONLY, NULL},
    {"bytes", T_PYSSIZET, offsetof(Queue, bytes), READONLY, NULL},
    {"sent", T_ULONGLONG, offsetof(Queue, sent), READONLY, NULL},
    {"dropped", T_ULONGLONG, offsetof(Queue, dropped), READONLY, NULL},
    {NULL, 0, 0, 0, NULL},
};

static PyType_Slot queue_slots[] = {
    {Py_tp_init, queue_init},
    {Py_tp_traverse, queue_traverse},
    {Py_tp_clear, queue_clear},
    {Py_tp_dealloc, queue_dealloc},
    {Py_tp_methods, queue_methods},
    {Py_tp_members, queue_members},
    {0, NULL},
};

PyType_Spec core_queue_spec = {
    .name = "tracekit._core.Queue",
    .basicsize = sizeof(Queue),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC,
    .slots = queue_slots,
};
