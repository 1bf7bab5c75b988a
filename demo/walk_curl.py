# SPDX-License-Identifier: ISC
"""Send requests by curl, print them with their answers, and check these."""

import base64
import json
import os
import re
import secrets
import subprocess
import sys

COOKIE = "__Host-Http-session"
GUEST = COOKIE + "-guest"
DEVICE = COOKIE + "-device"
PAGE = "/members/session.php"
ATTRIBUTES = {"path=/", "httponly", "secure", "samesite=lax"}
SHOWN = ("content-type", "cache-control", "set-cookie", "location", "vary",
         "www-authenticate", "vendure-auth-token", "retry-after", "allow")
CURL = ["curl", "-q", "--silent", "--show-error", "--noproxy", "*",
        "--max-time", "30"]


class Answer:
    def __init__(self, status, head, body):
        self.status, self.raw = status, head + body
        last = head.decode("latin-1").strip().split("\r\n\r\n")[-1]
        self.headers = [
            (name.strip().lower(), value.strip()) for name, _, value in
            (line.partition(":") for line in last.split("\r\n")[1:])]
        try:
            self.json = json.loads(body)
        except ValueError:
            self.json = None

    def all(self, name):
        return [value for key, value in self.headers if key == name]

    def at(self, *path):
        """The value at a path in the JSON, or None."""
        value = self.json
        for step in path:
            try:
                value = value[step]
            except (KeyError, IndexError, TypeError):
                return None
        return value

    def code(self):
        return self.at("errors", 0, "extensions", "code")


class Walk:
    def __init__(self, site, folder):
        self.site, self.folder = site, folder
        self.cookie_jar = os.path.join(folder, "cookies")
        self.received, self.devices = b"", set()
        self.steps = self.failed = 0
        self.email = "walker-%s@example.com" % secrets.token_hex(4)
        self.password = "a long walk " + secrets.token_hex(8)

    def step(self, title):
        self.steps += 1
        print(f"\n{self.steps}. {title}")

    def check(self, holds, what):
        if not holds:
            self.failed += 1
        print(f"   {'ok  ' if holds else 'FAIL'}  {what}", flush=True)

    def shorten(self, text):
        """A text for the screen, without the password and long values."""
        text = re.sub(r"(\s|\\n)+", " ", text.replace(self.password, "…"))
        text = re.sub(r"[\w.-]{60,}", lambda found: "%s… (%d characters)" % (
            found[0][:24], len(found[0])), text)
        return text if len(text) <= 400 else text[:400] + "…"

    def send(self, method, path, request=None, cookie=None):
        """Send a request, print it and its answer, and return the answer."""
        head, body = (os.path.join(self.folder, n) for n in ("head", "body"))
        command = CURL + ["-X", method, "-D", head, "-o", body,
                          "-w", "%{http_code}", self.site + path]
        command += (["-b", cookie] if cookie
                    else ["-b", self.cookie_jar, "-c", self.cookie_jar])
        if request is not None:
            command += ["-H", "Content-Type: application/json",
                        "--data-binary", "@-"]
        elif method == "POST":  # like fetch(): a length, but no type
            command += ["-H", "Content-Type:", "--data-binary", ""]
        print("   >", method, path,
              self.shorten(json.dumps(request)) if request else "")
        for name in (head, body, self.cookie_jar):
            open(name, "ab").close()
        done = subprocess.run(
            command, capture_output=True, text=True,
            input=json.dumps(request) if request else None)
        if done.returncode:
            sys.exit("   FAIL  " + done.stderr.strip())
        with open(head, "rb") as file:
            head = file.read()
        with open(body, "rb") as file:
            text = file.read()
        answer = Answer(int(done.stdout), head, text)
        self.received += answer.raw
        self.devices |= {parts(line)[1] for line in answer.all("set-cookie")
                         if line.startswith(DEVICE + "=")}
        print("   <", answer.status)
        for name, value in answer.headers:
            if name in SHOWN:
                print(f"   < {name}: {self.shorten(value)}")
        print("   <", self.shorten(text.decode("utf-8", "replace")))
        return answer

    def use(self, device):
        """Use the cookies of another device from now on."""
        self.cookie_jar = os.path.join(self.folder, f"cookies of the {device}")

    def curl_cookies(self):
        """The cookies that curl would send, without the device cookie."""
        with open(self.cookie_jar, encoding="utf-8") as file:
            return [line for line in file
                    if "\t" in line and f"\t{DEVICE}\t" not in line]


def check_page(walk, who, cookie=None):
    """Request the protected PHP page; `who` is the user, or None: nobody."""
    answer = walk.send("GET", PAGE, cookie=cookie)
    if who:
        walk.check(answer.status == 200 and who.encode() in answer.raw,
                   "200, and PHP knows you")
    else:
        walk.check(answer.status == 401
                   and b"SESSION_SUBJECT" not in answer.raw,
                   "401: PHP is not asked")
    return answer


def check_copy(walk, cookie, is_alive):
    """Send a copy of the cookie from elsewhere: the page, /session."""
    copy = f"{COOKIE}={cookie}"
    answer = check_page(walk, walk.email if is_alive else None, copy)
    if is_alive:
        walk.check(copy.encode() in answer.raw, "it shows the cookie")
        walk.check("no-store" in ", ".join(answer.all("cache-control")),
                   "Cache-Control: no-store")
    session = walk.send("GET", "/session", cookie=copy).at("data", "session")
    walk.check(bool(session) == is_alive, "/session has the user" if is_alive
               else "/session has nobody")


def parts(set_cookie):
    """The name, the value and the attributes of a Set-Cookie line."""
    pair, *attributes = [part.strip() for part in set_cookie.split(";")]
    name, _, value = pair.partition("=")
    return name, value, {a.lower() for a in attributes}


def cookies_of(answer):
    """Name, value and attributes of each cookie that has a value."""
    return [cookie for cookie in map(parts, answer.all("set-cookie"))
            if cookie[1]]


def check_device(walk, cookies):
    """Check the device cookie of a login."""
    found = [attributes for name, _, attributes in cookies if name == DEVICE]
    walk.check(found == [ATTRIBUTES | {f"max-age={400 * 86400}"}],
               "and one that marks the device, for 400 days")


def ask_backend(url, *options):
    done = subprocess.run(CURL + ["--fail", *options, url], check=True,
                          capture_output=True, text=True)
    return json.loads(done.stdout)


def is_in(needle, haystack):
    """Is needle in haystack: plain, in hexadecimal, or in base64 at any
    offset?"""
    forms = [needle, needle.hex().encode(), needle.hex().upper().encode()]
    for shift in range(3):
        text = base64.b64encode(b"\0" * shift + needle)
        inner = text[4 if shift else 0:-4]
        forms += [inner, inner.translate(bytes.maketrans(b"+/", b"-_"))]
    return any(form in haystack for form in forms)


def check_secrets(walk, tokens, cookies, log):
    """Check that no answer contained the backend's tokens or the password,
    and that the log contains neither of them, nor the cookies."""
    walk.step("search all answers and the log for secrets")
    walk.check(len(walk.received) > 1000 and all(tokens) and not any(
        is_in(token.encode(), walk.received) for token in tokens),
               "no answer contained the backend's token")
    walk.check(not is_in(walk.password.encode(), walk.received),
               "or the password")
    if log:
        with open(log, "rb") as file:
            text = file.read()
        walk.check(len(text) > 0 and not any(
            is_in(value.encode(), text)
            for value in (*tokens, walk.password, *cookies, *walk.devices)),
                   "the log contains neither of them, nor the cookies")
