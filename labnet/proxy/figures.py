"""
What is read off a proxy's factories when somebody asks.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from labnet.proxy.server import ProxyConnection

if TYPE_CHECKING:
    from labnet.proxy.factory import ProxyFactory

__all__ = ["figuresOf"]


def figuresOf(factories: Iterable[ProxyFactory]) -> dict[str, dict[str, float]]:
    """How many there are of everything, by the names of L{labnet.proxy.exposition.FAMILIES}."""
    figures: dict[str, float] = dict.fromkeys(_READ_OFF, 0.0)
    taken = sent = fresh = reused = 0
    for factory in factories:
        pool = factory.pool
        open_ = [one for one in factory.connections if isinstance(one, ProxyConnection)]
        taken += factory.bytesIn + sum(one.bytesIn for one in open_)
        sent += factory.bytesOut + sum(one.bytesOut for one in open_)
        fresh += pool.made
        reused += pool.reused
        figures["connections"] += factory.served
        figures["connectionsOpen"] += len(open_)
        figures["connectionsRefused"] += factory.refused.total
        figures["tunnelsOpen"] += sum(one.tunnelled for one in open_)
        figures["originsOpen"] += pool.open
        figures["originsIdle"] += len(pool)
        figures["spooled"] += sum(one.spooled for one in open_)
    return {
        **{name: {"": value} for name, value in figures.items()},
        "bytes": {"in": float(taken), "out": float(sent)},
        "origins": {"new": float(fresh), "reused": float(reused)},
    }


_READ_OFF = (
    "connections",
    "connectionsOpen",
    "connectionsRefused",
    "tunnelsOpen",
    "originsOpen",
    "originsIdle",
    "spooled",
)
