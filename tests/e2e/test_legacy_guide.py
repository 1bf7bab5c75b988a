# SPDX-License-Identifier: ISC
"""The programs in doc/legacy.md: a stock JWT library reads a signed session
and refuses forged tokens."""
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

# Replaces firebase/php-jwt, which may not be installed: the two calls that the
# document's PHP program uses, with PHP's own functions.
STAND_IN = r"""
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


def programs_in_guide(language):
    with open(os.path.join(gateway.ROOT, "doc/legacy.md"),
              encoding="utf-8") as file:
        found = re.findall(rf"```{language}\n(.*?)```", file.read(), re.S)
    return [text for text in found if "session_of" in text]


@pytest.fixture(name="site", scope="module")
def site_fixture(start):
    return start(POSTERN_TOKEN_FORMAT="signed")


def forged_tokens(token):
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


def test_python_program_reads_a_session_and_refuses_forgeries(site, user):
    token = cookie_of(site.log_in(user))[1]
    module = {}
    exec(programs_in_guide("python")[0], module)  # the document's program
    claims = module["session_of"](token, site.secret.strip())
    assert (claims["sub"], claims["name"]) == (user.owner, user.email)
    assert "fnED" not in json.dumps(claims)
    for forged in forged_tokens(token):
        with pytest.raises(jwt.PyJWTError):
            module["session_of"](forged, site.secret.strip())
    with pytest.raises(jwt.PyJWTError):
        module["session_of"](token, gateway.make_secret().strip())


def test_php_program_reads_a_session_and_refuses_forgeries(
        site, user, tmp_path):
    token = cookie_of(site.log_in(user))[1]
    stand_in = tmp_path / "jwt.php"
    stand_in.write_text("<?php" + STAND_IN, encoding="ascii")
    script = tmp_path / "read.php"
    script.write_text(
        "<?php\n" + programs_in_guide("php")[0] + f"\nrequire '{stand_in}';\n"
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
