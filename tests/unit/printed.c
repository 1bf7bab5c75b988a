/* SPDX-License-Identifier: ISC */
/*
 * printed.c - what code prints to standard error.
 */
#include "printed.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <unistd.h>

#include <cmocka.h>

static FILE *printed;
static int saved;

void
printed_capture(void)
{
    printed = tmpfile();
    assert_non_null(printed);
    fflush(stderr);
    saved = dup(STDERR_FILENO);
    assert_true(saved >= 0);
    assert_true(dup2(fileno(printed), STDERR_FILENO) >= 0);
}

const char *
printed_text(void)
{
    static char text[16384];
    size_t len;

    fflush(stderr);
    assert_true(dup2(saved, STDERR_FILENO) >= 0);
    close(saved);
    rewind(printed);
    len = fread(text, 1, sizeof(text) - 1, printed);
    text[len] = '\0';
    fclose(printed);
    return text;
}
