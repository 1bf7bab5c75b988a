/* SPDX-License-Identifier: ISC */
/*
 * test_throttle.c - guessing is limited, and does not lock the owner out (R67).
 */
#include <string.h>

#include "base/clock.h"
#include "base/limits.h"
#include "store/throttle.h"
#include "stores.h"

static struct stores stores;
static struct throttle throttle;

static const uint8_t device[PST_SID_LEN] = {1, 2, 3};

static struct throttle_login
login_of(const char *name, const char *address)
{
    return (struct throttle_login){.name = pst_str_from(name),
                                   .address = pst_str_from(address)};
}

/* One attempt that fails. */
static enum pst_err
fail_login(const struct throttle_login *login, int64_t now)
{
    struct throttle_attempt attempt;
    int64_t retry_after = 0;
    enum pst_err e =
        throttle_acquire(&throttle, login, now, &attempt, &retry_after);

    assert_int_equal(e == PST_THROTTLED, retry_after > 0);
    return e;
}

/* How many attempts fail before one is throttled; stops after 50. */
static unsigned
count_failures(struct throttle_login login)
{
    unsigned count = 0;

    while (count < 50 && fail_login(&login, NOW) == PST_OK)
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
        const char *spelt;
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
        {"no account", {7, 900}, {3, 900}, NULL, "192.0.2.6", 3},
        {"neither", {7, 900}, {3, 900}, NULL, NULL, 50},
        {"an empty account", {7, 900}, {9, 900}, "", "192.0.2.7", 7},
        {"nothing left of it", {7, 900}, {9, 900}, " \xE2\x80\x8B", NULL, 0},
    };

    (void)state;
    for (size_t i = 0; i < PST_COUNT(rows); i++) {
        unsigned got;

        throttle.account = rows[i].account;
        throttle.address = rows[i].address;
        got = count_failures(login_of(rows[i].spelt, rows[i].from));
        if (got != rows[i].want)
            fail_msg("row '%s': %u", rows[i].name, got);
    }
}

/* Spellings of one account share its budget; two accounts do not. */
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
        {"another", "cid@example.org", "cad@example.org", false},
        {"a blank inside", "don@example.org", "d on@example.org", true},
        {"a no-break space", "eve@example.org", "eve@example.org\xC2\xA0",
         true},
        {"an accent", "ada@example.org",
         "\xC3\xA1"
         "da@example.org",
         true},
        {"full width", "flo@example.org", "\xEF\xBD\x86lo@example.org", true},
        {"zero width", "gil@example.org", "gi\xE2\x80\x8Bl@example.org", true},
        {"a stroke", "lil@example.org", "\xC5\x82il@example.org", true},
        {"sharp s", "hess@example.org", "he\xC3\x9F@example.org", true},
        {"other letters", "j\xc3\xb6rn", "j\xc3\xa4rn", false},
        {"another script", "\xd0\x90", "\xd0\x91", false},
        {"alike for 1024 bytes", long_one, long_two, true},
    };

    (void)state;
    memset(long_one, 'x', 3000);
    memset(long_two, 'x', 2999);
    throttle.account = (struct rate){2, 900};
    throttle.address = (struct rate){0, 0};
    for (size_t i = 0; i < PST_COUNT(rows); i++) {
        unsigned got = count_failures(login_of(rows[i].first, ""));

        got += count_failures(login_of(rows[i].second, ""));
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
        unsigned got = count_failures(login_of("", rows[i].first));

        got += count_failures(login_of("", rows[i].second));
        if (got != (rows[i].is_same ? 2 : 4))
            fail_msg("row '%s': %u", rows[i].name, got);
    }
}

static void
attempt_at(const struct throttle_login *login, int64_t now,
           struct throttle_attempt *attempt)
{
    int64_t retry_after;

    stores_expect(
        throttle.store, "begin",
        throttle_acquire(&throttle, login, now, attempt, &retry_after), PST_OK);
}

