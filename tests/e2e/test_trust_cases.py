# SPDX-License-Identifier: ISC
"""What once broke in, input by input, and what is right (L53 to L60, L65 to
L67): the very bytes, sent through a real lighttpd."""
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
    """A checker, a friend whose id is 1, and the attacker's own account."""

    def __init__(self, *arguments, **options):
        self.checker = hostile.Checker(hostile.Setting(*arguments, **options))
        self.gateway, self.backend = self.checker.gateway, self.checker.backend
        self.friend = self.backend.register("friend@trust.example")
        self.own = self.backend.register(
            "a@x.example", PASSWORD, name=self.friend.id,
            bio=self.friend.id, location=self.friend.email)
        self.new_events = self.checker.new_events
        self.new_events()

    def post(self, body, *headers, path="/query"):
        """These bytes as JSON."""
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
        """The session that an answer hands out: (object or None, headers)."""
        token = answer.get(self.gateway.token_header)
        pairs = [line.partition(";")[0] for line in answer.all("set-cookie")]
        pairs = [pair for pair in pairs if pair.partition("=")[2]]
        if not token and not pairs:
            return None, []
        headers = ([("Authorization", "Bearer " + token)] if token
                   else [("Cookie", "; ".join(pairs))])
        return self.checker.session(headers), headers

    def guesses(self):
        """Wrong ones that its login resolver saw since the last time."""
        return [one for one in self.new_events()["guesses"] if not one["right"]]

    def close(self):
        self.checker.close()


@pytest.fixture(name="case", scope="module")
def case_fixture():
    """case(…) starts one, or gives the one that was started so before."""
    cases = {}

    def start(*arguments, **options):
        key = repr((arguments, sorted(options.items())))
        if key not in cases:
            cases[key] = Case(*arguments, **options)
        cases[key].new_events()
        return cases[key]

    yield start
    faults = []
    for one in cases.values():
        try:
            one.close()
        except AssertionError as fault:
            faults.append(str(fault))
    assert not faults, "\n\n".join(faults)


def login(fields, email="a@x.example", password=PASSWORD, field="login"):
    return (f'mutation{{{field}(email:{json.dumps(email)},'
            f'password:{json.dumps(password)}){fields}}}')


# Who somebody is -------------------------------------------------------------

@pytest.mark.parametrize("place", ["json:secret", "header:x-token", "cookie"])
def test_a_query_that_looks_like_a_login_names_nobody(case, place):
    """L53: the shape is the client's, and says nothing."""
    one = case("fauna", place, "cookie")
    answer = one.post(b'{"query":"{login:__type(name:\\"Query\\")'
                      b'{secret:name ownerId:name email:name}}"}')
    assert answer.status == 200, answer
    assert answer.json["data"]["login"]["ownerId"] == "Query"
    told, headers = one.session(answer)
    assert told is None
    assert one.checker.authorized(headers) is None


@pytest.mark.parametrize("place", ["header:x-token", "cookie"])
@pytest.mark.parametrize("method", ["cookie", "bearer"])
def test_aliases_in_a_login_name_nobody_else(case, place, method):
    """L53: `bio` and `location` are free texts of the user's."""
    one = case("fauna", place, method)
    answer = one.document(login("{ownerId:bio email:location}"))
    assert answer.status == 200, answer
    assert answer.json["data"]["login"] == {
        "ownerId": one.friend.id, "email": one.friend.email}
    told, headers = one.session(answer)
    assert (told["subject"], told["name"]) == (one.own.id, one.own.email)
    assert one.checker.authorized(headers) == (one.own.id, one.own.email)


def test_an_alias_in_the_middle_of_a_pointer_names_nobody_else(case):
    """L53: the friend's id where owner/id is looked for."""
    one = case("fauna", "json:secret", "cookie", documents=OWNER,
               POSTERN_SUBJECT="owner/id")
    answer = one.document(login("{secret owner:friend{id}}"))
    if answer.status == 200:
        assert one.session(answer)[0]["subject"] == one.own.id
    else:
        assert (answer.status, answer.code) == (400, "LOGIN_SHAPE")
        assert "friend" in answer.text
        assert one.session(answer)[0] is None
    right = one.document(login("{o:owner{i:id}}"))
    assert right.json == {"data": {"login": {"o": {"i": one.own.id}}}}
    assert one.session(right)[0]["subject"] == one.own.id


