/* SPDX-License-Identifier: ISC */
/*
 * test_throttle.c - who is stopped from guessing, and who must not be (R67).
 */
#include <string.h>

#include "limits.h"
#include "stores.h"
#include "throttle.h"

static struct stores stores;
static struct throttle throttle;

static const uint8_t device[PST_SID_LEN] = {1, 2, 3};

static struct throttle_visitor
visitor_of(const char *account, const char *address)
{
    return (struct throttle_visitor){.account = pst_text_from(account),
                                     .address = pst_text_from(address)};
}

/* One attempt that fails. */
static enum pst_err
fail_login(const struct throttle_visitor *visitor, int64_t now)
{
    struct throttle_attempt attempt;
    int64_t retry_after = 0;
    enum pst_err e =
        throttle_begin(&throttle, visitor, now, &attempt, &retry_after);

    assert_int_equal(e == PST_THROTTLED, retry_after > 0);
    return e;
}

/* How many fail before one is stopped; more than 50 is taken for no end. */
static unsigned
count_failures(struct throttle_visitor visitor)
{
    unsigned count = 0;

    while (count < 50 && fail_login(&visitor, NOW) == PST_OK)
        count++;
    return count;
}

static void
test_limits(void **state)
{
    static const struct {
        const char *name;
        struct rate account;
        struct rate address;
        const char *visitor;
        const char *from;
        unsigned want;
    } rows[] = {
        {"account", {10, 900}, {20, 900}, "ada", "192.0.2.1", 10},
        {"address", {10, 900}, {5, 900}, "bob", "192.0.2.2", 5},
        {"account off", {0, 0}, {6, 900}, "cleo", "192.0.2.3", 6},
        {"address off", {7, 900}, {0, 0}, "dan", "192.0.2.4", 7},
        {"both off", {0, 0}, {0, 0}, "eve", "192.0.2.5", 50},
        {"no address", {7, 900}, {3, 900}, "fay", "", 7},
        {"absent address", {7, 900}, {3, 900}, "gus", NULL, 7},
        {"no account", {7, 900}, {3, 900}, "", "192.0.2.6", 3},
        {"neither", {7, 900}, {3, 900}, " ", NULL, 50},
    };

    (void)state;
    for (size_t i = 0; i < PST_COUNT(rows); i++) {
        unsigned got;

        throttle.account = rows[i].account;
        throttle.address = rows[i].address;
        got = count_failures(visitor_of(rows[i].visitor, rows[i].from));
        if (got != rows[i].want)
            fail_msg("row '%s': %u", rows[i].name, got);
    }
}

/* Two spellings of one account share its budget; two accounts do not. */
static void
test_accounts(void **state)
{
    static char long_one[3001];
    static char long_two[3001];
    const struct {
        const char *name;
        const char *first;
        const char *second;
        bool is_same;
    } rows[] = {
        {"case", "ann@example.org", "ANN@Example.ORG", true},
        {"blanks", "ben@example.org", " \tben@example.org\r\n", true},
        {"another", "cid@example.org", "cyd@example.org", false},
        {"a blank inside", "don@example.org", "d on@example.org", true},
        {"a no-break space", "eve@example.org", "eve@example.org\xC2\xA0",
         true},
        {"letters outside ASCII", "J\xc3\xb6rg", "j\xc3\xb6RG", true},
        {"other letters", "j\xc3\xb6rn", "j\xc3\xa4rn", true},
        {"another script", "\xd0\x90", "\xd0\x91", true},
        {"alike for 1024 octets", long_one, long_two, true},
    };

    (void)state;
    memset(long_one, 'x', 3000);
    memset(long_two, 'x', 2999);
    throttle.account = (struct rate){2, 900};
    throttle.address = (struct rate){0, 0};
    for (size_t i = 0; i < PST_COUNT(rows); i++) {
        unsigned got = count_failures(visitor_of(rows[i].first, ""));

        got += count_failures(visitor_of(rows[i].second, ""));
        if (got != (rows[i].is_same ? 2 : 4))
            fail_msg("row '%s': %u", rows[i].name, got);
    }
}