static void
attempt_of(const struct throttle_login *login, struct throttle_attempt *attempt)
{
    attempt_at(login, NOW, attempt);
}

/* A success gives back what it acquired itself, and nothing else: earlier
 * failures still count, for the account and for the address. */
static void
test_reset(void **state)
{
    struct throttle_login ada = login_of("pass", "192.0.2.77");
    struct throttle_attempt attempt;

    (void)state;
    throttle.account = (struct rate){3, 900};
    throttle.address = (struct rate){5, 900};
    assert_int_equal(fail_login(&ada, NOW), PST_OK);
    assert_int_equal(fail_login(&ada, NOW), PST_OK);
    for (int i = 0; i < 20; i++) {
        attempt_of(&ada, &attempt);
        assert_int_equal(throttle_reset(&throttle, &attempt, NOW), PST_OK);
        assert_int_equal(throttle_reset(&throttle, &attempt, NOW), PST_OK);
    }
    assert_int_equal(count_failures(ada), 1);
    assert_int_equal(count_failures(login_of(NULL, "192.0.2.77")), 2);
}

/* Where only addresses are counted, logins of an attacker into an account of
 * his own do not give back the guesses at others. */
static void
test_reset_by_address(void **state)
{
    struct throttle_login ada = login_of("own", "192.0.2.80");
    struct throttle_attempt attempt;

    (void)state;
    throttle.account = (struct rate){0, 0};
    throttle.address = (struct rate){5, 900};
    assert_int_equal(fail_login(&ada, NOW), PST_OK);
    assert_int_equal(fail_login(&ada, NOW), PST_OK);
    for (int i = 0; i < 20; i++) {
        attempt_of(&ada, &attempt);
        assert_int_equal(throttle_reset(&throttle, &attempt, NOW), PST_OK);
    }
    assert_int_equal(count_failures(ada), 3);
}

/* The backend was down: it was not a guess. */
static void
test_cancel(void **state)
{
    struct throttle_login ada = login_of("cancel", "192.0.2.78");
    struct throttle_attempt attempt;

    (void)state;
    throttle.account = (struct rate){3, 900};
    throttle.address = (struct rate){4, 900};
    assert_int_equal(fail_login(&ada, NOW), PST_OK);
    for (int i = 0; i < 20; i++) {
        attempt_of(&ada, &attempt);
        assert_int_equal(throttle_refund(&throttle, &attempt, NOW), PST_OK);
        assert_int_equal(throttle_refund(&throttle, &attempt, NOW), PST_OK);
    }
    assert_int_equal(count_failures(ada), 2);
}

/* An attacker who has used up the budgets of an account and of a network has
 * not changed the budget of the owner's device. One device does not change
 * another's. */
static void
test_known_device(void **state)
{
    static const uint8_t other[PST_SID_LEN] = {9};
    struct throttle_login owner = login_of("known", "192.0.2.79");
    struct throttle_attempt attempt;

    (void)state;
    throttle.account = (struct rate){3, 900};
    throttle.address = (struct rate){4, 900};
    assert_int_equal(count_failures(owner), 3);
    assert_int_equal(count_failures(login_of("x", "192.0.2.79")), 1);
    owner.device = (struct pst_bytes){device, sizeof(device)};
    attempt_of(&owner, &attempt);
    assert_int_equal(throttle_reset(&throttle, &attempt, NOW), PST_OK);
    assert_int_equal(count_failures(owner), 3);
    assert_int_equal(count_failures(owner), 0);
    owner.name = PST_STR("somebody else");
    assert_int_equal(count_failures(owner), 3);
    owner.name = PST_STR("known");
    owner.device = (struct pst_bytes){other, sizeof(other)};
    assert_int_equal(count_failures(owner), 3);
    assert_int_equal(count_failures(login_of("known", "192.0.2.80")), 0);
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
    struct throttle_login ada = login_of("time", "");

    (void)state;
    throttle.account = (struct rate){2, 900};
    for (size_t i = 0; i < PST_COUNT(rows); i++)
        stores_expect(throttle.store, rows[i].name,
                      fail_login(&ada, rows[i].now), rows[i].want);
}

