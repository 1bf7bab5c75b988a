/* SPDX-License-Identifier: ISC */
/*
 * throttle.c - how often a password may be guessed (design 2.5).
 */
#include "throttle.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <string.h>

/* Octets of an account's name that tell it from others. */
#define ACCOUNT_MAX 1024

/* Octets of an address that cannot be read that tell it from others. */
#define ADDRESS_MAX 1024

/* An IPv6 network, as sites are given them. */
#define NETWORK_LEN 8
#define MAPPED_AT 12

/*
 * The name by which the account is counted: its printable ASCII in lower
 * case. Backends trim and fold names in ways of their own, so whatever one of
 * them may overlook is left out here: names that differ in it only share a
 * budget, which can only make it smaller. So does a name that is cut short.
 */
static struct pst_text
fold_account(struct pst_text typed, char room[static ACCOUNT_MAX])
{
    bool is_other = false;
    size_t len = 0;

    for (size_t i = 0; i < typed.len && len < ACCOUNT_MAX; i++) {
        unsigned char c = (unsigned char)typed.ptr[i];

        if (c > ' ' && c < 0x7F)
            room[len++] = pst_lower(typed.ptr[i]);
        is_other |= c > 0x7F;
    }
    if (len == 0 && is_other)
        room[len++] = '?'; /* all names of other scripts, together */
    return (struct pst_text){room, len};
}

/* The network an address is counted with, in octets; an address that cannot
 * be read stands for itself, cut short. */
static struct pst_text
fold_address(struct pst_text address, uint8_t room[static 16])
{
    char string[INET6_ADDRSTRLEN];
    struct in6_addr v6;
    size_t len = pst_text_index(address, '%');

    if (len >= sizeof(string) || pst_text_index(address, '\0') != address.len)
        return pst_text_first(address, ADDRESS_MAX);
    memcpy(string, address.ptr, len);
    string[len] = '\0';
    if (inet_pton(AF_INET, string, room) == 1)
        return (struct pst_text){(const char *)room, 4};
    if (inet_pton(AF_INET6, string, &v6) != 1)
        return pst_text_first(address, ADDRESS_MAX);
    if (IN6_IS_ADDR_V4MAPPED(&v6)) {
        memcpy(room, v6.s6_addr + MAPPED_AT, 4);
        return (struct pst_text){(const char *)room, 4};
    }
    memcpy(room, v6.s6_addr, NETWORK_LEN);
    return (struct pst_text){(const char *)room, NETWORK_LEN};
}

static enum pst_err
add(const struct throttle *throttle, struct throttle_attempt *attempt,
    const char *purpose, struct pst_text name, struct rate rate)
{
    struct store_counter *counter = &attempt->counters[attempt->count];
    enum pst_err e;

    *counter = (struct store_counter){.rate = rate, .forget = false};
    e = store_id_name(throttle->store, purpose, name, &counter->id);
    if (e)
        return e;
    attempt->count++;
    return PST_OK;
}

/* Both budgets of an account, or of a device that it knows. */
static enum pst_err
add_account(const struct throttle *throttle,
            const struct throttle_visitor *visitor,
            const char *const purposes[static 2], struct pst_text name,
            struct throttle_attempt *attempt)
{
    static const struct rate streak = {PST_LOGIN_STREAK,
                                       PST_LOGIN_STREAK_PERIOD};
    enum pst_err e;

    e = add(throttle, attempt, purposes[0], name, throttle->account);
    if (!e && !visitor->is_one_of_many)
        e = add(throttle, attempt, purposes[1], name, streak);
    attempt->account_count = attempt->count;
    return e;
}

static enum pst_err
add_device(const struct throttle *throttle,
           const struct throttle_visitor *visitor, struct pst_text account,
           struct throttle_attempt *attempt)
{
    static const char *const purposes[] = {"device", "device-streak"};
    char name[PST_SID_LEN + ACCOUNT_MAX];

    memcpy(name, visitor->device.ptr, PST_SID_LEN);
    if (account.len > 0)
        memcpy(name + PST_SID_LEN, account.ptr, account.len);
    return add_account(throttle, visitor, purposes,
                       (struct pst_text){name, PST_SID_LEN + account.len},
                       attempt);
}

/* Which budgets are the visitor's. */
static enum pst_err
choose(const struct throttle *throttle, const struct throttle_visitor *visitor,
       struct throttle_attempt *attempt)
{
    static const char *const purposes[] = {"account", "account-streak"};
    char room[ACCOUNT_MAX];
    uint8_t network[16];
    struct pst_text account = fold_account(visitor->account, room);
    enum pst_err e = PST_OK;

    if (account.len > 0 && throttle->account.limit > 0) {
        if (visitor->device.len > 0)
            return add_device(throttle, visitor, account, attempt);
        e = add_account(throttle, visitor, purposes, account, attempt);
    }
    if (e == PST_OK && visitor->address.len > 0 && throttle->address.limit > 0)
        e = add(throttle, attempt, "address",
                fold_address(visitor->address, network), throttle->address);
    return e;
}

enum pst_err
throttle_begin(const struct throttle *throttle,
               const struct throttle_visitor *visitor, int64_t now,
               struct throttle_attempt *attempt, int64_t *retry_after)
{
    struct throttle_attempt taken;
    enum pst_err e;

    PST_REQUIRE(visitor->device.len == 0 || visitor->device.len == PST_SID_LEN);
    memset(&taken, 0, sizeof(taken));
    e = choose(throttle, visitor, &taken);
    if (e == PST_OK && taken.count > 0) {
        struct store_counters counters = {taken.counters, taken.count, now};

        e = store_take(throttle->store, &counters, retry_after);
    }
    if (e)
        return e;
    *attempt = taken;
    return PST_OK;
}

static enum pst_err
give(const struct throttle *throttle, struct throttle_attempt *attempt,
     int64_t now)
{
    struct store_counters counters = {attempt->counters, attempt->count, now};
    enum pst_err e;

    if (attempt->count == 0)
        return PST_OK;
    e = store_give(throttle->store, &counters);
    if (e)
        return e;
    attempt->count = 0; /* giving back twice would be a gift */
    return PST_OK;
}

enum pst_err
throttle_pass(const struct throttle *throttle, struct throttle_attempt *attempt,
              int64_t now)
{
    for (size_t i = 0; i < attempt->count && i < attempt->account_count; i++)
        attempt->counters[i].forget = true;
    return give(throttle, attempt, now);
}

enum pst_err
throttle_cancel(const struct throttle *throttle,
                struct throttle_attempt *attempt, int64_t now)
{
    return give(throttle, attempt, now);
}
