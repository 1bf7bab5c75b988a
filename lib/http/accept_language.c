/* SPDX-License-Identifier: ISC */
/*
 * accept_language.c - choose a language by the header Accept-Language
 * (RFC 9110 section 12.5.4). Pure.
 */
#include "http/accept_language.h"

#define PART_MAX 8        /* bytes of one part of a tag */
#define WEIGHT_MAX 1000   /* the weight 1; a weight has three decimals */
#define WEIGHT_DECIMALS 3 /* RFC 9110 section 12.4.2 */

struct range {
    struct pst_str text; /* a tag, or "*" */
    int weight;          /* 0..WEIGHT_MAX */
};

struct ranges {
    struct range items[PST_LANGUAGE_RANGES_MAX]; /* the heaviest first */
    size_t count;
};

static bool
is_tag_part(struct pst_str part, bool is_first)
{
    for (size_t i = 0; i < part.len; i++)
        if (!pst_is_alpha(part.ptr[i]) &&
            (is_first || !pst_is_digit(part.ptr[i])))
            return false;
    return part.len > 0 && part.len <= PART_MAX;
}

bool
pst_language_is_tag(struct pst_str text)
{
    struct pst_str part;
    bool is_first = true;

    if (pst_str_is_absent(text))
        return false;
    while (pst_str_split(&text, '-', &part)) {
        if (!is_tag_part(part, is_first))
            return false;
        is_first = false;
    }
    return true;
}

size_t
pst_language_truncated_len(struct pst_str tag)
{
    size_t hyphen = pst_str_last_index(tag, '-');

    if (hyphen == tag.len)
        return 0;
    if (hyphen >= 2 && tag.ptr[hyphen - 2] == '-')
        return hyphen - 2;
    return hyphen;
}

/* Parse "0.5" (a qvalue, RFC 9110 section 12.4.2). Returns false if it is
 * malformed. */
static bool
parse_weight(struct pst_str text, int *weight)
{
    struct pst_str decimals = pst_str_skip(text, 2);
    int scale = WEIGHT_MAX;

    if (text.len == 0 || (text.ptr[0] != '0' && text.ptr[0] != '1') ||
        (text.len > 1 && text.ptr[1] != '.') || decimals.len > WEIGHT_DECIMALS)
        return false;
    *weight = (text.ptr[0] - '0') * WEIGHT_MAX;
    for (size_t i = 0; i < decimals.len; i++) {
        if (!pst_is_digit(decimals.ptr[i]))
            return false;
        scale /= 10;
        *weight += (decimals.ptr[i] - '0') * scale;
    }
    return *weight <= WEIGHT_MAX;
}

/* Parse "de-AT" or "de-AT;q=0.5". Returns false if it is malformed. */
static bool
parse_range(struct pst_str text, struct range *range)
{
    size_t semicolon = pst_str_index(text, ';');
    struct pst_str parameter = pst_str_trim(pst_str_skip(text, semicolon + 1));

    range->text = pst_str_trim(pst_str_first(text, semicolon));
    range->weight = WEIGHT_MAX;
    if (!pst_str_equal(range->text, PST_STR("*")) &&
        !pst_language_is_tag(range->text))
        return false;
    if (semicolon == text.len)
        return true;
    return pst_str_starts_nocase(parameter, PST_STR("q=")) &&
           parse_weight(pst_str_skip(parameter, 2), &range->weight);
}

/* Read the first ranges of the header, the malformed ones too, so that a long
 * header takes no longer. */
static void
parse_header(struct pst_str header, struct ranges *ranges)
{
    struct pst_str text;
    struct range range;

    ranges->count = 0;
    for (size_t i = 0;
         i < PST_LANGUAGE_RANGES_MAX && pst_str_split(&header, ',', &text);
         i++) {
        size_t at = ranges->count;

        if (!parse_range(text, &range))
            continue;
        for (; at > 0 && ranges->items[at - 1].weight < range.weight; at--)
            ranges->items[at] = ranges->items[at - 1];
        ranges->items[at] = range;
        ranges->count++;
    }
}

/* Is the range the tag, or the first parts of it? */
static bool
is_range_of(struct pst_str range, struct pst_str tag)
{
    return pst_str_starts_nocase(tag, range) &&
           (tag.len == range.len || tag.ptr[range.len] == '-');
}

/* Is the tag not refused by a weight of 0? */
static bool
is_tag_acceptable(const struct ranges *ranges, struct pst_str tag)
{
    bool is_refused = false;

    for (size_t i = 0; i < ranges->count; i++) {
        const struct range *range = &ranges->items[i];

        if (range->weight > 0 && pst_str_equal_nocase(range->text, tag))
            return true;
        if (range->weight == 0 && is_range_of(range->text, tag))
            is_refused = true;
    }
    return !is_refused;
}

/* Does a range name the tag, or the beginning of it? */
static bool
is_tag_named(const struct ranges *ranges, struct pst_str tag)
{
    for (size_t i = 0; i < ranges->count; i++)
        if (is_range_of(ranges->items[i].text, tag))
            return true;
    return false;
}

/* The language tags to choose from, and the ranges. */
struct choice {
    const struct pst_str *tags;
    size_t count;
    struct ranges ranges;
};

/* The index of the tag that is the same as the range, or count. */
static size_t
find_same_tag(const struct choice *choice, struct pst_str range)
{
    for (size_t i = 0; i < choice->count; i++)
        if (pst_str_equal_nocase(range, choice->tags[i]) &&
            is_tag_acceptable(&choice->ranges, choice->tags[i]))
            return i;
    return choice->count;
}

/* The index of the first tag that begins with the range, or count. */
static size_t
find_longer_tag(const struct choice *choice, struct pst_str range)
{
    bool is_any = pst_str_equal(range, PST_STR("*"));

    for (size_t i = 0; i < choice->count; i++)
        if ((is_any ? !is_tag_named(&choice->ranges, choice->tags[i])
                    : is_range_of(range, choice->tags[i])) &&
            is_tag_acceptable(&choice->ranges, choice->tags[i]))
            return i;
    return choice->count;
}

/* The index of the tag that the range finds, or count. */
static size_t
find_tag(const struct choice *choice, struct pst_str range)
{
    size_t found = find_same_tag(choice, range);

    if (found == choice->count)
        found = find_longer_tag(choice, range);
    while (found == choice->count && range.len > 0) {
        range.len = pst_language_truncated_len(range);
        found = find_same_tag(choice, range);
    }
    return found;
}

size_t
pst_language_choose(struct pst_str header, const struct pst_str *tags,
                    size_t count)
{
    struct choice choice = {.tags = tags, .count = count};
    const struct ranges *ranges = &choice.ranges;

    PST_REQUIRE(count > 0);
    parse_header(header, &choice.ranges);
    for (size_t i = 0; i < ranges->count && ranges->items[i].weight > 0; i++) {
        size_t found = find_tag(&choice, ranges->items[i].text);

        if (found < count)
            return found;
    }
    return 0;
}
