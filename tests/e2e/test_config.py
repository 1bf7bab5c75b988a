# SPDX-License-Identifier: ISC
"""Every program refuses to start with an invalid configuration and names the
variable and the reason. The configured timeouts end a session (design 2.3,
2.11)."""

import json
import os
import re
import subprocess
import time

import pytest
from gateway import BUILD, SANITIZER_ENVIRONMENT, POSTERN, make_secret
from http_client import cookie_of

PROGRAMS = ("login", "query", "logout", "session")
TOOL = os.path.join(BUILD, "tests/unit/token_tool")
EX_CONFIG = 78
SECRET = "Kq3vX0c7mJ2yR9tLw5ZbN8dFhG1sPuEa6oTiQxVzWkY"
GOOD = {"COOKIE_SESSION_SECRET": SECRET,
        "POSTERN_UPSTREAM": "http://127.0.0.1:9/graphql",
        "POSTERN_STORE": "none"}

# The change to a valid environment; then, for each error, the variable that it
# names and a part of the reason.
INVALID = {
    "no secret": ({"COOKIE_SESSION_SECRET": None},
                  [("COOKIE_SESSION_SECRET", "not set")]),
    "empty secret": ({"COOKIE_SESSION_SECRET": ""},
                     [("COOKIE_SESSION_SECRET", "not set")]),
    "31 bytes": ({"COOKIE_SESSION_SECRET": SECRET[:31]},
                  [("COOKIE_SESSION_SECRET", "32")]),
    "a short secret after a good one": (
        {"COOKIE_SESSION_SECRET": f"{SECRET} short"},
        [("COOKIE_SESSION_SECRET", "32")]),
    "a weak secret": ({"COOKIE_SESSION_SECRET": "a" * 40},
                   [("COOKIE_SESSION_SECRET", "")]),
    "an example secret": (
        {"COOKIE_SESSION_SECRET": "some-secret" * 4},
        [("COOKIE_SESSION_SECRET", "")]),
    "secret and secret file": ({"COOKIE_SESSION_SECRET_FILE": "/dev/null"},
                   [("COOKIE_SESSION_SECRET", "COOKIE_SESSION_SECRET_FILE")]),
    "no such file": ({"COOKIE_SESSION_SECRET": None,
                      "COOKIE_SESSION_SECRET_FILE": "/nonexistent/secret"},
                     [("COOKIE_SESSION_SECRET_FILE", "No such file")]),
    "an empty file": ({"COOKIE_SESSION_SECRET": None,
                       "COOKIE_SESSION_SECRET_FILE": "{empty}"},
                      [("COOKIE_SESSION_SECRET_FILE", "")]),
    "a short file": ({"COOKIE_SESSION_SECRET": None,
                      "COOKIE_SESSION_SECRET_FILE": "{short}"},
                     [("COOKIE_SESSION_SECRET_FILE", "32")]),
    "a world-readable file": ({"COOKIE_SESSION_SECRET": None,
                                "COOKIE_SESSION_SECRET_FILE": "{open}"},
                               [("COOKIE_SESSION_SECRET_FILE", "read")]),
    "store and store file": (
        {"POSTERN_STORE_FILE": "{store}"},
        [("POSTERN_STORE_FILE", "POSTERN_STORE")]),
    "a world-readable store file": (
        {"POSTERN_STORE": None, "POSTERN_STORE_FILE": "{open}"},
        [("POSTERN_STORE_FILE", "read")]),
    "a store file with two lines": (
        {"POSTERN_STORE": None, "POSTERN_STORE_FILE": "{lines}"},
        [("POSTERN_STORE_FILE", "more than one line")]),
    "a store file without a URL": (
        {"POSTERN_STORE": "", "POSTERN_STORE_FILE": "{short}"},
        [("POSTERN_STORE_FILE", "redis://")]),
    "unknown": ({"POSTERN_IDLE_TIMEUOT": "1h"},
                [("POSTERN_IDLE_TIMEUOT", "POSTERN_IDLE_TIMEOUT")]),
    "unknown without a similar name": ({"POSTERN_FROBNICATE": "on"},
                            [("POSTERN_FROBNICATE", "unknown")]),
    "no backend": ({"POSTERN_UPSTREAM": None},
                   [("POSTERN_UPSTREAM", "not set")]),
    "not a URL": ({"POSTERN_UPSTREAM": "127.0.0.1:9"},
               [("POSTERN_UPSTREAM", "http")]),
    "a URL with a password": (
        {"POSTERN_UPSTREAM": "http://user:pw@127.0.0.1/"},
        [("POSTERN_UPSTREAM", "password")]),
    "bad duration": ({"POSTERN_IDLE_TIMEOUT": "30 minutes"},
                     [("POSTERN_IDLE_TIMEOUT", "")]),
    "a word as duration": ({"POSTERN_LIFETIME": "forever"},
                    [("POSTERN_LIFETIME", "")]),
    "negative duration": ({"POSTERN_LIFETIME": "-1h"},
                          [("POSTERN_LIFETIME", "")]),
    "zero": ({"POSTERN_LIFETIME": "0"}, [("POSTERN_LIFETIME", "")]),
    "over 400 days": ({"POSTERN_REMEMBER_LIFETIME": "401d"},
                      [("POSTERN_REMEMBER_LIFETIME", "")]),
    "huge duration": ({"POSTERN_GUEST_LIFETIME": "99999999999999999999d"},
                      [("POSTERN_GUEST_LIFETIME", "")]),
    "idle beyond lifetime": ({"POSTERN_IDLE_TIMEOUT": "13h"},
                             [("POSTERN_IDLE_TIMEOUT", "POSTERN_LIFETIME")]),
    "bad size": ({"POSTERN_MAX_BODY": "much"}, [("POSTERN_MAX_BODY", "")]),
    "bad number": ({"POSTERN_LOOPS": "many"}, [("POSTERN_LOOPS", "")]),
    "bad switch": ({"POSTERN_COOKIE_SECURE": "yes"},
                   [("POSTERN_COOKIE_SECURE", "on")]),
    "bad word": ({"POSTERN_TOKEN_METHOD": "cookie,token"},
                 [("POSTERN_TOKEN_METHOD", "bearer")]),
    "SameSite=None without Secure": (
        {"POSTERN_COOKIE_SAMESITE": "None", "POSTERN_COOKIE_SECURE": "off"},
        [("POSTERN_COOKIE_SAMESITE", "POSTERN_COOKIE_SECURE")]),
    "Partitioned without SameSite=None": (
        {"POSTERN_COOKIE_PARTITIONED": "on"},
        [("POSTERN_COOKIE_PARTITIONED", "SAMESITE")]),
    "__Host- with a domain": (
        {"POSTERN_COOKIE_NAME": "__Host-x",
         "POSTERN_COOKIE_DOMAIN": "shop.example"},
        [("POSTERN_COOKIE", "__Host-")]),
    "__Secure- without Secure": (
        {"POSTERN_COOKIE_NAME": "__Secure-x", "POSTERN_COOKIE_SECURE": "off"},
        [("POSTERN_COOKIE", "")]),
    "a cookie name that is not a token": ({"POSTERN_COOKIE_NAME": "a b"},
                                [("POSTERN_COOKIE_NAME", "")]),
    "a path with a semicolon": (
        {"POSTERN_COOKIE_PATH": "/; Domain=example"},
        [("POSTERN_COOKIE_PATH", "")]),
    "a reserved token header": ({"POSTERN_AUTH_TOKEN_HEADER": "Set-Cookie"},
                               [("POSTERN_AUTH_TOKEN_HEADER", "")]),
    "a header that is never forwarded": ({"POSTERN_FORWARD_HEADERS": "Cookie"},
                                   [("POSTERN_FORWARD_HEADERS", "Cookie")]),
    "redirect elsewhere": (
        {"POSTERN_LOGIN_REDIRECT": "https://evil.example/"},
        [("POSTERN_LOGIN_REDIRECT", "path")]),
    "an invalid origin": ({"POSTERN_ORIGIN": "shop.example/"},
                               [("POSTERN_ORIGIN", "https://shop.example")]),
    "any origin": ({"POSTERN_ORIGINS": "*"}, [("POSTERN_ORIGINS", "")]),
    "two errors": ({"POSTERN_LIFETIME": "x", "POSTERN_COOKIE_SECURE": "x"},
                    [("POSTERN_LIFETIME", ""), ("POSTERN_COOKIE_SECURE", "")]),
}


