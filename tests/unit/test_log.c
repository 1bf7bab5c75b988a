/* SPDX-License-Identifier: ISC */
/*
 * test_log.c - each log entry is one line, for all values (R82).
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <json-c/json.h>
#include <pthread.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/buffer.h"
#include "codec/date.h"
#include "server/log.h"

/* Bytes of a line at most (server/log.h). */
#define LINE_MAX_BYTES 2048

#define THREADS 8
#define LINES_PER_THREAD 400

/* A log file, and what was written to it. */
struct fixture {
    char path[64];
    struct log *log;
    char *written;
    size_t len;
};

static void
fixture_open(struct fixture *f, enum log_format format, enum log_level level)
{
    int descriptor;

    memset(f, 0, sizeof(*f));
    snprintf(f->path, sizeof(f->path), "/tmp/postern-test-log-XXXXXX");
    descriptor = mkstemp(f->path);
    assert_true(descriptor >= 0);
    close(descriptor);
    assert_int_equal(log_open(&f->log, f->path, format, level, "query"),
                     PST_OK);
}

/* Read what was written so far, and NUL-terminate it. */
static void
fixture_read(struct fixture *f)
{
    FILE *file = fopen(f->path, "re");
    struct stat st;

    assert_non_null(file);
    assert_int_equal(fstat(fileno(file), &st), 0);
    free(f->written);
    f->len = (size_t)st.st_size;
    f->written = malloc(f->len + 1);
    assert_non_null(f->written);
    assert_int_equal(fread(f->written, 1, f->len, file), f->len);
    f->written[f->len] = '\0';
    fclose(file);
}

static void
fixture_close(struct fixture *f)
{
    log_close(&f->log);
    assert_null(f->log);
    free(f->written);
    unlink(f->path);
}

static size_t
count_lines(const struct fixture *f)
{
    size_t lines = 0;

    for (size_t i = 0; i < f->len; i++)
        lines += f->written[i] == '\n';
    return lines;
}

struct row {
    const char *name;
    struct pst_str in;
    const char *logfmt; /* what follows " v=" */
    const char *json;   /* what follows "v": */
};

static const struct row rows[] = {
    {"plain", {"abc", 3}, "abc", "\"abc\""},
    {"empty", {"", 0}, "\"\"", "\"\""},
    {"space", {"a b", 3}, "\"a b\"", "\"a b\""},
    {"equals sign", {"a=b", 3}, "\"a=b\"", "\"a=b\""},
    {"quote", {"a\"b", 3}, "\"a\\\"b\"", "\"a\\\"b\""},
    {"backslash", {"a\\b", 3}, "\"a\\\\b\"", "\"a\\\\b\""},
    {"line feed", {"a\nb", 3}, "\"a\\nb\"", "\"a\\nb\""},
    {"carriage return", {"a\rb", 3}, "\"a\\rb\"", "\"a\\rb\""},
    {"tab", {"a\tb", 3}, "\"a\\tb\"", "\"a\\tb\""},
    {"NUL", {"a\0b", 3}, "\"a\\x00b\"", "\"a\\u0000b\""},
    {"escape", {"\x1b[2J", 4}, "\"\\x1b[2J\"", "\"\\u001b[2J\""},
    {"delete", {"\x7f", 1}, "\"\\x7f\"", "\"\\u007f\""},
    {"UTF-8 stays", {"J\xc3\xbcrgen", 7}, "J\xc3\xbcrgen", "\"J\xc3\xbcrgen\""},
    {"four bytes stay",
     {"\xf0\x9f\x94\x91", 4},
     "\xf0\x9f\x94\x91",
     "\"\xf0\x9f\x94\x91\""},
    {"latin-1 is not UTF-8", {"\xfc", 1}, "\"\\xfc\"", "\"\xef\xbf\xbd\""},
    {"cut in a character", {"a\xc3", 2}, "\"a\\xc3\"", "\"a\xef\xbf\xbd\""},
    {"NEL, a line's end to some",
     {"a\xc2\x85", 3},
     "\"a\\xc2\\x85\"",
     "\"a\\u0085\""},
    {"last C1 control", {"\xc2\x9f", 2}, "\"\\xc2\\x9f\"", "\"\\u009f\""},
    {"no-break space stays", {"\xc2\xa0", 2}, "\xc2\xa0", "\"\xc2\xa0\""},
    {"line separator",
     {"\xe2\x80\xa8", 3},
     "\"\\xe2\\x80\\xa8\"",
     "\"\\u2028\""},
    {"paragraph separator",
     {"\xe2\x80\xa9", 3},
     "\"\\xe2\\x80\\xa9\"",
     "\"\\u2029\""},
    {"right-to-left override",
     {"\xe2\x80\xae", 3},
     "\"\\xe2\\x80\\xae\"",
     "\"\\u202e\""},
    {"pop directional isolate",
     {"\xe2\x81\xa9", 3},
     "\"\\xe2\\x81\\xa9\"",
     "\"\\u2069\""},
    {"a forged line",
     {"x\ntime=2026-01-01T00:00:00Z level=info", 38},
     "\"x\\ntime=2026-01-01T00:00:00Z level=info\"",
     "\"x\\ntime=2026-01-01T00:00:00Z level=info\""},
};

