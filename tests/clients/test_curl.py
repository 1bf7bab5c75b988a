# SPDX-License-Identifier: ISC
"""curl gives the same results directly at the backend and through the gateway
(issue 8)."""

import hashlib
import json
import re
import secrets
import subprocess

import pytest

JSON = ("-H", "Content-Type: application/json")
ME = "query Me { me { email name } }"
LOGIN = """mutation ($email: String!, $password: String!) {
    login(email: $email, password: $password) { secret ttl email ownerId } }"""
UPLOAD = "mutation ($file: File!) { upload(file: $file) { name size sha256 } }"
UPLOADS = """mutation ($files: [File!]!) {
    uploads(files: $files) { name size sha256 } }"""
ECHO = "query E($text: String!) { echo(text: $text) }"
TICKS = "subscription ($key: ID!) { ticks(key: $key, count: 3) }"
LARGE = "query L($size: Int!) { text(size: $size) }"
LARGE_SIZE = 2 << 20  # bytes of an answer
FILE_SIZE = 3 << 20   # large enough that curl sends Expect: 100-continue


class Curl:
    """curl with a cookie jar, or with a bearer token."""

    def __init__(self, url, kind, folder):
        self.url, self.kind, self.folder = url, kind, folder
        self.token = None

    def credentials(self):
        if self.kind == "cookie":
            return ["-b", self.folder / "jar", "-c", self.folder / "jar"]
        return (["-H", f"Authorization: Bearer {self.token}"]
                if self.token else [])

    def __call__(self, *arguments, path=""):
        """(status, body)"""
        done = subprocess.run(
            ["curl", "-q", "-s", "-S", "--max-time", "30", "-w",
             "\n%{http_code}", "-D", self.folder / "head", *self.credentials(),
             *arguments, self.url.rpartition("/")[0] + path if path
             else self.url], stdin=subprocess.DEVNULL, timeout=60, check=False,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        assert done.returncode == 0, done
        body, _, status = done.stdout.rpartition(b"\n")
        return int(status), body

    def json(self, value, *more, path=""):
        status, body = self(*JSON, *more, "-d", json.dumps(value), path=path)
        return status, json.loads(body)

    def head(self, name):
        """A header of the last answer, or None."""
        text = (self.folder / "head").read_bytes().decode("latin-1")
        found = re.findall(rf"(?im)^{name}: *(.*?)\r$", text)
        return found[-1] if found else None

    def log_in(self, account):
        status, answer = self.json({"query": LOGIN, "variables": {
            "email": account.email, "password": account.password}})
        assert status == 200 and answer["data"]["login"]["email"] == (
            account.email), answer
        self.token = (self.head("vendure-auth-token")
                      or answer["data"]["login"]["secret"])
        assert self.kind == "cookie" or self.token
        return answer


@pytest.fixture(name="gateway", scope="module", params=["cookie", "bearer"])
def gateway_fixture(request, gateway_for):
    return gateway_for(request.param), request.param


@pytest.fixture(name="curl")
def curl_fixture(gateway, tmp_path):
    return Curl(f"http://localhost:{gateway[0].port}/query", gateway[1],
                tmp_path)


@pytest.fixture(name="direct")
def direct_fixture(server, tmp_path_factory):
    return Curl(server.url, "bearer", tmp_path_factory.mktemp("direct"))


@pytest.fixture(name="same_answer")
def same_answer_fixture(server, curl, direct):
    """same_answer(arguments…) runs curl directly and through the gateway for
    one user, and returns the answer, which must be the same."""
    account = server.register()
    for one in (curl, direct):
        one.log_in(account)

    def ask(*arguments):
        answer, wanted = curl(*arguments), direct(*arguments)
        assert answer == wanted
        return answer
    return ask


def test_json_requests_and_batches(same_answer):
    status, body = same_answer(*JSON, "-d", json.dumps({"query": ME}))
    assert status == 200 and b'"me":{"email":"user-' in body
    same_answer("-H", "Content-Type: application/json; charset=utf-8", "-d",
                json.dumps({"query": ECHO, "operationName": "E",
                            "variables": {"text": "é \u2028 \U0001f3c3"}},
                           ensure_ascii=False))
    same_answer(*JSON, "-d", json.dumps([
        {"query": ME}, {"query": "{ nothing }"},
        {"query": ECHO, "variables": {"text": ""}}]))


DOCUMENTS = {
    "line ends": "query Me {\r\n  me {\r\n    email\r\n  }\r\n}\r\n",
    "comments": "# é } \"\nquery Me { # {\n me, { email,, } }\n#",
    "BOM and tabs": "\ufeff\t{\tme\t{\temail\t}\t}\n\n",
    "block string": '{ a: echo(text: """\n    one\n      # two\n    """) }',
    "escapes": r'{ a: echo(text: "\u00e9 \ud83c\udfc3 \n\t\b \\ \" \/") }',
    "punctuation": '{a:echo(text:"")b:echo(text:"#{}()[]!$@|&=:...")}',
    "keywords": "query query { query: me { type: email fragment: __typename"
                " on: __typename } }",
    "several": "query A { me { email } } query B { me { name } }",
    "directives": "query Me($a: Boolean = true) @a { me @include(if: $a) {"
                  " ... @skip(if: false) { email } } }",
    "validation": "{ nothing(a: 1) { b } }",
    "variables": "query Me($a: [[Int!]!] = [[1, -2], []] $b: Float = -1.5e+3)"
                 " { me { email } }",
}


@pytest.mark.parametrize("document", DOCUMENTS)
def test_documents_of_many_forms(same_answer, document):
    """All parts of the GraphQL syntax."""
    same_answer(*JSON, "-d", json.dumps(
        {"query": DOCUMENTS[document],
         "operationName": "B" if document == "several" else None}))


def test_queries_by_get_and_no_mutation(same_answer, curl):
    for accept in ("*/*", "application/json",
                   "application/graphql-response+json"):
        status, body = same_answer("-G", "-H", f"Accept: {accept}",
                                   "--data-urlencode", "query={ me { email } }")
        assert status == 200 and b"user-" in body
        same_answer("-G", "-H", f"Accept: {accept}", "--data-urlencode",
                    f"query={ME} {ECHO}", "-d", "operationName=E",
                    "--data-urlencode", 'variables={"text": "a b+c&d=é"}')
    status, body = curl("-G", "--data-urlencode", "query=mutation { logout }")
    assert status == 405 and curl.head("allow") == "POST", body


def persisted(document):
    return json.dumps({"persistedQuery": {
        "version": 1, "sha256Hash": hashlib.sha256(document.encode())
        .hexdigest()}})


def test_automatic_persisted_queries(same_answer, curl, direct):
    """The requests of Apollo's manual."""
    document = f"{{ __typename me {{ email }} }} # {secrets.token_hex(8)}"
    extensions = ("--data-urlencode", f"extensions={persisted(document)}")
    for one in (direct, curl):
        status, body = one("-G", *extensions)
        (error,) = json.loads(body)["errors"]
        error["extensions"].pop("requestId", None)
        assert status == 200 and error == {
            "message": "PersistedQueryNotFound",
            "extensions": {"code": "PERSISTED_QUERY_NOT_FOUND"}}
    same_answer("-G", *extensions, "--data-urlencode", f"query={document}")
    status, body = same_answer("-G", *extensions)
    assert status == 200 and b"user-" in body
    same_answer(*JSON, "-d", '{"extensions":%s}' % persisted(document))


@pytest.mark.parametrize("compressed", [[], ["--compressed"]],
                         ids=["plain", "gzip"])
def test_large_answer_by_hash(same_answer, compressed):
    """U33: the size does not matter."""
    request = ["-G", *compressed, "-d", "variables=%%7B%%22size%%22:%d%%7D"
               % LARGE_SIZE, "--data-urlencode",
               f"extensions={persisted(LARGE)}"]
    same_answer(*request, "--data-urlencode", f"query={LARGE}")
    status, body = same_answer(*request)
    assert status == 200
    assert json.loads(body) == {"data": {"text": "x" * LARGE_SIZE}}


def test_event_stream_by_hash_is_not_buffered(server, curl):
    """U33: POST by hash with text/event-stream. The backend sends the next
    event only after the client has the one before."""
    curl.log_in(server.register())
    key = hashlib.sha256(str(curl.folder).encode()).hexdigest()
    text = {"query": TICKS, "variables": {"key": key + "0"},
            "extensions": json.loads(persisted(TICKS))}
    for _ in range(2):
        server.go(key + "0")
    status, body = curl(*JSON, "-H", "Accept: text/event-stream", "-d",
                        json.dumps(text))
    assert status == 200 and body.count(b'"ticks"') == 3
    process = subprocess.Popen(
        ["curl", "-q", "-s", "-N", "--max-time", "20", *curl.credentials(),
         *JSON, "-H", "Accept: text/event-stream", "-d", json.dumps(
             {**text, "query": None, "variables": {"key": key}}), curl.url],
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True)
    events = []
    for line in process.stdout:
        if '"ticks"' in line:
            events.append(json.loads(line.partition(":")[2])["data"]["ticks"])
            if len(events) < 3:
                server.go(key)
    assert process.wait(30) == 0 and events == [1, 2, 3]


def test_login_with_literal_arguments(server, curl, direct):
    """The document has no variables and does not select the secret."""
    account = server.register()
    document = "mutation{login(email:%s,password:%s){email}}"
    wrong = {"query": document % (json.dumps(account.email), '"wrong"')}
    right = {"query": document % tuple(map(json.dumps, (
        account.email, account.password)))}
    assert direct.json(right) == (200, {"data": {"login": {
        "email": account.email}}})
    status, answer = direct.json(wrong)
    status2, answer2 = curl.json(wrong)
    assert status == status2 == 200 and answer2["data"] == answer["data"]
    assert [(e["message"], e["path"], e["extensions"])
            for e in answer["errors"]] == [
        (e["message"], e["path"], e["extensions"]) for e in answer2["errors"]]
    assert curl.json({"query": ME})[1]["errors"]
    assert curl.json(right) == (200, {"data": {"login": {
        "email": account.email}}})
    curl.token = curl.head("vendure-auth-token")
    assert curl.json({"query": ME})[1]["data"]["me"]["email"] == account.email


def test_login_session_and_logout_programs(server, curl, gateway):
    account = server.register()
    name = {"email": account.email}
    status, answer = curl.json({**name, "password": "wrong"}, path="/login")
    assert status == 401 and answer["errors"][0]["extensions"]["code"] == (
        "UNAUTHENTICATED")
    status, answer = curl.json({**name, "password": account.password},
                               path="/login")
    assert status == 200 and answer["data"]["login"]["email"] == account.email
    curl.token = curl.head("vendure-auth-token")
    assert curl.json({"query": ME})[1]["data"]["me"]["email"] == account.email
    status, body = curl(path="/session")
    session = json.loads(body)["data"]["session"]
    assert status == 200 and session["subject"] == account.owner
    status, body = curl("-d", "", path="/logout")
    assert (status, json.loads(body)) == (200, {"data": {"logout": {
        "success": True}}})
    if gateway[1] == "cookie":  # curl has deleted the cookie
        assert curl.json({"query": ME})[1]["data"]["me"] is None
    else:
        assert curl.json({"query": ME})[0] == 401


def test_login_form(server, curl, gateway):
    account = server.register()
    fields = ("--data-urlencode", f"email={account.email}",
              "--data-urlencode")
    status, _ = curl(*fields, "password=wrong", path="/login")
    assert status == 401
    status, _ = curl(*fields, f"password={account.password}", path="/login")
    assert status == 303 and curl.head("location") == "/"
    curl.token = curl.head("vendure-auth-token")
    if gateway[1] == "cookie" or curl.token:
        answer = curl.json({"query": ME})[1]
        assert answer["data"]["me"]["email"] == account.email


def operations(document, **variables):
    return "operations=" + json.dumps({"query": document,
                                       "variables": variables})


@pytest.fixture(name="files")
def files_fixture(tmp_path):
    (tmp_path / "a.txt").write_text("Alpha file content.\n", encoding="utf-8")
    (tmp_path / "b.txt").write_bytes(b"b" * FILE_SIZE)
    return [f"@{tmp_path}/a.txt", f"@{tmp_path}/b.txt"]


def uploads(files):
    """The three forms of the GraphQL multipart request specification."""
    one, other = files
    return {
        "single": ["-F", operations(UPLOAD, file=None),
                   "-F", 'map={ "0": ["variables.file"] }', "-F", f"0={one}"],
        "list": ["-F", operations(UPLOADS, files=[None, None]), "-F",
                 'map={ "0": ["variables.files.0"], "1": ["variables.files.1"] }',
                 "-F", f"0={one}", "-F", f"1={other}"],
        "batch": ["-F", "operations=" + json.dumps([
            {"query": UPLOAD, "variables": {"file": None}},
            {"query": UPLOADS, "variables": {"files": [None, None]}}]),
            "-F", 'map={ "0": ["0.variables.file"], '
            '"1": ["1.variables.files.0"], "2": ["1.variables.files.1"] }',
            "-F", f"0={one}", "-F", f"1={other}", "-F", f"2={one}"]}


@pytest.mark.parametrize("kind", ["single", "list", "batch"])
def test_uploads_of_a_user(same_answer, curl, gateway, files, kind):
    """A bearer token needs nothing more. With a cookie curl must send a header
    that a form of another site cannot send (design 2.7)."""
    upload = uploads(files)[kind]
    if gateway[1] == "cookie":
        status, body = curl(*upload)
        assert status == 403, body
        assert json.loads(body)["errors"][0]["extensions"]["code"] == (
            "CROSS_SITE")
        upload += ["-H", "graphql-preflight: 1"]
    status, body = same_answer(*upload)
    assert status == 200 and b"a.txt" in body and b"errors" not in body


@pytest.mark.parametrize("kind", ["single", "list", "batch"])
def test_uploads_without_a_session(curl, direct, files, kind):
    upload = uploads(files)[kind]
    answer = curl(*upload)
    assert answer == direct(*upload)
    assert answer[0] == 200 and b"a.txt" in answer[1]
