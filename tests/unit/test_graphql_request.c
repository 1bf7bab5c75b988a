/* SPDX-License-Identifier: ISC */
/*
 * test_graphql_request.c - HTTP requests as GraphQL clients and attackers send
 * them. The URL of a POST: test_graphql_parameters.c.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/limits.h"
#include "gateway/graphql_request.h"

#define MAX_JSON 2000
#define JSON "application/json"

static const uint8_t random_octets[REQUEST_RANDOM_LEN] = {1, 2, 3, 4, 5};

static struct pst_str listed[] = {{"languageCode", 12}, {"c-c", 3}};
static const struct config config = {
    .max_json = MAX_JSON,
    .forward_parameters = listed,
    .forward_parameter_count = PST_COUNT(listed),
};

/* A body, and an error to return at its end. */
struct source {
    struct pst_str body;
    enum pst_err fail;
};

/* What a client sends. */
struct sent {
    const char *method;
    const char *url; /* the query string */
    const char *type;
    const char *coding;
    struct pst_str body;
    bool is_chunked; /* no Content-Length */
    bool is_counted; /* chunked, but the web server says the length */
};

static struct pst_arena *arena;
static struct source source;
static char lines[6][256];
static const char *variables[8];
static struct request req;

static int
set_up(void **state)
{
    (void)state;
    return pst_arena_new(&arena, PST_ARENA_SIZE) == PST_OK ? 0 : -1;
}

static int
tear_down(void **state)
{
    (void)state;
    pst_arena_free(&arena);
    return 0;
}

static enum pst_err
source_read(void *context, char *out, size_t size, size_t *len)
{
    struct source *from = context;

    *len = from->body.len < size ? from->body.len : size;
    if (*len == 0 && from->fail)
        return from->fail;
    if (*len > 0)
        memcpy(out, from->body.ptr, *len);
    from->body = pst_str_skip(from->body, *len);
    return PST_OK;
}

static void
add_line(size_t *count, const char *name, const char *value)
{
    if (!value)
        return;
    assert_in_range(
        snprintf(lines[*count], sizeof(lines[0]), "%s=%s", name, value), 1,
        sizeof(lines[0]) - 1);
    variables[*count] = lines[*count];
    ++*count;
}

static void
begin(const struct sent *sent)
{
    struct request_input origin = {
        .variables = variables,
        .source = {source_read, &source, -1},
        .max_body = 8 * 1024 * 1024,
    };
    char length[32];
    size_t count = 0;

    source = (struct source){sent->body, PST_OK};
    (void)snprintf(length, sizeof(length), "%zu", sent->body.len);
    add_line(&count, "REQUEST_METHOD", sent->method ? sent->method : "POST");
    add_line(&count, "QUERY_STRING", sent->url);
    add_line(&count, "CONTENT_TYPE", sent->type);
    add_line(&count, "HTTP_CONTENT_ENCODING", sent->coding);
    if (sent->is_chunked || sent->is_counted)
        add_line(&count, "HTTP_TRANSFER_ENCODING", "chunked");
    if (!sent->is_chunked)
        add_line(&count, "CONTENT_LENGTH", length);
    variables[count] = NULL;
    assert_int_equal(request_init(&req, arena, &origin, random_octets), PST_OK);
}

static enum pst_err
receive(const struct sent *sent, struct graphql_request_list *list)
{
    enum pst_err e;

    begin(sent);
    e = graphql_request_read(&req, &config, list);
    assert_non_null(list->reason);
    assert_int_equal(e == PST_OK, list->reason[0] == '\0');
    return e;
}

static void
check_text(const char *row, struct pst_str got, const char *want)
{
    if (!pst_str_equal(got, pst_str_from(want)) ||
        pst_str_is_absent(got) != (want == NULL))
        fail_msg("%s: [%.*s], not [%s]", row, (int)got.len,
                 got.ptr ? got.ptr : "", want ? want : "absent");
}

#define BODY(text)             \
    {                          \
        text, sizeof(text) - 1 \
    }

