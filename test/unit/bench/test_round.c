/* Rounds: realistic, repeatable, and never the same spans twice. */
#include "test.h"

#include "bench/round.h"

enum { SPANS = 4000, SET_SIZE = 1 << 20, LIMIT = 64 << 20 };
static const uint64_t START = 1790000000000000000u;

/* A set of texts, by hash and then bytes; never removes. */
struct set {
    tk_str *items; /* [SET_SIZE] */
    uint32_t count;
};

static uint32_t
slot_of(const struct set *set, tk_str text)
{
    uint64_t hash = 14695981039346656037u;
    for (size_t i = 0; i < text.len; i++)
        hash = (hash ^ (unsigned char)text.ptr[i]) * 1099511628211u;
    uint32_t slot = (uint32_t)(hash ^ hash >> 32) % SET_SIZE;
    while (set->items[slot].ptr != NULL && !tk_str_eq(set->items[slot], text))
        slot = (slot + 1) % SET_SIZE;
    return slot;
}

static bool
has(const struct set *set, tk_str text)
{
    return set->items[slot_of(set, text)].ptr != NULL;
}

/* One sending, decoded as a receiver would. */
struct sent {
    struct tk_arena arena;
    struct tk_batch **batches; /* [count], one per body */
    uint32_t count, span_count;
    struct set trace_ids, span_ids, uuids, serials, numbers;
};

static void
put(struct sent *sent, struct set *set, const void *bytes, size_t len)
{
    tk_str text = {bytes, len};
    uint32_t slot = slot_of(set, text);
    if (set->items[slot].ptr == NULL) {
        set->items[slot] = tk_arena_copy(&sent->arena, text);
        assert_true(++set->count < SET_SIZE / 2);
    }
}

static bool
ends_in_eight_digits(tk_str text)
{
    size_t digits = 0;
    while (digits < text.len && text.ptr[text.len - 1 - digits] >= '0' &&
           text.ptr[text.len - 1 - digits] <= '9')
        digits++;
    return digits == 8;
}

static void
gather_attrs(struct sent *sent, const struct tk_batch *batch, struct tk_range attrs)
{
    for (uint32_t i = attrs.begin; i < attrs.begin + attrs.count; i++) {
        struct tk_value value = batch->attr_value[i];
        tk_str text = value.type == TK_VALUE_STRING ? tk_value_str(value) : TK_STR_NONE;
        if (value.type == TK_VALUE_INT && value.i >= 1000000000)
            put(sent, &sent->serials, &value.i, sizeof value.i);
        else if (text.len == 36 && text.ptr[8] == '-' && text.ptr[14] == '4')
            put(sent, &sent->uuids, text.ptr, text.len);
        else if (ends_in_eight_digits(text) && !tk_str_starts_with(text, TK_STR("user-")))
            put(sent, &sent->numbers, text.ptr, text.len);
    }
}

static void
gather(struct sent *sent, const struct tk_batch *batch)
{
    for (uint32_t row = 0; row < batch->span_count; row++) {
        char id[TK_TRACE_ID_SIZE + TK_SPAN_ID_SIZE];
        tk_trace_id_write(batch->trace_id[row], id);
        tk_span_id_write(batch->span_id[row], id + TK_TRACE_ID_SIZE);
        put(sent, &sent->trace_ids, id, TK_TRACE_ID_SIZE);
        put(sent, &sent->span_ids, id, sizeof id);
        gather_attrs(sent, batch, batch->attrs[row]);
    }
}

static struct set
new_set(void)
{
    struct set set = {.items = calloc(SET_SIZE, sizeof(tk_str))};
    assert_non_null(set.items);
    return set;
}

static struct sent
send_round(const struct tk_round *round, enum tk_format format, const struct tk_sending *sending)
{
    struct sent sent = {.trace_ids = new_set(),
                        .span_ids = new_set(),
                        .uuids = new_set(),
                        .serials = new_set(),
                        .numbers = new_set()};
    struct tk_rejected rejected;
    tk_arena_init(&sent.arena, 1 << 16, 1 << 28);
    sent.batches = calloc(round->body_count, sizeof *sent.batches);
    assert_non_null(sent.batches);
    for (uint32_t i = 0; i < round->body_count; i++) {
        const struct tk_body *body = &round->bodies[i];
        struct tk_batch *batch = tk_batch_new();
        char *bytes = malloc(body->len);
        assert_true(batch != NULL && bytes != NULL && body->len <= round->body_len_max);
        tk_round_copy(round, body, sending, bytes);
        assert_int_equal(tk_wire_decode(format, TK_ENCODING_NONE, (tk_str){bytes, body->len}, bytes,
                                        LIMIT, batch, &rejected, NULL),
                         TK_OK);
        assert_int_equal(rejected.span_count, 0);
        assert_int_equal(batch->span_count, body->span_count);
        gather(&sent, batch);
        sent.span_count += batch->span_count;
        sent.batches[sent.count++] = batch;
    }
    return sent;
}

