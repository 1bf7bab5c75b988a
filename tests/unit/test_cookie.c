/* SPDX-License-Identifier: ISC */
/*
 * test_cookie.c - parse Cookie and write Set-Cookie: section 4 of the design,
 * RFC 6265bis, and the public vectors of both.
 */
#include "http/cookie.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#include <cmocka.h>

#include "vectors.h"

#define T PST_STR
#define LINE_MAX_LEN 8192

/* Parsing. */

/* Pairs as "name=value|name=value", so that rows can be read easily. */
static void
read_pairs(struct pst_str header, char *out, size_t size)
{
    struct pst_buf buf;
    struct pst_str name;
    struct pst_str value;
    struct pst_str text;

    pst_buf_init(&buf, out, size - 1);
    while (pst_cookie_next(&header, &name, &value)) {
        if (pst_buf_str(&buf).len > 0)
            pst_buf_add_char(&buf, '|');
        pst_buf_add(&buf, name);
        pst_buf_add_char(&buf, '=');
        pst_buf_add(&buf, value);
    }
    assert_true(pst_str_is_absent(header));
    assert_int_equal(pst_buf_finish(&buf, &text), PST_OK);
    out[text.len] = '\0';
}

static const struct {
    const char *name;
    const char *in;
    const char *want;
} reading[] = {
    {"no header at all (L8, L9)", NULL, ""},
    {"empty (L8)", "", ""},
    {"only = (L8)", "=", ""},
    {"only ;; (L8)", ";;", ""},
    {"only white space", " \t ", ""},
    {"one pair", "a=b", "a=b"},
    {"empty value", "a=", "a="},
    {"trimmed", "\t a \t=\t b \t;  c=d", "a=b|c=d"},
    {"quotes kept", "a=\"b\"", "a=\"b\""},
    {"; always ends", "a=\"b;c=d\"", "a=\"b|c=d\""},
    {"percent never decoded", "a=%3B%00; %61=c", "a=%3B%00|%61=c"},
    {"plus is plus", "a=b+c", "a=b+c"},
    {"second = belongs to the value", "a==b=", "a==b="},
    {"no = is dropped", "a; b=c; d", "b=c"},
    {"empty name is dropped", "=x; b=c; =y", "b=c"},
    {"white space is not a name", " =x; b=c", "b=c"},
    {"name that is not a token", "a b=1; a@=2; \"a\"=3; \xC3\xA9=4; b=c",
     "b=c"},
    {"control in the value", "a=1\x01; b=\x7F; d=\x1F; e=f", "e=f"},
    {"control in the name", "a\x02=1; e=f", "e=f"},
    {"LF and CR", "a=1\n; b=2\r; e=f", "e=f"},
    {"HTAB inside a value is not a control byte", "a=b\tc", "a=b\tc"},
    {"bytes from 0x80 kept", "a=\xFF\xC0\xAF", "a=\xFF\xC0\xAF"},
    {"a comma does not separate", "a=b, c=d", "a=b, c=d"},
    {"both of a name are seen", "a=1; a=2", "a=1|a=2"},
};

static void
test_reading(void **state)
{
    static char got[LINE_MAX_LEN];

    (void)state;
    for (size_t i = 0; i < PST_COUNT(reading); i++) {
        read_pairs(pst_str_from(reading[i].in), got, sizeof(got));
        if (strcmp(got, reading[i].want) != 0)
            fail_msg("%s: got \"%s\", want \"%s\"", reading[i].name, got,
                     reading[i].want);
    }
}

static void
test_reading_nul(void **state)
{
    char got[64];

    (void)state;
    read_pairs(T("a=1\0; b\0=2; c=3"), got, sizeof(got));
    assert_string_equal(got, "c=3");
}

/*
 * L6, L7: the time is linear in the length of the header. If it were quadratic,
 * 100,000 pairs would take minutes.
 */
static void
test_many_pairs(void **state)
{
    static const size_t counts[] = {10000, 100000};
    char *header = malloc(counts[1] * 8);
    clock_t start = clock();

    (void)state;
    assert_non_null(header);
    for (size_t i = 0; i < PST_COUNT(counts); i++) {
        struct pst_str value = PST_STR_NONE;
        struct pst_str name;
        struct pst_str rest = {header, counts[i] * 8};
        size_t seen = 0;

        for (size_t k = 0; k < counts[i]; k++)
            memcpy(header + k * 8, k == counts[i] / 2 ? "s=found;" : "aa=bbb; ",
                   8);
        while (pst_cookie_next(&rest, &name, &value))
            seen++;
        assert_int_equal(seen, counts[i]);
    }
    for (size_t i = 0; i < 2; i++) { /* L8: very long, without a pair */
        struct pst_str rest = {header, counts[1] * 8};

        memset(header, i ? 'x' : ';', rest.len);
        assert_false(pst_cookie_next(&rest, &rest, &rest));
    }
    free(header);
    assert_true((clock() - start) / CLOCKS_PER_SEC < 10);
}