@pytest.fixture(name="files", scope="module")
def files_fixture(tmp_path_factory):
    folder = tmp_path_factory.mktemp("secrets")
    store = "redis://user:pw@127.0.0.1:9/0\n"
    for name, text, mode in (("empty", "", 0o600), ("short", "abc\n", 0o600),
                             ("open", SECRET, 0o644), ("store", store, 0o600),
                             ("lines", store * 2, 0o600)):
        (folder / name).write_text(text, encoding="ascii")
        (folder / name).chmod(mode)
    return {path.name: str(path) for path in folder.iterdir()}


def environment(changes, files):
    values = {"PATH": os.environ["PATH"], **SANITIZER_ENVIRONMENT, **GOOD,
              **changes}
    return {name: value.format(**files) for name, value in values.items()
            if value is not None}


def start(program, values):
    """Run a program; returns the process and its errors.

    Each error is "VARIABLE: reason", from stderr (`postern check`) or from the
    reason of a log line (the programs).
    """
    done = subprocess.run(program, env=values, timeout=30,
                          stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, check=False)
    name = os.path.basename(program[0])
    errors = []
    for line in done.stderr.decode().splitlines():
        logged = re.fullmatch(
            rf"time=\S+Z level=error program={name} pid=\d+ "
            r'event=start-failed reason="(.*)"', line)
        if logged:
            errors.append(re.sub(r"\\(.)", r"\1", logged[1]))
        elif not line.startswith("time="):
            errors.append(line)
    return done, errors


