/* SPDX-License-Identifier: ISC */
/*
 * postern.h - login sessions in cookies, for C programs that run together with
 * Postern's programs, or without them. Link with -lpostern (pkg-config
 * postern).
 *
 * Every function that can fail returns 0 or one of the codes below. On
 * failure it makes its output empty. Several threads may use one struct
 * pst_sessions at once, as long as none of them frees it.
 *
 * The manual is postern(3).
 */
#ifndef POSTERN_POSTERN_H
#define POSTERN_POSTERN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#ifdef __GNUC__
#pragma GCC visibility push(default)
#define PST_CHECKED __attribute__((__warn_unused_result__))
#else
#define PST_CHECKED
#endif

/* Return values. Later versions may add codes, and never change one. */
#define PST_E_OK 0
#define PST_E_NO_SESSION 1   /* no cookie, or none that is valid */
#define PST_E_IN_STORE 2     /* only Postern's programs can read the session */
#define PST_E_UNCONFIRMED 3  /* the backend has not yet named its owner */
#define PST_E_NOT_TEXT 4     /* the subject contains a NUL byte */
#define PST_E_NOT_DUE 5      /* the session is not due for renewal */
#define PST_E_NO_MORE 6      /* there is no line with this index */
#define PST_E_BAD_CSRF 7     /* the CSRF token is not valid */
#define PST_E_BAD_SETTING 8  /* a setting is invalid */
#define PST_E_BAD_ARGUMENT 9 /* an argument is invalid */
#define PST_E_TOO_SMALL 10   /* the caller's buffer is too small */
#define PST_E_TOO_LARGE 11   /* the session does not fit in a cookie */
#define PST_E_NO_MEMORY 12
#define PST_E_NO_RANDOM 13 /* the system provides no random bytes */
#define PST_E_INTERNAL 14  /* libgcrypt failed, or the clock is wrong */

/* Sizes of buffers in bytes, with the final NUL: no result is larger. */
#define PST_LINE_SIZE 6144   /* a Set-Cookie value */
#define PST_CSRF_SIZE 512    /* a CSRF token */
#define PST_SUBJECT_SIZE 257 /* a user's id */
#define PST_NAME_SIZE 257    /* a user's name */
#define PST_CLAIMS_SIZE 1025 /* a JSON object */

/* struct pst_settings, flags. */
#define PST_SETTING_INSECURE 1u    /* cookies without Secure, for tests */
#define PST_SETTING_PARTITIONED 2u /* needs same_site None */
#define PST_SETTING_SIGNED 4u      /* JWS instead of JWE */
#define PST_SETTING_GUESTS 8u      /* guests have sessions */

/*
 * How sessions are made. Set `size` and `secrets`; a member that is 0 has its
 * default. Strings end with NUL and are copied. Programs that share sessions
 * must have the same settings. The comments name the variable of Postern's
 * programs and the default.
 */
struct pst_settings {
    size_t size;               /* sizeof(struct pst_settings) */
    const char *secrets;       /* COOKIE_SESSION_SECRET: one or more, with
                                  white space between; the first seals */
    const char *audience;      /* POSTERN_AUDIENCE; cookie_name, unprefixed */
    const char *cookie_name;   /* POSTERN_COOKIE_NAME; session */
    const char *cookie_domain; /* POSTERN_COOKIE_DOMAIN; only this host */
    const char *cookie_path;   /* POSTERN_COOKIE_PATH; / */
    const char *same_site;     /* POSTERN_COOKIE_SAMESITE; Lax */
    uint32_t flags;            /* PST_SETTING_... */
    uint32_t reserved;         /* 0 */
    int64_t idle;              /* POSTERN_IDLE_TIMEOUT; seconds, 1800 */
    int64_t lifetime;          /* POSTERN_LIFETIME; seconds, 43200 */
    int64_t remember;          /* POSTERN_REMEMBER_LIFETIME; 2592000 */
    int64_t guest;             /* POSTERN_GUEST_LIFETIME; 2592000 */
    int64_t (*clock)(void *clock_context); /* unix seconds; system's */
    void *clock_context;
};

/* The checked settings and the keys. One object serves the whole process. */
struct pst_sessions;

/* A user who logs in. */
struct pst_account {
    size_t size;         /* sizeof(struct pst_account) */
    const char *subject; /* the user's id, 1 to 256 bytes of UTF-8 */
    const char *name;    /* for display, at most 256 bytes; NULL: "" */
    const char *claims;  /* a JSON object of at most 1024 bytes; NULL: {} */
    int64_t expires;     /* unix seconds; 0: the settings decide */
    bool remember;       /* the user asked to be remembered */
};

/* The user or guest who sends a request. */
struct pst_visitor {
    size_t size;          /* sizeof(struct pst_visitor): set it first */
    int64_t since;        /* unix seconds: time of the login */
    int64_t expires;      /* unix seconds: the latest end */
    int64_t idle_expires; /* unix seconds: the end if not renewed */
    char subject[PST_SUBJECT_SIZE]; /* the user's id; "": a guest */
    char name[PST_NAME_SIZE];       /* "" if it contains a NUL byte */
    char claims[PST_CLAIMS_SIZE];   /* a JSON object */
    bool remember;
    bool guest; /* has not logged in; PST_SETTING_GUESTS only */
};

