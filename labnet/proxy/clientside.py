"""
A client's connection, as what goes on in it needs it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING
from typing import Protocol as Interface

from labnet.proxy.client import OriginConnection
from labnet.proxy.wire import RequestHead

if TYPE_CHECKING:
    from labnet.proxy.exchange import Exchange

__all__ = ["Client"]


class Client(Interface):
    """The client's connection, as its exchange sees it."""

    def hold(self, why: str) -> None:
        """Do not read from the client."""

    def release(self, why: str) -> None:
        """Read from the client again."""

    def write(self, data: bytes) -> None:
        """Send to the client."""

    def abort(self, why: str) -> None:
        """Break the connection, so that the client can not take what it has for the whole."""

    def persists(self, head: RequestHead) -> bool:
        """Whether the connection will be kept after the answer to this request."""

    def exchangeEnded(self, exchange: Exchange, keep: bool) -> None:
        """The answer is complete."""

    def switch(self, exchange: Exchange, head: bytes, origin: OriginConnection) -> None:
        """The answer is a head after which the client and the origin speak another protocol."""
