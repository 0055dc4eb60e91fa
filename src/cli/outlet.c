/*
 * outlet - see outlet.h.
 *
 * A store takes several portions at once, as many as WINDOW bytes, so that one sync serves them
 * all; `done` comes from the store's own thread.  A server is sent one after the other.
 */
#include "cli/outlet.h"

#include "cli/portion.h"
#include "wire/otlp.h"
#include "wire/protobuf.h"

#include <pthread.h>
#include <stdlib.h>
#include <unistd.h>

enum { WINDOW = 16 << 20, RETRY_US = 10000 };

struct tk_outlet {
    struct tk_remote *remote;
    struct tk_local *local;
    struct tk_buf portion; /* that gathers */
    uint64_t rejected;
    pthread_mutex_t lock;
    pthread_cond_t landed;
    size_t under_way; /* bytes */
    enum tk_err result;
    struct tk_error err;
};

/* A portion on its way into the store. */
struct flight {
    struct tk_outlet *outlet;
    size_t size;
    char body[];
};

struct tk_outlet *
tk_outlet_new(struct tk_remote *remote, struct tk_local *local)
{
    struct tk_outlet *outlet = calloc(1, sizeof *outlet);
    if (outlet == NULL)
        return NULL;
    outlet->remote = remote;
    outlet->local = local;
    tk_buf_init(&outlet->portion, INT32_MAX);
    (void)pthread_mutex_init(&outlet->lock, NULL);
    (void)pthread_cond_init(&outlet->landed, NULL);
    return outlet;
}

static void
wait_until_at_most(struct tk_outlet *outlet, size_t bytes)
{
    (void)pthread_mutex_lock(&outlet->lock);
    while (outlet->under_way > bytes)
        (void)pthread_cond_wait(&outlet->landed, &outlet->lock);
    (void)pthread_mutex_unlock(&outlet->lock);
}

void
tk_outlet_free(struct tk_outlet *outlet)
{
    if (outlet == NULL)
        return;
    wait_until_at_most(outlet, 0);
    (void)pthread_cond_destroy(&outlet->landed);
    (void)pthread_mutex_destroy(&outlet->lock);
    tk_buf_release(&outlet->portion);
    free(outlet);
}

static void
land(struct flight *flight, enum tk_err result, const struct tk_error *err)
{
    struct tk_outlet *outlet = flight->outlet;
    (void)pthread_mutex_lock(&outlet->lock);
    outlet->under_way -= flight->size;
    if (result != TK_OK && outlet->result == TK_OK) {
        outlet->result = result;
        if (err != NULL)
            outlet->err = *err;
    }
    (void)pthread_cond_signal(&outlet->landed);
    (void)pthread_mutex_unlock(&outlet->lock);
    free(flight);
}

static void
on_done(void *arg, enum tk_err result, const struct tk_error *err)
{
    land(arg, result, err);
}

/* Waits while the store has too much to do; it takes the batch over on success. */
static enum tk_err
append(struct tk_outlet *outlet, struct flight *flight, struct tk_batch *batch,
       struct tk_error *err)
{
    struct tk_store_append append = {.project = outlet->local->project,
                                     .format = TK_FORMAT_OTLP_PROTOBUF,
                                     .encoding = TK_ENCODING_NONE,
                                     .body = {flight->body, flight->size},
                                     .batch = batch,
                                     .done = on_done,
                                     .arg = flight};
    enum tk_err result;
    while ((result = tk_store_append(outlet->local->store, &append, err)) == TK_ERR_BUSY)
        (void)usleep(RETRY_US);
    return result;
}

