# SPDX-License-Identifier: ISC
"""What an operator types: a subcommand asks only for the variables it needs,
and takes them from a file."""
import json
import os
import subprocess

import http_client
import pytest
from gateway import POSTERN, SANITIZER_ENVIRONMENT, make_secret


def postern(*arguments, stdin=b"", **variables):
    return subprocess.run(
        [POSTERN, *arguments], input=stdin, stdout=subprocess.PIPE,
        stderr=subprocess.PIPE, timeout=60, check=False,
        env={**SANITIZER_ENVIRONMENT, **variables})


# The variables without which each subcommand cannot do its work.
NEEDED = {
    "sessions": (["sessions"], {"store"}, 0),
    "gc": (["gc"], {"store"}, 0),
    "unlock": (["unlock", "nobody"], {"store"}, 1),
    "revoke a user": (["revoke", "--subject", "nobody"], {"store"}, 1),
    "revoke a hash": (["revoke", "--session", "0" * 64], {"store"}, 1),
    "revoke a hash, stdin": (["revoke", "--session", "-"], {"store"}, 1),
    "revoke a token": (["revoke", "--session", "x.y"], {"store", "secret"}, 1),
    "open": (["open", "x.y"], {"secret"}, 1),
    "jwk": (["jwk", "x.y"], {"secret"}, 1),
    "whoami": (["whoami"], {"secret", "store"}, 1),
    "check": (["check"], {"store", "secret", "upstream"}, 69),
}


@pytest.mark.parametrize("name", NEEDED)
def test_a_subcommand_asks_for_what_it_needs(tmp_path, name):
    """Variables that it does not need may be absent or wrong."""
    arguments, needed, status = NEEDED[name]
    (tmp_path / "store").mkdir(mode=0o700)
    variables = {
        "store": {"POSTERN_STORE": f"lmdb:{tmp_path}/store"},
        "secret": {"COOKIE_SESSION_SECRET": make_secret().strip()},
        "upstream": {"POSTERN_UPSTREAM": "http://127.0.0.1:9/graphql"}}
    wrong = {"secret": {"COOKIE_SESSION_SECRET_FILE": "/nowhere"},
             "upstream": {"POSTERN_UPSTREAM": "nonsense",
                          "POSTERN_LOGIN_DOCUMENT": "/nowhere",
                          "POSTERN_MAX_BODY": "many",
                          "POSTERN_DOCUMENTS": "/nowhere",
                          "POSTERN_TEXTS": "/nowhere"}}
    given = {}
    for part in needed:
        given.update(variables[part])
    stdin = b"0" * 64 if "-" in arguments else b""
    done = postern(*arguments, stdin=stdin, **given)
    assert done.returncode == status, done
    for part in set(wrong) - needed:
        done = postern(*arguments, stdin=stdin, **given, **wrong[part])
        assert done.returncode == status, (part, done)
    # Other variables must be right all the same.
    done = postern(*arguments, stdin=stdin, **given, POSTERN_LIFETIME="long")
    assert done.returncode == 78, done
    done = postern(*arguments, stdin=stdin, **given, POSTERN_LIFETIM="1h")
    assert b"did you mean POSTERN_LIFETIME?" in done.stderr


def test_whoami_needs_no_request_method(start, user):
    """A script that is tried by hand has only a cookie."""
    site = start()
    line = site.log_in(user).get("set-cookie").partition(";")[0]
    done = postern("whoami", HTTP_COOKIE=line, **{
        name: site.environment[name]
        for name in ("COOKIE_SESSION_SECRET_FILE", "POSTERN_STORE")})
    assert done.returncode == 0, done
    assert json.loads(done.stdout)["subject"] == user.owner


# --- --env-file --------------------------------------------------------------

# Lines of a file, and the values they set (POSTERN_SITE_NAME shows a text).
LINES = [
    ("POSTERN_SITE_NAME=plain", "plain"),
    ("  POSTERN_SITE_NAME=  a b\t ", "a b"),
    ("POSTERN_SITE_NAME='a  # \\b \"'", "a  # \\b \""),
    ('POSTERN_SITE_NAME="a \\" \\\\ \\$ \\` \\n \' "', 'a " \\ $ ` \\n \' '),
    ('POSTERN_SITE_NAME="a "\'b \'c', "a b c"),
    ("POSTERN_SITE_NAME=a\\ b\\\\\\'", "a b\\'"),
    ("POSTERN_SITE_NAME=a\\\nb", "ab"),
    ('POSTERN_SITE_NAME="a\\\nb"', "ab"),
    ("POSTERN_SITE_NAME=a # no comment", "a # no comment"),
    ("POSTERN_SITE_NAME=a=b", "a=b"),
    ("POSTERN_SITE_NAME=a\r", "a"),
    ("POSTERN_SITE_NAME=a\nPOSTERN_SITE_NAME=b", "b"),
    ("POSTERN_SITE_NAME=a\\", "a"),
]


