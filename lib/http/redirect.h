/* SPDX-License-Identifier: ISC */
/*
 * redirect.h - prevent open redirects: refuse targets that could lead to
 * another site.
 */
#ifndef POSTERN_HTTP_REDIRECT_H
#define POSTERN_HTTP_REDIRECT_H

#include "base/base.h"
#include "base/str.h"

/*
 * Is target a path on this site that can be written into Location unchanged?
 *   - It has 1..PST_RETURN_TO_MAX bytes.
 *   - It has no control byte, space, byte >= 0x80, "\", "<", ">" or quotation
 *     mark, and each "%" is followed by two hex digits.
 *   - The path, up to "?" or "#", is checked percent-decoded once. It begins
 *     with exactly one "/". It has no "\", no control byte, and no "." or ".."
 *     segment. An empty segment is allowed at the end, and between two others
 *     ("/a//b") unless that looks like a scheme ("/https://b").
 * What follows "?" or "#" cannot change the site, so slashes are allowed there.
 */
bool pst_redirect_is_local(struct pst_str target);

/* Returns target if it is local, else fallback. All redirects use this. */
struct pst_str pst_redirect_choose(struct pst_str target,
                                   struct pst_str fallback);

#endif
