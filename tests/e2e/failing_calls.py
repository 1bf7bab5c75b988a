# SPDX-License-Identifier: ISC
"""Make the n-th allocation or system call of a program fail, and check what it
answers. tests/unit/failing_calls.c is what the program is run with.

A Site has a backend, perhaps behind https://, a store, a program of each kind
without failures, which tell what is true, and what a test asks of the one with
failures.
"""
import contextlib
import ctypes
import dataclasses
import glob
import json
import mmap
import os
import re
import signal
import subprocess
import time
import urllib.parse

import fcgi
import gateway as gateways
from gateway import BUILD, COOKIE, LOGIN, wait_until
from scripted_backend import ScriptedBackend
from test_serve import Program, environment
from tls_proxy import TlsProxy

LIBRARY = os.path.join(BUILD, "tests/unit/.libs/failing_calls.so")
PROGRAMS = ("login", "query", "logout", "session", "authorize")
OFF, ONE, ALL, SHORT, SHORT_ALL = range(5)
MEMORY, SYSTEM, TRANSFERS, WRITES = 1, 2, 4, 8
CALLS_MAX = 3000
FAULTS_MAX, FAULT_MAX = 10, 1000  # shown; characters of each
BACK_OFF_MAX = 10  # seconds until a store is asked again
LEAKS_MAX = 6  # how often something may grow


class Control(ctypes.Structure):
    """As in failing_calls.c."""
    _fields_ = [(name, ctypes.c_int64) for name in (
        "mode", "classes", "nth", "variant", "from_request", "counted",
        "failed", "variants", "live")] + [("name", ctypes.c_char * 32)]


class FailingCalls:
    """The calls of one program, or of several that run one after the other."""

    def __init__(self, path):
        with open(path, "w+b") as file:
            file.truncate(ctypes.sizeof(Control))
            self.map = mmap.mmap(file.fileno(), ctypes.sizeof(Control))
        self.control = Control.from_buffer(self.map)
        self.environment = {"LD_PRELOAD": LIBRARY, "FAILING_CALLS": str(path)}

    def arm(self, mode, classes, nth, variant=0, from_request=False):
        control = self.control
        self.armed = mode, classes, nth, variant
        control.mode = OFF
        control.classes, control.nth, control.variant = classes, nth, variant
        control.from_request = from_request
        control.counted = control.failed = control.variants = 0
        control.name = b""
        control.mode = mode

    def disarm(self):
        self.control.mode = OFF

    @property
    def has_failed(self):
        """A transfer of fewer bytes is no failure."""
        return self.control.failed > 0 and self.armed[0] in (ONE, ALL)

    @property
    def what(self):
        control = self.control
        return (f"call {control.nth} ({control.name.decode()}, error "
                f"{control.variant})")


class Backend(ScriptedBackend):
    """Refuses the password "wrong"; knows a logout."""

    async def _login(self, reader, writer, request, body):
        if json.loads(body)["variables"]["password"] == "wrong":
            return self._send(writer, {"login": None})
        return await super()._login(reader, writer, request, body)

    async def _logout(self, reader, writer, request, body):
        return self._send(writer, {"logout": True})


@dataclasses.dataclass
class Task:
    """A request, and what is true of it."""
    program: str
    params: dict
    body: bytes
    user: str          # who asks
    cookie: str = ""   # of their session
    is_ended: bool = False
    seen: int = 0      # requests that the backend has seen before it
    other: str = ""    # the cookie of the session that it ends


def answer_of_user(user):
    """Of the backend, to { me }."""
    return json.dumps({"data": {"me": {
        "email": user, "ownerId": user.partition("@")[0]}}}).encode()


def new_cookie(answer):
    """The session in an answer, or None if it sets none; "" if it clears it."""
    values = [line.partition("=")[2].partition(";")[0]
              for line in answer.all("Set-Cookie")
              if line.startswith(COOKIE + "=")]
    return values[-1] if values else None


