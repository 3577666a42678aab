"""
A crowd of clients that ask an L{origin<tests.integration.origin>} through a proxy for everything it has,
good and bad, leave in the middle, and know what each answer has to be.
"""

from __future__ import annotations

import asyncio
import gzip
import hashlib
import json
import socket
import struct
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass
from random import Random

from tests.integration.origin import page
from tests.integration.processes import PATIENCE

__all__ = ["Answer", "Client", "Crowd"]


@dataclass(frozen=True)
class Answer:
    """
    What came back.

    @ivar fields: by their names in lower case.
    """

    status: int
    fields: dict[bytes, bytes]
    body: bytes


class Client:
    """
    A browser's side of one connection, which it keeps as long as the proxy does.

    @param proxy: the proxy's port.
    @param origin: the origin, as C{127.0.0.1:PORT}.
    """

    def __init__(self, proxy: int, origin: bytes) -> None:
        self._proxy = proxy
        self._origin = origin
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def send(self, data: bytes) -> asyncio.StreamReader:
        """Send, over a new connection if there is none, and return what is read from."""
        if self._streams is None:
            self._streams = await asyncio.open_connection("127.0.0.1", self._proxy)
        reader, writer = self._streams
        writer.write(data)
        await writer.drain()
        return reader

    def request(self, path: str, method: bytes = b"GET", fields: bytes = b"", body: bytes = b"") -> bytes:
        """A whole request, its C{fields} with their line ends."""
        length = b"Content-Length: %d\r\n" % len(body) if body else b""
        target = b"http://%b%b" % (self._origin, path.encode())
        return b"%b %b HTTP/1.1\r\nHost: %b\r\n%b%b\r\n%b" % (
            method, target, self._origin, fields, length, body
        )  # fmt: skip

    async def ask(
        self, path: str, method: bytes = b"GET", fields: bytes = b"", body: bytes = b""
    ) -> Answer:
        """One request and its answer."""
        reader = await self.send(self.request(path, method, fields, body))
        return await self.answer(reader, method)

    async def answer(self, reader: asyncio.StreamReader, method: bytes = b"GET") -> Answer:
        """The next answer; the connection is closed if it is the last one."""
        lines = (await reader.readuntil(b"\r\n\r\n")).split(b"\r\n")
        pairs = (line.partition(b":") for line in lines[1:-2])
        fields = {name.lower(): value.strip() for name, _, value in pairs}
        status = int(lines[0].split(b" ")[1])
        body = b""
        if method != b"HEAD" and status != 304:
            if fields.get(b"transfer-encoding") == b"chunked":
                body = await self._chunks(reader)
            elif b"content-length" in fields:
                body = await reader.readexactly(int(fields[b"content-length"]))
            else:
                body = await reader.read()
        if fields.get(b"connection", b"").lower() == b"close":
            await self.close()
        return Answer(status, fields, body)

    async def _chunks(self, reader: asyncio.StreamReader) -> bytes:
        parts = []
        while size := int(await reader.readuntil(b"\r\n"), 16):
            parts.append((await reader.readexactly(size + 2))[:-2])
        while await reader.readuntil(b"\r\n") != b"\r\n":
            pass
        return b"".join(parts)

    async def tunnel(self, path: str) -> Answer:
        """One request in a tunnel of its own."""
        await self.close()
        reader = await self.send(b"CONNECT %b HTTP/1.1\r\nHost: %b\r\n\r\n" % (self._origin, self._origin))
        opened = await reader.readuntil(b"\r\n\r\n")
        assert opened.startswith(b"HTTP/1.1 200 "), opened
        got = await self.ask(path)
        await self.close()
        return got

    async def leave(self, path: str, take: int) -> None:
        """Ask, take so many bytes, and go without a word."""
        await self.close()
        reader = await self.send(self.request(path))
        if take:
            await reader.readexactly(take)
        assert self._streams is not None
        handle: socket.socket = self._streams[1].get_extra_info("socket")
        handle.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        await self.close()

    async def close(self) -> None:
        if self._streams is not None:
            _, writer = self._streams
            self._streams = None
            writer.close()
            await writer.wait_closed()


