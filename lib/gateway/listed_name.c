/* SPDX-License-Identifier: ISC */
/*
 * listed_name.c - the user's name on a list of sessions, sealed.
 */
#include "gateway/listed_name.h"

#include <assert.h>
#include <string.h>

#include "gateway/sealed_record.h"

static_assert(LISTED_NAME_MAX + SEALED_RECORD_EXTRA_MAX <=
                  STORE_SEALED_NAME_MAX,
              "the store keeps every name");

/* What a name is bound to: not what another sealed record is. */
#define LABEL "name"
#define LABEL_LEN (sizeof(LABEL) - 1)

struct name_context {
    uint8_t bytes[LABEL_LEN + PST_HASH_LEN];
};

static struct name_context
make_name_context(const struct store_id *sid)
{
    struct name_context made;

    memcpy(made.bytes, LABEL, LABEL_LEN);
    memcpy(made.bytes + LABEL_LEN, sid->bytes, PST_HASH_LEN);
    return made;
}

enum pst_err
listed_name_seal(const struct context *ctx, struct pst_arena *arena,
                 const struct pst_session *session,
                 struct store_session *listed)
{
    const struct name_context context = make_name_context(&listed->sid);

    if (session->name.len == 0)
        return PST_OK;
    return sealed_record_make(
        ctx, arena, (struct pst_bytes){context.bytes, sizeof(context.bytes)},
        pst_str_truncate(session->name, LISTED_NAME_MAX), &listed->sealed_name);
}

enum pst_err
listed_name_open(const struct pst_keyring *ring, struct pst_arena *arena,
                 const struct store_session *listed, struct pst_str *name)
{
    const struct name_context context = make_name_context(&listed->sid);

    if (listed->sealed_name.len == 0)
        return PST_NOT_FOUND;
    return sealed_record_open(
        ring, arena, (struct pst_bytes){context.bytes, sizeof(context.bytes)},
        listed->sealed_name, name);
}
