# SPDX-License-Identifier: ISC
"""A client cannot tell why a token was refused (R73; design 2.1): for each way in
which a token can be bad, all programs send the same bytes, behind two web
servers, by cookie and by header, for sealed and for signed tokens."""
import json
import re
import urllib.parse

import gateway as gateways
import pytest
import servers
from bad_tokens import Variant, bad_tokens, headers_of
from gateway import COOKIE

# Parts of a response that differ between two equal requests.
VARIABLE = [
    (rb"(?mi)^Date: [^\r]*", b"Date: X"),
    (rb"(?mi)^X-Request-Id: [^\r]*", b"X-Request-Id: X"),
    (rb'"requestId":"[^"]*"', b'"requestId":"X"'),
    (rb"<code>[0-9a-f-]{8,}</code>", b"<code>X</code>"),
    # A token: only its length.
    (rb"[\w-]+\.[\w-]*\.[\w.-]{40,}", lambda m: b"TOKEN-%d" % len(m[0])),
    (rb'"\d{4}-\d\d-\d\dT[\d:]+Z"', b'"TIME"'),
    (rb'"secondsLeft":\d+', b'"secondsLeft":0'),
]


def form_headers(site):
    return [("Content-Type", "application/x-www-form-urlencoded"),
            ("Origin", f"http://localhost:{site.port}"),
            ("Sec-Fetch-Site", "same-origin"), ("Sec-Fetch-Mode", "navigate"),
            ("Accept", "text/html")]


def requests_of(variant):
    """{name: (method, path, headers, body)} for all five programs."""
    site, user = variant.site, variant.user
    as_json = [("Content-Type", "application/json")]
    as_form = form_headers(site)
    page = [("Sec-Fetch-Mode", "navigate"), ("Accept", "text/html")]
    me = json.dumps({"query": gateways.ME}).encode()
    good, wrong = (
        {"email": user.email, "password": password}
        for password in (user.password, "wrong password"))
    return {
        "query": ("POST", "/query", as_json, me),
        "query by GET": ("GET", "/query?query=" + urllib.parse.quote(
            gateways.ME), [], None),
        "session": ("GET", "/session", [], None),
        "session, not renewed": ("GET", "/session?touch=0", [], None),
        "sessions": ("GET", "/session?list=1", [], None),
        "end of a session": ("DELETE", "/session?id=12345678", [], None),
        "login form": ("GET", "/login", page, None),
        "login": ("POST", "/login", as_json, json.dumps(good).encode()),
        "failed login": ("POST", "/login", as_json, json.dumps(wrong).encode()),
        "login by form": ("POST", "/login", as_form,
                          urllib.parse.urlencode(good).encode()),
        "failed login by form": ("POST", "/login", as_form,
                                 urllib.parse.urlencode(wrong).encode()),
        "login by GraphQL": ("POST", "/query", as_json, json.dumps({
            "query": gateways.LOGIN, "variables": good}).encode()),
        "logout": ("POST", "/logout", [], b""),
        "logout everywhere": ("POST", "/logout?everywhere=1", [], b""),
        "logout by form": ("POST", "/logout", as_form, b""),
        "logout page": ("GET", "/logout", page, None),
        "protected file": ("GET", "/members/style.css", [], None),
        "protected page": ("GET", "/members/", page, None),
    }


def same_bytes(answer):
    """A response without what differs between two equal requests."""
    data = answer.head + b"\r\n\r\n" + answer.body
    for pattern, value in VARIABLE:
        data = re.sub(pattern, value, data)
    return data


@pytest.fixture(name="variant", scope="module", params=[
    (servers.Lighttpd, "sealed"), (servers.Nginx, "sealed"),
    (servers.Nginx, "signed")], ids=lambda p: f"{p[0].name}-{p[1]}")
def variant_fixture(request, backend, user):
    kind, form = request.param
    site = kind(backend, POSTERN_TOKEN_METHOD="cookie,bearer",
                POSTERN_TOKEN_FORMAT=form)
    yield Variant(site, form, user)
    site.close()


@pytest.mark.parametrize("transport", ["cookie", "bearer"])
def test_refusals_of_a_token_are_the_same_bytes(variant, transport):
    """R73: the attack: a client learns from an answer that a token was once
    good, which key exists, or whether a session is revoked or expired."""
    tokens = bad_tokens(variant, transport)
    good = variant.token(transport)
    for name, (method, path, headers, body) in requests_of(variant).items():
        groups = {}
        for kind, token in tokens.items():
            variant.site.private.add(token)
            answer = variant.site.send(method, path, body, [
                *headers, *headers_of(transport, token)])
            assert answer.whole
            groups.setdefault(same_bytes(answer), []).append(kind)
        assert len(groups) == 1, (name, groups)
        # A good token is answered differently, where it makes a difference.
        if name == "session":
            answer = variant.site.send(method, path, body, [
                *headers, *headers_of(transport, good)])
            assert same_bytes(answer) not in groups


def test_two_sessions_by_cookie_are_refused_like_one_bad_cookie(variant):
    """Design 2.1: of two different sessions none counts."""
    pair = "; ".join(f"{COOKIE}={variant.token('cookie')}" for _ in range(2))
    for name, (method, path, headers, body) in requests_of(variant).items():
        first, second = (same_bytes(variant.site.send(
            method, path, body, [*headers, ("Cookie", value)]))
            for value in (pair, f"{COOKIE}=x; {COOKIE}=y"))
        assert first == second, name
