"""
The address server's clients: asking where a service is, and keeping one registered.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import cast

from twisted.application.service import Service
from twisted.internet.abstract import isIPAddress, isIPv6Address
from twisted.internet.defer import CancelledError, Deferred, DeferredList, succeed
from twisted.internet.interfaces import IDelayedCall, IReactorTime, IUDPTransport
from twisted.internet.protocol import DatagramProtocol
from twisted.logger import Logger
from twisted.python.failure import Failure

from labnet.discovery.wire import (
    LONGEST_TTL,
    Address,
    Answer,
    AnswerNotUnderstood,
    AskBinary,
    AskText,
    Granted,
    ListNames,
    Lookup,
    Nothing,
    Refusal,
    Register,
    Renew,
    Request,
    Unregister,
    decodeAnswer,
    decodeBinary,
    decodeNames,
    isName,
)
from labnet.net.endpoints import LOOPBACK, DatagramTarget
from labnet.net.exchange import Asker, DatagramReactor, ask
from labnet.net.logs import shown
from labnet.net.outcome import ClientError, ExitStatus, explain

__all__ = [
    "Registration",
    "discover",
    "discoverBinary",
    "listNames",
    "localHostTowards",
    "register",
    "unregister",
]


async def discover(
    reactor: DatagramReactor,
    target: DatagramTarget,
    name: str | None,
    *,
    timeout: float = 1.0,
    tries: int = 3,
) -> tuple[str, int]:
    """
    Ask where a service is.

    @param target: the address server.
    @param name: which service; L{None} asks the course's question, C{Hello server}.
    @param timeout: seconds to wait for each try.
    @param tries: how often it is asked at most.
    @return: host and port.
    @raise ClientError: there is none, or the answer is not understood.
    @raise Exception: as L{ask<labnet.net.exchange.ask>}, when no answer comes.
    """
    request = AskText() if name is None else Lookup(_checked(name))
    match await _answer(reactor, target, request, timeout, tries):
        case Address(host, port):
            return host, port
        case Nothing() if name is not None:
            raise ClientError(f"nothing is registered as {name}", ExitStatus.ANSWERED_ERROR)
        case answer:
            raise _unfitting(target, answer)


async def discoverBinary(
    reactor: DatagramReactor, target: DatagramTarget, *, timeout: float = 1.0, tries: int = 3
) -> tuple[str, int]:
    """
    Ask where the service is in the course's binary form; otherwise as L{discover}.
    """
    datagram = await ask(reactor, target, AskBinary().encode(), timeout=timeout, tries=tries)
    try:
        address = decodeBinary(datagram)
    except AnswerNotUnderstood as error:
        raise _notUnderstood(target, datagram, error) from error
    return address.host, address.port


async def listNames(
    reactor: DatagramReactor, target: DatagramTarget, *, timeout: float = 1.0, tries: int = 3
) -> tuple[list[str], bool]:
    """
    Ask which names are registered; errors as for L{discover}.

    @return: the names, and whether there are more than fit an answer.
    """
    datagram = await ask(reactor, target, ListNames().encode(), timeout=timeout, tries=tries)
    try:
        return decodeNames(datagram)
    except AnswerNotUnderstood as error:
        raise _notUnderstood(target, datagram, error) from error


async def register(
    reactor: DatagramReactor,
    target: DatagramTarget,
    name: str,
    address: Address,
    ttl: int,
    *,
    timeout: float = 1.0,
    tries: int = 3,
) -> int:
    """
    Register an address once; errors as for L{discover}.

    @param ttl: for how many seconds.
    @return: for how many seconds the address server keeps it.
    """
    request = Register(_checked(name), address, ttl)
    match await _answer(reactor, target, request, timeout, tries):
        case Granted(granted) if granted:
            return granted
        case answer:
            raise _unfitting(target, answer)


async def unregister(
    reactor: DatagramReactor,
    target: DatagramTarget,
    name: str,
    address: Address,
    *,
    timeout: float = 1.0,
    tries: int = 3,
) -> None:
    """Take an address away; errors as for L{discover}. One that is not registered is no error."""
    answer = await _answer(reactor, target, Unregister(_checked(name), address), timeout, tries)
    if not isinstance(answer, Granted):
        raise _unfitting(target, answer)


async def _answer(
    reactor: DatagramReactor, target: DatagramTarget, request: Request, timeout: float, tries: int
) -> Answer:
    return _decoded(target, await ask(reactor, target, request.encode(), timeout=timeout, tries=tries))


def _decoded(target: DatagramTarget, datagram: bytes) -> Answer:
    try:
        return decodeAnswer(datagram)
    except AnswerNotUnderstood as error:
        raise _notUnderstood(target, datagram, error) from error


def _checked(name: str) -> str:
    if not isName(name):
        raise ClientError(f"{shown(name)} is no name of a service", ExitStatus.USAGE)
    return name


def _unfitting(target: DatagramTarget, answer: Answer) -> ClientError:
    if isinstance(answer, Refusal):
        return ClientError(f"{target} refuses: {shown(answer.why)}", ExitStatus.ANSWERED_ERROR)
    return ClientError(f"the answer of {target} is not to this question", ExitStatus.NOT_UNDERSTOOD)


def _notUnderstood(target: DatagramTarget, datagram: bytes, error: Exception) -> ClientError:
    sentence = f"the answer of {target} is not understood: {shown(datagram)} ({error})"
    return ClientError(sentence, ExitStatus.NOT_UNDERSTOOD)


class _Probe(DatagramProtocol):
    """Finds out which address of this machine faces another one. Nothing is sent."""

    noisy = False
    transport: IUDPTransport

    def hostTowards(self, target: DatagramTarget) -> str:
        try:
            self.transport.connect(target.host, target.port)
            return self.transport.getHost().host
        finally:
            self.transport.stopListening()


async def localHostTowards(reactor: DatagramReactor, target: DatagramTarget) -> str:
    """
    The address that this machine has towards another one.

    @raise twisted.internet.error.DNSLookupError: the name of the other one has no address.
    @raise OSError: there is no way to it.
    """
    if not isIPAddress(target.host) and not isIPv6Address(target.host):
        target = DatagramTarget(await reactor.resolve(target.host, (1, 1)), target.port)
    probe = _Probe()
    reactor.listenUDP(0, probe, interface="::" if ":" in target.host else "")
    return probe.hostTowards(target)


_WILDCARDS = ("", "0.0.0.0", "::")


class Registration(Service):
    """
    Keeps addresses registered while it runs, and takes them away when it stops.

    Each is renewed at a third of the time the address server grants. While the address server is
    absent it is tried again and again; the log says once that it is lost and once that it is back.

    @param target: the address server.
    @param addresses: says what to register, as name, host and port; asked anew each time. A wildcard
        host stands for the address that this machine has towards the address server.
    @param ttl: seconds to ask for; whole ones, from 1 to 3600.
    @param retry: seconds between tries while the address server is absent.
    @param patience: seconds that taking the addresses away may delay the stop.
    """

    log = Logger()

    def __init__(
        self,
        reactor: DatagramReactor,
        target: DatagramTarget,
        addresses: Callable[[], list[tuple[str, str, int]]],
        ttl: float = 30,
        *,
        retry: float = 2.0,
        patience: float = 1.0,
    ) -> None:
        self._reactor = reactor
        self._target = target
        self._asker = Asker(reactor, target)
        self._addresses = addresses
        self._ttl = min(LONGEST_TTL, max(1, round(ttl)))
        self._retry = retry
        self._patience = patience
        self._timer: IDelayedCall | None = None
        self._round: Deferred[None] | None = None
        self._lost = False
        # What was asked for, with the seconds granted, 0 as long as none were.
        self._leases: dict[tuple[str, Address], int] = {}
        self._refusals: dict[tuple[str, Address], str] = {}

    def startService(self) -> None:
        super().startService()  # type: ignore[no-untyped-call]
        # When everything that starts with this one has started.
        self._timer = self._reactor.callLater(0, self._startRound)

    def stopService(self) -> Deferred[None]:
        """
        Take the addresses away.

        @return: fires when the address server has said so, and after C{patience} seconds at the latest.
        """
        super().stopService()  # type: ignore[no-untyped-call]
        timer, self._timer = self._timer, None
        if timer is not None and timer.active():
            timer.cancel()
        if self._round is not None:
            self._round.cancel()
        leases, self._leases = self._leases, {}
        self._refusals.clear()
        if self._lost or not leases:
            self._asker.close()
            return succeed(None)
        return self._leave(list(leases))

    def _startRound(self) -> None:
        self._timer = None
        self._round = Deferred.fromCoroutine(self._keepAll())
        self._round.addErrback(self._failed).addCallback(self._nextRound)

    def _nextRound(self, _: None) -> None:
        self._round = None
        if self.running:
            granted = [ttl for ttl in self._leases.values() if ttl]
            pause = min(granted, default=self._ttl) / 3
            if self._lost or not granted:
                pause = min(pause, self._retry)
            self._timer = self._reactor.callLater(pause, self._startRound)

    def _failed(self, failure: Failure) -> None:
        if failure.check(CancelledError) and not self.running:
            return
        sentence, status = explain(failure)
        if status is ExitStatus.BUG:
            self.log.failure("a bug in a registration", failure=failure)
        if not self._lost:
            self._lost = True
            self.log.warn("the address server {target} is lost: {why}", target=self._target, why=sentence)

    # A round: every address once.

    async def _keepAll(self) -> None:
        wanted = await self._wanted()
        for gone in set(self._leases) - set(wanted):
            del self._leases[gone]
            await self._ask(Unregister(*gone))
        for name, address in wanted:
            await self._keep(name, address)

    async def _wanted(self) -> list[tuple[str, Address]]:
        wanted = []
        for name, host, port in self._addresses():
            if host in _WILDCARDS:
                host = await localHostTowards(self._reactor, self._target)
            wanted.append((name, Address(host or LOOPBACK, port)))
        return wanted

    async def _keep(self, name: str, address: Address) -> None:
        lease = (name, address)
        answer: Answer = Nothing()
        if self._leases.get(lease):
            answer = await self._ask(Renew(name, address))
        self._leases.setdefault(lease, 0)
        if isinstance(answer, Nothing):
            answer = await self._ask(Register(_checked(name), address, self._ttl))
            if isinstance(answer, Granted) and not self._lost:
                self._registered(lease, answer)
        if isinstance(answer, Granted):
            self._granted(lease, answer)
        else:
            self._refused(lease, _unfitting(self._target, answer))

    async def _ask(self, request: Request) -> Answer:
        return _decoded(self._target, await self._asker.ask(request.encode(), timeout=1.0, tries=2))

    def _registered(self, lease: tuple[str, Address], answer: Granted) -> None:
        self.log.info(
            "{name} is registered as {address} with {target} for {ttl} s",
            name=lease[0],
            address=str(lease[1]),
            target=self._target,
            ttl=answer.ttl,
        )

    def _granted(self, lease: tuple[str, Address], answer: Granted) -> None:
        self._leases[lease] = answer.ttl
        self._refusals.pop(lease, None)
        if self._lost:
            self._lost = False
            self.log.info("the address server {target} is back", target=self._target)

    def _refused(self, lease: tuple[str, Address], error: ClientError) -> None:
        """The address server is there and says no: one line for each thing it says."""
        self._leases[lease] = 0
        if self._refusals.get(lease) != str(error):
            self._refusals[lease] = str(error)
            self.log.warn(
                "{name} at {address}: {why}", name=lease[0], address=str(lease[1]), why=str(error)
            )

    # The end.

    def _leave(self, leases: list[tuple[str, Address]]) -> Deferred[None]:
        def ended(_: object) -> None:
            """Whatever came of it: what is not taken away lapses."""
            self._asker.close()

        leaving = DeferredList(
            [Deferred.fromCoroutine(self._leaveOne(*lease)) for lease in leases], consumeErrors=True
        )
        return leaving.addTimeout(self._patience, cast(IReactorTime, self._reactor)).addBoth(ended)

    async def _leaveOne(self, name: str, address: Address) -> None:
        # Short tries: when the address server goes down together with us, the first may be lost in it.
        request = Unregister(name, address).encode()
        await self._asker.ask(request, timeout=self._patience / 4, tries=4)
