/* SPDX-License-Identifier: ISC */
/*
 * test_redirect.c - no target leads to another site (R70, L11, L14).
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <setjmp.h>

#include <cmocka.h>
#include <string.h>

#include "base/limits.h"
#include "http/redirect.h"
#include "vectors.h"

static void
check(const char *row, struct pst_str target, bool want)
{
    const struct pst_str home = PST_STR("/home");
    struct pst_str chosen = pst_redirect_choose(target, home);

    if (pst_redirect_is_local(target) != want)
        fail_msg("row '%s': %s", row, want ? "refused" : "taken as local");
    if (chosen.ptr != (want ? target.ptr : home.ptr) ||
        chosen.len != (want ? target.len : home.len))
        fail_msg("row '%s': '%.*s' was chosen", row, (int)chosen.len,
                 chosen.ptr);
}

static const char *const local[] = {
    "/",
    "/a",
    "/a/",
    "/a/b/c.html",
    "/a//b",
    "/a/b//c/d",
    "/a%2Fb",
    "/a%20b",
    "/%C3%BC",
    "/%ff",
    "/a%3Fb%23c",
    "/a%252e%252e/b",
    "/%252f%252fb",
    "/%255cb",
    "/...",
    "/.../a",
    "/.well-known/x",
    "/a./b",
    "/a..b/..c",
    "/a:b",
    "/a:b/c",
    "/a:/",
    "/@user",
    "/user@host",
    "/;a=b",
    "/~x",
    "/-._~!$&'()*+,;=:@",
    "/a|b^c",
    "/?",
    "/#",
    "/?a=b",
    "/a?b=//evil.example",
    "/a?b=https://evil.example/",
    "/a?b=/../c",
    "/a?b=%2F%2Fc",
    "/a?b=%5C",
    "/a?b=%0d%0a",
    "/a?b[]=c&d={e}",
    "/a?b?c",
    "/a#b",
    "/a#//b",
    "/a#b?c",
    "/a?b#c#d",
    "/#/../x",
    "/?/../x",
};

static void
test_local(void **state)
{
    (void)state;
    for (size_t i = 0; i < PST_COUNT(local); i++)
        check(local[i], pst_str_from(local[i]), true);
}

static const char *const not_local[] = {
    /* Not a path. */
    NULL,
    "",
    "a",
    "a/b",
    ".",
    "..",
    "./a",
    "../a",
    "?a",
    "#a",
    "%2f",
    "%2fa",
    "https://evil.example/",
    "HTTPS:/evil.example",
    "https:evil.example",
    "javascript:alert(1)",
    "data:text/html,x",
    "@evil.example",
    ":80",
    " /a",
    "\t/a",
    "\n/a",
    /* An authority: browsers read "\" as "/", and drop tab, CR and LF. */
    "//",
    "//evil.example",
    "///evil.example",
    "////evil.example",
    "/\\evil.example",
    "\\/evil.example",
    "\\\\evil.example",
    "/\t/evil.example",
    "/\r/evil.example",
    "/\n/evil.example",
    "/\t\\evil.example",
    "/ /evil.example",
    "/\v/evil.example",
    "//?",
    "//#",
    /* The same for programs that decode first. */
    "/%2fevil.example",
    "/%2Fevil.example",
    "/%2f%2fevil.example",
    "/%5cevil.example",
    "/%5Cevil.example",
    "/%09/evil.example",
    "/%0a/evil.example",
    "/%0d/evil.example",
    "/%00/evil.example",
    "/%7f",
    "/a%5cb",
    "/a%5c",
    /* Dot segments: what follows them may become an authority. */
    "/.",
    "/..",
    "/./",
    "/../",
    "/.//evil.example",
    "/..//evil.example",
    "/./\\evil.example",
    "/a/..//evil.example",
    "/a/.",
    "/a/..",
    "/a/./b",
    "/a/../b",
    "/a/../../b",
    "/%2e",
    "/%2E",
    "/%2e%2e",
    "/.%2e",
    "/%2e.",
    "/%2e/a",
    "/%2e%2e/a",
    "/a/%2E%2E/b",
    "/a%2f..",
    "/a%2f..%2fb",
    "/a%2f%2e%2e%2fb",
    "/..?a",
    "/..#a",
    "/.?a",
    /* Empty segments that are harmless, and ones that look like a scheme's. */
    "/a//",
    "/a///b",
    "/a/b////c",
    "/a%2f%2f%2fb",
    "/a//?b",
    "/a//#b",
    "/https://evil.example",
    "/https:///evil.example",
    "/https:%2f%2fevil.example",
    "/https:%2f/evil.example",
    "/a:b://c",
    "/://x",
    /* Bytes that a URL may not have. */
    "/a b",
    "/a\tb",
    "/a\rb",
    "/a\nb",
    "/a\r\nSet-Cookie: x=y",
    "/a\001b",
    "/a\x1F",
    "/a\x7F",
    "/a\\b",
    "/a\\",
    "/\xC3\xBC",
    "/a\xE2\x80\xA8",
    "/a\x80",
    "/\xA0/evil.example",
    "/<script>",
    "/a\"b",
    "/a>b",
    "/a%0d%0aSet-Cookie:%20x=y",
    "/a%0a",
    "/a%1f",
    /* Percent signs that encode nothing. */
    "/%",
    "/a%",
    "/a%4",
    "/a%zz",
    "/a%4g/b",
    "/%%34",
    "/%u0041",
    /* After the path, too, what a header may not have is refused. */
    "/a?b c",
    "/a?b\tc",
    "/a?b\r\nc",
    "/a?b\\c",
    "/a?b\xC3\xBC",
    "/a?b=<c>",
    "/a?b=\"c\"",
    "/a?b=%",
    "/a?b=%2",
    "/a?b=%gg",
    "/a#b c",
    "/a#b\nc",
    "/a#b\\c",
    "/a#b\xFF",
    "/a#b%",
    "/a#<b>",
};

