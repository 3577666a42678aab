"""
What faults do to datagrams, with the clock in the test's hand.
"""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from labnet.net.datagramimpairment import MOST_DATAGRAMS, DatagramImpairment, Delivery
from labnet.net.faults import Direction, Faults
from tests.net.test_faults import DATAGRAMS

PEER = ("127.0.0.1", 4711)


def impaired(line: str) -> DatagramImpairment:
    faults = Faults.parse(line).seeded(7)
    return DatagramImpairment(faults.datagrams(Direction.IN), lambda purpose: faults.random(1, purpose))


def drain(port: DatagramImpairment, until: float) -> list[Delivery]:
    deliveries = []
    while (at := port.nextAt()) is not None and at <= until:
        while (delivery := port.take(at)) is not None:
            deliveries.append(delivery)
    return deliveries


def run(line: str, datagrams: Sequence[tuple[float, bytes]]) -> list[Delivery]:
    port, deliveries = impaired(line), []
    for at, datagram in datagrams:
        deliveries += drain(port, at)
        port.received(datagram, PEER, at)
        deliveries += drain(port, at)
    return deliveries + drain(port, 1e9)


def passed(deliveries: Sequence[Delivery]) -> list[bytes]:
    return [delivery.datagram for delivery in deliveries if delivery.datagram is not None]


ROW = [(number / 1_000, b"%d" % number) for number in range(1, 7)]


@pytest.mark.parametrize(
    ("line", "arrive"),
    [
        ("", b"1 2 3 4 5 6"),
        ("drop=#2,#5", b"1 3 4 6"),
        ("drop=#3-", b"1 2"),
        ("drop=100%", b""),
        ("duplicate=#2", b"1 2 2 3 4 5 6"),
        ("reorder=#2", b"1 3 2 4 5 6"),
        ("reorder=#2-3", b"1 4 2 3 5 6"),
        ("reorder=#6", b"1 2 3 4 5 6"),
        ("delay=2500us@#1", b"2 3 1 4 5 6"),
        ("drop=#1 duplicate=#1,#2 reorder=#1,#2", b"3 2 2 4 5 6"),
    ],
)
def test_exactNumbers(line: str, arrive: bytes) -> None:
    assert b" ".join(passed(run(line, ROW))) == arrive


def test_aReorderedDatagramWaitsForTheNextOnlySoLong() -> None:
    deliveries = run("reorder=#1/50ms", [(0.0, b"1"), (1.0, b"2")])
    assert [(delivery.at, delivery.datagram) for delivery in deliveries] == [(0.05, b"1"), (1.0, b"2")]


def test_anEarlierOneThatWasHeldIsNotTheNext() -> None:
    deliveries = run("delay=1s@#1 reorder=#2/9s", [(0.0, b"1"), (0.0, b"2"), (2.0, b"3")])
    assert [(delivery.at, delivery.datagram) for delivery in deliveries] == [
        (1.0, b"1"),
        (2.0, b"3"),
        (2.0, b"2"),
    ]


def test_delays() -> None:
    assert [delivery.at for delivery in run("delay=40ms", [(0.0, b"1"), (1.0, b"2")])] == [0.04, 1.04]
    late = [delivery.at for delivery in run("delay=1s+-500ms", [(0.0, b"x")] * 200)]
    assert 0.5 <= min(late) < 0.55
    assert 1.45 < max(late) <= 1.5


def test_cutDatagramsHaveTheirBeginning() -> None:
    assert passed(run("cut=3", [(0.0, b"abcdef"), (0.0, b"ab")])) == [b"abc", b"ab"]
    assert passed(run("cut=3@#2", [(0.0, b"abcdef"), (0.0, b"abcdef")])) == [b"abcdef", b"abc"]


def test_aShareIsDropped() -> None:
    left = passed(run("drop=10%", [(0.0, b"x")] * 2_000))
    assert len(left) == pytest.approx(1_800, abs=60)


def test_whatWasDoneIsTold() -> None:
    notes = [delivery.note for delivery in run("drop=#1 duplicate=#2 cut=1@#2", [(0.0, b"abc")] * 2)]
    assert notes == ["datagram #1: drops it", "datagram #2: sends it twice, cuts it from 3 bytes to 1", ""]


LINES = st.lists(DATAGRAMS.map(str), max_size=4).map("; ".join)
ROWS = st.lists(st.tuples(st.floats(0, 20), st.binary(max_size=20)), max_size=20).map(
    lambda row: sorted(row, key=lambda item: item[0])
)


@given(LINES, ROWS)
def test_theSameSeedDoesTheSame(line: str, row: list[tuple[float, bytes]]) -> None:
    def told(deliveries: list[Delivery]) -> list[tuple[float, bytes | None, str]]:
        return [(delivery.at, delivery.datagram, delivery.note) for delivery in deliveries]

    assert told(run(line, row)) == told(run(line, row))


@given(
    st.lists(DATAGRAMS.filter(lambda f: f.word.value in ("delay", "reorder")).map(str)).map("; ".join), ROWS
)
def test_withoutLossEachArrivesOnce(line: str, row: list[tuple[float, bytes]]) -> None:
    assert sorted(passed(run(line, row))) == sorted(datagram for _, datagram in row)


def test_whatIsHeldIsBounded() -> None:
    port = impaired("delay=1s duplicate=50%")
    for _ in range(5 * MOST_DATAGRAMS):
        port.received(bytes(1_500), PEER, 0.0)
    deliveries = drain(port, 9.0)
    assert len(passed(deliveries)) <= MOST_DATAGRAMS
    assert any("too many" in delivery.note for delivery in deliveries)
    assert len(deliveries) <= 3 * MOST_DATAGRAMS
    assert port.held == 0