/* The line must end with want, then `end`. */
static void
expect_end(const struct row *row, const struct fixture *f, const char *start,
           const char *want, const char *end)
{
    char whole[512];
    size_t len =
        (size_t)snprintf(whole, sizeof(whole), "%s%s%s", start, want, end);

    if (count_lines(f) != 1 || f->len < len ||
        memcmp(f->written + f->len - len, whole, len) != 0)
        fail_msg("%s: no \"%s\" at the end of %s", row->name, whole,
                 f->written);
}

static void
values_are_escaped(void **state)
{
    (void)state;
    for (size_t i = 0; i < PST_COUNT(rows); i++) {
        struct fixture f;

        fixture_open(&f, LOG_LOGFMT, LEVEL_INFO);
        LOG_EVENT(f.log, LEVEL_INFO, "test", LOG_STR("v", rows[i].in));
        fixture_read(&f);
        expect_end(&rows[i], &f, " event=test v=", rows[i].logfmt, "\n");
        fixture_close(&f);

        fixture_open(&f, LOG_JSON, LEVEL_INFO);
        LOG_EVENT(f.log, LEVEL_INFO, "test", LOG_STR("v", rows[i].in));
        fixture_read(&f);
        expect_end(&rows[i], &f, ",\"event\":\"test\",\"v\":", rows[i].json,
                   "}\n");
        fixture_close(&f);
    }
}

/* The head: time, level, program, pid, event, in both formats. */
static void
head_is_whole(void **state)
{
    struct fixture f;
    char want[128];
    int64_t now = (int64_t)time(NULL);
    int64_t when = 0;

    (void)state;
    fixture_open(&f, LOG_LOGFMT, LEVEL_DEBUG);
    LOG_EVENT(f.log, LEVEL_WARNING, "two words", LOG_NUMBER("n", INT64_MIN),
              LOG_C_STRING("absent", NULL), LOG_NUMBER("zero", 0));
    fixture_read(&f);
    snprintf(want, sizeof(want),
             " level=warning program=query pid=%d event=\"two words\" "
             "n=-9223372036854775808 zero=0\n",
             (int)getpid());
    assert_memory_equal(f.written, "time=", 5);
    assert_int_equal(pst_date_parse_rfc3339(
                         pst_str_first(pst_str_from(f.written + 5), 20), &when),
                     PST_OK);
    assert_in_range((uintmax_t)when, (uintmax_t)now, (uintmax_t)now + 60);
    assert_string_equal(f.written + 25, want);
    fixture_close(&f);

    fixture_open(&f, LOG_JSON, LEVEL_DEBUG);
    LOG_EVENT(f.log, LEVEL_ERROR, "e", LOG_NUMBER("n", INT64_MAX),
              LOG_C_STRING("absent", NULL));
    fixture_read(&f);
    snprintf(want, sizeof(want),
             "\",\"level\":\"error\",\"program\":\"query\",\"pid\":%d,"
             "\"event\":\"e\",\"n\":9223372036854775807}\n",
             (int)getpid());
    assert_memory_equal(f.written, "{\"time\":\"", 9);
    assert_string_equal(f.written + 29, want);
    fixture_close(&f);
}