#define DAY 86400
#define STREAK_STEP (PST_LOGIN_FAILURES_PERIOD / PST_LOGIN_FAILURES_MAX)

/* A patient attacker: a failure every 90 s, which 10/15m never refuses. Returns
 * how many pass from `begin` to before `end`, in seconds after NOW. */
static unsigned
count_patient(const struct throttle_login *login, int64_t begin, int64_t end)
{
    unsigned count = 0;

    for (int64_t at = begin; at < end; at += 90)
        count += fail_login(login, NOW + at) == PST_OK;
    return count;
}

/* A hundred failures in a row, then one in 7.2 hours (R66), until the right
 * password resets the streak. */
static void
test_streak(void **state)
{
    struct throttle_login ada = login_of("streak", "");
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
    assert_int_equal(throttle_reset(&throttle, &attempt, NOW + 3 * DAY),
                     PST_OK);
    assert_int_equal(count_patient(&ada, 3 * DAY, 3 * DAY + 100 * 90), 100);
    /* The other budget has room: the wait comes from this one. */
    assert_int_equal(throttle_acquire(&throttle, &ada, NOW + 3 * DAY + 100 * 90,
                                      &attempt, &wait),
                     PST_THROTTLED);
    assert_int_equal(wait, STREAK_STEP - 100 * 90);
}

/*
 * L58: nine wrong passwords for the victim, then the right one for the
 * attacker's own account, whose name folds to the same. It is throttled after a
 * hundred.
 */
static void
test_streak_of_lookalike(void **state)
{
    struct throttle_login victim = login_of("lookalike", "");
    struct throttle_login own = login_of("lookalik\xC3\xA9", "");
    struct throttle_attempt attempt;
    unsigned guesses = 0;
    int64_t at = 0;
    int64_t wait;

    (void)state;
    throttle.account = (struct rate){100, 90};
    throttle.address = (struct rate){0, 0};
    for (int round = 0; round < 30; round++) {
        for (int i = 0; i < 9; i++, at++)
            guesses += fail_login(&victim, NOW + at) == PST_OK;
        if (throttle_acquire(&throttle, &own, NOW + at, &attempt, &wait) ==
            PST_OK)
            assert_int_equal(throttle_reset(&throttle, &attempt, NOW + at),
                             PST_OK);
    }
    assert_int_equal(guesses, 100);
}

/* The owner mistypes, then logs in: his failures are reset, but not those of an
 * attacker under another spelling. */
static void
test_streak_of_owner(void **state)
{
    struct throttle_login owner = login_of("mistyped", "");
    struct throttle_login attacker = login_of("MISTYPED", "");
    struct throttle_attempt attempt;

    (void)state;
    throttle.account = (struct rate){1000, 1};
    throttle.address = (struct rate){0, 0};
    for (int i = 0; i < 40; i++)
        assert_int_equal(fail_login(&attacker, NOW), PST_OK);
    for (int round = 0; round < 30; round++) {
        for (int i = 0; i < 3; i++)
            assert_int_equal(fail_login(&owner, NOW), PST_OK);
        attempt_of(&owner, &attempt);
        assert_int_equal(throttle_reset(&throttle, &attempt, NOW), PST_OK);
    }
    for (int i = 0; i < 60; i++)
        assert_int_equal(fail_login(&owner, NOW), PST_OK);
    assert_int_equal(fail_login(&owner, NOW), PST_THROTTLED);
}