/*
 * cookies.json: "plain" is a parser that decodes nothing. We agree with it on
 * every topic but the two in which pairs are skipped (section 4).
 */
static const struct {
    const char *topic;
    bool drops;
} reading_topics[] = {
    {"blank", false},         {"space-around-eq", false},
    {"quotes", false},        {"quoted-semicolon", false},
    {"stray-quote", false},   {"backslash", false},
    {"percent", false},       {"plus", false},
    {"comma", false},         {"space-in-value", false},
    {"nameless", false},      {"valueless", false},
    {"empty-piece", false},   {"duplicates", false},
    {"rfc2109-names", false}, {"non-ascii", false},
    {"several-lines", false}, {"name-not-token", true},
    {"control", true},
};

/* Section 4 again, written differently: the characters of a token. */
static bool
keeps_name(struct pst_str name)
{
    static const char token[] =
        "!#$%&'*+-.^_`|~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"
        "abcdefghijklmnopqrstuvwxyz";

    for (size_t i = 0; i < name.len; i++)
        if (!memchr(token, name.ptr[i], sizeof(token) - 1))
            return false;
    return name.len > 0;
}

static bool
keeps_value(struct pst_str value)
{
    for (size_t i = 0; i < value.len; i++) {
        unsigned char c = (unsigned char)value.ptr[i];

        if (c == 127 || (c < 32 && c != 9))
            return false;
    }
    return true;
}

static struct json_object *
get(struct json_object *value, const char *member)
{
    struct json_object *found = NULL;

    json_object_object_get_ex(value, member, &found);
    return found;
}

/* Several header lines, joined as a server does it. */
static char *
join_lines(struct json_object *lines, struct pst_str *out)
{
    size_t count = json_object_array_length(lines);
    char *joined = NULL;
    size_t len = 0;

    for (size_t i = 0; i < count; i++) {
        char *storage;
        struct pst_str line =
            vectors_latin1(json_object_array_get_idx(lines, i), &storage);

        joined = realloc(joined, len + line.len + 3);
        assert_non_null(joined);
        if (i > 0) {
            memcpy(joined + len, "; ", 2);
            len += 2;
        }
        memcpy(joined + len, line.ptr, line.len);
        len += line.len;
        free(storage);
    }
    *out = (struct pst_str){joined, len};
    return joined;
}

static bool
is_dropping_case(struct json_object *one)
{
    struct json_object *topics = get(one, "topics");
    bool drops = false;

    for (size_t i = 0; i < json_object_array_length(topics); i++) {
        const char *topic =
            json_object_get_string(json_object_array_get_idx(topics, i));
        size_t k = 0;

        while (k < PST_COUNT(reading_topics) &&
               strcmp(reading_topics[k].topic, topic) != 0)
            k++;
        if (k == PST_COUNT(reading_topics))
            fail_msg("%s: no rule for %s", vectors_string(one, "id"), topic);
        drops = drops || reading_topics[k].drops;
    }
    return drops;
}

/* The next pair must be this one. */
static void
assert_next(const char *id, struct pst_str *rest, struct pst_str name,
            struct pst_str value)
{
    struct pst_str n;
    struct pst_str v;

    if (!pst_cookie_next(rest, &n, &v))
        fail_msg("%s: %.*s is missing", id, (int)name.len, name.ptr);
    if (!pst_str_equal(n, name) || !pst_str_equal(v, value))
        fail_msg("%s: got %.*s=%.*s, want %.*s=%.*s", id, (int)n.len, n.ptr,
                 (int)v.len, v.ptr, (int)name.len, name.ptr, (int)value.len,
                 value.ptr);
}

static void
check_reading_case(struct json_object *one)
{
    const char *id = vectors_string(one, "id");
    struct json_object *plain = get(one, "plain");
    struct pst_str header;
    char *joined = join_lines(get(one, "headers"), &header);
    struct pst_str rest = header;
    struct pst_str extra;
    bool dropped = false;

    for (size_t i = 0; i < json_object_array_length(plain); i++) {
        struct json_object *pair = json_object_array_get_idx(plain, i);
        char *name_storage;
        char *value_storage;
        struct pst_str name =
            vectors_latin1(json_object_array_get_idx(pair, 0), &name_storage);
        struct pst_str value =
            vectors_latin1(json_object_array_get_idx(pair, 1), &value_storage);

        if (keeps_name(name) && keeps_value(value))
            assert_next(id, &rest, name, value);
        else
            dropped = true;
        free(name_storage);
        free(value_storage);
    }
    if (pst_cookie_next(&rest, &extra, &extra))
        fail_msg("%s: a pair too many", id);
    if (dropped != is_dropping_case(one))
        fail_msg("%s: its topics do not say what section 4 does", id);
    free(joined);
}

