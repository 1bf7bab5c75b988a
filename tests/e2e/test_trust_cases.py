# SPDX-License-Identifier: ISC
"""Known attacks and the right answer to each (L53 to L60, L65 to L67), sent
byte for byte through a real lighttpd."""
import concurrent.futures
import hashlib
import json
import time
import urllib.parse

import fcgi
import hostile
import pytest

pytestmark = pytest.mark.quick

JSON = ("Content-Type", "application/json")
GRAPHQL = ("Accept", "application/graphql-response+json")
PASSWORD = "correct horse battery"
STORED_LOGIN = (
    "mutation($email:String,$password:String!){login(email:$email,"
    "password:$password){secret ttl email ownerId session{secret}}}")
SIGN_IN = ["""mutation($email:String!,$password:String!){
    login:signIn(email:$email,password:$password){secret ttl email ownerId}}
    """]
OWNER = ["""mutation($email:String!,$password:String!){
    login(email:$email,password:$password){secret ttl email owner{id}}}"""]


class Case:
    """A gateway before a hostile backend, the account of a friend, whose id is
    1, and the attacker's own account."""

    def __init__(self, *arguments, **options):
        self.checker = hostile.Checker(hostile.Setting(*arguments, **options))
        self.gateway, self.backend = self.checker.gateway, self.checker.backend
        self.friend = self.backend.register("friend@trust.example")
        self.own = self.backend.register(
            "a@x.example", PASSWORD, name=self.friend.id,
            bio=self.friend.id, location=self.friend.email)
        self.changes = self.checker.new_events  # what the backend saw since last time
        self.changes()

    def post(self, body, *headers, path="/query"):
        """POST these bytes as JSON; the answer must have no secret."""
        headers = list(headers)
        if not any(name == "Content-Type" for name, _ in headers):
            headers.append(JSON)
        answer = self.gateway.send("POST", path, body, headers)
        for form in hostile.CANARY_FORMS:
            assert form not in answer.head + answer.body, answer
        return answer

    def document(self, text, *headers, **more):
        return self.post(json.dumps({"query": text, **more}).encode(),
                         *headers)

    def session(self, answer):
        """The session that an answer issues: (object or None, headers)."""
        token = answer.get(self.gateway.token_header)
        pairs = [line.partition(";")[0] for line in answer.all("set-cookie")]
        pairs = [pair for pair in pairs if pair.partition("=")[2]]
        if not token and not pairs:
            return None, []
        headers = ([("Authorization", "Bearer " + token)] if token
                   else [("Cookie", "; ".join(pairs))])
        return self.checker.session(headers), headers

    def wrong_attempts(self):
        """The wrong logins that the backend's resolver saw since the last
        call."""
        return [case for case in self.changes()["guesses"] if not case["right"]]

    def close(self):
        self.checker.close()


@pytest.fixture(name="start_case", scope="module")
def start_case_fixture():
    """start_case(…) starts a Case, or returns the one with these arguments."""
    cases = {}

    def start(*arguments, **options):
        key = repr((arguments, sorted(options.items())))
        if key not in cases:
            cases[key] = Case(*arguments, **options)
        cases[key].changes()
        return cases[key]

    yield start
    faults = []
    for case in cases.values():
        try:
            case.close()
        except AssertionError as fault:
            faults.append(str(fault))
    assert not faults, "\n\n".join(faults)


def login(fields, email="a@x.example", password=PASSWORD, field="login"):
    return (f'mutation{{{field}(email:{json.dumps(email)},'
            f'password:{json.dumps(password)}){fields}}}')


# The user of a session -------------------------------------------------------

@pytest.mark.parametrize("place", ["json:secret", "header:x-token", "cookie"])
def test_query_that_looks_like_a_login_gives_no_session(start_case, place):
    """L53: the client chooses the form of the answer; it proves nothing."""
    case = start_case("fauna", place, "cookie")
    answer = case.post(b'{"query":"{login:__type(name:\\"Query\\")'
                       b'{secret:name ownerId:name email:name}}"}')
    assert answer.status == 200, answer
    assert answer.json["data"]["login"]["ownerId"] == "Query"
    session, headers = case.session(answer)
    assert session is None
    assert case.checker.authorized(headers) is None


@pytest.mark.parametrize("place", ["header:x-token", "cookie"])
@pytest.mark.parametrize("method", ["cookie", "bearer"])
def test_aliases_in_a_login_do_not_change_the_user(start_case, place, method):
    """L53: the user controls the text of `bio` and `location`."""
    case = start_case("fauna", place, method)
    answer = case.document(login("{ownerId:bio email:location}"))
    assert answer.status == 200, answer
    assert answer.json["data"]["login"] == {
        "ownerId": case.friend.id, "email": case.friend.email}
    session, headers = case.session(answer)
    assert (session["subject"], session["name"]) == (case.own.id,
                                                     case.own.email)
    assert case.checker.authorized(headers) == (case.own.id, case.own.email)


