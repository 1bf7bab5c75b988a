# SPDX-License-Identifier: ISC
"""demo/backend works as documented. Other tests cover Postern in front of it."""

import concurrent.futures
import http.client
import json
import os
import re
import signal
import socket
import sqlite3
import statistics
import subprocess
import time
import urllib.parse

import pytest

BACKEND = os.path.join(os.path.dirname(__file__), "../../demo/backend")
GRAPHQL = "application/graphql-response+json"
LOGIN = """mutation OwnerLogin($email: String!, $password: String!) {
    login(email: $email, password: $password) { secret ttl email ownerId }}"""
REGISTER = """mutation ($email: String!, $password: String!, $name: String!) {
    register(email: $email, password: $password, name: $name) {
        ownerId email name }}"""


class Backend:
    """A running demo/backend, and a client for it."""

    def __init__(self, *arguments):
        self.process = subprocess.Popen(
            [BACKEND, *arguments], stdout=subprocess.PIPE,
            stderr=subprocess.PIPE, text=True)
        line = self.process.stdout.readline()
        found = re.fullmatch(
            r"listening on http://127\.0\.0\.1:(\d+)/graphql\n", line)
        assert found, line + self.process.stderr.read()
        self.port = int(found[1])

    def connect(self):
        return http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)

    def send(self, method, path, body=None, **headers):
        """Returns the answer with its body read into .text and .json."""
        connection = self.connect()
        headers = {k.replace("_", "-"): v for k, v in headers.items()}
        connection.request(method, path, body, headers)
        answer = connection.getresponse()
        answer.text = answer.read().decode()
        connection.close()
        try:
            answer.json = json.loads(answer.text)
        except ValueError:
            answer.json = None
        return answer

    def post(self, request, **headers):
        headers.setdefault("Content_Type", "application/json")
        return self.send("POST", "/graphql", json.dumps(request), **headers)

    def ask(self, query, secret=None, **variables):
        headers = {"Authorization": "Bearer " + secret} if secret else {}
        answer = self.post({"query": query, "variables": variables},
                           **headers)
        assert answer.status == 200, answer.text
        return answer.json

    def login(self, email="demo@example.com", password="drawbridge-42"):
        return self.ask(LOGIN, email=email, password=password)

    def secret(self):
        return self.login()["data"]["login"]["secret"]

    def stop(self, number=signal.SIGTERM):
        """Returns the exit status and stderr."""
        self.process.send_signal(number)
        _, stderr = self.process.communicate(timeout=10)
        return self.process.returncode, stderr


@pytest.fixture(scope="module")
def backend():
    backend = Backend("--seed", "--test-hooks")
    yield backend
    assert backend.stop() == (0, "")


@pytest.fixture
def clean(backend):
    """The backend without recorded requests."""
    backend.send("DELETE", "/_seen")
    return backend


def code(answer):
    return answer["errors"][0]["extensions"]["code"]


# Accounts and tokens


def test_login_returns_a_secret_that_identifies_the_owner(backend):
    login = backend.login()["data"]["login"]
    assert set(login) == {"secret", "ttl", "email", "ownerId"}
    assert len(login["secret"]) == 43  # 32 random bytes
    ends = time.strptime(login["ttl"], "%Y-%m-%dT%H:%M:%SZ")
    left = time.mktime(ends) - time.mktime(time.gmtime())
    assert 3590 <= left <= 3600
    me = backend.ask("{ me { ownerId email name } }", login["secret"])
    assert me == {"data": {"me": {
        "ownerId": login["ownerId"], "email": "demo@example.com",
        "name": "Dora the Demo"}}}


def test_each_login_returns_a_new_secret(backend):
    assert backend.secret() != backend.secret()


@pytest.mark.parametrize("email, password", [
    ("demo@example.com", "wrong"), ("demo@example.com", ""),
    ("demo@example.com", "drawbridge-42 "), ("nobody@example.com", "wrong"),
    ("", ""), ("demo@example.com", "x" * 5000), ("' OR 1=1 --", "x")])
def test_failed_logins_all_return_the_same_error(backend, email, password):
    answer = backend.login(email, password)
    assert answer["data"] == {"login": None}
    assert [e["message"] for e in answer["errors"]] == [
        "Wrong e-mail or password."]
    assert code(answer) == "INVALID_CREDENTIALS"


