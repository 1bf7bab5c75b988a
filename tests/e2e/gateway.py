# SPDX-License-Identifier: ISC
"""A real lighttpd with the files of etc/lighttpd/, the programs, and a backend.

Each process is started as a child and stopped by its id. A Gateway keeps what
its clients received and what its programs logged. close() searches both, the
store, and the running programs for secrets (canary.py).
"""
import base64
import hashlib
import http.client
import json
import os
import re
import secrets
import shutil
import signal
import socket
import sqlite3
import subprocess
import tempfile
import threading
import time
import urllib.parse

import canary
import fcgi
import http_client

BUILD = os.path.abspath(os.environ.get("POSTERN_BUILD", "."))
ROOT = os.path.dirname(os.path.dirname(os.path.dirname(
    os.path.abspath(__file__))))
POSTERN = os.path.join(BUILD, "bin/postern")
COOKIE = "__Host-Http-session"
RULES = {"fastcgi": "postern.conf", "cgi": "postern-cgi.conf"}

# The variables of our own environment that the sanitizers read.
SANITIZER_ENVIRONMENT = {name: os.environ[name] for name in (
    "ASAN_OPTIONS", "UBSAN_OPTIONS", "LSAN_OPTIONS", "TSAN_OPTIONS")
    if name in os.environ}

LOGIN = """mutation OwnerLogin($email: String!, $password: String!) {
    login(email: $email, password: $password) { secret ttl email ownerId }}"""
REGISTER = """mutation ($email: String!, $password: String!, $name: String!) {
    register(email: $email, password: $password, name: $name) { ownerId }}"""
ME = "{ me { ownerId email } }"

running = []  # gateways and backends; their logs go into the report


def make_secret():
    done = subprocess.run([POSTERN, "secret"], stdout=subprocess.PIPE,
                          env={**SANITIZER_ENVIRONMENT}, timeout=30, check=True)
    return canary.SECRET + done.stdout.decode()


def is_sanitized():
    """With a sanitizer, or for coverage: no sandbox, and other memory."""
    with open(POSTERN, "rb") as file:
        program = file.read()
    return b"__asan_" in program or b"__gcov_" in program


def is_running(pid):
    """Whether the process exists and is not a zombie."""
    try:
        with open(f"/proc/{pid}/stat", encoding="latin-1") as file:
            return file.read().rpartition(") ")[2][0] not in "ZX"
    except OSError:
        return False


def children_of(pid):
    """{id: program name} of the children of a process."""
    found = {}
    for entry in os.listdir("/proc"):
        if not entry.isdigit():
            continue
        try:
            with open(f"/proc/{entry}/stat", encoding="latin-1") as file:
                text = file.read()
        except OSError:
            continue
        name, rest = text.partition("(")[2].rpartition(") ")[::2]
        if int(rest.split()[1]) == pid:
            found[int(entry)] = name
    return found


def wait_until(done, seconds=15, pause=0.02):
    """Poll done() until it is true; False after that many seconds."""
    end = time.monotonic() + seconds
    while not done():
        if time.monotonic() > end:
            return False
        time.sleep(pause)
    return True


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as server:
        return server.getsockname()[1]


CLOSED_PORTS = []  # their sockets


def closed_port():
    """A port that refuses connections. Nobody else gets it until the tests end."""
    holder = socket.socket()
    holder.bind(("127.0.0.1", 0))
    CLOSED_PORTS.append(holder)
    return holder.getsockname()[1]


class Account:
    def __init__(self, email, password, owner):
        self.email, self.password, self.owner = email, password, owner