def test_alias_inside_the_subject_path_does_not_change_the_user(start_case):
    """L53: the alias puts the friend's id at owner/id."""
    case = start_case("fauna", "json:secret", "cookie", documents=OWNER,
                      POSTERN_SUBJECT="owner/id")
    answer = case.document(login("{secret owner:friend{id}}"))
    if answer.status == 200:
        assert case.session(answer)[0]["subject"] == case.own.id
    else:
        assert (answer.status, answer.code) == (400, "LOGIN_SHAPE")
        assert "friend" in answer.text
        assert case.session(answer)[0] is None
    right = case.document(login("{o:owner{i:id}}"))
    assert right.json == {"data": {"login": {"o": {"i": case.own.id}}}}
    assert case.session(right)[0]["subject"] == case.own.id


def test_name_with_spaces_is_not_passed_to_a_page(start_case):
    """L53: a header loses the space; the rest is another user's name."""
    case = start_case("fauna", "header:x-token", "cookie", fold="exact")
    own = case.backend.register(" friend@trust.example", PASSWORD)
    _, headers = case.session(case.document(login("{ownerId}", own.email)))
    assert case.checker.session(headers)["name"] == own.email
    assert case.checker.authorized(headers) == (own.id, "")


def test_who_request_has_the_token_and_no_client_headers(start_case):
    """L53: it has no header and no parameter of the client."""
    case = start_case("vendure", "header:vendure-auth-token", "cookie",
                      worst=True)
    case.backend.ask("seen", forget=True)
    answer = case.gateway.send(
        "POST", "/query?languageCode=as-1",
        b'{"query":"mutation{login(username:\\"a@x.example\\",password:'
        b'\\"correct horse battery\\"){__typename}}"}',
        [JSON, ("vendure-token", "as-1"), ("Accept-Language", "as-1"),
         ("User-Agent", "as-1"), ("tracestate", "as-1")])
    assert answer.status == 200, answer
    assert case.session(answer)[0]["subject"] == case.own.id
    who_requests = [request for request in case.backend.seen()
                    if "login" not in request["body"]]
    assert len(who_requests) == 1, who_requests
    assert "as-1" not in json.dumps(who_requests)


@pytest.mark.parametrize("place", ["json:secret", "header:x-token"])
def test_login_without_the_subject_has_the_lifetimes_of_a_user(
        start_case, place):
    """L54: the limits depend on the backend's answer, not on the selection."""
    case = start_case("fauna", place, "cookie")
    fields = "{secret}" if place == "json:secret" else "{ttl}"
    session, headers = case.session(case.document(login(fields)))
    assert session["subject"] == case.own.id and not session["guest"]
    assert session["idleExpiresAt"] and session["secondsLeft"] <= 30 * 60
    _, others = case.session(case.document(login("{email}")))
    ended = case.gateway.send("POST", "/logout?everywhere=1", b"",
                              [JSON, *others])
    assert ended.status == 200, ended
    assert case.checker.session(headers) is None
    assert case.checker.authorized(headers) is None


# Secrets ---------------------------------------------------------------------

@pytest.mark.parametrize("method", ["cookie", "bearer"])
def test_secret_behind_an_alias_is_hidden(start_case, method):
    """L57: it is null for cookies and Postern's token for bearer tokens."""
    case = start_case("fauna", "json:session/secret", method, documents=[
        hostile.LOGINS["fauna"][0]])
    answer = case.document(login("{s:session{secret}}"))
    assert answer.status == 200, answer
    secret = answer.json["data"]["login"]["s"]["secret"]
    if method == "cookie":
        assert secret is None
    else:
        assert secret == answer.get("vendure-auth-token")
    assert case.session(answer)[0]["subject"] == case.own.id


@pytest.mark.parametrize("fields", [
    "{secret}", "{x:secret}", "{...{session{id secret}}}", "{refreshToken}",
    "{ownerId ...F} fragment F on LoginPayload{secret}"])
@pytest.mark.parametrize("place", ["header:x-token", "cookie"])
def test_secret_field_of_a_login_is_refused_if_the_token_is_elsewhere(
        start_case, fields, place):
    """L57: the token is in a header or cookie; the field is refused too."""
    case = start_case("fauna", place, "cookie")
    inner, _, rest = fields.partition(" fragment")
    text = login(inner) + (" fragment" + rest if rest else "")
    answer = case.document(text)
    assert (answer.status, answer.code) == (400, "SECRET_FIELD"), answer
    assert case.changes()["new"] == 0


