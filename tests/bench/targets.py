# SPDX-License-Identifier: ISC
"""What is measured: targets, the processes that serve them, and the check that
each does what it is measured for."""

import contextlib
import http.client
import json
import os
import re
import resource
import secrets
import shutil
import signal
import socket
import subprocess
import tempfile
import time
import urllib.parse

import configurations
import measure
import provider

BUILD = os.path.abspath(os.environ.get("POSTERN_BUILD", "."))
PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
SESSIONS = 16  # of each target, used in turn
QUERY = {"operationName": "ActiveOrder", "query":
         "query ActiveOrder($id: ID!) { activeOrder(id: $id) { id code state "
         "lines { id sku name price { amount currency } inStock } } }",
         "variables": {"id": "42"}}
FILES = 20000  # open files of each process, if the system allows that

# name: (server, program, path, session). A session is "ours", "openidc" or "".
TARGETS = {
    "nginx": ("nginx", "", "/graphql", ""),
    "floor-kept": ("nginx", "floor", "/query", ""),
    "floor": ("nginx", "floor", "/query", ""),
    "query-kept": ("nginx", "query", "/query", "ours"),
    "query": ("nginx", "query", "/query", "ours"),
    "query-redis": ("nginx", "redis", "/query", "ours"),
    "query-logged": ("nginx", "logged", "/query", "ours"),
    "authorize": ("nginx", "authorize", "/page", "ours"),
    "lighttpd": ("lighttpd", "", "/graphql", ""),
    "query-lighttpd": ("lighttpd", "query", "/query", "ours"),
    "apache": ("apache", "", "/graphql", ""),
    "openidc": ("apache", "", "/graphql", "openidc"),
    "query-apache": ("apache", "query", "/query", "ours"),
}

# What runs in a process, where that is not its name.
PROGRAMS = {"redis": "query", "logged": "query"}


class CheckFailed(Exception):
    """A target does not do what it is measured for."""


def fetch(url, method="GET", cookie=None, body=None):
    """(status, headers as pairs, body) of one request."""
    parts = urllib.parse.urlsplit(url)
    connection = http.client.HTTPConnection(parts.hostname, parts.port,
                                            timeout=10)
    # mod_auth_openidc redirects only a browser.
    headers = {"Accept": "text/html, */*"}
    if cookie:
        headers["Cookie"] = cookie
    if body is not None:
        headers["Content-Type"] = "application/json"
    try:
        connection.request(method, parts.path + (
            "?" + parts.query if parts.query else ""), body, headers)
        answer = connection.getresponse()
        return answer.status, answer.getheaders(), answer.read()
    finally:
        connection.close()


def update_jar(jar, headers):
    """Take the cookies of an answer; those without a value are deleted."""
    for name, value in headers:
        if name.lower() == "set-cookie":
            key, _, text = value.partition(";")[0].partition("=")
            jar[key] = text
    for key in [key for key, text in jar.items() if not text]:
        del jar[key]
    return "; ".join(f"{key}={text}" for key, text in jar.items())


def tampered(cookie):
    """The cookie with one character changed in the middle."""
    at = len(cookie) // 2
    while not cookie[at].isalnum():
        at += 1
    return cookie[:at] + ("B" if cookie[at] == "A" else "A") + cookie[at + 1:]


