# SPDX-License-Identifier: ISC
"""The public library (design 3.2) and the programs share sessions and CSRF
tokens. The examples in C, Python and PHP work."""
import base64
import json
import os
import re
import secrets
import shutil
import subprocess
import tempfile
import time

import fcgi
import gateway as gateways
import http_client
import pytest
from gateway import BUILD, COOKIE, ROOT

TOOL = os.path.join(BUILD, "tests/unit/library_tool")
LIBRARIES = os.path.join(BUILD, "lib/.libs")
EXAMPLES = os.path.join(ROOT, "etc/examples")
NO_SESSION, IN_STORE, BAD_CSRF = 1, 2, 7  # PST_E_…
REFUSED = b"Status: 303 See Other\r\nLocation: /login\r\n\r\n"


class LibraryError(Exception):
    pass


def library(site, *words, cookie=None, **variables):
    """The lines that library_tool prints. Raises LibraryError(status)."""
    variables["COOKIE_SESSION_SECRET"] = site.secret
    if cookie is not None:
        variables["HTTP_COOKIE"] = (cookie if "=" in cookie
                                    else f"{COOKIE}={cookie}")
    done = subprocess.run([TOOL, *words], stdout=subprocess.PIPE, timeout=60,
                          stderr=subprocess.PIPE,
                          env={**gateways.SANITIZER_ENVIRONMENT, **variables})
    if done.returncode:
        assert done.stdout == b"" and done.returncode < 20, done
        raise LibraryError(done.returncode)
    return done.stdout.decode().splitlines()


def output_of(command, env):
    done = subprocess.run(command, stdout=subprocess.PIPE, env=env, timeout=60,
                          stdin=subprocess.DEVNULL, stderr=subprocess.PIPE)
    assert done.returncode == 0 and b"Sanitizer" not in done.stderr, done
    return done.stdout


def error_of(*arguments, **options):
    with pytest.raises(LibraryError) as caught:
        library(*arguments, **options)
    return caught.value.args[0]


def authorize(site, cookie):
    """The output of the program authorize, run by CGI."""
    return output_of([os.path.join(BUILD, "cgi-bin/authorize")], {
        **site.environment, **fcgi.params(HTTP_COOKIE=f"{COOKIE}={cookie}")})


def token_of(line):
    """The token in the value of a Set-Cookie header."""
    name, _, rest = line.partition("=")
    assert name == COOKIE
    return rest.partition(";")[0]


def forged(token):
    at = len(token) - 30
    return token[:at] + ("A" if token[at] != "A" else "B") + token[at + 1:]


@pytest.mark.parametrize("form", ["sealed", "signed"])
def test_library_reads_a_session_of_the_programs(start, user, form):
    site = start(POSTERN_TOKEN_FORMAT=form)
    flags = {"LIBRARY_FLAGS": "4" if form == "signed" else "0"}
    cookie = site.cookie_for(user)
    subject, name, claims, expires, idle, guest = library(
        site, "check", cookie=cookie, **flags)
    seen = site.session(cookie=cookie)
    assert (subject, name, guest) == (user.owner, user.email, "0")
    assert json.loads(claims) == seen["who"]
    assert site.open_token(cookie)["exp"] == int(expires)
    assert site.open_token(cookie)["seen"] + 1800 == int(idle)
    assert error_of(site, "check", cookie=forged(cookie), **flags) == NO_SESSION
    assert error_of(site, "check", cookie="", **flags) == NO_SESSION
    other = "0" if form == "signed" else "4"
    assert error_of(site, "check", cookie=cookie,
                    LIBRARY_FLAGS=other) == NO_SESSION


def test_programs_read_a_session_of_the_library(start, user):
    site = start()
    line, = library(site, "login", "4711", "Ada O'Brien", '{"a":[1]}')
    # The cookie's attributes are those that the programs write.
    by_program = site.log_in(user).get("set-cookie")
    assert line.partition(";")[2] == by_program.partition(";")[2]
    cookie = token_of(line)
    seen = site.session(cookie=cookie)
    assert (seen["subject"], seen["name"], seen["who"], seen["guest"]) == (
        "4711", "Ada O'Brien", {"a": [1]}, False)
    assert b"\r\nX-Session-Subject: 4711\r\n" in authorize(site, cookie)
    assert authorize(site, forged(cookie)).startswith(b"Status: 401 ")
    # It has no backend token: to the backend it is anonymous.
    assert site.query(cookie=cookie).json["data"]["me"] is None
    assert library(site, "check", cookie=cookie)[0] == "4711"
    # The library has no store: it does not see the logout.
    assert site.post("/logout", cookie=cookie).status == 200
    assert site.session(cookie=cookie) is None
    assert library(site, "check", cookie=cookie)[0] == "4711"


