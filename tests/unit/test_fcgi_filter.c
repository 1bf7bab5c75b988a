/* SPDX-License-Identifier: ISC */
/*
 * test_fcgi_filter.c - libfcgi gets to see the valid records of one request and
 * nothing else (L44, L62), in whatever pieces they arrive.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <setjmp.h>

#include <cmocka.h>
#include <string.h>

#include "engine/fcgi_filter.h"

/* Records with id 1; lengths as the letters say. */
#define BEGIN           \
    "\1\1\0\1\0\10\0\0" \
    "\0\1\1\0\0\0\0\0"
#define AUTHORIZER      \
    "\1\1\0\1\0\10\0\0" \
    "\0\2\1\0\0\0\0\0"
#define BEGIN_2         \
    "\1\1\0\2\0\10\0\0" \
    "\0\1\1\0\0\0\0\0"
#define PARAMS(high, low) "\1\4\0\1" high low "\0\0"
#define END PARAMS("\0", "\0")
#define STDIN(low) "\1\5\0\1\0" low "\0\0"
#define STDIN_END STDIN("\0")
#define ABORT "\1\2\0\1\0\0\0\0"
#define GET_NOTHING "\1\11\0\0\0\0\0\0"
#define GET_VALUES(low) "\1\11\0\0\0" low "\0\0"

/* Answers. */
#define NO_VALUES "\1\12\0\0\0\0\0\0"
#define NO_MULTIPLEXING "\1\12\0\0\0\22\0\0\17\1FCGI_MPXS_CONNS0"
#define UNKNOWN_TYPE(type) "\1\13\0\0\0\10\0\0" type "\0\0\0\0\0\0\0"
#define END_REQUEST(id, status) "\1\3\0" id "\0\10\0\0\0\0\0\0" status "\0\0\0"
#define CANNOT_MULTIPLEX(id) END_REQUEST(id, "\1")
#define UNKNOWN_ROLE(id) END_REQUEST(id, "\3")
#define ABORTED(id) END_REQUEST(id, "\0")

/* A row whose input is for libfcgi as it is, and needs no answer. */
#define SAME(name, in, events, phase)                                      \
    {                                                                      \
        name, in, sizeof(in) - 1, in, sizeof(in) - 1, "", 0, events, phase \
    }
#define ROW(name, in, out, answers, events, phase)               \
    {                                                            \
        name, in, sizeof(in) - 1, out, sizeof(out) - 1, answers, \
            sizeof(answers) - 1, events, phase                   \
    }
#define INVALID(name, in)                                         \
    {                                                             \
        name, in, sizeof(in) - 1, "", 0, "", 0, "I", FCGI_BETWEEN \
    }

/* The events: E, a request is over; A, aborted (and answered); I, invalid,
 * which is the last, and whose output does not matter. */
