/* SPDX-License-Identifier: ISC */
/*
 * test_fcgi_answer.c - the records that we write ourselves, byte for byte.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "engine/fcgi_answer.h"

static char storage[FCGI_ANSWERS_MAX];
static struct pst_buf buf;

static int
set_up(void **state)
{
    (void)state;
    pst_buf_init(&buf, storage, sizeof(storage));
    return 0;
}

static void
check_bytes(const char *want, size_t len)
{
    struct pst_str got;

    assert_int_equal(pst_buf_finish(&buf, &got), PST_OK);
    assert_int_equal(got.len, len);
    assert_memory_equal(got.ptr, want, len);
}

#define CHECK(want) check_bytes(want, sizeof(want) - 1)

static void
test_management(void **state)
{
    (void)state;
    fcgi_answer_end_request(&buf, 258, FCGI_STATUS_UNKNOWN_ROLE);
    fcgi_answer_unknown_type(&buf, 42);
    fcgi_answer_get_values(&buf, PST_STR("\17\0FCGI_MPXS_CONNS"));
    fcgi_answer_get_values(&buf, PST_STR("\16\0FCGI_MAX_CONNS"));
    fcgi_answer_invalid(&buf, 259);
    CHECK("\1\3\1\2\0\10\0\0\0\0\0\0\3\0\0\0"
          "\1\13\0\0\0\10\0\0\52\0\0\0\0\0\0\0"
          "\1\12\0\0\0\22\0\0\17\1FCGI_MPXS_CONNS0"
          "\1\12\0\0\0\0\0\0"
          "\1\14\1\3\0\0\0\0");
}

static void
test_at_once(void **state)
{
    static const uint8_t headers[][FCGI_HEADER_LEN] = {
        {2, 1, 0, 1, 0, 8}, {1, 4, 0, 1, 0, 8}, {1, 1, 0, 0, 0, 8}};
    static const uint8_t header[FCGI_HEADER_LEN] = {1, 1, 1, 2, 0, 8, 0, 0};

    (void)state;
    for (size_t i = 0; i < PST_COUNT(headers); i++)
        assert_false(fcgi_answer_at_once(&buf, headers[i], PST_STR("x")));
    assert_int_equal(buf.len, 0);
    assert_true(fcgi_answer_at_once(&buf, header, PST_STR("Status: 503")));
    CHECK("\1\6\1\2\0\13\0\0Status: 503"
          "\1\6\1\2\0\0\0\0"
          "\1\3\1\2\0\10\0\0\0\0\0\0\0\0\0\0");
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_management, set_up),
        cmocka_unit_test_setup(test_at_once, set_up),
    };

    return cmocka_run_group_tests_name("fcgi_answer", tests, NULL, NULL);
}