def test_failed_login_takes_as_long_for_an_unknown_account(backend):
    def seconds(email):
        begin = time.monotonic()
        backend.login(email, "wrong")
        return time.monotonic() - begin
    pairs = [(seconds("demo@example.com"), seconds("nobody@example.com"))
             for _ in range(7)]
    known, unknown = (statistics.median(side) for side in zip(*pairs))
    assert known > 0.02  # it computed a slow hash
    assert 0.6 < known / unknown < 1.7


def test_logout_revokes_only_its_own_secret(backend):
    first, second = backend.secret(), backend.secret()
    assert backend.ask("mutation { logout }", first)["data"]["logout"] is True
    assert backend.ask("{ me { name } }", first)["data"]["me"] is None
    assert backend.ask("{ me { name } }", second)["data"]["me"] is not None
    assert backend.ask("mutation { logout }", first)["data"]["logout"] is False
    assert backend.ask("mutation { logout }")["data"]["logout"] is False


def test_a_secret_expires_at_its_ttl():
    backend = Backend("--seed", "--token-ttl", "4")
    try:
        secret = backend.secret()
        assert backend.ask("{ me { name } }", secret)["data"]["me"]
        time.sleep(4.1)
        assert backend.ask("{ me { name } }", secret)["data"]["me"] is None
        answer = backend.ask('mutation { createStore(name: "x") { id } }',
                             secret)
        assert code(answer) == "UNAUTHENTICATED"
    finally:
        backend.stop()


@pytest.mark.parametrize("authorization", [
    "", "Bearer", "Bearer ", "Bearer x", "Basic {}", "{}", "Bearer {}x",
    "Bearer x{}", "Bearer {} {}", "Bearer \u00e4"])
def test_malformed_authorization_is_ignored(backend, authorization):
    value = authorization.replace("{}", backend.secret()).encode("latin-1")
    answer = backend.post({"query": "{ me { name } }"}, Authorization=value)
    assert answer.json == {"data": {"me": None}}


def test_the_authorization_scheme_is_case_insensitive(backend):
    answer = backend.post({"query": "{ me { name } }"},
                          Authorization="bEARER " + backend.secret())
    assert answer.json["data"]["me"] == {"name": "Dora the Demo"}


def test_register_then_log_in(backend):
    answer = backend.ask(REGISTER, email="ada@example.com", name="Ada",
                         password="correct horse battery staple " * 3)
    owner = answer["data"]["register"]
    assert owner["name"] == "Ada"
    assert owner["email"] is None  # hidden from clients that are not logged in
    login = backend.login("ADA@example.com",
                          "correct horse battery staple " * 3)
    assert login["data"]["login"]["ownerId"] == owner["ownerId"]
    assert login["data"]["login"]["email"] == "ada@example.com"


@pytest.mark.parametrize("email, password, name, want", [
    ("demo@example.com", "long enough", "Dora", "EMAIL_TAKEN"),
    ("DEMO@example.com", "long enough", "Dora", "EMAIL_TAKEN"),
    ("no-address", "long enough", "N", "BAD_USER_INPUT"),
    ("a b@example.com", "long enough", "N", "BAD_USER_INPUT"),
    ("n@example.com", "short", "N", "BAD_USER_INPUT"),
    ("n@example.com", "x" * 1025, "N", "BAD_USER_INPUT"),
    ("n@example.com", "long enough", "  ", "BAD_USER_INPUT")])
def test_register_rejects_bad_input(backend, email, password, name, want):
    answer = backend.ask(REGISTER, email=email, password=password, name=name)
    assert code(answer) == want
    assert answer["data"] is None


def test_data_file_contains_no_secret(tmp_path):
    path = tmp_path / "data"
    backend = Backend("--seed", "--data", str(path))
    secret = backend.secret()
    assert backend.stop() == (0, "")
    assert path.stat().st_mode & 0o077 == 0
    content = path.read_bytes()
    assert b"demo@example.com" in content  # the search below works
    assert b"drawbridge-42" not in content
    assert secret.encode() not in content


