/* SPDX-License-Identifier: ISC */
/*
 * doctor_site.c - look at a running site from outside for `postern doctor`,
 * without an account, and say what is wrong.
 */
#include "doctor_site.h"

#include <stdarg.h>
#include <string.h>

#include "commands.h"
#include "gateway/secure_cookie.h"
#include "print.h"

/* An origin and a name that nobody has (RFC 2606). */
#define OTHER_ORIGIN "https://postern-doctor.invalid"
#define FORGED_USER "postern-doctor"

#define LINE_MAX_BYTES 1024

/* Report. */

static void PST_PRINTF(3, 4)
    report(struct doctor *doctor, bool is_good, const char *format, ...)
{
    char line[LINE_MAX_BYTES];
    va_list values;

    va_start(values, format);
    (void)vsnprintf(line, sizeof(line), format, values);
    va_end(values);
    fputs(is_good ? "ok     " : "FAULT  ", stdout);
    print_escaped(stdout, pst_str_from(line));
    putchar('\n');
    if (!is_good)
        doctor->faults++;
}

static void
report_untried(const char *what, const char *how)
{
    printf("-      not tried: %s: %s\n", what, how);
}

/* Send a request. False: there is no answer, which is reported. */
static bool
ask(struct doctor *doctor, const struct doctor_request *request)
{
    enum pst_err e = doctor_probe_send(&doctor->probe, request);

    if (e)
        report(doctor, false, "%s: no answer: %s", request->path,
               doctor->probe.error.text[0] ? doctor->probe.error.text
                                           : pst_err_text(e));
    return e == PST_OK;
}

static struct pst_str
header(const struct doctor *doctor, const char *name)
{
    return doctor_probe_header(&doctor->probe, name);
}

static bool
body_contains(const struct doctor *doctor, const char *text)
{
    return pst_str_contains(pst_buf_str(&doctor->probe.body),
                            pst_str_from(text));
}

/* Answers. */

static void
check_not_cached(struct doctor *doctor, const char *path)
{
    report(
        doctor,
        pst_str_contains(header(doctor, "Cache-Control"), PST_STR("no-store")),
        "%s: Cache-Control: no-store, so that no cache keeps the answer", path);
}

/* Neither the backend's token nor who the user is may reach a browser in a
 * header: a script could read it. */
static void
check_no_leak(struct doctor *doctor, const char *path)
{
    const struct doctor_probe *probe = &doctor->probe;

    for (size_t i = 0; i < probe->header_count; i++) {
        struct pst_str name = probe->headers[i].name;

        if (pst_str_starts_nocase(name, PST_STR("X-Session-")) ||
            pst_str_starts_nocase(name, PST_STR("Variable-")) ||
            (pst_str_equal_nocase(name, pst_str_from(doctor->token_header)) &&
             probe->headers[i].value.len > 0))
            report(doctor, false,
                   "%s: the header %.*s reaches the browser: remove it in the "
                   "web server, or set POSTERN_TOKEN_METHOD=cookie",
                   path, (int)name.len, name.ptr);
    }
}

static void
check_login_page(struct doctor *doctor)
{
    bool is_form;

    if (!ask(doctor, &(struct doctor_request){.path = doctor->login}))
        return;
    check_no_leak(doctor, doctor->login);
    is_form = doctor->probe.status == 200 &&
              body_contains(doctor, "type=\"password\"");
    report(doctor, is_form,
           "%s: a login form, unless POSTERN_LOGIN_PAGE is off (status %d)",
           doctor->login, doctor->probe.status);
    if (!is_form)
        return;
    check_not_cached(doctor, doctor->login);
    report(doctor,
           pst_str_contains(header(doctor, "Content-Security-Policy"),
                            PST_STR("frame-ancestors 'none'")),
           "%s: Content-Security-Policy: no other site can show it in a frame",
           doctor->login);
    report(doctor,
           pst_str_equal_nocase(header(doctor, "X-Content-Type-Options"),
                                PST_STR("nosniff")),
           "%s: X-Content-Type-Options: nosniff", doctor->login);
}

