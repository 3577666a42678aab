"""
Listening sockets that one process binds and others serve.

Two stand-ins for the reactor, for endpoints to listen through: L{Holding} binds and never accepts, and
L{Inheriting} serves what another process has bound. An endpoint is parsed from the same description on both
sides, so everything around the socket (TLS, the PROXY protocol) is where it always is: with whoever serves.

All that serve share one socket, and each takes one connection at a time from it: whoever is busy takes
fewer. (Twisted takes up to a hundred, and of 64 clients that come at once one of two processes often gets
all.) The other way is a socket of its own for each (C{SO_REUSEPORT}). It is as fast with connections that
are kept, and faster by a tenth with new ones; but there a connection belongs to one process from the start,
and waits for it when that has died or is busy, and a second program that is started by mistake on the same
port gets a share of the connections in place of an error.
"""

from __future__ import annotations

from collections.abc import Iterable
from socket import socket
from typing import Any, NoReturn, cast

from twisted.internet import tcp
from twisted.internet.error import CannotListenError
from twisted.internet.interfaces import IListeningPort, IProtocolFactory
from twisted.internet.posixbase import PosixReactorBase
from zope.interface import directlyProvides, providedBy

from labnet.net.direct import SUPPORTED, DirectPort

__all__ = ["INHERITABLE", "Holding", "Inheriting"]

#: The kinds of descriptions that both stand-ins can listen on.
INHERITABLE = ("tcp", "tcp6", "ssl")


class _StandIn:
    """A reactor in all that is not said otherwise."""

    def __init__(self, reactor: Any) -> None:
        self._reactor = reactor
        directlyProvides(self, providedBy(reactor))

    def __getattr__(self, name: str) -> Any:
        return getattr(self._reactor, name)

    def listenSSL(self, *args: Any, **kwargs: Any) -> IListeningPort:
        """TLS stands above the socket, here as in the reactor itself."""
        listen = cast(Any, PosixReactorBase.listenSSL)
        return cast(IListeningPort, listen(self, *args, **kwargs))

    def listenUNIX(self, address: str, *args: Any, **kwargs: Any) -> NoReturn:
        """Twisted removes a socket's file with whichever process ends first."""
        raise CannotListenError(None, address, OSError("workers can not share a UNIX socket"))

    def adoptStreamPort(self, fileDescriptor: int, *args: Any, **kwargs: Any) -> NoReturn:
        """What this process has inherited itself is not known to its workers."""
        raise CannotListenError(None, fileDescriptor, OSError("workers can not share an inherited socket"))


class Holding(_StandIn):
    """
    Its ports are bound and listen; nobody accepts. Closing one leaves it to whoever has inherited it.
    """

    def listenTCP(
        self, port: int, factory: IProtocolFactory, backlog: int = 50, interface: str = ""
    ) -> IListeningPort:
        """
        Bind, and let connections wait.

        @raise CannotListenError: it is not possible.
        """
        held = tcp.Port(port, factory, backlog, interface, self)
        held._shouldShutdown = False  # That would end it for all who have it.
        held.startListening()
        return cast(IListeningPort, held)

    def addReader(self, reader: object) -> None:
        """Whoever reads would accept."""


class _SharedPort(DirectPort if SUPPORTED else tcp.Port):  # type: ignore[misc]
    """A port that leaves connections to others: it accepts one, and sees to what it has before the next."""

    @property
    def numberAccepts(self) -> int:
        """What Twisted would accept at a time, and adapts."""
        return 1

    @numberAccepts.setter
    def numberAccepts(self, number: int) -> None:
        pass


class Inheriting(_StandIn):
    """
    Its ports are sockets that another process has bound, whatever port and interface they are asked for.

    @param descriptors: the sockets, in the order in which they will be listened on.
    """

    def __init__(self, reactor: Any, descriptors: Iterable[int]) -> None:
        super().__init__(reactor)
        self._descriptors = iter(tuple(descriptors))

    def listenTCP(
        self, port: int, factory: IProtocolFactory, backlog: int = 50, interface: str = ""
    ) -> IListeningPort:
        """Serve the next socket."""
        with socket(fileno=next(self._descriptors)) as inherited:
            adopted = _SharedPort._fromListeningDescriptor(
                self._reactor, inherited.fileno(), inherited.family, factory
            )
        adopted.startListening()
        return cast(IListeningPort, adopted)
