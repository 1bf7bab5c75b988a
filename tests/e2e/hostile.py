# SPDX-License-Identifier: ISC
"""hostile_backend.py as a child process, a gateway in front of it, and a Checker
that verifies three invariants:

1. No secret of the backend reaches the client, in any encoding.
2. A session names only the account whose login the backend accepted in the same
   request, or the account of the session that the request came with.
3. The backend's login resolver gets at most LIMIT wrong passwords for one
   account. The backend's own comparison of names says what one account is.
"""
import gzip
import json
import os
import re
import secrets
import shutil
import socket
import subprocess
import sys
import tempfile
import zlib

import canary
import fcgi
import gateway as gateways

HERE = os.path.dirname(os.path.abspath(__file__))
CANARY = b"CanarySecret"
CANARY_FORMS = canary.encodings_of(CANARY)
LIMIT = 5
HOST = "localhost"

LOGINS = {
    "fauna": [
        """mutation OwnerLogin($email: String!, $password: String!) {
             login(email: $email, password: $password) {
               %(secret)s ttl email ownerId
               %(more)s } }""",
        """mutation ($email: String!, $password: String!) {
             login: signIn(email: $email, password: $password) {
               %(secret)s ttl email ownerId } }""",
        """mutation ($username: String!, $password: String!) {
             authenticate(input: {native: {username: $username,
                                           password: $password}}) {
               %(secret)s ttl email ownerId } }""",
        """mutation ($email: String!, $password: String!, $name: String,
                     $bio: String, $location: String) {
             register(email: $email, password: $password, name: $name,
                      bio: $bio, location: $location) {
               %(secret)s ttl email ownerId } }""",
        """mutation { refresh { %(secret)s ttl email ownerId } }"""],
    "vendure": [
        """mutation ($username: String!, $password: String!,
                     $rememberMe: Boolean) {
             login(username: $username, password: $password,
                   rememberMe: $rememberMe) {
               __typename
               ... on CurrentUser { id identifier %(secret)s %(more)s }
               ... on ErrorResult { errorCode message } } }""",
        """mutation ($username: String!, $password: String!,
                     $rememberMe: Boolean) {
             authenticate(input: {native: {username: $username,
                                           password: $password}},
                          rememberMe: $rememberMe) {
               __typename
               ... on CurrentUser { id identifier %(secret)s }
               ... on ErrorResult { errorCode message } } }""",
        """mutation ($email: String!, $password: String!) {
             signIn(email: $email, password: $password) {
               __typename
               ... on CurrentUser { id identifier %(secret)s }
               ... on ErrorResult { errorCode message } } }""",
        """mutation ($email: String!, $password: String!, $name: String,
                     $bio: String, $location: String) {
             register(email: $email, password: $password, name: $name,
                      bio: $bio, location: $location) {
               id identifier %(secret)s } }""",
        """mutation { refresh { ... on CurrentUser {
             id identifier %(secret)s } } }"""]}
MORE = """bio location tags credit
          owner { id ownerId friend { id email bio } }"""
WHO = {"fauna": "{ me { ownerId email ttl } }",
       "vendure": "{ me { id identifier } }"}
SUBJECT = {"fauna": ("ownerId", "email"), "vendure": ("id", "identifier")}


class Account:
    def __init__(self, email, password, record):
        self.email, self.password = email, password
        self.id, self.codes = record["id"], record["codes"]


