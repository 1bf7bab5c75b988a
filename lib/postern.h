/* SPDX-License-Identifier: ISC */
/*
 * postern.h - sessions in cookies, for C programs that run beside Postern's
 * own, or without them. Link with -lpostern (pkg-config postern).
 *
 * Every function that can fail returns 0 or one of the codes below. On
 * failure it empties what it would have filled in. Everything but making and
 * freeing a struct pst_sessions may be done by several threads at once.
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

/* What functions return. New codes may come; old ones keep their number. */
#define PST_E_OK 0
#define PST_E_NO_SESSION 1 /* no cookie, or none that is good: not told why */
#define PST_E_IN_STORE 2   /* a session that only Postern's programs can read */
#define PST_E_UNCONFIRMED 3  /* the backend has not yet said whose it is */
#define PST_E_NOT_TEXT 4     /* its subject holds a NUL byte */
#define PST_E_NOT_DUE 5      /* nothing to renew */
#define PST_E_NO_MORE 6      /* no line of this index */
#define PST_E_BAD_CSRF 7     /* not a good CSRF token, not told why */
#define PST_E_BAD_SETTING 8  /* a setting is refused */
#define PST_E_BAD_ARGUMENT 9 /* an argument is refused */
#define PST_E_TOO_SMALL 10   /* the caller's buffer */
#define PST_E_TOO_LARGE 11   /* the session does not fit in a cookie */
#define PST_E_NO_MEMORY 12
#define PST_E_NO_RANDOM 13 /* the system gives no random bytes */
#define PST_E_INTERNAL 14  /* libgcrypt failed, or the clock is nonsense */

/* Buffers, in bytes, with the terminating NUL: no result is larger. */
#define PST_LINE_SIZE 6144   /* a Set-Cookie value */
#define PST_CSRF_SIZE 512    /* a CSRF token */
#define PST_SUBJECT_SIZE 257 /* a user's id */
#define PST_NAME_SIZE 257    /* a user's name */
#define PST_CLAIMS_SIZE 1025 /* a JSON object */

/* struct pst_settings, flags. */
#define PST_SETTING_INSECURE 1u    /* cookies without Secure: tests on http */
#define PST_SETTING_PARTITIONED 2u /* needs same_site None */
#define PST_SETTING_SIGNED 4u      /* JWS instead of JWE */
#define PST_SETTING_GUESTS 8u      /* sessions of nobody are let in */

/*
 * How sessions are made. Fill `size` and `secrets`; what is 0 has Postern's
 * default. Strings end with NUL and are copied. They must say the same as the
 * variables of the programs that share the sessions.
 */
struct pst_settings {
    size_t size;               /* sizeof(struct pst_settings) */
    const char *secrets;       /* COOKIE_SESSION_SECRET: one or more, with
                                  white space between; the first seals */
    const char *audience;      /* POSTERN_AUDIENCE; cookie_name, no prefix */
    const char *cookie_name;   /* POSTERN_COOKIE_NAME; session */
    const char *cookie_domain; /* POSTERN_COOKIE_DOMAIN; this host alone */
    const char *cookie_path;   /* POSTERN_COOKIE_PATH; / */
    const char *same_site;     /* POSTERN_COOKIE_SAMESITE; Lax */
    uint32_t flags;            /* PST_SETTING_... */
    uint32_t reserved;         /* 0 */
    int64_t idle;              /* POSTERN_IDLE_TIMEOUT; seconds, 1800 */
    int64_t lifetime;          /* POSTERN_LIFETIME; seconds, 43200 */
    int64_t remember;          /* POSTERN_REMEMBER_LIFETIME; 2592000 */
    int64_t guest;             /* POSTERN_GUEST_LIFETIME; 2592000 */
    int64_t (*clock)(void *clock_context); /* unix seconds; the system's */
    void *clock_context;
};

/* Settings, ready for use. One serves the whole process. */
struct pst_sessions;

/* Who has logged in. */
struct pst_account {
    size_t size;         /* sizeof(struct pst_account) */
    const char *subject; /* the user's id, 1 to 256 bytes of UTF-8 */
    const char *name;    /* for people, at most 256 bytes; NULL: "" */
    const char *claims;  /* a JSON object of at most 1024 bytes; NULL: {} */
    int64_t expires;     /* unix seconds; 0: only the settings limit it */
    bool remember;       /* the user asked to be remembered */
};

/* Whose request it is. */
struct pst_visitor {
    size_t size;          /* sizeof(struct pst_visitor): set it first */
    int64_t since;        /* unix seconds: logged in at */
    int64_t expires;      /* unix seconds: the end, whatever happens */
    int64_t idle_expires; /* unix seconds: the end, if nothing happens */
    char subject[PST_SUBJECT_SIZE]; /* empty: a guest */
    char name[PST_NAME_SIZE];       /* "" where it holds a NUL byte */
    char claims[PST_CLAIMS_SIZE];   /* a JSON object */
    bool remember;
    bool guest; /* nobody; only with PST_SETTING_GUESTS */
};

