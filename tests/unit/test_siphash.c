/* SPDX-License-Identifier: ISC */
/*
 * test_siphash.c - the vectors of the reference for one and three rounds: key
 * 00 01 … 0f, data 00 01 … of 0 to 63 bytes (github.com/veorq/SipHash; the same
 * as OpenSSL's SipHash MAC with c-rounds 1 and d-rounds 3).
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <setjmp.h>

#include <cmocka.h>
#include <string.h>

#include "base/siphash.h"

static const struct pst_siphash_key reference_key = {
    {0x0706050403020100u, 0x0f0e0d0c0b0a0908u}};

static const uint64_t vectors[64] = {
    0xabac0158050fc4dcu, 0xc9f49bf37d57ca93u, 0x82cb9b024dc7d44du,
    0x8bf80ab8e7ddf7fbu, 0xcf75576088d38328u, 0xdef9d52f49533b67u,
    0xc50d2b50c59f22a7u, 0xd3927d989bb11140u, 0x369095118d299a8eu,
    0x25a48eb36c063de4u, 0x79de85ee92ff097fu, 0x70c118c1f94dc352u,
    0x78a384b157b4d9a2u, 0x306f760c1229ffa7u, 0x605aa111c0f95d34u,
    0xd320d86d2a519956u, 0xcc4fdd1a7d908b66u, 0x9cf2689063dbd80cu,
    0x8ffc389cb473e63eu, 0xf21f9de58d297d1cu, 0xc0dc2f46a6cce040u,
    0xb992abfe2b45f844u, 0x7ffe7b9ba320872eu, 0x525a0e7fdae6c123u,
    0xf464aeb267349c8cu, 0x45cd5928705b0979u, 0x3a3e35e3ca9913a5u,
    0xa91dc74e4ade3b35u, 0xfb0bed02ef6cd00du, 0x88d93cb44ab1e1f4u,
    0x540f11d643c5e663u, 0x2370dd1f8c21d1bcu, 0x81157b6c16a7b60du,
    0x4d54b9e57a8ff9bfu, 0x759f12781f2a753eu, 0xcea1a3bebf186b91u,
    0x2cf508d3ada26206u, 0xb6101c2da3c33057u, 0xb3f47496ae3a36a1u,
    0x626b57547b108392u, 0xc1d2363299e41531u, 0x667cc1923f1ad944u,
    0x65704ffec8138825u, 0x24f280d1c28949a6u, 0xc2ca1cedfaf8876bu,
    0xc2164bfc9f042196u, 0xa16e9c9368b1d623u, 0x49fb169c8b5114fdu,
    0x9f3143f8df074c46u, 0xc6fdaf2412cc86b3u, 0x7eaf49d10a52098fu,
    0x1cf313559d292f9au, 0xc44a30dda2f41f12u, 0x36fae98943a71ed0u,
    0x318fb34c73f0bce6u, 0xa27abf3670a7e980u, 0xb4bcc0db243c6d75u,
    0x23f8d852fdb71513u, 0x8f035f4da67d8a08u, 0xd89cd0e5b7e8f148u,
    0xf6f4e6bcf7a644eeu, 0xaec59ad80f1837f2u, 0xc3b2f6154b6694e0u,
    0x9d199062b7bbb3a8u,
};

static void
test_vectors(void **state)
{
    uint8_t data[64];

    (void)state;
    for (size_t i = 0; i < sizeof(data); i++) {
        uint64_t got = pst_siphash(&reference_key, (struct pst_bytes){data, i});

        if (got != vectors[i])
            fail_msg("%zu bytes: %016llx, want %016llx", i,
                     (unsigned long long)got, (unsigned long long)vectors[i]);
        data[i] = (uint8_t)i;
    }
}

/* In pieces of any size. */
static void
test_pieces(void **state)
{
    uint8_t data[64];

    (void)state;
    for (size_t i = 0; i < sizeof(data); i++) {
        for (size_t size = 1; size <= 9; size++) {
            struct pst_siphash_state hash;

            pst_siphash_init(&hash, &reference_key);
            for (size_t at = 0; at < i; at += size)
                pst_siphash_add(
                    &hash, (struct pst_bytes){data + at,
                                              i - at < size ? i - at : size});
            if (pst_siphash_finish(&hash) != vectors[i])
                fail_msg("%zu bytes in pieces of %zu", i, size);
        }
        data[i] = (uint8_t)i;
    }
}

/* Another key gives another hash; the alignment of the data does not matter. */
static void
test_key_and_alignment(void **state)
{
    struct pst_siphash_key other = reference_key;
    char storage[64];
    struct pst_str text = PST_STR("query ActiveOrder($id: ID!) { id }");
    uint64_t want = pst_siphash(&reference_key, pst_str_bytes(text));

    (void)state;
    for (size_t i = 0; i < 8; i++) {
        memcpy(storage + i, text.ptr, text.len);
        assert_true(want ==
                    pst_siphash(&reference_key,
                                (struct pst_bytes){(const uint8_t *)storage + i,
                                                   text.len}));
    }
    other.words[1] ^= 1;
    assert_true(want != pst_siphash(&other, pst_str_bytes(text)));
}

/* Empty data may have a NULL pointer. */
static void
test_empty(void **state)
{
    (void)state;
    assert_true(vectors[0] ==
                pst_siphash(&reference_key, pst_str_bytes(PST_STR_NONE)));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_vectors),
        cmocka_unit_test(test_pieces),
        cmocka_unit_test(test_key_and_alignment),
        cmocka_unit_test(test_empty),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