static void
test_reading_vectors(void **state)
{
    struct json_object *root = vectors_open("cookies.json");
    struct json_object *cases;

    (void)state;
    cases = get(root, "cases");
    assert_int_equal(json_object_array_length(cases), 231);
    for (size_t i = 0; i < 231; i++)
        check_reading_case(json_object_array_get_idx(cases, i));
    json_object_put(root);
}

/* Writing. */

static enum pst_err
emit(const struct pst_cookie *cookie, char *out, size_t size)
{
    struct pst_buf buf;
    struct pst_str text;
    enum pst_err e;

    pst_buf_init(&buf, out, size - 1);
    pst_cookie_emit(&buf, cookie);
    e = pst_buf_finish(&buf, &text);
    if (!e)
        out[text.len] = '\0';
    return e;
}

/* What is refused is refused at start and when written, with a reason. */
static enum pst_err
assert_refused(const char *name, const struct pst_cookie *cookie)
{
    static char line[LINE_MAX_LEN];
    const char *reason = NULL;
    enum pst_err e = emit(cookie, line, sizeof(line));

    if (e != PST_MALFORMED && e != PST_TOO_LARGE)
        fail_msg("%s: %s", name, pst_err_code(e));
    if (pst_cookie_check(cookie, &reason) != PST_BAD_CONFIG || !reason ||
        !reason[0])
        fail_msg("%s: not refused at start", name);
    return e;
}

static void
assert_line(const char *name, const struct pst_cookie *cookie, const char *want)
{
    static char line[LINE_MAX_LEN];
    const char *reason = "untouched";
    enum pst_err e = pst_cookie_check(cookie, &reason);

    if (e || strcmp(reason, "untouched") != 0)
        fail_msg("%s: refused at start: %s", name, reason);
    e = emit(cookie, line, sizeof(line));
    if (e)
        fail_msg("%s: %s", name, pst_err_code(e));
    if (strcmp(line, want) != 0)
        fail_msg("%s: got \"%s\", want \"%s\"", name, line, want);
}

#define NV .name = {"s", 1}, .value = {"v", 1}
#define NAME(literal) \
    .name = {"" literal, sizeof(literal) - 1}, .value = {"v", 1}
#define VALUE(literal) \
    .name = {"s", 1}, .value = {"" literal, sizeof(literal) - 1}
#define PATH(literal) .path = {"" literal, sizeof(literal) - 1}
#define DOMAIN(literal) .domain = {"" literal, sizeof(literal) - 1}

