/* SPDX-License-Identifier: ISC */
/*
 * test_log_datagram.c - what comes before a line in a datagram. The end-to-end
 * tests have daemons that read it.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "server/log_datagram.h"

/* Of each level, syslog's priority is facility * 8 + severity. */
static const struct {
    enum log_level level;
    const char *syslog;
    const char *journald;
} rows[] = {
    {LEVEL_ERROR, "<27>Mar  9 05:06:07 postern-query[4711]: ",
     "PRIORITY=3\nSYSLOG_FACILITY=3\nSYSLOG_IDENTIFIER=postern-query\n"
     "POSTERN_EVENT=ready\nMESSAGE="},
    {LEVEL_WARNING, "<28>Mar  9 05:06:07 postern-query[4711]: ",
     "PRIORITY=4\nSYSLOG_FACILITY=3\nSYSLOG_IDENTIFIER=postern-query\n"
     "POSTERN_EVENT=ready\nMESSAGE="},
    {LEVEL_INFO, "<30>Mar  9 05:06:07 postern-query[4711]: ",
     "PRIORITY=6\nSYSLOG_FACILITY=3\nSYSLOG_IDENTIFIER=postern-query\n"
     "POSTERN_EVENT=ready\nMESSAGE="},
    {LEVEL_DEBUG, "<31>Mar  9 05:06:07 postern-query[4711]: ",
     "PRIORITY=7\nSYSLOG_FACILITY=3\nSYSLOG_IDENTIFIER=postern-query\n"
     "POSTERN_EVENT=ready\nMESSAGE="},
};

static void
assert_text(const struct pst_buf *buf, const char *want)
{
    assert_true(pst_str_equal(pst_buf_str(buf), pst_str_from(want)));
}

static void
head_of_each_level(void **state)
{
    const struct tm when = {.tm_mon = 2,
                            .tm_mday = 9,
                            .tm_hour = 5,
                            .tm_min = 6,
                            .tm_sec = 7,
                            .tm_year = 126};
    char storage[192];
    struct pst_buf buf;

    (void)state;
    for (size_t i = 0; i < PST_COUNT(rows); i++) {
        const struct log_datagram datagram = {rows[i].level, PST_STR("query"),
                                              4711, "ready"};

        pst_buf_init(&buf, storage, sizeof(storage));
        log_datagram_begin_syslog(&buf, &datagram, &when);
        assert_text(&buf, rows[i].syslog);
        pst_buf_init(&buf, storage, sizeof(storage));
        log_datagram_begin_journald(&buf, &datagram);
        assert_text(&buf, rows[i].journald);
    }
}

/* A time with every part as wide as it can be. */
static void
longest_time(void **state)
{
    const struct tm when = {.tm_mon = 11,
                            .tm_mday = 31,
                            .tm_hour = 23,
                            .tm_min = 59,
                            .tm_sec = 60,
                            .tm_year = 126};
    const struct log_datagram datagram = {LEVEL_INFO, PST_STR("login"), 1, "x"};
    char storage[192];
    struct pst_buf buf;

    (void)state;
    pst_buf_init(&buf, storage, sizeof(storage));
    log_datagram_begin_syslog(&buf, &datagram, &when);
    assert_text(&buf, "<30>Dec 31 23:59:60 postern-login[1]: ");
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(head_of_each_level),
        cmocka_unit_test(longest_time),
    };

    return cmocka_run_group_tests_name("log_datagram", tests, NULL, NULL);
}
