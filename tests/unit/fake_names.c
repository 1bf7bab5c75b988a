/* SPDX-License-Identifier: ISC */
/*
 * fake_names.c - for tests: getaddrinfo() with the answers of the test.
 */
#include "fake_names.h"

#include <arpa/inet.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

const char *fake_names[8];
atomic_size_t fake_name_lookups;
atomic_int fake_name_delay;
atomic_int fake_name_gate = -1;

/* One result, with its address behind it. */
struct fake_result {
    struct addrinfo info;
    union {
        struct sockaddr any;
        struct sockaddr_in ipv4;
        struct sockaddr_in6 ipv6;
    } address;
};

static struct addrinfo *
make_result(const char *text, const char *port)
{
    struct fake_result *result = calloc(1, sizeof(*result));

    result->info.ai_addr = &result->address.any;
    result->info.ai_socktype = SOCK_STREAM;
    if (inet_pton(AF_INET, text, &result->address.ipv4.sin_addr) == 1) {
        result->info.ai_addrlen = sizeof(result->address.ipv4);
        result->info.ai_family = AF_INET;
    } else if (inet_pton(AF_INET6, text, &result->address.ipv6.sin6_addr) ==
               1) {
        result->info.ai_addrlen = sizeof(result->address.ipv6);
        result->info.ai_family = AF_INET6;
    } else {
        free(result);
        return NULL;
    }
    result->address.any.sa_family = (sa_family_t)result->info.ai_family;
    result->address.ipv4.sin_port = htons((uint16_t)strtol(port, NULL, 10));
    return &result->info;
}

int
getaddrinfo(const char *restrict node, const char *restrict service,
            const struct addrinfo *restrict hints,
            struct addrinfo **restrict out)
{
    struct addrinfo **end = out;

    *out = make_result(node, service);
    if (*out)
        return 0;
    if (hints->ai_flags & AI_NUMERICHOST)
        return EAI_NONAME;
    fake_name_lookups++;
    if (fake_name_gate >= 0 && read(fake_name_gate, &(char){0}, 1) < 0)
        return EAI_SYSTEM;
    usleep((useconds_t)fake_name_delay * 1000);
    for (size_t i = 0; fake_names[i]; i++) {
        *end = make_result(fake_names[i], service);
        end = &(*end)->ai_next;
    }
    return *out ? 0 : EAI_NONAME;
}

void
freeaddrinfo(struct addrinfo *found)
{
    while (found) {
        struct addrinfo *next = found->ai_next;

        free(found);
        found = next;
    }
}
