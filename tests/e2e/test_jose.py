# SPDX-License-Identifier: ISC
"""Interoperability of the tokens (design 2.2; RFC 7515, 7516, 7517): two other
JOSE implementations open Postern's tokens with the key that `postern jwk`
prints, and Postern opens theirs.

The others are Debian's `jose` (C, OpenSSL) and python3-jwcrypto. A third
reader, below, follows postern-token(5) alone.
"""

import base64
import hmac
import json
import os
import subprocess

import pytest
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from jwcrypto import jwe, jwk, jws

BUILD = os.environ.get("POSTERN_BUILD", ".")
POSTERN = os.path.join(BUILD, "bin/postern")
TOOL = os.path.join(BUILD, "tests/unit/token_tool")

SECRET = "Kq3vX0c7mJ2yR9tLw5ZbN8dFhG1sPuEa6oTiQxVzWkY"
OLD_SECRET = "b8Tz1LrQ6nYc4WfJ0pXgU3mKd9VhSe7iOa2RtBxNq5E"
AUDIENCE = "session"
NOW = 1728012345
DAY = NOW // 86400
CLAIMS = ['{"a":1}', '{"name":"Zoë \\u0000","list":[1,2,3]}', "x" * 5900]

SEALED = ["cookie", "guest", "bearer", "csrf", "upstream", "store"]
SIGNED = ["cookie", "guest", "bearer"]
USES = [(p, "sealed") for p in SEALED] + [(p, "signed") for p in SIGNED]


def environment(**more):
    """A complete environment. It inherits PATH only."""
    return {"PATH": os.environ["PATH"], "COOKIE_SESSION_SECRET": SECRET,
            "POSTERN_UPSTREAM": "http://127.0.0.1:9/graphql",
            "POSTERN_STORE": "none", **more}


def run(arguments, stdin="", env=None):
    return subprocess.run(arguments, input=stdin.encode(), timeout=60,
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                          env=env or environment())


def seal(purpose, form, claims, **env):
    done = run([TOOL, "seal", purpose, form, str(NOW)], claims,
               environment(**env))
    assert done.returncode == 0, done.stderr
    return done.stdout.decode()


def open_token(purpose, form, token):
    """The claims that Postern reads in a token; None if it does not open."""
    done = run([TOOL, "open", purpose, form, str(NOW)], token)
    assert done.returncode in (0, 1), done.stderr
    return done.stdout.decode() if done.returncode == 0 else None


def jwk_for(purpose, form, token):
    """The JWK that `postern jwk` prints for a token, as text."""
    done = run([POSTERN, "jwk", "--purpose", purpose, "-"], token + "\n",
               environment(POSTERN_TOKEN_FORMAT=form))
    assert done.returncode == 0, done.stderr
    return done.stdout.decode()


def header_of(token):
    return decode(token.split(".")[0]).decode()


def encode(raw):
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def decode(text):
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def jose(*arguments, stdin, key, tmp_path):
    """Run Debian's jose with a key in a file."""
    path = tmp_path / "key.jwk"
    path.write_text(key)
    return run(["jose", *arguments, "-k", str(path)], stdin)


# --- Postern's tokens in other implementations -------------------------------