static void
levels_filter(void **state)
{
    struct fixture f;
    int evaluated = 0;

    (void)state;
    fixture_open(&f, LOG_LOGFMT, LEVEL_WARNING);
    LOG_EVENT(f.log, LEVEL_DEBUG, "no", LOG_NUMBER("n", 1));
    LOG_EVENT(f.log, LEVEL_INFO, "no", LOG_NUMBER("n", ++evaluated));
    LOG_EVENT(f.log, LEVEL_WARNING, "yes", LOG_NUMBER("n", ++evaluated));
    LOG_EVENT(f.log, LEVEL_ERROR, "yes", LOG_NUMBER("n", ++evaluated));
    assert_int_equal(evaluated, 2);
    fixture_read(&f);
    assert_int_equal(count_lines(&f), 2);
    assert_null(strstr(f.written, "event=no"));
    fixture_close(&f);
}

/* Parse a line that is one JSON object, else NULL. */
static struct json_object *
parse_line(const char *line, size_t len)
{
    struct json_tokener *tokener = json_tokener_new();
    struct json_object *object;

    assert_non_null(tokener);
    json_tokener_set_flags(tokener,
                           JSON_TOKENER_STRICT | JSON_TOKENER_VALIDATE_UTF8);
    object = json_tokener_parse_ex(tokener, line, (int)len);
    if (json_tokener_get_error(tokener) != json_tokener_success ||
        json_tokener_get_parse_end(tokener) != len) {
        json_object_put(object);
        object = NULL;
    }
    json_tokener_free(tokener);
    return object;
}

/* Is there no byte that breaks the line or changes its direction in a viewer?
 */
static bool
is_clean(const struct fixture *f)
{
    for (size_t i = 0; i + 1 < f->len; i++) {
        unsigned char c = (unsigned char)f->written[i];
        unsigned char next = (unsigned char)f->written[i + 1];

        if (c < 0x20 || c == 0x7F || (c == 0xC2 && next < 0xA0))
            return false;
        if (c == 0xE2 && next == 0x80 &&
            (unsigned char)f->written[i + 2] >= 0xA8 &&
            (unsigned char)f->written[i + 2] <= 0xAE)
            return false;
    }
    return true;
}

/* Every byte, alone and in pairs of 256 x 16 (R82). */
static void
no_byte_breaks_a_line(void **state)
{
    static const enum log_format formats[] = {LOG_LOGFMT, LOG_JSON};

    (void)state;
    for (size_t n = 0; n < 2 * 256 * 16; n++) {
        enum log_format format = formats[n % 2];
        char one = (char)(n / 2 % 256);
        char other = (char)(n / 512 * 17);
        char value[] = {one, other,  '\n',   one, '\xc2',
                        one, '\xe2', '\x80', one};
        struct json_object *object = NULL;
        struct fixture f;

        fixture_open(&f, format, LEVEL_INFO);
        LOG_EVENT(f.log, LEVEL_INFO, "test",
                  LOG_STR("v", ((struct pst_str){value, sizeof(value)})),
                  LOG_NUMBER("last", 1));
        fixture_read(&f);
        if (format == LOG_JSON)
            object = parse_line(f.written, f.len - 1);
        if (count_lines(&f) != 1 || f.written[f.len - 1] != '\n' ||
            !is_clean(&f) || (format == LOG_JSON && !object))
            fail_msg("bytes %02x %02x in format %d: %s", (unsigned char)one,
                     (unsigned char)other, (int)format, f.written);
        json_object_put(object);
        fixture_close(&f);
    }
}

