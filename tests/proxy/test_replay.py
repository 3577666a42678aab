"""
What was held goes out first, then what came meanwhile, then the end.
"""

from __future__ import annotations

from labnet.proxy.replay import Replay
from labnet.proxy.spool import Spool
from labnet.proxy.wire import Fields


class Play:
    """A replay of two pieces on disk, and what comes of it."""

    def __init__(self) -> None:
        self.written: list[bytes] = []
        self.endings: list[Fields | None] = []
        self.spool = Spool(0)
        self.spool.write(b"held ")
        self.replay = Replay(self.spool, self.written.append, self.endings.append, self.lost)

    def lost(self, problem: OSError) -> None:
        raise AssertionError(problem)


def test_whatCameMeanwhileFollows() -> None:
    play = Play()
    play.replay.add(b"then ")
    play.replay.add(b"this")
    play.replay.resume()
    assert play.written == [b"held ", b"then ", b"this"]
    assert play.endings == [None]


def test_theEndComesAfterEverything() -> None:
    play, trailers = Play(), Fields([(b"A", b"b")])
    play.replay.ended(trailers)
    play.replay.add(b"late")
    assert play.endings == []
    play.replay.resume()
    assert (play.written, play.endings) == ([b"held ", b"late"], [trailers])


def test_pausedInTheMiddleItGoesOn() -> None:
    play = Play()
    play.replay = Replay(play.spool, lambda piece: play.replay.pause(), play.endings.append, play.lost)
    play.replay.resume()
    assert play.endings == []
    play.replay.resume()
    assert play.endings == [None]


def test_closedItIsSilent() -> None:
    """Also when that comes in the middle of a write: the client has gone."""
    play = Play()
    play.replay = Replay(play.spool, lambda piece: play.replay.close(), play.endings.append, play.lost)
    play.replay.add(b"never written")
    play.replay.resume()
    assert play.endings == []
    assert play.spool.size == 0
