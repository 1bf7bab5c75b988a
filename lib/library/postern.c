/* SPDX-License-Identifier: ISC */
/*
 * postern.c - the session functions of the public library (postern.h): make
 * the object, log in, check, renew, log out.
 *
 * A caller's mistake returns a code and never aborts: the process belongs to
 * the caller.
 */
#include "postern.h"

#include <assert.h>
#include <pthread.h>
#include <string.h>

#include "base/arena.h"
#include "base/buffer.h"
#include "base/limits.h"
#include "codec/json_check.h"
#include "crypto/crypto.h"
#include "http/redirect.h"
#include "library/postern_caller.h"
#include "library/postern_cookie.h"
#include "library/postern_settings.h"

/* Bytes of memory for the strings of one struct pst_sessions. */
#define SETTINGS_SIZE (16 * 1024)

/* Bytes of the attributes Domain, Max-Age and the fixed ones, with their
 * names. */
#define ATTRIBUTES_MAX 512

static_assert(PST_SUBJECT_SIZE == PST_SUBJECT_MAX + 1, "with its NUL");
static_assert(PST_NAME_SIZE == PST_NAME_MAX + 1, "with its NUL");
static_assert(PST_CLAIMS_SIZE == PST_WHO_MAX + 1, "with its NUL");
static_assert(PST_LINE_SIZE >
                  PST_COOKIE_MAX + PST_COOKIE_ATTRIBUTE_MAX + ATTRIBUTES_MAX,
              "the longest line fits");

static pthread_once_t crypto_once = PTHREAD_ONCE_INIT;
static enum pst_err crypto_error;

static void
postern_start_crypto(void)
{
    crypto_error = pst_crypto_init();
}

/* The object. */

static enum pst_err
postern_new(struct pst_sessions **out, const struct pst_settings *settings,
            const char **reason)
{
    struct pst_sessions *sessions = calloc(1, sizeof(*sessions));
    enum pst_err e;

    if (!sessions)
        return PST_NO_MEMORY;
    e = pst_arena_new(&sessions->arena, SETTINGS_SIZE);
    if (!e)
        e = settings_apply(sessions, settings, reason);
    if (e) {
        settings_fini(sessions);
        free(sessions);
        return e;
    }
    *out = sessions;
    return PST_OK;
}

/* All structs still have their first version, so their oldest size is the
 * present size. */

int
pst_sessions_new(struct pst_sessions **sessions,
                 const struct pst_settings *settings, const char **reason)
{
    struct pst_settings copy;
    const char *sentence = "";
    enum pst_err e;

    if (reason)
        *reason = sentence;
    if (!sessions)
        return PST_E_BAD_ARGUMENT;
    *sessions = NULL;
    if (!caller_read_struct(&copy, sizeof(copy), sizeof(copy), settings))
        return PST_E_BAD_ARGUMENT;
    if (pthread_once(&crypto_once, postern_start_crypto) || crypto_error)
        return PST_E_INTERNAL;
    e = postern_new(sessions, &copy, &sentence);
    if (e && reason)
        *reason = sentence;
    return caller_code(e);
}

void
pst_sessions_free(struct pst_sessions **sessions)
{
    if (!sessions || !*sessions)
        return;
    settings_fini(*sessions);
    free(*sessions);
    *sessions = NULL;
}

/* Logging in. */

/* Returns false if a member is too long, or if the account has no subject and
 * guests are not allowed. */
static bool
postern_read_account(const struct pst_sessions *sessions,
                     const struct pst_account *account,
                     struct pst_session *session)
{
    session->sub = pst_str_from(account->subject ? account->subject : "");
    session->name = pst_str_from(account->name ? account->name : "");
    session->who = pst_str_from(account->claims ? account->claims : "{}");
    session->upstream = PST_STR_NONE;
    session->remember = account->remember;
    session->known =
        session->sub.len > 0 ? PST_IDENTITY_KNOWN : PST_IDENTITY_GUEST;
    return (session->sub.len > 0 || sessions->allows_guests) &&
           session->sub.len <= PST_SUBJECT_MAX &&
           session->name.len <= PST_NAME_MAX && session->who.len > 0 &&
           session->who.len <= PST_WHO_MAX;
}

