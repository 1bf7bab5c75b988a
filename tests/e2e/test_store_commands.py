# SPDX-License-Identifier: ISC
"""The commands `postern sessions`, `revoke`, `unlock`, `gc`, and `check` with
a store."""

import base64
import contextlib
import fcntl
import hashlib
import json
import os
import pathlib
import re
import struct
import subprocess
import termios
import time

import gateway as gateways
import http_client
import pytest

HEADINGS = ["SESSION", "CREATED", "LAST SEEN", "BROWSER", "ADDRESS", "SUBJECT",
            "NAME"]
MEMBERS = ["id", "created", "lastSeen", "browser", "address", "subject", "name"]
DATE = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ"


@pytest.fixture(name="gateway", scope="module")
def gateway_fixture(start, store):
    return start(POSTERN_TOKEN_METHOD="cookie,bearer", **store)


def log_in(gateway, account, headers=(), **more):
    answer = gateway.post("/login", {
        "email": account.email, "password": account.password, **more},
        headers=headers)
    assert answer.status == 200, answer
    return (http_client.cookie_of(answer)[1],
            answer.get(gateway.token_header))


def run(gateway, *arguments, status=0, **options):
    done = gateway.postern(*arguments, **options)
    assert done.returncode == status, done
    return done


def rows(gateway, *arguments):
    """Of the table, without its headings; the same as JSON."""
    done = run(gateway, "sessions", *arguments)
    headings, *found = [line.split("\t")
                        for line in done.stdout.decode().splitlines()] or [[]]
    assert [name.strip() for name in headings] == (HEADINGS if found else [])
    listed = json.loads(run(gateway, "sessions", "--json", *arguments).stdout)
    assert [[row[member] or "-" for member in MEMBERS]
            for row in listed] == found
    assert all(re.fullmatch(DATE, row["expiresAt"]) for row in listed)
    return found


def hash_of(gateway, token):
    sid = gateway.open_token(token)["sid"]
    return hashlib.sha256(base64.urlsafe_b64decode(sid + "==")).hexdigest()


def test_sessions_lists_all_users_or_one(gateway, backend):
    one, two = backend.register(), backend.register()
    cookie = log_in(gateway, one, [("User-Agent", "curl/8.5.0")])[0]
    other = log_in(gateway, two)[0]
    row, = rows(gateway, "--subject", one.owner)
    assert row[0] == hash_of(gateway, cookie)
    assert re.fullmatch(DATE, row[1]) and re.fullmatch(DATE, row[2])
    assert row[3:] == ["curl", "127.0.0.1", one.owner, one.email]
    names = [row[0] for row in rows(gateway)]
    assert {row[0], hash_of(gateway, other)} <= set(names)
    assert rows(gateway, "--subject", "nobody") == []
    done = run(gateway, "sessions", "--subject", one.owner)
    assert done.stderr == b"1 live session\n"
    # The id is that of /session?list=1.
    listed = gateway.get("/session?list=1", cookie=cookie).json
    assert [r["id"] for r in listed["data"]["sessions"]] == [row[0]]
    # The list has no session id.
    everything = run(gateway, "sessions").stdout.decode()
    assert gateway.open_token(cookie)["sid"] not in everything


def test_sessions_escapes_control_characters(gateway, backend, user):
    backend.next(headers=[["Content-Type", "application/json"]], body=(
        '{"data":{"login":{"secret":"0123456789-0123456789","ttl":null,'
        '"email":"e@x","ownerId":"a\\u001b[2J\\tb\\nc\\\\d\\u009be\\u00e9"}}}'))
    assert gateway.log_in(user).status == 200
    printed = run(gateway, "sessions", "--json").stdout.decode()
    assert "\x1b" not in printed and "\x9b" not in printed
    assert "a\x1b[2J\tb\nc\\d\x9beé" in [
        row["subject"] for row in json.loads(printed)]
    text = run(gateway, "sessions").stdout.decode()
    assert r"a\x1b[2J\x09b\x0ac\x5cd" in text
    assert r"d\xc2\x9beé" in text
    assert "\x1b" not in text and "\x9b" not in text


