/* SPDX-License-Identifier: ISC */
/*
 * test_multipart.c - a request with files is accepted only if all programs
 * parse it alike, for every split of the body (RFC 7578, RFC 2046 5.1).
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "http/multipart.h"

#define TYPE "multipart/form-data; boundary=xx"
#define NL "\r\n"
#define FORM "Content-Disposition: form-data; name=\"operations\"" NL
#define HEADED(lines) "--xx" NL lines NL "{}" NL
#define FIRST HEADED(FORM)
#define DISPOSED(value) HEADED("Content-Disposition: " value NL)
#define NAMED(value) DISPOSED("form-data; name=" value)
#define FILE "; filename=\"a.png\""
#define A_FILE NAMED("\"0\"" FILE)
#define END "--xx--" NL
/* A part with these header lines; everything else is valid. */
#define LINES(lines) \
    FIRST HEADED("Content-Disposition: form-data; name=\"0\"" FILE NL lines) END

#define PASS PST_OK
#define STOP PST_MALFORMED

/* A body that is parsed while it streams through. */
static struct watched {
    struct pst_multipart reader;
    size_t again; /* bytes to come that were parsed already */
    size_t first_at,
        first_end; /* where the content of the first part is in the body */
} watch;

static enum pst_err
watch_init(struct watched *reading, struct pst_str type)
{
    reading->again = reading->first_at = reading->first_end = 0;
    return pst_multipart_init(&reading->reader, type);
}

static enum pst_err
watch_piece(struct watched *reading, struct pst_str input)
{
    enum pst_multipart_event event;

    do {
        struct pst_str piece;
        enum pst_err e =
            pst_multipart_next(&reading->reader, &input, &event, &piece);

        if (e)
            return e;
        if (reading->reader.parts != 1)
            continue;
        if (event == PST_MULTIPART_PART_BEGIN)
            reading->first_at = reading->first_end = reading->reader.bytes_read;
        if (event == PST_MULTIPART_DATA)
            reading->first_end += piece.len;
    } while (event != PST_MULTIPART_NEED_INPUT);
    return PST_OK;
}

static enum pst_err
watch_first(struct watched *reading, struct pst_str head, struct pst_str *out)
{
    const struct pst_multipart *reader = &reading->reader;
    enum pst_err e = watch_piece(reading, head);

    if (e)
        return e;
    if (reader->parts == 0 ||
        (reader->parts == 1 && reader->state != PST_MULTIPART_AFTER_DELIMITER &&
         reader->state != PST_MULTIPART_EPILOGUE))
        return PST_TOO_LARGE;
    reading->again = head.len;
    *out = pst_str_skip(pst_str_first(head, reading->first_end),
                        reading->first_at);
    return PST_OK;
}

static enum pst_err
watch_next(struct watched *reading, struct pst_str piece)
{
    size_t known = pst_str_first(piece, reading->again).len;

    reading->again -= known;
    return watch_piece(reading, pst_str_skip(piece, known));
}

static struct pst_str
piece_of(struct pst_str body, size_t at, size_t len)
{
    return pst_str_first(pst_str_skip(body, at), len);
}

/* Pass on the body, `step` bytes at a time. */
static size_t
pass(struct pst_str body, size_t step)
{
    for (size_t at = 0; at < body.len; at += step) {
        if (watch_next(&watch, piece_of(body, at, step)))
            return at;
    }
    return body.len;
}

static void
begin(void)
{
    assert_int_equal(watch_init(&watch, PST_STR(TYPE)), PST_OK);
}

/* A byte that is refused refuses the whole piece that it is in. */
static size_t
check_pieces(const char *name, struct pst_str body, enum pst_err want)
{
    size_t good;

    begin();
    good = pass(body, 1);
    if ((good == body.len) != (want == PST_OK))
        fail_msg("%s: stops at %zu of %zu", name, good, body.len);
    for (size_t step = 2; step <= body.len + 1; step++) {
        size_t passed = good < body.len ? good - good % step : good;

        begin();
        if (pass(body, step) != passed)
            fail_msg("%s: %zu at a time", name, step);
    }
    return good;
}

