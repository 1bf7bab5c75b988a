/* SPDX-License-Identifier: ISC */
/*
 * store_copy.c - copies of the arguments of a write, for a write that may
 * outlive its caller.
 */
#include "store/store_copy.h"

#include <stdlib.h>
#include <string.h>

void *
store_copy_bytes(const void *bytes, size_t len)
{
    void *copy = malloc(len);

    return copy ? memcpy(copy, bytes, len) : NULL;
}

/* Copy an id to where a copy has room for it; NULL stays NULL. */
static const struct store_id *
copy_id(struct store_id *to, const struct store_id *from)
{
    if (!from)
        return NULL;
    *to = *from;
    return to;
}

struct revocation_copy {
    struct store_revocation revocation;
    struct store_id sid;
    struct store_id subject;
};

struct store_revocation *
store_copy_revocation(const struct store_revocation *revocation)
{
    struct revocation_copy *copy = malloc(sizeof(*copy));

    if (!copy)
        return NULL;
    copy->revocation = *revocation;
    copy->revocation.sid = copy_id(&copy->sid, revocation->sid);
    copy->revocation.subject = copy_id(&copy->subject, revocation->subject);
    return &copy->revocation;
}

struct use_copy {
    struct store_use use;
    struct store_id sid;
    struct store_id subject;
};

struct store_use *
store_copy_use(const struct store_use *use)
{
    struct use_copy *copy = malloc(sizeof(*copy));

    if (!copy)
        return NULL;
    copy->use = *use;
    copy->use.sid = copy_id(&copy->sid, use->sid);
    copy->use.subject = copy_id(&copy->subject, use->subject);
    return &copy->use;
}

struct spill_copy {
    struct store_spill spill;
    struct store_id sid;
    uint8_t blob[];
};

struct store_spill *
store_copy_spill(const struct store_spill *spill)
{
    struct spill_copy *copy = malloc(sizeof(*copy) + spill->blob.len);

    if (!copy)
        return NULL;
    copy->spill = *spill;
    copy->spill.sid = copy_id(&copy->sid, spill->sid);
    memcpy(copy->blob, spill->blob.ptr, spill->blob.len);
    copy->spill.blob.ptr = copy->blob;
    return &copy->spill;
}

struct counters_copy {
    struct store_counters counters;
    struct store_counter items[STORE_COUNTERS_MAX];
};

struct store_counters *
store_copy_counters(const struct store_counters *counters)
{
    struct counters_copy *copy = malloc(sizeof(*copy));

    if (!copy)
        return NULL;
    copy->counters = *counters;
    memcpy(copy->items, counters->items,
           counters->count * sizeof(copy->items[0]));
    copy->counters.items = copy->items;
    return &copy->counters;
}

struct replacement_copy {
    struct store_replacement replacement;
    struct store_session session;
    struct store_id old;
    struct store_id old_subject;
    struct store_id guest;
    char user[PST_NAME_MAX];
    char browser[STORE_BROWSER_MAX];
    char address[STORE_ADDRESS_MAX];
    char sealed_name[STORE_SEALED_NAME_MAX];
    uint8_t blob[];
};

static struct pst_str
copy_text(char *to, struct pst_str from)
{
    if (from.len > 0)
        memcpy(to, from.ptr, from.len);
    return (struct pst_str){to, from.len};
}

struct store_replacement *
store_copy_replacement(const struct store_replacement *replacement)
{
    const struct store_session *session = replacement->session;
    size_t blob_len = replacement->blob.len;
    struct replacement_copy *copy = malloc(sizeof(*copy) + blob_len);

    if (!copy)
        return NULL;
    copy->replacement = *replacement;
    copy->replacement.old = copy_id(&copy->old, replacement->old);
    copy->replacement.old_subject =
        copy_id(&copy->old_subject, replacement->old_subject);
    copy->replacement.guest = copy_id(&copy->guest, replacement->guest);
    copy->replacement.session = &copy->session;
    copy->session = *session;
    if (!replacement->is_guest) { /* the texts of a guest are not set */
        copy->session.user = copy_text(copy->user, session->user);
        copy->session.browser = copy_text(copy->browser, session->browser);
        copy->session.address = copy_text(copy->address, session->address);
        copy->session.sealed_name = pst_str_bytes(copy_text(
            copy->sealed_name, pst_str_from_bytes(session->sealed_name)));
    }
    if (blob_len > 0)
        memcpy(copy->blob, replacement->blob.ptr, blob_len);
    copy->replacement.blob.ptr = copy->blob;
    return &copy->replacement;
}
