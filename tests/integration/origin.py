"""
An origin that answers by the path it is asked for, well or badly: C{python -m tests.integration.origin},
with TLS if it is given the files of a certificate and its key.

It reads requests of every framing, keeps connections, and prints C{origin listens on PORT}.
"""

from __future__ import annotations

import asyncio
import contextlib
import gzip
import hashlib
import json
import re
import socket
import ssl
import struct
import sys
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

__all__ = ["RESOURCES", "WORD", "WORDY", "page"]

WORD = b"SzamHalo"
#: A page that is blocked.
WORDY = b"<html><body>" + b"x" * 500 + WORD + b"y" * 500 + b"</body></html>"
#: How many other things C{/many} makes a browser ask for.
RESOURCES = 50


@lru_cache
def page(size: int) -> bytes:
    """So many bytes, of which no two lines are the same."""
    return b"".join(b"line %08x of a page\n" % number for number in range(size // 23 + 1))[:size]


@lru_cache
def _zipped(size: int) -> bytes:
    return gzip.compress(page(size), 1)


@lru_cache
def _brotli(size: int) -> bytes:
    import brotli

    packed: bytes = brotli.compress(page(size), quality=1)
    return packed


@dataclass
class Request:
    """
    What was asked.

    @ivar fields: by their names in lower case; of several of one name the last.
    """

    method: str
    path: str
    fields: dict[str, str]
    body: bytes


def answer(body: bytes, *fields: bytes, status: bytes = b"200 OK") -> bytes:
    """A whole response with its length."""
    head = b"".join(b"%b\r\n" % field for field in fields)
    return b"HTTP/1.1 %b\r\n%bContent-Length: %d\r\n\r\n" % (status, head, len(body)) + body


def _bytes(request: Request, size: int) -> bytes:
    return answer(page(size), b"Content-Type: text/plain")


def _chunked(request: Request, size: int) -> bytes:
    body = page(size)
    pieces = [body[at : at + 8000] for at in range(0, size, 8000)]
    chunks = b"".join(b"%x\r\n%b\r\n" % (len(piece), piece) for piece in pieces)
    return b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + chunks + b"0\r\n\r\n"


def _gzip(request: Request, size: int) -> bytes:
    return answer(_zipped(size), b"Content-Encoding: gzip", b"Vary: Accept-Encoding")


def _br(request: Request, size: int) -> bytes:
    return answer(_brotli(size), b"Content-Encoding: br", b"Vary: Accept-Encoding")


def _close(request: Request, size: int) -> bytes:
    return b"HTTP/1.0 200 OK\r\nContent-Type: text/plain\r\n\r\n" + page(size)


def _etag(request: Request, size: int) -> bytes:
    tag = b'"%d"' % size
    if request.fields.get("if-none-match", "").encode() == tag:
        return b"HTTP/1.1 304 Not Modified\r\nETag: %b\r\n\r\n" % tag
    return answer(page(size), b"ETag: " + tag)


def _echo(request: Request, size: int) -> bytes:
    """What was received, as JSON."""
    seen = {
        "method": request.method,
        "path": request.path,
        "fields": request.fields,
        "length": len(request.body),
        "sha256": hashlib.sha256(request.body).hexdigest(),
    }
    return answer(json.dumps(seen).encode(), b"Content-Type: application/json")


def _redirect(request: Request, size: int) -> bytes:
    return answer(b"elsewhere", b"Location: /bytes/%d" % size, status=b"302 Found")


def _seeother(request: Request, size: int) -> bytes:
    return answer(b"", b"Location: /echo", status=b"303 See Other")


def _cookie(request: Request, size: int) -> bytes:
    return answer(
        request.fields.get("cookie", "").encode(), b"Set-Cookie: a=1; Path=/", b"Set-Cookie: b=2; HttpOnly"
    )


def _word(request: Request, size: int) -> bytes:
    return answer(WORDY, b"Content-Type: text/html")


def _wordgzip(request: Request, size: int) -> bytes:
    return answer(gzip.compress(WORDY), b"Content-Encoding: gzip", b"Content-Type: text/html")


def _wordscript(request: Request, size: int) -> bytes:
    return answer(b"window.ran = '%b'" % WORD, b"Content-Type: text/javascript")


def _worddownload(request: Request, size: int) -> bytes:
    fields = (b"Content-Type: application/octet-stream", b"Content-Disposition: attachment; filename=a.bin")
    return answer(page(size) + WORD + page(size), *fields)


def _many(request: Request, size: int) -> bytes:
    """A page that needs L{RESOURCES} others: styles, scripts, images, and what its scripts ask for."""
    kinds = [
        '<link rel="stylesheet" href="/style?{0}">',
        '<script src="/script?{0}"></script>',
        '<img src="/image?{0}" onload="loaded++">',
        "<script>asked.push(fetch('/bytes/1000?{0}').then((a) => a.text()))</script>",
        '<script src="/slow?{0}" async></script>',
    ]
    parts = [kinds[number % len(kinds)].format(number) for number in range(RESOURCES)]
    text = "<!DOCTYPE html><title>many</title><script>var loaded = 0, asked = []</script><body>"
    return answer((text + "\n".join(parts)).encode(), b"Content-Type: text/html")


def _style(request: Request, size: int) -> bytes:
    return answer(b"body { --seen: yes }", b"Content-Type: text/css")


def _script(request: Request, size: int) -> bytes:
    return answer(b"loaded++", b"Content-Type: text/javascript")


def _slow(request: Request, size: int) -> bytes:
    """Chunked and zipped."""
    packed = gzip.compress(b"loaded++ // " + page(20_000).replace(b"\n", b" "))
    return (
        b"HTTP/1.1 200 OK\r\nContent-Type: text/javascript\r\nContent-Encoding: gzip\r\n"
        b"Transfer-Encoding: chunked\r\n\r\n%x\r\n%b\r\n0\r\n\r\n" % (len(packed), packed)
    )


def _image(request: Request, size: int) -> bytes:
    drawing = b'<svg xmlns="http://www.w3.org/2000/svg" width="1" height="1"/>'
    return answer(drawing, b"Content-Type: image/svg+xml")


def _short(request: Request, size: int) -> bytes:
    """It says more than it has."""
    return b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\nConnection: close\r\n\r\n0123456789"


def _badchunk(request: Request, size: int) -> bytes:
    return b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nfine\r\nnot a size\r\n"


def _nonsense(request: Request, size: int) -> bytes:
    return b"this is not HTTP\r\n\r\n"


def _missing(request: Request, size: int) -> bytes:
    return answer(b"not here", status=b"404 Not Found")


def _nothing(request: Request, size: int) -> bytes:
    return b""


ANSWERS: dict[str, Callable[[Request, int], bytes]] = {
    made.__name__[1:]: made
    for made in (
        _bytes, _chunked, _gzip, _br, _close, _etag, _echo, _redirect, _seeother, _cookie, _word, _wordgzip,
        _wordscript, _worddownload, _many, _style, _script, _slow, _image, _short, _badchunk, _nonsense,
        _nothing,
    )
}  # fmt: skip
#: After these the connection ends.
LAST = ("close", "short", "badchunk", "nonsense", "nothing")


class Conversation:
    """One connection and its requests."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    async def serve(self) -> None:
        try:
            while await self._one():
                pass
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            self.writer.close()
            with contextlib.suppress(ConnectionError):
                await self.writer.wait_closed()

    async def _one(self) -> bool:
        """Answer one request; whether there may be another."""
        head = (await self.reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
        method, target, _ = head[0].split(" ")
        path = re.sub("^http://[^/]*", "", target)
        fields = {
            name.lower(): value.strip() for name, _, value in (line.partition(":") for line in head[1:-2])
        }
        name, _, size = path.partition("?")[0].strip("/").partition("/")
        if name == "refuse":
            # The body is not wanted, and not read.
            self.writer.write(answer(b"no", b"Connection: close", status=b"413 Content Too Large"))
            await self.writer.drain()
            self.writer.write_eof()
            await self.reader.read()
            return False
        if name == "silent":
            await self.reader.read()
            return False
        if "expect" in fields:
            self.writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        request = Request(method, path, fields, await self._body(fields))
        if name == "reset":
            handle: socket.socket = self.writer.get_extra_info("socket")
            handle.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            return False
        made = ANSWERS.get(name, _missing)(request, int(size or 0))
        self.writer.write(made.partition(b"\r\n\r\n")[0] + b"\r\n\r\n" if method == "HEAD" else made)
        await self.writer.drain()
        return name not in LAST

    async def _body(self, fields: dict[str, str]) -> bytes:
        if fields.get("transfer-encoding") != "chunked":
            return await self.reader.readexactly(int(fields.get("content-length", "0")))
        body = []
        while size := int(await self.reader.readuntil(b"\r\n"), 16):
            body.append((await self.reader.readexactly(size + 2))[:-2])
        while await self.reader.readuntil(b"\r\n") != b"\r\n":
            pass
        return b"".join(body)


async def _serve() -> None:
    async def accepted(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await Conversation(reader, writer).serve()

    context = None
    if len(sys.argv) == 3:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(sys.argv[1], sys.argv[2])
    server = await asyncio.start_server(accepted, "127.0.0.1", 0, backlog=1024, limit=2**20, ssl=context)
    print(f"origin listens on {server.sockets[0].getsockname()[1]}", flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(_serve())
