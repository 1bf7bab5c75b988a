# SPDX-License-Identifier: ISC
"""hostile_backend.py as a child, a gateway before it, and a judge who asks
after every request whether the three sentences still hold:

1. No secret of the backend's reaches the client, in any form.
2. The session names nobody but the account that the backend granted in that
   very request (or that the request came with).
3. The backend's login resolver sees no more wrong guesses at one account, by
   the backend's own comparison, than the limit.
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

import fcgi
import gateway as gateways

HERE = os.path.dirname(os.path.abspath(__file__))
CANARY = b"CanarySecret"
CANARY_FORMS = gateways.encodings_of(CANARY)
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
    def __init__(self, email, password, said):
        self.email, self.password = email, password
        self.id, self.codes = said["id"], said["codes"]


class HostileBackend:
    """What gateway.Gateway wants to know of a backend, and ask()."""

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
        port, control = map(int, line.split())
        self.url = f"http://127.0.0.1:{port}/graphql"
        self.line = socket.create_connection(("127.0.0.1", control), 30)
        self.line.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.answers = self.line.makefile("rb")

    def ask(self, what, **arguments):
        """One question to its second port."""
        self.line.sendall(json.dumps({"do": what, **arguments}).encode()
                          + b"\n")
        return json.loads(self.answers.readline())

    def register(self, email=None, password=None, **texts):
        """A new account, or None where its name is taken."""
        email = email or f"user-{secrets.token_hex(4)}@trust.example"
        password = password or "right " + secrets.token_hex(8)
        said = self.ask("register", email=email, password=password, **texts)
        if said is None:
            return None
        self.accounts.append(Account(email, password, said))
        return self.accounts[-1]

    def seen(self):
        return self.ask("seen")

    @staticmethod
    def hashes():
        return set()

    @staticmethod
    def tokens_in(octets, _=None):
        return {form for form in CANARY_FORMS if form in octets}

    def read_log(self):
        self.log.seek(0)
        return self.log.read().decode("utf-8", "replace")

    def close(self):
        self.line.close()
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
    """One way to set both up: a preset, where the token is, how it goes."""

    def __init__(self, preset, place, method, worst=False, fold="coarse",
                 errors="full", documents=None, **more):
        self.preset, self.place, self.method = preset, place, method
        self.worst, self.fold, self.errors = worst, fold, errors
        self.documents = documents or LOGINS[preset]
        self.more = more  # variables of the programs

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
        """The selection of the token in our documents."""
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
        """The programs' configuration; its files are put into a folder."""
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
    """An HTTP request as a web server would hand it to a program."""

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


class Line:
    """A kept FastCGI connection to one program."""

    def __init__(self, address):
        self.address, self.connection = address, None

    def request(self, params, body=b"", role=fcgi.RESPONDER):
        for _ in range(2):
            fresh = self.connection is None
            if fresh:
                self.connection = fcgi.Connection(self.address, 60)
            try:
                return self.connection.request(params, body, role=role,
                                               keep=True)
            except (fcgi.IncompleteResponse, BrokenPipeError, ConnectionError):
                self.close()
                if fresh:
                    raise
        raise AssertionError("no answer")

    def close(self):
        if self.connection:
            self.connection.close()
        self.connection = None


class Violation(AssertionError):
    """One of the sentences does not hold."""


def readable(answer):
    """All that a client was sent, and what is packed in it."""
    whole = answer.stdout
    for unpack in (gzip.decompress, zlib.decompress):
        try:
            return whole + b"\n" + unpack(answer.body)
        except (OSError, EOFError, zlib.error):
            pass
    return whole


def unescaped(octets):
    """JSON and percent escapes could hide a secret from the search."""
    return re.sub(rb"\\u00([0-9a-fA-F]{2})|%([0-9a-fA-F]{2})",
                  lambda m: bytes([int(m[1] or m[2], 16)]), octets)


