/* round - see round.h. */
#include "bench/round.h"

#include "wire/otlp.h"
#include "wire/otlp_schema.h"

#include <stdlib.h>

enum patch_kind {
    PATCH_ID,       /* 8 bytes */
    PATCH_TIME,     /* fixed64 */
    PATCH_UUID,     /* 36 characters */
    PATCH_DIGITS,   /* 8 of them */
    PATCH_USER,     /* the same, where one user makes many spans: left alone but for the needle */
    PATCH_INT,      /* a varint of 5 bytes, 10 decimal digits */
    PATCH_ID_TEXT,  /* 16 hex digits */
    PATCH_INT_TEXT, /* 10 decimal digits */
    PATCH_TIME_TEXT /* 19 decimal digits */
};

enum {
    OFFSET_BITS = 28,
    BODY_LIMIT = 1 << OFFSET_BITS,
    UUID_SIZE = 36,
    NUMBER_SIZE = 8,
    SERIAL_SIZE = 10,
    TIME_SIZE = 19,
    BODY_SPANS_DEFAULT = 512,
};
static const uint64_t SERIAL_MIN = 1000000000, SERIAL_MAX = 9999999999;

const char tk_round_needle[TK_ROUND_NEEDLE_SIZE + 1] = "user-00000042";

/* ---- making ---------------------------------------------------------------------------------- */

/* Room for `more` in the array at *ptr; false when memory ran out. */
static bool
make_room(void *ptr, size_t size, uint64_t *capacity, uint64_t count, uint64_t more)
{
    void *old, *new;
    memcpy(&old, ptr, sizeof old);
    if (count + more <= *capacity)
        return true;
    uint64_t wanted = (count + more) * 3 / 2 + 64;
    new = realloc(old, wanted * size);
    if (new == NULL)
        return false;
    memcpy(ptr, &new, sizeof new);
    *capacity = wanted;
    return true;
}

struct noting { /* one body whose patches are being noted */
    struct tk_round *round;
    struct tk_body *body;
    bool failed;
};

static void
note(struct noting *noting, const char *at, enum patch_kind kind)
{
    struct tk_round *round = noting->round;
    struct tk_body *body = noting->body;
    if (!make_room(&round->patches, sizeof *round->patches, &round->_patch_capacity,
                   round->patch_count, 1)) {
        noting->failed = true;
        return;
    }
    uint32_t offset = (uint32_t)(at - (round->bytes + body->offset));
    round->patches[round->patch_count++] = (uint32_t)kind << OFFSET_BITS | offset;
    body->patch_count++;
    if (kind == PATCH_USER && body->user == 0)
        body->user = body->patch_count;
}

static bool
is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool
is_uuid(tk_str text)
{
    if (text.len != UUID_SIZE)
        return false;
    for (size_t i = 0; i < UUID_SIZE; i++) {
        bool dash = i == 8 || i == 13 || i == 18 || i == 23;
        bool hex = is_digit(text.ptr[i]) || (text.ptr[i] >= 'a' && text.ptr[i] <= 'f');
        if (dash ? text.ptr[i] != '-' : !hex)
            return false;
    }
    return true;
}

/* A text value: does it look unique? */
static void
note_text(struct noting *noting, tk_str text)
{
    size_t digits = 0;
    while (digits < text.len && is_digit(text.ptr[text.len - 1 - digits]))
        digits++;
    if (is_uuid(text))
        note(noting, text.ptr, PATCH_UUID);
    else if (digits == NUMBER_SIZE)
        note(noting, text.ptr + text.len - digits,
             tk_str_starts_with(text, TK_STR("user-")) ? PATCH_USER : PATCH_DIGITS);
}

static void
note_field(struct noting *noting, const struct tk_pb_message *message, uint32_t number,
           tk_str bytes, const char *value_at)
{
    bool is_span = message == &tk_otlp_span, is_link = message == &tk_otlp_link;
    if ((is_span || is_link) && number == 1) {
        note(noting, bytes.ptr, PATCH_ID);
        note(noting, bytes.ptr + 8, PATCH_ID);
    } else if (((is_span || is_link) && number == 2) || (is_span && number == 4)) {
        note(noting, bytes.ptr, PATCH_ID);
    } else if ((is_span && (number == 7 || number == 8)) ||
               (message == &tk_otlp_event && number == 1)) {
        note(noting, value_at, PATCH_TIME);
    } else if (message == &tk_otlp_any_value && number == 1) {
        note_text(noting, bytes);
    } else if (message == &tk_otlp_any_value && number == 3) {
        struct tk_pb pb = {.at = value_at};
        uint64_t value = 0;
        if (tk_pb_read_varint(&pb, value_at + 10, &value) && value >= SERIAL_MIN &&
            value <= SERIAL_MAX)
            note(noting, value_at, PATCH_INT);
    }
}

