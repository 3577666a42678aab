"""
What became of the attempts to reach a port, and why.
"""

from __future__ import annotations

import errno
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from enum import Enum, IntEnum

from labnet.scan.target import Address

__all__ = ["ScannedHost", "State", "Verdict", "verdictOf"]


class State(Enum):
    """What one says of a port."""

    OPEN = "open"
    CLOSED = "closed"
    FILTERED = "filtered"


class Verdict(IntEnum):
    """How an attempt to connect ended. It fits a byte, for there are many of them."""

    PENDING = 0
    CONNECTED = 1
    REFUSED = 2
    RESET = 3
    NO_ANSWER = 4
    HOST_UNREACHABLE = 5
    NETWORK_UNREACHABLE = 6
    PROHIBITED = 7
    FAILED = 8

    @property
    def state(self) -> State:
        """What that says of the port."""
        return _STATES.get(self, State.FILTERED)

    @property
    def reason(self) -> str:
        """Why one says so, in words."""
        return "connected, then reset" if self is Verdict.RESET else self.name.lower().replace("_", " ")


_STATES = {
    Verdict.CONNECTED: State.OPEN,
    # A reset in place of a connection is "refused"; a mere "reset" comes after the connection was made.
    Verdict.RESET: State.OPEN,
    Verdict.REFUSED: State.CLOSED,
}

_VERDICTS = {
    0: Verdict.CONNECTED,
    errno.EISCONN: Verdict.CONNECTED,
    errno.ECONNREFUSED: Verdict.REFUSED,
    errno.ECONNRESET: Verdict.RESET,
    errno.ECONNABORTED: Verdict.RESET,
    errno.EPIPE: Verdict.RESET,
    errno.ETIMEDOUT: Verdict.NO_ANSWER,
    errno.EHOSTUNREACH: Verdict.HOST_UNREACHABLE,
    errno.EHOSTDOWN: Verdict.HOST_UNREACHABLE,
    errno.ENETUNREACH: Verdict.NETWORK_UNREACHABLE,
    errno.ENETDOWN: Verdict.NETWORK_UNREACHABLE,
    errno.EADDRNOTAVAIL: Verdict.NETWORK_UNREACHABLE,
    errno.EACCES: Verdict.PROHIBITED,
    errno.EPERM: Verdict.PROHIBITED,
}


def verdictOf(number: int) -> Verdict:
    """The verdict for the error number (0 for none) that a C{connect} ended with."""
    return _VERDICTS.get(number, Verdict.FAILED)


@dataclass(slots=True)
class ScannedHost:
    """
    The verdicts on one address: a byte for each port.

    @ivar target: the text that led to this address.
    @ivar ports: the ports that are asked for, in ascending order.
    @ivar verdicts: for each of them, the number of its L{Verdict}.
    """

    target: str
    address: Address
    ports: Sequence[int]
    verdicts: bytearray = field(init=False)

    def __post_init__(self) -> None:
        self.verdicts = bytearray(len(self.ports))

    def having(self, verdict: Verdict) -> Iterator[int]:
        """The ports with that verdict, in ascending order."""
        found = self.verdicts.find(verdict)
        while found >= 0:
            yield self.ports[found]
            found = self.verdicts.find(verdict, found + 1)

    def grouped(self, state: State) -> dict[Verdict, list[int]]:
        """The ports in that state, by verdict; verdicts without a port are left out."""
        groups = {verdict: list(self.having(verdict)) for verdict in Verdict if verdict.state is state}
        return {verdict: ports for verdict, ports in groups.items() if ports and verdict}

    @property
    def open(self) -> list[int]:
        """The open ports."""
        return sorted([*self.having(Verdict.CONNECTED), *self.having(Verdict.RESET)])