/* However much of the body was buffered and parsed before. */
static void
check_heads(const char *name, struct pst_str body, size_t good)
{
    for (size_t len = 0; len <= body.len; len++) {
        struct pst_str head = pst_str_first(body, len);
        struct pst_str first = PST_STR_NONE;
        enum pst_err e;

        begin();
        e = watch_first(&watch, head, &first);
        if ((e == PST_MALFORMED) != (len > good))
            fail_msg("%s, held %zu: %s", name, len, pst_err_code(e));
        assert_true(e == PST_OK || pst_str_is_absent(first));
        if (e)
            continue;
        assert_true(pst_str_equal(first, PST_STR("{}")));
        if (pass(body, 7) != (good < body.len ? good - good % 7 : good))
            fail_msg("%s, behind %zu", name, len);
    }
}

static const struct row {
    const char *name;
    struct pst_str body;
    enum pst_err e;
} rows[] = {
#define ROW(name, body, e)                \
    {                                     \
        name, {body, sizeof(body) - 1}, e \
    }
    ROW("one part", FIRST END, PASS),
    ROW("a map and a file", FIRST NAMED("\"map\"") A_FILE END, PASS),
    ROW("it does not end", FIRST A_FILE, PASS),
    ROW("nor in CR LF", FIRST A_FILE "--xx--", PASS),
    ROW("nothing at all", "", PASS),
    ROW("something behind", FIRST END "\r\nBye. --x --\r\nxx", PASS),

    /* Where a part begins. */
    ROW("a preamble", "a" NL FIRST END, STOP),
    ROW("an empty line before", NL FIRST END, STOP),
    ROW("another boundary", "--yy" NL FORM NL "{}" NL "--yy--" NL, STOP),
    ROW("a dash too many", "-" FIRST END, STOP),
    ROW("a blank behind a delimiter", "--xx " NL FORM NL "{}" NL END, STOP),
    ROW("behind a later one", FIRST "--xx\t" NL, STOP),
    ROW("a longer delimiter", FIRST "--xxy" NL, STOP),
    ROW("half an end", FIRST "--xx-" NL, STOP),
    ROW("a delimiter and LF", "--xx\n" FORM NL "{}" NL END, STOP),
    ROW("a delimiter and CR", "--xx\r" FORM NL "{}" NL END, STOP),
    ROW("a delimiter behind an LF", FIRST "--xx" NL FORM NL "a\n" A_FILE, STOP),
    ROW("behind a CR", FIRST A_FILE "\r--xx--", STOP),
    ROW("behind LF CR", FIRST A_FILE "\n\r--xx--", STOP),
    ROW("behind CR CR LF", FIRST NAMED("\"map\"") "\r" NL END, PASS),
    ROW("in a file, behind CR CR LF",
        FIRST "--xx" NL "Content-Disposition: form-data; name=\"map\"" NL NL
              "a\r\r\n--xx--",
        PASS),
    ROW("in the middle of a line",
        FIRST "--xx" NL "Content-Disposition: form-data; name=\"map\"" NL NL
              "a--xx",
        STOP),
    ROW("behind a dash",
        FIRST "--xx" NL "Content-Disposition: form-data; name=\"map\"" NL NL
              "a" NL "---xx",
        STOP),
    ROW("behind the header's end alone", "--xx" NL FORM NL "--xx--", STOP),
    ROW("nothing in it",
        FIRST "--xx" NL
              "Content-Disposition: form-data; name=\"map\"" NL NL NL END,
        PASS),
    ROW("behind the end", FIRST END FIRST, STOP),
    ROW("right behind the end",
        FIRST "--xx--"
              "--xx",
        STOP),
    ROW("in the end's own dashes", FIRST "--xx--xx", STOP),
    ROW("far behind the end", FIRST END "a\r\n\nb--xx", STOP),
    ROW("in a header line", LINES("Content-Type: a/--xx" NL), STOP),
    ROW("much like one",
        FIRST "--xx" NL "Content-Disposition: form-data; name=\"map\"" NL NL
              "--x\r\n--x\r\n--\n--\r\n\r\n-x-xx-\r-\n----x--x-" NL END,
        PASS),

    /* The form of its header lines. */
    ROW("no colon", LINES("Content-Type" NL), STOP),
    ROW("a folded line", LINES("Content-Type:" NL " a/b" NL), STOP),
    ROW("folded before the name",
        FIRST DISPOSED("form-data;" NL " name=\"0\"" FILE) END, STOP),
    ROW("a blank before the colon", LINES("Content-Type : a/b" NL), STOP),
    ROW("a tab", LINES("Content-Type:\ta/b" NL), STOP),
    ROW("a NUL", LINES("Content-Type: a\0b" NL), STOP),
    ROW("a DEL", LINES("Content-Type: a\x7f" NL), STOP),
    ROW("a line with LF alone", LINES("Content-Type: a/b\n"), STOP),
    ROW("with CR alone", LINES("Content-Type: a/b\r"), STOP),
    ROW("an empty line of LF", "--xx" NL FORM "\n{}" NL END, STOP),
    ROW("no lines", FIRST "--xx" NL NL "{}" NL END, STOP),
    ROW("no name", FIRST HEADED("Content-Type: a/b" NL) END, STOP),
    ROW("an unknown line", LINES("Content-ID: operations" NL), STOP),
    ROW("a length", LINES("content-length: 2" NL), PASS),
    ROW("a length that is none", LINES("Content-Length: 2, 3" NL), STOP),
    ROW("7bit", LINES("Content-Transfer-Encoding: 7bit" NL), PASS),
    ROW("8bit", LINES("Content-Transfer-Encoding: 8BIT" NL), PASS),
    ROW("binary", LINES("Content-Transfer-Encoding:binary" NL), PASS),
    ROW("base64", LINES("Content-Transfer-Encoding: base64" NL), STOP),
    ROW("two types", LINES("Content-Type: a/b" NL "Content-Type: a/b" NL),
        STOP),
    ROW("any type", LINES("Content-Type: video/webm;codecs=vp8,opus" NL), PASS),
    ROW("no type", LINES("Content-Type: " NL), PASS),
    ROW("parts in a part", LINES("Content-Type: Multipart/mixed" NL), STOP),
    ROW("a type that may name it",
        LINES("Content-Type: a/b; Name=operations" NL), STOP),
    ROW("two dispositions",
        LINES("Content-Disposition: form-data; name=\"1\"" FILE NL), STOP),

    /* The first part. */
    ROW("its name without quotes", NAMED("operations") END, PASS),
    ROW("in other letters",
        HEADED("content-disposition:Form-Data;Name=\"operations\"" NL) END,
        PASS),
    ROW("another name first", NAMED("\"map\"") END, STOP),
    ROW("in capitals first", NAMED("\"Operations\"") END, STOP),
    ROW("two names", NAMED("\"operations\"; name=\"x\"") END, STOP),
    ROW("a file", NAMED("\"operations\"" FILE) END, STOP),
    ROW("a FILE", NAMED("\"operations\"; FILENAME=\"a\"") END, STOP),
    ROW("a file in RFC 5987's spelling",
        NAMED("\"operations\"; filename*=utf-8''a") END, STOP),
    ROW("another parameter", NAMED("\"operations\"; x=y") END, STOP),
    ROW("an empty parameter", NAMED("\"operations\";") END, STOP),
    ROW("no form-data", DISPOSED("attachment; name=\"operations\"") END, STOP),
    ROW("no parameters", DISPOSED("form-data") END, STOP),
    ROW("JSON", HEADED(FORM "Content-Type: application/json" NL) END, PASS),
    ROW("text, and its length",
        HEADED("Content-Type: text/plain; charset=UTF-8" NL
               "Content-Length: 2" NL FORM) END,
        PASS),
    ROW("its charset in quotes",
        HEADED(FORM "Content-Type: Application/JSON;charset=\"utf-8\"" NL) END,
        PASS),
    ROW("another charset",
        HEADED(FORM "Content-Type: application/json; charset=utf-7" NL) END,
        STOP),
    ROW("two charsets",
        HEADED(FORM "Content-Type: text/plain; charset=utf-8; charset=a" NL)
            END,
        STOP),
    ROW("another type's parameter",
        HEADED(FORM "Content-Type: text/plain; a=utf-8" NL) END, STOP),
    ROW("a type that makes a file",
        HEADED(FORM "Content-Type: application/octet-stream" NL) END, STOP),
    ROW("an encoding", HEADED(FORM "Content-Transfer-Encoding: base64" NL) END,
        STOP),

    /* A second "operations": programs differ in which one they use. */
    ROW("a second one", FIRST FIRST, STOP),
    ROW("a third one", FIRST NAMED("\"map\"") FIRST, STOP),
    ROW("as a file", FIRST NAMED("\"operations\"" FILE), STOP),
    ROW("without quotes", FIRST NAMED("operations" FILE), STOP),
    ROW("in capitals", FIRST NAMED("\"OPERATIONS\"" FILE), STOP),
    ROW("an array", FIRST NAMED("\"operations[]\"" FILE), STOP),
    ROW("half an array", FIRST NAMED("\"operations[a\"" FILE), STOP),
    ROW("in brackets", FIRST NAMED("\"[operations]\"" FILE), STOP),
    ROW("behind brackets", FIRST NAMED("\"[]operations\"" FILE), STOP),
    ROW("before a bracket", FIRST NAMED("\"operations]\"" FILE), STOP),
    ROW("between dots", FIRST NAMED("\".operations.\"" FILE), STOP),
    ROW("behind a space", FIRST NAMED("\" operations\"" FILE), STOP),
    ROW("before a space", FIRST NAMED("\"operations \"" FILE), STOP),
    ROW("before a NUL", FIRST NAMED("\"operations\0\"" FILE), STOP),
    ROW("behind an escape", FIRST NAMED("\"\\operations\"" FILE), STOP),
    ROW("percent", FIRST NAMED("\"%6Fperations\"" FILE), STOP),
    ROW("in MIME's spelling", FIRST NAMED("\"=?utf-8?Q?operations?=\"" FILE),
        STOP),
    ROW("in other letters", FIRST NAMED("\"operation\xC5\xBF\"" FILE), STOP),
    ROW("by name*", FIRST NAMED("\"0\"" FILE "; name*=utf-8''operations"),
        STOP),
    ROW("by name* alone",
        FIRST DISPOSED("form-data; name*=utf-8''operations" FILE), STOP),
    ROW("a part of two names", FIRST NAMED("\"0\"; name=\"operations\"" FILE),
        STOP),
    ROW("a file's name first",
        FIRST DISPOSED("form-data; filename=\"a\"; name=\"0\""), STOP),
    ROW("by another parameter", FIRST DISPOSED("form-data; names=\"0\"" FILE),
        STOP),
    ROW("no semicolon", FIRST NAMED("\"0\"xfilename=\"a\""), STOP),
    ROW("a quote that does not end", FIRST NAMED("\"0" NL), STOP),
    ROW("something behind a quote", FIRST NAMED("\"0\"x" FILE), STOP),
    ROW("no name's text", FIRST NAMED("\"\"" FILE), STOP),
    ROW("how to decode the first", FIRST NAMED("\"_Charset_\"" FILE), STOP),
    ROW("longer names",
        FIRST NAMED("\"operations2\"" FILE) NAMED("\"my.operations\"" FILE)
            NAMED("\"variables.files[0]:a/b-c_d\"" FILE) END,
        PASS),
    ROW("cut off in a name",
        FIRST "--xx" NL "Content-Disposition: form-data; name=\"operations\"",
        PASS),

    /* The map, and files. */
    ROW("a text for the map to place", FIRST NAMED("\"0\"") END, STOP),
    ROW("another that some know", FIRST NAMED("\"query\"") END, STOP),
    ROW("a file that only some see",
        FIRST NAMED("\"0\"; filename*=utf-8''a.png") END, STOP),
    ROW("a file without a name", FIRST NAMED("\"0\"; filename=\"\"") END, STOP),
    ROW("a map that is a file", FIRST NAMED("\"map\"" FILE) END, PASS),
    ROW("a map with more", FIRST NAMED("\"map\"; x=y") END, STOP),
    ROW("no file by another parameter", FIRST NAMED("\"0\"; size=1"), STOP),
    ROW("a file called name", FIRST NAMED("0; filename=name.png") END, PASS),
    ROW("a NUL behind a delimiter", FIRST "--xx\0" NL, STOP),
    ROW("another letter's map", FIRST NAMED("\"Map\"") END, STOP),
    ROW("two names of a file", FIRST NAMED("\"0\"" FILE FILE) END, STOP),
    ROW("and in RFC 5987's spelling",
        FIRST NAMED("0; filename=a.png; filename*=utf-8''%C3%A4.png") END,
        PASS),
    ROW("and in quotes",
        FIRST NAMED("\"0\"" FILE "; filename*=\"utf-8''%C3%A4\"") END, PASS),
    ROW("twice in that",
        FIRST NAMED("\"0\"" FILE "; filename*=a; Filename*=b") END, STOP),
    ROW("a file's name of all kinds",
        FIRST NAMED("\"0\"; filename=\"\xC3\xA4; %22b\xE6\xB0\xB4'(1)=.png\"")
            END,
        PASS),
    ROW("a backslash in it", FIRST NAMED("\"0\"; filename=\"a\\b\"") END, STOP),
    ROW("an escaped quote in it",
        FIRST NAMED("\"0\"; filename=\"a\\\"; name=operations; x=\\\"\""),
        STOP),
    ROW("what may name it",
        FIRST NAMED("\"0\"; filename=\"a; name=operations\"") END, STOP),
    ROW("to some", FIRST NAMED("\"0\"; filename=\"a NAME=operations\"") END,
        STOP),
    ROW("another parameter of a file", FIRST NAMED("\"0\"" FILE "; size=1"),
        STOP),

    /* As undici, curl, Dart and .NET write it, with another boundary. */
    ROW("undici",
        "--xx\r\nContent-Disposition: form-data; name=\"operations\"\r\n\r\n{}"
        "\r\n--xx\r\nContent-Disposition: form-data; name=\"0\"; filename=\""
        "a%22b.png\"\r\nContent-Type: application/octet-stream\r\n\r\n--\r\n"
        "--xx--\r\n",
        PASS),
    ROW("curl",
        "--xx\r\nContent-Disposition: form-data; name=\"operations\"\r\n\r\n{}"
        "\r\n--xx\r\nContent-Disposition: form-data; name=\"0\"; filename=\""
        "a.png\"\r\nContent-Type: image/png\r\n\r\n\x89PNG\r\n\x1a\n\r\n"
        "--xx--\r\n",
        PASS),
    ROW("Dart",
        "--xx\r\ncontent-disposition: form-data; name=\"operations\"\r\n"
        "content-type: text/plain; charset=utf-8\r\ncontent-transfer-encoding:"
        " binary\r\n\r\n{}\r\n--xx\r\ncontent-type: image/png\r\n"
        "content-disposition: form-data; name=\"0\"; filename=\"a.png\"\r\n"
        "\r\nx\r\n--xx--\r\n",
        PASS),
    ROW(".NET",
        "--xx\r\nContent-Type: application/json; charset=utf-8\r\n"
        "Content-Disposition: form-data; name=operations\r\n\r\n{}\r\n--xx\r\n"
        "Content-Disposition: form-data; name=0; filename=a.png; "
        "filename*=utf-8''a.png\r\n\r\nx\r\n--xx--\r\n",
        PASS),
#undef ROW
};