/* A long value is truncated; the other values are not. */
static void
long_values_are_truncated(void **state)
{
    static const struct {
        const char *name;
        const char *unit; /* repeated */
        size_t count;
        bool is_plain; /* needs no escape */
    } cuts[] = {
        {"just fits", "a", 1900, true},
        {"letters", "a", 5000, true},
        {"escapes", "\n", 5000, false},
        {"two bytes", "\xc3\xbc", 3000, true},
        {"three", "\xe2\x82\xac", 990, true},
        {"four", "\xf0\x9f\x94\x91", 2001, true},
        {"separators", "\xe2\x80\xa8", 3000, false},
        {"no UTF-8", "\xff", 70000, false},
        {"quotes", "\"", 2040, false},
    };
    static const enum log_format formats[] = {LOG_LOGFMT, LOG_JSON};

    (void)state;
    for (size_t i = 0; i < 2 * PST_COUNT(cuts); i++) {
        size_t unit = strlen(cuts[i / 2].unit);
        size_t len = unit * cuts[i / 2].count;
        char *value = malloc(len);
        struct json_object *object = NULL;
        struct fixture f;

        assert_non_null(value);
        for (size_t at = 0; at < len; at += unit)
            memcpy(value + at, cuts[i / 2].unit, unit);
        fixture_open(&f, formats[i % 2], LEVEL_INFO);
        LOG_EVENT(f.log, LEVEL_INFO, "test",
                  LOG_STR("v", ((struct pst_str){value, len})),
                  LOG_C_STRING("short", "stays whole"), LOG_NUMBER("last", 7));
        fixture_read(&f);
        if (formats[i % 2] == LOG_JSON)
            object = parse_line(f.written, f.len - 1);
        if (f.len > LINE_MAX_BYTES || f.len < 300 || count_lines(&f) != 1 ||
            !strstr(f.written, "stays whole") || !strstr(f.written, "last") ||
            (i / 2 > 0) != (strstr(f.written, "...\"") != NULL ||
                            strstr(f.written, "... short") != NULL) ||
            (formats[i % 2] == LOG_JSON && !object))
            fail_msg("%s, format %d: %zu bytes: %s", cuts[i / 2].name,
                     (int)formats[i % 2], f.len, f.written);
        /* No character is split. */
        if (cuts[i / 2].is_plain &&
            (strstr(f.written, "\\x") || strstr(f.written, "\xef\xbf\xbd")))
            fail_msg("%s: %s", cuts[i / 2].name, f.written);
        json_object_put(object);
        fixture_close(&f);
        free(value);
    }
}

/* Values of every length around the longest line: it is complete, and never
 * longer. */
static void
every_length_fits(void **state)
{
    static const enum log_format formats[] = {LOG_LOGFMT, LOG_JSON};
    static const char filler[] = "a\xc3\xbc\xe2\x82\xac.";
    size_t longest = 0;

    (void)state;
    for (size_t n = 0; n < 2 * 260; n++) {
        char value[2200];
        size_t len = 1850 + n / 2;
        struct json_object *object = NULL;
        struct fixture f;

        for (size_t i = 0; i < len; i++)
            value[i] = filler[i % (sizeof(filler) - 1)];
        fixture_open(&f, formats[n % 2], LEVEL_INFO);
        LOG_EVENT(f.log, LEVEL_INFO, "test",
                  LOG_STR("v", ((struct pst_str){value, len})));
        fixture_read(&f);
        if (formats[n % 2] == LOG_JSON)
            object = parse_line(f.written, f.len - 1);
        if (f.len > LINE_MAX_BYTES || count_lines(&f) != 1 ||
            (formats[n % 2] == LOG_JSON && !object))
            fail_msg("%zu bytes: a line of %zu", len, f.len);
        longest = f.len > longest ? f.len : longest;
        json_object_put(object);
        fixture_close(&f);
    }
    assert_in_range(longest, LINE_MAX_BYTES - 8, LINE_MAX_BYTES);
}

/* Too many fields, even truncated: the line still has its end. */
static void
many_fields_are_dropped(void **state)
{
    static const enum log_format formats[] = {LOG_LOGFMT, LOG_JSON};

    (void)state;
    for (size_t i = 0; i < PST_COUNT(formats); i++) {
        static struct log_field fields[300];
        struct json_object *object = NULL;
        struct fixture f;

        for (size_t j = 0; j < PST_COUNT(fields); j++)
            fields[j] = LOG_C_STRING("name", "0123456789abcdef");
        fixture_open(&f, formats[i], LEVEL_INFO);
        log_write(f.log, LEVEL_INFO, "test", fields, PST_COUNT(fields));
        fixture_read(&f);
        assert_int_equal(count_lines(&f), 1);
        assert_in_range(f.len, 1900, LINE_MAX_BYTES);
        if (formats[i] == LOG_JSON) {
            object = parse_line(f.written, f.len - 1);
            assert_non_null(object);
        } else {
            const char *last = "name=01234567...\n";

            assert_string_equal(f.written + f.len - strlen(last), last);
        }
        json_object_put(object);
        fixture_close(&f);
    }
}

