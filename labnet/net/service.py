"""
The services that listen, and the one that runs a client, for C{twistd}, a C{.tac} file or an
application of one's own.
"""

from __future__ import annotations

import atexit
import os
import sys
from collections.abc import Callable, Coroutine, Iterator
from contextlib import suppress
from time import time
from typing import Any, NoReturn, Protocol, cast

from twisted.application.service import IService, IServiceCollection, MultiService, Service
from twisted.internet.defer import CancelledError, Deferred, succeed
from twisted.internet.error import CannotListenError
from twisted.internet.interfaces import IListeningPort, IReactorTime, IStreamServerEndpoint
from twisted.internet.protocol import DatagramProtocol
from twisted.logger import Logger
from twisted.python.failure import Failure

from labnet.net.connection import ServiceFactory
from labnet.net.datagram import ServiceDatagramProtocol
from labnet.net.datagramport import listenDatagrams
from labnet.net.endpoints import DatagramAddress, describe
from labnet.net.exchange import DatagramReactor
from labnet.net.layers import LayeredEndpoint
from labnet.net.outcome import ExitStatus, explain
from labnet.net.sockets import raiseDescriptorLimit

__all__ = [
    "CannotStart",
    "ClientService",
    "DatagramListener",
    "Listener",
    "Onlooker",
    "StreamListener",
    "endProcessWith",
    "listeners",
]


class CannotStart(SystemExit, Exception):
    """
    A service can not start: a port in use, an interface that is not there.

    Uncaught, it ends the process with status 1 and one line, as L{SystemExit} does; C{twistd} and
    other callers can catch it as any L{Exception}.
    """


class Listener(Service):
    """
    A service that listens on one endpoint.

    @ivar serviceName: what it is, as in the catalogue.
    @ivar detail: which kind of it, or empty: a calculator's profile.
    @ivar port: the listening port, once there is one.
    @ivar startedAt: when it began to listen, in seconds since 1970; L{None} before.
    """

    log = Logger()

    def __init__(self, serviceName: str, detail: str = "") -> None:
        self.serviceName = serviceName
        self.detail = detail
        self.port: IListeningPort | None = None
        self.startedAt: float | None = None

    @property
    def address(self) -> str:
        """Where it listens, as text; empty before it does."""
        return describe(self.port.getHost()) if self.port is not None else ""

    def _listens(self, port: IListeningPort) -> None:
        self.port = port
        self.startedAt = time()
        self.log.info(
            "{service}{detail} listens on {address}",
            service=self.serviceName,
            detail=f" ({self.detail})" if self.detail else "",
            address=self.address,
        )

    def _cannot(self, failure: Failure) -> CannotStart:
        return CannotStart(f"{self.serviceName}: {_oneLine(failure.value)}")


class StreamListener(Listener):
    """
    Listens on a stream endpoint. In place of C{strports.service}, because it also ends gracefully: it
    stops accepting, lets requests in flight end, and is stopped when the last connection is gone.

    @param endpoint: where.
    @param factory: what builds the connections.
    @raise CannotStart: from C{privilegedStartService} or C{startService}: it can not listen there.
    """

    def __init__(
        self,
        serviceName: str,
        endpoint: IStreamServerEndpoint,
        factory: ServiceFactory,
        detail: str = "",
    ) -> None:
        super().__init__(serviceName, detail)
        self.endpoint = endpoint
        self.factory = factory
        self.listening: Deferred[None] | None = None

    def privilegedStartService(self) -> None:
        super().privilegedStartService()  # type: ignore[no-untyped-call]
        raiseDescriptorLimit()
        if isinstance(self.endpoint, LayeredEndpoint):
            self.endpoint.named(self.serviceName, self.detail)
        failures: list[Failure] = []
        listening = self.endpoint.listen(self.factory).addCallback(self._listens)
        listening.addErrback(failures.append)
        if failures:
            raise self._cannot(failures[0])
        if not listening.called:
            # Twisted's own endpoints listen at once or never. Another one may take its time, and then
            # there is nobody left to tell but the log.
            listening.addCallback(self._tooLate, failures)
        self.listening = listening

    def _tooLate(self, result: None, failures: list[Failure]) -> None:
        for failure in failures:
            if not failure.check(CancelledError):
                self.log.error("{problem}", problem=str(self._cannot(failure)))

    def startService(self) -> None:
        super().startService()  # type: ignore[no-untyped-call]
        if self.listening is None:
            self.privilegedStartService()

    def stopService(self) -> Deferred[None]:
        super().stopService()  # type: ignore[no-untyped-call]
        return Deferred.fromCoroutine(self._stop())

    async def _stop(self) -> None:
        listening, self.listening = self.listening, None
        if listening is not None:
            listening.cancel()
        port, self.port = self.port, None
        if port is not None:
            await _asDeferred(port.stopListening())
        await self.factory.finish()