SECRET_VARIABLES = ["COOKIE_SESSION_SECRET", "COOKIE_SESSION_SECRET_FILE"]


@contextlib.contextmanager
def secret_variables(gateway, **variables):
    """Run commands with these variables only of those of the secret."""
    kept = gateway.environment
    gateway.environment = {**variables, **{
        name: value for name, value in kept.items()
        if name not in SECRET_VARIABLES}}
    try:
        yield
    finally:
        gateway.environment = kept


def log_in_as(gateway, backend, user, owner, name):
    """The backend answers with this name."""
    backend.next(headers=[["Content-Type", "application/json"]],
                 body=json.dumps({"data": {"login": {
                     "secret": "0123456789-0123456789", "ttl": None,
                     "email": name, "ownerId": owner}}}))
    assert gateway.log_in(user).status == 200


NAMES = {
    "plain": ("Ada Byron", "Ada Byron", "Ada Byron"),
    "not ASCII": ("Zoë \u738b\U0001f600", "Zoë \u738b\U0001f600",
                  "Zoë \u738b\U0001f600"),
    "controls": ("a\x1b[2J\tb\nc\\d\x9be\u202ef", "a\x1b[2J\tb\nc\\d\x9be\u202ef",
                 r"a\x1b[2J\x09b\x0ac\x5cd\xc2\x9be\xe2\x80\xaef"),
    "long": (127 * "x" + "é", 127 * "x", 127 * "x"),
    "none": ("", "named none", "named none"),  # the subject is shown instead
}


@pytest.mark.parametrize("kind", NAMES)
def test_sessions_shows_names_with_the_secret(gateway, backend, user, kind):
    sent, member, column = NAMES[kind]
    owner = f"named {kind}"
    log_in_as(gateway, backend, user, owner, sent)

    def shown():
        done = run(gateway, "sessions", "--subject", owner, "--json")
        printed = done.stdout.decode()
        assert not re.search("[\0-\x09\x0b-\x1f\x7f-\x9f\u202e]", printed)
        listed, = json.loads(printed)
        table = run(gateway, "sessions", "--subject", owner).stdout.decode()
        return (listed["name"], table.splitlines()[1].split("\t")[-1],
                done.stderr.decode().splitlines())

    assert shown() == (member, column, ["1 live session"])
    # Without a secret, with another one, and with one that cannot be read.
    sealed = ("postern: 1 name is sealed: set COOKIE_SESSION_SECRET_FILE as "
              "for the programs to see names")
    with secret_variables(gateway):
        assert shown() == (None, "-", [sealed, "1 live session"])
    with secret_variables(gateway, COOKIE_SESSION_SECRET=gateways.make_secret()):
        assert shown() == (None, "-", [
            sealed.replace("sealed:", "sealed with another secret:"),
            "1 live session"])
    with secret_variables(gateway, COOKIE_SESSION_SECRET_FILE="/nowhere"):
        name, column, (error, *lines) = shown()
        assert (name, column) == (None, "-")
        assert error.startswith("COOKIE_SESSION_SECRET_FILE: ")
        assert lines == [sealed, "1 live session"]


def readers_of(folder):
    """{pid: its transaction, or "-"} of the processes that have an LMDB store
    open for reading."""
    done = subprocess.run(["mdb_stat", "-r", folder], stdout=subprocess.PIPE,
                          check=False, timeout=30)  # 1 if there are readers
    return {int(pid): transaction for pid, transaction in re.findall(
        r"^ *(\d+) +[0-9a-f]+ +(\d+|-)$", done.stdout.decode(), re.M)}


def bytes_in(pipe):
    return struct.unpack("i", fcntl.ioctl(pipe, termios.FIONREAD, bytes(4)))[0]


