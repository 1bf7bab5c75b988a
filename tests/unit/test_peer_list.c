/* SPDX-License-Identifier: ISC */
/*
 * test_peer_list.c - lists of addresses, and who may connect by them.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <setjmp.h>

#include <arpa/inet.h>
#include <cmocka.h>
#include <netinet/in.h>
#include <string.h>

#include "engine/peer_list.h"

static void
test_parse(void **state)
{
    static const struct {
        const char *in;
        enum pst_err want;
        size_t count;
    } rows[] = {
        {NULL, PST_OK, 0},
        {"", PST_OK, 0},
        {"127.0.0.1", PST_OK, 1},
        {"127.0.0.1,10.0.0.1", PST_OK, 2},
        {" 127.0.0.1 , ::1 ", PST_OK, 2},
        {",", PST_MALFORMED, 0},
        {" ", PST_MALFORMED, 0},
        {"localhost", PST_MALFORMED, 0},
        {"127.0.0.1 x", PST_MALFORMED, 0},
        {"127.0.0.1:80", PST_MALFORMED, 0},
        {"127.0.0.0/8", PST_MALFORMED, 0},
        {"1111:1111:1111:1111:1111:1111:1111:1111:1111:1111", PST_MALFORMED, 0},
    };

    (void)state;
    for (size_t i = 0; i < PST_COUNT(rows); i++) {
        struct peer_list peers = {.count = 99};
        enum pst_err e = peer_list_parse(&peers, pst_str_from(rows[i].in));

        if (e != rows[i].want || peers.count != (e ? 99 : rows[i].count))
            fail_msg("row %zu '%s': %s, %zu", i, rows[i].in, pst_err_code(e),
                     peers.count);
    }
}

static void
test_too_many(void **state)
{
    char list[PEER_LIST_MAX * 8 + 16] = "";
    struct peer_list peers;
    struct pst_str text = {list, 0};

    (void)state;
    for (size_t i = 0; i <= PEER_LIST_MAX; i++) {
        assert_int_equal(peer_list_parse(&peers, text), PST_OK);
        memcpy(list + text.len, "1.2.3.4,", 8);
        text.len += 8;
    }
    assert_int_equal(peer_list_parse(&peers, text), PST_TOO_LARGE);
}

static void
test_allows(void **state)
{
    static const struct {
        const char *list;
        const char *peer;
        bool want;
    } rows[] = {
        {"", "192.0.2.1", true},
        {"192.0.2.1", "192.0.2.1", true},
        {"192.0.2.1", "192.0.2.2", false},
        {"192.0.2.2,192.0.2.1", "192.0.2.1", true},
        {"192.0.2.1", "::ffff:192.0.2.1", true},
        {"::ffff:192.0.2.1", "192.0.2.1", true},
        {"2001:db8::1", "2001:db8:0::0:1", true},
        {"2001:db8::1", "2001:db8::2", false},
        {"2001:db8::1", "192.0.2.1", false},
        {"192.0.2.1", "unix", true},
    };

    (void)state;
    for (size_t i = 0; i < PST_COUNT(rows); i++) {
        struct sockaddr_storage peer = {.ss_family = AF_UNIX};
        struct sockaddr_in *in = (void *)&peer;
        struct sockaddr_in6 *in6 = (void *)&peer;
        struct peer_list peers;

        if (inet_pton(AF_INET, rows[i].peer, &in->sin_addr) == 1)
            peer.ss_family = AF_INET;
        else if (inet_pton(AF_INET6, rows[i].peer, &in6->sin6_addr) == 1)
            peer.ss_family = AF_INET6;
        assert_int_equal(peer_list_parse(&peers, pst_str_from(rows[i].list)),
                         PST_OK);
        if (peer_list_allows(&peers, &peer) != rows[i].want)
            fail_msg("row '%s' and '%s'", rows[i].list, rows[i].peer);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_parse),
        cmocka_unit_test(test_too_many),
        cmocka_unit_test(test_allows),
    };

    return cmocka_run_group_tests_name("peer_list", tests, NULL, NULL);
}
