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
rotate_secret_file(const char *path)
{
    char secret[SECRET_CHARS];
    int status = make_strong_secret(secret);

    if (status)
        return status;
    status = secretfile_rotate(path, (struct pst_str){secret, SECRET_CHARS});
    pst_crypto_wipe(secret, sizeof(secret));
    return status;
}

int
command_secret(int argc, char **argv)
{
    if (argc == 1)
        return print_new_secret();
    if (argc == 3 && strcmp(argv[1], "--rotate") == 0)
        return rotate_secret_file(argv[2]);
    if (argc == 3 && strcmp(argv[1], "--retire") == 0)
        return secretfile_retire(argv[2]);
    return command_usage_error(
        argv[0], "takes no arguments, --rotate FILE, or --retire FILE");
}