class Backend:
    """A running demo/backend with its test hooks."""

    def __init__(self, *arguments):
        self.folder = tempfile.mkdtemp(prefix="postern-backend-")
        self.data = os.path.join(self.folder, "data.sqlite")
        self.log = open(os.path.join(self.folder, "log"), "a+b")
        self.accounts = []
        self.known = set()  # tokens that requests contained
        self.process = subprocess.Popen(
            [os.path.join(ROOT, "demo/backend"), "--test-hooks", "--quick",
             "--data", self.data, *arguments],
            stdout=subprocess.PIPE, stderr=self.log, text=True)
        running.append(self)
        line = self.process.stdout.readline()
        found = re.fullmatch(
            r"listening on http://127\.0\.0\.1:(\d+)(/[a-z-]+)\n", line)
        assert found, line + self.read_log()
        self.port, self.path = int(found[1]), found[2]
        self.url = line.split()[-1]
        canary.backends.add(self.port)
        self._remember_hashes()

    def _remember_hashes(self):
        """Keep the hash of every token. The backend deletes those of ended
        sessions."""
        with sqlite3.connect(self.data) as data:
            data.executescript("""
                CREATE TABLE ever (hash BLOB PRIMARY KEY);
                CREATE TRIGGER remember AFTER INSERT ON token
                    BEGIN INSERT INTO ever VALUES (NEW.hash); END;""")
        data.close()

    def hashes(self):
        """SHA-256 of every token that the backend has issued."""
        data = sqlite3.connect(self.data)
        rows = data.execute("SELECT hash FROM ever").fetchall()
        data.close()
        return {row[0] for row in rows}

    def send(self, method, path, body=None, headers=()):
        connection = http.client.HTTPConnection("127.0.0.1", self.port,
                                                timeout=30)
        connection.request(method, path, body, dict(headers))
        answer = connection.getresponse()
        text = answer.read()
        connection.close()
        assert answer.status == 200, text
        return json.loads(text)

    def graphql(self, query, variables=None, token=None):
        headers = {"Content-Type": "application/json"}
        if token:
            headers["Authorization"] = "Bearer " + token
        body = json.dumps({"query": query, "variables": variables})
        connection = http.client.HTTPConnection("127.0.0.1", self.port,
                                                timeout=30)
        connection.request("POST", self.path, body, headers)
        answer = connection.getresponse()
        text = answer.read()
        connection.close()
        return json.loads(text)

    def register(self, name="Somebody", email=None):
        email = email or f"user-{secrets.token_hex(6)}@example.com"
        password = canary.PASSWORD + " " + secrets.token_hex(12)
        answer = self.graphql(REGISTER, {"email": email, "password": password,
                                         "name": name})
        account = Account(email, password,
                          answer["data"]["register"]["ownerId"])
        self.accounts.append(account)
        return account

    def seen(self):
        """The recorded requests, each with `headers` as a list of pairs."""
        seen = self.send("GET", "/_seen")
        for request in seen:
            canary.note_upstream(request["path"])
            request["names"] = [n.lower() for n, _ in request["headers"]]
            request["header"] = {n.lower(): v for n, v in request["headers"]}
            token = request["header"].get("authorization", "")[7:]
            if len(token) > 20:
                self.known.add(token.encode())
        return seen

    def forget(self):
        """Delete the recorded requests and the planned responses."""
        self.seen()  # adds their tokens to self.known
        self.send("DELETE", "/_seen")

    def next(self, **canned):
        """Plan the response to the next request."""
        if "raw" in canned:
            canned["raw"] = base64.b64encode(canned["raw"]).decode()
        self.send("POST", "/_next", json.dumps(canned))

    def read_log(self):
        self.log.seek(0)
        return self.log.read().decode("utf-8", "replace")

    def tokens_in(self, data, hashes=None):
        """Every token of this backend that the data contains, in any encoding."""
        hashes = self.hashes() if hashes is None else hashes
        found = set()
        for match in re.finditer(rb"[A-Za-z0-9_-]{43,}", data):
            text = match.group()
            for at in range(len(text) - 42):
                part = text[at:at + 43]
                if hashlib.sha256(part).digest() in hashes:
                    found.add(part)
        for token in self.known:
            if any(form in data for form in canary.encodings_of(token)):
                found.add(token)
        return found

    def stop(self):
        """Stop the process; the data file stays readable."""
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(10)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait(10)

    def close(self):
        self.stop()
        self.process.stdout.close()
        log = self.read_log()
        self.log.close()
        shutil.rmtree(self.folder, ignore_errors=True)
        running.remove(self)
        assert "Traceback" not in log, log


