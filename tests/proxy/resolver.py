"""
A reactor in memory that knows the names it is told.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from twisted.internet.address import IPv4Address, IPv6Address
from twisted.internet.interfaces import IHostnameResolver, IResolutionReceiver
from twisted.internet.testing import MemoryReactorClock
from zope.interface import implementer


@implementer(IHostnameResolver)
class Names:
    """
    A resolver that answers when it is told to.

    @ivar asked: the names that were asked for, and who wants to know.
    """

    def __init__(self) -> None:
        self.asked: list[tuple[str, IResolutionReceiver]] = []

    def resolveHostName(
        self, resolutionReceiver: IResolutionReceiver, hostName: str, portNumber: int = 0, *rest: object
    ) -> Any:
        resolutionReceiver.resolutionBegan(self)  # type: ignore[arg-type]
        self.asked.append((hostName, resolutionReceiver))
        return self

    def answer(self, addresses: Iterable[str], which: int = 0) -> str:
        """Answer one of those that wait, and return its name."""
        name, receiver = self.asked.pop(which)
        for address in addresses:
            kind = IPv6Address if ":" in address else IPv4Address
            receiver.addressResolved(kind("TCP", address, 0))
        receiver.resolutionComplete()
        return name


class ReactorWithNames(MemoryReactorClock):
    """The reactor."""

    def __init__(self) -> None:
        super().__init__()
        self.nameResolver = Names()

    @property
    def connected(self) -> list[tuple[str, int]]:
        """Which addresses and ports were connected to."""
        return [(host, port) for host, port, *_ in self.tcpClients]