/* POST: the request that is read, or the error. */
static const struct {
    const char *name;
    struct sent sent;
    enum pst_err e;
    const char *document; /* of the first request */
    const char *parameters;
} posts[] = {
    {"plain",
     {.type = JSON, .body = BODY("{\"query\":\"{a}\"}")},
     PST_OK,
     "{a}",
     NULL},
    {"of the answer's type",
     {.type = "application/graphql-response+json",
      .body = BODY("{\"query\":\"{a}\"}")},
     PST_OK,
     "{a}",
     NULL},
    {"its charset",
     {.type = "Application/JSON ; Charset=\"UTF-8\"",
      .body = BODY("{\"query\":\"{a}\"}")},
     PST_OK,
     "{a}",
     NULL},
    {"as some spell it",
     {.type = JSON ";charset=utf8", .body = BODY("{\"query\":\"{a}\"}")},
     PST_OK,
     "{a}",
     NULL},
    {"a BOM",
     {.type = JSON, .body = BODY("\xEF\xBB\xBF{\"query\":\"{a}\"}")},
     PST_OK,
     "{a}",
     NULL},
    {"two of them",
     {.type = JSON,
      .body = BODY("\xEF\xBB\xBF\xEF\xBB\xBF{\"query\":\"{a}\"}")},
     PST_MALFORMED,
     NULL,
     NULL},
    {"chunked",
     {.type = JSON, .body = BODY("{\"query\":\"{a}\"}"), .is_chunked = true},
     PST_OK,
     "{a}",
     NULL},
    {"gzip",
     {.type = JSON,
      .coding = "gzip",
      .body = BODY(
          "\x1f\x8b\x08\x00\x00\x00\x00\x00\x02\x03\xab\x56\x2a\x2c\x4d\x2d"
          "\xaa\x54\xb2\x52\xaa\x4e\xac\x55\xaa\x05\x00\x64\x40\x56\x52\x0f"
          "\x00\x00\x00")},
     PST_OK,
     "{a}",
     NULL},
    {"gzip, cut",
     {.type = JSON,
      .coding = "x-gzip",
      .body = BODY("\x1f\x8b\x08\x00\x00\x00\x00\x00\x02\x03\xab\x56")},
     PST_MALFORMED,
     NULL,
     NULL},
    {"no gzip",
     {.type = JSON, .coding = "gzip", .body = BODY("{\"query\":\"{a}\"}")},
     PST_MALFORMED,
     NULL,
     NULL},
    {"deflate",
     {.type = JSON, .coding = "deflate", .body = BODY("{\"query\":\"{a}\"}")},
     PST_BAD_TYPE,
     NULL,
     NULL},
    {"gzip twice",
     {.type = JSON,
      .coding = "gzip, gzip",
      .body = BODY("{\"query\":\"{a}\"}")},
     PST_BAD_TYPE,
     NULL,
     NULL},
    {"identity",
     {.type = JSON, .coding = "identity", .body = BODY("{\"query\":\"{a}\"}")},
     PST_OK,
     "{a}",
     NULL},

    /* R51 */
    {"no type",
     {.body = BODY("{\"query\":\"{a}\"}")},
     PST_BAD_TYPE,
     NULL,
     NULL},
    {"an empty type",
     {.type = "", .body = BODY("{\"query\":\"{a}\"}")},
     PST_BAD_TYPE,
     NULL,
     NULL},
    {"a document as such",
     {.type = "application/graphql", .body = BODY("{a}")},
     PST_BAD_TYPE,
     NULL,
     NULL},
    {"a form",
     {.type = "application/x-www-form-urlencoded",
      .body = BODY("query=%7Ba%7D")},
     PST_BAD_TYPE,
     NULL,
     NULL},
    {"text",
     {.type = "text/plain", .body = BODY("{\"query\":\"{a}\"}")},
     PST_BAD_TYPE,
     NULL,
     NULL},
    {"no type at all",
     {.type = "json", .body = BODY("{\"query\":\"{a}\"}")},
     PST_BAD_TYPE,
     NULL,
     NULL},
    {"two types",
     {.type = JSON ", text/plain", .body = BODY("{\"query\":\"{a}\"}")},
     PST_BAD_TYPE,
     NULL,
     NULL},
    /* L67: in UTF-7 the same bytes are another text. */
    {"another charset",
     {.type = JSON ";charset=utf-7", .body = BODY("{\"query\":\"{a}\"}")},
     PST_MALFORMED,
     NULL,
     NULL},
    {"two charsets",
     {.type = JSON ";charset=utf-8;charset=utf-7",
      .body = BODY("{\"query\":\"{a}\"}")},
     PST_BAD_TYPE,
     NULL,
     NULL},
    {"UTF-16",
     {.type = JSON, .body = BODY("{\0\"\0}\0")},
     PST_MALFORMED,
     NULL,
     NULL},

    {"nothing", {.type = JSON, .body = BODY("")}, PST_MALFORMED, NULL, NULL},
    {"no JSON", {.type = JSON, .body = BODY("{a}")}, PST_MALFORMED, NULL, NULL},
    {"a string",
     {.type = JSON, .body = BODY("\"{a}\"")},
     PST_MALFORMED,
     NULL,
     NULL},
    {"null", {.type = JSON, .body = BODY("null")}, PST_MALFORMED, NULL, NULL},
    {"two of them",
     {.type = JSON, .body = BODY("{\"query\":\"{a}\"}{\"query\":\"{b}\"}")},
     PST_MALFORMED,
     NULL,
     NULL},
    {"a member twice",
     {.type = JSON, .body = BODY("{\"query\":\"{a}\",\"query\":\"{b}\"}")},
     PST_DUPLICATE,
     NULL,
     NULL},
    {"deep inside",
     {.type = JSON,
      .body = BODY("{\"query\":\"{a}\",\"variables\":{\"a\":[{\"b\":1,"
                   "\"\\u0062\":2}]}}")},
     PST_DUPLICATE,
     NULL,
     NULL},
    {"another case",
     {.type = JSON, .body = BODY("{\"query\":\"{a}\",\"Query\":\"{b}\"}")},
     PST_DUPLICATE,
     NULL,
     NULL},
    {"variables as text",
     {.type = JSON, .body = BODY("{\"query\":\"{a}\",\"variables\":\"{}\"}")},
     PST_MALFORMED,
     NULL,
     NULL},

    /* The URL of a POST. */
    {"a forwarded parameter",
     {.type = JSON,
      .url = "x=y&languageCode=de-AT_1&c-c=",
      .body = BODY("{\"query\":\"{a}\"}")},
     PST_OK,
     "{a}",
     "languageCode=de-AT_1&c-c="},
    /* L67 */
    {"a document in the URL",
     {.type = JSON,
      .url = "query=mutation%7Bb%7D",
      .body = BODY("{\"query\":\"{a}\"}")},
     PST_MALFORMED,
     NULL,
     NULL},
};

