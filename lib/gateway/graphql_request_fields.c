/* SPDX-License-Identifier: ISC */
/*
 * graphql_request_fields.c - the members of a GraphQL request, and what they
 * may be.
 */
#include "gateway/graphql_request_fields.h"

#include "base/buffer.h"
#include "codec/json_slice.h"

#define HASH_LEN 64 /* hex digits of SHA-256 */
#define WHY_MAX 200

static const struct field {
    struct pst_text name;
    bool is_object; /* else a string */
    const char *wrong_kind;
    const char *wrong_case;
} fields[CALL_FIELD_COUNT] = {
#define FIELD(name, is_object, kind)                                  \
    {                                                                 \
        {name, sizeof(name) - 1}, is_object,                          \
            "\"" name "\" must be " kind " or null",                  \
            "a name differs from \"" name "\" in the case of letters" \
    }
    [CALL_QUERY] = FIELD("query", false, "a string"),
    [CALL_OPERATION_NAME] = FIELD("operationName", false, "a string"),
    [CALL_VARIABLES] = FIELD("variables", true, "an object"),
    [CALL_EXTENSIONS] = FIELD("extensions", true, "an object"),
    [CALL_ID] = FIELD("id", false, "a string"),
    [CALL_DOCUMENT_ID] = FIELD("documentId", false, "a string"),
    [CALL_DOC_ID] = FIELD("doc_id", false, "a string"),
#undef FIELD
};

static const struct pst_text persisted_query = {"persistedQuery", 14};

static enum pst_err
refuse(const char **why, enum pst_err e, const char *text)
{
    *why = text;
    return e;
}

/* Out of memory, with the message of that error. */
static enum pst_err
no_memory(const char **why)
{
    return refuse(why, PST_NO_MEMORY, pst_err_text(PST_NO_MEMORY));
}

enum call_field
call_field_find(struct pst_text name, bool *is_alike)
{
    *is_alike = false;
    for (size_t i = 0; i < CALL_FIELD_COUNT; i++) {
        if (pst_text_equal(name, fields[i].name))
            return (enum call_field)i;
        *is_alike |= pst_text_equal_nocase(name, fields[i].name);
    }
    return CALL_FIELD_COUNT;
}

const char *
call_field_why_alike(struct pst_text name)
{
    for (size_t i = 0; i < CALL_FIELD_COUNT; i++) {
        if (pst_text_equal_nocase(name, fields[i].name))
            return fields[i].wrong_case;
    }
    return "";
}

const char *
call_json_why(struct pst_arena *arena, const struct pst_json_fault *fault)
{
    struct pst_text text;
    struct pst_buf buf;

    pst_buf_init_arena(&buf, arena, WHY_MAX);
    pst_buf_add_string(&buf, fault->why);
    pst_buf_add_string(&buf, " (at byte ");
    pst_buf_add_number(&buf, (int64_t)fault->at);
    pst_buf_add_string(&buf, ")");
    pst_buf_add_char(&buf, '\0');
    return pst_buf_end(&buf, &text) == PST_OK ? text.ptr : fault->why;
}

/* Persisted queries. */

/*
 * A reader that ignores case would find what we do not: PersistedQuery. Go's
 * also takes U+017F for s.
 */
static enum pst_err
find_persisted(struct pst_text extensions, struct pst_text *out,
               const char **why)
{
    struct pst_text name, value;

    *out = PST_NO_TEXT;
    while (pst_json_slice_next_member(&extensions, &name, &value)) {
        if (pst_json_slice_decodes_to(name, persisted_query))
            *out = value;
        else if (pst_json_slice_folds_to(name, persisted_query))
            return refuse(why, PST_DUPLICATE,
                          "a name differs from \"persistedQuery\" in the "
                          "case of letters");
    }
    return PST_OK;
}

static enum pst_err
read_hash(struct pst_arena *arena, struct pst_text value, struct pst_text *out,
          const char **why)
{
    struct pst_text text;
    char *hash;
    enum pst_err e = pst_json_slice_text(arena, value, HASH_LEN * 6, &text);

    if (e == PST_NO_MEMORY)
        return no_memory(why);
    if (e || text.len != HASH_LEN)
        return refuse(why, PST_MALFORMED,
                      "\"persistedQuery\" needs a \"sha256Hash\" of 64 hex "
                      "digits");
    hash = pst_arena_alloc(arena, HASH_LEN);
    if (!hash)
        return no_memory(why);
    for (size_t i = 0; i < HASH_LEN; i++) {
        hash[i] = pst_lower(text.ptr[i]);
        if (pst_hex_value(hash[i]) < 0)
            return refuse(why, PST_MALFORMED,
                          "\"sha256Hash\" has a character that is no hex "
                          "digit");
    }
    *out = (struct pst_text){hash, HASH_LEN};
    return PST_OK;
}

static enum pst_err
read_persisted(struct pst_arena *arena, struct call *call, const char **why)
{
    struct pst_text persisted;
    struct pst_text version = PST_NO_TEXT;
    struct pst_text hash = PST_NO_TEXT;
    enum pst_err e = find_persisted(call->extensions, &persisted, why);

    if (e)
        return e;
    switch (pst_json_slice_kind(persisted)) {
    case PST_JSON_ABSENT:
    case PST_JSON_NULL:
        return PST_OK;
    case PST_JSON_OBJECT:
        break;
    default:
        return refuse(why, PST_MALFORMED,
                      "\"persistedQuery\" must be an object or null");
    }
    (void)pst_json_slice_member(persisted, PST_TEXT("version"), &version);
    (void)pst_json_slice_member(persisted, PST_TEXT("sha256Hash"), &hash);
    if (pst_json_slice_kind(version) != PST_JSON_INTEGER)
        return refuse(why, PST_MALFORMED,
                      "\"persistedQuery\" needs a \"version\" that is an "
                      "integer");
    call->is_unknown_persisted = !pst_text_equal(version, PST_TEXT("1"));
    if (call->is_unknown_persisted)
        return PST_OK;
    return read_hash(arena, hash, &call->hash, why);
}