static const struct {
    const char *name;
    struct pst_cookie cookie;
    const char *want;
} writing[] = {
    {"bare", {NV}, "s=v"},
    {"value absent", {.name = {"s", 1}}, "s="},
    {"what we send by default (R30-R34)",
     {NAME("__Host-session"), PATH("/"), .http_only = true, .secure = true,
      .same_site = PST_SAME_SITE_LAX},
     "__Host-session=v; Path=/; HttpOnly; Secure; SameSite=Lax"},
    {"all of it, in order",
     {NV, PATH("/a"), DOMAIN("shop.example"), .has_max_age = true,
      .max_age = 60, .has_expires = true, .expires = 784111777,
      .http_only = true, .secure = true, .same_site = PST_SAME_SITE_NONE,
      .partitioned = true},
     "s=v; Path=/a; Domain=shop.example; Max-Age=60; "
     "Expires=Sun, 06 Nov 1994 08:49:37 GMT; HttpOnly; Secure; "
     "SameSite=None; Partitioned"},
    {"Strict", {NV, .same_site = PST_SAME_SITE_STRICT}, "s=v; SameSite=Strict"},
    {"Max-Age 0 (R38)", {NV, .has_max_age = true}, "s=v; Max-Age=0"},
    {"Max-Age of 400 days (R38)",
     {NV, .has_max_age = true, .max_age = 34560000},
     "s=v; Max-Age=34560000"},
    {"Max-Age not asked for", {NV, .max_age = 5}, "s=v"},
    {"Expires in 1601 (R39)",
     {NV, .has_expires = true, .expires = -11644473600},
     "s=v; Expires=Mon, 01 Jan 1601 00:00:00 GMT"},
    {"Expires in 9999, four digits (R39)",
     {NV, .has_expires = true, .expires = 253402300799},
     "s=v; Expires=Fri, 31 Dec 9999 23:59:59 GMT"},
    {"__Secure-",
     {NAME("__Secure-s"), DOMAIN("a.example"), .secure = true},
     "__Secure-s=v; Domain=a.example; Secure"},
    {"__Host- (R31)",
     {NAME("__Host-s"), PATH("/"), .secure = true},
     "__Host-s=v; Path=/; Secure"},
    {"__HOST- keeps its spelling",
     {NAME("__HOST-s"), PATH("/"), .secure = true},
     "__HOST-s=v; Path=/; Secure"},
    {"__Http- (R32)",
     {NAME("__Http-s"), DOMAIN("a.example"), PATH("/x"), .secure = true,
      .http_only = true},
     "__Http-s=v; Path=/x; Domain=a.example; HttpOnly; Secure"},
    {"__Host-Http- (R32)",
     {NAME("__Host-Http-s"), PATH("/"), .secure = true, .http_only = true},
     "__Host-Http-s=v; Path=/; HttpOnly; Secure"},
    {"one underscore is not a prefix", {NAME("_Host-s")}, "_Host-s=v"},
    {"a prefix in the middle is none", {NAME("a__Host-s")}, "a__Host-s=v"},
    {"IPv4 address", {NV, DOMAIN("127.0.0.1")}, "s=v; Domain=127.0.0.1"},
    {"the last IPv4 address",
     {NV, DOMAIN("255.255.255.255")},
     "s=v; Domain=255.255.255.255"},
    {"hex digits and a letter more", {NV, DOMAIN("0x7g")}, "s=v; Domain=0x7g"},
    {"first and last byte of a value and a path",
     {VALUE("!~"), PATH("/!~")},
     "s=!~; Path=/!~"},
    {"a label of digits not last", {NV, DOMAIN("1.a")}, "s=v; Domain=1.a"},
    {"upper case", {NV, DOMAIN("A.Example")}, "s=v; Domain=A.Example"},
    /*
     * R43 asks for SameSite=None beside Partitioned. The design (section 4)
     * asks for Secure only, and decides.
     */
    {"Partitioned with Secure (R43)",
     {NV, .secure = true, .partitioned = true},
     "s=v; Secure; Partitioned"},
};

static void
test_writing(void **state)
{
    (void)state;
    for (size_t i = 0; i < PST_COUNT(writing); i++)
        assert_line(writing[i].name, &writing[i].cookie, writing[i].want);
}

static const struct {
    const char *name;
    struct pst_cookie cookie;
} refusing[] = {
    {"no name (R37)", {.value = {"v", 1}}},
    {"empty name (R37)", {NAME("")}},
    {"space in name", {NAME("a b")}},
    {"= in name", {NAME("a=b")}},
    {"; in name (L31)", {NAME("a;b")}},
    {", in name", {NAME("a,b")}},
    {"CR in name (R58)", {NAME("a\rb")}},
    {"LF in name (R58)", {NAME("a\nb")}},
    {"NUL in name (R58)", {NAME("a\0b")}},
    {"byte from 0x80 in name", {NAME("a\xC3\xA9")}},
    {"CR in value (R36)", {VALUE("a\rb")}},
    {"LF in value (R36)", {VALUE("a\nb")}},
    {"NUL in value (R36)", {VALUE("a\0b")}},
    {"; in value (R36)", {VALUE("a;b")}},
    {", in value (R36)", {VALUE("a,b")}},
    {"space in value (R36)", {VALUE("a b")}},
    {"HTAB in value (R36)", {VALUE("a\tb")}},
    {"quote in value (R36)", {VALUE("a\"b")}},
    {"value in quotes (R36)", {VALUE("\"ab\"")}},
    {"backslash in value (R36)", {VALUE("a\\b")}},
    {"DEL in value (R36)", {VALUE("a\x7F")}},
    {"byte from 0x80 in value (R36)", {VALUE("a\x80")}},
    {"empty path", {NV, PATH("")}},
    {"relative path", {NV, PATH("a/b")}},
    {"CR in path (L31)", {NV, PATH("/a\rb")}},
    {"LF in path (L31)", {NV, PATH("/a\nb")}},
    {"NUL in path (L31)", {NV, PATH("/a\0b")}},
    {"; in path (L31)", {NV, PATH("/a;b")}},
    {"space in path", {NV, PATH("/a b")}},
    {"DEL in path", {NV, PATH("/a\x7F")}},
    {"byte from 0x80 in path", {NV, PATH("/\xC3\xA9")}},
    {"empty domain", {NV, DOMAIN("")}},
    {"CR in domain (L31)", {NV, DOMAIN("a\r.b")}},
    {"LF in domain (L31)", {NV, DOMAIN("a.b\n")}},
    {"NUL in domain (L31)", {NV, DOMAIN("a.b\0")}},
    {"; in domain (L31)", {NV, DOMAIN("a.b;Path=/")}},
    {", in domain (L31)", {NV, DOMAIN("a.b,c.d")}},
    {"leading dot", {NV, DOMAIN(".a.b")}},
    {"trailing dot", {NV, DOMAIN("a.b.")}},
    {"two dots", {NV, DOMAIN("a..b")}},
    {"label begins with -", {NV, DOMAIN("-a.b")}},
    {"label ends with -", {NV, DOMAIN("a-.b")}},
    {"underscore", {NV, DOMAIN("a_b.c")}},
    {"a port", {NV, DOMAIN("a.b:80")}},
    {"IPv6 address", {NV, DOMAIN("::1")}},
    {"three numbers", {NV, DOMAIN("10.0.1")}},
    {"a number too large", {NV, DOMAIN("10.0.0.256")}},
    {"a leading zero", {NV, DOMAIN("10.0.0.01")}},
    {"five numbers", {NV, DOMAIN("1.2.3.4.5")}},
    {"a hex number", {NV, DOMAIN("0x7f")}},
    {"a hex number with a 0 in it", {NV, DOMAIN("a.0x10")}},
    {"a name that ends in a number", {NV, DOMAIN("a.1")}},
    {"Max-Age below 0 (R38)", {NV, .has_max_age = true, .max_age = -1}},
    {"Max-Age over 400 days (R38)",
     {NV, .has_max_age = true, .max_age = 34560001}},
    {"Expires before 1601 (R39)",
     {NV, .has_expires = true, .expires = -11644473601}},
    {"Expires in the year 10000 (R39)",
     {NV, .has_expires = true, .expires = 253402300800}},
    {"None without Secure", {NV, .same_site = PST_SAME_SITE_NONE}},
    {"Partitioned without Secure (R43)",
     {NV, .partitioned = true, .same_site = PST_SAME_SITE_LAX}},
};