/* What is in the message that ends at `end`; our own encoder's, so it is well-formed.  Resources
   and scopes stay as they are. */
static void
note_protobuf(struct noting *noting, struct tk_pb *pb, const char *end,
              const struct tk_pb_message *message)
{
    uint32_t tag;
    while (pb->at < end && tk_pb_read_tag(pb, end, &tag)) {
        const struct tk_pb_field *field = message->fields;
        const char *value_at = pb->at;
        tk_str inner = TK_STR_NONE;
        while (field->number != 0 && field->number != tag >> 3)
            field++;
        if (!tk_pb_skip(pb, end, tag))
            return;
        const char *after = pb->at;
        if ((tag & 7) == TK_PB_LENGTH) {
            pb->at = value_at;
            if (!tk_pb_read_bytes(pb, end, &inner))
                return;
        }
        note_field(noting, message, tag >> 3, inner, value_at);
        pb->at = inner.ptr;
        if (field->message != NULL && field->message != &tk_otlp_resource &&
            field->message != &tk_otlp_scope)
            note_protobuf(noting, pb, after, field->message);
        pb->at = after;
    }
}

/* Every string member behind the resource, by its name. */
static void
note_json(struct noting *noting, tk_str body)
{
    static const char separator[] = "\":\"";
    const char *end = body.ptr + body.len, *at = memmem(body.ptr, body.len, "\"spans\"", 7);
    while (at != NULL &&
           (at = memmem(at, (size_t)(end - at), separator, sizeof separator - 1)) != NULL) {
        tk_str name = {body.ptr, (size_t)(at - body.ptr)};
        const char *value = at + sizeof separator - 1;
        const char *quote = memchr(value, '"', (size_t)(end - value));
        size_t len = quote != NULL ? (size_t)(quote - value) : 0;
        if (tk_str_ends_with(name, TK_STR("\"traceId"))) {
            note(noting, value, PATCH_ID_TEXT);
            note(noting, value + TK_SPAN_ID_HEX, PATCH_ID_TEXT);
        } else if (len == TK_SPAN_ID_HEX && (tk_str_ends_with(name, TK_STR("\"spanId")) ||
                                             tk_str_ends_with(name, TK_STR("\"parentSpanId")))) {
            note(noting, value, PATCH_ID_TEXT);
        } else if (tk_str_ends_with(name, TK_STR("imeUnixNano")) && len == TIME_SIZE) {
            note(noting, value, PATCH_TIME_TEXT);
        } else if (tk_str_ends_with(name, TK_STR("\"intValue")) && len == SERIAL_SIZE) {
            note(noting, value, PATCH_INT_TEXT);
        } else if (tk_str_ends_with(name, TK_STR("\"stringValue"))) {
            note_text(noting, (tk_str){value, len});
        }
        at = value;
    }
}

static void
note_patches(struct noting *noting)
{
    tk_str bytes = {noting->round->bytes + noting->body->offset, noting->body->len};
    if (noting->round->_format == TK_FORMAT_OTLP_JSON) {
        note_json(noting, bytes);
    } else {
        struct tk_pb pb = tk_pb_reader(bytes);
        note_protobuf(noting, &pb, bytes.ptr + bytes.len, &tk_otlp_traces_data);
    }
}

