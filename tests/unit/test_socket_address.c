/* SPDX-License-Identifier: ISC */
/*
 * test_socket_address.c - IP addresses, paths of Unix sockets, and what
 * getaddrinfo() finds.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <arpa/inet.h>
#include <cmocka.h>

#include "engine/socket_address.h"

static void
test_parse(void **state)
{
    static const struct {
        const char *host;
        int family; /* 0: no address */
    } rows[] = {
        {"127.0.0.1", AF_INET},
        {"::1", AF_INET6},
        {"127.1", AF_INET},
        {"2001:db8::1", AF_INET6},
        {"localhost", 0},
        {"a.example", 0},
        {"", 0},
        {"127.0.0.1.", 0},
    };

    (void)state;
    for (size_t i = 0; i < PST_COUNT(rows); i++) {
        struct socket_address address = {.len = 0};
        bool is_parsed = socket_address_parse(&address, rows[i].host, "4000");

        if (is_parsed != (rows[i].family != 0) ||
            (is_parsed && address.any.sa_family != rows[i].family) ||
            (address.len > 0) != is_parsed)
            fail_msg("'%s': wrong", rows[i].host);
        if (is_parsed)
            assert_int_equal(ntohs(address.ipv4.sin_port), 4000);
    }
}

static void
test_path(void **state)
{
    struct socket_address address = {.len = 0};
    char path[109];

    (void)state;
    memset(path, 'a', sizeof(path));
    path[108] = '\0';
    assert_false(socket_address_set_path(&address, path));
    assert_false(socket_address_set_path(&address, ""));
    assert_int_equal(address.len, 0);
    path[107] = '\0';
    assert_true(socket_address_set_path(&address, path));
    assert_string_equal(address.local.sun_path, path);
    assert_int_equal(address.local.sun_family, AF_UNIX);
}

/* Other families are left out, and so is what is too much. */
static void
test_found(void **state)
{
    struct sockaddr_in first = {.sin_family = AF_INET, .sin_port = 1};
    struct sockaddr_in6 second = {.sin6_family = AF_INET6, .sin6_port = 2};
    struct sockaddr other = {.sa_family = AF_UNIX};
    struct addrinfo found[SOCKET_ADDRESSES_MAX + 4] = {
        {.ai_family = AF_UNIX, .ai_addrlen = sizeof(other), .ai_addr = &other},
        {.ai_family = AF_INET6,
         .ai_addrlen = sizeof(second),
         .ai_addr = (struct sockaddr *)(void *)&second},
    };
    struct socket_addresses addresses = {.count = 99};

    (void)state;
    for (size_t i = 2; i < PST_COUNT(found); i++)
        found[i] =
            (struct addrinfo){.ai_family = AF_INET,
                              .ai_addrlen = sizeof(first),
                              .ai_addr = (struct sockaddr *)(void *)&first};
    for (size_t i = 0; i + 1 < PST_COUNT(found); i++)
        found[i].ai_next = &found[i + 1];
    socket_addresses_set(&addresses, found);
    assert_int_equal(addresses.count, SOCKET_ADDRESSES_MAX);
    assert_int_equal(addresses.list[0].ipv6.sin6_port, 2);
    assert_int_equal(addresses.list[0].len, sizeof(second));
    assert_int_equal(addresses.list[1].ipv4.sin_port, 1);
    socket_addresses_set(&addresses, NULL);
    assert_int_equal(addresses.count, 0);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_parse),
        cmocka_unit_test(test_path),
        cmocka_unit_test(test_found),
    };

    return cmocka_run_group_tests_name("socket_address", tests, NULL, NULL);
}
