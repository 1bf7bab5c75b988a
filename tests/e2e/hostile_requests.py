# SPDX-License-Identifier: ISC
"""Generator of an attacker's HTTP requests: documents of hostile_documents.py as
JSON, batches, GET, multipart and other forms that a backend might parse, with
unusual members, charsets, types and credentials.
"""
import base64
import gzip
import hashlib
import json
import urllib.parse

from hostile import Request
from hostile_documents import (
    KINDS, Ask, forging_query, guess, honest_query, lookalike,
    other_mutation, right_login, secret_selection)


def member(name, value, choose=None):
    ascii_only = choose is None or choose.chance(50)
    return json.dumps(name) + ":" + json.dumps(value, ensure_ascii=ascii_only)


def stored_hash(choose):
    """The hash of a document that the backend has stored."""
    text = choose.pick((
        "mutation($email:String,$password:String!){login(email:$email,"
        "password:$password){secret ttl email ownerId session{secret}}}",
        "mutation($username:String,$password:String!){login(username:"
        "$username,password:$password){__typename ... on CurrentUser"
        "{id secret token}}}", "mutation{refresh{secret}}", "{me{id email}}"))
    return hashlib.sha256(text.encode()).hexdigest()


def persisted(digest):
    return {"persistedQuery": {"version": 1, "sha256Hash": digest}}


def json_object(choose, world, ask):
    """One request as a JSON object, sometimes sloppy or malformed."""
    members = [member("query", ask.text, choose)] if ask.text is not None \
        else []
    if ask.name is not None and choose.chance(85):
        members.append(member("operationName", ask.name))
    elif choose.chance(6):
        members.append(member("operationName", choose.pick(
            ("", None, "Other", "nothing"))))
    if ask.variables or choose.chance(20):
        members.append(member("variables", ask.variables, choose))
    if ask.extensions is not None:
        members.append(member("extensions", ask.extensions))
    elif choose.chance(4):
        members.append(member("extensions", choose.pick(
            ({"clientLibrary": {"name": "x"}}, None, {}))))
    if choose.chance(4):
        members.append(choose.pick((
            '"hello":1', '"id":null', '"variables ":{}', '"x":[[]]')))
    if choose.chance(3):
        evil = member(choose.pick((
            "Query", "QUERY", "query", "qu\u0065ry", "variables",
            "Variables", "operationname", "documentId", "id", "doc_id",
            "Extensions")), choose.pick((
                "mutation{poke}", "mutation{refresh{secret}}", "stored-0",
                "stored-2", {"email": world.friend.email})))
        if choose.chance(30):
            evil = evil.replace("query", "qu\\u0065ry")
        members.insert(choose.number(len(members) + 1), evil)
    if choose.chance(10):
        members.reverse()
    glue = choose.pick((",", ", ", " ,\n"))
    text = "{" + glue.join(members) + "}"
    if ask.variables and choose.chance(2):  # a duplicate variable
        own = choose.pick(world.own)
        text = text.replace('"variables":{', '"variables":{' + member(
            world.name_argument, own.email) + ",")
    return text


def as_json(choose, world, ask):
    return "POST", "", "application/json", json_object(
        choose, world, ask).encode("utf-8", "surrogatepass")


def as_batch(choose, world, ask):
    asks = [ask] + [choose.weighted(BATCHED)(choose, world)
                    for _ in range(choose.number(3))]
    text = "[" + ",".join(json_object(choose, world, one)
                          for one in asks) + "]"
    return "POST", "", "application/json", text.encode("utf-8",
                                                       "surrogatepass")


BATCHED = [(60, honest_query), (10, forging_query), (20, other_mutation),
           (4, guess), (3, right_login), (3, secret_selection)]


def as_get(choose, world, ask):
    pairs = [("query", ask.text)] if ask.text is not None else []
    if ask.name:
        pairs.append(("operationName", ask.name))
    if ask.variables:
        pairs.append(("variables", json.dumps(ask.variables)))
    if ask.extensions:
        pairs.append(("extensions", json.dumps(ask.extensions)))
    if choose.chance(6):
        pairs.append(choose.pick((
            ("query", "mutation{poke}"), ("Query", "{me{secret}}"),
            ("documentId", "stored-0"), ("id", "stored-2"),
            ("languageCode", "as-1"), ("languageCode", "en' OR 1=1"))))
    if choose.chance(10):
        pairs.reverse()
    query = urllib.parse.urlencode(
        pairs, errors="surrogatepass")
    body = b'{"query":"mutation{poke}"}' if choose.chance(2) else b""
    return "GET", query, "application/json" if body else None, body