static void
test_refusing(void **state)
{
    (void)state;
    for (size_t i = 0; i < PST_COUNT(refusing); i++)
        if (assert_refused(refusing[i].name, &refusing[i].cookie) !=
            PST_MALFORMED)
            fail_msg("%s: it is not a matter of size", refusing[i].name);
}

/*
 * R30 to R32: every prefix, in four spellings, with every combination of the
 * attributes that matter. The rules are written here a second time.
 */
static void
check_prefix(const char *name, int needs_http, int needs_host)
{
    static const char *const paths[] = {NULL, "/", "/x"};

    for (unsigned bits = 0; bits < 8; bits++) {
        for (size_t p = 0; p < PST_COUNT(paths); p++) {
            struct pst_cookie cookie = {
                .name = pst_str_from(name),
                .value = T("v"),
                .path = pst_str_from(paths[p]),
                .domain = bits & 1 ? T("a.example") : PST_STR_NONE,
                .secure = bits & 2,
                .http_only = bits & 4,
            };
            bool good = (bits & 2) && (!needs_http || (bits & 4)) &&
                        (!needs_host || (!(bits & 1) && p == 1));
            const char *reason;

            if ((pst_cookie_check(&cookie, &reason) == PST_OK) != good)
                fail_msg("%s, bits %u, path %s: should %sbe allowed", name,
                         bits, paths[p] ? paths[p] : "absent",
                         good ? "" : "not ");
            if (!good)
                (void)assert_refused(name, &cookie);
        }
    }
}

static void
test_prefixes(void **state)
{
    static const struct {
        const char *name;
        int http;
        int host;
    } rows[] = {
        {"__Secure-s", 0, 0},    {"__secure-s", 0, 0},
        {"__SECURE-", 0, 0},     {"__sEcUrE-s", 0, 0},
        {"__Host-s", 0, 1},      {"__host-s", 0, 1},
        {"__HOST-", 0, 1},       {"__hoSt-s", 0, 1},
        {"__Http-s", 1, 0},      {"__http-s", 1, 0},
        {"__HTTP-", 1, 0},       {"__hTtP-s", 1, 0},
        {"__Host-Http-s", 1, 1}, {"__host-http-s", 1, 1},
        {"__HOST-HTTP-", 1, 1},  {"__Host-hTTp-s", 1, 1},
    };

    (void)state;
    for (size_t i = 0; i < PST_COUNT(rows); i++)
        check_prefix(rows[i].name, rows[i].http, rows[i].host);
    assert_true(pst_str_equal(pst_cookie_prefix(PST_STR("__hOst-Http-s")),
                              PST_STR("__Host-Http-")));
    assert_true(pst_str_equal(pst_cookie_prefix(PST_STR("__Host-Httpx")),
                              PST_STR("__Host-")));
    assert_true(pst_str_is_absent(pst_cookie_prefix(PST_STR("a__Host-"))));
    assert_true(pst_str_is_absent(pst_cookie_prefix(PST_STR_NONE)));
}