static void
test_rows(void **state)
{
    (void)state;
    for (size_t i = 0; i < PST_COUNT(rows); i++)
        check_heads(rows[i].name, rows[i].body,
                    check_pieces(rows[i].name, rows[i].body, rows[i].e));
}

/* When a second part is refused, no byte of its name has been passed on. */
static void
test_where_it_stops(void **state)
{
    static const char before[] =
        FIRST "--xx" NL "Content-Disposition: form-data; name=\"operations\"\r";

    (void)state;
    assert_int_equal(
        check_pieces("stop", PST_STR(FIRST "--xx" NL FORM NL "a"), STOP),
        sizeof(before) - 1);
}

/* The content of the first part, or that it is not complete. */
static void
test_first(void **state)
{
    static const struct {
        const char *head;
        enum pst_err e;
        const char *want;
    } firsts[] = {
        {"", PST_TOO_LARGE, NULL},
        {"--xx" NL FORM, PST_TOO_LARGE, NULL},
        {"--xx" NL FORM NL "{}", PST_TOO_LARGE, NULL},
        {"--xx" NL FORM NL "{}" NL "--x", PST_TOO_LARGE, NULL},
        {"--xx" NL FORM NL "{}" NL "--xx", PST_OK, "{}"},
        {"--xx" NL FORM NL NL "--xx", PST_OK, ""},
        {"--xx" NL FORM NL "{" NL "--x}" NL "--xx", PST_OK, "{" NL "--x}"},
        {"--xx" NL FORM NL "\r" NL "--xx", PST_OK, "\r"},
        {"--xx" NL FORM NL "{}\n--xx", PST_MALFORMED, NULL},
        {FIRST FIRST, PST_MALFORMED, NULL},
    };

    (void)state;
    for (size_t i = 0; i < PST_COUNT(firsts); i++) {
        struct pst_str out = PST_STR_NONE;
        enum pst_err e;

        begin();
        e = watch_first(&watch, pst_str_from(firsts[i].head), &out);
        if (e != firsts[i].e ||
            (!e && !pst_str_equal(out, pst_str_from(firsts[i].want))))
            fail_msg("\"%s\": %s", firsts[i].head, pst_err_code(e));
    }
}