class HostileBackend:
    """The interface that gateway.Gateway needs of a backend, and ask()."""

    def __init__(self, **options):
        self.options = options
        self.folder = tempfile.mkdtemp(prefix="postern-hostile-")
        self.log = open(os.path.join(self.folder, "log"), "a+b")
        self.accounts = []
        arguments = [f"--{name}" if value is True else f"--{name}={value}"
                     for name, value in options.items() if value]
        self.process = subprocess.Popen(
            [sys.executable, os.path.join(HERE, "hostile_backend.py"),
             *arguments], stdout=subprocess.PIPE, stderr=self.log, text=True)
        gateways.running.append(self)
        line = self.process.stdout.readline()
        assert line, self.read_log()
        port, control_port = map(int, line.split())
        self.url = f"http://127.0.0.1:{port}/graphql"
        self.control = socket.create_connection(("127.0.0.1", control_port),
                                                30)
        self.control.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.answers = self.control.makefile("rb")

    def ask(self, what, **arguments):
        """Send one command to the control port."""
        self.control.sendall(json.dumps({"do": what, **arguments}).encode()
                          + b"\n")
        return json.loads(self.answers.readline())

    def register(self, email=None, password=None, **texts):
        """A new account, or None if the name is taken."""
        email = email or f"user-{secrets.token_hex(4)}@trust.example"
        password = password or f"{canary.PASSWORD} {secrets.token_hex(8)}"
        record = self.ask("register", email=email, password=password, **texts)
        if record is None:
            return None
        self.accounts.append(Account(email, password, record))
        return self.accounts[-1]

    def seen(self):
        return self.ask("seen")

    @staticmethod
    def hashes():
        return set()

    @staticmethod
    def tokens_in(data, _=None):
        return {form for form in CANARY_FORMS if form in data}

    def read_log(self):
        self.log.seek(0)
        return self.log.read().decode("utf-8", "replace")

    def close(self):
        self.control.close()
        self.process.terminate()
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait(10)
        self.process.stdout.close()
        log = self.read_log()
        self.log.close()
        shutil.rmtree(self.folder, ignore_errors=True)
        gateways.running.remove(self)
        assert "Traceback" not in log, log


class Setting:
    """A configuration of backend and gateway.

    preset  POSTERN_BACKEND
    place   where the backend returns its token: POSTERN_UPSTREAM_TOKEN
    method  POSTERN_TOKEN_METHOD
    worst   the backend parses requests as hostile_backend.WorstReader does
    fold    how the backend compares account names
    errors  "full", or "bare": without path and locations
    """

    def __init__(self, preset, place, method, worst=False, fold="coarse",
                 errors="full", documents=None, **more):
        self.preset, self.place, self.method = preset, place, method
        self.worst, self.fold, self.errors = worst, fold, errors
        self.documents = documents or LOGINS[preset]
        self.more = more  # more variables of the programs

    def __str__(self):
        return "-".join([self.preset, self.place.replace("/", "."),
                         self.method.replace(",", "+"), self.fold,
                         self.errors] + ["worst"] * self.worst)

    @property
    def kind(self):
        return self.place.partition(":")[0]

    @property
    def is_json(self):
        return self.kind == "json"

    def secret(self):
        """The selection of the token in our login documents."""
        if not self.is_json:
            return ""
        outer, _, inner = self.place[5:].partition("/")
        return f"{outer} {{ {inner} }}" if inner else outer

    def backend(self):
        return HostileBackend(
            dialect=self.preset, place=self.kind, fold=self.fold,
            errors=self.errors, worst=self.worst,
            header=self.place[7:] if self.kind == "header" else None)

    def variables(self, folder):
        """The programs' configuration; writes its files into the folder."""
        files = []
        for number, text in enumerate(self.documents):
            files.append(os.path.join(folder, f"login-{number}.graphql"))
            with open(files[-1], "w", encoding="utf-8") as file:
                file.write(text % {"secret": self.secret(), "more": MORE})
        subject, name = SUBJECT[self.preset]
        values = {
            "POSTERN_BACKEND": self.preset,
            "POSTERN_TOKEN_METHOD": self.method,
            "POSTERN_LOGIN_DOCUMENT": " ".join(files),
            "POSTERN_UPSTREAM_TOKEN": self.place,
            "POSTERN_SUBJECT": subject, "POSTERN_NAME": name,
            "POSTERN_SECRET_FIELDS": "secret refreshToken token",
            "POSTERN_SECRET_FIELDS_ALLOWED": "query.checkout",
            "POSTERN_LOGIN_PER_ACCOUNT": f"{LIMIT}/1h",
            "POSTERN_LOGIN_FLOOR": "0",
            "POSTERN_LOG_LEVEL": "info"}
        if self.preset == "fauna":
            values["POSTERN_TTL"] = "ttl"
        if not self.is_json:
            path = os.path.join(folder, "who.graphql")
            with open(path, "w", encoding="utf-8") as file:
                file.write(WHO[self.preset])
            values["POSTERN_WHO_DOCUMENT"] = path
        return {**values, **self.more}


