# SPDX-License-Identifier: ISC
"""demo/run: one command builds and starts the demo, Ctrl-C stops it."""

import os
import pathlib
import re
import shutil
import signal
import socket
import stat
import subprocess
import tempfile
import threading

import http_client
import pytest
from gateway import (
    BUILD, COOKIE, ROOT, SANITIZER_ENVIRONMENT, is_running, wait_until)
from selenium.webdriver.common.by import By
from test_page import Browser

RUN = os.path.join(ROOT, "demo/run")
EMAIL, PASSWORD = "demo@example.com", "drawbridge-42"


@pytest.fixture(name="tmp_path")
def tmp_path_fixture():
    """A short path: the address of a Unix socket has at most 107 bytes."""
    folder = pathlib.Path(tempfile.mkdtemp(prefix="demo-"))
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


def environment(folder):
    """Without POSTERN_… variables, which demo/run passes to the programs."""
    return {"PATH": os.environ["PATH"], "HOME": str(folder),
            "TMPDIR": str(folder), "LANG": "C.UTF-8", **SANITIZER_ENVIRONMENT}


def left_running(folder):
    """{id: command} of the processes whose environment contains the folder:
    in TMPDIR or, for the programs, in POSTERN_STORE."""
    found = {}
    for entry in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{entry}/environ", "rb") as file:
                if os.fsencode(folder) not in file.read():
                    continue
            with open(f"/proc/{entry}/cmdline", "rb") as file:
                command = file.read().replace(b"\0", b" ").decode()
        except OSError:
            continue
        if is_running(int(entry)):
            found[int(entry)] = command
    return found


def check_nothing_left(folder):
    """No process and no temporary file of demo/run is left."""
    assert wait_until(lambda: not left_running(folder), 5), left_running(folder)
    assert [n for n in os.listdir(folder) if n.startswith("postern-")] == []


class Demo:
    """demo/run; ready when it has printed its URL."""

    def __init__(self, folder, *arguments):
        self.folder = folder
        self.process = subprocess.Popen(
            [RUN, "--port", "0", "--build", BUILD, *arguments],
            env=environment(folder), stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            # If we run with &, SIGINT is ignored, and a shell cannot trap
            # an ignored signal.
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL))
        self.output = ""
        self.reader = threading.Thread(target=self._read, daemon=True)
        self.reader.start()
        wait_until(lambda: "Ctrl-C ends it." in self.output
                   or self.process.poll() is not None, 120)
        found = re.search(r"^Open +http://localhost:(\d+)/$", self.output, re.M)
        assert found, self.output
        self.port = int(found[1])

    def _read(self):
        for line in self.process.stdout:
            self.output += line.decode()

    def send(self, method, path, headers=(), body=None):
        with http_client.Connection(self.port) as connection:
            return connection.request(method, path, headers, body)

    def end(self, number=signal.SIGINT):
        """Stop it; returns the exit status."""
        self.process.send_signal(number)
        return self.wait()

    def wait(self):
        """Wait for the exit status; kills the processes that it left, by id."""
        try:
            return self.process.wait(30)
        finally:
            if self.process.poll() is None:
                self.process.kill()
            self.left = left_running(self.folder)
            for pid in self.left:
                os.kill(pid, signal.SIGKILL)
            self.reader.join(10)
            self.process.stdout.close()


@pytest.fixture(name="start_demo")
def start_demo_fixture(tmp_path):
    demos = []

    def start(*arguments):
        demos.append(Demo(tmp_path, *arguments))
        return demos[-1]

    yield start
    for demo in demos:
        if demo.process.poll() is None:
            demo.end(signal.SIGTERM)


MARKET = ("register", "a protected page, by PHP, without a session",
          "wrong password", "log in", "session", "query",
          "mutation", "the protected page, by PHP",
          "copy this cookie: it works from elsewhere", "log out", "query again",
          "query again, with a copy of the old cookie")
SHOP = ("look at the products", "put something into the cart",
        "open an account", "wrong password", "log in",
        "the protected page, by PHP, and from elsewhere a copy",
        "log in on a second device", "log out on the first device",
        "now the second device's session is dead", "a copy of the first")


