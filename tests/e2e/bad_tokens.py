# SPDX-License-Identifier: ISC
"""Tokens that are refused: each way in which a session's token can be bad. For the
tests, which compare the answers, and for tests/bench/timing."""
import json
import os
import subprocess
import time

import gateway as gateways
import http_client
from gateway import BUILD, COOKIE, SANITIZER_ENVIRONMENT

TOOL = os.path.join(BUILD, "tests/unit/token_tool")
HOUR, DAY = 3600, 86400


class Variant:
    """A site, and how its tokens are sent and made."""

    def __init__(self, site, form, user):
        self.site, self.form, self.user = site, form, user

    def __str__(self):
        return f"{self.site.kind} {self.form}"

    def seal(self, claims, purpose="cookie", form=None, secret=None, day=0,
             audience="session"):
        """A token with these claims (text, or a dictionary)."""
        form = form or self.form
        if isinstance(claims, dict):
            if form == "signed" and "upstream" in claims and (
                    purpose != "upstream"):
                claims = {**claims, "upstream": self.seal(
                    json.dumps(claims["upstream"]), "upstream", "sealed")}
            claims = json.dumps(claims, separators=(",", ":"))
        done = subprocess.run(
            [TOOL, "seal", purpose, form, str(int(time.time()) + day * DAY)],
            input=claims.encode(), stdout=subprocess.PIPE, timeout=30,
            env={**SANITIZER_ENVIRONMENT, "POSTERN_AUDIENCE": audience,
                 "COOKIE_SESSION_SECRET": secret or self.site.secret.strip()},
            check=True)
        return done.stdout.decode()

    def token(self, transport):
        """A new session's token."""
        answer = self.site.log_in(self.user)
        assert answer.status == 200, answer
        return (http_client.cookie_of(answer)[1]
                if transport == "cookie" else answer.get("vendure-auth-token"))


def session(**changes):
    now = int(time.time())
    return {"v": 2, "sid": "AAECAwQFBgcICQoLDA0ODw", "sub": "42", "name": "Ada",
            "iat": now - 10, "exp": now + HOUR, "seen": now - 5,
            "remember": False, "who": {"email": "a@b.example"},
            "upstream": "t" * 43, **changes}


def flipped(text, at):
    return text[:at] + ("A" if text[at] != "A" else "B") + text[at:][1:]