/*
 * Make the object, and initialize libgcrypt if the program has not done so.
 *   sessions  set to the object, or to NULL on failure; free it with
 *             pst_sessions_free()
 *   settings  copied
 *   reason    set to a sentence for the log that never contains a secret, or
 *             to ""; a constant string; may be NULL
 * Returns 0, PST_E_BAD_SETTING, PST_E_BAD_ARGUMENT, PST_E_NO_MEMORY,
 * PST_E_INTERNAL.
 */
PST_CHECKED int pst_sessions_new(struct pst_sessions **sessions,
                                 const struct pst_settings *settings,
                                 const char **reason);

/* Wipe and free the object, and set the pointer to NULL. It may be NULL. */
void pst_sessions_free(struct pst_sessions **sessions);

/*
 * Begin a session for a user whom the program has authenticated.
 *   line  the Set-Cookie value; PST_LINE_SIZE bytes are enough
 *   size  of line, in bytes
 * Returns 0, PST_E_BAD_ARGUMENT, PST_E_TOO_SMALL, PST_E_TOO_LARGE,
 * PST_E_NO_MEMORY, PST_E_NO_RANDOM, PST_E_INTERNAL.
 */
PST_CHECKED int pst_login(const struct pst_sessions *sessions,
                          const struct pst_account *account, char *line,
                          size_t size);

/*
 * Find and check the session of a request.
 *   cookie   the Cookie header, HTTP_COOKIE in CGI; NULL: there is none
 *   visitor  set its size first; all else is set on 0, and zeroed on failure
 * Returns 0, PST_E_NO_SESSION, PST_E_IN_STORE, PST_E_UNCONFIRMED,
 * PST_E_NOT_TEXT, PST_E_BAD_ARGUMENT, PST_E_NO_MEMORY, PST_E_INTERNAL.
 */
PST_CHECKED int pst_check(const struct pst_sessions *sessions,
                          const char *cookie, struct pst_visitor *visitor);

/*
 * Renew a session, so that it does not end by idleness. It is due after a
 * quarter of the idle timeout (if remembered: after a day), and if it was
 * sealed with an older secret than the first. A guest's session is due only in
 * that last case, and its end stays the same.
 *   line  as pst_login() writes it; may be the buffer that contains cookie
 * Returns 0, PST_E_NOT_DUE, or an error of pst_login() or pst_check().
 */
PST_CHECKED int pst_renew(const struct pst_sessions *sessions,
                          const char *cookie, char *line, size_t size);

/*
 * Write one of the Set-Cookie values that make the browser delete the cookies
 * of a session.
 *   cookie  the Cookie header: a guest's cookie and the one of an older name
 *           are cleared only if it contains them; NULL: in any case
 *   index   0, 1, ... until PST_E_NO_MORE
 * Returns 0, PST_E_NO_MORE, PST_E_BAD_ARGUMENT, PST_E_TOO_SMALL.
 */
PST_CHECKED int pst_logout_cookie(const struct pst_sessions *sessions,
                                  const char *cookie, size_t index, char *line,
                                  size_t size);

/*
 * Make a CSRF token for a form. It is valid for one hour and this session.
 *   cookie  the Cookie header; without a session, the token is for a browser
 *           without a session
 *   form    name of the form: 1 to 32 characters of A-Z a-z 0-9 - _
 *   token   the token; PST_CSRF_SIZE bytes are enough
 * Returns 0, PST_E_BAD_ARGUMENT, PST_E_TOO_SMALL, PST_E_NO_MEMORY,
 * PST_E_NO_RANDOM, PST_E_INTERNAL.
 */
PST_CHECKED int pst_csrf_make(const struct pst_sessions *sessions,
                              const char *cookie, const char *form, char *token,
                              size_t size);

/*
 * Check a CSRF token: it must be made for this form and for the session of this
 * request, within the last hour. For the form "login" it may also be made for a
 * session that has ended since, or before the present session began.
 *   token  the form's field; NULL and "" are not valid
 * Returns 0, PST_E_BAD_CSRF, PST_E_BAD_ARGUMENT, PST_E_NO_MEMORY,
 * PST_E_INTERNAL.
 */
PST_CHECKED int pst_csrf_check(const struct pst_sessions *sessions,
                               const char *cookie, const char *form,
                               const char *token);

/*
 * Is this a path on this site, so that it is safe as a Location header? NULL is
 * not.
 */
PST_CHECKED bool pst_return_to_is_local(const char *target);

/* Returns an English sentence without a full stop for any code. */
const char *pst_strerror(int code);

#undef PST_CHECKED
#ifdef __GNUC__
#pragma GCC visibility pop
#endif

#ifdef __cplusplus
}
#endif

#endif