class Site:
    def __init__(self, folder, keeps=True, certificates=None, **variables):
        self.folder, self.number = folder, 0
        self.backend = Backend(keeps=keeps)
        self.proxy = certificates and TlsProxy(
            certificates.good, self.backend.port, keeps=keeps)
        if self.proxy:
            variables["POSTERN_UPSTREAM"] = self.proxy.url
            variables["POSTERN_UPSTREAM_CA"] = certificates.ca + ".pem"
        store = variables.get("POSTERN_STORE", f"lmdb:{folder}/store")
        self.has_store = store != "none"
        self.is_redis = store.startswith("unix:")
        self.variables = {
            "COOKIE_SESSION_SECRET": gateways.make_secret().strip(),
            "POSTERN_UPSTREAM": self.backend.url, "POSTERN_LOOPS": "1",
            "POSTERN_STORE": store,
            "POSTERN_LOGIN_FLOOR": "0", **variables}
        self.programs = {}
        for name in PROGRAMS:
            self.start(name)

    def start(self, name, key=None, wait=True, **variables):
        """Serve on a socket that address() gives."""
        key = key or name
        self.programs[key] = Program(
            wait=wait,
            command=[os.path.join(BUILD, "cgi-bin", name), "--listen",
                     "unix:" + self.address(key)],
            **{**self.variables, **variables})
        return self.programs[key]

    def address(self, key):
        return os.path.join(self.folder, key + ".sock")

    def close(self):
        for program in self.programs.values():
            if program.process.poll() is None:
                program.stop()
        if self.proxy:
            self.proxy.close()
        self.backend.close()

    def cgi_environment(self, task, **more):
        return environment(**{**self.variables, **task.params, **more})

    # What is true.

    def ask(self, task):
        """The answer of a program without failures."""
        with fcgi.Connection(self.address(task.program)) as connection:
            return connection.request(task.params, task.body)

    def session(self, cookie):
        """Whose session it is, or None."""
        answer = self.ask(self.task_of("session", "", cookie))
        assert answer.status == 200, answer.stdout
        session = json.loads(answer.body)["data"]["session"]
        return session and session["who"]["email"]

    def listed(self, cookie):
        """The sessions that the user of this one has."""
        task = self.task_of("session", "", cookie, QUERY_STRING="list=1")
        return json.loads(self.ask(task).body)["data"]["sessions"]

    def log_in(self, user=None):
        """A new session: its user and its cookie."""
        task = self.login(user=user)
        answer = self.ask(task)
        assert answer.status == 200, answer.stdout
        return task.user, new_cookie(answer)

    def expect_to_work(self):
        """A login and a query, in programs without failures."""
        user, cookie = self.log_in()
        answer = self.ask(self.query(user, cookie))
        assert answer.status == 200 and answer.body == answer_of_user(user), \
            answer.stdout

    # Tasks.

    def new_user(self):
        self.number += 1
        return f"user-{self.number}@example.com"

    def task_of(self, program, user, cookie="", method="GET", body=b"", **more):
        # No throttling by address: each user has one.
        number = int(re.sub(r"\D", "", user) or 0)
        params = fcgi.params(
            method, more.pop("QUERY_STRING", ""), body,
            HTTP_SEC_FETCH_SITE="same-origin", SCRIPT_NAME="/" + program,
            REMOTE_ADDR=f"10.{number >> 16}.{number >> 8 & 255}.{number & 255}",
            **more)
        if cookie:
            params["HTTP_COOKIE"] = f"{COOKIE}={cookie}"
        return Task(program, params, body, user, cookie,
                    seen=len(self.backend.requests))

    def json_task(self, program, user, cookie, value):
        return self.task_of(program, user, cookie, "POST",
                            json.dumps(value).encode(),
                            CONTENT_TYPE="application/json")

    def login(self, user=None, password="right"):
        user = user or self.new_user()
        return self.json_task("login", user, "", {
            "query": LOGIN, "variables": {"email": user, "password": password}})

    def form_login(self):
        user = self.new_user()
        return self.task_of(
            "login", user, "", "POST", urllib.parse.urlencode(
                {"email": user, "password": "right"}).encode(),
            CONTENT_TYPE="application/x-www-form-urlencoded",
            HTTP_ACCEPT="text/html", HTTP_SEC_FETCH_MODE="navigate")

    def query(self, user, cookie):
        return self.json_task("query", user, cookie,
                              {"query": "{ me { email ownerId } }"})

    def logout(self, user, cookie):
        return self.json_task("logout", user, cookie, {})

    def delete_session(self):
        """The other one of a new user's two sessions."""
        user, cookie = self.log_in()
        other = self.log_in(user)[1]
        name, = [session["id"] for session in self.listed(cookie)
                 if not session["current"]]
        task = self.task_of("session", user, cookie, "DELETE",
                            QUERY_STRING="id=" + name)
        task.other = other
        return task


# Checks of an answer. Of one that was cut, and is known to be, the head counts.