@pytest.mark.parametrize("text", [
    "mutation{refresh{secret}}",
    'mutation{register(email:"n@x.example",password:"p"){secret}}',
    "mutation{x:refresh{y:secret}}", "{me{secret}}",
    "{me{...{session{secret}}}}", "query A{me{...F}} fragment F on Me{secret}",
    "{me{id}} fragment F on Me{secret}",
    "query A{me{id}} query B{me{secret}}"])
@pytest.mark.parametrize("place", ["json:secret", "header:x-token", "cookie"])
def test_secret_field_outside_a_login_is_refused(start_case, text, place):
    """L57: at any place in the document, by its name."""
    case = start_case("fauna", place, "cookie",
                      documents=[hostile.LOGINS["fauna"][0]])
    name = "A" if "query A" in text else None
    answer = case.document(text, operationName=name)
    assert answer.status == 400, answer
    if "} fragment F" not in text or "..." in text:
        assert answer.code == "SECRET_FIELD", answer
        assert "secret" in answer.text
    assert case.changes()["new"] == 0


def test_secret_field_can_be_allowed_in_one_parent(start_case):
    """L57: POSTERN_SECRET_FIELDS_ALLOWED is for `checkout{token}`."""
    case = start_case("vendure", "json:token", "cookie")
    answer = case.document("{checkout{token}}")
    assert answer.json == {"data": {"checkout": {
        "token": "checkout-checkout"}}}
    assert case.document("{c:checkout{...F}} fragment F on Checkout{t:token}"
                        ).json == {"data": {"c": {"t": "checkout-checkout"}}}
    case.changes()
    for text in ("{me{token}}", "{checkout:me{secret}}",
                 "{checkout{id} me{token}}", "mutation{checkout:refresh"
                 "{...on CurrentUser{secret}}}",
                 "mutation{checkout{token}}",
                 "{checkout{...F} me{...F}} fragment F on Node{token}",
                 "{...{checkout{id} ...G}} fragment G on Query{me{token}}"):
        answer = case.document(text)
        assert (answer.status, answer.code) in (
            (400, "SECRET_FIELD"), (400, "LOGIN_SHAPE")), (text, answer)
    assert case.changes()["new"] == 0


# Stored documents ------------------------------------------------------------

def stored_extensions(text=STORED_LOGIN):
    return {"persistedQuery": {"version": 1, "sha256Hash": hashlib.sha256(
        text.encode()).hexdigest()}}


@pytest.mark.parametrize("blank", ['""', '" "', '"\\n,#x\\n"', "null",
                                   '"\\ufeff"', '"#"'])
@pytest.mark.parametrize("worst", [False, True])
def test_blank_document_does_not_run_a_stored_one(start_case, blank, worst):
    """L55: a backend may treat it as absent and run the stored document."""
    case = start_case("fauna", "json:secret", "cookie", worst=worst)
    member = f'"query":{blank},'
    if blank not in ('""', '" "', "null"):
        worst_only = case.post(("{" + member + '"extensions":' + json.dumps(
            stored_extensions()) + "}").encode())
        assert worst_only.status in (200, 400), worst_only
        assert worst_only.json["errors"] and case.changes()["new"] == 0
        return
    for body in (
            "{" + member + '"variables":{"email":"friend@trust.example",'
            '"password":"x"},"extensions":'
            + json.dumps(stored_extensions()) + "}",
            '{"extensions":' + json.dumps(stored_extensions()) + "}"):
        answer = case.post(body.encode())
        assert answer.status == 200, answer
        assert answer.code == "PERSISTED_QUERY_NOT_FOUND"
        assert answer.json["errors"][0]["message"] == "PersistedQueryNotFound"
    assert case.changes()["new"] == 0


def test_blank_document_in_a_batch_does_not_run_a_stored_one(start_case):
    """L55: also in each part of a batch. A batch of 500 is refused."""
    case = start_case("fauna", "json:secret", "cookie")
    call = json.dumps({"query": "", "variables": {
        "email": "friend@trust.example", "password": "x"},
                       "extensions": stored_extensions()})
    answer = case.post(f"[{call},{call}]".encode())
    assert answer.status == 200, answer
    assert [part["errors"][0]["message"] for part in answer.json] == [
        "PersistedQueryNotFound"] * 2
    answer = case.post(("[" + ",".join([call] * 500) + "]").encode())
    assert answer.status in (400, 413), answer
    assert case.changes()["new"] == 0


def test_blank_document_in_a_get_does_not_run_a_stored_one(start_case):
    """L55: also in a query string; a document id is refused."""
    case = start_case("fauna", "json:secret", "cookie", worst=True)
    for blank in ({}, {"query": ""}, {"query": " "}):
        answer = case.gateway.send("GET", "/query?" + urllib.parse.urlencode({
            **blank, "variables": '{"email":"a","password":"b"}',
            "extensions": json.dumps(stored_extensions())}))
        assert answer.status == 200, answer
        assert answer.code == "PERSISTED_QUERY_NOT_FOUND"
    for name in ("id", "documentId", "doc_id"):
        answer = case.gateway.send("GET", f"/query?{name}=stored-0")
        assert answer.status == 400, answer
        answer = case.post(json.dumps({name: "stored-0"}).encode())
        assert answer.status == 400, answer
    assert case.changes()["new"] == 0


