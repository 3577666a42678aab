"""
What single services know, for the page: the proxy's decisions, the addresses that are registered, who is
in the chat room. They are looked at from outside; none of them knows of it.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Sequence
from itertools import islice
from typing import Protocol

from labnet.chat.server import LiveRoom
from labnet.dashboard.wire import plain
from labnet.discovery.registry import Registry
from labnet.net.faulting import FaultSwitch
from labnet.net.faults import Faults
from labnet.net.layers import LayeredEndpoint
from labnet.net.service import DatagramListener, Listener, StreamListener
from labnet.proxy.factory import ProxyFactory
from labnet.proxy.journal import Journals, Record

__all__ = ["MOST", "Decisions", "Members", "Panel", "Registered", "Switches", "switchOf"]

#: So many things are shown of each kind.
MOST = 100


class Panel(Protocol):
    """One of them."""

    @property
    def name(self) -> str:
        """What the page knows it by."""

    def told(self, listeners: Sequence[Listener], now: float) -> object:
        """What to show, or L{None} where no such service runs."""


class Decisions:
    """
    The last decisions of the proxies of this process. It is a journal beside their own.
    """

    name = "decisions"

    def __init__(self) -> None:
        self._last: deque[Record] = deque(maxlen=MOST)
        self._factories: set[ProxyFactory] = set()

    def attach(self, listeners: Iterable[Listener]) -> None:
        """
        Hear of what these proxies decide, each once, from now on; of connections that are open already
        nothing is heard.
        """
        for listener in listeners:
            factory = listener.factory if isinstance(listener, StreamListener) else None
            if isinstance(factory, ProxyFactory) and factory not in self._factories:
                self._factories.add(factory)
                factory.journal = Journals((factory.journal, self))

    def ended(self, record: Record) -> None:
        """A journal's: an exchange is over."""
        self._last.append(record)

    def told(self, listeners: Sequence[Listener], now: float) -> object:
        """The last ones, the newest first."""
        if not self._factories:
            return None
        return [_decision(record) for record in reversed(self._last)]


def _decision(record: Record) -> dict[str, object]:
    head = record.request
    return {
        "connection": record.connection,
        "peer": plain(record.peer),
        "at": record.at,
        "method": plain(head.method.decode("latin-1"), 20) if head is not None else "",
        "url": plain(record.url.decode("latin-1"), 200),
        "status": record.status,
        "decision": record.decision.value,
        "why": plain(record.why),
        "bytes": [record.bytesIn, record.bytesOut],
        "seconds": round(record.seconds, 4),
    }


class Registered:
    """The addresses that the address servers of this process know."""

    name = "registry"

    def told(self, listeners: Sequence[Listener], now: float) -> object:
        """The leases that have not ended, and how many there are in all."""
        registries = _unique(
            getattr(listener.protocol, "registry", None)
            for listener in listeners
            if isinstance(listener, DatagramListener)
        )
        found = [registry for registry in registries if isinstance(registry, Registry)]
        if not found:
            return None
        leases = [lease for registry in found for lease in islice(registry.leases(now), MOST)]
        return {
            "total": sum(map(len, found)),
            "leases": [
                {
                    "name": plain(lease.name),
                    "address": plain(str(lease.address)),
                    "ttl": lease.ttl,
                    "ends": lease.ends,
                    "source": plain(lease.source),
                }
                for lease in leases[:MOST]
            ],
        }


class Members:
    """Who is in the chat rooms of this process."""

    name = "members"

    def told(self, listeners: Sequence[Listener], now: float) -> object:
        """The first ones by name and dialect, and how many there are in all."""
        rooms = _unique(
            getattr(listener.factory, "live", None)
            for listener in listeners
            if isinstance(listener, StreamListener)
        )
        found = [live.room for live in rooms if isinstance(live, LiveRoom)]
        if not found:
            return None
        members = [
            {"name": plain(room.nameOf(member)), "way": member.dialect.name}
            for room in found
            for member in islice(room, MOST)
        ]
        return {"total": sum(map(len, found)), "members": members[:MOST]}


class Switches:
    """
    What is broken on purpose. Each service has a switch, which all its listeners share.
    """

    name = "faults"

    def told(self, listeners: Sequence[Listener], now: float) -> object:
        """A row for each switch: its number, its listeners, and its line, or empty."""
        rows = [
            {
                "number": number,
                "service": shared[0].serviceName,
                "where": [one.address for one in shared if one.port is not None],
                "line": str(switch.current or ""),
            }
            for number, (switch, shared) in enumerate(_switches(listeners))
        ]
        return rows or None

    def turn(self, listeners: Iterable[Listener], number: int, line: str) -> str:
        """
        Turn a switch, for the connections that begin from now on.

        @param number: which one.
        @param line: as for C{--faults}; empty for none.
        @return: the line that is in force now, with its seed.
        @raise labnet.net.faults.BadFaults: it says nothing that can be done.
        @raise LookupError: there is no such switch.
        """
        switch = _switches(listeners)[number][0]
        switch.set(Faults.parse(line) if line.strip() else None)
        return str(switch.current or "")


def switchOf(listener: Listener) -> FaultSwitch | None:
    """What says which faults a listener has, if there is anything that does."""
    if isinstance(listener, StreamListener):
        endpoint = listener.endpoint
        return endpoint.layers.faults if isinstance(endpoint, LayeredEndpoint) else None
    if isinstance(listener, DatagramListener) and listener.where.layers is not None:
        return listener.where.layers.faults
    return None


def _switches(listeners: Iterable[Listener]) -> list[tuple[FaultSwitch, list[Listener]]]:
    """Each switch once, with its listeners, in their order."""
    shared: dict[FaultSwitch, list[Listener]] = {}
    for listener in listeners:
        switch = switchOf(listener)
        if switch is not None:
            shared.setdefault(switch, []).append(listener)
    return list(shared.items())


def _unique(found: Iterable[object]) -> list[object]:
    """Each of them once, in order: the listeners of a service share what they know."""
    return list({id(one): one for one in found if one is not None}.values())
