/* SPDX-License-Identifier: ISC */
/*
 * graphql_parameters.c - parse the parameters in the URL of a GraphQL request.
 */
#include "gateway/graphql_parameters.h"

#include "base/buffer.h"
#include "codec/percent.h"
#include "http/form.h"

static enum pst_err
refuse_parameter(const char **reason, enum pst_err e, const char *text)
{
    *reason = e == PST_NO_MEMORY ? pst_err_text(e) : text;
    return e;
}

static bool
is_forwarded_parameter(const struct config *config, struct pst_str name)
{
    for (size_t i = 0; i < config->forward_parameter_count; i++) {
        if (pst_str_equal(config->forward_parameters[i], name))
            return true;
    }
    return false;
}

/* Some backends put these values into SQL statements without quoting. */
static bool
is_plain_parameter_value(struct pst_str value)
{
    for (size_t i = 0; i < value.len; i++) {
        if (!pst_is_alpha(value.ptr[i]) && !pst_is_digit(value.ptr[i]) &&
            value.ptr[i] != '-' && value.ptr[i] != '_')
            return false;
    }
    return true;
}

static bool
form_has_earlier_field(const struct pst_form *form, size_t index)
{
    for (size_t i = 0; i < index; i++) {
        if (pst_str_equal(form->fields[i].name, form->fields[index].name))
            return true;
    }
    return false;
}

/* Write the forwarded parameters as a new query string. */
static enum pst_err
write_forwarded_parameters(const struct request *req,
                           const struct config *config,
                           const struct pst_form *form, struct pst_str *out,
                           const char **reason)
{
    struct pst_buf buf;
    enum pst_err e;

    pst_buf_init_arena(&buf, req->arena, 3 * req->query.len);
    for (size_t i = 0; i < form->count; i++) {
        const struct pst_form_field *field = &form->fields[i];

        if (!is_forwarded_parameter(config, field->name))
            continue;
        if (!is_plain_parameter_value(field->value))
            return refuse_parameter(
                reason, PST_MALFORMED,
                "a parameter of POSTERN_FORWARD_PARAMETERS may contain only "
                "letters, digits, - and _");
        if (form_has_earlier_field(form, i))
            return refuse_parameter(reason, PST_DUPLICATE,
                                    "a parameter of POSTERN_FORWARD_PARAMETERS "
                                    "is given twice");
        if (buf.len > 0)
            pst_buf_add_char(&buf, '&');
        pst_percent_encode(&buf, field->name);
        pst_buf_add_char(&buf, '=');
        pst_buf_add(&buf, field->value);
    }
    if (buf.len == 0)
        return PST_OK;
    e = pst_buf_finish(&buf, out);
    return e ? refuse_parameter(reason, PST_NO_MEMORY, "") : PST_OK;
}

/*
 * Read GraphQL's own parameters. In a POST they are refused: the request is in
 * the body, and a backend might execute the one in the URL instead.
 */
static enum pst_err
read_graphql_parameters(const struct pst_form *form, bool is_get,
                        struct pst_str *values, const char **reason)
{
    for (size_t i = 0; i < form->count; i++) {
        struct pst_str name = form->fields[i].name;
        bool is_case_variant;
        enum graphql_request_field field =
            graphql_request_field_find(name, &is_case_variant);

        if (!is_get &&
            (is_case_variant || field != GRAPHQL_REQUEST_FIELD_COUNT))
            return refuse_parameter(
                reason, PST_MALFORMED,
                "the URL of a POST must not contain GraphQL parameters: send "
                "them in the body");
        if (is_case_variant)
            return refuse_parameter(reason, PST_DUPLICATE,
                                    graphql_request_field_case_error(name));
        if (field == GRAPHQL_REQUEST_FIELD_COUNT)
            continue;
        if (!pst_str_is_absent(values[field]))
            return refuse_parameter(reason, PST_DUPLICATE,
                                    "a GraphQL parameter is given twice");
        values[field] = form->fields[i].value;
    }
    return PST_OK;
}

enum pst_err
graphql_parameters_parse(const struct request *req, const struct config *config,
                         bool is_get, struct graphql_parameters *out,
                         const char **reason)
{
    struct graphql_parameters parameters = {.forwarded = PST_STR_NONE};
    struct pst_form form;
    enum pst_err e = pst_form_parse(req->arena, req->query, &form);

    if (e)
        return refuse_parameter(reason, e,
                                e == PST_TOO_LARGE
                                    ? "the URL has too many parameters"
                                    : "the URL's parameters are not valid "
                                      "UTF-8, or contain a NUL");
    e = read_graphql_parameters(&form, is_get, parameters.values, reason);
    if (!e)
        e = write_forwarded_parameters(req, config, &form,
                                       &parameters.forwarded, reason);
    if (!e)
        *out = parameters;
    return e;
}
