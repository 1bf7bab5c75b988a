# SPDX-License-Identifier: ISC
"""The example programs in doc/legacy.md work as documented: a stock JWT library
accepts a signed session token and rejects forged ones."""
import base64
import json
import os
import re
import shutil
import subprocess

import gateway
import jwt
import pytest
from http_client import cookie_of

# A substitute for the part of firebase/php-jwt that the PHP example calls, in
# case the library is not installed.
PHP_JWT_SUBSTITUTE = r"""
namespace Firebase\JWT;
class Key {
    public function __construct(public string $key, public string $alg) {}
}
class JWT {
    static function urlsafeB64Decode(string $text): string {
        return base64_decode(strtr($text, '-_', '+/'));
    }
    static function decode(string $token, Key $key): object {
        [$head, $body, $tag] = explode('.', $token);
        $header = json_decode(self::urlsafeB64Decode($head));
        $good = hash_hmac('sha256', "$head.$body", $key->key, true);
        if ($header->alg !== $key->alg
            || !hash_equals($good, self::urlsafeB64Decode($tag)))
            throw new \UnexpectedValueException('Signature');
        return json_decode(self::urlsafeB64Decode($body));
    }
}
"""


def example_programs(language):
    """The examples in doc/legacy.md in this language."""
    with open(os.path.join(gateway.ROOT, "doc/legacy.md"),
              encoding="utf-8") as file:
        found = re.findall(rf"```{language}\n(.*?)```", file.read(), re.S)
    return [text for text in found if "session_of" in text]


@pytest.fixture(name="site", scope="module")
def site_fixture(start):
    return start(POSTERN_TOKEN_FORMAT="signed")


def forged_tokens(token):
    """The token with another subject, with alg none, or a wrong signature."""
    head, body, tag = token.split(".")
    claims = json.loads(base64.urlsafe_b64decode(body + "=="))
    claims["sub"] = "1234567"
    other = base64.urlsafe_b64encode(json.dumps(claims).encode()).decode()
    none = base64.urlsafe_b64encode(json.dumps(dict(
        json.loads(base64.urlsafe_b64decode(head + "==")),
        alg="none")).encode()).decode()
    return [f"{head}.{other.rstrip('=')}.{tag}",
            f"{none.rstrip('=')}.{body}.", f"{none.rstrip('=')}.{body}.{tag}",
            f"{head}.{body}.{tag[::-1]}"]


def test_python_example_verifies_a_session_token(site, user):
    token = cookie_of(site.log_in(user))[1]
    module = {}
    exec(example_programs("python")[0], module)
    claims = module["session_of"](token, site.secret.strip())
    assert (claims["sub"], claims["name"]) == (user.owner, user.email)
    assert "fnED" not in json.dumps(claims)
    for forged in forged_tokens(token):
        with pytest.raises(jwt.PyJWTError):
            module["session_of"](forged, site.secret.strip())
    with pytest.raises(jwt.PyJWTError):
        module["session_of"](token, gateway.make_secret().strip())


def test_php_example_verifies_a_session_token(site, user, tmp_path):
    token = cookie_of(site.log_in(user))[1]
    php_jwt = tmp_path / "jwt.php"
    php_jwt.write_text("<?php" + PHP_JWT_SUBSTITUTE, encoding="ascii")
    script = tmp_path / "read.php"
    script.write_text(
        "<?php\n" + example_programs("php")[0]
        + f"\nrequire '{php_jwt}';\n"
        "try { echo json_encode(session_of(getenv('TOKEN'), getenv('S'))); }\n"
        "catch (Throwable $e) { echo 'no'; }\n", encoding="utf-8")
    php = shutil.which("php") or shutil.which("php-cgi")
    assert php, "php is missing"

    def run(value):
        done = subprocess.run(
            [php, "-q", str(script)] if "cgi" in php else [php, str(script)],
            stdout=subprocess.PIPE, timeout=30, check=True, env={
                "TOKEN": value, "S": site.secret.strip()})
        return done.stdout.decode()

    claims = json.loads(run(token))
    assert (claims["sub"], claims["name"]) == (user.owner, user.email)
    for forged in forged_tokens(token):
        assert run(forged) == "no"
