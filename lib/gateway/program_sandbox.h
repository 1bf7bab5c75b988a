/* SPDX-License-Identifier: ISC */
/*
 * program_sandbox.h - what a program gives up: access to its memory, and, once
 * it has started, what its configuration does not ask for.
 */
#ifndef POSTERN_GATEWAY_PROGRAM_SANDBOX_H
#define POSTERN_GATEWAY_PROGRAM_SANDBOX_H

#include "engine/listen.h"
#include "gateway/program.h"
#include "server/config.h"
#include "server/sandbox.h"

/*
 * Enter the sandbox, unless POSTERN_SANDBOX is off. Call it when everything is
 * open that stays open, and before threads start: engine/blocking.h starts its
 * own at the first call.
 *   sockets   what the program listens on
 *   log       gets, at the start of a server, what this kernel cannot do
 *   reporter  gets the reason if the kernel refuses
 * Returns PST_OK, PST_NO_MEMORY, PST_BAD_CONFIG (reported).
 */
PST_MUST_USE enum pst_err
program_sandbox_enter(const struct config *config, enum program_use use,
                      const struct listen_sockets *sockets, struct log *log,
                      const struct config_reporter *reporter);

/* Disable core dumps, which would contain the secrets, and keep other
 * processes, but root's, from reading the memory of this one. */
void program_hide_memory(void);

#endif
