/*
 * span - the life of a span: whose child, in which trace, sampled or not; what is set on it; its
 * end.
 *
 * A root's trace id is random, and it is sampled when the last 56 bits reach the threshold
 * (OpenTelemetry's consistent probability sampling); it then says the threshold in its tracestate.
 * A span with a parent does as its parent did. A span that is not recorded has ids and a place on
 * the stack like any other, and nothing else: no clock is read.
 *
 * Current spans are a stack per thread, linked through the spans. A span may end on another thread
 * than the one on whose stack it is: it then stays there, marked, until its thread next looks.
 */
#include "context.h"
#include "random.h"
#include "record.h"
#include "tracer.h"
#include "utf8.h"

#include <stdlib.h>

_Static_assert(sizeof(struct tracekit_span) <= TK_SLOT_SIZE / 4, "a slot is for bytes");

/* ---- memory ---- */

enum { SLOT_BYTES = TK_SLOT_SIZE - (int)sizeof(struct tracekit_span) };

static bool
grow(tracekit_record *record, uint32_t capacity)
{
    tracekit_span *span = (tracekit_span *)record; /* its first member */
    bool own = record->bytes == span->bytes;
    size_t more = capacity - (own ? 0 : record->capacity);
    if (atomic_fetch_add(&tk_tracer.grown_bytes, more) + more > TK_QUEUE_BYTES_MAX) {
        atomic_fetch_sub(&tk_tracer.grown_bytes, more);
        return false;
    }
    uint8_t *bytes = realloc(own ? NULL : record->bytes, capacity);
    if (bytes == NULL) {
        atomic_fetch_sub(&tk_tracer.grown_bytes, more);
        return false;
    }
    if (own)
        memcpy(bytes, span->bytes, record->size);
    record->bytes = bytes;
    record->capacity = capacity;
    return true;
}

static void
shrink(tracekit_span *span)
{
    if (span->record.bytes == span->bytes)
        return;
    atomic_fetch_sub(&tk_tracer.grown_bytes, span->record.capacity);
    free(span->record.bytes);
    span->record.bytes = span->bytes;
}

static struct tk_baggage *
hold_baggage(struct tk_baggage *baggage)
{
    if (baggage != NULL)
        atomic_fetch_add(&baggage->references, 1);
    return baggage;
}

static void
let_baggage_go(struct tk_baggage *baggage)
{
    if (baggage != NULL && atomic_fetch_sub(&baggage->references, 1) == 1)
        free(baggage);
}

static struct tk_baggage *
make_baggage(const char *text, size_t size)
{
    struct tk_baggage *baggage = size > 0 ? malloc(sizeof *baggage + size) : NULL;
    if (baggage == NULL)
        return NULL;
    atomic_init(&baggage->references, 1);
    baggage->size = (uint32_t)size;
    memcpy(baggage->text, text, size);
    return baggage;
}

/* ---- the stack of current spans ---- */

void
tk_span_recycle(struct tk_thread *thread, tracekit_span *span)
{
    shrink(span);
    if (span->baggage != NULL)
        let_baggage_go(span->baggage);
    tk_span_give(thread, span);
}

/* The top of the stack, without those that ended elsewhere. */
static inline tracekit_span *
current_of(struct tk_thread *thread)
{
    tracekit_span *span = thread->current;
    while (span != NULL && atomic_load_explicit(&span->state, memory_order_acquire) == TK_ENDED) {
        thread->current = span->outer;
        tk_span_recycle(thread, span);
        span = thread->current;
    }
    return span;
}

static inline tracekit_span *
put_on_top(struct tk_thread *thread, tracekit_span *span)
{
    if (span == NULL)
        return NULL;
    span->outer = thread->current;
    thread->current = span;
    atomic_store_explicit(&span->attached, thread, memory_order_relaxed);
    return span;
}

static inline void
take_off(struct tk_thread *thread, tracekit_span *span)
{
    tracekit_span **link = &thread->current;
    while (*link != NULL && *link != span)
        link = &(*link)->outer;
    if (*link == span)
        *link = span->outer;
    atomic_store_explicit(&span->attached, NULL, memory_order_relaxed);
}

tracekit_span *
tracekit_current(void)
{
    struct tk_thread *thread = tk_thread_self();
    return thread != NULL ? current_of(thread) : NULL;
}

tracekit_span *
tracekit_attach(tracekit_span *span)
{
    struct tk_thread *thread = span != NULL ? tk_thread_self() : NULL;
    if (thread != NULL && atomic_load(&span->attached) == NULL)
        put_on_top(thread, span);
    return span;
}

tracekit_span *
tracekit_detach(tracekit_span *span)
{
    struct tk_thread *thread = span != NULL ? tk_thread_self() : NULL;
    if (thread != NULL && atomic_load(&span->attached) == thread)
        take_off(thread, span);
    return span;
}