static void
test_posts(void **state)
{
    (void)state;
    for (size_t i = 0; i < PST_COUNT(posts); i++) {
        struct graphql_request_list list;
        enum pst_err e = receive(&posts[i].sent, &list);

        if (e != posts[i].e)
            fail_msg("%s: %s: %s", posts[i].name, pst_err_code(e), list.reason);
        if (!e) {
            check_text(posts[i].name, list.requests[0].document,
                       posts[i].document);
            check_text(posts[i].name, list.parameters, posts[i].parameters);
            assert_int_equal(list.form, GRAPHQL_REQUEST_SINGLE);
            assert_int_equal(list.count, 1);
        }
        pst_arena_reset(arena);
    }
}

/* GET: the same for requests in the URL. */
static const struct {
    const char *name;
    struct sent sent;
    enum pst_err e;
    const char *document;
    const char *variables;
    const char *parameters;
} gets[] = {
    {"plain", {.url = "query=%7Ba%7D"}, PST_OK, "{a}", NULL, NULL},
    {"a plus", {.url = "query={a+b}"}, PST_OK, "{a b}", NULL, NULL},
    {"HEAD", {.method = "HEAD", .url = "query={a}"}, PST_OK, "{a}", NULL, NULL},
    {"a type that some set",
     {.url = "query={a}", .type = JSON},
     PST_OK,
     "{a}",
     NULL,
     NULL},
    {"an empty type",
     {.url = "query={a}", .type = ""},
     PST_OK,
     "{a}",
     NULL,
     NULL},
    {"all of them",
     {.url = "query={a}&operationName=A&variables=%7B%22a%22:1%7D&extensions="
             "{%22persistedQuery%22:null}&languageCode=de&x=1"},
     PST_OK,
     "{a}",
     "{\"a\":1}",
     "languageCode=de"},
    {"null", {.url = "query={a}&variables=null"}, PST_OK, "{a}", NULL, NULL},
    {"empty ones",
     {.url = "query={a}&variables=&extensions=&operationName"},
     PST_OK,
     "{a}",
     NULL,
     NULL},
    {"an id", {.url = "documentId=a"}, PST_OK, NULL, NULL, NULL},
    {"blank", {.url = "query=+%0a"}, PST_OK, NULL, NULL, NULL}, /* L55 */
    {"nothing", {.url = ""}, PST_OK, NULL, NULL, NULL},

    {"twice", {.url = "query={a}&query={a}"}, PST_DUPLICATE, NULL, NULL, NULL},
    {"twice, one of them empty",
     {.url = "query={a}&que%72y"},
     PST_DUPLICATE,
     NULL,
     NULL,
     NULL},
    {"another case",
     {.url = "query={a}&Query={b}"},
     PST_DUPLICATE,
     NULL,
     NULL,
     NULL},
    {"variables twice",
     {.url = "query={a}&variables={}&variables={}"},
     PST_DUPLICATE,
     NULL,
     NULL,
     NULL},
    {"two ids", {.url = "id=a&documentId=a"}, PST_MALFORMED, NULL, NULL, NULL},
    {"a text and an id",
     {.url = "id=a&query={a}"},
     PST_MALFORMED,
     NULL,
     NULL,
     NULL},
    {"a list of variables",
     {.url = "query={a}&variables=[]"},
     PST_MALFORMED,
     NULL,
     NULL,
     NULL},
    {"no JSON",
     {.url = "query={a}&variables={a:1}"},
     PST_MALFORMED,
     NULL,
     NULL,
     NULL},
    {"a variable twice",
     {.url = "query={a}&variables={%22a%22:1,%22\\u0061%22:1}"},
     PST_DUPLICATE,
     NULL,
     NULL,
     NULL},
    {"extensions as text",
     {.url = "query={a}&extensions=%22%22"},
     PST_MALFORMED,
     NULL,
     NULL,
     NULL},
    {"no UTF-8", {.url = "query=%ff"}, PST_MALFORMED, NULL, NULL, NULL},
    {"a NUL", {.url = "query={a%00}"}, PST_MALFORMED, NULL, NULL, NULL},
    /* L65 */
    {"SQL",
     {.url = "query={a}&languageCode=%27"},
     PST_MALFORMED,
     NULL,
     NULL,
     NULL},
    {"a body",
     {.url = "query={a}", .body = BODY("{\"query\":\"{b}\"}")},
     PST_MALFORMED,
     NULL,
     NULL,
     NULL},
    {"a chunked body",
     {.url = "query={a}", .body = BODY("{}"), .is_chunked = true},
     PST_MALFORMED,
     NULL,
     NULL,
     NULL},
    {"a chunked body of one byte, counted",
     {.url = "query={a}", .body = BODY("x"), .is_counted = true},
     PST_MALFORMED,
     NULL,
     NULL,
     NULL},
    {"a chunked body of no bytes, counted",
     {.url = "query={a}", .body = BODY(""), .is_counted = true},
     PST_OK,
     "{a}",
     NULL,
     NULL},
    /* L42 */
    {"an odd type",
     {.url = "query={a}", .type = "text/plain"},
     PST_BAD_TYPE,
     NULL,
     NULL,
     NULL},
    {"no type at all",
     {.url = "query={a}", .type = "x"},
     PST_BAD_TYPE,
     NULL,
     NULL,
     NULL},
    {"another charset",
     {.url = "query={a}", .type = JSON ";charset=utf-16"},
     PST_MALFORMED,
     NULL,
     NULL,
     NULL},
};