static void
test_addresses(void **state)
{
    static char long_one[3001];
    static char long_zone[3001];
    const struct {
        const char *name;
        const char *first;
        const char *second;
        bool is_same;
    } rows[] = {
        {"IPv4", "198.51.100.1", "198.51.100.2", false},
        {"IPv6, one network", "2001:db8:0:1::1", "2001:db8:0:1:ffff::2", true},
        {"IPv6, the next network", "2001:db8:0:2::1", "2001:db8:0:3::1", false},
        {"IPv6, two spellings", "2001:db8:0:4::1",
         "2001:0DB8:0000:0004:0:0:0:1", true},
        {"IPv4 inside IPv6", "192.0.2.9", "::ffff:192.0.2.9", true},
        {"IPv4 inside IPv6, two", "::ffff:192.0.2.10", "::ffff:192.0.2.11",
         false},
        {"IPv4 inside IPv6 in hex", "192.0.2.12", "::ffff:c000:20c", true},
        {"with a zone", "fe80::1", "fe80::1%eth0", true},
        {"no address", "here", "there", false},
        {"the same non-address", "yonder", "yonder", true},
        {"a long non-address", long_one, long_one, true},
        {"a non-address with a long zone", long_zone, long_zone, true},
    };

    (void)state;
    memset(long_one, 'x', sizeof(long_one) - 1);
    memset(long_zone, 'x', sizeof(long_zone) - 1);
    long_zone[4] = '%'; /* before it, short enough to be read as one */
    throttle.account = (struct rate){0, 0};
    throttle.address = (struct rate){2, 900};
    for (size_t i = 0; i < PST_COUNT(rows); i++) {
        unsigned got = count_failures(visitor_of("", rows[i].first));

        got += count_failures(visitor_of("", rows[i].second));
        if (got != (rows[i].is_same ? 2 : 4))
            fail_msg("row '%s': %u", rows[i].name, got);
    }
}

static void
attempt_at(const struct throttle_visitor *visitor, int64_t now,
           struct throttle_attempt *attempt)
{
    int64_t retry_after;

    stores_expect(
        throttle.store, "begin",
        throttle_begin(&throttle, visitor, now, attempt, &retry_after), PST_OK);
}

static void
attempt_of(const struct throttle_visitor *visitor,
           struct throttle_attempt *attempt)
{
    attempt_at(visitor, NOW, attempt);
}

/* Success makes the account whole, and costs the address nothing; but what
 * others failed at from there still counts. */
static void
test_pass(void **state)
{
    struct throttle_visitor ada = visitor_of("pass", "192.0.2.77");
    struct throttle_attempt attempt;

    (void)state;
    throttle.account = (struct rate){3, 900};
    throttle.address = (struct rate){5, 900};
    assert_int_equal(fail_login(&ada, NOW), PST_OK);
    assert_int_equal(fail_login(&ada, NOW), PST_OK);
    attempt_of(&ada, &attempt);
    assert_int_equal(throttle_pass(&throttle, &attempt, NOW), PST_OK);
    assert_int_equal(throttle_pass(&throttle, &attempt, NOW), PST_OK);
    /* Three of the account's; the address had two failures of its five. */
    assert_int_equal(count_failures(ada), 3);
    assert_int_equal(count_failures(visitor_of("x", "192.0.2.77")), 0);
}

/* The backend was down: nobody guessed. */
static void
test_cancel(void **state)
{
    struct throttle_visitor ada = visitor_of("cancel", "192.0.2.78");
    struct throttle_attempt attempt;

    (void)state;
    throttle.account = (struct rate){3, 900};
    throttle.address = (struct rate){4, 900};
    assert_int_equal(fail_login(&ada, NOW), PST_OK);
    for (int i = 0; i < 20; i++) {
        attempt_of(&ada, &attempt);
        assert_int_equal(throttle_cancel(&throttle, &attempt, NOW), PST_OK);
        assert_int_equal(throttle_cancel(&throttle, &attempt, NOW), PST_OK);
    }
    assert_int_equal(count_failures(ada), 2);
}

/* Who has spent a stranger's budget, and the network's, has not touched that
 * of the owner's device; nor has one device that of another. */
static void
test_known_device(void **state)
{
    static const uint8_t other[PST_SID_LEN] = {9};
    struct throttle_visitor owner = visitor_of("known", "192.0.2.79");
    struct throttle_attempt attempt;

    (void)state;
    throttle.account = (struct rate){3, 900};
    throttle.address = (struct rate){4, 900};
    assert_int_equal(count_failures(owner), 3);
    assert_int_equal(count_failures(visitor_of("x", "192.0.2.79")), 1);
    owner.device = (struct pst_bytes){device, sizeof(device)};
    attempt_of(&owner, &attempt);
    assert_int_equal(throttle_pass(&throttle, &attempt, NOW), PST_OK);
    assert_int_equal(count_failures(owner), 3);
    owner.account = PST_TEXT(" KNOWN");
    assert_int_equal(count_failures(owner), 0);
    owner.account = PST_TEXT("somebody else");
    assert_int_equal(count_failures(owner), 3);
    owner.account = PST_TEXT("known");
    owner.device = (struct pst_bytes){other, sizeof(other)};
    assert_int_equal(count_failures(owner), 3);
    assert_int_equal(count_failures(visitor_of("known", "192.0.2.80")), 0);
}

