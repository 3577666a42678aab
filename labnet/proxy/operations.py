"""
What an operator is told of a proxy while it runs: its figures, and the address for them.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from twisted.internet.address import IPv4Address, IPv6Address

from labnet.net.exposition import processFigures
from labnet.net.service import StreamListener
from labnet.proxy.accesslog import AccessLog
from labnet.proxy.figures import figuresOf
from labnet.proxy.gathering import Gathering
from labnet.proxy.metrics import Counts, Snapshot
from labnet.proxy.pac import autoConfiguration

if TYPE_CHECKING:
    from labnet.proxy.factory import ProxyFactory

__all__ = ["Operations"]

_WILDCARDS = frozenset(("0.0.0.0", "::"))


class Operations:
    """
    Knows all of one process that an operator asks for.

    @param counts: the journal that counts.
    @param pacProxy: C{HOST:PORT} for browsers; empty for where this process listens.
    @param pacDirect: hosts that browsers ask directly.
    @ivar listeners: of the proxy.
    @ivar factories: theirs.
    @ivar accessLog: of the proxy, if it has one.
    @ivar gathering: gets the figures of the other processes, if there may be any.
    """

    def __init__(self, counts: Counts, pacProxy: str = "", pacDirect: Iterable[str] = ()) -> None:
        self.listeners: list[StreamListener] = []
        self.factories: list[ProxyFactory] = []
        self.accessLog: AccessLog | None = None
        self.gathering: Gathering | None = None
        self._counts = counts
        self._pacProxy = pacProxy
        self._pacDirect = tuple(pacDirect)

    def watch(self, listener: StreamListener, factory: ProxyFactory) -> None:
        """One more listener of the proxy, and its factory."""
        self.listeners.append(listener)
        self.factories.append(factory)

    def own(self) -> Snapshot:
        """How it stands with this process."""
        process = processFigures()
        started = process.pop("process_start_time_seconds", 0.0)
        lost = 0 if self.accessLog is None else self.accessLog.lost
        figures = figuresOf(self.factories)
        return self._counts.snapshot({**figures, "logLost": {"": float(lost)}, "process": process}, started)

    async def snapshot(self) -> Snapshot:
        """How it stands with all processes that serve together."""
        return self.own() if self.gathering is None else await self.gathering.snapshot()

    def healthy(self) -> bool:
        """Whether it serves, and is not about to end."""
        return bool(self.listeners) and all(listener.running for listener in self.listeners)

    def autoConfiguration(self, host: str) -> bytes:
        """
        The proxy auto-configuration file.

        @param host: by which this process was asked; browsers reach the proxy by it, too, if it listens on
            every address.
        """
        return autoConfiguration(self._pacProxy or self._listeningAt(host), self._pacDirect)

    def _listeningAt(self, host: str) -> str:
        for listener in self.listeners:
            address = listener.port.getHost() if listener.port is not None else None
            if isinstance(address, (IPv4Address, IPv6Address)):
                where = host if address.host in _WILDCARDS else address.host
                return f"[{where}]:{address.port}" if ":" in where else f"{where}:{address.port}"
        return ""
