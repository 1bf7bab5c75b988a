/* SPDX-License-Identifier: ISC */
/*
 * operation.c - which of a client's GraphQL requests is a login, and whose.
 */
#include "operation.h"

#include <string.h>

#include "backend.h"
#include "form.h"
#include "graphql.h"
#include "json.h"

/* Members of an object that are looked at: a request with more is refused. */
#define MEMBERS_MAX 64

static bool
is_vendure(const struct config *config)
{
    return config->preset == PRESET_VENDURE;
}

static bool
names_login(const struct config *config, struct pst_text document)
{
    return pst_graphql_has_field(document, backend_login_field(config)) ||
           (is_vendure(config) &&
            pst_graphql_has_field(document, PST_TEXT("authenticate")));
}

static bool
renames(struct pst_text document, struct pst_text pointer)
{
    struct pst_text field = backend_last_segment(pointer);

    return field.len > 0 && pst_graphql_has_alias(document, field);
}

/* Only a document with this word in it can be more than a query. */
static bool
may_mutate(struct pst_text document)
{
    return pst_text_contains(document, PST_TEXT("mutation"));
}

/*
 * Under another name the login's secret would not be found in the answer,
 * and would reach the browser; under a name that we trust, another field
 * would say who it is; and two renamed logins in one document would be two
 * guesses at a password that count as one.
 */
static bool
hides_login(const struct config *config, struct pst_text document)
{
    if (!may_mutate(document))
        return false;
    if (pst_graphql_has_alias(document, backend_login_field(config)) ||
        (is_vendure(config) &&
         pst_graphql_has_alias(document, PST_TEXT("authenticate"))))
        return true;
    return config->token_place == PLACE_JSON &&
           (renames(document, config->token_name) ||
            renames(document, config->subject) ||
            renames(document, config->name) || renames(document, config->ttl));
}

/* Who may be meant. */

/*
 * What goes into the backend as a password is no account's name: counting it
 * would let one user's mistyping lock out another with the same password.
 */
static const struct pst_text PASSWORD = {"password", 8};

static bool
add_name(struct operation *out, struct pst_text name)
{
    if (name.len == 0)
        return true;
    if (out->name_count == OPERATION_NAMES_MAX)
        return false;
    out->names[out->name_count++] = name;
    return true;
}

static bool
add_literal(void *context, struct pst_text argument, struct pst_text string)
{
    return pst_text_equal(argument, PASSWORD) || add_name(context, string);
}

/*
 * Every string of a value, however deep, but an input object's password;
 * false when there are too many, or a list of which nobody knows what is in.
 */
static bool
add_strings(const struct pst_json *value, struct operation *out)
{
    bool is_object = pst_json_kind(value) == PST_JSON_OBJECT;
    size_t count = is_object ? pst_json_count(value) : 0;

    if (pst_json_kind(value) == PST_JSON_STRING)
        return add_name(out, pst_json_text(value));
    if (pst_json_kind(value) == PST_JSON_ARRAY)
        return pst_json_count(value) == 0;
    if (count > MEMBERS_MAX)
        return false;
    for (size_t i = 0; i < count; i++) {
        struct pst_text name;
        const struct pst_json *member = pst_json_member(value, i, &name);

        if (!pst_text_equal(name, PASSWORD) && !add_strings(member, out))
            return false;
    }
    return true;
}

/* The variables: one that is a password, and nothing else, is none's name. */
static bool
add_variables(const struct pst_json *variables, struct pst_text document,
              struct operation *out)
{
    size_t count = pst_json_kind(variables) == PST_JSON_OBJECT
                       ? pst_json_count(variables)
                       : 0;

    if (count > MEMBERS_MAX)
        return false;
    for (size_t i = 0; i < count; i++) {
        struct pst_text name;
        const struct pst_json *value = pst_json_member(variables, i, &name);

        if (!pst_text_is_absent(document) &&
            pst_graphql_is_only(document, name, PASSWORD))
            continue;
        if (!add_strings(value, out))
            return false;
    }
    return true;
}

/* A login that does not let us see whom it is for is refused; of a stored one
 * only the answer will tell. */
static enum pst_err
read_names(const struct pst_json *root, struct pst_text document,
           struct operation *out)
{
    bool all =
        add_variables(pst_json_at(root, PST_TEXT("/variables")), document, out);

    if (all && !pst_text_is_absent(document))
        all = pst_graphql_strings(document, add_literal, out);
    out->is_partial = !all;
    return all || out->kind != OPERATION_LOGIN ? PST_OK : PST_MALFORMED;
}

/* What a request is. */

/*
 * A member that some backend takes for the document and we do not: its name
 * differs in case, or it is another way to name a stored document.
 */