/*
 * R35: 4096 bytes of name and value, 1024 of an attribute, and one byte more.
 */
static void
test_sizes(void **state)
{
    static const struct {
        const char *name;
        size_t name_len;
        size_t value_len;
        size_t path_len;
        size_t domain_len;
        enum pst_err want;
    } rows[] = {
        {"value at the limit", 1, 4095, 1, 1, PST_OK},
        {"value over it", 1, 4096, 1, 1, PST_TOO_LARGE},
        {"name at the limit", 4096, 0, 1, 1, PST_OK},
        {"name over it", 4097, 0, 1, 1, PST_TOO_LARGE},
        {"both at the limit", 96, 4000, 1, 1, PST_OK},
        {"both over it", 97, 4000, 1, 1, PST_TOO_LARGE},
        {"path at the limit", 1, 1, 1024, 1, PST_OK},
        {"path over it", 1, 1, 1025, 1, PST_TOO_LARGE},
        {"domain's label at its limit", 1, 1, 1, 63, PST_OK},
        {"domain's label over it", 1, 1, 1, 64, PST_MALFORMED},
    };
    static char text[4200];
    static char path[1100];
    static char line[LINE_MAX_LEN];

    (void)state;
    memset(text, 'x', sizeof(text));
    memset(path, '/', sizeof(path));
    for (size_t i = 0; i < PST_COUNT(rows); i++) {
        struct pst_cookie cookie = {
            .name = {text, rows[i].name_len},
            .value = {text, rows[i].value_len},
            .path = {path, rows[i].path_len},
            .domain = {text, rows[i].domain_len},
        };
        enum pst_err e = emit(&cookie, line, sizeof(line));

        if (e != rows[i].want)
            fail_msg("%s: %s", rows[i].name, pst_err_code(e));
        if (e)
            (void)assert_refused(rows[i].name, &cookie);
    }
    /* Too large and also invalid is invalid: no smaller size would help. */
    assert_int_equal(
        emit(&(struct pst_cookie){.name = T("__Host-s"), .value = {text, 4200}},
             line, sizeof(line)),
        PST_MALFORMED);
}

static void
test_domain_length(void **state)
{
    char text[300];

    (void)state;
    for (size_t i = 0; i < sizeof(text); i++)
        text[i] = i % 2 ? '.' : 'a';
    assert_true(pst_cookie_is_domain((struct pst_str){text, 253}));
    assert_false(pst_cookie_is_domain((struct pst_str){text, 255}));
    assert_false(pst_cookie_is_domain(PST_STR_NONE));
}

/* A buffer that is too small never returns a part of a line. */
static void
test_no_room(void **state)
{
    static const char want[] = "s=v; Path=/; HttpOnly";
    struct pst_cookie cookie = {NV, PATH("/"), .http_only = true};
    char line[sizeof(want)];

    (void)state;
    for (size_t size = 0; size < sizeof(want); size++) {
        struct pst_buf buf;
        struct pst_str text;

        pst_buf_init(&buf, line, size);
        pst_cookie_emit(&buf, &cookie);
        assert_int_equal(pst_buf_finish(&buf, &text),
                         size < sizeof(want) - 1 ? PST_TOO_LARGE : PST_OK);
    }
}

/* R42: the line that deletes a cookie repeats its attributes. */
static void
test_clearing(void **state)
{
    static const struct {
        const char *name;
        struct pst_cookie cookie;
        const char *want;
    } rows[] = {
        {"bare", {NV}, "s=; Max-Age=0"},
        {"age and Expires replaced",
         {NV, .has_max_age = true, .max_age = 99, .has_expires = true,
          .expires = 784111777},
         "s=; Max-Age=0"},
        {"__Host-",
         {NAME("__Host-s"), PATH("/"), .secure = true, .http_only = true,
          .same_site = PST_SAME_SITE_LAX},
         "__Host-s=; Path=/; Max-Age=0; HttpOnly; Secure; SameSite=Lax"},
        {"everything",
         {NV, PATH("/a"), DOMAIN("b.example"), .secure = true,
          .http_only = true, .same_site = PST_SAME_SITE_NONE,
          .partitioned = true},
         "s=; Path=/a; Domain=b.example; Max-Age=0; HttpOnly; Secure; "
         "SameSite=None; Partitioned"},
        {"a value that could not be written", {VALUE("a;b")}, "s=; Max-Age=0"},
    };
    char line[256];

    (void)state;
    for (size_t i = 0; i < PST_COUNT(rows); i++) {
        struct pst_buf buf;
        struct pst_str text = PST_STR_NONE;

        pst_buf_init(&buf, line, sizeof(line));
        pst_cookie_emit_clear(&buf, &rows[i].cookie);
        assert_int_equal(pst_buf_finish(&buf, &text), PST_OK);
        if (!pst_str_equal(text, pst_str_from(rows[i].want)))
            fail_msg("%s: got \"%.*s\"", rows[i].name, (int)text.len, text.ptr);
    }
}

