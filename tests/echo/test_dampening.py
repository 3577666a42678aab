"""
Whether a datagram is answered: loops end, clients do not notice.
"""

from __future__ import annotations

import pytest

from labnet.echo.dampening import Dampening, Patience

SOURCE = ("192.0.2.1", 40_000)


def answered(dampening: Dampening, datagrams: list[bytes], every: float = 0.0, now: float = 0.0) -> int:
    """How many of these are answered, when one comes every so many seconds."""
    objections = [
        dampening.objection(SOURCE, datagram, now + at * every) for at, datagram in enumerate(datagrams)
    ]
    return objections.count(None)


def test_theSameAgainAndAgain() -> None:
    dampening = Dampening(Patience(repeats=3))
    assert answered(dampening, [b"x"] * 100) == 4
    assert dampening.objection(SOURCE, b"x", 0.0) == "said again and again"


@pytest.mark.parametrize(
    "change",
    [
        bytes.upper,
        bytes.swapcase,
        lambda message: b"Echo: " + message,
        lambda message: b"ECHO: " + message.upper(),
        lambda message: b"Server 7 says: Echo: " + message,
    ],
)
def test_theSameInAnotherForm(change: object) -> None:
    """As the course's echoes return it: in upper case, with a prefix, with more and more of them."""
    assert callable(change)
    messages = [b"hello"]
    for _ in range(60):
        messages.append(change(messages[-1]))
    assert answered(Dampening(), messages) <= 12


def test_severalMessagesGoingRound() -> None:
    """Each is counted for itself, and others between them do not help."""
    assert answered(Dampening(Patience(repeats=2)), [b"a", b"b", b"c"] * 50) == 9


def test_moreGoingRoundThanAreRemembered() -> None:
    """They end, too: by the number of messages without a break."""
    messages = [str(number).encode() for number in range(65)] * 100
    assert answered(Dampening(), messages) == 1000


def test_whateverIsSaidItHasToBreakOff() -> None:
    """Different messages, as of a program that answers with a number, end all the same."""
    messages = [str(number).encode() for number in range(5000)]
    dampening = Dampening()
    assert answered(dampening, messages) == 1000
    assert dampening.objection(SOURCE, b"new", 0.0) == "without a break"


def test_afterASilenceItBeginsAnew() -> None:
    dampening = Dampening(Patience(repeats=3, silence=1.0))
    assert answered(dampening, [b"x"] * 100) == 4
    assert dampening.objection(SOURCE, b"x", 0.9) is not None
    assert dampening.objection(SOURCE, b"x", 1.8) is not None  # It was not silent in between.
    assert dampening.objection(SOURCE, b"x", 2.9) is None


def test_oneThatTakesItsTimeIsNotNoticed() -> None:
    """A heartbeat every second, for ever the same."""
    assert answered(Dampening(), [b"ping"] * 500, every=1.0) == 500


def test_aClientWithNumbersIsNotNoticed() -> None:
    messages = [b"message %d" % number for number in range(900)]
    assert answered(Dampening(), messages, every=0.001) == 900


def test_tenTimesTheSameIsNotNoticed() -> None:
    """As a loop in a student's program sends it."""
    assert answered(Dampening(), [b"Hello"] * 10) == 10


def test_portsAreCountedApart() -> None:
    dampening = Dampening(Patience(repeats=1))
    for port in range(40_000, 40_100):
        answers = [dampening.objection(("192.0.2.1", port), b"x", 0.0) for _ in range(5)]
        assert answers.count(None) == 2


def test_aSilenceIsASilenceWhoeverTalksMeanwhile() -> None:
    """One port that never stops does not keep the others' counts."""
    dampening = Dampening(Patience(repeats=1))
    talker = ("192.0.2.1", 1)
    dampening.objection(talker, b"x", 0.0)
    assert answered(dampening, [b"x"] * 5) == 2
    for at in range(1, 20):
        dampening.objection(talker, b"x", 0.1 * at)
    assert answered(dampening, [b"x"] * 5, now=2.0) == 2


def test_noLimit() -> None:
    dampening = Dampening(Patience(repeats=0, unbroken=0))
    assert answered(dampening, [b"x"] * 5000) == 5000
    assert len(dampening) == 0
    assert answered(Dampening(Patience(repeats=0)), [b"x"] * 5000) == 1000
    assert answered(Dampening(Patience(unbroken=0)), [b"x"] * 5000) == 11
    assert answered(Dampening(Patience(unbroken=0)), [b"%d" % at for at in range(5000)]) == 5000


def test_aFullTableForgetsNobody() -> None:
    """
    While the table is full no port is added, for to forget one would begin its count anew: more loops
    at a time than there are places would go on for ever. The silent make room.
    """
    dampening = Dampening(Patience(repeats=1, ports=10))
    loops = [("192.0.2.1", 40_000 + number) for number in range(20)]
    rounds = [[dampening.objection(loop, b"x", 0.01 * turn) for loop in loops] for turn in range(50)]
    assert sum(objections.count(None) for objections in rounds) == 20
    assert rounds[0][10:] == ["from too many ports at a time"] * 10
    assert len(dampening) == 10
    assert dampening.objection(("192.0.2.2", 1), b"x", 2.0) is None
    assert len(dampening) == 1


def test_whatIsRememberedIsBounded() -> None:
    dampening = Dampening(Patience(unbroken=0, remembered=8))
    answered(dampening, [b"%d" % at for at in range(1000)])
    (talk,) = dampening._talks.values()
    assert len(talk.times) == 8


def test_aClockThatIsSetBack() -> None:
    """Somebody who was counted before is not locked out until the time comes round again."""
    dampening = Dampening(Patience(repeats=1))
    assert answered(dampening, [b"x"] * 5, now=1_000_000.0) == 2
    assert answered(dampening, [b"x"] * 5, now=5.0) == 2
