/* SPDX-License-Identifier: ISC */
/*
 * postern_csrf.h - the public library's CSRF tokens: make one for a form and a
 * session, and check it.
 */
#ifndef POSTERN_POSTERN_CSRF_H
#define POSTERN_POSTERN_CSRF_H

#include "library/postern_cookie.h"

/* Is it the name of a form: 1 to 32 of A-Z a-z 0-9 - _? */
bool csrf_is_form(struct pst_str form);

/*
 * Make one.
 *   session  the visitor's; NULL: there is none
 *   token    spoilt on failure
 * Returns PST_OK, PST_TOO_LARGE (no room in token), PST_NO_RANDOM,
 * PST_INTERNAL.
 */
PST_MUST_USE enum pst_err csrf_make(const struct cookie_call *call,
                                    const struct pst_session *session,
                                    struct pst_str form, struct pst_buf *token);

/*
 * Is it good for this form and this visitor?
 * Returns PST_OK, PST_STALE_FORM, PST_NO_MEMORY, PST_INTERNAL.
 */
PST_MUST_USE enum pst_err csrf_check(const struct cookie_call *call,
                                     const struct pst_session *session,
                                     struct pst_str form, struct pst_str token);

#endif
