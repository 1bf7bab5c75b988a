/* SPDX-License-Identifier: ISC */
/*
 * graphql_request_fields.c - parse the members of a GraphQL request, and check
 * their types and combinations.
 */
#include "gateway/graphql_request_fields.h"

#include "base/buffer.h"
#include "codec/json_slice.h"

#define HASH_LEN 64 /* hex digits of SHA-256 */
#define REASON_MAX 200

static const struct field {
    struct pst_str name;
    bool is_object; /* else a string */
    const char *wrong_kind;
    const char *wrong_case;
} request_fields[GRAPHQL_REQUEST_FIELD_COUNT] = {
#define FIELD(name, is_object, kind)                               \
    {                                                              \
        {name, sizeof(name) - 1}, is_object,                       \
            "\"" name "\" must be " kind " or null",               \
            "a name differs from \"" name "\" only in letter case" \
    }
    [GRAPHQL_REQUEST_QUERY] = FIELD("query", false, "a string"),
    [GRAPHQL_REQUEST_OPERATION_NAME] =
        FIELD("operationName", false, "a string"),
    [GRAPHQL_REQUEST_VARIABLES] = FIELD("variables", true, "an object"),
    [GRAPHQL_REQUEST_EXTENSIONS] = FIELD("extensions", true, "an object"),
    [GRAPHQL_REQUEST_ID] = FIELD("id", false, "a string"),
    [GRAPHQL_REQUEST_DOCUMENT_ID] = FIELD("documentId", false, "a string"),
    [GRAPHQL_REQUEST_DOC_ID] = FIELD("doc_id", false, "a string"),
#undef FIELD
};

static const struct pst_str persisted_query = {"persistedQuery", 14};

static enum pst_err
refuse_request_member(const char **reason, enum pst_err e, const char *text)
{
    *reason = text;
    return e;
}

/* Out of memory, with the message of that error. */
static enum pst_err
refuse_no_memory(const char **reason)
{
    return refuse_request_member(reason, PST_NO_MEMORY,
                                 pst_err_text(PST_NO_MEMORY));
}

enum graphql_request_field
graphql_request_field_find(struct pst_str name, bool *is_case_variant)
{
    *is_case_variant = false;
    for (size_t i = 0; i < GRAPHQL_REQUEST_FIELD_COUNT; i++) {
        if (pst_str_equal(name, request_fields[i].name))
            return (enum graphql_request_field)i;
        *is_case_variant |= pst_str_equal_nocase(name, request_fields[i].name);
    }
    return GRAPHQL_REQUEST_FIELD_COUNT;
}

const char *
graphql_request_field_case_error(struct pst_str name)
{
    for (size_t i = 0; i < GRAPHQL_REQUEST_FIELD_COUNT; i++) {
        if (pst_str_equal_nocase(name, request_fields[i].name))
            return request_fields[i].wrong_case;
    }
    return "";
}

const char *
graphql_request_json_error(struct pst_arena *arena,
                           const struct pst_json_error *error)
{
    struct pst_str text;
    struct pst_buf buf;

    pst_buf_init_arena(&buf, arena, REASON_MAX);
    pst_buf_add_string(&buf, error->reason);
    pst_buf_add_string(&buf, " (at byte ");
    pst_buf_add_number(&buf, (int64_t)error->at);
    pst_buf_add_string(&buf, ")");
    pst_buf_add_char(&buf, '\0');
    return pst_buf_finish(&buf, &text) == PST_OK ? text.ptr : error->reason;
}

/* Persisted queries. */

/*
 * Names that differ only in case are refused: a parser that ignores case would
 * find PersistedQuery where we find nothing. Go's also takes U+017F for s.
 */
static enum pst_err
find_persisted_query(struct pst_str extensions, struct pst_str *out,
                     const char **reason)
{
    struct pst_str name, value;

    *out = PST_STR_NONE;
    while (pst_json_slice_next_member(&extensions, &name, &value)) {
        if (pst_json_slice_equal(name, persisted_query))
            *out = value;
        else if (pst_json_slice_equal_nocase(name, persisted_query))
            return refuse_request_member(
                reason, PST_DUPLICATE,
                "a name differs from \"persistedQuery\" only in letter case");
    }
    return PST_OK;
}