static enum pst_err
check_members(const struct pst_json *root, struct operation *out)
{
    for (size_t i = 0; i < pst_json_count(root); i++) {
        struct pst_text name;

        if (i == MEMBERS_MAX)
            return PST_MALFORMED;
        (void)pst_json_member(root, i, &name);
        if (pst_text_equal_nocase(name, PST_TEXT("query")) &&
            !pst_text_equal(name, PST_TEXT("query")))
            return PST_MALFORMED;
        if (pst_text_equal_nocase(name, PST_TEXT("variables")) &&
            !pst_text_equal(name, PST_TEXT("variables")))
            return PST_MALFORMED;
        if (pst_text_equal_nocase(name, PST_TEXT("id")) ||
            pst_text_equal_nocase(name, PST_TEXT("documentId")) ||
            pst_text_equal_nocase(name, PST_TEXT("doc_id")))
            out->kind = OPERATION_UNSURE;
    }
    return PST_OK;
}

static enum pst_err
read_object(const struct config *config, const struct pst_json *root,
            struct operation *out)
{
    struct pst_text document =
        pst_json_text(pst_json_at(root, PST_TEXT("/query")));
    enum pst_err e;

    if (pst_json_kind(root) != PST_JSON_OBJECT)
        return PST_MALFORMED;
    out->kind =
        pst_text_is_absent(document) ? OPERATION_UNSURE : OPERATION_PLAIN;
    e = check_members(root, out);
    if (e)
        return e;
    if (!pst_text_is_absent(document) && names_login(config, document)) {
        out->kind = OPERATION_LOGIN;
        out->is_mutation = may_mutate(document);
        if (hides_login(config, document))
            return PST_MALFORMED;
    }
    if (out->kind == OPERATION_PLAIN)
        return PST_OK;
    if (pst_json_bool(pst_json_at(root, PST_TEXT("/variables/rememberMe")),
                      &out->remember) != PST_OK)
        out->remember = false;
    return read_names(root, document, out);
}

/* One member of a batch may be anything but a login. */
static enum pst_err
read_batch(const struct config *config, const struct pst_json *batch,
           struct operation *out)
{
    for (size_t i = 0; i < pst_json_count(batch); i++) {
        struct operation one = {.kind = OPERATION_UNSURE};
        char pointer[32];
        struct pst_buf buf;
        enum pst_err e;

        pst_buf_init(&buf, pointer, sizeof(pointer));
        pst_buf_add_char(&buf, '/');
        pst_buf_add_number(&buf, (int64_t)i);
        e = read_object(config, pst_json_at(batch, pst_buf_text(&buf)), &one);
        if (e)
            return e;
        if (one.kind != OPERATION_PLAIN)
            return PST_MALFORMED;
    }
    out->kind = OPERATION_PLAIN;
    return PST_OK;
}

enum pst_err
operation_read_body(struct pst_arena *arena, const struct config *config,
                    struct pst_text body, struct operation *out)
{
    struct operation request = {.kind = OPERATION_UNSURE};
    const struct pst_json *root;
    enum pst_err e;

    e = pst_json_parse(arena, body, &root);
    if (e)
        return e;
    if (pst_json_kind(root) == PST_JSON_ARRAY)
        e = read_batch(config, root, &request);
    else
        e = read_object(config, root, &request);
    if (!e)
        *out = request;
    return e;
}

/*
 * A request too long to be read. A login in it would be counted as one guess
 * however many it holds, and its secret would not be looked for by the name
 * that it gave it: so it must not have one. Its name stands as it is, being
 * ASCII in UTF-8, unless it is spelt with escapes that nobody needs.
 */

static bool
is_name(unsigned code)
{
    char c = (char)code;

    return code < 0x80 && (pst_is_alpha(c) || pst_is_digit(c) || c == '_');
}

/* One octet of the words in which a name could stand. */
static bool
watch_word(struct operation_watch *watch, char c)
{
    bool is_over = !is_name((unsigned char)c);
    bool is_found = false;

    for (size_t i = 0; i < PST_COUNT(watch->names); i++) {
        struct pst_text name = watch->names[i];
        bool fits = watch->word == 0 || watch->fits[i];

        is_found |= fits && watch->word > 0 && watch->word == name.len;
        watch->fits[i] =
            fits && watch->word < name.len && name.ptr[watch->word] == c;
    }
    watch->word = is_over ? 0 : watch->word + 1;
    return !is_over || !is_found;
}

