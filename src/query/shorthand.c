/*
 * shorthand - `order.id=42 service:api error duration>200ms` to TraceQL.
 *
 * Every word becomes one condition, and all of them hold on one span:
 *
 *     error                  status = error
 *     service:api            resource.service.name = "api"      (also service=api, service=~"a.*")
 *     trace:<32 hex>         trace:id = "..."                   (also the bare id)
 *     duration>200ms         duration > 200ms                   (every intrinsic by its name)
 *     order.id=42            (.order.id = 42 || .order.id = "42")
 *     order.id="42"          .order.id = "42"                   (quotes: the string only)
 *     span.a=x resource.b=y  as in TraceQL
 *     timeout "two words"    name =~ "(?i).*timeout.*"          (in the span's name)
 *
 * `:` is `=`.  Spaces may stand around an operator.  The translation is parsed again, so that what
 * is checked there is not checked here; `places` leads its errors back to the words.
 */
#include "query/lexer.h"
#include "query/names.h"

enum { WORDS_MAX = 1024, TRANSLATION_MAX = 1 << 20 };

struct translator {
    tk_str text;
    size_t at;
    struct tk_arena *arena;
    struct tk_query_error *error;
    struct tk_buf out;
    struct tk_ql_places places;
};

/* A word, and what was compared with what. */
struct word {
    size_t begin, value_begin;
    tk_str key; /* quotes taken off */
    bool key_quoted;
    const char *op; /* as TraceQL writes it; NULL: a bare word */
    tk_str value;   /* quotes taken off */
    bool value_quoted;
};

static void
skip_spaces(struct translator *t)
{
    while (t->at < t->text.len && tk_ql_is_space(t->text.ptr[t->at]))
        t->at++;
}

/* ---- reading ---- */

static enum tk_err
read_quoted(struct translator *t, tk_str *ret_text)
{
    struct tk_ql_lexer lexer = {.text = t->text, .at = t->at, .arena = t->arena, .error = t->error};
    struct tk_ql_token token;
    enum tk_err result = tk_ql_next(&lexer, &token);
    if (result != TK_OK)
        return result;
    t->at = lexer.at;
    *ret_text = token.value.text;
    return TK_OK;
}

/* `span:duration`: the colon belongs to the name when an operator follows it. */
static size_t
scoped_intrinsic_length(tk_str rest)
{
    size_t len = 0;
    enum tk_ql_intrinsic intrinsic;
    enum tk_ql_type type;
    while (len < rest.len && tk_ql_is_word_byte(rest.ptr[len]))
        len++;
    return len < rest.len && memchr(rest.ptr, ':', len) != NULL &&
                   tk_ql_find_intrinsic((tk_str){rest.ptr, len}, &intrinsic, &type)
               ? len
               : 0;
}

static void
read_key(struct translator *t, struct word *word)
{
    tk_str rest = {t->text.ptr + t->at, t->text.len - t->at};
    size_t len = scoped_intrinsic_length(rest);
    while (len < rest.len && rest.ptr[len] != ':' && rest.ptr[len] != '"' &&
           tk_ql_is_word_byte(rest.ptr[len]))
        len++;
    word->key = (tk_str){rest.ptr, len};
    t->at += len;
}

static const char *
read_op(struct translator *t)
{
    static const struct {
        const char *written, *meant;
    } ops[] = {
        {"=~", "=~"}, {"!~", "!~"}, {"!=", "!="}, {">=", ">="}, {"<=", "<="},
        {"=", "="},   {":", "="},   {">", ">"},   {"<", "<"},
    };
    size_t before = t->at;
    skip_spaces(t);
    for (size_t i = 0; i < sizeof ops / sizeof ops[0]; i++) {
        tk_str rest = {t->text.ptr + t->at, t->text.len - t->at};
        tk_str op = tk_str_from(ops[i].written);
        if (tk_str_starts_with(rest, op)) {
            t->at += op.len;
            return ops[i].meant;
        }
    }
    t->at = before;
    return NULL;
}

static enum tk_err
read_value(struct translator *t, struct word *word)
{
    skip_spaces(t);
    word->value_begin = t->at;
    if (t->at == t->text.len)
        return tk_ql_fail(t->error, t->text, t->at, "a value", "nothing behind the operator");
    if (t->text.ptr[t->at] == '"' || t->text.ptr[t->at] == '`') {
        word->value_quoted = true;
        return read_quoted(t, &word->value);
    }
    size_t begin = t->at;
    while (t->at < t->text.len && !tk_ql_is_space(t->text.ptr[t->at]))
        t->at++;
    word->value = (tk_str){t->text.ptr + begin, t->at - begin};
    return TK_OK;
}