def test_data_and_tokens_survive_a_restart(tmp_path):
    path = str(tmp_path / "data")
    backend = Backend("--seed", "--data", path)
    secret = backend.secret()
    backend.stop()
    backend = Backend("--seed", "--data", path)
    try:
        assert backend.ask("{ me { name } }", secret)["data"]["me"]
        stores = backend.ask("{ allStores { name } }")["data"]["allStores"]
        assert len(stores) == 2  # seeded once
    finally:
        backend.stop()
    with sqlite3.connect(path) as db:
        assert db.execute("SELECT count(*) FROM owner").fetchone() == (1,)


# Stores and products


def test_anonymous_clients_read_the_catalogue_without_email(backend):
    data = backend.ask("""{
        allStores { id name owner { name email } products { name price } }
        allProducts(first: 1) { name store { id } } }""")["data"]
    first = data["allStores"][0]
    assert first["name"] == "Gatehouse Goods"
    assert first["owner"] == {"name": "Dora the Demo", "email": None}
    assert first["products"][0] == {"name": "Iron key", "price": 12.5}
    assert data["allProducts"] == [
        {"name": "Iron key", "store": {"id": first["id"]}}]


@pytest.mark.parametrize("id", ["999", "x", "-1", "1e1", "9" * 40, "\u0661"])
def test_an_unknown_store_is_null(backend, id):
    data = backend.ask("query ($id: ID!) { store(id: $id) { id } }", id=id)
    assert data == {"data": {"store": None}}


def test_an_owner_creates_a_store_and_a_product(backend):
    secret = backend.secret()
    store = backend.ask('mutation { createStore(name: " Keep ") { id name } }',
                        secret)["data"]["createStore"]
    assert store["name"] == "Keep"
    answer = backend.ask(
        """mutation ($s: ID!) { createProduct(name: "Rope", price: 0.29,
            description: "Long.", storeId: $s) {
            name description price store { id owner { email } } } }""",
        secret, s=store["id"])
    assert answer["data"]["createProduct"] == {
        "name": "Rope", "description": "Long.", "price": 0.29,
        "store": {"id": store["id"], "owner": {"email": "demo@example.com"}}}
    found = backend.ask("query ($id: ID!) { store(id: $id) { products {"
                        "name } } }", id=store["id"])
    assert found["data"]["store"]["products"] == [{"name": "Rope"}]


def test_mutations_without_a_token_are_rejected(backend):
    for field in ('createStore(name: "x")',
                  'createProduct(name: "x", price: 1, storeId: 1)'):
        answer = backend.ask("mutation { %s { id } }" % field)
        assert code(answer) == "UNAUTHENTICATED"
        assert list(answer["data"].values()) == [None]


def test_create_product_rejects_bad_input(backend):
    backend.ask(REGISTER, email="eve@example.com", password="long enough",
                name="Eve")
    eve = backend.login("eve@example.com", "long enough")["data"]["login"]
    dora = backend.secret()
    create = """mutation ($price: Float!, $s: ID!, $name: String!) {
        createProduct(name: $name, price: $price, storeId: $s) { id } }"""
    for secret, price, store, name, want in [
            (eve["secret"], 1, "1", "x", "FORBIDDEN"),
            (dora, 1, "999", "x", "NOT_FOUND"),
            (dora, -0.01, "1", "x", "BAD_USER_INPUT"),
            (dora, float("inf"), "1", "x", "BAD_USER_INPUT"),
            (dora, float("nan"), "1", "x", "BAD_USER_INPUT"),
            (dora, 1, "1", " ", "BAD_USER_INPUT"),
            (dora, 1, "1", "x" * 2001, "BAD_USER_INPUT")]:
        answer = backend.ask(create, secret, price=price, s=store, name=name)
        assert code(answer) == want, (price, store, name)


@pytest.mark.parametrize("first", [-1, 1001])
def test_list_length_is_limited(backend, first):
    answer = backend.ask("query ($n: Int) { allStores(first: $n) { id } }",
                         n=first)
    assert code(answer) == "BAD_USER_INPUT"


def test_introspection_lists_the_mutations(backend):
    answer = backend.ask("{ __schema { mutationType { fields { name } } } }")
    fields = answer["data"]["__schema"]["mutationType"]["fields"]
    assert {f["name"] for f in fields} == {
        "register", "login", "logout", "createStore", "createProduct"}


# GraphQL over HTTP


