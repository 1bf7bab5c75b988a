/* SPDX-License-Identifier: ISC */
/*
 * config_secret.c - the keys, from the secrets in a variable or in a file.
 */
#include "server/config_secret.h"

#include <string.h>

#include "base/buffer.h"
#include "server/config_file.h"

/* Room for "(set, 16 secrets)". */
#define DISPLAY_MAX 32

/* How many, for those who check a rotation, and nothing else of them. */
static enum pst_err
format_secret_count(struct pst_arena *arena, struct pst_str secrets,
                    struct pst_str *out)
{
    struct pst_str entry;
    struct pst_buf buf;
    int64_t count = 0;

    while (pst_str_next_token(&secrets, PST_SECRET_SEPARATORS, &entry))
        count++;
    pst_buf_init_arena(&buf, arena, DISPLAY_MAX);
    pst_buf_add_string(&buf, "(set, ");
    pst_buf_add_number(&buf, count);
    pst_buf_add_string(&buf, count == 1 ? " secret)" : " secrets)");
    return pst_buf_finish(&buf, out);
}

/* Control bytes, but for those in `allowed`, mean the wrong thing is set. */
static enum pst_err
check_control_bytes(struct pst_str text, const char *allowed,
                    struct config_error *error)
{
    for (size_t i = 0; i < text.len; i++) {
        unsigned char c = (unsigned char)text.ptr[i];

        if ((c < ' ' || c == 0x7F) && !memchr(allowed, c, strlen(allowed)))
            return config_set_error(error, "holds a control octet");
    }
    return PST_OK;
}

/* The ring, of secrets wherever they came from. */
static enum pst_err
config_secret_make_keyring(struct pst_arena *arena,
                           struct config_secret *secret, struct pst_str secrets,
                           struct config_error *error)
{
    /* Where the audience is unknown, the secrets can be looked at still. */
    struct pst_str audience =
        pst_str_is_absent(secret->audience) ? PST_STR("-") : secret->audience;
    const char *message = "";
    enum pst_err e;

    e = check_control_bytes(secrets, PST_SECRET_SEPARATORS, error);
    if (e)
        return e;
    e = format_secret_count(arena, secrets, &secret->display);
    if (e)
        return e;
    e = pst_keyring_new(&secret->ring, secrets, audience, &message);
    if (e == PST_BAD_CONFIG)
        return config_set_error(error, "is refused: %s", message);
    return e;
}

/* The ring, of a file that is read into an arena of its own. */
static enum pst_err
config_secret_parse_file(struct pst_arena *arena, struct pst_arena *file_arena,
                         struct config_secret *secret,
                         struct config_error *error)
{
    const struct config_file_rule rule = {.max = CONFIG_SECRETS_MAX,
                                          .is_secret = true};
    struct pst_str secrets;
    const char *path;
    enum pst_err e;

    e = check_control_bytes(secret->file, "", error);
    if (e)
        return e;
    e = pst_arena_c_string(arena, secret->file, &path);
    if (e)
        return e;
    e = config_file_read(file_arena, path, &rule, &secrets, error);
    if (e)
        return e;
    secret->display_file = pst_str_from(path);
    return config_secret_make_keyring(arena, secret, secrets, error);
}

static enum pst_err
config_secret_load_file(struct pst_arena *arena, struct config_secret *secret,
                        struct config_error *error)
{
    struct pst_arena *file_arena = NULL;
    enum pst_err e = pst_arena_new(&file_arena, CONFIG_SECRETS_MAX + 1024);

    if (e)
        return e;
    e = config_secret_parse_file(arena, file_arena, secret, error);
    pst_arena_free(&file_arena); /* which wipes what was read */
    return e;
}

enum pst_err
config_secret_load(struct pst_arena *arena, struct config_secret *secret,
                   struct config_error *error)
{
    secret->variable = "COOKIE_SESSION_SECRET";
    if (secret->value.len > 0 && secret->file.len > 0)
        return config_set_error(error, "is set, and COOKIE_SESSION_SECRET_FILE "
                                       "too: only one of them may be");
    if (secret->value.len > 0)
        return config_secret_make_keyring(arena, secret, secret->value, error);
    if (secret->file.len == 0)
        return config_set_error(error,
                                "is not set: `postern secret` makes one");
    secret->variable = "COOKIE_SESSION_SECRET_FILE";
    return config_secret_load_file(arena, secret, error);
}