@pytest.mark.parametrize("form", [[], ["--json"]])
def test_sessions_holds_no_transaction_while_nobody_reads(
        start_own, backend, user, form):
    """A pager that waits must not keep LMDB from reusing its pages."""
    gateway = start_own()
    folder = gateway.environment["POSTERN_STORE"].partition(":")[2]
    arguments = ["sessions", *form]
    # Each of these characters is printed as six bytes or more.
    while len(run(gateway, *arguments).stdout) < 4 * 4096:
        log_in_as(gateway, backend, user, 120 * "\x9b", 60 * "\x9b")
    process = subprocess.Popen(
        [gateways.POSTERN, *arguments], stdout=subprocess.PIPE, pipesize=4096,
        stderr=subprocess.DEVNULL,
        env={"PATH": os.environ["PATH"], **gateway.environment})
    with process.stdout as output:  # a failure closes it, which ends the command
        size = fcntl.fcntl(output, fcntl.F_GETPIPE_SZ)
        assert gateways.wait_until(lambda: bytes_in(output) == size)
        assert readers_of(folder)[process.pid] == "-"
        assert process.poll() is None
        assert output.read() == run(gateway, *arguments).stdout
    assert process.wait(30) == 0


def test_sessions_shows_names_after_a_change_of_the_secret(
        start_own, store, backend, user, tmp_path):
    gateway = start_own(**store)
    log_in_as(gateway, backend, user, "rotated", "Ada Byron")
    secret = tmp_path / "secret"
    with open(gateway.environment["COOKIE_SESSION_SECRET_FILE"],
              encoding="ascii") as file:
        secret.write_text(file.read(), encoding="ascii")
    secret.chmod(0o600)
    environment = tmp_path / "env"
    environment.write_text(f"COOKIE_SESSION_SECRET_FILE={secret}\n",
                           encoding="ascii")
    arguments = ["--subject", "rotated", "--env-file", str(environment)]
    with secret_variables(gateway):
        run(gateway, "secret", "--rotate", str(secret), "--force")
        assert rows(gateway, *arguments)[0][-1] == "Ada Byron"
        run(gateway, "secret", "--retire", str(secret), "--force")
        assert rows(gateway, *arguments)[0][-1] == "-"


def test_the_store_has_no_names(start_own, store, redis, backend, user):
    gateway = start_own(**store)
    log_in_as(gateway, backend, user, "unseen subject", "Unseen Name")
    assert rows(gateway, "--subject", "unseen subject")[0][-1] == "Unseen Name"
    kind, _, folder = gateway.environment["POSTERN_STORE"].partition(":")
    if kind != "lmdb":
        assert redis.command("CONFIG SET rdbcompression no") == b"+OK\r\n"
        assert redis.command("SAVE") == b"+OK\r\n"
        folder = redis.folder
    files = b"".join(path.read_bytes() for path in pathlib.Path(folder).iterdir()
                     if path.is_file())
    assert b"unseen subject" in files and b"Unseen Name" not in files


def test_revoke_ends_all_sessions_of_a_user(gateway, backend):
    """R25."""
    account, other = backend.register(), backend.register()
    cookies = [log_in(gateway, account)[0] for _ in range(3)]
    other_cookie = log_in(gateway, other)[0]
    done = run(gateway, "revoke", "--subject", account.owner)
    assert b"3 were listed" in done.stdout
    assert [gateway.session(cookie=cookie) for cookie in cookies] == [None] * 3
    assert gateway.session(cookie=other_cookie) is not None
    assert rows(gateway, "--subject", account.owner) == []
    # A new login is valid, also in the same second.
    assert gateway.session(cookie=log_in(gateway, account)[0]) is not None


@pytest.mark.parametrize("how", ["name", "short name", "NAME", "name on stdin",
                                 "cookie", "bearer", "cookie on stdin",
                                 "bearer on stdin"])
def test_revoke_one_session(gateway, backend, how):
    account = backend.register()
    cookie, bearer = log_in(gateway, account)
    other = log_in(gateway, account)[0]
    name = hash_of(gateway, cookie)
    what = {"name": name, "short": name[:8], "NAME": name.upper(),
            "cookie": cookie, "bearer": bearer}[how.split()[0]]
    assert gateway.session(cookie=cookie) is not None
    if how.endswith("stdin"):
        done = run(gateway, "revoke", "--session", "-", stdin=what + "\n")
    else:
        done = run(gateway, "revoke", "--session", what)
    assert done.stdout == b"the session is ended\n" and done.stderr == b""
    assert gateway.session(cookie=cookie) is None
    assert gateway.get("/session", bearer=bearer).status == 401
    assert gateway.session(cookie=other) is not None
    assert [r[0] for r in rows(gateway, "--subject", account.owner)] == \
        [hash_of(gateway, other)]


