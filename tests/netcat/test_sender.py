"""
Pieces and pauses, by the clock.
"""

from __future__ import annotations

from twisted.internet.task import Clock

from labnet.netcat.sender import Sender


class Sent:
    """What a sender has sent, when, and how often it has become ready."""

    def __init__(self, clock: Clock, sizes: tuple[int, ...] = (), pause: float = 0.0) -> None:
        self.pieces: list[tuple[float, bytes]] = []
        self.ready = 0
        self._clock = clock
        self.sender = Sender(clock, self._sent, self._ready, sizes, pause)

    def _sent(self, piece: bytes) -> None:
        self.pieces.append((round(self._clock.seconds(), 3), piece))

    def _ready(self) -> None:
        assert not self.sender.busy
        self.ready += 1


def test_withoutPiecesAndPausesNothingWaits(clock: Clock) -> None:
    sent = Sent(clock)
    sent.sender.feed(b"one")
    sent.sender.feed(b"two")
    sent.sender.flush()
    assert sent.pieces == [(0, b"one"), (0, b"two")]
    assert not sent.sender.busy


def test_eachPieceHasItsTime(clock: Clock) -> None:
    sent = Sent(clock, (2,), 0.5)
    sent.sender.feed(b"abcdef")
    assert sent.sender.busy
    clock.pump([0.25] * 6)
    assert sent.pieces == [(0, b"ab"), (0.5, b"cd"), (1.0, b"ef")]
    assert not sent.sender.busy
    assert sent.ready > 0


def test_theNextPieceWaitsForThePauseOfTheLast(clock: Clock) -> None:
    sent = Sent(clock, (), 1.0)
    sent.sender.feed(b"one")
    assert not sent.sender.busy
    sent.sender.feed(b"two")
    assert sent.sender.busy
    clock.pump([0.5] * 6)
    assert sent.pieces == [(0, b"one"), (1.0, b"two")]
    sent.sender.feed(b"three")
    assert sent.pieces[-1] == (3.0, b"three")
    clock.advance(1)


def test_withoutAPauseEachPieceHasATurnOfItsOwn(clock: Clock) -> None:
    """Written in one turn they would leave as one."""
    sent = Sent(clock, (1,))
    sent.sender.feed(b"abc")
    assert [piece for _, piece in sent.pieces] == [b"a"]
    clock.advance(0)
    assert [piece for _, piece in sent.pieces] == [b"a", b"b", b"c"]
    assert sent.ready > 0


def test_anIncompletePieceWaitsOnlyAMoment(clock: Clock) -> None:
    """What a file brings in reads of any size is cut as told; what somebody types is sent."""
    sent = Sent(clock, (4,))
    sent.sender.feed(b"abc")
    assert sent.pieces == []
    sent.sender.feed(b"defgh")
    clock.advance(0)
    assert [piece for _, piece in sent.pieces] == [b"abcd", b"efgh"]
    sent.sender.feed(b"x")
    clock.pump([0.0, Sender.QUIET / 2])
    assert len(sent.pieces) == 2
    clock.pump([Sender.QUIET / 2, 0.0])
    assert sent.pieces[-1][1] == b"x"


def test_flushedAtOnce(clock: Clock) -> None:
    sent = Sent(clock, (4,))
    sent.sender.feed(b"abc")
    sent.sender.flush()
    assert sent.pieces == [(0, b"abc")]
    clock.advance(0)


def test_heldBack(clock: Clock) -> None:
    """A slow network stops the pieces, and the pauses do not pile up."""
    sent = Sent(clock, (1,), 1.0)
    sent.sender.feed(b"abc")
    sent.sender.hold()
    clock.advance(5)
    assert sent.pieces == [(0, b"a")]
    sent.sender.release()
    assert sent.pieces == [(0, b"a"), (5, b"b")]
    clock.pump([1, 1])
    assert sent.pieces[-1] == (6, b"c")


def test_stopped(clock: Clock) -> None:
    sent = Sent(clock, (2,), 1.0)
    sent.sender.feed(b"abcde")
    sent.sender.stop()
    clock.advance(5)
    assert sent.pieces == [(0, b"ab")]
    assert not sent.sender.busy