static const struct row {
    const char *name;
    const char *in;
    size_t in_len;
    const char *out;
    size_t out_len;
    const char *answers;
    size_t answers_len;
    const char *events;
    enum fcgi_filter_phase phase; /* at the end, unless invalid */
} rows[] = {
    SAME("nothing", "", "", FCGI_BETWEEN),
    SAME("no variables", BEGIN END, "", FCGI_IN_STDIN),
    SAME("no body", BEGIN END STDIN_END, "E", FCGI_BETWEEN),
    SAME("a body", BEGIN END STDIN("\3") "abc" STDIN("\1") "d" STDIN_END, "E",
         FCGI_BETWEEN),
    SAME("no end of the body", BEGIN END STDIN("\3") "abc", "", FCGI_IN_STDIN),
    SAME("one variable", BEGIN PARAMS("\0", "\6") "\1\3Aabc" END, "",
         FCGI_IN_STDIN),
    SAME("no end of variables", BEGIN PARAMS("\0", "\6") "\1\3Aabc", "",
         FCGI_IN_PARAMS),
    SAME("empty name and value", BEGIN PARAMS("\0", "\2") "\0\0" END, "",
         FCGI_IN_STDIN),
    SAME("long form of short lengths",
         BEGIN PARAMS("\0", "\14") "\x80\0\0\1\x80\0\0\3Aabc" END, "",
         FCGI_IN_STDIN),
    SAME("pair cut by records",
         BEGIN PARAMS("\0", "\1") "\1" PARAMS("\0", "\2") "\3A" PARAMS(
             "\0", "\3") "abc" END,
         "", FCGI_IN_STDIN),
    SAME("length cut by records",
         BEGIN PARAMS("\0", "\2") "\x80\0" PARAMS("\0", "\3") "\0\1\0" PARAMS(
             "\0", "\1") "A" END,
         "", FCGI_IN_STDIN),
    SAME("two requests",
         BEGIN END STDIN("\1") "x" STDIN_END BEGIN PARAMS(
             "\0", "\3") "\1\0A" END STDIN_END,
         "EE", FCGI_BETWEEN),

    /* libfcgi takes the padding of the last PARAMS for a header. */
    ROW("padding is dropped",
        "\1\1\0\1\0\10\3\0"
        "\0\1\1\0\0\0\0\0"
        "pad"
        "\1\4\0\1\0\2\6\0"
        "\0\0"
        "padded"
        "\1\4\0\1\0\0\5\0"
        "padde"
        "\1\5\0\1\0\1\2\0"
        "xpp"
        "\1\5\0\1\0\0\377\0"
        "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
        "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
        "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
        "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcde",
        BEGIN PARAMS("\0", "\2") "\0\0" END STDIN("\1") "x" STDIN_END, "", "E",
        FCGI_BETWEEN),

    /* An authorizer's request ends with its variables. */
    ROW("authorizer", AUTHORIZER PARAMS("\0", "\3") "\1\0A" END,
        AUTHORIZER PARAMS("\0", "\3") "\1\0A" END STDIN_END, "", "E",
        FCGI_BETWEEN),
    ROW("authorizer with an end of the body", AUTHORIZER END STDIN_END,
        AUTHORIZER END STDIN_END, "", "E", FCGI_BETWEEN),
    ROW("authorizer with a body, and another request",
        AUTHORIZER END STDIN("\3") "abc" STDIN_END AUTHORIZER END,
        AUTHORIZER END STDIN_END AUTHORIZER END STDIN_END, "", "EE",
        FCGI_BETWEEN),
    ROW("authorizer with padding at the end", AUTHORIZER "\1\4\0\1\0\0\3\0xyz",
        AUTHORIZER END STDIN_END, "", "E", FCGI_BETWEEN),

    /* Other requests on the same connection. */
    ROW("multiplexed",
        BEGIN BEGIN_2 PARAMS("\0", "\3") "\1\0A\1\4\0\2\0\1\0\0x" BEGIN_2 END
                                         "\1\5\0\2\0\2\4\0yz1234" STDIN_END
                                         "\1\5\0\2\0\0\0\0",
        BEGIN PARAMS("\0", "\3") "\1\0A" END STDIN_END,
        CANNOT_MULTIPLEX("\2") CANNOT_MULTIPLEX("\2"), "E", FCGI_BETWEEN),
    ROW("multiplexed in the body",
        BEGIN END STDIN("\1") "a" BEGIN_2 STDIN("\1") "b",
        BEGIN END STDIN("\1") "a" STDIN("\1") "b", CANNOT_MULTIPLEX("\2"), "",
        FCGI_IN_STDIN),
    ROW("multiplexed, with a wrong role",
        BEGIN "\1\1\0\2\0\10\0\0"
              "\0\3\0\0\0\0\0\0",
        BEGIN, CANNOT_MULTIPLEX("\2"), "", FCGI_IN_PARAMS),
    ROW("another one is aborted", BEGIN "\1\2\0\2\0\0\0\0" END, BEGIN END, "",
        "", FCGI_IN_STDIN),
    ROW("an id of two bytes",
        "\1\1\1\2\0\10\0\0"
        "\0\2\0\0\0\0\0\0"
        "\1\4\0\2\0\1\0\0x"
        "\1\4\1\2\0\0\0\0",
        "\1\1\1\2\0\10\0\0"
        "\0\2\0\0\0\0\0\0"
        "\1\4\1\2\0\0\0\0"
        "\1\5\1\2\0\0\0\0",
        "", "E", FCGI_BETWEEN),

    /* Roles that nobody has. */
    ROW("filter, and then a request",
        "\1\1\0\1\0\10\0\0"
        "\0\3\0\0\0\0\0\0" PARAMS("\0", "\3") "\1\0A" END STDIN_END BEGIN,
        BEGIN, UNKNOWN_ROLE("\1"), "", FCGI_IN_PARAMS),
    ROW("role 0",
        "\1\1\0\7\0\10\0\0"
        "\0\0\0\0\0\0\0\0",
        "", UNKNOWN_ROLE("\7"), "", FCGI_BETWEEN),
    ROW("role 257",
        "\1\1\0\1\0\10\0\0"
        "\1\1\0\0\0\0\0\0",
        "", UNKNOWN_ROLE("\1"), "", FCGI_BETWEEN),

    /* What belongs to no request. */
    ROW("late abort", ABORT BEGIN, BEGIN, "", "", FCGI_IN_PARAMS),
    ROW("late body",
        "\1\5\0\1\0\3\5\0"
        "abc"
        "12345" BEGIN,
        BEGIN, "", "", FCGI_IN_PARAMS),
    ROW("late variables, not valid ones",
        PARAMS("\0", "\10") "\xc0\0\0\0\xc0\0\0\0" END BEGIN, BEGIN, "", "",
        FCGI_IN_PARAMS),
    ROW("after the end", BEGIN END STDIN_END STDIN("\1") "x" ABORT STDIN_END,
        BEGIN END STDIN_END, "", "E", FCGI_BETWEEN),
    ROW("of an unknown type", "\1\77\0\1\0\2\0\0zz" BEGIN, BEGIN, "", "",
        FCGI_IN_PARAMS),
    ROW("management types with an id", "\1\11\0\5\0\2\0\0\0\0" BEGIN, BEGIN, "",
        "", FCGI_IN_PARAMS),

    /* L62: management records, wherever they come. */
    ROW("L62: between requests", GET_NOTHING BEGIN, BEGIN, NO_VALUES, "",
        FCGI_IN_PARAMS),
    ROW("L62: among the variables",
        BEGIN PARAMS("\0", "\2") "\1\1" GET_NOTHING PARAMS("\0", "\2") "Aa" END,
        BEGIN PARAMS("\0", "\2") "\1\1" PARAMS("\0", "\2") "Aa" END, NO_VALUES,
        "", FCGI_IN_STDIN),
    ROW("L62: between variables and body", BEGIN END GET_NOTHING STDIN_END,
        BEGIN END STDIN_END, NO_VALUES, "E", FCGI_BETWEEN),
    ROW("L62: in the body",
        BEGIN END STDIN("\1") "a" GET_NOTHING STDIN("\1") "b",
        BEGIN END STDIN("\1") "a" STDIN("\1") "b", NO_VALUES, "",
        FCGI_IN_STDIN),
    ROW("L62: FCGI_MAX_CONNS four times",
        BEGIN END GET_VALUES(
            "\100") "\16\0FCGI_MAX_CONNS\16\0FCGI_MAX_CONNS"
                    "\16\0FCGI_MAX_CONNS\16\0FCGI_MAX_CONNS" STDIN_END,
        BEGIN END STDIN_END, NO_VALUES, "E", FCGI_BETWEEN),
    ROW("L62: an unknown type",
        BEGIN "\1\52\0\0\0\3\2\0"
              "abc12" END "\1\377\0\0\0\0\0\0",
        BEGIN END, UNKNOWN_TYPE("\52") UNKNOWN_TYPE("\377"), "", FCGI_IN_STDIN),
    ROW("L62: types of requests with id 0",
        "\1\4\0\0\0\0\0\0" BEGIN "\1\5\0\0\0\0\0\0", BEGIN,
        UNKNOWN_TYPE("\4") UNKNOWN_TYPE("\5"), "", FCGI_IN_PARAMS),
    ROW("multiplexing?", GET_VALUES("\21") "\17\0FCGI_MPXS_CONNS", "",
        NO_MULTIPLEXING, "", FCGI_BETWEEN),
    ROW("multiplexing? after something else",
        GET_VALUES("\26") "\2\1ABx\17\0FCGI_MPXS_CONNS", "", NO_MULTIPLEXING,
        "", FCGI_BETWEEN),
    ROW("a name cut off", GET_VALUES("\14") "\17\0FCGI_MPXS_", "", NO_VALUES,
        "", FCGI_BETWEEN),
    ROW("a long length", GET_VALUES("\4") "\377\377\377\377", "", NO_VALUES, "",
        FCGI_BETWEEN),
    ROW("with padding",
        "\1\11\0\0\0\2\3\0\0\0"
        "pad" BEGIN,
        BEGIN, NO_VALUES, "", FCGI_IN_PARAMS),

    ROW("aborted among the variables", BEGIN ABORT, BEGIN, ABORTED("\1"), "A",
        FCGI_BETWEEN),
    ROW("aborted in the middle of a variable",
        BEGIN PARAMS("\0", "\3") "\1\3A" ABORT,
        BEGIN PARAMS("\0", "\3") "\1\3A", ABORTED("\1"), "A", FCGI_BETWEEN),
    ROW("aborted before the body", BEGIN END ABORT, BEGIN END, ABORTED("\1"),
        "A", FCGI_BETWEEN),
    ROW("aborted in the body, then another request",
        BEGIN END STDIN("\1") "a\1\2\0\1\0\0\2\0pp" STDIN(
            "\1") "b" STDIN_END BEGIN END STDIN_END,
        BEGIN END STDIN("\1") "a" BEGIN END STDIN_END, ABORTED("\1"), "AE",
        FCGI_BETWEEN),
    ROW("aborted twice", BEGIN ABORT ABORT, BEGIN, ABORTED("\1"), "A",
        FCGI_BETWEEN),

    /* L44: nothing that libfcgi would misread. */
    INVALID("L44: name cut off", BEGIN PARAMS("\0", "\3") "\2\0A" END),
    INVALID("L44: value cut off", BEGIN PARAMS("\0", "\3") "\1\1A" END),
    INVALID("L44: only one length", BEGIN PARAMS("\0", "\1") "\0" END),
    INVALID("L44: half a length", BEGIN PARAMS("\0", "\2") "\x80\0" END),
    INVALID("L44: half a second length",
            BEGIN PARAMS("\0", "\3") "\0\x80\0" END),
    INVALID("L44: lengths of a gigabyte",
            BEGIN PARAMS("\0", "\10") "\xc0\0\0\0\xc0\0\0\0"),
    INVALID("L44: a value of a gigabyte",
            BEGIN PARAMS("\0", "\5") "\1\xc0\0\0\0"),
    INVALID("L44: greatest lengths",
            BEGIN PARAMS("\0", "\10") "\xff\xff\xff\xff\xff\xff\xff\xff"),
    INVALID("L44: a length that wraps",
            BEGIN PARAMS("\0", "\13") "\0\0\0\0\0\0\0\xff\xff\xff\xff"),
    INVALID("L44: name longer than any head",
            BEGIN PARAMS("\0", "\4") "\x80\1\0\1"),
    INVALID("version 0", "\0\1\0\1\0\10\0\0"),
    INVALID("version 2 later", BEGIN "\2\4\0\1\0\0\0\0"),
    INVALID("HTTP", "GET / HTTP/1.1\r\n\r\n"),
    INVALID("id 0", "\1\1\0\0\0\10\0\0"
                    "\0\1\0\0\0\0\0\0" END),
    INVALID("short BEGIN_REQUEST", "\1\1\0\1\0\7\0\0"
                                   "\0\1\0\0\0\0\0"),
    INVALID("long BEGIN_REQUEST", "\1\1\0\1\0\11\0\0"
                                  "\0\1\0\0\0\0\0\0\0"),
    INVALID("L44: STDIN among the variables", BEGIN STDIN_END),
    INVALID("L44: variables after their end", BEGIN END END),
    INVALID("begun twice", BEGIN BEGIN),
    INVALID("begun twice, in the body", BEGIN END BEGIN),
    INVALID("data of a filter", BEGIN END "\1\10\0\1\0\0\0\0"),
    INVALID("an answer", BEGIN END "\1\6\0\1\0\1\0\0x"),
    INVALID("management with the request's id", BEGIN "\1\11\0\1\0\2\0\0\0\0"),
};

