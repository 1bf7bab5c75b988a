/* SPDX-License-Identifier: ISC */
/*
 * throttle.c - rate limits on login attempts, per account and per address.
 */
#include "store/throttle.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <string.h>

#include "base/clock.h"
#include "codec/name_fold.h"
#include "crypto/crypto.h"
#include "engine/wait.h"

/* Bytes that are used of an address that cannot be parsed. */
#define ADDRESS_MAX 1024

/* An IPv6 network is /64: what a customer gets. */
#define NETWORK_LEN 8
#define IPV4_MAPPED_OFFSET 12

/* The name of a device counter: device id, and hash of the login name. */
#define DEVICE_NAME_LEN (PST_SID_LEN + PST_HASH_LEN)

static const struct rate streak_rate = {PST_LOGIN_FAILURES_MAX,
                                        PST_LOGIN_FAILURES_PERIOD};
static const struct rate devices_rate = {PST_LOGIN_DEVICE_FAILURES_MAX,
                                         PST_LOGIN_FAILURES_PERIOD};

/* What is counted by address: guesses, and sessions without a password. */
enum address_budget { ADDRESS_GUESSES, ADDRESS_SESSIONS };
static const char *const address_purposes[] = {
    [ADDRESS_GUESSES] = "address", [ADDRESS_SESSIONS] = "address-session"};

static_assert(PST_LOGIN_DEVICE_FAILURES_MAX <= RATE_LIMIT_MAX &&
                  PST_LOGIN_FAILURES_PERIOD <= RATE_PERIOD_MAX,
              "the store must be able to count them");

/* The account that a login name belongs to. */
struct account {
    char key[PST_NAME_FOLD_MAX]; /* folded: the same for all spellings */
    size_t key_len;
    uint8_t spelling[PST_HASH_LEN]; /* SHA-256 of the exact name */
};

/* The bytes that an address is counted by: an IPv4 address or an IPv6 network.
 * An address that cannot be parsed is used as it is, truncated. */
static struct pst_str
throttle_address_key(struct pst_str address, uint8_t storage[static 16])
{
    char string[INET6_ADDRSTRLEN];
    struct in6_addr v6;
    size_t len = pst_str_index(address, '%');

    if (len >= sizeof(string) || pst_str_index(address, '\0') != address.len)
        return pst_str_first(address, ADDRESS_MAX);
    memcpy(string, address.ptr, len);
    string[len] = '\0';
    if (inet_pton(AF_INET, string, storage) == 1)
        return (struct pst_str){(const char *)storage, 4};
    if (inet_pton(AF_INET6, string, &v6) != 1)
        return pst_str_first(address, ADDRESS_MAX);
    if (IN6_IS_ADDR_V4MAPPED(&v6)) {
        memcpy(storage, v6.s6_addr + IPV4_MAPPED_OFFSET, 4);
        return (struct pst_str){(const char *)storage, 4};
    }
    memcpy(storage, v6.s6_addr, NETWORK_LEN);
    return (struct pst_str){(const char *)storage, NETWORK_LEN};
}

static enum pst_err
account_init(struct pst_str name, struct account *account)
{
    pst_crypto_sha256(pst_str_bytes(name), account->spelling);
    return pst_name_fold(name, account->key, &account->key_len);
}

static struct pst_str
account_key(const struct account *account)
{
    return (struct pst_str){account->key, account->key_len};
}

static struct pst_str
account_spelling(const struct account *account)
{
    return pst_str_from_bytes(
        (struct pst_bytes){account->spelling, sizeof(account->spelling)});
}

/* Add a counter to the attempt. Its id is made from purpose and name. */
static enum pst_err
throttle_add_counter(const struct throttle *throttle,
                     struct throttle_attempt *attempt, const char *purpose,
                     struct pst_str name, struct rate rate)
{
    struct store_counter *counter;
    enum pst_err e;

    PST_REQUIRE(attempt->count < STORE_COUNTERS_MAX);
    counter = &attempt->counters[attempt->count];
    *counter = (struct store_counter){.rate = rate};
    e = store_id_name(throttle->store, purpose, name, &counter->id);
    if (e)
        return e;
    attempt->count++;
    return PST_OK;
}

/*
 * Add the counters of an account. The first one counts the share of this
 * spelling in the second one, and refuses nothing: both have the same rate, so
 * it never holds more.
 */
