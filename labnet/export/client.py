"""
Gets a file for Wireshark: from a dashboard, or made from the file of a trace.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall, IPushProducer, IReactorTime
from twisted.python.failure import Failure
from zope.interface import implementer

from labnet.net.console import legible
from labnet.net.outcome import ClientError, ExitStatus
from labnet.net.pcapng import MEDIA_TYPE, chosen, write
from labnet.net.tracefile import BadTraceFile, readConversations
from labnet.proxy.wire import ResponseHead
from labnet.web.client import get
from labnet.web.exchange import Sink
from labnet.web.requests import Manner, Request
from labnet.web.target import URL

__all__ = ["Wanted", "convert", "fetch"]

_LONGEST_ERROR = 4_096

#: Takes a piece of the file.
Take = Callable[[bytes], object]


@dataclass(frozen=True, slots=True)
class Wanted:
    """
    Which conversations; see L{chosen}.

    @ivar service: of which service; empty for all.
    @ivar peer: with whom; empty for everybody.
    @ivar last: the last so many; 0 for all.
    """

    service: str = ""
    peer: str = ""
    last: int = 0


async def fetch(
    reactor: Any, dashboard: URL, token: str, wanted: Wanted, sink: Sink, manner: Manner
) -> None:
    """
    Get the file from a dashboard.

    @param dashboard: where it is.
    @param token: what one has to know to be answered.
    @param sink: where the file goes; it sees nothing of an answer that is none.
    @raise ClientError: there is no file, for the dashboard says why not, or is none.
    """
    asked = {"service": wanted.service, "peer": wanted.peer, "last": wanted.last}
    query = urlencode({name: value for name, value in asked.items() if value})
    target = b"/export.pcapng" + (b"?" + query.encode("ascii") if query else b"")
    url = URL(dashboard.scheme, dashboard.host, dashboard.port, target)
    fields = ((b"Authorization", b"Bearer " + token.encode("ascii")),)
    answer = _Answer(sink)
    response = await get(reactor, Request(url, fields=fields), sink=answer, manner=manner)
    if not answer.isFile:
        raise _refused(response.head.status, answer.error)


class _Answer:
    """
    What the dashboard says: a file, which goes on, or why there is none.

    @ivar isFile: which of them.
    @ivar error: the beginning of the other.
    """

    def __init__(self, sink: Sink) -> None:
        self._sink = sink
        self.isFile = False
        self.error = b""

    def attach(self, flow: IPushProducer) -> None:
        self._sink.attach(flow)

    def began(self, head: ResponseHead, raw: bytes, length: int | None) -> None:
        kinds = [value for name, value in head.fields if name.lower() == b"content-type"]
        self.isFile = head.status == 200 and kinds == [MEDIA_TYPE.encode("ascii")]
        if self.isFile:
            self._sink.began(head, raw, length)

    def write(self, content: bytes) -> None:
        if self.isFile:
            self._sink.write(content)
        else:
            self.error += content[: _LONGEST_ERROR - len(self.error)]

    def detach(self) -> None:
        self._sink.detach()


def _refused(status: int, content: bytes) -> ClientError:
    try:
        error = json.loads(content)["error"]
    except (ValueError, TypeError, KeyError, RecursionError):
        return ClientError("that is no dashboard of labnet's", ExitStatus.NOT_UNDERSTOOD)
    said = " ".join(legible(str(error).encode("utf-8", "replace")).split()).rstrip(".")
    mistake = ExitStatus.USAGE if status in (400, 401) else ExitStatus.ANSWERED_ERROR
    return ClientError(f"the dashboard answered {status}: {said}", mistake)


async def convert(
    clock: IReactorTime,
    path: str,
    wanted: Wanted,
    sink: Callable[[bytes], object],
    attach: Callable[..., object],
) -> None:
    """
    Make the file from that of a trace.

    @param path: of the trace, JSON lines.
    @param sink: takes the pieces.
    @param attach: is given what makes them, an C{IPushProducer}, to hold it back.
    @raise ClientError: the file can not be read, or has no such conversations.
    """
    try:
        with open(path, encoding="utf-8", errors="replace") as lines:
            conversations = chosen(readConversations(lines), wanted.service, wanted.peer, wanted.last)
    except OSError as error:
        raise ClientError(f"{path}: {error.strerror or error}", ExitStatus.USAGE) from error
    except BadTraceFile as error:
        raise ClientError(f"{path}: {error}", ExitStatus.USAGE) from error
    if not conversations:
        raise ClientError(f"{path} has no such conversations", ExitStatus.ANSWERED_ERROR)
    making = _Making(clock, write(conversations), sink)
    attach(making)
    making.resumeProducing()
    await making.done


@implementer(IPushProducer)
class _Making:
    """Makes a file, a piece in each turn of the reactor, as fast as it is taken."""

    def __init__(
        self, clock: IReactorTime, pieces: Iterator[bytes], sink: Callable[[bytes], object]
    ) -> None:
        self._clock = clock
        self._pieces = pieces
        self._sink = sink
        self._call: IDelayedCall | None = None
        self.done: Deferred[None] = Deferred(lambda done: self.pauseProducing())

    def pauseProducing(self) -> None:
        call, self._call = self._call, None
        if call is not None:
            call.cancel()

    def resumeProducing(self) -> None:
        if self._call is None and not self.done.called:
            self._call = self._clock.callLater(0, self._write)

    def stopProducing(self) -> None:
        self.pauseProducing()
        if not self.done.called:
            self.done.errback(Failure(BrokenPipeError()))

    def _write(self) -> None:
        self._call = None
        try:
            piece = next(self._pieces, None)
            if piece is None:
                self.done.callback(None)
                return
            # Before it is written: that may ask us to pause.
            self.resumeProducing()
            self._sink(piece)
        except Exception:
            self.pauseProducing()
            self.done.errback()
