# SPDX-License-Identifier: ISC
"""`postern whoami` for CGI scripts: its output is safe for a shell's eval with
any user name. `postern config` prints the sample files."""
import json
import os
import re
import shutil
import subprocess

import gateway
import pytest

SECRET = "Kq3vX0c7mJ2yR9tLw5ZbN8dFhG1sPuEa6oTiQxVzWkY"
NAMES = [
    "plain", "", " ", "O'Brien", "''", "'", "a'b'c", "'; touch pwned; '",
    "$(touch pwned)", "`touch pwned`", "${HOME}", "$((1+1))", "a\nb", "a\n",
    "\n", "'\ntouch pwned\n'", "a\rb", "\t", "a b  c", "*", "?", "[a-z]", "~",
    "~root", "#x", "a #b", "!!", "!x", "\\", "\\'", "'\\''", "\\n", "\"", "\"\"",
    "a&b", "a|b", "a;b", "<(x)", "a>pwned", "-n", "-e a", "--help", "=",
    "%s%n", "é", "名前", "\u2028", "\x01\x02", "\x7f", "\x1b[31m", "x" * 250,
    "{a,b}", "a\\", "$'a'", "$\"a\"", "a'\"'\"'b", "\u00a0", "x=y"]
SHELLS = [["dash"], ["bash"], ["busybox", "sh"], ["bash", "--posix"]]


def whoami(*arguments, **variables):
    return subprocess.run(
        [gateway.POSTERN, "whoami", *arguments], stdout=subprocess.PIPE,
        stderr=subprocess.PIPE, timeout=30,
        env={**gateway.SANITIZER_ENVIRONMENT, **variables})


@pytest.mark.parametrize("shell", SHELLS, ids=" ".join)
def test_eval_of_any_name_sets_four_variables_only(shell, tmp_path):
    assert shutil.which(shell[0]), f"{shell[0]} is missing"
    script = ('eval "$(postern whoami --sh)"\n'
              'printf "%s\\0" "$REMOTE_USER" "$SESSION_SUBJECT" '
              '"$SESSION_NAME" "$SESSION_EXPIRES"')
    for name in NAMES:
        done = subprocess.run(
            [*shell, "-c", script], cwd=tmp_path, stdout=subprocess.PIPE,
            stderr=subprocess.PIPE, timeout=30, env={
                **gateway.SANITIZER_ENVIRONMENT,
                "PATH": os.path.dirname(gateway.POSTERN) + ":/usr/bin:/bin",
                "SESSION_SUBJECT": "7'" + name, "SESSION_NAME": name,
                "SESSION_EXPIRES": "2030-01-31T12:00:00Z"})
        assert done.stderr == b"", name
        assert done.stdout.decode().split("\0") == [
            "7'" + name, "7'" + name, name, "2030-01-31T12:00:00Z", ""]
        assert os.listdir(tmp_path) == [], name


def test_json_output_has_subject_name_and_expiry():
    for name in NAMES:
        done = whoami(SESSION_SUBJECT="7", SESSION_NAME=name,
                      SESSION_EXPIRES="2030-01-31T12:00:00Z")
        assert done.returncode == 0
        assert json.loads(done.stdout) == {
            "subject": "7", "name": name, "expiresAt": "2030-01-31T12:00:00Z"}
    assert whoami("--json", SESSION_SUBJECT="7").stdout == done.stdout.replace(
        json.dumps(NAMES[-1]).encode(), b'""').replace(
            b"2030-01-31T12:00:00Z", b"")


def test_json_output_escapes_what_a_terminal_obeys():
    name = "a\x1b[2J\x7f\u009b2J\u202e\u061c\u00a0é"
    done = whoami("--json", SESSION_SUBJECT="7", SESSION_NAME=name)
    assert json.loads(done.stdout)["name"] == name
    printed = done.stdout.decode()
    assert "\\u009b2J\\u202e\\u061c\u00a0" in printed and "\x7f" not in printed


def test_anonymous_request_sets_empty_variables():
    """Variables of the environment must not be taken for a user."""
    for variables in ({}, {"SESSION_SUBJECT": ""}, {"SESSION_NAME": "x"},
                      {"REMOTE_USER": "x"}, {"HTTP_SESSION_SUBJECT": "7"},
                      {"HTTP_REMOTE_USER": "7"}):
        done = whoami(**variables)
        assert (done.returncode, done.stdout) == (1, b"null\n"), variables
        done = whoami("--sh", **variables)
        assert done.returncode == 1
        assert done.stdout == (b"REMOTE_USER=''\nSESSION_SUBJECT=''\n"
                               b"SESSION_NAME=''\nSESSION_EXPIRES=''\n")


