# SPDX-License-Identifier: ISC
"""A backend that can do everything wrong: a test sets `fault`, and each request
gets that instead of an answer. Without one it answers every login, query and
logout."""
import asyncio
import functools
import json
import socket
import struct
import zlib

from scripted_backend import LATER, ScriptedBackend

OK = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
MIB = 1 << 20
BOMB = 200 * MIB  # bytes of zeros that a bomb unpacks to


@functools.cache
def bomb():
    """A login's answer of 200 MiB that is 200 KiB by gzip."""
    packer = zlib.compressobj(1, zlib.DEFLATED, 31)
    parts = [packer.compress(b'{"data":{"login":{"secret":"')]
    parts += [packer.compress(b"0" * MIB) for _ in range(BOMB // MIB)]
    return b"".join(parts) + packer.flush()


class FaultyBackend(ScriptedBackend):
    """
    fault   a coroutine of (reader, writer) that is run after a request has been
            read; None is no fault
    hits    how many requests met a fault
    sent    how many bytes send_without_end() could send
    """

    def __init__(self):
        self.fault, self.hits = None, 0
        super().__init__()
        # Nobody else gets the port while it is closed.
        self.holder = socket.socket()
        self.holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.refuse()
        self.holder.bind(("127.0.0.1", self.port))
        self.accept(self.port)

    async def _act(self, reader, writer, request, body):
        if not self.fault:
            return await super()._act(reader, writer, request, body)
        self.hits += 1
        await self.fault(reader, writer)
        return False

    async def _logout(self, reader, writer, request, body):
        return self._send(writer, {"logout": True})

    async def _login(self, reader, writer, request, body):
        email = json.loads(body)["variables"]["email"]
        return self._send(writer, {"login": {
            "secret": f"token-{len(self.requests)}-of-{email}", "ttl": LATER,
            "email": email, "ownerId": "7"}})

    async def _me(self, reader, writer, request, body):
        return self._send(writer, {"me": request.token and {
            "email": request.token.partition("-of-")[2], "ownerId": "7"}})


# Faults.


def send(data):
    """Send that, and close the connection."""
    async def act(_, writer):
        writer.write(data)
        await writer.drain()
    return act


def hang(data=b""):
    """Send that, and wait until the other side has gone."""
    async def act(reader, writer):
        writer.write(data)
        await reader.read(1)
    return act


def reset(data=b""):
    """Send that, and reset the connection when it has been read."""
    async def act(_, writer):
        writer.write(data)
        await writer.drain()
        if data:
            await asyncio.sleep(0.2)
        writer.get_extra_info("socket").setsockopt(
            socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        writer.transport.abort()
    return act


def send_much(head, size):
    """Send the head and so many bytes, or as many as are taken."""
    async def act(_, writer):
        writer.write(head)
        piece = b" " * MIB
        for _ in range(size // MIB):
            writer.write(piece)
            await writer.drain()
    return act