def test_login_field_with_an_alias_in_the_login_document(start_case):
    """L56: the configured document has signIn with the alias `login`."""
    case = start_case("fauna", "json:secret", "cookie", documents=SIGN_IN,
                      POSTERN_LOGIN_PER_ACCOUNT="10/15m")
    answer = case.document(login("{secret}", field="signIn"))
    assert answer.status == 200, answer
    assert answer.json == {"data": {"signIn": {"secret": None}}}
    assert case.session(answer)[0]["subject"] == case.own.id
    statuses = [case.document(login("{secret}", "friend@trust.example", "x",
                                    field="signIn")).status
                for _ in range(15)]
    assert statuses[-1] == 429, statuses
    assert len(case.wrong_attempts()) == 10


# Requests that parsers read differently (L67) --------------------------------

def test_charset_other_than_utf_8_is_refused(start_case):
    """L67: these bytes are a query in UTF-8, but a mutation in UTF-7."""
    case = start_case("fauna", "json:secret", "cookie", worst=True)
    body = (b'{"query":"{me{id}}","x":"+ACI-,+ACI-query+ACI-:'
            b'+ACI-mutation{poke}"}')
    assert json.loads(body.decode("utf-7"))["query"] == "mutation{poke}"
    answer = case.post(body, ("Content-Type",
                              "application/json; charset=utf-7"))
    assert answer.status == 400, answer
    assert case.changes()["pokes"] == 0
    for charset in ("utf-16", "iso-8859-1", "utf-8-sig", "cp037"):
        answer = case.post(b'{"query":"{me{id}}"}', (
            "Content-Type", f"application/json;charset={charset}"))
        assert answer.status == 400, answer
    assert case.changes()["new"] == 0
    for charset in ("utf-8", "UTF-8", '"utf-8"'):
        answer = case.post(b'{"query":"{me{id}}"}', (
            "Content-Type", f"application/json; charset={charset}"))
        assert answer.status == 200, answer


@pytest.mark.parametrize("query", [
    "query=mutation%7Bpoke%7D", "query=%7Bme%7Bid%7D%7D", "query=",
    "variables=%7B%7D", "operationName=A", "extensions=%7B%7D",
    "documentId=stored-5", "%71uery=mutation%7Bpoke%7D"])
def test_graphql_parameters_in_the_url_of_a_post_are_refused(
        start_case, query):
    """L67: some backends prefer them to the body."""
    case = start_case("fauna", "json:secret", "cookie", worst=True)
    answer = case.gateway.send("POST", "/query?" + query,
                               b'{"query":"{me{id}}"}', [JSON])
    assert answer.status == 400, answer
    assert case.changes()["new"] == 0


HIDDEN_LOGIN = 'login(email:"a@x.example",password:"x"){secret}'
AMBIGUOUS = {
    "U+2028 ends a comment for some": f"mutation{{poke #\u2028 {HIDDEN_LOGIN}"
                                      "\n}",
    "U+2029": f"mutation{{poke #\u2029 {HIDDEN_LOGIN}\n}}",
    "U+0085": f"mutation{{poke #\u0085 {HIDDEN_LOGIN}\n}}",
    "a CR alone": f"mutation{{poke #\r {HIDDEN_LOGIN}\n}}",
    "VT is space for some": "{me\v{id}}",
    "FF": "{me\f{id}}",
    "NUL": "{me\0{id}}",
    "a BOM inside": "{me\ufeff{id}}",
    "braces in an escape": '{echo(text:"\\u{61}"){text}}',
    "a lone surrogate": '{echo(text:"\\ud800"){text}}',
    "a quote in a block string": '{echo(text:"""a"b"""){text}}',
    "a backslash in a block string": '{echo(text:"""a\\\\"""){text}}',
    "a name on a number": "{echo(n:1a:2){text}}",
    "no selection": "{me{}}",
    "no arguments": "{me(){id}}",
    "a variable on a fragment":
        "{...F} fragment F($x:Int=1) on Query{me{id}}",
    "a type system definition": "{me{id}} type A{b:Int}",
    "the same operation twice": "query A{me{id}} query A{me{name}}",
    "the same argument twice": '{echo(text:"a",text:"b"){text}}',
    "the same input field twice":
        '{echo(input:{text:"a",text:"b"}){text}}',
    "the same variable twice": "query($a:Int,$a:Int){echo(n:$a){text}}",
    "the same fragment twice":
        "{...F} fragment F on Query{me{id}} fragment F on Query{poke}",
    "an unknown fragment": "{me{...F}}",
    "a cycle": "{...F} fragment F on Query{...F}",
    "an exclamation mark": "{me!{id}}",
}


