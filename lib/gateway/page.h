/* SPDX-License-Identifier: ISC */
/*
 * page.h - send the HTML pages of the programs (login, logout, error), in the
 * language that the browser asks for, and errors as JSON, in English.
 */
#ifndef POSTERN_GATEWAY_PAGE_H
#define POSTERN_GATEWAY_PAGE_H

#include "base/error.h"
#include "base/str.h"
#include "server/config.h"
#include "server/request.h"
#include "server/response.h"

/* The field of our forms that holds their CSRF token (gateway/csrf_token.h). */
#define PAGE_CSRF_FIELD "csrf_token"

/* Bytes of an e-mail address: 64 before the "@", and 255 after it (RFC 5321
 * section 4.5.3.1). */
#define PAGE_EMAIL_MAX 320

/* What the login form shows. Absent texts are left out. */
struct page_login_form {
    struct pst_str token;     /* gateway/csrf_token.h */
    struct pst_str action;    /* where it posts; a local path */
    struct pst_str email;     /* typed in the last attempt; left out if it is
                                 longer than PAGE_EMAIL_MAX */
    struct pst_str return_to; /* where to go after the login; left out if it is
                                 too long for that (PST_RETURN_TO_MAX) */
    enum pst_err error;       /* of the last attempt; PST_OK: none */
    bool remember;            /* checked in the last attempt */
    bool is_cookie_dropped;   /* gateway/secure_cookie.h: say so */
};

/* Send the login form, with the status of its error or 200. Returns as
 * page_send() (gateway/page_html.h). */
PST_MUST_USE enum pst_err page_send_login(struct response *res,
                                          const struct request *req,
                                          const struct config *config,
                                          const struct page_login_form *form);

/* What the logout page shows: one button that posts to action. */
struct page_logout_form {
    struct pst_str token;
    struct pst_str action;
    struct pst_str return_to;
    enum pst_err error; /* of the last attempt; PST_OK: none */
    bool everywhere;    /* log out on all devices */
};

/* Send the logout page likewise. */
PST_MUST_USE enum pst_err page_send_logout(struct response *res,
                                           const struct request *req,
                                           const struct config *config,
                                           const struct page_logout_form *form);

/*
 * Send an error: {"errors":[…]} or, for a navigation, a small page. Of the
 * headers set before, only Set-Cookie, the token header, WWW-Authenticate,
 * Allow, Retry-After, Vary and the Access-Control- ones are kept.
 *   e  the error; one with a status below 400 is sent as PST_INTERNAL, so that
 *      a mistake in the caller never becomes a success
 * Returns as response_send().
 */
PST_MUST_USE enum pst_err page_send_error(struct response *res,
                                          const struct request *req,
                                          const struct config *config,
                                          enum pst_err e);

#endif