/* An expired failure is not subtracted from those of another spelling. */
static void
test_streak_with_time(void **state)
{
    struct throttle_login one = login_of("with time", "");
    struct throttle_login two = login_of("With Time", "");
    struct throttle_attempt attempt;
    int64_t later = NOW + 10 * (int64_t)STREAK_STEP;
    unsigned left = 0;

    (void)state;
    throttle.account = (struct rate){1000, 1};
    throttle.address = (struct rate){0, 0};
    for (int i = 0; i < 20; i++) {
        assert_int_equal(fail_login(&one, NOW), PST_OK);
        assert_int_equal(fail_login(&two, NOW), PST_OK);
    }
    /* 40 less 10 are left; 20 less 10 of each, and one just now. */
    attempt_at(&one, later, &attempt);
    assert_int_equal(throttle_reset(&throttle, &attempt, later), PST_OK);
    while (fail_login(&two, later) == PST_OK)
        left++;
    assert_int_equal(left, 80);
}

/* A name that is not UTF-8 is refused. */
static void
test_not_utf8(void **state)
{
    struct throttle_login login = login_of("bob\xFF", "192.0.2.90");
    struct throttle_attempt attempt = {.count = 3};
    int64_t wait = -1;

    (void)state;
    for (int on = 0; on < 2; on++) {
        throttle.account = on ? (struct rate){10, 900} : (struct rate){0, 0};
        assert_int_equal(
            throttle_acquire(&throttle, &login, NOW, &attempt, &wait),
            PST_MALFORMED);
    }
    assert_int_equal(attempt.count, 3);
    assert_int_equal(wait, -1);
}

/* Sessions without a password: limited at the same rate, apart from guesses. */
static void
test_address_alone(void **state)
{
    static const char from[] = "192.0.2.91";
    struct throttle_attempt attempt;
    int64_t wait = 0;

    (void)state;
    throttle.account = (struct rate){10, 900};
    throttle.address = (struct rate){3, 900};
    for (int i = 0; i < 3; i++)
        assert_int_equal(throttle_acquire_address(&throttle, pst_str_from(from),
                                                  NOW, &attempt, &wait),
                         PST_OK);
    assert_int_equal(throttle_refund(&throttle, &attempt, NOW), PST_OK);
    assert_int_equal(throttle_acquire_address(&throttle, pst_str_from(from),
                                              NOW, &attempt, &wait),
                     PST_OK);
    assert_int_equal(throttle_acquire_address(&throttle, pst_str_from(from),
                                              NOW, &attempt, &wait),
                     PST_THROTTLED);
    assert_int_equal(wait, 300);
    assert_int_equal(count_failures(login_of("address alone", from)), 3);
    assert_int_equal(
        throttle_acquire_address(&throttle, PST_STR_NONE, NOW, &attempt, &wait),
        PST_OK);
    assert_int_equal(throttle_refund(&throttle, &attempt, NOW), PST_OK);
}

static void
expect_unlocked(const char *name, const char *address, int64_t want)
{
    int64_t in_use = -1;

    stores_expect(throttle.store, "unlock",
                  throttle_unlock(&throttle, pst_str_from(name),
                                  pst_str_from(address), NOW, &in_use),
                  PST_OK);
    assert_int_equal(in_use, want);
}

/* By any spelling, and with the failures of every spelling. */
static void
test_unlock(void **state)
{
    struct throttle_login login = login_of("unlock", "192.0.2.92");
    struct throttle_login other = login_of("\xC3\xBCnlock", NULL);
    int64_t in_use = -1;

    (void)state;
    throttle.account = (struct rate){1000, 900};
    throttle.address = (struct rate){200, 900};
    expect_unlocked("unlock", "192.0.2.92", 0);
    while (fail_login(&login, NOW) == PST_OK)
        ;
    expect_unlocked("UNLOCK", NULL, 2);
    expect_unlocked("unlock", NULL, 1); /* what the spelling had counted */
    expect_unlocked("unlock", NULL, 0);
    expect_unlocked(NULL, "192.0.2.92", 1);
    while (fail_login(&other, NOW) == PST_OK)
        ;
    expect_unlocked("unlock", NULL, 2);
    for (int i = 0; i < 100; i++)
        assert_int_equal(fail_login(&other, NOW), PST_OK);
    assert_int_equal(
        throttle_unlock(&throttle, PST_STR("\xFF"), PST_STR_NONE, NOW, &in_use),
        PST_MALFORMED);
}