def test_a_name_with_spaces_is_told_to_no_page(case):
    """L53: a header would lose the space, and tell another's name."""
    one = case("fauna", "header:x-token", "cookie", fold="exact")
    own = one.backend.register(" friend@trust.example", PASSWORD)
    _, headers = one.session(one.document(login("{ownerId}", own.email)))
    assert one.checker.session(headers)["name"] == own.email
    assert one.checker.authorized(headers) == (own.id, "")


def test_who_is_asked_with_the_token_alone(case):
    """L53: no header or parameter of the client's goes with the question."""
    one = case("vendure", "header:vendure-auth-token", "cookie", worst=True)
    one.backend.ask("seen", forget=True)
    answer = one.gateway.send(
        "POST", "/query?languageCode=as-1",
        b'{"query":"mutation{login(username:\\"a@x.example\\",password:'
        b'\\"correct horse battery\\"){__typename}}"}',
        [JSON, ("vendure-token", "as-1"), ("Accept-Language", "as-1"),
         ("User-Agent", "as-1"), ("tracestate", "as-1")])
    assert answer.status == 200, answer
    assert one.session(answer)[0]["subject"] == one.own.id
    asked = [request for request in one.backend.seen()
             if "login" not in request["body"]]
    assert len(asked) == 1, asked
    assert "as-1" not in json.dumps(asked)


@pytest.mark.parametrize("place", ["json:secret", "header:x-token"])
def test_a_login_without_the_subject_has_a_users_clocks(case, place):
    """L54: limits follow from what the backend granted."""
    one = case("fauna", place, "cookie")
    fields = "{secret}" if place == "json:secret" else "{ttl}"
    told, headers = one.session(one.document(login(fields)))
    assert told["subject"] == one.own.id and not told["guest"]
    assert told["idleExpiresAt"] and told["secondsLeft"] <= 30 * 60
    _, others = one.session(one.document(login("{email}")))
    ended = one.gateway.send("POST", "/logout?everywhere=1", b"",
                             [JSON, *others])
    assert ended.status == 200, ended
    assert one.checker.session(headers) is None
    assert one.checker.authorized(headers) is None


# Secrets ---------------------------------------------------------------------

@pytest.mark.parametrize("method", ["cookie", "bearer"])
def test_a_secret_behind_an_alias_stays(case, method):
    """L57: null with the cookie, our own token with the bearer method."""
    one = case("fauna", "json:session/secret", method, documents=[
        hostile.LOGINS["fauna"][0]])
    answer = one.document(login("{s:session{secret}}"))
    assert answer.status == 200, answer
    secret = answer.json["data"]["login"]["s"]["secret"]
    if method == "cookie":
        assert secret is None
    else:
        assert secret == answer.get("vendure-auth-token")
    assert one.session(answer)[0]["subject"] == one.own.id


@pytest.mark.parametrize("fields", [
    "{secret}", "{x:secret}", "{...{session{id secret}}}", "{refreshToken}",
    "{ownerId ...F} fragment F on LoginPayload{secret}"])
@pytest.mark.parametrize("place", ["header:x-token", "cookie"])
def test_a_secret_of_a_login_that_is_forwarded(case, fields, place):
    """L57: where the token is elsewhere, its field is refused here too."""
    one = case("fauna", place, "cookie")
    inner, _, rest = fields.partition(" fragment")
    text = login(inner) + (" fragment" + rest if rest else "")
    answer = one.document(text)
    assert (answer.status, answer.code) == (400, "SECRET_FIELD"), answer
    assert one.new_events()["new"] == 0


@pytest.mark.parametrize("text", [
    "mutation{refresh{secret}}",
    'mutation{register(email:"n@x.example",password:"p"){secret}}',
    "mutation{x:refresh{y:secret}}", "{me{secret}}",
    "{me{...{session{secret}}}}", "query A{me{...F}} fragment F on Me{secret}",
    "{me{id}} fragment F on Me{secret}",
    "query A{me{id}} query B{me{secret}}"])