@pytest.mark.parametrize("name", AMBIGUOUS)
def test_ambiguous_document_is_refused(start_case, name):
    """L67: the error has the location, and nothing is forwarded."""
    case = start_case("fauna", "json:secret", "cookie", worst=True)
    answer = case.document(AMBIGUOUS[name], GRAPHQL,
                           operationName="A" if "query A" in AMBIGUOUS[name]
                           else None)
    assert answer.status == 400, answer
    assert answer.code == "GRAPHQL_PARSE_FAILED", answer
    assert answer.json["errors"][0]["locations"][0]["line"] >= 1
    assert case.changes()["new"] == 0
    answer = case.document(AMBIGUOUS[name], ("Accept", "application/json"))
    assert answer.status == 200, answer
    assert answer.code == "GRAPHQL_PARSE_FAILED"
    assert case.changes()["new"] == 0


@pytest.mark.parametrize("body", [
    b'{"query":"{me{id}}","query":"mutation{poke}"}',
    b'{"query":"{me{id}}","Query":"mutation{poke}"}',
    b'{"query":"{me{id}}","qu\\u0065ry":"mutation{poke}"}',
    b'{"query":"{me{id}}","QUERY":null}',
    b'{"Query":"mutation{poke}"}',
    b'{"query":"{me{id}}","variables":{"a":1,"a":2}}',
    b'{"query":"{me{id}}","variables":{},"Variables":{"a":1}}',
    b'{"query":"{me{id}}","variables":"{}"}',
    b'{"query":"{me{id}}","operationname":"A"}',
    b'{"query":"{me{id}}","Extensions":{"persistedQuery":{}}}',
    b'{"query":"{me{id}}","DocumentId":"stored-5"}',
    b'{"query":"{me{id}}","documentId":"stored-5"}',
    b'{"query":"{me{id}}"}{"query":"mutation{poke}"}',
    b'{"query":["mutation{poke}"]}', b'"mutation{poke}"', b"[]", b"[[]]",
    b'{"query":"{me{id}}","x":"\xff"}'])
def test_ambiguous_json_is_refused(start_case, body):
    """L67: repeated members, members that differ in case only, and so on."""
    case = start_case("fauna", "json:secret", "cookie", worst=True)
    answer = case.post(body)
    assert answer.status == 400, answer
    assert case.changes()["new"] == 0


def test_get_with_a_body_is_refused(start_case):
    """L67: some backends read it, and some web servers pass it."""
    case = start_case("fauna", "json:secret", "cookie", worst=True)
    answer = case.checker.ask(hostile.Request(
        "query", "GET", "query=%7Bme%7Bid%7D%7D", [JSON],
        b'{"query":"mutation{poke}"}'))
    assert answer.status == 400, answer.stdout
    assert case.changes()["new"] == 0


def test_forwarded_request_is_rewritten(start_case):
    """L67: it has each known member once, in UTF-8, and the declared variables
    only."""
    case = start_case("fauna", "json:secret", "cookie")
    case.backend.ask("seen", forget=True)
    answer = case.post(
        b' {"x":1,"variables":{"n":12345678901234567890123,"junk":1,'
        b'"i":{"text":"a"}},"operationName":"A","extensions":{'
        b'"persistedQuery":{"version":1,"sha256Hash":"'
        + hashlib.sha256(b"query A($i:EchoInput){echo(input:$i){text}}")
        .hexdigest().encode() + b'"},"a":1},"query":'
        b'"query A($i:EchoInput){echo(input:$i){text}}"}\r\n')
    assert answer.json == {"data": {"echo": {"text": "a"}}}, answer
    [request] = case.backend.seen()
    assert request["method"] == "POST"
    assert json.loads(request["body"]) == {
        "query": "query A($i:EchoInput){echo(input:$i){text}}",
        "operationName": "A", "variables": {"i": {"text": "a"}},
        "extensions": {"a": 1}}
    headers = {name.lower(): value for name, value in request["headers"]}
    assert headers["content-type"] == "application/json"


def multipart(*parts, mark="x"):
    body = "".join(f"--{mark}\r\nContent-Disposition: form-data; "
                   f'name="{name}"\r\n\r\n{value}\r\n'
                   for name, value in parts)
    return f"{body}--{mark}--\r\n".encode()