/* What came of some input. */
struct result {
    char *out;
    size_t out_len;
    char answers[1024];
    size_t answers_len;
    char events[16];
    enum fcgi_filter_phase phase;
};

static struct fcgi_filter filter;
static struct result got;

static void
add_event(char event)
{
    size_t len = strlen(got.events);

    assert_true(len < sizeof(got.events) - 1);
    got.events[len] = event;
}

static void
add_answers(struct pst_str answers)
{
    assert_true(got.answers_len + answers.len <= sizeof(got.answers));
    if (answers.len > 0)
        memcpy(got.answers + got.answers_len, answers.ptr, answers.len);
    got.answers_len += answers.len;
}

/* Run the filter once, and note what comes of it. Returns whether to go on. */
static bool
run_once(struct fcgi_filter_io *io)
{
    char storage[FCGI_ANSWERS_MAX];
    struct pst_buf answers;
    uint8_t *out = io->out;
    enum fcgi_filter_result result;

    pst_buf_init(&answers, storage, sizeof(storage));
    io->answers = &answers;
    result = fcgi_filter_run(&filter, io);
    if (result == FCGI_FILTER_INVALID) {
        add_event('I');
        return false;
    }
    memcpy(got.out + got.out_len, out, (size_t)(io->out - out));
    got.out_len += (size_t)(io->out - out);
    if (result == FCGI_FILTER_ABORTED) {
        add_event('A');
        fcgi_filter_answer_abort(&filter, &answers);
        fcgi_filter_end_request(&filter);
    }
    if (result == FCGI_FILTER_END)
        add_event('E');
    else if (result == FCGI_FILTER_MORE)
        assert_int_equal(io->in_len, 0);
    add_answers(pst_buf_str(&answers));
    return true;
}

