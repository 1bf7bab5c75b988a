/* SPDX-License-Identifier: ISC */
/*
 * test_client_address.c - which address counts behind proxies, and when the log
 * reports an unknown proxy (design 2.5).
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "gateway/client_address.h"

static void
test_client(void **state)
{
    static const struct {
        const char *name;
        const char *peer;
        const char *forwarded;
        const char *want;
    } rows[] = {
        {"a stranger", "203.0.113.9", "198.51.100.1", "203.0.113.9"},
        {"nothing forwarded", "10.0.0.1", NULL, "10.0.0.1"},
        {"empty", "10.0.0.1", "", "10.0.0.1"},
        {"the client", "10.0.0.1", "198.51.100.1", "198.51.100.1"},
        {"what the client wrote", "10.0.0.1", "192.0.2.66, 198.51.100.1",
         "198.51.100.1"},
        {"a proxy's address by the client", "10.0.0.1",
         "192.0.2.66, 10.0.0.7, 198.51.100.1", "198.51.100.1"},
        {"two proxies", "10.0.0.1", "198.51.100.1,10.9.9.9", "198.51.100.1"},
        {"all of them ours", "10.0.0.1", "10.0.0.3, 10.0.0.2", "10.0.0.3"},
        {"no address", "10.0.0.1", "198.51.100.1, unknown", "10.0.0.1"},
        {"no address, once inside", "10.0.0.1", "_hidden, 10.0.0.2",
         "10.0.0.2"},
        {"a comma and nothing", "10.0.0.1", "198.51.100.1,", "10.0.0.1"},
        {"a port", "10.0.0.1", "198.51.100.1:4711", "198.51.100.1"},
        {"IPv6", "2001:db8::7", "2001:db8:1::1", "2001:db8:1::1"},
        {"IPv6 with a port", "2001:db8::7", "[2001:db8:1::1]:80",
         "2001:db8:1::1"},
        {"IPv6 in brackets", "2001:db8::7", "[2001:db8:1::1]", "2001:db8:1::1"},
        {"an IPv6 neighbour", "2001:db8::8", "198.51.100.1", "2001:db8::8"},
        {"a network of 12 bits", "172.31.255.255", "198.51.100.1",
         "198.51.100.1"},
        {"beyond it", "172.32.0.0", "198.51.100.1", "172.32.0.0"},
        {"IPv4 inside IPv6", "::ffff:10.0.0.1", "198.51.100.1", "198.51.100.1"},
        {"a Unix socket", "", "198.51.100.1", ""},
        {"unix:", "unix:", "198.51.100.1", "unix:"},
    };
    static const struct pst_str trusted[] = {
        {"10.0.0.0/8", 10}, {"2001:db8::7", 11}, {"172.16.0.0/12", 13}};

    (void)state;
    for (size_t i = 0; i < PST_COUNT(rows); i++) {
        struct pst_str got = client_address_find(
            trusted, PST_COUNT(trusted), pst_str_from(rows[i].peer),
            pst_str_from(rows[i].forwarded));

        if (!pst_str_equal(got, pst_str_from(rows[i].want)))
            fail_msg("row '%s': %.*s", rows[i].name, (int)got.len, got.ptr);
    }
}

/* L20: without a list of proxies, no header says who the client is. */
static void
test_nobody_is_trusted(void **state)
{
    static const char peer[] = "127.0.0.1";

    (void)state;
    assert_ptr_equal(
        client_address_find(NULL, 0, pst_str_from(peer), PST_STR("192.0.2.1"))
            .ptr,
        peer);
}

/* A list that is all ours is followed so far, and no further. */
static void
test_hops(void **state)
{
    static const struct pst_str all = {"0.0.0.0/0", 9};
    static char list[100 * 10];
    struct pst_str got;

    (void)state;
    for (size_t i = 0; i < 100; i++)
        memcpy(list + 10 * i,
               (char[]){' ', '1', '0', '.', '0', '.', '0', '.',
                        (char)('0' + i % 10), ','},
               10);
    got = client_address_find(&all, 1, PST_STR("10.0.0.1"),
                              (struct pst_str){list, sizeof(list) - 1});
    assert_ptr_equal(got.ptr, list + 10 * (100 - CLIENT_ADDRESS_HOPS_MAX) + 1);
}

