"""
The origin and the loads of the proxy benchmark: pages under wrk, downloads, idle clients.

Every proxy is asked in the form for proxies (C{GET http://origin/page}), the reverse proxies, too.
"""

from __future__ import annotations

import http.client
import json
import os
import random
import re
import resource
import select
import socket
import subprocess
import time
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from measuring import LOAD, MIB, Server, freePort, installed, pinned
from proxypeers import WORD, Peer, Place, nginx

CONNECTIONS = 64
#: The pages and their sizes: what a browser shows, so every filter looks at them; and a film.
SIZES = {
    "1k.html": 1024,
    "many/%d.html": 1024,
    "64k.html": 64 * 1024,
    "1m.html": MIB,
    "10m.html": 10 * MIB,
    "100m.html": 100 * MIB,
    "100m.mp4": 100 * MIB,
    "1g.html": 1024 * MIB,
}
#: How many there are of a page with a number in its name: more than any proxy remembers heads of.
MANY = 3_000
_BLOCKED = "blocked.html"
_TEXT = "a few words as they stand on any page of Some Magazine, with <b>Szeged</b> and Halmos among them"
#: Longest that one download may take, in seconds.
_PATIENCE = 60
_FIRST_TIME = 1_700_000_000
_WRK = Path(__file__).with_name("proxy.lua")


class Wrong(Exception):
    """A proxy does not do what is measured; the text says in which way."""


@dataclass(frozen=True)
class Proxy:
    """
    One that runs.

    @ivar program: what was started.
    @ivar start: bytes of memory that it had at the start.
    """

    peer: Peer
    server: Server
    port: int
    program: str = ""
    start: int = 0


class Origin:
    """
    nginx with the pages, on the CPU of the load.

    @ivar port: where it listens.
    """

    def __init__(self, folder: Path) -> None:
        self._pages = folder / "pages"
        self._pages.mkdir()
        self._page = _text()
        (self._pages / _BLOCKED).write_bytes(self._page[:2048] + WORD.encode() + self._page[:2048])
        self.port = freePort()
        place = folder / "origin"
        place.mkdir()
        types = "types { text/html html; video/mp4 mp4; }"
        sending = "sendfile on; tcp_nopush on; open_file_cache max=100;"
        command = nginx(
            Place(place, self.port, self.port), f"        root {self._pages}; {types} {sending}"
        )
        self.server = Server(command, LOAD, place)
        self.server.listening(self.port)

    def make(self, page: str) -> None:
        """Write a page, unless it is there; of one with a number in its name, all, each of another time."""
        if "%d" in page:
            self._makeMany(page)
            return
        path = self._pages / page
        if not path.exists():
            whole, rest = divmod(SIZES[page], MIB)
            with path.open("wb") as file:
                for _ in range(whole):
                    file.write(self._page)
                file.write(self._page[:rest])

    def _makeMany(self, page: str) -> None:
        (self._pages / page).parent.mkdir(exist_ok=True)
        for number in range(MANY):
            path = self._pages / (page % number)
            path.write_bytes(self._page[: SIZES[page]])
            os.utime(path, (_FIRST_TIME + number, _FIRST_TIME + number))

    def url(self, page: str) -> str:
        """The address of a page."""
        return f"http://127.0.0.1:{self.port}/{page}"

    def content(self, page: str) -> bytes:
        """What is in a page."""
        return (self._pages / page).read_bytes()

    def stop(self) -> None:
        """Stop it."""
        self.server.stop()

    # What must be right before anything is measured.

    def check(self, proxy: Proxy) -> None:
        """
        See that a proxy passes on what it should, and nothing else if it inspects.

        @raise Wrong: it does not.
        """
        self.make("64k.html")
        self.checkPage(proxy, "64k.html")
        if not proxy.peer.inspects:
            return
        # What comes in its place may have the word, too, but not where it stands on the page.
        if self.content(_BLOCKED)[2000:2100] in _get(proxy.port, self.url(_BLOCKED)):
            raise Wrong("it passes the blocked page")

    def checkPage(self, proxy: Proxy, page: str) -> None:
        """
        See that a page comes as it is.

        @raise Wrong: it does not.
        """
        page = page.replace("%d", "0")
        if _get(proxy.port, self.url(page)) != self.content(page):
            raise Wrong(f"what comes is not the page {page}")


def _text() -> bytes:
    """A MiB that looks like text, the same each time; it almost has the word, and more than once."""
    chosen = random.Random(1).choices(_TEXT.split(), k=MIB // 4)
    lines = (" ".join(chosen[at : at + 16]) for at in range(0, len(chosen), 16))
    return "\n".join(lines).encode()[:MIB]


def _get(port: int, url: str) -> bytes:
    try:
        with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=_PATIENCE)) as connection:
            connection.request("GET", url)
            return connection.getresponse().read()
    except (OSError, http.client.HTTPException) as error:
        raise Wrong(f"{type(error).__name__}: {error}") from error


def checkCloses(proxy: Proxy, url: str) -> None:
    """
    See that a proxy ends a connection when it is asked to, and says so, as wrk has to know.

    @raise Wrong: it does not.
    """
    with socket.create_connection(("127.0.0.1", proxy.port), 5) as connection:
        connection.sendall(_request(url, "close"))
        answer = b""
        try:
            while piece := connection.recv(65_536):
                answer += piece
        except OSError as error:
            raise Wrong("it does not close a connection") from error
    head = answer.partition(b"\r\n\r\n")[0].lower()
    if (
        not (proxy.peer.abrupt or head.startswith(b"http/1.0"))
        and re.search(rb"\nconnection: *close", head) is None
    ):
        raise Wrong("it does not say that it closes a connection")