@pytest.mark.parametrize("name", INVALID)
def test_invalid_configuration_stops_every_program(files, name):
    """U15, R2, R38, R43, L31: every program and `postern check` report the same
    errors, without secrets."""
    changes, wanted = INVALID[name]
    values = environment(changes, files)
    reported = []
    for program in PROGRAMS:
        done, errors = start(
            [os.path.join(BUILD, "cgi-bin", program)], values)
        assert done.returncode == EX_CONFIG, done.stderr
        assert done.stdout == b""
        assert len(errors) == len(wanted), done.stderr
        for line, (variable, reason) in zip(sorted(errors),
                                            sorted(wanted)):
            assert line.startswith(variable), line
            assert ": " in line and reason in line.partition(": ")[2], line
        reported.append(errors)
    done, errors = start([POSTERN, "check"], values)
    assert done.returncode == EX_CONFIG
    reported.append(errors)
    assert all(errors == reported[0] for errors in reported), reported
    assert SECRET.encode() not in done.stdout + done.stderr
    assert b"user:pw" not in done.stdout + done.stderr


def test_valid_configuration_starts_every_program(files):
    """The counterpart of the test above."""
    for program in PROGRAMS:
        done, errors = start(
            [os.path.join(BUILD, "cgi-bin", program)],
            {**environment({}, files), "GATEWAY_INTERFACE": "CGI/1.1",
             "REQUEST_METHOD": "OPTIONS"})
        assert done.returncode == 0 and errors == []
        assert done.stdout.startswith(b"Status: 204")