/* Rows of what a process gathered become the next body. */
static enum tk_err
add_body(struct tk_round *round, const struct tk_batch *batch, struct tk_range rows,
         struct tk_buf *out)
{
    tk_buf_clear(out);
    if (round->_format == TK_FORMAT_OTLP_JSON)
        tk_otlp_json_encode(batch, rows, out);
    else
        tk_otlp_protobuf_encode(batch, rows, out);
    if (out->status != TK_OK)
        return out->status;
    if (!make_room(&round->bodies, sizeof *round->bodies, &round->_body_capacity, round->body_count,
                   1) ||
        !make_room(&round->bytes, 1, &round->_byte_capacity, round->byte_count, out->len))
        return TK_ERR_MEMORY;
    struct tk_body *body = &round->bodies[round->body_count++];
    *body = (struct tk_body){.offset = round->byte_count,
                             .len = (uint32_t)out->len,
                             .span_count = rows.count,
                             .patch_begin = round->patch_count};
    memcpy(round->bytes + body->offset, out->ptr, out->len);
    round->byte_count += out->len;
    round->span_count += rows.count;
    if (body->len > round->body_len_max)
        round->body_len_max = body->len;
    for (uint32_t row = rows.begin; row < rows.begin + rows.count; row++)
        if (batch->end_nano[row] > body->end_nano)
            body->end_nano = batch->end_nano[row];
    struct noting noting = {.round = round, .body = body};
    note_patches(&noting);
    return noting.failed ? TK_ERR_MEMORY : TK_OK;
}

/* Bodies of all processes that have at least `least` spans, which begin anew. */
static enum tk_err
add_bodies(struct tk_round *round, struct tk_generate *generate, uint32_t least,
           uint32_t body_spans, struct tk_buf *out)
{
    for (uint32_t i = 0; i < generate->process_count; i++) {
        struct tk_batch *batch = generate->processes[i];
        uint32_t count = batch->span_count;
        if (count < least)
            continue;
        for (struct tk_range rows = {0, 0}; rows.begin < count; rows.begin += rows.count) {
            uint32_t left = count - rows.begin; /* no body for the few of the last trace */
            rows.count = left < 2 * body_spans ? left : body_spans;
            enum tk_err code = add_body(round, batch, rows, out);
            if (code != TK_OK)
                return code;
        }
        tk_batch_clear(batch);
    }
    return TK_OK;
}

static enum tk_err
add_traces(struct tk_round *round, struct tk_generate *generate, uint32_t spans,
           uint32_t body_spans, struct tk_buf *out)
{
    for (uint64_t made = 0; made < spans;) {
        if (!make_room(&round->traces, sizeof *round->traces, &round->_trace_capacity,
                       round->trace_count, 1))
            return TK_ERR_MEMORY;
        struct tk_round_trace *trace = &round->traces[round->trace_count++];
        enum tk_err code = tk_generate_trace(generate, &trace->id, &trace->span_count);
        if (code == TK_OK)
            code = add_bodies(round, generate, body_spans, body_spans, out);
        if (code != TK_OK)
            return code;
        made += trace->span_count;
    }
    return add_bodies(round, generate, 1, body_spans, out);
}

enum tk_err
tk_round_make(struct tk_round *round, const struct tk_round_options *options)
{
    uint32_t spans = options->spans != 0 ? options->spans : TK_ROUND_SPANS;
    uint32_t body_spans = options->body_spans != 0 ? options->body_spans : BODY_SPANS_DEFAULT;
    struct tk_generate generate;
    struct tk_buf out;
    *round = (struct tk_round){._format = options->format};
    tk_buf_init(&out, BODY_LIMIT);
    enum tk_err code = tk_generate_init(&generate, &options->generate);
    round->start_nano = generate.now_nano;
    if (code == TK_OK)
        code = add_traces(round, &generate, spans, body_spans, &out);
    round->length_nano = generate.now_nano - round->start_nano;
    if (code != TK_OK)
        tk_round_release(round);
    tk_generate_release(&generate);
    tk_buf_release(&out);
    return code;
}

void
tk_round_release(struct tk_round *round)
{
    free(round->bytes);
    free(round->bodies);
    free(round->patches);
    free(round->traces);
    *round = (struct tk_round){0};
}

/* ---- sending --------------------------------------------------------------------------------- */

/* splitmix64's finish: one to one, so what was different stays different. */
static uint64_t
mix(uint64_t z)
{
    z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9u;
    z = (z ^ z >> 27) * 0x94D049BB133111EBu;
    return z ^ z >> 31;
}

static uint64_t
salt_of(const struct tk_sending *sending)
{
    return mix((sending->number + 1) * 0x9E3779B97F4A7C15u);
}

static uint64_t
load(const char *at)
{
    uint64_t value;
    memcpy(&value, at, sizeof value);
    return value;
}

static void
put_hex(char *to, uint64_t value, unsigned digits)
{
    for (unsigned i = 0; i < digits; i++, value >>= 4)
        to[i] = "0123456789abcdef"[value & 15];
}

static void
put_decimal(char *to, uint64_t value, unsigned digits)
{
    for (unsigned i = digits; i-- > 0; value /= 10)
        to[i] = (char)('0' + value % 10);
}

