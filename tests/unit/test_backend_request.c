/* SPDX-License-Identifier: ISC */
/*
 * test_backend_request.c - the variables and the body of our own requests.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "backend_config.h"
#include "upstream/backend_request.h"

/* R69: every password is sent unchanged. */
static void
test_credentials(void **state)
{
    static const struct {
        const struct setting *setting;
        bool remember;
        const char *want;
    } rows[] = {
        {&fauna, true,
         "{\"email\":\"a\\\"b@example.com\",\"password\":\" p\\\\\\\"\\n"
         "\xC3\xA9 \"}"},
        {&vendure, true,
         "{\"username\":\"a\\\"b@example.com\",\"password\":\" p\\\\\\\"\\n"
         "\xC3\xA9 \",\"rememberMe\":true}"},
        {&vendure, false,
         "{\"username\":\"a\\\"b@example.com\",\"password\":\" p\\\\\\\"\\n"
         "\xC3\xA9 \",\"rememberMe\":false}"},
    };

    (void)state;
    for (size_t i = 0; i < PST_COUNT(rows); i++) {
        const struct login_credentials credentials = {
            PST_STR("a\"b@example.com"), PST_STR(" p\\\"\n\xC3\xA9 "),
            rows[i].remember};
        struct config *config = configured(rows[i].setting);
        struct pst_buf buf;

        pst_arena_reset(arena);
        pst_buf_init_arena(&buf, arena, 8192);
        backend_emit_login_variables(&buf, &config->backend.logins[0],
                                     &credentials);
        expect_text("credentials", pst_buf_str(&buf), rows[i].want);
        config_free(&config);
    }
}

static void
test_request(void **state)
{
    struct pst_buf buf;

    (void)state;
    pst_arena_reset(arena);
    pst_buf_init_arena(&buf, arena, 8192);
    backend_emit_request(&buf, PST_STR("{a(b:\"c\")}"), PST_STR_NONE);
    expect_text("bare", pst_buf_str(&buf), "{\"query\":\"{a(b:\\\"c\\\")}\"}");
    pst_buf_init_arena(&buf, arena, 8192);
    backend_emit_request(&buf, PST_STR("{a}"), PST_STR("{\"b\":1}"));
    expect_text("with variables", pst_buf_str(&buf),
                "{\"query\":\"{a}\",\"variables\":{\"b\":1}}");
    pst_buf_init_arena(&buf, arena, 8192);
    backend_emit_refresh_variables(&buf, PST_STR("\"r\\\"1\""));
    expect_text("refresh", pst_buf_str(&buf), "{\"refreshToken\":\"r\\\"1\"}");
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_credentials),
        cmocka_unit_test(test_request),
    };

    return RUN_WITH_ARENA(tests);
}
