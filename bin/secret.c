/* SPDX-License-Identifier: ISC */
/*
 * secret.c - `postern secret`: make a secret, add it to a file of secrets, or
 * remove the last one from there.
 */
#include <string.h>

#include "codec/base64url.h"
#include "commands.h"
#include "crypto/crypto.h"
#include "crypto/secret.h"
#include "secret_file.h"

#define SECRET_BYTES 32
#define SECRET_CHARS 43 /* of base64url for SECRET_BYTES */

static enum pst_err
make_random_secret(char out[static SECRET_CHARS])
{
    uint8_t bytes[SECRET_BYTES];
    struct pst_str text;
    struct pst_buf buf;
    enum pst_err e = pst_crypto_random(bytes, sizeof(bytes));

    if (e)
        return e;
    pst_buf_init(&buf, out, SECRET_CHARS);
    pst_base64url_encode(&buf, (struct pst_bytes){bytes, sizeof(bytes)});
    pst_crypto_wipe(bytes, sizeof(bytes));
    return pst_buf_finish(&buf, &text);
}

static int
make_strong_secret(char out[static SECRET_CHARS])
{
    const char *reason;

    do {
        if (make_random_secret(out) != PST_OK) {
            fputs("postern: the system has no random bytes\n", stderr);
            return EX_OSERR;
        }
        /* A random secret may look weak by chance, and would be refused. */
    } while (pst_secret_check((struct pst_str){out, SECRET_CHARS}, &reason));
    return 0;
}

static int
print_new_secret(void)
{
    char secret[SECRET_CHARS + 1];
    int status = make_strong_secret(secret);

    if (status)
        return status;
    secret[SECRET_CHARS] = '\0';
    puts(secret);
    pst_crypto_wipe(secret, sizeof(secret));
    return 0;
}

static int
rotate_secret_file(const char *path, bool is_forced)
{
    char secret[SECRET_CHARS];
    int status = make_strong_secret(secret);

    if (status)
        return status;
    status = secretfile_rotate(path, (struct pst_str){secret, SECRET_CHARS},
                               is_forced);
    pst_crypto_wipe(secret, sizeof(secret));
    return status;
}

int
command_secret(int argc, char **argv)
{
    static const char usage[] = "takes no arguments, or --rotate FILE or "
                                "--retire FILE, and --force";
    const char *rotated = NULL;
    const char *retired = NULL;
    bool is_forced = false;

    if (argc == 1)
        return print_new_secret();
    for (int i = 1; argv[i]; i++) {
        bool has_file = argv[i + 1] && strncmp(argv[i + 1], "--", 2) != 0;

        if (strcmp(argv[i], "--force") == 0 && !is_forced)
            is_forced = true;
        else if (strcmp(argv[i], "--rotate") == 0 && has_file && !rotated)
            rotated = argv[++i];
        else if (strcmp(argv[i], "--retire") == 0 && has_file && !retired)
            retired = argv[++i];
        else
            return command_usage_error(argv[0], usage);
    }
    if (!rotated == !retired)
        return command_usage_error(argv[0], usage);
    return rotated ? rotate_secret_file(rotated, is_forced)
                   : secretfile_retire(retired, is_forced);
}
