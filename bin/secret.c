/* SPDX-License-Identifier: ISC */
/*
 * secret.c - `postern secret`: make a secret; put it in front of those in a
 * file, or drop the last of them.
 */
#include <string.h>

#include "codec/base64url.h"
#include "commands.h"
#include "crypto/crypto.h"
#include "secretfile.h"

#define SECRET_OCTETS 32
#define SECRET_CHARS 43 /* of base64url, for so many bytes */

static enum pst_err
make(char out[static SECRET_CHARS])
{
    uint8_t octets[SECRET_OCTETS];
    struct pst_text text;
    struct pst_buf buf;
    enum pst_err e = pst_crypt_random(octets, sizeof(octets));

    if (e)
        return e;
    pst_buf_init(&buf, out, SECRET_CHARS);
    pst_base64url_encode(&buf, (struct pst_bytes){octets, sizeof(octets)});
    pst_crypt_wipe(octets, sizeof(octets));
    return pst_buf_end(&buf, &text);
}

static int
make_good(char out[static SECRET_CHARS])
{
    const char *why;

    do {
        if (make(out) != PST_OK) {
            fputs("postern: the system gives no random octets\n", stderr);
            return EX_OSERR;
        }
        /* By chance one may look weak; then the programs would refuse it. */
    } while (pst_secret_check((struct pst_text){out, SECRET_CHARS}, &why));
    return 0;
}

static int
print_new(void)
{
    char secret[SECRET_CHARS + 1];
    int status = make_good(secret);

    if (status)
        return status;
    secret[SECRET_CHARS] = '\0';
    puts(secret);
    pst_crypt_wipe(secret, sizeof(secret));
    return 0;
}

static int
rotate(const char *path)
{
    char secret[SECRET_CHARS];
    int status = make_good(secret);

    if (status)
        return status;
    status = secretfile_rotate(path, (struct pst_text){secret, SECRET_CHARS});
    pst_crypt_wipe(secret, sizeof(secret));
    return status;
}

int
command_secret(int argc, char **argv)
{
    if (argc == 1)
        return print_new();
    if (argc == 3 && strcmp(argv[1], "--rotate") == 0)
        return rotate(argv[2]);
    if (argc == 3 && strcmp(argv[1], "--retire") == 0)
        return secretfile_retire(argv[2]);
    return command_misused(argv[0],
                           "takes nothing, --rotate FILE, or --retire FILE");
}