/* What the members say together. */

/* A reader may take a document of nothing but this for none at all (L55). */
static bool
is_blank(struct pst_text text)
{
    for (size_t i = 0; i < text.len; i++) {
        if (text.ptr[i] != ' ' && text.ptr[i] != '\t' && text.ptr[i] != '\r' &&
            text.ptr[i] != '\n')
            return false;
    }
    return true;
}

static struct pst_text
present(struct pst_text text, bool is_absent)
{
    return is_absent ? PST_NO_TEXT : text;
}

/* One of the three names of a stored document. */
static enum pst_err
read_id(const struct pst_text *texts, struct call *call, const char **why)
{
    for (size_t i = CALL_ID; i < CALL_FIELD_COUNT; i++) {
        if (pst_text_is_absent(texts[i]))
            continue;
        if (!pst_text_is_absent(call->id))
            return refuse(why, PST_MALFORMED,
                          "only one of \"id\", \"documentId\" and \"doc_id\" "
                          "may be given");
        call->id = texts[i];
    }
    call->id = present(call->id, call->id.len == 0);
    return PST_OK;
}

/*
 * Judge a request as a whole.
 *   texts  strings decoded, objects as slices; absent: not given or null
 */
static enum pst_err
judge(struct pst_arena *arena, const struct pst_text *texts, struct call *out,
      const char **why)
{
    struct call call = {
        .document = present(texts[CALL_QUERY], is_blank(texts[CALL_QUERY])),
        .operation_name = present(texts[CALL_OPERATION_NAME],
                                  texts[CALL_OPERATION_NAME].len == 0),
        .variables = texts[CALL_VARIABLES],
        .extensions = texts[CALL_EXTENSIONS],
    };
    enum pst_err e = read_id(texts, &call, why);

    if (!e)
        e = read_persisted(arena, &call, why);
    if (e)
        return e;
    if (!pst_text_is_absent(call.id) && !pst_text_is_absent(call.document))
        return refuse(why, PST_MALFORMED,
                      "a document is given by its text and by its id");
    if (!pst_text_is_absent(call.id) && !pst_text_is_absent(call.hash))
        return refuse(why, PST_MALFORMED,
                      "a document is given by its id and by its hash");
    *out = call;
    return PST_OK;
}

/* From JSON. */

static enum pst_err
collect(struct pst_text object, struct pst_text *values, const char **why)
{
    struct pst_text name, value;

    while (pst_json_slice_next_member(&object, &name, &value)) {
        for (size_t i = 0; i < CALL_FIELD_COUNT; i++) {
            if (pst_json_slice_decodes_to(name, fields[i].name))
                values[i] = value;
            else if (pst_json_slice_folds_to(name, fields[i].name))
                return refuse(why, PST_DUPLICATE, fields[i].wrong_case);
        }
    }
    return PST_OK;
}

/* From a JSON value to what judge() is given; null is absent. */
static enum pst_err
open_value(struct pst_arena *arena, const struct field *field, size_t most,
           struct pst_text *value, const char **why)
{
    enum pst_json_kind kind = pst_json_slice_kind(*value);
    enum pst_err e = PST_OK;

    if (kind == PST_JSON_ABSENT || kind == PST_JSON_NULL)
        *value = PST_NO_TEXT;
    else if (kind != (field->is_object ? PST_JSON_OBJECT : PST_JSON_STRING))
        return refuse(why, PST_MALFORMED, field->wrong_kind);
    else if (!field->is_object)
        e = pst_json_slice_text(arena, *value, most, value);
    if (e == PST_MALFORMED)
        return refuse(why, e, "a string has half of a surrogate pair");
    return e ? no_memory(why) : PST_OK;
}

enum pst_err
call_read_object(struct pst_arena *arena, struct pst_text object, size_t most,
                 struct call *out, const char **why)
{
    struct pst_text values[CALL_FIELD_COUNT] = {PST_NO_TEXT};
    enum pst_err e = collect(object, values, why);

    for (size_t i = 0; i < CALL_FIELD_COUNT && !e; i++)
        e = open_value(arena, &fields[i], most, &values[i], why);
    return e ? e : judge(arena, values, out, why);
}

/* From a query string. */

static enum pst_err
open_text(struct pst_arena *arena, const struct field *field,
          struct pst_text *value, const char **why)
{
    struct pst_json_fault fault;
    enum pst_err e;

    if (is_blank(*value))
        *value = PST_NO_TEXT;
    if (!field->is_object || pst_text_is_absent(*value))
        return PST_OK;
    e = pst_json_check(arena, *value, value, &fault);
    if (e == PST_NO_MEMORY)
        return no_memory(why);
    if (e)
        return refuse(why, e, call_json_why(arena, &fault));
    return open_value(arena, field, 0, value, why);
}

enum pst_err
call_read_values(struct pst_arena *arena,
                 const struct pst_text values[static CALL_FIELD_COUNT],
                 struct call *out, const char **why)
{
    struct pst_text texts[CALL_FIELD_COUNT];
    enum pst_err e = PST_OK;

    for (size_t i = 0; i < CALL_FIELD_COUNT && !e; i++) {
        texts[i] = values[i];
        e = open_text(arena, &fields[i], &texts[i], why);
    }
    return e ? e : judge(arena, texts, out, why);
}
