/* SPDX-License-Identifier: ISC */
/*
 * page.h - the few HTML pages we write ourselves, and the error answer in
 * both of its forms. No script, no foreign resource, everything escaped.
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

/* What the login form shows. Absent texts are left out. */
struct page_login_form {
    struct pst_str token;     /* gateway/csrf_token.h */
    struct pst_str action;    /* where it posts; a local path */
    struct pst_str email;     /* typed before */
    struct pst_str return_to; /* carried along */
    struct pst_str message;   /* what went wrong */
    bool remember;            /* ticked before */
};

/* Send the login form with this status. PST_OK or what response_send() gave. */
PST_MUST_USE enum pst_err page_send_login(struct response *res,
                                          const struct config *config,
                                          int status,
                                          const struct page_login_form *page);

/* What the log-out question shows: one button that posts to action. */
struct page_logout_form {
    struct pst_str token;
    struct pst_str action;
    struct pst_str return_to;
    struct pst_str message; /* what went wrong */
    bool everywhere;        /* carried along: out of all devices */
};

/* Send it with this status. PST_OK or what response_send() gave. */
PST_MUST_USE enum pst_err page_send_logout(struct response *res,
                                           const struct config *config,
                                           int status,
                                           const struct page_logout_form *page);

/*
 * Answer with an error: {"errors":[…]} or, to a navigation, a small page.
 * Everything set before is dropped but Set-Cookie, the token header,
 * WWW-Authenticate, Allow, Retry-After, Vary and the Access-Control- ones.
 *   e  anything but PST_OK; never makes a 2xx (L26)
 */
PST_MUST_USE enum pst_err page_send_error(struct response *res,
                                          const struct request *req,
                                          const struct config *config,
                                          enum pst_err e);

#endif
