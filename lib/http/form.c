/* SPDX-License-Identifier: ISC */
/*
 * form.c - urlencoded pairs, decoded once; bad bytes are refused, not mended.
 */
#include "http/form.h"

#include "base/limits.h"
#include "codec/percent.h"

/* The next piece between "&"s that is not empty. */
static bool
take_pair(struct pst_text *rest, struct pst_text *pair)
{
    return pst_text_word(rest, "&", pair);
}

static size_t
count_pairs(struct pst_text body)
{
    struct pst_text pair;
    size_t count = 0;

    while (take_pair(&body, &pair))
        count++;
    return count;
}

/* Decode raw onto the end of buf, which has room for the whole body. */
static enum pst_err
decode(struct pst_buf *buf, struct pst_text raw, struct pst_text *out)
{
    size_t start = buf->len;
    struct pst_text decoded;
    enum pst_err e;

    pst_percent_decode(buf, raw, true);
    e = pst_buf_end(buf, &decoded);
    if (e)
        return e;
    decoded = pst_text_from_octet(decoded, start);
    if (pst_text_index(decoded, '\0') < decoded.len ||
        !pst_text_is_utf8(decoded))
        return PST_MALFORMED;
    *out = decoded;
    return PST_OK;
}

static enum pst_err
decode_pair(struct pst_buf *buf, struct pst_text pair,
            struct pst_form_field *out)
{
    size_t equals = pst_text_index(pair, '=');
    enum pst_err e;

    e = decode(buf, pst_text_first(pair, equals), &out->name);
    if (e)
        return e;
    return decode(buf, pst_text_from_octet(pair, equals + 1), &out->value);
}

enum pst_err
pst_form_parse(struct pst_arena *arena, struct pst_text body,
               struct pst_form *out)
{
    size_t count = count_pairs(body);
    struct pst_form_field *fields;
    struct pst_text pair;
    struct pst_buf buf;
    char *storage;

    if (count > PST_FORM_FIELDS_MAX)
        return PST_TOO_LARGE;
    fields = pst_arena_alloc(arena, count * sizeof(*fields));
    storage = pst_arena_alloc(arena, body.len); /* decoding never lengthens */
    if (!fields || !storage)
        return PST_NO_MEMORY;
    pst_buf_init(&buf, storage, body.len);
    for (size_t i = 0; take_pair(&body, &pair); i++) {
        enum pst_err e = decode_pair(&buf, pair, &fields[i]);

        if (e)
            return e;
    }
    *out = (struct pst_form){fields, count};
    return PST_OK;
}

enum pst_err
pst_form_get(const struct pst_form *form, struct pst_text name,
             struct pst_text *value)
{
    const struct pst_form_field *found = NULL;

    for (size_t i = 0; i < form->count; i++) {
        if (!pst_text_equal(form->fields[i].name, name))
            continue;
        if (found)
            return PST_DUPLICATE;
        found = &form->fields[i];
    }
    if (!found)
        return PST_ABSENT;
    *value = found->value;
    return PST_OK;
}