/* Set session->who to the only JSON object in it. It is put into the claims as
 * it is, so anything after the object would be a claim of the caller's. */
static enum pst_err
postern_check_claims(const struct cookie_call *call,
                     struct pst_session *session)
{
    struct pst_json_error error;
    struct pst_str object;
    enum pst_err e = pst_json_check(call->arena, session->who, &object, &error);

    if (e)
        return e == PST_NO_MEMORY ? PST_NO_MEMORY : PST_MALFORMED;
    if (object.ptr[0] != '{')
        return PST_MALFORMED;
    session->who = object;
    return PST_OK;
}

static int
postern_login(const struct pst_sessions *sessions,
              const struct pst_account *account, char *line, size_t size)
{
    struct pst_session session = {.asked = 0};
    struct cookie_call call;
    struct pst_str text;
    enum pst_err e;
    int code;

    if (!postern_read_account(sessions, account, &session))
        return PST_E_BAD_ARGUMENT;
    e = cookie_call_begin(&call, sessions, NULL);
    if (!e)
        e = postern_check_claims(&call, &session);
    if (!e)
        e = pst_crypto_random(session.sid, sizeof(session.sid));
    if (!e)
        e = pst_session_start(&session, &sessions->clocks, call.now,
                              account->expires);
    if (!e)
        e = cookie_seal(&call, &session, &text);
    code = e ? caller_code(e) : caller_copy(line, size, text);
    cookie_call_end(&call);
    return code;
}

int
pst_login(const struct pst_sessions *sessions,
          const struct pst_account *account, char *line, size_t size)
{
    struct pst_account copy;
    int code = PST_E_BAD_ARGUMENT;

    if (sessions && line && size > 0 &&
        caller_read_struct(&copy, sizeof(copy), sizeof(copy), account))
        code = postern_login(sessions, &copy, line, size);
    return caller_finish(line, size, code);
}

/* Checking. */

/* May the session be reported to the caller, and renewed? */
static int
postern_check_session(const struct pst_sessions *sessions,
                      const struct cookie_session *found)
{
    const struct pst_session *session = &found->session;

    if (session->known == PST_IDENTITY_UNKNOWN)
        return PST_E_UNCONFIRMED;
    if (pst_session_is_guest(session) && !sessions->allows_guests)
        return PST_E_NO_SESSION;
    if (found->is_in_store)
        return PST_E_IN_STORE;
    /* As a C string, which ends at the NUL, it would name another user. */
    if (pst_str_index(session->sub, '\0') < session->sub.len)
        return PST_E_NOT_TEXT;
    return PST_E_OK;
}

static int
postern_fill_visitor(const struct pst_sessions *sessions,
                     const struct pst_session *session,
                     struct pst_visitor *visitor)
{
    struct pst_str name = session->name;
    int code;

    if (pst_str_index(name, '\0') < name.len)
        name = PST_STR("");
    visitor->since = session->iat;
    visitor->expires = session->exp;
    visitor->idle_expires = pst_session_idle_expiry(session, &sessions->clocks);
    visitor->remember = session->remember;
    visitor->guest = pst_session_is_guest(session);
    code =
        caller_copy(visitor->subject, sizeof(visitor->subject), session->sub);
    if (!code)
        code = caller_copy(visitor->name, sizeof(visitor->name), name);
    if (!code)
        code =
            caller_copy(visitor->claims, sizeof(visitor->claims), session->who);
    return code;
}

static int
postern_check(const struct pst_sessions *sessions, const char *cookie,
              struct pst_visitor *visitor)
{
    struct cookie_session found;
    struct cookie_call call;
    enum pst_err e;
    int code;

