# SPDX-License-Identifier: ISC
"""demo/backend in Vendure's dialect, and clients that keep a session like a
browser or a stock client: they send the cookie or token of the last answer
with the next request, and keep no other state."""

import base64
import hashlib
import json
import re
import secrets
import sqlite3
import urllib.parse

import canary
import gateway as gateways
import http_client

HEADER = "vendure-auth-token"
EMPTY_COOKIE = base64.b64encode(b'{"token":""}').decode()

ORDER = """__typename ... on Order { id code totalQuantity total
    lines { id quantity productVariant { id } } }
    ... on ErrorResult { errorCode message }"""
ADD = """mutation Add($id: ID!, $n: Int!) {
    addItemToOrder(productVariantId: $id, quantity: $n) { %s } }""" % ORDER
ACTIVE = "query Active { activeOrder { id code totalQuantity state } }"
LOGIN = """mutation LogIn($username: String!, $password: String!,
        $rememberMe: Boolean) {
    login(username: $username, password: $password, rememberMe: $rememberMe) {
        __typename ... on CurrentUser { id identifier }
        ... on ErrorResult { errorCode message } } }"""
LOGOUT = "mutation LogOut { logout { success } }"
ME = "query Me { me { id identifier } }"
PRODUCTS = "query Products { products(options: {take: 2}) { totalItems } }"
REGISTER = """mutation Register($input: RegisterCustomerInput!) {
    registerCustomerAccount(input: $input) { __typename } }"""


class Shop(gateways.Backend):
    """A running demo/backend in Vendure's dialect, with products to buy."""

    def __init__(self, method="bearer", *arguments):
        self.method = method
        super().__init__("--seed", "--quick", "--dialect", "vendure",
                         "--token-method", method, *arguments)

    def _remember_hashes(self):
        with sqlite3.connect(self.data) as data:
            data.executescript("""
                CREATE TABLE ever (hash BLOB PRIMARY KEY);
                CREATE TRIGGER remember AFTER INSERT ON session
                    BEGIN INSERT INTO ever VALUES (NEW.hash); END;""")
        data.close()

    def raw(self, method="POST", path=None, body=None, headers=(), **json_):
        """Send one request directly to the backend."""
        headers = list(headers)
        if json_:
            body = json.dumps(json_).encode()
            headers.append(("Content-Type", "application/json"))
        with http_client.Connection(self.port) as connection:
            return connection.request(method, path or self.path, headers, body)

    def register(self, name="Ada Ward", email=None):
        account = gateways.Account(
            email or f"customer-{secrets.token_hex(6)}@example.com",
            f"{canary.PASSWORD} {secrets.token_hex(12)}", None)
        first, _, last = name.partition(" ")
        answer = self.graphql(REGISTER, {"input": {
            "emailAddress": account.email, "firstName": first,
            "lastName": last, "password": account.password}})
        assert answer["data"]["registerCustomerAccount"]["__typename"] == \
            "Success", answer
        self.accounts.append(account)
        return account

    def seen(self):
        seen = super().seen()
        for request in seen:
            found = re.search(r"(?:^|; )session=([^;]+)",
                              request["header"].get("cookie", ""))
            if found and found[1] != EMPTY_COOKIE:
                self.known.add(found[1].encode())
                self.known.add(json.loads(base64.b64decode(found[1]))
                               ["token"].encode())
        return seen

    def tokens_in(self, data, hashes=None):
        hashes = self.hashes() if hashes is None else hashes
        found = {match.group() for match in re.finditer(
            rb"(?<![0-9a-f])[0-9a-f]{64}(?![0-9a-f])", data)
            if hashlib.sha256(match.group()).digest() in hashes}
        return found | {token for token in self.known if any(
            form in data for form in canary.encodings_of(token))}

    def last_token(self):
        """The token in the header or the cookie of the last request."""
        header = self.seen()[-1]["header"]
        if "authorization" in header:
            return header["authorization"].partition(" ")[2]
        value = re.search(r"session=([^;]+)", header.get("cookie", ""))
        return value and json.loads(base64.b64decode(value[1]))["token"]

    def is_live(self, token):
        """Whether the backend still has a session for this token."""
        data = sqlite3.connect(self.data)
        row = data.execute("SELECT 1 FROM session WHERE hash = ?", [
            hashlib.sha256(token.encode()).digest()]).fetchone()
        data.close()
        return row is not None


class Client:
    """Sends its credential (a Cookie value or a bearer token) with each request.

    session_change  what the last answer did: "new", "cleared" or None
    """

    def __init__(self, kind):
        assert kind in ("bearer", "cookie")
        self.kind, self.credential, self.session_change = kind, None, None

    def headers(self):
        if self.credential is None:
            return []
        return [("Authorization", "Bearer " + self.credential)
                if self.kind == "bearer" else ("Cookie", self.credential)]

    def note(self, answer, cookies):
        """Keep the credential of an answer.

        cookies  returns the session's name=value pairs; [] if cleared
        """
        self.session_change = None
        if self.kind == "bearer":
            value = answer.get(HEADER)
        else:
            lines = cookies(answer)
            value = lines and "; ".join(lines)
        if value is None:
            return answer
        self.credential = value or None
        self.session_change = "new" if self.credential else "cleared"
        return answer


class ShopClient(Client):
    """A client that sends its requests directly to a shop."""

    def __init__(self, shop):
        super().__init__("cookie" if shop.method == "cookie" else "bearer")
        self.shop = shop

    def ask(self, query, variables=None, headers=()):
        answer = self.shop.raw(query=query, variables=variables, headers=[
            *headers, *self.headers()])
        return self.note(answer, shop_cookies_of)

    def add(self, variant=1, quantity=1):
        answer = self.ask(ADD, {"id": variant, "n": quantity})
        return answer.json["data"]["addItemToOrder"]

    def active(self):
        return self.ask(ACTIVE).json["data"]["activeOrder"]

    def log_in(self, account, **more):
        self.ask(LOGIN, {"username": account.email,
                         "password": account.password, **more})
        return self

    @property
    def token(self):
        if self.credential is None or self.kind == "bearer":
            return self.credential
        return token_in(self.credential)