def as_multipart(choose, world, ask):
    bound = "b" + "x" * choose.number(3)
    text = json_object(choose, world, ask)
    if choose.chance(8):
        text = f"[{text}]"
    files = choose.chance(40)
    where = choose.pick(("variables.file", "variables.email", "query",
                         "variables.input.native", "0.query"))
    parts = [("operations", text),
             ("map", json.dumps({"0": [where]} if files else {}))]
    if files:
        parts.append(('0"; filename="a.txt', "mutation{poke}"))
    if choose.chance(8):
        parts.append(choose.pick((
            ("operations", '{"query":"mutation{refresh{secret}}"}'),
            ("query", "mutation{poke}"), ("Operations", "{}"))))
    body = "".join(f'--{bound}\r\nContent-Disposition: form-data; '
                   f'name="{name}"\r\n\r\n{value}\r\n'
                   for name, value in parts) + f"--{bound}--\r\n"
    return ("POST", "", f"multipart/form-data; boundary={bound}",
            body.encode("utf-8", "surrogatepass"))


def as_form(choose, world, ask):
    body = urllib.parse.urlencode(
        {"query": ask.text or "", "variables": json.dumps(ask.variables)},
        errors="surrogatepass")
    return "POST", "", "application/x-www-form-urlencoded", body.encode()


def as_bare(choose, world, ask):
    return "POST", "", "application/graphql", (ask.text or "").encode(
        "utf-8", "surrogatepass")


def persist(choose, world, ask):
    """A persisted query: registered, or known to the backend only."""
    variant = choose.number(6)
    if variant <= 1:  # with its text, which registers it
        digest = hashlib.sha256(ask.text.encode(
            "utf-8", "surrogatepass")).hexdigest()
        ask.extensions = persisted(digest)
        world.hashes = [*world.hashes[-20:], (digest, ask)]
    elif variant == 2 and world.hashes:
        digest, known = choose.pick(world.hashes)
        ask = Ask(choose.pick((None, "", " ")), known.name, known.variables,
                  known.is_query)
        ask.extensions = persisted(digest)
    elif variant == 3:
        ask.extensions = persisted(stored_hash(choose))
    elif variant == 4:  # the hash of another document
        ask.extensions = persisted(hashlib.sha256(b"{me{id}}").hexdigest())
    else:
        victim = world.victim()
        ask = Ask(choose.pick((None, "", " ", "#", ",", "\ufeff", "\n#\n")),
                  None, {world.name_argument: victim.email,
                         "password": "wrong"})
        ask.extensions = choose.pick((
            persisted(stored_hash(choose)), persisted("stored-0"),
            {"persistedquery": {"sha256hash": stored_hash(choose)}}))
    return ask


def noisy_type(choose, kind):
    if choose.chance(92) or kind is None:
        return kind, None
    if choose.chance(50):
        return kind + choose.pick(("; charset=utf-8", ";charset=UTF-8",
                                   '; charset="utf-8"')), None
    charset = choose.pick(("utf-7", "utf-16", "utf-16le", "iso-8859-1",
                           "utf-32", "cp037", "shift_jis"))
    return kind + "; charset=" + charset, charset


def recoded(choose, body, charset):
    """The body in that charset, or unchanged."""
    if charset is None or choose.chance(50):
        return body
    try:
        return body.decode().encode(charset)
    except (UnicodeError, LookupError):
        return body


def login_form(choose, world):
    """A login in the login program's own JSON or form."""
    is_right = choose.chance(40)
    account = choose.pick(world.own) if is_right else world.victim()
    fields = {choose.pick(("email", "username")): lookalike(
        choose, account.email),
        "password": account.password if is_right else "wrong"}
    if choose.chance(20):
        fields["rememberMe"] = True
    if choose.chance(50):
        return Request("login", headers=[
            ("Content-Type", "application/json")],
            body=json.dumps(fields).encode())
    return Request("login", headers=[
        ("Content-Type", "application/x-www-form-urlencoded")],
        body=urllib.parse.urlencode(fields,
                                    errors="surrogatepass").encode())