    e = cookie_call_begin(&call, sessions, cookie);
    if (!e)
        e = cookie_find(&call, pst_str_from(cookie), &found);
    code = e ? caller_code(e) : postern_check_session(sessions, &found);
    if (!code)
        code = postern_fill_visitor(sessions, &found.session, visitor);
    cookie_call_end(&call);
    return code;
}

int
pst_check(const struct pst_sessions *sessions, const char *cookie,
          struct pst_visitor *visitor)
{
    struct pst_visitor result = {.size = sizeof(result)};
    size_t size;
    int code;

    if (!visitor || visitor->size < sizeof(result) || visitor->size > 8192)
        return PST_E_BAD_ARGUMENT;
    size = visitor->size;
    memset(visitor, 0, size);
    visitor->size = size;
    if (!sessions)
        return PST_E_BAD_ARGUMENT;
    result.size = size;
    code = postern_check(sessions, cookie, &result);
    if (!code)
        *visitor = result;
    pst_crypto_wipe(&result, sizeof(result));
    return code;
}

/* Renewing. */

/* A guest's session is only sealed again, with the first secret: its times stay
 * as they are. With a later end, a copy of a revoked session would outlive the
 * record in the programs' store that it is revoked, which is not asked here. */
static int
postern_renew_found(const struct cookie_call *call,
                    struct cookie_session *found, char *line, size_t size)
{
    const struct pst_session_timeouts *clocks = &call->sessions->clocks;
    bool is_guest = pst_session_is_guest(&found->session);
    struct pst_str text;
    enum pst_err e;

    if (!found->is_from_older_secret &&
        (is_guest ||
         !pst_session_is_renewal_due(&found->session, clocks, call->now)))
        return PST_E_NOT_DUE;
    if (!is_guest)
        pst_session_touch(&found->session, clocks, call->now);
    e = cookie_seal(call, &found->session, &text);
    return e ? caller_code(e) : caller_copy(line, size, text);
}

static int
postern_renew(const struct pst_sessions *sessions, const char *cookie,
              char *line, size_t size)
{
    struct cookie_session found;
    struct cookie_call call;
    enum pst_err e;
    int code;

    e = cookie_call_begin(&call, sessions, cookie);
    if (!e)
        e = cookie_find(&call, pst_str_from(cookie), &found);
    code = e ? caller_code(e) : postern_check_session(sessions, &found);
    if (!code)
        code = postern_renew_found(&call, &found, line, size);
    cookie_call_end(&call);
    return code;
}

int
pst_renew(const struct pst_sessions *sessions, const char *cookie, char *line,
          size_t size)
{
    int code = PST_E_BAD_ARGUMENT;

    if (sessions && line && size > 0)
        code = postern_renew(sessions, cookie, line, size);
    return caller_finish(line, size, code);
}

/* Logging out. */

static int
postern_logout_cookie(const struct pst_sessions *sessions, const char *cookie,
                      size_t index, char *line, size_t size)
{
    struct pst_str whole;
    struct pst_buf buf;
    enum pst_err e;

    pst_buf_init(&buf, line, size);
    e = cookie_clear(sessions, pst_str_from(cookie), index, &buf);
    if (e == PST_NOT_FOUND)
        return PST_E_NO_MORE;
    pst_buf_add_char(&buf, '\0');
    return pst_buf_finish(&buf, &whole) ? PST_E_TOO_SMALL : PST_E_OK;
}

int
pst_logout_cookie(const struct pst_sessions *sessions, const char *cookie,
                  size_t index, char *line, size_t size)
{
    int code = PST_E_BAD_ARGUMENT;

    if (sessions && line && size > 0)
        code = postern_logout_cookie(sessions, cookie, index, line, size);
    return caller_finish(line, size, code);
}

/* Redirects. */

bool
pst_return_to_is_local(const char *target)
{
    return pst_redirect_is_local(pst_str_from(target));
}