@pytest.mark.parametrize("parts", [
    [("operations", '{"query":"{me{id}}"}'), ("map", "{}"),
     ("operations", '{"query":"mutation{poke}"}')],
    [("operations", '{"query":"{me{id}}"}'), ("map", "{}"),
     ("Operations", '{"query":"mutation{poke}"}')],
    [("operations", '{"query":"{me{id}}","variables":{}}'),
     ("map", '{"0":["query"]}'), ("0", "mutation{poke}")],
    [("operations", '{"query":"{me{id}}"}'), ("map", "{}"),
     ("query", "mutation{poke}")],
    [("query", "mutation{poke}")],
    [("operations", '{"query":"mutation{' + HIDDEN_LOGIN.replace(
        '"', '\\"') + '}"}'), ("map", "{}")],
])
def test_multipart_request_cannot_hide_a_mutation_or_login(start_case, parts):
    """L67: Postern uses the first part `operations`, which must not be a
    login."""
    case = start_case("fauna", "json:secret", "cookie", worst=True)
    before = case.changes()["pokes"]
    answer = case.gateway.send("POST", "/query", multipart(*parts), [
        ("Content-Type", "multipart/form-data; boundary=x"),
        ("apollo-require-preflight", "1")])
    changes = case.changes()
    assert changes["pokes"] == before and not changes["guesses"], answer
    if changes["new"] == 0:
        assert answer.status == 400, answer


@pytest.mark.parametrize("kind", [
    "application/x-www-form-urlencoded", "application/graphql",
    "text/plain", "application/xml", None])
def test_other_content_types_are_refused(start_case, kind):
    """L67: only some backends read them."""
    case = start_case("fauna", "json:secret", "cookie", worst=True)
    body = (b"query=mutation%7Bpoke%7D" if kind and "form" in kind
            else b"mutation{poke}")
    answer = case.gateway.send("POST", "/query", body, [
        ("Content-Type", kind)] if kind else [])
    assert answer.status in (400, 415), answer
    assert case.changes()["new"] == 0


# Rate limits of login attempts -----------------------------------------------

SIMILAR_NAMES = ["víctim@trust.example", "ｖictim@trust.example",
                 "vic tim@trust.example", "VICTIM@trust.example",
                 "v\u0131ctim@trust.example", "vi\u200bctim@trust.example",
                 "𝐯𝐢𝐜𝐭𝐢𝐦@trust.example", "ⓥictim@trust.example",
                 " victim@trust.example", "victim@truſt.example",
                 "victim@trust.example\u3000", "\u00advictim@trust.example",
                 "vic\u0323tim@trust.examp\u0142e"]


@pytest.mark.parametrize("place", ["json:secret", "header:x-token"])
def test_similar_names_share_one_limit(start_case, place):
    """L58: the backend maps all of them to one account."""
    case = start_case("fauna", place, "cookie",
                      POSTERN_LOGIN_PER_ACCOUNT="10/15m")
    case.backend.register("victim@trust.example")
    statuses = []
    for turn in range(3):
        for name in SIMILAR_NAMES:
            text = login("{ownerId}", name, f"wrong {turn}")
            statuses.append(case.document(text).status)
    assert len(case.wrong_attempts()) == 10, statuses
    assert statuses[10:] == [429] * (len(statuses) - 10)


@pytest.mark.parametrize("victim, own", [
    ("victim", "victimé"), ("victime", "victimé"), ("victimx", "VICTIMX"),
    ("victimy", "victimy\u200b"), ("victimz", " victimz")])
@pytest.mark.parametrize("place", ["json:secret", "header:x-token"])
def test_success_refunds_its_own_attempt_only(start_case, place, victim, own):
    """L58: the attacker repeats nine wrong logins as `victim` and one right
    login as `victimé`, an own account."""
    case = start_case("fauna", place, "cookie", fold="exact",
                      POSTERN_LOGIN_PER_ACCOUNT="10/15m")
    case.backend.register(victim + "@trust.example")
    case.backend.register(own + "@trust.example", PASSWORD)
    for _ in range(5):
        for _ in range(9):
            case.document(login("{ownerId}", victim + "@trust.example", "x"))
        case.document(login("{ownerId}", own + "@trust.example"))
    assert len(case.wrong_attempts()) == 10


@pytest.mark.parametrize("place", ["json:secret", "header:x-token", "cookie"])
def test_parallel_attempts_do_not_exceed_the_limit(start_case, place):
    """L58: through both programs, with several spellings of the name."""
    case = start_case("fauna", place, "cookie")
    case.backend.register("crowd@trust.example")

    def attempt(turn):
        name = ("crowd", "CROWD", "cro\u0301wd", " crowd")[turn % 4]
        body = json.dumps({"query": login(
            "{ownerId}", name + "@trust.example", f"wrong {turn}")}).encode()
        program = ("query", "login")[turn % 2]
        request = hostile.Request(program, headers=[JSON], body=body)
        return fcgi.request(case.gateway.socket_of(program), "POST", "", body,
                            **request.params()).status

    with concurrent.futures.ThreadPoolExecutor(20) as executor:
        statuses = list(executor.map(attempt, range(40)))
    assert len(case.wrong_attempts()) == hostile.LIMIT, statuses
    assert statuses.count(429) == 40 - hostile.LIMIT


