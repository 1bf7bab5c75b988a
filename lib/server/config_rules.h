/* SPDX-License-Identifier: ISC */
/*
 * config_rules.h - derive the rules for clients' documents from the settings
 * about the backend: which root fields log in or check a password, and which
 * fields hold a secret.
 */
#ifndef POSTERN_SERVER_CONFIG_RULES_H
#define POSTERN_SERVER_CONFIG_RULES_H

#include "base/arena.h"
#include "base/error.h"
#include "server/config_backend.h"

/*
 * Set backend->rules.
 *   backend  its documents are parsed, and select what the pointers name. Both
 *            tokens are secrets by the names of their fields, not their aliases
 * Returns PST_OK or PST_NO_MEMORY.
 */
PST_MUST_USE enum pst_err config_rules_build(struct pst_arena *arena,
                                             struct config_backend *backend);

#endif