def check_new_session(site, task, answer, status=200):
    """It begins only with this status, after a login at the backend."""
    cookie = new_cookie(answer)
    if answer.status == status:
        assert site.session(cookie) == task.user
        assert not site.has_store or len(site.listed(cookie)) == 1
        assert [request.name for request in site.backend.requests[task.seen:]
                if request.name == "login"]
    else:
        assert answer.status >= 500, answer.stdout
        assert not cookie or site.session(cookie) is None, answer.stdout


def check_login(site, task, answer):
    check_new_session(site, task, answer)
    assert answer.status != 200 or answer.is_cut or (
        json.loads(answer.body)["data"]["login"]["email"] == task.user)


def check_form_login(site, task, answer):
    check_new_session(site, task, answer, 303)
    assert answer.status != 303 or answer.header("Location") == "/"


def check_wrong_login(site, task, answer):
    assert answer.status == 401 or answer.status >= 500 or (
        answer.status == 200 and
        (answer.is_cut or json.loads(answer.body)["data"] == {"login": None})
    ), answer.stdout
    assert not new_cookie(answer), answer.stdout


def check_keeps_session(site, task, answer):
    """A renewed session is of the same user; none that lives is cleared."""
    cookie = new_cookie(answer)
    if cookie is not None and not task.is_ended:
        assert cookie and site.session(cookie) == task.user, answer.stdout
    if cookie and task.is_ended:
        assert site.session(cookie) is None, answer.stdout


def check_query(site, task, answer):
    tokens = {request.token for request in site.backend.requests[task.seen:]}
    if task.is_ended:
        assert tokens <= {None}, tokens
    if answer.status == 200:
        whole = answer_of_user("" if task.is_ended else task.user)
        assert answer.body == whole or (
            answer.is_cut and whole.startswith(answer.body)), answer.stdout
    else:
        assert answer.status >= 500, answer.stdout
    check_keeps_session(site, task, answer)


def check_logout(site, task, answer):
    if answer.status == 200:
        assert not site.has_store or site.session(task.cookie) is None
        assert new_cookie(answer) == "", answer.stdout
    else:
        assert answer.status >= 500, answer.stdout
        assert not new_cookie(answer), answer.stdout


def check_session(site, task, answer):
    if answer.status == 200 and answer.is_cut:
        assert answer.body == b"", answer.stdout
    elif answer.status == 200:
        session = json.loads(answer.body)["data"]["session"]
        assert (session and session["who"]["email"]) == (
            None if task.is_ended else task.user), answer.stdout
    else:
        assert answer.status >= 500, answer.stdout
    check_keeps_session(site, task, answer)


def check_delete_session(site, task, answer):
    """The user's own session lives."""
    assert site.session(task.cookie) == task.user, answer.stdout
    if answer.status == 200:
        assert site.session(task.other) is None, answer.stdout
        assert answer.is_cut or json.loads(answer.body)["data"] == {
            "endSession": {"success": True}}, answer.stdout
    else:
        assert answer.status >= 500, answer.stdout
    check_keeps_session(site, task, answer)


def check_authorize(site, task, answer):
    if answer.status == 200:
        assert not task.is_ended, answer.stdout
        assert (answer.header("X-Session-User")
                == task.user.partition("@")[0]), answer.stdout
    else:
        assert (answer.status >= 500 or answer.status == 403
                or (task.is_ended and answer.status == 401)), answer.stdout
    check_keeps_session(site, task, answer)


CHECKS = {"login": check_login, "query": check_query, "logout": check_logout,
          "session": check_session, "authorize": check_authorize,
          "wrong-login": check_wrong_login, "form-login": check_form_login,
          "delete-session": check_delete_session}
CASES = ("login", "wrong-login", "form-login", "query", "ended-query", "logout",
         "session", "ended-session", "delete-session", "authorize",
         "ended-authorize")


