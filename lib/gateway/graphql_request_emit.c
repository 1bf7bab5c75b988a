/* SPDX-License-Identifier: ISC */
/*
 * graphql_request_emit.c - a GraphQL request written for the backend: every
 * member once, in our order, and nothing that was not read.
 */
#include "gateway/graphql_request.h"

#include <string.h>

#include "base/sort.h"
#include "codec/json_slice.h"
#include "codec/json_text.h"
#include "codec/percent.h"

/*
 * Names to look up, sorted: the client chooses both how many there are and
 * how many members are looked up.
 */
struct names {
    const struct pst_text **sorted;
    size_t count;
};

static bool
name_is_less(void *context, size_t a, size_t b)
{
    const struct names *names = context;
    struct pst_text one = *names->sorted[a];
    struct pst_text other = *names->sorted[b];
    size_t len = one.len < other.len ? one.len : other.len;
    int order = len > 0 ? memcmp(one.ptr, other.ptr, len) : 0;

    return order != 0 ? order < 0 : one.len < other.len;
}

static void
swap_names(void *context, size_t a, size_t b)
{
    const struct names *names = context;
    const struct pst_text *name = names->sorted[a];

    names->sorted[a] = names->sorted[b];
    names->sorted[b] = name;
}

static bool
sort_names(struct pst_arena *arena, const struct call_plan *plan,
           struct names *names)
{
    const struct pst_sort sort = {names, plan->variable_count, name_is_less,
                                  swap_names};

    names->count = plan->variable_count;
    names->sorted =
        pst_arena_alloc(arena, names->count * sizeof(*names->sorted));
    if (!names->sorted)
        return false;
    for (size_t i = 0; i < names->count; i++)
        names->sorted[i] = &plan->variables[i];
    pst_sort(&sort);
    return true;
}

/* The name that a member's decodes to, or absent. */
static struct pst_text
find_name(const struct names *names, struct pst_text raw)
{
    size_t low = 0;
    size_t high = names->count;

    while (low < high) {
        size_t middle = low + (high - low) / 2;
        int order = pst_json_slice_compare(raw, *names->sorted[middle]);

        if (order == 0)
            return *names->sorted[middle];
        if (order < 0)
            high = middle;
        else
            low = middle + 1;
    }
    return PST_NO_TEXT;
}

/* JSON on its way: as it is, or into a query string. */
struct sink {
    struct pst_buf *buf;
    bool is_encoded;
    struct names names; /* of variables to pass on */
};

static void
put(const struct sink *sink, struct pst_text text)
{
    if (sink->is_encoded)
        pst_percent_encode(sink->buf, text);
    else
        pst_buf_add(sink->buf, text);
}

static void
put_string(const struct sink *sink, struct pst_text text)
{
    if (sink->is_encoded)
        pst_percent_encode(sink->buf, text);
    else
        pst_json_emit_string(sink->buf, text);
}

/* What comes before a member's value, in JSON or in a query string. */
static void
put_name(const struct sink *sink, struct pst_text name, bool is_first)
{
    if (sink->is_encoded) {
        pst_buf_add_string(sink->buf, is_first ? "" : "&");
        pst_buf_add(sink->buf, name);
        pst_buf_add_char(sink->buf, '=');
    } else {
        pst_buf_add_string(sink->buf, is_first ? "{\"" : ",\"");
        pst_buf_add(sink->buf, name);
        pst_buf_add_string(sink->buf, "\":");
    }
}

/* How a member of an object is named when it passes on; absent: it does not. */

static struct pst_text
choose_variable(const struct sink *sink, struct pst_text raw)
{
    return find_name(&sink->names, raw);
}

static struct pst_text
choose_extension(const struct sink *sink, struct pst_text raw)
{
    (void)sink;
    return pst_json_slice_decodes_to(raw, PST_TEXT("persistedQuery"))
               ? PST_NO_TEXT
               : raw;
}

/* A member that is an object, with what is chosen of it, or nothing at all. */
static void
put_object(const struct sink *sink, struct pst_text name,
           struct pst_text object,
           struct pst_text (*choose)(const struct sink *sink,
                                     struct pst_text raw))
{
    struct pst_text raw, value;
    bool is_first = true;

    while (pst_json_slice_next_member(&object, &raw, &value)) {
        struct pst_text chosen = choose(sink, raw);

        if (pst_text_is_absent(chosen))
            continue;
        if (is_first)
            put_name(sink, name, false);
        put(sink, is_first ? PST_TEXT("{\"") : PST_TEXT(",\""));
        put(sink, chosen);
        put(sink, PST_TEXT("\":"));
        put(sink, value);
        is_first = false;
    }
    if (!is_first)
        put(sink, PST_TEXT("}"));
}

static void
put_call(struct sink *sink, const struct call_plan *plan)
{
    const struct call *call = plan->call;

    PST_REQUIRE(sink->buf->arena);
    if (!sort_names(sink->buf->arena, plan, &sink->names)) {
        pst_buf_spoil(sink->buf, PST_NO_MEMORY);
        return;
    }
    PST_REQUIRE(!pst_text_is_absent(plan->document) || plan->id.len > 0);
    if (pst_text_is_absent(plan->document)) {
        put_name(sink, PST_TEXT("documentId"), true);
        put_string(sink, plan->id);
    } else {
        put_name(sink, PST_TEXT("query"), true);
        put_string(sink, plan->document);
    }
    if (!pst_text_is_absent(call->operation_name)) {
        put_name(sink, PST_TEXT("operationName"), false);
        put_string(sink, call->operation_name);
    }
    put_object(sink, PST_TEXT("variables"), call->variables, choose_variable);
    put_object(sink, PST_TEXT("extensions"), call->extensions,
               choose_extension);
}

void
call_emit(struct pst_buf *buf, const struct call_list *list,
          const struct call_plan *plans)
{
    struct sink sink = {.buf = buf};
    bool is_first = true;

    pst_buf_add_string(buf, list->is_batch ? "[" : "");
    for (size_t i = 0; i < list->count; i++) {
        if (list->is_batch && plans[i].is_left_out)
            continue;
        pst_buf_add_string(buf, is_first ? "" : ",");
        put_call(&sink, &plans[i]);
        pst_buf_add_char(buf, '}');
        is_first = false;
    }
    pst_buf_add_string(buf, list->is_batch ? "]" : "");
}

void
call_emit_query(struct pst_buf *buf, const struct call_list *list,
                const struct call_plan *plan)
{
    struct sink sink = {.buf = buf, .is_encoded = true};

    put_call(&sink, plan);
    if (!pst_text_is_absent(list->parameters)) {
        pst_buf_add_char(buf, '&');
        pst_buf_add(buf, list->parameters);
    }
}
