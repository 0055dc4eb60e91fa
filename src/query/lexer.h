#ifndef TK_QUERY_LEXER_H
#define TK_QUERY_LEXER_H
/*
 * lexer - TraceQL text to tokens, one at a time.  Internal to the query floor.
 *
 * A word is what may be a name: `duration`, `span:name`, `.http.method`, `span."odd key"`.  As in
 * Tempo it ends only at a space or one of { } ( ) = ~ ! < > & | ^ , so that `.http.status-code` is
 * one name.
 */
#include "query/ast.h"

enum tk_ql_token_type {
    TK_QL_TOKEN_END,
    TK_QL_TOKEN_OPEN_BRACE,
    TK_QL_TOKEN_CLOSE_BRACE,
    TK_QL_TOKEN_OPEN_PAREN,
    TK_QL_TOKEN_CLOSE_PAREN,
    TK_QL_TOKEN_AND,
    TK_QL_TOKEN_OR,
    TK_QL_TOKEN_NOT,
    TK_QL_TOKEN_COMPARE,    /* op */
    TK_QL_TOKEN_MINUS,      /* before a number */
    TK_QL_TOKEN_VALUE,      /* value: string, number, duration */
    TK_QL_TOKEN_WORD,       /* raw: may be anything that has a name */
    TK_QL_TOKEN_PIPE,       /* | */
    TK_QL_TOKEN_STRUCTURAL, /* >> << ~ &> &>> &< &<< &~ !> !>> !< !<< */
    TK_QL_TOKEN_ARITHMETIC, /* + * / % ^ */
    TK_QL_TOKEN_COMMA,
};

struct tk_ql_token {
    enum tk_ql_token_type type;
    tk_str raw; /* as written */
    enum tk_ql_op op;
    struct tk_ql_value value;
};

struct tk_ql_lexer {
    tk_str text;
    size_t at; /* byte behind the last token */
    struct tk_arena *arena;
    struct tk_query_error *error;
};

enum tk_err tk_ql_next(struct tk_ql_lexer *lexer, struct tk_ql_token *ret_token) TK_MUST_USE;

bool tk_ql_is_space(char c);
/* Does a word go on at this byte? */
bool tk_ql_is_word_byte(char c);
/* A number or duration as TraceQL writes it, without a sign; the whole of `text`. */
bool tk_ql_number(tk_str text, struct tk_ql_value *ret_value);
/* A name of a word behind its scope, quoted parts unquoted into the arena. */
enum tk_err tk_ql_unquote_name(struct tk_ql_lexer *lexer, tk_str raw, tk_str *ret_name) TK_MUST_USE;

#endif