@pytest.mark.parametrize("arguments, titles", [
    ([], MARKET), (["--cgi"], MARKET), (["--backend", "vendure"], SHOP)],
    ids=["fastcgi", "cgi", "vendure"])
def test_once_session(tmp_path, arguments, titles):
    """The first command in README.md."""
    done = subprocess.run(
        [RUN, "--once", "--port", "0", "--build", BUILD, *arguments],
        env=environment(tmp_path), stdin=subprocess.DEVNULL, timeout=180,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
    output = done.stdout.decode()
    assert done.returncode == 0, output
    assert re.search(r"^\d+ steps, 0 failed$", output, re.M), output
    assert "FAIL" not in output
    for title in titles:
        assert re.search(rf"^\d+\. {title}", output, re.M), title
    for shown in ("> POST /login", "< 401", "< set-cookie: __Host-Http-session=",
                  "< 200", "max-age=0"):
        assert shown in output.replace("Max-Age", "max-age"), shown
    check_nothing_left(tmp_path)


def test_keep_restarts(start_demo, tmp_path):
    """demo/run prints URL and credentials, and stops on Ctrl-C. A second start
    with the same --keep has the data of the first and builds nothing."""
    keep = tmp_path / "kept"
    demo = start_demo("--keep", str(keep))
    assert f"log in as {EMAIL} with the password {PASSWORD}" in demo.output
    answer = demo.send("GET", "/")
    assert answer.status == 200 and "<!DOCTYPE html>" in answer.text
    assert "default-src 'none'" in answer.get("content-security-policy")
    for name, kind in (("page.js", "text/javascript"), ("page.css", "text/css"),
                       ("icon.svg", "image/svg+xml")):
        answer = demo.send("GET", f"/{name}")
        assert answer.status == 200
        assert answer.get("content-type").startswith(kind)
    answer = demo.send("POST", "/login", [
        ("Content-Type", "application/json")],
        b'{"email":"%b","password":"%b"}' % (EMAIL.encode(),
                                             PASSWORD.encode()))
    assert answer.status == 200
    cookie = [("Cookie", f"{COOKIE}={http_client.cookie_of(answer)[1]}"),
              ("Content-Type", "application/json")]
    answer = demo.send("POST", "/query", cookie, (
        b'{"query":"mutation{createStore(name:\\"Kept\\"){id}}"}'))
    assert answer.json["data"]["createStore"]["id"]
    # Without --once the backend has no test hooks.
    assert "test-hooks" not in " ".join(left_running(tmp_path).values())
    assert demo.end() == 0 and demo.left == {}
    check_nothing_left(tmp_path)
    assert stat.S_IMODE(keep.stat().st_mode) == 0o700
    assert stat.S_IMODE((keep / "secret").stat().st_mode) == 0o600
    assert stat.S_IMODE((keep / "data.sqlite").stat().st_mode) == 0o600

    programs = [os.path.join(BUILD, "cgi-bin", name)
                for name in ("login", "query", "logout", "session")]
    built = [os.stat(path).st_mtime_ns for path in programs]
    demo = start_demo("--keep", str(keep))
    assert [os.stat(path).st_mtime_ns for path in programs] == built
    assert not re.search(r"^ +(CC|CCLD|AR) ", demo.output, re.M), demo.output
    assert "installing" not in demo.output and "configuring" not in demo.output
    answer = demo.send("GET", "/session", cookie)
    assert answer.json["data"]["session"]["name"] == EMAIL
    answer = demo.send("POST", "/query", cookie,
                       b'{"query":"{me{email} allStores{name}}"}')
    assert answer.json["data"]["me"] == {"email": EMAIL}
    assert {"name": "Kept"} in answer.json["data"]["allStores"]
    assert demo.end(signal.SIGTERM) == 0 and demo.left == {}
    check_nothing_left(tmp_path)


@pytest.mark.parametrize("options", [[], ["--cgi"]], ids=["f", "c"])
def test_copy(start_demo, tmp_path, options):
    """The other half of the demo, in a browser: a visitor is sent to the login
    form and back to the PHP page. The lines that it shows work until the
    logout."""
    demo = start_demo(*options)
    assert "/members/session.php" in demo.send("GET", "/").text
    for path in ("/members/session.php", "/members/session.php/x"):
        answer = demo.send("GET", path)
        assert answer.status == 401 and "<?php" not in answer.text
    demo.private = set()
    browser = Browser(demo, tmp_path)
    try:
        check_copy(browser)
    finally:
        browser.driver.quit()
        shutil.rmtree(tmp_path / "profile", ignore_errors=True)
    assert demo.end() == 0 and demo.left == {}
    assert "PHP " not in demo.output, demo.output


def check_copy(browser):
    browser.open()
    browser.wait_for("other-half").click()
    browser.wait(lambda: "/login?" in browser.driver.current_url, "login")
    browser.driver.find_element(
        By.CSS_SELECTOR, "[autocomplete=username]").send_keys(EMAIL)
    browser.type("password", PASSWORD)
    browser.find("password").submit()
    lines = browser.wait_for("lines").text
    assert browser.find("name").text == EMAIL
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT[\d:]+Z", browser.find("expires").text)
    assert browser.find("subject").text
    (cookie,) = [cookie["value"] for cookie in browser.cookies()
                 if cookie["name"] == COOKIE]
    assert f"'{COOKIE}={cookie}'" in lines
    browser.picture("copy")
    before = run_lines(lines)
    assert before.startswith("200\n") and EMAIL in before, before
    browser.find("logout").click()
    browser.wait_for("login-form")
    assert run_lines(lines) == '401\n{"data":{"session":null}}\n'
    browser.open("/members/session.php")
    browser.wait(lambda: "/login?" in browser.driver.current_url, "login")
    # Nothing of the page is left in the browser.
    browser.driver.back()
    browser.wait_for("login-form")
    browser.check_console("401")


def run_lines(lines):
    done = subprocess.run(["bash", "-c", lines], stdout=subprocess.PIPE,
                          check=True, timeout=60, env={
                              "PATH": os.environ["PATH"], "no_proxy": "*"})
    return done.stdout.decode()


@pytest.mark.parametrize("victim", ["lighttpd", "backend", "php-cgi"])
def test_a_process_dies(start_demo, tmp_path, victim):
    """It reports the process and stops the others."""
    demo = start_demo()
    (pid,) = [pid for pid, command in left_running(tmp_path).items()
              if re.search(rf"{victim} -", command)
              and os.path.basename(RUN) not in command.split()[0]]
    os.kill(pid, signal.SIGKILL)
    assert demo.wait() == 1 and demo.left == {}
    assert f"{victim} ended by itself" in demo.output
    check_nothing_left(tmp_path)


@pytest.mark.parametrize("arguments, words", [
    (["--port", "{busy}"], "is in use"), (["--port", "x"], "no port"),
    (["--port", "70000"], "no port"), (["--port"], "needs a value"),
    (["--frobnicate"], "unknown"), (["extra"], "unknown")])
def test_invalid_arguments_are_reported(tmp_path, arguments, words):
    with socket.create_server(("127.0.0.1", 0)) as busy:
        port = busy.getsockname()[1]
        done = subprocess.run(
            [RUN, "--build", BUILD, *(a.format(busy=port) for a in arguments)],
            env=environment(tmp_path), timeout=120, check=False,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert done.returncode == 1
    assert words in done.stderr.decode()
    check_nothing_left(tmp_path)


def test_invalid_settings(tmp_path):
    """demo/run passes POSTERN_… to the programs and prints their errors."""
    done = subprocess.run(
        [RUN, "--once", "--port", "0", "--build", BUILD], timeout=120,
        env={**environment(tmp_path), "POSTERN_IDLE_TIMEOUT": "soon"},
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
    assert done.returncode == 1
    assert b"POSTERN_IDLE_TIMEOUT: 'soon' is not a duration" in done.stdout
    check_nothing_left(tmp_path)


def test_help_lists_the_options(tmp_path):
    done = subprocess.run([RUN, "--help"], env=environment(tmp_path),
                          stdout=subprocess.PIPE, timeout=30, check=True)
    output = done.stdout.decode()
    for option in ("--once", "--port", "--keep", "--build", "--cgi"):
        assert option in output
    assert "shellcheck" not in output and not output.startswith("#")