static enum pst_err
read_persisted_hash(struct pst_arena *arena, struct pst_str value,
                    struct pst_str *out, const char **reason)
{
    struct pst_str text;
    char *hash;
    enum pst_err e = pst_json_slice_string(arena, value, HASH_LEN * 6, &text);

    if (e == PST_NO_MEMORY)
        return refuse_no_memory(reason);
    if (e || text.len != HASH_LEN)
        return refuse_request_member(
            reason, PST_MALFORMED,
            "\"persistedQuery\" needs a \"sha256Hash\" of 64 hex "
            "digits");
    hash = pst_arena_alloc(arena, HASH_LEN);
    if (!hash)
        return refuse_no_memory(reason);
    for (size_t i = 0; i < HASH_LEN; i++) {
        hash[i] = pst_lower(text.ptr[i]);
        if (pst_hex_value(hash[i]) < 0)
            return refuse_request_member(
                reason, PST_MALFORMED,
                "\"sha256Hash\" must consist of hex digits");
    }
    *out = (struct pst_str){hash, HASH_LEN};
    return PST_OK;
}

static enum pst_err
read_persisted_query(struct pst_arena *arena, struct graphql_request *gql,
                     const char **reason)
{
    struct pst_str persisted;
    struct pst_str version = PST_STR_NONE;
    struct pst_str hash = PST_STR_NONE;
    enum pst_err e = find_persisted_query(gql->extensions, &persisted, reason);

    if (e)
        return e;
    switch (pst_json_slice_kind(persisted)) {
    case PST_JSON_ABSENT:
    case PST_JSON_NULL:
        return PST_OK;
    case PST_JSON_OBJECT:
        break;
    default:
        return refuse_request_member(
            reason, PST_MALFORMED,
            "\"persistedQuery\" must be an object or null");
    }
    (void)pst_json_slice_member(persisted, PST_STR("version"), &version);
    (void)pst_json_slice_member(persisted, PST_STR("sha256Hash"), &hash);
    if (pst_json_slice_kind(version) != PST_JSON_INTEGER)
        return refuse_request_member(
            reason, PST_MALFORMED,
            "\"persistedQuery\" needs a \"version\" that is an "
            "integer");
    gql->is_unsupported_persisted = !pst_str_equal(version, PST_STR("1"));
    if (gql->is_unsupported_persisted)
        return PST_OK;
    return read_persisted_hash(arena, hash, &gql->hash, reason);
}

/* Combinations of members. */

/* White space only: some backends treat such a document as not given. */
static bool
is_blank_str(struct pst_str text)
{
    for (size_t i = 0; i < text.len; i++) {
        if (text.ptr[i] != ' ' && text.ptr[i] != '\t' && text.ptr[i] != '\r' &&
            text.ptr[i] != '\n')
            return false;
    }
    return true;
}

static struct pst_str
absent_if(struct pst_str text, bool is_absent)
{
    return is_absent ? PST_STR_NONE : text;
}

/* Set gql->id from one of the three names of a document's id. */
static enum pst_err
read_document_id(const struct pst_str *texts, struct graphql_request *gql,
                 const char **reason)
{
    for (size_t i = GRAPHQL_REQUEST_ID; i < GRAPHQL_REQUEST_FIELD_COUNT; i++) {
        if (pst_str_is_absent(texts[i]))
            continue;
        if (!pst_str_is_absent(gql->id))
            return refuse_request_member(
                reason, PST_MALFORMED,
                "only one of \"id\", \"documentId\" and \"doc_id\" "
                "may be given");
        gql->id = texts[i];
    }
    gql->id = absent_if(gql->id, gql->id.len == 0);
    return PST_OK;
}

/*
 * Build a request from its members, and check their combination.
 *   texts  decoded strings, and objects as slices; absent: not given or null
 */
static enum pst_err
build_graphql_request(struct pst_arena *arena, const struct pst_str *texts,
                      struct graphql_request *out, const char **reason)
{
    struct graphql_request gql = {
        .document = absent_if(texts[GRAPHQL_REQUEST_QUERY],
                              is_blank_str(texts[GRAPHQL_REQUEST_QUERY])),
        .operation_name =
            absent_if(texts[GRAPHQL_REQUEST_OPERATION_NAME],
                      texts[GRAPHQL_REQUEST_OPERATION_NAME].len == 0),
        .variables = texts[GRAPHQL_REQUEST_VARIABLES],
        .extensions = texts[GRAPHQL_REQUEST_EXTENSIONS],
    };
    enum pst_err e = read_document_id(texts, &gql, reason);

