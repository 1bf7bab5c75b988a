/* SPDX-License-Identifier: ISC */
/*
 * postern.c - the functions of the public library (postern.h): check the
 * arguments, call the internal modules, and return error codes.
 *
 * Nothing here aborts for what a caller gave: it is not our program.
 */
#include "postern.h"

#include <assert.h>
#include <pthread.h>
#include <string.h>

#include "base/buffer.h"
#include "base/limits.h"
#include "crypto/crypto.h"
#include "http/redirect.h"
#include "library/postern_caller.h"
#include "library/postern_cookie.h"
#include "library/postern_csrf.h"
#include "library/postern_settings.h"

/* One call's memory, in bytes: sealing takes 13 KiB, and opening twice as much
 * as the cookies have, which lie there one beside another. It is small, since
 * it is cleared for every call. */
#define CALL_SIZE (32 * 1024)
#define CALL_COOKIE_FACTOR 4
#define CALL_COOKIES_MAX (1024 * 1024) /* what is longer may not fit */
#define SETTINGS_SIZE (16 * 1024)

/* Of the attributes: Domain, Max-Age and the fixed ones, with their names. */
#define ATTRIBUTES_MAX 512

static_assert(PST_SUBJECT_SIZE == PST_SUBJECT_MAX + 1, "with its NUL");
static_assert(PST_NAME_SIZE == PST_NAME_MAX + 1, "with its NUL");
static_assert(PST_CLAIMS_SIZE == PST_WHO_MAX + 1, "with its NUL");
static_assert(PST_LINE_SIZE >
                  PST_COOKIE_MAX + PST_COOKIE_ATTRIBUTE_MAX + ATTRIBUTES_MAX,
              "every line fits");

static pthread_once_t crypt_once = PTHREAD_ONCE_INIT;
static enum pst_err crypt_started;

static void
postern_start_crypt(void)
{
    crypt_started = pst_crypto_init();
}

static enum pst_err
postern_begin(struct cookie_call *call, const struct pst_sessions *sessions,
              const char *cookie)
{
    struct pst_str cookies =
        pst_str_first(pst_str_from(cookie), CALL_COOKIES_MAX);
    enum pst_err e = settings_now(sessions, &call->now);

    call->sessions = sessions;
    call->arena = NULL;
    if (e)
        return e;
    return pst_arena_new(&call->arena,
                         CALL_SIZE + CALL_COOKIE_FACTOR * cookies.len);
}

static void
postern_end(struct cookie_call *call)
{
    pst_arena_free(&call->arena);
}

/* Making. */

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
        settings_drop(sessions);
        free(sessions);
        return e;
    }
    *out = sessions;
    return PST_OK;
}

/* Every struct is in its first version still, so that its oldest size is the
 * present one. */

int
pst_sessions_new(struct pst_sessions **sessions,
                 const struct pst_settings *settings, const char **reason)
{
    struct pst_settings own;
    const char *sentence = "";
    enum pst_err e;

    if (reason)
        *reason = sentence;
    if (!sessions)
        return PST_E_BAD_ARGUMENT;
    *sessions = NULL;
    if (!caller_read_struct(&own, sizeof(own), sizeof(own), settings))
        return PST_E_BAD_ARGUMENT;
    if (pthread_once(&crypt_once, postern_start_crypt) || crypt_started)
        return PST_E_INTERNAL;
    e = postern_new(sessions, &own, &sentence);
    if (e && reason)
        *reason = sentence;
    return caller_code(e);
}

void
pst_sessions_free(struct pst_sessions **sessions)
{
    if (!sessions || !*sessions)
        return;
    settings_drop(*sessions);
    free(*sessions);
    *sessions = NULL;
}

/* Logging in. */

/* False where it names nobody and guests are not let in, or is too long. */
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
    e = postern_begin(&call, sessions, NULL);
    if (!e)
        e = pst_crypto_random(session.sid, sizeof(session.sid));
    if (!e)
        e = pst_session_start(&session, &sessions->clocks, call.now,
                              account->expires);
    if (!e)
        e = cookie_seal(&call, &session, &text);
    code = e ? caller_code(e) : caller_copy(line, size, text);
    postern_end(&call);
    return code;
}

int
pst_login(const struct pst_sessions *sessions,
          const struct pst_account *account, char *line, size_t size)
{
    struct pst_account own;

    int code = PST_E_BAD_ARGUMENT;

    if (sessions && line && size > 0 &&
        caller_read_struct(&own, sizeof(own), sizeof(own), account))
        code = postern_login(sessions, &own, line, size);
    return caller_finish(line, size, code);
}

/* Checking. */

