# SPDX-License-Identifier: ISC
"""The backend of tests/bench/soak, in a process of its own: it answers as the
scripted backend of the end-to-end tests does, or fails in the way that the request
names, so that the client knows which answer to expect."""

import collections
import multiprocessing
import os
import socket
import struct
import sys

sys.path.append(os.path.join(os.path.dirname(os.path.dirname(
    os.path.abspath(__file__))), "e2e"))
from scripted_backend import ScriptedBackend  # noqa: E402

RESET_AT_CLOSE = struct.pack("ii", 1, 0)


class Faults(ScriptedBackend):
    """The name of a document's first field, or of the account that logs in up to
    its first dot, says how it fails: failing, reset, cut, garbage, html, silent.
    All others are answered; slow after a pause."""

    def __init__(self):
        super().__init__(pause=0.05)
        # Nobody looks at the requests: keep one.
        self.requests = collections.deque(maxlen=1)

    async def _login(self, reader, writer, request, body):
        name = body.partition(b'"email":"')[2].partition(b".")[0].decode()
        act = getattr(self, "_" + name, super()._login)
        return await act(reader, writer, request, body)

    async def _logout(self, reader, writer, request, body):
        return self._send(writer, {"logout": True})

    async def _failing(self, reader, writer, request, body):
        text = b'{"errors":[{"message":"it failed"}]}'
        writer.write(b"HTTP/1.1 500 Oh\r\nContent-Type: application/json\r\n"
                     b"Content-Length: %d\r\n\r\n%b" % (len(text), text))
        return True

    async def _reset(self, reader, writer, request, body):
        writer.get_extra_info("socket").setsockopt(
            socket.SOL_SOCKET, socket.SO_LINGER, RESET_AT_CLOSE)
        writer.transport.abort()
        return False

    async def _cut(self, reader, writer, request, body):
        self._begin(writer, length=100)
        writer.write(b'{"data":{"cut":"')
        return False

    async def _garbage(self, reader, writer, request, body):
        writer.write(b"\0\1\2 this is no HTTP\r\n\r\n" * 8)
        return False

    async def _html(self, reader, writer, request, body):
        text = b"<!DOCTYPE html><title>Bad gateway</title>"
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n"
                     b"Content-Length: %d\r\n\r\n%b" % (len(text), text))
        return True


def _run(pipe):
    backend = Faults()
    pipe.send(backend.url)
    while True:
        command = pipe.recv()
        if command == "close":
            backend.close()
        elif command == "refuse":
            backend.refuse()
        else:
            backend.accept(backend.port)
        pipe.send(command)
        if command == "close":
            return


class Backend:
    """The process. Its methods return when they are done."""

    def __init__(self):
        self.pipe, other = multiprocessing.Pipe()
        self.process = multiprocessing.Process(target=_run, args=(other,),
                                               daemon=True)
        self.process.start()
        other.close()
        self.url = self.pipe.recv()

    def _do(self, command):
        self.pipe.send(command)
        assert self.pipe.recv() == command

    def refuse(self):
        self._do("refuse")

    def accept(self):
        self._do("accept")

    def close(self):
        if self.process.is_alive():
            self._do("close")
        self.process.join(10)
        if self.process.is_alive():
            self.process.kill()
