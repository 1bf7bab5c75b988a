/* SPDX-License-Identifier: ISC */
/*
 * fold_tool.c - print the keys of account names, for tests that compare them
 * with databases.
 *
 *   fold_tool
 *
 * Reads names, one on each line, as the hex digits of their UTF-8, and prints
 * their keys in the same form. Exits 1 at an invalid line.
 */
#include "base/str.h"
#include "codec/name_fold.h"

#define NAME_MAX_BYTES 1024

static bool
read_byte(char *out)
{
    int high = getchar();
    int low;

    if (high == '\n' || high == EOF)
        return false;
    low = getchar();
    *out = (char)(pst_hex_value((char)high) << 4 | pst_hex_value((char)low));
    return true;
}

static bool
fold_line(void)
{
    char name[NAME_MAX_BYTES];
    char key[PST_NAME_FOLD_MAX];
    size_t name_len = 0;
    size_t key_len;

    while (name_len < sizeof(name) && read_byte(&name[name_len]))
        name_len++;
    if (pst_name_fold((struct pst_str){name, name_len}, key, &key_len) !=
        PST_OK)
        return false;
    for (size_t i = 0; i < key_len; i++)
        printf("%02x", (unsigned)(unsigned char)key[i]);
    putchar('\n');
    return true;
}

int
main(void)
{
    int c;

    while ((c = getchar()) != EOF) {
        ungetc(c, stdin);
        if (!fold_line())
            return 1;
    }
    return 0;
}