struct writer {
    struct log *log;
    int64_t number;
    bool is_long; /* its lines are truncated */
};

static void *
write_lines(void *context)
{
    const struct writer *writer = context;
    char filler[3000];

    memset(filler, (int)('a' + writer->number), sizeof(filler));
    for (int64_t i = 0; i < LINES_PER_THREAD; i++)
        LOG_EVENT(writer->log, LEVEL_INFO, "test",
                  LOG_NUMBER("thread", writer->number), LOG_NUMBER("line", i),
                  LOG_STR("filler", ((struct pst_str){
                                        filler, writer->is_long ? 3000 : 40})));
    return NULL;
}

/* Each line is complete. The lines of each thread are in order. */
static void
expect_lines(const struct fixture *f)
{
    int64_t next[THREADS] = {0};
    const char *at = f->written;

    while (*at) {
        const char *end = strchr(at, '\n');
        struct json_object *object;
        struct json_object *value;
        int64_t thread;

        assert_non_null(end);
        object = parse_line(at, (size_t)(end - at));
        if (!object)
            fail_msg("split: %.*s", (int)(end - at), at);
        assert_true(json_object_object_get_ex(object, "thread", &value));
        thread = json_object_get_int64(value);
        assert_in_range(thread, 0, THREADS - 1);
        assert_true(json_object_object_get_ex(object, "line", &value));
        assert_int_equal(json_object_get_int64(value), next[thread]++);
        assert_true(json_object_object_get_ex(object, "filler", &value));
        for (const char *c = json_object_get_string(value); *c && *c != '.';
             c++)
            assert_int_equal(*c, 'a' + thread);
        json_object_put(object);
        at = end + 1;
    }
    for (size_t i = 0; i < THREADS; i++)
        assert_int_equal(next[i], LINES_PER_THREAD);
}

static void
threads_do_not_interleave(void **state)
{
    struct writer writers[THREADS];
    pthread_t threads[THREADS];
    struct fixture f;

    (void)state;
    fixture_open(&f, LOG_JSON, LEVEL_INFO);
    for (size_t i = 0; i < THREADS; i++) {
        writers[i] = (struct writer){f.log, (int64_t)i, i % 2 == 0};
        assert_int_equal(
            pthread_create(&threads[i], NULL, write_lines, &writers[i]), 0);
    }
    for (size_t i = 0; i < THREADS; i++)
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    fixture_read(&f);
    expect_lines(&f);
    fixture_close(&f);
}

/* read(2) from a pipe with O_DIRECT returns what one write(2) has written. */
static void
line_is_one_write(void **state)
{
    int saved = dup(STDERR_FILENO);
    struct log *log = NULL;
    static char packet[4096];
    ssize_t len[2];
    int ends[2];

    (void)state;
    assert_int_equal(pipe2(ends, O_DIRECT | O_NONBLOCK | O_CLOEXEC), 0);
    assert_true(saved >= 0 && dup2(ends[1], STDERR_FILENO) >= 0);
    assert_int_equal(log_open(&log, "stderr", LOG_LOGFMT, LEVEL_INFO, "query"),
                     PST_OK);
    LOG_EVENT(log, LEVEL_INFO, "test", LOG_C_STRING("v", "a b \n c"));
    log_close(&log);
    len[0] = read(ends[0], packet, sizeof(packet));
    len[1] = read(ends[0], packet + 2048, 2048);
    /* Closing the log leaves stderr open. */
    assert_int_equal(fcntl(STDERR_FILENO, F_GETFD), 0);
    assert_true(dup2(saved, STDERR_FILENO) >= 0);
    assert_true(len[0] > 60 && packet[len[0] - 1] == '\n');
    assert_int_equal(len[1], -1);
    close(saved);
    close(ends[0]);
    close(ends[1]);
}

static void
missing_log_is_no_log(void **state)
{
    struct log *log = NULL;

    (void)state;
    LOG_EVENT(NULL, LEVEL_ERROR, "test", LOG_NUMBER("n", 1));
    log_close(&log);
    assert_null(log);
}

