# SPDX-License-Identifier: ISC
"""A running Vendure, and clients that keep a session as stock clients do: they
send with the next request what an answer has set."""

import base64
import http.client
import json
import os
import re
import secrets
import shutil
import subprocess
import tempfile

import canary
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
    """A real Vendure, with the interface that Gateway needs."""

    def __init__(self, method, *database):
        self.method = method
        self.accounts = []
        self.known = set()  # tokens that it has issued
        self.folder = tempfile.mkdtemp(prefix="postern-vendure-")
        self.log = open(os.path.join(self.folder, "log"), "w+b")
        self.process = subprocess.Popen(
            [NODE, os.path.join(HERE, "shop.mjs"), method, *database],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self.log,
            cwd=self.folder, text=True)
        self.port = 0

    def wait(self):
        """Wait until it is ready. Separate, so that several can start at the
        same time."""
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
        """Create a new, verified customer."""
        account = self.register_only()
        assert self.query(VERIFY, {"token": self.mailed(account, "verify")}
                          ) == {"verifyCustomerAccount": {
                              "__typename": "CurrentUser"}}
        return account

    @staticmethod
    def new_account():
        """A new address and password; they are not registered."""
        return gateways.Account(
            f"customer-{secrets.token_hex(6)}@example.com",
            "pass word " + secrets.token_hex(12), None)

    def register_only(self):
        """Create a customer whose e-mail address is not verified."""
        account = self.new_account()
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
        """End all sessions, as if they had expired."""
        self.send("POST", "/_end")

    def seen(self):
        """The requests since the last call, with their answers' headers."""
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
        """The e-mailed token for verify, reset or change. Vendure sends it
        asynchronously."""
        found = {}
        assert gateways.wait_until(
            lambda: found.update(self.send("GET", "/_mail").get(
                account.email, {})) or what in found)
        return found[what]

    # For Gateway.faults().

    def hashes(self):
        return None

    def tokens_in(self, text, hashes=None):
        del hashes
        return {token for token in self.known if any(
            form in text for form in canary.encodings_of(token.encode()))}

    def read_log(self):
        self.log.seek(0)
        return self.log.read().decode("utf-8", "replace")

    def close(self):
        self.process.stdin.close()  # it ends at the end of its input
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
    """Keeps a token: the value of Cookie, or a bearer token.

    Each answer gets `session_change`, what it did with the token: "new",
    "cleared" or None; and the `max_age` of a new cookie, None for a session
    cookie.
    """

    def __init__(self, server, kind):
        self.server, self.kind = server, kind
        self.token = None
        self.is_page = False  # the request comes from a page of the gateway

    def send(self, method, path, body=None, headers=()):
        headers = list(headers)
        self.is_page = ("Sec-Fetch-Site", "same-origin") in headers
        if self.token is not None:
            headers.append(("Authorization", f"Bearer {self.token}")
                           if self.kind == "bearer" else
                           ("Cookie", self.token))
        answer = self.server.send(method, path, body, headers)
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
        return self.post(self.server.query_path + search, more, headers)

    def was_cleared(self, answer):
        """Did the answer clear the token? lighttpd (1.4.69) drops a header
        without a value. Behind it, a bearer client gets the token of an
        anonymous session without a backend token (design 2.1); this client
        then forgets it."""
        if answer.session_change == "new" and (
                self.kind == "bearer" and self.server.drops_empty_headers):
            session = self.session()
            assert session is None or (
                session["guest"] and session["subject"] is None)
            assert "upstream" not in self.server.open_token(self.token)
            self.token = None
            return True
        return answer.session_change == "cleared"

    def is_token_invalid(self, answer):
        """Did the gateway refuse the token? A bearer token is cleared by any
        answer. A cookie is cleared by `session` but not by `query`, because a
        login may be in progress (design 2.1, U35)."""
        if self.kind != "cookie" or isinstance(self.server, Direct):
            return self.was_cleared(answer)
        assert answer.session_change is None and self.session() is None
        return self.token is None

    def session(self):
        """The session in the answer of /session: an object or None."""
        answer = self.send("GET", "/session")
        assert answer.status == 200, answer
        return answer.json["data"]["session"]

    def _keep(self, answer):
        change = self.server.session_change(self, answer)
        answer.session_change = change.get(self.kind, (None,))[0]
        answer.max_age = None
        if answer.session_change == "cleared":
            self.token = None
        elif answer.session_change == "new":
            _, self.token, answer.max_age = change[self.kind]
        elif self.kind in change:
            self.token = change[self.kind][1]