def test_check_prints_the_configuration(fastcgi):
    """`postern check` prints the variables, without secrets."""
    done = fastcgi.postern("check")
    assert done.returncode == 0, done.stderr
    text = done.stdout.decode()
    for name in ("POSTERN_UPSTREAM", "POSTERN_IDLE_TIMEOUT", "POSTERN_LOG",
                 "POSTERN_COOKIE_NAME", "COOKIE_SESSION_SECRET_FILE"):
        assert name in text
    assert fastcgi.secret.strip() not in text + done.stderr.decode()
    # Every variable that it prints is documented.
    with open(os.path.join(os.path.dirname(__file__),
                           "../../doc/configuration.md"),
              encoding="utf-8") as file:
        documented = file.read()
    for word in text.split():
        if word.startswith("POSTERN_") and word.isupper():
            assert word in documented, word


def test_check_prints_the_store_file_without_its_password(files):
    done, _ = start([POSTERN, "check"], environment(
        {"POSTERN_STORE": None, "POSTERN_STORE_FILE": "{store}"}, files))
    shown = dict(line.split(maxsplit=1)
                 for line in done.stdout.decode().splitlines()
                 if line.startswith("POSTERN_STORE"))
    assert shown["POSTERN_STORE_FILE"] == files["store"]
    assert shown["POSTERN_STORE"] == "redis://user:***@127.0.0.1:9/0"
    assert b"user:pw" not in done.stdout + done.stderr


@pytest.mark.parametrize("text, status, message", [
    ('{"1": "{__typename}"}', 0, "the manifest can be read"),
    ('{"1": "{"}', EX_CONFIG, "POSTERN_DOCUMENTS: names "),
    ("[]", EX_CONFIG, "POSTERN_DOCUMENTS: names ")])
def test_check_reads_the_manifest(fastcgi, tmp_path, text, status, message):
    """`postern check` reports a manifest that would stop the programs."""
    (tmp_path / "manifest").write_text(text, encoding="ascii")
    done, _ = start([POSTERN, "check"], {
        "PATH": os.environ["PATH"], **fastcgi.environment,
        "POSTERN_DOCUMENTS": str(tmp_path / "manifest")})
    assert done.returncode == status
    assert message in (done.stdout + done.stderr).decode()


@pytest.mark.parametrize("files, status, message", [
    (None, 0, "\nthe pages have texts in: en de\n"),
    ({"en.txt": "#", "pt-BR.txt": "login-title = Entrar", "de.txt": "#"}, 0,
     "\nthe pages have texts in: en de pt-BR\n"),
    ({"de.txt": "#\nlogin-titel = x"}, EX_CONFIG,
     "POSTERN_TEXTS: {}/de.txt line 2: 'login-titel' is not the name of a"),
    ({"de.txt": "login-title x"}, EX_CONFIG, "{}/de.txt line 1: "),
    ({}, EX_CONFIG, "POSTERN_TEXTS: {} contains no file such as en.txt")])
def test_check_reads_the_texts(fastcgi, tmp_path, files, status, message):
    """`postern check` says which languages there are, or which line is wrong;
    a program does not start with that."""
    environment = {"PATH": os.environ["PATH"], **fastcgi.environment}
    if files is not None:
        environment["POSTERN_TEXTS"] = str(tmp_path)
        for name, text in files.items():
            (tmp_path / name).write_text(text, encoding="utf-8")
    done, _ = start([POSTERN, "check"], environment)
    assert done.returncode == status
    output = (done.stdout + done.stderr).decode()
    assert message.format(tmp_path) in output
    if status:
        done, _ = start([os.path.join(BUILD, "cgi-bin/login")], environment)
        assert done.returncode == status
        assert message.format(tmp_path) in done.stderr.decode()


# --- timeouts ----------------------------------------------------------------


def seal(claims, secret=SECRET):
    done = subprocess.run(
        [TOOL, "seal", "cookie", "sealed", str(int(time.time()))],
        input=json.dumps(claims).encode(), stdout=subprocess.PIPE, timeout=30,
        env={**SANITIZER_ENVIRONMENT, "COOKIE_SESSION_SECRET": secret},
        check=True)
    return done.stdout.decode()