@pytest.mark.parametrize("accept, want", [
    (None, "application/json"), ("*/*", "application/json"),
    ("application/json", "application/json"), (GRAPHQL, GRAPHQL),
    (GRAPHQL + ", application/json;q=0.9", GRAPHQL),
    ("text/html, " + GRAPHQL, GRAPHQL),
    (GRAPHQL + ";q=0, application/json", "application/json"),
    ("APPLICATION/*", "application/json")])
def test_accept_selects_the_content_type(backend, accept, want):
    headers = {"Accept": accept} if accept else {}
    answer = backend.post({"query": "{ me { name } }"}, **headers)
    assert answer.status == 200
    assert answer.getheader("Content-Type") == want + "; charset=utf-8"


def test_an_unsupported_accept_is_406(backend):
    answer = backend.post({"query": "{ me { name } }"}, Accept="text/html")
    assert answer.status == 406


@pytest.mark.parametrize("query", ["{", "{ nothing }", "", "{ me }",
                                   "query A { me { name } } query A { x }",
                                   "query ($x: Int!) { me { name } }",
                                   "{ " * 3000])
def test_an_invalid_document_is_an_error_with_200_or_400(backend, query):
    answer = backend.post({"query": query})
    assert answer.status == 200
    assert answer.json["errors"] and "data" not in answer.json
    assert backend.post({"query": query}, Accept=GRAPHQL).status == 400


@pytest.mark.parametrize("body, want", [
    ("", 400), ("{", 400), ("[]", 400), ("null", 400), ("{}", 400),
    ('{"query": 1}', 400), ('{"query": "{a}", "variables": []}', 400),
    ('{"query": "{a}", "operationName": 1}', 400), ("[" * 100000, 400),
    ('{"query": "{me{name}}", "variables": {"x": "\\ud800"}}', 400),
    ('[{"query": "{ me { name } }"}]', 400), (b'{"query": "\xff"}', 400)])
def test_an_invalid_body_is_400(backend, body, want):
    answer = backend.send("POST", "/graphql", body,
                          Content_Type="application/json")
    assert answer.status == want
    assert answer.json["errors"]


@pytest.mark.parametrize("kind", ["text/plain", "application/graphql", "x",
                                  "application/x-www-form-urlencoded"])
def test_an_unsupported_content_type_is_415(backend, kind):
    answer = backend.post({"query": "{ me { name } }"}, Content_Type=kind)
    assert answer.status == 415


def test_get_runs_queries_but_not_mutations(backend):
    def get(**parameters):
        return backend.send("GET", "/graphql?"
                            + urllib.parse.urlencode(parameters))
    answer = get(query="query ($id: ID!) { store(id: $id) { name } }",
                 variables='{"id": "1"}')
    assert answer.json == {"data": {"store": {"name": "Gatehouse Goods"}}}
    both = 'query Q { me { name } } mutation M { createStore(name: "x") {id} }'
    assert get(query=both, operationName="Q").status == 200
    for parameters in ({"query": "mutation { logout }"},
                       {"query": both, "operationName": "M"}):
        answer = get(**parameters)
        assert answer.status == 405
        assert answer.getheader("Allow") == "POST"
    assert get().status == 400
    assert get(query="{ me { name } }", variables="{").status == 400


@pytest.mark.parametrize("method, path, want", [
    ("GET", "/", 404), ("POST", "/graphql/x", 404), ("PUT", "/graphql", 405),
    ("DELETE", "/graphql", 405), ("OPTIONS", "/graphql", 405),
    ("HEAD", "/graphql", 405)])
def test_other_paths_and_methods(backend, method, path, want):
    assert backend.send(method, path).status == want


def test_a_connection_is_reused_with_correct_content_length(backend):
    connection = backend.connect()
    for query in ["{ me { name } }", "{", "{ allStores { name } }"] * 3:
        connection.request("POST", "/graphql", json.dumps({"query": query}),
                           {"Content-Type": "application/json"})
        own = connection.sock
        answer = connection.getresponse()
        text = answer.read()
        assert int(answer.getheader("Content-Length")) == len(text)
        assert json.loads(text)
        assert connection.sock is own and own is not None
    connection.close()