/* May it be told of, and renewed? */
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
    /* Cut off there it would be another user's. */
    if (pst_str_index(session->sub, '\0') < session->sub.len)
        return PST_E_NOT_TEXT;
    return PST_E_OK;
}

static int
postern_fill(const struct pst_sessions *sessions,
             const struct pst_session *session, struct pst_visitor *visitor)
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

    e = postern_begin(&call, sessions, cookie);
    if (!e)
        e = cookie_find(&call, pst_str_from(cookie), &found);
    code = e ? caller_code(e) : postern_check_session(sessions, &found);
    if (!code)
        code = postern_fill(sessions, &found.session, visitor);
    postern_end(&call);
    return code;
}

int
pst_check(const struct pst_sessions *sessions, const char *cookie,
          struct pst_visitor *visitor)
{
    struct pst_visitor own = {.size = sizeof(own)};
    size_t size;
    int code;

    if (!visitor || visitor->size < sizeof(own) || visitor->size > 8192)
        return PST_E_BAD_ARGUMENT;
    size = visitor->size;
    memset(visitor, 0, size);
    visitor->size = size;
    if (!sessions)
        return PST_E_BAD_ARGUMENT;
    own.size = size;
    code = postern_check(sessions, cookie, &own);
    if (!code)
        *visitor = own;
    pst_crypto_wipe(&own, sizeof(own));
    return code;
}

/* Renewing. */

static int
postern_renew_found(const struct cookie_call *call,
                    struct cookie_session *found, char *line, size_t size)
{
    const struct pst_session_timeouts *clocks = &call->sessions->clocks;
    struct pst_str text;
    enum pst_err e;

    if (!found->is_stale &&
        !pst_session_is_renewal_due(&found->session, clocks, call->now))
        return PST_E_NOT_DUE;
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

    e = postern_begin(&call, sessions, cookie);
    if (!e)
        e = cookie_find(&call, pst_str_from(cookie), &found);
    code = e ? caller_code(e) : postern_check_session(sessions, &found);
    if (!code)
        code = postern_renew_found(&call, &found, line, size);
    postern_end(&call);
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

/* Forms. */

/*
 * The visitor's session, whoever's it is: a guest's, one in the store and one
 * whose owner is unknown have forms too.
 *   session  &found->session, or NULL where there is none
 */
static enum pst_err
postern_find_any(const struct cookie_call *call, const char *cookie,
                 struct cookie_session *found,
                 const struct pst_session **session)
{
    enum pst_err e = cookie_find(call, pst_str_from(cookie), found);

    *session = e ? NULL : &found->session;
    return e == PST_NO_SESSION ? PST_OK : e;
}

static int
postern_csrf_make(const struct pst_sessions *sessions, const char *cookie,
                  struct pst_str form, char *token, size_t size)
{
    const struct pst_session *session;
    char storage[PST_CSRF_SIZE - 1];
    struct cookie_session found;
    struct cookie_call call;
    struct pst_buf buf;
    enum pst_err e;

    pst_buf_init(&buf, storage, sizeof(storage));
    e = postern_begin(&call, sessions, cookie);
    if (!e)
        e = postern_find_any(&call, cookie, &found, &session);
    if (!e)
        e = csrf_make(&call, session, form, &buf);
    postern_end(&call);
    return e ? caller_code(e) : caller_copy(token, size, pst_buf_str(&buf));
}

int
pst_csrf_make(const struct pst_sessions *sessions, const char *cookie,
              const char *form, char *token, size_t size)
{
    int code = PST_E_BAD_ARGUMENT;

    if (sessions && token && size > 0 && csrf_is_form(pst_str_from(form)))
        code = postern_csrf_make(sessions, cookie, pst_str_from(form), token,
                                 size);
    return caller_finish(token, size, code);
}

int
pst_csrf_check(const struct pst_sessions *sessions, const char *cookie,
               const char *form, const char *token)
{
    const struct pst_session *session;
    struct cookie_session found;
    struct cookie_call call;
    enum pst_err e;

    if (!sessions || !csrf_is_form(pst_str_from(form)))
        return PST_E_BAD_ARGUMENT;
    if (!token || !*token)
        return PST_E_BAD_CSRF;
    e = postern_begin(&call, sessions, cookie);
    if (!e)
        e = postern_find_any(&call, cookie, &found, &session);
    if (!e)
        e = csrf_check(&call, session, pst_str_from(form), pst_str_from(token));
    postern_end(&call);
    return caller_code(e);
}

bool
pst_return_to_is_local(const char *target)
{
    return pst_redirect_is_local(pst_str_from(target));
}