def test_library_renews_a_session_after_rotation(start, backend, user):
    """The session keeps its backend token and its id."""
    site = start()
    both = (secrets.token_urlsafe(32) + " " + site.secret)
    cookie = site.cookie_for(user)
    assert error_of(site, "renew", cookie=cookie) == 5  # PST_E_NOT_DUE
    with open(site.environment["COOKIE_SESSION_SECRET_FILE"], "w",
              encoding="ascii") as file:
        file.write(both)
    site.secret = both
    renewed = token_of(library(site, "renew", cookie=cookie)[0])
    assert renewed != cookie
    before, after = (site.open_token(one) for one in (cookie, renewed))
    assert {**before, "seen": 0} == {**after, "seen": 0}
    assert gateways.wait_until(
        lambda: site.session(cookie=renewed) is not None, 5, 0.2)
    assert site.query(cookie=renewed).json["data"]["me"]["email"] == user.email


def token_tool(secret, *words, text):
    done = subprocess.run(
        [os.path.join(BUILD, "tests/unit/token_tool"), *words,
         str(int(time.time()))], input=text, stdout=subprocess.PIPE, check=True,
        timeout=60, encoding="ascii", env={**gateways.SANITIZER_ENVIRONMENT,
                                           "COOKIE_SESSION_SECRET": secret})
    return done.stdout.strip()


def signed_claims(token):
    payload = token.split(".")[1]
    return json.loads(base64.urlsafe_b64decode(payload + "==="))


def test_library_renews_both_tokens_in_a_signed_session(start, user):
    """The backend's tokens are sealed under a secret of their own choice: after a
    renewal no part of the session needs the old secret."""
    site = start(POSTERN_TOKEN_FORMAT="signed")
    old, new = site.secret, secrets.token_urlsafe(32)
    claims = signed_claims(site.cookie_for(user))
    claims["refresh"] = {
        "token": token_tool(old, "seal", "upstream", "sealed", text='"again"'),
        "begun": claims["iat"], "end": claims["iat"] + 600}
    cookie = token_tool(old, "seal", "cookie", "signed", text=json.dumps(claims))
    site.secret = f"{new} {old}"
    renewed = signed_claims(token_of(
        library(site, "renew", cookie=cookie, LIBRARY_FLAGS="4")[0]))
    assert token_tool(new, "open", "upstream", "sealed",
                      text=renewed["refresh"]["token"]) == '"again"'
    assert token_tool(new, "open", "upstream", "sealed",
                      text=renewed["upstream"]).startswith('"')


def test_library_clears_the_same_cookies_as_logout(start, user):
    """Both also clear the guest cookie that the browser sends."""
    site = start()
    cookie = f"{COOKIE}={site.cookie_for(user)}; {COOKIE}-guest=x"
    cleared = library(site, "logout", cookie=cookie)
    assert cleared == site.post("/logout", cookie=cookie).all("set-cookie")


def test_library_reports_a_session_kept_in_the_store(start, backend, user):
    site = start()
    token = secrets.token_urlsafe(6000)[:6000]
    backend.known.add(token.encode())
    backend.next(headers=[["Content-Type", "application/json"]],
                 body=json.dumps({"data": {"login": {
                     "secret": token, "ttl": None, "email": "b@example.com",
                     "ownerId": "77"}}}))
    cookie = http_client.cookie_of(site.log_in(user))[1]
    assert site.session(cookie=cookie)["subject"] == "77"
    assert error_of(site, "check", cookie=cookie) == IN_STORE
    assert error_of(site, "renew", cookie=cookie) == IN_STORE
    # CSRF tokens work for such a session too.
    token, = library(site, "make", "logout", cookie=cookie)
    assert library(site, "test", "logout", token, cookie=cookie) == []


def csrf_field(answer):
    return re.search(r'name="csrf_token" value="([^"]+)"', answer.text)[1]


def test_csrf_tokens_work_in_library_and_programs(start, user):
    site = start(POSTERN_CSRF_TOKEN="required")
    fields = {"email": user.email, "password": user.password}
    # The library checks the programs' tokens: anonymous, then of a session.
    token = csrf_field(site.get("/login", headers=[("Accept", "text/html")]))
    assert library(site, "test", "login", token) == []
    assert error_of(site, "test", "logout", token) == BAD_CSRF
    cookie = site.cookie_for(user)
    token = csrf_field(site.get("/logout", cookie=cookie,
                                headers=[("Accept", "text/html")]))
    assert library(site, "test", "logout", token, cookie=cookie) == []
    assert error_of(site, "test", "logout", token) == BAD_CSRF
    # The programs check the library's tokens.
    token, = library(site, "make", "other")
    assert site.form("/login", {"csrf_token": token, **fields}).status == 403
    token, = library(site, "make", "login")
    answer = site.form("/login", {"csrf_token": token, **fields})
    assert answer.status == 303, answer
    cookie = http_client.cookie_of(answer)[1]
    sent = [("Cookie", f"{COOKIE}={cookie}")]
    token, = library(site, "make", "logout")
    assert site.form("/logout", {"csrf_token": token}, sent).status == 403
    token, = library(site, "make", "logout", cookie=cookie)
    assert site.form("/logout", {"csrf_token": token}, sent).status == 303


