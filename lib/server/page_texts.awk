# Make lib/server/page_texts_table.inc from the files of etc/texts/ given as
# arguments: the shipped languages and their texts.
function escaped(text) {
    gsub(/["\\]/, "\\\\&", text)
    return text
}
BEGIN {
    print "/* Made of etc/texts/ by lib/server/page_texts.awk. */"
    print "#define TEXT(literal) {literal, sizeof(literal) - 1}"
    printf "static const struct page_language shipped_languages[] = {"
}
FNR == 1 {
    tag = FILENAME
    sub(/.*\//, "", tag)
    sub(/\.txt$/, "", tag)
    printf "%s\n    {.tag = TEXT(\"%s\"),\n", count++ ? "}," : "", tag
}
/^[ \t]*(#|$)/ { next }
{
    name = text = $0
    sub(/[ \t]*=.*/, "", name)
    sub(/[^=]*=[ \t]*/, "", text)
    sub(/[ \t]*$/, "", text)
    gsub(/-/, "_", name)
    printf "     .texts[PAGE_TEXT_%s] = TEXT(\"%s\"),\n", toupper(name),
        escaped(text)
}
END { print "}};\n#undef TEXT" }