def _request(url: str, connection: str = "keep-alive") -> bytes:
    host = url.split("/")[2]
    return f"GET {url} HTTP/1.1\r\nHost: {host}\r\nConnection: {connection}\r\n\r\n".encode()


# Many requests


@dataclass(frozen=True)
class Rate:
    """
    What wrk has measured in one run.

    @ivar requests: a second.
    @ivar speed: bytes a second.
    @ivar processor: seconds of CPU that the proxy has used for 10,000 requests.
    """

    requests: float
    speed: float
    processor: float


def hammer(
    proxy: Proxy,
    url: str,
    *,
    size: int,
    seconds: int,
    close: bool,
    processor: int | None,
) -> Rate:
    """
    Ask for one page again and again, over 64 connections.

    @param size: the page's, in bytes.
    @param close: a new connection for each request.
    @param processor: the CPU of the load; L{None} for any.
    @raise Wrong: there were errors.
    """
    command = [installed("wrk"), "-t1", f"-c{CONNECTIONS}", f"-d{seconds}s", "--timeout", "30s"]
    command += [
        "-s",
        str(_WRK),
        f"http://127.0.0.1:{proxy.port}/",
        "--",
        url,
        "close" if close else "keep-alive",
        str(MANY if "%d" in url else 1),
    ]
    used = proxy.server.processor
    done = subprocess.run(
        pinned(command, processor), capture_output=True, text=True, timeout=seconds + 60, check=False
    )
    match = re.search(r"^RESULT (.*)$", done.stdout, re.MULTILINE)
    if match is None:
        raise Wrong(f"wrk: {(done.stderr or done.stdout).strip()[:100]}")
    result = json.loads(match[1])
    requests, took = result["requests"], result["microseconds"] / 1e6
    # What is under way when wrk stops is seen by nobody; the peers finish it all the same.
    proxy.server.quiet()
    used = proxy.server.processor - used
    # An end that is not announced counts as an error of reading; the answer before it is good.
    broken = result["socket"] + (0 if proxy.peer.abrupt else result["read"])
    if result["status"] or broken > requests / 1000:
        raise Wrong(f"{result['status']} bad answers, {broken} broken connections")
    if not requests or result["bytes"] < requests * size:
        raise Wrong("the answers are too short")
    return Rate(requests / took, requests * size / took, used / requests * 10_000)


# One download


@dataclass(frozen=True)
class Download:
    """
    One file, once.

    @ivar speed: bytes a second.
    @ivar first: seconds to the first byte.
    @ivar peak: the most memory that the proxy had.
    """

    speed: float
    first: float
    peak: int


def download(proxy: Proxy, url: str, size: int) -> Download:
    """
    Get a file, and drop it in the kernel, so that the time is the proxy's.

    @param size: the file's, in bytes.
    @raise Wrong: it does not come.
    """
    proxy.server.forgetPeak()
    dropped = bytearray(MIB)
    deadline = time.monotonic() + _PATIENCE
    with socket.create_connection(("127.0.0.1", proxy.port), _PATIENCE) as connection:
        began = time.perf_counter()
        connection.sendall(_request(url, "close"))
        try:
            head = connection.recv(65_536)
            first = time.perf_counter() - began
            while b"\r\n\r\n" not in head:
                head += connection.recv(65_536) or _ended("the answer has no end of its head")
            head, _, rest = head.partition(b"\r\n\r\n")
            received = len(rest)
            # With a length it ends there; without, at the end of the connection.
            exact = re.search(rb"(?i)\r\ncontent-length: *%d(\r\n|$)" % size, head) is not None
            while not (exact and received >= size):
                amount = connection.recv_into(dropped, MIB, socket.MSG_TRUNC)
                if not amount:
                    break
                received += amount
                if time.monotonic() > deadline:
                    _ended(f"it takes over {_PATIENCE} s")
        except OSError as error:
            raise Wrong(f"the download breaks off: {error}") from error
        took = time.perf_counter() - began
    if not re.match(rb"HTTP/1\.[01] 200 ", head) or received < size:
        raise Wrong(f"the answer is {head[:40]!r} and {received} of {size} bytes")
    return Download(size / took, first, proxy.server.peak)


def _ended(why: str) -> bytes:
    raise Wrong(why)


# Many clients that say nothing


@dataclass(frozen=True)
class Idle:
    """
    Clients that have asked once, and are silent now.

    @ivar asked: how many have come.
    @ivar held: how many of them are still connected.
    @ivar each: bytes of memory that one costs.
    """

    asked: int
    held: int
    each: float


def idle(proxy: Proxy, url: str, clients: int) -> Idle:
    """
    Let many clients ask for a page, one after the other, and then be silent.

    @raise Wrong: they get no answer.
    """
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    clients = min(clients, hard - 200)
    request = _request(url)
    sockets: list[socket.socket] = []
    proxy.server.quiet()
    before = proxy.server.memory
    try:
        for _ in range(clients):
            sockets.append(socket.create_connection(("127.0.0.1", proxy.port), 10))
            sockets[-1].sendall(request)
            _readAnswer(sockets[-1])
        proxy.server.quiet()
        poller = select.poll()
        for one in sockets:
            poller.register(one, select.POLLIN)
        held = clients - len(poller.poll(0))
        return Idle(clients, held, (proxy.server.memory - before) / clients)
    except OSError as error:
        raise Wrong(f"after {len(sockets)} clients: {error}") from error
    finally:
        for one in sockets:
            one.close()
        proxy.server.quiet()


def _readAnswer(connection: socket.socket) -> None:
    size, answer = SIZES["1k.html"], b""
    while len(answer.partition(b"\r\n\r\n")[2]) < size:
        answer += connection.recv(65_536) or _ended("a client gets no answer")