/*
 * set-cookie.json, by topic. Where test suites disagree we are the stricter, so
 * the file decides only the cases on which all agree.
 */
enum verdict {
    AS_GIVEN, /* the expected line or refusal of the case */
    REFUSE,
    VERBATIM, /* we write the value unchanged, whatever the case encodes it to
               */
};

static const struct {
    const char *topic;
    enum verdict verdict;
} writing_topics[] = {
    {"", AS_GIVEN},
    {"domain-dot", REFUSE},
    {"bad-domain", REFUSE},
    {"idna", REFUSE}, /* we expect xn-- names in the configuration */
    {"expires-before-1601", REFUSE},
    {"maxage-cap", REFUSE},
    {"none-needs-secure", REFUSE},
    {"partitioned-needs-secure", REFUSE},
    {"prefix-rules", REFUSE},
    {"size", REFUSE},
    {"value-not-octets", REFUSE},
    {"name-not-token", REFUSE},
    {"bad-path", REFUSE},
    {"path-space", REFUSE},
    {"relative-path", REFUSE},
    /* % is a cookie-octet; we never decode, so we never encode. */
    {"percent", VERBATIM},
};

static struct pst_str
text_of(struct json_object *value)
{
    if (!value)
        return PST_STR_NONE;
    return (struct pst_str){json_object_get_string(value),
                            (size_t)json_object_get_string_len(value)};
}

/* False for a SameSite that our enum does not have. */
static bool
same_site_of(struct json_object *value, enum pst_same_site *out)
{
    static const char *const names[] = {"", "Lax", "Strict", "None"};
    const char *name = value ? json_object_get_string(value) : "";

    for (unsigned i = 0; i < PST_COUNT(names); i++) {
        if (strcasecmp(names[i], name) != 0)
            continue;
        *out = (enum pst_same_site)i;
        return true;
    }
    return false;
}

/* Is each piece of a in b, ignoring case in attribute names and SameSite? */
static bool
holds_pieces(struct pst_str a, struct pst_str b)
{
    struct pst_str piece;
    bool first = true;

    while (pst_str_split(&a, ';', &piece)) {
        struct pst_str rest = b;
        struct pst_str other;
        bool found = false;

        piece = pst_str_trim(piece);
        for (bool head = true; pst_str_split(&rest, ';', &other);
             head = false) {
            struct pst_str trimmed = pst_str_trim(other);
            size_t equals = pst_str_index(trimmed, '=');
            bool free_case =
                !first && (equals == trimmed.len ||
                           pst_str_starts_nocase(trimmed, T("samesite=")));
            size_t name = first ? 0 : equals;

            if (head != first || trimmed.len != piece.len)
                continue;
            if (free_case)
                name = trimmed.len;
            if (pst_str_equal_nocase(pst_str_first(trimmed, name),
                                     pst_str_first(piece, name)) &&
                pst_str_equal(pst_str_skip(trimmed, name),
                              pst_str_skip(piece, name)))
                found = true;
        }
        if (!found)
            return false;
        first = false;
    }
    return true;
}

static size_t
count_pieces(struct pst_str text)
{
    struct pst_str piece;
    size_t count = 0;

    while (pst_str_split(&text, ';', &piece))
        count++;
    return count;
}

static enum verdict
verdict_of(struct json_object *one)
{
    const char *topic = vectors_string(one, "topic");

    for (size_t i = 0; i < PST_COUNT(writing_topics); i++)
        if (strcmp(writing_topics[i].topic, topic) == 0)
            return writing_topics[i].verdict;
    fail_msg("%s: no rule for %s", vectors_string(one, "id"), topic);
    return REFUSE;
}