static void
full_disk_is_survived(void **state)
{
    struct log *log = NULL;

    (void)state;
    assert_int_equal(
        log_open(&log, "/dev/full", LOG_JSON, LEVEL_DEBUG, "query"), PST_OK);
    for (int i = 0; i < 3; i++)
        LOG_EVENT(log, LEVEL_ERROR, "test", LOG_NUMBER("n", i));
    log_close(&log);
}

static void
file_is_appended_to(void **state)
{
    mode_t mask = umask(0);
    struct fixture f;
    struct stat st;

    (void)state;
    fixture_open(&f, LOG_LOGFMT, LEVEL_INFO);
    log_close(&f.log);
    unlink(f.path);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(
            log_open(&f.log, f.path, LOG_LOGFMT, LEVEL_INFO, "login"), PST_OK);
        LOG_EVENT(f.log, LEVEL_INFO, "test", LOG_NUMBER("n", i));
        log_close(&f.log);
    }
    umask(mask);
    fixture_read(&f);
    assert_int_equal(count_lines(&f), 2);
    assert_int_equal(stat(f.path, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0640);
    fixture_close(&f);
}

static void
bad_target_is_refused(void **state)
{
    static const struct {
        const char *target;
        int error;
    } targets[] = {
        {"/nonexistent/postern.log", ENOENT}, {"/tmp", EISDIR}, {"", ENOENT}};

    (void)state;
    for (size_t i = 0; i < PST_COUNT(targets); i++) {
        struct log *log = NULL;

        errno = 0;
        if (log_open(&log, targets[i].target, LOG_LOGFMT, LEVEL_INFO, "x") !=
                PST_BAD_CONFIG ||
            errno != targets[i].error || log)
            fail_msg("%s: errno %d", targets[i].target, errno);
    }
}

/* The file is renamed, and opened anew by its path. */
static void
test_reopen(void **state)
{
    struct fixture f;
    struct log *other = NULL;
    char renamed[80];

    (void)state;
    fixture_open(&f, LOG_LOGFMT, LEVEL_INFO);
    snprintf(renamed, sizeof(renamed), "%s.1", f.path);
    LOG_EVENT(f.log, LEVEL_INFO, "first", LOG_NUMBER("n", 1));
    assert_int_equal(rename(f.path, renamed), 0);
    LOG_EVENT(f.log, LEVEL_INFO, "second", LOG_NUMBER("n", 2));
    assert_true(log_reopen(f.log));
    LOG_EVENT(f.log, LEVEL_INFO, "third", LOG_NUMBER("n", 3));
    fixture_read(&f);
    assert_non_null(strstr(f.written, "event=third"));
    assert_null(strstr(f.written, "event=second"));

    /* It cannot be opened: the old file stays in use. */
    assert_int_equal(unlink(f.path), 0);
    assert_int_equal(mkdir(f.path, 0700), 0);
    assert_false(log_reopen(f.log));
    assert_int_equal(errno, EISDIR);
    LOG_EVENT(f.log, LEVEL_INFO, "fourth", LOG_NUMBER("n", 4));
    assert_int_equal(rmdir(f.path), 0);
    unlink(renamed);
    fixture_close(&f);

    assert_int_equal(
        log_open(&other, "stderr", LOG_LOGFMT, LEVEL_ERROR, "query"), PST_OK);
    assert_true(log_reopen(other));
    log_close(&other);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_reopen),
        cmocka_unit_test(values_are_escaped),
        cmocka_unit_test(head_is_whole),
        cmocka_unit_test(levels_filter),
        cmocka_unit_test(no_byte_breaks_a_line),
        cmocka_unit_test(long_values_are_truncated),
        cmocka_unit_test(every_length_fits),
        cmocka_unit_test(many_fields_are_dropped),
        cmocka_unit_test(threads_do_not_interleave),
        cmocka_unit_test(line_is_one_write),
        cmocka_unit_test(missing_log_is_no_log),
        cmocka_unit_test(full_disk_is_survived),
        cmocka_unit_test(file_is_appended_to),
        cmocka_unit_test(bad_target_is_refused),
    };

    return cmocka_run_group_tests_name("log", tests, NULL, NULL);
}
