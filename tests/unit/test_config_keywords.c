/* SPDX-License-Identifier: ISC */
/*
 * test_config_keywords.c - what each word sets.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "server/config.h"
#include "server/config_keywords.h"

/* Look for a word as config_find_keyword() does. */
static const struct config_keyword *
find(const struct config_keyword *list, const char *word)
{
    while (list->keyword && strcmp(list->keyword, word) != 0)
        list++;
    return list->keyword ? list : NULL;
}

static void
test_words(void **state)
{
    static const struct {
        const struct config_keyword *list;
        const char *word;
        unsigned value;
    } rows[] = {
        {switch_keywords, "on", true},
        {switch_keywords, "off", false},
        {token_method_keywords, "cookie", TOKEN_METHOD_COOKIE},
        {token_method_keywords, "bearer", TOKEN_METHOD_BEARER},
        {token_format_keywords, "sealed", PST_TOKEN_SEALED},
        {token_format_keywords, "signed", PST_TOKEN_SIGNED},
        {dead_bearer_keywords, "guest", true},
        {dead_bearer_keywords, "refuse", false},
        {documents_send_keywords, "id", true},
        {documents_send_keywords, "text", false},
        {preflight_keywords, "pass", true},
        {preflight_keywords, "refuse", false},
        {csrf_token_keywords, "required", true},
        {csrf_token_keywords, "checked", false},
        {same_site_keywords, "Lax", PST_SAME_SITE_LAX},
        {same_site_keywords, "Strict", PST_SAME_SITE_STRICT},
        {same_site_keywords, "None", PST_SAME_SITE_NONE},
        {preset_keywords, "fauna", PRESET_FAUNA},
        {preset_keywords, "vendure", PRESET_VENDURE},
        {token_location_keywords, "json", TOKEN_IN_JSON},
        {token_location_keywords, "header", TOKEN_IN_HEADER},
        {token_location_keywords, "cookie", TOKEN_IN_COOKIE},
        {logout_keywords, "always", LOGOUT_ALWAYS},
        {logout_keywords, "everywhere", LOGOUT_EVERYWHERE},
        {logout_keywords, "never", LOGOUT_NEVER},
        {log_level_keywords, "error", LEVEL_ERROR},
        {log_level_keywords, "warning", LEVEL_WARNING},
        {log_level_keywords, "info", LEVEL_INFO},
        {log_level_keywords, "debug", LEVEL_DEBUG},
        {log_format_keywords, "logfmt", LOG_LOGFMT},
        {log_format_keywords, "json", LOG_JSON},
    };

    (void)state;
    for (size_t i = 0; i < PST_COUNT(rows); i++) {
        const struct config_keyword *found = find(rows[i].list, rows[i].word);

        if (!found || found->value != rows[i].value)
            fail_msg("row %zu: %s", i, rows[i].word);
        assert_null(find(rows[i].list, "no such word"));
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_words),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
