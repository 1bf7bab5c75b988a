/* SPDX-License-Identifier: ISC */
/*
 * config_cookie.h - check the settings of the session cookie, and derive its
 * name from them.
 */
#ifndef POSTERN_SERVER_CONFIG_COOKIE_H
#define POSTERN_SERVER_CONFIG_COOKIE_H

#include "base/arena.h"
#include "base/error.h"
#include "http/cookie.h"
#include "server/config_reader.h"

/* A cookie's name, Domain and Path, each checked alone. */
config_check_fn config_check_cookie_name;
config_check_fn config_check_cookie_domain;
config_check_fn config_check_cookie_path;

/*
 * Add the prefix to the name, and check that such a cookie can be set.
 *   cookie    name as configured, and all attributes; http_only is set here
 *   max_age   seconds, the longest Max-Age that it will be set with
 *   variable  set on PST_BAD_CONFIG to the name of the wrong variable
 * A name gets __Host-Http- where Secure is on, Path is / and there is no
 * Domain (older browsers read it as __Host-); else __Secure- where Secure is
 * on. A name that has a prefix already keeps it.
 * Returns PST_OK, PST_BAD_CONFIG (error is set), PST_NO_MEMORY.
 */
PST_MUST_USE enum pst_err config_cookie_prepare(struct pst_arena *arena,
                                                struct pst_cookie *cookie,
                                                int64_t max_age,
                                                const char **variable,
                                                struct config_error *error);

/*
 * Derive two more names from a finished one.
 *   guest   the guest's cookie: the name and "-guest"
 *   legacy  the name under which the first edition set the cookie: __Host- in
 *           place of __Host-Http-; absent where it was the same name
 * Returns PST_OK or PST_NO_MEMORY.
 */
PST_MUST_USE enum pst_err config_cookie_derive_names(struct pst_arena *arena,
                                                     struct pst_str name,
                                                     struct pst_str *guest,
                                                     struct pst_str *legacy);

#endif
