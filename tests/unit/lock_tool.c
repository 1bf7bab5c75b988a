/* SPDX-License-Identifier: ISC */
/*
 * lock_tool.c - hold the lock for writing to an LMDB folder, for tests of what
 * others do meanwhile.
 *
 *   lock_tool FOLDER SIZE
 *
 * Opens the folder with a map of SIZE bytes, takes the lock, prints "locked",
 * and gives the lock back at the end of standard input.
 */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "store/lmdb.h"

int
main(int argc, char **argv)
{
    struct lmdb_environment environment;
    struct MDB_txn *txn = NULL;
    char byte;

    if (argc != 3)
        return 2;
    if (lmdb_environment_open(&environment, argv[1],
                              strtoul(argv[2], NULL, 10)) != 0 ||
        lmdb_write_begin(&environment, &txn) != 0)
        return 1;
    (void)puts("locked");
    (void)fflush(stdout);
    while (read(STDIN_FILENO, &byte, 1) > 0)
        continue;
    lmdb_write_abort(txn);
    lmdb_environment_close(&environment);
    return 0;
}
