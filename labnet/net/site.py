"""
Pages of C{twisted.web} as a service like the others: the same limits, the same end, one log line a
connection.
"""

from __future__ import annotations

from io import BytesIO
from typing import Any, ClassVar

from twisted.internet.interfaces import (
    IAddress,
    IConsumer,
    IProducer,
    IPushProducer,
    IReactorTime,
    ISSLTransport,
    ITransport,
)
from twisted.logger import Logger
from twisted.python.failure import Failure
from twisted.web.http import HTTPChannel
from twisted.web.resource import IResource
from twisted.web.server import Request, Site
from zope.interface import alsoProvides, implementer

from labnet.net.agreement import HTTP
from labnet.net.connection import ServiceConnection
from labnet.net.limits import Limits
from labnet.net.lingering import LingeringConnection, LingeringFactory
from labnet.net.logs import counted
from labnet.net.sockets import SocketOptions

__all__ = ["SiteConnection", "SiteFactory", "connectionOf"]

_TOO_LARGE = b"HTTP/1.1 413 Content Too Large\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"


class _BoundedRequest(Request):
    """A request whose body is kept in memory, and bounded."""

    _left = 0

    def gotLength(self, length: int | None) -> None:
        self.content = BytesIO()
        self._left = connectionOf(self).factory.longestBody

    def handleContentChunk(self, data: bytes) -> None:
        if self._left >= 0:
            self._left -= len(data)
            if self._left >= 0:
                super().handleContentChunk(data)  # type: ignore[no-untyped-call]
            else:
                connectionOf(self).endWith(_TOO_LARGE, "a body that is too large")

    def process(self) -> None:
        connectionOf(self).asked()
        if self._left >= 0:
            super().process()  # type: ignore[no-untyped-call]


class _QuietSite(Site):
    """One that leaves the log to the connections."""

    def log(self, request: object) -> None:
        """There is a line for each connection."""


class _Channel(HTTPChannel):
    """
    HTTP as C{twisted.web} speaks it.

    @ivar connection: what it is spoken over.
    """

    connection: SiteConnection

    def requestDone(self, request: Request) -> None:
        super().requestDone(request)  # type: ignore[no-untyped-call]
        self.connection.answered()


@implementer(ITransport, IConsumer, IPushProducer)
class _Below:
    """A L{SiteConnection} as the transport of its channel."""

    def __init__(self, connection: SiteConnection) -> None:
        self._connection = connection
        if ISSLTransport.providedBy(connection.transport):
            alsoProvides(self, ISSLTransport)

    @property
    def disconnecting(self) -> bool:
        return self._connection.closing

    def write(self, data: bytes) -> None:
        self._connection.write(data)
        self._connection.touch()

    def writeSequence(self, data: Any) -> None:
        self.write(b"".join(data))

    def loseConnection(self) -> None:
        self._connection.endWith(b"", "")

    def abortConnection(self) -> None:
        self._connection.drop("given up")

    def getPeer(self) -> IAddress:
        return self._connection.transport.getPeer()

    def getHost(self) -> IAddress:
        return self._connection.transport.getHost()

    def setTcpNoDelay(self, enabled: bool) -> None:
        """That is for the factory's L{SocketOptions} to say."""

    def registerProducer(self, producer: IProducer, streaming: bool) -> None:
        """The channel; it is told by the connection itself."""

    def unregisterProducer(self) -> None:
        """See L{registerProducer}."""

    def pauseProducing(self) -> None:
        self._connection.hold("http")

    def resumeProducing(self) -> None:
        self._connection.release("http")

    def stopProducing(self) -> None:
        self._connection.close()


class SiteConnection(LingeringConnection):
    """
    One HTTP connection.

    @ivar requests: how many were answered.
    @ivar streaming: whether the answer under way has no end of its own, so that neither a time limit nor
        a stopping service waits for it; set by the resource that gives it.
    """

    factory: SiteFactory

    def __init__(self) -> None:
        super().__init__()
        self.requests = 0
        self.streaming = False
        self._begun = False
        self._ended = False
        self._answering = 0
        self._channel: Any = _Channel()  # type: ignore[no-untyped-call]

    def started(self) -> None:
        channel = self._channel
        channel.connection = self
        channel.site = channel.factory = self.factory.site
        channel.requestFactory = _BoundedRequest
        channel.timeOut = None
        channel.makeConnection(_Below(self))

    def received(self, data: bytes) -> None:
        self._begun = True
        self._channel.dataReceived(data)

    def inputEnded(self) -> None:
        self._ended = True
        # The rest of a request that has begun will never come.
        if not self._answering or not self.busy:
            self.close()

    def outputFull(self) -> None:
        self._channel.pauseProducing()

    def outputDrained(self) -> None:
        self._channel.resumeProducing()

    def ended(self, reason: Failure) -> None:
        self._channel.connectionLost(reason)

    def asked(self) -> None:
        """A request is there whole."""
        self._answering += 1

    def answered(self) -> None:
        """A request is answered."""
        self.requests += 1
        self._answering -= 1
        self.streaming = False
        self._begun = bool(self._channel.requests)
        if self._ended:
            self.close()
        self.progressed()

    @property
    def closing(self) -> bool:
        """Whether it ends: there is nothing more to read, and nothing to add."""
        return self._closing or self.lingering

    @property
    def busy(self) -> bool:
        return self._begun and not self.streaming and not self.lingering

    def summary(self) -> str:
        return f"{counted(self.requests, 'request')}, {super().summary()}"

    def watchTime(self, now: float) -> None:
        limit = self.factory.requestTimeout
        if self.streaming:
            self.touch()
        elif limit and now - self.progressAt >= limit:
            self.drop(f"nothing for {limit:g} s")
        super().watchTime(now)


class SiteFactory(LingeringFactory):
    """
    Serves a tree of resources.

    @param resource: its root.
    @param requestTimeout: seconds without a whole request, or without a piece of an answer.
    @param longestBody: bytes of a request's body; they are kept in memory.
    """

    service: ClassVar[str] = "web"
    log = Logger()
    connectionClass: ClassVar[type[ServiceConnection]] = SiteConnection
    applicationProtocols = HTTP

    def __init__(
        self,
        clock: IReactorTime,
        resource: IResource,
        *,
        requestTimeout: float = 60.0,
        longestBody: int = 65_536,
        limits: Limits | None = None,
        sockets: SocketOptions | None = None,
    ) -> None:
        super().__init__(clock, limits=limits, sockets=sockets)
        self.site = _QuietSite(resource, reactor=clock)  # type: ignore[no-untyped-call]
        self.requestTimeout = requestTimeout
        self.longestBody = longestBody

    def timeLimits(self) -> tuple[float, ...]:
        return (*super().timeLimits(), self.requestTimeout)


def connectionOf(request: Any) -> SiteConnection:
    """The connection that a request came over."""
    connection = request.channel.connection
    assert isinstance(connection, SiteConnection)
    return connection