@pytest.mark.parametrize("place", ["json:secret", "header:x-token", "cookie"])
def test_a_secret_elsewhere_is_refused(case, text, place):
    """L57: wherever it stands in the document, and by name."""
    one = case("fauna", place, "cookie",
               documents=[hostile.LOGINS["fauna"][0]])
    name = "A" if "query A" in text else None
    answer = one.document(text, operationName=name)
    assert answer.status == 400, answer
    if "} fragment F" not in text or "..." in text:
        assert answer.code == "SECRET_FIELD", answer
        assert "secret" in answer.text
    assert one.new_events()["new"] == 0


def test_a_field_of_that_name_elsewhere_can_be_allowed(case):
    """L57: POSTERN_SECRET_FIELDS_ALLOWED is for `checkout{token}`."""
    one = case("vendure", "json:token", "cookie")
    answer = one.document("{checkout{token}}")
    assert answer.json == {"data": {"checkout": {
        "token": "checkout-checkout"}}}
    assert one.document("{c:checkout{...F}} fragment F on Checkout{t:token}"
                        ).json == {"data": {"c": {"t": "checkout-checkout"}}}
    one.new_events()
    for text in ("{me{token}}", "{checkout:me{secret}}",
                 "{checkout{id} me{token}}", "mutation{checkout:refresh"
                 "{...on CurrentUser{secret}}}",
                 "mutation{checkout{token}}",
                 "{checkout{...F} me{...F}} fragment F on Node{token}",
                 "{...{checkout{id} ...G}} fragment G on Query{me{token}}"):
        answer = one.document(text)
        assert (answer.status, answer.code) in (
            (400, "SECRET_FIELD"), (400, "LOGIN_SHAPE")), (text, answer)
    assert one.new_events()["new"] == 0


# Nothing is forwarded that was not read --------------------------------------

def stored(text=STORED_LOGIN):
    return {"persistedQuery": {"version": 1, "sha256Hash": hashlib.sha256(
        text.encode()).hexdigest()}}


@pytest.mark.parametrize("blank", ['""', '" "', '"\\n,#x\\n"', "null",
                                   '"\\ufeff"', '"#"'])
@pytest.mark.parametrize("worst", [False, True])
def test_a_blank_document_is_absent(case, blank, worst):
    """L55: the backend would take it for absent, and run the stored one."""
    one = case("fauna", "json:secret", "cookie", worst=worst)
    member = f'"query":{blank},'
    if blank not in ('""', '" "', "null"):
        worst_only = one.post(("{" + member + '"extensions":' + json.dumps(
            stored()) + "}").encode())
        assert worst_only.status in (200, 400), worst_only
        assert worst_only.json["errors"] and one.new_events()["new"] == 0
        return
    for body in (
            "{" + member + '"variables":{"email":"friend@trust.example",'
            '"password":"x"},"extensions":' + json.dumps(stored()) + "}",
            '{"extensions":' + json.dumps(stored()) + "}"):
        answer = one.post(body.encode())
        assert answer.status == 200, answer
        assert answer.code == "PERSISTED_QUERY_NOT_FOUND"
        assert answer.json["errors"][0]["message"] == "PersistedQueryNotFound"
    assert one.new_events()["new"] == 0


def test_a_blank_document_is_absent_in_a_batch(case):
    """L55: each of the batch alone; and 500 are too many."""
    one = case("fauna", "json:secret", "cookie")
    call = json.dumps({"query": "", "variables": {
        "email": "friend@trust.example", "password": "x"},
        "extensions": stored()})
    answer = one.post(f"[{call},{call}]".encode())
    assert answer.status == 200, answer
    assert [part["errors"][0]["message"] for part in answer.json] == [
        "PersistedQueryNotFound"] * 2
    answer = one.post(("[" + ",".join([call] * 500) + "]").encode())
    assert answer.status in (400, 413), answer
    assert one.new_events()["new"] == 0


