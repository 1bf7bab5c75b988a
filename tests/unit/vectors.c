/* SPDX-License-Identifier: ISC */
/*
 * vectors.c - read the public test vectors (JSON files).
 */
#include "vectors.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <sys/stat.h>

#include <cmocka.h>

struct json_object *
vectors_open(const char *file)
{
    const char *folder = getenv("POSTERN_VECTORS");
    struct json_object *root;
    struct stat st;
    char path[2048];

    if (!folder || stat(folder, &st) != 0) {
        printf("%s: skipped: POSTERN_VECTORS does not name a folder\n", file);
        skip();
        abort(); /* not reached: skip() leaves the test */
    }
    PST_REQUIRE(snprintf(path, sizeof(path), "%s/%s", folder, file) <
                (int)sizeof(path));
    root = json_object_from_file(path);
    PST_REQUIRE(root != NULL);
    return root;
}

const char *
vectors_string(struct json_object *value, const char *member)
{
    struct json_object *found = NULL;

    if (!json_object_object_get_ex(value, member, &found))
        return "";
    return json_object_get_string(found);
}

struct pst_str
vectors_latin1(struct json_object *value, char **storage)
{
    const char *in = json_object_get_string(value);
    size_t in_len = (size_t)json_object_get_string_len(value);
    char *out = malloc(in_len + 1);
    size_t len = 0;

    PST_REQUIRE(out != NULL);
    for (size_t i = 0; i < in_len; i++) {
        unsigned c = (unsigned char)in[i];

        if (c >= 0xC0) {
            PST_REQUIRE(c <= 0xC3 && i + 1 < in_len);
            c = (c & 3) << 6 | ((unsigned char)in[++i] & 0x3F);
        }
        out[len++] = (char)c;
    }
    *storage = out;
    return (struct pst_str){out, len};
}

struct pst_bytes
vectors_hex(const char *hex, uint8_t **storage)
{
    size_t len = strlen(hex) / 2;
    uint8_t *out = malloc(len + 1);

    PST_REQUIRE(out != NULL && strlen(hex) % 2 == 0);
    for (size_t i = 0; i < len; i++) {
        int high = pst_hex_value(hex[2 * i]);
        int low = pst_hex_value(hex[2 * i + 1]);

        PST_REQUIRE(high >= 0 && low >= 0);
        out[i] = (uint8_t)(high * 16 + low);
    }
    *storage = out;
    return (struct pst_bytes){out, len};
}
