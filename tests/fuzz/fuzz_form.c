/* SPDX-License-Identifier: ISC */
/*
 * fuzz_form.c - read any bytes as a urlencoded form, and check that its fields
 * survive being written and read again.
 */
#include "base/arena.h"
#include "base/buffer.h"
#include "base/limits.h"
#include "base/str.h"
#include "codec/percent.h"
#include "http/form.h"

#define ARENA_SIZE (1024 * 1024)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool
is_text(struct pst_str text)
{
    return pst_str_is_utf8(text) && pst_str_index(text, '\0') == text.len;
}

/* pst_form_get() finds a name if, and only if, it is there once. */
static void
check_get(const struct pst_form *form, size_t number)
{
    const struct pst_str name = form->fields[number].name;
    struct pst_str value;
    size_t count = 0;
    enum pst_err e;

    for (size_t i = 0; i < form->count; i++)
        count += pst_str_equal(form->fields[i].name, name);
    e = pst_form_get(form, name, &value);
    PST_REQUIRE(e == (count == 1 ? PST_OK : PST_DUPLICATE));
    if (!e)
        PST_REQUIRE(pst_str_equal(value, form->fields[number].value));
}

static void
check_again(struct pst_arena *arena, const struct pst_form *form)
{
    struct pst_form again;
    struct pst_buf buf;
    struct pst_str text;

    pst_buf_init_arena(&buf, arena, ARENA_SIZE / 4);
    for (size_t i = 0; i < form->count; i++) {
        pst_percent_encode(&buf, form->fields[i].name);
        pst_buf_add_char(&buf, '=');
        pst_percent_encode(&buf, form->fields[i].value);
        pst_buf_add_char(&buf, '&');
    }
    PST_REQUIRE(pst_buf_finish(&buf, &text) == PST_OK);
    PST_REQUIRE(pst_form_parse(arena, text, &again) == PST_OK);
    PST_REQUIRE(again.count == form->count);
    for (size_t i = 0; i < form->count; i++) {
        PST_REQUIRE(pst_str_equal(again.fields[i].name, form->fields[i].name));
        PST_REQUIRE(
            pst_str_equal(again.fields[i].value, form->fields[i].value));
    }
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const struct pst_str input =
        pst_str_from_bytes((struct pst_bytes){data, size});
    static struct pst_arena *arena;
    struct pst_form form;
    enum pst_err e;

    PST_REQUIRE(arena || pst_arena_new(&arena, ARENA_SIZE) == PST_OK);
    e = pst_form_parse(arena, input, &form);
    PST_REQUIRE(e == PST_OK || e == PST_MALFORMED || e == PST_TOO_LARGE);
    if (!e) {
        PST_REQUIRE(form.count <= PST_FORM_FIELDS_MAX);
        for (size_t i = 0; i < form.count; i++) {
            PST_REQUIRE(is_text(form.fields[i].name));
            PST_REQUIRE(is_text(form.fields[i].value));
            check_get(&form, i);
        }
        check_again(arena, &form);
    }
    pst_arena_reset(arena);
    return 0;
}
