# SPDX-License-Identifier: ISC
"""A backend that does what the name of the first field says: { silent } never
answers, { big } sends a large answer, and so on. It runs in a thread of the test,
so that a test sees when the backend sent what, and when a request was aborted.

Its logins accept every password. The token of a user is "secret-of-" and the
e-mail address.
"""
import asyncio
import json
import re
import threading
import time

LATER = "2199-01-01T00:00:00Z"
PIECE = b"x" * 65536
# The first field of a document; ours begin with another.
NAME = re.compile(rb'"query":"[^"{]*\{\s*(?:__typename\s+)?(\w+)')
NAME_IN_URL = re.compile(rb"[?&]query=[^%]*%7[Bb](?:%20|\+)*(\w+)")


class Request:
    """What has become of one request."""

    def __init__(self, name, token):
        self.name, self.token = name, token
        self.received = 0      # bytes of the body
        self.sent = 0          # bytes of the answer's body
        self.sent_at = []      # when each part was sent
        self.gone_at = None    # when the other side closed the connection


class ScriptedBackend:
    """
    big      bytes of the answer to { big }
    pause    seconds before the answer to { slow }, and between two parts
    parts    of the answer to { events }
    reads_files  False: the body of an upload is never read
    keeps    False: most answers end their connection
    """

    def __init__(self, big=0, pause=0.1, parts=5, reads_files=True,
                 keeps=True):
        self.big, self.pause, self.parts = big, pause, parts
        self.reads_files, self.keeps = reads_files, keeps
        self.requests = []
        self.writers = set()  # of the open connections
        self.connections = 0
        self.stray = None
        self.loop = asyncio.new_event_loop()
        self.thread = threading.Thread(target=self.loop.run_forever,
                                       daemon=True)
        self.thread.start()
        self.port = self.server = None
        self.accept(0)
        self.url = f"http://127.0.0.1:{self.port}/graphql"

    def accept(self, port):
        self.server = self._call(asyncio.start_server(
            self._serve, "127.0.0.1", port, backlog=2000))
        self.port = self.server.sockets[0].getsockname()[1]

    def refuse(self):
        """Close the port and every connection; accept(port) opens it again."""
        async def stop():
            self.server.close()
            await self.server.wait_closed()
            for writer in list(self.writers):
                writer.transport.abort()
        self._call(stop())

    def _call(self, coroutine):
        return asyncio.run_coroutine_threadsafe(coroutine, self.loop).result(20)

    def close(self):
        async def stop():
            self.server.close()
            others = asyncio.all_tasks() - {asyncio.current_task()}
            for task in others:
                task.cancel()
            await asyncio.gather(*others, return_exceptions=True)
        self._call(stop())
        self.loop.call_soon_threadsafe(self.loop.stop)
        self.thread.join(10)
        self.loop.close()

    def named(self, name):
        return [request for request in self.requests if request.name == name]

    async def _serve(self, reader, writer):
        self.connections += 1
        self.writers.add(writer)
        try:
            while await self._answer(reader, writer):
                pass
        except (OSError, asyncio.IncompleteReadError):
            pass
        finally:
            self.writers.discard(writer)
            writer.close()

    async def _answer(self, reader, writer):
        head = await reader.readuntil(b"\r\n\r\n")
        length = re.search(rb"\r\ncontent-length: (\d+)", head.lower())
        token = re.search(rb"\r\n[Aa]uthorization: Bearer ([^\r]*)", head)
        request = Request("upload", token and token[1].decode())
        if b"multipart/form-data" in head:
            self.requests.append(request)
            if not self.reads_files:
                await asyncio.sleep(60)
            try:
                await self._read_file(reader, request, length)
            except (OSError, asyncio.IncompleteReadError):
                request.gone_at = time.monotonic()
                raise
            return self._send(writer, {"upload": request.received})
        body = await reader.readexactly(int(length[1])) if length else b""
        request.name = (NAME.search(body) if length
                        else NAME_IN_URL.search(head))[1].decode()
        request.received = len(body)
        self.requests.append(request)
        try:
            return await self._act(reader, writer, request, body)
        except OSError:
            request.gone_at = time.monotonic()
            raise

    async def _read_file(self, reader, request, length):
        left = int(length[1]) if length else None
        while left != 0:
            if length:
                size = left
            else:
                line = await reader.readuntil(b"\r\n")
                left = size = int(line, 16)
            if size == 0:
                await reader.readexactly(2)
            while size > 0:
                piece = await reader.read(min(size, 1 << 18))
                if not piece:
                    raise asyncio.IncompleteReadError(b"", size)
                size -= len(piece)
                request.received += len(piece)
            if not length:
                if left:
                    await reader.readexactly(2)
            else:
                left = 0

    def _send(self, writer, data):
        body = json.dumps({"data": data}).encode()
        end = b"" if self.keeps else b"Connection: close\r\n"
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
                     b"%bContent-Length: %d\r\n\r\n%b"
                     % (end, len(body), body))
        return self.keeps

    @staticmethod
    def _begin(writer, kind="application/json", length=None):
        framing = (f"Content-Length: {length}" if length
                   else "Transfer-Encoding: chunked")
        writer.write(f"HTTP/1.1 200 OK\r\nContent-Type: {kind}\r\n"
                     f"{framing}\r\n\r\n".encode())

    # The actions. Each returns whether the connection stays open.

    async def _act(self, reader, writer, request, body):
        act = getattr(self, "_" + request.name)
        return await act(reader, writer, request, body)

    async def _login(self, reader, writer, request, body):
        email = json.loads(body)["variables"]["email"]
        return self._send(writer, {"login": {
            "secret": "secret-of-" + email, "ttl": LATER, "email": email,
            "ownerId": email.partition("@")[0]}})

    async def _me(self, reader, writer, request, body):
        email = (request.token or "").removeprefix("secret-of-")
        return self._send(writer, {"me": {
            "email": email, "ownerId": email.partition("@")[0]}})

    async def _slow(self, reader, writer, request, body):
        await asyncio.sleep(self.pause)
        return await self._me(reader, writer, request, body)

    async def _stray(self, reader, writer, request, body):
        """As { me }; later, send_stray() sends another answer."""
        self.stray = writer
        return await self._me(reader, writer, request, body)

    def send_stray(self, data):
        """On the connection of the last { stray }, which is idle."""
        self.loop.call_soon_threadsafe(self._send, self.stray, data)

    async def _silent(self, reader, writer, request, body):
        """Wait until the other side has gone."""
        await reader.read(1)
        request.gone_at = time.monotonic()
        return False

    async def _half(self, reader, writer, request, body):
        self._begin(writer)
        writer.write(b"9\r\n{\"data\":\"\r\n")
        return await self._silent(reader, writer, request, body)

    async def _drip(self, reader, writer, request, body):
        """For ten seconds."""
        self._begin(writer)
        for _ in range(int(10 / self.pause)):
            writer.write(b"1\r\n \r\n")
            await writer.drain()
            await asyncio.sleep(self.pause)
        return False

    async def _big(self, reader, writer, request, body):
        self._begin(writer, length=self.big)
        while request.sent < self.big:
            piece = PIECE[:self.big - request.sent]
            writer.write(piece)
            await writer.drain()
            request.sent += len(piece)
        return True

    async def _events(self, reader, writer, request, body):
        self._begin(writer, "text/event-stream")
        for number in range(self.parts):
            event = b"event: next\ndata: part-%d.\n\n" % number
            request.sent_at.append(time.monotonic())
            writer.write(b"%x\r\n%b\r\n" % (len(event), event))
            await writer.drain()
            await asyncio.sleep(self.pause)
        writer.write(b"0\r\n\r\n")
        return True

    async def _deferred(self, reader, writer, request, body):
        """Incremental delivery: a multipart answer."""
        self._begin(writer, 'multipart/mixed; boundary="-"')
        for number in range(self.parts):
            part = (b"---\r\nContent-Type: application/json\r\n\r\n"
                    b'{"hasNext":true,"data":"part-%d."}\r\n' % number)
            request.sent_at.append(time.monotonic())
            writer.write(b"%x\r\n%b\r\n" % (len(part), part))
            await writer.drain()
            await asyncio.sleep(self.pause)
        writer.write(b"7\r\n-----\r\n\r\n0\r\n\r\n")
        return True