    if (!e)
        e = read_persisted_query(arena, &gql, reason);
    if (e)
        return e;
    if (!pst_str_is_absent(gql.id) && !pst_str_is_absent(gql.document))
        return refuse_request_member(
            reason, PST_MALFORMED,
            "a document is given both as text and by id");
    if (!pst_str_is_absent(gql.id) && !pst_str_is_absent(gql.hash))
        return refuse_request_member(
            reason, PST_MALFORMED,
            "a document is given both by id and by hash");
    *out = gql;
    return PST_OK;
}

/* From JSON. */

static enum pst_err
collect_request_members(struct pst_str object, struct pst_str *values,
                        const char **reason)
{
    struct pst_str name, value;

    while (pst_json_slice_next_member(&object, &name, &value)) {
        for (size_t i = 0; i < GRAPHQL_REQUEST_FIELD_COUNT; i++) {
            if (pst_json_slice_equal(name, request_fields[i].name))
                values[i] = value;
            else if (pst_json_slice_equal_nocase(name, request_fields[i].name))
                return refuse_request_member(reason, PST_DUPLICATE,
                                             request_fields[i].wrong_case);
        }
    }
    return PST_OK;
}

/* Decode a member's JSON value in place, for build_graphql_request(). */
static enum pst_err
decode_member_value(struct pst_arena *arena, const struct field *field,
                    size_t max_decoded, struct pst_str *value,
                    const char **reason)
{
    enum pst_json_kind kind = pst_json_slice_kind(*value);
    enum pst_err e = PST_OK;

    if (kind == PST_JSON_ABSENT || kind == PST_JSON_NULL)
        *value = PST_STR_NONE;
    else if (kind != (field->is_object ? PST_JSON_OBJECT : PST_JSON_STRING))
        return refuse_request_member(reason, PST_MALFORMED, field->wrong_kind);
    else if (!field->is_object)
        e = pst_json_slice_string(arena, *value, max_decoded, value);
    if (e == PST_MALFORMED)
        return refuse_request_member(reason, e,
                                     "a string contains an unpaired surrogate");
    return e ? refuse_no_memory(reason) : PST_OK;
}

enum pst_err
graphql_request_parse_object(struct pst_arena *arena, struct pst_str object,
                             size_t max_decoded, struct graphql_request *out,
                             const char **reason)
{
    struct pst_str values[GRAPHQL_REQUEST_FIELD_COUNT] = {PST_STR_NONE};
    enum pst_err e = collect_request_members(object, values, reason);

    for (size_t i = 0; i < GRAPHQL_REQUEST_FIELD_COUNT && !e; i++)
        e = decode_member_value(arena, &request_fields[i], max_decoded,
                                &values[i], reason);
    return e ? e : build_graphql_request(arena, values, out, reason);
}

/* From a query string. */

static enum pst_err
decode_query_value(struct pst_arena *arena, const struct field *field,
                   struct pst_str *value, const char **reason)
{
    struct pst_json_error error;
    enum pst_err e;

    if (is_blank_str(*value))
        *value = PST_STR_NONE;
    if (!field->is_object || pst_str_is_absent(*value))
        return PST_OK;
    e = pst_json_check(arena, *value, value, &error);
    if (e == PST_NO_MEMORY)
        return refuse_no_memory(reason);
    if (e)
        return refuse_request_member(reason, e,
                                     graphql_request_json_error(arena, &error));
    return decode_member_value(arena, field, 0, value, reason);
}

enum pst_err
graphql_request_parse_values(
    struct pst_arena *arena,
    const struct pst_str values[static GRAPHQL_REQUEST_FIELD_COUNT],
    struct graphql_request *out, const char **reason)
{
    struct pst_str texts[GRAPHQL_REQUEST_FIELD_COUNT];
    enum pst_err e = PST_OK;

    for (size_t i = 0; i < GRAPHQL_REQUEST_FIELD_COUNT && !e; i++) {
        texts[i] = values[i];
        e = decode_query_value(arena, &request_fields[i], &texts[i], reason);
    }
    return e ? e : build_graphql_request(arena, texts, out, reason);
}