@pytest.mark.parametrize("place", ["header:x-token", "cookie"])
def test_wrong_password_is_not_refunded(start_case, place):
    """L58: a plugin's mutation logs the attacker's own account in; the backend
    keeps the guest's token for it. Its name is similar to the victim's, but
    the wrong login must not count as a success."""
    case = start_case("fauna", place, "cookie", fold="exact", worst=True)
    case.backend.register("victim@trust.example")
    own = case.backend.register("v\u00edctim@trust.example")
    for turn in range(8):
        _, guest = case.session(case.document("mutation{addItemToOrder{id}}"))
        case.document('mutation{pluginLogin(token:"%s"){ownerId}}'
                      % own.codes["plugin"], *guest)
        case.document(login("{ownerId}", "victim@trust.example", f"w{turn}"),
                      *guest)
    assert len(case.wrong_attempts()) == hostile.LIMIT


@pytest.mark.parametrize("place", ["json:secret", "header:x-token"])
def test_lone_surrogate_in_a_name_is_refused(start_case, place):
    """L58: a backend may drop it; then it checks another name than Postern
    counts."""
    case = start_case("fauna", place, "cookie")
    answer = case.post(b'{"query":"mutation($e:String!){login(email:$e,'
                       b'password:\\"x\\"){ownerId}}","variables":'
                       b'{"e":"\\ud800victim@trust.example"}}')
    assert answer.status == 400, answer
    assert case.changes()["new"] == 0


@pytest.mark.parametrize("place", ["json:secret", "header:x-token"])
def test_undeclared_variables_do_not_reset_the_limit(start_case, place):
    """L58: of 130 failures in a row, 100 reach the backend."""
    case = start_case("fauna", place, "cookie",
                      POSTERN_LOGIN_PER_ACCOUNT="1000/1h")
    case.backend.register("junk@trust.example")
    text = ("mutation($email:String!,$password:String!)"
            "{login(email:$email,password:$password){ownerId}}")
    for turn in range(130):
        case.document(text, variables={
            "email": "junk@trust.example", "password": "wrong",
            "x": "junk", f"y{turn}": f"junk{turn}"})
    assert len(case.wrong_attempts()) == 100


@pytest.mark.parametrize("word", [
    "null", "text401", "empty403", "json400", "json401", "nodata", "nopath",
    "input", "located", "html", "server500", "broken", "moved",
    "nocontent204", "hangup"])
@pytest.mark.parametrize("place", ["json:secret", "header:x-token"])
def test_every_kind_of_refusal_counts(start_case, word, place):
    """L59: the backend's resolver has checked the password."""
    case = start_case("fauna", place, "cookie",
                      POSTERN_LOGIN_PER_ACCOUNT="10/15m")
    name = f"v-{word}@trust.example"
    case.backend.register(name)
    statuses = [case.document(login("{ownerId}", name, "wrong")).status
                for _ in range(15)]
    assert len(case.wrong_attempts()) == 10, statuses
    assert statuses[10:] == [429] * 5


@pytest.mark.parametrize("place", ["json:secret", "header:x-token"])
def test_401_without_json_is_a_wrong_password(start_case, place):
    """L59: it is not reported as a failure of the backend."""
    case = start_case("fauna", place, "cookie")
    name = f"text401-{place[:4]}@trust.example"
    answer = case.gateway.post("/login", {"email": name, "password": "x"})
    assert (answer.status, answer.code) == (401, "UNAUTHENTICATED"), answer


@pytest.mark.parametrize("place", ["json:secret", "header:x-token"])
def test_validation_errors_do_not_count(start_case, place):
    """Design 2.5: a changed schema is not a wrong password."""
    case = start_case("fauna", place, "cookie",
                      POSTERN_LOGIN_PER_ACCOUNT="10/15m",
                      documents=["""mutation($email:String!,$password:String!){
                   login(email:$email,password:$password){
                       ownerId email ttl changed %(secret)s}}"""])
    text = ('mutation{login(email:"w@x.example",password:"x"){changed}}')
    statuses = {case.document(text).status for _ in range(15)}
    assert 429 not in statuses, statuses
    assert not case.wrong_attempts()


# Methods and parameters ------------------------------------------------------

@pytest.mark.parametrize("document", [
    "mutation{poke}", "mutation A{poke}", "query A{me{id}} mutation B{poke}",
    login("{ownerId}")])