class Request:
    """An HTTP request, and its FastCGI parameters."""

    def __init__(self, program="query", method="POST", query="", headers=(),
                 body=b""):
        self.program, self.method, self.query = program, method, query
        self.headers, self.body = list(headers), body

    def __repr__(self):
        head = "".join(f"{n}: {v}\n" for n, v in self.headers)
        return (f"{self.method} /{self.program}"
                f"{'?' + self.query if self.query else ''}\n{head}\n"
                f"{self.body!r}")

    def params(self):
        more = {}
        for name, value in self.headers:
            name = name.upper().replace("-", "_")
            if name != "CONTENT_TYPE":
                name = "HTTP_" + name
            glue = "; " if name == "HTTP_COOKIE" else ", "
            more[name] = more[name] + glue + value if name in more else value
        if self.body or self.method != "GET":
            more["CONTENT_LENGTH"] = str(len(self.body))
        path = "/" + self.program
        return fcgi.params(
            self.method, self.query, SCRIPT_NAME=path,
            REQUEST_URI=path + ("?" + self.query if self.query else ""),
            HTTP_HOST=HOST, HTTPS="on", **more)


class PersistentConnection:
    """A FastCGI connection to one program; reconnects if it was closed."""

    def __init__(self, address):
        self.address, self.connection = address, None

    def request(self, params, body=b"", role=fcgi.RESPONDER):
        for _ in range(2):
            is_new = self.connection is None
            if is_new:
                self.connection = fcgi.Connection(self.address, 60)
            try:
                return self.connection.request(params, body, role=role,
                                               keep=True)
            except (fcgi.IncompleteResponse, BrokenPipeError, ConnectionError):
                self.close()
                if is_new:
                    raise
        raise AssertionError("the program closed two connections")

    def close(self):
        if self.connection:
            self.connection.close()
        self.connection = None


class Violation(AssertionError):
    """An invariant does not hold; the message begins with its number."""


def decompressed(answer):
    """The response, and its decompressed body if it is compressed."""
    whole = answer.stdout
    for decompress in (gzip.decompress, zlib.decompress):
        try:
            return whole + b"\n" + decompress(answer.body)
        except (OSError, EOFError, zlib.error):
            pass
    return whole


def unescaped(data):
    """Decode JSON and percent escapes, which could hide a secret."""
    return re.sub(rb"\\u00([0-9a-fA-F]{2})|%([0-9a-fA-F]{2})",
                  lambda m: bytes([int(m[1] or m[2], 16)]), data)


