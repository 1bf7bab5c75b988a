/* SPDX-License-Identifier: ISC */
/*
 * csrf_token.h - the CSRF token of our own forms, so that a post can be told to
 * come from a page of ours: sealed, for one purpose, for an hour.
 *
 * Nothing is stored and no cookie is set, so any number of tabs may each have
 * one. It says for which form it was made and for which session. To log out,
 * it must be that very session. To log in, it may be one that began after the
 * form was made, or none any more: another tab has logged in or out meanwhile;
 * but not another one that was there before (a guest's counts from its last
 * renewal). Anybody can have a token by asking for the login page: what keeps
 * other sites from logging somebody in by stealth are Sec-Fetch-Site and
 * Origin (http/origin.h); this is the second lock.
 */
#ifndef POSTERN_GATEWAY_CSRF_TOKEN_H
#define POSTERN_GATEWAY_CSRF_TOKEN_H

#include "gateway/auth.h"

#define CSRF_TOKEN_LIFETIME 3600 /* seconds */

enum csrf_token_form { CSRF_TOKEN_LOGIN, CSRF_TOKEN_LOGOUT };

/*
 * Make one.
 *   token  set on PST_OK; lives as long as the reply's arena
 * Returns PST_OK, PST_NO_RANDOM, PST_NO_MEMORY, PST_INTERNAL.
 */
PST_MUST_USE enum pst_err csrf_token_make(struct context *ctx,
                                          struct pst_arena *arena,
                                          const struct auth *auth,
                                          enum csrf_token_form form,
                                          struct pst_str *token);

/*
 * Is this one good?
 *   token  the field's value; empty or absent: the form had none
 * Returns PST_OK; PST_STALE_FORM: made for another form or session (see above),
 * older than an hour, not ours, or missing where POSTERN_CSRF_TOKEN is
 * required; PST_NO_MEMORY, PST_INTERNAL.
 */
PST_MUST_USE enum pst_err csrf_token_check(const struct context *ctx,
                                           const struct request *req,
                                           const struct auth *auth,
                                           enum csrf_token_form form,
                                           struct pst_str token);

#endif
