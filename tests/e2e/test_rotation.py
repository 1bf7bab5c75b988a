# SPDX-License-Identifier: ISC
"""Rotation of secrets while the programs run: all sessions stay valid."""

import json
import os
import re
import secrets
import signal
import stat
import subprocess
import threading
import time

import gateway as gateways
import http_client
import pytest

PROGRAMS = ("login", "logout", "query", "session")


def path_of(gateway):
    return gateway.environment["COOKIE_SESSION_SECRET_FILE"]


def secrets_of(gateway):
    with open(path_of(gateway), encoding="ascii") as file:
        words = file.read().split()
    gateway.private |= set(words)
    return words


def rotate(gateway, how="--rotate"):
    done = gateway.postern("secret", how, path_of(gateway), "--force")
    assert done.returncode == 0, done.stderr
    assert done.stdout == b""
    secrets_of(gateway)
    return done.stderr.decode()


def opens_with(secret, token, transport="cookie", form="sealed"):
    done = subprocess.run(
        [gateways.POSTERN, "open", "-"], input=token.encode(),
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=30,
        env={**gateways.SANITIZER_ENVIRONMENT, "COOKIE_SESSION_SECRET": secret,
             "POSTERN_TOKEN_METHOD": transport, "POSTERN_TOKEN_FORMAT": form,
             "POSTERN_UPSTREAM": "http://127.0.0.1:9/"})
    return done.returncode == 0


def wait_for_log(gateway, event, count=1):
    assert gateways.wait_until(
        lambda: gateway.log.count("event=" + event) >= count), event


def plan_large_login(backend, owner):
    """The token of the next login is too large for a cookie."""
    backend.next(headers=[["Content-Type", "application/json"]],
                 body=json.dumps({"data": {"login": {
                     "secret": secrets.token_urlsafe(4500), "ttl": None,
                     "email": "large@example.com", "ownerId": owner}}}))


def token_of(gateway, transport, answer):
    if transport == "bearer":
        return answer.get(gateway.token_header)
    return http_client.cookie_of(answer)[1] if answer.get("set-cookie") \
        else None


@pytest.mark.parametrize("size", ["small", "large"])
@pytest.mark.parametrize("form", ["sealed", "signed"])
@pytest.mark.parametrize("transport", ["cookie", "bearer"])
def test_token_of_an_older_secret_is_renewed(start_own, backend, user,
                                             transport, form, size):
    gateway = start_own(POSTERN_TOKEN_METHOD=transport,
                        POSTERN_TOKEN_FORMAT=form)

    def log_in():
        if size == "large":
            plan_large_login(backend, user.owner)
        return token_of(gateway, transport, gateway.log_in(user))

    first, = secrets_of(gateway)
    token = log_in()
    rotate(gateway)
    second, also_first = secrets_of(gateway)
    assert also_first == first and second != first
    time.sleep(1.1)  # the programs check the file once a second
    answer = gateway.query("{ __typename }", **{transport: token})
    assert answer.status == 200
    renewed = token_of(gateway, transport, answer)
    assert renewed and len(renewed) < 4096
    format_of = {"transport": transport, "form": form}
    assert opens_with(second, renewed, **format_of)
    assert not opens_with(first, renewed, **format_of)
    # The renewed token is not renewed again.
    answer = gateway.query("{ __typename }", **{transport: renewed})
    assert token_of(gateway, transport, answer) is None
    # The program login has not read the file before.
    assert opens_with(second, log_in(), **format_of)

    rotate(gateway, "--retire")
    assert secrets_of(gateway) == [second]
    time.sleep(1.1)
    assert gateway.session(**{transport: renewed})["subject"] == user.owner
    answer = gateway.get("/session", **{transport: token})
    if transport == "bearer":
        assert answer.status == 401
    else:
        assert answer.json["data"]["session"] is None


def test_plain_cgi_reads_the_file_each_time(start_own, user):
    gateway = start_own("cgi")
    cookie = gateway.cookie_for(user)
    rotate(gateway)
    answer = gateway.get("/session", cookie=cookie)
    renewed = http_client.cookie_of(answer)[1]
    rotate(gateway, "--retire")
    assert gateway.session(cookie=cookie) is None
    assert gateway.session(cookie=renewed)["subject"] == user.owner


def test_sighup_reads_the_file_at_once(start_own, user):
    """Also if its time, size and inode are unchanged."""
    gateway = start_own()
    cookie = gateway.cookie_for(user)
    before = gateway.log.count("event=secrets-read")
    for program in PROGRAMS:
        os.kill(gateway.pid_of(program), signal.SIGHUP)
    wait_for_log(gateway, "secrets-read", before + len(PROGRAMS))
    assert gateway.session(cookie=cookie) is not None


@pytest.mark.parametrize("content, reason", [
    ("too-short\n", "refused"), ("", "empty"),
    ("REPLACE" * 10 + "\n", "refused")])