/*
 * Filter a piece in its place, as engine/fcgi_connection.c does: the input is
 * behind the reserve, and the output may not overtake it. What is left after
 * the end of a request is moved to the front again. The memory is exactly as
 * large as it must be.
 */
static bool
run_in_place(const char *bytes, size_t len)
{
    uint8_t *memory = malloc(FCGI_FILTER_RESERVE + len);
    struct fcgi_filter_io io = {.in = memory + FCGI_FILTER_RESERVE,
                                .in_len = len};
    bool is_valid = true;

    assert_non_null(memory);
    memcpy(memory + FCGI_FILTER_RESERVE, bytes, len);
    while (is_valid && io.in_len > 0) {
        memmove(memory + FCGI_FILTER_RESERVE, io.in, io.in_len);
        io.in = memory + FCGI_FILTER_RESERVE;
        io.out = memory;
        is_valid = run_once(&io);
        assert_true(io.out <= io.in);
    }
    free(memory);
    return is_valid;
}

static void
reset(size_t len)
{
    free(got.out);
    got = (struct result){.out = malloc(2 * len + FCGI_FILTER_RESERVE)};
    assert_non_null(got.out);
    memset(&filter, 0, sizeof(filter));
}

/* Filter everything in pieces: the first, and then all others, of these
 * sizes. */
