"""
Connections of which both ends are in one trace, as that between a proxy and a web server of one lab.
"""

from __future__ import annotations

from collections.abc import Iterable

from labnet.net.packets import plainAddress
from labnet.net.trace import Conversation

__all__ = ["mirrored"]

#: Seconds between the two ends' beginnings, at most.
_APART = 5.0

_Ports = tuple[int, int]


def mirrored(conversations: Iterable[Conversation]) -> dict[Conversation, Conversation]:
    """
    Those that we have made ourselves to somebody in the same trace.

    @return: by each of them the other end's conversation, which is said to no second one.
    """
    accepted: dict[_Ports, list[Conversation]] = {}
    made: list[Conversation] = []
    for one in sorted(conversations, key=lambda one: one.openedAt):
        if one.outgoing:
            made.append(one)
        else:
            accepted.setdefault((one.local[1], one.peer[1]), []).append(one)
    pairs: dict[Conversation, Conversation] = {}
    for one in made:
        others = accepted.get((one.peer[1], one.local[1]), [])
        for other in others:
            if _isOtherEnd(one, other):
                pairs[one] = other
                others.remove(other)
                break
    return pairs


def _isOtherEnd(made: Conversation, accepted: Conversation) -> bool:
    return (
        made.transport == accepted.transport != "unix"
        and abs(made.openedAt - accepted.openedAt) <= _APART
        and _same(made.peer[0], accepted.local[0])
        and _same(made.local[0], accepted.peer[0])
    )


def _same(one: str, other: str) -> bool:
    """Whether it is one address; a port for datagrams may only know that it listens everywhere."""
    first, second = plainAddress(one), plainAddress(other)
    if first is None or second is None:
        return False
    return first == second or first.is_unspecified or second.is_unspecified
