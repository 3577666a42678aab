"""
A proxy that looks for a word in each piece.
"""

from __future__ import annotations

import socket

from twisted.internet.endpoints import TCP4ClientEndpoint

from labnet.demo.demonstration import Demonstration, Report
from labnet.demo.stage import PATIENCE, Program, Stage
from labnet.net.endpoints import LOOPBACK
from labnet.net.limits import Limits
from labnet.proxy.factory import ProxyFactory

__all__ = ["DEMONSTRATION"]

FAULTS = "out: cut=3-12/5ms"
WORD = b"SzamHalo"
PAGE = b"<p>Everything about SzamHalo.</p>\n"
_BLOCKED = "nothing that is blocked"


def naive(client: socket.socket, origin: socket.socket) -> None:
    origin.sendall(client.recv(4096))
    while piece := origin.recv(4096):
        if WORD in piece:
            return  # Blocked.
        client.sendall(piece)


def cured(client: socket.socket, origin: socket.socket) -> None:
    origin.sendall(client.recv(4096))
    held = b""
    while piece := origin.recv(4096):
        held += piece
        if WORD in held:
            return  # Blocked.
        # The end of this may be the beginning of the word.
        client.sendall(held[: 1 - len(WORD)])
        held = held[1 - len(WORD) :]
    client.sendall(held)


def serve(client: socket.socket) -> None:
    """The origin: answers anything with the page."""
    client.recv(4096)
    client.sendall(b"HTTP/1.0 200 OK\r\n\r\n" + PAGE)


def browse(proxy: socket.socket) -> str:
    """The browser: says whether the word came through."""
    proxy.sendall(b"GET http://site.test/ HTTP/1.1\r\nHost: site.test\r\nConnection: close\r\n\r\n")
    answer = b""
    while piece := proxy.recv(4096):
        answer += piece
    # What says that a page is blocked may name the word.
    return "the page with the blocked word" if b"about " + WORD in answer else _BLOCKED


def proxying(proxy: object, port: int) -> Program:
    """A proxy as a program for one client."""

    def program(client: socket.socket) -> None:
        with socket.create_connection((LOOPBACK, port), PATIENCE) as origin:
            proxy(client, origin)  # type: ignore[operator]

    return program


async def run(stage: Stage, tries: int) -> Report:
    origin = stage.program(serve)
    quiet, broken = await stage.between(origin), await stage.between(origin, FAULTS)
    there = TCP4ClientEndpoint(stage.reactor, LOOPBACK, broken.port, timeout=5)
    ours = await stage.serving(ProxyFactory(stage.reactor, lambda _: there, limits=Limits(grace=0.1)))
    rows = []
    for what, proxy, network, cure in (
        ("looks at each piece, a network that does nothing", naive, quiet, False),
        ("looks at each piece, a network that cuts", naive, broken, False),
        ("keeps the end of each piece, the same network", cured, broken, True),
    ):
        place = await stage.between(stage.program(proxying(proxy, network.port)))
        rows.append(await stage.tried(what, tries, place, browse, _BLOCKED, cure=cure, seenAt=network))
    what = "labnet-proxy, the same network"
    rows.append(await stage.tried(what, tries, ours, browse, _BLOCKED, cure=True, seenAt=broken))
    return Report(tuple(rows), str(stage.faults(FAULTS)), peer="proxy", local="origin")


DEMONSTRATION = Demonstration(
    "split-word",
    "The blocked word split over two pieces, and a filter that does not see it.",
    "A proxy is to block pages with the word SzamHalo. It looks for the word in each piece that it "
    "receives. When a piece ends in the middle of the word, neither piece contains it, and the browser "
    "gets the page.",
    "Keep the last bytes of each piece, one less than the word has, and look at them with the next piece. "
    "(Compression, chunks and character sets hide the word as well: labnet-proxy looks behind them.)",
    (naive,),
    (cured,),
    run,
)