static void
test_time(void **state)
{
    static const struct {
        const char *name;
        int64_t now;
        enum pst_err want;
    } rows[] = {
        {"1", NOW, PST_OK},
        {"2", NOW, PST_OK},
        {"3", NOW, PST_THROTTLED},
        {"early", NOW + 449, PST_THROTTLED},
        {"one more", NOW + 450, PST_OK},
        {"not two", NOW + 450, PST_THROTTLED},
        {"all is forgotten", NOW + 2000, PST_OK},
        {"all is forgotten, 2", NOW + 2000, PST_OK},
        {"again", NOW + 2000, PST_THROTTLED},
    };
    struct throttle_visitor ada = visitor_of("time", "");

    (void)state;
    throttle.account = (struct rate){2, 900};
    for (size_t i = 0; i < PST_COUNT(rows); i++)
        stores_expect(throttle.store, rows[i].name,
                      fail_login(&ada, rows[i].now), rows[i].want);
}

#define DAY 86400
#define STREAK_STEP (PST_LOGIN_STREAK_PERIOD / PST_LOGIN_STREAK)

/* Somebody patient: a failure every 90 s, which 10/15m never stops. How many
 * get through from `begin` to before `end`, in seconds after NOW? */
static unsigned
count_patient(const struct throttle_visitor *visitor, int64_t begin,
              int64_t end)
{
    unsigned count = 0;

    for (int64_t at = begin; at < end; at += 90)
        count += fail_login(visitor, NOW + at) == PST_OK;
    return count;
}

/* A hundred failures in a row, then one in 7.2 hours (R66), until the right
 * password makes all good. */
static void
test_streak(void **state)
{
    struct throttle_visitor ada = visitor_of("streak", "");
    struct throttle_attempt attempt;
    int64_t wait = 0;

    (void)state;
    assert_int_equal(STREAK_STEP, 25920);
    throttle.account = (struct rate){10, 900};
    throttle.address = (struct rate){0, 0};
    assert_int_equal(count_patient(&ada, 0, 100 * 90), 100);
    assert_int_equal(count_patient(&ada, 100 * 90, STREAK_STEP), 0);
    assert_int_equal(count_patient(&ada, STREAK_STEP, 3 * DAY), 9);

    attempt_at(&ada, NOW + 3 * DAY, &attempt);
    assert_int_equal(throttle_pass(&throttle, &attempt, NOW + 3 * DAY), PST_OK);
    assert_int_equal(count_patient(&ada, 3 * DAY, 3 * DAY + 100 * 90), 100);
    /* The other budget has room: the wait is this one's. */
    assert_int_equal(throttle_begin(&throttle, &ada, NOW + 3 * DAY + 100 * 90,
                                    &attempt, &wait),
                     PST_THROTTLED);
    assert_int_equal(wait, STREAK_STEP - 100 * 90);
}

/* What may be a constant that everybody sends has none: all would be out. */
static void
test_streak_of_one_account_only(void **state)
{
    struct throttle_visitor everybody = visitor_of("default-channel", "");

    (void)state;
    throttle.account = (struct rate){10, 900};
    throttle.address = (struct rate){0, 0};
    everybody.is_one_of_many = true;
    assert_int_equal(count_patient(&everybody, 0, 300 * 90), 300);
}

/* Who is not counted by account has no streak either. */
static void
test_streak_off(void **state)
{
    struct throttle_visitor ada = visitor_of("streak off", "");

    (void)state;
    throttle.account = (struct rate){0, 0};
    throttle.address = (struct rate){0, 0};
    assert_int_equal(count_patient(&ada, 0, 300 * 90), 300);
}

/* Only failures make a streak: neither what the backend did not answer, nor
 * what a stricter rate had refused. */