class Case:
    """A request that is sent many times: task() gives it."""

    def __init__(self, site, name):
        self.site = site
        self.kind, _, self.program = name.rpartition("-")
        self.is_ended = self.kind == "ended"
        self.check = CHECKS.get(name) or CHECKS[self.program]
        self.user, self.cookie = site.log_in()
        if self.is_ended:
            assert site.ask(site.logout(self.user, self.cookie)).status == 200
        self.status = site.ask(self.task()).status

    def task(self):
        site = self.site
        if self.kind == "form":
            return site.form_login()
        if self.kind == "delete":
            return site.delete_session()
        if self.program == "login":
            return site.login(
                password="wrong" if self.kind == "wrong" else "right")
        if self.program == "logout":
            return site.logout(*site.log_in())
        task = (site.query(self.user, self.cookie) if self.program == "query"
                else site.task_of(self.program, self.user, self.cookie))
        task.is_ended = self.is_ended
        return task

    def check_good(self, task, answer):
        """No call has failed."""
        assert answer, "no answer, though no call failed"
        assert answer.status == self.status, answer.stdout
        self.check(self.site, task, answer)


def parse(stdout, is_whole):
    """An answer, or None if its head has not arrived.
    is_whole  the program says that the client got all of it"""
    head, separator, body = stdout.partition(b"\r\n\r\n")
    if not separator:
        assert not is_whole, stdout
        return None
    lines = head.split(b"\r\n")
    assert re.fullmatch(rb"Status: [2-5]\d\d [ -~]+", lines[0]), head
    for line in lines:
        assert re.fullmatch(rb"[A-Za-z0-9-]+: [^\r\n]*", line), head
    answer = fcgi.Answer(stdout, b"", 0, 0)
    answer.is_cut = len(body) < int(answer.header("Content-Length") or 0)
    assert not (is_whole and answer.is_cut), stdout
    return answer


def run_cgi(case, calls, variables=None, **options):
    """Run a program once, and return its answer and whether that is whole."""
    task = case.task()
    done = subprocess.run(
        [os.path.join(BUILD, "cgi-bin", task.program)], input=task.body,
        stdout=subprocess.PIPE, timeout=60, check=False,
        env=case.site.cgi_environment(task, **calls.environment,
                                      **(variables or {})),
        **{"stderr": subprocess.PIPE, **options})
    calls.disarm()
    log = done.stderr
    assert done.returncode >= 0, log
    answer = parse(done.stdout, done.returncode == 0)
    if answer:
        case.check(case.site, task, answer)
    if not calls.has_failed:
        assert done.returncode == 0, log
        case.check_good(task, answer)
    return task, answer


def is_libfcgi_assertion(program):
    """libfcgi asserts that it gets memory."""
    found = re.search(r"fcgiapp\.c:\d+: .*Assertion", program.log)
    return bool(found) and program.process.returncode == -signal.SIGABRT


def is_libgcrypt_abort(program):
    """Without memory, or if it cannot read a setting of the kernel, libgcrypt
    ends a program that starts."""
    found = re.search(r"^(Fatal error: Cannot allocate memory"
                      r"|FATAL: error reading .* in libgcrypt: .*)$",
                      program.log, re.M)
    return bool(found) and program.process.returncode == -signal.SIGABRT


def is_in_sandbox(pid):
    """Each thread has no new privileges and a filter for its calls."""
    for thread in glob.glob(f"/proc/{pid}/task/*/status"):
        with open(thread, encoding="ascii") as file:
            text = file.read()
        if not re.search(r"^NoNewPrivs:\s1\nSeccomp:\s2$", text, re.M):
            return False
    return True


def ask_until_store_answers(case, ask, may_wait=True):
    """A request, and what ask() returns: an answer and whether it is whole. A
    store that did not answer is asked again after a while."""
    end = time.monotonic() + BACK_OFF_MAX
    while True:
        task = case.task()
        answer, is_whole = ask(task)
        if not (may_wait and is_whole and time.monotonic() < end
                and b"STORE_UNAVAILABLE" in answer.body):
            return task, (answer, is_whole)
        time.sleep(0.05)


def ask_new_program(case, calls, program):
    """The first answer of a program that starts, or None if it ends instead."""
    def has_ended():
        return program.process.poll() is not None

    def listens():
        with contextlib.suppress(OSError):
            fcgi.Connection(case.site.address("starting")).close()
            return True

    # Of a line that it could not write there is no other sign.
    assert wait_until(lambda: has_ended() or "event=ready" in program.log
                      or calls.control.name == b"write"), program.log
    calls.disarm()
    assert wait_until(lambda: has_ended() or listens()), program.log
    if has_ended():
        return None
    with fcgi.Connection(case.site.address("starting")) as connection:
        return ask_until_store_answers(case, lambda task: (
            connection.request(task.params, task.body, keep=True), True))