static void
run_pieces(const char *bytes, size_t len, size_t first, size_t size)
{
    size_t at = 0;

    reset(len);
    while (at < len) {
        size_t some = at == 0 ? first : size;

        some = some < len - at ? some : len - at;
        if (!run_in_place(bytes + at, some))
            return;
        at += some;
    }
    got.phase = filter.phase;
}

static void
print_bytes(const char *what, const char *bytes, size_t len)
{
    print_error("%s:", what);
    for (size_t i = 0; i < len; i++)
        print_error(" %02x", (unsigned)(uint8_t)bytes[i]);
    print_error("\n");
}

static void
compare(const struct row *row, size_t first, size_t size)
{
    bool is_valid = !strchr(row->events, 'I');

    if (strcmp(got.events, row->events) == 0 &&
        (!is_valid ||
         (got.phase == row->phase && got.out_len == row->out_len &&
          memcmp(got.out, row->out, row->out_len) == 0 &&
          got.answers_len == row->answers_len &&
          memcmp(got.answers, row->answers, row->answers_len) == 0)))
        return;
    print_bytes("output ", got.out, got.out_len);
    print_bytes("answers", got.answers, got.answers_len);
    fail_msg("row '%s', pieces of %zu and %zu: events '%s', phase %d",
             row->name, first, size, got.events, (int)got.phase);
}

/* Each row in pieces of every size, and cut in two at every byte. */
static void
test_rows(void **state)
{
    (void)state;
    for (size_t i = 0; i < PST_COUNT(rows); i++) {
        const struct row *row = &rows[i];

        for (size_t size = 1; size <= row->in_len + 1; size++) {
            run_pieces(row->in, row->in_len, size, size);
            compare(row, size, size);
            run_pieces(row->in, row->in_len, size, row->in_len);
            compare(row, size, row->in_len);
        }
    }
}

/* The same with all of the memory apart: the output is not what it is because
 * it has overwritten its input. */
