# SPDX-License-Identifier: ISC
"""A running Vendure, and clients that keep a session as stock clients do:
what an answer sets they send with the next request, and they know no more."""

import base64
import http.client
import json
import os
import re
import secrets
import shutil
import subprocess
import tempfile

import fcgi
import gateway as gateways
import http_client

HERE = os.path.dirname(os.path.abspath(__file__))
FOLDER = os.environ.get("VENDURE_FOLDER", "")
NODE = os.environ.get("VENDURE_NODE", "node")
HEADER = "vendure-auth-token"
COOKIES = ("session", "session.sig")  # Vendure's own
GUEST, DEVICE = gateways.COOKIE + "-guest", gateways.COOKIE + "-device"

REGISTER = """mutation ($input: RegisterCustomerInput!) {
    registerCustomerAccount(input: $input) { __typename }}"""
VERIFY = """mutation ($token: String!) {
    verifyCustomerAccount(token: $token) { __typename }}"""


class Shop:
    """What a Gateway asks of its backend, from a real Vendure."""

    def __init__(self, method):
        self.method = method
        self.accounts = []
        self.known = set()  # tokens that it has handed out
        self.folder = tempfile.mkdtemp(prefix="postern-vendure-")
        self.log = open(os.path.join(self.folder, "log"), "w+b")
        self.process = subprocess.Popen(
            [NODE, os.path.join(HERE, "shop.mjs"), method],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self.log,
            cwd=self.folder, text=True)
        self.port = 0

    def wait(self):
        """Until it is open: apart, so that several can start at a time."""
        line = self.process.stdout.readline()
        while line and not line.startswith("listening on "):
            line = self.process.stdout.readline()
        assert line, self.read_log()
        gateways.running.append(self)
        self.url = line.split()[-1]
        self.port = int(re.search(r":(\d+)/", self.url)[1])
        self.control = f"http://127.0.0.1:{self.port}"
        return self

    def send(self, method, path, body=None, headers=()):
        connection = http.client.HTTPConnection("127.0.0.1", self.port,
                                                timeout=30)
        connection.request(method, path, body, dict(headers))
        answer = connection.getresponse()
        text = answer.read()
        connection.close()
        assert answer.status == 200, text
        return json.loads(text)

    def register(self):
        """A customer nobody else is."""
        account = self.register_only()
        assert self.query(VERIFY, {"token": self.mailed(account, "verify")}
                          ) == {"verifyCustomerAccount": {
                              "__typename": "CurrentUser"}}
        return account

    @staticmethod
    def somebody():
        """Without an account."""
        return gateways.Account(
            f"customer-{secrets.token_hex(6)}@example.com",
            "pass word " + secrets.token_hex(12), None)

    def register_only(self):
        """One who has not yet followed the link in the e-mail."""
        account = self.somebody()
        assert self.query(REGISTER, {"input": {
            "emailAddress": account.email, "firstName": "Ada",
            "lastName": "Ward", "password": account.password}}) == {
                "registerCustomerAccount": {"__typename": "Success"}}
        self.accounts.append(account)
        return account

    def query(self, document, variables):
        answer = self.send("POST", "/shop-api", json.dumps(
            {"query": document, "variables": variables}),
            {"Content-Type": "application/json"})
        assert "errors" not in answer, answer
        return answer["data"]

    def end_sessions(self):
        """Everybody's, as if all had expired."""
        self.send("POST", "/_end")

    def seen(self):
        """The requests since the last time, with what was answered."""
        seen = self.send("GET", "/_seen")["seen"]
        for request in seen:
            request["header"] = {n.lower(): v for n, v in request["headers"]}
            for name, value in request["answer"]:
                if name == HEADER and value:
                    self.known.add(value)
                elif name == "set-cookie" and value.startswith("session="):
                    text = value[len("session="):].partition(";")[0]
                    self.known.add(text)
                    self.known.add(json.loads(base64.b64decode(text))["token"])
        self.known.discard("")
        return seen

    def mailed(self, account, what):
        """The token to verify, reset or change with. It is said by an event,
        which comes when it comes."""
        found = {}
        assert gateways.wait_until(
            lambda: found.update(self.send("GET", "/_mail").get(
                account.email, {})) or what in found)
        return found[what]

    # What Gateway.faults() asks.

    def hashes(self):
        return None

    def tokens_in(self, octets, hashes=None):
        del hashes
        return {token for token in self.known if any(
            form in octets for form in gateways.encodings_of(token.encode()))}

    def read_log(self):
        self.log.seek(0)
        return self.log.read().decode("utf-8", "replace")

    def close(self):
        self.process.stdin.close()  # it ends when we do
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait(10)
        self.process.stdout.close()
        self.log.close()
        shutil.rmtree(self.folder, ignore_errors=True)
        if self in gateways.running:
            gateways.running.remove(self)


