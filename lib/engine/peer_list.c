/* SPDX-License-Identifier: ISC */
/*
 * peer_list.c - the allow-list of the addresses that may connect over TCP
 * (FCGI_WEB_SERVER_ADDRS).
 */
#include "engine/peer_list.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <string.h>

/* IPv4 addresses in IPv6 begin with this (RFC 4291 section 2.5.5.2). */
static const uint8_t ipv4_mapped_prefix[12] = {[10] = 0xff, [11] = 0xff};

static bool
ip_address_parse(const char *text, uint8_t out[static 16])
{
    memcpy(out, ipv4_mapped_prefix, sizeof(ipv4_mapped_prefix));
    return inet_pton(AF_INET, text, out + sizeof(ipv4_mapped_prefix)) == 1 ||
           inet_pton(AF_INET6, text, out) == 1;
}

enum pst_err
peer_list_parse(struct peer_list *out, struct pst_str text)
{
    struct peer_list list = {.count = 0};
    struct pst_str token;
    bool is_given = text.len > 0;

    while (pst_str_next_token(&text, ", \t", &token)) {
        char address[INET6_ADDRSTRLEN] = "";

        if (list.count == PEER_LIST_MAX)
            return PST_TOO_LARGE;
        if (token.len >= sizeof(address))
            return PST_MALFORMED;
        memcpy(address, token.ptr, token.len);
        if (!ip_address_parse(address, list.addresses[list.count]))
            return PST_MALFORMED;
        list.count++;
    }
    if (is_given && list.count == 0)
        return PST_MALFORMED; /* separators only must not allow everyone */
    *out = list;
    return PST_OK;
}

bool
peer_list_allows(const struct peer_list *list,
                 const struct sockaddr_storage *peer)
{
    uint8_t bytes[16];

    if (list->count == 0)
        return true;
    if (peer->ss_family == AF_INET) {
        const struct sockaddr_in *in = (const void *)peer;

        memcpy(bytes, ipv4_mapped_prefix, sizeof(ipv4_mapped_prefix));
        memcpy(bytes + sizeof(ipv4_mapped_prefix), &in->sin_addr, 4);
    } else if (peer->ss_family == AF_INET6) {
        const struct sockaddr_in6 *in6 = (const void *)peer;

        memcpy(bytes, &in6->sin6_addr, sizeof(bytes));
    } else {
        return true;
    }
    for (size_t i = 0; i < list->count; i++)
        if (memcmp(list->addresses[i], bytes, sizeof(bytes)) == 0)
            return true;
    return false;
}