# --- the examples ---------------------------------------------------------------


@pytest.fixture(name="programs", scope="module")
def programs_fixture():
    """The folder of the C examples, compiled against the build."""
    with tempfile.TemporaryDirectory(prefix="postern-examples-") as folder:
        os.symlink(os.path.join(ROOT, "lib/postern.h"),
                   os.path.join(folder, "postern.h"))
        sanitizers = (["-fsanitize=address,undefined"]
                      if gateways.is_sanitized() else [])
        for name in ("cgi", "fcgi"):
            subprocess.run(
                ["gcc", "-Wall", "-Wextra", "-Werror", *sanitizers, "-I",
                 folder, os.path.join(EXAMPLES, name + ".c"), "-o",
                 os.path.join(folder, name), "-L", LIBRARIES, "-lpostern",
                 *(["-lfcgi"] if name == "fcgi" else [])], check=True)
        yield folder


def environment(site, cookie, **more):
    values = {**gateways.SANITIZER_ENVIRONMENT, "LD_LIBRARY_PATH": LIBRARIES,
              "PATH": os.environ["PATH"], "COOKIE_SESSION_SECRET": site.secret,
              **more}
    if cookie:
        values["HTTP_COOKIE"] = f"{COOKIE}={cookie}"
    return values


def sanitizer_preload():
    """An interpreter does not link the sanitizer that the library needs."""
    if not gateways.is_sanitized():
        return {}
    done = subprocess.run(["gcc", "-print-file-name=libasan.so"],
                          stdout=subprocess.PIPE, check=True)
    return {"LD_PRELOAD": done.stdout.decode().strip(),
            "ASAN_OPTIONS": "detect_leaks=0"}


@pytest.mark.parametrize("example", ["cgi.c", "check.py"])
def test_cgi_example_greets_the_user_and_redirects_others(
        start, user, programs, example):
    site = start()
    cookie = site.cookie_for(user)
    command, more = [os.path.join(programs, "cgi")], {}
    if example == "check.py":
        command = ["/usr/bin/python3", "-B", os.path.join(EXAMPLES, example)]
        more = sanitizer_preload()

    def ask(token):
        return output_of(command, environment(site, token, **more))

    assert ask(cookie) == (
        b"Content-Type: text/plain; charset=utf-8\r\n"
        b"Cache-Control: private, no-cache\r\n\r\nHello, "
        + user.email.encode() + b"\n")
    assert ask(forged(cookie)) == ask(None) == REFUSED


def test_php_example_greets_the_user_and_refuses_others(start, user):
    """Run by php-cli, which prints no headers."""
    assert shutil.which("php"), "php-cli is missing"
    script = os.path.join(EXAMPLES, "check.php")
    if gateways.is_sanitized():
        # Its dlopen (RTLD_DEEPBIND) cannot load a library with a sanitizer.
        output_of(["php", "-l", script], environment(start(), None))
        return
    site = start()
    cookie = site.cookie_for(user)

    def ask(token):
        return output_of(["php", "-d", "variables_order=EGPCS", script],
                         environment(site, token))

    assert ask(cookie) == b"Hello, " + user.email.encode() + b"\n"
    refused = b"Please log in.\n"
    assert ask(forged(cookie)) == ask(None) == refused


def test_fcgi_example_does_not_mix_up_users(start, user, programs, tmp_path):
    """One process serves several users in turn."""
    site = start()
    cookie = site.cookie_for(user)
    ada = token_of(library(site, "login", "7", "Ada")[0])
    path = str(tmp_path / "socket")
    with gateways.socket.socket(gateways.socket.AF_UNIX) as listener:
        listener.bind(path)
        listener.listen(5)
        process = subprocess.Popen([os.path.join(programs, "fcgi")],
                                   stdin=listener,
                                   env=environment(site, None))
    try:
        for token, wanted in ((cookie, user.email.encode()), (None, None),
                              (ada, b"Ada"), (forged(ada), None),
                              (cookie, user.email.encode())):
            variables = {"HTTP_COOKIE": f"{COOKIE}={token}"} if token else {}
            answer = fcgi.request(path, **variables).stdout
            if wanted is None:
                assert answer == REFUSED
            else:
                assert answer.endswith(b"\r\n\r\nHello, " + wanted + b"\n")
    finally:
        process.terminate()
        process.wait(30)


def test_library_guide_shows_the_example_programs():
    """doc/library.md contains the example programs unchanged."""
    with open(os.path.join(ROOT, "doc/library.md"), encoding="utf-8") as file:
        shown = re.findall(r"```c\n(.*?)```", file.read(), re.S)
    for name, text in zip(("cgi.c", "fcgi.c"), shown, strict=True):
        with open(os.path.join(EXAMPLES, name), encoding="utf-8") as file:
            assert file.read().endswith(" */\n" + text), name
        # A program that protects itself is 15 lines (design 3.2).
        body = text.partition("{\n")[2]
        assert len([line for line in body.splitlines() if line.strip()]) <= 15