class Client:
    """Keeps what it is given: a cookie or a token.

    Each answer gets `told`, what it said of the session: "new", "cleared" or
    None; and a new cookie's `max_age`, which is None for a browser session's.
    """

    def __init__(self, door, kind):
        self.door, self.kind = door, kind
        self.held = None
        self.is_page = False  # of the gateway's own site

    def send(self, method, path, body=None, headers=()):
        headers = list(headers)
        self.is_page = ("Sec-Fetch-Site", "same-origin") in headers
        if self.held is not None:
            headers.append(("Authorization", f"Bearer {self.held}")
                           if self.kind == "bearer" else
                           ("Cookie", self.held))
        answer = self.door.send(method, path, body, headers)
        self._keep(answer)
        return answer

    def post(self, path, value=None, headers=()):
        headers = list(headers)
        if value is not None:
            headers.append(("Content-Type", "application/json"))
            value = json.dumps(value).encode()
        return self.send("POST", path, value or b"", headers)

    def query(self, document=None, variables=None, headers=(), search="",
              **more):
        if document is not None:
            more["query"] = document
        if variables is not None:
            more["variables"] = variables
        return self.post(self.door.query_path + search, more, headers)

    def was_cleared(self, answer):
        """Was the client told to forget its session? Behind lighttpd (1.4.69),
        which drops a header without a value, a bearer client is given the
        token of a session of nobody in its place (design 2.1); that token
        holds nothing of the backend's, and this client then drops it."""
        if answer.told == "new" and (
                self.kind == "bearer" and self.door.drops_empty_headers):
            session = self.session()
            assert session is None or (
                session["guest"] and session["subject"] is None)
            assert "upstream" not in self.door.open_token(self.held)
            self.held = None
            return True
        return answer.told == "cleared"

    def has_lost(self, answer):
        """The same where the session had ended before, here: a bearer client
        is told with any answer, a cookie is cleared by `session`, and by
        `query` never: a login may be under way (design 2.1, U35)."""
        if self.kind != "cookie" or isinstance(self.door, Direct):
            return self.was_cleared(answer)
        assert answer.told is None and self.session() is None
        return self.held is None

    def session(self):
        """What a gateway's /session says: an object or None."""
        answer = self.send("GET", "/session")
        assert answer.status == 200, answer
        return answer.json["data"]["session"]

    def _keep(self, answer):
        told = self.door.told(self, answer)
        answer.told = told.get(self.kind, (None,))[0]
        answer.max_age = None
        if answer.told == "cleared":
            self.held = None
        elif answer.told == "new":
            _, self.held, answer.max_age = told[self.kind]
        elif self.kind in told:
            self.held = told[self.kind][1]


class Direct:
    """The way to a Vendure without a gateway, to see what it does itself."""

    query_path = "/shop-api"
    drops_empty_headers = False

    def __init__(self, shop):
        self.shop = shop
        self.kind = "cookie" if shop.method == "cookie" else "bearer"

    def send(self, method, path, body=None, headers=()):
        with http_client.Connection(self.shop.port) as line:
            return line.request(method, path, headers, body)

    def told(self, _, answer):
        """{carrier: ("cleared",) or ("new", value, Max-Age)}"""
        told = {}
        token = answer.get(HEADER)
        if token is not None:
            told["bearer"] = ("new", token, None) if token else ("cleared",)
        lines = answer.all("set-cookie")
        if lines:
            assert [line.partition("=")[0] for line in lines] == [*COOKIES]
            text = lines[0].partition("=")[2].partition(";")[0]
            if json.loads(base64.b64decode(text))["token"]:
                told["cookie"] = (
                    "new", "; ".join(l.partition(";")[0] for l in lines),
                    "1y" if "expires=" in lines[0] else None)
            else:
                told["cookie"] = ("cleared",)
        methods = {"bearer": {"bearer"}, "cookie": {"cookie"},
                   "both": {"bearer", "cookie"}}[self.shop.method]
        assert not told or told.keys() == methods, answer
        return told