def test_a_blank_document_is_absent_in_a_get(case):
    """L55"""
    one = case("fauna", "json:secret", "cookie", worst=True)
    for blank in ({}, {"query": ""}, {"query": " "}):
        answer = one.gateway.send("GET", "/query?" + urllib.parse.urlencode({
            **blank, "variables": '{"email":"a","password":"b"}',
            "extensions": json.dumps(stored())}))
        assert answer.status == 200, answer
        assert answer.code == "PERSISTED_QUERY_NOT_FOUND"
    for name in ("id", "documentId", "doc_id"):
        answer = one.gateway.send("GET", f"/query?{name}=stored-0")
        assert answer.status == 400, answer
        answer = one.post(json.dumps({name: "stored-0"}).encode())
        assert answer.status == 400, answer
    assert one.new_events()["new"] == 0


def test_the_login_field_is_the_documents_own(case):
    """L56: the schema's signIn behind our alias `login`."""
    one = case("fauna", "json:secret", "cookie", documents=SIGN_IN,
               POSTERN_LOGIN_PER_ACCOUNT="10/15m")
    answer = one.document(login("{secret}", field="signIn"))
    assert answer.status == 200, answer
    assert answer.json == {"data": {"signIn": {"secret": None}}}
    assert one.session(answer)[0]["subject"] == one.own.id
    statuses = [one.document(login("{secret}", "friend@trust.example", "x",
                                   field="signIn")).status
                for _ in range(15)]
    assert statuses[-1] == 429, statuses
    assert len(one.guesses()) == 10


# Charset, URL and comments (L67) ---------------------------------------------

def test_another_charset_is_refused(case):
    """L67: these bytes ask for {me{id}} in UTF-8, for a mutation in UTF-7."""
    one = case("fauna", "json:secret", "cookie", worst=True)
    body = (b'{"query":"{me{id}}","x":"+ACI-,+ACI-query+ACI-:'
            b'+ACI-mutation{poke}"}')
    assert json.loads(body.decode("utf-7"))["query"] == "mutation{poke}"
    answer = one.post(body, ("Content-Type",
                             "application/json; charset=utf-7"))
    assert answer.status == 400, answer
    assert one.new_events()["pokes"] == 0
    for charset in ("utf-16", "iso-8859-1", "utf-8-sig", "cp037"):
        answer = one.post(b'{"query":"{me{id}}"}', (
            "Content-Type", f"application/json;charset={charset}"))
        assert answer.status == 400, answer
    assert one.new_events()["new"] == 0
    for charset in ("utf-8", "UTF-8", '"utf-8"'):
        answer = one.post(b'{"query":"{me{id}}"}', (
            "Content-Type", f"application/json; charset={charset}"))
        assert answer.status == 200, answer


@pytest.mark.parametrize("query", [
    "query=mutation%7Bpoke%7D", "query=%7Bme%7Bid%7D%7D", "query=",
    "variables=%7B%7D", "operationName=A", "extensions=%7B%7D",
    "documentId=stored-5", "%71uery=mutation%7Bpoke%7D"])
def test_graphqls_parameters_in_the_url_of_a_post(case, query):
    """L67: some backends prefer them to the body's."""
    one = case("fauna", "json:secret", "cookie", worst=True)
    answer = one.gateway.send("POST", "/query?" + query,
                              b'{"query":"{me{id}}"}', [JSON])
    assert answer.status == 400, answer
    assert one.new_events()["new"] == 0


LOGIN_HIDDEN = 'login(email:"a@x.example",password:"x"){secret}'
UNLIKE = {
    "U+2028 ends a comment for some": f"mutation{{poke #\u2028 {LOGIN_HIDDEN}"
                                      "\n}",
    "U+2029": f"mutation{{poke #\u2029 {LOGIN_HIDDEN}\n}}",
    "U+0085": f"mutation{{poke #\u0085 {LOGIN_HIDDEN}\n}}",
    "a CR alone": f"mutation{{poke #\r {LOGIN_HIDDEN}\n}}",
    "VT is space for some": "{me\v{id}}",
    "FF": "{me\f{id}}",
    "NUL": "{me\0{id}}",
    "a BOM inside": "{me\ufeff{id}}",
    "braces in an escape": '{echo(text:"\\u{61}"){text}}',
    "half a surrogate pair": '{echo(text:"\\ud800"){text}}',
    "a quote in a block string": '{echo(text:"""a"b"""){text}}',
    "a backslash in one": '{echo(text:"""a\\\\"""){text}}',
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
    "a bang": "{me!{id}}",
}


