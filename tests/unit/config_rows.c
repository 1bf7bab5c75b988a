/* SPDX-License-Identifier: ISC */
/*
 * config_rows.c - print the table of variables, for tests/lint/config-doc.
 */
#include <stdio.h>

#include "server/config.h"

int
main(void)
{
    for (size_t i = 0; i < config_row_count(); i++) {
        const struct config_row *row = config_row(i);

        printf("%s\t%s\t%s\t%s\t%s\n", row->name, row->group, row->kind,
               row->default_value, row->help);
    }
    return fflush(stdout) == 0 ? 0 : 1;
}