def test_a_chunked_body_is_read(backend):
    connection = backend.connect()
    body = json.dumps({"query": "{ me { name } }"}).encode()
    connection.request("POST", "/graphql", iter([body[:5], body[5:]]),
                       {"Content-Type": "application/json"},
                       encode_chunked=True)
    assert json.load(connection.getresponse()) == {"data": {"me": None}}
    connection.close()


@pytest.mark.parametrize("header", [
    "Content-Length: -1", "Content-Length: x",
    "Content-Length: 99999999999", "Transfer-Encoding: chunked\r\n\r\nzz"])
def test_a_bad_body_length_closes_the_connection(backend, header):
    with socket.create_connection(("127.0.0.1", backend.port), 20) as connection:
        connection.sendall(f"POST /graphql HTTP/1.1\r\n{header}\r\n\r\n".encode())
        text = b""
        while data := connection.recv(4096):
            text += data
    assert text.startswith(b"HTTP/1.1 400 ")


def test_concurrent_requests_see_their_own_account(backend):
    secrets = []
    for number in range(4):
        email = f"crowd{number}@example.com"
        backend.ask(REGISTER, email=email, password="long enough",
                    name=f"Crowd {number}")
        login = backend.login(email, "long enough")["data"]["login"]
        secrets.append((login["secret"], f"Crowd {number}"))

    def one(number):
        secret, name = secrets[number % 4]
        answer = backend.ask("{ me { name } allStores { name } }", secret)
        return answer["data"]["me"]["name"] == name
    with concurrent.futures.ThreadPoolExecutor(16) as pool:
        assert all(pool.map(one, range(200)))


# The process, and the test hooks


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_stops_it_cleanly(number):
    backend = Backend()
    idle = backend.connect()
    idle.request("GET", "/graphql?query={me{name}}")
    idle.getresponse().read()
    begin = time.monotonic()
    assert backend.stop(number) == (0, "")
    assert time.monotonic() - begin < 3  # an idle client does not delay it
    idle.close()


def test_a_port_in_use_is_reported_in_one_line(backend):
    second = subprocess.run([BACKEND, "--port", str(backend.port)],
                            capture_output=True, text=True, timeout=20)
    assert second.returncode == 1
    assert re.fullmatch(r"backend: .*in use\n", second.stderr)


def test_hooks_are_off_by_default():
    backend = Backend()
    try:
        assert backend.send("GET", "/_seen").status == 404
        assert backend.send("POST", "/_next", "{}").status == 404
    finally:
        backend.stop()


def test_seen_lists_the_requests(clean):
    clean.post({"query": "{ me { name } }"}, X_Probe="1", x_probe="2")
    seen = clean.send("GET", "/_seen").json
    assert len(seen) == 1
    assert (seen[0]["method"], seen[0]["path"]) == ("POST", "/graphql")
    assert seen[0]["body"] == '{"query": "{ me { name } }"}'
    assert [v for k, v in seen[0]["headers"] if k == "X-Probe"] == ["1"]
    assert seen[0]["length"] == len(seen[0]["body"])


def test_next_replaces_one_response(clean):
    clean.send("POST", "/_next", json.dumps({
        "status": 503, "body": "busy",
        "headers": [["Retry-After", "7"], ["X-Twice", "a"],
                    ["X-Twice", "b"]]}))
    answer = clean.post({"query": "{ me { name } }"})
    assert (answer.status, answer.text) == (503, "busy")
    assert answer.getheaders() == [
        ("Retry-After", "7"), ("X-Twice", "a"), ("X-Twice", "b"),
        ("Content-Length", "4")]
    assert clean.post({"query": "{ me { name } }"}).status == 200


def test_next_can_delay_truncate_and_close(clean):
    def plan(**canned):
        clean.send("POST", "/_next", json.dumps(canned))
    plan(chunks=["one", 0.2, "two"], delay=0.2)
    begin = time.monotonic()
    assert clean.post({}).text == "onetwo"
    assert time.monotonic() - begin >= 0.4
    plan(chunks=["one"], cut=True)
    with pytest.raises(http.client.IncompleteRead):
        clean.post({})
    plan(close=True)
    with pytest.raises(http.client.RemoteDisconnected):
        clean.post({})
    plan(raw="SFRUUC8xLjEgMjA0IFgNCg0K")  # HTTP/1.1 204 X
    assert clean.post({}).status == 204
