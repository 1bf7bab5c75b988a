/* SPDX-License-Identifier: ISC */
/*
 * browser_family.h - name the browser, such as "Firefox", that a User-Agent is
 * from. Pure.
 */
#ifndef POSTERN_GATEWAY_BROWSER_FAMILY_H
#define POSTERN_GATEWAY_BROWSER_FAMILY_H

#include "base/str.h"

/*
 * The name that a user reads in the list of sessions to tell devices apart:
 * "Firefox", "Chrome", "Safari", "Edge", "Opera", "curl", "other". Nothing more
 * of the header is kept.
 *   user_agent  the header; absent or empty: ""
 */
struct pst_str browser_family(struct pst_str user_agent);

#endif