def cheap_tokens(good):
    """Refused before the tag is verified, or by it."""
    parts = good.split(".")

    def changed(index, value):
        return ".".join([*parts[:index], value, *parts[index + 1:]])

    last = len(parts) - 1
    return {
        "one letter": "x", "no dots": "A" * 43, "dots": "." * (last or 1),
        "many dots": "." * 1000, "huge": "A" * 7000, "cut": good[:-1],
        "half": good[:len(good) // 2], "extended": good + "A",
        "a part more": good + ".A", "a part less": ".".join(parts[:-1]),
        "no tag": changed(last, ""), "short tag": changed(last, parts[last][:8]),
        "tag: first byte": changed(last, flipped(parts[last], 0)),
        "tag: last byte": changed(last, flipped(parts[last], -3)),
        "text: first byte": changed(last - 1, flipped(parts[last - 1], 0)),
        "text: last byte": changed(last - 1, flipped(parts[last - 1], -3)),
        "text: no base64url": changed(last - 1, "+" + parts[last - 1][1:]),
        "header: another": changed(0, flipped(parts[0], 8)),
        "header: no base64url": changed(0, parts[0] + "A"),
        "header: unknown key": changed(0, flipped(parts[0], -16)),
        "upper case": good.upper()}


def sealed_tokens(variant, purpose):
    """With a good tag of some key."""
    now = int(time.time())
    seal = variant.seal
    tokens = {
        "wrong secret": seal(session(), purpose, secret=gateways.make_secret()
                             .strip()),
        "wrong audience": seal(session(), purpose, audience="elsewhere"),
        "other format": seal(session(), purpose, form=(
            "signed" if variant.form == "sealed" else "sealed")),
        "not JSON": seal("x", purpose), "an array": seal("[]", purpose),
        "an empty object": seal("{}", purpose),
        "too deep": seal("[" * 500 + "]" * 500, purpose),
        "version 1": seal(session(v=1), purpose),
        "an unknown member": seal(session(more=1), purpose),
        "a member twice": seal(json.dumps(session())[:-1] + ',"v":2}', purpose),
        "a wrong type": seal(session(iat="1"), purpose),
        "a short sid": seal(session(sid="AAEC"), purpose),
        "a malformed sid": seal(session(sid="A+ECAwQFBgcICQoLDA0ODw"), purpose),
        "from the future": seal(session(iat=now + 300, seen=now + 300),
                                purpose),
        "expired": seal(session(iat=now - 2 * HOUR, exp=now - HOUR,
                                seen=now - HOUR - 5), purpose),
        "over the lifetime": seal(session(iat=now - 13 * HOUR), purpose),
        "idle": seal(session(iat=now - 2 * HOUR, seen=now - HOUR), purpose),
        "a record that is missing": seal(session(upstream=["A" * 43]), purpose),
        "a record with a malformed key": seal(session(upstream=["A"]), purpose)}
    for other in ("cookie", "guest", "bearer", "csrf", "device"):
        if other != purpose:
            tokens["of the kind " + other] = seal(session(), other)
    if purpose == "cookie":
        tokens["a guest's claims in a user's cookie"] = seal(
            session(sub="", name=""), purpose)
    if variant.form == "signed":
        for name, upstream in {
                "hidden claim: plain": "t" * 43,
                "hidden claim: other purpose": seal('"t"', purpose, "sealed"),
                "hidden claim: cut": seal('"t"', "upstream", "sealed")[:-1],
        }.items():
            tokens[name] = seal(json.dumps(session(upstream=upstream)), purpose)
    return tokens


def headers_of(transport, token):
    return [("Authorization", "Bearer " + token) if transport == "bearer"
            else ("Cookie", f"{COOKIE}={token}")]


def ended_tokens(variant, transport):
    """Of sessions that this site began and ended."""
    site = variant.site

    def end(path, body=None, token=None):
        token = token or variant.token(transport)
        answer = site.post(path, body, headers=headers_of(transport, token))
        assert answer.status == 200, answer
        return token

    tokens = {
        "logged out": end("/logout"),
        "replaced by a login": end("/login", {
            "email": variant.user.email, "password": variant.user.password})}
    other = variant.token(transport)
    end("/logout?everywhere=1")
    tokens["logged out everywhere"] = other
    for token in tokens.values():
        assert site.session(headers=headers_of("cookie", "x")) is None, token
    return tokens


def spilled_tokens(variant, transport):
    """The claims are in the store: the record is another one, or it is gone."""
    site, purpose = variant.site, transport
    site.backend.next(body=json.dumps({"data": {"login": {
        "secret": "t" * 5000, "ttl": "2199-01-01T00:00:00Z",
        "email": variant.user.email, "ownerId": variant.user.owner}}}))
    good = variant.token(transport)
    assert len(good) < 1000
    claims = site.open_token(good)
    tokens = {"a record that does not open": variant.seal(session(
        sid=claims["sid"], upstream=["A" * 43]), purpose)}
    answer = site.post("/logout", headers=headers_of(transport, good))
    assert answer.status == 200
    return {**tokens, "a record that was removed": good}


def bad_tokens(variant, transport):
    tokens = {**cheap_tokens(variant.token(transport)),
              **sealed_tokens(variant, transport),
              **ended_tokens(variant, transport),
              **spilled_tokens(variant, transport)}
    assert len(set(tokens.values())) == len(tokens) > 40
    return tokens