static void
test_gets(void **state)
{
    (void)state;
    for (size_t i = 0; i < PST_COUNT(gets); i++) {
        struct sent sent = gets[i].sent;
        struct graphql_request_list list;
        enum pst_err e;

        if (!sent.method)
            sent.method = "GET";
        e = receive(&sent, &list);
        if (e != gets[i].e)
            fail_msg("%s: %s: %s", gets[i].name, pst_err_code(e), list.reason);
        if (!e) {
            check_text(gets[i].name, list.requests[0].document,
                       gets[i].document);
            check_text(gets[i].name, list.requests[0].variables,
                       gets[i].variables);
            check_text(gets[i].name, list.parameters, gets[i].parameters);
            assert_int_equal(list.form, GRAPHQL_REQUEST_GET);
            assert_int_equal(list.count, 1);
        }
        pst_arena_reset(arena);
    }
}

static void
test_batch(void **state)
{
    static const struct sent batch = {
        .type = JSON,
        .body = BODY("[{\"query\":\"{a}\"},{\"query\":1},{\"Query\":\"{b}\"},"
                     "{},{\"query\":\"{c}\"}]")};
    struct graphql_request_list list;

    (void)state;
    assert_int_equal(receive(&batch, &list), PST_OK);
    assert_int_equal(list.form, GRAPHQL_REQUEST_BATCH);
    assert_true(list.is_batch);
    assert_int_equal(list.count, 5);
    check_text("0", list.requests[0].document, "{a}");
    assert_int_equal(list.requests[0].error, PST_OK);
    assert_int_equal(list.requests[1].error, PST_MALFORMED);
    assert_string_equal(list.requests[1].reason,
                        "\"query\" must be a string or null");
    assert_int_equal(list.requests[2].error, PST_DUPLICATE);
    check_text("2", list.requests[2].document, NULL);
    check_text("3", list.requests[3].document, NULL);
    check_text("4", list.requests[4].document, "{c}");
}

