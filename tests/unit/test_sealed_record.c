/* SPDX-License-Identifier: ISC */
/*
 * test_sealed_record.c - texts sealed for the store: bound to their context,
 * and opened as long as their secret is kept.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "gateway/sealed_record.h"
#include "sealing.h"

#define OLDER "Vb7nC2xZ9qLw4TtRk8MdYp3GhJ6sXaFe"
#define NEWER "aN5tQ8jVx2KfW7rEy4HbMc9pZs3DgUu6"

static struct pst_bytes
context_of(const char *text)
{
    return pst_str_bytes(pst_str_from(text));
}

static struct pst_bytes
make(const char *context, struct pst_str text)
{
    struct pst_bytes record;

    assert_int_equal(sealed_record_make(&place.f.ctx, place.f.arena,
                                        context_of(context), text, &record),
                     PST_OK);
    return record;
}

static enum pst_err
open_with(const struct pst_keyring *ring, const char *context,
          struct pst_bytes record, struct pst_str *text)
{
    return sealed_record_open(ring, place.f.arena, context_of(context), record,
                              text);
}

static void
test_texts(void **state)
{
    static char long_text[PST_SPILL_MAX];
    const struct pst_str texts[] = {
        PST_STR(""), PST_STR("Ada"), {long_text, sizeof(long_text)}};

    (void)state;
    place_init(NULL);
    for (size_t i = 0; i < PST_COUNT(texts); i++) {
        struct pst_bytes record = make("name7", texts[i]);
        struct pst_str back;

        assert_true(record.len <= texts[i].len + SEALED_RECORD_EXTRA_MAX);
        assert_int_equal(open_with(place.f.ctx.ring, "name7", record, &back),
                         PST_OK);
        assert_true(pst_str_equal(back, texts[i]));
        assert_int_equal(open_with(place.f.ctx.ring, "name8", record, &back),
                         PST_FORGED);
    }
    place_fini();
}

/* Every byte counts, and a truncated record does not open. */
static void
test_changed_records(void **state)
{
    struct pst_bytes record;
    uint8_t copy[256];
    struct pst_str text;

    (void)state;
    place_init(NULL);
    record = make("name7", PST_STR("Ada"));
    assert_true(record.len <= sizeof(copy));
    for (size_t i = 0; i < record.len; i++) {
        memcpy(copy, record.ptr, record.len);
        copy[i] ^= 0x20;
        if (open_with(place.f.ctx.ring, "name7",
                      (struct pst_bytes){copy, record.len},
                      &text) != PST_FORGED ||
            open_with(place.f.ctx.ring, "name7",
                      (struct pst_bytes){record.ptr, i}, &text) != PST_FORGED)
            fail_msg("byte %zu of %zu", i, record.len);
    }
    place_fini();
}

static void
test_secrets_change(void **state)
{
    static const struct {
        const char *secrets;
        enum pst_err want;
    } rows[] = {
        {OLDER, PST_OK}, {NEWER " " OLDER, PST_OK}, {NEWER, PST_FORGED}};
    const struct pst_keyring *before;
    struct pst_bytes record = {NULL, 0};
    struct pst_keyring *ring;
    struct pst_str text;
    const char *reason;

    (void)state;
    place_init(NULL);
    before = place.f.ctx.ring;
    for (size_t i = 0; i < PST_COUNT(rows); i++) {
        assert_int_equal(pst_keyring_new(&ring, pst_str_from(rows[i].secrets),
                                         PST_STR("test"), &reason),
                         PST_OK);
        place.f.ctx.ring = ring;
        if (i == 0)
            record = make("name7", PST_STR("Ada"));
        assert_int_equal(open_with(ring, "name7", record, &text), rows[i].want);
        pst_keyring_free(&ring);
    }
    place.f.ctx.ring = before;
    place_fini();
}

static void
test_no_random(void **state)
{
    struct pst_bytes record;

    (void)state;
    place_init(NULL);
    fixture_break_random(&place.f);
    assert_int_equal(sealed_record_make(&place.f.ctx, place.f.arena,
                                        context_of("x"), PST_STR("Ada"),
                                        &record),
                     PST_NO_RANDOM);
    place_fini();
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_texts),
        cmocka_unit_test(test_changed_records),
        cmocka_unit_test(test_secrets_change),
        cmocka_unit_test(test_no_random),
    };

    return cmocka_run_group_tests_name("sealed_record", tests, NULL, NULL);
}