static void
test_types(void **state)
{
    static const struct {
        const char *type;
        enum pst_err e;
    } types[] = {
        {TYPE, PASS},
        {"multipart/form-data;Boundary=\"xx\" ; charset=utf-8", PASS},
        {"multipart/form-data; boundary=\"a'()+_,-./:=?Z9\"", PASS},
        {"multipart/form-data", STOP},
        {"multipart/form-data;", STOP},
        {"multipart/form-data; boundary", STOP},
        {"multipart/form-data; boundary=", STOP},
        {"multipart/form-data; boundary=\"\"", STOP},
        {"multipart/form-data; boundary=\"xx", STOP},
        {"multipart/form-data; boundary=\"x\\x\"", STOP},
        {"multipart/form-data; boundary=\"x x\"", STOP},
        {"multipart/form-data; boundary=x x", STOP},
        {"multipart/form-data; boundary=x%78", STOP},
        {"multipart/form-data; boundary=x,y", STOP},
        {"multipart/form-data; boundary = xx", STOP},
        {"multipart/form-data; boundary*=utf-8''xx", STOP},
        {TYPE "; boundary=yy", STOP},
        {TYPE "; boundary=xx", STOP},
        {TYPE "; a=\"boundary=yy\"", STOP},
        {TYPE ", multipart/form-data; boundary=yy", STOP},
    };

    (void)state;
    for (size_t i = 0; i < PST_COUNT(types); i++) {
        enum pst_err e = watch_init(&watch, pst_str_from(types[i].type));

        if (e != types[i].e)
            fail_msg("%s: %s", types[i].type, pst_err_code(e));
    }
}