@pytest.mark.parametrize("method", ["cookie", "bearer"])
def test_whoami_opens_a_token_itself(start, user, method):
    """For a script that no authorizer protects."""
    site = start(POSTERN_TOKEN_METHOD=method)
    answer = site.log_in(user)
    if method == "cookie":
        line = answer.get("set-cookie").partition(";")[0]
        variables = {"HTTP_COOKIE": f"a=b; {line}"}
    else:
        token = answer.get("vendure-auth-token")
        variables = {"HTTP_AUTHORIZATION": f"Bearer {token}"}
    variables.update(site.environment, REQUEST_METHOD="GET")
    done = whoami(**variables)
    output = json.loads(done.stdout)
    assert done.returncode == 0, done.stderr
    assert (output["subject"], output["name"]) == (user.owner, user.email)
    assert output["expiresAt"] == site.get(
        "/session", headers=[(name[5:].title(), value)
                             for name, value in variables.items()
                             if name.startswith("HTTP_")]
    ).json["data"]["session"]["expiresAt"]
    for name in ("HTTP_COOKIE", "HTTP_AUTHORIZATION"):
        if name in variables:
            value = variables[name]
            other = "A" if value[-9] != "A" else "B"
            forged = dict(variables,
                          **{name: value[:-9] + other + value[-8:]})
            done = whoami(**forged)
            assert (done.returncode, done.stdout) == (1, b"null\n")
    done = whoami(**dict(variables, COOKIE_SESSION_SECRET_FILE="",
                         COOKIE_SESSION_SECRET=SECRET))
    assert (done.returncode, done.stdout) == (1, b"null\n")
    # R22: after a logout the token is not accepted.
    site.post("/logout", headers=[
        (name[5:].title(), value) for name, value in variables.items()
        if name.startswith("HTTP_")])
    done = whoami(**variables)
    assert (done.returncode, done.stdout) == (1, b"null\n")


def test_shell_example_reports_errors(tmp_path):
    """It distinguishes an anonymous request from a failure of whoami."""
    script = os.path.join(gateway.ROOT, "etc/examples/shell.cgi")
    tools = tmp_path / "tools"  # without postern
    tools.mkdir()
    for name in ("sh", "sed", "cat"):
        (tools / name).symlink_to(shutil.which(name))
    with_postern = f"{os.path.dirname(gateway.POSTERN)}:{tools}"
    user = {"SESSION_SUBJECT": "7", "SESSION_NAME": "Ada"}
    for path, more, head, word in (
            (with_postern, user, b"Content-Type: text/html", b"Hello, Ada"),
            (with_postern, {}, b"Status: 403 ", b"not protected"),
            (str(tools), user, b"Status: 500 ", b"not in PATH"),
            (with_postern, {"COOKIE_SESSION_SECRET": "short"}, b"Status: 500 ",
             b"see the log")):
        done = subprocess.run(
            [script], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            env={**gateway.SANITIZER_ENVIRONMENT, "PATH": path, **more}, timeout=30)
        assert done.returncode == 0, done
        assert done.stdout.startswith(head) and word in done.stdout, done


def test_wrong_options_are_refused():
    assert whoami("--nonsense").returncode == 64
    assert whoami("--sh", "--json").returncode == 64


def config(*arguments):
    return subprocess.run([gateway.POSTERN, "config", *arguments],
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                          env={**gateway.SANITIZER_ENVIRONMENT}, timeout=30)


def test_config_prints_the_files_of_etc():
    """With the default paths they are identical byte for byte."""
    usual = ("--programs", "/usr/local/libexec/postern",
             "--store", "/var/lib/postern")
    count = 0
    for server in ("lighttpd", "apache", "nginx", "systemd", "logrotate"):
        folder = os.path.join(gateway.ROOT, "etc", server)
        for name in os.listdir(folder):
            with open(os.path.join(folder, name), "rb") as file:
                wanted = file.read()
            done = config(server, name, *usual)
            assert done.stdout == wanted, name
            count += 1
        done = config(server, *usual)
        assert done.returncode == 0 and done.stdout.startswith(b"# --- ")
    assert count >= 18


def test_config_replaces_paths():
    text = config("systemd", "--programs", "/opt/p", "--env", "/opt/e",
                  "--secret", "/opt/s", "--sockets", "/opt/run").stdout
    for path in (b"ExecStart=/opt/p/%i", b"EnvironmentFile=/opt/e\n",
                 b"LoadCredential=secret:/opt/s\n", b"=/opt/run/%i.sock"):
        assert path in text, path
    assert b"/usr/local/libexec" not in text
    text = config("lighttpd", "--store", "/srv/store").stdout
    assert b'"lmdb:/srv/store"' in text and b"/var/lib/postern" not in text
    text = config("lighttpd", "--upstream", "https://b.example/g").stdout
    assert b'"POSTERN_UPSTREAM" => "https://b.example/g"' in text


def test_config_lists_its_files():
    """Also the examples of --help work."""
    output = config("--help").stdout.decode()
    assert "postern config list" in output
    listed = config("list")
    assert (listed.returncode, listed.stderr) == (0, b"")
    files = listed.stdout.decode().split()
    assert "nginx/postern-http.conf" in files and len(files) >= 18
    examples = re.findall(r"^  postern config (\S+) (\S+)", output, re.M)
    assert {server for server, _ in examples} == {
        "lighttpd", "apache", "nginx", "systemd", "logrotate"}
    for server, name in examples:
        assert f"{server}/{name}" in files
        assert config(server, name).returncode == 0


MISUSED = [
    ((), b"needs a SERVER"), (("iis",), b"there is no iis"),
    (("nginx", "none"), b"there is no nginx/none"),
    (("nginx", "a", "b"), b"takes one SERVER and one FILE"),
    (("list", "nginx"), b"list takes no arguments"),
    (("nginx", "--nonsense", "x"), b"--nonsense is not an option"),
    (("nginx", "--secret"), b"--secret needs a value"),
    (("nginx", "--secret", 'a"b'), b"--secret must not have a quote"),
    (("nginx", "--secret", "a\nb"), b"--secret must not have a quote"),
]


@pytest.mark.parametrize("arguments, words", MISUSED)
def test_config_refuses_wrong_arguments(arguments, words):
    done = config(*arguments)
    assert (done.returncode, done.stdout) == (64, b"")
    assert words in done.stderr
