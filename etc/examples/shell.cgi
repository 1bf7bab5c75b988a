#!/bin/sh
# A shell CGI script for logged-in users: the web server asks Postern before it
# runs the script, and `postern whoami` prints who the user is. The lines that
# --sh prints are quoted, so any name is safe to eval.
set -eu

status=0
who=$(postern whoami --sh) || status=$?

refuse()
{
    printf 'Status: %s\r\nContent-Type: text/plain; charset=utf-8\r\n\r\n' "$1"
    echo "$2"
    exit 0
}

case $status in
0) ;;
1) refuse "403 Forbidden" "This page is not protected: see doc/legacy.md" ;;
127) refuse "500 Internal Server Error" "postern is not in PATH" ;;
*) refuse "500 Internal Server Error" "postern whoami failed: see the log" ;;
esac
eval "$who"

# Escape text for HTML.
escaped()
{
    printf '%s\n' "$1" |
        sed -e 's/&/\&amp;/g' -e 's/</\&lt;/g' -e 's/>/\&gt;/g' \
            -e 's/"/\&quot;/g' -e "s/'/\\&#39;/g"
}

printf 'Content-Type: text/html; charset=utf-8\r\nCache-Control: private, no-cache\r\n\r\n'
cat <<END
<!DOCTYPE html>
<html lang="en">
<head><meta charset="utf-8"><title>Members, by shell</title></head>
<body>
<h1>Hello, $(escaped "$SESSION_NAME")</h1>
<p>You are number $(escaped "$SESSION_SUBJECT"), and logged in until $(escaped "$SESSION_EXPIRES").</p>
</body>
</html>
END
