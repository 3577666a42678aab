"""
Two datagram servers that answer each other.
"""

from __future__ import annotations

import math
import socket
import time
from collections.abc import Callable
from functools import partial
from typing import Any, NoReturn

from twisted.internet.defer import Deferred

from labnet.demo.demonstration import Demonstration, Measured, Report
from labnet.demo.stage import Stage
from labnet.echo.server import EchoDatagramProtocol
from labnet.net.endpoints import LOOPBACK
from labnet.net.trace import Bounds, Conversation, Happening, Trace

__all__ = ["DEMONSTRATION", "MOST_DATAGRAMS", "MOST_SECONDS"]

#: What ends a loop that does not end by itself.
MOST_DATAGRAMS = 500
MOST_SECONDS = 1.0
#: Seconds of silence after which there is no loop, and those that the first datagram may take.
_SILENCE, _BEGINNING = 0.1, 5.0


def naive(server: socket.socket) -> NoReturn:
    while True:
        datagram, address = server.recvfrom(2048)
        server.sendto(b"Echo: " + datagram, address)


def cured(server: socket.socket) -> NoReturn:
    while True:
        datagram, address = server.recvfrom(2048)
        if not datagram.startswith(b"Echo: "):
            server.sendto(b"Echo: " + datagram, address)


class Enough(Exception):
    """The loop is stopped: it was one."""


class Counting:
    """A socket that counts, records, and has enough some time."""

    def __init__(self, plain: socket.socket, now: Callable[[], float]) -> None:
        self._plain = plain
        self._now = now
        self._until = math.inf
        plain.settimeout(_BEGINNING)
        self.received = 0
        self.trace = Trace(Bounds(pieceBytes=64))
        self.conversation: Conversation | None = None

    def recvfrom(self, size: int) -> tuple[bytes, tuple[str, int]]:
        """As a socket's."""
        if self.received >= MOST_DATAGRAMS or self._now() > self._until:
            raise Enough
        datagram, address = self._plain.recvfrom(size)
        if not self.received:
            self._until = self._now() + MOST_SECONDS
            self._plain.settimeout(_SILENCE)
        self.received += 1
        self._record(Happening.RECEIVED, address, datagram)
        return datagram, address

    def sendto(self, datagram: bytes, address: tuple[str, int]) -> None:
        """As a socket's."""
        self._record(Happening.WRITTEN, address, datagram)
        self._plain.sendto(datagram, address)

    def _record(self, what: Happening, address: tuple[str, int], datagram: bytes) -> None:
        now = self._now()
        if self.conversation is None:
            own = self._plain.getsockname()
            self.conversation = self.trace.begin("echo", "", "udp", own, address, now)
        self.trace.add(self.conversation, what, now, datagram)


def _socket() -> socket.socket:
    plain = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    plain.bind((LOOPBACK, 0))
    return plain


def _echo(program: Callable[[Any], object], counting: Counting) -> str:
    """Let an echo run until there is nothing to answer any more, or too much; the latter is told."""
    try:
        program(counting)
    except Enough:
        return f"{counting.received} datagrams in each direction, then this demonstration ended it"
    except TimeoutError:
        pass
    return ""


async def _pair(stage: Stage, what: str, tries: int, program: Callable[[Any], object]) -> Measured:
    """Two plain echoes; the first datagram says that it comes from the other one."""
    mishaps, shown = [], None
    for _ in range(tries):
        with _socket() as one, _socket() as other:
            countings = [Counting(plain, time.monotonic) for plain in (one, other)]
            other.sendto(b"hello", one.getsockname())
            threads = [stage.inThread(partial(_echo, program, counting)) for counting in countings]
            told = [await thread for thread in threads]
        mishaps.append(max(told))
        shown = shown or countings[0].conversation
    failed = [mishap for mishap in mishaps if mishap]
    return Measured(what, tries, len(failed), failed[0] if failed else "", shown, program is cured)


async def _withOurs(stage: Stage, what: str, tries: int) -> Measured:
    """A plain echo and ours; the first datagram comes from the plain one."""
    mishaps, shown = [], None
    for _ in range(tries):
        port = stage.reactor.listenUDP(0, EchoDatagramProtocol(stage.reactor), interface=LOOPBACK)
        with _socket() as plain:
            counting = Counting(plain, time.monotonic)
            plain.sendto(b"hello", (LOOPBACK, port.getHost().port))
            mishaps.append(await stage.inThread(partial(_echo, naive, counting)))
        stopped: Deferred[None] = port.stopListening()
        await stopped
        shown = shown or counting.conversation
    failed = [mishap for mishap in mishaps if mishap]
    return Measured(what, tries, len(failed), failed[0] if failed else "", shown, cure=True)


async def run(stage: Stage, tries: int) -> Report:
    return Report(
        (
            await _pair(stage, "two echoes that answer anything", tries, naive),
            await _pair(stage, "two echoes that do not answer answers", tries, cured),
            await _withOurs(stage, "one that answers anything, and labnet-echo", tries),
        ),
        peer="echo 2",
        local="echo 1",
    )


DEMONSTRATION = Demonstration(
    "udp-loop",
    "Two UDP echoes that feed each other for ever.",
    "A datagram says itself where it comes from, and anybody can write anything there. One datagram to an "
    "echo that seems to come from another echo is enough: each answers the other's answer, as fast as the "
    f"machine goes. Here each is ended after {MOST_DATAGRAMS} datagrams; it would not end.",
    "Never answer an answer. Where an answer can not be told from a request, answer nobody too often: that "
    "is what labnet-echo does with strangers, and with other services of its own not even once.",
    (naive,),
    (cured,),
    run,
)
