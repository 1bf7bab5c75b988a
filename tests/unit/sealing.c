/* SPDX-License-Identifier: ISC */
/*
 * sealing.c - a worker with a store, to seal and open sessions of any size.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "sealing.h"

const char *const both[] = {"POSTERN_TOKEN_METHOD=cookie,bearer", NULL};
const char *const both_signed[] = {"POSTERN_TOKEN_METHOD=cookie,bearer",
                                   "POSTERN_TOKEN_FORMAT=signed", NULL};

struct place place;

void
place_init(const char *const *settings)
{
    fixture_init(&place.f, settings);
    stores_start(&place.stores, STORE_LMDB, NULL);
    place.f.ctx.store = stores_open(&place.stores, "test");
}

void
place_fini(void)
{
    store_close(&place.f.ctx.store);
    stores_stop(&place.stores);
    fixture_fini(&place.f);
}

struct pst_str
token_of(size_t size)
{
    static char text[32 * 1024];

    PST_REQUIRE(size + 2 < sizeof(text));
    text[0] = '"';
    for (size_t i = 0; i < size; i++)
        text[i + 1] = (char)('A' + i % 26);
    text[size + 1] = '"';
    return (struct pst_str){text, size + 2};
}

struct pst_session
session_of(size_t size)
{
    struct pst_session session = {
        .sid = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16},
        .sub = PST_STR("7"),
        .name = PST_STR("alice@example.com"),
        .iat = FIXTURE_NOW,
        .exp = FIXTURE_NOW + 3600,
        .seen = FIXTURE_NOW,
        .who = PST_STR("{\"email\":\"alice@example.com\"}"),
        .upstream = token_of(size),
    };

    return session;
}

struct transport
seal(const struct pst_session *session, bool is_new)
{
    struct context *ctx = &place.f.ctx;
    struct transport issued = {.cookie = PST_STR_NONE};
    struct store_id id;
    unsigned methods = ctx->config->methods;
    enum pst_err e =
        is_new
            ? transport_issue(ctx, place.f.arena, methods, session, &issued)
            : transport_reissue(ctx, place.f.arena, methods, session, &issued);

    if (e)
        fail_msg("sealing: %s", pst_err_code(e));
    store_id_sid(session->sid, &id);
    if (issued.blob.len > 0 &&
        store_spill_put(ctx->store, &id, issued.blob, session->exp,
                        FIXTURE_NOW) != PST_OK)
        fail_msg("storing: %s", store_error(ctx->store));
    return issued;
}

struct pst_str
value_of(struct pst_str line)
{
    struct pst_str rest = pst_str_skip(line, pst_str_index(line, '=') + 1);

    return pst_str_first(rest, pst_str_index(rest, ';'));
}

enum pst_err
open_cookie(struct pst_str line, struct pst_session *out)
{
    bool is_from_older_secret = true;
    enum pst_err e = transport_verify(
        &place.f.ctx, place.f.arena,
        (struct transport_token){PST_PURPOSE_COOKIE, value_of(line)}, out,
        &is_from_older_secret);

    assert_true(e || !is_from_older_secret);
    return e;
}

void
assert_same(const char *name, const struct pst_session *got,
            const struct pst_session *want)
{
    if (memcmp(got->sid, want->sid, PST_SID_LEN) != 0 ||
        !pst_str_equal(got->sub, want->sub) ||
        !pst_str_equal(got->name, want->name) ||
        !pst_str_equal(got->who, want->who) ||
        !pst_str_equal(got->upstream, want->upstream) ||
        got->iat != want->iat || got->exp != want->exp ||
        got->seen != want->seen || got->remember != want->remember)
        fail_msg("%s: another session came back", name);
}
