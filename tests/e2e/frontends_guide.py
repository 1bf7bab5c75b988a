# SPDX-License-Identifier: ISC
"""The examples of doc/frontends.md, and a browser that runs them."""

import json
import os
import re
import urllib.parse

import gateway as gateways
import servers
from selenium import webdriver
from selenium.webdriver.chrome.service import Service

FLAGS = ("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-quic",
         "--no-first-run", "--disable-background-networking",
         "--disable-component-update", "--disable-sync")
PATH = os.path.join(gateways.ROOT, "doc/frontends.md")
FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.S | re.M)
NAME = re.compile(r"^(?:// |<!-- |<\?php // |#!\S+\n# )([\w-]+\.\w+)")
RUN = """
const done = arguments[arguments.length - 1];
(async () => { %s })().then(value => done({ value }),
    error => done({ error: String(error.stack), code: error.code,
        status: error.status, wait: error.wait, message: error.message }));
"""


def text_of_guide():
    with open(PATH, encoding="utf-8") as file:
        return file.read()


def blocks():
    """{file name: text} of all code blocks. Each begins with its name."""
    found = {}
    for _, text in FENCE.findall(text_of_guide()):
        name = NAME.match(text)
        assert name and name[1] not in found, text[:200]
        found[name[1]] = text
    return found


class Failed(Exception):
    """A script threw an error; `answer` has its code, status and message."""

    def __init__(self, answer, console):
        super().__init__("\n".join([answer["error"], *console]))
        self.answer = answer


class Page:
    """A Chromium that runs scripts in pages of a site."""

    def __init__(self, folder):
        options = webdriver.ChromeOptions()
        options.binary_location = "/usr/bin/chromium"
        for flag in FLAGS:
            options.add_argument(flag)
        options.add_argument(f"--user-data-dir={folder}/profile")
        options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
        # Debian's Chromium blocks the cookies of other sites.
        options.add_experimental_option("prefs", {
            "profile.cookie_controls_mode": 0,
            "profile.block_third_party_cookies": False})
        self.driver = webdriver.Chrome(
            service=Service("/usr/bin/chromedriver"), options=options)
        self.driver.set_script_timeout(30)

    def open(self, url):
        self.driver.get(url)

    def run(self, script):
        """The result of a script in an async function."""
        answer = self.driver.execute_async_script(RUN % script)
        if "error" in answer:
            raise Failed(answer, [entry["message"] for entry in
                                  self.driver.get_log("browser")])
        return answer["value"]

    def use(self, module, script):
        """The result of an expression; `m` is the module of this name."""
        return self.run(f'const m = await import("/{module}");'
                        f"return await ({script});")

    def leave(self, module, script, url):
        """Run an expression that leads to another page; wait for that."""
        self.use(module, f"(() => {{ ({script}).catch(() => 0); }})()")
        self.wait_for_url(url)

    def refused(self, module, script):
        """The error of an expression."""
        try:
            result = self.use(module, script)
        except Failed as failed:
            return failed.answer
        raise AssertionError(f"not refused: {result}")

    def wait_for(self, script):
        """Wait until an expression is true."""
        assert gateways.wait_until(lambda: self.run(f"return {script}")), script

    def wait_for_url(self, url):
        assert gateways.wait_until(lambda: self.driver.current_url == url), \
            self.driver.current_url


class GuideSite(servers.Lighttpd):
    """A lighttpd that serves files of the guide beside Postern."""

    def add(self, *names, folder="www"):
        """Serve these examples. Return the site's URL."""
        found = blocks()
        for name in names:
            self.add_text(os.path.join(folder, name), found[name])
        return self.url

    def add_text(self, name, text):
        self.write(name, text)
        os.chmod(os.path.join(self.folder, name), 0o755)

    @property
    def url(self):
        return f"http://localhost:{self.port}"


def account_of(user):
    """The arguments of a login, in JavaScript."""
    return f"{json.dumps(user.email)}, {json.dumps(user.password)}"


def return_to(path):
    return "/login?return_to=" + urllib.parse.quote(path, safe="")