static void
check_line(const char *id, const struct pst_cookie *cookie, const char *want)
{
    static char line[LINE_MAX_LEN];
    const char *reason = "";
    struct pst_str ours;
    struct pst_str theirs = pst_str_from(want);

    if (pst_cookie_check(cookie, &reason))
        fail_msg("%s: refused: %s", id, reason);
    if (emit(cookie, line, sizeof(line)))
        fail_msg("%s: not written", id);
    ours = pst_str_from(line);
    if (count_pieces(ours) != count_pieces(theirs) ||
        !holds_pieces(ours, theirs) || !holds_pieces(theirs, ours))
        fail_msg("%s: got \"%s\", want \"%s\"", id, line, want);
}

static void
check_writing_case(struct json_object *one)
{
    const char *id = vectors_string(one, "id");
    struct json_object *in = get(one, "input");
    struct json_object *age = get(in, "maxAge");
    struct json_object *expires = get(in, "expires");
    struct json_object *output = get(one, "output");
    enum verdict verdict = verdict_of(one);
    struct pst_cookie cookie = {
        .name = text_of(get(in, "name")),
        .value = text_of(get(in, "value")),
        .path = text_of(get(in, "path")),
        .domain = text_of(get(in, "domain")),
        .has_max_age = age != NULL,
        .max_age = json_object_get_int64(age),
        .has_expires = expires != NULL,
        .expires = json_object_get_int64(expires),
        .secure = json_object_get_boolean(get(in, "secure")),
        .http_only = json_object_get_boolean(get(in, "httpOnly")),
        .partitioned = json_object_get_boolean(get(in, "partitioned")),
    };
    char verbatim[256];

    assert_true((output != NULL) != (get(one, "refuse") != NULL));
    if (!same_site_of(get(in, "sameSite"), &cookie.same_site)) {
        if (output)
            fail_msg("%s: cannot be represented", id);
        return;
    }
    if (verdict == REFUSE || (verdict == AS_GIVEN && !output)) {
        (void)assert_refused(id, &cookie);
        return;
    }
    if (verdict == AS_GIVEN) {
        check_line(id, &cookie, json_object_get_string(output));
        return;
    }
    assert_true(snprintf(verbatim, sizeof(verbatim), "%.*s=%.*s",
                         (int)cookie.name.len, cookie.name.ptr,
                         (int)cookie.value.len,
                         cookie.value.ptr) < (int)sizeof(verbatim));
    check_line(id, &cookie, verbatim);
}

static void
test_writing_vectors(void **state)
{
    struct json_object *root = vectors_open("set-cookie.json");
    struct json_object *cases;

    (void)state;
    cases = get(root, "cases");
    assert_int_equal(json_object_array_length(cases), 152);
    for (size_t i = 0; i < 152; i++)
        check_writing_case(json_object_array_get_idx(cases, i));
    json_object_put(root);
}

/* R37: name, Domain, Path and Partitioned distinguish cookies. */
static void
test_is_same(void **state)
{
    static const struct {
        const char *a;
        const char *b;
        bool same;
    } rows[] = {
        {"s=v", "s=w", true},
        {"s=v; Path=/; HttpOnly; Secure", "s=; Path=/; Max-Age=0", true},
        {"s=v; Path=/; Domain=a.example", "s=v; Domain=A.example; Path=/",
         true},
        {"s=v; Path=/; Partitioned", "s=; Path=/; partitioned", true},
        {"s=v", "S=v", false},
        {"s=v", "ss=v", false},
        {"s=v; Path=/", "s=v; Path=/a", false},
        {"s=v; Path=/", "s=v", false},
        {"s=v; Path=/", "s=v; Path=/; Domain=a.example", false},
        {"s=v; Domain=b.example", "s=v; Domain=a.example", false},
        {"s=v; Path=/; Partitioned", "s=v; Path=/", false},
        {"s=Path=/a; Path=/", "s=; Path=/", true},
    };

    (void)state;
    for (size_t i = 0; i < PST_COUNT(rows); i++) {
        struct pst_str a = pst_str_from(rows[i].a);
        struct pst_str b = pst_str_from(rows[i].b);

        if (pst_cookie_is_same(a, b) != rows[i].same ||
            pst_cookie_is_same(b, a) != rows[i].same)
            fail_msg("%s and %s", rows[i].a, rows[i].b);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_reading),
        cmocka_unit_test(test_reading_nul),
        cmocka_unit_test(test_is_same),
        cmocka_unit_test(test_many_pairs),
        cmocka_unit_test(test_reading_vectors),
        cmocka_unit_test(test_writing),
        cmocka_unit_test(test_refusing),
        cmocka_unit_test(test_prefixes),
        cmocka_unit_test(test_sizes),
        cmocka_unit_test(test_domain_length),
        cmocka_unit_test(test_no_room),
        cmocka_unit_test(test_clearing),
        cmocka_unit_test(test_writing_vectors),
    };

    return cmocka_run_group_tests_name("cookie", tests, NULL, NULL);
}