class Checker:
    """A gateway with its authorizer, and what it has done so far."""

    def __init__(self, setting):
        self.setting = setting
        self.backend = setting.backend()
        self.folder = tempfile.mkdtemp(prefix="postern-judge-")
        self.gateway = self.authorizer = None
        self.lines = {}
        try:
            self._start()
        except BaseException:
            self.close()
            raise
        self.sent = self.reached = self.named = self.logins = 0
        self.count = self.guesses = self.grants = 0
        self.per_account = {}  # key: requests with a wrong guess at it
        self.new_events()

    def _start(self):
        self.gateway = gateways.Gateway(
            self.backend, **self.setting.variables(self.folder))
        for program in ("login", "query", "logout", "session"):
            self.lines[program] = Line(self.gateway.socket_of(program))
        path = os.path.join(self.folder, "authorize.socket")
        self.authorizer = subprocess.Popen(
            [os.path.join(gateways.BUILD, "cgi-bin/authorize"), "--listen",
             "unix:" + path], stdin=subprocess.DEVNULL,
            stdout=self.gateway.log_file, stderr=self.gateway.log_file,
            env=self.gateway.environment)
        assert gateways.wait_until(lambda: os.path.exists(path)), \
            self.gateway.log
        self.lines["authorize"] = Line(path)

    def close(self):
        for line in self.lines.values():
            line.close()
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
        """What the backend has seen since the last time."""
        said = self.backend.ask("since", guesses=self.guesses,
                                grants=self.grants)
        self.guesses += len(said["guesses"])
        self.grants += len(said["grants"])
        said["new"] = said["requests"] - self.count
        self.count = said["requests"]
        return said

    # Asking.

    def ask(self, request):
        """Send one, without judging it."""
        self.sent += 1
        return self.lines[request.program].request(request.params(),
                                                   request.body)

    def credentials(self, answer):
        """The headers that use the session an answer hands out, or None."""
        token = (answer.all(self.gateway.token_header) or [""])[-1]
        if token:
            return [("Authorization", "Bearer " + token)]
        pairs = [line.partition(";")[0] for line in answer.all("Set-Cookie")]
        pairs = [pair for pair in pairs if pair.partition("=")[2]]
        return [("Cookie", "; ".join(pairs))] if pairs else None

    def session(self, headers):
        """What the session program says: an object or None."""
        answer = self.ask(Request("session", "GET", headers=headers))
        if answer.status == 401:  # a dead bearer token
            return None
        assert answer.status == 200, answer.stdout
        self.check_secret(answer, "session")
        return json.loads(answer.body)["data"]["session"]

    def authorized(self, headers):
        """(subject, name) as the authorizer says, or None."""
        request = Request("authorize", "GET", headers=headers)
        answer = self.lines["authorize"].request(
            request.params(), b"", fcgi.AUTHORIZER)
        self.check_secret(answer, "authorize")
        if answer.status != 200:
            return None
        return tuple(answer.header(name).encode("latin-1").decode()
                     for name in ("Variable-SESSION_SUBJECT",
                                  "Variable-SESSION_NAME"))

    def log_in(self, account):
        """An honest login; the headers that use its session, or None where
        there were too many guesses at that name."""
        body = json.dumps({"email": account.email,
                           "password": account.password}).encode()
        answer = self.ask(Request("login", headers=[
            ("Content-Type", "application/json")], body=body))
        if answer.status == 429:
            return None
        assert answer.status == 200, (answer.stdout, self.gateway.log[-2000:])
        return self.credentials(answer)

    # Judging.

    def check_secret(self, answer, request):
        """The first sentence."""
        octets = readable(answer)
        for view in (octets, unescaped(octets)):
            for form in CANARY_FORMS:
                if form in view:
                    raise Violation(f"1: a secret reached the client\n"
                                    f"{request}\n\n{octets!r}")

    def check(self, request, carried=None):
        """Send a request that came with the session of `carried` (an account
        or None) and see whether the sentences hold. Returns the answer."""
        answer = self.ask(request)
        news = self.new_events()
        self.reached += news["new"] > 0
        self.logins += len(news["guesses"])
        self.check_secret(answer, request)
        self.check_guesses(news["guesses"], request)
        headers = self.credentials(answer)
        if headers:
            granted = {(one["id"], one["email"]) for one in news["grants"]}
            if carried:
                granted.add((carried.id, carried.email))
            self.check_identity(headers, granted, request, answer)
        return answer

    def check_identity(self, headers, granted, request, answer):
        """The second sentence, with what begins when asking counted out."""
        told = self.session(headers)
        allowed = self.authorized(headers)
        self.new_events()
        if told and told.get("subject") is not None:
            self.named += 1
            if (told["subject"], told["name"]) not in granted:
                raise Violation(
                    f"2: the session names {told}, granted was "
                    f"{sorted(granted)}\n{request}\n\n{answer.stdout!r}")
            who = told["who"] or {}
            known = {one for pair in granted for one in pair} | {None}
            if {who.get(n) for n in ("id", "ownerId", "email",
                                     "identifier")} - known:
                raise Violation(f"2: who is {who}, granted was "
                                f"{sorted(granted)}\n{request}")
        subjects = {(subject, "") for subject, _ in granted}
        if allowed and allowed not in granted | subjects:
            raise Violation(f"2: authorize names {allowed}, granted was "
                            f"{sorted(granted)}\n{request}")

    def check_guesses(self, guesses, request):
        """Remember what speaks for the third sentence; it is no matter of
        one request."""
        for guess in guesses:
            if not guess["right"]:
                self.per_account.setdefault(guess["key"], []).append(
                    (guess["name"], request))

    def check_limit(self):
        """The third sentence, when all is over."""
        for key, seen in self.per_account.items():
            if len(seen) > LIMIT:
                raise Violation(
                    f"3: {len(seen)} guesses at {key!r}: " + "\n".join(
                        f"{name!r} by {request}" for name, request in seen))