class Checker:
    """A gateway with its authorizer, the invariants, and counters.

    sent     requests sent
    reached  requests that reached the backend
    named    sessions that named an account
    logins   calls of the backend's login resolver
    """

    def __init__(self, setting):
        self.setting = setting
        self.backend = setting.backend()
        self.folder = tempfile.mkdtemp(prefix="postern-checker-")
        self.gateway = self.authorizer = None
        self.connections = {}
        try:
            self._start()
        except BaseException:
            self.close()
            raise
        self.sent = self.reached = self.named = self.logins = 0
        self.count = self.guesses = self.grants = 0
        self.per_account = {}  # key: [(name, request)] with a wrong password
        self.new_events()

    def _start(self):
        self.gateway = gateways.Gateway(
            self.backend, **self.setting.variables(self.folder))
        for program in ("login", "query", "logout", "session"):
            self.connections[program] = PersistentConnection(
                self.gateway.socket_of(program))
        path = os.path.join(self.folder, "authorize.socket")
        self.authorizer = subprocess.Popen(
            [os.path.join(gateways.BUILD, "cgi-bin/authorize"), "--listen",
             "unix:" + path], stdin=subprocess.DEVNULL,
            stdout=self.gateway.log_file, stderr=self.gateway.log_file,
            env=self.gateway.environment)
        assert gateways.wait_until(lambda: os.path.exists(path)), \
            self.gateway.log
        self.connections["authorize"] = PersistentConnection(path)

    def close(self):
        for connection in self.connections.values():
            connection.close()
        try:
            if self.authorizer:
                self.authorizer.terminate()
                self.authorizer.wait(10)
            if self.gateway:
                self.gateway.close()
        finally:
            self.backend.close()
            shutil.rmtree(self.folder, ignore_errors=True)

    def new_events(self):
        """The backend's events since the last call."""
        events = self.backend.ask("since", guesses=self.guesses,
                                  grants=self.grants)
        self.guesses += len(events["guesses"])
        self.grants += len(events["grants"])
        events["new"] = events["requests"] - self.count
        self.count = events["requests"]
        return events

    # Requests.

    def ask(self, request):
        """Send a request without checking the invariants."""
        self.sent += 1
        return self.connections[request.program].request(request.params(),
                                                   request.body)

    def credentials(self, answer):
        """The request headers for the session that an answer sets, or None."""
        token = (answer.all(self.gateway.token_header) or [""])[-1]
        if token:
            return [("Authorization", "Bearer " + token)]
        pairs = [line.partition(";")[0] for line in answer.all("Set-Cookie")]
        pairs = [pair for pair in pairs if pair.partition("=")[2]]
        return [("Cookie", "; ".join(pairs))] if pairs else None

    def session(self, headers):
        """The session that the session program returns: an object or None."""
        answer = self.ask(Request("session", "GET", headers=headers))
        if answer.status == 401:  # an invalid bearer token
            return None
        assert answer.status == 200, answer.stdout
        self.check_secret(answer, "session")
        return json.loads(answer.body)["data"]["session"]

    def authorized(self, headers):
        """(subject, name) from the authorizer, or None."""
        request = Request("authorize", "GET", headers=headers)
        answer = self.connections["authorize"].request(
            request.params(), b"", fcgi.AUTHORIZER)
        self.check_secret(answer, "authorize")
        if answer.status != 200:
            return None
        return tuple(answer.header(name).encode("latin-1").decode()
                     for name in ("Variable-SESSION_SUBJECT",
                                  "Variable-SESSION_NAME"))

    def log_in(self, account):
        """Log in with the right password. Returns the request headers for the
        session, or None if the name has reached its rate limit."""
        body = json.dumps({"email": account.email,
                           "password": account.password}).encode()
        answer = self.ask(Request("login", headers=[
            ("Content-Type", "application/json")], body=body))
        if answer.status == 429:
            return None
        assert answer.status == 200, (answer.stdout, self.gateway.log[-2000:])
        return self.credentials(answer)

    # Invariants.

    def check_secret(self, answer, request):
        """Invariant 1."""
        data = decompressed(answer)
        for view in (data, unescaped(data)):
            for form in CANARY_FORMS:
                if form in view:
                    raise Violation(f"1: a secret reached the client\n"
                                    f"{request}\n\n{data!r}")

    def check(self, request, carried=None):
        """Send a request and check the invariants; returns the answer.

        carried  the account whose session the request contains, or None
        """
        answer = self.ask(request)
        events = self.new_events()
        self.reached += events["new"] > 0
        self.logins += len(events["guesses"])
        self.check_secret(answer, request)
        self.record_guesses(events["guesses"], request)
        headers = self.credentials(answer)
        if headers:
            granted = {(one["id"], one["email"]) for one in events["grants"]}
            if carried:
                granted.add((carried.id, carried.email))
            self.check_identity(headers, granted, request, answer)
        return answer

    def check_identity(self, headers, granted, request, answer):
        """Invariant 2. Discards the events that its own requests cause."""
        session = self.session(headers)
        allowed = self.authorized(headers)
        self.new_events()
        if session and session.get("subject") is not None:
            self.named += 1
            if (session["subject"], session["name"]) not in granted:
                raise Violation(
                    f"2: the session names {session}, granted was "
                    f"{sorted(granted)}\n{request}\n\n{answer.stdout!r}")
            who = session["who"] or {}
            known = {one for pair in granted for one in pair} | {None}
            if {who.get(n) for n in ("id", "ownerId", "email",
                                     "identifier")} - known:
                raise Violation(f"2: who is {who}, granted was "
                                f"{sorted(granted)}\n{request}")
        subjects = {(subject, "") for subject, _ in granted}
        if allowed and allowed not in granted | subjects:
            raise Violation(f"2: authorize names {allowed}, granted was "
                            f"{sorted(granted)}\n{request}")

    def record_guesses(self, guesses, request):
        """Record wrong passwords for invariant 3, which check_limit() checks."""
        for guess in guesses:
            if not guess["right"]:
                self.per_account.setdefault(guess["key"], []).append(
                    (guess["name"], request))

    def check_limit(self):
        """Invariant 3; call it at the end."""
        for key, seen in self.per_account.items():
            if len(seen) > LIMIT:
                raise Violation(
                    f"3: {len(seen)} wrong passwords for {key!r}: " + "\n".join(
                        f"{name!r} by {request}" for name, request in seen))
