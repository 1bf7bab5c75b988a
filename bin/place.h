/* SPDX-License-Identifier: ISC */
/*
 * place.h - say why a file or a folder cannot be used: what is missing, whose
 * it is, and what to do. "Permission denied" alone tells none of this.
 */
#ifndef POSTERN_PLACE_H
#define POSTERN_PLACE_H

#include "server/store_url.h"

#define PLACE_REASON_MAX 768

/*
 * Can this user make files in a folder?
 *   folder  absolute
 *   reason  set if false: a sentence about the folder, not escaped
 */
bool place_check_folder(const char *folder,
                        char reason[static PLACE_REASON_MAX]);

/* Can this user append to a file, or make it? Nothing is made. As above. */
bool place_check_file(const char *path, char reason[static PLACE_REASON_MAX]);

/* Can this user connect to a Unix socket, as far as files are concerned? As
 * above. */
bool place_check_socket(const char *path, char reason[static PLACE_REASON_MAX]);

/*
 * May this user open the store? If so, root becomes the owner of the folder,
 * for good, in the group that shares it: root would follow the links of other
 * users, and would make files that they cannot open. So for root, a missing
 * folder is an error, and one that root owns and a group shares. In a shared
 * folder, a file that its members cannot open is an error.
 * Of Redis, only a Unix socket is checked. As above.
 */
bool place_enter_store(const struct store_url *url,
                       char reason[static PLACE_REASON_MAX]);

#endif
