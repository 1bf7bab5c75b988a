/* SPDX-License-Identifier: ISC */
/*
 * graphql_request_emit.c - write a GraphQL request for the backend: every
 * member once, in a fixed order, and only members that were read.
 */
#include "gateway/graphql_request.h"

#include <string.h>

#include "base/sort.h"
#include "codec/json_emit.h"
#include "codec/json_slice.h"
#include "codec/percent.h"

/*
 * The names of the variables to forward, sorted. The client chooses both their
 * number and the number of members to look up, so a linear search would be
 * quadratic.
 */
struct names {
    const struct pst_str **sorted;
    size_t count;
};

static bool
variable_name_is_less(void *context, size_t a, size_t b)
{
    const struct names *names = context;
    struct pst_str one = *names->sorted[a];
    struct pst_str other = *names->sorted[b];
    size_t len = one.len < other.len ? one.len : other.len;
    int order = len > 0 ? memcmp(one.ptr, other.ptr, len) : 0;

    return order != 0 ? order < 0 : one.len < other.len;
}

static void
swap_variable_names(void *context, size_t a, size_t b)
{
    const struct names *names = context;
    const struct pst_str *name = names->sorted[a];

    names->sorted[a] = names->sorted[b];
    names->sorted[b] = name;
}

static bool
sort_variable_names(struct pst_arena *arena,
                    const struct graphql_request_plan *plan,
                    struct names *names)
{
    const struct pst_sort sort = {names, plan->variable_count,
                                  variable_name_is_less, swap_variable_names};

    names->count = plan->variable_count;
    names->sorted =
        /* NOLINTNEXTLINE(bugprone-sizeof-expression): an array of pointers */
        pst_arena_alloc(arena, names->count * sizeof(*names->sorted));
    if (!names->sorted)
        return false;
    for (size_t i = 0; i < names->count; i++)
        names->sorted[i] = &plan->variables[i];
    pst_sort(&sort);
    return true;
}

/* Find the variable whose name a member's raw (undecoded) name means. */
static struct pst_str
find_variable_name(const struct names *names, struct pst_str raw)
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
    return PST_STR_NONE;
}

/* Where to write: JSON as it is, or percent-encoded into a query string. */
struct sink {
    struct pst_buf *buf;
    bool is_encoded;
    struct names names; /* of the variables to forward */
};

static void
sink_put(const struct sink *sink, struct pst_str text)
{
    if (sink->is_encoded)
        pst_percent_encode(sink->buf, text);
    else
        pst_buf_add(sink->buf, text);
}

static void
sink_put_string(const struct sink *sink, struct pst_str text)
{
    if (sink->is_encoded)
        pst_percent_encode(sink->buf, text);
    else
        pst_json_emit_string(sink->buf, text);
}

/* Write a member's name and the punctuation around it. */
static void
sink_put_member_name(const struct sink *sink, struct pst_str name,
                     bool is_first)
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

/* Filters: the name under which a member is forwarded, or absent: it is not. */

static struct pst_str
filter_variable(const struct sink *sink, struct pst_str raw)
{
    return find_variable_name(&sink->names, raw);
}

static struct pst_str
filter_extension(const struct sink *sink, struct pst_str raw)
{
    (void)sink;
    return pst_json_slice_equal(raw, PST_STR("persistedQuery")) ? PST_STR_NONE
                                                                : raw;
}

/* Write an object with the members that the filter selects; if it selects none,
 * write nothing. */
static void
sink_put_object(const struct sink *sink, struct pst_str name,
                struct pst_str object,
                struct pst_str (*filter)(const struct sink *sink,
                                         struct pst_str raw))
{
    struct pst_str raw, value;
    bool is_first = true;

    while (pst_json_slice_next_member(&object, &raw, &value)) {
        struct pst_str kept_name = filter(sink, raw);

        if (pst_str_is_absent(kept_name))
            continue;
        if (is_first)
            sink_put_member_name(sink, name, false);
        sink_put(sink, is_first ? PST_STR("{\"") : PST_STR(",\""));
        sink_put(sink, kept_name);
        sink_put(sink, PST_STR("\":"));
        sink_put(sink, value);
        is_first = false;
    }
    if (!is_first)
        sink_put(sink, PST_STR("}"));
}

static void
sink_put_request(struct sink *sink, const struct graphql_request_plan *plan)
{
    const struct graphql_request *gql = plan->gql;

    PST_REQUIRE(sink->buf->arena);
    if (!sort_variable_names(sink->buf->arena, plan, &sink->names)) {
        pst_buf_set_error(sink->buf, PST_NO_MEMORY);
        return;
    }
    PST_REQUIRE(!pst_str_is_absent(plan->document) || plan->id.len > 0);
    if (pst_str_is_absent(plan->document)) {
        sink_put_member_name(sink, PST_STR("documentId"), true);
        sink_put_string(sink, plan->id);
    } else {
        sink_put_member_name(sink, PST_STR("query"), true);
        sink_put_string(sink, plan->document);
    }
    if (!pst_str_is_absent(gql->operation_name)) {
        sink_put_member_name(sink, PST_STR("operationName"), false);
        sink_put_string(sink, gql->operation_name);
    }
    sink_put_object(sink, PST_STR("variables"), gql->variables,
                    filter_variable);
    sink_put_object(sink, PST_STR("extensions"), gql->extensions,
                    filter_extension);
}

void
graphql_request_emit(struct pst_buf *buf,
                     const struct graphql_request_list *list,
                     const struct graphql_request_plan *plans)
{
    struct sink sink = {.buf = buf};
    bool is_first = true;

    pst_buf_add_string(buf, list->is_batch ? "[" : "");
    for (size_t i = 0; i < list->count; i++) {
        if (list->is_batch && plans[i].is_omitted)
            continue;
        pst_buf_add_string(buf, is_first ? "" : ",");
        sink_put_request(&sink, &plans[i]);
        pst_buf_add_char(buf, '}');
        is_first = false;
    }
    pst_buf_add_string(buf, list->is_batch ? "]" : "");
}

void
graphql_request_emit_query(struct pst_buf *buf,
                           const struct graphql_request_list *list,
                           const struct graphql_request_plan *plan)
{
    struct sink sink = {.buf = buf, .is_encoded = true};

    sink_put_request(&sink, plan);
    if (!pst_str_is_absent(list->parameters)) {
        pst_buf_add_char(buf, '&');
        pst_buf_add(buf, list->parameters);
    }
}