def test_invalid_file_is_logged_and_the_old_secrets_stay(
        start_own, user, content, reason):
    gateway = start_own()
    cookie = gateway.cookie_for(user)
    good = "".join(word + "\n" for word in secrets_of(gateway))
    with open(path_of(gateway), "w", encoding="ascii") as file:
        file.write(content)
    time.sleep(1.1)
    assert gateway.session(cookie=cookie)["subject"] == user.owner
    os.kill(gateway.pid_of("query"), signal.SIGHUP)
    wait_for_log(gateway, "secrets-refused", 2)
    line = [line for line in gateway.log.splitlines()
            if "event=secrets-refused" in line][0]
    assert "level=error" in line and reason in line
    assert path_of(gateway) in line and "stay in use" in line
    assert gateway.query(cookie=cookie).json["data"]["me"]
    # A login uses the old secret.
    assert gateway.session(cookie=gateway.cookie_for(user))
    refused = gateway.log.count("event=secrets-refused")
    time.sleep(1.1)
    gateway.session(cookie=cookie)
    assert gateway.log.count("event=secrets-refused") <= refused + 1  # login
    with open(path_of(gateway), "w", encoding="ascii") as file:
        file.write(good)
    time.sleep(1.1)
    assert gateway.session(cookie=cookie)
    wait_for_log(gateway, "secrets-read")


def test_missing_file_keeps_the_old_secrets(start_own, user):
    gateway = start_own()
    cookie = gateway.cookie_for(user)
    os.rename(path_of(gateway), path_of(gateway) + ".away")
    time.sleep(1.1)
    assert gateway.session(cookie=cookie)["subject"] == user.owner
    os.rename(path_of(gateway) + ".away", path_of(gateway))


class Browser(threading.Thread):
    """Sends queries until it is stopped, and keeps the cookie as a browser
    does."""

    def __init__(self, gateway, cookie, owner):
        super().__init__()
        self.gateway, self.cookie, self.owner = gateway, cookie, owner
        self.count, self.renewals, self.failed = 0, 0, None
        self.done = threading.Event()

    def run(self):
        try:
            while not self.done.is_set() and not self.failed:
                with http_client.Connection(self.gateway.port) as line:
                    for _ in range(100):
                        self.ask(line)
        except Exception as error:  # the test reports it
            self.failed = repr(error)

    def ask(self, line):
        answer = self.gateway.query(cookie=self.cookie, connection=line)
        me = answer.status == 200 and answer.json["data"]["me"]
        if not me or me["ownerId"] != self.owner:
            self.failed = repr(answer)
        if answer.get("set-cookie"):
            self.cookie = http_client.cookie_of(answer)[1]
            self.renewals += 1
        self.count += 1


def test_rotation_under_load_fails_no_request(start_own, user):
    gateway = start_own()
    browsers = [Browser(gateway, gateway.cookie_for(user), user.owner)
                for _ in range(4)]
    for browser in browsers:
        browser.start()
    for _ in range(5):
        rotate(gateway)
        for program in ("query", "session"):
            os.kill(gateway.pid_of(program), signal.SIGHUP)
        time.sleep(1.3)
        rotate(gateway, "--retire")
        os.kill(gateway.pid_of("query"), signal.SIGHUP)
        time.sleep(0.3)
    for browser in browsers:
        browser.done.set()
    for browser in browsers:
        browser.join(20)
        assert browser.failed is None, browser.failed
        assert browser.count > 50 and browser.renewals >= 5
    assert "secrets-refused" not in gateway.log
    assert len(secrets_of(gateway)) == 1


# --- the command -------------------------------------------------------------


def postern(*arguments, **env):
    return subprocess.run(
        [gateways.POSTERN, *arguments], stdin=subprocess.DEVNULL, timeout=30,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        env={"PATH": os.environ["PATH"], **gateways.SANITIZER_ENVIRONMENT, **env})


def secrets_in(path):
    return path.read_text().split()


def test_rotate_creates_a_file_with_mode_600(tmp_path):
    path = tmp_path / "secrets"
    old_mask = os.umask(0)
    try:
        done = postern("secret", "--rotate", str(path), "--force")
    finally:
        os.umask(old_mask)
    assert done.returncode == 0 and done.stdout == b"", done
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    secret, = secrets_in(path)
    assert re.fullmatch("[A-Za-z0-9_-]{43}", secret)
    assert secret.encode() not in done.stderr
    assert os.listdir(tmp_path) == ["secrets"]


def test_rotate_and_retire_keep_owner_and_mode(tmp_path):
    path = tmp_path / "secrets"
    postern("secret", "--rotate", str(path), "--force")
    os.chmod(path, 0o640)
    if os.geteuid() == 0:
        os.chown(path, 33, 34)
    before = path.stat()
    first, = secrets_in(path)
    for how, count in (("--rotate", 2), ("--rotate", 3), ("--retire", 2)):
        with path.open() as reader:
            text = path.read_text()
            assert postern("secret", how, str(path),
                           "--force").returncode == 0
            assert reader.read() == text  # never written in place
        after = path.stat()
        assert (after.st_mode, after.st_uid, after.st_gid) == (
            before.st_mode, before.st_uid, before.st_gid)
        assert len(secrets_in(path)) == count
    assert first not in secrets_in(path)