/*
 * Make one, and start libgcrypt if the program has not done so.
 *   sessions  set to it, or to NULL
 *   settings  may be forgotten afterwards
 *   reason    set to a sentence for the log, which never holds a secret, or
 *             to ""; may be NULL
 * Returns 0, PST_E_BAD_SETTING, PST_E_BAD_ARGUMENT, PST_E_NO_MEMORY,
 * PST_E_INTERNAL.
 */
PST_CHECKED int pst_sessions_new(struct pst_sessions **sessions,
                                 const struct pst_settings *settings,
                                 const char **reason);

/* Wipe and free it, and set the pointer to NULL, which may be NULL already. */
void pst_sessions_free(struct pst_sessions **sessions);

/*
 * Begin a session.
 *   line  what follows "Set-Cookie: ", with a NUL; PST_LINE_SIZE is enough
 *   size  of line, in bytes
 * Returns 0, PST_E_BAD_ARGUMENT, PST_E_TOO_SMALL, PST_E_TOO_LARGE,
 * PST_E_NO_MEMORY, PST_E_NO_RANDOM, PST_E_INTERNAL.
 */
PST_CHECKED int pst_login(const struct pst_sessions *sessions,
                          const struct pst_account *account, char *line,
                          size_t size);

/*
 * Who is asking?
 *   cookie   the Cookie header, HTTP_COOKIE in CGI; NULL: there is none
 *   visitor  filled in when 0 is returned, else emptied
 * Returns 0, PST_E_NO_SESSION, PST_E_IN_STORE, PST_E_UNCONFIRMED,
 * PST_E_NOT_TEXT, PST_E_BAD_ARGUMENT, PST_E_NO_MEMORY, PST_E_INTERNAL.
 */
PST_CHECKED int pst_check(const struct pst_sessions *sessions,
                          const char *cookie, struct pst_visitor *visitor);

/*
 * Keep a session from ending by idleness. A session is due after a quarter of
 * the idle time (a remembered one and a guest's: a day), and when an older
 * secret sealed it.
 *   line  may be the buffer that cookie is in
 * Returns 0 and a line as pst_login() does, PST_E_NOT_DUE, or what pst_login()
 * and pst_check() return.
 */
PST_CHECKED int pst_renew(const struct pst_sessions *sessions,
                          const char *cookie, char *line, size_t size);

/*
 * The lines that make a browser forget the session, one by one.
 *   cookie  the request's Cookie header: the guest's cookie and older names
 *           are cleared only where it holds them; NULL: in any case
 *   index   0, 1, ... until PST_E_NO_MORE
 * Returns 0, PST_E_NO_MORE, PST_E_BAD_ARGUMENT, PST_E_TOO_SMALL.
 */
PST_CHECKED int pst_logout_cookie(const struct pst_sessions *sessions,
                                  const char *cookie, size_t index, char *line,
                                  size_t size);

/*
 * Make a CSRF token for a form, good for an hour and for this session.
 *   cookie  the request's Cookie header; a visitor without a session may have
 *           a token too
 *   form    which form: 1 to 32 of A-Z a-z 0-9 - _
 *   token   gets it, with a NUL; PST_CSRF_SIZE is enough
 * Returns 0, PST_E_BAD_ARGUMENT, PST_E_TOO_SMALL, PST_E_NO_MEMORY,
 * PST_E_NO_RANDOM, PST_E_INTERNAL.
 */
PST_CHECKED int pst_csrf_make(const struct pst_sessions *sessions,
                              const char *cookie, const char *form, char *token,
                              size_t size);

/*
 * Is this a token for this form, made for the session of this request within
 * the last hour? For the form "login" it may also be made for a session that
 * has ended since, or before one that has begun since.
 *   token  the form's field; NULL and "" are no token
 * Returns 0, PST_E_BAD_CSRF, PST_E_BAD_ARGUMENT, PST_E_NO_MEMORY,
 * PST_E_INTERNAL.
 */
PST_CHECKED int pst_csrf_check(const struct pst_sessions *sessions,
                               const char *cookie, const char *form,
                               const char *token);

/*
 * May a Location header have this, as it is, without leading to another site?
 * NULL may not.
 */
PST_CHECKED bool pst_return_to_is_local(const char *target);

/* One English sentence without a full stop, for any code. */
const char *pst_strerror(int code);

#undef PST_CHECKED
#ifdef __GNUC__
#pragma GCC visibility pop
#endif

#ifdef __cplusplus
}
#endif

#endif
