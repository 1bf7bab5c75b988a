/* SPDX-License-Identifier: ISC */
/*
 * browser_family.c - name the browser, such as "Firefox", that a User-Agent is
 * from.
 */
#include "gateway/browser_family.h"

#include "base/base.h"

struct pst_str
browser_family(struct pst_str user_agent)
{
    /* The first match counts: Edge also says Chrome and Safari, so the order
     * matters. */
    static const struct {
        struct pst_str token;
        struct pst_str family;
    } families[] = {
        {{"Edg", 3}, {"Edge", 4}},         {{"OPR/", 4}, {"Opera", 5}},
        {{"Firefox/", 8}, {"Firefox", 7}}, {{"FxiOS/", 6}, {"Firefox", 7}},
        {{"Chrome/", 7}, {"Chrome", 6}},   {{"Chromium/", 9}, {"Chrome", 6}},
        {{"CriOS/", 6}, {"Chrome", 6}},    {{"Safari/", 7}, {"Safari", 6}},
        {{"curl/", 5}, {"curl", 4}},
    };

    for (size_t i = 0; i < PST_COUNT(families); i++) {
        if (pst_str_contains(user_agent, families[i].token))
            return families[i].family;
    }
    return user_agent.len > 0 ? PST_STR("other") : PST_STR("");
}
