# SPDX-License-Identifier: ISC
"""A Redis server on a Unix socket that tests can pause, kill and restart."""

import os
import secrets
import shutil
import signal
import socket
import subprocess
import tempfile

import canary
import gateway as gateways


class Process:
    """A redis-server with a folder of its own. A class of it sets `arguments`
    and has a command()."""

    def __init__(self):
        self.folder = tempfile.mkdtemp(prefix="postern-redis-")
        self.process = None
        self.arguments = []

    def start(self):
        with open(os.path.join(self.folder, "log"), "ab") as log:
            self.process = subprocess.Popen(
                ["redis-server", *self.arguments], stdout=log, stderr=log)
        assert gateways.wait_until(self._answers), "Redis does not start"

    def _answers(self):
        try:
            return self.command("PING").startswith(b"+PONG")
        except OSError:
            return False

    def pause(self):
        self.process.send_signal(signal.SIGSTOP)

    def resume(self):
        self.process.send_signal(signal.SIGCONT)

    def kill(self):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait(10)

    def close(self):
        self.kill()
        shutil.rmtree(self.folder, ignore_errors=True)


class Redis(Process):
    """Debian's redis-server without persistence: kill() loses its data."""

    def __init__(self):
        super().__init__()
        self.path = os.path.join(self.folder, "redis.sock")
        self.url = "unix:" + self.path
        self.arguments = ["--port", "0", "--unixsocket", self.path,
                          "--save", "", "--appendonly", "no",
                          "--maxmemory-policy", "noeviction", "--dir",
                          self.folder, "--rdbcompression", "no"]
        self.start()

    def close(self):
        found = []
        if self._answers() and self.command("SAVE").startswith(b"+OK"):
            path = os.path.join(self.folder, "dump.rdb")
            found = canary.search("store", path, canary.read(path),
                                  canary.ALL)
        super().close()
        assert not found, found

    def command(self, line):
        """Send one inline command; returns the beginning of the answer."""
        with socket.socket(socket.AF_UNIX) as client:
            client.settimeout(5)
            client.connect(self.path)
            client.sendall(line.encode() + b"\r\n")
            return client.recv(65536)


def free_ports(count):
    """Ports from 20000 up, of which those 10000 above (the Cluster's own) are
    free too."""
    found = []
    while len(found) < count:
        port = 20000 + secrets.randbelow(10000)
        try:
            with socket.create_server(("127.0.0.1", port)), \
                    socket.create_server(("127.0.0.1", port + 10000)):
                pass
        except OSError:
            continue
        if port not in found:
            found.append(port)
    return found


KEEPS_ALL = 'save ""\nappendonly yes\nappendfsync always\n'


class Server(Process):
    """A Redis on a TCP port. By default it keeps its data, so kill() loses nothing
    that it has answered."""

    def __init__(self, port, *options, sentinel=False, persistence=KEEPS_ALL):
        super().__init__()
        self.port = port
        path = os.path.join(self.folder, "redis.conf")
        with open(path, "w", encoding="ascii") as file:
            file.write(f"port {port}\nbind 127.0.0.1\ndir {self.folder}\n")
            if not sentinel:
                file.write(persistence)
            file.writelines(option + "\n" for option in options)
        self.arguments = [path, *(["--sentinel"] if sentinel else [])]
        self.start()

    def command(self, *words):
        """Send one command; returns the beginning of the answer. A single word
        is an inline command."""
        line = words[0].encode() + b"\r\n"
        if len(words) > 1:
            line = b"*%d\r\n" % len(words) + b"".join(
                b"$%d\r\n%s\r\n" % (len(word), word.encode())
                for word in words)
        for _ in range(2):
            try:
                with socket.create_connection(
                        ("127.0.0.1", self.port), 5) as client:
                    client.sendall(line)
                    return client.recv(65536)
            except ConnectionResetError:
                pass  # a sentinel ends all connections when it promotes one
        raise ConnectionResetError
