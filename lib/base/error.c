/* SPDX-License-Identifier: ISC */
/*
 * error.c - what base/error.h lists, as a table.
 */
#include "base/error.h"

struct entry {
    const char *code;
    const char *name;
    const char *text;
    int status;
};

#define ENTRY(code, status, name, text) {#code, name, text, status},
static const struct entry entries[] = {PST_ERRORS(ENTRY)};

static const struct entry *
entry(enum pst_err e)
{
    PST_REQUIRE(e >= PST_OK && e < PST_ERR_COUNT);
    return &entries[e];
}

int
pst_err_status(enum pst_err e)
{
    return entry(e)->status;
}

const char *
pst_err_name(enum pst_err e)
{
    return entry(e)->name;
}

const char *
pst_err_text(enum pst_err e)
{
    return entry(e)->text;
}

const char *
pst_err_code(enum pst_err e)
{
    return entry(e)->code;
}