/* One octet of an escape, behind its backslash. */
static bool
watch_escape(struct operation_watch *watch, char c)
{
    int digit = pst_hex_value(c);

    if (watch->escape == 1) {
        watch->code = 0;
        watch->escape = c == 'u' ? 2 : 0;
        /* One that JSON does not have stands for itself to some. */
        return memchr("\"\\/bfnrtu", c, 9) != NULL;
    }
    if (digit < 0)
        return false;
    watch->code = watch->code * 16 + (unsigned)digit;
    watch->escape = watch->escape == 5 ? 0 : watch->escape + 1;
    return watch->escape > 0 || !is_name(watch->code);
}

/*
 * One octet of UTF-8 (RFC 3629 section 4): a lenient reader finds letters in
 * forms that are too long, and leaves out what it cannot read.
 */
static bool
watch_utf8(struct operation_watch *watch, unsigned char c)
{
    bool is_good;

    if (watch->left > 0) {
        is_good = c >= watch->low && c <= watch->high;
        watch->left--;
        watch->low = 0x80;
        watch->high = 0xBF;
        return is_good;
    }
    if (c < 0x80)
        return true;
    watch->left = c < 0xE0 ? 1 : c < 0xF0 ? 2 : 3;
    watch->low = c == 0xE0 ? 0xA0 : c == 0xF0 ? 0x90 : 0x80;
    watch->high = c == 0xED ? 0x9F : c == 0xF4 ? 0x8F : 0xBF;
    return c >= 0xC2 && c <= 0xF4;
}

static bool
watch_octet(struct operation_watch *watch, char c)
{
    bool is_space = c == ' ' || c == '\t' || c == '\n' || c == '\r';

    if (!watch->has_begun) {
        watch->has_begun = !is_space;
        return is_space || c == '{';
    }
    /* A NUL is half of a letter in UTF-16, which some would recognize. */
    if (((unsigned char)c < ' ' && !is_space) ||
        !watch_utf8(watch, (unsigned char)c))
        return false;
    if (watch->escape > 0)
        return watch_escape(watch, c);
    if (c == '\\')
        watch->escape = 1;
    return watch_word(watch, c);
}

enum pst_err
operation_watch_piece(struct operation_watch *watch, struct pst_text piece)
{
    size_t known = pst_text_first(piece, watch->again).len;

    watch->again -= known;
    for (size_t i = known; i < piece.len; i++) {
        if (!watch_octet(watch, piece.ptr[i]))
            return PST_HIDDEN_LOGIN;
    }
    return PST_OK;
}

static enum pst_err
watch_piece(void *watching, struct pst_text piece)
{
    return operation_watch_piece(watching, piece);
}

enum pst_err
operation_read_head(struct pst_arena *arena, const struct config *config,
                    struct pst_text head, struct operation *out)
{
    struct operation_watch *watch = pst_arena_alloc(arena, sizeof(*watch));
    enum pst_err e;

    if (!watch)
        return PST_NO_MEMORY;
    watch->names[0] = backend_login_field(config);
    if (is_vendure(config))
        watch->names[1] = PST_TEXT("authenticate");
    e = operation_watch_piece(watch, head);
    if (e)
        return e;
    watch->again = head.len;
    *out = (struct operation){.kind = OPERATION_UNSURE,
                              .watch = watch_piece,
                              .watching = watch,
                              .is_partial = true};
    return PST_OK;
}

enum pst_err
operation_read_query(struct pst_arena *arena, const struct config *config,
                     struct pst_text query, struct operation *out)
{
    struct operation request = {.kind = OPERATION_UNSURE};
    struct pst_text document;
    struct pst_form form;
    enum pst_err e;

    e = pst_form_parse(arena, query, &form);
    if (e)
        return e;
    e = pst_form_get(&form, PST_TEXT("query"), &document);
    if (e == PST_OK) {
        request.kind =
            names_login(config, document) ? OPERATION_LOGIN : OPERATION_PLAIN;
        request.is_mutation =
            request.kind == OPERATION_LOGIN && may_mutate(document);
        if (request.kind == OPERATION_LOGIN && hides_login(config, document))
            e = PST_MALFORMED;
    } else if (e == PST_ABSENT) {
        e = PST_OK;
    }
    if (!e)
        *out = request;
    return e;
}

enum pst_err
operation_check_query(struct pst_arena *arena, struct pst_text query)
{
    static const struct pst_text names[] = {
        {"query", 5},       {"variables", 9}, {"operationName", 13},
        {"extensions", 10}, {"id", 2},        {"documentId", 10},
        {"doc_id", 6},
    };
    struct pst_form form;
    enum pst_err e;

    e = pst_form_parse(arena, query, &form);
    if (e)
        return e;
    for (size_t i = 0; i < form.count; i++)
        for (size_t j = 0; j < PST_COUNT(names); j++)
            if (pst_text_equal_nocase(form.fields[i].name, names[j]))
                return PST_MALFORMED;
    return PST_OK;
}
