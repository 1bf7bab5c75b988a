/* SPDX-License-Identifier: ISC */
/*
 * client_address.c - find the client behind proxies, and see when one is not
 * known.
 */
#include "gateway/client_address.h"

#include <arpa/inet.h>
#include <limits.h>
#include <string.h>

/* IPv4 stands mapped into IPv6. */
#define ADDRESS_LEN 16
#define MAPPED_AT 12
#define MAPPED_BITS 96

/* No more logins are counted: they come from several addresses. */
#define STOPPED UINT_MAX

static bool
read_address(struct pst_text text, uint8_t out[static ADDRESS_LEN])
{
    static const uint8_t mapped[MAPPED_AT] = {[10] = 0xFF, [11] = 0xFF};
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
    return inet_pton(AF_INET, string, out + MAPPED_AT) == 1;
}

/* Is the address in this network? */
static bool
is_in(const uint8_t address[static ADDRESS_LEN], struct pst_text network)
{
    size_t slash = pst_text_index(network, '/');
    struct pst_text base = pst_text_first(network, slash);
    bool is_v4 = pst_text_index(base, ':') == base.len;
    uint8_t wanted[ADDRESS_LEN];
    int64_t bits = is_v4 ? 32 : 128;
    size_t whole;
    uint8_t mask;

    if (!read_address(base, wanted))
        return false;
    if (slash < network.len &&
        pst_text_number(pst_text_from_octet(network, slash + 1), &bits) !=
            PST_OK)
        return false;
    bits += is_v4 ? MAPPED_BITS : 0;
    if (bits > 8 * ADDRESS_LEN)
        return false;
    whole = (size_t)bits / 8;
    mask = (uint8_t)(0xFF00 >> bits % 8);
    return memcmp(address, wanted, whole) == 0 &&
           (mask == 0 || ((address[whole] ^ wanted[whole]) & mask) == 0);
}

static bool
is_in_any(struct pst_text text, const struct pst_text *networks, size_t count)
{
    uint8_t address[ADDRESS_LEN];

    if (!read_address(text, address))
        return false;
    for (size_t i = 0; i < count; i++)
        if (is_in(address, networks[i]))
            return true;
    return false;
}

/* Without a port: 192.0.2.1:443, [2001:db8::1]:443, [2001:db8::1]. */
static struct pst_text
drop_port(struct pst_text entry)
{
    size_t colon = pst_text_index(entry, ':');

    if (pst_text_starts(entry, PST_TEXT("["))) {
        entry = pst_text_from_octet(entry, 1);
        return pst_text_first(entry, pst_text_index(entry, ']'));
    }
    if (colon == pst_text_last_index(entry, ':'))
        return pst_text_first(entry, colon);
    return entry;
}

/* Take the last entry off *rest; false when there is none. */
static bool
take_last(struct pst_text *rest, struct pst_text *entry)
{
    size_t comma;

    if (rest->len == 0)
        return false;
    comma = pst_text_last_index(*rest, ',');
    *entry = comma < rest->len ? pst_text_from_octet(*rest, comma + 1) : *rest;
    *entry = drop_port(pst_text_trim(*entry));
    *rest = pst_text_first(*rest, comma < rest->len ? comma : 0);
    return true;
}

struct pst_text
proxies_client(const struct pst_text *trusted, size_t count,
               struct pst_text peer, struct pst_text forwarded)
{
    uint8_t address[ADDRESS_LEN];
    struct pst_text client = peer;
    struct pst_text entry;

    for (unsigned hop = 0; hop < PROXIES_HOPS_MAX; hop++) {
        if (!is_in_any(client, trusted, count) ||
            !take_last(&forwarded, &entry) || !read_address(entry, address))
            return client;
        client = entry;
    }
    return client;
}

static bool
is_private(struct pst_text address)
{
    static const struct pst_text networks[] = {
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

    return is_in_any(address, networks, PST_COUNT(networks));
}

/* FNV-1a, 64 bits; never 0. */
static uint64_t
hash_address(struct pst_text address)
{
    uint64_t hash = 0xCBF29CE484222325;

    for (size_t i = 0; i < address.len; i++)
        hash = (hash ^ (uint8_t)address.ptr[i]) * 0x100000001B3;
    return hash == 0 ? 1 : hash;
}

bool
proxies_watch_login(struct proxies_watch *watch, struct pst_text address)
{
    unsigned count = atomic_load(&watch->count);
    uint64_t hash = hash_address(address);
    uint64_t first = 0;

    if (count == STOPPED)
        return false;
    if (!is_private(address) ||
        (!atomic_compare_exchange_strong(&watch->address, &first, hash) &&
         first != hash)) {
        atomic_store(&watch->count, STOPPED);
        return false;
    }
    while (count != STOPPED && count < PROXIES_LOGINS)
        if (atomic_compare_exchange_weak(&watch->count, &count, count + 1))
            return count + 1 == PROXIES_LOGINS;
    return false;
}

void
proxies_note_login(const struct gate *gate, const struct request *req)
{
    static struct proxies_watch watch;

    if (gate->config->trusted_proxy_count > 0 ||
        !proxies_watch_login(&watch, req->remote_addr))
        return;
    LOG_EVENT(gate->log, LEVEL_WARNING, "one-address",
              LOG_TEXT("address", req->remote_addr),
              LOG_NUMBER("logins", PROXIES_LOGINS),
              LOG_STRING("why", "all logins come from this address, and share "
                                "POSTERN_LOGIN_PER_ADDRESS: if it is a "
                                "proxy's, set POSTERN_TRUSTED_PROXIES"));
}
