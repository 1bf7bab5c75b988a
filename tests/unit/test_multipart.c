/* SPDX-License-Identifier: ISC */
/*
 * test_multipart.c - the first part of a form with files, or a refusal of
 * what two readers may read differently (RFC 7578, RFC 2046 5.1).
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "multipart.h"

#define TYPE "multipart/form-data; boundary=xx"
#define FORM "Content-Disposition: form-data; name=\"operations\"\r\n"
#define REST "\r\n--xx\r\nContent-Disposition: form-data; name=\"0\"\r\n\r\nf"
#define PART(name) \
    "--xx\r\nContent-Disposition: form-data; name=\"" name "\"\r\n\r\n"
#define TWO "--xx\r\n" FORM "\r\n{}\r\n"

static void
test_rows(void **state)
{
    static const struct {
        const char *name;
        const char *type;
        const char *head;
        enum pst_err e;
        const char *want;
    } rows[] = {
        {"plain", TYPE, "--xx\r\n" FORM "\r\n{}" REST, PST_OK, "{}"},
        {"quoted boundary", "multipart/form-data; boundary=\"xx\"",
         "--xx\r\n" FORM "\r\n{}" REST, PST_OK, "{}"},
        {"name without quotes", TYPE,
         "--xx\r\ncontent-disposition:form-data;name=operations\r\n\r\n{}" REST,
         PST_OK, "{}"},
        {"a type beside", TYPE,
         "--xx\r\n" FORM "Content-Type: application/json\r\n\r\n{}" REST,
         PST_OK, "{}"},
        {"lines inside", TYPE, "--xx\r\n" FORM "\r\n{\r\n--x}" REST, PST_OK,
         "{\r\n--x}"},
        {"empty", TYPE, "--xx\r\n" FORM "\r\n" REST, PST_OK, ""},
        {"no boundary", "multipart/form-data", "--xx\r\n" FORM "\r\n{}" REST,
         PST_MALFORMED, NULL},
        {"two boundaries", TYPE "; boundary=yy", "--xx\r\n" FORM "\r\n{}" REST,
         PST_MALFORMED, NULL},
        {"another boundary", TYPE, "--yy\r\n" FORM "\r\n{}" REST, PST_MALFORMED,
         NULL},
        {"a preamble", TYPE, "a\r\n--xx\r\n" FORM "\r\n{}" REST, PST_MALFORMED,
         NULL},
        {"another name first", TYPE,
         "--xx\r\nContent-Disposition: form-data; name=\"map\"\r\n\r\n{}" REST,
         PST_MALFORMED, NULL},
        {"two names", TYPE,
         "--xx\r\nContent-Disposition: form-data; name=\"operations\"; "
         "name=\"x\"\r\n\r\n{}" REST,
         PST_MALFORMED, NULL},
        {"two dispositions", TYPE, "--xx\r\n" FORM FORM "\r\n{}" REST,
         PST_MALFORMED, NULL},
        {"a file", TYPE,
         "--xx\r\nContent-Disposition: form-data; name=\"operations\"; "
         "filename=\"x\"\r\n\r\n{}" REST,
         PST_MALFORMED, NULL},
        {"an encoding", TYPE,
         "--xx\r\n" FORM "Content-Transfer-Encoding: base64\r\n\r\ne30=" REST,
         PST_MALFORMED, NULL},
        {"a charset", TYPE,
         "--xx\r\n" FORM "Content-Type: application/json; charset=utf-7\r\n"
         "\r\n{}" REST,
         PST_MALFORMED, NULL},
        {"no name at all", TYPE, "--xx\r\n\r\n{}" REST, PST_MALFORMED, NULL},
        {"it does not end", TYPE, "--xx\r\n" FORM "\r\n{}", PST_TOO_LARGE,
         NULL},
        {"its head does not end", TYPE, "--xx\r\n" FORM, PST_TOO_LARGE, NULL},
        {"nothing", TYPE, "", PST_MALFORMED, NULL},
        /* What makes a file of a part, in whatever letters: a backend that
         * reads it so takes another part for the operations. */
        {"a FILE", TYPE, PART("operations\"; FILENAME=\"a") "{}" REST,
         PST_MALFORMED, NULL},
        {"a file in RFC 5987's spelling", TYPE,
         PART("operations\"; Filename*=utf-8''a; x=\"") "{}" REST,
         PST_MALFORMED, NULL},
        {"a NAME* beside", TYPE,
         PART("operations\"; NAME*=utf-8''map; x=\"") "{}" REST, PST_MALFORMED,
         NULL},
        {"another parameter", TYPE, PART("operations\"; x=\"y") "{}" REST,
         PST_MALFORMED, NULL},
        {"no form-data", TYPE,
         "--xx\r\nContent-Disposition: attachment; name=\"operations\"\r\n\r\n"
         "{}" REST,
         PST_MALFORMED, NULL},
        {"a type that makes a file", TYPE,
         "--xx\r\n" FORM
         "Content-Type: application/octet-stream\r\n\r\n{}" REST,
         PST_MALFORMED, NULL},
        {"two charsets", TYPE,
         "--xx\r\n" FORM "Content-Type: text/plain; charset=a; charset=a\r\n"
         "\r\n{}" REST,
         PST_MALFORMED, NULL},
        /* A second part of the name: which one counts is each reader's own. */
        {"a second one", TYPE, TWO PART("operations") "{}\r\n--xx--\r\n",
         PST_MALFORMED, NULL},
        {"a second one that does not end", TYPE, TWO PART("operations") "{",
         PST_MALFORMED, NULL},
        {"a third one", TYPE, TWO PART("map") "{}\r\n" PART("operations") "{}",
         PST_MALFORMED, NULL},
        {"a second one without quotes", TYPE,
         TWO "--xx\r\ncontent-disposition:form-data; Name=operations\r\n\r\n",
         PST_MALFORMED, NULL},
        {"a second one as a file", TYPE,
         TWO PART("operations\"; filename=\"a") "{}", PST_MALFORMED, NULL},
        {"a second one behind an escape", TYPE, TWO PART("\\operations") "{}",
         PST_MALFORMED, NULL},
        {"a second one by name*", TYPE,
         TWO PART("map\"; name*=utf-8''operations; x=\"") "{}", PST_MALFORMED,
         NULL},
        {"a part of two names", TYPE, TWO PART("map\"; name=\"operations") "{}",
         PST_MALFORMED, NULL},
        {"a part of two dispositions", TYPE,
         TWO "--xx\r\nContent-Disposition: form-data; name=map\r\n"
             "Content-Disposition: form-data; name=operations\r\n\r\n{}",
         PST_MALFORMED, NULL},
        {"a part of a folded line", TYPE,
         TWO "--xx\r\nContent-Disposition: form-data;\r\n name=operations\r\n"
             "\r\n{}",
         PST_MALFORMED, NULL},
        {"a part without a name", TYPE, TWO "--xx\r\n\r\n{}", PST_MALFORMED,
         NULL},
        {"a part that only some readers see", TYPE,
         TWO PART("0") "a\n" PART("operations") "{}", PST_MALFORMED, NULL},
        {"a line that is a boundary to some", TYPE,
         TWO "--xxy\r\nContent-Disposition: form-data; name=x\r\n\r\n",
         PST_MALFORMED, NULL},
        {"files and a map", TYPE,
         TWO PART("map") "{}\r\n--xx \r\n"
                         "Content-Disposition: form-data; name=\"0\"; "
                         "filename=\"a;b.png\"\r\n"
                         "Content-Type: image/png\r\nContent-Length: 3\r\n\r\n"
                         "\n--x\r\n--xx--\r\n" PART("operations"),
         PST_OK, "{}"},
        {"cut off in a later head", TYPE,
         TWO "--xx\r\nContent-Disposition: form-data; na", PST_OK, "{}"},
        {"cut off in a later line", TYPE, TWO "--x", PST_TOO_LARGE, NULL},
        {"cut off behind a boundary", TYPE, TWO "--xx", PST_OK, "{}"},
    };

    (void)state;
    for (size_t i = 0; i < PST_COUNT(rows); i++) {
        struct pst_text out = PST_NO_TEXT;
        enum pst_err e = pst_multipart_first(pst_text_from(rows[i].type),
                                             pst_text_from(rows[i].head),
                                             PST_TEXT("operations"), &out);

        if (e != rows[i].e ||
            (!e && !pst_text_equal(out, pst_text_from(rows[i].want))))
            fail_msg("%s: %s \"%.*s\"", rows[i].name, pst_err_code(e),
                     (int)out.len, out.ptr ? out.ptr : "");
    }
}

/* A boundary is at most 70 characters long. */
static void
test_long_boundary(void **state)
{
    char type[200] = "multipart/form-data; boundary=";
    struct pst_text out;
    size_t len = strlen(type);

    (void)state;
    memset(type + len, 'x', 71);
    assert_int_equal(pst_multipart_first((struct pst_text){type, len + 71},
                                         PST_TEXT("--x"),
                                         PST_TEXT("operations"), &out),
                     PST_MALFORMED);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rows),
        cmocka_unit_test(test_long_boundary),
    };

    return cmocka_run_group_tests_name("multipart", tests, NULL, NULL);
}
