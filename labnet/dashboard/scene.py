"""
What there is to see: the services of this process, where they listen, and what some of them know.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from twisted.internet.address import IPv4Address, IPv6Address, UNIXAddress

from labnet.dashboard.panels import Panel, Switches, switchOf
from labnet.dashboard.selection import whereOf
from labnet.dashboard.wire import plain
from labnet.net.service import DatagramListener, Listener, StreamListener
from labnet.net.trace import Trace

__all__ = ["Scene"]


class Scene:
    """
    The trace and the listeners of this process, as the page is told of them.

    @param trace: what went over their connections.
    @param found: the listeners that there are now.
    @param panels: what else there is to see.
    @ivar switches: what is broken on purpose.
    """

    def __init__(
        self,
        trace: Trace,
        found: Callable[[], Iterable[Listener]],
        panels: Sequence[Panel] = (),
    ) -> None:
        self.trace = trace
        self._found = found
        self.switches = Switches()
        self._panels = (*panels, self.switches)

    def listeners(self) -> list[Listener]:
        """All there are now, also those that do not listen."""
        return list(self._found())

    def services(self) -> list[dict[str, object]]:
        """A row for each listener, in the order in which they were started."""
        return [_row(listener) for listener in self.listeners() if listener.port is not None]

    def panels(self, now: float) -> dict[str, object]:
        """
        What each panel has to tell, by its name; one that has nothing to do here is left out.

        @param now: seconds since the epoch.
        """
        found = self.listeners()
        told = {panel.name: panel.told(found, now) for panel in self._panels}
        return {name: value for name, value in told.items() if value is not None}


def _row(listener: Listener) -> dict[str, object]:
    row: dict[str, object] = {
        "service": listener.serviceName,
        "detail": plain(listener.detail, 100),
        "address": listener.address,
        "where": _whereOf(listener.port),
    }
    if isinstance(listener, StreamListener):
        factory = listener.factory
        row |= {
            "open": len(factory.connections),
            "served": factory.served,
            "refused": factory.refused.total,
        }
    elif isinstance(listener, DatagramListener):
        row |= {"answered": listener.protocol.answered, "dropped": listener.protocol.dropped.total}
    switch = switchOf(listener)
    if switch is not None and switch.current is not None:
        row["faults"] = plain(str(switch.current))
    return row


def _whereOf(port: Any) -> str:
    address = port.getHost()
    if isinstance(address, (IPv4Address, IPv6Address)):
        return whereOf(address.type.lower(), (address.host, address.port))
    if isinstance(address, UNIXAddress):
        name = address.name
        return whereOf(
            "unix", (name.decode("utf-8", "replace") if isinstance(name, bytes) else name or "", 0)
        )
    return ""
