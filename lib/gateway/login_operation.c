/* SPDX-License-Identifier: ISC */
/*
 * login_operation.c - find the one login field at the root of a client's
 * GraphQL operation.
 */
#include "gateway/login_operation.h"

#include <stdarg.h>
#include <stdio.h>

/* Root selections of a login operation that are read, fragments resolved. */
#define ROOTS_MAX 64

enum pst_err
login_refuse(struct login_reason *reason, const char *format, ...)
{
    va_list values;

    va_start(values, format);
    (void)vsnprintf(reason->text, sizeof(reason->text), format, values);
    va_end(values);
    return PST_LOGIN_SHAPE;
}

struct login_roots {
    const struct pst_graphql_selection *field;
    size_t visited;
};

static enum pst_err
find_login_field(struct login_roots *roots,
                 const struct pst_graphql_selection *selection,
                 struct login_reason *reason)
{
    enum pst_err e = PST_OK;

    for (; selection && !e; selection = selection->next) {
        if (++roots->visited > ROOTS_MAX)
            return login_refuse(reason, "the login operation has too many root "
                                        "fields: send the login field alone");
        if (selection->directives)
            return login_refuse(reason,
                                "a login cannot have directives: leave "
                                "out @%.*s",
                                (int)selection->directives->name.len,
                                selection->directives->name.ptr);
        if (selection->kind == PST_GRAPHQL_SPREAD)
            e = find_login_field(roots, selection->fragment->selections,
                                 reason);
        else if (selection->kind == PST_GRAPHQL_INLINE)
            e = find_login_field(roots, selection->selections, reason);
        else if (pst_str_equal(selection->name, PST_STR("__typename")))
            continue;
        else if (roots->field)
            return login_refuse(reason,
                                "a login must be alone: send the field "
                                "%.*s in a request of its own",
                                (int)selection->name.len, selection->name.ptr);
        else
            roots->field = selection;
    }
    return e;
}

enum pst_err
login_operation_find_field(struct login_operation *request,
                           struct login_reason *reason)
{
    struct login_roots roots = {NULL, 0};
    enum pst_err e;

    if (request->operation->directives)
        return login_refuse(reason, "a login cannot have directives");
    e = find_login_field(&roots, request->operation->selections, reason);
    if (!e && !roots.field)
        return login_refuse(reason, "there is no login field");
    if (!e)
        request->field = roots.field;
    return e;
}