static enum tk_err
read_word(struct translator *t, struct word *word)
{
    enum tk_err result;
    *word = (struct word){.begin = t->at};
    if (t->text.ptr[t->at] == '"' || t->text.ptr[t->at] == '`') {
        word->key_quoted = true;
        if ((result = read_quoted(t, &word->key)) != TK_OK)
            return result;
    } else {
        read_key(t, word);
        if (word->key.len == 0)
            return tk_ql_fail(t->error, t->text, t->at,
                              "a word such as error, service:api or order.id=42, or TraceQL in { }",
                              "unexpected \"%c\"", t->text.ptr[t->at]);
    }
    word->op = read_op(t);
    if (word->op != NULL)
        return read_value(t, word);
    if (t->at < t->text.len && !tk_ql_is_space(t->text.ptr[t->at]))
        return tk_ql_fail(t->error, t->text, t->at,
                          "a space or an operator; quote a text that holds such characters",
                          "unexpected \"%c\"", t->text.ptr[t->at]);
    return TK_OK;
}

/* ---- writing ---- */

static void
put(struct translator *t, const char *text)
{
    tk_buf_append(&t->out, tk_str_from(text));
}

/* A string of TraceQL. */
static void
put_string(struct translator *t, tk_str text)
{
    put(t, "\"");
    for (size_t i = 0; i < text.len; i++) {
        unsigned char c = (unsigned char)text.ptr[i];
        if (c == '"' || c == '\\')
            tk_buf_printf(&t->out, "\\%c", c);
        else if (c < 0x20 || c == 0x7f)
            tk_buf_printf(&t->out, "\\x%02x", c);
        else
            tk_buf_append_char(&t->out, (char)c);
    }
    put(t, "\"");
}

/* `.key`, or the key as it is when it says its scope; quoted when it needs it. */
static void
put_attribute(struct translator *t, const struct word *word)
{
    tk_str name = word->key;
    enum tk_ql_scope scope;
    bool plain = true;
    if (word->key_quoted || !tk_ql_cut_scope(&name, &scope))
        put(t, ".");
    else
        tk_buf_append(&t->out, (tk_str){word->key.ptr, word->key.len - name.len});
    for (size_t i = 0; i < name.len; i++)
        plain =
            plain && tk_ql_is_word_byte(name.ptr[i]) && name.ptr[i] != '"' && name.ptr[i] != '\\';
    if (plain) {
        tk_buf_append(&t->out, name);
        return;
    }
    put(t, "\"");
    for (size_t i = 0; i < name.len; i++) {
        if (name.ptr[i] == '"' || name.ptr[i] == '\\')
            put(t, "\\");
        tk_buf_append_char(&t->out, name.ptr[i]);
    }
    put(t, "\"");
}

/* The span's name holds `text`, in any case of letters. */
static void
put_free_text(struct translator *t, tk_str text)
{
    struct tk_buf pattern;
    tk_buf_init(&pattern, TK_QUERY_TEXT_MAX * 2 + 16);
    tk_buf_append(&pattern, TK_STR("(?i).*"));
    for (size_t i = 0; i < text.len; i++) {
        if (text.ptr[i] != '\0' && strchr("\\^$.|?*+()[]{}", text.ptr[i]) != NULL)
            tk_buf_append_char(&pattern, '\\');
        tk_buf_append_char(&pattern, text.ptr[i]);
    }
    tk_buf_append(&pattern, TK_STR(".*"));
    put(t, "name =~ ");
    put_string(t, tk_buf_str(&pattern));
    if (pattern.status != TK_OK)
        t->out.status = pattern.status;
    tk_buf_release(&pattern);
}

static bool
is_number(tk_str text, struct tk_ql_value *ret_value)
{
    if (text.len > 0 && text.ptr[0] == '-')
        text = (tk_str){text.ptr + 1, text.len - 1};
    return tk_ql_number(text, ret_value) && ret_value->type != TK_QL_DURATION;
}

static void
put_comparison(struct translator *t, const struct word *word, bool as_string)
{
    put_attribute(t, word);
    tk_buf_printf(&t->out, " %s ", word->op);
    if (as_string)
        put_string(t, word->value);
    else
        tk_buf_append(&t->out, word->value);
}

