/* SPDX-License-Identifier: ISC */
/*
 * client_address.c - find the client's address in X-Forwarded-For, behind
 * trusted proxies, and warn when their list seems to be missing.
 */
#include "gateway/client_address.h"

#include <arpa/inet.h>
#include <limits.h>
#include <string.h>

/* IPv4 addresses are mapped into IPv6 (RFC 4291 section 2.5.5.2). */
#define ADDRESS_LEN 16
#define MAPPED_PREFIX_LEN 12
#define MAPPED_BITS 96

/* A count: logins come from several addresses, and are not counted. */
#define COUNTING_STOPPED UINT_MAX

static bool
parse_ip_address(struct pst_str text, uint8_t out[static ADDRESS_LEN])
{
    static const uint8_t mapped[MAPPED_PREFIX_LEN] = {[10] = 0xFF, [11] = 0xFF};
    char string[INET6_ADDRSTRLEN];

    if (text.len == 0 || text.len >= sizeof(string))
        return false;
    memcpy(string, text.ptr, text.len);
    string[text.len] = '\0';
    if (strlen(string) != text.len)
        return false;
    if (inet_pton(AF_INET6, string, out) == 1)
        return true;
    memcpy(out, mapped, sizeof(mapped));
    return inet_pton(AF_INET, string, out + MAPPED_PREFIX_LEN) == 1;
}

/* Is the address in this network? */
static bool
is_address_in_network(const uint8_t address[static ADDRESS_LEN],
                      struct pst_str network)
{
    size_t slash = pst_str_index(network, '/');
    struct pst_str base = pst_str_first(network, slash);
    bool is_v4 = pst_str_index(base, ':') == base.len;
    uint8_t base_address[ADDRESS_LEN];
    int64_t bits = is_v4 ? 32 : 128;
    size_t whole;
    uint8_t mask;

    if (!parse_ip_address(base, base_address))
        return false;
    if (slash < network.len &&
        pst_str_parse_number(pst_str_skip(network, slash + 1), &bits) != PST_OK)
        return false;
    bits += is_v4 ? MAPPED_BITS : 0;
    if (bits > 8 * ADDRESS_LEN)
        return false;
    whole = (size_t)bits / 8;
    mask = (uint8_t)(0xFF00 >> bits % 8);
    return memcmp(address, base_address, whole) == 0 &&
           (mask == 0 || ((address[whole] ^ base_address[whole]) & mask) == 0);
}

static bool
is_address_in_any_network(struct pst_str text, const struct pst_str *networks,
                          size_t count)
{
    uint8_t address[ADDRESS_LEN];

    if (!parse_ip_address(text, address))
        return false;
    for (size_t i = 0; i < count; i++)
        if (is_address_in_network(address, networks[i]))
            return true;
    return false;
}

/* Remove a port: 192.0.2.1:443, [2001:db8::1]:443, [2001:db8::1]. */
static struct pst_str
strip_address_port(struct pst_str entry)
{
    size_t colon = pst_str_index(entry, ':');

    if (pst_str_starts(entry, PST_STR("["))) {
        entry = pst_str_skip(entry, 1);
        return pst_str_first(entry, pst_str_index(entry, ']'));
    }
    if (colon == pst_str_last_index(entry, ':'))
        return pst_str_first(entry, colon);
    return entry;
}

/* Move the last entry from *rest to *entry; false: there is none. */
static bool
split_last_forwarded(struct pst_str *rest, struct pst_str *entry)
{
    size_t comma;

    if (rest->len == 0)
        return false;
    comma = pst_str_last_index(*rest, ',');
    *entry = comma < rest->len ? pst_str_skip(*rest, comma + 1) : *rest;
    *entry = strip_address_port(pst_str_trim(*entry));
    *rest = pst_str_first(*rest, comma < rest->len ? comma : 0);
    return true;
}

struct pst_str
client_address_find(const struct pst_str *trusted, size_t count,
                    struct pst_str peer, struct pst_str forwarded)
{
    uint8_t address[ADDRESS_LEN];
    struct pst_str client = peer;
    struct pst_str entry;

    for (unsigned hop = 0; hop < CLIENT_ADDRESS_HOPS_MAX; hop++) {
        if (!is_address_in_any_network(client, trusted, count) ||
            !split_last_forwarded(&forwarded, &entry) ||
            !parse_ip_address(entry, address))
            return client;
        client = entry;
    }
    return client;
}

static bool
is_private_address(struct pst_str address)
{
    static const struct pst_str networks[] = {
        {"127.0.0.0/8", 11},
        {"10.0.0.0/8", 10},
        {"172.16.0.0/12", 13},
        {"192.168.0.0/16", 14},
        {"169.254.0.0/16", 14},
        {"100.64.0.0/10", 13},
        {"::1", 3},
        {"fc00::/7", 8},
        {"fe80::/10", 9},
    };

    return is_address_in_any_network(address, networks, PST_COUNT(networks));
}

/* FNV-1a, 64 bits; never 0. */
static uint64_t
hash_client_address(struct pst_str address)
{
    uint64_t hash = 0xCBF29CE484222325;

    for (size_t i = 0; i < address.len; i++)
        hash = (hash ^ (uint8_t)address.ptr[i]) * 0x100000001B3;
    return hash == 0 ? 1 : hash;
}

bool
client_address_count_login(struct client_address_counter *counter,
                           struct pst_str address)
{
    unsigned count = atomic_load(&counter->count);
    uint64_t hash = hash_client_address(address);
    uint64_t first = 0;

    if (count == COUNTING_STOPPED)
        return false;
    if (!is_private_address(address) ||
        (!atomic_compare_exchange_strong(&counter->address, &first, hash) &&
         first != hash)) {
        atomic_store(&counter->count, COUNTING_STOPPED);
        return false;
    }
    while (count != COUNTING_STOPPED && count < CLIENT_ADDRESS_WARN_LOGINS)
        if (atomic_compare_exchange_weak(&counter->count, &count, count + 1))
            return count + 1 == CLIENT_ADDRESS_WARN_LOGINS;
    return false;
}

void
client_address_note_login(const struct context *ctx, const struct request *req)
{
    static struct client_address_counter counter;

    if (ctx->config->trusted_proxy_count > 0 ||
        !client_address_count_login(&counter, req->remote_addr))
        return;
    LOG_EVENT(ctx->log, LEVEL_WARNING, "single-client-address",
              LOG_STR("address", req->remote_addr),
              LOG_NUMBER("logins", CLIENT_ADDRESS_WARN_LOGINS),
              LOG_C_STRING("reason",
                           "all logins come from this address and share the "
                           "limit of POSTERN_LOGIN_PER_ADDRESS: if it is a "
                           "proxy, set POSTERN_TRUSTED_PROXIES"));
}