def test_revoke_a_large_session_twice(gateway, backend, user):
    backend.next(headers=[["Content-Type", "application/json"]], body=(
        '{"data":{"login":{"secret":"%s","ttl":null,"email":"e@x",'
        '"ownerId":"78"}}}' % ("big-token-" * 600)))
    cookie = http_client.cookie_of(gateway.log_in(user))[1]
    assert gateway.session(cookie=cookie)["subject"] == "78"
    done = run(gateway, "revoke", "--session", "-", stdin=cookie)
    assert done.stdout == b"the session is ended\n"
    assert gateway.session(cookie=cookie) is None
    done = run(gateway, "revoke", "--session", "-", stdin=cookie)
    assert done.stdout == b"the session was ended already\n"


@pytest.mark.parametrize("arguments, stdin, words", [
    (["--session", "0" * 64], "", b"no such session is listed"),
    (["--session", "01234567"], "", b"no such session is listed"),
    (["--session", "0123456"], "", b"no hash of 8"),  # too short
    (["--session", "nonsense"], "", b"no hash of 8"),
    (["--session", "-"], "", b"no hash of 8"),
    (["--session", "-"], "two words", b"no hash of 8"),
    (["--session", "no.token"], "", b"does not open"),
])
def test_revoke_of_an_unknown_session_fails(gateway, arguments, stdin, words):
    done = run(gateway, "revoke", *arguments, stdin=stdin, status=1)
    assert words in done.stderr and done.stdout == b""


@pytest.mark.parametrize("arguments", [
    ["revoke"], ["revoke", "--subject"], ["revoke", "--subject", ""],
    ["revoke", "--subject", "a", "--session", "b"], ["revoke", "a"],
    ["revoke", "--subject", "a", "--subject", "b"], ["sessions", "x"],
    ["sessions", "--json", "--json"], ["sessions", "--json", "--subject"],
    ["sessions", "--subject"], ["gc", "--limit"], ["gc", "--limit", "0"],
    ["gc", "--limit", "-1"], ["gc", "--limit", "1x"], ["gc", "1"], ["unlock"],
    ["unlock", "a", "b"], ["unlock", "--address"], ["unlock", "a", "--all"],
    ["gc", "--limit", "99999999999999999999"], ["secret", "--rotate"],
    ["secret", "x"], ["secret", "--rotate", "a", "b"],
    ["secret", "--force"], ["secret", "--rotate", "a", "--retire", "a"],
    ["secret", "--rotate", "--force"], ["secret", "--retire"]])
def test_wrong_arguments_are_refused(gateway, arguments):
    done = run(gateway, *arguments, status=64)
    assert b"--help" in done.stderr and done.stdout == b""


def test_gc_removes_expired_and_revoked_records(start_own, store, backend):
    gateway = start_own(POSTERN_LIFETIME="3s", POSTERN_IDLE_TIMEOUT="3s",
                        **store)
    account = backend.register()
    cookies = [gateway.cookie_for(account) for _ in range(5)]
    for cookie in cookies[:2]:
        gateway.post("/logout", cookie=cookie)
    time.sleep(4.1)
    assert rows(gateway, "--subject", account.owner) == []
    some = run(gateway, "gc", "--limit", "1").stdout
    assert re.fullmatch(rb"[01] records? removed\n", some)
    done = run(gateway, "gc")
    if store:
        assert done.stdout == b"0 records removed\n" and b"Redis" in done.stderr
    else:
        assert int(some.split()[0]) + int(done.stdout.split()[0]) >= 3
    assert run(gateway, "gc").stdout == b"0 records removed\n"


