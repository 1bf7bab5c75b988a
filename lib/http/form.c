/* SPDX-License-Identifier: ISC */
/*
 * form.c - parse urlencoded forms and query strings (WHATWG URL section 5.1).
 */
#include "http/form.h"

#include "base/limits.h"
#include "codec/percent.h"

/* Split off the next pair; empty pieces between "&" are skipped. */
static bool
form_next_pair(struct pst_str *rest, struct pst_str *pair)
{
    return pst_str_next_token(rest, "&", pair);
}

static size_t
form_count_pairs(struct pst_str body)
{
    struct pst_str pair;
    size_t count = 0;

    while (form_next_pair(&body, &pair))
        count++;
    return count;
}

/* Append decoded text to buf, which has room for the whole body. */
static enum pst_err
form_decode(struct pst_buf *buf, struct pst_str raw, struct pst_str *out)
{
    size_t start = buf->len;
    struct pst_str decoded;
    enum pst_err e;

    pst_percent_decode(buf, raw, true);
    e = pst_buf_finish(buf, &decoded);
    if (e)
        return e;
    decoded = pst_str_skip(decoded, start);
    if (pst_str_index(decoded, '\0') < decoded.len || !pst_str_is_utf8(decoded))
        return PST_MALFORMED;
    *out = decoded;
    return PST_OK;
}

static enum pst_err
form_decode_pair(struct pst_buf *buf, struct pst_str pair,
                 struct pst_form_field *out)
{
    size_t equals = pst_str_index(pair, '=');
    enum pst_err e;

    e = form_decode(buf, pst_str_first(pair, equals), &out->name);
    if (e)
        return e;
    return form_decode(buf, pst_str_skip(pair, equals + 1), &out->value);
}

enum pst_err
pst_form_parse(struct pst_arena *arena, struct pst_str body,
               struct pst_form *out)
{
    size_t count = form_count_pairs(body);
    struct pst_form_field *fields;
    struct pst_str pair;
    struct pst_buf buf;
    char *storage;

    if (count > PST_FORM_FIELDS_MAX)
        return PST_TOO_LARGE;
    fields = pst_arena_alloc(arena, count * sizeof(*fields));
    storage = pst_arena_alloc(arena, body.len); /* decoding never lengthens */
    if (!fields || !storage)
        return PST_NO_MEMORY;
    pst_buf_init(&buf, storage, body.len);
    for (size_t i = 0; form_next_pair(&body, &pair); i++) {
        enum pst_err e = form_decode_pair(&buf, pair, &fields[i]);

        if (e)
            return e;
    }
    *out = (struct pst_form){fields, count};
    return PST_OK;
}

enum pst_err
pst_form_get(const struct pst_form *form, struct pst_str name,
             struct pst_str *value)
{
    const struct pst_form_field *found = NULL;

    for (size_t i = 0; i < form->count; i++) {
        if (!pst_str_equal(form->fields[i].name, name))
            continue;
        if (found)
            return PST_DUPLICATE;
        found = &form->fields[i];
    }
    if (!found)
        return PST_NOT_FOUND;
    *value = found->value;
    return PST_OK;
}