static enum pst_err
throttle_add_account(const struct throttle *throttle,
                     const struct account *account,
                     struct throttle_attempt *attempt)
{
    enum pst_err e =
        throttle_add_counter(throttle, attempt, "spelling-streak",
                             account_spelling(account), streak_rate);

    if (!e)
        e = throttle_add_counter(throttle, attempt, "account-streak",
                                 account_key(account), streak_rate);
    if (!e)
        e = throttle_add_counter(throttle, attempt, "account",
                                 account_key(account), throttle->account);
    if (e)
        return e;
    attempt->counters[0].is_count_only = true;
    attempt->streak_count = 2;
    return PST_OK;
}

/*
 * Add the counters of a device for this name, and of all devices together. The
 * attack: somebody who had the password for a day logs in on many devices, and
 * guesses with each of them after it was changed.
 */
static enum pst_err
throttle_add_device(const struct throttle *throttle,
                    const struct throttle_login *login,
                    const struct account *account,
                    struct throttle_attempt *attempt)
{
    char storage[DEVICE_NAME_LEN];
    const struct pst_str name = {storage, sizeof(storage)};
    enum pst_err e;

    memcpy(storage, login->device.ptr, PST_SID_LEN);
    memcpy(storage + PST_SID_LEN, account->spelling, PST_HASH_LEN);
    e = throttle_add_counter(throttle, attempt, "device-streak", name,
                             streak_rate);
    if (!e)
        e = throttle_add_counter(throttle, attempt, "device", name,
                                 throttle->account);
    if (!e)
        e = throttle_add_counter(throttle, attempt, "devices",
                                 account_key(account), devices_rate);
    if (e)
        return e;
    attempt->streak_count = 1;
    return PST_OK;
}

static enum pst_err
throttle_add_address(const struct throttle *throttle,
                     struct throttle_attempt *attempt, const char *purpose,
                     struct pst_str address)
{
    uint8_t network[16];

    if (address.len == 0 || throttle->address.limit == 0)
        return PST_OK;
    return throttle_add_counter(throttle, attempt, purpose,
                                throttle_address_key(address, network),
                                throttle->address);
}

/* Choose the budgets of a login. */
static enum pst_err
throttle_choose_budgets(const struct throttle *throttle,
                        const struct throttle_login *login,
                        struct throttle_attempt *attempt)
{
    struct account account;
    enum pst_err e;

    if (!pst_str_is_absent(login->name)) {
        /* A name that is not UTF-8 is refused even if all limits are off. */
        e = account_init(login->name, &account);
        if (e)
            return e;
        if (throttle->account.limit > 0 && login->device.len > 0)
            return throttle_add_device(throttle, login, &account, attempt);
        if (throttle->account.limit > 0)
            e = throttle_add_account(throttle, &account, attempt);
        if (e)
            return e;
    }
    return throttle_add_address(
        throttle, attempt, address_purposes[ADDRESS_GUESSES], login->address);
}

/* Acquire from the chosen budgets. */
static enum pst_err
throttle_acquire_chosen(const struct throttle *throttle,
                        const struct throttle_attempt *chosen, int64_t now,
                        struct throttle_attempt *attempt, int64_t *retry_after)
{
    const struct store_counters counters = {chosen->counters, chosen->count,
                                            now};
    enum pst_err e = PST_OK;

    if (chosen->count > 0)
        e = store_counter_acquire(throttle->store, &counters, retry_after);
    if (e)
        return e;
    *attempt = *chosen;
    return PST_OK;
}

enum pst_err
throttle_acquire(const struct throttle *throttle,
                 const struct throttle_login *login, int64_t now,
                 struct throttle_attempt *attempt, int64_t *retry_after)
{
    struct throttle_attempt chosen = {.count = 0};
    enum pst_err e;

    PST_REQUIRE(login->device.len == 0 || login->device.len == PST_SID_LEN);
    e = throttle_choose_budgets(throttle, login, &chosen);
    if (e)
        return e;
    return throttle_acquire_chosen(throttle, &chosen, now, attempt,
                                   retry_after);
}