class Direct:
    """A Vendure without a gateway, to test its own behaviour."""

    query_path = "/shop-api"
    drops_empty_headers = False

    def __init__(self, shop):
        self.shop = shop
        self.kind = "cookie" if shop.method == "cookie" else "bearer"

    def send(self, method, path, body=None, headers=()):
        with http_client.Connection(self.shop.port) as line:
            return line.request(method, path, headers, body)

    def session_change(self, _, answer):
        """{transport: ("cleared",) or ("new", value, Max-Age)}"""
        change = {}
        token = answer.get(HEADER)
        if token is not None:
            change["bearer"] = ("new", token, None) if token else ("cleared",)
        lines = answer.all("set-cookie")
        if lines:
            assert [line.partition("=")[0] for line in lines] == [*COOKIES]
            text = lines[0].partition("=")[2].partition(";")[0]
            if json.loads(base64.b64decode(text))["token"]:
                change["cookie"] = (
                    "new", "; ".join(l.partition(";")[0] for l in lines),
                    "1y" if "expires=" in lines[0] else None)
            else:
                change["cookie"] = ("cleared",)
        methods = {"bearer": {"bearer"}, "cookie": {"cookie"},
                   "both": {"bearer", "cookie"}}[self.shop.method]
        assert not change or change.keys() == methods, answer
        return change


class ShopGateway(gateways.Gateway):
    """A gateway in front of a shop; it checks the tokens in its answers."""

    query_path = "/query"
    drops_empty_headers = True

    def __init__(self, shop, methods, **more):
        self.methods = set(methods.split(","))
        options = {"POSTERN_BACKEND": "vendure",
                   "POSTERN_TOKEN_METHOD": methods, **more}
        if shop.method == "cookie":
            options.setdefault("POSTERN_UPSTREAM_TOKEN", "cookie")
        # The tests log in hundreds of times from one address.
        for name in ("LOGIN_PER_ACCOUNT", "LOGIN_PER_ADDRESS"):
            if is_setting_known(name):
                options.setdefault("POSTERN_" + name, "off")
        super().__init__(shop, **options)

    def session_change(self, client, answer):
        """As Direct.session_change(). Checks the transports (design 2.1)."""
        change = {}
        token = answer.get(HEADER)
        if token is not None:
            change["bearer"] = ("new", token, None) if token else ("cleared",)
        if answer.all("set-cookie"):
            change["cookie"] = self._read_cookies(client, answer)
        self._check_transports(client, change, answer)
        return change

    @staticmethod
    def _read_cookies(client, answer):
        """The change of the user's and the guest's cookie, which have separate
        names: an answer sets one of them or clears both."""
        cookies = dict(pair.split("=", 1) for pair in (
            client.token or "").split("; ") if client.kind == "cookie" and pair)
        new = None
        for name, value, attributes in http_client.cookies_of(answer):
            assert {"Path=/", "HttpOnly", "Secure"} <= {*attributes}, answer
            assert "SameSite=Lax" in attributes or not value, answer
            age = [int(a[8:]) for a in attributes if a.startswith("Max-Age=")]
            assert value or age == [0], answer
            if name == DEVICE:
                continue  # the device cookie is not a session
            assert name in (gateways.COOKIE, GUEST), answer
            cookies.pop(name, None)
            if value:
                assert new is None, answer
                cookies[name], new = value, age or [None]
        token = "; ".join(f"{name}={value}" for name, value in cookies.items())
        return ("new", token, *new) if new else (
            "cleared" if not token else None, token)

    def _check_transports(self, client, change, answer):
        """An answer uses the transport of its request. A new session uses all
        configured transports, but a page of the gateway gets a cookie only. A
        client with a cookie ignores an empty token header."""
        allowed = self.methods if client.token is None else {client.kind}
        if client.is_page and "cookie" in allowed:
            allowed = {"cookie"}
        given = {transport for transport, what in change.items()
                 if what[0] == "new"}
        if given == {"bearer"} and change.get("cookie",
                                              [None])[0] == "cleared":
            # An anonymous session, instead of the header that lighttpd drops.
            assert "upstream" not in self.open_token(change["bearer"][1])
            given = set()
        assert not given or given == allowed, (allowed, answer)
        assert "cookie" not in change or "cookie" in allowed, (allowed, answer)
        if change:
            assert answer.get("cache-control") == "no-store", answer


class DirectFastCgi:
    """The programs of a gateway, called by FastCGI without lighttpd."""

    drops_empty_headers = False

    def __init__(self, gateway):
        self.gateway = gateway

    def __getattr__(self, name):
        return getattr(self.gateway, name)

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
        output = fcgi.request(self.socket_of(path[1:]), method, search,
                              body or b"", **values)
        assert output.stderr == b"" and output.app_status == 0
        answer = http_client.Answer("\r\n".join(
            [f"HTTP/1.1 {output.status} x"] + [
                f"{name}: {value}" for name, value in output.headers
                if name.lower() != "status"]).encode("latin-1"))
        answer.body, answer.whole = output.body, True
        self.received.append(answer.head + b"\r\n\r\n" + answer.body)
        return answer


def is_setting_known(name):
    with open(gateways.POSTERN, "rb") as file:
        return name.encode() in file.read()
