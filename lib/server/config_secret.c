/* SPDX-License-Identifier: ISC */
/*
 * config_secret.c - the keys, from the secrets in a variable or in a file.
 */
#include "server/config_secret.h"

#include <string.h>

#include "base/buffer.h"
#include "server/config_file.h"

/* Room for "(set, 16 secrets)". */
#define SHOWN_MAX 32

/* How many, for those who check a rotation, and nothing else of them. */
static enum pst_err
show(struct pst_arena *arena, struct pst_text secrets, struct pst_text *out)
{
    struct pst_text word;
    struct pst_buf buf;
    int64_t count = 0;

    while (pst_text_word(&secrets, PST_SECRET_SPACE, &word))
        count++;
    pst_buf_init_arena(&buf, arena, SHOWN_MAX);
    pst_buf_add_string(&buf, "(set, ");
    pst_buf_add_number(&buf, count);
    pst_buf_add_string(&buf, count == 1 ? " secret)" : " secrets)");
    return pst_buf_end(&buf, out);
}

/* Control bytes, but for those in `allowed`, mean the wrong thing is set. */
static enum pst_err
check_octets(struct pst_text text, const char *allowed, struct config_why *why)
{
    for (size_t i = 0; i < text.len; i++) {
        unsigned char c = (unsigned char)text.ptr[i];

        if ((c < ' ' || c == 0x7F) && !memchr(allowed, c, strlen(allowed)))
            return config_refuse(why, "holds a control octet");
    }
    return PST_OK;
}

/* The ring, of secrets wherever they came from. */
static enum pst_err
make_ring(struct pst_arena *arena, struct config_secret *secret,
          struct pst_text secrets, struct config_why *why)
{
    /* Where the audience is unknown, the secrets can be looked at still. */
    struct pst_text audience =
        pst_text_is_absent(secret->audience) ? PST_TEXT("-") : secret->audience;
    const char *reason = "";
    enum pst_err e;

    e = check_octets(secrets, PST_SECRET_SPACE, why);
    if (e)
        return e;
    e = show(arena, secrets, &secret->shown);
    if (e)
        return e;
    e = pst_keyring_new(&secret->ring, secrets, audience, &reason);
    if (e == PST_BAD_CONFIG)
        return config_refuse(why, "is refused: %s", reason);
    return e;
}

/* The ring, of a file that is read into an arena of its own. */
static enum pst_err
read_ring(struct pst_arena *arena, struct pst_arena *own,
          struct config_secret *secret, struct config_why *why)
{
    const struct config_file_rule rule = {.max = CONFIG_SECRETS_MAX,
                                          .is_secret = true};
    struct pst_text secrets;
    const char *path;
    enum pst_err e;

    e = check_octets(secret->file, "", why);
    if (e)
        return e;
    e = pst_arena_string(arena, secret->file, &path);
    if (e)
        return e;
    e = config_file_read(own, path, &rule, &secrets, why);
    if (e)
        return e;
    secret->shown_file = pst_text_from(path);
    return make_ring(arena, secret, secrets, why);
}

static enum pst_err
open_file(struct pst_arena *arena, struct config_secret *secret,
          struct config_why *why)
{
    struct pst_arena *own = NULL;
    enum pst_err e = pst_arena_new(&own, CONFIG_SECRETS_MAX + 1024);

    if (e)
        return e;
    e = read_ring(arena, own, secret, why);
    pst_arena_free(&own); /* which wipes what was read */
    return e;
}

enum pst_err
config_secret_open(struct pst_arena *arena, struct config_secret *secret,
                   struct config_why *why)
{
    secret->variable = "COOKIE_SESSION_SECRET";
    if (secret->value.len > 0 && secret->file.len > 0)
        return config_refuse(why, "is set, and COOKIE_SESSION_SECRET_FILE "
                                  "too: only one of them may be");
    if (secret->value.len > 0)
        return make_ring(arena, secret, secret->value, why);
    if (secret->file.len == 0)
        return config_refuse(why, "is not set: `postern secret` makes one");
    secret->variable = "COOKIE_SESSION_SECRET_FILE";
    return open_file(arena, secret, why);
}
