/* SPDX-License-Identifier: ISC */
/*
 * library.c - use the public library as a program does, for tests.
 */
#include "library.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

int64_t library_now = LIBRARY_NOW;

static int64_t
library_clock(void *clock_context)
{
    return *(int64_t *)clock_context;
}

struct pst_settings
library_settings(void)
{
    return (struct pst_settings){.size = sizeof(struct pst_settings),
                                 .secrets = LIBRARY_SECRET,
                                 .clock = library_clock,
                                 .clock_context = &library_now};
}

struct pst_sessions *
library_new(const struct pst_settings *settings)
{
    struct pst_sessions *sessions;
    const char *reason = "unset";
    int code = pst_sessions_new(&sessions, settings, &reason);

    if (code)
        fail_msg("%s: %s", pst_strerror(code), reason);
    assert_string_equal(reason, "");
    return sessions;
}

void
library_login(const struct pst_sessions *sessions, const char *subject,
              char cookie[static PST_LINE_SIZE])
{
    struct pst_account account = {.size = sizeof(account),
                                  .subject = subject,
                                  .name = "Ada",
                                  .claims = "{\"email\":\"ada@example.com\"}"};

    assert_int_equal(pst_login(sessions, &account, cookie, PST_LINE_SIZE),
                     PST_E_OK);
    library_cut(cookie);
}

void
library_cut(char *line)
{
    line[strcspn(line, ";")] = '\0';
}

int
library_check(const struct pst_sessions *sessions, const char *a, const char *b,
              struct pst_visitor *visitor)
{
    static char header[4 * PST_LINE_SIZE];

    snprintf(header, sizeof(header), "%s%s%s", a, *a && *b ? "; " : "", b);
    *visitor = (struct pst_visitor){.size = sizeof(*visitor)};
    return pst_check(sessions, header, visitor);
}