@pytest.mark.parametrize("name", UNLIKE)
def test_what_parsers_read_differently_is_refused(case, name):
    """L67: with the place, and nothing of it goes on."""
    one = case("fauna", "json:secret", "cookie", worst=True)
    answer = one.document(UNLIKE[name], GRAPHQL,
                          operationName="A" if "query A" in UNLIKE[name]
                          else None)
    assert answer.status == 400, answer
    assert answer.code == "GRAPHQL_PARSE_FAILED", answer
    assert answer.json["errors"][0]["locations"][0]["line"] >= 1
    assert one.new_events()["new"] == 0
    answer = one.document(UNLIKE[name], ("Accept", "application/json"))
    assert answer.status == 200, answer
    assert answer.code == "GRAPHQL_PARSE_FAILED"
    assert one.new_events()["new"] == 0


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
def test_what_json_readers_read_differently_is_refused(case, body):
    """L67: members that differ in case, twice the same, and the like."""
    one = case("fauna", "json:secret", "cookie", worst=True)
    answer = one.post(body)
    assert answer.status == 400, answer
    assert one.new_events()["new"] == 0


def test_a_body_with_a_get(case):
    """L67: some backends read it; and other servers than lighttpd let it
    come through."""
    one = case("fauna", "json:secret", "cookie", worst=True)
    answer = one.checker.ask(hostile.Request(
        "query", "GET", "query=%7Bme%7Bid%7D%7D", [JSON],
        b'{"query":"mutation{poke}"}'))
    assert answer.status == 400, answer.stdout
    assert one.new_events()["new"] == 0


def test_what_goes_on_is_written_anew(case):
    """L67: known members once, in UTF-8, the declared variables alone."""
    one = case("fauna", "json:secret", "cookie")
    one.backend.ask("seen", forget=True)
    answer = one.post(
        b' {"x":1,"variables":{"n":12345678901234567890123,"junk":1,'
        b'"i":{"text":"a"}},"operationName":"A","extensions":{'
        b'"persistedQuery":{"version":1,"sha256Hash":"'
        + hashlib.sha256(b"query A($i:EchoInput){echo(input:$i){text}}")
        .hexdigest().encode() + b'"},"a":1},"query":'
        b'"query A($i:EchoInput){echo(input:$i){text}}"}\r\n')
    assert answer.json == {"data": {"echo": {"text": "a"}}}, answer
    [request] = one.backend.seen()
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
    [("operations", '{"query":"mutation{' + LOGIN_HIDDEN.replace(
        '"', '\\"') + '}"}'), ("map", "{}")],
])
def test_multipart_is_written_anew(case, parts):
    """L67: the first operations part is the one, and it is no login."""
    one = case("fauna", "json:secret", "cookie", worst=True)
    before = one.new_events()["pokes"]
    answer = one.gateway.send("POST", "/query", multipart(*parts), [
        ("Content-Type", "multipart/form-data; boundary=x"),
        ("apollo-require-preflight", "1")])
    news = one.new_events()
    assert news["pokes"] == before and not news["guesses"], answer
    if news["new"] == 0:
        assert answer.status == 400, answer


@pytest.mark.parametrize("kind", [
    "application/x-www-form-urlencoded", "application/graphql",
    "text/plain", "application/xml", None])
def test_other_types_are_refused(case, kind):
    """L67: what only some backends read."""
    one = case("fauna", "json:secret", "cookie", worst=True)
    body = (b"query=mutation%7Bpoke%7D" if kind and "form" in kind
            else b"mutation{poke}")
    answer = one.gateway.send("POST", "/query", body, [
        ("Content-Type", kind)] if kind else [])
    assert answer.status in (400, 415), answer
    assert one.new_events()["new"] == 0


# How often a password may be guessed -----------------------------------------

