# SPDX-License-Identifier: ISC
"""demo/backend in Vendure's dialect, and clients that keep a session as a
browser or a stock client does: what an answer sets goes with the next
request, and they know no more."""

import base64
import hashlib
import json
import re
import secrets
import sqlite3
import urllib.parse

import gateway as gateways
import http_client

HEADER = "vendure-auth-token"
EMPTIED = base64.b64encode(b'{"token":""}').decode()

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
    """A running demo/backend of that kind, with products to buy."""

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
        """One request, straight to it."""
        headers = list(headers)
        if json_:
            body = json.dumps(json_).encode()
            headers.append(("Content-Type", "application/json"))
        with http_client.Connection(self.port) as line:
            return line.request(method, path or self.path, headers, body)

    def register(self, name="Ada Ward", email=None):
        account = gateways.Account(
            email or f"customer-{secrets.token_hex(6)}@example.com",
            "pass word " + secrets.token_hex(12), None)
        first, _, last = name.partition(" ")
        said = self.graphql(REGISTER, {"input": {
            "emailAddress": account.email, "firstName": first,
            "lastName": last, "password": account.password}})
        assert said["data"]["registerCustomerAccount"]["__typename"] == \
            "Success", said
        self.accounts.append(account)
        return account

    def seen(self):
        seen = super().seen()
        for request in seen:
            found = re.search(r"(?:^|; )session=([^;]+)",
                              request["header"].get("cookie", ""))
            if found and found[1] != EMPTIED:
                self.known.add(found[1].encode())
                self.known.add(json.loads(base64.b64decode(found[1]))
                               ["token"].encode())
        return seen

    def tokens_in(self, octets, hashes=None):
        hashes = self.hashes() if hashes is None else hashes
        found = {run.group() for run in re.finditer(
            rb"(?<![0-9a-f])[0-9a-f]{64}(?![0-9a-f])", octets)
            if hashlib.sha256(run.group()).digest() in hashes}
        return found | {token for token in self.known if any(
            form in octets for form in gateways.encodings_of(token))}

    def last_token(self):
        """Which token the last request brought, from header or cookie."""
        header = self.seen()[-1]["header"]
        if "authorization" in header:
            return header["authorization"].partition(" ")[2]
        value = re.search(r"session=([^;]+)", header.get("cookie", ""))
        return value and json.loads(base64.b64decode(value[1]))["token"]

    def is_live(self, token):
        """Does it still know this token?"""
        data = sqlite3.connect(self.data)
        row = data.execute("SELECT 1 FROM session WHERE hash = ?", [
            hashlib.sha256(token.encode()).digest()]).fetchone()
        data.close()
        return row is not None


class Client:
    """Sends what it was given, and notes what each answer `told`: "new",
    "cleared" or None."""

    def __init__(self, kind):
        assert kind in ("bearer", "cookie")
        self.kind, self.credential, self.session_change = kind, None, None

    def headers(self):
        if self.credential is None:
            return []
        return [("Authorization", "Bearer " + self.credential)
                if self.kind == "bearer" else ("Cookie", self.credential)]

    def note(self, answer, cookies):
        """cookies  the lines that are the session's, by name"""
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
    """A client of a shop, with nothing between."""

    def __init__(self, shop):
        super().__init__("cookie" if shop.method == "cookie" else "bearer")
        self.shop = shop

    def ask(self, query, variables=None, headers=()):
        answer = self.shop.raw(query=query, variables=variables, headers=[
            *headers, *self.headers()])
        return self.note(answer, pair_of)

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


def pair_of(answer):
    """The Cookie line of a shop's Set-Cookie lines; [] where it is emptied;
    None where there is none."""
    lines = [line.partition(";")[0] for line in answer.all("set-cookie")]
    if not lines:
        return None
    assert [line.partition("=")[0] for line in lines] == [
        "session", "session.sig"], answer
    return lines if token_in(lines[0]) else []


def ours_of(answer):
    """The same for a gateway's one line."""
    if not answer.all("set-cookie"):
        return None
    name, value, _ = http_client.cookie_of(answer)
    return [f"{name}={value}"] if value else []


# The client's method (POSTERN_TOKEN_METHOD), and what this client keeps of it.
CLIENT_METHODS = {"cookie": ("cookie", "cookie"), "bearer": ("bearer", "bearer"),
        "both by cookie": ("cookie,bearer", "cookie"),
        "both by bearer": ("cookie,bearer", "bearer")}

# How each backend hands its token out, for the gateway's configuration.
BACKENDS = {
    "bearer": {"POSTERN_BACKEND": "vendure"},
    "cookie": {"POSTERN_BACKEND": "vendure",
               "POSTERN_UPSTREAM_TOKEN": "cookie"},
    "both": {"POSTERN_BACKEND": "vendure"},
    "body": {}}


class GatewayClient(Client):
    """A client of a gateway; `cookie_set` are its last cookie's attributes."""

    def __init__(self, gate, kind):
        super().__init__(kind)
        self.gate, self.cookie_set = gate, []
        self.is_past = False

    def bypass_lighttpd(self):
        """The next request goes past lighttpd, which passes no header
        without a value: the empty token could not be seen behind it."""
        self.is_past = self.kind == "bearer"
        return self

    def _carry(self, method, path, body, headers):
        if not self.is_past:
            return self.gate.send(method, path, body, headers)
        self.is_past = False
        path, _, query = path.partition("?")
        answer = self.gate.direct(path[1:], method, query, body or b"", **{
            "CONTENT_TYPE" if name.lower() == "content-type"
            else "HTTP_" + name.upper().replace("-", "_"): value
            for name, value in headers})
        head = answer.stdout.partition(b"\r\n\r\n")[0]
        told = http_client.Answer(b"HTTP/1.1 %d\r\n" % answer.status + head)
        told.body, told.whole = answer.body, True
        return told

    def send(self, method, path, body=None, headers=()):
        answer = self._carry(method, path, body,
                             [*headers, *self.headers()])
        allowed = {self.kind} if self.credential else {"cookie", "bearer"}
        new = {kind for kind, is_new in (
            ("bearer", answer.get(HEADER)), ("cookie", ours_of(answer)))
            if is_new}
        assert new <= allowed, answer  # the carrier of the request
        if answer.all("set-cookie"):
            self.cookie_set = http_client.cookie_of(answer)[2]
        return self.note(answer, ours_of)

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
        """By JSON, a form, or the client's own mutation; the answer."""
        if by == "form":
            return self.send("POST", "/login", urllib.parse.urlencode({
                "email": account.email, "password": account.password,
                **({"rememberMe": "true"} if remember else {})}).encode(), [
                    ("Content-Type", "application/x-www-form-urlencoded"),
                    ("Origin", f"http://localhost:{self.gate.port}"),
                    ("Sec-Fetch-Site", "same-origin"),
                    ("Sec-Fetch-Mode", "navigate")])
        if by == "json":
            return self.post("/login", {
                "email": account.email, "password": account.password,
                "rememberMe": remember})
        fauna = not isinstance(self.gate.backend, Shop)
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
        """Of the last cookie; None is a browser session's."""
        ages = [int(a[8:]) for a in self.cookie_set
                if a.startswith("Max-Age=")]
        return ages[0] if ages else None