static void
test_bad_batches(void **state)
{
    static const char *const batches[] = {
        "[]",     "[[]]",         "[{},[{\"query\":\"{a}\"}]]",
        "[null]", "[{},\"{a}\"]", "[{\"query\":\"{a}\",\"query\":\"{b}\"}]",
    };

    (void)state;
    for (size_t i = 0; i < PST_COUNT(batches); i++) {
        struct sent sent = {.type = JSON, .body = pst_str_from(batches[i])};
        struct graphql_request_list list;

        if (receive(&sent, &list) == PST_OK)
            fail_msg("%s: passes", batches[i]);
    }
}

static void
test_batch_sizes(void **state)
{
    (void)state;
    for (size_t count = GRAPHQL_REQUEST_BATCH_MAX;
         count <= GRAPHQL_REQUEST_BATCH_MAX + 1; count++) {
        char body[10 * GRAPHQL_REQUEST_BATCH_MAX];
        struct sent sent = {.type = JSON, .body = {body, 3 * count + 1}};
        struct graphql_request_list list;

        for (size_t i = 0; i < count; i++)
            memcpy(body + 3 * i, ",{}", 3);
        body[0] = '[';
        body[3 * count] = ']';
        assert_int_equal(receive(&sent, &list),
                         count <= GRAPHQL_REQUEST_BATCH_MAX ? PST_OK
                                                            : PST_MALFORMED);
        if (count > GRAPHQL_REQUEST_BATCH_MAX)
            assert_string_equal(list.reason,
                                "a batch may have 50 requests at most");
    }
}

/* Fifty long documents do not fill the arena. */
static void
test_long_batch(void **state)
{
    static const struct config wide = {.max_json = 8 * 1024 * 1024};
    size_t size = (size_t)50 * 20000;
    char *body = malloc(size);
    struct graphql_request_list list;
    struct sent sent = {.type = JSON};
    size_t len = 0;

    (void)state;
    assert_non_null(body);
    for (size_t i = 0; i < 50; i++) {
        len +=
            (size_t)snprintf(body + len, 40, "%s{\"query\":\"{", i ? "," : "[");
        memset(body + len, 'a', 15000);
        len += 15000;
        len += (size_t)snprintf(body + len, 40, "\\n}\"}");
    }
    body[len++] = ']';
    sent.body = (struct pst_str){body, len};
    begin(&sent);
    assert_int_equal(graphql_request_read(&req, &wide, &list), PST_OK);
    assert_int_equal(list.requests[49].document.len, 15003);
    free(body);
}

/* L8, U34: the message names the limit; it counts uncompressed bytes. */
static void
test_limits(void **state)
{
    static const char reason[] =
        "the request's JSON is larger than 2000 bytes (POSTERN_MAX_JSON)";
    static const struct sent bomb = {
        .type = JSON,
        .coding = "gzip",
        /* 3,000 spaces */
        .body = BODY(
            "\x1f\x8b\x08\x00\x00\x00\x00\x00\x02\x03\xed\xc1\x31\x01\x00\x00"
            "\x00\xc2\xa0\x2a\xeb\x9f\xd2\x1a\x1e\x40\x01\x00\x00\xef\x06\xac"
            "\x91\xf0\x17\xb8\x0b\x00\x00")};
    static char body[MAX_JSON + 2];
    struct graphql_request_list list;

    (void)state;
    for (size_t len = MAX_JSON; len <= MAX_JSON + 1; len++) {
        for (int chunked = 0; chunked < 2; chunked++) {
            struct sent sent = {
                .type = JSON, .body = {body, len}, .is_chunked = chunked};
            enum pst_err e;

            memset(body, ' ', len);
            memcpy(body, "{}", 2);
            e = receive(&sent, &list);
            assert_int_equal(e, len <= MAX_JSON ? PST_OK : PST_TOO_LARGE);
            if (e)
                assert_string_equal(list.reason, reason);
        }
    }
    assert_int_equal(receive(&bomb, &list), PST_TOO_LARGE);
    assert_string_equal(list.reason, reason);
}