LOOKALIKES = ["víctim@trust.example", "ｖictim@trust.example",
              "vic tim@trust.example", "VICTIM@trust.example",
              "v\u0131ctim@trust.example", "vi\u200bctim@trust.example",
              "𝐯𝐢𝐜𝐭𝐢𝐦@trust.example", "ⓥictim@trust.example",
              " victim@trust.example", "victim@truſt.example",
              "victim@trust.example\u3000", "\u00advictim@trust.example",
              "vic\u0323tim@trust.examp\u0142e"]


@pytest.mark.parametrize("place", ["json:secret", "header:x-token"])
def test_lookalikes_have_one_budget(case, place):
    """L58: as many guesses as at one name, for a backend that takes all for
    one account."""
    one = case("fauna", place, "cookie", POSTERN_LOGIN_PER_ACCOUNT="10/15m")
    one.backend.register("victim@trust.example")
    statuses = []
    for turn in range(3):
        for name in LOOKALIKES:
            text = login("{ownerId}", name, f"wrong {turn}")
            statuses.append(one.document(text).status)
    assert len(one.guesses()) == 10, statuses
    assert statuses[10:] == [429] * (len(statuses) - 10)


@pytest.mark.parametrize("victim, own", [
    ("victim", "victimé"), ("victime", "victimé"), ("victimx", "VICTIMX"),
    ("victimy", "victimy\u200b"), ("victimz", " victimz")])
@pytest.mark.parametrize("place", ["json:secret", "header:x-token"])
def test_a_success_gives_back_what_it_took(case, place, victim, own):
    """L58: nine wrong at `victim`, one right at the attacker's own
    `victimé`, again and again."""
    one = case("fauna", place, "cookie", fold="exact",
               POSTERN_LOGIN_PER_ACCOUNT="10/15m")
    one.backend.register(victim + "@trust.example")
    one.backend.register(own + "@trust.example", PASSWORD)
    for _ in range(5):
        for _ in range(9):
            one.document(login("{ownerId}", victim + "@trust.example", "x"))
        one.document(login("{ownerId}", own + "@trust.example"))
    assert len(one.guesses()) == 10


@pytest.mark.parametrize("place", ["json:secret", "header:x-token", "cookie"])
def test_guesses_at_the_same_time(case, place):
    """L58: by both programs, in several spellings, all at once."""
    one = case("fauna", place, "cookie")
    one.backend.register("crowd@trust.example")

    def attempt(turn):
        name = ("crowd", "CROWD", "cro\u0301wd", " crowd")[turn % 4]
        body = json.dumps({"query": login(
            "{ownerId}", name + "@trust.example", f"wrong {turn}")}).encode()
        program = ("query", "login")[turn % 2]
        request = hostile.Request(program, headers=[JSON], body=body)
        return fcgi.request(one.gateway.socket_of(program), "POST", "", body,
                            **request.params()).status

    with concurrent.futures.ThreadPoolExecutor(20) as crowd:
        statuses = list(crowd.map(attempt, range(40)))
    assert len(one.guesses()) == hostile.LIMIT, statuses
    assert statuses.count(429) == 40 - hostile.LIMIT


@pytest.mark.parametrize("place", ["header:x-token", "cookie"])
def test_a_wrong_password_is_no_success(case, place):
    """L58: the token that went along has become the attacker's own, by a
    mutation that the backend keeps it at, and his name looks like the
    victim's: what was wrong gives nothing back."""
    one = case("fauna", place, "cookie", fold="exact", worst=True)
    one.backend.register("victim@trust.example")
    own = one.backend.register("v\u00edctim@trust.example")
    for turn in range(8):
        _, guest = one.session(one.document("mutation{addItemToOrder{id}}"))
        one.document('mutation{pluginLogin(token:"%s"){ownerId}}'
                     % own.codes["plugin"], *guest)
        one.document(login("{ownerId}", "victim@trust.example", f"w{turn}"),
                     *guest)
    assert len(one.guesses()) == hostile.LIMIT