/* A boundary has at most 70 characters. */
static void
test_long_boundary(void **state)
{
    char type[200] = "multipart/form-data; boundary=";
    char delimiter[2 + 70] = "--";
    size_t len = strlen(type);

    (void)state;
    memset(type + len, 'x', 71);
    memset(delimiter + 2, 'x', 70);
    assert_int_equal(watch_init(&watch, (struct pst_str){type, len + 70}),
                     PST_OK);
    assert_int_equal(
        watch_next(&watch, (struct pst_str){delimiter, sizeof(delimiter)}),
        PST_OK);
    assert_int_equal(watch_next(&watch, PST_STR(NL FORM NL "{}")), PST_OK);
    assert_int_equal(watch_init(&watch, (struct pst_str){type, len + 71}),
                     PST_MALFORMED);
}

/*
 * A boundary that contains its own beginning, as curl's does, is found where a
 * byte by byte search finds it.
 */
static void
test_boundaries_in_themselves(void **state)
{
    static const char *const boundaries[] = {
        "-", "--", "---a", "a-a-", "--a--a", "-a-", "a--a", "--a-a--a-b"};
    static const char bytes[] = "-a-b\r\n";
    unsigned seed = 1;

    (void)state;
    for (size_t i = 0; i < 40000; i++) {
        const char *boundary = boundaries[i % PST_COUNT(boundaries)];
        char type[64], delimiter[16], head[120], body[60 + 1] = "";
        struct pst_str out;
        bool is_there;

        snprintf(type, sizeof(type), "multipart/form-data; boundary=%s",
                 boundary);
        snprintf(delimiter, sizeof(delimiter), "--%s", boundary);
        snprintf(head, sizeof(head), "%s" NL FORM NL, delimiter);
        for (size_t j = 0; j < sizeof(body) - 1; j++) {
            seed = seed * 1103515245 + 12345;
            body[j] = bytes[(seed >> 16) % (sizeof(bytes) - 1)];
        }
        is_there = strstr(body, delimiter) != NULL;
        assert_int_equal(watch_init(&watch, pst_str_from(type)), PST_OK);
        assert_int_equal(watch_next(&watch, pst_str_from(head)), PST_OK);
        if (watch_first(&watch, pst_str_from(body), &out) == PST_TOO_LARGE) {
            assert_false(is_there);
        } else {
            assert_true(is_there);
        }
    }
}

