/* SPDX-License-Identifier: ISC */
/*
 * flows.c - check one request to one program, given as a row of a table.
 */
#include "flows.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

/* Add a variable, or replace the one of the same name. */
static void
set_variable(const char **list, size_t *count, const char *variable)
{
    size_t len = strcspn(variable, "=") + 1;
    size_t i = 0;

    while (i < *count && strncmp(list[i], variable, len) != 0)
        i++;
    list[i] = variable;
    if (i == *count)
        ++*count;
}

int
flow_ask(struct fixture *f, handler_fn *program, const struct flow *flow)
{
    const char *variables[16] = {
        "REQUEST_METHOD=POST", "CONTENT_TYPE=application/json",
        "HTTP_SEC_FETCH_SITE=same-origin", "REMOTE_ADDR=192.0.2.1"};
    size_t count = 4;
    enum pst_err e;

    for (size_t i = 0; i < PST_COUNT(flow->variables) && flow->variables[i];
         i++)
        set_variable(variables, &count, flow->variables[i]);
    variables[count] = NULL;
    f->answer = flow->answers[0];
    for (size_t i = 0; i < PST_COUNT(f->later); i++)
        f->later[i] = flow->answers[i + 1];
    fixture_request(f, variables, flow->body);
    e = program(&f->ctx, &f->req, &f->res);
    if (!e && !f->res.begun)
        fail_msg("%s: no answer", flow->body);
    return e ? pst_err_status(e) : f->res.status;
}

static void
fail_flow(const struct fixture *f, const struct flow *flow, int status,
          const char *reason, const char *what)
{
    fail_msg("%s %s: %s \"%s\"; status %d, %zu exchanges\n--- response\n%.*s\n"
             "--- backend\n%.*s",
             flow->variables[0] ? flow->variables[0] : "",
             flow->body ? flow->body : "", reason, what, status, f->exchanges,
             (int)f->out_len, f->out, (int)f->sent_len, f->sent);
}

void
flow_check(struct fixture *f, handler_fn *program, const struct flow *flow)
{
    int status = flow_ask(f, program, flow);

    if (status != flow->status)
        fail_flow(f, flow, status, "unexpected status", "");
    if (f->exchanges != flow->exchanges)
        fail_flow(f, flow, status, "unexpected number of exchanges", "");
    for (size_t i = 0; i < PST_COUNT(flow->out) && flow->out[i]; i++)
        if (!fixture_is_out(f, flow->out[i]))
            fail_flow(f, flow, status, "not in the response:", flow->out[i]);
    for (size_t i = 0; i < PST_COUNT(flow->never) && flow->never[i]; i++)
        if (fixture_is_out(f, flow->never[i]))
            fail_flow(f, flow, status, "in the response:", flow->never[i]);
    for (size_t i = 0; i < PST_COUNT(flow->sent) && flow->sent[i]; i++)
        if (!fixture_was_sent(f, flow->sent[i]))
            fail_flow(f, flow, status,
                      "not sent to the backend:", flow->sent[i]);
    for (size_t i = 0; i < PST_COUNT(flow->unsent) && flow->unsent[i]; i++)
        if (fixture_was_sent(f, flow->unsent[i]))
            fail_flow(f, flow, status, "sent to the backend:", flow->unsent[i]);
}

/* What became of a request. */
struct outcome {
    enum pst_err e;
    int status;
    size_t len; /* bytes of the response */
    bool begins_session;
};

/* Does the response set the cookie of a user's session, and not clear it? A
 * request that has one may have it renewed. */
static bool
begins_session(const struct fixture *f)
{
    struct pst_str name = f->ctx.config->cookie.name;

    if (f->req.cookie.len > 0)
        return false;
    for (size_t i = 0; i < f->res.header_count; i++) {
        const struct response_header *header = &f->res.headers[i];

        if (pst_str_equal(header->name, PST_STR("Set-Cookie")) &&
            pst_str_starts(header->value, name) &&
            header->value.ptr[name.len] == '=' &&
            header->value.ptr[name.len + 1] != ';')
            return true;
    }
    return false;
}

/* Run a request in which all allocations but the first `count` fail. */
static struct outcome
run_with_allocations(struct fixture *f, handler_fn *program,
                     const char *const *variables, const char *body,
                     size_t count)
{
    enum pst_err e;

    fixture_request(f, variables, body);
    pst_arena_fail_at(f->arena, count + 1);
    e = program(&f->ctx, &f->req, &f->res);
    return (struct outcome){e, f->res.status, f->out_len, begins_session(f)};
}

size_t
flow_check_memory(struct fixture *f, handler_fn *program,
                  const char *const *variables, const char *body,
                  enum pst_err want)
{
    struct outcome all =
        run_with_allocations(f, program, variables, body, SIZE_MAX - 1);
    size_t count;

    if (all.e != want || !all.e != (all.len > 0))
        fail_msg("%s: %s, %zu bytes", body, pst_err_code(all.e), all.len);
    for (count = 0; count < 2000; count++) {
        struct outcome got =
            run_with_allocations(f, program, variables, body, count);

        if (got.e == PST_NO_MEMORY ? got.len > 0 || got.begins_session
                                   : got.e != all.e || got.len != all.len ||
                                         got.status != all.status)
            fail_msg("%s, %zu: %s, status %d, %zu bytes%s", body, count,
                     pst_err_code(got.e), got.status, got.len,
                     got.begins_session ? ", and a session" : "");
        if (pst_arena_may_alloc(f->arena))
            break; /* some were left */
    }
    assert_true(count < 2000);
    return count - 1;
}