class Target:
    """One row of TARGETS, served by a Bench."""

    def __init__(self, bench, name):
        self.bench, self.name = bench, name
        self.server, self.process, path, self.session = TARGETS[name]
        # As the kernel names it.
        self.program = PROGRAMS.get(self.process, self.process)
        self.port = bench.ports[name]
        self.base = f"http://127.0.0.1:{self.port}"
        self.url = self.base + path
        self.method = "GET" if name == "authorize" else "POST"
        self.body_file = "" if name == "authorize" else bench.body_file

    def program_pid(self):
        return self.bench.processes[self.process].pid

    def roots(self):
        return [self.bench.processes[name].pid
                for name in (self.server, self.process) if name]

    def log_in(self):
        """(cookie, token of the backend) of a new session."""
        if self.session == "ours":
            token = "tok_" + secrets.token_hex(14)
            status, headers, _ = fetch(
                f"http://127.0.0.1:{self.bench.ports['login']}/login", "POST",
                body=json.dumps({"email": "someone@example.com",
                                 "password": token}))
            if status != 200:
                raise CheckFailed(f"login answers {status}")
            return update_jar({}, headers), token
        jar, url = {}, self.base + "/login"
        for _ in range(4):
            here = url.startswith(self.base)
            status, headers, _ = fetch(url, cookie=update_jar(jar, [])
                                       if here else None)
            if here:
                update_jar(jar, headers)
            if status != 302:
                break
            url = urllib.parse.urljoin(url, dict(headers)["Location"])
        return update_jar(jar, []), None

    def log_in_all(self):
        """The file of new sessions for wrk: an old one would be renewed at each
        request, because wrk does not take the renewed cookie."""
        path = os.path.join(self.bench.folder, self.name + ".cookies")
        cookies = [self.log_in()[0] if self.session else "other=1"
                   for _ in range(SESSIONS)]
        with open(path, "w", encoding="ascii") as file:
            file.write("\n".join(cookies) + "\n")
        return path

    def is_served(self, cookie):
        """Does this request get what only a session gets?"""
        body = None
        if self.body_file:
            with open(self.body_file, encoding="ascii") as file:
                body = file.read()
        status, _, text = fetch(self.url, self.method, cookie, body)
        return status == 200 and (not body or b'"data":{"order"' in text)

    def check(self):
        if not self.session:
            if not self.is_served(None):
                raise CheckFailed(f"{self.name} gives no answer")
            return
        for _ in range(2):
            cookie, token = self.log_in()
            self.bench.ask_backend("/delay/0")
            if not self.is_served(cookie):
                raise CheckFailed(f"{self.name}: a session gets no answer")
            seen = self.bench.ask_backend("/seen")
            if self.body_file and (seen != token if token
                                   else not seen.startswith("tok_")):
                raise CheckFailed(f"{self.name}: the backend got another token")
            if self.is_served(tampered(cookie)):
                raise CheckFailed(f"{self.name}: a changed cookie gets an answer")
            if self.is_served(None):
                raise CheckFailed(f"{self.name}: no cookie, but an answer")