# --- without a store, and with one that is down ------------------------------

COMMANDS = [["sessions"], ["revoke", "--subject", "x"],
            ["revoke", "--session", "0" * 64], ["gc"], ["unlock", "a"]]


@pytest.mark.parametrize("arguments", COMMANDS)
def test_commands_fail_without_a_store(fastcgi, arguments):
    fastcgi.environment, kept = ({**fastcgi.environment, "POSTERN_STORE": "none"},
                              fastcgi.environment)
    try:
        done = run(fastcgi, *arguments, status=69)
        assert b"POSTERN_STORE is none" in done.stderr
    finally:
        fastcgi.environment = kept


@pytest.mark.parametrize("arguments", [*COMMANDS, ["check"]])
def test_commands_fail_if_the_store_is_down(fastcgi, arguments):
    port = gateways.closed_port()
    fastcgi.environment, kept = ({
        **fastcgi.environment,
        "POSTERN_STORE": f"redis://:hidden-word@127.0.0.1:{port}"},
        fastcgi.environment)
    try:
        done = run(fastcgi, *arguments, status=69)
        assert b"Connection refused" in done.stderr
        assert str(port).encode() in done.stderr
        assert b"hidden-word" not in done.stderr + done.stdout
    finally:
        fastcgi.environment = kept


def test_check_connects_to_the_store(gateway):
    done = run(gateway, "check")
    assert b"the store answers\n" in done.stdout
    assert b"the backend is reachable" in done.stdout


def test_check_prints_the_warnings_of_the_store(start_own, redis):
    gateway = start_own(POSTERN_STORE=redis.url)
    assert b"append-only" in run(gateway, "check").stderr
    redis.command("CONFIG SET appendonly yes")
    redis.command("CONFIG SET maxmemory 100mb")
    redis.command("CONFIG SET maxmemory-policy allkeys-lru")
    try:
        assert b"evict" in run(gateway, "check").stderr
        redis.command("CONFIG SET maxmemory-policy noeviction")
        assert run(gateway, "check").stderr == b""
    finally:
        redis.command("CONFIG SET maxmemory-policy noeviction")
        redis.command("CONFIG SET maxmemory 0")
        redis.command("CONFIG SET appendonly no")


def test_check_reports_that_there_is_no_store(start):
    gateway = start(POSTERN_STORE="none")
    assert b"there is no store" in run(gateway, "check").stdout


def test_help_lists_the_commands(gateway):
    text = run(gateway, "--help").stdout
    for command in ("sessions", "revoke", "unlock", "gc"):
        assert b"  " + command.encode() in text
        assert run(gateway, command, "--help").stdout.startswith(
            b"usage: postern " + command.encode())


def test_unlock_resets_the_limits(start, store, backend):
    """For any spelling of the name. The status is 1 if nothing is locked."""
    gateway = start(POSTERN_LOGIN_PER_ACCOUNT="2/1h",
                    POSTERN_LOGIN_PER_ADDRESS="5/1h", **store)
    account = backend.register()

    def attempt(password, client):
        body = json.dumps({"email": account.email,
                           "password": password}).encode()
        return gateway.direct("login", "POST", "", body, REMOTE_ADDR=client,
                              CONTENT_TYPE="application/json").status

    run(gateway, "unlock", account.email, status=1)
    client = "192.0.2.7"
    assert [attempt("wrong", client) for _ in range(3)] == [401, 401, 429]
    assert attempt(account.password, client) == 429
    spelling = account.email.upper().replace("E", "\u00c9")
    assert run(gateway, "unlock", spelling).stdout == b"unlocked\n"
    assert attempt(account.password, client) == 200
    done = run(gateway, "unlock", "--", "--nobody", status=1)
    assert b"no failed login" in done.stderr
    for _ in range(3):
        attempt("wrong", client)  # two reach the account: four for the address
    run(gateway, "unlock", account.email, "--address", client)
    run(gateway, "unlock", "--address", client, status=1)
    assert attempt("wrong", client) == 401
    run(gateway, "unlock", b"bob\xff", status=65)