def claims_at(now, **changes):
    return {"v": 2, "sid": "AAECAwQFBgcICQoLDA0ODw", "sub": "42",
            "name": "Ada", "iat": now - 100, "exp": now + 3600,
            "seen": now - 5, "remember": False, "who": {"email": "a@b.example"},
            "upstream": "t" * 43, **changes}


# iat, seen and exp in seconds relative to now, and whether the session is valid.
MINUTE, HOUR, DAY = 60, 3600, 86400
CLOCKS = {
    "fresh": (dict(), True),
    "29 minutes idle": (dict(iat=-HOUR, seen=-29 * MINUTE), True),
    "30 minutes idle": (dict(iat=-HOUR, seen=-30 * MINUTE), False),
    "just before 12 hours": (dict(iat=-12 * HOUR + 30, seen=-5), True),
    "12 hours old": (dict(iat=-12 * HOUR, seen=-5), False),
    "expired": (dict(exp=0), False),
    "expired long ago": (dict(iat=-2 * DAY, seen=-2 * DAY, exp=-DAY), False),
    "issued in the future": (dict(iat=120, seen=120), False),
    "issued slightly ahead": (dict(iat=50, seen=50), True),
    "seen ahead": (dict(seen=120), False),
    "remembered for 29 days": (
        dict(iat=-29 * DAY, seen=-20 * DAY, exp=DAY, remember=True), True),
    "remembered for 30 days": (
        dict(iat=-30 * DAY, seen=-5, exp=DAY, remember=True), False),
}


@pytest.mark.parametrize("name", CLOCKS)
def test_timeouts_apply_to_a_sealed_session(sealed_gateway, name):
    """R12, R14 to R16, R19, L2: the server's clock and its configured limits
    decide, not the token alone."""
    changes, is_valid = CLOCKS[name]
    now = int(time.time())
    changes = {n: now + v if isinstance(v, int) and n != "remember" else v
               for n, v in changes.items()}
    cookie = seal(claims_at(now, **changes))
    answer = sealed_gateway.get("/session", cookie=cookie)
    assert answer.status == 200
    session = answer.json["data"]["session"]
    assert (session is not None) == is_valid
    if not is_valid:
        assert cookie_of(answer)[1] == ""
        assert sealed_gateway.query(cookie=cookie).all("set-cookie") == []


@pytest.fixture(name="sealed_gateway", scope="module")
def sealed_gateway_fixture(start):
    gateway = start(secret=SECRET)
    gateway.private.add("t" * 43)
    return gateway


BAD_CLAIMS = [
    dict(v=1), dict(v=3), dict(v="2"), dict(sid="short"), dict(sid=1), dict(sub=None),
    dict(name=7), dict(iat="1"), dict(iat=1.5), dict(exp=None), dict(seen=[]),
    dict(remember=0), dict(who=[]), dict(who="x"), dict(upstream=7),
    dict(upstream=None), dict(more=1),
]


def check_no_session(gateway, cookie):
    answer = gateway.get("/session", cookie=cookie)
    assert answer.status == 200
    assert answer.json == {"data": {"session": None}}
    assert cookie_of(answer)[1] == ""


@pytest.mark.parametrize("changes", BAD_CLAIMS, ids=str)
def test_invalid_claims_are_no_session(sealed_gateway, changes):
    """L24, section 4: every claim has the type of the schema; otherwise there is
    no session, and the cookie is cleared (U2)."""
    check_no_session(sealed_gateway, seal(claims_at(int(time.time()),
                                                    **changes)))


@pytest.mark.parametrize("name", sorted(claims_at(0).keys() - {"upstream"}))
def test_missing_claims_are_no_session(sealed_gateway, name):
    claims = claims_at(int(time.time()))
    assert sealed_gateway.session(cookie=seal(claims))["subject"] == "42"
    del claims[name]
    check_no_session(sealed_gateway, seal(claims))


