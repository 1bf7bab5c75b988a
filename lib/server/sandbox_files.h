/* SPDX-License-Identifier: ISC */
/*
 * sandbox_files.h - the part of the sandbox that limits files and TCP ports:
 * Landlock.
 */
#ifndef POSTERN_SERVER_SANDBOX_FILES_H
#define POSTERN_SERVER_SANDBOX_FILES_H

#include "server/sandbox.h"

/* Limit this thread, and those that it starts. No new privileges must have been
 * set. Returns and sets as sandbox_enter(). */
PST_MUST_USE enum pst_err sandbox_limit_files(const struct sandbox_rules *rules,
                                              unsigned *gaps);

#endif
