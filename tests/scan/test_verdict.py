"""
From error numbers to what is said of a port.
"""

from __future__ import annotations

import errno
from ipaddress import ip_address

import pytest

from labnet.scan.verdict import ScannedHost, State, Verdict, verdictOf


@pytest.mark.parametrize(
    ("number", "state", "reason"),
    [
        (0, State.OPEN, "connected"),
        (errno.EISCONN, State.OPEN, "connected"),
        (errno.ECONNRESET, State.OPEN, "connected, then reset"),
        (errno.ECONNREFUSED, State.CLOSED, "refused"),
        (errno.ETIMEDOUT, State.FILTERED, "no answer"),
        (errno.EHOSTUNREACH, State.FILTERED, "host unreachable"),
        (errno.ENETUNREACH, State.FILTERED, "network unreachable"),
        (errno.EACCES, State.FILTERED, "prohibited"),
        (errno.EPERM, State.FILTERED, "prohibited"),
        (errno.EINVAL, State.FILTERED, "failed"),
    ],
)
def test_whatAnErrorSaysOfThePort(number: int, state: State, reason: str) -> None:
    verdict = verdictOf(number)
    assert (verdict.state, verdict.reason) == (state, reason)


def test_everyVerdictFitsAByte() -> None:
    assert all(0 <= verdict < 256 for verdict in Verdict)


def test_portsAreGroupedByTheirVerdict() -> None:
    host = ScannedHost("x", ip_address("127.0.0.1"), (1, 2, 3, 4, 5, 6))
    host.verdicts[:] = [Verdict.CONNECTED, Verdict.REFUSED, Verdict.NO_ANSWER, Verdict.REFUSED,
                        Verdict.RESET, Verdict.HOST_UNREACHABLE]  # fmt: skip
    assert host.open == [1, 5]
    assert host.grouped(State.CLOSED) == {Verdict.REFUSED: [2, 4]}
    assert host.grouped(State.FILTERED) == {Verdict.NO_ANSWER: [3], Verdict.HOST_UNREACHABLE: [6]}


def test_whatHasNoVerdictYetIsInNoGroup() -> None:
    host = ScannedHost("x", ip_address("127.0.0.1"), (1, 2))
    assert not host.open
    assert not any(host.grouped(state) for state in State)