/* The events as text: "(name|filename|type)content…." */
static enum pst_err
read_events(struct pst_str body, size_t step, char *out, size_t size)
{
    struct pst_multipart reader;
    size_t len = 0;

    assert_int_equal(pst_multipart_init(&reader, PST_STR(TYPE)), PST_OK);
    out[0] = '\0';
    for (size_t at = 0; at < body.len; at += step) {
        struct pst_str input = piece_of(body, at, step);
        enum pst_multipart_event event;

        do {
            struct pst_str piece;
            enum pst_err e =
                pst_multipart_next(&reader, &input, &event, &piece);

            if (e)
                return e;
            if (event == PST_MULTIPART_PART_BEGIN)
                len += (size_t)snprintf(
                    out + len, size - len, "(%.*s|%.*s|%.*s)",
                    (int)reader.part.name.len, reader.part.name.ptr,
                    (int)reader.part.filename.len,
                    reader.part.filename.ptr ? reader.part.filename.ptr : "",
                    (int)reader.part.type.len,
                    reader.part.type.ptr ? reader.part.type.ptr : "");
            if (event == PST_MULTIPART_DATA) {
                assert_true(piece.len > 0);
                len += (size_t)snprintf(out + len, size - len, "%.*s",
                                        (int)piece.len, piece.ptr);
            }
            if (event == PST_MULTIPART_DONE)
                len += (size_t)snprintf(out + len, size - len, ".");
            assert_true(len < size);
        } while (event != PST_MULTIPART_NEED_INPUT);
        assert_int_equal(input.len, 0);
    }
    return PST_OK;
}

