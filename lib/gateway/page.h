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
#define PAGE_TOKEN_FIELD "csrf_token"

/* What the login form shows. Absent texts are left out. */
struct page_login {
    struct pst_text token;     /* gateway/csrf_token.h */
    struct pst_text action;    /* where it posts; a local path */
    struct pst_text email;     /* typed before */
    struct pst_text return_to; /* carried along */
    struct pst_text message;   /* what went wrong */
    bool remember;             /* ticked before */
};

/* Send the login form with this status. PST_OK or what reply_whole() gave. */
PST_MUST_USE enum pst_err page_login(struct reply *rep,
                                     const struct config *config, int status,
                                     const struct page_login *page);

/* What the log-out question shows: one button that posts to action. */
struct page_logout {
    struct pst_text token;
    struct pst_text action;
    struct pst_text return_to;
    struct pst_text message; /* what went wrong */
    bool everywhere;         /* carried along: out of all devices */
};

/* Send it with this status. PST_OK or what reply_whole() gave. */
PST_MUST_USE enum pst_err page_logout(struct reply *rep,
                                      const struct config *config, int status,
                                      const struct page_logout *page);

/*
 * Answer with an error: {"errors":[…]} or, to a navigation, a small page.
 * Everything set before is dropped but Set-Cookie, the token header,
 * WWW-Authenticate, Allow, Retry-After, Vary and the Access-Control- ones.
 *   e  anything but PST_OK; never makes a 2xx (L26)
 */
PST_MUST_USE enum pst_err page_error(struct reply *rep,
                                     const struct request *req,
                                     const struct config *config,
                                     enum pst_err e);

#endif