class Gateway:
    """lighttpd, the programs that it starts, and a client for them.

    variables  the programs' environment; None leaves a variable unset
    """

    def __init__(self, backend, kind="fastcgi", secret=None, **variables):
        self.backend, self.kind = backend, kind
        self.folder = tempfile.mkdtemp(prefix="postern-gateway-")
        self.secret = make_secret() if secret is None else secret
        self.private = {self.secret.strip()}  # no log may contain these
        self.received = []                    # responses, as clients got them
        self.port = free_port()
        self.environment = self._environment(variables)
        self._write_settings()
        self.log_file = open(os.path.join(self.folder, "log"), "w+b")
        self.process = subprocess.Popen(
            [shutil.which("lighttpd", path=os.environ.get("PATH", "")
                          + ":/usr/sbin:/sbin"),
             "-D", "-f", os.path.join(ROOT, "demo/lighttpd.conf")],
            stdin=subprocess.DEVNULL, stdout=self.log_file,
            stderr=self.log_file,
            env={"PATH": os.environ["PATH"], "DEMO_PORT": str(self.port),
                 "DEMO_PAGE": os.path.join(ROOT, "demo/page"),
                 "DEMO_SETTINGS": os.path.join(self.folder, "settings.conf"),
                 "DEMO_RULES": os.path.join(ROOT, "etc/lighttpd",
                                            RULES[kind])})
        running.append(self)
        wait_until(lambda: self._answers() or self.process.poll() is not None)
        if not self._answers():
            log = self.log
            self.close(check=False)
            raise AssertionError("lighttpd does not answer:\n" + log)

    def _environment(self, variables):
        secret_file = os.path.join(self.folder, "secret")
        with open(os.open(secret_file, os.O_WRONLY | os.O_CREAT, 0o600),
                  "w", encoding="ascii") as file:
            file.write(self.secret)
        values = {"COOKIE_SESSION_SECRET_FILE": secret_file,
                  "POSTERN_UPSTREAM": self.backend.url,
                  "POSTERN_STORE": f"lmdb:{self.folder}/store",
                  # The tests send more wrong passwords than the limits allow.
                  "POSTERN_LOGIN_PER_ACCOUNT": "off",
                  "POSTERN_LOGIN_PER_ADDRESS": "off",
                  "POSTERN_LOGIN_FLOOR": "0",
                  **SANITIZER_ENVIRONMENT,
                  **variables}
        return {name: value for name, value in values.items()
                if value is not None}

    def _write_settings(self):
        def quoted(text):
            return '"%s"' % text.replace("\\", "\\\\").replace('"', '\\"')
        with open(os.path.join(self.folder, "settings.conf"), "w",
                  encoding="utf-8") as file:
            file.write("var.postern_programs = %s\n"
                       % quoted(os.path.join(BUILD, "cgi-bin")))
            file.write(f"var.postern_sockets = {quoted(self.folder)}\n")
            file.write(f"server.upload-dirs = ( {quoted(self.folder)} )\n")
            file.write('server.modules += ( "mod_accesslog" )\n'
                       f"accesslog.filename = {quoted(self.access_log)}\n")
            file.write("var.postern_environment = (\n")
            for name, value in self.environment.items():
                file.write(f"    {quoted(name)} => {quoted(value)},\n")
            file.write(")\n")

    def _answers(self):
        try:
            with http_client.Connection(self.port, timeout=5) as connection:
                answer = connection.request("GET", "/session")
                return answer is not None and answer.status == 200
        except OSError:
            return False

    # Requests.

    def send(self, method, path, body=None, headers=(), connection=None,
             keep=True):
        """Send one request; keep=False: do not search the response later."""
        if connection:
            answer = connection.request(method, path, headers, body, False)
        else:
            with http_client.Connection(self.port) as own:
                answer = own.request(method, path, headers, body)
        assert answer is not None, "connection closed without a response"
        if keep:
            self.received.append(answer.head + b"\r\n\r\n"
                                 + answer.body[:canary.KEPT_MAX])
            self._note(answer)
        return answer

    def _note(self, answer):
        """Add the tokens in an answer to those that no log may contain."""
        for name, value in answer.headers:
            if name == "set-cookie":
                value = value.partition("=")[2].partition(";")[0]
            elif name != self.token_header:
                continue
            if len(value) > 20:
                self.private.add(value)

    @property
    def token_header(self):
        return self.environment.get("POSTERN_AUTH_TOKEN_HEADER",
                                    "vendure-auth-token").lower()

    def post(self, path, value=None, cookie=None, bearer=None, headers=(),
             **options):
        """POST a value as JSON, bytes unchanged, None as an empty body."""
        headers = list(headers)
        if cookie is not None:
            headers.append(("Cookie", cookie if "=" in cookie
                            else f"{COOKIE}={cookie}"))
            self.private.add(cookie.partition("=")[2] or cookie)
        if bearer is not None:
            headers.append(("Authorization", "Bearer " + bearer))
            self.private.add(bearer)
        body = b"" if value is None else value
        if not isinstance(body, bytes):
            body = json.dumps(value).encode()
        if value is not None and "content-type" not in {
                name.lower() for name, _ in headers}:
            headers.append(("Content-Type", "application/json"))
        return self.send("POST", path, body, headers, **options)

    def query(self, query=ME, variables=None, **options):
        value = {"query": query}
        if variables is not None:
            value["variables"] = variables
        return self.post("/query", value, **options)

    def get(self, path, cookie=None, bearer=None, headers=(), **options):
        headers = list(headers)
        if cookie is not None:
            headers.append(("Cookie", cookie if "=" in cookie
                            else f"{COOKIE}={cookie}"))
        if bearer is not None:
            headers.append(("Authorization", "Bearer " + bearer))
        return self.send("GET", path, headers=headers, **options)

    def direct(self, program, method="GET", query="", body=b"", **more):
        """FastCGI only: send one request to a program without lighttpd."""
        answer = fcgi.request(self.socket_of(program), method, query, body,
                              **more)
        self.received.append(answer.stdout[:canary.KEPT_MAX])
        return answer

    def session(self, **options):
        """The session that /session returns: an object or None."""
        answer = self.get("/session", **options)
        assert answer.status == 200, answer
        return answer.json["data"]["session"]

    def log_in(self, account, **more):
        """Log in by JSON."""
        return self.post("/login", {"email": account.email,
                                    "password": account.password, **more})

    def form(self, path, fields, headers=()):
        """POST a form like a browser on a page of this site."""
        body = urllib.parse.urlencode(fields).encode()
        return self.send("POST", path, body, [
            ("Content-Type", "application/x-www-form-urlencoded"),
            ("Origin", f"http://localhost:{self.port}"),
            ("Sec-Fetch-Site", "same-origin"),
            ("Sec-Fetch-Mode", "navigate"), *headers])

    def cookie_for(self, account):
        """Log in and return the cookie's value."""
        answer = self.log_in(account)
        assert answer.status == 200, answer
        return http_client.cookie_of(answer)[1]

    def postern(self, *arguments, stdin=""):
        done = subprocess.run(
            [POSTERN, *arguments], input=stdin.encode(), timeout=60,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            env={"PATH": os.environ["PATH"], **self.environment})
        canary.note_command(arguments, done)
        return done

    def open_token(self, token):
        """The claims of a session token, including the backend's token."""
        done = self.postern("open", "--reveal", "-", stdin=token)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    # Inspection.

    @property
    def access_log(self):
        return os.path.join(self.folder, "access")

    @property
    def log(self):
        with open(self.log_file.name, "rb") as file:
            return file.read().decode("utf-8", "replace")

    def pid_of(self, program):
        """FastCGI only: the process id of a program."""
        found = [pid for pid, name in children_of(self.process.pid).items()
                 if name == program]
        assert len(found) == 1, (program, children_of(self.process.pid))
        return found[0]

    def socket_of(self, program):
        """FastCGI only: the path of a program's socket."""
        path = os.path.join(self.folder, f"postern-{program}.socket-0")
        assert os.path.exists(path), os.listdir(self.folder)
        return path

    # Shutdown.

    def stop(self):
        """Stop lighttpd; returns {id: name} of programs that had to be killed."""
        programs = children_of(self.process.pid)
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(15)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait(10)
        wait_until(lambda: not any(map(is_running, programs)), 15)
        left = {pid: name for pid, name in programs.items()
                if is_running(pid)}
        for pid in left:
            os.kill(pid, signal.SIGKILL)
        return left

    @property
    def secrets(self):
        return self.private | {account.password
                               for account in self.backend.accounts}

    def program_faults(self):
        """Secrets that the running programs show."""
        return [fault for pid, name in
                canary.descendants(self.process.pid).items()
                for fault in canary.search_process(
                    pid, name, self.secrets, not self.environment.get(
                        "POSTERN_UPSTREAM", "").startswith("https:"))]

    def faults(self):
        """Secrets in logs, in the store or in a response, and crashes in the
        log."""
        log = self.log
        found = canary.search_log("log", self.log_file.name, self.secrets)
        if os.path.exists(self.access_log):
            found += canary.search_log("access log", self.access_log,
                                       self.secrets)
        found += canary.search_store(self.environment.get("POSTERN_STORE"),
                                     self.secrets)
        hashes = self.backend.hashes()
        if self.backend.process.poll() is None:
            self.backend.seen()
        if self.backend.tokens_in(log.encode(), hashes):
            found.append("the log contains a token of the backend")
        if self.backend.tokens_in(b"\n".join(self.received), hashes):
            found.append("a client received a token of the backend")
        for word in ("Sanitizer", "runtime error:", "PST_REQUIRE",
                     "child exited", "child signaled"):
            if word in log:
                found.append(f"the log contains {word!r}")
        return found

    def close(self, check=True):
        faults = self.program_faults() if check else []
        left = self.stop()
        faults += self.faults() if check else []
        log = self.log
        self.log_file.close()
        shutil.rmtree(self.folder, ignore_errors=True)
        running.remove(self)
        if left:
            faults.append(f"still running after SIGTERM: {left}")
        assert not faults, "\n".join(faults) + "\n" + log[-20000:]


class Starter:
    """start(NAME=value…) gives a Gateway; close() closes all of them."""

    def __init__(self, backend):
        self.backend = backend
        self.gateways = []

    def __call__(self, kind="fastcgi", backend=None, **options):
        started = Gateway(backend or self.backend, kind, **options)
        self.gateways.append(started)
        return started

    def close(self):
        faults = []
        for started in self.gateways:
            try:
                started.close()
            except AssertionError as fault:
                faults.append(str(fault))
        assert not faults, "\n\n".join(faults)


class SilentServer:
    """Counts connections, and closes each one without a response."""

    def __init__(self):
        self.socket = socket.create_server(("127.0.0.1", 0))
        self.port = self.socket.getsockname()[1]
        self.connections = 0
        self.thread = threading.Thread(target=self._listen, daemon=True)
        self.thread.start()

    def _listen(self):
        while True:
            try:
                connection, _ = self.socket.accept()
            except OSError:
                return
            self.connections += 1
            connection.close()

    def close(self):
        self.socket.shutdown(socket.SHUT_RDWR)
        self.socket.close()
        self.thread.join(5)