/* The events do not depend on how the body is split. */
static void
test_events(void **state)
{
    static const struct {
        const char *in;
        const char *want;
    } bodies[] = {
        {"", ""},
        {FIRST END, "(operations||){}."},
        {FIRST NAMED("\"map\"") A_FILE END,
         "(operations||){}(map||){}(0|a.png|){}."},
        {LINES("Content-Type: a/b" NL), "(operations||){}(0|a.png|a/b){}."},
        {FIRST END "bye" NL "--x", "(operations||){}."},
        {"--xx" NL FORM NL NL "--xx--", "(operations||)."},
        {"--xx" NL FORM NL "\r\n--x\r\r\n\n\r\n-" NL "--xx" NL "Content-",
         "(operations||)\r\n--x\r\r\n\n\r\n-"},
        {"--xx" NL FORM NL "ab\r\n--x", "(operations||)ab"},
        {"--xx" NL FORM NL "ab\r\n-- xx-xx\r", "(operations||)ab\r\n-- xx-xx"},
    };

    (void)state;
    for (size_t i = 0; i < PST_COUNT(bodies); i++) {
        struct pst_str body = pst_str_from(bodies[i].in);

        for (size_t step = 1; step <= body.len + 1; step++) {
            char out[500];

            assert_int_equal(read_events(body, step, out, sizeof(out)), PST_OK);
            if (strcmp(out, bodies[i].want) != 0)
                fail_msg("%s\n%zu at a time: [%s]", bodies[i].in, step, out);
        }
    }
    for (size_t i = 0; i < PST_COUNT(rows); i++) {
        for (size_t step = 1; step <= rows[i].body.len; step++) {
            char out[1000];

            assert_int_equal(read_events(rows[i].body, step, out, sizeof(out)),
                             rows[i].e);
        }
    }
}

