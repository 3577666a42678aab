"""
C{labnet collector} and C{twistd labnet-collector-client}: send pieces to a collector.
"""

from __future__ import annotations

import os
from collections import deque
from typing import Any, ClassVar, cast

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IPushProducer
from twisted.internet.protocol import Protocol, connectionDone
from twisted.internet.task import deferLater
from twisted.python.failure import Failure

from labnet.catalogue import Entry, Kind, entryFor
from labnet.collector.client import CollectorClient, connectCollector
from labnet.collector.wire import cut
from labnet.net.console import Console, legible
from labnet.net.endpoints import BadEndpoint, parseStreamClient
from labnet.net.options import CommandOptions, UsageError, globalReactor, number
from labnet.net.outcome import ExitStatus
from labnet.net.service import ClientService

__all__ = ["Options", "makeService", "run"]


class Options(CommandOptions):
    """The options of the collector's client."""

    synopsis = "[options] [PIECE ...]"
    longdesc = (
        "Sends each argument as a piece of its own, or standard input as it comes, then ends the stream, "
        "and prints what the server says until it closes."
    )

    entry: ClassVar[Entry] = entryFor("collector", Kind.CLIENT)

    optParameters = [
        ["connect", "c", entry.endpoints[0], "The collector, tcp:HOST:PORT."],
        ["size", "s", 0, "Cut into pieces of so many bytes; 0: as they are.", number(int, "size", 0)],
        ["pause", "p", 0.05, "Seconds between two pieces, so that the network does not join them.",
         number(float, "pause", 0.0)],
        ["timeout", "t", 5.0, "Seconds for the connection, for each piece to be taken, and for the end.",
         number(float, "timeout", 0.001)],
    ]  # fmt: skip

    pieces: tuple[bytes, ...] = ()

    def parseArgs(self, *pieces: str) -> None:
        self.pieces = tuple(os.fsencode(piece) for piece in pieces)

    def postOptions(self) -> None:
        super().postOptions()  # type: ignore[no-untyped-call]
        try:
            parseStreamClient(globalReactor(), self["connect"], self["timeout"])
        except BadEndpoint as error:
            raise UsageError(f"--connect: {error}") from error


class _Input(Protocol):
    """Standard input in the pieces in which it comes, one at a time and none ahead."""

    def __init__(self) -> None:
        self._ready: deque[bytes] = deque()
        self._waiting: Deferred[bytes | None] | None = None
        self._ended = False

    def next(self) -> Deferred[bytes | None]:
        """The next piece, or L{None} after the last."""
        waiting: Deferred[bytes | None] = Deferred(lambda waiting: None)
        self._waiting = waiting
        self._give()
        return waiting

    def dataReceived(self, data: bytes) -> None:
        self._ready.append(data)
        cast(IPushProducer, self.transport).pauseProducing()
        self._give()

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self._ended = True
        self._give()

    def _give(self) -> None:
        waiting = self._waiting
        if waiting is not None and (self._ready or self._ended):
            self._waiting = None
            piece = self._ready.popleft() if self._ready else None
            if not self._ready and not self._ended:
                cast(IPushProducer, self.transport).resumeProducing()
            if not waiting.called:
                waiting.callback(piece)


async def run(reactor: Any, options: Options, console: Console) -> int:
    """Send what the options say, print what the collector says, and return the exit status."""
    endpoint = parseStreamClient(reactor, options["connect"], options["timeout"])
    client = await connectCollector(reactor, endpoint)
    try:
        if options.pieces:
            for piece in options.pieces:
                await _send(reactor, options, client, piece)
        else:
            given = _Input()
            console.attach(given)
            while (read := await given.next()) is not None:
                await _send(reactor, options, client, read)
        said = await client.end(options["timeout"])
    finally:
        client.close()
    if said:
        console.say(legible(said).removesuffix("\n"))
    return ExitStatus.OK


async def _send(reactor: Any, options: Options, client: CollectorClient, data: bytes) -> None:
    for piece in cut(data, options["size"]):
        if client.sent and options["pause"]:
            await deferLater(reactor, options["pause"])
        await client.send(piece, options["timeout"])


def makeService(options: Options) -> ClientService:
    """The client as a service that ends the process when it is done."""
    reactor = globalReactor()
    return ClientService(reactor, options.entry.plugin, lambda: run(reactor, options, Console()))
