# Make bin/samples.h from the files of etc/ given as arguments: an array of the
# lines of each, for `postern config` to print.
function escaped(line,    out, i, c) {
    for (i = 1; i <= length(line); i++) {
        c = substr(line, i, 1)
        out = out (c == "\\" || c == "\"" ? "\\" : "") c
    }
    return out
}
BEGIN {
    print "/* Made of etc/ by bin/samples.awk. */"
    print "#include \"base/base.h\""
    first = " lighttpd/postern-settings.conf lighttpd/postern.conf" \
        " apache/postern-settings.conf apache/postern-proxy.conf" \
        " nginx/postern-http.conf nginx/postern-params.conf" \
        " nginx/postern-server.conf systemd/postern@.socket" \
        " systemd/postern@.service systemd/postern.env" \
        " systemd/postern-sysusers.conf systemd/postern-tmpfiles.conf" \
        " logrotate/postern "
}
FNR == 1 {
    if (count)
        print "    NULL};"
    place[++count] = FILENAME
    sub(/.*etc\//, "", place[count])
    printf "static const char *const sample_%d[] = {\n", count
}
{ printf "    \"%s\",\n", escaped($0) }
END {
    print "    NULL};"
    print "struct sample {"
    print "    const char *place; /* \"server/file\" */"
    print "    const char *const *lines;"
    print "    bool is_first;     /* a first try needs it */"
    print "};"
    print "static const struct sample samples[] = {"
    for (i = 1; i <= count; i++)
        printf "    {\"%s\", sample_%d, %s},\n", place[i], i,
            index(first, " " place[i] " ") ? "true" : "false"
    print "};"
}