static void
release(struct sent *sent)
{
    struct set *sets[] = {&sent->trace_ids, &sent->span_ids, &sent->uuids, &sent->serials,
                          &sent->numbers};
    for (size_t i = 0; i < sizeof sets / sizeof *sets; i++)
        free(sets[i]->items);
    for (uint32_t i = 0; i < sent->count; i++)
        tk_batch_free(sent->batches[i]);
    free(sent->batches);
    tk_arena_release(&sent->arena);
}

static struct tk_round
new_round(enum tk_format format, uint64_t seed)
{
    struct tk_round round;
    const struct tk_round_options options = {
        .generate = {.seed = seed, .services = 6, .instances = 2},
        .spans = SPANS,
        .body_spans = 100,
        .format = format,
    };
    assert_int_equal(tk_round_make(&round, &options), TK_OK);
    return round;
}

static uint32_t
shared(const struct set *a, const struct set *b)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < SET_SIZE; i++)
        count += a->items[i].ptr != NULL && has(b, a->items[i]);
    return count;
}

static void
check_two_sendings(enum tk_format format)
{
    struct tk_round round = new_round(format, 5);
    struct tk_sending one = {.number = 7, .start_nano = START};
    struct tk_sending two = {.number = 8, .start_nano = START};
    struct sent a = send_round(&round, format, &one), b = send_round(&round, format, &two);
    assert_int_equal(a.trace_ids.count, round.trace_count);
    assert_int_equal(a.span_ids.count, round.span_count);
    assert_true(a.uuids.count > SPANS / 4 && a.serials.count > SPANS / 8);
    assert_true(a.numbers.count > SPANS / 4);
    assert_int_equal(shared(&a.trace_ids, &b.trace_ids), 0);
    assert_int_equal(shared(&a.span_ids, &b.span_ids), 0);
    assert_int_equal(shared(&a.uuids, &b.uuids), 0);
    assert_int_equal(shared(&a.serials, &b.serials), 0);
    assert_true(shared(&a.numbers, &b.numbers) <= 2); /* eight digits meet by chance */
    assert_int_equal(a.uuids.count, b.uuids.count);   /* and none becomes the same as another */
    assert_int_equal(a.serials.count, b.serials.count);
    release(&a);
    release(&b);
    tk_round_release(&round);
}

static void
two_sendings_share_no_id_and_no_unique_value(void **state)
{
    (void)state;
    check_two_sendings(TK_FORMAT_OTLP_PROTOBUF);
}

static void
two_sendings_as_json_share_none_either(void **state)
{
    (void)state;
    check_two_sendings(TK_FORMAT_OTLP_JSON);
}

static void
json_and_protobuf_send_the_same_spans(void **state)
{
    (void)state;
    struct tk_round protobuf = new_round(TK_FORMAT_OTLP_PROTOBUF, 5);
    struct tk_round json = new_round(TK_FORMAT_OTLP_JSON, 5);
    struct tk_sending sending = {.number = 7, .start_nano = START};
    struct sent a = send_round(&protobuf, TK_FORMAT_OTLP_PROTOBUF, &sending);
    struct sent b = send_round(&json, TK_FORMAT_OTLP_JSON, &sending);
    assert_int_equal(shared(&a.span_ids, &b.span_ids), protobuf.span_count);
    assert_int_equal(shared(&a.serials, &b.serials), a.serials.count);
    assert_int_equal(shared(&a.uuids, &b.uuids), a.uuids.count);
    assert_int_equal(shared(&a.numbers, &b.numbers), a.numbers.count);
    for (uint32_t i = 0; i < a.count; i++)
        for (uint32_t row = 0; row < a.batches[i]->span_count; row++)
            assert_int_equal(a.batches[i]->start_nano[row], b.batches[i]->start_nano[row]);
    release(&a);
    release(&b);
    tk_round_release(&protobuf);
    tk_round_release(&json);
}

static void
parents_links_and_trace_ids_match_in_every_sending(void **state)
{
    (void)state;
    struct tk_round round = new_round(TK_FORMAT_OTLP_PROTOBUF, 1);
    struct tk_sending sending = {.number = 3, .start_nano = START};
    struct sent sent = send_round(&round, TK_FORMAT_OTLP_PROTOBUF, &sending);
    uint32_t roots = 0, links = 0;
    for (uint32_t i = 0; i < sent.count; i++) {
        const struct tk_batch *batch = sent.batches[i];
        for (uint32_t row = 0; row < batch->span_count; row++) {
            char id[TK_TRACE_ID_SIZE + TK_SPAN_ID_SIZE];
            tk_trace_id_write(batch->trace_id[row], id);
            tk_span_id_write(batch->parent_id[row], id + TK_TRACE_ID_SIZE);
            roots += batch->parent_id[row] == 0;
            assert_true(batch->parent_id[row] == 0 || has(&sent.span_ids, (tk_str){id, sizeof id}));
        }
        for (uint32_t j = 0; j < batch->link_count; j++, links++) {
            char id[TK_TRACE_ID_SIZE + TK_SPAN_ID_SIZE];
            tk_trace_id_write(batch->link[j].trace_id, id);
            tk_span_id_write(batch->link[j].span_id, id + TK_TRACE_ID_SIZE);
            assert_true(has(&sent.span_ids, (tk_str){id, sizeof id}));
        }
    }
    assert_int_equal(roots, round.trace_count);
    assert_true(links > 0);
    for (uint32_t i = 0; i < round.trace_count; i++) {
        char id[TK_TRACE_ID_SIZE];
        tk_trace_id_write(tk_round_trace_id(&round, i, &sending), id);
        assert_true(has(&sent.trace_ids, (tk_str){id, sizeof id}));
    }
    release(&sent);
    tk_round_release(&round);
}

