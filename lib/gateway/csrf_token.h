/* SPDX-License-Identifier: ISC */
/*
 * csrf_token.h - the CSRF token in our own forms, which shows that a POST comes
 * from a page of ours: sealed, for one form, valid for an hour.
 *
 * Nothing is stored and no cookie is set, so any number of tabs may have one.
 * It names the form and the session. A logout needs exactly that session. A
 * login may have a session that began after the form was made, or none: another
 * tab has logged in or out meanwhile. It may not have another session that is
 * older than the form (a guest's counts from its last renewal). Anyone can get
 * a token by requesting the login page. Sec-Fetch-Site and Origin
 * (http/origin.h) keep other sites from logging a user in; this is a second
 * check.
 */
#ifndef POSTERN_GATEWAY_CSRF_TOKEN_H
#define POSTERN_GATEWAY_CSRF_TOKEN_H

#include "gateway/auth.h"

#define CSRF_TOKEN_LIFETIME 3600 /* seconds */

enum csrf_token_form { CSRF_TOKEN_LOGIN, CSRF_TOKEN_LOGOUT };

/*
 * Make a token for a form and the current session.
 *   token  set on PST_OK; lives in the arena
 * Returns PST_OK, PST_NO_RANDOM, PST_NO_MEMORY, PST_INTERNAL.
 */
PST_MUST_USE enum pst_err csrf_token_make(struct context *ctx,
                                          struct pst_arena *arena,
                                          const struct auth *auth,
                                          enum csrf_token_form form,
                                          struct pst_str *token);

/*
 * Check the token of a submitted form.
 *   token  the field's value; empty or absent: the form had none
 * Returns PST_OK; PST_STALE_FORM: for another form or session (see above),
 * older than an hour, not ours, or missing where POSTERN_CSRF_TOKEN is
 * required, and logged; PST_NO_MEMORY; PST_INTERNAL.
 */
PST_MUST_USE enum pst_err csrf_token_check(const struct context *ctx,
                                           const struct request *req,
                                           const struct auth *auth,
                                           enum csrf_token_form form,
                                           struct pst_str token);

#endif