class Gate(gateways.Gateway):
    """A gateway in front of a shop, and what its answers say."""

    query_path = "/query"
    drops_empty_headers = True

    def __init__(self, shop, methods, **more):
        self.methods = set(methods.split(","))
        options = {"POSTERN_BACKEND": "vendure",
                   "POSTERN_TOKEN_METHOD": methods, **more}
        if shop.method == "cookie":
            options.setdefault("POSTERN_UPSTREAM_TOKEN", "cookie")
        # Hundreds of logins from one address are no attack here.
        for name in ("LOGIN_PER_ACCOUNT", "LOGIN_PER_ADDRESS"):
            if gate_knows(name):
                options.setdefault("POSTERN_" + name, "off")
        super().__init__(shop, **options)

    def told(self, client, answer):
        """As Direct's; what design 2.1 says about carriers is checked."""
        told = {}
        token = answer.get(HEADER)
        if token is not None:
            told["bearer"] = ("new", token, None) if token else ("cleared",)
        if answer.all("set-cookie"):
            told["cookie"] = self._read_cookies(client, answer)
        self._check_carriers(client, told, answer)
        return told

    @staticmethod
    def _read_cookies(client, answer):
        """What becomes of a user's cookie and of a guest's, which have names
        of their own: one is set, or both are cleared."""
        kept = dict(pair.split("=", 1) for pair in (
            client.held or "").split("; ") if client.kind == "cookie" and pair)
        new = None
        for name, value, attributes in http_client.cookies_of(answer):
            assert {"Path=/", "HttpOnly", "Secure"} <= {*attributes}, answer
            assert "SameSite=Lax" in attributes or not value, answer
            age = [int(a[8:]) for a in attributes if a.startswith("Max-Age=")]
            assert value or age == [0], answer
            if name == DEVICE:
                continue  # its owner is known, and has no session by it
            assert name in (gateways.COOKIE, GUEST), answer
            kept.pop(name, None)
            if value:
                assert new is None, answer
                kept[name], new = value, age or [None]
        held = "; ".join(f"{name}={value}" for name, value in kept.items())
        return ("new", held, *new) if new else (
            "cleared" if not held else None, held)

    def _check_carriers(self, client, told, answer):
        """An answer uses the carrier of its request; a new session in answer
        to a request without one uses all there are, but a page of this site
        gets the cookie alone. An empty token header says nothing to a client
        with a cookie, and is not minded."""
        allowed = self.methods if client.held is None else {client.kind}
        if client.is_page and "cookie" in allowed:
            allowed = {"cookie"}
        given = {carrier for carrier, what in told.items()
                 if what[0] == "new"}
        if given == {"bearer"} and told.get("cookie", [None])[0] == "cleared":
            # Nobody's, in place of the empty header that lighttpd drops.
            assert "upstream" not in self.open_token(told["bearer"][1])
            given = set()
        assert not given or given == allowed, (allowed, answer)
        assert "cookie" not in told or "cookie" in allowed, (allowed, answer)
        if told:
            assert answer.get("cache-control") == "no-store", answer


class SideDoor:
    """A gateway's programs by FastCGI: a web server that passes all."""

    drops_empty_headers = False

    def __init__(self, gate):
        self.gate = gate

    def __getattr__(self, name):
        return getattr(self.gate, name)

    def send(self, method, path, body=None, headers=()):
        path, _, search = path.partition("?")
        values = {"HTTP_" + name.upper().replace("-", "_"): value
                  for name, value in headers}
        for name in ("CONTENT_TYPE", "CONTENT_LENGTH"):
            values[name] = values.pop("HTTP_" + name, None)
        values.update(HTTP_HOST=f"localhost:{self.port}", SCRIPT_NAME=path,
                      SERVER_PORT=str(self.port), CONTENT_LENGTH=None
                      if body is None else str(len(body)),
                      REQUEST_URI=path + (search and "?" + search))
        said = fcgi.request(self.socket_of(path[1:]), method, search,
                            body or b"", **values)
        assert said.stderr == b"" and said.app_status == 0
        answer = http_client.Answer("\r\n".join(
            [f"HTTP/1.1 {said.status} x"] + [
                f"{name}: {value}" for name, value in said.headers
                if name.lower() != "status"]).encode("latin-1"))
        answer.body, answer.whole = said.body, True
        self.received.append(answer.head + b"\r\n\r\n" + answer.body)
        return answer


def gate_knows(name):
    with open(gateways.POSTERN, "rb") as file:
        return name.encode() in file.read()