/* ---- the beginning ---- */

/* What a new span takes from whoever it is the child of. */
struct parent {
    const uint8_t *trace_id, *span_id;
    uint8_t flags;
    bool remote;
    const uint8_t *state; /* a field of the message Span */
    size_t state_size;
    struct tk_baggage *baggage;
};

static void
put_id(uint8_t *to, uint64_t id)
{
    memcpy(to, &id, sizeof id);
}

/* The last 56 bits of a trace id, which is big-endian. */
static uint64_t
randomness(const uint8_t trace_id[16])
{
    uint64_t last;
    memcpy(&last, trace_id + 8, sizeof last);
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
    last = __builtin_bswap64(last);
#endif
    return last & ((1ULL << 56) - 1);
}

static inline void
begin_root(struct tk_thread *thread, tracekit_identity *identity)
{
    put_id(identity->trace_id, tk_random_id(thread->random));
    put_id(identity->trace_id + 8, tk_random_next(thread->random));
    memset(identity->parent_id, 0, sizeof identity->parent_id);
    identity->parent_is_remote = false;
    bool sampled = randomness(identity->trace_id) >= tk_tracer.config.threshold;
    identity->flags = TK_FLAG_RANDOM | (sampled ? TK_FLAG_SAMPLED : 0);
}

static inline void
begin_child(const struct parent *parent, tracekit_identity *identity)
{
    memcpy(identity->trace_id, parent->trace_id, sizeof identity->trace_id);
    memcpy(identity->parent_id, parent->span_id, sizeof identity->parent_id);
    identity->parent_is_remote = parent->remote;
    identity->flags = parent->flags;
}

/* tracestate, then the name: what every record begins with. It fits a slot but for very long names.
 */
static inline void
begin_record(tracekit_span *span, const uint8_t *state, size_t state_size, const char *name,
             size_t name_size)
{
    span->record = (tracekit_record){.bytes = span->bytes, .capacity = SLOT_BYTES, .grow = grow};
    span->state_size = 0;
    if (state_size > SLOT_BYTES && !grow(&span->record, TRACEKIT_TRACESTATE_MAX * 2))
        state_size = 0;
    if (state_size > 0)
        memcpy(span->record.bytes, state, state_size);
    span->record.size = (uint32_t)state_size;
    span->state_size = (uint16_t)state_size;
    if (span->recording)
        tk_record_first_name(&span->record, name, name_size);
}

static tracekit_span *
begin(struct tk_thread *thread, const struct parent *parent, const char *name, size_t name_size)
{
    tracekit_span *span = tk_span_take(thread);
    if (span == NULL) {
        tk_queue_drop(1, "too many spans are open, or there is no memory");
        return NULL;
    }
    const struct tk_config *config = &tk_tracer.config;
    tracekit_identity *identity = &span->identity;
    const uint8_t *state = NULL;
    size_t state_size = 0;
    if (parent != NULL) {
        begin_child(parent, identity);
        state = parent->state;
        state_size = parent->state_size;
    } else {
        begin_root(thread, identity);
        if (identity->flags & TK_FLAG_SAMPLED) {
            state = config->root_state;
            state_size = config->root_state_size;
        }
    }
    put_id(identity->span_id, tk_random_id(thread->random));
    identity->kind = TRACEKIT_INTERNAL;
    span->baggage = parent != NULL ? hold_baggage(parent->baggage) : NULL;
    span->generation = atomic_load_explicit(&tk_tracer.generation, memory_order_relaxed);
    span->recording = (identity->flags & TK_FLAG_SAMPLED) && config->sends;
    atomic_store_explicit(&span->attached, NULL, memory_order_relaxed);
    atomic_store_explicit(&span->state, TK_OPEN, memory_order_relaxed);
    begin_record(span, state, state_size, name, name != NULL ? name_size : 0);
    if (span->recording) {
        span->wall_offset = atomic_load_explicit(&tk_tracer.wall_offset, memory_order_relaxed);
        identity->start_unix_nano = (uint64_t)(tk_now() + span->wall_offset);
    }
    return span;
}

static inline tracekit_span *
begin_below(struct tk_thread *thread, const tracekit_span *span, const char *name, size_t name_size)
{
    if (span == NULL)
        return begin(thread, NULL, name, name_size);
    struct parent parent = {
        span->identity.trace_id, span->identity.span_id, span->identity.flags, false,
        span->record.bytes,      span->state_size,       span->baggage,
    };
    return begin(thread, &parent, name, name_size);
}

/* The calling thread's state, when there is something to do. */
static inline struct tk_thread *
enabled_thread(void)
{
    if (!atomic_load_explicit(&tk_tracer.enabled, memory_order_acquire))
        return NULL;
    return tk_thread_self();
}