static void
send_to_store(struct tk_outlet *outlet, tk_str portion)
{
    struct tk_rejected rejected = {0};
    struct tk_error err = {0};
    struct tk_batch *batch = tk_batch_new();
    struct flight *flight = malloc(sizeof *flight + portion.len);
    wait_until_at_most(outlet, WINDOW);
    if (flight == NULL || batch == NULL) {
        free(flight);
        tk_batch_free(batch);
        outlet->result = tk_error_set(&outlet->err, TK_ERR_MEMORY, "out of memory");
        return;
    }
    flight->outlet = outlet;
    flight->size = portion.len;
    memcpy(flight->body, portion.ptr, portion.len);
    (void)pthread_mutex_lock(&outlet->lock);
    outlet->under_way += portion.len;
    (void)pthread_mutex_unlock(&outlet->lock);
    enum tk_err result = tk_wire_decode(TK_FORMAT_OTLP_PROTOBUF, TK_ENCODING_NONE, portion, NULL,
                                        portion.len, batch, &rejected, &err);
    if (result == TK_OK)
        result = append(outlet, flight, batch, &err);
    if (result == TK_OK)
        return;
    tk_batch_free(batch);
    land(flight, result, &err);
}

/* ExportTraceServiceResponse.partial_success.rejected_spans. */
static uint64_t
rejected_in(tk_str answer)
{
    struct tk_pb pb = tk_pb_reader(answer);
    tk_str partial;
    uint64_t rejected;
    uint32_t tag;
    if (!tk_pb_read_tag(&pb, answer.ptr + answer.len, &tag) || tag != TK_PB_TAG(1, TK_PB_LENGTH) ||
        !tk_pb_read_bytes(&pb, answer.ptr + answer.len, &partial))
        return 0;
    pb = tk_pb_reader(partial);
    if (!tk_pb_read_tag(&pb, partial.ptr + partial.len, &tag) ||
        tag != TK_PB_TAG(1, TK_PB_VARINT) ||
        !tk_pb_read_varint(&pb, partial.ptr + partial.len, &rejected))
        return 0;
    return rejected;
}

static enum tk_exit
send_to_server(struct tk_outlet *outlet, tk_str portion)
{
    tk_str answer;
    enum tk_exit status =
        tk_remote_post(outlet->remote, "application/x-protobuf", portion, &answer);
    if (status == TK_EXIT_GOOD)
        outlet->rejected += rejected_in(answer);
    tk_arena_clear(outlet->remote->arena);
    return status;
}

static enum tk_exit
say_failure(struct tk_outlet *outlet)
{
    (void)pthread_mutex_lock(&outlet->lock);
    enum tk_err result = outlet->result;
    struct tk_error err = outlet->err;
    (void)pthread_mutex_unlock(&outlet->lock);
    if (result == TK_OK)
        return TK_EXIT_GOOD;
    return tk_cli_fail(TK_EXIT_CANNOT_START, "import", "%s",
                       err.message[0] != '\0' ? err.message : tk_err_text(result));
}

static enum tk_exit
send_portion(struct tk_outlet *outlet)
{
    enum tk_exit status = TK_EXIT_GOOD;
    if (outlet->portion.status != TK_OK)
        return tk_cli_fail(TK_EXIT_CANNOT_START, "import", "out of memory");
    if (outlet->portion.len == 0)
        return TK_EXIT_GOOD;
    if (outlet->remote != NULL) {
        status = send_to_server(outlet, tk_buf_str(&outlet->portion));
    } else {
        send_to_store(outlet, tk_buf_str(&outlet->portion));
        status = say_failure(outlet);
    }
    tk_buf_clear(&outlet->portion);
    return status;
}

enum tk_exit
tk_outlet_add(struct tk_outlet *outlet, const struct tk_batch *batch)
{
    enum tk_exit status = TK_EXIT_GOOD;
    uint32_t begin = 0, count;
    while (status == TK_EXIT_GOOD && (count = tk_portion_rows(batch, begin)) > 0) {
        /* Messages one after the other are one message with the parts of both. */
        tk_otlp_protobuf_encode(batch, (struct tk_range){begin, count}, &outlet->portion);
        begin += count;
        if (outlet->portion.len >= TK_PORTION_BYTES || outlet->portion.status != TK_OK)
            status = send_portion(outlet);
    }
    return status;
}

enum tk_exit
tk_outlet_finish(struct tk_outlet *outlet, uint64_t *ret_rejected)
{
    enum tk_exit status = send_portion(outlet);
    wait_until_at_most(outlet, 0);
    if (status == TK_EXIT_GOOD)
        status = say_failure(outlet);
    *ret_rejected = outlet->rejected;
    return status;
}
