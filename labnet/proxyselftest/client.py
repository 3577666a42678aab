"""
Runs scenarios: an origin for each, a client that asks it through the proxy, and the judge.
"""

from __future__ import annotations

import base64
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, cast

from twisted.internet.defer import (
    CancelledError,
    Deferred,
    DeferredSemaphore,
    FirstError,
    gatherResults,
    maybeDeferred,
)
from twisted.internet.error import ConnectionDone
from twisted.internet.interfaces import IDelayedCall, IReactorTime, IStreamClientEndpoint, ITCPTransport
from twisted.internet.protocol import Factory, Protocol, connectionDone
from twisted.python.failure import Failure

from labnet.net.endpoints import LOOPBACK
from labnet.net.outcome import ClientError, ExitStatus, explain
from labnet.proxyselftest.reading import messages
from labnet.proxyselftest.scenario import Ask, Marker, Scenario, Unbuildable
from labnet.proxyselftest.server import Origin
from labnet.proxyselftest.verdict import Ending, Finding, Received, judge, untold

__all__ = ["Conversation", "Settings", "Trial", "attempt", "requestBytes", "run"]

#: More than any scenario sends, in bytes.
_MOST_RECEIVED = 64 * 2**20

#: Seconds of silence after which it is seen whether the answers are complete: not every proxy closes.
_QUIET = 0.2


@dataclass(frozen=True, slots=True)
class Settings:
    """
    How scenarios are run.

    @ivar proxy: the endpoint of the proxy.
    @ivar marker: what must not get through.
    @ivar credentials: C{user:password} for the proxy, or nothing.
    @ivar timeout: seconds that one connection of the client may take.
    @ivar pause: seconds that a pause of the origin lasts when the proxy passes nothing on.
    @ivar interface: the address that the origin listens on.
    @ivar port: where; 0 for a free port for each scenario.
    @ivar origin: the host by which the proxy reaches it.
    @ivar reverse: whether the proxy stands before our origin, as if it were the site.
    """

    proxy: IStreamClientEndpoint
    marker: Marker
    credentials: bytes = b""
    timeout: float = 10.0
    pause: float = 0.05
    interface: str = LOOPBACK
    port: int = 0
    origin: str = LOOPBACK
    reverse: bool = False


@dataclass(frozen=True, slots=True)
class Trial:
    """
    A scenario that was run, with everything that was said.

    @ivar heard: the heads of the requests that reached the origin.
    @ivar said: the origin's answers.
    """

    finding: Finding
    received: tuple[Received, ...] = ()
    heard: tuple[bytes, ...] = ()
    said: tuple[bytes, ...] = ()


def requestBytes(ask: Ask, authority: bytes, settings: Settings, *, tunnelled: bool = False) -> bytes:
    """A request as it goes to the proxy, or inside a tunnel."""
    direct = settings.reverse or tunnelled
    target = b"/" + ask.path if direct else b"http://%b/%b" % (authority, ask.path)
    lines = [b"%b %b %b" % (ask.method, target, ask.version), b"Host: " + authority, *ask.fields]
    if not ask.keeps:
        lines.append(b"Connection: close")
    if settings.credentials and not tunnelled:
        lines.append(_authorization(settings))
    return b"\r\n".join(lines) + b"\r\n\r\n" + ask.body


def _authorization(settings: Settings) -> bytes:
    return b"Proxy-Authorization: Basic " + base64.b64encode(settings.credentials)


def _connectBytes(authority: bytes, settings: Settings) -> bytes:
    lines = [b"CONNECT %b HTTP/1.1" % authority, b"Host: " + authority]
    if settings.credentials:
        lines.append(_authorization(settings))
    return b"\r\n".join(lines) + b"\r\n\r\n"


