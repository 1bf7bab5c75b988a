/* SPDX-License-Identifier: ISC */
/*
 * error.c - the table of error codes: HTTP status, name and text of each.
 */
#include "base/error.h"

struct error_entry {
    const char *code;
    const char *name;
    const char *text;
    int status;
};

#define ERROR_ENTRY(code, status, name, text) {#code, name, text, status},
static const struct error_entry error_entries[] = {PST_ERRORS(ERROR_ENTRY)};

static const struct error_entry *
error_entry(enum pst_err e)
{
    PST_REQUIRE(e >= PST_OK && e < PST_ERR_COUNT);
    return &error_entries[e];
}

int
pst_err_status(enum pst_err e)
{
    return error_entry(e)->status;
}

const char *
pst_err_name(enum pst_err e)
{
    return error_entry(e)->name;
}

const char *
pst_err_text(enum pst_err e)
{
    return error_entry(e)->text;
}

const char *
pst_err_code(enum pst_err e)
{
    return error_entry(e)->code;
}
