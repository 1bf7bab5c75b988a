/* SPDX-License-Identifier: ISC */
/*
 * fuzz_claims.c - read any bytes as the claims of a session (R12, L27). What is
 * accepted is within its limits, and is written as the same session.
 */
#include <string.h>

#include "base/arena.h"
#include "base/buffer.h"
#include "base/limits.h"
#include "base/str.h"
#include "session/claims.h"
#include "session/session.h"

#define ARENA_SIZE (512 * 1024)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
check_limits(const struct pst_session *session)
{
    PST_REQUIRE(session->sub.len <= PST_SUBJECT_MAX);
    PST_REQUIRE(session->name.len <= PST_NAME_MAX);
    PST_REQUIRE(pst_str_is_utf8(session->sub) &&
                pst_str_is_utf8(session->name));
    PST_REQUIRE(session->who.len <= PST_WHO_MAX);
    PST_REQUIRE(session->upstream.len <= PST_UPSTREAM_MAX);
    PST_REQUIRE(session->iat >= 0 && session->exp > session->iat);
    PST_REQUIRE((session->known == PST_IDENTITY_KNOWN) ==
                (session->sub.len > 0));
    PST_REQUIRE(pst_str_is_absent(session->refresh) ||
                session->token_end > session->token_begun);
}

static void
check_written(struct pst_arena *arena, const struct pst_session *session)
{
    struct pst_buf buf;
    struct pst_str text;
    struct pst_session again;

    pst_buf_init_arena(&buf, arena, ARENA_SIZE / 4);
    pst_claims_emit(&buf, session);
    PST_REQUIRE(pst_buf_finish(&buf, &text) == PST_OK);
    PST_REQUIRE(pst_session_verify_claims(arena, text, session) == PST_OK);
    PST_REQUIRE(pst_claims_parse(arena, text, &again) == PST_OK);
    PST_REQUIRE(memcmp(again.sid, session->sid, PST_SID_LEN) == 0);
    PST_REQUIRE(pst_str_equal(again.sub, session->sub));
    PST_REQUIRE(pst_str_equal(again.name, session->name));
    PST_REQUIRE(again.iat == session->iat && again.exp == session->exp &&
                again.seen == session->seen &&
                again.remember == session->remember &&
                again.known == session->known && again.asked == session->asked);
    PST_REQUIRE(pst_str_equal(again.who, session->who));
    PST_REQUIRE(pst_str_equal(again.upstream, session->upstream));
    PST_REQUIRE(pst_str_equal(again.refresh, session->refresh));
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct pst_arena *arena;
    const struct pst_str input =
        pst_str_from_bytes((struct pst_bytes){data, size});
    struct pst_session session;
    enum pst_err e;

    PST_REQUIRE(arena || pst_arena_new(&arena, ARENA_SIZE) == PST_OK);
    e = pst_claims_parse(arena, input, &session);
    PST_REQUIRE(e == PST_OK || e == PST_FORGED);
    if (!e) {
        check_limits(&session);
        check_written(arena, &session);
    }
    pst_arena_reset(arena);
    return 0;
}