static void
put_uuid(char *to, uint64_t salt)
{
    uint64_t a = mix(load(to) + mix(load(to + UUID_SIZE - 8)) + salt), b = mix(a + salt);
    put_hex(to, a, 8);
    put_hex(to + 9, a >> 32, 4);
    put_hex(to + 15, a >> 48, 3); /* behind the version */
    put_hex(to + 20, b, 3);       /* the variant is the digit before, */
    to[19] = "89ab"[b >> 12 & 3]; /* this one */
    put_hex(to + 24, b >> 16, 12);
}

static uint64_t
serial(uint64_t old, uint64_t salt)
{
    return SERIAL_MIN + mix(old + salt) % (SERIAL_MAX - SERIAL_MIN + 1);
}

static uint64_t
read_decimal(const char *at, unsigned digits)
{
    uint64_t value = 0;
    for (unsigned i = 0; i < digits; i++)
        value = value * 10 + (uint64_t)(at[i] - '0');
    return value;
}

static void
put_serial(char *to, uint64_t salt)
{
    uint64_t value = 0;
    for (unsigned i = 0; i < 5; i++)
        value |= (uint64_t)(to[i] & 0x7F) << 7 * i;
    value = serial(value, salt);
    for (unsigned i = 0; i < 5; i++, value >>= 7)
        to[i] = (char)((value & 0x7F) | (i < 4 ? 0x80 : 0));
}

static void
put_id_text(char *to, uint64_t salt)
{
    tk_span_id id = 0;
    char text[TK_SPAN_ID_HEX + 1], bytes[TK_SPAN_ID_SIZE];
    (void)tk_span_id_parse((tk_str){to, TK_SPAN_ID_HEX}, &id);
    tk_span_id_write(id, bytes);
    uint64_t value = mix(load(bytes) + salt);
    tk_span_id_format(tk_span_id_read(&value), text);
    memcpy(to, text, TK_SPAN_ID_HEX);
}

static void
apply(enum patch_kind kind, char *to, uint64_t salt, uint64_t shift)
{
    uint64_t value;
    switch (kind) {
    case PATCH_ID:
        value = mix(load(to) + salt);
        memcpy(to, &value, sizeof value);
        break;
    case PATCH_TIME:
        value = load(to) + shift;
        memcpy(to, &value, sizeof value);
        break;
    case PATCH_UUID:
        put_uuid(to, salt);
        break;
    case PATCH_DIGITS:
        put_decimal(to, mix(load(to) + salt) % 90000000 + 10000000, NUMBER_SIZE);
        break;
    case PATCH_USER:
        break;
    case PATCH_INT:
        put_serial(to, salt);
        break;
    case PATCH_ID_TEXT:
        put_id_text(to, salt);
        break;
    case PATCH_INT_TEXT:
        put_decimal(to, serial(read_decimal(to, SERIAL_SIZE), salt), SERIAL_SIZE);
        break;
    case PATCH_TIME_TEXT:
        put_decimal(to, read_decimal(to, TIME_SIZE) + shift, TIME_SIZE);
        break;
    }
}

void
tk_round_copy(const struct tk_round *round, const struct tk_body *body,
              const struct tk_sending *sending, char *to)
{
    const uint32_t *patches = round->patches + body->patch_begin;
    uint64_t salt = salt_of(sending), shift = sending->start_nano - round->start_nano;
    uint32_t mask = (1u << OFFSET_BITS) - 1;
    memcpy(to, round->bytes + body->offset, body->len);
    for (uint32_t i = 0; i < body->patch_count; i++)
        apply((enum patch_kind)(patches[i] >> OFFSET_BITS), to + (patches[i] & mask), salt, shift);
    if (sending->needle && body->user > 0)
        memcpy(to + (patches[body->user - 1] & mask), tk_round_needle + sizeof "user-" - 1,
               NUMBER_SIZE);
}

struct tk_trace_id
tk_round_trace_id(const struct tk_round *round, uint32_t trace, const struct tk_sending *sending)
{
    char bytes[TK_TRACE_ID_SIZE];
    tk_trace_id_write(round->traces[trace].id, bytes);
    apply(PATCH_ID, bytes, salt_of(sending), 0);
    apply(PATCH_ID, bytes + 8, salt_of(sending), 0);
    return tk_trace_id_read(bytes);
}
