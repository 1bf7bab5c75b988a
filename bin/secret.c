/* SPDX-License-Identifier: ISC */
/*
 * secret.c - `postern secret`: make a secret.
 */
#include "base64url.h"
#include "commands.h"
#include "crypt.h"

#define SECRET_OCTETS 32
#define SECRET_CHARS 43 /* of base64url, for so many octets */

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

int
command_secret(int argc, char **argv)
{
    char secret[SECRET_CHARS + 1];
    const char *why;

    if (argc > 1)
        return command_misused(argv[0], "takes no arguments");
    do {
        if (make(secret) != PST_OK) {
            fputs("postern: the system gives no random octets\n", stderr);
            return EX_OSERR;
        }
        /* By chance one may look weak; then the programs would refuse it. */
    } while (pst_secret_check((struct pst_text){secret, SECRET_CHARS}, &why));
    secret[SECRET_CHARS] = '\0';
    puts(secret);
    pst_crypt_wipe(secret, sizeof(secret));
    return 0;
}