def test_mutation_by_get_is_405(start_case, document):
    """L60: cross-site or not; it is not sent to the backend."""
    case = start_case("fauna", "json:secret", "cookie")
    _, headers = case.session(case.document(login("{email}")))
    case.changes()
    query = "query=" + urllib.parse.quote(document)
    if "query A" in document:
        query += "&operationName=B"
    for site in ("cross-site", "same-origin", None):
        answer = case.gateway.send("GET", "/query?" + query, headers=[
            *headers, *([("Sec-Fetch-Site", site)] if site else [])])
        assert answer.status == 405, answer
        assert answer.get("allow") == "POST"
    changes = case.changes()
    assert changes["new"] == 0 and changes["pokes"] == 0


@pytest.mark.parametrize("value", [
    "en'%20OR%201=1", "en%22", "a%00", "a%0Ab", "en;x", "%C3%A9", "a.b", "a/b",
    "en&languageCode=de'"])
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_unsafe_parameter_values_are_not_forwarded(start_case, value, method):
    """L65 (CVE-2026-40887): only codes of letters and digits are forwarded."""
    case = start_case("vendure", "header:vendure-auth-token", "cookie")
    case.backend.ask("seen", forget=True)
    query = f"languageCode={value}"
    if method == "GET":
        query = "query=%7Bpokes%7D&" + query
    answer = case.gateway.send(
        method, "/query?" + query,
        b'{"query":"{pokes}"}' if method == "POST" else None,
        [JSON] if method == "POST" else [])
    assert answer.status in (200, 400), answer
    for request in case.backend.seen():
        assert "OR" not in request["target"]
        assert request["target"].rpartition("?")[2].count("languageCode") \
            <= 1
        got = urllib.parse.parse_qs(request["target"].partition("?")[2])
        for code in got.get("languageCode", []):
            assert code.replace("-", "").replace("_", "").isalnum() \
                and code.isascii(), request


def test_only_the_presets_parameters_are_forwarded(start_case):
    """L65: the preset has two parameters."""
    case = start_case("vendure", "header:vendure-auth-token", "cookie")
    case.backend.ask("seen", forget=True)
    answer = case.gateway.send(
        "POST", "/query?languageCode=en-GB&x=1&currencyCode=EUR",
        b'{"query":"{pokes}"}', [JSON])
    assert answer.status == 200, answer
    [request] = case.backend.seen()
    assert urllib.parse.parse_qs(request["target"].partition("?")[2]) == {
        "languageCode": ["en-GB"], "currencyCode": ["EUR"]}


@pytest.mark.parametrize("kind_of_login", ["json", "form", "graphql"])
def test_failed_logins_take_the_minimum_time(start_case, kind_of_login):
    """L66 (CVE-2026-25050): whether or not the account exists."""
    case = start_case("fauna", "json:secret", "cookie",
                      POSTERN_LOGIN_FLOOR="500ms",
                      POSTERN_LOGIN_PER_ACCOUNT="off")
    for email in ("friend@trust.example", "nobody@trust.example"):
        start = time.monotonic()
        if kind_of_login == "json":
            answer = case.gateway.post("/login", {"email": email,
                                                  "password": "x"})
        elif kind_of_login == "form":
            answer = case.gateway.form("/login", {"email": email,
                                                  "password": "x"})
        else:
            answer = case.document(login("{ownerId}", email, "x"))
        took = time.monotonic() - start
        assert answer.status in (200, 401), answer
        assert took >= 0.5, took


def test_login_beside_another_field_is_refused(start_case):
    """Design 2.5: a login document has one root field, without conditions."""
    case = start_case("fauna", "json:secret", "cookie")
    for text in ("mutation{poke " + HIDDEN_LOGIN + "}",
                 "mutation{a:" + HIDDEN_LOGIN + " b:" + HIDDEN_LOGIN + "}",
                 "mutation{...F} fragment F on Mutation{poke "
                 + HIDDEN_LOGIN + "}",
                 "mutation A{" + HIDDEN_LOGIN + "} query B{me{id}}",
                 "mutation($a:Boolean=true){login(email:\"a\",password:"
                 "\"b\")@include(if:$a){email}}",
                 "mutation{...@skip(if:false){" + HIDDEN_LOGIN + "}}"):
        answer = case.document(text, operationName="A" if " A{" in text
                               else None)
        assert answer.status == 400, (text, answer)
    case.post(json.dumps([{"query": "{me{id}}"}, {
        "query": "mutation{" + HIDDEN_LOGIN + "}"}]).encode())
    changes = case.changes()
    assert changes["pokes"] == 0 and not changes["guesses"]


def test_alias_of_the_login_field_is_accepted(start_case):
    """Issue 8: the document mutation A{x:login(…){…}}."""
    case = start_case("fauna", "json:secret", "cookie")
    answer = case.document("mutation A{x:login(email:\"a@x.example\","
                           f"password:\"{PASSWORD}\"){{i:ownerId __typename "
                           "secret}}")
    assert answer.json == {"data": {"x": {
        "i": case.own.id, "__typename": "LoginPayload", "secret": None}}}
    assert case.session(answer)[0]["subject"] == case.own.id
