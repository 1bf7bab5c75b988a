/* SPDX-License-Identifier: ISC */
/*
 * config_cookie.h - the session's cookie, as its variables make it together:
 * the prefix of its name, and what contradicts what.
 */
#ifndef POSTERN_SERVER_CONFIG_COOKIE_H
#define POSTERN_SERVER_CONFIG_COOKIE_H

#include "base/arena.h"
#include "base/error.h"
#include "http/cookie.h"
#include "server/config_parse.h"

/*
 * Give the name its prefix, and look whether such a cookie may be written.
 *   cookie    name as configured, and all attributes; http_only is set here
 *   max_age   seconds, the longest that it will be written with
 *   variable  set on PST_BAD_CONFIG to the one to blame; why to the reason
 * A name gets __Host-Http- where Secure is on, Path is / and there is no
 * Domain (older browsers read it as __Host-); else __Secure- where Secure is
 * on. A name that has a prefix keeps it.
 * Returns PST_OK, PST_BAD_CONFIG, PST_NO_MEMORY.
 */
PST_MUST_USE enum pst_err config_cookie_prepare(struct pst_arena *arena,
                                                struct pst_cookie *cookie,
                                                int64_t max_age,
                                                const char **variable,
                                                struct config_error *error);

/*
 * The names beside a finished one: the guest's, "...-guest", and the one that
 * the first edition gave it, __Host- for __Host-Http-; absent where it had the
 * same. PST_OK or PST_NO_MEMORY.
 */
PST_MUST_USE enum pst_err config_cookie_derive_names(struct pst_arena *arena,
                                                     struct pst_str name,
                                                     struct pst_str *guest,
                                                     struct pst_str *legacy);

#endif