@pytest.mark.parametrize("place", ["json:secret", "header:x-token"])
def test_half_a_surrogate_pair_is_no_name(case, place):
    """L58: some backends drop it, and have another name than was counted."""
    one = case("fauna", place, "cookie")
    answer = one.post(b'{"query":"mutation($e:String!){login(email:$e,'
                      b'password:\\"x\\"){ownerId}}","variables":'
                      b'{"e":"\\ud800victim@trust.example"}}')
    assert answer.status == 400, answer
    assert one.new_events()["new"] == 0


@pytest.mark.parametrize("place", ["json:secret", "header:x-token"])
def test_an_undeclared_variable_changes_nothing(case, place):
    """L58: of 130 in a row, 100 reach the backend."""
    one = case("fauna", place, "cookie", POSTERN_LOGIN_PER_ACCOUNT="1000/1h")
    one.backend.register("junk@trust.example")
    text = ("mutation($email:String!,$password:String!)"
            "{login(email:$email,password:$password){ownerId}}")
    for turn in range(130):
        one.document(text, variables={
            "email": "junk@trust.example", "password": "wrong",
            "x": "junk", f"y{turn}": f"junk{turn}"})
    assert len(one.guesses()) == 100


@pytest.mark.parametrize("word", [
    "null", "text401", "empty403", "json400", "json401", "nodata", "nopath",
    "input", "located", "html", "server500", "broken", "moved",
    "nocontent204", "hangup"])
@pytest.mark.parametrize("place", ["json:secret", "header:x-token"])
def test_a_refusal_of_any_kind_is_counted(case, word, place):
    """L59: however the backend says no, its resolver has seen the guess."""
    one = case("fauna", place, "cookie", POSTERN_LOGIN_PER_ACCOUNT="10/15m")
    name = f"v-{word}@trust.example"
    one.backend.register(name)
    statuses = [one.document(login("{ownerId}", name, "wrong")).status
                for _ in range(15)]
    assert len(one.guesses()) == 10, statuses
    assert statuses[10:] == [429] * 5


@pytest.mark.parametrize("place", ["json:secret", "header:x-token"])
def test_401_without_json_is_a_refusal(case, place):
    """L59: to a person it is a wrong password, not a broken backend."""
    one = case("fauna", place, "cookie")
    name = f"text401-{place[:4]}@trust.example"
    answer = one.gateway.post("/login", {"email": name, "password": "x"})
    assert (answer.status, answer.code) == (401, "UNAUTHENTICATED"), answer


@pytest.mark.parametrize("place", ["json:secret", "header:x-token"])
def test_validation_errors_are_no_guess(case, place):
    """Design 2.5: a schema that has changed is not a wrong password."""
    one = case("fauna", place, "cookie", POSTERN_LOGIN_PER_ACCOUNT="10/15m",
               documents=["""mutation($email:String!,$password:String!){
                   login(email:$email,password:$password){
                       ownerId email ttl changed %(secret)s}}"""])
    text = ('mutation{login(email:"w@x.example",password:"x"){changed}}')
    statuses = {one.document(text).status for _ in range(15)}
    assert 429 not in statuses, statuses
    assert not one.guesses()


# Methods and parameters ------------------------------------------------------

@pytest.mark.parametrize("document", [
    "mutation{poke}", "mutation A{poke}", "query A{me{id}} mutation B{poke}",
    login("{ownerId}")])
def test_a_mutation_by_get(case, document):
    """L60: cross-site or not, it is 405, and the backend never hears of
    it."""
    one = case("fauna", "json:secret", "cookie")
    _, headers = one.session(one.document(login("{email}")))
    one.new_events()
    query = "query=" + urllib.parse.quote(document)
    if "query A" in document:
        query += "&operationName=B"
    for site in ("cross-site", "same-origin", None):
        answer = one.gateway.send("GET", "/query?" + query, headers=[
            *headers, *([("Sec-Fetch-Site", site)] if site else [])])
        assert answer.status == 405, answer
        assert answer.get("allow") == "POST"
    news = one.new_events()
    assert news["new"] == 0 and news["pokes"] == 0