static void
a_body_is_what_one_process_gathered_children_first(void **state)
{
    (void)state;
    struct tk_round round = new_round(TK_FORMAT_OTLP_PROTOBUF, 2);
    struct tk_sending sending = {.number = 0, .start_nano = START};
    struct sent sent = send_round(&round, TK_FORMAT_OTLP_PROTOBUF, &sending);
    uint64_t attrs = 0, spread = 0;
    for (uint32_t i = 0; i < sent.count; i++) {
        const struct tk_batch *batch = sent.batches[i];
        assert_int_equal(batch->resource_count, 1);
        assert_int_equal(batch->resources[0].attrs.count, 20);
        for (uint32_t row = 0; row < batch->span_count; row++) {
            assert_in_range(batch->attrs[row].count, 8, 12);
            attrs += batch->attrs[row].count;
            assert_in_range(batch->start_nano[row], START, START + round.length_nano + 1000000000);
            spread += row > 0 && !tk_trace_id_eq(batch->trace_id[row], batch->trace_id[row - 1]);
            for (uint32_t later = row + 1; later < batch->span_count; later++)
                assert_false(batch->parent_id[later] == batch->span_id[row] &&
                             batch->scope[later] == batch->scope[row]);
        }
    }
    assert_in_range(round.byte_count / round.span_count, 400, 520);
    assert_in_range(round.span_count / round.trace_count, 8, 12);
    assert_in_range(attrs / round.span_count, 9, 10);
    assert_true(spread > round.trace_count); /* traces arrive in parts */
    release(&sent);
    tk_round_release(&round);
}

static void
the_same_seed_makes_the_same_bytes_and_another_does_not(void **state)
{
    (void)state;
    struct tk_round one = new_round(TK_FORMAT_OTLP_PROTOBUF, 9);
    struct tk_round same = new_round(TK_FORMAT_OTLP_PROTOBUF, 9);
    struct tk_round other = new_round(TK_FORMAT_OTLP_PROTOBUF, 10);
    assert_int_equal(one.byte_count, same.byte_count);
    assert_memory_equal(one.bytes, same.bytes, one.byte_count);
    assert_false(other.byte_count == one.byte_count &&
                 memcmp(one.bytes, other.bytes, one.byte_count) == 0);
    tk_round_release(&one);
    tk_round_release(&same);
    tk_round_release(&other);
}

static uint32_t
count_needles(const struct sent *sent)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < sent->count; i++)
        for (uint32_t j = 0; j < sent->batches[i]->attr_count; j++) {
            struct tk_value value = sent->batches[i]->attr_value[j];
            count += value.type == TK_VALUE_STRING &&
                     tk_str_eq(tk_value_str(value), tk_str_from(tk_round_needle));
        }
    return count;
}

static void
a_needle_is_one_user_of_a_body_and_there_is_none_unasked(void **state)
{
    (void)state;
    struct tk_round round = new_round(TK_FORMAT_OTLP_PROTOBUF, 4);
    struct tk_sending sending = {.number = 0, .start_nano = START};
    struct sent sent = send_round(&round, TK_FORMAT_OTLP_PROTOBUF, &sending);
    uint32_t with_users = 0;
    for (uint32_t i = 0; i < round.body_count; i++)
        with_users += round.bodies[i].user > 0;
    assert_int_equal(count_needles(&sent), 0);
    release(&sent);
    sending.needle = true;
    sent = send_round(&round, TK_FORMAT_OTLP_PROTOBUF, &sending);
    assert_true(with_users > 0);
    assert_int_equal(count_needles(&sent), with_users);
    release(&sent);
    tk_round_release(&round);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(two_sendings_share_no_id_and_no_unique_value),
        cmocka_unit_test(two_sendings_as_json_share_none_either),
        cmocka_unit_test(json_and_protobuf_send_the_same_spans),
        cmocka_unit_test(parents_links_and_trace_ids_match_in_every_sending),
        cmocka_unit_test(a_body_is_what_one_process_gathered_children_first),
        cmocka_unit_test(the_same_seed_makes_the_same_bytes_and_another_does_not),
        cmocka_unit_test(a_needle_is_one_user_of_a_body_and_there_is_none_unasked),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