static void
test_rows_not_in_place(void **state)
{
    (void)state;
    for (size_t i = 0; i < PST_COUNT(rows); i++) {
        uint8_t *out = malloc(rows[i].in_len + FCGI_FILTER_RESERVE);
        struct fcgi_filter_io io = {.in = (const uint8_t *)rows[i].in,
                                    .in_len = rows[i].in_len};
        bool is_valid = true;

        assert_non_null(out);
        reset(rows[i].in_len);
        while (is_valid && io.in_len > 0) {
            io.out = out;
            is_valid = run_once(&io);
        }
        got.phase = filter.phase;
        compare(&rows[i], 0, 0);
        free(out);
    }
}

/* The output is ahead of the input by 15 bytes of a BEGIN_REQUEST and the 8 of
 * an added end, and never by more. */
static void
test_reserve(void **state)
{
    static const char in[] = AUTHORIZER END;
    size_t most = 0;

    (void)state;
    for (size_t cut = 1; cut < sizeof(in) - 1; cut++) {
        size_t before;

        reset(sizeof(in));
        assert_true(run_in_place(in, cut));
        before = got.out_len;
        assert_true(run_in_place(in + cut, sizeof(in) - 1 - cut));
        if (got.out_len - before > sizeof(in) - 1 - cut + most)
            most = got.out_len - before - (sizeof(in) - 1 - cut);
    }
    assert_in_range(most, 20, FCGI_FILTER_RESERVE);
}

/* A text that grows. */
static char *text;
static size_t text_len;

static void
text_add(const char *bytes, size_t len)
{
    text = realloc(text, text_len + len);
    assert_non_null(text);
    memcpy(text + text_len, bytes, len);
    text_len += len;
}

#define TEXT_ADD(literal) text_add(literal, sizeof(literal) - 1)

/* Add a record with so much content: the same letter. */
static void
text_add_record(char type, size_t len, uint8_t padding)
{
    const char header[] = {1,         type,          0, 1, (char)(len >> 8),
                           (char)len, (char)padding, 0};
    char *content = malloc(len + 1);

    assert_non_null(content);
    memset(content, 'c', len);
    text_add(header, sizeof(header));
    text_add(content, len);
    memset(content, 'p', padding < len ? padding : len);
    for (size_t i = 0; i < padding; i++)
        TEXT_ADD("p");
    free(content);
}

static int
clear_text(void **state)
{
    (void)state;
    free(text);
    text = NULL;
    text_len = 0;
    free(got.out);
    got.out = NULL;
    return 0;
}

static const size_t sizes[] = {1, 7, 8, 9, 255, 256, 257, 8191, 8192, 200000};

/* Records of 65,535 bytes, with as much padding as there may be. */
static void
test_large_records(void **state)
{
    (void)state;
    TEXT_ADD(BEGIN END);
    text_add_record(5, 65535, 255);
    text_add_record(5, 65535, 0);
    text_add_record(5, 1, 255);
    TEXT_ADD(STDIN_END);
    for (size_t i = 0; i < PST_COUNT(sizes); i++) {
        run_pieces(text, text_len, sizes[i], sizes[i]);
        assert_string_equal(got.events, "E");
        assert_int_equal(got.out_len, text_len - 2 * 255);
        assert_memory_equal(got.out + 24, "\1\5\0\1\377\377\0\0ccc", 11);
        assert_memory_equal(got.out + 32 + 65535, "\1\5\0\1\377\377\0\0ccc",
                            11);
        assert_memory_equal(got.out + got.out_len - 17,
                            "\1\5\0\1\0\1\0\0c" STDIN_END, 17);
    }
}

/* Variables of exactly FCGI_PARAMS_MAX bytes, and of one more. */
static void
test_many_variables(void **state)
{
    (void)state;
    for (size_t more = 0; more < 2; more++) {
        clear_text(NULL);
        TEXT_ADD(BEGIN);
        /* A value of 30,000 bytes, then one that fills the rest. */
        TEXT_ADD("\1\4\0\1\0\5\0\0\0\x80\0\x75\x30");
        text_add_record(4, 30000, 8);
        TEXT_ADD("\1\4\0\1\0\5\0\0\0\x80\0\x8a\xc6");
        text_add_record(4, 35526, 0);
        if (more)
            TEXT_ADD("\1\4\0\1\0\2\0\0\0\0");
        TEXT_ADD(END);
        for (size_t i = 0; i < PST_COUNT(sizes); i++) {
            run_pieces(text, text_len, sizes[i], sizes[i]);
            assert_string_equal(got.events, more ? "I" : "");
            if (!more)
                assert_int_equal(got.phase, FCGI_IN_STDIN);
        }
    }
}