static void
test_streak_counts_failures(void **state)
{
    struct throttle_visitor ada = visitor_of("streak cancelled", "");
    struct throttle_visitor ben = visitor_of("streak refused", "");
    struct throttle_attempt attempt;

    (void)state;
    throttle.account = (struct rate){10, 900};
    throttle.address = (struct rate){0, 0};
    for (int i = 0; i < 300; i++) {
        attempt_at(&ada, NOW, &attempt);
        assert_int_equal(throttle_cancel(&throttle, &attempt, NOW), PST_OK);
    }
    assert_int_equal(count_patient(&ada, 0, 120 * 90), 100);

    assert_int_equal(count_failures(ben), 10);
    for (int i = 0; i < 300; i++)
        assert_int_equal(fail_login(&ben, NOW), PST_THROTTLED);
    assert_int_equal(count_patient(&ben, 90, 120 * 90), 90);
}

/* A stranger's streak does not lock the owner's device out, which has one
 * that is its own; and what is right there frees no stranger. */
static void
test_streak_of_device(void **state)
{
    struct throttle_visitor stranger = visitor_of("streak device", "");
    struct throttle_visitor owner = stranger;
    struct throttle_attempt attempt;
    int64_t at = 120 * 90;

    (void)state;
    throttle.account = (struct rate){10, 900};
    throttle.address = (struct rate){0, 0};
    owner.device = (struct pst_bytes){device, sizeof(device)};
    assert_int_equal(count_patient(&stranger, 0, at), 100);
    assert_int_equal(count_patient(&owner, 0, 50 * 90), 50);
    attempt_at(&owner, NOW + at, &attempt);
    assert_int_equal(throttle_pass(&throttle, &attempt, NOW + at), PST_OK);
    assert_int_equal(count_patient(&owner, at, 2 * at), 100);
    assert_int_equal(count_patient(&stranger, at, 2 * at), 0);
}

/* Eight processes begin five attempts each before any has an answer. */
static unsigned
begin_many(unsigned index)
{
    struct throttle_visitor ada = visitor_of("parallel", "192.0.2.81");
    unsigned allowed = 0;

    (void)index;
    throttle.store = stores_open(&stores, "shop");
    for (int i = 0; i < 5; i++)
        allowed += fail_login(&ada, NOW) == PST_OK;
    store_close(&throttle.store);
    return allowed;
}

static void
test_parallel(void **state)
{
    (void)state;
    throttle.account = (struct rate){10, 900};
    throttle.address = (struct rate){100, 900};
    store_close(&throttle.store);
    assert_int_equal(stores_fork(8, begin_many), 10);
    throttle.store = stores_open(&stores, "shop");
}

/* A store that does not answer lets nobody guess. */
static void
test_down(void **state)
{
    struct throttle_visitor ada = visitor_of("down", "192.0.2.82");
    struct throttle_attempt attempt = {.count = 1};
    struct throttle down = {.account = {10, 900}, .address = {10, 900}};
    int64_t retry_after = 0;

    (void)state;
    down.store = stores_open_url("unix:/nonexistent/postern.sock", "shop");
    stores_expect(down.store, "begin",
                  throttle_begin(&down, &ada, NOW, &attempt, &retry_after),
                  PST_STORE_DOWN);
    assert_int_equal(retry_after, 0);
    assert_int_equal(attempt.count, 1);
    store_close(&down.store);
}

static int
set_up(enum store_kind kind)
{
    stores_start(&stores, kind, NULL);
    throttle.store = stores_open(&stores, "shop");
    return 0;
}

static int
set_up_lmdb(void **state)
{
    (void)state;
    return set_up(STORE_LMDB);
}

static int
set_up_redis(void **state)
{
    (void)state;
    return set_up(STORE_REDIS);
}

static int
tear_down(void **state)
{
    (void)state;
    store_close(&throttle.store);
    stores_stop(&stores);
    return 0;
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_limits),
        cmocka_unit_test(test_accounts),
        cmocka_unit_test(test_addresses),
        cmocka_unit_test(test_pass),
        cmocka_unit_test(test_cancel),
        cmocka_unit_test(test_known_device),
        cmocka_unit_test(test_time),
        cmocka_unit_test(test_parallel),
        cmocka_unit_test(test_down),
        cmocka_unit_test(test_streak),
        cmocka_unit_test(test_streak_of_one_account_only),
        cmocka_unit_test(test_streak_off),
        cmocka_unit_test(test_streak_counts_failures),
        cmocka_unit_test(test_streak_of_device),
    };
    int failed = cmocka_run_group_tests_name("throttle lmdb", tests,
                                             set_up_lmdb, tear_down);

    return failed + cmocka_run_group_tests_name("throttle redis", tests,
                                                set_up_redis, tear_down);
}