class Crowd:
    """
    Many clients at once.

    @ivar asked: how often each kind of thing was asked for.
    @ivar wrong: what was answered wrongly.
    """

    def __init__(self, proxy: int, origin: bytes, seed: int) -> None:
        self.asked: Counter[str] = Counter()
        self.wrong: list[str] = []
        self._proxy = proxy
        self._origin = origin
        self._random = Random(seed)
        #: What is asked for, out of a hundred times.
        self._often: dict[Callable[[Client], Awaitable[bool]], int] = {
            self._small: 36, self._middle: 9, self._large: 1, self._zipped: 10, self._chunked: 8,
            self._untilClose: 2, self._blocked: 8, self._broken: 5, self._headOnly: 5, self._unchanged: 4,
            self._upload: 5, self._pipelined: 2, self._tunnelled: 2, self._leavesEarly: 2,
            self._leavesLate: 1,
        }  # fmt: skip

    async def ask(self, requests: int, clients: int) -> None:
        """That many requests by that many clients at once; all connections are closed in the end."""
        left = iter(range(requests))
        await asyncio.gather(*(self._visit(left) for _ in range(clients)))

    async def _visit(self, left: Iterator[int]) -> None:
        client = Client(self._proxy, self._origin)
        kinds, weights = list(self._often), list(self._often.values())
        for _ in left:
            [kind] = self._random.choices(kinds, weights)
            name = kind.__name__[1:]
            self.asked[name] += 1
            try:
                if not await asyncio.wait_for(kind(client), PATIENCE):
                    self.wrong.append(name)
            except (OSError, EOFError, TimeoutError) as error:
                self.wrong.append(f"{name}: {error!r}")
                await client.close()
        await client.close()

    async def _page(self, client: Client, kind: str, size: int) -> bool:
        got = await client.ask(f"/{kind}/{size}")
        return (got.status, got.body) == (200, page(size))

    async def _small(self, client: Client) -> bool:
        return await self._page(client, "bytes", 1024)

    async def _middle(self, client: Client) -> bool:
        return await self._page(client, "bytes", 65_536)

    async def _large(self, client: Client) -> bool:
        return await self._page(client, "bytes", 2**20)

    async def _zipped(self, client: Client) -> bool:
        got = await client.ask("/gzip/20000", fields=b"Accept-Encoding: gzip\r\n")
        return got.status == 200 and gzip.decompress(got.body) == page(20_000)

    async def _chunked(self, client: Client) -> bool:
        return await self._page(client, "chunked", 30_000)

    async def _untilClose(self, client: Client) -> bool:
        return await self._page(client, "close", 5_000)

    async def _blocked(self, client: Client) -> bool:
        got = await client.ask(self._random.choice(["/word", "/wordgzip", "/worddownload/50000"]))
        return got.status == 404 and b"x-labnet-filter" in got.fields and b"xxx" not in got.body

    async def _broken(self, client: Client) -> bool:
        path = self._random.choice(["/short", "/badchunk", "/nonsense", "/nothing", "/reset"])
        return (await client.ask(path)).status == 502

    async def _headOnly(self, client: Client) -> bool:
        got = await client.ask("/bytes/65536", b"HEAD")
        return (got.status, got.fields[b"content-length"]) == (200, b"65536")

    async def _unchanged(self, client: Client) -> bool:
        return (await client.ask("/etag/700", fields=b'If-None-Match: "700"\r\n')).status == 304

    async def _upload(self, client: Client) -> bool:
        body = page(self._random.choice([10, 5_000, 200_000]))
        seen = json.loads((await client.ask("/echo", b"POST", body=body)).body)
        return bool(seen["sha256"] == hashlib.sha256(body).hexdigest())

    async def _pipelined(self, client: Client) -> bool:
        """Three requests in one piece."""
        sizes = (300, 0, 70_000)
        reader = await client.send(b"".join(client.request(f"/bytes/{size}") for size in sizes))
        return [(await client.answer(reader)).body for _ in sizes] == [page(size) for size in sizes]

    async def _tunnelled(self, client: Client) -> bool:
        return (await client.tunnel("/bytes/3000")).body == page(3_000)

    async def _leavesEarly(self, client: Client) -> bool:
        await client.leave("/silent", 0)
        return True

    async def _leavesLate(self, client: Client) -> bool:
        await client.leave("/bytes/5000000", 20_000)
        return True
