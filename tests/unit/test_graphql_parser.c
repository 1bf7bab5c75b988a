/* SPDX-License-Identifier: ISC */
/*
 * test_graphql_parser.c - whole documents, and the public vectors: documents
 * that parsers read in different ways (design 2.5).
 */
#include "graphql/parser.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/limits.h"
#include "graphql_text.h"
#include "vectors.h"

#define T PST_STR

static int
set_up(void **state)
{
    struct pst_arena *arena = NULL;

    if (pst_arena_new(&arena, PST_ARENA_SIZE) != PST_OK)
        return -1;
    *state = arena;
    return 0;
}

static int
tear_down(void **state)
{
    struct pst_arena *arena = *state;

    pst_arena_free(&arena);
    return 0;
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

/* Parse a document and print it in a normal form. NULL: refused. */
static const char *
read_document(struct pst_arena *arena, struct pst_str text, bool has_places,
              enum pst_err *e, struct pst_graphql_error *error)
{
    static char out[4096];
    const struct pst_graphql_document *document = NULL;
    struct pst_str whole;
    struct pst_buf buf;

    *e = pst_graphql_parse(arena, text, &document, error);
    if (*e)
        return NULL;
    pst_buf_init(&buf, out, sizeof(out) - 1);
    graphql_text_document(&buf, document, has_places);
    assert_int_equal(pst_buf_finish(&buf, &whole), PST_OK);
    out[whole.len] = '\0';
    return out;
}

static void
check_accepted(struct pst_arena *arena, const char *text, const char *want,
               bool has_places)
{
    struct pst_graphql_error error;
    enum pst_err e;
    const char *got =
        read_document(arena, pst_str_from(text), has_places, &e, &error);

    if (!got || strcmp(got, want) != 0)
        fail_msg("%s: %s", text, got ? got : error.message);
    pst_arena_reset(arena);
}

static void
test_accepted(void **state)
{
    static const char *const rows[][2] = {
        {"{a}", "query{a}"},
        {"\xEF\xBB\xBF{a}", "query{a}"},
        {"query{a}", "query{a}"},
        {"query A{a}", "query A{a}"},
        {"mutation{a}", "mutation{a}"},
        {"subscription query{a}", "subscription query{a}"},
        {"query mutation{mutation}", "query mutation{mutation}"},
        {"query A{a}mutation B{b}subscription C{c}",
         "query A{a}mutation B{b}subscription C{c}"},
        {"query A @d(x:$y) {a}", "query A@d(x:$y){a}"},
        {"query($a:Int){a}", "query($a:Int){a}"},
        {"query A($a:[ID!]!=[1]@d(x:1),$b:B={c:D}$on:On!){a}",
         "query A($a:[ID!]!=[1]@d(x:1),$b:B={c:~D},$on:On!){a}"},
        {"query($a:[[Int]!]!){a}", "query($a:[[Int]!]!){a}"},
        {"{...F}fragment F on T{a}", "query{...F}fragment F on T{a}"},
        {"fragment F on T@d{a}{...F}", "query{...F}fragment F on T@d{a}"},
        {"{...A}fragment A on T{...B ...C}fragment B on T{...C}"
         "fragment C on T{c}",
         "query{...A}fragment A on T{...B ...C}fragment B on T{...C}"
         "fragment C on T{c}"},
        {"{a}fragment F on T{b}", "query{a}fragment F on T{b}"},
        {"{...true}fragment true on T{a}",
         "query{...true}fragment true on T{a}"},
        {"{a}fragment fragment on fragment{b}",
         "query{a}fragment fragment on fragment{b}"},
        {"\"d\"query A{a}", "query A{a}"},
        {"\"\"\"d\"\"\"mutation{a}", "mutation{a}"},
        {"\"d\"fragment F on T{a}{a}", "query{a}fragment F on T{a}"},
        {"query(\"d\"$a:Int \"\"\"e\"\"\"$b:Int){a}",
         "query($a:Int,$b:Int){a}"},
        {"query A($a:Int,){a}", "query A($a:Int){a}"},
        {"#x\n{a#}\n}#", "query{a}"},
    };

    for (size_t i = 0; i < PST_COUNT(rows); i++)
        check_accepted(*state, rows[i][0], rows[i][1], false);
}

static void
test_places(void **state)
{
    check_accepted(*state,
                   "# \xC3\xA9\n  query A {\r\n  a: b, ...F\n...{c}}\n"
                   "\"d\" fragment F on T { d(e:\"\xC3\xA9\") f }",
                   "@2:3 query A{@3:3 a:b @3:9 ...F @4:1 ...{@4:5 c}}"
                   "@5:5 fragment F on T{@5:23 d(e:\"\xC3\xA9\") @5:32 f}",
                   true);
    check_accepted(*state, "\xEF\xBB\xBF{a}", "@1:1 query{@1:2 a}", true);
    check_accepted(*state, "{a(b:\"\"\"\n\n\"\"\")c}",
                   "@1:1 query{@1:2 a(b:\"\") @3:5 c}", true);
}

struct refused_row {
    struct pst_str text;
    const char *message; /* a part of it */
    uint32_t column;     /* in line 1 */
};

#define R(literal, message, column)                        \
    {                                                      \
        {"" literal, sizeof(literal) - 1}, message, column \
    }

/* Documents that every parser refuses. */
static const struct refused_row grammar_rows[] = {
    R("", "found the end of the document, expected query, mutation", 1),
    R(" ,, ", "found the end of the document", 5),
    R("a", "found the name \"a\", expected query, mutation", 1),
    R("{a}}", "found \"}\", expected query, mutation", 4),
    R("{a} x", "found the name \"x\", expected query", 5),
    R("QUERY{a}", "found the name \"QUERY\", expected query", 1),
    R("query", "found the end of the document, expected \"{\"", 6),
    R("query A B{a}", "found the name \"B\", expected \"{\"", 9),
    R("query \"x\"{a}", "found a string, expected \"{\"", 7),
    R("query()", "a list of variables must not be empty", 7),
    R("query A(){a}", "a list of variables must not be empty", 9),
    R("query(a:Int){a}", "found the name \"a\", expected a variable", 7),
    R("query($:Int){a}", "expected the variable's name after \"$\"", 8),
    R("query($a){a}", "expected \":\" and a type", 9),
    R("query($a:){a}", "found \")\", expected a type", 10),
    R("query($a:1){a}", "found the number \"1\", expected a type", 10),
    R("query($a:[Int){a}", "found \")\", expected \"]\"", 14),
    R("query($a:[[Int]){a}", "found \")\", expected \"]\"", 16),
    R("query($a:[]){a}", "found \"]\", expected a type", 11),
    R("query($a:Int!!){a}", "found \"!\", expected a variable or", 14),
    R("query($a:Int=){a}", "found \")\", expected a value", 14),
    R("query($a:Int=$b){a}", "a variable is not allowed in a default", 14),
    R("query($a:[Int]=[$b]){a}", "a variable is not allowed", 17),
    R("query($a:Int@d(x:$b)){a}", "a variable is not allowed", 18),
    R("query($a:Int @d = 1){a}", "found \"=\", expected a variable", 17),
    R("fragment", "found the end of the document, expected the frag", 9),
    R("fragment on on T{a}", "which is not \"on\"", 10),
    R("fragment F T{a}", "found the name \"T\", expected \"on\"", 12),
    R("fragment F on {a}", "expected a type's name after \"on\"", 15),
    R("fragment F on T", "found the end of the document, expected \"{\"", 16),
    R("\"d\"", "found the end of the document, expected query", 4),
    R("\"d\" \"e\" query A{a}", "found a string, expected query", 5),
    R("\"d\" {a}", "an operation with a description needs its keyword", 5),
    R("query(\"d\"){a}", "found \")\", expected a variable", 10),
    R("query(\"d\" \"e\" $a:Int){a}", "found a string, expected a var", 11),
    R("query A{a} \"d\"", "found the end of the document, expected", 15),
    R("{a(b:\"", "the string that begins here is not terminated", 6),
    R("{a} \xFF", "not valid UTF-8", 5),
};

/* L67: documents that some parsers accept, or that parsers read differently. */
static const struct refused_row beyond_rows[] = {
    R("{}", "a selection set must not be empty", 2),
    R("{a()}", "an argument list must not be empty", 4),
    R("{\xEF\xBB\xBF"
      "a}",
      "byte order mark", 2),
    R("{a #\r}", "carriage return", 5),
    R("{a #\xE2\x80\xA8}", "U+2028 is not allowed outside strings", 5),
    R("{a(b:\"\\u{41}\")}", "write \\uXXXX", 7),
    R("{a(b:\"\"\"\\\"\"\"\"\"\")}", "block strings must not contain", 9),
    R("{a(b:[\"\"\"x\"\"\"])}", "a block string is not allowed in a list", 7),
    R("{a(b:1c:2)}", "a number must not be followed by a name", 7),
    R("fragment F($a:Int) on T{a}", "variables on a fragment", 11),
    R("{...F(a:1)}fragment F on T{a}", "arguments on a fragment", 6),
    R("{a!}", "\"!\" and \"?\" on a field", 3),
    R("type A{a:Int}{a}", "type definitions are not allowed", 1),
    R("schema{query:Q}{a}", "type definitions are not allowed", 1),
    R("scalar A{a}", "type definitions are not allowed", 1),
    R("interface A{a:Int}{a}", "type definitions are not allowed", 1),
    R("union A=B{a}", "type definitions are not allowed", 1),
    R("enum A{B}{a}", "type definitions are not allowed", 1),
    R("input A{b:Int}{a}", "type definitions are not allowed", 1),
    R("directive@a on FIELD{a}", "type definitions are not allowed", 1),
    R("extend type A{a:Int}{a}", "type definitions are not allowed", 1),
    R("\"d\" type A{a:Int}{a}", "type definitions are not allowed", 5),
    R("fragment F on T{a}", "an operation beside the fragments", 19),
    R("{a}{b}", "an operation without a name must be the only one", 1),
    R("{a}query B{b}", "an operation without a name must be the only", 1),
    R("query A{a}mutation{b}", "an operation without a name must be", 11),
    R("query A{a}mutation A{b}", "the operation \"A\" occurs twice", 20),
    R("{a}fragment F on T{a}fragment F on T{b}",
      "the fragment \"F\" occurs twice", 31),
    R("query($a:Int,$b:Int,$a:ID){a}", "the variable \"a\" occurs", 22),
    R("{a(b:1,c:2,b:3)}", "the argument \"b\" occurs twice", 12),
    R("{a@d(b:1,b:1)}", "the argument \"b\" occurs twice", 10),
    R("{a(b:{c:1,c:2})}", "the input field \"c\" occurs twice", 11),
    R("query($a:A={b:1,b:2}){a}", "the input field \"b\" occurs twice", 17),
    R("{...F}", "there is no fragment \"F\" in the document", 2),
    R("{a{...F}}fragment G on T{a}", "there is no fragment \"F\"", 4),
    R("{a}fragment F on T{...G}", "there is no fragment \"G\"", 20),
    R("{...F}fragment F on T{...F}", "the fragment \"F\" spreads itself", 23),
    R("{a}fragment F on T{a{...G}}fragment G on T{...{...F}}", "spreads itself",
      48),
};

static void
check_refused(struct pst_arena *arena, const struct refused_row *rows,
              size_t count)
{
    for (size_t i = 0; i < count; i++) {
        struct pst_graphql_error error = {.message = "accepted"};
        enum pst_err e;
        const char *got = read_document(arena, rows[i].text, false, &e, &error);

        if (got || e != PST_MALFORMED ||
            !strstr(error.message, rows[i].message) ||
            error.location.line != 1 || error.location.column != rows[i].column)
            fail_msg("%s: %s in %u:%u", rows[i].text.ptr, error.message,
                     error.location.line, error.location.column);
        pst_arena_reset(arena);
    }
}

static void
test_refused_by_grammar(void **state)
{
    check_refused(*state, grammar_rows, PST_COUNT(grammar_rows));
}

static void
test_refused_beyond_grammar(void **state)
{
    check_refused(*state, beyond_rows, PST_COUNT(beyond_rows));
}

/* The text to forward: without a BOM and descriptions, locations unchanged. */
static void
test_text(void **state)
{
    static const char *const rows[][2] = {
        {"{ a }#", "{ a }#"},
        {"\xEF\xBB\xBF{a}\n", "{a}\n"},
        {"\"d\"query A{a}", "   query A{a}"},
        {"query "
         "A(\"\xC3\xA9\xF0\x9F\x98\x80\"$a:Int){a}\n\"\"\"x\n\ty\r\n\"\"\"\n"
         "fragment F on T{b(c:\"d\")} ",
         "query A(    $a:Int){a}\n    \n  \r\n   \nfragment F on "
         "T{b(c:\"d\")} "},
    };

    for (size_t i = 0; i < PST_COUNT(rows); i++) {
        const struct pst_graphql_document *document;
        const struct pst_str text = pst_str_from(rows[i][0]);
        struct pst_graphql_error error;

        assert_int_equal(pst_graphql_parse(*state, text, &document, &error),
                         PST_OK);
        if (!pst_str_equal(document->text, pst_str_from(rows[i][1])))
            fail_msg("%s: '%.*s'", rows[i][0], (int)document->text.len,
                     document->text.ptr);
        pst_arena_reset(*state);
    }
}

static void
test_counts(void **state)
{
    const struct pst_graphql_document *document;
    struct pst_graphql_error error;

    assert_int_equal(
        pst_graphql_parse(*state,
                          T("query A{a}query B{b}fragment F on T{a}"
                            "fragment G on T{a}fragment H on T{a}"),
                          &document, &error),
        PST_OK);
    assert_int_equal(document->operation_count, 2);
    assert_int_equal(document->fragment_count, 3);
}

static void
test_find(void **state)
{
    static const struct {
        const char *text;
        const char *name; /* NULL: absent */
        const char *want; /* the first field; NULL: none */
    } rows[] = {
        {"{a}", NULL, "a"},
        {"{a}", "", "a"},
        {"{a}", "A", NULL},
        {"query A{a}", NULL, "a"},
        {"query A{a}", "A", "a"},
        {"query A{a}", "a", NULL},
        {"query A{a}query B{b}", NULL, NULL},
        {"query A{a}query B{b}", "", NULL},
        {"query A{a}query B{b}", "B", "b"},
        {"query A{a}query B{b}", "C", NULL},
    };

    for (size_t i = 0; i < PST_COUNT(rows); i++) {
        const struct pst_graphql_document *document;
        const struct pst_graphql_operation *found;
        struct pst_graphql_error error;

        assert_int_equal(pst_graphql_parse(*state, pst_str_from(rows[i].text),
                                           &document, &error),
                         PST_OK);
        found =
            pst_graphql_operation_find(document, pst_str_from(rows[i].name));
        assert_int_equal(found != NULL, rows[i].want != NULL);
        if (found)
            assert_true(pst_str_equal(found->selections->name,
                                      pst_str_from(rows[i].want)));
        pst_arena_reset(*state);
    }
}

static void
test_response_key(void **state)
{
    const struct pst_graphql_document *document;
    struct pst_graphql_error error;

    assert_int_equal(pst_graphql_parse(*state, T("{a:b c}"), &document, &error),
                     PST_OK);
    assert_true(pst_str_equal(
        pst_graphql_response_key(document->operations->selections), T("a")));
    assert_true(pst_str_equal(
        pst_graphql_response_key(document->operations->selections->next),
        T("c")));
}

/* Limits: exactly at each, and one above. */

static char large[PST_GRAPHQL_BYTES_MAX + 1];

static void
check_limit(struct pst_arena *arena, size_t len, enum pst_err want,
            const char *message)
{
    const struct pst_graphql_document *document;
    struct pst_graphql_error error = {.message = ""};
    const enum pst_err e = pst_graphql_parse(
        arena, (struct pst_str){large, len}, &document, &error);

    if (e != want || (e && !strstr(error.message, message)))
        fail_msg("%zu bytes: %s (%s)", len, pst_err_code(e), error.message);
    pst_arena_reset(arena);
}

static void
test_byte_limit(void **state)
{
    memset(large, ' ', sizeof(large));
    memcpy(large, "{a}", 3);
    check_limit(*state, PST_GRAPHQL_BYTES_MAX, PST_OK, "");
    check_limit(*state, PST_GRAPHQL_BYTES_MAX + 1, PST_TOO_LARGE,
                "more than 1048576 bytes");
}

static void
test_token_limit(void **state)
{
    for (size_t i = 0; i + 2 <= sizeof(large); i += 2)
        memcpy(large + i, "a ", 2);
    for (size_t over = 0; over <= 1; over++) {
        const size_t last = 2 * (PST_GRAPHQL_TOKENS_MAX - 1 + over);

        large[0] = '{';
        large[last] = '}';
        check_limit(*state, last + 1, over ? PST_TOO_LARGE : PST_OK,
                    "more than 15000 tokens");
        large[last] = 'a';
    }
}

/* `depth` times "{a", and as many "}". */
static size_t
write_nested(char *out, size_t depth)
{
    for (size_t i = 0; i < depth; i++)
        memcpy(out + 2 * i, "{a", 2);
    memset(out + 2 * depth, '}', depth);
    return 3 * depth;
}

static void
test_depth_limit(void **state)
{
    for (size_t over = 0; over <= 1; over++) {
        const size_t depth = PST_GRAPHQL_DEPTH + over;
        const enum pst_err want = over ? PST_TOO_LARGE : PST_OK;
        size_t len;

        check_limit(*state, write_nested(large, depth), want,
                    "nested deeper than 200 levels");
        memcpy(large, "query($a:", 9);
        memset(large + 9, '[', depth);
        large[9 + depth] = 'T';
        memset(large + 10 + depth, ']', depth);
        memcpy(large + 10 + 2 * depth, "){a}", 4);
        check_limit(*state, 14 + 2 * depth, want,
                    "nested deeper than 200 levels");
        memcpy(large, "{...F}fragment F on T", 21);
        len = 21 + write_nested(large + 21, depth - 1);
        check_limit(*state, len, want, "nested deeper than 200 levels");
    }
}

/* The depth of a fragment does not count for the next one. */
static void
test_depth_of_each_fragment(void **state)
{
    static char deep[3 * 150 + 1];
    struct pst_buf buf;

    write_nested(deep, 150);
    pst_buf_init(&buf, large, sizeof(large));
    pst_buf_add_string(&buf, "fragment A on T");
    pst_buf_add_string(&buf, deep);
    pst_buf_add_string(&buf, "fragment B on T{a}");
    for (int i = 0; i < 100; i++)
        pst_buf_add_string(&buf, "{a");
    pst_buf_add_string(&buf, "{...B}");
    for (int i = 0; i < 100; i++)
        pst_buf_add_char(&buf, '}');
    check_limit(*state, pst_buf_str(&buf).len, PST_OK, "");
}

/* A chain of fragments, each of which spreads the next one. */
static void
test_depth_through_fragments(void **state)
{
    for (int over = 0; over <= 1; over++) {
        struct pst_buf buf;

        pst_buf_init(&buf, large, sizeof(large));
        pst_buf_add_string(&buf, "{...f1}");
        for (int i = 1; i < PST_GRAPHQL_DEPTH + over; i++) {
            pst_buf_add_string(&buf, "fragment f");
            pst_buf_add_number(&buf, i);
            pst_buf_add_string(&buf, " on T{");
            if (i < PST_GRAPHQL_DEPTH + over - 1) {
                pst_buf_add_string(&buf, "...f");
                pst_buf_add_number(&buf, i + 1);
            }
            pst_buf_add_string(&buf, " a}");
        }
        check_limit(*state, pst_buf_str(&buf).len,
                    over ? PST_TOO_LARGE : PST_OK, "deeper than 200 levels");
    }
}

/* A document that expands to 2^150 fields is parsed quickly. */
static void
test_no_expansion(void **state)
{
    struct pst_buf buf;

    pst_buf_init(&buf, large, sizeof(large));
    pst_buf_add_string(&buf, "{...f0}");
    for (int i = 0; i < 150; i++) {
        pst_buf_add_string(&buf, "fragment f");
        pst_buf_add_number(&buf, i);
        pst_buf_add_string(&buf, " on T{...f");
        pst_buf_add_number(&buf, i + 1);
        pst_buf_add_string(&buf, " ...f");
        pst_buf_add_number(&buf, i + 1);
        pst_buf_add_string(&buf, "}");
    }
    pst_buf_add_string(&buf, "fragment f150 on T{a}");
    check_limit(*state, pst_buf_str(&buf).len, PST_OK, "");
}

/* Each allocation fails in turn; afterwards parsing succeeds. */
static void
test_no_memory(void **state)
{
    const struct pst_str text =
        T("\"d\"query A($a:[Int!]=[1]@e,$b:I={x:\"\\t\"}){x:a(b:{c:[$a]},"
          "d:\"\"\"\nx\"\"\",e:1,f:1,g:1,h:1,i:1,j:1,k:1)@f{...F ...on T{b}}}"
          "mutation B{b}fragment F on T@g{...G}fragment G on T{c}");
    const struct pst_graphql_document *const untouched = NULL;
    size_t n;

    for (n = 1; n < 1000; n++) {
        const struct pst_graphql_document *document = untouched;
        struct pst_graphql_error error;
        enum pst_err e;

        pst_arena_fail_at(*state, n);
        e = pst_graphql_parse(*state, text, &document, &error);
        pst_arena_reset(*state);
        if (e == PST_OK)
            break;
        assert_int_equal(e, PST_NO_MEMORY);
        assert_ptr_equal(document, untouched);
    }
    assert_in_range(n, 30, 100);
}

/* A document that needs much more memory than the arena has. */
static void
test_large_tree(void **state)
{
    for (size_t i = 0; i + 2 <= sizeof(large); i += 2)
        memcpy(large + i, "a ", 2);
    large[0] = '{';
    large[28000] = '}';
    check_limit(*state, 28001, PST_OK, "");
    assert_int_equal(pst_arena_used(*state), 0);
}

/* The public vectors. */

/* The reasons to refuse documents, although all parsers that accept them
 * agree. */
static const char *const reasons[] = {
    "byte order mark",
    "a selection set must not be empty",
    "an operation beside the fragments",
    "an operation without a name must be the only one",
    "occurs twice",
    "type definitions are not allowed",
    "a number must not be followed by a name or a dot",
    "escapes of the form \\u{...}",
    "unpaired surrogate",
    "not valid UTF-8",
    "strings must not contain the control character",
    "is not allowed outside strings",
    "block strings must not contain",
    "a carriage return must be followed",
    "nested deeper than 200 levels",
};

static bool
is_reason(const char *message)
{
    for (size_t i = 0; i < PST_COUNT(reasons); i++)
        if (strstr(message, reasons[i]))
            return true;
    return false;
}

/* Print a selection as in the vectors: "a", "x=a", "...", "...F". */
static void
add_root(struct pst_buf *buf, const struct pst_graphql_selection *selection)
{
    if (!pst_str_is_absent(selection->alias)) {
        pst_buf_add(buf, selection->alias);
        pst_buf_add_char(buf, '=');
    }
    if (selection->kind != PST_GRAPHQL_FIELD)
        pst_buf_add_string(buf, "...");
    pst_buf_add(buf, selection->name);
}

/* Compare operations with the vectors' form: "query: a b". */
static void
check_operations(const char *name, const struct pst_graphql_document *document,
                 struct json_object *want)
{
    static const char *const kinds[] = {"query", "mutation", "subscription"};
    const struct pst_graphql_operation *operation = document->operations;

    assert_int_equal(json_object_array_length(want), document->operation_count);
    for (size_t i = 0; i < document->operation_count; i++) {
        const char *line =
            json_object_get_string(json_object_array_get_idx(want, i));
        char storage[512];
        struct pst_buf buf;

        pst_buf_init(&buf, storage, sizeof(storage));
        pst_buf_add_string(&buf, kinds[operation->kind]);
        pst_buf_add_string(&buf, ":");
        for (const struct pst_graphql_selection *s = operation->selections; s;
             s = s->next) {
            pst_buf_add_char(&buf, ' ');
            add_root(&buf, s);
        }
        if (!pst_str_equal(pst_buf_str(&buf), pst_str_from(line)))
            fail_msg("%s: '%.*s' is not '%s'", name, (int)pst_buf_str(&buf).len,
                     storage, line);
        operation = operation->next;
    }
}

static void
check_vector(struct pst_arena *arena, struct json_object *entry)
{
    static const char *const readers[] = {"graphql-js 14", "graphql-js 15",
                                          "graphql-js 16", "graphql-js 17"};
    const char *name = vectors_string(entry, "name");
    struct json_object *member = json_object_object_get(entry, "document");
    const struct pst_str text = {json_object_get_string(member),
                                 (size_t)json_object_get_string_len(member)};
    const struct pst_graphql_document *document;
    struct pst_graphql_error error;
    const enum pst_err e = pst_graphql_parse(arena, text, &document, &error);
    size_t accepting = 0;

    /* A document that is not valid UTF-8: json-c has replaced bytes. */
    if (pst_str_contains(text, T("\xEF\xBF\xBD")))
        return;
    for (size_t i = 0; i < PST_COUNT(readers); i++) {
        struct json_object *one = json_object_object_get(entry, readers[i]);

        if (!json_object_is_type(one, json_type_array))
            continue;
        accepting++;
        if (!e)
            check_operations(name, document, one);
    }
    if (accepting == 0 && !e)
        fail_msg("%s: accepted by nobody else", name);
    if (accepting > 0 && e && !is_reason(error.message))
        fail_msg("%s: refused: %s", name, error.message);
    /* Newer parsers accept descriptions; ours drops them. */
    if (accepting > 0 && accepting < PST_COUNT(readers) && !e &&
        !pst_str_starts(pst_str_from(name), T("desc on")) &&
        !pst_str_starts(pst_str_from(name), T("block desc on")))
        fail_msg("%s: accepted, although readers differ", name);
    pst_arena_reset(arena);
}

static void
test_vectors(void **state)
{
    struct json_object *root = vectors_open("graphql-documents.json");
    const size_t count = json_object_array_length(root);

    for (size_t i = 0; i < count; i++)
        check_vector(*state, json_object_array_get_idx(root, i));
    assert_in_range(count, 149, 10000);
    json_object_put(root);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_accepted),
        TEST(test_places),
        TEST(test_refused_by_grammar),
        TEST(test_refused_beyond_grammar),
        TEST(test_text),
        TEST(test_counts),
        TEST(test_find),
        TEST(test_response_key),
        TEST(test_byte_limit),
        TEST(test_token_limit),
        TEST(test_depth_limit),
        TEST(test_depth_of_each_fragment),
        TEST(test_depth_through_fragments),
        TEST(test_no_expansion),
        TEST(test_no_memory),
        TEST(test_large_tree),
        TEST(test_vectors),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