def test_sessions_end_in_real_time(start_own, backend):
    """R15, R16, R18: each request restarts the idle timeout (4 s); nothing
    extends the lifetime (6 s); remembered sessions have no idle timeout."""
    idle = start_own(POSTERN_IDLE_TIMEOUT="4s")
    life = start_own(POSTERN_IDLE_TIMEOUT="4s", POSTERN_LIFETIME="6s")
    cookies = {}

    def log_in(name, gateway, **more):
        backend.next(body=json.dumps({"data": {"login": {
            "secret": "t" * 43, "email": "a@b.example", "ownerId": "42"}}}))
        cookies[name] = cookie_of(gateway.post("/login", {
            "email": "a@b.example", "password": "x", **more}))[1]
        return gateway.open_token(cookies[name])["iat"]

    def sleep_until(second):
        time.sleep(max(0, second + 0.05 - time.time()))

    def touch(gateway, name):
        answer = gateway.get("/session", cookie=cookies[name])
        if answer.all("set-cookie"):
            cookies[name] = cookie_of(answer)[1]
        return answer.json["data"]["session"]

    for _ in range(5):  # until all of them start in the same second
        sleep_until(int(time.time()) + 1)
        started = {log_in("idle", idle), log_in("life", life),
                   log_in("kept", idle, rememberMe=True)}
        if len(started) == 1:
            break
    started, = started
    first = dict(cookies)
    sleep_until(started + 2)
    assert touch(idle, "idle") and touch(life, "life")
    sleep_until(started + 4)
    assert idle.session(cookie=first["idle"]) is None
    assert touch(idle, "idle") and touch(life, "life")
    assert first["idle"] != cookies["idle"]
    sleep_until(started + 6)
    assert touch(life, "life") is None and cookies["life"] == ""
    assert idle.session(cookie=cookies["idle"])
    assert idle.session(cookie=first["kept"])


def test_backend_ttl_ends_a_session(own_backend, start_own):
    """R20: a session never lasts longer than the backend's token."""
    backend = own_backend("--token-ttl", "1")
    account = backend.register()
    gateway = start_own(backend=backend)
    answer = gateway.log_in(account, rememberMe=True)
    assert answer.status == 200
    cookie, attributes = cookie_of(answer)[1:]
    assert [a for a in attributes if a.startswith("Max-Age=")][0] in (
        "Max-Age=1", "Max-Age=0")
    ends = gateway.open_token(cookie)["exp"]
    time.sleep(max(0, ends + 0.05 - time.time()))
    answer = gateway.get("/session", cookie=cookie)
    assert answer.json == {"data": {"session": None}}
    assert cookie_of(answer)[1] == ""


# --- sample settings ---------------------------------------------------------


def test_sample_settings_are_valid(tmp_path):
    """The programs start with etc/lighttpd/postern-settings.conf."""
    path = os.path.join(os.path.dirname(__file__),
                        "../../etc/lighttpd/postern-settings.conf")
    with open(path, encoding="utf-8") as file:
        lines = [line.strip() for line in file if "=>" in line]
    values = {}
    for line in lines:
        name, _, value = line.lstrip("# ").rstrip(",").partition(" => ")
        values[name.strip('"')] = value.strip('"')
    secret = tmp_path / "secret"
    secret.write_text(make_secret(), encoding="ascii")
    secret.chmod(0o600)
    assert values["COOKIE_SESSION_SECRET_FILE"] == "/etc/postern/secret"
    values["COOKIE_SESSION_SECRET_FILE"] = str(secret)
    assert "POSTERN_UPSTREAM" in values and "POSTERN_ORIGIN" in values
    done, errors = start(
        [os.path.join(BUILD, "cgi-bin/session")],
        {**SANITIZER_ENVIRONMENT, **values, "GATEWAY_INTERFACE": "CGI/1.1",
         "REQUEST_METHOD": "GET"})
    assert errors == [] and done.returncode == 0, done.stderr
    assert done.stdout.endswith(b'{"data":{"session":null}}')
