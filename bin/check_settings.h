/* SPDX-License-Identifier: ISC */
/*
 * check_settings.h - warn, for `postern check`, of settings that are allowed
 * and probably not meant.
 */
#ifndef POSTERN_CHECK_SETTINGS_H
#define POSTERN_CHECK_SETTINGS_H

#include "server/config.h"

/* Print a warning for each. None of them changes the exit status. */
void check_settings(const struct config *config);

/*
 * Compare this machine's clock with the backend's, and with the time when this
 * program was written.
 *   backend  of its Date header, unix seconds; -1: not known
 */
void check_clock(int64_t now, int64_t backend);

#endif