/* Both budgets of an address: guesses, and sessions without a password. */
static void
test_unlock_address(void **state)
{
    static const char from[] = "192.0.2.93";
    struct throttle_login login = login_of("unlock address", from);
    struct throttle_attempt attempt;
    int64_t wait = 0;

    (void)state;
    throttle.account = (struct rate){1000, 900};
    throttle.address = (struct rate){1, 900};
    assert_int_equal(throttle_acquire_address(&throttle, pst_str_from(from),
                                              NOW, &attempt, &wait),
                     PST_OK);
    assert_int_equal(throttle_acquire_address(&throttle, pst_str_from(from),
                                              NOW, &attempt, &wait),
                     PST_THROTTLED);
    expect_unlocked(NULL, from, 1);
    assert_int_equal(throttle_acquire_address(&throttle, pst_str_from(from),
                                              NOW, &attempt, &wait),
                     PST_OK);
    assert_int_equal(fail_login(&login, NOW), PST_OK);
    expect_unlocked("unlock address", from, 5);
    expect_unlocked("unlock address", from, 0);
}

/* A limit that is off is reset, too: it may be on again tomorrow. */
static void
test_unlock_off(void **state)
{
    struct throttle_login login = login_of("unlock off", NULL);

    (void)state;
    throttle.account = (struct rate){10, 900};
    assert_int_equal(fail_login(&login, NOW), PST_OK);
    throttle.account = (struct rate){0, 0};
    throttle.address = (struct rate){0, 0};
    expect_unlocked("unlock off", "192.0.2.93", 3);
}

/* An attacker who logged in on many devices while he had the password shares
 * one budget among them. */
static void
test_devices_together(void **state)
{
    struct throttle_login login = login_of("devices", NULL);
    uint8_t id[PST_SID_LEN] = {0};
    unsigned count = 0;

    (void)state;
    throttle.account = (struct rate){1000, 1};
    throttle.address = (struct rate){0, 0};
    for (unsigned n = 0; n < 15; n++) {
        id[0] = (uint8_t)n;
        login.device = (struct pst_bytes){id, sizeof(id)};
        for (int i = 0; i < 100; i++)
            count += fail_login(&login, NOW) == PST_OK;
    }
    assert_int_equal(count, PST_LOGIN_DEVICE_FAILURES_MAX);
}

/* With the limit per account off, there is no streak. */
static void
test_streak_off(void **state)
{
    struct throttle_login ada = login_of("streak off", "");

    (void)state;
    throttle.account = (struct rate){0, 0};
    throttle.address = (struct rate){0, 0};
    assert_int_equal(count_patient(&ada, 0, 300 * 90), 300);
}

/* A streak has only failures: no attempt that the backend did not answer, and
 * none that a stricter rate refused. */
static void
test_streak_counts_failures(void **state)
{
    struct throttle_login ada = login_of("streak cancelled", "");
    struct throttle_login ben = login_of("streak refused", "");
    struct throttle_attempt attempt;

    (void)state;
    throttle.account = (struct rate){10, 900};
    throttle.address = (struct rate){0, 0};
    for (int i = 0; i < 300; i++) {
        attempt_at(&ada, NOW, &attempt);
        assert_int_equal(throttle_refund(&throttle, &attempt, NOW), PST_OK);
    }
    assert_int_equal(count_patient(&ada, 0, 120 * 90), 100);

    assert_int_equal(count_failures(ben), 10);
    for (int i = 0; i < 300; i++)
        assert_int_equal(fail_login(&ben, NOW), PST_THROTTLED);
    assert_int_equal(count_patient(&ben, 90, 120 * 90), 90);
}

/* A stranger's streak does not lock the owner's device out, which has its own;
 * and a success on that device does not reset the stranger's. */
