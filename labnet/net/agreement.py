"""
What the two sides of a TLS connection agree upon before it carries anything, on our listeners.

A client may offer names of what it wants to speak (ALPN, RFC 7301). Twisted 26.10 refuses every client that
offers some to a factory that names none, and Twisted before 25.10 every client of a factory that does name
some, if pyOpenSSL is a recent one. Here a name is chosen where both sides have it, and otherwise the
connection goes on without one, as if nothing had been offered.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, cast

from OpenSSL import SSL
from twisted.internet.defer import Deferred
from twisted.internet.endpoints import SSL4ServerEndpoint
from twisted.internet.interfaces import IListeningPort, IProtocolFactory, IStreamServerEndpoint
from twisted.internet.ssl import CertificateOptions
from zope.interface import implementer

__all__ = ["HTTP", "SUPPORTED", "AgreeingEndpoint", "agreeing", "choose"]

#: What a factory that speaks HTTP has as its C{applicationProtocols}.
HTTP: tuple[bytes, ...] = (b"http/1.1",)

#: Whether this Twisted lets us make the context of its listeners. Where it does not, its own are used.
SUPPORTED: bool = hasattr(CertificateOptions, "_contextFactory")

_Select = Callable[[SSL.Connection, list[bytes]], Any]


def choose(ours: Sequence[bytes], offered: Sequence[bytes]) -> bytes | None:
    """The first of C{ours} that is C{offered}, or L{None}."""
    return next((name for name in ours if name in offered), None)


class _Context(SSL.Context):
    """
    One that answers ALPN by itself, and has the keys of a connection agreed upon once: to be asked for new
    ones again and again costs a server much and a client little.
    """

    def __init__(self, names: Sequence[bytes], method: int) -> None:
        super().__init__(method)
        self._names = names
        self.set_options(SSL.OP_NO_RENEGOTIATION)
        super().set_alpn_select_callback(self._select)

    def set_alpn_select_callback(self, callback: _Select) -> None:
        """Twisted brings its own; see the head of this module."""

    def _select(self, connection: SSL.Connection, offered: list[bytes]) -> Any:
        return choose(self._names, offered) or SSL.NO_OVERLAPPING_PROTOCOLS


@implementer(IStreamServerEndpoint)
class AgreeingEndpoint:
    """
    Listens as Twisted's C{ssl:} does. What may be spoken is the factory's C{applicationProtocols}, its
    favourite first; a factory without any is spoken to under any name, or none.
    """

    def __init__(self, endpoint: SSL4ServerEndpoint) -> None:
        self._endpoint = endpoint

    def listen(self, protocolFactory: IProtocolFactory) -> Deferred[IListeningPort]:
        """Listen."""
        names = getattr(protocolFactory, "applicationProtocols", ())
        self._endpoint._sslContextFactory._contextFactory = partial(_Context, names)
        return cast("Deferred[IListeningPort]", self._endpoint.listen(protocolFactory))


def agreeing(endpoint: IStreamServerEndpoint) -> IStreamServerEndpoint:
    """The same endpoint, with what stands at the head of this module if it is one of TLS."""
    if SUPPORTED and isinstance(endpoint, SSL4ServerEndpoint):
        return AgreeingEndpoint(endpoint)
    return endpoint
