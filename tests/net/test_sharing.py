"""
What several processes count together: connections, and how often each peer may.
"""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from labnet.net.limits import DatagramLimits, Limits, PeerCount, RateLimit
from labnet.net.sharing import SharedLimits, SharedPeerCount, SharedRate, sharedMemory


@pytest.fixture
def memory() -> Iterator[int]:
    """For two processes."""
    descriptor = sharedMemory(2)
    yield descriptor
    os.close(descriptor)


def test_connectionsOfAllProcesses(memory: int) -> None:
    """Whoever has taken them, they count; what one has left does not when another is in its place."""
    limits = Limits(maxConnections=3, maxPerPeer=2)
    first, second = (SharedPeerCount(limits, SharedLimits(memory, at, 2), "tcp:1") for at in range(2))
    first.add("a")
    assert second.refusal("a") is None
    second.add("a")
    for peers in (first, second):
        assert peers.refusal("a") == "over the limit of one address"
        assert peers.refusal("b") is None
    first.add("b")
    assert second.refusal("c") == "over the limit in all"
    second.remove("a")
    assert first.refusal("a") is None
    SharedPeerCount(limits, SharedLimits(memory, 0, 2), "tcp:1")
    second.add("a")
    assert second.refusal("a") is None
    assert second.refusal("c") is None


def test_placesToListenAreCountedApart(memory: int) -> None:
    """Each has the limits of its own, as in one process."""
    shared = SharedLimits(memory, 0, 2)
    limits = Limits(maxConnections=2, maxPerPeer=1)
    one, other = (SharedPeerCount(limits, shared, name) for name in ("tcp:1", "tcp:2"))
    one.add("a")
    one.add("b")
    assert one.refusal("c")
    assert other.refusal("a") is None


@given(st.lists(st.sampled_from(["a", "-a", "b", "-b", "c"]), max_size=40))
def test_aProcessAloneCountsAsWithoutOthers(events: list[str]) -> None:
    """The same answers as from a count that nobody shares."""
    limits = Limits(maxConnections=5, maxPerPeer=2)
    memory = sharedMemory(1)
    alone, shared = PeerCount(limits), SharedPeerCount(limits, SharedLimits(memory, 0, 1), "x")
    os.close(memory)
    open_: list[str] = []
    for event in events:
        host = event[-1]
        assert shared.refusal(host) == alone.refusal(host)
        if event[0] != "-" and alone.refusal(host) is None:
            open_.append(host)
            alone.add(host)
            shared.add(host)
        elif event[0] == "-" and host in open_:
            open_.remove(host)
            alone.remove(host)
            shared.remove(host)


@given(
    st.sampled_from([0.3, 1.0, 2.5, 10.0]),
    st.lists(st.tuples(st.sampled_from("ab"), st.integers(0, 30)), max_size=60),
)
def test_aRateIsThatOfOneProcess(rate: float, events: list[tuple[str, int]]) -> None:
    """Whichever process is asked, the events are admitted that one alone would admit."""
    memory = sharedMemory(2)
    processes = [SharedRate(rate, SharedLimits(memory, at, 2)) for at in range(2)]
    os.close(memory)
    alone = RateLimit(DatagramLimits(perSource=rate, total=0))
    now = 1_000.0
    for number, (source, tenths) in enumerate(events):
        now += tenths / 10 + 1e-4
        assert processes[number % 2].admits(source, now) == alone.admits(source, now)


def test_aClockThatIsSetBack(memory: int) -> None:
    """It costs nobody more than the burst that it had."""
    rate = SharedRate(1.0, SharedLimits(memory, 0, 2))
    for _ in range(2):
        assert rate.admits("a", 1_000_000.0)
    assert not rate.admits("a", 1_000_000.0)
    assert [rate.admits("a", 10.0) for _ in range(3)] == [True, True, False]


def test_whatIsCountedInAll(memory: int) -> None:
    """Each of several things by itself."""
    first, second = (SharedLimits(memory, at, 2) for at in range(2))
    tunnels, others = first.total(), first.total()
    theirs = second.total()
    tunnels.add(2)
    theirs.add(1)
    assert (tunnels.value, others.value, theirs.value) == (3, 0, 3)
    theirs.add(-5)
    assert tunnels.value == 2
    for _ in range(62):
        first.total()
    with pytest.raises(ValueError, match="64"):
        first.total()


def test_aNameHasTwoPlaces(memory: int) -> None:
    """Never twice the same one, and the same ones in every process."""
    first, second = (SharedLimits(memory, at, 2) for at in range(2))
    for number in range(1_000):
        one, other = first.places(str(number))
        assert one != other
        assert second.places(str(number)) == (one, other)
