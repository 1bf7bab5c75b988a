# SPDX-License-Identifier: ISC
"""A backend, gateways in front of it, and client programs."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile

import pytest

sys.path.append(os.path.join(os.path.dirname(os.path.dirname(
    os.path.abspath(__file__))), "e2e"))
import gateway as gateways  # noqa: E402
import server as servers  # noqa: E402

LOG_SHOWN = 6000  # characters
PROGRAMS = os.path.join(servers.HERE, "programs")
RELAY = {"src": ".", "schema": "schema.graphql", "language": "javascript",
         "eagerEsModules": True,
         "excludes": ["**/node_modules/**", "**/__generated__/**"],
         "featureFlags": {"enforce_fragment_alias_where_ambiguous": {
             "kind": "disabled"}}}


def pytest_configure():
    """End on SIGTERM as on Ctrl-C: the fixtures stop their processes."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)


@pytest.fixture(name="server", scope="session")
def server_fixture():
    assert servers.FOLDER, "CLIENTS_FOLDER is not set: use tests/clients/run"
    server = servers.Server()
    yield server
    server.close()


@pytest.fixture(name="gateway_for", scope="session")
def gateway_for_fixture(server):
    """gateway_for(methods, NAME=value…) starts a gateway, or returns the one
    with these arguments."""
    started, faults = {}, []

    def gateway_for(methods, **options):
        key = (methods, *sorted(options.items()))
        if key not in started:
            started[key] = gateways.Gateway(
                server, POSTERN_TOKEN_METHOD=methods, **options)
        return started[key]

    yield gateway_for
    for gateway in started.values():
        try:
            gateway.close()
        except AssertionError as fault:
            faults.append(str(fault))
    assert not faults, "\n\n".join(faults)


class Programs:
    """Copies of the programs in a folder with node_modules: Node.js resolves
    modules from the folder of a program."""

    def __init__(self):
        self.folder = tempfile.mkdtemp(prefix="postern-programs-")
        os.symlink(os.path.join(servers.FOLDER, "node_modules"),
                   os.path.join(self.folder, "node_modules"))
        for name in os.listdir(PROGRAMS):
            shutil.copy(os.path.join(PROGRAMS, name), self.folder)
        self.write("package.json", {"type": "module"})

    def write(self, name, value):
        with open(os.path.join(self.folder, name), "w",
                  encoding="utf-8") as file:
            file.write(value if isinstance(value, str) else json.dumps(value))

    def node(self, program, *arguments, **environment):
        done = subprocess.run(
            [servers.NODE, os.path.join(self.folder, program), *arguments],
            timeout=120, check=False, text=True, cwd=self.folder,
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env={"PATH": os.environ["PATH"], "FORCE_COLOR": "0",
                 **environment})
        assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-4000:]
        return done

    def run(self, program, url, account, kind="secret", place=None, *more,
            **environment):
        """The JSON lines of its output, and the tokens that it reports."""
        done = self.node(program, url, place or url, kind, account.email,
                         account.password, *more, **environment)
        lines = done.stdout.replace(account.email, "EMAIL").replace(
            account.owner, "OWNER").rstrip("\n").split("\n")
        last = done.stderr.splitlines()[-1:] or ["null"]
        return [json.loads(line) for line in lines], json.loads(last[0])

    def compile_for_relay(self, **more):
        """Run relay-compiler; it writes to __generated__."""
        with open(os.path.join(servers.HERE, "backend.mjs"),
                  encoding="utf-8") as file:
            schema = re.search(r"typeDefs = [^`]*`([^`]*)`", file.read())[1]
        self.write("schema.graphql", schema)
        self.write("relay.config.json", {**RELAY, **more})
        self.node("node_modules/relay-compiler/cli.js", "relay.config.json")

    def close(self):
        shutil.rmtree(self.folder)


@pytest.fixture(name="programs", scope="session")
def programs_fixture():
    programs = Programs()
    programs.compile_for_relay()
    yield programs
    programs.close()


def log_of(one):
    return one.log if isinstance(one, gateways.Gateway) else one.read_log()


@pytest.fixture(autouse=True)
def ignore_earlier_requests(request):
    """A test sees only its own requests and log lines."""
    if "server" in request.fixturenames:
        request.getfixturevalue("server").seen()
    request.node.logged = {id(one): len(log_of(one))
                           for one in gateways.running}


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    report = (yield).get_result()
    if not report.failed:
        return
    for one in gateways.running:
        text = log_of(one)[getattr(item, "logged", {}).get(id(one), 0):]
        if text:
            report.sections.append(
                (f"log of {type(one).__name__} {one.folder}",
                 text[-LOG_SHOWN:]))