class Conversation(Protocol):
    """
    Sends requests and keeps what comes, up to the end of the connection, until the answers are complete and
    nothing more comes, or until it has taken too long.

    @param first: is sent at once.
    @param inside: is sent when C{first}, a CONNECT, has been answered with success; what comes before that
        is not kept then.
    @param heard: is called when something comes.
    @ivar done: fires with a L{Received}.
    """

    transport: ITCPTransport

    def __init__(
        self,
        clock: IReactorTime,
        asks: tuple[Ask, ...],
        first: bytes,
        inside: bytes,
        timeout: float,
        heard: Callable[[], None],
    ) -> None:
        self.done: Deferred[Received] = Deferred(lambda done: self._leave())
        self._clock = clock
        self._asks = asks
        self._first = first
        self._inside = inside
        self._heard = heard
        self._raw = bytearray()
        self._ended = False
        self._timeout = timeout
        self._limit: IDelayedCall | None = None
        self._quiet: IDelayedCall | None = None

    def connectionMade(self) -> None:
        self._limit = self._clock.callLater(self._timeout, self._end, Ending.LATE)
        self.transport.write(self._first)

    def dataReceived(self, data: bytes) -> None:
        if self._ended:
            return
        self._raw += data
        if self._inside and b"\r\n\r\n" in self._raw:
            self._enter()
        if len(self._raw) > _MOST_RECEIVED:
            self._end(Ending.FULL)
            return
        self._heard()
        self._rest()

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self._end(Ending.CLOSED if reason.check(ConnectionDone) else Ending.RESET)

    def _enter(self) -> None:
        """The answer to the CONNECT is there."""
        inside, self._inside = self._inside, b""
        head, _, rest = bytes(self._raw).partition(b"\r\n\r\n")
        if head.partition(b" ")[2].startswith(b"2"):
            self._raw = bytearray(rest)
            self.transport.write(inside)

    def _rest(self) -> None:
        quiet = self._quiet
        if quiet is not None and quiet.active():
            quiet.reset(_QUIET)
        else:
            self._quiet = self._clock.callLater(_QUIET, self._look)

    def _look(self) -> None:
        """Nothing has come for a while: perhaps there is nothing more."""
        answers = messages(bytes(self._raw), [ask.method for ask in self._asks], False)
        switched = bool(answers) and answers[-1].status == 101
        complete = len(answers) == len(self._asks) and answers[-1].complete
        if complete or switched:
            self._end(Ending.ANSWERED)

    def _end(self, ending: Ending) -> None:
        if self._ended:
            return
        self._leave()
        self.done.callback(Received(self._asks, self._first, bytes(self._raw), ending))

    def _leave(self) -> None:
        """Take nothing more."""
        self._ended = True
        for timer in (self._limit, self._quiet):
            if timer is not None and timer.active():
                timer.cancel()
        self.transport.abortConnection()


class _Conversations(Factory):  # type: ignore[type-arg, unused-ignore]
    """Builds conversations, of which there is one for each connection."""

    noisy = False

    def __init__(self, build: Callable[[], Conversation]) -> None:
        self._build = build

    def buildProtocol(self, addr: object) -> Conversation:
        return self._build()


async def _converse(
    clock: IReactorTime, settings: Settings, authority: bytes, asks: tuple[Ask, ...], origin: Origin
) -> Received:
    """One connection of the client, from its beginning to its end."""
    tunnel = any(ask.tunnel for ask in asks)
    first = b"".join(requestBytes(ask, authority, settings, tunnelled=tunnel) for ask in asks)
    inside = b""
    if tunnel:
        first, inside = _connectBytes(authority, settings), first
    factory = _Conversations(
        lambda: Conversation(clock, asks, first, inside, settings.timeout, origin.clientHeard)
    )
    try:
        conversation = cast(Conversation, await settings.proxy.connect(factory))
    except CancelledError:
        raise
    except Exception:
        problem, status = explain(Failure())
        if status is ExitStatus.BUG:
            raise
        return Received(asks, first, b"", Ending.UNREACHED, problem, status)
    return await conversation.done


async def attempt(reactor: Any, scenario: Scenario, settings: Settings) -> Trial:
    """
    Run one scenario.

    @param reactor: listens for the origin, and is the clock.
    @raise twisted.internet.error.CannotListenError: the origin can not listen.
    """
    try:
        plan = scenario.build(settings.marker)
    except Unbuildable as problem:
        return Trial(untold(scenario, str(problem)))
    origin = Origin(reactor, plan, settings.pause)
    port = reactor.listenTCP(settings.port, origin, interface=settings.interface)
    try:
        host = settings.origin.encode("idna")
        authority = b"%b:%d" % (b"[%b]" % host if b":" in host else host, port.getHost().port)
        received = [
            await _converse(reactor, settings, authority, asks, origin) for asks in plan.connections
        ]
    finally:
        origin.close()
        await maybeDeferred(port.stopListening)
    finding = judge(scenario, plan, settings.marker, received, len(origin.heard))
    return Trial(finding, tuple(received), tuple(origin.heard), tuple(origin.said))


async def run(
    reactor: Any,
    scenarios: Sequence[Scenario],
    settings: Settings,
    *,
    atOnce: int = 4,
    progress: Callable[[int], None] = lambda done: None,
) -> list[Trial]:
    """
    Run scenarios, a few at a time, and each with an origin of its own. One that hangs holds up no other.

    @param atOnce: how many; one at a time where the origin has one fixed port.
    @param progress: is told how many are done.
    @return: what came of each, in their order.
    @raise ClientError: nobody takes connections where the proxy should be.
    """
    if not scenarios:
        return []
    first = await attempt(reactor, scenarios[0], settings)
    progress(1)
    unreached = [one for one in first.received if one.ending is Ending.UNREACHED]
    if unreached:
        raise ClientError(f"the proxy: {unreached[0].problem}", ExitStatus(unreached[0].status))
    places = DeferredSemaphore(1 if settings.port else atOnce)
    done = 1

    async def inTurn(scenario: Scenario) -> Trial:
        nonlocal done
        trial: Trial = await places.run(
            lambda: Deferred.fromCoroutine(attempt(reactor, scenario, settings))
        )
        done += 1
        progress(done)
        return trial

    running = [Deferred.fromCoroutine(inTurn(scenario)) for scenario in scenarios[1:]]
    try:
        others = await gatherResults(running, consumeErrors=True)
    except FirstError as error:
        for one in running:
            one.cancel()
        error.subFailure.raiseException()
    return [first, *others]