/* The header lines of one part are limited; the next part begins anew. */
static void
test_long_heads(void **state)
{
    static const char start[] =
        "Content-Disposition: form-data; name=\"0\"; filename=\"";
    static const char tail[] = "\"" NL NL;
    char body[3 * PST_MULTIPART_PART_HEAD_MAX] = FIRST "--xx" NL;
    size_t head = strlen(body);

    (void)state;
    for (size_t extra = 0; extra < 2; extra++) {
        size_t good;
        size_t len =
            PST_MULTIPART_PART_HEAD_MAX - strlen(start) - strlen(tail) + extra;

        memcpy(body + head, start, strlen(start));
        memset(body + head + strlen(start), 'a', len);
        memcpy(body + head + strlen(start) + len, tail, sizeof(tail));
        memcpy(body + strlen(body), "a" NL A_FILE END,
               sizeof("a" NL A_FILE END));
        good = check_pieces("long", pst_str_from(body), extra ? STOP : PASS);
        if (extra)
            assert_int_equal(good, head + PST_MULTIPART_PART_HEAD_MAX);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rows),
        cmocka_unit_test(test_where_it_stops),
        cmocka_unit_test(test_first),
        cmocka_unit_test(test_types),
        cmocka_unit_test(test_long_boundary),
        cmocka_unit_test(test_boundaries_in_themselves),
        cmocka_unit_test(test_long_heads),
        cmocka_unit_test(test_events),
    };

    return cmocka_run_group_tests_name("multipart", tests, NULL, NULL);
}
