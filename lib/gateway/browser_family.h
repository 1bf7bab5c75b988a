/* SPDX-License-Identifier: ISC */
/*
 * browser_family.h - the family of a browser by its User-Agent. Pure.
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
