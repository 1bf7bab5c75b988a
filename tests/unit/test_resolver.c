/* SPDX-License-Identifier: ISC */
/*
 * test_resolver.c - names are looked up in other threads, kept for a few
 * seconds, and looked up again.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <arpa/inet.h>
#include <cmocka.h>
#include <pthread.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "engine/resolver.h"
#include "fake_clock.h"
#include "fake_names.h"

#define NEVER (INT64_C(1) << 50) /* a deadline; the pool's clock is real */

static struct socket_addresses found;
static const char *cause;

static enum pst_err
find(const char *host)
{
    cause = NULL;
    memset(&found, 0, sizeof(found));
    return resolver_find(host, "4000", NEVER, &found, &cause);
}

static int
set_up(void **state)
{
    (void)state;
    memset(fake_names, 0, sizeof(fake_names));
    fake_names[0] = "127.0.0.1";
    fake_name_lookups = 0;
    fake_name_delay = 0;
    return resolver_start() == PST_OK ? 0 : -1;
}

static int
tear_down(void **state)
{
    (void)state;
    resolver_stop();
    return 0;
}

static void
test_found(void **state)
{
    (void)state;
    fake_names[0] = "::1";
    fake_names[1] = "127.0.0.1";
    assert_int_equal(find("a.example"), PST_OK);
    assert_int_equal(found.count, 2);
    assert_int_equal(found.list[0].any.sa_family, AF_INET6);
    assert_int_equal(found.list[1].any.sa_family, AF_INET);
    assert_int_equal(ntohs(found.list[1].ipv4.sin_port), 4000);
}

/* Kept for a few seconds. Then a change of address is followed. */
static void
test_kept(void **state)
{
    (void)state;
    assert_int_equal(find("a.example"), PST_OK);
    fake_names[0] = "127.0.0.2";
    assert_int_equal(find("a.example"), PST_OK);
    assert_int_equal(fake_name_lookups, 1);
    assert_int_equal(ntohl(found.list[0].ipv4.sin_addr.s_addr), 0x7F000001);
    assert_int_equal(find("b.example"), PST_OK);
    assert_int_equal(fake_name_lookups, 2);
    assert_int_equal(ntohl(found.list[0].ipv4.sin_addr.s_addr), 0x7F000002);
    fake_clock_advance(5000);
    assert_int_equal(find("a.example"), PST_OK);
    assert_int_equal(fake_name_lookups, 3);
    assert_int_equal(ntohl(found.list[0].ipv4.sin_addr.s_addr), 0x7F000002);
}

/* A port is part of the address. More names than are kept are found as well. */
static void
test_many_names(void **state)
{
    char name[] = "a.example";

    (void)state;
    for (int round = 0; round < 2; round++)
        for (name[0] = 'a'; name[0] <= 'f'; name[0]++) {
            fake_clock_advance(1);
            assert_int_equal(find(name), PST_OK);
        }
    assert_int_equal(fake_name_lookups, 12);
    assert_int_equal(find("f.example"), PST_OK);
    assert_int_equal(fake_name_lookups, 12);
    assert_int_equal(resolver_find("f.example", "80", NEVER, &found, &cause),
                     PST_OK);
    assert_int_equal(fake_name_lookups, 13);
    assert_int_equal(ntohs(found.list[0].ipv4.sin_port), 80);
}

/* A new name takes the place of the oldest. */
static void
test_oldest(void **state)
{
    char name[] = "a.example";

    (void)state;
    for (name[0] = 'e'; name[0] >= 'a'; name[0]--) {
        fake_clock_advance(1);
        assert_int_equal(find(name), PST_OK);
    }
    for (name[0] = 'd'; name[0] >= 'a'; name[0]--)
        assert_int_equal(find(name), PST_OK);
    assert_int_equal(fake_name_lookups, 5);
    assert_int_equal(find("e.example"), PST_OK);
    assert_int_equal(fake_name_lookups, 6);
}

/* What is not found is not kept. */
static void
test_unknown(void **state)
{
    (void)state;
    fake_names[0] = NULL;
    assert_int_equal(find("a.example"), PST_UPSTREAM_DOWN);
    assert_non_null(cause);
    fake_names[0] = "127.0.0.1";
    assert_int_equal(find("a.example"), PST_OK);
}

/* The name server does not answer before the deadline. */
static void
test_deadline(void **state)
{
    (void)state;
    fake_name_delay = 50;
    assert_int_equal(resolver_find("slow.example", "80", 0, &found, &cause),
                     PST_UPSTREAM_TIMEOUT);
    assert_non_null(strstr(cause, "no name server answered"));
    usleep(100000); /* it may run still */
}

/* A look-up that was given up does not delay the end of the process. */
static void
test_stop(void **state)
{
    int gate[2];

    (void)state;
    assert_int_equal(pipe(gate), 0);
    fake_name_gate = gate[0];
    assert_int_equal(
        resolver_find("a.example", "80", clock_ms() + 50, &found, &cause),
        PST_UPSTREAM_TIMEOUT);
    resolver_stop(); /* would wait for ever */
    fake_name_gate = -1;
    assert_int_equal(write(gate[1], "g", 1), 1);
    /* What is found afterwards is kept. */
    assert_int_equal(find("b.example"), PST_OK);
    close(gate[1]);
    usleep(50000); /* it may run still */
}

static void *
find_once(void *unused)
{
    struct socket_addresses addresses;
    const char *why;
    enum pst_err e = resolver_find("a.example", "80", NEVER, &addresses, &why);

    PST_REQUIRE(e == PST_OK && addresses.count == 1);
    return unused;
}

/* Many that ask for a name at once ask the name server a few times. */
static void
test_at_once(void **state)
{
    pthread_t threads[24];

    (void)state;
    fake_name_delay = 20;
    for (size_t i = 0; i < PST_COUNT(threads); i++)
        assert_int_equal(pthread_create(&threads[i], NULL, find_once, NULL), 0);
    for (size_t i = 0; i < PST_COUNT(threads); i++)
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    assert_in_range(fake_name_lookups, 1, 4);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_found),   TEST(test_kept),    TEST(test_many_names),
        TEST(test_oldest),  TEST(test_unknown), TEST(test_deadline),
        TEST(test_at_once), TEST(test_stop),
    };

    return cmocka_run_group_tests_name("resolver", tests, NULL, NULL);
}