/* `42` may be the integer, the double or the string; order is asked of numbers only. */
static void
put_attribute_condition(struct translator *t, const struct word *word)
{
    struct tk_ql_value value = {.type = TK_QL_STRING};
    bool equality = strcmp(word->op, "=") == 0 || strcmp(word->op, "!=") == 0;
    bool regex = strchr(word->op, '~') != NULL;
    if (word->value_quoted || regex ||
        (!is_number(word->value, &value) && !tk_ql_find_keyword(word->value, &value)) ||
        value.type == TK_QL_STATUS || value.type == TK_QL_KIND) {
        put_comparison(t, word, true);
    } else if (equality && value.type != TK_QL_NIL) {
        put(t, "(");
        put_comparison(t, word, false);
        put(t, " || "); /* for != too: values of another type are never unequal */
        put_comparison(t, word, true);
        put(t, ")");
    } else {
        put_comparison(t, word, false);
    }
}

static enum tk_err
put_intrinsic_condition(struct translator *t, const struct word *word, enum tk_ql_type type)
{
    struct tk_ql_value value;
    bool regex = strchr(word->op, '~') != NULL;
    tk_buf_append(&t->out, word->key);
    tk_buf_printf(&t->out, " %s ", word->op);
    if (regex || type == TK_QL_STRING) {
        put_string(t, word->value);
        return TK_OK;
    }
    bool fits = type == TK_QL_DURATION ? tk_ql_number(word->value, &value)
                                       : tk_ql_find_keyword(word->value, &value);
    if (!fits || value.type != type)
        return tk_ql_fail(t->error, t->text, word->value_begin, tk_ql_type_text(type),
                          "\"%.*s\" is not that",
                          (int)(word->value.len < 60 ? word->value.len : 60), word->value.ptr);
    tk_buf_append(&t->out, word->value);
    return TK_OK;
}

static enum tk_err
put_condition(struct translator *t, const struct word *word)
{
    struct tk_trace_id id;
    enum tk_ql_intrinsic intrinsic;
    enum tk_ql_type type;
    if (word->op == NULL) {
        if (!word->key_quoted && tk_trace_id_parse(word->key, &id))
            tk_buf_printf(&t->out, "trace:id = \"%.*s\"", TK_STR_ARG(word->key));
        else if (!word->key_quoted && tk_str_eq(word->key, TK_STR("error")))
            put(t, "status = error");
        else
            put_free_text(t, word->key);
        return TK_OK;
    }
    if (!word->key_quoted) {
        if (tk_str_eq(word->key, TK_STR("service")) || tk_str_eq(word->key, TK_STR("trace"))) {
            put(t, word->key.ptr[0] == 's' ? "resource.service.name" : "trace:id");
            tk_buf_printf(&t->out, " %s ", word->op);
            put_string(t, word->value);
            return TK_OK;
        }
        if (tk_ql_find_intrinsic(word->key, &intrinsic, &type))
            return put_intrinsic_condition(t, word, type);
    }
    put_attribute_condition(t, word);
    return TK_OK;
}

/* ---- all words ---- */

static enum tk_err
translate(struct translator *t)
{
    enum tk_err result;
    struct word word;
    put(t, "{ ");
    for (skip_spaces(t); t->at < t->text.len; skip_spaces(t)) {
        if (t->places.count == WORDS_MAX)
            return tk_ql_fail(t->error, t->text, t->at, "fewer words", "more than %d words",
                              WORDS_MAX);
        if ((result = read_word(t, &word)) != TK_OK)
            return result;
        if (t->places.count > 0)
            put(t, " && ");
        t->places.place[t->places.count++] = (struct tk_ql_place){t->out.len, word.begin};
        if ((result = put_condition(t, &word)) != TK_OK)
            return result;
    }
    put(t, " }");
    return t->out.status;
}

enum tk_err
tk_ql_translate(tk_str text, struct tk_arena *arena, tk_str *ret_text,
                struct tk_ql_places *ret_places, struct tk_query_error *error)
{
    struct translator t = {.text = text, .arena = arena, .error = error};
    tk_buf_init(&t.out, TRANSLATION_MAX);
    t.places.place = tk_arena_alloc(arena, WORDS_MAX * sizeof *t.places.place);
    enum tk_err result = t.places.place != NULL ? translate(&t) : TK_ERR_MEMORY;
    if (result == TK_OK) {
        *ret_text = tk_arena_copy(arena, tk_buf_str(&t.out));
        *ret_places = t.places;
        if (ret_text->ptr == NULL)
            result = TK_ERR_MEMORY;
    }
    tk_buf_release(&t.out);
    return result;
}
