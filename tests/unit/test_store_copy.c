/* SPDX-License-Identifier: ISC */
/*
 * test_store_copy.c - copies of the arguments of a write: equal to what they
 * were made from, and nothing in them points there.
 */
#include <string.h>

#include "store/store_copy.h"
#include "stores.h"

static struct store_id sid;
static struct store_id subject;
static struct store_id guest;
static char text[8];

static void
fill(void)
{
    sid = stores_id(1);
    subject = stores_id(2);
    guest = stores_id(3);
    memcpy(text, "text", 5);
}

/* What the originals pointed to is gone. */
static void
forget(void)
{
    memset(&sid, 0xff, sizeof(sid));
    memset(&subject, 0xff, sizeof(subject));
    memset(&guest, 0xff, sizeof(guest));
    memset(text, 0xff, sizeof(text));
}

static void
expect_id(const struct store_id *got, unsigned number)
{
    struct store_id want = stores_id(number);

    assert_true(store_id_equal(got, &want));
}

static void
test_revocation(void **state)
{
    const struct store_revocation full = {&sid, &subject, 10, 20};
    const struct store_revocation guests = {&sid, NULL, 10, 20};
    struct store_revocation *copy;

    (void)state;
    fill();
    copy = store_copy_revocation(&full);
    forget();
    expect_id(copy->sid, 1);
    expect_id(copy->subject, 2);
    assert_int_equal(copy->expires, 10);
    assert_int_equal(copy->now, 20);
    free(copy);
    fill();
    copy = store_copy_revocation(&guests);
    assert_null(copy->subject);
    free(copy);
}

static void
test_use(void **state)
{
    const struct store_use use = {&sid, &subject, 10, 20, 30};
    struct store_use *copy;

    (void)state;
    fill();
    copy = store_copy_use(&use);
    forget();
    expect_id(copy->sid, 1);
    expect_id(copy->subject, 2);
    assert_int_equal(copy->interval, 20);
    free(copy);
}

static void
test_spill(void **state)
{
    const struct store_spill spill = {
        .sid = &sid, .blob = {(const uint8_t *)text, 4}, .only_replace = true};
    struct store_spill *copy;

    (void)state;
    fill();
    copy = store_copy_spill(&spill);
    forget();
    expect_id(copy->sid, 1);
    assert_true(copy->only_replace);
    assert_int_equal(copy->blob.len, 4);
    assert_memory_equal(copy->blob.ptr, "text", 4);
    free(copy);
}

static void
test_counters(void **state)
{
    struct store_counter items[2] = {{.rate = {1, 2}}, {.rate = {3, 4}}};
    const struct store_counters counters = {items, 2, 10};
    struct store_counters *copy;

    (void)state;
    items[1].id = stores_id(1);
    copy = store_copy_counters(&counters);
    memset(items, 0xff, sizeof(items));
    assert_int_equal(copy->count, 2);
    assert_int_equal(copy->items[0].rate.limit, 1);
    expect_id(&copy->items[1].id, 1);
    free(copy);
}

static void
test_replacement(void **state)
{
    struct store_session session = {.created = 5,
                                    .user = {text, 4},
                                    .browser = {text, 3},
                                    .address = {text, 2},
                                    .sealed_name = {(const uint8_t *)text, 1}};
    const struct store_replacement replacement = {
        .old = &sid,
        .old_subject = &subject,
        .guest = &guest,
        .session = &session,
        .blob = {(const uint8_t *)text, 4}};
    struct store_replacement *copy;

    (void)state;
    fill();
    copy = store_copy_replacement(&replacement);
    forget();
    memset(&session, 0xff, sizeof(session));
    expect_id(copy->old, 1);
    expect_id(copy->old_subject, 2);
    expect_id(copy->guest, 3);
    assert_int_equal(copy->session->created, 5);
    assert_memory_equal(copy->session->user.ptr, "text", 4);
    assert_memory_equal(copy->session->browser.ptr, "tex", 3);
    assert_int_equal(copy->session->address.len, 2);
    assert_int_equal(copy->session->sealed_name.len, 1);
    assert_memory_equal(copy->session->sealed_name.ptr, "t", 1);
    assert_memory_equal(copy->blob.ptr, "text", 4);
    free(copy);
}

/* A guest's texts are not set, and need not be valid. */
static void
test_guest(void **state)
{
    const struct store_session session = {.user = {text, SIZE_MAX}};
    const struct store_replacement replacement = {.session = &session,
                                                  .is_guest = true};
    struct store_replacement *copy = store_copy_replacement(&replacement);

    (void)state;
    assert_null(copy->old);
    assert_null(copy->guest);
    assert_int_equal(copy->blob.len, 0);
    free(copy);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_revocation),  cmocka_unit_test(test_use),
        cmocka_unit_test(test_spill),       cmocka_unit_test(test_counters),
        cmocka_unit_test(test_replacement), cmocka_unit_test(test_guest),
    };

    return cmocka_run_group_tests_name("store_copy", tests, NULL, NULL);
}