def run_start(case, calls, sandbox="on"):
    """Start a program. It says why it does not serve, or it serves as ever."""
    program = case.site.start(case.program, "starting", wait=False,
                              POSTERN_SANDBOX=sandbox, **calls.environment)
    try:
        answered = ask_new_program(case, calls, program)
        if answered:
            task, (answer, _) = answered
            case.check_good(task, parse(answer.stdout, True))
            assert is_in_sandbox(program.process.pid) == (sandbox == "on")
    finally:
        program.process.terminate()
        status = program.wait()
    if answered:
        assert status == 0, program.log
    elif status < 0:
        assert is_libgcrypt_abort(program), program.log
    else:
        assert status > 0 and calls.has_failed
        assert ("event=start-failed" in program.log
                or calls.control.name == b"write"), program.log


class Served:
    """A FastCGI program whose calls fail, and a connection to it."""

    def __init__(self, case, calls, **variables):
        self.case, self.site, self.calls = case, case.site, calls
        self.variables = {**calls.environment, **variables}
        self.connection, self.assertions = None, 0
        self.start()

    def __enter__(self):
        return self

    def __exit__(self, *failure):
        self.calls.disarm()
        self.disconnect()
        status = self.program.stop()
        assert any(failure) or status == 0, self.program.log

    def start(self):
        self.program = self.site.start(self.case.program, "failing",
                                       **self.variables)
        for _ in range(3):
            assert self.expect_good()

    def disconnect(self):
        if self.connection:
            self.connection.close()
        self.connection = None

    def ask(self, task):
        """The answer, and whether it is whole."""
        try:
            if not self.connection:
                self.connection = fcgi.Connection(self.site.address("failing"))
            answer = self.connection.request(task.params, task.body, keep=True)
            return parse(answer.stdout, True), True
        except fcgi.IncompleteResponse as cut:
            self.disconnect()
            return parse(cut.stdout, False), False
        except (ConnectionError, FileNotFoundError):
            self.disconnect()
            return None, False
        except TimeoutError as error:
            self.disconnect()
            raise AssertionError("no answer in time") from error

    def expect_good(self):
        """A request without failures is answered as ever. False if the program
        has ended instead, as libfcgi may make it."""
        self.calls.disarm()
        for _ in range(2):  # the connection may have been closed meanwhile
            task, (answer, is_whole) = ask_until_store_answers(
                self.case, self.ask, self.site.is_redis)
            if is_whole:
                self.case.check_good(task, answer)
                return True
        self.program.process.wait(20)
        assert is_libfcgi_assertion(self.program), self.program.log[-1000:]
        return False

    def run(self):
        """A request with failures, and one without."""
        task = self.case.task()
        answer, is_whole = self.ask(task)
        failed = self.calls.control.failed
        if not self.calls.has_failed:
            self.case.check_good(task, answer)
        elif answer:
            self.case.check(self.site, task, answer)
        if not self.expect_good():
            self.assertions += 1
            self.disconnect()
            self.start()
        self.calls.control.failed = failed

    def measure(self):
        """Open descriptors, and allocations."""
        return self.program.descriptors(), self.calls.control.live

    def run_without_leak(self):
        """Some requests may fill a cache or open a connection that is kept. The
        same failure again and again does not. Only after a disarm() is it armed
        again: what fails in between is not counted."""
        armed = self.calls.armed
        for _ in range(LEAKS_MAX):
            before = self.measure()
            pid = self.program.process.pid
            self.run()
            if pid != self.program.process.pid or wait_until(
                    lambda: all(now <= then for now, then in
                                zip(self.measure(), before)), 0.2):
                return
            self.calls.arm(*armed)
        raise AssertionError(f"{self.calls.what}: from {before} to "
                             f"{self.measure()}, each time")


def sweep(calls, run, mode, classes, variants=True, **more):
    """run() with each call failing in turn, until none does. Returns how often
    one did."""
    count = missed = nth = 0
    faults = []
    while missed < 2:
        nth += 1
        assert nth < CALLS_MAX
        variant = 0
        while True:
            calls.arm(mode, classes, nth, variant, **more)
            try:
                run()
            except AssertionError as error:
                faults.append(f"{calls.what}: {str(error)[:FAULT_MAX]}")
                assert len(faults) < FAULTS_MAX, "\n".join(faults)
            has_failed = calls.control.failed > 0
            count += has_failed
            variant += 1
            if not variants or variant >= calls.control.variants:
                break
        missed = 0 if has_failed else missed + 1
    assert not faults, "\n".join(faults)
    return count