/* The limit is for one request, not for the connection. */
static void
test_variables_of_many_requests(void **state)
{
    (void)state;
    for (int i = 0; i < 3; i++) {
        TEXT_ADD(BEGIN "\1\4\0\1\0\5\0\0\0\x80\0\x9c\x40");
        text_add_record(4, 40000, 0);
        TEXT_ADD(END STDIN_END);
    }
    run_pieces(text, text_len, 8192, 8192);
    assert_string_equal(got.events, "EEE");
    assert_int_equal(got.out_len, text_len);
}

/* Questions that are larger than what is looked at: the name is found at the
 * beginning, and not at the end. */
static void
test_large_question(void **state)
{
    static const char name[] = "\17\0FCGI_MPXS_CONNS";
    static const char other[] = "\16\0FCGI_MAX_CONNS";
    static const size_t places[] = {0, 13, 14, 18, 4000};

    (void)state;
    for (size_t i = 0; i < PST_COUNT(places); i++) {
        size_t len = 4000 * 16 + 17;
        const char header[] = {1, 9, 0, 0, (char)(len >> 8), (char)len, 7, 0};
        bool is_found = places[i] <= 14;

        clear_text(NULL);
        TEXT_ADD(BEGIN);
        text_add(header, sizeof(header));
        for (size_t n = 0; n <= 4000; n++)
            if (n == places[i])
                TEXT_ADD(name);
            else
                TEXT_ADD(other);
        assert_int_equal(text_len, 16 + 8 + len);
        TEXT_ADD("padding" END STDIN_END);
        for (size_t n = 0; n < PST_COUNT(sizes); n++) {
            run_pieces(text, text_len, sizes[n], sizes[n]);
            assert_string_equal(got.events, "E");
            assert_int_equal(got.out_len, sizeof(BEGIN END STDIN_END) - 1);
            assert_int_equal(got.answers_len, is_found ? 26 : 8);
        }
    }
}

/* More answers than fit: nobody asks so much in one read. */
static void
test_too_many_answers(void **state)
{
    (void)state;
    for (size_t i = 0; i < FCGI_ANSWERS_MAX / 16; i++)
        TEXT_ADD("\1\52\0\0\0\0\0\0");
    run_pieces(text, text_len, text_len, text_len);
    assert_string_equal(got.events, "");
    assert_int_equal(got.answers_len, FCGI_ANSWERS_MAX);
    TEXT_ADD("\1\52\0\0\0\0\0\0");
    run_pieces(text, text_len, text_len, text_len);
    assert_string_equal(got.events, "I");
    run_pieces(text, text_len, 64, 64); /* in several reads they do fit */
    assert_string_equal(got.events, "");
}

/* libfcgi wants no more of a request: the rest is dropped, from any place. */
static void
test_request_is_ended_early(void **state)
{
    static const char in[] = BEGIN PARAMS("\0", "\3") "\1\0A" END STDIN(
        "\3") "abc\1\5\0\1\0\2\2\0depp" STDIN_END;
    static const char next[] = BEGIN END STDIN_END;

    (void)state;
    for (size_t cut = sizeof(BEGIN) - 1; cut < sizeof(in); cut++) {
        size_t before;

        reset(sizeof(in) + sizeof(next));
        if (cut > 0)
            assert_true(run_in_place(in, cut));
        before = got.out_len;
        fcgi_filter_end_request(&filter);
        if (cut < sizeof(in) - 1)
            assert_true(run_in_place(in + cut, sizeof(in) - 1 - cut));
        assert_int_equal(got.out_len, before);
        assert_true(run_in_place(next, sizeof(next) - 1));
        assert_int_equal(got.out_len, before + sizeof(next) - 1);
        assert_memory_equal(got.out + before, next, sizeof(next) - 1);
        assert_int_equal(got.answers_len, 0);
    }
}

#define FILTER_TEST(test) cmocka_unit_test_teardown(test, clear_text)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        FILTER_TEST(test_rows),
        FILTER_TEST(test_rows_not_in_place),
        FILTER_TEST(test_reserve),
        FILTER_TEST(test_large_records),
        FILTER_TEST(test_many_variables),
        FILTER_TEST(test_variables_of_many_requests),
        FILTER_TEST(test_large_question),
        FILTER_TEST(test_too_many_answers),
        FILTER_TEST(test_request_is_ended_early),
    };

    return cmocka_run_group_tests_name("fcgi_filter", tests, NULL, NULL);
}