def check_environment(path, *arguments, **variables):
    done = postern("check", f"--env-file={path}", *arguments, **variables)
    return done, dict(line.split(None, 1)
                      for line in done.stdout.decode().splitlines()
                      if line.startswith(("POSTERN_", "COOKIE_")))


@pytest.mark.parametrize("line, value", LINES, ids=range(len(LINES)))
def test_env_file_is_read_as_systemd_reads_it(tmp_path, line, value):
    path = tmp_path / "env"
    path.write_text(
        f"# comment ' \"\n\n;another\n   # and\n{line}\n\n"
        f"COOKIE_SESSION_SECRET={make_secret()}POSTERN_STORE=none\n"
        "POSTERN_UPSTREAM=http://127.0.0.1:9/", encoding="ascii", newline="")
    done, table = check_environment(path)
    assert table["POSTERN_SITE_NAME"].strip() == value.strip(), done
    assert table["POSTERN_UPSTREAM"] == "http://127.0.0.1:9/"


def test_env_file_replaces_the_environment(tmp_path):
    one, two = tmp_path / "one", tmp_path / "two"
    one.write_text(f"COOKIE_SESSION_SECRET={make_secret()}POSTERN_STORE=none\n"
                   "POSTERN_UPSTREAM=http://127.0.0.1:9/\n", encoding="ascii")
    two.write_text("POSTERN_SITE_NAME=two\n", encoding="ascii")
    _, table = check_environment(one, "--env-file", str(two),
                                 POSTERN_SITE_NAME="shell",
                                 POSTERN_LIFETIME="2h")
    assert table["POSTERN_SITE_NAME"] == "two"
    assert table["POSTERN_LIFETIME"] == "2h"
    # Before the subcommand's name too.
    done = postern("--env-file", str(one), "check")
    assert b"POSTERN_UPSTREAM               http://127.0.0.1:9/" in done.stdout


def test_env_file_of_etc_can_be_read():
    root = os.path.dirname(os.path.dirname(os.path.dirname(__file__)))
    _, table = check_environment(os.path.join(root, "etc/systemd/postern.env"),
                                 COOKIE_SESSION_SECRET=make_secret().strip(),
                                 POSTERN_STORE="none")
    assert table["POSTERN_UPSTREAM"] == "http://127.0.0.1:3000/graphql"


@pytest.mark.parametrize("text, words", [
    ("A=1\nexport B=2\n", "line 2 is not NAME=value"),
    ("nonsense", "line 1 is not NAME=value"),
    ("=x", "line 1 is not NAME=value"),
    ("1A=x", "line 1 is not NAME=value"),
    ("A = x", "line 1 is not NAME=value"),
    ("A=1\n\nB='x\nC=2\n", "line 3 has a quote that is not closed"),
    ('A="x\\"', "line 1 has a quote that is not closed"),
    ("A=x\0y", "line 1 is too long, or has a NUL in it"),
    ("A=" + "x" * 33000, "line 1 is too long, or has a NUL in it")])
def test_env_file_with_a_wrong_line(tmp_path, text, words):
    path = tmp_path / "env"
    path.write_bytes(text.encode())
    done = postern("sessions", "--env-file", str(path))
    assert (done.returncode, done.stdout) == (65, b"")
    assert done.stderr.decode() == f"postern: {path}: {words}\n"


def test_env_file_that_cannot_be_read(tmp_path):
    done = postern("sessions", "--env-file", str(tmp_path / "none"))
    assert done.returncode == 66 and b"No such file" in done.stderr
    done = postern("sessions", "--env-file")
    assert done.returncode == 64 and b"needs a FILE" in done.stderr
    done = postern("--env-file")
    assert done.returncode == 64 and b"needs a FILE" in done.stderr
    # After -- it is an argument like any other.
    done = postern("unlock", "--", "--env-file", POSTERN_STORE="none")
    assert b"POSTERN_STORE is none" in done.stderr


# --- revoke ------------------------------------------------------------------


@pytest.mark.parametrize("text", ["448fa7d", "448fa7dg", "0" * 65])
def test_revoke_of_no_hash_asks_for_no_secret(text):
    done = postern("revoke", "--session", text, POSTERN_STORE="none")
    assert done.returncode == 1 and b"no hash of 8 to 64" in done.stderr, done


def test_revoke_of_a_user_without_sessions_says_so(start, store, backend):
    """Exit status 1: the subject may be misspelled."""
    site = start(**store)
    account = backend.register()
    cookie = http_client.cookie_of(site.log_in(account))[1]
    done = site.postern("revoke", "--subject", "no\x1bbody")
    assert (done.returncode, done.stdout) == (1, b"")
    assert b"no session of no\\x1bbody is listed" in done.stderr
    assert site.postern("revoke", "--subject", account.owner).returncode == 0
    assert site.session(cookie=cookie) is None
    assert site.postern("revoke", "--subject", account.owner).returncode == 1
