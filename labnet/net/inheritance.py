"""
Listening sockets that one process binds and others serve.

Two stand-ins for the reactor, for endpoints to listen through: L{Holding} binds and never accepts, and
L{Inheriting} serves what another process has bound. An endpoint is parsed from the same description on both
sides, so everything around the socket (TLS, the PROXY protocol) is where it always is: with whoever serves.

All that serve share one socket. The other way is a socket of its own for each (C{SO_REUSEPORT}): there a
connection belongs to one process from the start, and waits for it when that process has died or is busy,
and a second program that is started by mistake on the same port gets a share of the connections in place of
an error.
"""

from __future__ import annotations

from collections.abc import Iterable
from socket import socket
from typing import Any, cast

from twisted.internet import tcp
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
        return cast(
            IListeningPort, PosixReactorBase.listenSSL(cast(PosixReactorBase, self), *args, **kwargs)
        )


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
        kind = DirectPort if SUPPORTED and isinstance(self._reactor, PosixReactorBase) else tcp.Port
        with socket(fileno=next(self._descriptors)) as inherited:
            adopted = kind._fromListeningDescriptor(
                self._reactor, inherited.fileno(), inherited.family, factory
            )
        adopted.startListening()
        return cast(IListeningPort, adopted)