enum pst_err
throttle_acquire_subject(const struct throttle *throttle,
                         struct pst_str subject, int64_t now,
                         struct throttle_attempt *attempt, int64_t *retry_after)
{
    struct throttle_attempt chosen = {.count = 0};
    enum pst_err e = PST_OK;

    PST_REQUIRE(subject.len > 0);
    if (throttle->account.limit > 0)
        e = throttle_add_counter(throttle, &chosen, "subject-password", subject,
                                 throttle->account);
    if (e)
        return e;
    return throttle_acquire_chosen(throttle, &chosen, now, attempt,
                                   retry_after);
}

enum pst_err
throttle_acquire_address(const struct throttle *throttle,
                         struct pst_str address, int64_t now,
                         struct throttle_attempt *attempt, int64_t *retry_after)
{
    struct throttle_attempt chosen = {.count = 0};
    enum pst_err e = throttle_add_address(
        throttle, &chosen, address_purposes[ADDRESS_SESSIONS], address);

    if (e)
        return e;
    return throttle_acquire_chosen(throttle, &chosen, now, attempt,
                                   retry_after);
}

enum pst_err
throttle_refund(const struct throttle *throttle,
                struct throttle_attempt *attempt, int64_t now)
{
    struct store_counters counters = {attempt->counters, attempt->count, now};
    enum pst_err e;

    if (attempt->count == 0)
        return PST_OK;
    e = store_counter_refund(throttle->store, &counters);
    if (e)
        return e;
    attempt->count = 0; /* a second call refunds nothing */
    return PST_OK;
}

enum pst_err
throttle_reset(const struct throttle *throttle,
               struct throttle_attempt *attempt, int64_t now)
{
    if (attempt->count > 0 && attempt->streak_count > 0)
        attempt->counters[0].reset_all = true;
    if (attempt->count > 0 && attempt->streak_count > 1)
        attempt->counters[1].as_previous = true;
    return throttle_refund(throttle, attempt, now);
}

int64_t
throttle_floor_remaining(int64_t started_ms, int64_t now_ms, int64_t floor_ms)
{
    int64_t end = started_ms + floor_ms;

    return end > now_ms ? end - now_ms : 0;
}

void
throttle_floor_wait(int64_t started_ms, int64_t floor_ms)
{
    const struct wait_limit limit = {
        .deadline = clock_ms() +
                    throttle_floor_remaining(started_ms, clock_ms(), floor_ms),
        .client = -1};

    (void)!wait_until(&limit); /* without a client it cannot end early */
}

/* Reset the counters; chosen may have none. Adds to *in_use how many of them
 * were in use. */
static enum pst_err
throttle_reset_chosen(const struct throttle *throttle,
                      struct throttle_attempt *chosen, int64_t now,
                      int64_t *in_use)
{
    struct store_counters counters = {chosen->counters, chosen->count, now};
    int64_t count = 0;
    enum pst_err e;

    if (chosen->count == 0)
        return PST_OK;
    e = store_counter_reset(throttle->store, &counters, &count);
    if (e)
        return e;
    *in_use += count;
    return PST_OK;
}

enum pst_err
throttle_unlock(const struct throttle *throttle, struct pst_str name,
                struct pst_str address, int64_t now, int64_t *in_use)
{
    struct throttle enabled = *throttle;
    struct throttle_attempt by_name = {.count = 0};
    struct throttle_attempt by_address = {.count = 0};
    struct account account;
    int64_t count = 0;
    enum pst_err e = PST_OK;

    PST_REQUIRE(!pst_str_is_absent(name) || address.len > 0);
    /* Reset also what was counted before a limit was switched off. */
    if (enabled.account.limit == 0)
        enabled.account = streak_rate;
    if (enabled.address.limit == 0)
        enabled.address = streak_rate;
    if (!pst_str_is_absent(name)) {
        e = account_init(name, &account);
        if (!e)
            e = throttle_add_account(&enabled, &account, &by_name);
    }
    for (size_t i = 0; i < PST_COUNT(address_purposes) && !e; i++)
        e = throttle_add_address(&enabled, &by_address, address_purposes[i],
                                 address);
    if (!e)
        e = throttle_reset_chosen(throttle, &by_name, now, &count);
    if (!e)
        e = throttle_reset_chosen(throttle, &by_address, now, &count);
    if (e)
        return e;
    *in_use = count;
    return PST_OK;
}
