#!/bin/sh
# A shell CGI script for people who are logged in: the web server asks Postern
# before it runs, and `postern whoami` tells who it is. Its --sh lines are
# quoted so that any name is safe to eval.
set -eu

if ! who=$(postern whoami --sh); then
    printf 'Status: 403 Forbidden\r\nContent-Type: text/plain; charset=utf-8\r\n\r\n'
    echo "This page is not protected: see doc/legacy.md"
    exit 0
fi
eval "$who"

# Text for HTML.
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