def token_in(cookies):
    value = re.search(r"session=([^;]*)", cookies)[1]
    return json.loads(base64.b64decode(value))["token"]


def shop_cookies_of(answer):
    """The name=value pairs of a shop's Set-Cookie lines; [] if they contain no
    token; None if there is no Set-Cookie."""
    lines = [line.partition(";")[0] for line in answer.all("set-cookie")]
    if not lines:
        return None
    assert [line.partition("=")[0] for line in lines] == [
        "session", "session.sig"], answer
    return lines if token_in(lines[0]) else []


def gateway_cookies_of(answer):
    """The same for the gateway's single session cookie."""
    if not answer.all("set-cookie"):
        return None
    name, value, _ = http_client.cookie_of(answer)
    return [f"{name}={value}"] if value else []


# POSTERN_TOKEN_METHOD, and the kind of token that the client keeps.
CLIENT_METHODS = {
    "cookie": ("cookie", "cookie"), "bearer": ("bearer", "bearer"),
    "both by cookie": ("cookie,bearer", "cookie"),
    "both by bearer": ("cookie,bearer", "bearer")}

# The gateway's configuration for each way a backend returns its token.
BACKENDS = {
    "bearer": {"POSTERN_BACKEND": "vendure"},
    "cookie": {"POSTERN_BACKEND": "vendure",
               "POSTERN_UPSTREAM_TOKEN": "cookie"},
    "both": {"POSTERN_BACKEND": "vendure"},
    "body": {}}


class GatewayClient(Client):
    """A client of a gateway.

    cookie_attributes  of the last session cookie
    """

    def __init__(self, gateway, kind):
        super().__init__(kind)
        self.gateway, self.cookie_attributes = gateway, []
        self.is_bypassing = False

    def bypass_lighttpd(self):
        """Send the next request without lighttpd. lighttpd drops headers that
        have no value, so it hides the empty token that clears a session."""
        self.is_bypassing = self.kind == "bearer"
        return self

    def _request(self, method, path, body, headers):
        if not self.is_bypassing:
            return self.gateway.send(method, path, body, headers)
        self.is_bypassing = False
        path, _, query = path.partition("?")
        answer = self.gateway.direct(path[1:], method, query, body or b"", **{
            "CONTENT_TYPE" if name.lower() == "content-type"
            else "HTTP_" + name.upper().replace("-", "_"): value
            for name, value in headers})
        head = answer.stdout.partition(b"\r\n\r\n")[0]
        http_answer = http_client.Answer(
            b"HTTP/1.1 %d\r\n" % answer.status + head)
        http_answer.body, http_answer.whole = answer.body, True
        return http_answer

    def send(self, method, path, body=None, headers=()):
        answer = self._request(method, path, body,
                             [*headers, *self.headers()])
        allowed = {self.kind} if self.credential else {"cookie", "bearer"}
        new = {kind for kind, is_new in (
            ("bearer", answer.get(HEADER)),
            ("cookie", gateway_cookies_of(answer)))
            if is_new}
        # A session stays where it was: in the cookie or in the header.
        assert new <= allowed, answer
        if answer.all("set-cookie"):
            self.cookie_attributes = http_client.cookie_of(answer)[2]
        return self.note(answer, gateway_cookies_of)

    def post(self, path, value=None, headers=()):
        headers = list(headers)
        if value is not None:
            headers.append(("Content-Type", "application/json"))
            value = json.dumps(value).encode()
        return self.send("POST", path, value or b"", headers)

    def ask(self, query, variables=None, headers=(), search=""):
        return self.post("/query" + search, {
            "query": query, "variables": variables}, headers)

    def add(self, variant=1, quantity=1):
        answer = self.ask(ADD, {"id": variant, "n": quantity})
        return answer.json["data"]["addItemToOrder"]

    def active(self):
        return self.ask(ACTIVE).json["data"]["activeOrder"]

    def log_in(self, account, by="json", remember=False):
        """Log in by JSON, by a form, or by a mutation of the client's own.

        by  "json", "form", or the path that the mutation is posted to
        """
        if by == "form":
            return self.send("POST", "/login", urllib.parse.urlencode({
                "email": account.email, "password": account.password,
                **({"rememberMe": "true"} if remember else {})}).encode(), [
                    ("Content-Type", "application/x-www-form-urlencoded"),
                    ("Origin", f"http://localhost:{self.gateway.port}"),
                    ("Sec-Fetch-Site", "same-origin"),
                    ("Sec-Fetch-Mode", "navigate")])
        if by == "json":
            return self.post("/login", {
                "email": account.email, "password": account.password,
                "rememberMe": remember})
        fauna = not isinstance(self.gateway.backend, Shop)
        return self.post({"/login": "/login", "/query": "/query"}[by], {
            "query": gateways.LOGIN if fauna else LOGIN, "variables": {
                "email" if fauna else "username": account.email,
                "password": account.password,
                **({} if fauna else {"rememberMe": remember})}})

    def session(self):
        answer = self.send("GET", "/session")
        assert answer.status == 200, answer
        return answer.json["data"]["session"]

    @property
    def max_age(self):
        """Max-Age of the last cookie; None for a browser session."""
        ages = [int(a[8:]) for a in self.cookie_attributes
                if a.startswith("Max-Age=")]
        return ages[0] if ages else None