class Bench:
    """The processes of all targets, in a temporary folder; ended by close()."""

    def __init__(self, names):
        self.folder = tempfile.mkdtemp(prefix="postern-bench-")
        os.chmod(self.folder, 0o755)
        self.user = os.geteuid() == 0
        self._give_to_server(self.folder)
        self.processes, self.provider, self.store = {}, None, ""
        self.ports = self._free_ports([*TARGETS, "backend", "login"])
        self.body_file = configurations.write(self.folder, "query.json",
                                       json.dumps(QUERY))
        self.log = open(os.path.join(self.folder, "log"), "w+b")
        self._give_to_server(self.log.name)
        self.secret = subprocess.run(
            [os.path.join(BUILD, "bin/postern"), "secret"],
            stdout=subprocess.PIPE, timeout=30, check=True,
            env={}).stdout.decode().strip()
        hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
        resource.setrlimit(resource.RLIMIT_NOFILE, (min(FILES, hard), hard))
        try:
            self._start([Target(self, name) for name in names])
        except BaseException:
            self.close()
            raise

    def _give_to_server(self, path):
        if self.user:
            shutil.chown(path, "www-data", "www-data")

    @staticmethod
    def _free_ports(names):
        probes = {name: socket.create_server(("127.0.0.1", 0))
                  for name in names}
        ports = {name: probe.getsockname()[1] for name, probe in probes.items()}
        for probe in probes.values():
            probe.close()
        return ports

    def _spawn(self, name, words, as_server=False, environment=None):
        words = [shutil.which(words[0], path=PATH) or words[0], *words[1:]]
        more = {"user": "www-data", "group": "www-data",
                "extra_groups": []} if as_server and self.user else {}
        self.processes[name] = subprocess.Popen(
            words, stdin=subprocess.DEVNULL, stdout=self.log, stderr=self.log,
            env=environment or {"PATH": PATH}, cwd=self.folder, **more)

    def _wait_for(self, name, *addresses):
        """Wait until the process listens: (family, address)."""
        end = time.monotonic() + 20
        for family, address in addresses:
            while True:
                with socket.socket(family) as probe:
                    if probe.connect_ex(address) == 0:
                        break
                if (self.processes[name].poll() is not None
                        or time.monotonic() > end):
                    raise CheckFailed(f"{name} does not start:\n"
                                      + self.read_log()[-3000:])
                time.sleep(0.02)

    def _wait_for_server(self, server):
        """Until it listens at every port: it begins with one after the other."""
        self._wait_for(server, *(self._at(name) for name, row in
                                 TARGETS.items() if row[0] == server))

    def environment(self, store, path="/graphql", level="warning"):
        """The servers write no access log either."""
        return {"PATH": PATH, "COOKIE_SESSION_SECRET": self.secret,
                "POSTERN_UPSTREAM":
                    f"http://127.0.0.1:{self.ports['backend']}{path}",
                "POSTERN_STORE": store, "POSTERN_LOGIN_PER_ACCOUNT": "off",
                "POSTERN_LOGIN_PER_ADDRESS": "off",
                "POSTERN_LOG_LEVEL": level}

    def _start_program(self, name, program, environment):
        path = f"{self.folder}/{name}.sock"
        self._spawn(name, [os.path.join(BUILD, "cgi-bin", program), "--listen",
                           "unix:" + path], True, environment)
        self._wait_for(name, (socket.AF_UNIX, path))

    def _start(self, targets):
        wanted = {target.server for target in targets} | {
            target.process for target in targets} | {"nginx"}
        self._spawn("backend", [os.path.join(BUILD, "tests/bench/backend"),
                                str(self.ports["backend"])])
        self._wait_for("backend", self._at("backend"))
        self._start_programs(wanted)
        if wanted & {"floor"}:
            path = f"{self.folder}/floor.sock"
            self._spawn("floor", [os.path.join(BUILD, "tests/bench/floor"), path,
                                  str(self.ports["backend"])], True)
            self._wait_for("floor", (socket.AF_UNIX, path))
        self._spawn("nginx", configurations.write_nginx(self.folder, self.ports,
                                                 self.user))
        self._wait_for_server("nginx")
        if "lighttpd" in wanted:
            self._spawn("lighttpd", configurations.write_lighttpd(
                self.folder, self.ports, self.user))
            self._wait_for_server("lighttpd")
        if "apache" in wanted:
            self.provider = provider.Provider()
            self._spawn("apache", configurations.write_apache(
                self.folder, self.ports, self.user, self.provider.url))
            self._wait_for_server("apache")

    def _start_programs(self, wanted):
        # Programs and web servers run as the same user.
        store = os.path.join(self.folder, "store")
        os.mkdir(store, 0o700)
        self._give_to_server(store)
        self.store = "lmdb:" + store
        self._start_program("login", "login",
                            self.environment(self.store, "/login"))
        for name in ("query", "authorize"):
            if name in wanted:
                self._start_program(name, name, self.environment(self.store))
        if "logged" in wanted:
            self._start_program("logged", "query",
                                self.environment(self.store, level="info"))
        if "redis" in wanted:
            path = os.path.join(self.folder, "store.sock")
            self._spawn("redis-server", [
                "redis-server", "--port", "0", "--unixsocket", path, "--save",
                "", "--maxmemory-policy", "noeviction"], True)
            self._wait_for("redis-server", (socket.AF_UNIX, path))
            self._start_program("redis", "query",
                                self.environment("unix:" + path))

    def start_query(self, name):
        """A new process of query, in place of the one with this name, if any.
        Returns (path of its socket, its id)."""
        if name in self.processes:
            self.processes[name].terminate()
            self.processes[name].wait(20)
        self._start_program(name, "query", self.environment(self.store))
        return f"{self.folder}/{name}.sock", self.processes[name].pid

    def _at(self, name):
        return socket.AF_INET, ("127.0.0.1", self.ports[name])

    def ask_backend(self, path):
        return fetch(f"http://127.0.0.1:{self.ports['backend']}{path}")[2].decode()

    def read_log(self):
        with open(self.log.name, encoding="utf-8", errors="replace") as file:
            return file.read()

    def close(self):
        ours = [process.pid for process in self.processes.values()]
        tree = measure.with_children(ours, measure.processes())
        for process in reversed(self.processes.values()):
            process.terminate()
        for process in self.processes.values():
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait(10)
        left = measure.processes()
        for pid in tree & set(left):
            if left[pid][0] == 1:  # left by its server
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
        if self.provider:
            self.provider.close()
        self.log.close()
        shutil.rmtree(self.folder, ignore_errors=True)


def missing():
    """The packages that are not installed."""
    found = [name for name in ("wrk", "strace", "nginx", "lighttpd", "apache2",
                               "redis-server")
             if not shutil.which(name, path=PATH)]
    module = "mod_auth_openidc.so"
    if not os.path.exists(os.path.join(configurations.APACHE_FOLDER, module)):
        found.append("libapache2-mod-auth-openidc")
    return found


def versions():
    """{program: version} of what is compared."""
    found = {}
    for name, words, pattern in (
            ("nginx", ["nginx", "-v"], r"nginx/(\S+)"),
            ("lighttpd", ["lighttpd", "-v"], r"lighttpd/(\S+)"),
            ("Apache", ["apache2", "-v"], r"Apache/(\S+)"),
            ("Redis", ["redis-server", "-v"], r"v=(\S+)"),
            ("mod_auth_openidc", ["dpkg-query", "-W", "-f", "${Version}",
                                  "libapache2-mod-auth-openidc"], r"(\S+)")):
        path = shutil.which(words[0], path=PATH)
        done = path and subprocess.run([path, *words[1:]], timeout=20,
                                       stdout=subprocess.PIPE, check=False,
                                       stderr=subprocess.STDOUT, text=True)
        match = done and re.search(pattern, done.stdout)
        found[name] = match[1] if match else "missing"
    return found
