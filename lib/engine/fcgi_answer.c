/* SPDX-License-Identifier: ISC */
/*
 * fcgi_answer.c - the FastCGI records that we write ourselves, without libfcgi.
 * Pure.
 */
#include "engine/fcgi_answer.h"

static void
answer_add(struct pst_buf *answers, enum fcgi_record_type type, unsigned id,
           struct pst_str content)
{
    const char header[FCGI_HEADER_LEN] = {
        1, (char)type, (char)(id >> 8), (char)id, 0, (char)content.len, 0, 0};

    pst_buf_add(answers, (struct pst_str){header, sizeof(header)});
    pst_buf_add(answers, content);
}

void
fcgi_answer_end_request(struct pst_buf *answers, unsigned id,
                        enum fcgi_protocol_status status)
{
    const char content[8] = {0, 0, 0, 0, (char)status};

    answer_add(answers, FCGI_TYPE_END_REQUEST, id,
               (struct pst_str){content, sizeof(content)});
}

void
fcgi_answer_unknown_type(struct pst_buf *answers, uint8_t type)
{
    const char content[8] = {(char)type};

    answer_add(answers, FCGI_TYPE_UNKNOWN, 0,
               (struct pst_str){content, sizeof(content)});
}

void
fcgi_answer_invalid(struct pst_buf *answers, unsigned id)
{
    answer_add(answers, FCGI_TYPE_INVALID, id, PST_STR(""));
}

/* Does FCGI_GET_VALUES ask for this name? All names it may ask for are short:
 * a list with long lengths is not searched further. */
static bool
get_values_has_name(struct pst_str rest, struct pst_str name)
{
    while (rest.len >= 2 + name.len) {
        size_t name_len = (uint8_t)rest.ptr[0];
        size_t value_len = (uint8_t)rest.ptr[1];

        if (name_len >= 0x80 || value_len >= 0x80)
            return false;
        rest = pst_str_skip(rest, 2);
        if (pst_str_equal(pst_str_first(rest, name_len), name))
            return true;
        rest = pst_str_skip(rest, name_len + value_len);
    }
    return false;
}

void
fcgi_answer_get_values(struct pst_buf *answers, struct pst_str content)
{
    const struct pst_str pair = PST_STR("\17\1FCGI_MPXS_CONNS0");
    const struct pst_str name = PST_STR("FCGI_MPXS_CONNS");

    answer_add(answers, FCGI_TYPE_GET_VALUES_RESULT, 0,
               get_values_has_name(content, name) ? pair : PST_STR(""));
}

bool
fcgi_answer_at_once(struct pst_buf *answers,
                    const uint8_t header[static FCGI_HEADER_LEN],
                    struct pst_str text)
{
    unsigned id = (unsigned)header[2] << 8 | header[3];

    PST_REQUIRE(text.len <= FCGI_ANSWER_TEXT_MAX);
    if (header[0] != 1 || header[1] != FCGI_TYPE_BEGIN_REQUEST || id == 0)
        return false;
    answer_add(answers, FCGI_TYPE_STDOUT, id, text);
    answer_add(answers, FCGI_TYPE_STDOUT, id, PST_STR(""));
    fcgi_answer_end_request(answers, id, FCGI_STATUS_COMPLETE);
    return true;
}