static unsigned
count_warnings(struct client_address_counter *counter, const char *address,
               unsigned logins)
{
    unsigned warnings = 0;

    while (logins-- > 0)
        warnings += client_address_count_login(counter, pst_str_from(address));
    return warnings;
}

static void
test_watch(void **state)
{
    static const char *const private[] = {
        "127.0.0.1",   "10.1.2.3",        "172.20.0.1", "192.168.1.1",
        "169.254.7.7", "100.64.0.1",      "::1",        "fd00::1",
        "fe80::1",     "::ffff:127.0.0.1"};
    static const char *const public[] = {
        "203.0.113.1", "2001:db8::1", "", "unix:", "128.0.0.1", "172.32.0.1"};

    (void)state;
    for (size_t i = 0; i < PST_COUNT(private); i++) {
        struct client_address_counter counter = {0};

        assert_int_equal(count_warnings(&counter, private[i],
                                        CLIENT_ADDRESS_WARN_LOGINS - 1),
                         0);
        if (count_warnings(&counter, private[i], 1) != 1)
            fail_msg("%s is not reported", private[i]);
        assert_int_equal(count_warnings(&counter, private[i], 200), 0);
    }
    for (size_t i = 0; i < PST_COUNT(public); i++) {
        struct client_address_counter counter = {0};

        if (count_warnings(&counter, public[i], 200) != 0)
            fail_msg("%s is reported", public[i]);
    }
}

static void
test_watch_of_several(void **state)
{
    struct client_address_counter counter = {0};

    (void)state;
    assert_int_equal(
        count_warnings(&counter, "127.0.0.1", CLIENT_ADDRESS_WARN_LOGINS - 1),
        0);
    assert_int_equal(count_warnings(&counter, "10.0.0.9", 1), 0);
    assert_int_equal(count_warnings(&counter, "127.0.0.1", 200), 0);
}

/* The warning is logged once, and never with trusted proxies. */
static void
test_note(void **state)
{
    static const struct {
        size_t trusted_proxy_count;
        unsigned logins;
        bool is_logged;
    } rows[] = {
        {1, 2 * CLIENT_ADDRESS_WARN_LOGINS, false},
        {2, 2 * CLIENT_ADDRESS_WARN_LOGINS, false},
        {0, CLIENT_ADDRESS_WARN_LOGINS - 1, false},
        {0, 1, true},
        {0, 2 * CLIENT_ADDRESS_WARN_LOGINS, false},
    };
    const struct request req = {.remote_addr = PST_STR("10.0.0.1")};
    char path[] = "/tmp/postern-address-XXXXXX";
    static struct config config; /* too large for a frame */
    struct context ctx = {.config = &config};
    int descriptor = mkstemp(path);

    (void)state;
    assert_true(descriptor >= 0);
    assert_int_equal(log_open(&ctx.log, path, LOG_LOGFMT, LEVEL_INFO, "test"),
                     PST_OK);
    for (size_t i = 0; i < PST_COUNT(rows); i++) {
        struct stat got;

        config.trusted_proxy_count = rows[i].trusted_proxy_count;
        for (unsigned n = 0; n < rows[i].logins; n++)
            client_address_note_login(&ctx, &req);
        assert_int_equal(fstat(descriptor, &got), 0);
        if ((got.st_size > 0) != rows[i].is_logged)
            fail_msg("row %zu: %lld bytes", i, (long long)got.st_size);
        assert_int_equal(ftruncate(descriptor, 0), 0);
    }
    log_close(&ctx.log);
    close(descriptor);
    unlink(path);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_client),
        cmocka_unit_test(test_nobody_is_trusted),
        cmocka_unit_test(test_hops),
        cmocka_unit_test(test_watch),
        cmocka_unit_test(test_watch_of_several),
        cmocka_unit_test(test_note),
    };

    return cmocka_run_group_tests_name("proxies", tests, NULL, NULL);
}