static void
check_tls(struct doctor *doctor)
{
    if (secure_cookie_is_loopback(doctor->probe.site)) {
        puts("-      the site is http:// on this machine: Chrome and Firefox "
             "keep Secure cookies there, Safari does not");
        return;
    }
    if (!doctor->is_https) {
        report(doctor, false,
               "the site is not https: passwords can be read on the way, and "
               "browsers drop Secure cookies");
        return;
    }
    report(doctor, true, "TLS: the certificate is valid for this name");
    report(doctor, header(doctor, "Strict-Transport-Security").len > 0,
           "%s: Strict-Transport-Security, so that browsers never try http",
           doctor->login);
}

static void
check_session(struct doctor *doctor)
{
    const struct doctor_request request = {
        .path = doctor->session, .origin = OTHER_ORIGIN, .forged = FORGED_USER};

    if (!ask(doctor, &request))
        return;
    report(doctor,
           doctor->probe.status == 200 &&
               body_contains(doctor, "{\"session\":null}"),
           "%s: nobody is logged in without a cookie, also with forged "
           "X-Session-* headers (status %d)",
           doctor->session, doctor->probe.status);
    check_not_cached(doctor, doctor->session);
    check_no_leak(doctor, doctor->session);
    report(doctor,
           pst_str_is_absent(header(doctor, "Access-Control-Allow-Origin")),
           "%s: another site's pages cannot read the answer (CORS)",
           doctor->session);
}

/* Cookies. A dead one is cleared with the attributes of a live one. */

static void
check_cookie_attributes(struct doctor *doctor, struct pst_str line)
{
    struct pst_str name = pst_str_first(line, pst_str_index(line, '='));
    bool has_prefix = pst_str_starts(name, PST_STR("__Host-")) ||
                      pst_str_starts(name, PST_STR("__Secure-"));

    report(doctor, pst_str_contains(line, PST_STR("HttpOnly")),
           "cookie %.*s: HttpOnly, so that no script can read it",
           (int)name.len, name.ptr);
    report(doctor, pst_str_contains(line, PST_STR("; Secure")),
           "cookie %.*s: Secure, so that it is never sent over http",
           (int)name.len, name.ptr);
    report(doctor, pst_str_contains(line, PST_STR("SameSite=")),
           "cookie %.*s: SameSite is set", (int)name.len, name.ptr);
    report(doctor, has_prefix,
           "cookie %.*s: the prefix __Host- or __Secure-, so that no other "
           "host can set it",
           (int)name.len, name.ptr);
}

static bool
check_cookie(struct doctor *doctor, const char *name)
{
    char cookie[256];

    (void)snprintf(cookie, sizeof(cookie), "%s=dead", name);
    if (!ask(doctor, &(struct doctor_request){.path = doctor->session,
                                              .cookie = cookie}))
        return true;
    if (pst_str_is_absent(header(doctor, "Set-Cookie")))
        return false;
    check_cookie_attributes(doctor, header(doctor, "Set-Cookie"));
    return true;
}

static void
check_cookies(struct doctor *doctor)
{
    static const char *const names[] = {"__Host-Http-session",
                                        "__Secure-session", "session"};
    bool is_found = false;

    if (doctor->cookie)
        is_found = check_cookie(doctor, doctor->cookie);
    for (size_t i = 0; !doctor->cookie && i < PST_COUNT(names) && !is_found;
         i++)
        is_found = check_cookie(doctor, names[i]);
    if (!is_found)
        report_untried("the cookie's attributes",
                       "no cookie of this name is known: use --cookie NAME");
}

/* Cross-site requests. */

static void
check_status(struct doctor *doctor, const struct doctor_request *request,
             int want, const char *what)
{
    if (!ask(doctor, request))
        return;
    report(doctor, doctor->probe.status == want, "%s: %s (status %d)",
           request->path, what, doctor->probe.status);
    check_no_leak(doctor, request->path);
}

