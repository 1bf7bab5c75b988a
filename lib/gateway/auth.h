/* SPDX-License-Identifier: ISC */
/*
 * auth.h - authenticate a request: find its token, open the session in it, and
 * refuse a request from another site. gateway/auth_session.h begins, renews and
 * ends sessions.
 */
#ifndef POSTERN_GATEWAY_AUTH_H
#define POSTERN_GATEWAY_AUTH_H

#include "gateway/context.h"
#include "gateway/session_cookies.h"
#include "session/session.h"

enum auth_carrier {
    AUTH_BY_NOTHING, /* the request has no token */
    AUTH_BY_COOKIE,
    AUTH_BY_BEARER,
};

#define AUTH_LOG_ID_SIZE 9 /* with its NUL */

struct auth {
    enum auth_carrier carrier; /* of the request, and of its response */
    bool has_session;          /* session is set and valid */
    bool is_by_password;       /* a password began it, with this request */
    bool is_unchecked;         /* session is set; the store did not answer */
    bool is_renewal_due;       /* auth_renew_if_due() will renew it */

    /* session is set, valid or not, and was a remembered one. */
    bool was_remembered;
    struct pst_session session;
    struct pst_str bearer; /* our token, where the response has one */
    bool has_log_id;       /* session.sid is set */

    struct session_cookies cookies; /* of the request; none by bearer */
    bool keeps_dead_cookies;
    bool is_dead[SESSION_COOKIES_KINDS]; /* sent, and none of them opens */

    /* The session of a guest's cookie beside a user's session. It is opened
     * when it is first needed. */
    bool is_guest_opened;
    bool has_guest;
    struct pst_session guest;
};

/* How a program calls authenticate(). */
struct auth_rules {
    const char *methods; /* such as "GET, HEAD, POST, OPTIONS" */

    /* Cookies that do not open are not cleared: a late response would clear
     * the cookie of a login that came after its request. */
    bool keeps_dead_cookies;
};

/*
 * Find and open the request's session. With the method bearer and a header
 * "Authorization: Bearer", only that token counts, and no cookie is read:
 * without a token there is no session; a token that does not open gets an empty
 * token header and, unless POSTERN_DEAD_BEARER is guest, WWW-Authenticate and
 * PST_FORGED. Otherwise, with the method cookie, the cookies count
 * (gateway/session_open.h), a user's before a guest's; where none opens there
 * is no session. Sets no cookie: auth_clear_dead_cookies() and
 * auth_renew_if_due() do.
 *   auth  set in any case; look at has_session
 * Returns PST_OK; PST_FORGED; PST_STORE_DOWN (look at is_unchecked);
 * PST_NO_MEMORY; PST_NO_RANDOM; PST_INTERNAL. Every reason why a token does not
 * open looks the same to the client.
 */
PST_MUST_USE enum pst_err auth_open_session(struct context *ctx,
                                            const struct request *req,
                                            struct response *res,
                                            struct auth *auth);

/* Clear the cookies of the request that do not open. */
void auth_clear_dead_cookies(const struct context *ctx, struct response *res,
                             const struct auth *auth);

/*
 * May this request change anything, by the site that it comes from
 * (http/origin.h)? Returns PST_OK or PST_CROSS_SITE; the refusal is logged.
 */
PST_MUST_USE enum pst_err auth_check_cross_site(struct context *ctx,
                                                const struct request *req,
                                                const struct auth *auth);

/*
 * What every program but authorize does first: CORS headers for a listed origin
 * (gateway/cors.h), path and method, the session, dead cookies, the site that
 * the request comes from. A session that is due for renewal is only marked:
 * call auth_renew_if_due().
 * Returns PST_OK; where res->begun is set then, the request was an OPTIONS and
 * is answered. PST_NOT_FOUND (a path below the program's), PST_BAD_METHOD,
 * PST_CROSS_SITE, or what auth_open_session() returns.
 */
PST_MUST_USE enum pst_err authenticate(struct context *ctx,
                                       const struct request *req,
                                       struct response *res,
                                       const struct auth_rules *rules,
                                       struct auth *auth);

/*
 * Tell a client with a bearer token to drop it: an empty token header.
 * lighttpd removes an empty header; behind it the header is the token of a new
 * guest session, without credentials of the backend.
 */
void auth_clear_bearer(struct context *ctx, const struct request *req,
                       struct response *res);

/*
 * How the log names the session: the first 8 hex digits of the hash of its id;
 * "" when there is none.
 *   id  gets the text
 * Returns id.
 */
const char *auth_log_id(const struct auth *auth,
                        char id[static AUTH_LOG_ID_SIZE]);

/* The credentials that this session sends to the backend, or absent. */
struct pst_str auth_upstream(const struct auth *auth);

#endif