def test_rotate_follows_a_link_and_keeps_it(tmp_path):
    path, link = tmp_path / "secrets", tmp_path / "link"
    postern("secret", "--rotate", str(path), "--force")
    link.symlink_to(path)
    assert postern("secret", "--rotate", str(link)).returncode == 0
    assert link.is_symlink() and len(secrets_in(path)) == 2


def test_retire_refuses_to_remove_the_only_secret(tmp_path):
    path = tmp_path / "secrets"
    postern("secret", "--rotate", str(path), "--force")
    before = path.read_bytes()
    done = postern("secret", "--retire", str(path))
    assert done.returncode != 0 and b"only one secret" in done.stderr
    assert path.read_bytes() == before
    assert os.listdir(tmp_path) == ["secrets"]


@pytest.mark.parametrize("how, content, words", [
    ("--retire", None, b"does not exist"),
    ("--rotate", None, b"does not exist: correct the name, or make it with "
                       b"--force"),
    ("--rotate", "short\n", b"is not changed"),
    ("--rotate", "", b"empty"),
    ("--rotate", "".join("%02dKq3vX0c7mJ2yR9tLw5ZbN8dFhG1sPuEa6oTiQx\n" % n
                         for n in range(16)), b"retire one")])
def test_invalid_file_is_not_changed(tmp_path, how, content, words):
    path = tmp_path / "secrets"
    if content is not None:
        path.write_text(content)
        path.chmod(0o600)
    done = postern("secret", how, str(path))
    assert done.returncode != 0 and words in done.stderr, done.stderr
    assert done.stdout == b""
    assert os.listdir(tmp_path) == ([] if content is None else ["secrets"])
    if content is not None:
        assert path.read_text() == content


@pytest.mark.parametrize("env, days", [
    ({}, 30), ({"POSTERN_REMEMBER_LIFETIME": "40d"}, 40),
    ({"POSTERN_REMEMBER_LIFETIME": "2d", "POSTERN_GUEST_LIFETIME": "3d"}, 3)])
def test_retire_waits_for_the_sessions_of_a_secret(tmp_path, env, days):
    """Right after a rotation it would end all sessions."""
    path = tmp_path / "secrets"
    for _ in range(3):
        postern("secret", "--rotate", str(path), "--force")
    before = secrets_in(path)
    for age in (0, days * 86400 - 3600, -3600):  # a clock may be wrong
        os.utime(path, (time.time() - age,) * 2)
        done = postern("secret", "--retire", str(path), **env)
        assert done.returncode == 75 and b"use --force" in done.stderr, done
        assert (b"default lifetimes" in done.stderr) is not env
        assert secrets_in(path) == before
    assert os.listdir(tmp_path) == ["secrets"]
    os.utime(path, (time.time() - days * 86400 - 3600,) * 2)
    done = postern("secret", "--retire", str(path), **env)
    assert done.returncode == 0 and secrets_in(path) == before[:2], done
    # A retirement is no rotation: the next one does not wait again.
    done = postern("secret", "--retire", str(path), **env)
    assert done.returncode == 0 and secrets_in(path) == before[:1], done


def test_concurrent_change_is_refused(tmp_path):
    path = tmp_path / "secrets"
    postern("secret", "--rotate", str(path), "--force")
    lock = tmp_path / "secrets.new"
    lock.write_text("")
    done = postern("secret", "--rotate", str(path))
    assert done.returncode != 0 and b"under way" in done.stderr
    assert len(secrets_in(path)) == 1 and lock.exists()


@pytest.mark.parametrize("env, days, is_default", [
    ({}, 30, True),
    ({"POSTERN_UPSTREAM": "http://127.0.0.1:9/"}, 30, False),
    ({"POSTERN_UPSTREAM": "", "POSTERN_REMEMBER_LIFETIME": "50d"}, 50, False),
    ({"POSTERN_REMEMBER_LIFETIME": "long"}, 30, True),
    ({"POSTERN_UPSTREAM": "http://127.0.0.1:9/",
      "POSTERN_BACKEND": "vendure"}, 365, False),
    ({"POSTERN_UPSTREAM": "http://127.0.0.1:9/",
      "POSTERN_REMEMBER_LIFETIME": "40d",
      "POSTERN_GUEST_LIFETIME": "2d"}, 40, False)])
def test_rotate_prints_when_the_old_secret_can_be_retired(
        tmp_path, env, days, is_default):
    path = tmp_path / "secrets"
    if env:
        env = {**env, "COOKIE_SESSION_SECRET_FILE": str(path),
               "POSTERN_STORE": "none"}
    assert postern("secret", "--rotate", str(path), "--force",
                   **env).stderr == b"", \
        "with the first secret there is nothing to retire"
    message = postern("secret", "--rotate", str(path), **env).stderr.decode()
    when = re.search(r"after (\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ)", message)[1]
    left = time.mktime(time.strptime(when, "%Y-%m-%dT%H:%M:%SZ")) \
        - time.mktime(time.gmtime())
    assert abs(left - days * 86400) < 2 * 3600, message
    assert ("default lifetimes" in message) is is_default
    assert f"postern secret --retire {path}" in message