class DatagramListener(Listener):
    """
    Listens for datagrams.

    @param reactor: where to listen.
    @param where: which port, on which interface.
    @param protocol: what answers.
    @raise CannotStart: as for L{StreamListener}.
    """

    def __init__(
        self,
        serviceName: str,
        reactor: DatagramReactor,
        where: DatagramAddress,
        protocol: ServiceDatagramProtocol,
        detail: str = "",
    ) -> None:
        super().__init__(serviceName, detail)
        self._reactor = reactor
        self.where = where
        self.protocol = protocol

    def privilegedStartService(self) -> None:
        super().privilegedStartService()  # type: ignore[no-untyped-call]
        where = self.where
        protocol: DatagramProtocol = self.protocol
        if where.layers is not None:
            clock = cast(IReactorTime, self._reactor)
            protocol = where.layers.aroundDatagrams(protocol, clock, self.serviceName, self.detail)
        try:
            self._listens(listenDatagrams(self._reactor, where.port, protocol, where.interface))
        except (CannotListenError, OSError, ValueError) as error:
            # A ValueError is Twisted's InvalidAddressError.
            raise self._cannot(Failure()) from error

    def startService(self) -> None:
        super().startService()  # type: ignore[no-untyped-call]
        if self.port is None:
            self.privilegedStartService()

    def stopService(self) -> Deferred[None]:
        super().stopService()  # type: ignore[no-untyped-call]
        port, self.port = self.port, None
        return _asDeferred(port.stopListening()) if port is not None else succeed(None)


class Onlooker(MultiService):
    """
    A service that looks at others which run in the same process.

    @ivar others: a service with all of them; whoever runs it beside others says so before it starts.
    """

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.others: IService = self


def listeners(service: IService) -> Iterator[Listener]:
    """Every L{Listener} in a service and the services below it, in the order in which they start."""
    if isinstance(service, Listener):
        yield service
    elif isinstance(service, MultiService):
        for child in IServiceCollection(service):
            yield from listeners(child)


class _ClientReactor(Protocol):
    def callWhenRunning(self, callable: Callable[..., object], *args: object) -> object: ...

    def stop(self) -> None: ...


class ClientService(Service):
    """
    A client as a service: does its work once the reactor runs, then stops the reactor, and the process
    ends with the client's exit status.

    @param reactor: which one to stop.
    @param name: who speaks, when something goes wrong.
    @param work: starts the work; its result is the exit status.
    """

    log = Logger()

    def __init__(
        self,
        reactor: _ClientReactor,
        name: str,
        work: Callable[[], Coroutine[Deferred[Any], Any, int]],
        endProcess: Callable[[int], None] | None = None,
    ) -> None:
        self._reactor = reactor
        self._name = name
        self._work = work
        self._endProcess = endProcess or endProcessWith
        self._running: Deferred[int] | None = None

    def startService(self) -> None:
        super().startService()  # type: ignore[no-untyped-call]
        self._reactor.callWhenRunning(self._start)

    def _start(self) -> None:
        self._running = Deferred.fromCoroutine(self._work())
        self._running.addErrback(self._failed).addCallback(self._done)

    def _failed(self, failure: Failure) -> int:
        sentence, status = explain(failure)
        if status is ExitStatus.BUG:
            self.log.failure("a bug in {name}", failure=failure, name=self._name)
        if status is not ExitStatus.INTERRUPTED:
            self.log.error("{name}: {sentence}", name=self._name, sentence=sentence)
        return status

    def _done(self, status: int) -> None:
        self._running = None
        if status:
            self._endProcess(status)
        if self.running:
            self._reactor.stop()

    def stopService(self) -> None:
        super().stopService()  # type: ignore[no-untyped-call]
        if self._running is not None:
            self._running.cancel()


def endProcessWith(status: int) -> None:
    """
    Let the process end with C{status}. C{twistd} has no way to say so: its own ends are 0 and a signal.
    So everything runs to its end, and the interpreter's last act is ours.
    """

    def leave() -> NoReturn:
        for stream in (sys.stdout, sys.stderr, sys.__stdout__, sys.__stderr__):
            # Whoever read it may have gone.
            with suppress(Exception):
                stream.flush()  # type: ignore[union-attr]
        os._exit(status)

    atexit.register(leave)


def _asDeferred(result: Deferred[None] | None) -> Deferred[None]:
    return result if isinstance(result, Deferred) else succeed(None)


def _oneLine(error: BaseException | None) -> str:
    if isinstance(error, CannotListenError):
        problem = getattr(error.socketError, "strerror", None) or str(error.socketError)
        where = f"{error.interface or '*'}" + (f":{error.port}" if error.port is not None else "")
        return f"cannot listen on {where}: {problem}"
    return " ".join(str(error).split()) or type(error).__name__