static void
check_cross_site(struct doctor *doctor)
{
    static const char login[] =
        "{\"email\":\"postern-doctor@invalid.example\",\"password\":\"x\"}";
    char path[1024];

    check_status(doctor,
                 &(struct doctor_request){.path = doctor->login,
                                          .json = login,
                                          .origin = OTHER_ORIGIN},
                 403, "another site cannot log a visitor in");
    check_status(doctor,
                 &(struct doctor_request){.path = doctor->logout,
                                          .json = "{}",
                                          .origin = OTHER_ORIGIN},
                 403, "another site cannot log a visitor out");
    check_status(
        doctor,
        &(struct doctor_request){.path = doctor->query,
                                 .json = "{\"query\":\"{__typename}\"}",
                                 .origin = OTHER_ORIGIN},
        403, "another site cannot send a query");
    (void)snprintf(path, sizeof(path), "%s?query=mutation%%7Bdoctor%%7D",
                   doctor->query);
    check_status(doctor, &(struct doctor_request){.path = path}, 405,
                 "a link cannot run a mutation");
}

/* The site's own pages must pass: a wrong POSTERN_ORIGIN refuses them all. */
static void
check_own_origin(struct doctor *doctor)
{
    char origin[300];

    (void)snprintf(origin, sizeof(origin), "%.*s", (int)doctor->probe.site.len,
                   doctor->probe.site.ptr);
    if (!ask(doctor,
             &(struct doctor_request){.path = doctor->query,
                                      .json = "{\"query\":\"{__typename}\"}",
                                      .origin = origin,
                                      .is_same_origin = true}))
        return;
    report(doctor, doctor->probe.status != 403,
           "%s: the site's own pages may send a query with Origin: %s (status "
           "%d); if not, set POSTERN_ORIGIN",
           doctor->query, origin, doctor->probe.status);
    report(doctor, doctor->probe.status < 500,
           "%s: the backend answers a query (status %d)", doctor->query,
           doctor->probe.status);
    check_no_leak(doctor, doctor->query);
}

/* The backend's own path, around `query`: no document is read there, passwords
 * can be guessed without limit, and a login hands out the backend's token. */
static void
check_no_other_graphql(struct doctor *doctor)
{
    static const char *const paths[] = {"/graphql", "/api/graphql", "/shop-api",
                                        "/admin-api"};

    for (size_t i = 0; i < PST_COUNT(paths); i++) {
        const struct doctor_request request = {
            .path = paths[i], .json = "{\"query\":\"{__typename}\"}"};

        if (strcmp(paths[i], doctor->query) == 0 || !ask(doctor, &request))
            continue;
        report(doctor,
               doctor->probe.status != 200 ||
                   !body_contains(doctor, "\"data\""),
               "%s: the backend's GraphQL is not reachable around %s (status "
               "%d)",
               paths[i], doctor->query, doctor->probe.status);
    }
}

/* Protected pages. */

static bool
is_refusal(int status)
{
    return status == 401 || status == 403 || status == 303 || status == 302;
}

static void
check_page(struct doctor *doctor)
{
    if (!doctor->page) {
        report_untried("whether X-Session-* can be forged on a protected page",
                       "use --page PATH");
        return;
    }
    if (!ask(doctor, &(struct doctor_request){.path = doctor->page}))
        return;
    report(doctor, is_refusal(doctor->probe.status),
           "%s: refused without a session (status %d)", doctor->page,
           doctor->probe.status);
    check_no_leak(doctor, doctor->page);
    if (!ask(doctor, &(struct doctor_request){.path = doctor->page,
                                              .forged = FORGED_USER}))
        return;
    report(doctor,
           is_refusal(doctor->probe.status) &&
               !body_contains(doctor, FORGED_USER),
           "%s: refused with forged X-Session-* and Remote-User headers "
           "(status %d)",
           doctor->page, doctor->probe.status);
}

int
doctor_examine_site(struct doctor *doctor)
{
    check_login_page(doctor);
    if (doctor->probe.status == 0)
        return EX_UNAVAILABLE;
    check_tls(doctor);
    check_session(doctor);
    check_cookies(doctor);
    check_cross_site(doctor);
    check_own_origin(doctor);
    check_no_other_graphql(doctor);
    check_page(doctor);
    fflush(stdout);
    fprintf(stderr, "%zu fault%s\n", doctor->faults,
            doctor->faults == 1 ? "" : "s");
    return doctor->faults > 0 ? COMMAND_NEGATIVE : 0;
}