static void
test_not_local(void **state)
{
    (void)state;
    for (size_t i = 0; i < PST_COUNT(not_local); i++)
        check(not_local[i] ? not_local[i] : "absent",
              pst_str_from(not_local[i]), false);
    check("cut by the length", (struct pst_str){"/%41", 3}, false);
    check("NUL", PST_STR("/a\0b"), false);
    check("NUL after", PST_STR("/a\0"), false);
    check("NUL, then a slash", PST_STR("/\0/evil.example"), false);
    check("NUL in a query", PST_STR("/a?b\0c"), false);
}

/* Each byte, in each part of a target, and as "%XX" in its path. */
static void
test_every_byte(void **state)
{
    (void)state;
    for (int byte = 0; byte < 256; byte++) {
        char path[] = "/ab?c";
        char query[] = "/a?bc";
        char coded[] = "/a%..b";
        bool url = byte > 0x20 && byte < 0x7F && byte != '\\' && byte != '<' &&
                   byte != '>' && byte != '"' && byte != '%';
        bool hidden = byte >= 0x20 && byte != 0x7F && byte != '\\';

        path[2] = (char)byte;
        query[4] = (char)byte;
        coded[3] = pst_hex_digit((unsigned)byte >> 4);
        coded[4] = pst_hex_digit((unsigned)byte);
        if (pst_redirect_is_local((struct pst_str){path, 5}) != url ||
            pst_redirect_is_local((struct pst_str){query, 5}) != url ||
            pst_redirect_is_local((struct pst_str){coded, 6}) != hidden)
            fail_msg("byte 0x%02X", (unsigned)byte);
    }
}

static void
test_length(void **state)
{
    static char target[PST_RETURN_TO_MAX + 1];

    (void)state;
    memset(target, 'a', sizeof(target));
    target[0] = '/';
    check("longest", (struct pst_str){target, PST_RETURN_TO_MAX}, true);
    check("too long", (struct pst_str){target, PST_RETURN_TO_MAX + 1}, false);
    target[1] = '?';
    check("long query", (struct pst_str){target, PST_RETURN_TO_MAX}, true);
    check("too long a query", (struct pst_str){target, PST_RETURN_TO_MAX + 1},
          false);
}

/*
 * Listed as "deny" because they must not lead to another site, and they do not:
 * what looks like an address is only data after "?" or inside one segment, and
 * what looks like CR and LF is four or six encoded bytes, which are written so.
 * Refusing them would refuse valid targets of the same form that the file wants
 * allowed ("/app?u=https://ok.example/", "/%C3%BC", "/@user").
 */
static bool
stays_here(const char *id)
{
    static const char *const ids[] = {
        "o2p-122", "o2p-124", "o2p-125", "o2p-150",
        "o2p-152", "own-57",  "own-59",  "own-77",
    };

    for (size_t i = 0; i < PST_COUNT(ids); i++) {
        if (strcmp(id, ids[i]) == 0)
            return true;
    }
    return false;
}

static void
test_public_vectors(void **state)
{
    struct json_object *root = vectors_open("return-to.json");
    struct json_object *cases = NULL;

    (void)state;
    assert_true(json_object_object_get_ex(root, "cases", &cases));
    assert_true(json_object_array_length(cases) >= 501);
    for (size_t i = 0; i < json_object_array_length(cases); i++) {
        struct json_object *entry = json_object_array_get_idx(cases, i);
        const char *id = vectors_string(entry, "id");
        bool allow = strcmp(vectors_string(entry, "class"), "allow") == 0;
        struct json_object *value = NULL;

        assert_true(json_object_object_get_ex(entry, "value", &value));
        check(id,
              (struct pst_str){json_object_get_string(value),
                               (size_t)json_object_get_string_len(value)},
              allow || stays_here(id));
    }
    json_object_put(root);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_local),          cmocka_unit_test(test_not_local),
        cmocka_unit_test(test_every_byte),     cmocka_unit_test(test_length),
        cmocka_unit_test(test_public_vectors),
    };

    return cmocka_run_group_tests_name("redirect", tests, NULL, NULL);
}
