"""
The web client: asks for something, and follows where the answer leads to.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IPushProducer
from twisted.python.failure import Failure

from labnet.net.outcome import ClientError, ExitStatus
from labnet.proxy.wire import ResponseHead
from labnet.web.events import Asking, End, Event
from labnet.web.exchange import Exchange, ExchangeFactory, Sink
from labnet.web.requests import Manner, Request, encodeHead, redirected
from labnet.web.route import Tell, Ways
from labnet.web.target import BadURL, parseURL
from labnet.web.timing import Timing

__all__ = ["Collected", "Manner", "Response", "get"]


class Collected:
    """A L{Sink} in memory."""

    def __init__(self) -> None:
        self._pieces: list[bytes] = []

    def attach(self, flow: IPushProducer) -> None:
        """Nothing has to wait here."""

    def began(self, head: ResponseHead, raw: bytes, length: int | None) -> None:
        """Only the body is collected."""

    def write(self, content: bytes) -> None:
        """Add it."""
        self._pieces.append(content)

    def detach(self) -> None:
        """What is there stays there."""

    @property
    def body(self) -> bytes:
        """What came."""
        return b"".join(self._pieces)


@dataclass(frozen=True, slots=True)
class Response:
    """
    A whole answer.

    @ivar request: what was asked in the end.
    @ivar rawHead: the bytes of the head as they came.
    @ivar end: how the end of the body was known.
    @ivar size: of the body, in bytes.
    @ivar surplus: bytes that came after it.
    @ivar remarks: what the server did not do as it should.
    @ivar timing: when what happened.
    @ivar body: empty if it went into a sink.
    """

    request: Request
    head: ResponseHead
    rawHead: bytes = field(repr=False)
    end: End
    size: int
    surplus: int
    remarks: tuple[str, ...]
    timing: Timing = field(repr=False)
    body: bytes = field(repr=False)


def _ignore(seconds: float, event: Event) -> None:
    pass


async def get(
    reactor: Any,
    what: str | Request,
    *,
    manner: Manner | None = None,
    sink: Sink | None = None,
    tell: Callable[[float, Event], object] = _ignore,
) -> Response:
    """
    Ask for something, and wait until the answer is whole.

    @param what: a URL, or a whole request.
    @param sink: where the body goes; left out, it is collected in memory.
    @param tell: hears of everything that happens, and how many seconds after the start.
    @return: the answer, whatever its status.
    @raise BadURL: that is none.
    @raise ClientError: the answer is cut, too large, too slow or not understood.
    @raise BadCertificate: the file of certificates can not be used.
    @raise Exception: what connecting failed with, or the sink.
    """
    request = Request(parseURL(what)) if isinstance(what, str) else what
    manner = manner or Manner()
    began = reactor.seconds()
    timing = Timing()
    collected = Collected()

    def note(event: Event) -> None:
        seconds = reactor.seconds() - began
        timing.note(seconds, event)
        tell(seconds, event)

    asking = _Asking(reactor, manner, sink or collected, note)
    answered = Deferred.fromCoroutine(asking.ask(request))
    if manner.maxTime:
        answered.addTimeout(manner.maxTime, reactor, asking.late)
    request, exchange = await answered
    reader = exchange.reader
    assert reader.head is not None
    assert reader.end is not None
    return Response(
        request,
        reader.head,
        reader.rawHead,
        reader.end,
        reader.size,
        reader.surplus,
        tuple(exchange.remarks),
        timing,
        collected.body,
    )


class _Asking:
    """One request, and those that follow from its answers."""

    def __init__(self, reactor: Any, manner: Manner, sink: Sink, tell: Tell) -> None:
        self._reactor = reactor
        self._manner = manner
        self._sink = sink
        self._tell = tell
        self._ways = Ways(reactor, manner, tell)
        self._exchange: Exchange | None = None

    async def ask(self, request: Request) -> tuple[Request, Exchange]:
        """Ask, and follow where the answer leads to. Returns what was asked in the end, and how."""
        most = self._manner.follow
        for _ in range(most + 1):
            self._tell(Asking(str(request.url)))
            exchange = await self._ask(request)
            assert exchange.reader.head is not None
            following = _following(request, exchange.reader.head) if most else None
            if following is None:
                return request, exchange
            request = following
        sentence = f"sent elsewhere more than {most} times, at last to {request.url}"
        raise ClientError(sentence, ExitStatus.ANSWERED_ERROR)

    async def _ask(self, request: Request) -> Exchange:
        url, manner = request.url, self._manner

        def wanted(answer: ResponseHead) -> bool:
            return not manner.follow or _following(request, answer) is None

        exchange = self._exchange = Exchange(
            self._reactor,
            request,
            encodeHead(request, manner.agent, None if url.secure else manner.proxy),
            self._sink,
            manner=manner,
            tell=self._tell,
            tunnelled=url.secure and manner.proxy is not None,
            wanted=wanted,
        )
        await self._ways.to(url).connect(ExchangeFactory(lambda: exchange))
        await exchange.done
        return exchange

    def late(self, result: object, seconds: float) -> Failure:
        """The time for everything is up."""
        progress = self._exchange.reader.progress if self._exchange is not None else "nothing was asked"
        sentence = f"timed out: not complete in {seconds:g} s; {progress}"
        return Failure(ClientError(sentence, ExitStatus.TIMED_OUT))


def _following(request: Request, head: ResponseHead) -> Request | None:
    try:
        return redirected(request, head)
    except BadURL as problem:
        sentence = f"sent to where there is nothing to ask: {problem}"
        raise ClientError(sentence, ExitStatus.NOT_UNDERSTOOD) from problem
