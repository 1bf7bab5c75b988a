/* SPDX-License-Identifier: ISC */
/*
 * redirect.h - where a browser may be sent: local paths, and nothing else.
 */
#ifndef POSTERN_HTTP_REDIRECT_H
#define POSTERN_HTTP_REDIRECT_H

#include "base/base.h"
#include "base/str.h"

/*
 * Is target a path on this very site that can be written into Location as it
 * is? Decided on its bytes, 1..PST_RETURN_TO_MAX of them:
 *   all of it   no control byte, space, byte >= 0x80, "\", "<", ">" or
 *               quotation mark, and valid "%XX" only
 *   the path    up to "?" or "#", as it stands and percent-decoded once:
 *               begins with exactly one "/"; no "\" or control byte; no "."
 *               or ".." segment; no empty segment but at its end, or one alone
 *               between two others ("/a//b") unless that looks like a scheme
 *               ("/https://b")
 * What stands after "?" or "#" cannot change the site: slashes are fine there.
 */
PST_EXPORT bool pst_redirect_is_local(struct pst_str target);

/* target where it is local, else fallback. The only way to a Location. */
PST_EXPORT struct pst_str pst_redirect_choose(struct pst_str target,
                                              struct pst_str fallback);

#endif