static void
test_depth(void **state)
{
    char body[600] = "{\"variables\":{\"a\":";
    size_t start = strlen(body);
    struct sent sent = {.type = JSON, .body = {body, start + 2 * 255 + 2}};
    struct graphql_request_list list;

    (void)state;
    memset(body + start, '[', 255);
    memset(body + start + 255, ']', 255);
    memcpy(body + start + 2 * 255, "}}", 2);
    assert_int_equal(receive(&sent, &list), PST_TOO_LARGE);
    assert_string_equal(list.reason,
                        "the JSON is nested deeper than 256 levels (at byte "
                        "273)");
    body[start] = ' ';
    body[start + 2 * 255 - 1] = ' ';
    assert_int_equal(receive(&sent, &list), PST_OK);
}

static void
test_broken_bodies(void **state)
{
    static const struct sent sent = {.type = JSON, .body = BODY("{}")};
    struct graphql_request_list list;

    (void)state;
    begin(&sent);
    req.content_length = 10;
    assert_int_equal(graphql_request_read(&req, &config, &list), PST_MALFORMED);
    assert_string_equal(list.reason, "the body is shorter than announced");
    begin(&sent);
    req.content_length = -1;
    source.fail = PST_CLIENT_GONE;
    assert_int_equal(graphql_request_read(&req, &config, &list),
                     PST_CLIENT_GONE);
}

/* A type that is missing and one that is not supported: what the client must
 * send. */
static void
test_bad_type_reasons(void **state)
{
    static const struct {
        const char *type;
        const char *reason;
    } rows[] = {
        {NULL, "the Content-Type is missing: send application/json"},
        {"", "the Content-Type is missing: send application/json"},
        {"text/plain", "the Content-Type must be application/json or "
                       "multipart/form-data"},
    };

    (void)state;
    for (size_t i = 0; i < PST_COUNT(rows); i++) {
        const struct sent sent = {.type = rows[i].type, .body = BODY("{}")};
        struct graphql_request_list list;

        assert_int_equal(receive(&sent, &list), PST_BAD_TYPE);
        assert_string_equal(list.reason, rows[i].reason);
        pst_arena_reset(arena);
    }
}

static void
test_no_memory(void **state)
{
    static const struct sent sents[] = {
        {.type = JSON,
         .url = "languageCode=de",
         .body = BODY("[{\"query\":\"{\\n a}\",\"extensions\":{"
                      "\"persistedQuery\":{\"version\":1,\"sha256Hash\":"
                      "\"0123456789abcdef0123456789abcdef0123456789abcdef"
                      "0123456789abcdef\"}}}]")},
        {.method = "GET",
         .url = "query={a}&variables={%22a%22:1}&languageCode=de"},
    };

    (void)state;
    for (size_t i = 0; i < PST_COUNT(sents); i++) {
        enum pst_err e = PST_NO_MEMORY;
        size_t n;

        for (n = 1; e == PST_NO_MEMORY; n++) {
            struct graphql_request_list list;

            pst_arena_reset(arena);
            begin(&sents[i]);
            pst_arena_fail_at(arena, n);
            e = graphql_request_read(&req, &config, &list);
            if (e)
                assert_string_equal(list.reason, pst_err_text(e));
        }
        assert_int_equal(e, PST_OK);
        assert_in_range(n, 5, 30);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_posts, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_gets, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_batch, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_bad_batches, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_batch_sizes, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_long_batch, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_limits, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_depth, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_broken_bodies, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_bad_type_reasons, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(test_no_memory, set_up, tear_down),
    };

    return cmocka_run_group_tests_name("graphql_request", tests, NULL, NULL);
}
