"""
Who may connect, and how often datagrams are answered.
"""

from __future__ import annotations

from labnet.net.limits import DatagramLimits, Limits, PeerCount, RateLimit


def test_connectionsInAll() -> None:
    peers = PeerCount(Limits(maxConnections=2))
    peers.add("a")
    assert peers.refusal("b") is None
    peers.add("b")
    assert peers.refusal("c") == "over the limit in all"
    peers.remove("a")
    assert peers.refusal("c") is None


def test_connectionsOfOnePeer() -> None:
    peers = PeerCount(Limits(maxConnections=0, maxPerPeer=1))
    peers.add("a")
    assert peers.refusal("a") == "over the limit of one address"
    assert peers.refusal("b") is None
    peers.remove("a")
    assert peers.refusal("a") is None
    assert peers.total == 0


def test_noLimits() -> None:
    peers = PeerCount(Limits(maxConnections=0, maxPerPeer=0))
    for _ in range(100_000):
        peers.add("a")
    assert peers.refusal("a") is None


def admitted(rate: RateLimit, source: str, now: float, count: int = 1000) -> int:
    return sum(rate.admits(source, now) for _ in range(count))


def test_theRateOfOneSource() -> None:
    """Twice the rate at once, then the rate; another source is not concerned."""
    rate = RateLimit(DatagramLimits(perSource=10, total=0))
    assert admitted(rate, "a", 0.0) == 20
    assert admitted(rate, "a", 0.5) == 5
    assert admitted(rate, "b", 0.5) == 20
    assert admitted(rate, "a", 1000.0) == 20


def test_theRateInAll() -> None:
    rate = RateLimit(DatagramLimits(perSource=0, total=50))
    assert sum(rate.admits(str(source), 0.0) for source in range(1000)) == 100


def test_aRateBelowOneASecond() -> None:
    rate = RateLimit(DatagramLimits(perSource=0.1))
    assert admitted(rate, "a", 0.0) == 1
    assert admitted(rate, "a", 9.0) == 0
    assert admitted(rate, "a", 10.1) == 1


def test_noRate() -> None:
    assert admitted(RateLimit(DatagramLimits(perSource=0, total=0)), "a", 0.0, 100_000) == 100_000


def test_aFloodOfForgedSourcesTakesNoMemory() -> None:
    rate = RateLimit(DatagramLimits(sources=100))
    for source in range(100_000):
        rate.admits(str(source), 0.0)
    assert len(rate) == 100


def test_theLongestSilentSourceIsForgotten() -> None:
    rate = RateLimit(DatagramLimits(perSource=1, total=0, sources=2))
    assert admitted(rate, "a", 0.0) == 2
    assert admitted(rate, "b", 0.0) == 2
    assert admitted(rate, "a", 0.0) == 0
    rate.admits("c", 0.0)
    assert admitted(rate, "a", 0.0) == 0
    assert admitted(rate, "b", 0.0) == 2


def test_aClockThatIsSetBackDoesNotBlockASource() -> None:
    rate = RateLimit(DatagramLimits(perSource=10))
    rate.admits("a", 10_000.0)
    assert admitted(rate, "a", 0.0) == 19
    assert admitted(rate, "a", 1.0) == 10