tracekit_span *
tracekit_start_n(const char *name, size_t name_size)
{
    struct tk_thread *thread = enabled_thread();
    if (thread == NULL)
        return NULL;
    return put_on_top(thread, begin_below(thread, current_of(thread), name, name_size));
}

tracekit_span *
tracekit_start_child_n(const tracekit_span *parent, const char *name, size_t name_size)
{
    struct tk_thread *thread = enabled_thread();
    return thread != NULL ? begin_below(thread, parent, name, name_size) : NULL;
}

tracekit_span *
tracekit_start_from_n(const tracekit_context *caller, const char *name, size_t name_size)
{
    struct tk_thread *thread = enabled_thread();
    if (thread == NULL)
        return NULL;
    struct tk_baggage *baggage =
        caller != NULL ? make_baggage(caller->baggage, caller->baggage_size) : NULL;
    if (caller == NULL || !caller->valid) { /* baggage needs no traceparent */
        tracekit_span *root = put_on_top(thread, begin(thread, NULL, name, name_size));
        if (root != NULL)
            root->baggage = hold_baggage(baggage);
        let_baggage_go(baggage);
        return root;
    }
    uint8_t state[TRACEKIT_TRACESTATE_MAX + 8];
    size_t state_size = caller->tracestate_size, at = 0;
    if (state_size > 0) {
        state[at++] = 0x1a;
        if (state_size >= 0x80)
            state[at++] = (uint8_t)(state_size | 0x80);
        state[at++] = (uint8_t)(state_size >= 0x80 ? state_size >> 7 : state_size);
        memcpy(state + at, caller->tracestate, state_size);
        at += state_size;
    }
    struct parent parent = {caller->trace_id, caller->span_id, caller->flags, true, state, at,
                            baggage};
    tracekit_span *span = put_on_top(thread, begin(thread, &parent, name, name_size));
    let_baggage_go(baggage);
    return span;
}

/* ---- the end ---- */

/* Whether the span may go out: its process began it, and nobody has shut down since. */
static bool
may_send(const tracekit_span *span)
{
    if (span->generation != atomic_load_explicit(&tk_tracer.generation, memory_order_relaxed))
        return false;
    if (atomic_load_explicit(&tk_tracer.enabled, memory_order_relaxed))
        return true;
    tk_queue_drop(1, "they end after tracekit_shutdown");
    return false;
}

void
tracekit_end(tracekit_span *span)
{
    struct tk_thread *thread = span != NULL ? tk_thread_self() : NULL;
    if (thread == NULL || atomic_load_explicit(&span->state, memory_order_relaxed) != TK_OPEN)
        return;
    if (span->recording) {
        uint64_t end = (uint64_t)(tk_now() + span->wall_offset);
        if (end < span->identity.start_unix_nano) /* the clock was changed for another meanwhile */
            end = span->identity.start_unix_nano;
        span->identity.end_unix_nano = end;
        if (may_send(span))
            tk_queue_push(thread, &span->record, &span->identity);
        span->recording = false;
    }
    struct tk_thread *attached = atomic_load_explicit(&span->attached, memory_order_relaxed);
    if (attached != NULL && attached != thread) {
        atomic_store_explicit(&span->state, TK_ENDED,
                              memory_order_release); /* its thread takes it off */
        return;
    }
    if (attached == thread)
        take_off(thread, span);
    tk_span_recycle(thread, span);
}

/* ---- what is set on it ---- */

static inline tracekit_record *
recording(tracekit_span *span)
{
    return span != NULL && span->recording ? &span->record : NULL;
}

bool
tracekit_is_recording(const tracekit_span *span)
{
    return span != NULL && span->recording;
}

void
tracekit_set_kind(tracekit_span *span, tracekit_kind kind)
{
    if (span != NULL && kind >= TRACEKIT_INTERNAL && kind <= TRACEKIT_CONSUMER)
        span->identity.kind = (uint8_t)kind;
}

void
tracekit_set_name_n(tracekit_span *span, const char *name, size_t name_size)
{
    if (recording(span) != NULL && name != NULL)
        tracekit_record_name(&span->record, name, name_size);
}

void
tracekit_set_status(tracekit_span *span, tracekit_status status, const char *message)
{
    if (recording(span) != NULL)
        tracekit_record_status(&span->record, status, message,
                               message != NULL ? strlen(message) : 0);
}

void
tracekit_set_string_n(tracekit_span *span, const char *key, size_t key_size, const char *value,
                      size_t value_size)
{
    if (recording(span) != NULL)
        tracekit_record_string(&span->record, key, key_size, value, value_size);
}