def add_credentials(choose, world, headers):
    """Add credentials; returns the account whose session they contain."""
    variant = choose.weighted([(50, "none"), (22, "own"), (6, "junk"),
                           (5, "both"), (6, "cross"), (6, "bearer"),
                           (5, "guest")])
    if variant == "none":
        return None
    own = choose.pick(world.own)
    if variant == "guest":
        becomes = own if choose.chance(60) else None
        if becomes and world.setting.fold == "exact":
            becomes = world.checker.backend.register(lookalike(
                choose, world.victim().email)) or own
        headers += world.guest(becomes)
        return becomes
    if variant == "own":
        headers += world.session_of(own)
        return own
    if variant == "junk":
        headers.append(choose.pick((
            ("Cookie", "session=junk; __Host-Http-session=a.b.c.d.e"),
            ("Cookie", "__Host-session=; session=" + own.id),
            ("Authorization", "Basic " + base64.b64encode(
                b"friend@trust.example:x").decode()))))
        return None
    if variant == "both":
        headers += [*world.session_of(own), ("Cookie", "session=junk")]
        return own
    if variant == "bearer":
        headers.append(("Authorization", choose.pick((
            "Bearer", "Bearer x", "Bearer CanaryGuess", "bearer  a"))))
        return None
    headers += world.session_of(own)
    headers += choose.pick((
        [("Sec-Fetch-Site", "same-origin"), ("Origin", "https://localhost")],
        [("Sec-Fetch-Site", "none")], [("Origin", "https://localhost")],
        [("Sec-Fetch-Site", "cross-site"), ("Origin", "https://evil")]))
    return own


EXTRA = (
    ("Accept", "application/graphql-response+json"),
    ("Accept", "application/json"), ("Accept", "text/event-stream"),
    ("Accept", "multipart/mixed"), ("Accept-Encoding", "gzip"),
    ("Accept-Language", "as-1"), ("vendure-token", "as-1"),
    ("User-Agent", "as-1"), ("X-Act-As", "as-1"), ("tracestate", "as-1"),
    ("X-HTTP-Method-Override", "GET"), ("Vendure-Auth-Token", "x"))


def logout(choose, world):
    own = choose.pick(world.own)
    headers = list(world.session_of(own))
    world.sessions.clear()
    if choose.chance(50):
        return Request("session", "DELETE", headers=headers), own
    return Request("logout", "POST", choose.pick(("", "everywhere=1")),
                   [("Content-Type", "application/json"), *headers]), own


def request(choose, world):
    """A request, and the account whose session it contains."""
    if choose.chance(6):
        return login_form(choose, world), None
    if choose.chance(1):
        return logout(choose, world)
    ask = choose.weighted(KINDS)(choose, world)
    if choose.chance(8):
        ask = persist(choose, world, ask)
    encode = choose.weighted([
        (68, as_json), (14 if ask.is_query else 2, as_get), (6, as_batch),
        (5, as_multipart), (1, as_form), (1, as_bare)])
    method, query, kind, body = encode(choose, world, ask)
    kind, charset = noisy_type(choose, kind)
    body = recoded(choose, body, charset)
    headers = [("Content-Type", kind)] if kind else []
    if choose.chance(2) and body:
        body = choose.pick((b"\xef\xbb\xbf" + body, b" " + body,
                            body + b"\n", body + b"{}"))
    if choose.chance(2) and body:
        body = gzip.compress(body)
        headers.append(("Content-Encoding", "gzip"))
    if choose.chance(4):
        query += ("&" if query else "") + choose.pick((
            "query=mutation%7Bpoke%7D", "languageCode=en", "x=1",
            "variables=%7B%22email%22%3A%22x%22%7D", "QUERY=%7Bme%7Bid%7D%7D",
            "languageCode=as-1", "documentId=stored-2", "operationName="))
    if encode is as_multipart and choose.chance(90):
        headers.append(("apollo-require-preflight", "1"))
    if choose.chance(15):
        headers.append(choose.pick(EXTRA))
    carried = add_credentials(choose, world, headers)
    program = "login" if choose.chance(6) else "query"
    if choose.chance(1):
        method = choose.pick(("PUT", "HEAD", "PATCH", "post", "DELETE"))
    return Request(program, method, query, headers, body), carried
