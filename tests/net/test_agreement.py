"""
What is agreed upon before TLS carries anything. Other programs have their say in the integration tests.
"""

from __future__ import annotations

import pytest
from twisted.internet.endpoints import TCP4ServerEndpoint
from twisted.internet.testing import MemoryReactorClock

from labnet.net.agreement import SUPPORTED, agreeing, choose


@pytest.mark.parametrize(
    ("ours", "offered", "chosen"),
    [
        ([b"http/1.1"], [b"h2", b"http/1.1"], b"http/1.1"),
        ([b"b", b"a"], [b"a", b"b"], b"b"),
        ([b"http/1.1"], [b"h2"], None),
        ([b"http/1.1"], [], None),
        ([], [b"h2"], None),
    ],
)
def test_theFavouriteOfTheServerIsChosen(
    ours: list[bytes], offered: list[bytes], chosen: bytes | None
) -> None:
    assert choose(ours, offered) == chosen


def test_thisTwistedIsSupported() -> None:
    """Where it is not, clients that offer something are refused, and somebody should know."""
    assert SUPPORTED


def test_withoutTLSNothingIsAgreedUpon() -> None:
    endpoint = TCP4ServerEndpoint(MemoryReactorClock(), 0)
    assert agreeing(endpoint) is endpoint