static void
test_streak_of_device(void **state)
{
    struct throttle_login stranger = login_of("streak device", "");
    struct throttle_login owner = stranger;
    struct throttle_attempt attempt;
    int64_t at = 120 * 90;

    (void)state;
    throttle.account = (struct rate){10, 900};
    throttle.address = (struct rate){0, 0};
    owner.device = (struct pst_bytes){device, sizeof(device)};
    assert_int_equal(count_patient(&stranger, 0, at), 100);
    assert_int_equal(count_patient(&owner, 0, 50 * 90), 50);
    attempt_at(&owner, NOW + at, &attempt);
    assert_int_equal(throttle_reset(&throttle, &attempt, NOW + at), PST_OK);
    assert_int_equal(count_patient(&owner, at, 2 * at), 100);
    assert_int_equal(count_patient(&stranger, at, 2 * at), 0);
}

/* L66 */
static void
test_floor(void **state)
{
    static const struct {
        const char *name;
        int64_t now;
        int64_t floor;
        int64_t want;
    } rows[] = {
        {"at once", 1000, 500, 500},     {"some time after", 1020, 500, 480},
        {"just over", 1500, 500, 0},     {"long over", 9000, 500, 0},
        {"a millisecond", 1499, 500, 1}, {"no floor", 1000, 0, 0},
    };
    int64_t began = clock_ms();

    (void)state;
    for (size_t i = 0; i < PST_COUNT(rows); i++)
        if (throttle_floor_remaining(1000, rows[i].now, rows[i].floor) !=
            rows[i].want)
            fail_msg("row '%s'", rows[i].name);
    throttle_floor_wait(began, 0);
    throttle_floor_wait(began - 2000, 1000);
    assert_int_equal(clock_ms(), began);
    throttle_floor_wait(began, 30);
    assert_int_equal(clock_ms(), began + 30);
    throttle_floor_wait(began, 500);
    assert_int_equal(clock_ms(), began + 500);
}

/* Eight processes begin five attempts each, before any is answered. */
static unsigned
begin_many(unsigned index)
{
    struct throttle_login ada = login_of("parallel", "192.0.2.81");
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

/* A store that does not answer lets no attempt pass. */
static void
test_down(void **state)
{
    struct throttle_login ada = login_of("down", "192.0.2.82");
    struct throttle_attempt attempt = {.count = 1};
    struct throttle down = {.account = {10, 900}, .address = {10, 900}};
    int64_t retry_after = 0;

    (void)state;
    down.store = stores_open_url(STORES_DOWN_URL, "shop");
    stores_expect(down.store, "begin",
                  throttle_acquire(&down, &ada, NOW, &attempt, &retry_after),
                  PST_STORE_DOWN);
    assert_int_equal(retry_after, 0);
    assert_int_equal(attempt.count, 1);
    store_close(&down.store);
}

static int
set_up(void **state)
{
    (void)state;
    stores_start(&stores, STORES_KIND, NULL);
    throttle.store = stores_open(&stores, "shop");
    return 0;
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
        cmocka_unit_test(test_reset),
        cmocka_unit_test(test_reset_by_address),
        cmocka_unit_test(test_cancel),
        cmocka_unit_test(test_known_device),
        cmocka_unit_test(test_time),
        cmocka_unit_test(test_floor),
        cmocka_unit_test(test_parallel),
        cmocka_unit_test(test_down),
        cmocka_unit_test(test_streak),
        cmocka_unit_test(test_streak_of_lookalike),
        cmocka_unit_test(test_streak_of_owner),
        cmocka_unit_test(test_streak_with_time),
        cmocka_unit_test(test_not_utf8),
        cmocka_unit_test(test_address_alone),
        cmocka_unit_test(test_unlock),
        cmocka_unit_test(test_unlock_address),
        cmocka_unit_test(test_unlock_off),
        cmocka_unit_test(test_devices_together),
        cmocka_unit_test(test_streak_off),
        cmocka_unit_test(test_streak_counts_failures),
        cmocka_unit_test(test_streak_of_device),
    };

    if (!stores_can_start(STORES_KIND))
        return STORES_SKIPPED;
    return cmocka_run_group_tests_name("throttle", tests, set_up, tear_down);
}
