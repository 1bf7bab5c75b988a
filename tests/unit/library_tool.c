/* SPDX-License-Identifier: ISC */
/*
 * library_tool.c - call the public library from the command line, for tests
 * that share its sessions with the programs.
 *
 *   library_tool login SUBJECT [NAME [CLAIMS]]
 *   library_tool check | renew | logout
 *   library_tool make FORM | test FORM TOKEN
 *
 * The secret comes from COOKIE_SESSION_SECRET, flags from LIBRARY_FLAGS, the
 * session from HTTP_COOKIE. Prints the result; exits with the library's code.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "postern.h"

enum { MISUSED = 99 };

static char line[PST_LINE_SIZE];

static int
print_line(int code)
{
    if (code == PST_E_OK)
        puts(line);
    return code;
}

static int
log_in(const struct pst_sessions *sessions, int count, char **words)
{
    struct pst_account account = {.size = sizeof(account),
                                  .subject = words[0],
                                  .name = count > 1 ? words[1] : NULL,
                                  .claims = count > 2 ? words[2] : NULL};

    return print_line(pst_login(sessions, &account, line, sizeof(line)));
}

static int
check(const struct pst_sessions *sessions, const char *cookie)
{
    struct pst_visitor visitor = {.size = sizeof(visitor)};
    int code = pst_check(sessions, cookie, &visitor);

    if (code == PST_E_OK)
        printf("%s\n%s\n%s\n%lld\n%lld\n%d\n", visitor.subject, visitor.name,
               visitor.claims, (long long)visitor.expires,
               (long long)visitor.idle_expires, visitor.guest);
    return code;
}

static int
log_out(const struct pst_sessions *sessions, const char *cookie)
{
    int code = PST_E_OK;

    for (size_t i = 0; code == PST_E_OK; i++)
        code = print_line(
            pst_logout_cookie(sessions, cookie, i, line, sizeof(line)));
    return code == PST_E_NO_MORE ? PST_E_OK : code;
}

static int
run(const struct pst_sessions *sessions, int count, char **words)
{
    const char *cookie = getenv("HTTP_COOKIE");

    if (strcmp(words[0], "login") == 0 && count > 1)
        return log_in(sessions, count - 1, words + 1);
    if (strcmp(words[0], "check") == 0)
        return check(sessions, cookie);
    if (strcmp(words[0], "renew") == 0)
        return print_line(pst_renew(sessions, cookie, line, sizeof(line)));
    if (strcmp(words[0], "logout") == 0)
        return log_out(sessions, cookie);
    if (strcmp(words[0], "make") == 0 && count == 2)
        return print_line(
            pst_csrf_make(sessions, cookie, words[1], line, sizeof(line)));
    if (strcmp(words[0], "test") == 0 && count == 3)
        return pst_csrf_check(sessions, cookie, words[1], words[2]);
    return MISUSED;
}

int
main(int argc, char **argv)
{
    const char *flags = getenv("LIBRARY_FLAGS");
    struct pst_settings settings = {
        .size = sizeof(settings),
        .secrets = getenv("COOKIE_SESSION_SECRET"),
        .flags = flags ? (uint32_t)strtoul(flags, NULL, 10) : 0};
    struct pst_sessions *sessions;
    const char *reason;
    int code = MISUSED;

    if (argc < 2)
        return MISUSED;
    code = pst_sessions_new(&sessions, &settings, &reason);
    if (code == PST_E_OK)
        code = run(sessions, argc - 1, argv + 1);
    if (code)
        fprintf(stderr, "library_tool: %s %s\n", pst_strerror(code), reason);
    pst_sessions_free(&sessions);
    return code;
}