@pytest.mark.parametrize("claims", CLAIMS, ids=["short", "utf-8", "longest"])
@pytest.mark.parametrize("purpose, form", USES)
def test_jose_opens_a_postern_token(purpose, form, claims, tmp_path):
    token = seal(purpose, form, claims)
    verb = (("jwe", "dec", "-i", "-") if form == "sealed"
            else ("jws", "ver", "-O", "-", "-i", "-"))
    done = jose(*verb, stdin=token, key=jwk_for(purpose, form, token),
                tmp_path=tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stdout.decode() == claims


@pytest.mark.parametrize("claims", CLAIMS, ids=["short", "utf-8", "longest"])
@pytest.mark.parametrize("purpose, form", USES)
def test_jwcrypto_opens_a_postern_token(purpose, form, claims):
    token = seal(purpose, form, claims)
    key = jwk.JWK.from_json(jwk_for(purpose, form, token))
    reader = jwe.JWE() if form == "sealed" else jws.JWS()
    reader.deserialize(token, key)
    assert reader.payload.decode() == claims


@pytest.mark.parametrize("purpose, form", USES)
def test_key_of_another_purpose_does_not_open(purpose, form, tmp_path):
    """R13: a key opens tokens of its purpose only, in the others too."""
    token = seal(purpose, form, CLAIMS[0])
    other = "bearer" if purpose == "cookie" else "cookie"
    key = jwk_for(other, form, seal(other, form, CLAIMS[0]))
    verb = ("jwe", "dec") if form == "sealed" else ("jws", "ver")
    done = jose(*verb, "-i", "-", stdin=token, key=key, tmp_path=tmp_path)
    assert done.returncode != 0
    with pytest.raises((jwe.InvalidJWEData, jws.InvalidJWSSignature)):
        reader = jwe.JWE() if form == "sealed" else jws.JWS()
        reader.deserialize(token, jwk.JWK.from_json(key))


def test_jwk_has_the_members_of_a_symmetric_key():
    """RFC 7517 section 4, RFC 7518 section 6.4."""
    for purpose, form in USES:
        token = seal(purpose, form, CLAIMS[0])
        key = json.loads(jwk_for(purpose, form, token))
        assert set(key) == {"kty", "alg", "kid", "k"}
        assert key["kty"] == "oct"
        assert key["alg"] == ("A256GCM" if form == "sealed" else "HS256")
        assert key["kid"] == json.loads(header_of(token))["kid"]
        assert len(decode(key["k"])) == 32


# --- tokens of other implementations in Postern ------------------------------


def make_with_jose(form, header, claims, key, tmp_path):
    if form == "sealed":
        done = jose("jwe", "enc", "-i", json.dumps({"protected": header}),
                    "-I", "-", "-c", stdin=claims, key=key, tmp_path=tmp_path)
    else:
        # The argument of -s has the protected header of one signature.
        done = jose("jws", "sig", "-s", json.dumps({"protected": header}),
                    "-I", "-", "-c", stdin=claims, key=key, tmp_path=tmp_path)
    assert done.returncode == 0, done.stderr
    return done.stdout.decode()


def make_with_jwcrypto(form, header, claims, key):
    key = jwk.JWK.from_json(key)
    header = json.dumps(header, separators=(",", ":"))
    if form == "sealed":
        maker = jwe.JWE(claims.encode(), header)
        maker.add_recipient(key)
    else:
        maker = jws.JWS(claims.encode())
        maker.add_signature(key, None, header)
    return maker.serialize(compact=True)


@pytest.mark.parametrize("claims", CLAIMS, ids=["short", "utf-8", "longest"])
@pytest.mark.parametrize("purpose, form", USES)
@pytest.mark.parametrize("maker", ["jose", "jwcrypto"])
def test_postern_opens_a_foreign_token(maker, purpose, form, claims, tmp_path):
    ours = seal(purpose, form, "{}")
    key = jwk_for(purpose, form, ours)
    header = json.loads(header_of(ours))
    if maker == "jose":
        theirs = make_with_jose(form, header, claims, key, tmp_path)
    else:
        theirs = make_with_jwcrypto(form, header, claims, key)
    assert theirs != ours
    assert header_of(theirs) == header_of(ours)
    assert open_token(purpose, form, theirs) == claims
    for other, other_form in USES:
        if (other, other_form) != (purpose, form):
            assert open_token(other, other_form, theirs) is None


SEALED_HEADERS = [
    {"alg": "dir", "enc": "A256GCM"},
    {"alg": "dir", "enc": "A256GCM", "kid": "KID", "zip": "DEF"},
    {"alg": "dir", "enc": "A256GCM", "kid": "KID", "typ": "JWT"},
    {"alg": "dir", "enc": "A256GCM", "kid": "kid"},
    {"alg": "dir", "kid": "KID", "enc": "A256GCM"},
    {"kid": "KID", "alg": "dir", "enc": "A256GCM"},
    {"alg": "A256KW", "enc": "A256GCM", "kid": "KID"},
    {"alg": "A256GCMKW", "enc": "A256GCM", "kid": "KID"},
]


@pytest.mark.parametrize("header", SEALED_HEADERS, ids=json.dumps)
def test_sealed_token_with_another_header_is_refused(header):
    """R10, R11: jwcrypto makes it with the right key but another header."""
    ours = seal("cookie", "sealed", "{}")
    key = json.loads(jwk_for("cookie", "sealed", ours))
    kid = key["kid"]
    del key["alg"]  # jwcrypto enforces it
    header = {k: kid if v == "KID" else v for k, v in header.items()}
    theirs = make_with_jwcrypto("sealed", header, '{"a":1}', json.dumps(key))
    reader = jwe.JWE()
    reader.deserialize(theirs, jwk.JWK(**key))
    assert reader.payload == b'{"a":1}'  # valid JWE, but not Postern's
    assert open_token("cookie", "sealed", theirs) is None


@pytest.mark.parametrize("algorithm", ["HS256", "HS384", "HS512"])
def test_another_signature_algorithm_is_refused(algorithm):
    ours = seal("cookie", "signed", "{}")
    key = json.loads(jwk_for("cookie", "signed", ours))
    header = dict(json.loads(header_of(ours)), alg=algorithm)
    del key["alg"]
    key["k"] = encode(decode(key["k"]) * 2)[:86] if algorithm != "HS256" \
        else key["k"]
    theirs = make_with_jwcrypto("signed", header, '{"a":1}', json.dumps(key))
    assert open_token("cookie", "signed", theirs) == (
        '{"a":1}' if algorithm == "HS256" else None)


def test_unsigned_token_is_refused():
    head, payload, _ = seal("cookie", "signed", '{"a":1}').split(".")
    none = dict(json.loads(decode(head)), alg="none")
    none = encode(json.dumps(none, separators=(",", ":")).encode())
    for token in (f"{none}.{payload}.", f"{head}.{payload}.", f"{head}.{payload}"):
        assert open_token("cookie", "signed", token) is None


# --- a reader that follows postern-token(5) alone ----------------------------


def hkdf_expand(prk, info, length):
    block, out, counter = b"", b"", 0
    while len(out) < length:
        counter += 1
        block = hmac.digest(prk, block + info + bytes([counter]), "sha256")
        out += block
    return out[:length]


def key_by_manual(secret, algorithm, purpose, audience, day):
    prk = hmac.digest(b"postern v1", secret.encode(), "sha256")
    info = "\0".join([algorithm, purpose, audience, str(day)])
    return hkdf_expand(prk, info.encode(), 32)


def kid_by_manual(secret, audience, day):
    prk = hmac.digest(b"postern v1", secret.encode(), "sha256")
    raw = hkdf_expand(prk, b"kid\0" + audience.encode(), 6)
    return f"{encode(raw)}.{day}"


@pytest.mark.parametrize("audience", [AUDIENCE, "shop.example", "ä", "a" * 255])
@pytest.mark.parametrize("purpose, form", USES)
def test_token_opens_by_the_manual_alone(purpose, form, audience):
    token = seal(purpose, form, CLAIMS[1], POSTERN_AUDIENCE=audience)
    parts = token.split(".")
    kid = kid_by_manual(SECRET, audience, DAY)
    if form == "signed":
        key = key_by_manual(SECRET, "HS256", purpose, audience, DAY)
        head = '{"alg":"HS256","kid":"%s","typ":"JWT"}' % kid
        assert parts[0] == encode(head.encode())
        signed = ".".join(parts[:2]).encode()
        assert decode(parts[2]) == hmac.digest(key, signed, "sha256")
        claims = decode(parts[1])
    else:
        key = key_by_manual(SECRET, "A256GCM", purpose, audience, DAY)
        head = '{"alg":"dir","enc":"A256GCM","kid":"%s"}' % kid
        assert parts[0] == encode(head.encode())
        assert parts[1] == ""
        claims = AESGCM(key).decrypt(
            decode(parts[2]), decode(parts[3]) + decode(parts[4]),
            parts[0].encode())
        with pytest.raises(InvalidTag):
            AESGCM(key).decrypt(decode(parts[2]),
                                decode(parts[3]) + decode(parts[4]), None)
    assert claims.decode() == CLAIMS[1]


def test_example_in_the_manual_is_right():
    """The secret, the keys and the tokens in postern-token(5) match."""
    page = os.path.join(os.path.dirname(__file__),
                        "../../doc/postern-token.5")
    with open(page, encoding="utf-8") as lines:
        words = set(lines.read().replace("\\-", "-").split())
    assert SECRET in words
    key = key_by_manual(SECRET, "A256GCM", "cookie", AUDIENCE, DAY)
    for token in (w for w in words if w.startswith("eyJ") and ".." in w):
        assert open_token("cookie", "sealed", token) == '{"hello":"world"}'
        assert key.hex() in words
        assert encode(key) in words
        break
    else:
        pytest.fail("postern-token(5) has no example of a sealed token")
    for token in (w for w in words if w.startswith("eyJ") and ".." not in w):
        assert open_token("bearer", "signed", token) == '{"hello":"world"}'
        break
    else:
        pytest.fail("postern-token(5) has no example of a signed token")
    prk = hmac.digest(b"postern v1", SECRET.encode(), "sha256")
    assert prk.hex() in words
    assert kid_by_manual(SECRET, AUDIENCE, DAY) in words


def test_second_secret_opens_and_its_key_is_printed():
    """U1: rotation; the second secret still opens tokens."""
    old = seal("cookie", "sealed", "{}", COOKIE_SESSION_SECRET=OLD_SECRET)
    assert open_token("cookie", "sealed", old) is None
    both = environment(COOKIE_SESSION_SECRET=f"{SECRET} {OLD_SECRET}")
    done = run([POSTERN, "jwk", "-"], old, both)
    assert done.returncode == 0, done.stderr
    key = json.loads(done.stdout)
    assert decode(key["k"]) == key_by_manual(OLD_SECRET, "A256GCM", "cookie",
                                             AUDIENCE, DAY)
    assert key["kid"] == kid_by_manual(OLD_SECRET, AUDIENCE, DAY)