void
tracekit_set_int_n(tracekit_span *span, const char *key, size_t key_size, int64_t value)
{
    if (recording(span) != NULL)
        tracekit_record_int(&span->record, key, key_size, value);
}

void
tracekit_set_double_n(tracekit_span *span, const char *key, size_t key_size, double value)
{
    if (recording(span) != NULL)
        tracekit_record_double(&span->record, key, key_size, value);
}

void
tracekit_set_bool_n(tracekit_span *span, const char *key, size_t key_size, bool value)
{
    if (recording(span) != NULL)
        tracekit_record_bool(&span->record, key, key_size, value);
}

void
tracekit_set_value(tracekit_span *span, const char *key, const tracekit_value *value)
{
    if (recording(span) != NULL && key != NULL && value != NULL)
        tracekit_record_value(&span->record, key, strlen(key), value);
}

void
tracekit_add_event(tracekit_span *span, const char *name, const tracekit_attribute *attributes,
                   size_t attribute_count)
{
    if (recording(span) == NULL || name == NULL)
        return;
    uint64_t now = (uint64_t)(tk_now() + span->wall_offset);
    tracekit_record_event(&span->record, now, name, strlen(name), attributes,
                          attributes != NULL ? attribute_count : 0);
}

void
tracekit_add_link(tracekit_span *span, const tracekit_context *to)
{
    if (recording(span) != NULL && to != NULL && to->valid)
        tracekit_record_link(&span->record, to);
}

void
tracekit_record_error(tracekit_span *span, const char *type, const char *message, const char *stack)
{
    tracekit_attribute attributes[3];
    size_t count = 0;
    if (recording(span) == NULL)
        return;
    if (type != NULL)
        attributes[count++] = (tracekit_attribute){"exception.type", tracekit_string(type)};
    if (message != NULL)
        attributes[count++] = (tracekit_attribute){"exception.message", tracekit_string(message)};
    if (stack != NULL)
        attributes[count++] = (tracekit_attribute){"exception.stacktrace", tracekit_string(stack)};
    tracekit_add_event(span, "exception", attributes, count);
    tracekit_set_string(span, "error.type", type);
    tracekit_set_status(span, TRACEKIT_STATUS_ERROR, message);
}

/* ---- what it tells ---- */

void
tracekit_trace_id(const tracekit_span *span, char ret_text[33])
{
    ret_text[span != NULL ? 32 : 0] = '\0';
    if (span != NULL)
        tk_hex(ret_text, span->identity.trace_id, 16);
}

void
tracekit_span_id(const tracekit_span *span, char ret_text[17])
{
    ret_text[span != NULL ? 16 : 0] = '\0';
    if (span != NULL)
        tk_hex(ret_text, span->identity.span_id, 8);
}

void
tracekit_inject(const tracekit_span *span, tracekit_headers *ret_headers)
{
    ret_headers->traceparent[0] = ret_headers->tracestate[0] = ret_headers->baggage[0] = '\0';
    if (span == NULL)
        return;
    tk_traceparent_write(ret_headers->traceparent, span->identity.trace_id, span->identity.span_id,
                         span->identity.flags);
    if (span->state_size > 0) {
        size_t head = span->state_size > 2 + 0x7f ? 3 : 2, size = span->state_size - head;
        memcpy(ret_headers->tracestate, span->record.bytes + head, size);
        ret_headers->tracestate[size] = '\0';
    }
    if (span->baggage != NULL) {
        memcpy(ret_headers->baggage, span->baggage->text, span->baggage->size);
        ret_headers->baggage[span->baggage->size] = '\0';
    }
}

int
tracekit_set_baggage(tracekit_span *span, const char *key, const char *value)
{
    char text[TRACEKIT_BAGGAGE_MAX];
    if (span == NULL)
        return TRACEKIT_OK;
    if (key == NULL || !tk_baggage_valid_key(key))
        return TRACEKIT_ERROR_ARGUMENT;
    size_t old = span->baggage != NULL ? span->baggage->size : 0;
    if (old > 0)
        memcpy(text, span->baggage->text, old);
    long size = tk_baggage_set(text, old, key, value);
    if (size < 0)
        return TRACEKIT_ERROR_MEMORY;
    struct tk_baggage *baggage = make_baggage(text, (size_t)size);
    if (baggage == NULL && size > 0)
        return TRACEKIT_ERROR_MEMORY;
    let_baggage_go(span->baggage);
    span->baggage = baggage;
    return TRACEKIT_OK;
}

long
tracekit_get_baggage(const tracekit_span *span, const char *key, char *ret_value, size_t capacity)
{
    if (span == NULL || span->baggage == NULL || key == NULL)
        return -1;
    return tk_baggage_get(span->baggage->text, span->baggage->size, key, ret_value, capacity);
}