@pytest.mark.parametrize("value", [
    "en'%20OR%201=1", "en%22", "a%00", "a%0Ab", "en;x", "%C3%A9", "a.b", "a/b",
    "en&languageCode=de'"])
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_parameters_that_are_more_than_a_word(case, value, method):
    """L65 (CVE-2026-40887): what does not look like a code stays outside."""
    one = case("vendure", "header:vendure-auth-token", "cookie")
    one.backend.ask("seen", forget=True)
    query = f"languageCode={value}"
    if method == "GET":
        query = "query=%7Bpokes%7D&" + query
    answer = one.gateway.send(
        method, "/query?" + query,
        b'{"query":"{pokes}"}' if method == "POST" else None,
        [JSON] if method == "POST" else [])
    assert answer.status in (200, 400), answer
    for request in one.backend.seen():
        assert "OR" not in request["target"]
        assert request["target"].rpartition("?")[2].count("languageCode") \
            <= 1
        got = urllib.parse.parse_qs(request["target"].partition("?")[2])
        for code in got.get("languageCode", []):
            assert code.replace("-", "").replace("_", "").isalnum() \
                and code.isascii(), request


def test_parameters_that_are_allowed(case):
    """L65: the preset's two, and no others."""
    one = case("vendure", "header:vendure-auth-token", "cookie")
    one.backend.ask("seen", forget=True)
    answer = one.gateway.send(
        "POST", "/query?languageCode=en-GB&x=1&currencyCode=EUR",
        b'{"query":"{pokes}"}', [JSON])
    assert answer.status == 200, answer
    [request] = one.backend.seen()
    assert urllib.parse.parse_qs(request["target"].partition("?")[2]) == {
        "languageCode": ["en-GB"], "currencyCode": ["EUR"]}


@pytest.mark.parametrize("way", ["json", "form", "graphql"])
def test_failures_take_one_time(case, way):
    """L66 (CVE-2026-25050): whether there is such an account or not."""
    one = case("fauna", "json:secret", "cookie", POSTERN_LOGIN_FLOOR="500ms",
               POSTERN_LOGIN_PER_ACCOUNT="off")
    for email in ("friend@trust.example", "nobody@trust.example"):
        start = time.monotonic()
        if way == "json":
            answer = one.gateway.post("/login", {"email": email,
                                                 "password": "x"})
        elif way == "form":
            answer = one.gateway.form("/login", {"email": email,
                                                 "password": "x"})
        else:
            answer = one.document(login("{ownerId}", email, "x"))
        took = time.monotonic() - start
        assert answer.status in (200, 401), answer
        assert took >= 0.5, took


def test_a_mutation_beside_a_login(case):
    """Design 2.5: one root field, and nothing of it goes on otherwise."""
    one = case("fauna", "json:secret", "cookie")
    for text in ("mutation{poke " + LOGIN_HIDDEN + "}",
                 "mutation{a:" + LOGIN_HIDDEN + " b:" + LOGIN_HIDDEN + "}",
                 "mutation{...F} fragment F on Mutation{poke "
                 + LOGIN_HIDDEN + "}",
                 "mutation A{" + LOGIN_HIDDEN + "} query B{me{id}}",
                 "mutation($a:Boolean=true){login(email:\"a\",password:"
                 "\"b\")@include(if:$a){email}}",
                 "mutation{...@skip(if:false){" + LOGIN_HIDDEN + "}}"):
        answer = one.document(text, operationName="A" if " A{" in text
                              else None)
        assert answer.status == 400, (text, answer)
    one.post(json.dumps([{"query": "{me{id}}"}, {
        "query": "mutation{" + LOGIN_HIDDEN + "}"}]).encode())
    news = one.new_events()
    assert news["pokes"] == 0 and not news["guesses"]


def test_an_alias_at_the_root_is_fine(case):
    """Issue 8: mutation A{x:login(…){…}}."""
    one = case("fauna", "json:secret", "cookie")
    answer = one.document("mutation A{x:login(email:\"a@x.example\","
                          f"password:\"{PASSWORD}\"){{i:ownerId __typename "
                          "secret}}")
    assert answer.json == {"data": {"x": {
        "i": one.own.id, "__typename": "LoginPayload", "secret": None}}}
    assert one.session(answer)[0]["subject"] == one.own.id
